//! What an explicit schedule cannot beat: its longest chain of operations, and what each rank sends and receives.
//!
//! **Model.** A message takes the least latency of its step, the propagation of its way and its payload at the rate of all links of an
//! accelerator into its network; a computation takes its time. Along a chain they add up. What a rank sends over a network, and what
//! it receives, takes at least its payload at that rate.
//!
//! **Invariant.** Never above a simulated time. **Cost.** A few passes over all operations. **Limits.** Cuts of the fabric, headers and
//! computations that wait for the device of their stream are not counted.

use super::Bound;
use crate::collective::Schedule;
use crate::control::{Control, Phase};
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::spec::ProtocolSpec;
use crate::survey::path::{Path, between};
use crate::units::{BitRate, Fs};
use crate::workload::explicit::{Act, Action, Explicit};

/// What all messages of an explicit schedule are, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages.
    pub messages: u64,
    /// Their payload.
    pub bytes: u64,
    /// Packets over links.
    pub packet_hops: u64,
}

/// The way of a message.
fn way(fabric: &Fabric, placement: &[u32], rank: u32, send: &Action) -> Result<Path> {
    let (from, to) = (placement[rank as usize], placement[send.peer as usize]);
    between(fabric, from, to).ok_or_else(|| Error::Unroutable {
        from: from.into(),
        to: to.into(),
        why: format!("rank {rank} sends to rank {}, and no network has both in one copy", send.peer),
    })
}

/// What an explicit schedule sends.
///
/// # Errors
/// [`Error::Unroutable`] for a message between ranks that no network joins; those of [`Control::check`].
pub fn traffic(fabric: &Fabric, program: &Explicit, placement: &[u32], control: &Control) -> Result<Traffic> {
    let mut all = Traffic::default();
    for rank in 0..program.ranks() {
        control.check()?;
        for send in program.of(rank).iter().filter(|action| action.act == Act::Send) {
            let way = way(fabric, placement, rank, send)?;
            let packets = send.amount.div_ceil(fabric.networks[way.network].spec.payload.into()).max(1);
            all.messages += 1;
            all.bytes = all.bytes.saturating_add(send.amount);
            all.packet_hops = all.packet_hops.saturating_add(packets.saturating_mul(way.links.into()));
        }
    }
    Ok(all)
}

/// The lower bound of an explicit schedule.
///
/// # Errors
/// Those of [`traffic`].
pub fn chain_bound(
    fabric: &Fabric,
    program: &Explicit,
    placement: &[u32],
    protocol: &ProtocolSpec,
    control: &Control,
) -> Result<Bound> {
    control.begin(Phase::Bounding)?;
    let rates: Vec<BitRate> = fabric.networks.iter().map(|net| BitRate(net.injection().max(1))).collect();
    let takes = |rank: u32, send: &Action| {
        let Ok(way) = way(fabric, placement, rank, send) else {
            return [0, 0]; // which is an error below
        };
        let (step, hop) = (protocol.step(way.network), protocol.hop(way.network, &fabric.networks[way.network].spec));
        let leaves = step.saturating_add(least(rates[way.network], send.amount));
        [leaves, leaves.saturating_add(way.latency_fs).saturating_add(hop)]
    };
    let chain = program.least(takes, control)?.saturating_add(protocol.launch_fs);
    let mut best = Bound { time_fs: chain, kind: "dependencies" };
    let mut received = vec![0u64; program.ranks() as usize * rates.len()];
    let mut sent = vec![0u64; rates.len()];
    let mut busiest: Fs = 0;
    for rank in 0..program.ranks() {
        control.check()?;
        sent.fill(0);
        for send in program.of(rank).iter().filter(|action| action.act == Act::Send) {
            let network = way(fabric, placement, rank, send)?.network;
            let there = &mut received[send.peer as usize * rates.len() + network];
            *there = there.saturating_add(send.amount);
            sent[network] = sent[network].saturating_add(send.amount);
        }
        busiest = busiest.max(longest(&rates, &sent));
    }
    busiest = received.chunks(rates.len()).map(|bytes| longest(&rates, bytes)).fold(busiest, Fs::max);
    let injection = busiest.saturating_add(protocol.launch_fs);
    if injection > best.time_fs {
        best = Bound { time_fs: injection, kind: "injection" };
    }
    Ok(best)
}

/// The longest time that so many bytes per network take.
fn longest(rates: &[BitRate], bytes: &[u64]) -> Fs {
    rates.iter().zip(bytes).map(|(&rate, &bytes)| least(rate, bytes)).max().unwrap_or(0)
}

/// The time that so many bytes take, less what rounding packet by packet may take off.
fn least(rate: BitRate, bytes: u64) -> Fs {
    let time = rate.time(bytes);
    time - time.div_ceil(1 << 16)
}
