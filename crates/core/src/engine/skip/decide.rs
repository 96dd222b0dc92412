//! From what each shard found to one decision: how many periods to jump, or why none.
//!
//! **Invariant.** A pure function of the verdicts, so every shard comes to the same decision.

use std::num::NonZeroU32;

use super::compare::Verdict;
use super::moduli::Modulus;
use crate::engine::Job;
use crate::units::Fs;
use crate::walk::LANE_BITS;

/// Why a state that repeats was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not repeat.
    Differs,
    /// Each step is a row of the table of flows.
    Flows,
    /// Routes of the next steps depend on a hash.
    Hashed,
    /// Steps ahead are not like those of the period.
    Unlike,
    /// It is too large to keep a copy of.
    Large,
    /// Something comes to its end within a period.
    Short,
}

impl Refusal {
    /// As a user reads it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Refusal::Differs => "the state never repeated",
            Refusal::Flows => {
                "the state repeats from step to step, and each step has rows of its own in the table flows"
            }
            Refusal::Hashed => "routes are hashes of the step or of the packet, which never repeat",
            Refusal::Unlike => "the state repeats, but the steps ahead are not like those of the period",
            Refusal::Large => "the state is too large to keep copies of it",
            Refusal::Short => "the state repeats, but too late for another period before a message or step ends",
        }
    }
}

/// The whole number of periods that can be jumped, at least one, and the packets that all links together carry in them.
pub(super) fn decide(
    job: &Job,
    moduli: &[Modulus],
    verdicts: Vec<Verdict>,
    time: Fs,
    period: Fs,
) -> Result<(u64, u64), Refusal> {
    let Some(all) = verdicts.into_iter().reduce(merge).filter(|all| all.repeats) else {
        return Err(Refusal::Differs);
    };
    let moving = all.shifts.moving();
    if period == 0 || all.inside == moving {
        // no progress at all, or of both kinds at once
        return Err(Refusal::Differs);
    }
    let mut room = all.room.min(all.shifts.room).min(time / period);
    if moving {
        room = room.min(ahead(job, moduli, &all)?);
    }
    // within a run of alike steps, labels differ by step only and their selectors advance alike
    let key = |message: u64| if moving { message << (32 - LANE_BITS) } else { message };
    let mut drifts: Vec<(u64, u32)> = all.drifts.iter().map(|&(message, by)| (key(message), by)).collect();
    drifts.sort_unstable();
    drifts.dedup();
    if drifts.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Refusal::Differs);
    }
    if room == 0 { Err(Refusal::Short) } else { Ok((room, room.saturating_mul(all.hops))) }
}

/// How many periods the schedule allows.
fn ahead(job: &Job, moduli: &[Modulus], all: &Verdict) -> Result<u64, Refusal> {
    if moduli.iter().zip(0u32..).any(|(m, n)| m.hashed && all.used >> n.min(31) & 1 == 1) {
        return Err(Refusal::Hashed);
    }
    if job.record_flows {
        return Err(Refusal::Flows);
    }
    if all.mixed {
        return Err(Refusal::Unlike);
    }
    let (mut room, lanes) = (u64::MAX, job.schedule.lanes() as usize);
    for (by, touched) in all.shifts.by.iter().zip(all.shifts.touched.chunks(lanes)) {
        let Some(by) = by.and_then(NonZeroU32::new) else {
            continue;
        };
        for (&(first, last), lane) in touched.iter().zip(0..).filter(|((first, last), _)| first <= last) {
            // iterations of a loop are alike
            if job.workload.is_some_and(|workload| workload.at(first).number != workload.at(first + by.get()).number) {
                continue;
            }
            let left = job.schedule.alike(lane, first).end.checked_sub(last + 1).ok_or(Refusal::Unlike)?;
            room = room.min(u64::from(left / by));
        }
    }
    Ok(room)
}

/// What two shards found together.
fn merge(mut a: Verdict, b: Verdict) -> Verdict {
    a.repeats &= b.repeats && a.shifts.merge(&b.shifts);
    a.inside |= b.inside;
    a.room = a.room.min(b.room);
    a.drifts.extend(b.drifts);
    a.used |= b.used;
    a.mixed |= b.mixed;
    a.hops += b.hops;
    a
}
