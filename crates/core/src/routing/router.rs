//! Routers of networks that are no trees: one interface to dimension order and to explicit graphs.
//!
//! **Model.** A packet carries where it still has to go: on a direct network the way left, which is the same for all pairs
//! that differ by a rotation; on a graph the accelerator. A router takes that, where it is, and a selector among equal
//! paths, and gives the output port, the virtual channel there and what is left behind it.
//!
//! On a graph whose accelerators forward the first router of a packet is where it is injected, which deals packets out to ports before
//! it sees any queue: with Valiant's routing it goes by all ports, each to a detour that this port leads to; UGAL's begins with
//! a shortest link and decides behind it.
//!
//! **Invariant.** Every step brings the packet nearer to where it goes (its detour, then its destination), but for escapes by a tree
//! ([`crate::fabric::graph`]), which end too. **Cost.** O(dimensions), or O(ports of the vertex).

use std::sync::Arc;

use super::dimension_order;
use crate::fabric::direct::Direct;
use crate::fabric::graph::{Graph, Ports, WAYS, pick};
use crate::fabric::{Network, Shape};
use crate::spec::RoutingSpec;

/// See the module.
#[derive(Clone, Debug)]
pub enum Router {
    /// Inside accelerators that form a torus, mesh or full mesh.
    Direct(Direct),
    /// The switches of a graph, and its accelerators if they forward; how packets go at their start.
    Graph(Arc<Graph>, u8),
}

/// Where a packet goes from a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Output port, among those of the network.
    pub port: u32,
    /// Virtual channel of the link behind it.
    pub channel: u32,
    /// What the packet carries from there on.
    pub left: u32,
    /// How it goes on from there.
    pub phase: u8,
    /// What it chooses among equal paths by from there on.
    pub selector: u32,
}

impl NextHop {
    /// Somewhere, to be decided.
    pub const LATER: Self = Self { port: 0, channel: 0, left: 0, phase: STRAIGHT, selector: 0 };
}

/// A packet takes a shortest way.
pub const STRAIGHT: u8 = 0;
/// It goes by its detour first ([`Graph::detour`]).
pub const DETOUR: u8 = 1;
/// Its first switch has yet to decide.
pub const OPEN: u8 = 2;

/// A packet at a vertex.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// What it carries.
    pub way: u32,
    /// Its selector.
    pub selector: u32,
    /// How it goes.
    pub phase: u8,
    /// Port and virtual channel that it came by.
    pub from: u32,
    /// See `from`.
    pub channel: u32,
}

impl Arrival {
    fn next_hop(&self, graph: &Graph, at: u32, (port, selector): (u32, u32), phase: u8) -> NextHop {
        let (port, channel) = graph.channel(at, self.way, (self.from, self.channel), port);
        let phase = if graph.escaped(channel) { STRAIGHT } else { phase };
        NextHop { port, channel, left: self.way, phase, selector }
    }

    /// Of equal ways on those without a turn, if turns count and there are any.
    fn gentle<'a>(
        &self,
        graph: &'a Graph,
        at: u32,
        ports: impl Iterator<Item = u32> + Clone + 'a,
    ) -> impl Iterator<Item = u32> + Clone + 'a {
        let from = self.from;
        let some = graph.sank(at, from) && ports.clone().any(|port| !graph.turns(at, from, port));
        ports.filter(move |&port| !some || !graph.turns(at, from, port))
    }
}

impl Router {
    /// That of a network, if it has one.
    pub fn of(net: &Network) -> Option<Self> {
        match &net.planes[0].shape {
            Shape::Clos(_) => None,
            Shape::Direct(direct) => Some(Self::Direct(direct.clone())),
            Shape::Graph(graph) => {
                let phase = match net.spec.routing {
                    RoutingSpec::Valiant => DETOUR,
                    RoutingSpec::Ugal => OPEN,
                    _ => STRAIGHT,
                };
                Some(Self::Graph(graph.clone(), phase))
            }
        }
    }

    /// How packets go at their start.
    pub fn phase(&self) -> u8 {
        match self {
            Self::Direct(_) => STRAIGHT,
            Self::Graph(_, phase) => *phase,
        }
    }

    /// Equal first hops from one accelerator of a copy to another.
    pub fn choices(&self, from: u32, to: u32) -> u32 {
        match self {
            Self::Direct(direct) => dimension_order::choices(direct, from, to),
            Self::Graph(graph, DETOUR) if graph.forwards() => graph.ports(from).max(1),
            Self::Graph(graph, _) => graph.choices(from, to).max(1),
        }
    }

    /// What a packet from one accelerator to another carries.
    pub fn way(&self, from: u32, to: u32) -> u32 {
        match self {
            Self::Direct(direct) => direct.way(from, to),
            Self::Graph(..) => to,
        }
    }

    /// The `hop`-th of equal first hops; `None` if the packet is there.
    pub fn first(&self, from: u32, way: u32, hop: u32) -> Option<NextHop> {
        match self {
            Self::Direct(direct) => direct_step(direct, from, way, dimension_order::selector(direct, way, hop)),
            Self::Graph(graph, phase) => {
                let port = match *phase == DETOUR && graph.forwards() {
                    true => (hop < graph.ports(from)).then_some(hop),
                    false => graph.choice(from, way, hop),
                };
                port.map(|port| NextHop { port, channel: 0, left: way, phase: *phase, selector: 0 })
            }
        }
    }

    /// True if a packet is at its destination.
    #[inline]
    pub fn there(&self, at: u32, way: u32) -> bool {
        match self {
            Self::Direct(direct) => direct_step(direct, at, way, 0).is_none(),
            Self::Graph(..) => at == way,
        }
    }

    /// From a vertex that a packet came to by port `from` on a channel; `None` if it is there.
    #[inline]
    pub fn step(&self, at: u32, arrival: Arrival) -> Option<NextHop> {
        let Arrival { way, selector, .. } = arrival;
        match self {
            Self::Direct(direct) => direct_step(direct, at, way, selector),
            Self::Graph(graph, _) => {
                if at == way {
                    return None;
                }
                let detour =
                    (arrival.phase == DETOUR).then(|| graph.detour(at, selector)).filter(|&switch| switch != at);
                let (table, phase) = match detour {
                    Some(switch) => (graph.table_towards(at, switch), DETOUR),
                    None => (graph.table_nearer(at, way), STRAIGHT),
                };
                let picked = match (table, detour) {
                    (Some(ports), _) if !graph.sank(at, arrival.from) => picked(ports, selector)?,
                    (Some(ports), _) => one(arrival.gentle(graph, at, ports.iter()), selector)?,
                    (_, Some(switch)) => one(arrival.gentle(graph, at, graph.towards(at, switch)), selector)?,
                    (_, None) => one(arrival.gentle(graph, at, graph.nearer(at, way)), selector)?,
                };
                Some(arrival.next_hop(graph, at, picked, phase))
            }
        }
    }

    /// The same at a switch of a graph that looks at its queues: `load` says how long a packet would wait at a port. Of equal
    /// ones the selector picks. A packet whose course is open takes the shortest way if its load times its links is no
    /// more than that of the detour (UGAL-L).
    pub fn adapt(&self, at: u32, arrival: Arrival, load: impl Fn(u32) -> u64) -> Option<NextHop> {
        let Arrival { way, selector, .. } = arrival;
        let Self::Graph(graph, _) = self else {
            return self.step(at, arrival);
        };
        let straight = || match graph.table_nearer(at, way) {
            Some(ports) => least(arrival.gentle(graph, at, ports.iter()), selector, &load),
            None => least(arrival.gentle(graph, at, graph.nearer(at, way)), selector, &load),
        };
        let detour = Some(graph.detour(at, selector)).filter(|&switch| arrival.phase != STRAIGHT && switch != at);
        let Some(switch) = detour else {
            return straight().map(|(_, picked)| arrival.next_hop(graph, at, picked, STRAIGHT));
        };
        let aside = match graph.table_towards(at, switch) {
            Some(ports) => least(arrival.gentle(graph, at, ports.iter()), selector, &load),
            None => least(arrival.gentle(graph, at, graph.towards(at, switch)), selector, &load),
        };
        if arrival.phase == OPEN {
            let (short, long) = (graph.hops(at, way)?, graph.links_to(at, switch) + graph.hops(switch, way)?);
            let (now, later) = (straight()?, aside?);
            if now.0.saturating_mul(short.into()) <= later.0.saturating_mul(long.into()) {
                return Some(arrival.next_hop(graph, at, now.1, STRAIGHT));
            }
        }
        aside.map(|(_, picked)| arrival.next_hop(graph, at, picked, DETOUR))
    }

    /// Which of equally short ways packets of a first hop take on a direct network. On a graph which of how many parallel
    /// links to the same vertex it is, as far as these are fewer than 16: half a byte each.
    pub fn order(&self, from: u32, way: u32, hop: u32) -> u8 {
        match self {
            Self::Direct(direct) => (dimension_order::selector(direct, way, hop) / direct.links) as u8,
            Self::Graph(graph, phase) => {
                let port = self.first(from, way, hop).map_or(0, |next_hop| next_hop.port);
                let twins: Vec<u32> = match *phase == DETOUR && graph.forwards() {
                    true => graph.twins(from, port, 0..graph.ports(from)).collect(),
                    false => graph.twins(from, port, graph.nearer(from, way)).collect(),
                };
                let which = twins.iter().position(|&twin| twin == port).unwrap_or(0);
                if twins.len() < 16 { (twins.len() as u8) << 4 | which as u8 } else { 1 << 4 }
            }
        }
    }

    /// The first way of those from or to a position: neighbours begin next to each other, as in D-mod-k.
    pub fn start(&self, position: u32) -> u32 {
        position
    }

    /// Selector of a packet of a message from a place, the number `group` of a share. Groups take ways in turn, `turns` of them
    /// before this one; those that leave by parallel links take one after the other. On direct networks the parallel link of its first hop, and its [order](Router::order).
    pub fn selector(&self, from: u32, hop: u32, order: u8, way: u32, turns: u32, group: u32) -> u32 {
        match self {
            Self::Direct(direct) => u32::from(order) * direct.links + hop % direct.links,
            Self::Graph(graph, phase) if *phase != STRAIGHT && graph.forwards() => {
                graph.aim(from, hop, way, *phase == DETOUR)
            }
            // the upper part is what the detour is drawn by
            Self::Graph(_, DETOUR | OPEN) => way,
            Self::Graph(..) => {
                let (twins, which) = (u32::from(order >> 4), u32::from(order & 15));
                // a whole round of parallel links before the next: it meets as many at the far end
                let way = way.wrapping_add(turns).wrapping_mul(twins).wrapping_add(which);
                way % WAYS + group % (u32::MAX / WAYS) * WAYS
            }
        }
    }
}

/// The port of a table that the selector picks, and the selector from there on.
#[inline]
fn picked(ports: Ports, selector: u32) -> Option<(u32, u32)> {
    match ports.count() {
        0 => None,
        1 => Some((ports.get(0), selector)),
        n => {
            let (digit, selector) = pick(selector, n);
            Some((ports.get(digit), selector))
        }
    }
}

/// The port that the selector picks, and the selector from there on.
#[inline]
fn one(mut ports: impl Iterator<Item = u32> + Clone, selector: u32) -> Option<(u32, u32)> {
    match ports.clone().count() as u32 {
        0 => None,
        1 => ports.next().map(|port| (port, selector)),
        n => {
            let (digit, selector) = pick(selector, n);
            ports.nth(digit as usize).map(|port| (port, selector))
        }
    }
}

/// The least load of any port, and with it the port, of equal ones the next from that which the selector picks, and the selector
/// from there on.
fn least(
    ports: impl Iterator<Item = u32> + Clone,
    selector: u32,
    load: impl Fn(u32) -> u64,
) -> Option<(u64, (u32, u32))> {
    let n = ports.clone().count() as u32;
    let (start, selector) = pick(selector, n.max(1));
    let turned = ports.zip(0..n).map(|(port, i)| (load(port), (i + n - start) % n, port));
    turned.min().map(|(load, _, port)| (load, (port, selector)))
}

#[inline]
fn direct_step(direct: &Direct, at: u32, way: u32, selector: u32) -> Option<NextHop> {
    dimension_order::step(direct, at, way, selector).map(|(port, channel, left)| NextHop {
        port,
        channel,
        left,
        phase: STRAIGHT,
        selector,
    })
}
