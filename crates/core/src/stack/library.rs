//! What a communication library would take: its own cost model, which ranks algorithms and protocols without simulating any.
//!
//! **Model.** The estimate is latency of hops + size / rate. Rates are those of channels: the library searches for as many channels
//! of as high a rate as the links of an accelerator and the NICs of a node carry ([`Machine::rings`] and what follows it), and caps them by
//! constants of its own. Latencies are counted in hops inside nodes and between them; what NICs declare is added to the latter. The least
//! estimate is taken, the first of equals. Sends between pairs are not ranked: short ones take one protocol, others another.
//!
//! **Invariant.** A function of the specification. Estimates decide what is taken, never how long it takes.
//!
//! **Cost.** O(ranks), to count nodes; otherwise a few hundred operations.
//!
//! **Limits.** The search for channels is replaced by what it can reach where switches or a full mesh join a node and all its
//! accelerators have the same NICs. Nodes that hold unlike numbers of ranks count as the smallest. Hosts are Intel's. `CollNet` is
//! left out, since it needs a plug-in; algorithms that the simulator has not are estimated, so that their loss can be said.
//!
//! **Source.** NVIDIA/nccl v2.30.7 @5067397: `src/graph/tuning.cc:243-655`, `src/graph/search.cc:1036-1287`,
//! `src/graph/connect.cc:460-483`, `src/enqueue.cc:905-933` and `1989-2043`.

use crate::collective::{Algorithm, Collective};
use crate::fabric::Shape;
use crate::spec::{GenerationSpec, LibrarySpec, RulesSpec};

use super::Task;

const LL: usize = 0;
const LL128: usize = 1;
const SIMPLE: usize = 2;
/// A channel of lower rate is not tried if its rate is not more than this part of one that was found.
const WORTH: f64 = 0.49;
/// What floating-point numbers may be off when channels are counted.
const ROUNDING: f64 = 1e-6;

/// What the library thinks of one of its ways.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Estimate {
    /// Its algorithm; none if the simulator has not got it.
    pub(super) algorithm: Option<Algorithm>,
    /// Name of the protocol, or of what the simulator has not got.
    pub(super) name: String,
    /// Estimated time; none where the library goes by size alone.
    pub(super) time_us: Option<f64>,
}

impl Estimate {
    /// It is of this algorithm and protocol, in the usual number of lanes.
    pub(super) fn is(&self, algorithm: Algorithm, protocol: &str, usual: bool) -> bool {
        usual && self.algorithm == Some(algorithm) && self.name == protocol
    }
}

/// Channels of an algorithm: how many, and their rates.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Channels {
    count: u32,
    inside: f64,
    across: f64,
}

impl Channels {
    fn rate(&self, rate: f64) -> f64 {
        f64::from(self.count) * rate
    }
}

/// The machine as the library sees it.
struct Machine<'a> {
    rules: &'a RulesSpec,
    generation: &'a GenerationSpec,
    ranks: u32,
    nodes: u32,
    /// Ranks of the smallest node.
    local: u32,
    /// Rate of an accelerator over all its links inside a node.
    links: f64,
    /// NICs of a node, and the rate of one.
    nics: u32,
    nic: f64,
    /// What NICs declare, in microseconds.
    nic_us: f64,
    /// Switches join a node.
    switched: bool,
    /// They form sums.
    sums: bool,
}

impl Task<'_> {
    /// What the library would take, best first; none if its rule is not known for this machine or collective.
    pub(super) fn ranking(&self) -> Option<Vec<Estimate>> {
        use Collective::{AllGather, AllReduce, AllToAll, Broadcast, Gather, Reduce, ReduceScatter, Scatter, SendRecv};
        let library = self.stack.library.as_deref()?;
        if self.ranks() < 2 {
            return None;
        }
        match self.collective {
            AllToAll | Gather | Scatter => self.sent(&library.rules, self.bytes / u64::from(self.ranks())),
            SendRecv => self.sent(&library.rules, self.bytes),
            AllReduce | AllGather | ReduceScatter | Broadcast | Reduce => {
                let mut found = self.machine(library)?.estimates(self.collective, self.bytes);
                found.sort_by(|a, b| a.time_us.unwrap_or(0.0).total_cmp(&b.time_us.unwrap_or(0.0)));
                Some(found)
            }
            _ => None,
        }
    }

    fn sent(&self, rules: &RulesSpec, bytes: u64) -> Option<Vec<Estimate>> {
        let sends = rules.sends.as_ref()?;
        let name = if bytes <= sends.short_bytes { &sends.short } else { &sends.long };
        Some(vec![Estimate { algorithm: Some(Algorithm::Direct), name: name.clone(), time_us: None }])
    }

    fn machine<'a>(&self, library: &'a LibrarySpec) -> Option<Machine<'a>> {
        let (rules, inside) = (&library.rules, library.inside as usize);
        let generation = rules.generations.get(&self.fabric.spec.device.generation)?;
        let inner = self.fabric.networks.get(inside.checked_sub(1)?)?;
        // of a graph it is not known what its channels would be
        let switched = match inner.planes[0].shape {
            Shape::Clos(_) => true,
            Shape::Direct(_) => false,
            Shape::Graph(_) => return None,
        };
        let mut homes: Vec<u32> = self.placement.iter().map(|accelerator| accelerator / inner.span).collect();
        homes.sort_unstable();
        let sizes = homes.chunk_by(|a, b| a == b).map(|node| node.len() as u32);
        let (nodes, local) = (sizes.clone().count() as u32, sizes.min()?);
        let links: u32 = self.fabric.networks[..inside].iter().map(|net| net.ports).sum();
        let outer = self.fabric.networks.get(inside);
        let rate = outer.and_then(|net| net.spec.links.first()).map_or(0.0, |link| link.rate.0 as f64 / 8e9);
        Some(Machine {
            rules,
            generation,
            ranks: self.ranks(),
            nodes,
            local,
            links: f64::from(links) * generation.link,
            nics: local * outer.map_or(0, |net| net.ports),
            nic: rate.min(generation.nic),
            nic_us: outer.map_or(0.0, |net| net.spec.transport.latency_fs as f64 / 1e9),
            switched,
            sums: self.sums && inner.spec.switches.iter().any(|switch| switch.in_network_reduce),
        })
    }
}

impl Machine<'_> {
    fn rates(&self) -> &[f64] {
        if self.nodes == 1 { &self.generation.rates_inside } else { &self.generation.rates_across }
    }

    /// Channels of a rate that fit: into the links of an accelerator, all of which a ring uses; a chain that comes from a NIC and goes
    /// back to it leaves one accelerator's out.
    fn fit(&self, rate: f64) -> u32 {
        let n = f64::from(self.local);
        let whole = |free: f64| (free / rate + ROUNDING) as u32;
        match (self.nodes, self.local) {
            (1, _) => whole(self.links),
            (_, 1) => self.nics * whole(self.nic),
            _ => (self.nics * whole(self.nic)).min(whole(self.links * n / (n - 1.0))),
        }
    }

    /// As many rings of as high a rate as fit; rings of high rates are split in two.
    fn rings(&self) -> Channels {
        let mut best = Channels { count: 0, inside: 0.1, across: 0.1 };
        for &rate in self.rates() {
            if best.count > 0 && (best.rate(best.across) >= self.links || rate / best.across <= WORTH) {
                break;
            }
            let found = Channels { count: self.fit(rate).min(self.rules.channels), inside: rate, across: rate };
            if found.rate(rate) > best.rate(best.across) {
                best = found;
            }
        }
        let many = best.count > self.rules.few && best.inside < self.generation.split_many;
        if best.inside >= self.rules.split && !many {
            let count = (2 * best.count).min(self.rules.channels);
            let parts = f64::from(count.div_ceil(best.count));
            best = Channels { count, inside: best.inside / parts, across: best.across / parts };
        }
        best.count = best.count.max(1);
        best
    }

    /// As many trees as rings, faster inside nodes than between them where links allow it.
    fn trees(&self, rings: &Channels) -> Channels {
        let fits = |rate: f64| self.fit(rate) >= rings.count;
        let Some(mut at) = self.rates().iter().position(|&rate| fits(rate)) else {
            return *rings;
        };
        let across = self.rates()[at];
        let n = f64::from(self.local);
        let apart = |rate: f64| f64::from(rings.count) * rate * (n - 1.0) / n <= self.links + ROUNDING;
        while self.nodes > 1 && at > 0 && self.rates()[at] < 2.0 * across && apart(self.rates()[at - 1]) {
            at -= 1;
        }
        Channels { count: rings.count, inside: self.rates()[at], across }
    }

    /// A channel for each accelerator that pulls sums out of the switches; its links carry its own twice.
    fn heads(&self) -> Option<Channels> {
        let most = self.local.min(self.rules.nvls.heads);
        let most = if self.nodes == 1 { most } else { most.min(self.nics) };
        let mut best: Option<(usize, Channels)> = None;
        for (at, &rate) in self.rates().iter().enumerate() {
            if best.is_some_and(|(_, b)| rate / b.across <= WORTH) {
                break;
            }
            let fit = ((self.links / rate + ROUNDING) as u32).saturating_sub(1);
            let fit = if self.nodes > 1 && rate > self.nic { 0 } else { fit };
            // on one node all of them, or none
            let count = if self.nodes == 1 && fit < most { 0 } else { fit.min(most) };
            let found = Channels { count, inside: rate, across: rate };
            let better = |(_, b): (usize, Channels)| count > b.count || found.rate(rate) > b.rate(b.across);
            if count > 0 && best.is_none_or(better) {
                best = Some((at, found));
                if count == most || found.rate(rate) >= self.links {
                    break;
                }
            }
        }
        let (mut at, mut heads) = best?;
        let free = |rate: f64| self.nodes == 1 || rate <= self.nic;
        while at > 0 && heads.across < 2.0 * heads.inside && free(self.rates()[at - 1]) {
            at -= 1;
            heads.across = self.rates()[at];
        }
        // one alone has nothing to share
        (heads.count > 1).then_some(heads)
    }

    /// One node, two, or more.
    fn scale(&self) -> usize {
        (self.nodes.min(3) - 1) as usize
    }

    /// Rate of channels that counts: two nodes can be faster than their NICs, since each sends up one tree and down the other.
    fn counted(&self, channels: &Channels) -> f64 {
        channels.rate(if self.nodes <= 2 { channels.inside } else { channels.across })
    }

    fn most_ll(&self) -> f64 {
        if self.nodes == 1 { self.generation.ll } else { self.rules.ll_across[self.scale() - 1] }
    }

    /// Latency of a hop between nodes. Data that is handed over as a whole is flushed, which takes what the NIC declares once more.
    fn hop(&self, across: f64, protocol: usize) -> f64 {
        across + self.nic_us * if protocol == SIMPLE { 2.0 } else { 1.0 }
    }

    /// Steps of a ring, and those of them that leave a node.
    fn steps(&self, collective: Collective) -> (f64, f64) {
        let (ranks, nodes) = (f64::from(self.ranks), f64::from(self.nodes));
        match collective {
            Collective::AllReduce => (2.0 * (ranks - 1.0), 2.0 * (nodes - 1.0)),
            Collective::AllGather | Collective::ReduceScatter => (ranks - 1.0, nodes - 1.0),
            _ => (ranks, nodes),
        }
    }

    /// Everything that the library would look at, in its order.
    fn estimates(&self, collective: Collective, bytes: u64) -> Vec<Estimate> {
        let rings = self.rings();
        let trees = self.trees(&rings);
        let protocols = LL..=SIMPLE;
        let mut found = vec![];
        let mut add = |algorithm, name: &str, latency_us: f64, rate: f64| {
            let time_us = Some(latency_us + bytes as f64 / (1000.0 * rate));
            found.push(Estimate { algorithm, name: name.into(), time_us });
        };
        if collective == Collective::AllReduce {
            for p in protocols.clone() {
                let (latency, rate) = self.tree(&trees, p, bytes);
                add(Some(Algorithm::DoubleBinaryTree), &self.rules.tree.protocols[p], latency, rate);
            }
        }
        for p in protocols {
            let (latency, rate) = self.ring(&rings, p, collective, bytes);
            add(Some(Algorithm::Ring), &self.rules.ring.protocols[p], latency, rate);
        }
        let gathering = matches!(collective, Collective::AllGather | Collective::ReduceScatter);
        let adding = collective == Collective::AllReduce || gathering && self.local <= self.rules.nvls.heads;
        if adding
            && self.sums
            && self.switched
            && self.generation.nvls > 0.0
            && self.local > 1
            && let Some(heads) = self.heads()
        {
            let (nvls, tree) = (&self.rules.nvls, &self.rules.nvls_tree);
            let rate = heads.rate(self.head_rate(&heads, collective));
            let (steps, _) = self.steps(collective);
            let ratio = if gathering { 1.0 } else { f64::from(self.ranks) / steps };
            if self.nodes == 1 {
                add(Some(Algorithm::InNetwork), &nvls.protocol, nvls.inside_us, rate * ratio);
            } else if !gathering {
                let hops = 2.0 * f64::from(self.nodes.ilog2());
                add(
                    Some(Algorithm::InNetworkTree),
                    &tree.protocol,
                    tree.inside_us + hops * self.hop(tree.across_us, SIMPLE),
                    rate * ratio,
                );
            }
        }
        if gathering && self.nodes == self.ranks {
            let pat = &self.rules.pat;
            let hops = f64::from(self.nodes.ilog2()) * self.hop(self.rules.tree.across_us[SIMPLE], SIMPLE);
            let latency = pat.base_us + hops / pat.overlap + f64::from(self.ranks) * pat.rank_us;
            add(None, &pat.name, latency, self.counted(&trees) * pat.share);
        }
        found
    }

    fn ring(&self, rings: &Channels, p: usize, collective: Collective, bytes: u64) -> (f64, f64) {
        let (rules, tree) = (&self.rules.ring, &self.rules.tree);
        let (steps, across) = self.steps(collective);
        let mut rate = self.counted(rings) * rules.share[p];
        match p {
            LL => rate = rate.min(self.most_ll()),
            LL128 => rate = rate.min(rings.rate(self.generation.ring_ll128[self.scale()])),
            _ => {}
        }
        let rate = rate * f64::from(self.ranks) / steps;
        let several = self.nodes > 1;
        if matches!(collective, Collective::Broadcast | Collective::Reduce) {
            // where all rings are the same, one hop hides the others
            let same = if several { self.nics <= 1 } else { self.switched };
            // hops of whole chunks count as those of trees
            let of = if same || p != SIMPLE {
                (&rules.inside_us, &rules.across_us)
            } else {
                (&tree.inside_us, &tree.across_us)
            };
            let hop = if several { of.1[p] } else { of.0[p] };
            return (rules.base_us[p] + if same { hop } else { steps * hop }, rate);
        }
        let hop = if several { rules.inside_us[p].max(rules.least_us[p]) } else { rules.inside_us[p] };
        let between = if self.ranks == self.nodes { tree.across_us[p] } else { rules.across_us[p] };
        let hops = if several { (steps - across) * hop + across * self.hop(between, p) } else { steps * hop };
        let mut latency = rules.base_us[p] + hops;
        if p == SIMPLE && several && collective == Collective::AllReduce {
            let share = bytes / (u64::from(self.running(rings)) * u64::from(self.ranks));
            latency *= if share >= rules.plateau_bytes { rules.plateau } else { 1.0 };
        }
        (latency, rate)
    }

    /// Channels that run.
    fn running(&self, rings: &Channels) -> u32 {
        let count = self.rules.copies * rings.count.min(self.rules.channels);
        let again = self.nodes > 1 && self.generation.again.is_some_and(|rate| rings.inside > rate);
        if again && count < self.rules.again_below { 2 * count } else { count }
    }

    fn tree(&self, trees: &Channels, p: usize, bytes: u64) -> (f64, f64) {
        let rules = &self.rules.tree;
        let scale = self.scale();
        let mut rate = (self.counted(trees) * rules.share).min(trees.rate(self.generation.tree[scale]));
        rate *= if self.nodes == 1 { rules.share_inside[p] } else { rules.share_across[p] };
        match p {
            LL => rate = rate.min(self.most_ll()),
            LL128 => rate = rate.min(trees.rate(self.generation.tree_ll128[scale])),
            _ => {}
        }
        if self.local == 1 {
            rate *= rules.lone;
        }
        let size = (bytes / 64).checked_ilog2();
        let correction = size.and_then(|size| rules.correction[p].get(size as usize)).copied().unwrap_or(1.0);
        let inside = f64::from(self.ranks / self.nodes - 1) * rules.inside_us[p];
        let across = f64::from(self.nodes.ilog2()) * self.hop(rules.across_us[p], p);
        // up and down, at half of the rate each
        (rules.base_us[p] + 2.0 * (inside + across), rate * correction / 2.0)
    }

    /// Rate of a channel whose sums are formed in switches. All-reduces pipeline two passes.
    fn head_rate(&self, heads: &Channels, collective: Collective) -> f64 {
        let count = f64::from(heads.count);
        let local = f64::from(self.ranks) / f64::from(self.nodes);
        let passes = if collective == Collective::AllReduce { 2.0 } else { (local - 1.0) / local };
        let inside = heads.inside * self.generation.nvls * (count - 1.0) / count * passes;
        match self.nodes {
            1 => inside.min(heads.across),
            2 => inside.min(2.0 * heads.across).min(self.generation.nvls_tree[0]),
            _ => inside.min(heads.across).min(self.generation.nvls_tree[1]),
        }
    }
}
