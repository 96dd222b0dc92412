//! Lower bounds: the time that no schedule can beat on this fabric, and what sets it.
//!
//! **Model.** Four bounds, each valid for any algorithm, in the switches too where they can combine; the largest counts.
//!
//! - *injection*: what a rank must send or receive ([`needs::crossing`] with the rank inside), or what all must send
//!   together ([`needs::gossip`]), over the rate of the ports that routes to other ranks take ([`permitted`]);
//! - *bisection*: the same over the cut around each copy of a network, each subtree of a tree, each half of a direct
//!   network, each half and each part of an explicit graph ([`partition`]: any cut holds, so none need be the narrowest); an
//!   all-to-all on a direct network also over all its links, a byte taking as many as the distance;
//! - *latency*: one message must pass from one side to the other of the highest tier that separates ranks, or over the
//!   farthest distance in a direct network;
//! - *memory*: HBM, copy and reduce rates.
//!
//! To each come the least launch latency, step latency and distance that any first message has: no link on the way can
//! start before, and none may end later than the last propagation before the end.
//!
//! **Invariant.** Never above a simulated time. Where something is unknown (a rank may relay over several networks) the
//! bound takes the better case. Only links that the routing policy lets ranks use are counted. Payload is taken at the efficiency of full packets, protocol expansion not at all.
//!
//! **Cost.** O(ranks x tiers), or x parts of a graph, which are looked for once a fabric. **Limits.** Loads are those of whole cuts; hot links inside them are not seen.

mod chain;
pub mod needs;
mod permitted;

use crate::collective::Collective;
use crate::control::{Control, Phase};
use crate::error::Result;
use crate::fabric::direct::Dimension;
use crate::fabric::graph::Graph;
use crate::fabric::{Fabric, Network, Shape};
use crate::routing::dimension_order;
use crate::spec::{ProtocolSpec, RoutingSpec};
use crate::survey::{describe, partition, path};
use crate::units::Fs;
pub use chain::{Traffic, chain_bound, traffic};
use permitted::Both;

/// A time that no schedule can beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The time.
    pub time_fs: Fs,
    /// What sets it: `injection`, `bisection`, `latency` or `memory`.
    pub kind: &'static str,
}

/// What is to be done, and where.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The collective.
    pub collective: Collective,
    /// Size as in nccl-tests.
    pub bytes: u64,
    /// Root, if it has one.
    pub root: u32,
    /// Accelerator of each rank.
    pub placement: &'a [u32],
}

/// How many ranks each copy of a network holds, and each rank's view of its networks.
struct Crowd<'a> {
    fabric: &'a Fabric,
    demand: Demand<'a>,
    n: u32,
    /// Ranks by network and copy.
    counts: Vec<Vec<u32>>,
    /// What each rank can send to and receive from others over each network.
    doors: Vec<Vec<Both>>,
    in_network: bool,
}

/// The lower bound for a demand with the least software costs of `protocols`.
///
/// # Errors
/// Those of [`Control::check`].
pub fn lower_bound(
    fabric: &Fabric,
    demand: Demand<'_>,
    protocols: &[&ProtocolSpec],
    control: &Control,
) -> Result<Bound> {
    control.begin(Phase::Bounding)?;
    if demand.placement.len() < 2 {
        return Ok(Bound { time_fs: 0, kind: "latency" });
    }
    let crowd = Crowd::new(fabric, demand, control)?;
    let used = crowd.networks();
    let start = protocols.iter().map(|p| crowd.start(p, &used)).min().unwrap_or(0);
    let base = (start + crowd.nearest(&used)) as f64;
    let candidates = [
        ("injection", after(base, crowd.injection())),
        ("bisection", after(base, crowd.bisection(control)?)),
        ("memory", after(start as f64, crowd.memory())),
    ];
    let latency = Bound { time_fs: start + crowd.latency(&used), kind: "latency" };
    let larger = |best: Bound, (kind, time_fs)| {
        if time_fs > best.time_fs { Bound { time_fs, kind } } else { best }
    };
    Ok(candidates.into_iter().fold(latency, larger))
}

/// The lower bound for messages that are given: `carried` has the bytes that each rank sends and receives.
///
/// # Errors
/// Those of [`Control::check`].
pub fn lower_bound_of(
    fabric: &Fabric,
    placement: &[u32],
    carried: &[(u64, u64)],
    protocol: &ProtocolSpec,
    control: &Control,
) -> Result<Bound> {
    control.begin(Phase::Bounding)?;
    if placement.len() < 2 {
        return Ok(Bound { time_fs: 0, kind: "injection" });
    }
    // nothing of the collective is used but that ranks talk to each other
    let demand = Demand { collective: Collective::SendRecv, bytes: 0, root: 0, placement };
    let crowd = Crowd::new(fabric, demand, control)?;
    let used = crowd.networks();
    let base = crowd.start(protocol, &used) + crowd.nearest(&used);
    let worst = carried.iter().enumerate().fold(0.0f64, |worst, (rank, &(out, into))| {
        let rate = crowd.rate(rank);
        worst.max(seconds(out as f64, rate.out)).max(seconds(into as f64, rate.into))
    });
    Ok(Bound { time_fs: after(base as f64, worst), kind: "injection" })
}

/// Some seconds after a time. The sums are good to some 1e-15; the bound must not pass the truth by rounding.
fn after(from: f64, seconds: f64) -> Fs {
    ((from + 1e15 * seconds) * (1.0 - 1e-12)) as Fs
}

/// The least propagation of any message in a network.
fn nearest(net: &Network) -> Fs {
    match &net.planes[0].shape {
        Shape::Clos(_) => path::climb(net, 0).1,
        Shape::Direct(_) | Shape::Graph(_) => net.spec.links.iter().map(|l| l.latency_fs).min().unwrap_or(0),
    }
}

impl<'a> Crowd<'a> {
    fn new(fabric: &'a Fabric, demand: Demand<'a>, control: &Control) -> Result<Self> {
        let counts = fabric.networks.iter().map(|net| {
            let mut copies = vec![0u32; net.copies as usize];
            demand.placement.iter().for_each(|&a| copies[(a / net.span) as usize] += 1);
            copies
        });
        let (n, counts): (u32, Vec<Vec<u32>>) = (demand.placement.len() as u32, counts.collect());
        let mut crowd = Self { fabric, demand, n, counts, doors: vec![], in_network: false };
        for (i, net) in fabric.networks.iter().enumerate() {
            control.check()?;
            let mut doors = permitted::doors(net, demand.placement);
            let unused = doors.iter_mut().zip(demand.placement).filter(|&(_, &a)| !crowd.uses(i, a));
            unused.for_each(|(door, _)| *door = Both::default());
            crowd.doors.push(doors);
        }
        let adds = |&i: &usize| fabric.networks[i].spec.switches.iter().any(|s| s.in_network_reduce);
        crowd.in_network = crowd.networks().iter().any(adds);
        Ok(crowd)
    }

    /// The networks that some rank uses.
    fn networks(&self) -> Vec<usize> {
        (0..self.fabric.networks.len()).filter(|&i| self.used(i)).collect()
    }

    /// No message starts earlier.
    fn start(&self, protocol: &ProtocolSpec, used: &[usize]) -> Fs {
        let step = used.iter().filter_map(|&i| protocol.step_fs.get(i)).copied().min().unwrap_or(0);
        protocol.launch_fs.saturating_add(step)
    }

    /// No message has a shorter way.
    fn nearest(&self, used: &[usize]) -> Fs {
        used.iter().map(|&i| nearest(&self.fabric.networks[i])).min().unwrap_or(0)
    }

    /// Payload bytes per second of all ports of a rank.
    fn rate(&self, rank: usize) -> Both {
        self.doors.iter().fold(Both::default(), |sum, doors| sum.plus(doors[rank]))
    }
}

impl Crowd<'_> {
    /// Ranks that share a copy of network `i` with accelerator `a`.
    fn count(&self, i: usize, a: u32) -> u32 {
        self.counts[i][(a / self.fabric.networks[i].span) as usize]
    }

    /// True if accelerator `a` has a partner that it reaches over network `i`.
    fn uses(&self, i: usize, a: u32) -> bool {
        let span = self.fabric.networks[i].span;
        let nested = (0..i).filter(|&j| span.is_multiple_of(self.fabric.networks[j].span));
        let inner = nested.map(|j| self.count(j, a)).max().unwrap_or(1);
        self.count(i, a) > inner.max(1)
    }

    fn used(&self, i: usize) -> bool {
        self.demand.placement.iter().any(|&a| self.uses(i, a))
    }

    /// Seconds that the busiest rank needs for its ports, and all together for all ports.
    fn injection(&self) -> f64 {
        let (collective, bytes) = (self.demand.collective, self.demand.bytes);
        let (mut worst, mut sum) = (0.0f64, 0.0);
        for rank in 0..self.n {
            let rate = self.rate(rank as usize);
            sum += rate.out;
            let (out, into) = needs::crossing(collective, bytes, self.n, 1, rank == self.demand.root);
            worst = worst.max(seconds(out, rate.out)).max(seconds(into, rate.into));
        }
        let together = if self.in_network { 0.0 } else { needs::gossip(collective, bytes, self.n) };
        worst.max(seconds(together, sum))
    }

    /// Seconds that the narrowest cut needs.
    fn bisection(&self, control: &Control) -> Result<f64> {
        let networks = &self.fabric.networks;
        let mut worst: f64 = 0.0;
        for (i, net) in networks.iter().enumerate() {
            control.check()?;
            if net.copies > 1 {
                // the copies themselves: everything that leaves goes over the ports of their ranks into other networks
                let none = vec![Both::default(); net.copies as usize];
                worst = worst.max(self.cuts(|a| a / net.span, net.span, i, &none));
            }
            match &net.planes[0].shape {
                Shape::Clos(_) => {
                    for tier in 0..path::tiers(net) - 1 {
                        worst = worst.max(self.subtrees(i, tier));
                    }
                }
                Shape::Direct(_) => worst = worst.max(self.halves(i)).max(self.distance(i)),
                Shape::Graph(graph) => worst = worst.max(self.parts(i, graph, control)?),
            }
        }
        Ok(worst)
    }

    fn subtrees(&self, i: usize, tier: usize) -> f64 {
        let net = &self.fabric.networks[i];
        let places = path::places(net, tier);
        let slot = |member: u32| net.position(0, member, 0) / net.planes[0].links / places;
        // with rails the last member is on the last leaf in use, as it is without
        let groups = slot(net.span - 1) + 1;
        let group = |a: u32| (a / net.span) * groups + slot(a % net.span);
        let all = net.copies as usize * groups as usize;
        let share = path::payload_share(net) / 8.0;
        let mut capacity = vec![Both::alike(path::uplinks(net, tier) * share); all];
        if matches!(net.spec.routing, RoutingSpec::DModK | RoutingSpec::SModK) && !self.in_network {
            let placement = self.demand.placement;
            let of: Vec<u32> = placement.iter().map(|&a| group(a)).collect();
            let ways = permitted::ways_up(net, tier, placement, &of, all);
            capacity.iter_mut().zip(ways).for_each(|(all, ways)| *all = all.min(ways.times(share)));
        }
        // consecutive accelerators stay together unless rails deal them out
        let whole = net.rails <= 1 || (tier > 0 && (places / path::places(net, 0)).is_multiple_of(net.rails));
        let block = if whole { places } else { 1 };
        self.cuts(group, block, i, &capacity)
    }

    /// Seconds of the worst of several disjoint groups. `block`: consecutive accelerators that share a group, so that
    /// copies of inner networks within a block cannot join groups. `capacity` is that of network `i` out of and into each group.
    fn cuts(&self, group: impl Fn(u32) -> u32, block: u32, i: usize, capacity: &[Both]) -> f64 {
        let joins = |&j: &usize| j != i && !(j < i && block.is_multiple_of(self.fabric.networks[j].span));
        let others: Vec<usize> = (0..self.fabric.networks.len()).filter(joins).collect();
        let mut groups = vec![(0u32, Both::default(), Both::default()); capacity.len()];
        for (rank, &a) in self.demand.placement.iter().enumerate() {
            let (ranks, own, side) = &mut groups[group(a) as usize];
            *ranks += 1;
            *own = own.plus(self.doors[i][rank]);
            *side = others.iter().fold(*side, |side, &j| side.plus(self.doors[j][rank]));
        }
        let (collective, bytes) = (self.demand.collective, self.demand.bytes);
        let root = group(self.demand.placement[self.demand.root as usize]);
        let (mut worst, mut sum, mut count) = (0.0f64, 0.0, 0);
        for (g, &(ranks, own, side)) in groups.iter().enumerate().filter(|(_, group)| group.0 > 0) {
            let rate = own.min(capacity[g]).plus(side);
            let (out, into) = needs::crossing(collective, bytes, self.n, ranks, g as u32 == root);
            worst = worst.max(seconds(out, rate.out)).max(seconds(into, rate.into));
            sum += rate.out;
            count += 1;
        }
        let together = if self.in_network { 0.0 } else { needs::gossip(collective, bytes, count) };
        worst.max(seconds(together, sum))
    }

    /// Parts of an explicit graph: the narrowest halves found, switches with what is plugged in, and larger clumps.
    fn parts(&self, i: usize, graph: &Graph, control: &Control) -> Result<f64> {
        let net = &self.fabric.networks[i];
        let share = path::payload_share(net) / 8.0;
        let mut worst: f64 = 0.0;
        for parts in partition::cuts(net, graph, control)?.iter() {
            control.check()?;
            let groups = parts.rate.len();
            let group = |a: u32| a / net.span * groups as u32 + parts.part[(a % net.span) as usize];
            let all = (0..net.copies as usize * groups).map(|g| Both::alike(parts.rate[g % groups] * share));
            worst = worst.max(self.cuts(group, parts.block, i, &all.collect::<Vec<_>>()));
        }
        Ok(worst)
    }

    /// The middle of each dimension of a direct network, in each copy.
    fn halves(&self, i: usize) -> f64 {
        let net = &self.fabric.networks[i];
        let Shape::Direct(direct) = &net.planes[0].shape else {
            return 0.0;
        };
        let mut worst: f64 = 0.0;
        for (d, dim) in direct.dims.iter().enumerate().filter(|(_, dim)| dim.kind.size() > 1) {
            let half = dim.kind.size() / 2;
            let low = |a: u32| a % net.span / dim.stride % dim.kind.size() < half;
            let group = |a: u32| 2 * (a / net.span) + u32::from(low(a));
            let links = if direct.twist.is_empty() {
                permitted::middle(net, direct, d, self.demand.placement)
            } else {
                let turned = direct.twisted_across(d).map(|turned| u64::from(net.span / turned.kind.size()));
                let lines = describe::middle(dim.kind) * u64::from(net.span / dim.kind.size()) + turned.sum::<u64>();
                vec![Both::alike((lines * u64::from(direct.links)) as f64); net.copies as usize]
            };
            let rate = net.link(d).rate.0 as f64 / 8.0 * path::payload_share(net);
            // the upper half, then the lower one
            let sides = |&Both { out, into }: &Both| [Both { out: into, into: out }, Both { out, into }];
            let capacity: Vec<Both> = links.iter().flat_map(sides).map(|links| links.times(rate)).collect();
            let block = dim.stride * half;
            let block = if dim.kind.size().is_multiple_of(2) { block } else { 1 };
            worst = worst.max(self.cuts(group, block, i, &capacity));
        }
        worst
    }

    /// An all-to-all of a whole direct network: bytes times distance over all links.
    fn distance(&self, i: usize) -> f64 {
        let net = &self.fabric.networks[i];
        let Shape::Direct(direct) = &net.planes[0].shape else {
            return 0.0;
        };
        let whole = self.fabric.networks.len() == 1 && net.copies == 1 && self.n == net.span;
        if !whole || self.demand.collective != Collective::AllToAll {
            return 0.0;
        }
        if !direct.twist.is_empty() {
            // Which dimensions a byte goes along is open, but not how many links it takes. Every place sees the same, unless
            // there are lines with ends.
            if direct.dims.iter().any(|d| matches!(d.kind, Dimension::Line { wrap: false, size: 2.. })) {
                return 0.0;
            }
            let hops: f64 = (0..net.span).map(|to| f64::from(dimension_order::distance(direct, 0, to))).sum();
            let bytes = self.demand.bytes as f64 / f64::from(self.n) * hops;
            return seconds(bytes, net.injection() as f64 / 8.0 * path::payload_share(net));
        }
        // A byte must make up the distance in every dimension, so each dimension is a bound of its own.
        let pair = self.demand.bytes as f64 / f64::from(self.n);
        let dimension = |(d, dim): (usize, &crate::fabric::direct::Dim)| {
            let size = dim.kind.size();
            let apart: u64 = (0..size).map(|x| u64::from(path::span(dim.kind, 0, x))).sum();
            let apart = match dim.kind {
                // (k^2 - 1)/3 on average over ordered pairs of a line
                crate::fabric::direct::Dimension::Line { wrap: false, .. } => (f64::from(size).powi(2) - 1.0) / 3.0,
                _ => apart as f64,
            };
            let others = f64::from(net.span / size);
            let bytes = pair * apart * f64::from(size) * others * others;
            let links = describe::cables(dim.kind) as f64 * 2.0 * others * f64::from(direct.links);
            seconds(bytes, links * net.link(d).rate.0 as f64 / 8.0 * path::payload_share(net))
        };
        direct.dims.iter().enumerate().filter(|(_, d)| d.kind.size() > 1).map(dimension).fold(0.0, f64::max)
    }

    /// Propagation that some message must have.
    fn latency(&self, used: &[usize]) -> Fs {
        let Some(&outer) = used.last() else { return 0 };
        let net = &self.fabric.networks[outer];
        let placement = self.demand.placement;
        // Ranks in other copies of the outermost network in use cannot be reached at all: look at one copy.
        if let Shape::Clos(_) = &net.planes[0].shape {
            let inner = self.fabric.networks[..outer].iter();
            let mut best = 0;
            for tier in (0..path::tiers(net)).rev() {
                let places = if tier == 0 { 1 } else { path::places(net, tier - 1) };
                let whole = net.rails <= 1 || (tier > 1 && (places / path::places(net, 0)).is_multiple_of(net.rails));
                let block = if whole { places } else { 1 };
                // A group below this tier that no inner network joins to others, and ranks in two of them.
                let clean = inner.clone().all(|other| block.is_multiple_of(other.span)) || tier == 0;
                if clean
                    && placement
                        .iter()
                        .any(|&a| path::meet(net, a % net.span, placement[0] % net.span) >= tier && a != placement[0])
                {
                    best = path::climb(net, tier).1;
                    break;
                }
            }
            return best.max(nearest(net));
        }
        if used.len() > 1 || self.fabric.networks.len() > 1 {
            return nearest(net);
        }
        let apart = |x: u32, y: u32| path::between(self.fabric, x, y).map_or(0, |p| p.wire_fs);
        if self.demand.collective == Collective::SendRecv {
            let next = placement.iter().cycle().skip(1);
            return placement.iter().zip(next).map(|(&x, &y)| apart(x, y)).max().unwrap_or(0);
        }
        let from = if self.demand.collective.rooted() { placement[self.demand.root as usize] } else { placement[0] };
        placement.iter().filter(|&&a| a != from).map(|&a| apart(from, a)).max().unwrap_or(0)
    }

    /// Seconds of HBM and of the copy and reduce channels.
    fn memory(&self) -> f64 {
        let device = &self.fabric.spec.device;
        let n = f64::from(self.n);
        let rate = |r: Option<crate::units::BitRate>| r.map_or(f64::INFINITY, |r| r.0 as f64 / 8.0);
        let total = needs::memory(self.demand.collective, self.demand.bytes, self.n, self.in_network);
        // the read of the last packet sent may end after its departure: leave one packet a rank out
        let packet = self.fabric.networks.iter().map(|net| net.spec.payload).max().unwrap_or(0);
        let hbm = (total / n - f64::from(packet)).max(0.0) / rate(device.hbm_rate);
        let combine = needs::combined(self.demand.collective, self.demand.bytes, self.n, self.in_network) / n;
        hbm.max(combine / rate(device.reduce_rate))
    }
}

/// Bytes over a rate; nothing takes no time, a rate of zero is no statement.
fn seconds(bytes: f64, rate: f64) -> f64 {
    if bytes > 0.0 && rate > 0.0 && rate.is_finite() { bytes / rate } else { 0.0 }
}

#[cfg(test)]
mod tests;
