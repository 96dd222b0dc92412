//! Proof of a schedule by symbolic execution.
//!
//! **Model.** A block's value is the set of ranks whose data it contains. Each lane runs alone. A rank goes from step to step as
//! [`crate::walk`] says, which moves the packets of a run as well; [`run`] is its host, with messages that carry what their sender holds
//! at that moment. What arrives in a step changes what the rank holds once the step is complete. Storing may not lose a contribution,
//! reducing may not add one twice or into nothing. In the end every rank must hold the collective's result, of the right size
//! ([`outcome`]).
//!
//! **Invariant.** A schedule that passes gives the collective's result on any network that delivers every message, in any order. Lanes
//! cannot disturb each other, since they share no block.
//!
//! **Cost.** Time and memory O(ranks * blocks * ranks / 64): fine for hundreds of ranks, refused above [`MAX_RANKS`]. The sets that are
//! kept are counted ([`held`]), and more than [`Control::memory_limit`] allows is an error.
//!
//! **Limits.** Values are sets: a reduction is taken to be commutative and associative. A step receives less than 2^63 bytes.

mod held;
mod outcome;
mod run;
mod stuck;

#[cfg(test)]
mod tests;

use crate::collective::{MAX_LANES, Params, Schedule};
use crate::control::{Control, Phase};
use crate::error::{Error, Result};
use outcome::sizes;
use run::Run;

/// Most ranks that are checked.
const MAX_RANKS: u32 = 4096;

/// What a correct schedule costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Messages sent by all ranks; each contribution to an in-network reduction and each multicast counts once.
    pub messages: u64,
    /// Payload bytes of these messages (at most what fits).
    pub bytes: u64,
    /// Most steps that a rank has in a lane.
    pub max_steps: u32,
    /// Number of lanes.
    pub lanes: u32,
}

/// Why there is no report.
enum Fault {
    /// What is wrong with the schedule.
    Wrong(String),
    /// More bytes than are allowed.
    Large(u64),
}

impl From<String> for Fault {
    fn from(problem: String) -> Self {
        Self::Wrong(problem)
    }
}

/// Runs the schedule symbolically; the error says what is wrong first.
///
/// # Errors
/// [`Error::Schedule`]; [`Error::Spec`] for more than [`MAX_RANKS`] ranks; those of [`Control::check`].
pub fn check(schedule: &dyn Schedule, params: &Params, control: &Control) -> Result<CheckReport> {
    check_within(schedule, params, None, control)
}

/// The same in at most `memory` bytes.
///
/// # Errors
/// Those of [`check`], and [`Error::Memory`].
pub fn check_within(
    schedule: &dyn Schedule,
    params: &Params,
    memory: Option<u64>,
    control: &Control,
) -> Result<CheckReport> {
    control.begin(Phase::Proving)?;
    if params.ranks > MAX_RANKS {
        return Err(Error::spec("ranks", params.ranks, format!("at most {MAX_RANKS} for the symbolic check")));
    }
    let (n, lanes) = (schedule.ranks(), schedule.lanes());
    let mut report = CheckReport { lanes, ..CheckReport::default() };
    let found = verify(schedule, params, memory, &mut report, control);
    // what was stopped found nothing
    control.check()?;
    match found {
        Ok(()) => Ok(report),
        Err(Fault::Wrong(problem)) => Err(Error::Schedule {
            schedule: format!("{} {} on {n} ranks", params.algorithm, params.collective),
            problem,
        }),
        Err(Fault::Large(needed)) => Err(Error::Memory {
            what: format!("the symbolic check of {n} ranks, as far as it got,"),
            needed,
            available: memory.unwrap_or(u64::MAX),
            hint: "check fewer ranks, or raise memory_limit".into(),
        }),
    }
}

fn verify(
    schedule: &dyn Schedule,
    params: &Params,
    memory: Option<u64>,
    report: &mut CheckReport,
    control: &Control,
) -> std::result::Result<(), Fault> {
    let (n, lanes) = (schedule.ranks(), schedule.lanes());
    if n != params.ranks {
        return Err(format!("it is for {n} ranks, asked for {}", params.ranks).into());
    }
    if !(1..=MAX_LANES).contains(&lanes) {
        return Err(format!("{lanes} lanes, valid are 1 to {MAX_LANES}").into());
    }
    let mut moved = 0;
    for lane in 0..lanes {
        let mut run = Run::new(schedule, params, lane, memory, control);
        run.run(report)?;
        moved = run.results()?.saturating_add(moved);
    }
    Ok(sizes(schedule, params, moved)?)
}
