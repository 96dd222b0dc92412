//! A run of a program that is given action by action: from its specification to its times.
//!
//! **Model.** As for a workload: the fabric is built, a protocol is chosen, and packets or fluids run the program. The specification has
//! one job without operations, whose ranks are those of the program.
//!
//! **Protocol.** That which is asked for. Otherwise that with which all messages together take least, each by itself: latency of the step,
//! and payload with the protocol's expansion at the rate of the accelerator's links.
//!
//! **Invariant.** The outcome says what was really done. **Cost.** A few passes over the program, and the run. **Limits.** The analytic
//! model knows no such programs. The time of the launch comes once per rank, before everything.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::assemble::placement;
use super::ran::{admit, ran, shown};
use super::{Fabrics, program};
use crate::analytic::Prediction;
use crate::bound::{Bound, Traffic, chain_bound, traffic};
use crate::collective::Schedule;
use crate::control::{Control, Phase};
use crate::engine::Job;
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::flow;
use crate::record::Record;
use crate::spec::{Fidelity, ProgramSpec, ProtocolSpec, Selection, Table};
use crate::stack::Work;
use crate::symmetry::Folding;
use crate::units::{BitRate, Fs};
use crate::workload::explicit::{Act, Explicit, UNFOLDED};

/// Everything that a run of an explicit schedule gives.
#[derive(Debug)]
pub struct ExplicitOutcome {
    /// Until the last rank has finished.
    pub time_fs: Fs,
    /// How closely it was looked at.
    pub fidelity: Fidelity,
    /// What its operations by themselves cannot beat.
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
    /// The symmetries of the run: none.
    pub folding: Folding,
    /// Protocol that ran.
    pub protocol: String,
    /// What ran.
    pub program: Arc<Explicit>,
}

/// Runs an explicit schedule. The one job of the specification says where its ranks sit.
///
/// # Errors
/// [`Error::Spec`] for other numbers of ranks, protocols that admit nothing, or a fidelity that is not modelled; those of building the
/// fabric and of the run.
pub fn explicit(
    fabrics: &Fabrics,
    spec: &ProgramSpec,
    program: &Arc<Explicit>,
    control: &Control,
) -> Result<ExplicitOutcome> {
    admit(spec, "predictions are of collectives, and an explicit schedule is none", control)?;
    control.begin(Phase::Building)?;
    let fabric = fabrics.get(&spec.system, control)?;
    let placement = placement(spec)?;
    if placement.len() as u32 != program.ranks() {
        let expected = format!("{}, the ranks of the schedule", program.ranks());
        return Err(Error::spec("ranks", placement.len(), expected));
    }
    let actions = program.len() as u64;
    control.need("the state of the operations", actions.saturating_mul(48), "split the schedule")?;
    let traffic = traffic(&fabric, program, &placement, control)?;
    let protocol = protocol(spec, &fabric, program, &placement)?;
    // there is nothing to fold, but what the ranks cannot reach need not be there
    let mut folding = Folding::new(&fabric, &**program, &placement, spec.fold, control)?.because(UNFOLDED);
    let mut warnings = vec![];
    let fidelity = match spec.fidelity {
        Selection::Only(fidelity) => fidelity,
        Selection::Auto => choose(spec, (&fabric, &placement), program, traffic, &folding, control, &mut warnings)?,
    };
    if fidelity == Fidelity::Flow {
        flow::models(&fabric, &**program, &placement)?;
        folding = flow::folding(&fabric, &**program, &placement, spec.fold, control)?.because(UNFOLDED);
    }
    control.total_bytes.store(traffic.bytes, Ordering::Relaxed);
    let wants = |table: Table| spec.record.contains(&table);
    let job = Job {
        fabric: &fabric,
        schedule: &**program,
        placement: &placement,
        folding: &folding,
        protocol: &protocol,
        workload: None,
        explicit: Some(program),
        seed: spec.seed,
        threads: spec.threads,
        record_flows: wants(Table::Flows),
        record_links: wants(Table::Links) || wants(Table::Switches),
        time_limit_fs: spec.time_limit_fs,
        skip: spec.skip,
    };
    let record = ran(&job, fidelity, control)?;
    let time_fs = record.finish_fs;
    let bound = chain_bound(&fabric, program, &placement, &protocol, control)?;
    shown(time_fs.max(bound.time_fs))?;
    let bottleneck = program::busiest(&fabric, &record, computing(program, &record));
    Ok(ExplicitOutcome {
        time_fs,
        fidelity,
        bound,
        bottleneck,
        warnings,
        record,
        spec: spec.clone(),
        fabric: Arc::clone(&fabric),
        folding,
        protocol: protocol.name,
        program: Arc::clone(program),
    })
}

/// The protocol that all messages have.
fn protocol(spec: &ProgramSpec, fabric: &Fabric, program: &Explicit, placement: &[u32]) -> Result<ProtocolSpec> {
    let (wanted, known) = (&spec.stack.protocol, &spec.stack.protocols);
    let sends = |rank: u32| program.of(rank).iter().filter(|action| action.act == Act::Send);
    let ranks = 0..program.ranks();
    let largest = ranks.clone().flat_map(sends).map(|send| send.amount).max().unwrap_or(0);
    let admits =
        |p: &&ProtocolSpec| (wanted == "auto" || p.name == *wanted) && p.max_bytes.is_none_or(|most| largest <= most);
    let candidates: Vec<&ProtocolSpec> = known.iter().filter(admits).collect();
    if candidates.len() == 1 {
        return Ok(candidates[0].clone());
    }
    let rates: Vec<BitRate> = fabric.networks.iter().map(|net| BitRate(net.injection().max(1))).collect();
    let takes = |p: &ProtocolSpec| {
        let message = |rank: u32, to: u32, bytes: u64| {
            let network = fabric.network_between(placement[rank as usize], placement[to as usize]).unwrap_or(0);
            let (step, (num, den)) = (p.step(network), p.wire(network));
            u128::from(step) + u128::from(rates[network].time(bytes)) * u128::from(num) / u128::from(den.max(1))
        };
        let of = |rank: u32| sends(rank).map(move |send| message(rank, send.peer, send.amount)).sum::<u128>();
        u128::from(p.launch_fs) * u128::from(program.ranks()) + ranks.clone().map(of).sum::<u128>()
    };
    candidates.into_iter().min_by_key(|p| takes(p)).cloned().ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|p| p.name.as_str()).collect();
        let expected = format!("auto or one of {}, for messages of up to {largest} B", names.join(", "));
        Error::spec("protocol", format!("{wanted:?}"), expected)
    })
}

/// Packets, if they fit the budget; otherwise fluids where they model the run.
fn choose(
    spec: &ProgramSpec,
    (fabric, placement): (&Fabric, &[u32]),
    program: &Explicit,
    traffic: Traffic,
    folding: &Folding,
    control: &Control,
    warnings: &mut Vec<String>,
) -> Result<Fidelity> {
    let Traffic { messages, bytes, packet_hops } = traffic;
    let all = Prediction { messages, bytes, packet_hops, ..Prediction::default() };
    let width = flow::Width::new(fabric, placement, control)?;
    let work = Work::new(fabric, program, folding, &all, width, false);
    if work.packets_ns <= spec.budget_ns || flow::models(fabric, program, placement).is_err() {
        return Ok(Fidelity::Packet);
    }
    warnings.push(program::as_flows(&work, spec));
    Ok(Fidelity::Flow)
}

/// The part of the time that the rank which computes longest computes, counting streams one after the other.
fn computing(program: &Explicit, record: &Record) -> f64 {
    let rank = |rank: u32| {
        let spans = &record.spans[program.range(rank)];
        let computes = program.of(rank).iter().zip(spans).filter(|(action, _)| action.act == Act::Compute);
        computes.map(|(_, [begun, ended])| (ended - begun) as f64).sum::<f64>()
    };
    (0..program.ranks()).map(rank).fold(0.0, f64::max) / record.finish_fs.max(1) as f64
}
