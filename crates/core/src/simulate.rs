//! The one entry: from a specification to an outcome.
//!
//! **Model.** Two stages. [`Plan::new`] builds the fabric, rounds the size as nccl-tests does, chooses algorithm and
//! protocol, builds the schedule, decides how closely to look ([`attempt`]) and checks memory; [`Plan::run`] simulates or predicts and
//! adds the lower bound and the bottleneck. If choosing has simulated the choice to its end, that is the run.
//!
//! **Invariant.** The outcome says what was really done: every `auto` is replaced in [`Outcome::effective`], and an option
//! that was given but had no effect is a warning that names it.
//!
//! **Cost.** That of choosing plus that of the run. **Limits.** Estimates of packet-hops and memory come from a sample of
//! ranks and are good to some ten percent.

mod assemble;
mod attempt;
mod cause;
mod explicit;
mod fabrics;
mod memory;
mod outcome;
mod program;
mod ran;
mod remarks;
mod stage;
mod symmetries;

use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use assemble::Described;
pub use explicit::{ExplicitOutcome, explicit};
pub use fabrics::Fabrics;
pub use outcome::Outcome;
pub use program::{ProgramOutcome, operations, program};

use attempt::Attempt;
use stage::Stage;

use crate::analytic::Prediction;
use crate::bound::{Demand, lower_bound};
use crate::check::check_within;
use crate::collective::{Algorithm, Collective, Params, Schedule};
use crate::control::{Control, Phase};
use crate::engine::{Job, run_within};
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::flow;
use crate::measured;
use crate::record::Record;
use crate::spec::{Fidelity, Pick, ProtocolSpec, RunSpec, Selection, SystemSpec, Table, validate, validate_system};
use crate::stack::{Basis, Purse, Task};
use crate::survey::describe::{Description, describe};
use crate::survey::edges;
use crate::symmetry::Folding;

/// Of an outcome that had nothing to choose.
const NO_CHOICE: &str = "no choice";
/// Settling the choice may use this part of the budget.
const SETTLING: u64 = 8;

/// A run that is ready to start.
#[derive(Debug)]
pub struct Plan {
    fabric: Arc<Fabric>,
    asked: RunSpec,
    effective: RunSpec,
    /// Rank i sits on accelerator i.
    in_order: bool,
    collective: Collective,
    placement: Vec<u32>,
    bytes: u64,
    algorithm: Algorithm,
    protocol: ProtocolSpec,
    schedule: Arc<dyn Schedule>,
    prediction: Prediction,
    chosen_by: String,
    /// What the library would rather take, if the simulator had it.
    instead_of: Option<String>,
    /// What is left of settling the choice, if it was simulated to its end: the run need not be repeated.
    settled: Option<(Fidelity, Record)>,
    attempts: Vec<Attempt>,
    /// Why the run is not looked at more closely.
    why: Vec<String>,
    width: flow::Width,
    kind: String,
    folding: Folding,
    packet: bool,
    flow: bool,
    warnings: Vec<String>,
}

/// Simulates a validated specification.
///
/// # Errors
/// Those of [`Plan::new`] and [`Plan::run`].
pub fn simulate(spec: &RunSpec, control: &Control) -> Result<Outcome> {
    Plan::new(spec, control)?.run(control)
}

/// Runs the schedule that [`simulate`] would run symbolically; a JSON report of messages, bytes, steps and lanes.
///
/// # Errors
/// [`Error::Schedule`] if it does not do what the collective asks for, [`Error::Memory`] if that takes more than the
/// specification allows, and those of choosing.
pub fn check_schedule(spec: &RunSpec, control: &Control) -> Result<String> {
    allow(spec, control);
    let stage = Stage::new(spec, &Fabrics::new(0), control)?;
    let choice = stage.task(spec, control).choose(spec.algorithm, &mut purse(spec))?;
    let task = Task { lanes: choice.lanes, ..stage.task(spec, control) };
    // parts are counted in the order of the machine; the collective's root is a rank
    let params = Params { root: spec.root, ..task.params(choice.algorithm) };
    let report = check_within(&*choice.schedule, &params, control.memory_limit(), control)?;
    json(&serde_json::json!({
        "algorithm": choice.algorithm.name(), "messages": report.messages, "bytes": report.bytes,
        "steps": report.max_steps, "lanes": report.lanes,
    }))
}

/// Every algorithm with every protocol, cheapest first, and what the library would take, as JSON.
///
/// # Errors
/// Those of building the fabric, of simulating candidates, and of [`Control::check`].
pub fn explain(spec: &RunSpec, control: &Control) -> Result<String> {
    allow(spec, control);
    let stage = Stage::new(spec, &Fabrics::new(0), control)?;
    json(&stage.task(spec, control).candidates(spec.algorithm, &mut purse(spec))?)
}

/// Counts of a system as JSON.
///
/// # Errors
/// [`Error::Spec`] or [`Error::Fabric`].
pub fn describe_system(text: &str, control: &Control) -> Result<String> {
    let description: Description = describe(&build(text, control)?, control)?;
    json(&description)
}

/// Every port of a system, as the fabric computes it.
///
/// # Errors
/// As [`describe_system`], and [`Error::Memory`] beyond [`edges::MOST`] ports.
pub fn list_edges(text: &str, control: &Control) -> Result<Vec<edges::Edge>> {
    edges::list(&build(text, control)?, control)
}

fn build(text: &str, control: &Control) -> Result<Fabric> {
    let system = parse_system(text)?;
    control.begin(Phase::Building)?;
    Fabric::new(&system, control)
}

fn parse_system(text: &str) -> Result<SystemSpec> {
    let system: SystemSpec = serde_json::from_str(text)
        .map_err(|e| Error::spec("system", format!("line {} column {}", e.line(), e.column()), e.to_string()))?;
    validate_system(&system)?;
    Ok(system)
}

/// Parses and validates, with a placement that did not travel as text.
///
/// # Errors
/// Those of [`RunSpec::from_json`].
pub fn parse(text: &str, placement: Option<Vec<u32>>) -> Result<RunSpec> {
    let Some(placement) = placement else {
        return RunSpec::from_json(text);
    };
    let mut spec: RunSpec = serde_json::from_str(text)
        .map_err(|e| Error::spec("specification", format!("line {} column {}", e.line(), e.column()), e.to_string()))?;
    spec.placement = Some(placement);
    validate(&spec)?;
    Ok(spec)
}

/// The caller's limit of memory, if there is one, instead of what the machine allows.
fn allow(spec: &RunSpec, control: &Control) {
    if spec.memory_limit.is_some() {
        control.limit_memory(spec.memory_limit);
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::Internal(e.to_string()))
}

/// What settling the choice may cost.
fn purse(spec: &RunSpec) -> Purse {
    let finest = spec.fidelity.named().unwrap_or(Fidelity::Packet);
    Purse { left_ns: spec.budget_ns / SETTLING, finest, fold: spec.fold, skip: spec.skip }
}

impl Plan {
    /// Makes every choice but that of fidelities that have to be tried.
    ///
    /// # Errors
    /// [`Error::Fabric`], [`Error::Unroutable`], [`Error::Algorithm`], [`Error::Spec`] for protocols that admit nothing,
    /// [`Error::Memory`], those of candidates if all fail in simulation, and those of [`Control::check`].
    pub fn new(spec: &RunSpec, control: &Control) -> Result<Self> {
        Self::sharing(&Fabrics::new(0), spec, control)
    }

    /// As [`Plan::new`], with a fabric that was built before if there is one.
    ///
    /// # Errors
    /// Those of [`Plan::new`].
    pub fn sharing(fabrics: &Fabrics, spec: &RunSpec, control: &Control) -> Result<Self> {
        allow(spec, control);
        let stage = Stage::new(spec, fabrics, control)?;
        let choice = stage.task(spec, control).choose(spec.algorithm, &mut purse(spec))?;
        let mut effective = spec.clone();
        effective.algorithm = Pick::Only(choice.algorithm);
        effective.lanes = choice.lanes;
        effective.stack.protocol.clone_from(&choice.protocol.name);
        effective.stack.library = None;
        effective.ranks = Some(stage.placement.len() as u32);
        if stage.bytes > 0 {
            effective.bytes = stage.bytes;
        }
        let in_order = stage.placement.iter().enumerate().all(|(rank, &a)| rank as u32 == a);
        if in_order {
            effective.placement = None;
        }
        let fold = spec.fold && !matches!(spec.fidelity, Selection::Only(Fidelity::Analytic | Fidelity::Flow));
        let folding = Folding::new(&stage.fabric, &*choice.schedule, &stage.placement, fold, control)?;
        let whole = !spec.record.iter().any(|t| matches!(t, Table::Flows | Table::Links | Table::Switches));
        let in_time = |record: &Record| spec.time_limit_fs.is_none_or(|limit| record.finish_fs <= limit);
        let settled = match choice.basis {
            Basis::Simulated(fidelity) => choice.record.filter(|r| whole && in_time(r)).map(|r| (fidelity, r)),
            _ => None,
        };
        let mut plan = Plan {
            folding,
            warnings: vec![],
            asked: spec.clone(),
            effective,
            in_order,
            collective: stage.collective,
            bytes: stage.bytes,
            algorithm: choice.algorithm,
            protocol: choice.protocol,
            schedule: choice.schedule,
            prediction: choice.prediction,
            instead_of: choice.instead_of,
            chosen_by: if choice.offers > 1 { choice.basis.to_string() } else { NO_CHOICE.into() },
            settled,
            width: flow::Width::new(&stage.fabric, &stage.placement, control)?,
            kind: measured::kind(&stage.fabric, &stage.placement),
            packet: false,
            flow: false,
            attempts: vec![],
            why: vec![],
            placement: stage.placement,
            fabric: stage.fabric,
        };
        (plan.attempts, plan.why) = plan.attempts(spec, control)?;
        if spec.fidelity == Selection::Only(Fidelity::Flow) {
            flow::models(&plan.fabric, &*plan.schedule, &plan.placement)?;
            if let Some(why) = plan.declined().filter(|_| !spec.measuring) {
                return Err(Error::spec("fidelity", "flow", why));
            }
        }
        plan.turn_to(plan.attempts[0].fidelity(), control)?;
        Ok(plan)
    }

    /// Gets ready for a fidelity: what is folded, and whether it fits into memory.
    fn turn_to(&mut self, fidelity: Fidelity, control: &Control) -> Result<()> {
        (self.packet, self.flow) = (fidelity == Fidelity::Packet, fidelity == Fidelity::Flow);
        if self.flow {
            self.folding = self.fluid_folding(control)?;
        } else if !self.packet && self.asked.fold {
            self.folding = Folding::none(self.schedule.ranks(), "predictions are not folded".into());
        }
        self.effective.fidelity = Selection::Only(fidelity);
        self.fit(control)
    }

    /// How closely it will be looked at, if the first attempt comes to its end.
    pub fn fidelity(&self) -> Fidelity {
        match (self.packet, self.flow) {
            (true, _) => Fidelity::Packet,
            (_, true) => Fidelity::Flow,
            _ => Fidelity::Analytic,
        }
    }

    /// Why flows are not taken although they could run: they were measured to be off.
    fn declined(&self) -> Option<String> {
        measured::declined(&self.kind, self.collective, self.algorithm, self.bytes)
    }

    /// The symmetries that the run has as fluids.
    fn fluid_folding(&self, control: &Control) -> Result<Folding> {
        flow::folding(&self.fabric, &*self.schedule, &self.placement, self.asked.fold, control)
    }

    /// The specification with every choice made.
    pub fn effective(&self) -> &RunSpec {
        &self.effective
    }

    /// Payload bytes that all simulated ranks together will receive, estimated; for progress.
    pub fn expected_bytes(&self) -> u64 {
        self.prediction.bytes / self.folding.multiplicity()
    }

    /// Packet-hops that a packet run will simulate, estimated.
    pub fn packet_hops(&self) -> u64 {
        self.prediction.packet_hops / self.folding.multiplicity()
    }

    /// What one attempt leaves behind; nothing if it was given up, or only predicts.
    fn attempt(&mut self, attempt: Attempt, control: &Control) -> Result<Option<Record>> {
        if self.settled.as_ref().is_some_and(|(fidelity, _)| *fidelity == attempt.fidelity()) {
            return Ok(self.settled.take().map(|(_, record)| record));
        }
        let wants = |table: Table| self.effective.record.contains(&table);
        let job = Job {
            fabric: &self.fabric,
            schedule: &*self.schedule,
            placement: &self.placement,
            folding: &self.folding,
            protocol: &self.protocol,
            workload: None,
            explicit: None,
            seed: self.effective.seed,
            threads: self.effective.threads,
            record_flows: wants(Table::Flows),
            record_links: wants(Table::Links) || wants(Table::Switches),
            time_limit_fs: self.effective.time_limit_fs,
            skip: self.effective.skip,
        };
        match attempt {
            Attempt::Packets(cap) => run_within(&job, control, cap),
            Attempt::Fluids(cap) => flow::run_within(&job, control, cap),
            Attempt::Predict => Ok(None),
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// Those of [`crate::engine::run`] and [`flow::run`].
    pub fn run(mut self, control: &Control) -> Result<Outcome> {
        // of the stack at this size, not of the choice: rows with different protocols share one bound
        let admits = |p: &&ProtocolSpec| p.max_bytes.is_none_or(|most| self.bytes <= most);
        let mut protocols: Vec<&ProtocolSpec> = self.effective.stack.protocols.iter().filter(admits).collect();
        if protocols.is_empty() {
            protocols.push(&self.protocol);
        }
        let demand = Demand {
            collective: self.collective,
            bytes: self.bytes,
            root: self.effective.root,
            placement: &self.placement,
        };
        let bound = lower_bound(&self.fabric, demand, &protocols, control)?;
        let mut record = None;
        for (i, attempt) in std::mem::take(&mut self.attempts).into_iter().enumerate() {
            if i > 0 {
                self.turn_to(attempt.fidelity(), control)?;
            }
            control.predicted_ns.store(self.nominal_ns(attempt), Ordering::Relaxed);
            record = self.attempt(attempt, control)?;
            if record.is_some() || attempt == Attempt::Predict {
                break;
            }
            control.start_over();
            self.why.push(attempt.given_up());
        }
        let time_fs = record.as_ref().map_or(self.prediction.time_fs.max(bound.time_fs), |r| r.finish_fs);
        self.warn();
        ran::shown(time_fs.max(bound.time_fs))?;
        let ranks = self.placement.len() as u32;
        let algbw_gbytes_s = if time_fs == 0 { 0.0 } else { self.bytes as f64 / time_fs as f64 * 1e6 };
        let bottleneck = match &record {
            Some(record) => self.bottleneck(record, control)?,
            None => self.prediction.bottleneck(),
        };
        Ok(Outcome {
            time_fs,
            algorithm: self.algorithm,
            protocol: self.protocol.name.clone(),
            fidelity: self.fidelity(),
            kind: self.kind,
            ranks,
            bytes_effective: self.bytes,
            algbw_gbytes_s,
            busbw_gbytes_s: algbw_gbytes_s * self.collective.busbw_factor(ranks),
            bound,
            bottleneck,
            warnings: self.warnings,
            chosen_by: self.chosen_by,
            record,
            effective: self.effective,
            fabric: self.fabric,
            folding: self.folding,
        })
    }
}

#[cfg(test)]
mod tests;
