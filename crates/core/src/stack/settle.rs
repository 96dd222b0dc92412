//! Settling: candidates that may be the fastest are simulated, because a prediction that is off picks the wrong one.
//!
//! **Model.** Candidates are taken by predicted time, least first. The analytic model can be off by a factor that was measured for
//! many kinds of fabric ([`measured`]) and is guessed for others ([`doubt`]); a candidate whose prediction divided by that factor is not below the best simulated time cannot win and keeps
//! its prediction. Every other one is simulated: by packets if a part of what is left of the budget covers it, as fluids if that
//! covers these, and otherwise by packets with a smaller message, which corrects its prediction. A simulation stops
//! at the best time so far. The least price wins, ties by predicted time and then by order.
//!
//! **Invariant.** The budget is nominal nanoseconds ([`super::work`]), paid by packet-hops and flow events, never by the clock, and a
//! candidate is simulated by one thread: the choice depends on the specification only. A price that comes from a complete run by
//! packets keeps its record, so the run itself need not be repeated.
//!
//! **Cost.** The budget at most. **Limits.** A candidate too large for the rest of the budget competes with its prediction, and
//! says so. A smaller message corrects what contention does to bandwidth, not what happens only at full size.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Task;
use super::choose::Offer;
use super::work::Work;
use crate::analytic::Prediction;
use crate::collective::Schedule;
use crate::engine::{Cap, Job, run_within};
use crate::error::{Error, Result};
use crate::fabric::{Fabric, Shape};
use crate::flow;
use crate::measured;
use crate::record::Record;
use crate::spec::{Fidelity, ProtocolSpec};
use crate::symmetry::Folding;
use crate::units::Fs;

/// A candidate may use this part of what is left of the budget.
const SHARE: u64 = 2;
/// Packets that cost more than this part of what is left, and this many times as much as fluids, are left to fluids.
const DEAR: u64 = 4;
/// What fluids may keep of links where they only settle a choice.
const FLUID_BYTES: u64 = 512 << 20;
/// Smallest message that stands for the whole: this part of it.
const SMALLEST: u64 = 1 << 12;
/// Nanoseconds per event of a fluid run.
pub const EVENT_NS: u64 = 1_000;

/// How a price was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// By the analytic model.
    #[default]
    Predicted,
    /// By simulating it by packets or as fluids.
    Simulated(Fidelity),
    /// By simulating it until it was slower than another candidate: it takes longer than its price.
    Stopped(Fidelity),
    /// By simulating by packets a message this many times smaller, which corrected the prediction.
    Smaller(u64),
}

impl std::fmt::Display for Basis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Basis::Predicted => f.write_str("analytic"),
            Basis::Simulated(fidelity) => f.write_str(fidelity.name()),
            Basis::Stopped(fidelity) => write!(f, "{fidelity}, stopped"),
            Basis::Smaller(times) => write!(f, "packet, 1/{times} of the size"),
        }
    }
}

/// What candidates are simulated with.
#[derive(Debug)]
pub struct Purse {
    /// Nominal nanoseconds left.
    pub left_ns: u64,
    /// The finest fidelity that may be used.
    pub finest: Fidelity,
    /// Fold packet runs.
    pub fold: bool,
    /// Skip what repeats.
    pub skip: bool,
}

/// By how much the analytic model may be too high where that was not measured. Where links of an explicit graph, of a direct topology or of upper tiers are
/// shared by chance, it is not known how far it is off, and every candidate is looked at.
fn doubt(fabric: &Fabric, ranks: u32) -> f64 {
    let mut reached = 1;
    let mut worst = 1.5f64;
    for net in &fabric.networks {
        if reached >= ranks {
            break;
        }
        reached = net.span;
        worst = worst.max(match &net.planes[0].shape {
            Shape::Clos(tree) if tree.tiers().len() == 1 => 1.5,
            Shape::Clos(_) if net.spec.routing.sprays() => 2.0,
            Shape::Clos(_) | Shape::Direct(_) => 4.0,
            Shape::Graph(_) => f64::INFINITY,
        });
    }
    worst
}

/// Simulates those of the offers that may be the fastest, and gives each its price.
///
/// # Errors
/// Those of [`crate::control::Control::check`]; [`Error::Memory`]. Other errors of a candidate are its own: it is not chosen.
pub(super) fn settle<'a>(task: &Task<'a>, offers: &mut [Offer<'a>], purse: &mut Purse) -> Result<()> {
    if purse.finest == Fidelity::Analytic || offers.len() < 2 || task.placement.len() < 2 {
        return Ok(());
    }
    offers.sort_by_key(|offer| offer.prediction.time_fs);
    let guess = doubt(task.fabric, task.ranks());
    let kind = measured::kind(task.fabric, task.placement);
    let width = flow::Width::new(task.fabric, task.placement, task.control)?;
    let mut best: Option<(usize, Fs)> = None;
    for i in 0..offers.len() {
        let limit = best.map(|(_, time)| time);
        let offer = &mut offers[i];
        // graphs of one kind can be of any shape, so what was measured of some says little of others
        let measured =
            measured::doubt(&kind, task.collective, offer.algorithm, task.bytes).filter(|_| guess.is_finite());
        if limit.is_some_and(|limit| offer.prediction.time_fs as f64 / measured.unwrap_or(guess) >= limit as f64) {
            continue;
        }
        let declined = measured::declined(&kind, task.collective, offer.algorithm, task.bytes).is_some();
        Trial { task, offer, purse, width, limit, declined }.price()?;
        if offer.error.is_some() || matches!(offer.basis, Basis::Predicted | Basis::Stopped(_)) {
            continue;
        }
        if limit.is_none_or(|limit| offer.time_fs < limit) {
            if let Some((before, _)) = best.replace((i, offer.time_fs)) {
                offers[before].record = None;
            }
        } else {
            offer.record = None;
        }
    }
    Ok(())
}

/// One candidate and what may be spent on it.
struct Trial<'t, 'a> {
    task: &'t Task<'a>,
    offer: &'t mut Offer<'a>,
    purse: &'t mut Purse,
    width: flow::Width,
    /// The best time so far.
    limit: Option<Fs>,
    /// Fluids were measured to be off here.
    declined: bool,
}

/// How a simulation of a candidate ended.
enum End {
    Complete(Record),
    /// Slower than the best.
    Slower,
    /// Over its allowance.
    Capped,
    Failed(Error),
}

impl Trial<'_, '_> {
    fn price(&mut self) -> Result<()> {
        let (program, protocol) = (Arc::clone(&self.offer.program), self.offer.protocol.clone());
        let (schedule, folding) = (&*program.schedule, program.folding(self.task, self.purse.fold)?);
        let work = Work::new(self.task.fabric, schedule, folding, &self.offer.prediction, self.width, self.purse.skip);
        let allowance = self.purse.left_ns / SHARE;
        let fluid = !self.declined && flow::models(self.task.fabric, schedule, self.task.placement).is_ok();
        // in trees fluids are as good, and where packets cost much they leave more of the budget to the others
        let trees = self.task.fabric.networks.iter().all(|net| net.is_tree() && net.spec.routing.sprays());
        let dear = work.skipping_ns > allowance / DEAR && work.flow_ns < work.skipping_ns / DEAR;
        if fluid && trees && dear && self.fluid(schedule, &protocol, &work)? {
            return Ok(());
        }
        if self.purse.finest == Fidelity::Packet && work.skipping_ns <= allowance {
            let whole = if work.packets_ns <= allowance { 0 } else { work.hops };
            let cap = Cap::Simulated { most: work.hops_in(allowance), whole };
            let end = self.packets(schedule, folding, &protocol, cap, self.limit, &work)?;
            if self.book(end, Fidelity::Packet) {
                return Ok(());
            }
        }
        if fluid && !(trees && dear) && self.fluid(schedule, &protocol, &work)? {
            return Ok(());
        }
        if self.purse.finest == Fidelity::Packet { self.smaller(&work) } else { Ok(()) }
    }

    /// Simulates it as fluids, if the rest of the budget covers that. False if that gave no price.
    fn fluid(&mut self, schedule: &dyn Schedule, protocol: &ProtocolSpec, work: &Work) -> Result<bool> {
        if work.flow_ns > self.purse.left_ns / SHARE {
            return Ok(false);
        }
        if self.purse.finest == Fidelity::Packet && work.fluid_bytes > FLUID_BYTES {
            return Ok(false);
        }
        // where the run itself is by flows, it needs as much as the trial
        if let Some(available) = self.task.control.memory_limit()
            && available < work.fluid_bytes
        {
            let what = "links of the whole machine, which flows number".into();
            let hint = "to need less: fidelity \"packet\" or \"auto\", or a smaller system".into();
            return Err(Error::Memory { what, needed: work.fluid_bytes, available, hint });
        }
        let end = self.flows(schedule, protocol, work)?;
        Ok(self.book(end, Fidelity::Flow))
    }

    /// Takes the price of a simulation. False if it was given up.
    fn book(&mut self, end: End, fidelity: Fidelity) -> bool {
        match end {
            End::Complete(record) => {
                (self.offer.time_fs, self.offer.basis) = (record.finish_fs, Basis::Simulated(fidelity));
                self.offer.record = Some(record);
            }
            End::Slower => {
                let best = self.limit.unwrap_or(0);
                (self.offer.time_fs, self.offer.basis) =
                    (self.offer.prediction.time_fs.max(best + 1), Basis::Stopped(fidelity));
            }
            End::Failed(error) => self.offer.error = Some(error),
            End::Capped => return false,
        }
        true
    }

    /// Simulates by packets a message so small that the rest of the budget covers it, and corrects the prediction by what is found.
    fn smaller(&mut self, work: &Work) -> Result<()> {
        let allowance = self.purse.left_ns / SHARE;
        let times = work.packets_ns.div_ceil(allowance.max(1)).next_power_of_two() * 2;
        if times > SMALLEST {
            return Ok(());
        }
        let task = self.task.resized(self.task.bytes / times);
        let schedule = match task.with_lanes(self.offer.lanes).schedule(self.offer.algorithm) {
            Ok(schedule) if task.bytes > 0 => schedule,
            _ => return Ok(()),
        };
        let folding = Folding::new(task.fabric, &*schedule, task.placement, self.purse.fold, task.control)?;
        let given = self.task.stack.protocols.iter().find(|protocol| protocol.name == self.offer.protocol.name);
        // its launch may depend on the size
        let protocol =
            given.map_or_else(|| self.offer.protocol.clone(), |protocol| task.piped(self.offer.algorithm, protocol));
        let prediction = task.predict(&*schedule, &protocol)?;
        let work = Work::new(task.fabric, &*schedule, &folding, &prediction, self.width, self.purse.skip);
        if work.packets_ns > allowance {
            return Ok(()); // what it costs is not its bytes
        }
        let cap = Cap::Simulated { most: work.hops_in(allowance), whole: 0 };
        if let End::Complete(record) = self.packets(&*schedule, &folding, &protocol, cap, None, &work)? {
            let Prediction { time_fs: predicted, .. } = prediction;
            let factor = record.finish_fs as f64 / predicted.max(1) as f64;
            self.offer.time_fs = (self.offer.prediction.time_fs as f64 * factor) as Fs;
            self.offer.basis = Basis::Smaller(times);
        }
        Ok(())
    }

    fn packets(
        &mut self,
        schedule: &dyn Schedule,
        folding: &Folding,
        protocol: &ProtocolSpec,
        cap: Cap,
        limit: Option<Fs>,
        work: &Work,
    ) -> Result<End> {
        let before = self.task.control.work.load(Ordering::Relaxed);
        let job = self.job(schedule, folding, protocol, limit);
        let end = self.ended(self.task.control.tried(|| run_within(&job, self.task.control, cap)));
        let done = self.task.control.work.load(Ordering::Relaxed).saturating_sub(before);
        self.pay(work.set_up_ns.saturating_add(done.saturating_mul(work.hop_ns)));
        end
    }

    fn flows(&mut self, schedule: &dyn Schedule, protocol: &ProtocolSpec, work: &Work) -> Result<End> {
        let before = self.task.control.work.load(Ordering::Relaxed);
        let Task { fabric, placement, control, .. } = *self.task;
        let folding = flow::folding(fabric, schedule, placement, self.purse.fold, control)?;
        let job = self.job(schedule, &folding, protocol, self.limit);
        let most = self.purse.left_ns / SHARE / EVENT_NS;
        let end = self.ended(self.task.control.tried(|| flow::run_within(&job, self.task.control, most)));
        let done = self.task.control.work.load(Ordering::Relaxed).saturating_sub(before);
        self.pay(done.saturating_mul(EVENT_NS).max(work.flow_ns / 8));
        end
    }

    fn pay(&mut self, nanoseconds: u64) {
        self.purse.left_ns = self.purse.left_ns.saturating_sub(nanoseconds);
    }

    fn job<'j>(
        &'j self,
        schedule: &'j dyn Schedule,
        folding: &'j Folding,
        protocol: &'j ProtocolSpec,
        limit: Option<Fs>,
    ) -> Job<'j> {
        Job {
            fabric: self.task.fabric,
            schedule,
            placement: self.task.placement,
            folding,
            protocol,
            workload: None,
            explicit: None,
            seed: self.task.seed,
            threads: 1,
            record_flows: false,
            record_links: false,
            time_limit_fs: limit,
            skip: self.purse.skip,
        }
    }

    fn ended(&self, result: Result<Option<Record>>) -> Result<End> {
        match result {
            Ok(Some(record)) => Ok(End::Complete(record)),
            Ok(None) => Ok(End::Capped),
            Err(error @ (Error::Interrupted { .. } | Error::Memory { .. } | Error::Internal(_))) => Err(error),
            Err(error) if self.task.control.stopped() => Err(error),
            Err(Error::Timeout { .. }) => Ok(End::Slower),
            Err(error) => Ok(End::Failed(error)),
        }
    }
}
