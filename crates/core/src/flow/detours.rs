//! Where the packets of a switch go on their way to a random other one: the first half of Valiant's routes.
//!
//! **Model.** A packet goes by the shortest way to a switch, each of those with accelerators that it can reach as likely, and from there by the
//! shortest way to its destination; at every switch its equal ports are as likely. All first halves together follow the
//! shortest paths *from* their first switch, so what they put on links is one table for each first switch; all second
//! halves follow those *to* the destination and are spread as sprayed messages are ([`super::spreading`]).
//!
//! **Invariant.** What enters a switch leaves it or ends there: shares of a [`Turn`] sum to one.
//!
//! **Cost.** O(switches x links of shortest paths) once for each first switch, two words a link between switches.
//! **Limits.** A flow over all links is costly: at most [`MOST_LINKS`] between switches.

use std::collections::BTreeMap;

use crate::control::Control;
use crate::error::Result;
use crate::fabric::graph::Graph;

/// Directed links between switches of a copy that one flow can use.
pub(super) const MOST_LINKS: u64 = 1024;

/// What happens at a switch to what has come there.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// The part whose detour ends here.
    pub(super) stop: f64,
    /// Ports that the rest leaves by, and the part of each.
    pub(super) out: Vec<(u32, f64)>,
}

/// The first halves from one switch.
#[derive(Clone, Debug)]
pub(super) struct Detours {
    /// By switch; `None` where none comes by.
    turns: Vec<Option<Turn>>,
}

impl Detours {
    /// Those from a switch.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub(super) fn from(graph: &Graph, first: u32, control: &Control) -> Result<Self> {
        // by switch: the part that ends there, and by port what leaves
        let mut loads: Vec<(f64, BTreeMap<u32, f64>)> = vec![Default::default(); graph.switches() as usize];
        let all = graph.detours(first);
        let each = 1.0 / all.len() as f64;
        for &to in all {
            control.check()?;
            let order = |at| u32::MAX - graph.apart_from(at, to).unwrap_or(0);
            let mut due = BTreeMap::from([((order(first), first), each)]);
            while let Some(((_, at), share)) = due.pop_first() {
                let load = &mut loads[(at - graph.accelerators()) as usize];
                if at == to {
                    load.0 += share;
                    continue;
                }
                let n = graph.towards(at, to).count() as f64;
                for port in graph.towards(at, to) {
                    *load.1.entry(port).or_default() += share / n;
                    if let Some((next, _)) = graph.peer(at, port) {
                        *due.entry((order(next), next)).or_default() += share / n;
                    }
                }
            }
        }
        let turn = |(stop, out): (f64, BTreeMap<u32, f64>)| {
            let all: f64 = stop + out.values().sum::<f64>();
            let out = out.into_iter().map(|(port, load)| (port, load / all)).collect();
            (all > 0.0).then_some(Turn { stop: stop / all, out })
        };
        Ok(Self { turns: loads.into_iter().map(turn).collect() })
    }

    /// What happens at a switch.
    pub(super) fn at(&self, graph: &Graph, switch: u32) -> Option<&Turn> {
        self.turns[(switch - graph.accelerators()) as usize].as_ref()
    }
}

/// Switches of a copy at which detours begin and end.
pub(super) fn starts(graph: &Graph) -> u64 {
    (0..graph.switches()).filter(|s| graph.near(graph.accelerators() + s) > 0).count() as u64
}

/// Directed links between switches of a copy.
pub(super) fn links(graph: &Graph) -> u64 {
    let switches = graph.accelerators()..graph.accelerators() + graph.switches();
    switches.map(|s| u64::from(graph.ports(s) - graph.near(s))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::graph::Edge;

    #[test]
    fn a_ring_of_four_by_hand() {
        // accelerators 0 to 3 at switches 4 to 7 in a ring
        let edge = |a, b| Edge { a, b, class: 0, count: 1 };
        let edges: Vec<Edge> = (0..4).flat_map(|i| [edge(i, 4 + i), edge(4 + i, 4 + (i + 1) % 4)]).collect();
        let graph = Graph::new(4, 4, &edges, &[1], &Control::default()).unwrap();
        let found = Detours::from(&graph, 4, &Control::default()).unwrap();
        let turns: Vec<&Turn> = (4..8).map(|s| found.at(&graph, s).unwrap()).collect();
        let by_hand: Vec<_> = turns.iter().map(|t| (t.stop, t.out.len())).collect();
        // a quarter stays; 3/8 go each way round, of which a third goes on to the far side
        let third = 0.125 / 0.375;
        assert_eq!(by_hand, [(0.25, 2), (0.25 / 0.375, 1), (1.0, 0), (0.25 / 0.375, 1)]);
        assert!(turns[0].out.iter().all(|o| o.1 == 0.375) && turns[1].out[0].1 == third);
        assert_eq!(links(&graph), 8);
    }
}
