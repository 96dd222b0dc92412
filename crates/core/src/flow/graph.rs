//! Resources of an explicit graph: its links, those together that are loaded alike.
//!
//! **Model.** Under a single-path policy every directed link is a resource and every port of an accelerator an injection queue. Under a
//! policy that spreads packets, a resource is the parallel links of a class from a vertex to the same neighbour, and a queue
//! those ports of an accelerator that are nearer to the same destinations: any message uses all of a set or queue, evenly, or
//! nothing.
//!
//! **Invariant.** Every link of every copy belongs to one set; its capacity is that of its links.
//!
//! **Cost.** Three words per port. Finding the queues of accelerators with several neighbours: O(kinds of accelerators^2 x ports),
//! where a kind are those with the same neighbours; with more than [`MOST_KINDS`] each neighbour is a queue, which is as right, but
//! makes more flows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::detours::Detours;
use super::resources::{Numbering, speed};
use crate::error::Result;
use crate::fabric::Network;
use crate::fabric::graph::Graph;
use crate::routing::router::{Router, STRAIGHT};

/// Kinds of accelerators that are compared with each other.
const MOST_KINDS: usize = 2048;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct GraphSets {
    pub(super) graph: Arc<Graph>,
    pub(super) router: Router,
    /// First resource of the links that leave accelerators, and of those that leave switches.
    first: [u32; 2],
    /// Queue of each set of an accelerator.
    queues: Vec<u32>,
    /// By slot: set, and place within it.
    of: Vec<(u32, u32)>,
    /// Links and capacity of each set.
    sets: Vec<(u32, f64)>,
    /// By switch, where detours begin.
    pub(super) detours: Vec<Option<Detours>>,
}

impl GraphSets {
    /// Finds the sets of a network and numbers those of its accelerators.
    pub(super) fn new(net: &Network, graph: &Arc<Graph>, numbers: &mut Numbering) -> Result<Self> {
        let vertices = graph.accelerators() + graph.switches();
        let spread = net.spec.routing.sprays();
        let mut found = Self {
            graph: graph.clone(),
            router: Router::Graph(graph.clone(), STRAIGHT),
            first: [0; 2],
            queues: vec![],
            of: vec![(0, 0); graph.slot(vertices, 0) as usize],
            sets: vec![],
            detours: vec![],
        };
        let mut alike = Alike::new(graph);
        for vertex in 0..vertices {
            let own = vertex < graph.accelerators();
            let queues = match spread && own {
                false => (0..graph.ports(vertex)).collect(),
                true => alike.ports(vertex),
            };
            let sets = match (spread, own) {
                (false, _) => queues.clone(),
                (true, false) => numbered(ends(graph, vertex)),
                (true, true) => numbered(queues.iter().zip(ends(graph, vertex))),
            };
            let first = found.sets.len();
            for (port, (set, queue)) in sets.into_iter().zip(queues).enumerate() {
                let set = first + set as usize;
                if set == found.sets.len() {
                    found.sets.push((0, 0.0));
                    if own {
                        found.queues.push(queue);
                    }
                }
                let (links, capacity) = &mut found.sets[set];
                found.of[graph.slot(vertex, port as u32) as usize] = (set as u32, *links);
                *links += 1;
                *capacity += speed(net.link(graph.class(vertex, port as u32).into()).rate);
            }
        }
        found.first[0] = found.number(net, false, numbers)?;
        Ok(found)
    }

    /// Numbers the sets of the switches, which many share.
    pub(super) fn number_switches(&mut self, net: &Network, numbers: &mut Numbering) -> Result<()> {
        self.first[1] = self.number(net, true, numbers)?;
        Ok(())
    }

    fn number(&self, net: &Network, switches: bool, numbers: &mut Numbering) -> Result<u32> {
        let own = self.own() as usize;
        let sets = if switches { &self.sets[own..] } else { &self.sets[..own] };
        let first = numbers.take(u64::from(net.copies) * sets.len() as u64, 0.0)?;
        let all = numbers.capacity[first as usize..].iter_mut();
        all.zip(sets.iter().cycle()).for_each(|(capacity, set)| *capacity = set.1);
        Ok(first)
    }

    /// Sets of accelerators.
    fn own(&self) -> u32 {
        self.queues.len() as u32
    }

    /// Most queues of an accelerator.
    pub(super) fn most_queues(&self) -> u32 {
        self.queues.iter().max().map_or(0, |last| last + 1)
    }

    /// Queue of a port of an accelerator.
    pub(super) fn queue(&self, accelerator: u32, port: u32) -> u32 {
        self.queues[self.of[self.graph.slot(accelerator, port) as usize].0 as usize]
    }

    /// The resource of a port, which of its links it is, and how many those are.
    pub(super) fn home(&self, copy: u32, vertex: u32, port: u32) -> (u32, u32, u32) {
        let (set, place) = self.of[self.graph.slot(vertex, port) as usize];
        let (own, all) = (self.own(), self.sets.len() as u32);
        let resource = match set.checked_sub(own) {
            None => self.first[0] + copy * own + set,
            Some(set) => self.first[1] + copy * (all - own) + set,
        };
        (resource, place, self.sets[set as usize].0)
    }
}

/// Numbers what is new in the order in which it comes.
fn numbered<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<u32> {
    let mut known = BTreeMap::new();
    keys.map(|key| {
        let next = known.len() as u32;
        *known.entry(key).or_insert(next)
    })
    .collect()
}

/// Far end and class of each port.
fn ends(graph: &Graph, vertex: u32) -> impl Iterator<Item = (u32, u16)> + '_ {
    (0..graph.ports(vertex)).map(move |p| (graph.peer(vertex, p).map_or(vertex, |end| end.0), graph.class(vertex, p)))
}

/// Which ports of accelerators are nearer to the same destinations.
struct Alike<'a> {
    graph: &'a Graph,
    /// Two destinations of each kind, as one may be the accelerator itself; none if they are too many.
    some: Option<Vec<u32>>,
    /// What was found for the same neighbours.
    known: BTreeMap<Vec<(u32, u16)>, Vec<u32>>,
}

impl<'a> Alike<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut kinds = BTreeMap::new();
        for a in 0..graph.accelerators() {
            let mut list: Vec<_> = ends(graph, a).collect();
            list.sort_unstable();
            list.dedup();
            kinds.entry(list).or_insert([a, a])[1] = a;
        }
        let some = (kinds.len() <= MOST_KINDS).then(|| {
            let mut some: Vec<u32> = kinds.into_values().flatten().collect();
            some.dedup();
            some
        });
        Self { graph, some, known: BTreeMap::new() }
    }

    /// A label for each port of an accelerator.
    fn ports(&mut self, accelerator: u32) -> Vec<u32> {
        let (graph, near) = (self.graph, self.graph.near(accelerator));
        let list: Vec<_> = ends(graph, accelerator).collect();
        let mut labels =
            numbered(list.iter().map(|&(end, class)| (class, (end < graph.accelerators()).then_some(end))));
        if list.iter().all(|end| *end == list[0]) {
            return labels;
        }
        let Some(some) = &self.some else {
            return numbered(list.into_iter());
        };
        if let Some(known) = self.known.get(&list).filter(|_| near == 0) {
            return known.clone();
        }
        let direct = list[..near as usize].iter().map(|end| end.0);
        for to in some.iter().copied().chain(direct).filter(|&to| to != accelerator) {
            let mut used = vec![false; list.len()];
            graph.nearer(accelerator, to).for_each(|port| used[port as usize] = true);
            labels = numbered(labels.into_iter().zip(used));
        }
        if near == 0 {
            self.known.insert(list, labels.clone());
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;
    use crate::fabric::graph::Edge;

    #[test]
    fn queues_are_ports_that_are_always_used_together() {
        // accelerator 0: two links to 1, two to switch 4, one each to 5 and 6. 1 is at 4 and 5; 2 at 4 and 5; 3 at 6
        let edges = [[0, 1, 2], [0, 4, 2], [0, 5, 1], [0, 6, 1], [1, 4, 1], [1, 5, 1], [2, 4, 1], [2, 5, 1], [3, 6, 1]];
        let mut edges: Vec<Edge> = edges.map(|[a, b, count]| Edge { a, b, class: 0, count }).into();
        edges.push(Edge { a: 5, b: 6, class: 0, count: 1 });
        let graph = Graph::new(4, 3, &edges, &[1], &Control::default()).unwrap();
        let mut alike = Alike::new(&graph);
        assert_eq!(alike.ports(0), [0, 0, 1, 1, 1, 2]);
        assert_eq!(alike.ports(3), [0]);
        // too many kinds to compare: by neighbour
        alike.some = None;
        assert_eq!(alike.ports(0), [0, 0, 1, 1, 2, 3]);
    }
}
