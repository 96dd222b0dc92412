//! How closely a run is looked at: by packets, as fluids or by the analytic model, within a budget of nominal time.
//!
//! **Model.** `auto` takes packets if they fit the budget by prediction ([`crate::stack::Work`]), with a cap at twice the budget in case the
//! prediction is wrong. If only skipping can make them fit, packets are tried on one thread, with half of the budget, and given up
//! early if what is skipped does not suffice. Then fluids, under the same rules, where they model the run; then the analytic model.
//!
//! **Invariant.** Nothing here looks at the machine: not at its clock, threads or free memory. So a specification has one fidelity,
//! everywhere. Why it is not packets is said in the outcome's warnings.
//!
//! **Cost.** The budget, and half of it more where a trial fails. **Limits.** A trial that would have come to its end shortly after
//! its cap is lost.

use super::Plan;
use super::memory::{binary, countable};
use crate::control::Control;
use crate::engine::Cap;
use crate::error::Result;
use crate::flow;
use crate::spec::{Fidelity, RunSpec, Selection};
use crate::stack::{EVENT_NS, Work};

/// State of the engine beyond which `auto` does not take packets or fluids, whatever the machine has.
const AUTO_BYTES: u64 = 4 << 30;
/// A trial may use this part of the budget.
const TRIAL: u64 = 2;
/// A run that was predicted to fit may use this many times the budget.
const EXCESS: u64 = 2;

/// One way to come to a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Packets(Cap),
    /// Up to so many events.
    Fluids(u64),
    Predict,
}

impl Attempt {
    pub(super) fn fidelity(self) -> Fidelity {
        match self {
            Attempt::Packets(_) => Fidelity::Packet,
            Attempt::Fluids(_) => Fidelity::Flow,
            Attempt::Predict => Fidelity::Analytic,
        }
    }

    /// Why it was given up.
    pub(super) fn given_up(self) -> String {
        match self {
            Attempt::Packets(Cap::Hops(most)) => format!("packets passed {most} packet-hops, twice the budget"),
            Attempt::Packets(_) => "skipping did not bring packets within the budget".into(),
            Attempt::Fluids(most) => format!("flows passed {most} events, twice the budget"),
            Attempt::Predict => String::new(),
        }
    }
}

impl Plan {
    /// What a run of this plan costs.
    pub fn work(&self) -> Work {
        let Plan { fabric, schedule, folding, prediction, width, .. } = self;
        Work::new(fabric, &**schedule, folding, prediction, *width, self.asked.skip)
    }

    /// Nanoseconds of the nominal core that an attempt is predicted to take.
    pub(super) fn nominal_ns(&self, attempt: Attempt) -> u64 {
        match attempt {
            Attempt::Packets(_) => self.work().packets_ns,
            Attempt::Fluids(_) => self.work().flow_ns / self.folding.multiplicity(),
            Attempt::Predict => 0,
        }
    }

    /// Finds the ways to come to a result, in the order in which they are tried, and why closer ones are left out. The last one
    /// always leads to a result.
    pub(super) fn attempts(&self, spec: &RunSpec, control: &Control) -> Result<(Vec<Attempt>, Vec<String>)> {
        match spec.fidelity {
            Selection::Only(Fidelity::Packet) => return Ok((vec![Attempt::Packets(Cap::Endless)], vec![])),
            Selection::Only(Fidelity::Flow) => return Ok((vec![Attempt::Fluids(u64::MAX)], vec![])),
            Selection::Only(Fidelity::Analytic) => return Ok((vec![Attempt::Predict], vec![])),
            Selection::Auto => {}
        }
        let settled = |fidelity| self.settled.as_ref().is_some_and(|(found, _)| *found == fidelity);
        if settled(Fidelity::Packet) {
            return Ok((vec![Attempt::Packets(Cap::Endless)], vec![]));
        }
        let (work, budget) = (self.work(), spec.budget_ns);
        let (mut list, mut why) = (vec![], vec![]);
        // true: it fits; false: it may, and has to be tried
        let fits = |name: &str, need: u64, least: u64, all: u64| {
            if need > AUTO_BYTES {
                Err(format!("{name} need about {}, and auto takes at most 4 GiB", binary(need)))
            } else if all > budget && least > budget / TRIAL {
                // less than the budget, but all of it on the hope that skipping works
                let best = if least < all { ", if as much as possible is skipped" } else { "" };
                let trial = match least <= budget {
                    true => format!(", and a trial may take {}", seconds(budget / TRIAL)),
                    false => String::new(),
                };
                Err(format!("{name} would take about {} of the nominal core{best}{trial}", seconds(least)))
            } else {
                Ok(all <= budget)
            }
        };
        let spend = |fits: bool| if fits { EXCESS.saturating_mul(budget) } else { budget / TRIAL };
        match fits("packets", self.needs_as(Fidelity::Packet, &self.folding), work.skipping_ns, work.packets_ns) {
            _ if countable(&self.fabric, self.bytes).is_err() => {
                why.push("a message has more packets than can be counted".into())
            }
            Ok(true) => list.push(Attempt::Packets(Cap::Hops(work.hops_in(spend(true))))),
            Ok(false) => {
                let most = work.hops_in(spend(false));
                list.push(Attempt::Packets(Cap::Simulated { most, whole: work.hops }));
            }
            Err(reason) => why.push(reason),
        }
        let folding = self.fluid_folding(control)?;
        let least = work.flow_ns / folding.multiplicity();
        let all = if settled(Fidelity::Flow) { 0 } else { least };
        match fits("flows", self.needs_as(Fidelity::Flow, &folding), least, all) {
            _ if flow::models(&self.fabric, &*self.schedule, &self.placement).is_err() => {
                why.push("flows do not model it".into());
            }
            _ if self.declined().is_some() => why.push("flows were measured to be off here".into()),
            Ok(fits) => list.push(Attempt::Fluids(spend(fits) / EVENT_NS)),
            Err(reason) => why.push(reason),
        }
        list.push(Attempt::Predict);
        Ok((list, why))
    }

    /// Says why a run that was left to `auto` is not by packets.
    pub(super) fn explained(&self, fidelity: Fidelity, why: &[String]) -> Option<String> {
        let auto = self.asked.fidelity == Selection::Auto && fidelity != Fidelity::Packet;
        let budget = seconds(self.asked.budget_ns);
        auto.then(|| format!("fidelity: {fidelity}, because {}; the budget is {budget}", why.join(", and ")))
    }
}

/// Nanoseconds as people read them.
fn seconds(nanoseconds: u64) -> String {
    let s = nanoseconds as f64 / 1e9;
    if s < 10.0 { format!("{s:.1} s") } else { format!("{s:.0} s") }
}
