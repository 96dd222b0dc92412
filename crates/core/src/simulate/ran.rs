//! What runs of workloads and of explicit schedules do alike, before and after they differ.
//!
//! **Invariant.** What passes has a fidelity that can be simulated, and an end that the clock can show.

use crate::control::Control;
use crate::engine::{Cap, Job, run_within};
use crate::error::{Error, Result};
use crate::flow;
use crate::record::Record;
use crate::spec::{Fidelity, ProgramSpec, Selection};
use crate::units::{Fs, MAX_TIME_FS};

/// Takes the memory limit of a run that cannot be predicted; `why` says what predictions would miss.
pub(super) fn admit(spec: &ProgramSpec, why: &str, control: &Control) -> Result<()> {
    if spec.memory_limit.is_some() {
        control.limit_memory(spec.memory_limit);
    }
    match spec.fidelity {
        Selection::Only(Fidelity::Analytic) => {
            Err(Error::spec("fidelity", "analytic", format!("packet, flow or auto: {why}")))
        }
        _ => Ok(()),
    }
}

/// Runs a job to its end, by packets or as fluids.
pub(super) fn ran(job: &Job, fidelity: Fidelity, control: &Control) -> Result<Record> {
    match fidelity {
        Fidelity::Flow => flow::run(job, control),
        _ => run_within(job, control, Cap::Endless)?
            .ok_or_else(|| Error::Internal("a run without a cap was capped".into())),
    }
}

/// Holds an end against the clock.
pub(super) fn shown(end: Fs) -> Result<()> {
    if end < MAX_TIME_FS {
        return Ok(());
    }
    let most = MAX_TIME_FS / 1_000_000;
    let (value, limit) = (format!("{most} ns or more"), format!("{most} ns"));
    Err(Error::Overflow { what: "simulated time".into(), value, limit })
}
