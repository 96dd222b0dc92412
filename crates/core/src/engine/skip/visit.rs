//! What is done with each word of the state: saved, compared with what was saved, or moved ahead.
//!
//! One traversal ([`super::walk`]) names every word of the state and what kind it is; three visitors do the rest. So what
//! is compared is what is moved, in the same order, by construction.
//!
//! **Invariant.** All visitors take and give as many saved words in each call.

use super::moduli::Modulus;
use crate::engine::endpoint::FLOWS_LOOKED_AT;
use crate::engine::layout::Class;
use crate::engine::packet::Packet;
use crate::engine::shard::PortStats;
use crate::record::{FlowRecord, OperationRecord};
use crate::routing::policy::Spread;
use crate::units::Fs;

/// The state is not what it was: nothing more has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Differs;

pub(super) type Seen<T = ()> = Result<T, Differs>;

/// What a share of a message has to come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) spread: Spread,
    pub(super) hop: u32,
    pub(super) packets: u32,
    /// Class and tag of its packets.
    pub(super) message: u64,
    /// How selectors repeat; `None` on a direct network, where packets do not carry the spread's selector.
    pub(super) modulus: Option<Modulus>,
}

/// See the module.
pub(super) trait Visit {
    /// The moment that the state is looked at: everything before it has happened, and nothing at or after it.
    fn now(&self) -> Fs;
    /// Must be the same.
    fn same(&mut self, word: u64) -> Seen;
    /// A time that must be the same seen from now, past or not.
    fn time(&mut self, time: &mut Fs) -> Seen;
    /// A time that is only ever compared with times from now on: the past is all alike.
    fn due(&mut self, time: &mut Fs) -> Seen;
    /// A time that nothing depends on as long as it moves along.
    fn shift(&mut self, time: &mut Fs);
    /// A time that moves along, or stays where it is and does not come in any of the periods.
    fn moves(&mut self, time: &mut Fs) -> Seen;
    /// When a queue of a port with several was served last, which decides whose turn it is.
    fn served(&mut self, time: &mut Fs) -> Seen;
    /// A sum that nothing depends on.
    fn sum(&mut self, sum: &mut u64) -> Seen;
    /// A step of the schedule.
    fn step(&mut self, lane: u32, step: &mut u32) -> Seen;
    /// Where the steps of a lane end; they were visited before.
    fn end(&mut self, end: &mut u32) -> Seen;
    /// A step and lane in one word.
    fn tag(&mut self, tag: &mut u32) -> Seen;
    /// What a step still has to receive.
    fn left(&mut self, left: &mut i64) -> Seen;
    /// Progress that nothing depends on until a step begins.
    fn progress(&mut self, progress: &mut i64) -> Seen;
    /// Packets of an open message that have not left.
    fn unsent(&mut self, left: &mut u32) -> Seen;
    /// Packets that a port has sent of its share of a message, in groups.
    fn group(&mut self, group: &mut u32, course: &Course) -> Seen;
    /// A selector by which packets of one class of messages are told apart, and which repeats with `modulus`.
    fn selector(&mut self, selector: &mut u32, message: u64, modulus: u32) -> Seen;
    /// A count that the paths of an open message go by; they repeat with `modulus`.
    fn count(&mut self, count: &mut u32, modulus: u32) -> Seen;
    /// Packets that a rank sprayed by a port; the paths of the next ones go by it, and repeat with `modulus`.
    fn sent(&mut self, packets: &mut u32, modulus: u32) -> Seen;
    /// A packet; `modulus` as for selectors.
    fn packet(&mut self, packet: &mut Packet, flying: bool, modulus: u32) -> Seen;
    /// Counters of a port and the class of its link; true if it sent something since.
    fn port(&mut self, stats: &mut PortStats, class: &Class) -> Seen<bool>;
    /// How often loops are still executed.
    fn counts(&mut self, counts: &mut [u32]) -> Seen;
    /// When an operation began, how long the device had computed then, and how long it has until now.
    fn began(&mut self, began: &mut Fs, computed: &mut Fs, busy: Fs) -> Seen;
    /// Instances that have ended, by operation, and which operations the rank executes.
    fn done(&mut self, done: &mut [u32], executes: &[bool]) -> Seen;
    /// Sums of an operation.
    fn record(&mut self, record: &mut OperationRecord) -> Seen;
    /// Rows of messages that end at a rank.
    fn flows(&mut self, rows: &mut Vec<FlowRecord>) -> Seen;
    /// Networks that a rank used since, as bits, and whether all its messages differ in class.
    fn used(&mut self, networks: u32, distinct: impl Fn() -> bool);
}

/// The part of a packet's last word that counts: the input port of a packet on the wire is set again when it arrives.
#[inline(always)]
pub(super) fn meta(packet: &Packet, flying: bool) -> u64 {
    if flying { packet.meta & !(0xFFFF << 32) } else { packet.meta }
}

/// Index of the first row that can still grow, of so many.
pub(super) fn open_from(rows: usize) -> usize {
    rows.saturating_sub(FLOWS_LOOKED_AT)
}

/// Instances of an operation, their time and what of it was exposed, low words first.
pub(super) fn sums_of(record: &OperationRecord) -> [u64; 5] {
    let (time, exposed) = (record.time_fs, record.exposed_fs);
    [record.instances, time as u64, (time >> 64) as u64, exposed as u64, (exposed >> 64) as u64]
}

/// Saves the state as words.
#[derive(Debug)]
pub(super) struct Save<'a> {
    pub(super) now: Fs,
    pub(super) image: &'a mut Vec<u64>,
}

impl Visit for Save<'_> {
    fn now(&self) -> Fs {
        self.now
    }

    #[inline(always)]
    fn same(&mut self, word: u64) -> Seen {
        self.image.push(word);
        Ok(())
    }

    #[inline(always)]
    fn time(&mut self, time: &mut Fs) -> Seen {
        self.same(time.wrapping_sub(self.now))
    }

    #[inline(always)]
    fn due(&mut self, time: &mut Fs) -> Seen {
        self.same(time.saturating_sub(self.now))
    }

    fn shift(&mut self, _: &mut Fs) {}

    #[inline(always)]
    fn sum(&mut self, sum: &mut u64) -> Seen {
        self.same(*sum)
    }

    fn moves(&mut self, time: &mut Fs) -> Seen {
        self.time(time)
    }

    fn served(&mut self, time: &mut Fs) -> Seen {
        self.time(time)
    }

    fn step(&mut self, _: u32, step: &mut u32) -> Seen {
        self.same(u64::from(*step))
    }

    fn end(&mut self, end: &mut u32) -> Seen {
        self.same(u64::from(*end))
    }

    fn tag(&mut self, tag: &mut u32) -> Seen {
        self.same(u64::from(*tag))
    }

    fn left(&mut self, left: &mut i64) -> Seen {
        self.same(*left as u64)
    }

    fn progress(&mut self, progress: &mut i64) -> Seen {
        self.same(*progress as u64)
    }

    fn unsent(&mut self, left: &mut u32) -> Seen {
        self.same(u64::from(*left))
    }

    fn group(&mut self, group: &mut u32, _: &Course) -> Seen {
        self.same(u64::from(*group))
    }

    fn selector(&mut self, selector: &mut u32, _: u64, _: u32) -> Seen {
        self.same(u64::from(*selector))
    }

    fn count(&mut self, count: &mut u32, _: u32) -> Seen {
        self.same(u64::from(*count))
    }

    fn sent(&mut self, packets: &mut u32, _: u32) -> Seen {
        self.same(u64::from(*packets))
    }

    #[inline(always)]
    fn packet(&mut self, packet: &mut Packet, flying: bool, _: u32) -> Seen {
        let time = packet.time.wrapping_sub(self.now);
        self.image.extend_from_slice(&[time, packet.route, packet.message, meta(packet, flying)]);
        Ok(())
    }

    fn port(&mut self, stats: &mut PortStats, _: &Class) -> Seen<bool> {
        let PortStats { payload, wire, packets, busy, stall, wait, .. } = *stats;
        self.image.extend_from_slice(&[packets, payload, wire, busy, stall, wait]);
        Ok(false)
    }

    fn counts(&mut self, counts: &mut [u32]) -> Seen {
        self.image.extend(counts.iter().map(|&count| u64::from(count)));
        Ok(())
    }

    fn began(&mut self, began: &mut Fs, computed: &mut Fs, busy: Fs) -> Seen {
        self.time(began)?;
        self.image.extend([*computed, busy - *computed]);
        Ok(())
    }

    fn done(&mut self, done: &mut [u32], _: &[bool]) -> Seen {
        self.image.extend(done.iter().map(|&done| u64::from(done)));
        Ok(())
    }

    fn record(&mut self, record: &mut OperationRecord) -> Seen {
        self.image.extend(sums_of(record));
        Ok(())
    }

    fn flows(&mut self, rows: &mut Vec<FlowRecord>) -> Seen {
        self.image.push(rows.len() as u64);
        self.image.extend(rows[open_from(rows.len())..].iter().map(|row| row.bytes));
        Ok(())
    }

    fn used(&mut self, _: u32, _: impl Fn() -> bool) {}
}
