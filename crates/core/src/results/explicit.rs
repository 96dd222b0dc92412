//! Tables of an explicit schedule: what each operation did when.
//!
//! **Invariant.** Rows are in the order of ranks, and of operations in a rank. **Cost.** One pass over the operations.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};

use super::{f64s, ns, share, text, u32s, u64s};
use crate::collective::Schedule;
use crate::error::Result;
use crate::simulate::ExplicitOutcome;
use crate::workload::explicit::{Action, Explicit};

/// The summary.
pub(super) fn summary(o: &ExplicitOutcome) -> Result<Vec<ArrayRef>> {
    let name = o.spec.jobs.first().map_or("", |job| job.name.as_str());
    let messages: u64 = o.record.ranks.iter().map(|rank| rank.sent_messages).sum();
    Ok(vec![
        text([&o.spec.system.name])?,
        text([name])?,
        u64s([o.program.len() as u64]),
        u64s([messages]),
        text([&o.protocol])?,
        text([o.fidelity.name()])?,
        u32s([o.program.ranks()]),
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

/// One row per operation: rank, number and action.
fn rows(program: &Explicit) -> impl Iterator<Item = (u32, u32, &Action)> {
    let of = |rank: u32| (0u32..).zip(program.of(rank)).map(move |(number, action)| (rank, number, action));
    (0..program.ranks()).flat_map(of)
}

/// What there is of an operation before it runs, but for times.
fn known(program: &Explicit) -> Result<Vec<ArrayRef>> {
    let rows = || rows(program);
    let peer = |action: &Action| if action.act.moves() { i64::from(action.peer) } else { -1 };
    Ok(vec![
        u32s(rows().map(|(rank, ..)| rank)),
        u32s(rows().map(|(_, number, _)| number)),
        text(rows().map(|(rank, number, _)| program.label(rank, number)).collect::<Vec<_>>())?,
        text(rows().map(|(.., action)| action.act.name()).collect::<Vec<_>>())?,
        u32s(rows().map(|(.., action)| action.stream.into())),
        Arc::new(Int64Array::from_iter_values(rows().map(|(.., action)| peer(action)))),
        u32s(rows().map(|(rank, number, _)| program.tag(rank, number))),
        u64s(rows().map(|(.., action)| if action.act.moves() { action.amount } else { 0 })),
    ])
}

/// One row per operation, with its times.
pub(super) fn operations(o: &ExplicitOutcome) -> Result<Vec<ArrayRef>> {
    let mut columns = known(&o.program)?;
    columns.push(f64s(o.record.spans.iter().map(|span| ns(span[0]))));
    columns.push(f64s(o.record.spans.iter().map(|span| ns(span[1]))));
    Ok(columns)
}

/// One row per operation of a schedule that has not run.
pub(super) fn program(program: &Explicit) -> Result<Vec<ArrayRef>> {
    let mut columns = known(program)?;
    columns.push(u64s(rows(program).map(|(.., action)| if action.act.moves() { 0 } else { action.amount })));
    Ok(columns)
}

/// One row per dependency of a schedule, by rank and by the operation that is waited for.
pub(super) fn dependencies(program: &Explicit) -> Vec<ArrayRef> {
    let all = || {
        let of =
            |(rank, number, _)| program.dependents(rank, number).iter().map(move |d| (rank, d.action(), number, d));
        rows(program).flat_map(of)
    };
    vec![
        u32s(all().map(|(rank, ..)| rank)),
        u32s(all().map(|(_, after, ..)| after)),
        u32s(all().map(|(_, _, before, _)| before)),
        u32s(all().map(|(.., dependent)| dependent.on_begin().into())),
    ]
}
