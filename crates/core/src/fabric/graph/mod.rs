//! An explicit graph of accelerators and switches, as builders of irregular shapes and imported files describe it.
//!
//! **Model.** Vertices are a copy's accelerators, then its switches; an edge is a number of parallel full-duplex links of one
//! class (rate, latency, medium, weight). Packets take paths of least weight, which is that of fewest links unless classes
//! weigh differently (a dragonfly's global links, of which a path should have one). Who *forwards*: the switches, and in a
//! [`Graph::forwarding`] graph the accelerators, each a router with a rank. The k-th link between those who forward uses
//! virtual channel k - 1, which no cycle of waiting packets can close; longer paths than there are [`CHANNELS`] for
//! change channel at some turns only ([`turns`]).
//!
//! **Invariant.** [`Graph::peer`] is an involution; every accelerator reaches every other. A vertex's ports to accelerators
//! come first, then those to switches, each in the order of the edges.
//!
//! **Cost.** Memory: 12 bytes per port and one byte per pair of those who forward, two if links weigh differently; from a
//! run on, two more per pair of one who forwards and one with accelerators ([`next_hop`]). Building: a breadth-first search from 64
//! switches at a time. A hop looks into a table, or at the ports of its vertex where that would be too large.

mod build;
mod distance;
mod next_hop;
mod turns;

use crate::control::Control;
use crate::error::Error;
use crate::rng::mix;
use distance::Metric;
use next_hop::NextHop;
pub use next_hop::Ports;
use std::sync::OnceLock;
use turns::Turns;

/// Virtual channels that a network can have.
pub const CHANNELS: u32 = 6;
/// Ways among equal paths that are taken in turn.
pub const WAYS: u32 = 1024;
/// Most vertices of a copy that forward: what a byte per pair of them allows.
pub const MAX_SWITCHES: u32 = 1 << 14;
/// Heaviest link.
pub const MAX_WEIGHT: u8 = 15;
/// Draws of a detour that leads by a certain port.
const DRAWS: u64 = 16;
/// No path.
const NONE: u8 = u8::MAX;
/// No switch.
const NOWHERE: u32 = u32::MAX;

/// So many parallel links of a class between two vertices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// One end.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// Class of its links.
    pub class: u16,
    /// Parallel links.
    pub count: u32,
}

/// Why there is no graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What is wrong with it, and what would be right.
    Wrong(String, String),
    /// The graph may be right, but building it was stopped or took too much memory.
    Failed(Error),
}

impl From<(String, String)> for Refusal {
    fn from((problem, expected): (String, String)) -> Self {
        Refusal::Wrong(problem, expected)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Failed(error)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Graph {
    accelerators: u32,
    /// First vertex that forwards: the first switch, or the first accelerator.
    base: u32,
    /// First port of each vertex, and the total at the end.
    first: Vec<u32>,
    /// Vertex and port at the other end.
    peer: Vec<(u32, u32)>,
    class: Vec<u16>,
    /// Ports of each vertex that lead to accelerators.
    near: Vec<u32>,
    /// Switches that accelerators are plugged into; the accelerators, if they forward.
    homes: Vec<u32>,
    /// The same by which of them reach each other, and which of these every vertex that forwards is of.
    planes: Vec<Vec<u32>>,
    plane: Vec<u32>,
    /// The one switch that an accelerator is plugged into by links of one class, or [`NOWHERE`]; itself, if it forwards.
    home: Vec<u32>,
    links_apart: Metric,
    /// What paths are chosen by, if not by their links.
    weight_apart: Option<Metric>,
    /// Two accelerators with the most links between them, and how many those are.
    far: (u32, u32),
    longest: u32,
    /// Links by class.
    links: Vec<u64>,
    /// How long paths change channel, if not at every link.
    turns: Option<Turns>,
    channels: u32,
    /// Next hops, once a run has been prepared; none if there are too many.
    next_hop: OnceLock<Option<NextHop>>,
}

impl Graph {
    /// From edges between `accelerators + switches` vertices, of as many classes as there are `weights`.
    ///
    /// # Errors
    /// What is wrong with which vertex or edge; those of [`Control::check`].
    pub fn new(
        accelerators: u32,
        switches: u32,
        edges: &[Edge],
        weights: &[u8],
        control: &Control,
    ) -> Result<Self, Refusal> {
        Self::build((accelerators, switches), edges, weights, accelerators, control)
    }

    /// The same, but accelerators pass on packets of others.
    ///
    /// # Errors
    /// As [`Graph::new`].
    pub fn forwarding(
        accelerators: u32,
        switches: u32,
        edges: &[Edge],
        weights: &[u8],
        control: &Control,
    ) -> Result<Self, Refusal> {
        Self::build((accelerators, switches), edges, weights, 0, control)
    }

    /// Number of accelerators.
    pub fn accelerators(&self) -> u32 {
        self.accelerators
    }

    /// Number of switches.
    pub fn switches(&self) -> u32 {
        self.first.len() as u32 - 1 - self.accelerators
    }

    /// True if accelerators forward.
    pub fn forwards(&self) -> bool {
        self.base == 0
    }

    /// Virtual channels: one until [`Graph::arrange`] says how many paths need.
    pub fn channels(&self) -> u32 {
        self.channels
    }

    /// Number of ports of a vertex.
    pub fn ports(&self, vertex: u32) -> u32 {
        self.first[vertex as usize + 1] - self.first[vertex as usize]
    }

    /// Most ports of any accelerator.
    pub fn accelerator_ports(&self) -> u32 {
        (0..self.accelerators).map(|a| self.ports(a)).max().unwrap_or(0)
    }

    /// Most ports of any switch.
    pub fn radix(&self) -> u32 {
        (self.accelerators..self.first.len() as u32 - 1).map(|s| self.ports(s)).max().unwrap_or(0)
    }

    /// Ports of a vertex that lead to accelerators: its first ones.
    pub fn near(&self, vertex: u32) -> u32 {
        self.near[vertex as usize]
    }

    /// Vertex and port at the other end of a port, if the vertex has it.
    pub fn peer(&self, vertex: u32, port: u32) -> Option<(u32, u32)> {
        (port < self.ports(vertex)).then(|| self.peer[(self.first[vertex as usize] + port) as usize])
    }

    /// Index of a port among all ports of all vertices.
    pub fn slot(&self, vertex: u32, port: u32) -> u32 {
        self.first[vertex as usize] + port
    }

    /// Class of a port's link.
    pub fn class(&self, vertex: u32, port: u32) -> u16 {
        self.class.get((self.first[vertex as usize] + port) as usize).copied().unwrap_or(0)
    }

    /// Links by class.
    pub fn links(&self) -> &[u64] {
        &self.links
    }

    /// Most links of a path between two accelerators; where links weigh differently, the largest weight of one, which is
    /// no less.
    pub fn diameter(&self) -> u32 {
        self.longest
    }

    /// Two accelerators so far apart.
    pub fn farthest(&self) -> (u32, u32) {
        self.far
    }

    /// Least links of any path from a vertex to an accelerator; `None` if there is none.
    pub fn hops(&self, from: u32, to: u32) -> Option<u32> {
        self.far(&self.links_apart, from, to)
    }

    /// What paths are chosen by.
    fn metric(&self) -> &Metric {
        self.weight_apart.as_ref().unwrap_or(&self.links_apart)
    }

    /// Equal first hops from a vertex towards an accelerator; none if it is there.
    pub fn choices(&self, from: u32, to: u32) -> u32 {
        self.nearer(from, to).count() as u32
    }

    /// Port of the `k`-th of equal first hops.
    pub fn choice(&self, from: u32, to: u32, k: u32) -> Option<u32> {
        self.nearer(from, to).nth(k as usize)
    }

    /// The switch by which a packet with this selector makes its detour, wherever it is on the way; if accelerators forward the
    /// vertex that [`Graph::aim`] put there.
    pub fn detour(&self, at: u32, selector: u32) -> u32 {
        match self.forwards() {
            true => selector / WAYS % (self.first.len() as u32 - 1),
            false => {
                let some = self.detours(at);
                some[one_of(u64::from(selector / WAYS), some.len())]
            }
        }
    }

    /// Selector of a packet that leaves an accelerator, which forwards, by a port, and whose detour is by a vertex drawn with
    /// this `way`: if `aside`, one to which the port leads by a shortest path. Few draws find none; then the neighbour is it.
    pub fn aim(&self, from: u32, port: u32, way: u32, aside: bool) -> u32 {
        let metric = self.metric();
        let next = self.ends(from)[port as usize].0;
        let weight = metric.weights[usize::from(self.class(from, port))];
        let on_the_way = |&v: &u32| {
            !aside || self.between(metric, next, v).checked_add(weight) == Some(self.between(metric, from, v))
        };
        let draw = |i: u64| self.homes[one_of(u64::from(way) | i << 32, self.homes.len())];
        way % WAYS + WAYS * (0..DRAWS).map(draw).find(on_the_way).unwrap_or(next)
    }

    /// Those of some ports of a vertex that lead where this one does.
    pub fn twins(&self, from: u32, port: u32, ports: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
        let ends = self.ends(from);
        ports.filter(move |&other| ends[other as usize].0 == ends[port as usize].0)
    }

    /// Those by which detours from a vertex that forwards lead: planes of switches may not meet but in accelerators.
    pub fn detours(&self, at: u32) -> &[u32] {
        &self.planes[self.plane[(at - self.base) as usize] as usize]
    }

    /// How far an accelerator is from a vertex, by what paths are chosen by; `None` if there is no path.
    pub fn apart(&self, from: u32, to: u32) -> Option<u32> {
        self.far(self.metric(), from, to)
    }

    /// The same from one that forwards to another one.
    pub fn apart_from(&self, at: u32, switch: u32) -> Option<u32> {
        Some(self.between(self.metric(), at, switch)).filter(|&far| far < NONE).map(u32::from)
    }

    /// Links from one vertex that forwards to another.
    pub fn links_to(&self, at: u32, other: u32) -> u32 {
        self.between(&self.links_apart, at, other).into()
    }

    /// Ports that lead nearer to another vertex that forwards.
    pub fn towards(&self, at: u32, switch: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        let metric = self.metric();
        let left = self.between(metric, at, switch);
        let ends = self.ends(at);
        self.through(at).filter(move |&p| {
            let weight = metric.weights[usize::from(self.class(at, p))];
            self.between(metric, ends[p as usize].0, switch).checked_add(weight) == Some(left)
        })
    }

    /// Ports that lead nearer to an accelerator; none if it is there.
    pub fn nearer(&self, from: u32, to: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        let metric = self.metric();
        let home = self.home[to as usize];
        // from a switch to an accelerator with one home, which is nearly always, one row of the table says it all
        let row = (from >= self.base && home != NOWHERE).then(|| metric.row(self, home));
        let (left, apart) = match row {
            Some(row) => (u32::from(from != to), row[(from - self.base) as usize]),
            None => (self.far(metric, from, to).unwrap_or(0), 0),
        };
        let ports = if left == 0 { 0..0 } else { 0..self.ports(from) };
        let (ends, first) = (self.ends(from), self.first[from as usize] as usize);
        ports.filter(move |&p| {
            let end = ends[p as usize].0;
            let weight = metric.weights[usize::from(self.class[first + p as usize])];
            match (end.checked_sub(self.base), row) {
                (None, Some(_)) => end == to,
                (Some(switch), Some(row)) => row[switch as usize].checked_add(weight) == Some(apart),
                (None, None) => end == to && u32::from(weight) == left,
                (Some(_), None) => self.far(metric, end, to).map(|far| far + u32::from(weight)) == Some(left),
            }
        })
    }

    /// Where an accelerator is plugged into switches.
    fn homes(&self, accelerator: u32) -> &[(u32, u32)] {
        &self.ends(accelerator)[self.near[accelerator as usize] as usize..]
    }

    /// Ports that lead to vertices that forward.
    fn through(&self, vertex: u32) -> std::ops::Range<u32> {
        let first = if self.forwards() { 0 } else { self.near(vertex) };
        first..self.ports(vertex)
    }

    #[inline]
    fn ends(&self, vertex: u32) -> &[(u32, u32)] {
        &self.peer[self.first[vertex as usize] as usize..self.first[vertex as usize + 1] as usize]
    }
}

/// Which of `n` choices (at least one) a selector takes, and the selector that the next vertex sees: its way without the digit that was
/// read here, which becomes the highest one. So those who met in one choice part again at the next, and where vertices have
/// as many choices as in a tree, these are the digits of D-mod-k.
#[inline]
pub fn pick(selector: u32, n: u32) -> (u32, u32) {
    let (way, rounds) = (selector % WAYS, WAYS / n);
    let (digit, rest) = (way % n, way / n);
    // what is beyond the last whole round stays, so that no two ways become one
    let left = if rest < rounds { digit * rounds + rest } else { way };
    (digit, selector - way + left)
}

/// Which of so many things a number draws.
fn one_of(number: u64, count: usize) -> usize {
    (((mix(number) >> 32) * count as u64) >> 32) as usize
}

#[cfg(test)]
mod tests;
