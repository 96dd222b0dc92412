//! A run of many operations: from its specification to facts and rows per operation.
//!
//! **Model.** As for one collective: the fabric is built, every collective chooses algorithm and protocol ([`super::assemble`]), the workload
//! is compiled, its symmetries are found, and packets or fluids run it.
//!
//! **Invariant.** The outcome says what was really done. **Cost.** That of choosing plus that of the run.
//! **Limits.** The analytic model prices operations one by one and knows nothing of what runs beside them, so it is refused.
//! The bound counts streams and operations by themselves, not what they take from each other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::assemble::{Assembly, Described, at, placement};
use super::memory::countable;
use super::ran::{admit, ran, shown};
use super::symmetries::symmetries;
use super::{Fabrics, SETTLING};
use crate::bound::{Bound, Demand, lower_bound, lower_bound_of};
use crate::control::{Control, Phase};
use crate::engine::Job;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::flow;
use crate::record::Record;
use crate::spec::{Fidelity, ProgramSpec, ProtocolSpec, Selection, Table};
use crate::stack::{Purse, Work};
use crate::symmetry::Folding;
use crate::units::Fs;
use crate::workload::{Kind, Workload};

/// Everything that a run of many operations gives.
#[derive(Debug)]
pub struct ProgramOutcome {
    /// Until the last rank of the last job has finished.
    pub time_fs: Fs,
    /// How closely it was looked at.
    pub fidelity: Fidelity,
    /// What the streams by themselves, or one operation by itself, cannot beat.
    pub bound: Bound,
    /// What was busiest.
    pub bottleneck: String,
    /// Remarks.
    pub warnings: Vec<String>,
    /// What packets or flows left behind.
    pub record: Record,
    /// The specification.
    pub spec: ProgramSpec,
    /// The machine.
    pub fabric: Arc<Fabric>,
    /// Symmetries of the run.
    pub folding: Folding,
    /// What ran.
    pub workload: Workload,
    /// What is known of each operation.
    pub described: Vec<Described>,
}

/// Runs a specification of many operations.
///
/// # Errors
/// [`crate::error::Error::Spec`] names the operation; those of building the fabric, of choosing and of the run.
pub fn program(fabrics: &Fabrics, spec: &ProgramSpec, control: &Control) -> Result<ProgramOutcome> {
    admit(spec, "predictions are of single collectives and miss what operations take from each other", control)?;
    control.begin(Phase::Building)?;
    let fabric = fabrics.get(&spec.system, control)?;
    let placement = placement(spec)?;
    let finest = spec.fidelity.named().unwrap_or(Fidelity::Packet);
    let purse = Purse { left_ns: spec.budget_ns / SETTLING, finest, fold: spec.fold, skip: spec.skip };
    let assembly = Assembly::new(spec, &fabric, &placement, purse, control);
    let (draft, described) = assembly.assemble()?;
    let wants = |table: Table| spec.record.contains(&table);
    let compiled = draft.compile()?;
    let workload = if wants(Table::Iterations) { compiled.sampled() } else { compiled };
    let fold = spec.fold && spec.fidelity != Selection::Only(Fidelity::Flow);
    let mut folding = symmetries(&fabric, &workload, &placement, fold, control)?;
    let mut warnings = vec![];
    let protocol = first_protocol(&workload, spec);
    let fidelity = match spec.fidelity {
        Selection::Only(fidelity) => fidelity,
        Selection::Auto => {
            choose(spec, &fabric, &placement, (&workload, &described), &folding, control, &mut warnings)?
        }
    };
    if fidelity == Fidelity::Flow {
        flow::models(&fabric, &workload, &placement)?;
        folding = flow::folding(&fabric, &workload, &placement, spec.fold, control)?;
    } else {
        for (operation, d) in workload.operations().iter().zip(&described).filter(|(o, _)| o.schedule().is_some()) {
            countable(&fabric, d.bytes).map_err(|error| at(error, &operation.name))?;
        }
    }
    let bytes = |d: &Described, instances: u32| {
        d.prediction.bytes.saturating_mul(instances.into()) * u64::from(d.communicators)
    };
    let all: u64 = described.iter().zip(workload.operations()).map(|(d, o)| bytes(d, o.instances())).sum();
    control.total_bytes.store(all / folding.multiplicity(), Ordering::Relaxed);
    let job = Job {
        fabric: &fabric,
        schedule: &workload,
        placement: &placement,
        folding: &folding,
        protocol: &protocol,
        workload: Some(&workload),
        explicit: None,
        seed: spec.seed,
        threads: spec.threads,
        record_flows: wants(Table::Flows),
        record_links: wants(Table::Links) || wants(Table::Switches),
        time_limit_fs: spec.time_limit_fs,
        skip: spec.skip,
    };
    let record = ran(&job, fidelity, control)?;
    let time_fs = record.finish_fs;
    let bound = bound(&fabric, &workload, &described, control)?;
    shown(time_fs.max(bound.time_fs))?;
    let bottleneck = busiest(&fabric, &record, computing(&record, &workload));
    Ok(ProgramOutcome {
        time_fs,
        fidelity,
        bound,
        bottleneck,
        warnings,
        record,
        spec: spec.clone(),
        fabric: Arc::clone(&fabric),
        folding,
        workload,
        described,
    })
}

/// The operations with every choice made, as JSON.
pub fn operations(outcome: &ProgramOutcome) -> serde_json::Value {
    let rows: Vec<serde_json::Value> = outcome
        .workload
        .operations()
        .iter()
        .zip(&outcome.described)
        .map(|(operation, d)| {
            serde_json::json!({
                "job": outcome.workload.jobs()[operation.job as usize],
                "operation": operation.name,
                "kind": d.kind,
                "stream": d.stream,
                "collective": d.collective,
                "algorithm": d.algorithm,
                "pattern": d.pattern,
                "protocol": d.protocol,
                "bytes": d.bytes,
                "ranks": d.ranks,
                "communicators": d.communicators,
                "instances": operation.instances(),
            })
        })
        .collect();
    rows.into()
}

/// Software costs that hold for links as a whole: of the first operation that moves messages.
fn first_protocol(workload: &Workload, spec: &ProgramSpec) -> ProtocolSpec {
    let moving = |kind: &Kind| matches!(kind, Kind::Messages { .. });
    let first = workload.operations().iter().find(|operation| moving(&operation.kind));
    first.map_or_else(|| spec.stack.protocols[0].clone(), |operation| operation.protocol.clone())
}

/// Packets, if the operations by themselves fit the budget as packets; otherwise fluids where they model the run.
fn choose(
    spec: &ProgramSpec,
    fabric: &Fabric,
    placement: &[u32],
    (workload, described): (&Workload, &[Described]),
    folding: &Folding,
    control: &Control,
    warnings: &mut Vec<String>,
) -> Result<Fidelity> {
    let mut all = crate::analytic::Prediction::default();
    for (d, operation) in described.iter().zip(workload.operations()) {
        let times = u64::from(d.communicators) * u64::from(operation.instances());
        all.packet_hops = all.packet_hops.saturating_add(d.prediction.packet_hops.saturating_mul(times));
        all.messages = all.messages.saturating_add(d.prediction.messages.saturating_mul(times));
        all.bytes = all.bytes.saturating_add(d.prediction.bytes.saturating_mul(times));
    }
    let width = flow::Width::new(fabric, placement, control)?;
    let work = Work::new(fabric, workload, folding, &all, width, false);
    if work.packets_ns <= spec.budget_ns || flow::models(fabric, workload, placement).is_err() {
        return Ok(Fidelity::Packet);
    }
    warnings.push(as_flows(&work, spec));
    Ok(Fidelity::Flow)
}

/// Why fluids run what packets could.
pub(super) fn as_flows(work: &Work, spec: &ProgramSpec) -> String {
    let (needs, budget) = (work.packets_ns / 1_000_000_000, spec.budget_ns / 1_000_000_000);
    format!(
        "fidelity auto: flow, as packets would take about {needs} s of the nominal core, and the budget is {budget} s"
    )
}

/// The larger of what each stream takes if nothing waits, and what each operation needs by itself.
fn bound(fabric: &Fabric, workload: &Workload, described: &[Described], control: &Control) -> Result<Bound> {
    let mut best = Bound { time_fs: 0, kind: "streams" };
    for rank in workload.firsts() {
        let time = workload.least(rank, |operation| described[operation as usize].least_fs);
        best.time_fs = best.time_fs.max(time);
    }
    for (operation, d) in workload.operations().iter().zip(described) {
        let one = match d.collective {
            _ if d.accelerators.is_empty() => continue, // it moves nothing, or no rank executes it
            _ if !d.carried.is_empty() => {
                lower_bound_of(fabric, &d.accelerators, &d.carried, &operation.protocol, control)?
            }
            None => continue,
            Some(collective) => {
                let demand = Demand { collective, bytes: d.bytes, root: d.root, placement: &d.accelerators };
                lower_bound(fabric, demand, &[&operation.protocol], control)?
            }
        };
        if one.time_fs > best.time_fs {
            best = one;
        }
    }
    Ok(best)
}

/// What was busy for the largest part of the time; ranks compute for a part of it that is given.
pub(super) fn busiest(fabric: &Fabric, record: &Record, computing: f64) -> String {
    let all = record.finish_fs.max(1) as f64;
    let mut best = (0.0, "latency and dependencies".to_string());
    for level in &record.levels {
        let net = &fabric.networks[level.network as usize];
        let busy = level.busy_max_fs as f64 / all;
        if busy > best.0 {
            let way = if level.up { "up" } else { "down" };
            best = (busy, format!("{} {}, {way}", net.spec.name, net.level(level.tier as usize)));
        }
    }
    let memory = record.ranks.iter().map(|rank| rank.memory_busy_fs).max().unwrap_or(0) as f64 / all;
    if memory > best.0 {
        best = (memory, "memory".into());
    }
    if computing > best.0 {
        best = (computing, "computation".into());
    }
    format!("{}, {:.0} % busy", best.1, 100.0 * best.0.min(1.0))
}

/// The part of the time that ranks of the role which computes longest compute.
fn computing(record: &Record, workload: &Workload) -> f64 {
    let mut computing = std::collections::BTreeMap::<u32, f64>::new();
    for row in &record.operations {
        if matches!(workload.operations()[row.operation as usize].kind, Kind::Compute(_)) {
            *computing.entry(row.role).or_default() += row.time_fs as f64 / row.ranks.max(1) as f64;
        }
    }
    computing.into_values().fold(0.0, f64::max) / record.finish_fs.max(1) as f64
}
