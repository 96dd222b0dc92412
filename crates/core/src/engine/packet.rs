//! The values that travel: packets and credits.
//!
//! **Invariant.** Both are small plain values in contiguous buffers; nothing is allocated per packet. Order among packets
//! that are ready at the same time is [`Packet::after`]: step, lane, kind of message, packet selector: names of the schedule,
//! never addresses, threads or port numbers, so that a symmetry of the run cannot change a result.
//!
//! **Cost.** 32 bytes per packet and 16 per credit. DESIGN asks for 16 to 24; the class of the message and the wire
//! length are worth the difference, because without them every hop would look up the message.

use crate::routing::router::NextHop;
use crate::units::Fs;

/// Input port of a packet that was injected here.
pub(super) const NO_PORT: u16 = u16::MAX;

/// One packet at one hop, in four words: partial writes would cost more than the shifts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packet {
    /// In a queue: when it is ready to leave. On a wire: when its head arrives.
    pub(super) time: Fs,
    /// Destination position in the plane (on a direct network the way left), and above it the selector.
    pub(super) route: u64,
    /// Class of the message, and above it the tag.
    pub(super) message: u64,
    /// Payload bytes, wire bytes, input port, channel, flags and above them the tier where it turns.
    pub(super) meta: u64,
}

/// The last packet of its message (it may arrive before others).
pub(super) const LAST: u8 = 1;
/// A contribution to a sum that the switch forms.
pub(super) const REDUCE: u8 = 2;
/// To be replicated to every rank by the switch.
pub(super) const MULTICAST: u8 = 4;
/// Made here, or taken out of its buffer: nobody upstream waits for its credit.
pub(super) const FREE: u8 = 8;
/// Flags below this bit; above it stands the tier of switches at which a packet turns from up to down.
const TURN: u32 = 4;

/// The tier at which a packet turns, to be put among its flags.
#[inline(always)]
pub(super) fn turn(tier: u8) -> u8 {
    tier << TURN
}

/// Inverse of [`turn`].
#[inline(always)]
pub(super) fn turn_of(flags: u8) -> u8 {
    flags >> TURN
}

impl Packet {
    /// No packet.
    pub(super) const EMPTY: Self = Self { time: 0, route: 0, message: 0, meta: 0 };

    /// A packet as its source makes it: see the accessors for the fields.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // the fields of a header
    pub(super) fn new(
        dst: u32,
        selector: u32,
        message_class: u32,
        tag: u32,
        payload: u32,
        wire: u32,
        channel: u8,
        flags: u8,
    ) -> Self {
        let meta = u64::from(payload)
            | u64::from(wire) << 16
            | u64::from(NO_PORT) << 32
            | u64::from(channel) << 48
            | u64::from(flags | FREE) << 56;
        Self {
            time: 0,
            route: u64::from(dst) | u64::from(selector) << 32,
            message: u64::from(message_class) | u64::from(tag) << 32,
            meta,
        }
    }

    /// Destination position, or the way left.
    #[inline(always)]
    pub(super) fn dst(&self) -> u32 {
        self.route as u32
    }

    /// Digits that pick among equal paths; the packet's number for in-network operations.
    #[inline(always)]
    pub(super) fn selector(&self) -> u32 {
        (self.route >> 32) as u32
    }

    /// Kind of message, see [`crate::symmetry::Labels`]; that of the root to itself for contributions to a sum.
    #[inline(always)]
    pub(super) fn message_class(&self) -> u32 {
        self.message as u32
    }

    /// Receiving step and lane, see [`crate::walk::tag`].
    #[inline(always)]
    pub(super) fn tag(&self) -> u32 {
        (self.message >> 32) as u32
    }

    /// Payload bytes.
    #[inline(always)]
    pub(super) fn payload(&self) -> u32 {
        self.meta as u32 & 0xFFFF
    }

    /// Bytes on the wire.
    #[inline(always)]
    pub(super) fn wire(&self) -> u32 {
        self.meta as u32 >> 16
    }

    /// Port it came in by at the vertex where it is now.
    #[inline(always)]
    pub(super) fn in_port(&self) -> u16 {
        (self.meta >> 32) as u16
    }

    /// Virtual channel of the wire it is on or came by.
    #[inline(always)]
    pub(super) fn channel(&self) -> u8 {
        (self.meta >> 48) as u8
    }

    /// See the constants of this module.
    #[inline(always)]
    pub(super) fn flags(&self) -> u8 {
        (self.meta >> 56) as u8
    }

    /// The tier of switches at which it turns.
    #[inline(always)]
    pub(super) fn turn(&self) -> u8 {
        (self.meta >> (56 + TURN)) as u8
    }

    /// The packet as it is at a vertex that it came to by `in_port` and may leave at `time`.
    ///
    /// Built word by word: changing a copy on the stack and copying that again stalls on every packet.
    #[inline(always)]
    pub(super) fn arrived(&self, in_port: u16, time: Fs) -> Self {
        Self {
            time,
            route: self.route,
            message: self.message,
            meta: self.meta & !(0xFFFF << 32 | u64::from(FREE) << 56) | u64::from(in_port) << 32,
        }
    }

    /// The packet as its router passes it on: as [`Packet::arrived`], with what it carries and how it goes from here.
    #[inline(always)]
    pub(super) fn passed(&self, in_port: u16, time: Fs, next_hop: &NextHop) -> Self {
        let kept = !(0xFFFF << 32 | u64::from(FREE) << 56 | 0xF << (56 + TURN));
        Self {
            time,
            route: u64::from(next_hop.selector) << 32 | u64::from(next_hop.left),
            message: self.message,
            meta: self.meta & kept | u64::from(in_port) << 32 | u64::from(next_hop.phase) << (56 + TURN),
        }
    }

    /// The packet on a wire, which its head leaves at `time`.
    #[inline(always)]
    pub(super) fn departed(&self, time: Fs, channel: u8) -> Self {
        let meta = self.meta & !(0xFF << 48) | u64::from(channel) << 48;
        Self { time, route: self.route, message: self.message, meta }
    }

    /// True if it holds a buffer at the port it came in by.
    #[inline(always)]
    pub(super) fn buffered(&self) -> bool {
        self.meta & u64::from(FREE) << 56 == 0
    }

    #[inline(always)]
    pub(super) fn set_flags(&mut self, flags: u8) {
        self.meta = self.meta & !(0xFF << 56) | u64::from(flags) << 56;
    }

    #[inline(always)]
    pub(super) fn set_message_class(&mut self, message_class: u32) {
        self.message = self.message & !0xFFFF_FFFF | u64::from(message_class);
    }

    #[inline(always)]
    pub(super) fn set_dst(&mut self, dst: u32) {
        self.route = self.route & !0xFFFF_FFFF | u64::from(dst);
    }

    /// True if this packet goes after another: later, or of the same time and with larger labels.
    #[inline(always)]
    pub(super) fn after(&self, other: &Self) -> bool {
        self.time > other.time
            || self.time == other.time
                && (self.message, self.selector(), self.dst()) > (other.message, other.selector(), other.dst())
    }

    /// What it counts towards its step: payload bytes, and one for the message's end.
    #[inline(always)]
    pub(super) fn progress(&self) -> i64 {
        i64::from(self.payload()) + i64::from(self.flags() & LAST)
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

const _: () = assert!(size_of::<Packet>() == 32 && size_of::<Credit>() == 16);
