//! What an outcome says in words about options without effect.
//!
//! **Invariant.** An option that was given and changed nothing is named, with the reason. **Cost.** O(networks).

use super::{NO_CHOICE, Plan};
use crate::collective::{Algorithm, Collective};
use crate::fabric::Network;
use crate::fabric::credit::slowdown;
use crate::measured;
use crate::routing::aggregation::innermost;
use crate::spec::{Pick, RoutingSpec, Selection};
use crate::stack::Basis;

impl Plan {
    /// Remarks on options without effect.
    pub(super) fn warn(&mut self) {
        let (spec, in_order, fidelity) = (&self.asked, self.in_order, self.fidelity());
        self.warnings.extend(self.explained(self.fidelity(), &self.why));
        let mut say = |given: bool, text: String| {
            if given {
                self.warnings.push(text);
            }
        };
        let inside = spec.algorithm == Pick::Only(Algorithm::InNetwork) && self.algorithm != Algorithm::InNetwork;
        if let Some(network) = innermost(&self.fabric, &self.placement).filter(|_| inside) {
            let (ranks, name, run) = (self.placement.len(), &self.fabric.networks[network].spec.name, self.algorithm);
            say(
                true,
                format!(
                    "algorithm in_network: the {ranks} ranks are inside one {name}, whose switches do not add; {run} runs instead, as auto chooses"
                ),
            );
        }
        if let Some(other) = &self.instead_of {
            let (name, run, protocol) = (&spec.stack.name, self.algorithm, &self.protocol.name);
            say(
                true,
                format!(
                    "{name} would take {other}, which is not modelled; {run} with {protocol} runs instead, its next choice"
                ),
            );
        }
        let barrier = self.collective == Collective::Barrier;
        let idle = |option: &str, why: &str| format!("{option} has no effect: {why}");
        say(barrier && spec.bytes > 0, idle("bytes", "a barrier has no data"));
        let rounded = format!("bytes: {} rounded to {} as nccl-tests does", spec.bytes, self.bytes);
        say(!barrier && spec.bytes != self.bytes, rounded);
        let whole = barrier || self.placement.len() < 2;
        let why = if barrier { "a barrier has no data" } else { "one rank alone moves nothing" };
        say(whole && spec.lanes.is_some(), idle("lanes", why));
        say(whole && spec.chunks.is_some(), idle("chunks", why));
        let flat = self.algorithm != Algorithm::Hierarchical;
        say(spec.levels.is_some() && flat, idle("levels", &format!("the algorithm is {}", self.algorithm)));
        say(spec.root != 0 && !self.collective.rooted(), idle("root", &format!("{} has none", self.collective)));
        say(in_order && spec.placement.is_some(), idle("placement", "it is the default, rank i on accelerator i"));
        let random = |net: &Network| net.spec.routing.random();
        say(spec.seed != 0 && !self.fabric.networks.iter().any(random), idle("seed", "no network routes at random"));
        let unseen = if self.flow { ", which flows do not see" } else { "" };
        let budget = spec.budget_ns != crate::spec::DEFAULT_BUDGET_NS && spec.fidelity != Selection::Auto;
        let why = "it decides for fidelity \"auto\", and among algorithms and protocols";
        say(budget && self.chosen_by == NO_CHOICE, idle("budget", why));
        let why = "it decides for fidelity \"auto\", and where no library does among algorithms and protocols";
        say(budget && self.chosen_by == Basis::Library.to_string(), idle("budget", why));
        for (i, net) in self.fabric.networks.iter().enumerate() {
            for tier in 0..net.spec.links.len() {
                let full = self.protocol.wire_bytes(i, net.spec.payload, net.spec.overhead);
                let (slow, buffer) = slowdown(net, tier, full.into());
                let share = 100.0 / slow;
                let level = format!("{} {}", net.spec.name, net.level(tier));
                say(
                    slow > 1.02,
                    format!(
                        "{level}: a buffer of {buffer} bytes is less than a round trip holds; links reach {share:.0} % of their rate{unseen}"
                    ),
                );
            }
        }
        for net in self.fabric.networks.iter().filter(|net| net.spec.routing == RoutingSpec::Adaptive) {
            let text = "flows spread messages evenly over the ports of which packets would take the one with the shortest queue";
            say(self.flow, format!("{}: routing adaptive: {text}", net.spec.name));
        }
        say(self.flow && spec.threads > 1, idle("threads", "flows are simulated by one"));
        let measured = measured::warning(fidelity, &self.kind, self.collective, self.algorithm, self.bytes);
        say(measured.is_some(), measured.unwrap_or_default());
        if !self.packet && !self.flow {
            let why = "the run is analytic";
            say(!spec.record.is_empty(), idle("record", why));
            say(spec.threads > 1, idle("threads", why));
            say(spec.time_limit_fs.is_some(), idle("time_limit", why));
        }
    }
}
