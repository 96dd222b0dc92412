//! What a message costs without contention: bytes on the wire, how fast it can go, and what comes after its last byte.
//!
//! **Model.** A message of many packets is a fluid; what the fluid does not know is added. *Cap*: the packets that go by
//! one link follow each other, so a message of few packets cannot use all links of a set. *Extra*: the last packet is
//! stored by switches that do not cut through, or waits for a slower link, and is then written to memory; on a path of
//! stages this is the time of one packet through all of them, less that on the slowest, which the fluid has counted.
//!
//! **Invariant.** Alone, a message takes what the packet engine gives it, but for roundings by 1 fs a packet and where
//! memory is slower than the links. **Cost.** O(links of the path).

use super::routes::Stage;
use crate::engine::{Job, wire_bytes};
use crate::fabric::Network;
use crate::units::{BitRate, Fs};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Timing {
    pub(super) packets: u64,
    /// Wire bytes of all packets.
    pub(super) wire: u64,
    /// Bytes a femtosecond of the wire at most.
    pub(super) cap: f64,
    /// From when the last byte has left until it is stored, beyond propagation.
    pub(super) extra: Fs,
}

/// What happens to data at its ends, in bytes of memory traffic a byte.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ends {
    /// Arriving data is combined, not stored.
    pub(super) reduce: bool,
}

impl Ends {
    /// Memory traffic of a byte that arrives: a write, or two reads and a write.
    pub(super) fn memory(self) -> u32 {
        if self.reduce { 3 } else { 1 }
    }
}

/// Packets of a message and their wire bytes: (packets, of a full one, of the last one).
fn cut(job: &Job, net: &Network, bytes: u64) -> (u64, u64, u64) {
    let payload = u64::from(net.spec.payload);
    let packets = bytes.div_ceil(payload).max(1);
    let last = (bytes - (packets - 1) * payload) as u32;
    let wire = |payload| u64::from(wire_bytes(payload, net.spec.overhead, job.protocol));
    (packets, wire(net.spec.payload), wire(last))
}

/// Timing of a message, or one branch of it, of `bytes`.
pub(super) fn timing(job: &Job, net: &Network, stages: &[Stage], bytes: u64, ends: Ends) -> Timing {
    let (packets, full, last) = cut(job, net, bytes);
    let wire = (packets - 1) * full + last;
    let payload = u64::from(net.spec.payload);
    let one = if packets > 1 { full } else { last };
    let (mut cap, mut through, mut longest, mut before) = (f64::INFINITY, 0, 0, 0);
    for (i, stage) in stages.iter().enumerate() {
        let takes = stage.rate.time(one);
        through += if i == 0 || !stage.cut_through { takes } else { takes.saturating_sub(before) };
        longest = longest.max(takes);
        before = takes;
        if stage.width > 1 {
            // the links that carry most of the packets
            let width = u64::from(stage.width);
            let rounds = packets.div_ceil(width);
            let tail = if packets > (rounds - 1) * width + 1 { full } else { last };
            let alone = ((rounds - 1) * full + tail).max(1);
            cap = cap.min(wire as f64 / alone as f64 * stage.rate.0 as f64 / 8e15);
        }
    }
    let width = u64::from(stages.first().map_or(1, |s| s.width));
    let device = &job.fabric.spec.device;
    let time = |rate: Option<BitRate>, bytes: u64| rate.map_or(0, |r| r.time(bytes));
    // of the packets that leave together by the first hops all but the first wait for a read; the last of them are
    // stored one after the other
    let read = time(device.hbm_rate, (packets.min(width) - 1) * payload.min(bytes));
    let together = packets - (packets.div_ceil(width) - 1) * width;
    let stored = bytes - (packets - together) * payload;
    let channel = if ends.reduce { device.reduce_rate } else { device.copy_rate };
    let store = time(channel, stored).max(time(device.hbm_rate, stored * u64::from(ends.memory())));
    let extra = read + through + store - read.max(longest).max(store).min(read + through + store);
    Timing { packets, wire, cap, extra }
}
