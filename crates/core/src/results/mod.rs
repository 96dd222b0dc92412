//! Results as Arrow record batches: the only place that knows Arrow.
//!
//! **Model.** One record batch a table, columns as [`columns`] lists them. Rows come from the plain rows of
//! [`crate::record`], in their order (rank, vertex and port, flow), so tables are the same for any number of threads.
//!
//! **Cost.** One pass over the rows a table, made only when asked for. A table larger than is allowed is an error before its first
//! row. **Limits.** An analytic run has only a summary.

pub mod columns;
mod explicit;
mod operations;
mod size;

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, UInt32Array, UInt64Array};

use crate::collective::Schedule;
use crate::control::{Control, Phase};
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::fabric::Place;
use crate::record::{FlowRecord, LevelRecord, LinkRecord, RankRecord, Record};
use crate::simulate::{ExplicitOutcome, Outcome, ProgramOutcome};
use crate::spec::Table;
use crate::symmetry::Folding;
use crate::units::Fs;
use crate::workload::explicit::Explicit;

pub use arrow_array::RecordBatch;

/// What tables are made of, whatever ran.
#[derive(Clone, Copy, Debug)]
struct Facts<'a> {
    record: Option<&'a Record>,
    folding: &'a Folding,
    fabric: &'a Fabric,
    time_fs: Fs,
    ranks: u32,
    wanted: &'a [Table],
}

impl<'a> Facts<'a> {
    fn of(o: &'a Outcome) -> Self {
        let Outcome { record, folding, fabric, time_fs, ranks, effective, .. } = o;
        Self { record: record.as_ref(), folding, fabric, time_fs: *time_fs, ranks: *ranks, wanted: &effective.record }
    }

    fn of_program(o: &'a ProgramOutcome) -> Self {
        let ProgramOutcome { record, folding, fabric, time_fs, workload, spec, .. } = o;
        let ranks = workload.ranks();
        Self { record: Some(record), folding, fabric, time_fs: *time_fs, ranks, wanted: &spec.record }
    }

    fn of_explicit(o: &'a ExplicitOutcome) -> Self {
        let ExplicitOutcome { record, folding, fabric, time_fs, program, spec, .. } = o;
        let ranks = program.ranks();
        Self { record: Some(record), folding, fabric, time_fs: *time_fs, ranks, wanted: &spec.record }
    }

    fn tables(&self, always: &[&str]) -> Vec<&'static str> {
        let recorded = |name: &str| self.record.is_some() && self.wanted.iter().any(|table| table.name() == name);
        columns::TABLES.iter().map(|t| t.0).filter(|&name| always.contains(&name) || recorded(name)).collect()
    }

    /// Makes a table that does not depend on what ran.
    fn table(&self, name: &str, record: &Record, expand: bool) -> Result<Vec<ArrayRef>> {
        let folding = self.folding;
        let each = if expand { 1 } else { folding.multiplicity() };
        match name {
            "ranks" if expand => Ok(ranks(self, &folding.ranks(record), each)),
            "ranks" => Ok(ranks(self, &record.ranks, each)),
            "flows" if expand => Ok(flows(&folding.flows(record), each)),
            "flows" => Ok(flows(&record.flows, each)),
            // sums over all that each link stands for: there is nothing to expand
            "levels" => levels(self, &record.levels),
            "links" if expand => links(self, &folding.links(self.fabric, record), false),
            "links" => links(self, &record.links, true),
            "switches" if expand => switches(self, folding.each_link(self.fabric, record), false),
            "switches" => switches(self, record.links.iter().copied(), true),
            _ => Err(Error::Internal(format!("no table {name}"))),
        }
    }
}

/// Names of the tables that an outcome holds.
pub fn tables(outcome: &Outcome) -> Vec<&'static str> {
    Facts::of(outcome).tables(&["summary"])
}

/// Names of the tables that the outcome of a workload holds.
pub fn program_tables(outcome: &ProgramOutcome) -> Vec<&'static str> {
    Facts::of_program(outcome).tables(&["summary", "operations"])
}

/// Names of the tables that the outcome of an explicit schedule holds.
pub fn explicit_tables(outcome: &ExplicitOutcome) -> Vec<&'static str> {
    let of_operations = |name: &&str| *name != Table::Iterations.name();
    Facts::of_explicit(outcome).tables(&["summary", "operations"]).into_iter().filter(of_operations).collect()
}

/// Makes a table. A folded run has one row a class; `expand` gives each member of each class its own. `limit` is what its
/// making may take, in bytes.
///
/// # Errors
/// [`Error::Spec`] if there is no such table, or it was not recorded; [`Error::Memory`] if it needs more than the limit;
/// [`Error::Overflow`] if its names are more than a column can hold.
pub fn table(
    outcome: &Outcome,
    name: &str,
    expand: bool,
    limit: Option<u64>,
    control: &Control,
) -> Result<RecordBatch> {
    let make = |name: &str| match name {
        "summary" => Some((columns::SUMMARY, summary(outcome))),
        "operations" => Some((columns::OPERATIONS, operations::of_collective(outcome))),
        "iterations" => Some((columns::ITERATIONS, operations::instance_of_collective(outcome))),
        _ => None,
    };
    make_table(&Facts::of(outcome), (name, &tables(outcome)), expand, limit, control, make)
}

/// Makes a table of a workload's run; see [`table`].
///
/// # Errors
/// Those of [`table`].
pub fn program_table(
    outcome: &ProgramOutcome,
    name: &str,
    expand: bool,
    limit: Option<u64>,
    control: &Control,
) -> Result<RecordBatch> {
    let make = |name: &str| match name {
        "summary" => Some((columns::WORKLOAD_SUMMARY, operations::summary(outcome))),
        "operations" => Some((columns::OPERATIONS, operations::of_program(outcome))),
        "iterations" => Some((columns::ITERATIONS, operations::instances_of_program(outcome))),
        "flows" => Some((columns::OPERATION_FLOWS, operations::flows(outcome, expand))),
        _ => None,
    };
    make_table(&Facts::of_program(outcome), (name, &program_tables(outcome)), expand, limit, control, make)
}

/// Makes a table of an explicit schedule itself: `operations` or `dependencies`.
///
/// # Errors
/// [`Error::Spec`] for other names; those of [`table`].
pub fn schedule_table(program: &Explicit, name: &str, control: &Control) -> Result<RecordBatch> {
    let (columns, arrays) = match name {
        "operations" => (columns::PROGRAM, explicit::program(program)?),
        "dependencies" => (columns::DEPENDENCIES, explicit::dependencies(program)),
        _ => return Err(Error::spec("table", format!("{name:?}"), "operations or dependencies")),
    };
    control.check()?;
    RecordBatch::try_new(columns::schema(columns), arrays).map_err(|e| Error::Internal(format!("table {name}: {e}")))
}

/// Makes a table of an explicit schedule's run; see [`table`].
///
/// # Errors
/// Those of [`table`].
pub fn explicit_table(
    outcome: &ExplicitOutcome,
    name: &str,
    limit: Option<u64>,
    control: &Control,
) -> Result<RecordBatch> {
    let make = |name: &str| match name {
        "summary" => Some((columns::SCHEDULE_SUMMARY, explicit::summary(outcome))),
        "operations" => Some((columns::SCHEDULE_OPERATIONS, explicit::operations(outcome))),
        _ => None,
    };
    make_table(&Facts::of_explicit(outcome), (name, &explicit_tables(outcome)), false, limit, control, make)
}

type Made = Option<(&'static [columns::Column], Result<Vec<ArrayRef>>)>;

fn make_table(
    facts: &Facts,
    (name, held): (&str, &[&str]),
    expand: bool,
    limit: Option<u64>,
    control: &Control,
    own: impl Fn(&str) -> Made,
) -> Result<RecordBatch> {
    control.begin(Phase::Tabulating)?;
    let Some((name, list)) = columns::TABLES.iter().find(|t| t.0 == name).copied() else {
        let names: Vec<_> = columns::TABLES.iter().map(|t| t.0).collect();
        return Err(Error::spec("table", format!("{name:?}"), format!("one of {}", names.join(", "))));
    };
    if !held.contains(&name) {
        let expected = match facts.record {
            Some(_) => format!("it was not recorded: put {name:?} into record"),
            None => "an analytic run has only the summary: use fidelity \"packet\" or \"flow\"".into(),
        };
        return Err(Error::spec("record", format!("{name:?}"), expected));
    }
    // a run in full has one row each already
    let expand = expand && facts.folding.quotient().is_some();
    if let (Some(limit), Some(record)) = (limit, facts.record) {
        size::fit(facts, record, (name, list), (held, expand), limit)?;
    }
    let (list, arrays) = match (own(name), facts.record) {
        (Some((list, arrays)), _) => (list, arrays?),
        (None, Some(record)) => (list, facts.table(name, record, expand)?),
        (None, None) => return Err(Error::Internal(format!("no record for table {name}"))),
    };
    RecordBatch::try_new(columns::schema(list), arrays).map_err(|e| Error::Internal(format!("table {name}: {e}")))
}

fn ns(fs: Fs) -> f64 {
    fs as f64 / 1e6
}

fn share(part: Fs, whole: Fs) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn direction(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}

/// Bytes of text that a column can hold: Arrow counts them in 32 bits with a sign.
const TEXT: usize = i32::MAX as usize;

fn text<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Result<ArrayRef> {
    text_within(TEXT, values)
}

fn text_within<T: AsRef<str>>(most: usize, values: impl IntoIterator<Item = T>) -> Result<ArrayRef> {
    let (mut rows, mut bytes) = (0, 0);
    let fitting = values.into_iter().map_while(|value| {
        (rows, bytes) = (rows + 1, bytes + value.as_ref().len());
        (bytes <= most).then_some(value)
    });
    let array = StringArray::from_iter_values(fitting);
    if bytes > most {
        return Err(Error::Overflow {
            what: "text of one column".into(),
            value: format!("{bytes} bytes in the first {rows} rows"),
            limit: format!("{most} bytes: make the table without expand, or use levels"),
        });
    }
    Ok(Arc::new(array))
}

fn u32s(values: impl IntoIterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

fn u64s(values: impl IntoIterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

fn f64s(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn summary(o: &Outcome) -> Result<Vec<ArrayRef>> {
    let spec = &o.effective;
    let elements = o.bytes_effective / u64::from(spec.element_bytes.max(1));
    let count = if spec.collective.parted() { elements / u64::from(o.ranks.max(1)) } else { elements };
    let root = if spec.collective.rooted() { i64::from(spec.root) } else { -1 };
    let hops = o.record.as_ref().map_or(0, |r| r.packet_hops);
    Ok(vec![
        text([&spec.system.name])?,
        text([spec.collective.name()])?,
        text([o.algorithm.name()])?,
        text([&o.protocol])?,
        text([o.fidelity.name()])?,
        u32s([o.ranks]),
        u64s([o.bytes_effective]),
        u64s([count]),
        u32s([spec.element_bytes]),
        Arc::new(Int64Array::from(vec![root])),
        f64s([ns(o.time_fs)]),
        u64s([o.time_fs]),
        f64s([o.algbw_gbytes_s]),
        f64s([o.busbw_gbytes_s]),
        f64s([ns(o.bound.time_fs)]),
        text([o.bound.kind])?,
        f64s([if o.time_fs == 0 { 1.0 } else { share(o.bound.time_fs, o.time_fs) }]),
        text([&o.bottleneck])?,
        u64s([hops]),
        u64s([spec.seed]),
    ])
}

fn ranks(o: &Facts, rows: &[RankRecord], each: u64) -> Vec<ArrayRef> {
    vec![
        u32s(rows.iter().map(|r| r.rank)),
        u32s(rows.iter().map(|r| r.accelerator)),
        f64s(rows.iter().map(|r| ns(r.finish_fs))),
        u64s(rows.iter().map(|r| r.sent_bytes)),
        u64s(rows.iter().map(|r| r.received_bytes)),
        u64s(rows.iter().map(|r| r.sent_messages)),
        u64s(rows.iter().map(|r| r.received_messages)),
        f64s(rows.iter().map(|r| ns(r.memory_busy_fs))),
        f64s(rows.iter().map(|r| share(r.memory_busy_fs, o.time_fs))),
        u64s(rows.iter().map(|_| each)),
    ]
}

fn levels(o: &Facts, rows: &[LevelRecord]) -> Result<Vec<ArrayRef>> {
    let name = |r: &LevelRecord| o.fabric.networks[r.network as usize].spec.name.clone();
    let mean = |r: &LevelRecord| match o.time_fs {
        0 => 0.0,
        time => r.busy_fs as f64 / (u128::from(r.links) * u128::from(time)) as f64,
    };
    Ok(vec![
        text(rows.iter().map(name))?,
        u32s(rows.iter().map(|r| r.tier + 1)),
        text(rows.iter().map(|r| direction(r.up)))?,
        u64s(rows.iter().map(|r| r.links)),
        u64s(rows.iter().map(|r| r.payload_bytes)),
        u64s(rows.iter().map(|r| r.wire_bytes)),
        u64s(rows.iter().map(|r| r.packets)),
        f64s(rows.iter().map(|r| ns(r.busy_max_fs))),
        f64s(rows.iter().map(|r| share(r.busy_max_fs, o.time_fs))),
        f64s(rows.iter().map(mean)),
        u32s(rows.iter().map(|r| r.queue_max)),
        f64s(rows.iter().map(|r| r.wait_fs as f64 / 1e6)),
        f64s(rows.iter().map(|r| r.stall_fs as f64 / 1e6)),
        f64s(rows.iter().map(|r| ns(r.stall_max_fs))),
    ])
}

fn links(o: &Facts, rows: &[LinkRecord], folded: bool) -> Result<Vec<ArrayRef>> {
    let (fabric, time) = (o.fabric, o.time_fs);
    let each = |r: &LinkRecord| if folded { o.folding.link_multiplicity(r.network, r.tier) } else { 1 };
    Ok(vec![
        u64s(rows.iter().map(|r| u64::from(r.vertex) << 16 | u64::from(r.port))),
        text(rows.iter().map(|r| fabric.name(r.vertex)))?,
        text(rows.iter().map(|r| fabric.name(r.peer)))?,
        text(rows.iter().map(|r| fabric.networks[r.network as usize].spec.name.as_str()))?,
        u32s(rows.iter().map(|r| r.tier + 1)),
        text(rows.iter().map(|r| direction(r.up)))?,
        u64s(rows.iter().map(|r| r.payload_bytes)),
        u64s(rows.iter().map(|r| r.wire_bytes)),
        u64s(rows.iter().map(|r| r.packets)),
        f64s(rows.iter().map(|r| ns(r.busy_fs))),
        f64s(rows.iter().map(|r| share(r.busy_fs, time))),
        u32s(rows.iter().map(|r| r.queue_max)),
        f64s(rows.iter().map(|r| share(r.wait_fs, time))),
        f64s(rows.iter().map(|r| ns(r.wait_fs))),
        f64s(rows.iter().map(|r| ns(r.stall_fs))),
        u64s(rows.iter().map(each)),
    ])
}

/// A switch's row, summed over its outgoing links.
#[derive(Default)]
struct SwitchRow {
    vertex: u32,
    network: u32,
    sum: LinkRecord,
    ports: u64,
    /// How many switches it stands for.
    each: u64,
}

fn switches(o: &Facts, links: impl Iterator<Item = LinkRecord>, folded: bool) -> Result<Vec<ArrayRef>> {
    let mut rows: Vec<SwitchRow> = vec![];
    // links are in the order of their vertices, so a switch's links are neighbours
    for link in links.filter(|l| matches!(o.fabric.place(l.vertex), Place::Switch { .. })) {
        if rows.last().is_none_or(|r| r.vertex != link.vertex) {
            let each = if folded { o.folding.switches(o.fabric, link.vertex) } else { 1 };
            rows.push(SwitchRow { vertex: link.vertex, network: link.network, each, ..SwitchRow::default() });
        }
        let Some(row) = rows.last_mut() else { continue };
        // so many of the switch's ports are of this link's class
        let ports = if folded { o.folding.link_multiplicity(link.network, link.tier) / row.each } else { 1 };
        row.ports += if link.packets > 0 { ports } else { 0 };
        row.sum.payload_bytes += link.payload_bytes * ports;
        row.sum.wire_bytes += link.wire_bytes * ports;
        row.sum.packets += link.packets * ports;
        row.sum.busy_fs = row.sum.busy_fs.max(link.busy_fs);
        row.sum.queue_max = row.sum.queue_max.max(link.queue_max);
        row.sum.stall_fs += link.stall_fs * ports;
    }
    let tier = |vertex| match o.fabric.place(vertex) {
        Place::Switch { network, plane, index, .. } => match &o.fabric.networks[network].planes[plane].shape {
            crate::fabric::Shape::Clos(tree) => tree.locate(index).0 as u32 + 1,
            crate::fabric::Shape::Direct(_) | crate::fabric::Shape::Graph(_) => 1,
        },
        Place::Accelerator(_) => 0,
    };
    Ok(vec![
        text(rows.iter().map(|r| o.fabric.name(r.vertex)))?,
        text(rows.iter().map(|r| o.fabric.networks[r.network as usize].spec.name.as_str()))?,
        u32s(rows.iter().map(|r| tier(r.vertex))),
        u64s(rows.iter().map(|r| r.sum.payload_bytes)),
        u64s(rows.iter().map(|r| r.sum.wire_bytes)),
        u64s(rows.iter().map(|r| r.sum.packets)),
        u32s(rows.iter().map(|r| r.ports as u32)),
        f64s(rows.iter().map(|r| share(r.sum.busy_fs, o.time_fs))),
        u32s(rows.iter().map(|r| r.sum.queue_max)),
        f64s(rows.iter().map(|r| ns(r.sum.stall_fs))),
        u64s(rows.iter().map(|r| r.each)),
    ])
}

fn flows(rows: &[FlowRecord], each: u64) -> Vec<ArrayRef> {
    vec![
        u32s(rows.iter().map(|r| r.src)),
        u32s(rows.iter().map(|r| r.dst)),
        u32s(rows.iter().map(|r| r.lane)),
        u32s(rows.iter().map(|r| r.step)),
        u64s(rows.iter().map(|r| r.bytes)),
        f64s(rows.iter().map(|r| ns(r.start_fs))),
        f64s(rows.iter().map(|r| ns(r.end_fs))),
        f64s(rows.iter().map(|r| ns(r.end_fs.saturating_sub(r.start_fs)))),
        u64s(rows.iter().map(|_| each)),
    ]
}

#[cfg(test)]
mod tests;
