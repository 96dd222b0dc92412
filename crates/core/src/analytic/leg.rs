//! The cost of one message alone: the terms of which every prediction is made.
//!
//! **Model.** A message of b bytes is P = ceil(b / payload) packets, dealt out over the c first hops that the routing policy
//! lets it use. Alone it needs the time of its busiest first hop (ceil(P / c) packets, the last one perhaps partial), the
//! propagation of its path, one packet time for each store-and-forward switch, and the difference to the slowest link for
//! one packet. On a port that others use too it leaves its *occupancy*: its wire bytes over the rate of all the ports
//! that it may use. At the receiver the last packets arrive together and pass the memory one by one.
//!
//! **Invariant.** With one hop, no overhead and one message this is α + βb to the femtosecond's rounding.
//!
//! **Cost.** O(tiers) a message. **Limits.** Queues are not modelled here; [`super::survey`] and [`super::forward`] add
//! what shared resources cost.

use std::cmp::Reverse;

use crate::collective::{Message, Schedule, Target};
use crate::fabric::credit::slowdown;
use crate::fabric::direct::Dimension;
use crate::fabric::graph::Graph;
use crate::fabric::{Fabric, Network, Shape};
use crate::routing::aggregation::Aggregation;
use crate::routing::dimension_order;
use crate::spec::{ProtocolSpec, RoutingSpec};
use crate::survey::path;
use crate::units::BitRate;

/// Pairs of accelerators that the mean latency of detours is taken of.
const PAIRS: u64 = 64;

/// What does not change from message to message.
#[derive(Debug)]
pub struct Costs<'a> {
    /// The machine.
    pub fabric: &'a Fabric,
    /// Accelerator of each rank.
    pub placement: &'a [u32],
    /// Software costs.
    pub protocol: &'a ProtocolSpec,
    /// Where in-network operations happen.
    aggregation: Option<Aggregation>,
    /// First port class of each network, and their number at the end.
    first: Vec<usize>,
    /// By network, the mean latency of detours.
    aside: Vec<f64>,
    hbm: f64,
    copy: f64,
    reduce: f64,
    /// The part of propagation that counts where nothing takes time by its bytes, see [`Costs::bare`].
    bare: Option<f64>,
}

/// A message's cost in femtoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leg {
    /// Network that it takes.
    pub network: usize,
    /// Port class at both ends.
    pub port: usize,
    /// Which neighbour of the class it goes to, and how many the class has: all in a dimension of a full mesh, else one.
    pub neighbour: (u32, u32),
    /// Propagation, store-and-forward and slow links for one packet.
    pub latency: f64,
    /// From when it is stored until its receiver knows it.
    pub hop: f64,
    /// Time on its own first hops.
    pub alone: f64,
    /// Its share of the port class.
    pub occupancy: f64,
    /// Reads before the first packets are out, all but the first.
    pub read: f64,
    /// Bytes that arrive last, together.
    pub last: f64,
    /// Wire bytes.
    pub wire: f64,
    /// Packets times links.
    pub hops: f64,
    /// Highest tier passed (trees).
    pub meet: usize,
}

fn fs_per_byte(rate: Option<BitRate>) -> f64 {
    rate.map_or(0.0, |r| 8e15 / r.0 as f64)
}

impl<'a> Costs<'a> {
    /// Costs of a schedule on a fabric under a protocol.
    pub fn new(fabric: &'a Fabric, schedule: &dyn Schedule, placement: &'a [u32], protocol: &'a ProtocolSpec) -> Self {
        let mut first = vec![0];
        for net in &fabric.networks {
            let classes = match &net.planes[0].shape {
                Shape::Clos(_) => 1,
                Shape::Direct(d) => 2 * d.dims.len(),
                Shape::Graph(_) => 1,
            };
            first.push(first[first.len() - 1] + classes);
        }
        let device = &fabric.spec.device;
        let [hbm, copy, reduce] = [device.hbm_rate, device.copy_rate, device.reduce_rate].map(fs_per_byte);
        let aggregation = Aggregation::of(fabric, schedule, placement);
        let aside = fabric.networks.iter().map(aside).collect();
        Costs { fabric, placement, protocol, aggregation, first, aside, hbm, copy, reduce, bare: None }
    }

    /// The same where bytes cost nothing: what is left is software, and propagation if that counts.
    pub fn bare(self, propagation: bool) -> Self {
        Costs { hbm: 0.0, copy: 0.0, reduce: 0.0, bare: Some(if propagation { 1.0 } else { 0.0 }), ..self }
    }

    /// Number of port classes.
    pub fn ports(&self) -> usize {
        self.first[self.fabric.networks.len()]
    }

    /// Network of a port class.
    pub fn network_of(&self, port: usize) -> usize {
        self.first.partition_point(|&f| f <= port) - 1
    }

    /// From when a message over a network is stored until its receiver knows it.
    fn hop(&self, network: usize) -> f64 {
        self.protocol.hop(network, &self.fabric.networks[network].spec) as f64
    }

    /// Step latency of a network.
    pub fn step(&self, network: usize) -> f64 {
        self.protocol.step(network) as f64
    }

    /// Whether any network costs such a thread something.
    pub fn proxies(&self) -> bool {
        self.fabric.proxies()
    }

    /// What a rank's thread takes to hand over a message for a network.
    pub fn per_message(&self, network: usize) -> crate::units::Fs {
        self.fabric.networks[network].spec.transport.per_message_fs
    }

    /// HBM time of a number of bytes read or written.
    pub fn memory(&self, bytes: f64) -> f64 {
        bytes * self.hbm
    }

    /// Time to store or combine arriving bytes, the HBM's and the channels'.
    pub fn take(&self, bytes: f64, reduce: bool) -> f64 {
        if reduce { bytes * self.reduce.max(3.0 * self.hbm) } else { bytes * self.copy.max(self.hbm) }
    }

    /// Time of the copy or reduce channels alone.
    pub fn channel(&self, bytes: f64, reduce: bool) -> f64 {
        bytes * if reduce { self.reduce } else { self.copy }
    }

    /// Cost of a message of a rank; `None` if no network joins the two, or can sum, or they are the same.
    pub fn leg(&self, rank: u32, message: &Message) -> Option<Leg> {
        let here = self.placement[rank as usize];
        let (path, there) = match message.to {
            Target::Rank(peer) => {
                let there = self.placement[peer as usize];
                if here == there {
                    return None;
                }
                (path::between(self.fabric, here, there)?, there)
            }
            _ => {
                // up to the switch that completes it and down again; between switches many ranks share a packet
                let Aggregation { network, top: meet, .. } = self.aggregation?;
                let (wire_fs, latency_fs) = path::climb(&self.fabric.networks[network], meet);
                (path::Path { network, meet, links: 2, latency_fs, wire_fs }, here)
            }
        };
        let net = &self.fabric.networks[path.network];
        let payload = u64::from(net.spec.payload);
        let packets = message.bytes.div_ceil(payload).max(1);
        let partial = message.bytes - (packets - 1) * payload;
        let (full_wire, last_wire) = (self.wire(payload, path.network), self.wire(partial, path.network));
        let wire = (packets - 1) as f64 * full_wire + last_wire;
        let FirstHop { choices, port, per_byte, ports, neighbour, latency } = self.first_hop(path.network, here, there);

        let groups = packets.div_ceil(choices);
        let in_last = packets - (groups - 1) * choices;
        let tail = if in_last > 1 { full_wire } else { last_wire };
        let one = if packets > 1 { full_wire } else { last_wire };
        let propagation = latency.unwrap_or(path.latency_fs as f64);
        let meet = path.meet;
        if let Some(part) = self.bare {
            let (latency, hop) = (part * propagation, part * self.hop(path.network));
            return Some(Leg { network: path.network, port, latency, hop, meet, ..Leg::default() });
        }
        Some(Leg {
            network: path.network,
            port,
            neighbour,
            latency: propagation + one * self.stages(path.network, path.meet, path.links, per_byte),
            hop: self.hop(path.network),
            alone: ((groups - 1) as f64 * full_wire + tail) * per_byte,
            occupancy: wire * per_byte / ports,
            read: self.memory((packets.min(choices) - 1) as f64 * payload.min(message.bytes) as f64),
            last: (in_last - 1) as f64 * payload as f64 + partial as f64,
            wire,
            hops: packets as f64 * f64::from(path.links),
            meet,
        })
    }

    /// Bytes of a full packet on the wire.
    pub fn full_wire(&self, network: usize) -> f64 {
        self.wire(self.fabric.networks[network].spec.payload.into(), network)
    }

    /// A port's time for a run of back-to-back packets that takes `busy` at its rate.
    pub fn sustained(&self, port: usize, busy: f64) -> f64 {
        let network = self.network_of(port);
        let net = &self.fabric.networks[network];
        let tier = if net.is_direct() { (port - self.first[network]) / 2 } else { 0 };
        let (slow, buffer) = slowdown(net, tier, self.full_wire(network) as u64);
        let free = buffer * 8e15 / net.link(tier).rate.0 as f64;
        if slow > 1.0 && busy > free { free + (busy - free) * slow } else { busy }
    }

    /// Bytes of a packet on the wire.
    fn wire(&self, payload: u64, network: usize) -> f64 {
        self.protocol.wire_bytes(network, payload as u32, self.fabric.networks[network].spec.overhead).into()
    }

    /// The first hop of a message.
    fn first_hop(&self, network: usize, here: u32, there: u32) -> FirstHop {
        let net = &self.fabric.networks[network];
        let (x, y) = (here % net.span, there % net.span);
        let spray = sprays(net.spec.routing);
        match &net.planes[0].shape {
            Shape::Clos(_) => {
                let per_byte = 8e15 / net.link(0).rate.0 as f64;
                // packets take all planes in turn, whatever the policy
                let (choices, ports) = (net.ports.into(), net.ports.into());
                FirstHop { choices, port: self.first[network], per_byte, ports, neighbour: (0, 1), latency: None }
            }
            Shape::Direct(d) => {
                let port = dimension_order::next(d, x, y, 0).map_or(0, |(port, _)| port);
                let dim = d.dimension(port);
                let hop = (port - d.dims[dim].port) / d.links;
                let (minus, neighbour, neighbours) = match d.dims[dim].kind {
                    Dimension::Full { size } => (0, hop, size - 1),
                    Dimension::Line { .. } => (hop, 0, 1),
                };
                let choices = if spray { dimension_order::choices(d, x, y) } else { 1 };
                let ports = neighbours * if spray { choices.max(d.links) } else { d.links };
                let class = self.first[network] + 2 * dim + minus as usize;
                // the slowest dimension on the way sets the pace
                let passed = dimension_order::hops(d, x, y).enumerate().filter(|(_, hops)| *hops > 0);
                let rate = passed.map(|(i, _)| net.link(i).rate.0).min().unwrap_or(1);
                let per_byte = 8e15 / rate as f64;
                let neighbour = (neighbour, neighbours);
                let ports = ports.into();
                FirstHop { choices: choices.into(), port: class, per_byte, ports, neighbour, latency: None }
            }
            Shape::Graph(graph) => {
                let choices = if spray { graph.choices(x, y).max(1) } else { 1 };
                let (rate, latency) = way(net, graph, x, y, spray);
                // ports to other neighbours are others' business
                let neighbours = (graph.ports(x) / choices).max(1);
                let neighbour = (graph.choice(x, y, 0).unwrap_or(0) / choices, neighbours);
                let (per_byte, ports) = (8e15 / rate as f64, (choices * neighbours).into());
                // there and back again: by a switch that is as far from both as accelerators are on average
                let latency = match net.spec.routing.detours() {
                    true => plug(net, graph, x, y) + plug(net, graph, y, x) + 2.0 * self.aside[network],
                    false => latency,
                };
                let port = self.first[network];
                FirstHop { choices: choices.into(), port, per_byte, ports, neighbour, latency: Some(latency) }
            }
        }
    }

    /// Further packet times (in fs a byte) that store-and-forward and slower links on the path add.
    fn stages(&self, network: usize, meet: usize, links: u32, per_byte: f64) -> f64 {
        let net = &self.fabric.networks[network];
        if !net.is_tree() {
            return if net.switch(0).cut_through { 0.0 } else { f64::from(links.saturating_sub(1)) * per_byte };
        }
        let pace = |tier: usize| 8e15 / net.link(tier).rate.0 as f64;
        let slowest = (0..=meet).map(pace).fold(per_byte, f64::max) - per_byte;
        // a switch stores what comes in: on the way up from below, on the way down from above
        let up = |t: usize| {
            if net.switch(t).cut_through { 0.0 } else { pace(t) }
        };
        let down = |t: usize| {
            if net.switch(t).cut_through { 0.0 } else { pace(t + 1) }
        };
        let stored: f64 = (0..=meet).map(up).sum::<f64>() + (0..meet).map(down).sum::<f64>();
        if stored > 0.0 { stored } else { slowest }
    }
}

/// The slowest link and the latency of a way between two accelerators of a graph: of equal ports the first, or if packets use all of
/// them the one with the longest way to the next vertex.
fn way(net: &Network, graph: &Graph, x: u32, y: u32, spread: bool) -> (u64, f64) {
    let (mut at, mut rate, mut latency) = (x, u64::MAX, 0);
    let link = |at: u32, port: u32| net.link(graph.class(at, port).into());
    let first = |at: u32| graph.nearer(at, y).next();
    let longest = |at: u32| graph.nearer(at, y).max_by_key(|&port| (link(at, port).latency_fs, Reverse(port)));
    while let Some(port) = if spread { longest(at) } else { first(at) } {
        rate = rate.min(link(at, port).rate.0);
        latency += link(at, port).latency_fs + if at == x { 0 } else { net.router(at).latency_fs };
        at = graph.peer(at, port).map_or(y, |end| end.0);
    }
    (rate, latency as f64)
}

/// Latency of the first link of a way.
fn plug(net: &Network, graph: &Graph, x: u32, y: u32) -> f64 {
    graph.nearer(x, y).next().map_or(0.0, |port| net.link(graph.class(x, port).into()).latency_fs as f64)
}

/// Mean latency of a detour, without the links of its two ends: that between accelerators.
fn aside(net: &Network) -> f64 {
    let Shape::Graph(graph) = &net.planes[0].shape else {
        return 0.0;
    };
    let all = u64::from(graph.accelerators());
    if !net.spec.routing.detours() || all < 2 {
        return 0.0;
    }
    let pair = |k: u64| (k * all / PAIRS, (k * all / PAIRS + 1 + ((k * 0x9E37_79B9) >> 8) % (all - 1)) % all);
    let each = |(x, y): (u64, u64)| {
        let (x, y) = (x as u32, y as u32);
        (way(net, graph, x, y, true).1 - plug(net, graph, x, y) - plug(net, graph, y, x)).max(0.0)
    };
    (0..PAIRS).map(|k| each(pair(k))).sum::<f64>() / PAIRS as f64
}

/// What a message leaves by.
struct FirstHop {
    /// First hops that it can use.
    choices: u64,
    /// Class of its port, and hops in the class.
    port: usize,
    ports: f64,
    /// Femtoseconds a byte of one hop.
    per_byte: f64,
    neighbour: (u32, u32),
    /// Propagation, where it is not that of any path.
    latency: Option<f64>,
}

/// True if a message's packets use all first hops.
pub fn sprays(policy: RoutingSpec) -> bool {
    policy.sprays()
}
