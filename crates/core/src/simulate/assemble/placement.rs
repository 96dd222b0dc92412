//! Which accelerator each rank of a run sits on.
//!
//! **Model.** A job has a list of accelerators, or those after the last of the job before, in order. **Invariant.** No accelerator has
//! two ranks. **Cost.** A word per accelerator and rank. **Limits.** Ranks do not move.

use crate::error::{Error, Result};
use crate::spec::ProgramSpec;

/// All ranks' accelerators: those given, and for other jobs those after the job before.
pub(crate) fn placement(spec: &ProgramSpec) -> Result<Vec<u32>> {
    let (all, mut placement) = (spec.system.accelerators, vec![]);
    let mut owner: Vec<Option<u32>> = vec![None; all as usize];
    for (number, job) in (0u32..).zip(&spec.jobs) {
        let ranks: u32 = job.axes.iter().map(|axis| axis.size).product();
        let next = placement.last().map_or(0, |last| last + 1);
        let field = format!("job {:?}: placement", job.name);
        for rank in 0..ranks {
            let accelerator = job.placement.as_ref().map_or(next + rank, |given| given[rank as usize]);
            let Some(slot) = owner.get_mut(accelerator as usize) else {
                return Err(Error::spec(field, accelerator, format!("accelerators below {all}")));
            };
            if let Some(other) = slot.replace(number) {
                let other = &spec.jobs[other as usize].name;
                let expected = format!("accelerators of its own; it is one of job {other:?}, too");
                return Err(Error::spec(field, format!("accelerator {accelerator}"), expected));
            }
            placement.push(accelerator);
        }
    }
    Ok(placement)
}
