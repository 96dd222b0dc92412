//! Tables of operations: what ranks did when, and how much of it computation hid.
//!
//! **Invariant.** Rows are in the order of operation, role and iteration. **Cost.** One pass over the rows. **Limits.** `operations`
//! adds the iterations of a loop up; `iterations` has a row for each, of one rank of each role.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};

use super::{f64s, ns, share, text, u32s, u64s};
use crate::collective::Schedule;
use crate::error::Result;
use crate::record::{FlowRecord, IterationRecord, OperationRecord};
use crate::simulate::{Described, Outcome, ProgramOutcome};
use crate::spec::{Algorithm, Pattern};
use crate::workload::Instance;

/// Times of all instances together as the mean of one.
fn mean(sum: u128, instances: u64) -> f64 {
    if instances == 0 { 0.0 } else { sum as f64 / instances as f64 / 1e6 }
}

fn times(rows: &[OperationRecord]) -> [ArrayRef; 6] {
    [
        u64s(rows.iter().map(|r| r.ranks)),
        u64s(rows.iter().map(|r| r.instances)),
        f64s(rows.iter().map(|r| ns(r.start_fs))),
        f64s(rows.iter().map(|r| ns(r.end_fs))),
        f64s(rows.iter().map(|r| mean(r.time_fs, r.instances))),
        f64s(rows.iter().map(|r| mean(r.exposed_fs, r.instances))),
    ]
}

/// The one operation of a run of one collective.
pub(super) fn of_collective(o: &Outcome) -> Result<Vec<ArrayRef>> {
    let mut row = OperationRecord::default();
    let each = o.record.as_ref().map_or(1, |record| record.multiplicity);
    for rank in o.record.iter().flat_map(|record| &record.ranks) {
        row.add(0, rank.finish_fs, rank.finish_fs);
        row.ranks += each;
    }
    (row.instances, row.time_fs, row.exposed_fs) =
        (row.instances * each, row.time_fs * u128::from(each), row.exposed_fs * u128::from(each));
    let name = o.effective.collective.name();
    let mut columns = vec![
        text([""])?,
        text([name])?,
        text(["collective"])?,
        text([""])?,
        u32s([0]),
        text([o.algorithm.name()])?,
        text([&o.protocol])?,
        u64s([o.bytes_effective]),
    ];
    columns.extend(times(&[row]));
    Ok(columns)
}

/// The name of what decides who sends to whom: an algorithm, or a pattern.
fn algorithm(known: &Described) -> &'static str {
    let pattern = known.pattern.map_or("", Pattern::name);
    known.algorithm.map_or(pattern, Algorithm::name)
}

/// All operations of a workload.
pub(super) fn of_program(o: &ProgramOutcome) -> Result<Vec<ArrayRef>> {
    let rows = &o.record.operations;
    let operation = |r: &OperationRecord| &o.workload.operations()[r.operation as usize];
    let known = |r: &OperationRecord| &o.described[r.operation as usize];
    let mut columns = vec![
        text(rows.iter().map(|r| &o.workload.jobs()[operation(r).job as usize]))?,
        text(rows.iter().map(|r| &operation(r).name))?,
        text(rows.iter().map(|r| known(r).kind))?,
        text(rows.iter().map(|r| &known(r).stream))?,
        u32s(rows.iter().map(|r| r.role)),
        text(rows.iter().map(|r| algorithm(known(r))))?,
        text(rows.iter().map(|r| &known(r).protocol))?,
        u64s(rows.iter().map(|r| known(r).bytes)),
    ];
    columns.extend(times(rows));
    Ok(columns)
}

fn instances(rows: &[IterationRecord]) -> [ArrayRef; 6] {
    [
        u32s(rows.iter().map(|r| r.role)),
        u32s(rows.iter().map(|r| r.rank)),
        u32s(rows.iter().map(|r| r.iteration)),
        f64s(rows.iter().map(|r| ns(r.start_fs))),
        f64s(rows.iter().map(|r| ns(r.end_fs))),
        f64s(rows.iter().map(|r| ns(r.exposed_fs))),
    ]
}

/// The one instance of a run of one collective, on its first rank.
pub(super) fn instance_of_collective(o: &Outcome) -> Result<Vec<ArrayRef>> {
    let first = o.record.as_ref().and_then(|record| record.ranks.first()).copied().unwrap_or_default();
    let (rank, end_fs) = (first.rank, first.finish_fs);
    let row = IterationRecord { rank, end_fs, exposed_fs: end_fs, ..IterationRecord::default() };
    let mut columns = vec![text([""])?, text([o.effective.collective.name()])?, text(["collective"])?, text([""])?];
    columns.extend(instances(&[row]));
    Ok(columns)
}

/// All instances of one rank of each role of a workload.
pub(super) fn instances_of_program(o: &ProgramOutcome) -> Result<Vec<ArrayRef>> {
    let rows = &o.record.iterations;
    let operation = |r: &IterationRecord| &o.workload.operations()[r.operation as usize];
    let known = |r: &IterationRecord| &o.described[r.operation as usize];
    let mut columns = vec![
        text(rows.iter().map(|r| &o.workload.jobs()[operation(r).job as usize]))?,
        text(rows.iter().map(|r| &operation(r).name))?,
        text(rows.iter().map(|r| known(r).kind))?,
        text(rows.iter().map(|r| &known(r).stream))?,
    ];
    columns.extend(instances(rows));
    Ok(columns)
}

/// The summary of a workload.
pub(super) fn summary(o: &ProgramOutcome) -> Result<Vec<ArrayRef>> {
    Ok(vec![
        text([&o.spec.system.name])?,
        u32s([o.workload.jobs().len() as u32]),
        u32s([o.workload.operations().len() as u32]),
        text([o.fidelity.name()])?,
        u32s([o.workload.ranks()]),
        f64s([ns(o.time_fs)]),
        u64s([o.time_fs]),
        f64s([ns(o.bound.time_fs)]),
        text([o.bound.kind])?,
        f64s([if o.time_fs == 0 { 1.0 } else { share(o.bound.time_fs, o.time_fs) }]),
        u64s([o.record.sent_bytes]),
        text([&o.bottleneck])?,
        u64s([o.record.packet_hops]),
        u64s([o.spec.seed]),
    ])
}

/// One row per message, with the operation that received it.
pub(super) fn flows(o: &ProgramOutcome, expand: bool) -> Result<Vec<ArrayRef>> {
    let expanded = if expand { o.folding.flows(&o.record) } else { vec![] };
    let rows: &[FlowRecord] = if expand { &expanded } else { &o.record.flows };
    let each = if expand { 1 } else { o.folding.multiplicity() };
    let at: Vec<Instance> = rows.iter().map(|r| o.workload.at(r.step)).collect();
    let operation = |at: &Instance| &o.workload.operations()[at.operation as usize];
    let names = at.iter().map(|at| o.workload.jobs()[operation(at).job as usize].as_str());
    Ok(vec![
        Arc::new(StringArray::from_iter_values(names)),
        text(at.iter().map(|at| &operation(at).name))?,
        u32s(at.iter().map(|at| at.number)),
        u32s(rows.iter().map(|r| r.src)),
        u32s(rows.iter().map(|r| r.dst)),
        u32s(rows.iter().map(|r| r.lane)),
        u32s(at.iter().map(|at| at.step)),
        u64s(rows.iter().map(|r| r.bytes)),
        f64s(rows.iter().map(|r| ns(r.start_fs))),
        f64s(rows.iter().map(|r| ns(r.end_fs))),
        f64s(rows.iter().map(|r| ns(r.end_fs.saturating_sub(r.start_fs)))),
        u64s(rows.iter().map(|_| each)),
    ])
}
