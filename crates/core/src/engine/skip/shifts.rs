//! How far each operation moves in one period: by steps within an instance, by iterations of a loop, or not at all.
//!
//! **Why it is exact.** Moving an operation ahead adds the same number to each of its steps. Within an instance that is allowed while its
//! steps are alike. From one iteration of a loop to a later one the schedule is the same by construction, as long as the loop does not
//! end and no other loop's count changes. Ties go by steps before labels, so no two operations may change places: whatever lies in a loop
//! that moves, moves by as many iterations of it. What waits for another operation compares two counts, whose difference keeps
//! its sign in all periods ([`Shifts::done`]).
//!
//! **Invariant.** [`Shifts::room`] periods more can pass without a loop coming to its end or a wait being over.
//! **Cost.** One look at the program per step that is met.

use std::collections::BTreeMap;

use super::visit::{Differs, Seen};
use crate::workload::{Kind, Workload};

/// See the module. Of one collective, there is one operation and no loop.
#[derive(Clone, Debug, Default)]
pub(super) struct Shifts {
    /// By operation: steps; `None` if no step of it was met.
    pub(super) by: Vec<Option<u32>>,
    /// By operation and lane: the first step in the old state and the last in the new one.
    pub(super) touched: Vec<(u32, u32)>,
    lanes: u32,
    /// Iterations that each loop moves by, of loops that were met.
    loops: BTreeMap<u32, u32>,
    /// Periods that may follow.
    pub(super) room: u64,
}

impl Shifts {
    pub(super) fn new(workload: Option<&Workload>, lanes: u32) -> Self {
        let operations = workload.map_or(1, |workload| workload.operations().len());
        let touched = vec![(u32::MAX, 0); operations * lanes as usize];
        Self { by: vec![None; operations], touched, lanes, loops: BTreeMap::new(), room: u64::MAX }
    }

    /// True if anything moves.
    pub(super) fn moving(&self) -> bool {
        self.by.iter().any(|by| by.is_some_and(|by| by > 0)) || self.loops.values().any(|&by| by > 0)
    }

    /// True if there is one operation, and it stays in its steps.
    pub(super) fn stays(&self) -> bool {
        self.by == [Some(0)]
    }

    /// What two shards found together; false if it does not go together.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        let mut alike = true;
        for (mine, theirs) in self.by.iter_mut().zip(&other.by) {
            alike &= mine.is_none() || theirs.is_none() || mine == theirs;
            *mine = mine.or(*theirs);
        }
        for (mine, theirs) in self.touched.iter_mut().zip(&other.touched) {
            *mine = (mine.0.min(theirs.0), mine.1.max(theirs.1));
        }
        for (&id, &by) in &other.loops {
            alike &= *self.loops.entry(id).or_insert(by) == by;
        }
        self.room = self.room.min(other.room);
        alike
    }

    /// A step of an operation moved.
    #[inline(always)]
    pub(super) fn advance(&mut self, workload: Option<&Workload>, lane: u32, before: u32, after: u32) -> Seen {
        let by = after.checked_sub(before).ok_or(Differs)?;
        let operation = match workload {
            None => 0,
            Some(workload) => self.located(workload, before, after)?,
        };
        check(*self.by[operation].get_or_insert(by) == by)?;
        let at = operation * self.lanes as usize + lane as usize;
        let touched = self.touched.get_mut(at).ok_or(Differs)?;
        *touched = (touched.0.min(before), touched.1.max(after));
        Ok(())
    }

    /// The operation that both steps belong to. If they are of different instances, they are the same step of both.
    fn located(&mut self, workload: &Workload, before: u32, after: u32) -> Seen<usize> {
        let (a, b) = (workload.at(before), workload.at(after));
        check(a.operation == b.operation && (a.number == b.number || a.step == b.step))?;
        self.iterate(workload, a.operation, a.number, b.number)?;
        Ok(a.operation as usize)
    }

    /// An operation went from one instance to another: by iterations of one loop, and those of the loops around and in it as before.
    fn iterate(&mut self, workload: &Workload, operation: u32, before: u32, after: u32) -> Seen {
        let mut moved = 0;
        for (id, count, a, b) in workload.operations()[operation as usize].iterations(before, after) {
            let by = b.checked_sub(a).ok_or(Differs)?;
            check(*self.loops.entry(id).or_insert(by) == by)?;
            if let Some(periods) = (count - 1 - b).checked_div(by) {
                moved += 1;
                self.room = self.room.min(periods.into());
            }
        }
        check(moved <= 1)
    }

    /// Instances that a rank has ended, of the operations that it executes: before and now.
    pub(super) fn done(&mut self, workload: &Workload, executes: &[bool], before: &[u64], now: &[u32]) -> Seen {
        for (number, operation) in (0u32..).zip(workload.operations()) {
            let i = number as usize;
            if !executes[i] {
                continue;
            }
            let (was, is) = (before[i] as u32, now[i]);
            // what is drawn anew does not repeat
            check(was == is || !matches!(&operation.kind, Kind::Compute(work) if work.jitters()))?;
            // the last instance has no iteration after it
            check(was <= is && (was == is || is < operation.instances()))?;
            self.iterate(workload, number, was.min(operation.instances() - 1), is.min(operation.instances() - 1))?;
            for after in operation.after.iter().filter(|after| executes[after.operation() as usize]) {
                // what is needed grows evenly from the iteration on in which anything is
                check(was == is || after.applies(was))?;
                let other = after.operation() as usize;
                let old = i64::from(before[other] as u32) - i64::from(after.needed(was));
                let new = i64::from(now[other]) - i64::from(after.needed(is));
                check((old >= 0) == (new >= 0))?;
                let (grows, left) = (new - old, if new >= 0 { new } else { -new - 1 });
                let nears = if new >= 0 { -grows } else { grows };
                if nears > 0 {
                    self.room = self.room.min(left as u64 / nears as u64);
                }
            }
        }
        Ok(())
    }

    /// How often the loops around a stream's place are still executed: before and now.
    pub(super) fn counts(&mut self, before: &[u64], now: &[u32]) -> Seen {
        let mut moved = 0;
        for (&was, &is) in before.iter().zip(now) {
            let by = (was as u32).checked_sub(is).ok_or(Differs)?;
            if let Some(periods) = is.saturating_sub(1).checked_div(by) {
                moved += 1;
                self.room = self.room.min(periods.into());
            }
        }
        check(moved <= 1)
    }
}

fn check(ok: bool) -> Seen {
    if ok { Ok(()) } else { Err(Differs) }
}
