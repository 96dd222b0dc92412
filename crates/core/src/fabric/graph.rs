//! An explicit graph of accelerators and switches, as builders of irregular shapes and imported files describe it.
//!
//! **Model.** Vertices are a copy's accelerators, then its switches; an edge is a number of parallel full-duplex links of one
//! class (rate, latency, medium). Packets take paths of fewest links; accelerators do not forward. The k-th link between
//! switches on a path uses virtual channel k - 1, which no cycle of waiting packets can close; a path longer than
//! [`CHANNELS`] stays on the last one, where a deadlock is possible, found and reported.
//!
//! **Invariant.** [`Graph::peer`] is an involution; every accelerator reaches every other. A vertex's ports to accelerators
//! come first, then those to switches, each in the order of the edges.
//!
//! **Cost.** Memory: 12 bytes a port and one byte a pair of switches. Building: a breadth-first search from 64 switches at a
//! time. A hop looks at the ports of its vertex.

use crate::rng::mix;

/// Virtual channels that a network can have.
pub const CHANNELS: u32 = 6;
/// Ways among equal paths that are taken in turn.
pub const WAYS: u32 = 1024;
/// Most switches of a copy: what a byte a pair of them allows.
pub const MAX_SWITCHES: u32 = 1 << 14;
/// No path.
const NONE: u8 = u8::MAX;

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

/// What is wrong with a graph, and what would be right.
pub type Refusal = (String, String);

/// See the module.
#[derive(Clone, Debug)]
pub struct Graph {
    accelerators: u32,
    /// First port of each vertex, and the total at the end.
    first: Vec<u32>,
    /// Vertex and port at the other end.
    peer: Vec<(u32, u32)>,
    class: Vec<u16>,
    /// Ports of each vertex that lead to accelerators.
    near: Vec<u32>,
    /// Links between switch `s` and switch `t`: `apart[t * switches + s]`.
    apart: Vec<u8>,
    /// Two accelerators with the most links between them, and how many those are.
    far: (u32, u32),
    longest: u32,
    /// Links by class.
    links: Vec<u64>,
}

impl Graph {
    /// From edges between `accelerators + switches` vertices.
    ///
    /// # Errors
    /// What is wrong with which vertex or edge.
    pub fn new(accelerators: u32, switches: u32, edges: &[Edge], classes: usize) -> Result<Self, Refusal> {
        if switches > MAX_SWITCHES {
            return Err((
                format!("{switches} switches a copy"),
                format!("at most {MAX_SWITCHES} in an explicit graph"),
            ));
        }
        let vertices = accelerators + switches;
        let mut degree = vec![[0u64; 2]; vertices as usize];
        let mut links = vec![0; classes];
        for (i, e) in edges.iter().enumerate() {
            let at = format!("edge {i} between vertices {} and {}", e.a, e.b);
            if e.a >= vertices || e.b >= vertices {
                return Err((at, format!("vertices below {vertices}: accelerators, then switches")));
            }
            if e.a == e.b {
                return Err((at, "two different ends".into()));
            }
            if e.count == 0 || usize::from(e.class) >= classes {
                let given = format!("{at} has {} links of class {}", e.count, e.class);
                return Err((given, format!("at least one link, and a class below {classes}")));
            }
            degree[e.a as usize][usize::from(e.b >= accelerators)] += u64::from(e.count);
            degree[e.b as usize][usize::from(e.a >= accelerators)] += u64::from(e.count);
            links[usize::from(e.class)] += u64::from(e.count);
        }
        if let Some(v) = degree.iter().position(|d| d[0] + d[1] >= 1 << 14) {
            return Err((
                format!("{} with {} ports", name(v as u32, accelerators), degree[v][0] + degree[v][1]),
                "fewer than 16384 ports".into(),
            ));
        }
        let mut first = vec![0u32];
        for d in &degree {
            first.push(first[first.len() - 1] + (d[0] + d[1]) as u32);
        }
        let near: Vec<u32> = degree.iter().map(|d| d[0] as u32).collect();
        let ports = first[vertices as usize] as usize;
        let mut next: Vec<[u32; 2]> = near.iter().map(|&n| [0, n]).collect();
        let (mut peer, mut class) = (vec![(0, 0); ports], vec![0; ports]);
        for e in edges {
            for _ in 0..e.count {
                let mut take = |v: u32, other: u32| {
                    let at = &mut next[v as usize][usize::from(other >= accelerators)];
                    *at += 1;
                    *at - 1
                };
                let (p, q) = (take(e.a, e.b), take(e.b, e.a));
                for (v, p, end) in [(e.a, p, (e.b, q)), (e.b, q, (e.a, p))] {
                    let slot = (first[v as usize] + p) as usize;
                    (peer[slot], class[slot]) = (end, e.class);
                }
            }
        }
        let mut graph = Self { accelerators, first, peer, class, near, apart: vec![], far: (0, 0), longest: 0, links };
        graph.apart = graph.distances();
        (graph.longest, graph.far) = graph.longest()?;
        Ok(graph)
    }

    /// Number of accelerators.
    pub fn accelerators(&self) -> u32 {
        self.accelerators
    }

    /// Number of switches.
    pub fn switches(&self) -> u32 {
        self.first.len() as u32 - 1 - self.accelerators
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

    /// Class of a port's link.
    pub fn class(&self, vertex: u32, port: u32) -> u16 {
        self.class.get((self.first[vertex as usize] + port) as usize).copied().unwrap_or(0)
    }

    /// Links by class.
    pub fn links(&self) -> &[u64] {
        &self.links
    }

    /// Most links of a path between two accelerators.
    pub fn diameter(&self) -> u32 {
        self.longest
    }

    /// Two accelerators so far apart.
    pub fn farthest(&self) -> (u32, u32) {
        self.far
    }

    /// Links of the shortest path from a vertex to an accelerator; `None` if there is none.
    pub fn hops(&self, from: u32, to: u32) -> Option<u32> {
        if from == to {
            return Some(0);
        }
        if from < self.accelerators {
            let (near, far) = self.ends(from).split_at(self.near[from as usize] as usize);
            if near.iter().any(|end| end.0 == to) {
                return Some(1);
            }
            return far.iter().filter_map(|end| self.hops(end.0, to)).min().map(|hops| hops + 1);
        }
        // the last switch of the path is one that the accelerator is plugged into
        let least = self.homes(to).iter().map(|home| self.between(from, home.0)).min().unwrap_or(NONE);
        (least < NONE).then(|| u32::from(least) + 1)
    }

    /// Equal first hops from a vertex towards an accelerator; none if it is there.
    pub fn choices(&self, from: u32, to: u32) -> u32 {
        self.nearer(from, to).count() as u32
    }

    /// Port of the `k`-th of equal first hops.
    pub fn choice(&self, from: u32, to: u32, k: u32) -> Option<u32> {
        self.nearer(from, to).nth(k as usize)
    }

    /// Port on the way that a selector takes; `None` if the packet is there.
    #[inline]
    pub fn next(&self, at: u32, to: u32, selector: u32) -> Option<u32> {
        match self.choices(at, to) {
            0 => None,
            1 => self.choice(at, to, 0),
            n => {
                // n consecutive ways take each choice once; how the next n are shifted against them depends on the
                // vertex, so that those which met in one choice part again at the next vertex
                let (way, own) = (selector % WAYS, mix(u64::from(at)) as u32);
                let shift = (own >> 16) % n * (way / n % n) + (own & 0xFFFF);
                self.choice(at, to, (way + shift) % n)
            }
        }
    }

    /// Ports that lead nearer to an accelerator.
    fn nearer(&self, from: u32, to: u32) -> impl Iterator<Item = u32> + '_ {
        let hops = self.hops(from, to).unwrap_or(0);
        let ports = if hops == 0 { 0..0 } else { 0..self.ports(from) };
        let ends = self.ends(from);
        ports.filter(move |&p| {
            let end = ends[p as usize].0;
            end == to || hops > 1 && end >= self.accelerators && self.hops(end, to) == Some(hops - 1)
        })
    }

    /// Where an accelerator is plugged into switches.
    fn homes(&self, accelerator: u32) -> &[(u32, u32)] {
        &self.ends(accelerator)[self.near[accelerator as usize] as usize..]
    }

    fn ends(&self, vertex: u32) -> &[(u32, u32)] {
        &self.peer[self.first[vertex as usize] as usize..self.first[vertex as usize + 1] as usize]
    }

    /// Links between two switches.
    fn between(&self, from: u32, to: u32) -> u8 {
        let (s, t) = (from - self.accelerators, to - self.accelerators);
        self.apart[t as usize * self.switches() as usize + s as usize]
    }

    /// Links between all pairs of switches, by breadth-first search from 64 at a time, a bit each.
    fn distances(&self) -> Vec<u8> {
        let n = self.switches() as usize;
        let mut apart = vec![NONE; n * n];
        let next_to = |s: usize| {
            let v = self.accelerators + s as u32;
            self.ends(v)[self.near[v as usize] as usize..].iter().map(|end| (end.0 - self.accelerators) as usize)
        };
        for batch in (0..n).step_by(64) {
            let mut seen = vec![0u64; n];
            let mut here = vec![0u64; n];
            for (bit, t) in (batch..n.min(batch + 64)).enumerate() {
                here[t] = 1 << bit;
            }
            let mut links = 0u8;
            while links < NONE && here.iter().any(|&h| h != 0) {
                let mut there = vec![0u64; n];
                for s in 0..n {
                    seen[s] |= here[s];
                    let mut bits = here[s];
                    while bits != 0 {
                        apart[(batch + bits.trailing_zeros() as usize) * n + s] = links;
                        bits &= bits - 1;
                    }
                }
                for s in (0..n).filter(|&s| here[s] != 0) {
                    next_to(s).for_each(|t| there[t] |= here[s] & !seen[t]);
                }
                here = there;
                links += 1;
            }
        }
        apart
    }

    /// The longest of all shortest paths between accelerators.
    fn longest(&self) -> Result<(u32, (u32, u32)), Refusal> {
        // accelerators plugged into the same switches are as far from everything
        let mut kinds = std::collections::BTreeMap::new();
        for a in 0..self.accelerators {
            let near = &self.ends(a)[..self.near[a as usize] as usize];
            let mut ends: Vec<u32> = near.iter().chain(self.homes(a)).map(|end| end.0).collect();
            ends.sort_unstable();
            ends.dedup();
            kinds.entry(ends).or_insert([a, a])[1] = a;
        }
        let some: Vec<u32> = kinds.into_values().flat_map(|[x, y]| if x == y { vec![x] } else { vec![x, y] }).collect();
        let mut longest = (0, (0, 0));
        for &x in &some {
            for &y in &some {
                let Some(hops) = self.hops(x, y) else {
                    let problem = format!("no path between accelerators {} and {}", x.min(y), x.max(y));
                    return Err((problem, "a connected graph; accelerators do not forward".into()));
                };
                if hops > longest.0 {
                    longest = (hops, (x, y));
                }
            }
        }
        Ok(longest)
    }
}

/// What to call a vertex.
fn name(vertex: u32, accelerators: u32) -> String {
    match vertex.checked_sub(accelerators) {
        None => format!("accelerator {vertex}"),
        Some(switch) => format!("switch {switch}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn edge(a: u32, b: u32, count: u32) -> Edge {
        Edge { a, b, class: 0, count }
    }

    /// Breadth-first search that passes switches only.
    fn search(graph: &Graph, from: u32, to: u32) -> Option<u32> {
        let mut seen = vec![None; graph.first.len() - 1];
        let mut queue = VecDeque::from([from]);
        seen[from as usize] = Some(0);
        while let Some(v) = queue.pop_front() {
            if v != from && v < graph.accelerators {
                continue;
            }
            for &(w, _) in graph.ends(v) {
                if seen[w as usize].is_none() {
                    seen[w as usize] = seen[v as usize].map(|hops: u32| hops + 1);
                    queue.push_back(w);
                }
            }
        }
        seen[to as usize]
    }

    proptest! {
        #[test]
        fn paths_are_shortest_and_every_choice_is_one(
            accelerators in 2u32..8, switches in 1u32..80, extra in prop::collection::vec((any::<u32>(), any::<u32>(), 1u32..3), 0..120),
            selector: u32,
        ) {
            // a chain of switches, accelerators plugged in somewhere, and whatever else
            let vertices = accelerators + switches;
            let mut edges: Vec<Edge> = (1..switches).map(|s| edge(accelerators + s - 1, accelerators + s, 1)).collect();
            edges.extend((0..accelerators).map(|a| edge(a, accelerators + (a * 7) % switches, 1)));
            edges.extend(extra.iter().map(|&(a, b, n)| edge(a % vertices, b % vertices, n)).filter(|e| e.a != e.b));
            let graph = Graph::new(accelerators, switches, &edges, 1).unwrap();
            for v in 0..vertices {
                for p in 0..graph.ports(v) {
                    let (w, q) = graph.peer(v, p).unwrap();
                    prop_assert_eq!(graph.peer(w, q), Some((v, p)));
                    prop_assert_eq!(p < graph.near(v), w < accelerators);
                }
                prop_assert_eq!(graph.peer(v, graph.ports(v)), None);
            }
            let mut longest = 0;
            for x in 0..vertices {
                for y in 0..accelerators {
                    let hops = search(&graph, x, y);
                    prop_assert_eq!(graph.hops(x, y), hops, "{} to {}", x, y);
                    longest = if x < accelerators { longest.max(hops.unwrap()) } else { longest };
                    let (mut at, mut left) = (x, hops.unwrap());
                    while let Some(port) = graph.next(at, y, selector) {
                        at = graph.peer(at, port).unwrap().0;
                        left -= 1;
                        prop_assert_eq!(graph.hops(at, y), Some(left));
                    }
                    prop_assert_eq!((at, left), (y, 0));
                    for k in 0..graph.choices(x, y) {
                        let end = graph.peer(x, graph.choice(x, y, k).unwrap()).unwrap().0;
                        prop_assert_eq!(graph.hops(end, y).unwrap() + 1, graph.hops(x, y).unwrap());
                    }
                }
            }
            prop_assert_eq!(graph.diameter(), longest);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refusal =
            |accelerators, switches, edges: &[Edge]| Graph::new(accelerators, switches, edges, 1).unwrap_err().0;
        assert_eq!(refusal(2, 1, &[edge(0, 2, 1)]), "no path between accelerators 0 and 1");
        // accelerator 1 would have to forward
        assert_eq!(refusal(3, 0, &[edge(0, 1, 1), edge(1, 2, 1)]), "no path between accelerators 0 and 2");
        assert_eq!(refusal(2, 1, &[edge(0, 3, 1)]), "edge 0 between vertices 0 and 3");
        assert_eq!(refusal(2, 1, &[edge(1, 1, 1)]), "edge 0 between vertices 1 and 1");
        assert!(refusal(2, 1, &[edge(0, 2, 0)]).contains("0 links of class 0"));
        assert_eq!(refusal(2, 1, &[edge(0, 2, 20_000), edge(1, 2, 1)]), "accelerator 0 with 20000 ports");
        assert!(refusal(2, 20_000, &[]).contains("20000 switches"));
    }

    #[test]
    fn choices_are_spread() {
        // two leaves and eight spines: each selector takes some spine, all of them are taken
        let mut edges = vec![edge(0, 2, 1), edge(1, 3, 1)];
        edges.extend((4..12).flat_map(|spine| [edge(2, spine, 1), edge(3, spine, 1)]));
        let graph = Graph::new(2, 10, &edges, 1).unwrap();
        let mut taken: Vec<u32> = (0..WAYS).map(|way| graph.next(2, 1, way).unwrap()).collect();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!((taken.len(), graph.diameter(), graph.choices(2, 1)), (8, 4, 8));
        for first in 0..20 {
            let mut some: Vec<u32> = (0..8).map(|i| graph.next(2, 1, 8 * first + i).unwrap()).collect();
            some.sort_unstable();
            some.dedup();
            assert_eq!(some.len(), 8, "eight ways in turn take eight spines");
        }
    }
}
