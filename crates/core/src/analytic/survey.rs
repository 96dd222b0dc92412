//! Loads of all resources, from a sample of ranks, lanes, steps and messages.
//!
//! **Model.** Each sampled rank walks through its own steps: a step costs its software latency and the propagation of its
//! farthest message (Λ), and the time of its busiest port or memory (σ). Everything that a message occupies is added to
//! the load of that resource: the port classes of its rank, the tiers that it climbs, the dimensions that it travels, HBM
//! and the copy and reduce channels. Loads of ports and memory are those of the busiest rank seen; loads of tiers and
//! dimensions are those of the average rank, times the ranks that share them.
//!
//! **Invariant.** What is sampled is weighted, so that sums over a uniform schedule are exact.
//!
//! **Cost.** At most about [`BUDGET`] messages, whatever the schedule. **Limits.** A schedule whose hot rank is not in the
//! sample (it holds ranks 0, 1, the root, the middle, the last, those at the borders of inner copies and evenly spread
//! ones) is taken too lightly.

use std::collections::BTreeMap;

use super::leg::{Costs, Leg};
use crate::collective::{Schedule, Target};
use crate::control::Control;
use crate::error::Result;
use crate::fabric::Shape;
use crate::fabric::credit::slowdown;
use crate::fabric::direct::Dimension;
use crate::flow;
use crate::routing::dimension_order;
use crate::survey::path;
use crate::walk::awaits;

/// Messages looked at, about.
const BUDGET: u64 = 6000;
/// How far ranks that send to the same receivers one after the other stay together, if their messages are long; and the length that is
/// short, as a part of a buffer. Measured on trees with hashed paths, dragonflies and tori.
const TOGETHER: f64 = 2.0 / 3.0;
const SHORT: f64 = 1.0 / 8.0;
/// Messages of one step looked at.
const SENDS: u32 = 96;

/// What a sample says about a schedule.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Mean over ranks of Λ of a lane: software, propagation.
    pub software: f64,
    /// See `software`.
    pub latency: f64,
    /// Mean over ranks of the hops of a lane: nobody is occupied meanwhile, so a rank with many does not hold up the others.
    pub hop: f64,
    /// Mean and maximum over ranks of σ of a lane.
    pub chain: f64,
    /// See `chain`.
    pub chain_max: f64,
    /// Λ + σ of the slowest rank seen.
    pub walk_max: f64,
    /// True if all ranks seen have the same number of steps.
    pub even: bool,
    /// What congestion on tiers and dimensions, step by step, adds to σ.
    pub congestion: f64,
    /// True if switches combine or replicate.
    pub in_network: bool,
    /// Propagation of one step, the farthest seen.
    pub farthest: f64,
    /// Femtoseconds of the busiest resource, all lanes, and its name.
    pub busiest: f64,
    /// See `busiest`.
    pub name: String,
    /// Messages of a lane, all ranks.
    pub lane_messages: f64,
    /// Packets times links, everything.
    pub packet_hops: f64,
    /// Messages, everything.
    pub messages: f64,
    /// Payload bytes received, everything.
    pub bytes: f64,
}

/// Indices of a sample of `0..total` and the weight of each: all of them if they are few, otherwise one in each of
/// `count` equal parts, at golden-ratio offsets so that no period of the schedule is hit twice in a row.
pub fn sample(total: u32, count: u32) -> (Vec<u32>, f64) {
    if total <= count {
        return ((0..total).collect(), 1.0);
    }
    let part = f64::from(total) / f64::from(count);
    let pick = |k: u32| ((f64::from(k) + (f64::from(k) * 0.618_033_988_749_895).fract()) * part) as u32;
    ((0..count).map(|k| pick(k).min(total - 1)).collect(), part)
}

/// Evenly spread ranks, and special ones that only maxima look at.
fn ranks(costs: &Costs, n: u32, root: u32, count: u32) -> (Vec<u32>, Vec<u32>) {
    let (even, _) = sample(n, count);
    let mut special = vec![0, 1.min(n - 1), root, n / 2, n - 1];
    for net in &costs.fabric.networks {
        special.extend([net.span - 1, net.span].into_iter().filter(|&r| r < n));
    }
    special.sort_unstable();
    special.dedup();
    special.retain(|r| !even.contains(r));
    (even, special)
}

impl Survey {
    /// Puts what is known of links one by one in the place of tiers and dimensions as a whole.
    pub fn apply(&mut self, loads: &flow::Loads) {
        if let Some(busiest) = loads.busiest.filter(|&busiest| busiest > self.busiest) {
            self.busiest = busiest;
            self.name.clone_from(&loads.name);
        }
        if loads.alike {
            // the slowest link sets the pace, while all others wait for the latencies in turn
            self.congestion = (loads.paced - self.chain - self.latency - self.software).max(0.0);
        } else {
            self.congestion = (loads.in_step - self.chain).max(0.0);
        }
        if let (true, Some(busiest)) = (loads.queued, loads.busiest) {
            // ranks go through their receivers in the same order and meet on the way, unless they drift apart: long messages by a
            // third, and short ones as far as buffers hold them
            let met = TOGETHER * loads.fill / (loads.fill + SHORT);
            self.busiest = self.busiest.max(busiest + met * (loads.in_step - busiest));
            self.congestion = (self.busiest - self.chain).max(0.0);
        }
    }
}

/// Loads of one rank.
#[derive(Default)]
struct Loads {
    ports: Vec<f64>,
    /// By class and neighbour, where the class has several.
    apart: BTreeMap<(usize, u32), f64>,
    tiers: Vec<f64>,
    memory: f64,
    copy: f64,
    reduce: f64,
    software: f64,
    /// What the thread that hands messages to NICs is busy with.
    proxy: f64,
    latency: f64,
    hop: f64,
    chain: f64,
    messages: f64,
    hops: f64,
    bytes: f64,
    steps: Vec<StepLoad>,
    in_network: bool,
}

/// One step of a lane.
#[derive(Clone, Default)]
struct StepLoad {
    chain: f64,
    weight: f64,
    tiers: Vec<f64>,
}

impl Loads {
    fn new(ports: usize, tiers: usize) -> Self {
        let (ports, tiers) = (vec![0.0; ports], vec![0.0; tiers]);
        Loads { ports, tiers, ..Loads::default() }
    }
}

/// Looks at a schedule; `whole`: tiers and dimensions count as a whole, as nothing is known of their links.
///
/// # Errors
/// Those of [`Control::check`].
pub fn survey(costs: &Costs, schedule: &dyn Schedule, root: u32, whole: bool, control: &Control) -> Result<Survey> {
    let (n, lanes) = (schedule.ranks(), schedule.lanes());
    let probe =
        |rank: u32| u64::from(schedule.steps(rank, 0).max(1)) * u64::from(schedule.sends(rank, 0, 0).clamp(1, SENDS));
    let a_lane = [0, 1.min(n - 1), n / 2].into_iter().map(probe).max().unwrap_or(1).min(48 * u64::from(SENDS));
    let (lane_list, lane_weight) = sample(lanes, (BUDGET / 16 / a_lane.min(16)).clamp(2, 64) as u32);
    let steps = (BUDGET / 16 / lane_list.len() as u64).clamp(4, 64) as u32;
    let a_rank = lane_list.len() as u64 * a_lane.min(u64::from(steps) * u64::from(SENDS));
    let (even, special) = ranks(costs, n, root, (BUDGET / a_rank).clamp(8, 32) as u32);

    let slots: Vec<usize> = costs.fabric.networks.iter().map(|net| 2 * path::tiers(net)).collect();
    let first: Vec<usize> = slots.iter().scan(0, |at, &len| Some(std::mem::replace(at, *at + len))).collect();
    let tiers: usize = slots.iter().sum();
    let mut found = Survey { even: true, ..Survey::default() };
    let mut mean = vec![0.0; tiers];
    let mut steps_mean: Vec<StepLoad> = vec![];
    let mut worst = Loads::new(costs.ports(), 0);
    for (i, &rank) in even.iter().chain(&special).enumerate() {
        let counts = i < even.len();
        let mut loads = Loads::new(costs.ports(), tiers);
        for &lane in &lane_list {
            control.check()?;
            walk(costs, schedule, rank, lane, steps, &first, &mut loads, &mut found.farthest);
        }
        let share = 1.0 / (even.len() as f64 * lane_list.len() as f64);
        let chain = loads.chain / lane_list.len() as f64;
        found.chain_max = found.chain_max.max(chain);
        found.walk_max = found.walk_max.max((loads.software + loads.latency) / lane_list.len() as f64 + chain);
        found.even &= schedule.steps(rank, 0) == schedule.steps(even[0], 0);
        found.in_network |= loads.in_network;
        for (w, l) in worst.ports.iter_mut().zip(&loads.ports) {
            *w = w.max(l * lane_weight);
        }
        for (&(port, _), alone) in &loads.apart {
            worst.ports[port] = worst.ports[port].max(alone * lane_weight);
        }
        worst.memory = worst.memory.max(loads.memory * lane_weight);
        worst.copy = worst.copy.max(loads.copy * lane_weight);
        worst.reduce = worst.reduce.max(loads.reduce * lane_weight);
        worst.proxy = worst.proxy.max(loads.proxy * lane_weight);
        if counts {
            found.software += loads.software * share;
            found.latency += loads.latency * share;
            found.hop += loads.hop * share;
            found.chain += loads.chain * share;
            found.lane_messages += loads.messages * share * f64::from(n);
            found.bytes += loads.bytes * share * f64::from(n) * f64::from(lanes);
            found.packet_hops += loads.hops * share * f64::from(n) * f64::from(lanes);
            mean.iter_mut().zip(&loads.tiers).for_each(|(m, l)| *m += l * share * f64::from(lanes));
            steps_mean.resize(
                steps_mean.len().max(loads.steps.len()),
                StepLoad { tiers: vec![0.0; tiers], ..StepLoad::default() },
            );
            for (m, l) in steps_mean.iter_mut().zip(&loads.steps) {
                m.chain += l.chain * share;
                m.weight = l.weight;
                m.tiers.iter_mut().zip(&l.tiers).for_each(|(m, l)| *m += l * share);
            }
        }
    }
    found.messages = found.lane_messages * f64::from(lanes);
    rank_resources(costs, n, &worst, whole.then_some((&mean[..], &first[..])), &mut found);
    let idle = Loads::new(costs.ports(), 0);
    let over = |step: &StepLoad| {
        let mut alone = Survey::default();
        rank_resources(costs, n, &idle, whole.then_some((&step.tiers[..], &first[..])), &mut alone);
        (alone.busiest - step.chain).max(0.0) * step.weight
    };
    found.congestion = steps_mean.iter().map(over).sum();
    Ok(found)
}

/// Adds what a rank does in a lane to its loads.
#[allow(clippy::too_many_arguments)] // one inner loop, taken out for readability
fn walk(
    costs: &Costs,
    schedule: &dyn Schedule,
    rank: u32,
    lane: u32,
    steps: u32,
    first: &[usize],
    loads: &mut Loads,
    farthest: &mut f64,
) {
    let (step_list, step_weight) = sample(schedule.steps(rank, lane), steps);
    let mut busy = vec![0.0; costs.ports()];
    // where a class of ports leads to several neighbours, what goes to each
    let mut apart: BTreeMap<(usize, u32), f64> = BTreeMap::new();
    for (k, &step) in step_list.iter().enumerate() {
        let before = loads.tiers.clone();
        let sends = schedule.sends(rank, lane, step);
        let (send_list, send_weight) = sample(sends, SENDS);
        let weight = step_weight * send_weight;
        let (mut latency, mut hop, mut out, mut network) = (0.0f64, 0.0f64, 0.0, None);
        let (mut alone, mut last) = (0.0f64, 0.0f64);
        busy.iter_mut().for_each(|b| *b = 0.0);
        apart.clear();
        for &i in &send_list {
            let message = schedule.send(rank, lane, step, i);
            let Some(leg) = costs.leg(rank, &message) else {
                continue;
            };
            if network.is_none() {
                network = Some(leg.network);
                loads.software += costs.per_message(leg.network) as f64 * step_weight;
            }
            loads.proxy += costs.per_message(leg.network) as f64 * weight;
            (latency, hop) = (latency.max(leg.latency), hop.max(leg.hop));
            (alone, last) = (alone.max(leg.alone + leg.read), last.max(leg.last));
            busy[leg.port] += leg.occupancy * send_weight;
            let (neighbour, neighbours) = leg.neighbour;
            // of a sample too few go to each to tell, unless all go alike
            let tells = step_weight == 1.0 || schedule.alike(lane, step).len() > 1;
            if neighbours > 1 && tells && send_list.len() as u32 == sends {
                *apart.entry((leg.port, neighbour)).or_insert(0.0) += leg.occupancy * f64::from(neighbours);
            }
            loads.hops += leg.hops * weight;
            out += message.bytes as f64 * send_weight;
            match message.to {
                Target::Rank(peer) => spread(costs, rank, peer, &leg, weight, first, &mut loads.tiers),
                _ => loads.in_network = true,
            }
        }
        for (port, busy) in busy.iter_mut().enumerate().filter(|(_, busy)| **busy > 0.0) {
            *busy = costs.sustained(port, *busy);
            loads.ports[port] += *busy * step_weight;
        }
        for (&(port, neighbour), &alone) in &apart {
            let alone = costs.sustained(port, alone);
            busy[port] = busy[port].max(alone);
            *loads.apart.entry((port, neighbour)).or_insert(0.0) += alone * step_weight;
        }
        let recv = awaits(schedule, rank, lane, step);
        let (into, times) = (recv.bytes as f64, if recv.reduce { 3.0 } else { 1.0 });
        let memory = costs.memory(out + times * into);
        let network_busy = busy.iter().copied().fold(alone, f64::max);
        loads.memory += memory * step_weight;
        *(if recv.reduce { &mut loads.reduce } else { &mut loads.copy }) +=
            costs.channel(into, recv.reduce) * step_weight;
        loads.software += network.map_or(0.0, |i| costs.step(i)) * step_weight;
        let settle = if recv.messages > 0 { costs.take(last.min(into), recv.reduce) } else { 0.0 };
        loads.latency += latency * step_weight;
        loads.hop += hop * step_weight;
        let chain = (network_busy + settle).max(memory).max(costs.channel(into, recv.reduce));
        loads.chain += chain * step_weight;
        if loads.steps.len() <= k {
            loads.steps.push(StepLoad { tiers: vec![0.0; before.len()], ..StepLoad::default() });
        }
        let here = &mut loads.steps[k];
        (here.chain, here.weight) = (here.chain + chain, step_weight);
        let added = loads.tiers.iter().zip(&before).map(|(now, before)| (now - before) / step_weight);
        here.tiers.iter_mut().zip(added).for_each(|(t, a)| *t += a);
        loads.bytes += into * step_weight;
        loads.messages += f64::from(sends) * step_weight;
        *farthest = farthest.max(latency + hop);
    }
}

/// Adds a message to the tiers that it climbs or the dimensions that it travels (plus, minus).
fn spread(costs: &Costs, rank: u32, peer: u32, leg: &Leg, weight: f64, first: &[usize], tiers: &mut [f64]) {
    let net = &costs.fabric.networks[leg.network];
    let at = first[leg.network];
    let Shape::Direct(d) = &net.planes[0].shape else {
        (1..=leg.meet).for_each(|t| tiers[at + 2 * t] += leg.wire * weight);
        return;
    };
    let (x, y) = (costs.placement[rank as usize] % net.span, costs.placement[peer as usize] % net.span);
    if !d.twist.is_empty() {
        // equal ways turn left and right
        for (i, hops) in dimension_order::hops(d, x, y).enumerate() {
            tiers[at + 2 * i] += f64::from(hops) * leg.wire * weight / 2.0;
            tiers[at + 2 * i + 1] += f64::from(hops) * leg.wire * weight / 2.0;
        }
        return;
    }
    for (i, dim) in d.dims.iter().enumerate() {
        let size = dim.kind.size();
        let (x, y) = (x / dim.stride % size, y / dim.stride % size);
        let hops = f64::from(path::span(dim.kind, x, y)) * leg.wire * weight;
        match dim.kind {
            Dimension::Full { .. } => tiers[at + 2 * i] += hops,
            Dimension::Line { wrap, .. } => {
                let forward = if y >= x { y - x } else { y + size - x };
                if wrap && 2 * forward == size {
                    tiers[at + 2 * i] += hops / 2.0;
                    tiers[at + 2 * i + 1] += hops / 2.0;
                } else {
                    let minus = if wrap { 2 * forward > size } else { y < x };
                    tiers[at + 2 * i + usize::from(minus)] += hops;
                }
            }
        }
    }
}

/// Turns loads into times and keeps the largest.
fn rank_resources(costs: &Costs, n: u32, worst: &Loads, mean: Option<(&[f64], &[usize])>, found: &mut Survey) {
    let mut consider = |time: f64, name: &dyn Fn() -> String| {
        if time > found.busiest {
            (found.busiest, found.name) = (time, name());
        }
    };
    for (port, &time) in worst.ports.iter().enumerate() {
        let net = &costs.fabric.networks[costs.network_of(port)];
        let name = || {
            if !net.is_tree() {
                format!("{} links", net.spec.name)
            } else {
                format!("{} tier 1 up links", net.spec.name)
            }
        };
        consider(time, &name);
    }
    let (mean, first) = mean.unwrap_or_default();
    for (i, (net, &at)) in costs.fabric.networks.iter().zip(first).enumerate() {
        match &net.planes[0].shape {
            Shape::Clos(_) => {
                for tier in 1..path::tiers(net) {
                    let sharers = if net.rails > 1 && tier == 1 { n.div_ceil(net.rails) } else { n };
                    let sharers = f64::from(path::places(net, tier - 1).min(sharers));
                    let time = mean[at + 2 * tier] * sharers * 8e15 / path::uplinks(net, tier - 1).max(1.0);
                    let (slow, buffer) = slowdown(net, tier, costs.full_wire(i) as u64);
                    let free = buffer * 8e15 / net.link(tier).rate.0 as f64;
                    let time = if time > free { free + (time - free) * slow } else { time };
                    consider(time, &|| format!("{} tier {} up links", net.spec.name, tier + 1));
                }
            }
            Shape::Direct(d) => {
                // ranks that share a copy use all of its links
                let filled = f64::from(n.min(net.span)) / f64::from(net.span);
                for (i, dim) in d.dims.iter().enumerate().filter(|(_, dim)| dim.kind.size() > 1) {
                    let size = f64::from(dim.kind.size());
                    let (links, present) = match dim.kind {
                        Dimension::Full { .. } => (size - 1.0, 1.0),
                        Dimension::Line { wrap, .. } => (1.0, if wrap { 1.0 } else { (size - 1.0) / size }),
                    };
                    let rate = links * present * f64::from(d.links) * net.link(i).rate.0 as f64;
                    let bytes = mean[at + 2 * i].max(mean[at + 2 * i + 1]) * filled;
                    consider(bytes * 8e15 / rate, &|| format!("{} dimension {} links", net.spec.name, i + 1));
                }
            }
            // what paths share is looked at by `Loads` only
            Shape::Graph(_) => {}
        }
    }
    consider(worst.memory, &|| "memory".into());
    consider(worst.copy, &|| "copy channels".into());
    consider(worst.reduce, &|| "reduce channels".into());
    consider(worst.proxy, &|| "messages to NICs".into());
}
