//! Channels of a library's trees and rings: each moves its share of the rate, and hands over whole chunks.
//!
//! **Model.** *Trees.* A library runs a tree on C channels at the same time, one block of threads each. A chunk of a channel must be complete at a
//! rank before it goes on, and it arrives at the rate of its channel, R / C of a network that C channels share. So at each rank on
//! the way a chunk of c bytes takes C c / R, not c / R. The schedule's lanes are these channels, but a port serves their messages one
//! after the other, each at the full rate R. This file gives the difference as a hop ([`ProtocolSpec::hop`]): how much later than
//! it arrives a message is known. Filling the pipeline then takes as long as in the library, and once it is full, links carry as much.
//!
//! *Rings.* The kernel of a ring has one operation more than data has hops: after the last hop, a rank's last operation takes the last chunk
//! in. It costs a step, and the time of a chunk of all channels at the full rate. It is counted before the first packet.
//!
//! **Invariant.** A hop occupies nobody, so it changes no link's throughput. With one channel, or without a chunk, it is zero.
//!
//! **Cost.** A few multiplications per offer. **Limits.** For all-reduce trees over nodes, and for rings without a root. The first messages of a rank's first lanes
//! wait for those of the others and for the hop, so the first rank on the way counts up to twice. Protocols that hand over line by line (LL,
//! LL128) have no chunk.
//!
//! **Source.** NVIDIA/nccl v2.30.7 @5067397, src/include/collectives.h:18-35 (a chunk of a Simple tree is one step of 512 KiB, of a ring
//! four), src/device/prims_simple.h:107-184 (hand-over by slice), src/device/all_reduce.h:14-75 (operations of a ring).

use super::Task;
use crate::collective::Collective;
use crate::fabric::Network;
use crate::spec::{Algorithm, ProtocolSpec};
use crate::units::{BitRate, Fs};

/// What so many payload bytes take on the links of an accelerator into a network.
pub(super) fn wire_time((i, net): (usize, &Network), protocol: &ProtocolSpec, bytes: u64) -> Fs {
    let packet = u128::from(protocol.wire_bytes(i, net.spec.payload, net.spec.overhead));
    let time = u128::from(BitRate(net.injection().max(1)).time(bytes));
    u64::try_from(time * packet / u128::from(net.spec.payload.max(1))).unwrap_or(Fs::MAX)
}

impl Task<'_> {
    /// Adds to the hops of a protocol what its channels take to complete a chunk.
    pub(super) fn channelled(&self, algorithm: Algorithm, lanes: u32, protocol: &mut ProtocolSpec) {
        let Some(chunk) = protocol.chunk else {
            return;
        };
        match algorithm {
            Algorithm::DoubleBinaryTree => self.chunks_of_trees(chunk, lanes, protocol),
            Algorithm::Ring if !self.collective.rooted() && self.collective != Collective::Barrier => {
                self.last_of_ring(chunk, protocol);
            }
            _ => {}
        }
    }

    /// The last operation of a ring.
    fn last_of_ring(&self, chunk: u64, protocol: &mut ProtocolSpec) {
        let Some((channels, net)) = protocol.channels.zip(self.fabric.networks.first()) else {
            return;
        };
        let part = self.bytes.div_ceil(self.ranks().max(1).into()).min(chunk.saturating_mul(channels.into()));
        let takes = wire_time((0, net), protocol, part).saturating_add(protocol.step(0));
        protocol.launch_fs = protocol.launch_fs.saturating_add(takes);
    }

    fn chunks_of_trees(&self, chunk: u64, lanes: u32, protocol: &mut ProtocolSpec) {
        let Some((channels, heads)) = self.params(Algorithm::DoubleBinaryTree).tree_channels() else {
            return;
        };
        let share = self.bytes.div_ceil(channels.max(1).into());
        let message = self.bytes.div_ceil(lanes.max(1).into());
        protocol.hop_fs.resize(self.fabric.networks.len(), 0);
        for (i, net) in self.fabric.networks.iter().enumerate() {
            // inside a node all channels pass a rank; outside, those whose head it is
            let sharing = if i == 0 { channels } else { channels.div_ceil(heads) };
            let time = |bytes| wire_time((i, net), protocol, bytes);
            let more = time(share.min(chunk)).saturating_mul(sharing.into()).saturating_sub(time(message));
            if let Some(hop) = protocol.hop_fs.get_mut(i) {
                *hop = hop.saturating_add(more);
            }
        }
    }
}
