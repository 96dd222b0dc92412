//! What a message costs without contention: packets, bytes on the wire, and what comes after its last byte.
//!
//! **Model.** A message of many packets is a fluid over all links of a set; what the fluid does not know is added when its
//! last byte has left. *Tail*: packets leave a set of links in rounds, and the last round may fill it in part only; the
//! links that it leaves idle go to the next message. *Extra*: the last packet passes the stages of its path behind the ones
//! before it, is stored by switches that do not cut through, waits for slower links and is then written to memory.
//!
//! **Invariant.** Alone, a message takes what the packet engine gives it, but for roundings by 1 fs a packet, and where
//! memory is slower than the links or tiers of several rates have several links. **Cost.** O(links of the path).

use super::resources::speed;
use super::routes::Stage;
use crate::engine::Job;
use crate::fabric::Network;
use crate::spec::ProtocolSpec;
use crate::units::{BitRate, Fs};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Timing {
    pub(super) packets: u64,
    /// Wire bytes of all packets.
    pub(super) wire: u64,
    /// From when the fluid has left until the last packet has.
    pub(super) tail: Fs,
    /// From when the fluid has left until the last packet is stored, beyond propagation.
    pub(super) extra: Fs,
}

/// Memory accesses of a byte that arrives: a write, or two reads and a write.
pub(super) fn accesses(reduce: bool) -> u32 {
    if reduce { 3 } else { 1 }
}

/// Packets of a message and their wire bytes: (packets, of a full one, of the last one).
fn cut(protocol: &ProtocolSpec, (network, net): (usize, &Network), bytes: u64) -> (u64, u64, u64) {
    let payload = u64::from(net.spec.payload);
    let packets = bytes.div_ceil(payload).max(1);
    let last = (bytes - (packets - 1) * payload) as u32;
    let wire = |payload| u64::from(protocol.wire_bytes(network, payload, net.spec.overhead));
    (packets, wire(net.spec.payload), wire(last))
}

/// Bytes on the wire of a message.
pub(super) fn wire(protocol: &ProtocolSpec, net: (usize, &Network), bytes: u64) -> u64 {
    let (packets, full, last) = cut(protocol, net, bytes);
    (packets - 1) * full + last
}

/// Timing of a message, or one branch of it, of `bytes`.
pub(super) fn timing(job: &Job, operation: u32, network: usize, stages: &[Stage], bytes: u64, reduce: bool) -> Timing {
    let net = &job.fabric.networks[network];
    let (packets, full, last) = cut(job.protocol(operation), (network, net), bytes);
    let wire = (packets - 1) * full + last;
    let payload = u64::from(net.spec.payload);
    let width = stages.first().map_or(1, |s| u64::from(s.width));
    let (mut fluid, mut longest) = (0, 0);
    for stage in stages {
        fluid = fluid.max(duration(wire as f64, speed(stage.rate) * f64::from(stage.width)));
        longest = longest.max(stage.rate.time(if packets > 1 { full } else { last }));
    }
    let tail = stages.first().map_or(0, |first| {
        let (rounds, end) = rounds(packets, width, full, last);
        let alone = first.rate.time((rounds - 1) * full + end);
        alone.saturating_sub(duration(wire as f64, speed(first.rate) * f64::from(first.width)))
    });
    let device = &job.fabric.spec.device;
    let time = |rate: Option<BitRate>, bytes: u64| rate.map_or(0, |r| r.time(bytes));
    // of the packets that leave together by the first hops all but the first wait for a read; the last of them are
    // stored one after the other
    let read = time(device.hbm_rate, (packets.min(width) - 1) * payload.min(bytes));
    let together = packets - (packets.div_ceil(width) - 1) * width;
    let stored = bytes - (packets - together) * payload;
    let channel = if reduce { device.reduce_rate } else { device.copy_rate };
    let store = time(channel, stored).max(time(device.hbm_rate, stored * u64::from(accesses(reduce))));
    let network = through(stages, packets, full, last).saturating_sub(fluid);
    let all = network.saturating_add(longest).saturating_add(read).saturating_add(store);
    let extra = all.saturating_sub(longest.max(read).max(store));
    Timing { packets, wire, tail, extra }
}

/// Whole femtoseconds that so many bytes need at so many a femtosecond, rounded up but for what rounding of floats adds.
pub(super) fn duration(bytes: f64, rate: f64) -> Fs {
    if bytes <= 0.0 {
        return 0;
    }
    let exact = bytes / rate;
    (exact - 1e-6 - 1e-14 * exact).ceil().max(0.0) as Fs
}

/// Packets that one of several links sends, and the wire bytes of the last of them.
fn rounds(packets: u64, width: u64, full: u64, last: u64) -> (u64, u64) {
    let rounds = packets.div_ceil(width);
    (rounds, if packets > (rounds - 1) * width + 1 { full } else { last })
}

/// When the last packet is through all stages, counted from the start and without propagation.
fn through(stages: &[Stage], packets: u64, full: u64, last: u64) -> Fs {
    let width = stages.first().map_or(1, |s| s.width);
    let (count, tail) = rounds(packets, width.into(), full, last);
    // tails of the first packet, a full one, and of the last
    let (mut first, mut end): (Fs, Fs) = (0, 0);
    let (mut full_in, mut tail_in, mut pace): (Fs, Fs, Fs) = (0, 0, 0);
    for (i, stage) in stages.iter().enumerate() {
        let (full_fs, tail_fs) = (stage.rate.time(full), stage.rate.time(tail));
        // from the tail coming in to the head leaving: nothing of it, if the stage is not slower and cuts through
        let head = |came: Fs, took: Fs, takes: Fs| {
            if i == 0 || !stage.cut_through { came } else { came.saturating_sub(takes.min(took)) }
        };
        first = head(first, full_in, full_fs).saturating_add(full_fs);
        // where a set widens, only every so many packets of one link meet again
        pace = pace.max(full_fs / u64::from((stage.width / width).max(1)));
        let before = first.saturating_add(count.saturating_sub(2).saturating_mul(pace));
        let ready = head(end, tail_in, tail_fs);
        let free = if count > 1 && stage.width <= width { before } else { 0 };
        end = ready.max(free).saturating_add(tail_fs);
        (full_in, tail_in) = (full_fs, tail_fs);
    }
    end
}
