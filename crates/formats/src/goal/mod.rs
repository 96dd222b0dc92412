//! GOAL: schedules of LogGOPSim, ATLAHS and Schedgen, as text and as its compiled form.
//!
//! **Model.** A rank's `send`, `recv` and `calc` become operations of the same numbers; `requires` waits for the end of another operation,
//! `irequires` for its beginning. `cpu` is the stream: computations of one `cpu` of a rank run one at a time. `nic` is kept, without effect.
//!
//! **Limits.** Receives from any rank or of any tag are refused: which message they take would depend on the run. Sends and receives
//! occupy no `cpu` here: what they cost is the protocol's. Time is in whole nanoseconds.

pub mod binary;
pub mod text;

use supernode_core::collective::Schedule;
use supernode_core::workload::explicit::{Act, Explicit};

/// First word of a compiled file.
pub const MAGIC: u64 = 4223;
/// Femtoseconds of a nanosecond.
const NANOSECOND: u64 = 1_000_000;

/// A receive from any rank or of any tag.
const WILDCARD: &str = "a rank and a tag: a receive of what comes first (a wildcard) is not modelled";

/// Whole nanoseconds of a time, rounded up.
fn nanoseconds(time: u64) -> u64 {
    time.div_ceil(NANOSECOND)
}

/// What GOAL cannot hold of a program.
pub(crate) fn lost(program: &Explicit) -> Vec<String> {
    let actions = || (0..program.ranks()).flat_map(|rank| program.of(rank));
    let mut lost = vec![];
    let reduces = actions().filter(|action| action.act == Act::Reduce).count();
    if reduces > 0 {
        lost.push(format!("{reduces} receives whose data is combined become receives that store"));
    }
    let delays = actions().filter(|action| action.act == Act::Delay).count();
    if delays > 0 {
        lost.push(format!("{delays} delays become computations"));
    }
    let parts = |time: u64| !time.is_multiple_of(NANOSECOND);
    let rounded = actions().filter(|action| !action.act.moves() && parts(action.amount)).count();
    if rounded > 0 {
        lost.push(format!("{rounded} times are rounded up to whole nanoseconds"));
    }
    lost
}
