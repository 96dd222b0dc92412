//! The values that travel: packets and credits.
//!
//! **Invariant.** Both are small plain values in contiguous buffers; nothing is allocated per packet. Order among packets
//! that are ready at the same time is [`Packet::key`]: step, lane, source rank, packet selector: labels of the schedule,
//! never addresses, threads or port numbers, so that relabelling vertices cannot change a result.
//!
//! **Cost.** 32 bytes a packet (two a cache line) and 16 a credit. DESIGN asks for 16 to 24; the source rank and the wire
//! length are worth the difference, because without them every hop would look up the message.

use crate::units::Fs;

/// Input port of a packet that was injected here or made by the switch: no buffer upstream waits for its credit.
pub(super) const NO_PORT: u16 = u16::MAX;

/// One packet at one hop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packet {
    /// In a queue: when it is ready to leave. On a wire: when its head arrives.
    pub(super) time: Fs,
    /// Destination position in the plane (or member of the copy, on a direct network).
    pub(super) dst: u32,
    /// Source rank.
    pub(super) src: u32,
    /// Receiving step and lane, see [`tag`].
    pub(super) tag: u32,
    /// Digits that pick among equal paths; the packet's number for in-network operations.
    pub(super) selector: u32,
    /// Payload bytes.
    pub(super) payload: u16,
    /// Bytes on the wire.
    pub(super) wire: u16,
    /// Port it came in by at the vertex where it is now.
    pub(super) in_port: u16,
    /// Virtual channel of the wire it is on or came by.
    pub(super) channel: u8,
    /// See the constants of this module.
    pub(super) flags: u8,
}

/// The last packet of its message (it may arrive before others).
pub(super) const LAST: u8 = 1;
/// A contribution to a sum that the switch forms.
pub(super) const REDUCE: u8 = 2;
/// To be replicated to every rank by the switch.
pub(super) const MULTICAST: u8 = 4;

impl Packet {
    /// Order of packets ready at the same time.
    #[inline(always)]
    pub(super) fn key(&self) -> (Fs, u32, u32, u32) {
        (self.time, self.tag, self.src, self.selector)
    }

    /// What it counts towards its step: payload bytes, and one for the message's end.
    #[inline(always)]
    pub(super) fn progress(&self) -> i64 {
        i64::from(self.payload) + i64::from(self.flags & LAST)
    }
}

/// Buffer space given back to the sender of a wire.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Credit {
    /// When it arrives.
    pub(super) time: Fs,
    /// Bytes of buffer.
    pub(super) bytes: u32,
    /// Virtual channel.
    pub(super) channel: u32,
}

const LANE_BITS: u32 = 10;

/// A step and lane in one word; steps compare first.
#[inline(always)]
pub(super) fn tag(lane: u32, step: u32) -> u32 {
    (step << LANE_BITS) | lane
}

/// Inverse of [`tag`]: lane and step.
#[inline(always)]
pub(super) fn untag(tag: u32) -> (u32, u32) {
    (tag & ((1 << LANE_BITS) - 1), tag >> LANE_BITS)
}

const _: () = assert!(size_of::<Packet>() == 32 && size_of::<Credit>() == 16);
const _: () = assert!(crate::collective::MAX_LANES == 1 << LANE_BITS);
const _: () = assert!(crate::collective::MAX_STEPS as u64 == 1 << (32 - LANE_BITS));
