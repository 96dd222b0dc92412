//! Credit flow control as numbers: how freed buffer space is announced, and what a buffer must hold.
//!
//! **Model.** A receiver announces freed bytes in parts of an eighth of the buffer ([`quantum`]), as flow-control updates
//! are coalesced in hardware (PCIe UpdateFC, InfiniBand FCCL). A packet's bytes are back at the sender one
//! [round trip](round_trip_fs) after the packet began to leave, and up to one part later.
//!
//! **Invariant.** This is the only place that knows the parts: the packet engine, the flow model, predictions, warnings and
//! the size of an `auto` buffer take them from here. **Cost.** A few operations.

use super::Network;
use crate::spec::SwitchSpec;
use crate::units::{BitRate, Fs};

/// A receiver announces freed buffer space in parts of this fraction of the buffer.
pub const CREDIT_UPDATES: u64 = 8;

/// No part is larger, however large the buffer.
const LARGEST_UPDATE: u64 = 1 << 30;

/// How many times its payload a packet may occupy on the wire before an `auto` buffer no longer covers the round trip: LL,
/// the least efficient protocol of a library, doubles the payload.
const INFLATION: u64 = 2;

/// Freed bytes are announced when this many have come together: an eighth of the buffer, but so few that what is not
/// announced yet never keeps a full packet of so many wire bytes out. A buffer of one packet is announced byte by byte.
pub fn quantum(buffer: u64, wire: u64) -> u32 {
    (buffer / CREDIT_UPDATES).min(buffer.saturating_sub(wire) + 1).clamp(1, LARGEST_UPDATE) as u32
}

/// The buffer behind a link with which one flow reaches the link's rate, whatever its packets' sizes.
///
/// At the moment at which the sender wants to send a packet of w bytes, all packets that began to leave a round trip ago
/// have freed their buffer, and less than a quantum q of these bytes is not announced yet. What left since is at most the
/// bytes of a round trip T at the rate R, and the packet that was leaving then. So the buffer B must satisfy
/// B - (q - 1) >= R T + 2 w; with q = B/8 at most, B = N + N/7 for N = R T + 2 w is enough. T is twice the propagation, the
/// switch, and two packets: one to be stored before it goes on, one for what arrives by the other ports at the same
/// time and is written to memory before it.
pub fn auto_buffer(rate: BitRate, latency_fs: Fs, switch_fs: Fs, payload: u32, overhead: u32) -> u64 {
    const BITS_PER_FS: u128 = 8_000_000_000_000_000;
    let packet = INFLATION * u64::from(payload) + u64::from(overhead);
    let away = 2 * u128::from(latency_fs) + u128::from(switch_fs);
    let in_flight = (away * u128::from(rate.0)).div_ceil(BITS_PER_FS).min(u128::from(u64::MAX / 4)) as u64;
    let needed = in_flight.saturating_add(4 * packet);
    needed + needed.div_ceil(CREDIT_UPDATES - 1).min(LARGEST_UPDATE)
}

/// From the moment when a packet of so many wire bytes begins to leave until its buffer is free at the far end of its link
/// and a credit for it, announced at once, is back: the longer of up and down.
pub fn round_trip_fs(net: &Network, tier: usize, wire: u64) -> Fs {
    let link = net.link(tier);
    let packet = link.rate.time(wire);
    let held = |switch: &SwitchSpec| switch.latency_fs.saturating_add(if switch.cut_through { 0 } else { packet });
    let forwarded = if net.is_tree() {
        let upper = held(net.switch(tier));
        if tier > 0 { upper.max(held(net.switch(tier - 1))) } else { upper }
    } else {
        net.spec.switches.iter().map(held).max().unwrap_or(0)
    };
    // an accelerator stores the packet
    let delivered = if !net.is_tree() || tier == 0 { packet } else { 0 };
    link.latency_fs.saturating_mul(2).saturating_add(forwarded.max(delivered))
}

/// How many times longer than at its rate a link needs in the long run, because credits for the buffer behind it come
/// back only after a round trip, and in parts; and the bytes of that buffer, which pass at full rate first.
///
/// Of full packets of w bytes the buffer holds K, and m = ceil(q / w) are announced together. So n = K / m parts go round,
/// with r = K mod m packets left over, which wait at the receiver for the first m - r of the next part. A part is
/// announced when the last of these has come: the n parts need the round trip and m - r - 1 packet times.
pub fn slowdown(net: &Network, tier: usize, wire: u64) -> (f64, f64) {
    let Some(buffer) = net.spec.buffer else {
        return (1.0, f64::INFINITY);
    };
    let wire = wire.max(1);
    let packet = net.link(tier).rate.time(wire) as f64;
    let (held, together) = ((buffer / wire).max(1), u64::from(quantum(buffer, wire)).div_ceil(wire));
    let (parts, over) = ((held / together).max(1), held % together);
    let round = round_trip_fs(net, tier, wire) as f64 + packet * (together - over - 1) as f64;
    ((round / (packet * (parts * together) as f64)).max(1.0), buffer as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auto_buffer_less_an_eighth_covers_the_round_trip() {
        // 50 GB/s and 2 x 350 ns + 100 ns: 40,000 bytes in flight; packets of 2 x 4,096 + 64 = 8,256 bytes, four of them:
        // 73,024; a seventh more, 10,432: 83,456
        let rate = BitRate(400_000_000_000);
        let buffer = auto_buffer(rate, 350_000_000, 100_000_000, 4096, 64);
        assert_eq!(buffer, 40_000 + 4 * 8_256 + 10_432);
        assert_eq!(quantum(buffer, 8256), 10_432);
        assert!(buffer - u64::from(quantum(buffer, 8256)) >= 73_024);
    }

    #[test]
    fn parts_of_huge_buffers_are_bounded() {
        // a petabyte per second over 0.1 s: 2 x 10^14 bytes in flight, and the largest part once
        let buffer = auto_buffer(BitRate(8_000_000_000_000_000), 100_000_000_000_000, 0, 4096, 0);
        assert_eq!(buffer, 200_000_000_000_000 + 4 * 8192 + (1 << 30));
        assert_eq!(quantum(buffer, 8192), 1 << 30);
    }
}
