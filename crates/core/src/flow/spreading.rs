//! Routes of a message through an explicit graph.
//!
//! **Model.** Under a single-path policy a message takes the path of its packets: the same router is asked. A policy that
//! spreads packets (round robin, random, least loaded) puts an even part of what comes to a vertex on each port that is
//! nearer to the destination, so a message is one flow that takes a fraction of its rate of every link on any shortest path. With
//! Valiant's detours it goes to the switches of [`super::detours`] first. Ports of an accelerator that are not always used
//! together send one branch each.
//!
//! **Time.** The last byte comes by the path with the longest latency, with detours by the longest that as many packets draw on average; the last packet's way behind the ones before it is that of
//! this path, whose links stand side by side with as many as share the message.
//!
//! **Invariant.** What comes to a vertex leaves it, in fractions and in whole bytes. **Cost.** O(ports of the vertices on shortest
//! paths) a message, with detours O(links). **Limits.** Even on average: which packets of a short message share a link is not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::GraphSets;
use super::routes::{Hop, NOWHERE, Route, Stage, whole};
use crate::fabric::Network;
use crate::fabric::graph::Graph;
use crate::routing::policy::{Path, Spread};
use crate::routing::router::{Arrival, STRAIGHT};
use crate::units::Fs;

/// Parts that shares which are no fractions of small numbers are rounded to when bytes are booked.
const PARTS: u32 = 1 << 30;

/// Different latencies kept of the paths to a vertex.
const WAYS: usize = 64;

/// The path of all packets of a message between two accelerators of a copy.
pub(super) fn path(net: &Network, sets: &GraphSets, copy: u32, x: u32, y: u32, tag: u32, seed: u64) -> Route {
    let (graph, router) = (&*sets.graph, &sets.router);
    let spread = Spread::new(net.spec.routing, router.choices(x, y), false, x, y, tag, seed);
    let way = match spread.path {
        Path::Hash(way) | Path::Tree(way) => way,
        Path::Source => router.start(x),
        Path::Destination => router.start(y),
    };
    let order = router.order(x, router.way(x, y), spread.rotation);
    let mut selector = router.selector(x, spread.rotation, order, way, 0, 0);
    let (mut route, mut at) = (Route::default(), x);
    let mut next_hop = router.first(x, router.way(x, y), spread.rotation);
    while let Some(port) = next_hop.map(|o| o.port) {
        if at == x {
            route.queue = sets.queue(x, port);
        }
        route.hops.push(whole(sets.home(copy, at, port).0));
        route.stages.push(stage(net, graph, (at, port), at == x, 1));
        route.latency = route.latency.saturating_add(latency(net, graph, (at, port), at == x));
        let Some((next, back)) = graph.peer(at, port).filter(|end| end.0 != y) else { break };
        at = next;
        let channel = next_hop.map_or(0, |o| o.channel);
        next_hop = router.step(at, Arrival { way: y, selector, phase: STRAIGHT, from: back, channel });
        selector = next_hop.map_or(selector, |o| o.selector);
    }
    route
}

/// The branches of a message whose packets spread.
pub(super) fn branches(net: &Network, sets: &GraphSets, copy: u32, x: u32, y: u32, routes: &mut Vec<Route>) {
    let graph = &*sets.graph;
    let mut queues: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    graph.nearer(x, y).for_each(|port| queues.entry(sets.queue(x, port)).or_default().push(port));
    let mut from = 0;
    for (queue, ports) in queues {
        let mut spill = Spill { net, sets, copy, y, nodes: vec![], hops: vec![], due: BTreeMap::new() };
        let mut route = spill.run(x, &ports);
        (route.queue, route.from, route.to) = (queue, from, from + ports.len() as u32);
        from = route.to;
        routes.push(route);
    }
}

/// Links on shortest paths between two accelerators, parallel ones together.
pub(super) fn width(graph: &Graph, x: u32, y: u32) -> u64 {
    let (mut seen, mut due) = (BTreeSet::from([x]), vec![x]);
    let mut count = 0;
    while let Some(at) = due.pop() {
        let next: BTreeSet<u32> = graph.nearer(at, y).filter_map(|p| graph.peer(at, p)).map(|end| end.0).collect();
        count += next.len() as u64;
        due.extend(next.into_iter().filter(|&v| seen.insert(v)));
    }
    count
}

/// A vertex with a part of the message on its way.
struct Node {
    vertex: u32,
    share: f64,
    /// Of the longest path to it, with the node before and the link from there.
    latency: Fs,
    came: Option<(u32, Stage)>,
    /// With detours: latencies of all paths to it, and the part of the message that took each.
    ways: Vec<(Fs, f64)>,
}

/// Which part of a node's bytes.
struct Part {
    from: u32,
    to: u32,
    of: u32,
    share: f64,
}

/// Order in which nodes are complete: detours of each first switch, nearest first; then whatever goes straight, farthest first.
type Key = (u32, u32, u32);

struct Spill<'a> {
    net: &'a Network,
    sets: &'a GraphSets,
    copy: u32,
    y: u32,
    nodes: Vec<Node>,
    hops: Vec<Hop>,
    due: BTreeMap<Key, u32>,
}

impl Spill<'_> {
    fn run(&mut self, x: u32, ports: &[u32]) -> Route {
        let graph = &*self.sets.graph;
        let aside = self.net.spec.routing.detours();
        let ways = if aside { vec![(0, 1.0)] } else { vec![] };
        self.nodes.push(Node { vertex: x, share: 1.0, latency: 0, came: None, ways });
        self.leave(0, ports, |spill, vertex| {
            if aside && vertex >= graph.accelerators() { (vertex, 0, vertex) } else { spill.straight(vertex) }
        });
        let mut end = 0;
        while let Some(((first, _, vertex), node)) = self.due.pop_first() {
            self.nodes[node as usize].merge();
            if first != u32::MAX {
                self.turn(first, vertex, node);
            } else if vertex == self.y {
                end = node;
            } else {
                let ports: Vec<u32> = graph.nearer(vertex, self.y).collect();
                self.leave(node, &ports, |spill, vertex| spill.straight(vertex));
            }
        }
        let all: f64 = self.nodes[end as usize].ways.iter().map(|way| way.1).sum();
        let ways = self.nodes[end as usize].ways.iter().map(|&(time, part)| (time, part / all)).collect();
        let mut route = Route { latency: self.nodes[end as usize].latency, ways, ..Route::default() };
        let mut came = self.nodes[end as usize].came;
        while let Some((before, stage)) = came {
            route.stages.push(stage);
            came = self.nodes[before as usize].came;
        }
        route.stages.reverse();
        route.hops = std::mem::take(&mut self.hops);
        route.first = route.hops.iter().take_while(|hop| hop.at == 0).count();
        route
    }

    fn straight(&self, vertex: u32) -> Key {
        (u32::MAX, u32::MAX - self.sets.graph.apart(vertex, self.y).unwrap_or(0), vertex)
    }

    /// All of a node leaves by ports, evenly.
    fn leave(&mut self, node: u32, ports: &[u32], key: impl Fn(&Self, u32) -> Key) {
        let (sets, copy, vertex) = (self.sets, self.copy, self.nodes[node as usize].vertex);
        let (graph, of) = (&*sets.graph, ports.len() as u32);
        let alike = |p: &u32, q: &u32| sets.home(copy, vertex, *p).0 == sets.home(copy, vertex, *q).0;
        let mut from = 0;
        for some in ports.chunk_by(alike) {
            let to = from + some.len() as u32;
            let share = f64::from(to - from) / f64::from(of);
            if let Some((next, _)) = graph.peer(vertex, some[0]) {
                let key = key(self, next);
                self.pass(node, some[0], to - from, Part { from, to, of, share }, key);
            }
            from = to;
        }
    }

    /// What has come to a switch on detours goes on or has come to the end of its detour.
    fn turn(&mut self, first: u32, vertex: u32, node: u32) {
        let (sets, graph) = (self.sets, &*self.sets.graph);
        let turns = sets.detours[(first - graph.accelerators()) as usize].as_ref();
        let Some(turn) = turns.and_then(|d| d.at(graph, vertex)) else {
            return;
        };
        let (mut done, mut from) = (turn.stop, 0);
        let rounded = |done: f64| (done * f64::from(PARTS)).round() as u32;
        let mut part = |done: f64, share: f64, last: bool| {
            let to = if last { PARTS } else { rounded(done).min(PARTS) };
            let part = Part { from, to, of: PARTS, share };
            from = to;
            part
        };
        if turn.stop > 0.0 {
            let stop = part(done, turn.stop, turn.out.is_empty());
            let (share, latency) = (self.nodes[node as usize].share * stop.share, self.nodes[node as usize].latency);
            let next = self.arrive(self.straight(vertex), share, latency, |spill| spill.nodes[node as usize].came);
            self.take(node, next, 0, stop.share);
            self.hops.push(Hop { at: node, next, ..stop.of(NOWHERE, share) });
        }
        for (i, &(port, share)) in turn.out.iter().enumerate() {
            done += share;
            let part = part(done, share, i + 1 == turn.out.len());
            if let Some((next, _)) = graph.peer(vertex, port) {
                self.pass(node, port, 1, part, (first, graph.apart_from(first, next).unwrap_or(0), next));
            }
        }
    }

    /// A part of a node goes over so many links like that of a port.
    fn pass(&mut self, at: u32, port: u32, links: u32, part: Part, key: Key) {
        let (graph, Node { vertex, share, latency: before, .. }) = (&*self.sets.graph, &self.nodes[at as usize]);
        let weight = share * part.share;
        let width = (f64::from(links) / weight).round().max(1.0) as u32;
        // the first node is the sender
        let stage = stage(self.net, graph, (*vertex, port), at == 0, width);
        let more = latency(self.net, graph, (*vertex, port), at == 0);
        let latency = before.saturating_add(more);
        let resource = self.sets.home(self.copy, *vertex, port).0;
        let next = self.arrive(key, weight, latency, |_| Some((at, stage)));
        self.take(at, next, more, part.share);
        self.hops.push(Hop { at, next, ..part.of(resource, weight) });
    }

    /// The node of a key, with a part of the message more.
    fn arrive(&mut self, key: Key, share: f64, latency: Fs, came: impl Fn(&Self) -> Option<(u32, Stage)>) -> u32 {
        let came = came(self);
        let id = *self.due.entry(key).or_insert_with(|| {
            self.nodes.push(Node { vertex: key.2, share: 0.0, latency: 0, came: None, ways: vec![] });
            self.nodes.len() as u32 - 1
        });
        let node = &mut self.nodes[id as usize];
        node.share += share;
        if node.came.is_none() || latency > node.latency {
            (node.latency, node.came) = (latency, came);
        }
        id
    }
}

impl Spill<'_> {
    /// A part of the paths to one node go on to another.
    fn take(&mut self, from: u32, to: u32, latency: Fs, share: f64) {
        let ways = std::mem::take(&mut self.nodes[from as usize].ways);
        let further = ways.iter().map(|&(time, part)| (time.saturating_add(latency), part * share));
        self.nodes[to as usize].ways.extend(further);
        self.nodes[from as usize].ways = ways;
    }
}

impl Node {
    /// Puts the latencies of paths in order, at most [`WAYS`] of them: neighbours count as the longer one.
    fn merge(&mut self) {
        self.ways.sort_unstable_by_key(|way| way.0);
        self.ways.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        let some = self.ways.len().div_ceil(WAYS);
        if some > 1 {
            let merged = self.ways.chunks(some).map(|c| (c[c.len() - 1].0, c.iter().map(|way| way.1).sum()));
            self.ways = merged.collect();
        }
    }
}

impl Part {
    fn of(self, resource: u32, weight: f64) -> Hop {
        Hop { from: self.from, to: self.to, of: self.of, weight, ..whole(resource) }
    }
}

/// A link and the router before it, unless that is the sender's own.
fn latency(net: &Network, graph: &Graph, (vertex, port): (u32, u32), first: bool) -> Fs {
    let wire = net.link(graph.class(vertex, port).into()).latency_fs;
    wire.saturating_add(if first { 0 } else { net.router(vertex).latency_fs })
}

fn stage(net: &Network, graph: &Graph, (vertex, port): (u32, u32), first: bool, width: u32) -> Stage {
    let cut_through = first || net.router(vertex).cut_through;
    Stage { rate: net.link(graph.class(vertex, port).into()).rate, width, cut_through }
}
