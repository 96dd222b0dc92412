//! Is the state what it was, but for progress, and how far may that progress go?
//!
//! Words that must repeat are compared exactly; for counters the difference is taken and judged: see [`super`] for why each
//! rule suffices. The walk ends at the first word that differs, so a look that finds nothing costs little.
//!
//! **Invariant.** [`Verdict::room`] periods more can pass without any counter of this shard coming to its end.

use super::shifts::Shifts;
use super::visit::{Course, Differs, Seen, Visit, meta, open_from, sums_of};
use crate::engine::Job;
use crate::engine::layout::Class;
use crate::engine::packet::Packet;
use crate::engine::shard::PortStats;
use crate::record::{FlowRecord, OperationRecord};
use crate::routing::policy::{Kind, Path};
use crate::units::Fs;
use crate::walk::{LANE_BITS, untag};
use crate::workload::Workload;

/// What a shard found. Shards find it each for their part, and decide together.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    /// The state repeats here.
    pub(super) repeats: bool,
    /// How far operations moved.
    pub(super) shifts: Shifts,
    /// Something inside a message or a step advanced.
    pub(super) inside: bool,
    /// Periods that may follow, as far as counters inside messages and selectors go.
    pub(super) room: u64,
    /// By class of message: how far selectors advanced.
    pub(super) drifts: Vec<(u64, u32)>,
    /// Networks used, as bits.
    pub(super) used: u32,
    /// Some rank uses several networks for messages of one class.
    pub(super) mixed: bool,
    /// Packets sent over links.
    pub(super) hops: u64,
}

/// Room for selectors and packet counts: far from where they would wrap.
const WRAP: u32 = 1 << 31;

/// Compares the state with a saved one.
#[derive(Debug)]
pub(super) struct Compare<'a> {
    pub(super) now: Fs,
    pub(super) saved: &'a [u64],
    pub(super) at: usize,
    pub(super) verdict: Verdict,
    /// When the next event is: nothing happens from `now` until then.
    next_event: Fs,
    /// Since the saved state.
    period: Fs,
    workload: Option<&'a Workload>,
}

impl<'a> Compare<'a> {
    pub(super) fn new(job: &Job<'a>, (now, next_event): (Fs, Fs), period: Fs, saved: &'a [u64]) -> Self {
        let shifts = Shifts::new(job.workload, job.schedule.lanes());
        let verdict = Verdict { shifts, room: u64::MAX, ..Verdict::default() };
        Self { now, saved, at: 0, verdict, next_event, period, workload: job.workload }
    }

    #[inline(always)]
    fn next(&mut self) -> Seen<u64> {
        let word = self.saved.get(self.at).copied().ok_or(Differs)?;
        self.at += 1;
        Ok(word)
    }

    fn several(&mut self, count: usize) -> Seen<&'a [u64]> {
        let words = self.saved.get(self.at..self.at + count).ok_or(Differs)?;
        self.at += count;
        Ok(words)
    }

    #[inline(always)]
    fn check(ok: bool) -> Seen {
        if ok { Ok(()) } else { Err(Differs) }
    }

    /// All steps of an operation must advance alike.
    #[inline(always)]
    fn advance(&mut self, lane: u32, before: u32, after: u32) -> Seen {
        self.verdict.shifts.advance(self.workload, lane, before, after)
    }

    /// Whether a time stayed where it was, having been so far from the saved state's; false if it moved along.
    #[inline(always)]
    fn stayed(&self, before: u64, time: Fs) -> Seen<bool> {
        let since = time.wrapping_sub(self.now);
        if since == before {
            return Ok(false);
        }
        Self::check(since == before.wrapping_sub(self.period)).map(|()| true)
    }

    fn limit(&mut self, room: u64) {
        self.verdict.room = self.verdict.room.min(room);
    }

    /// A count advanced by whole turns.
    fn turns(&mut self, before: u32, after: u32, modulus: u32) -> Seen {
        let by = after.checked_sub(before).ok_or(Differs)?;
        if by > 0 {
            Self::check(modulus > 0 && by.is_multiple_of(modulus) && after < WRAP)?;
            self.limit(u64::from((WRAP - after) / by));
        }
        Ok(())
    }

    /// A selector advanced: whole turns of the paths, and all of a class of messages alike.
    #[inline(always)]
    fn drift(&mut self, before: u32, after: u32, message: u64, modulus: u32) -> Seen {
        self.turns(before, after, modulus)?;
        let by = after - before;
        if self.verdict.drifts.last() != Some(&(message, by)) {
            self.verdict.drifts.push((message, by));
        }
        Ok(())
    }
}

impl Visit for Compare<'_> {
    fn now(&self) -> Fs {
        self.now
    }

    #[inline(always)]
    fn same(&mut self, word: u64) -> Seen {
        let saved = self.next()?;
        Self::check(saved == word)
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
    fn sum(&mut self, _: &mut u64) -> Seen {
        self.next().map(|_| ())
    }

    fn moves(&mut self, time: &mut Fs) -> Seen {
        let before = self.next()?;
        if self.stayed(before, *time)? && *time >= self.now {
            // the run goes on with the next event, moved ahead, which may not come after this one
            self.limit(time.saturating_sub(self.next_event) / self.period.max(1));
        }
        Ok(())
    }

    fn served(&mut self, time: &mut Fs) -> Seen {
        let before = self.next()?;
        // what is served moves along and was served in the period before the saved state, so it comes after what stays
        let long_ago = (before as i64).checked_add_unsigned(self.period).is_some_and(|since| since <= 0);
        Self::check(!self.stayed(before, *time)? || long_ago)
    }

    fn step(&mut self, lane: u32, step: &mut u32) -> Seen {
        let before = self.next()? as u32;
        self.advance(lane, before, *step)
    }

    fn end(&mut self, end: &mut u32) -> Seen {
        let before = self.next()? as u32;
        let Some(workload) = self.workload else {
            return Self::check(before == *end);
        };
        // the last step before it moves with its instance, or not at all
        let by = end.checked_sub(before).ok_or(Differs)?;
        let at = workload.at(before - 1).operation as usize;
        let whole = workload.at(before - 1).number != workload.at(*end - 1).number;
        Self::check(by == 0 || whole && self.verdict.shifts.by[at] == Some(by))
    }

    fn tag(&mut self, tag: &mut u32) -> Seen {
        let ((was, before), (lane, after)) = (untag(self.next()? as u32), untag(*tag));
        Self::check(was == lane)?;
        self.advance(lane, before, after)
    }

    fn left(&mut self, left: &mut i64) -> Seen {
        let by = (self.next()? as i64).checked_sub(*left).ok_or(Differs)?;
        Self::check(by >= 0)?;
        if by > 0 {
            self.verdict.inside = true;
            // a step is complete at zero, which none of the periods may come to
            self.limit((*left - 1).max(0) as u64 / by as u64);
        }
        Ok(())
    }

    fn progress(&mut self, progress: &mut i64) -> Seen {
        let by = progress.checked_sub(self.next()? as i64).ok_or(Differs)?;
        self.verdict.inside |= by != 0;
        Self::check(by >= 0)
    }

    fn unsent(&mut self, left: &mut u32) -> Seen {
        let before = self.next()? as u32;
        self.verdict.inside |= before != *left;
        Self::check(before >= *left)
    }

    fn group(&mut self, group: &mut u32, course: &Course) -> Seen {
        let before = self.next()? as u32;
        let by = group.checked_sub(before).ok_or(Differs)?;
        if by == 0 {
            return Ok(());
        }
        let Course { spread, hop, packets, message, modulus } = *course;
        Self::check(!matches!(spread.kind, Kind::Random(_)))?;
        self.verdict.inside = true;
        let (first, number) = (spread.number(hop, before), spread.number(hop, *group));
        let advance = u64::from(number.checked_sub(first).ok_or(Differs)?);
        // the packet offered next, and the one after it, stay full ones before the last
        let ahead = u64::from(number) + 2 * u64::from(spread.choices);
        let end = u64::from(packets);
        Self::check(advance > 0 && ahead < end)?;
        self.limit((end - 1 - ahead) / advance);
        let Some(modulus) = modulus else {
            return Ok(());
        };
        // what the selectors of its packets are made of
        let (was, selector) = match (spread.kind, spread.path) {
            (Kind::Numbered, _) => (first, number),
            (_, Path::Hash(_)) => (0, 0),
            (kind, _) => {
                let turns =
                    if matches!(kind, Kind::Single | Kind::Striped | Kind::Climbing) { 1 } else { modulus.groups };
                Self::check(turns > 0 && by.is_multiple_of(turns))?;
                let numbered = |group: u32| group.checked_mul(modulus.paths).ok_or(Differs);
                (numbered(before)?, numbered(*group)?)
            }
        };
        self.drift(was, selector, message, modulus.selector)
    }

    fn selector(&mut self, selector: &mut u32, message: u64, modulus: u32) -> Seen {
        let before = self.next()? as u32;
        self.drift(before, *selector, message, modulus)
    }

    fn count(&mut self, count: &mut u32, modulus: u32) -> Seen {
        if self.verdict.shifts.stays() {
            // the same message, whose packets advance as its groups do
            return self.same(u64::from(*count));
        }
        let before = self.next()? as u32;
        self.turns(before, *count, modulus)
    }

    fn sent(&mut self, packets: &mut u32, modulus: u32) -> Seen {
        let before = self.next()? as u32;
        self.turns(before, *packets, modulus)
    }

    #[inline(always)]
    fn packet(&mut self, packet: &mut Packet, flying: bool, modulus: u32) -> Seen {
        let &[time, route, message, last] =
            self.saved.get(self.at..self.at + 4).and_then(|s| s.first_chunk::<4>()).ok_or(Differs)?;
        self.at += 4;
        let alike = time == packet.time.wrapping_sub(self.now)
            && route as u32 == packet.dst()
            && last == meta(packet, flying)
            && message << (32 - LANE_BITS) == packet.message << (32 - LANE_BITS);
        Self::check(alike)?;
        let (lane, before) = untag((message >> 32) as u32);
        self.advance(lane, before, untag(packet.tag()).1)?;
        self.drift((route >> 32) as u32, packet.selector(), packet.message, modulus)
    }

    fn port(&mut self, stats: &mut PortStats, _: &Class) -> Seen<bool> {
        let sent = stats.packets.wrapping_sub(self.next()?);
        self.verdict.hops += sent;
        self.at += 5;
        Ok(sent > 0)
    }

    fn counts(&mut self, counts: &mut [u32]) -> Seen {
        let before = self.several(counts.len())?;
        self.verdict.shifts.counts(before, counts)
    }

    fn began(&mut self, began: &mut Fs, computed: &mut Fs, busy: Fs) -> Seen {
        let (before, had, beside) = (self.next()?, self.next()?, self.next()?);
        match self.stayed(before, *began)? {
            true => Self::check(had == *computed),
            false => Self::check(beside == busy - *computed),
        }
    }

    fn done(&mut self, done: &mut [u32], executes: &[bool]) -> Seen {
        let before = self.several(done.len())?;
        let workload = self.workload.ok_or(Differs)?;
        self.verdict.shifts.done(workload, executes, before, done)
    }

    fn record(&mut self, record: &mut OperationRecord) -> Seen {
        self.several(sums_of(record).len()).map(|_| ())
    }

    fn flows(&mut self, _: &mut Vec<FlowRecord>) -> Seen {
        let before = self.next()? as usize;
        self.at += before - open_from(before);
        Ok(())
    }

    fn used(&mut self, networks: u32, distinct: impl Fn() -> bool) {
        self.verdict.used |= networks;
        self.verdict.mixed |= networks.count_ones() > 1 && !distinct();
    }
}
