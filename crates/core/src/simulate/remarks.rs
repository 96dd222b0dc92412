//! What an outcome says in words: options without effect, and what kept the run from being faster.
//!
//! **Invariant.** An option that was given and changed nothing is named, with the reason. **Cost.** O(networks + ranks).

use super::{NO_CHOICE, Plan, measured};
use crate::analytic::leg::slowdown;
use crate::collective::Collective;
use crate::fabric::Network;
use crate::record::{LevelRecord, RankRecord, Record};
use crate::spec::{RoutingSpec, Selection};
use crate::units::Fs;

impl Plan {
    /// Remarks on options without effect.
    pub(super) fn warn(&mut self) {
        let (spec, in_order) = (&self.asked, self.in_order);
        self.warnings.extend(self.explained(self.fidelity(), &self.why));
        let mut say = |given: bool, text: String| {
            if given {
                self.warnings.push(text);
            }
        };
        let barrier = self.collective == Collective::Barrier;
        let idle = |option: &str, why: &str| format!("{option} has no effect: {why}");
        say(barrier && spec.bytes > 0, idle("bytes", "a barrier has no data"));
        let rounded = format!("bytes: {} rounded to {} as nccl-tests does", spec.bytes, self.bytes);
        say(!barrier && spec.bytes != self.bytes, rounded);
        let whole = barrier || self.placement.len() < 2;
        let why = if barrier { "a barrier has no data" } else { "one rank alone moves nothing" };
        say(whole && spec.lanes.is_some(), idle("lanes", why));
        say(whole && spec.chunks.is_some(), idle("chunks", why));
        let flat = self.algorithm != crate::collective::Algorithm::Hierarchical;
        say(spec.levels.is_some() && flat, idle("levels", &format!("the algorithm is {}", self.algorithm)));
        let moved = spec.levels.is_some() && !flat && !in_order;
        say(moved, idle("levels", "ranks do not sit on accelerators in order"));
        say(spec.root != 0 && !self.collective.rooted(), idle("root", &format!("{} has none", self.collective)));
        say(in_order && spec.placement.is_some(), idle("placement", "it is the default, rank i on accelerator i"));
        let random = |net: &Network| net.spec.routing.random();
        say(spec.seed != 0 && !self.fabric.networks.iter().any(random), idle("seed", "no network routes at random"));
        let unseen = if self.flow { ", which flows do not see" } else { "" };
        let budget = spec.budget_ns != crate::spec::DEFAULT_BUDGET_NS && spec.fidelity != Selection::Auto;
        let why = "it decides for fidelity \"auto\", and among algorithms and protocols";
        say(budget && self.chosen_by == NO_CHOICE, idle("budget", why));
        for net in &self.fabric.networks {
            for tier in 0..net.spec.links.len() {
                let full = (u64::from(net.spec.payload) * u64::from(self.protocol.wire_num))
                    .div_ceil(self.protocol.wire_den.into());
                let (slow, buffer) = slowdown(net, tier, full as f64 + f64::from(net.spec.overhead));
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
        if !self.packet && !self.flow {
            let found = measured::find(&self.kind, self.collective, self.algorithm, self.bytes);
            if let Some(errors) = found.and_then(|f| f.analytic).filter(|&e| measured::worst(e) > measured::ANALYTIC) {
                let (what, how) = (format!("{} by {}", self.collective, self.algorithm), measured::words(errors));
                let kind = &self.kind;
                say(true, format!("analytic: {what} on the kind of fabric {kind} was measured {how} against packets"));
            }
            let why = "the run is analytic";
            say(!spec.record.is_empty(), idle("record", why));
            say(spec.threads > 1, idle("threads", why));
            say(spec.time_limit_fs.is_some(), idle("time_limit", why));
        }
    }

    /// What was busy the longest, if for at least half of the time: a class of links, or the memory, copy or reduce channels
    /// of a rank; otherwise software or propagation.
    pub(super) fn bottleneck(&self, record: &Record) -> String {
        let most = |of: fn(&RankRecord) -> Fs| record.ranks.iter().map(of).max().unwrap_or(0);
        let mut busiest = (0, String::new());
        // the first of equals: those next to the accelerators, on their way up
        if let Some(l) = record.levels.iter().rev().max_by_key(|l| l.busy_max_fs) {
            busiest = (l.busy_max_fs, self.class(l));
        }
        for (busy, name) in [
            (most(|r| r.memory_busy_fs), "memory"),
            (most(|r| r.copy_busy_fs), "copy channels"),
            (most(|r| r.reduce_busy_fs), "reduce channels"),
        ] {
            if busy > busiest.0 {
                busiest = (busy, name.into());
            }
        }
        let share = busiest.0 as f64 / record.finish_fs.max(1) as f64;
        if share >= 0.5 {
            return format!("{}, {:.0} % busy", busiest.1, 100.0 * share);
        }
        if self.prediction.software_fs > self.prediction.latency_fs { "software".into() } else { "latency".into() }
    }

    fn class(&self, link: &LevelRecord) -> String {
        let net = &self.fabric.networks[link.network as usize];
        if !net.is_tree() {
            return format!("{} {} links", net.spec.name, net.level(link.tier as usize));
        }
        format!("{} tier {} {} links", net.spec.name, link.tier + 1, if link.up { "up" } else { "down" })
    }
}
