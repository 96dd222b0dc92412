//! Symmetries of a run of many operations: those that all operations share, and what ties go by in each.
//!
//! **Model.** Each operation has the symmetries that it would have if its job did nothing else; its messages are labelled by them. A run is
//! folded by what all operations have in common.
//!
//! **Invariant.** The symmetries of the run are among those of each operation. Labels of an operation do not depend on other operations and
//! jobs. **Cost.** That of finding the symmetries of each operation.

use crate::control::Control;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::radix::Radix;
use crate::symmetry::{Folding, Labels};
use crate::workload::{Kind, Workload};

/// The symmetries as packets; `fold` asks for the quotient.
///
/// # Errors
/// Those of [`Control::check`].
pub(super) fn symmetries(
    fabric: &Fabric,
    workload: &Workload,
    placement: &[u32],
    fold: bool,
    control: &Control,
) -> Result<Folding> {
    let mut own = vec![Labels::default(); workload.operations().len()];
    for (operation, labels) in workload.operations().iter().zip(&mut own) {
        if let Some(alone) = &operation.alone {
            let first = workload.first_rank(operation.job);
            let sits = &placement[first as usize..(first + alone.ranks()) as usize];
            let folding = Folding::among(fabric, &**alone, &operation.symmetry(), sits, false, control)?;
            *labels = folding.labels(0).clone().starting(first);
        }
    }
    // a message has the labels of its sender also where it is received
    for (sender, operation) in workload.operations().iter().enumerate() {
        if let Kind::Messages { receiver: Some(receiver), .. } = operation.kind {
            own[receiver as usize] = own[sender].clone();
        }
    }
    let moving = workload.operations().iter().zip(&own).filter(|(operation, _)| operation.alone.is_some());
    let digits = workload.shared(moving.map(|(_, labels)| labels.group().digits().to_vec()));
    let declared = if workload.jobs().len() == 1 { Radix::new(digits) } else { Radix::default() };
    let folding = Folding::among(fabric, workload, declared.digits(), placement, fold, control)?;
    Ok(folding.labelled(own))
}
