//! What a table takes, held against what is allowed before its first row is made.
//!
//! **Model.** The rows that are made of those of a run, as far as there are any, and the columns that they become; names at
//! the length of the longest. **Invariant.** No count can overflow: what is too large for 64 bits counts as all of them.
//! **Cost.** That of a description: no walk over links or messages. **Limits.** The run itself, which is there already, is not
//! counted; nor is what a caller makes of the table.

use super::columns::{Column, Kind};
use super::{Facts, SwitchRow, direction};
use crate::error::{Error, Result};
use crate::fabric::{Fabric, Shape};
use crate::record::{FlowRecord, LinkRecord, RankRecord, Record};
use crate::survey::describe::count;

/// Refuses a table that needs more than is allowed; `expand` only if the run was folded.
///
/// # Errors
/// [`Error::Memory`] with the rows, their bytes, and what there is instead.
pub(super) fn fit(
    outcome: &Facts,
    record: &Record,
    (name, columns): (&str, &[Column]),
    (held, expand): (&[&str], bool),
    limit: u64,
) -> Result<()> {
    let rows = rows(outcome, record, name, expand);
    let each = made(name, expand) + columns.iter().map(|c| width(outcome.fabric, c)).sum::<u64>();
    let needed = rows.saturating_mul(each);
    if needed <= limit {
        return Ok(());
    }
    let what = format!("table {name}{} of {rows} rows with {each} bytes each", if expand { ", expanded," } else { "" });
    let mut hint = vec![];
    if expand {
        let kept = self::rows(outcome, record, name, false);
        hint.push(format!(
            "use it as it is, without expand: {kept} rows, and what each stands for is its multiplicity"
        ));
    }
    if matches!(name, "links" | "switches") {
        let verb = if held.contains(&"levels") { "use" } else { "record" };
        hint.push(format!("{verb} levels, the sums over links in a few rows"));
    }
    hint.push("allow more with memory_limit".into());
    Err(Error::Memory { what, needed, available: limit, hint: hint.join("; or ") })
}

/// Rows of a table; of links and switches those that the machine, or its quotient, has room for.
fn rows(outcome: &Facts, record: &Record, name: &str, expand: bool) -> u64 {
    let whole = outcome.fabric;
    let machine = || count(if expand { whole } else { outcome.folding.quotient().unwrap_or(whole) });
    match (name, expand) {
        ("ranks", true) => u64::from(outcome.ranks),
        ("ranks", false) => record.ranks.len() as u64,
        ("links", true) => machine().directed_links,
        ("links", false) => record.links.len() as u64,
        ("switches", _) => machine().switches,
        ("flows", true) => outcome.folding.messages(record),
        ("flows", false) => record.flows.len() as u64,
        ("iterations", _) => record.iterations.len() as u64,
        ("operations", _) => record.spans.len() as u64,
        // summary, operations and levels: a few rows, whatever the machine
        _ => 0,
    }
}

/// Bytes of a row that is made before it becomes columns.
fn made(name: &str, expand: bool) -> u64 {
    let bytes = match (name, expand) {
        ("ranks", true) => size_of::<RankRecord>(),
        ("links", true) => size_of::<LinkRecord>(),
        ("flows", true) => size_of::<FlowRecord>(),
        ("switches", _) => size_of::<SwitchRow>(),
        _ => 0,
    };
    bytes as u64
}

/// Bytes of a cell.
fn width(fabric: &Fabric, column: &Column) -> u64 {
    match (column.kind, column.name) {
        (Kind::U32, _) => 4,
        (Kind::U64 | Kind::I64 | Kind::F64, _) => 8,
        // the end of the text, and the text
        (Kind::Text, "src" | "dst" | "switch") => 4 + longest_name(fabric),
        (Kind::Text, "direction") => 4 + direction(false).len() as u64,
        (Kind::Text, _) => 4 + fabric.networks.iter().map(|n| n.spec.name.len() as u64).max().unwrap_or(0),
    }
}

/// Bytes of the longest name of an accelerator or switch: among those with the largest numbers.
fn longest_name(fabric: &Fabric) -> u64 {
    let mut last = vec![fabric.accelerators().saturating_sub(1)];
    for (n, net) in fabric.networks.iter().enumerate() {
        for (plane, p) in net.planes.iter().enumerate() {
            let ends: Vec<u32> = match &p.shape {
                Shape::Clos(tree) => tree.tiers().iter().map(|t| t.first + t.switches - 1).collect(),
                Shape::Graph(graph) => graph.switches().checked_sub(1).into_iter().collect(),
                Shape::Direct(_) => vec![],
            };
            last.extend(ends.into_iter().map(|index| fabric.switch(n, net.copies - 1, plane, index)));
        }
    }
    last.into_iter().map(|vertex| fabric.name(vertex).len() as u64).max().unwrap_or(0)
}
