//! Rings: every rank sends to its successor only. With a root, a chain.
//!
//! **Model.** All-reduce is a reduce-scatter followed by an all-gather: in step `t` of the first, position `x` sends piece
//! `x-1-t` and reduces piece `x-2-t` into its own; in step `t` of the second it sends piece `x-t`, which it has just got.
//! Broadcast walks the ring from the root, reduce walks it up to the root; each lane carries one chunk, so that chunks
//! follow each other down the chain.
//!
//! **Order.** Flat: one lane, ranks in order. Ranks in nodes of `g` (`levels[0]`, more than one node): `g` lanes, one per
//! rail, data divided among them. Lane `c` enters even nodes at local index `c` and walks forward, enters odd nodes at
//! `c-1` and walks backward. So every hop between nodes joins equal local indices (one rail), save the last to the first
//! node when their number is odd, and each of the `g` hops out of a node has a rail to itself. Other numbers of lanes are
//! spread evenly over the rails. Nodes of different numbers of ranks are walked alike, with as many lanes as the smallest has
//! ranks; where an order wraps round inside a larger one, that hop changes rails.
//!
//! **Invariant.** A lane's order is a permutation of the ranks.
//!
//! **Cost** (p ranks, n bytes, L lanes): all-reduce L·2p(p-1) messages, 2n(p-1) bytes, 2(p-1) steps; all-gather and
//! reduce-scatter half of that; broadcast and reduce L(p-1) messages, n(p-1) bytes, two steps at an inner position.
//! State: a few words.
//!
//! **Limits.** One message a step and lane: no splitting of a step's piece. At most 2^21 + 1 ranks.
//!
//! **Source.** Patarasuk, Yuan: Bandwidth optimal all-reduce algorithms for clusters of workstations, JPDC 69(2), 2009.

use super::Collective;
use super::layout::{Cut, Part, add_mod, sub_mod};
use super::program::{Expect, Move, Program};
use crate::radix::Digit;
use std::ops::Range;

/// The order in which a lane visits the ranks.
#[derive(Debug)]
struct Order {
    ranks: u32,
    /// Ranks of a node; `ranks` when flat; of the smallest, if they differ.
    node: u32,
    /// First rank of each node, and the number of ranks, if nodes differ.
    starts: Vec<u32>,
    /// Number of different orders.
    rails: u32,
}

impl Order {
    /// Local index at which a lane enters even nodes.
    fn entry(&self, lane: u32) -> u32 {
        if self.node == self.ranks {
            return 0;
        }
        let rail = u64::from(lane % self.rails) * u64::from(self.node) / u64::from(self.rails);
        rail as u32 // below `node`
    }

    /// Node of a rank or position, the first of it, and how many it has.
    fn node(&self, rank: u32) -> (u32, u32, u32) {
        if self.starts.is_empty() {
            let node = rank / self.node;
            return (node, node * self.node, self.node);
        }
        let node = self.starts.partition_point(|&start| start <= rank) - 1;
        (node as u32, self.starts[node], self.starts[node + 1] - self.starts[node])
    }

    fn rank(&self, lane: u32, position: u32) -> u32 {
        let ((node, first, size), entry) = (self.node(position), self.entry(lane));
        let i = position - first;
        first + if node.is_multiple_of(2) { add_mod(entry, i, size) } else { sub_mod(entry, i + 1, size) }
    }

    fn position(&self, lane: u32, rank: u32) -> u32 {
        let ((node, first, size), entry) = (self.node(rank), self.entry(lane));
        let local = rank - first;
        first + if node.is_multiple_of(2) { sub_mod(local, entry, size) } else { sub_mod(entry, local + 1, size) }
    }
}

/// The usual number of lanes for these levels or nodes: one per rail.
pub(super) fn rails(levels: &[u32], nodes: &[u32], ranks: u32) -> u32 {
    match nodes.iter().min().or(levels.first()) {
        Some(&node) if node < ranks => node.clamp(1, super::MAX_LANES),
        _ => 1,
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Ring {
    order: Order,
    root: u32,
    collective: Collective,
    all: Part,
}

impl Ring {
    /// `rails` orders among the lanes of `cut`.
    pub(super) fn new(
        collective: Collective,
        root: u32,
        (levels, nodes): (&[u32], &[u32]),
        rails: u32,
        cut: &Cut,
    ) -> Self {
        let ranks = cut.ranks();
        let even = levels.first().copied().filter(|&node| node > 1).unwrap_or(ranks);
        let node = nodes.iter().copied().min().unwrap_or(even);
        let sum = |sum: &mut u32, &node: &u32| {
            *sum += node;
            Some(*sum)
        };
        let starts = match nodes {
            [] => vec![],
            _ => std::iter::once(0).chain(nodes.iter().scan(0, sum)).collect(),
        };
        let order = Order { ranks, node, starts, rails };
        Ring { order, root, collective, all: cut.all() }
    }

    /// Steps of a reduce-scatter or an all-gather.
    fn half(&self) -> u32 {
        self.order.ranks - 1
    }

    /// The piece that `position` sends in `step`.
    fn piece(&self, lane: u32, position: u32, step: u32) -> Part {
        let n = self.order.ranks;
        let at = match self.collective {
            Collective::AllGather => sub_mod(position, step, n),
            _ if step < self.half() => sub_mod(position, step + 1, n),
            _ => sub_mod(position, step - self.half(), n),
        };
        Part::one(self.order.rank(lane, at))
    }

    /// Distance from the head of the chain: the root for broadcast, its successor for reduce.
    fn depth(&self, rank: u32, lane: u32) -> u32 {
        let head = self.order.position(lane, self.root);
        let from = sub_mod(self.order.position(lane, rank), head, self.order.ranks);
        if self.collective == Collective::Reduce { sub_mod(from, 1, self.order.ranks) } else { from }
    }

    fn chain(&self) -> bool {
        self.collective.rooted()
    }

    fn next(&self, rank: u32, lane: u32) -> u32 {
        self.order.rank(lane, add_mod(self.order.position(lane, rank), 1, self.order.ranks))
    }
}

impl Program for Ring {
    /// Flat: all rotations. In nodes: rotations by two nodes, since even and odd ones are walked in opposite directions.
    fn symmetry(&self) -> Vec<Digit> {
        let Order { ranks, node, .. } = self.order;
        match ranks / node {
            _ if self.chain() || !self.order.starts.is_empty() => vec![],
            1 => vec![Digit { stride: 1, size: ranks }],
            nodes if nodes % 2 == 0 => vec![Digit { stride: 2 * node, size: nodes / 2 }],
            _ => vec![],
        }
    }

    fn steps(&self, rank: u32, lane: u32) -> u32 {
        if self.chain() {
            let depth = self.depth(rank, lane);
            return u32::from(depth > 0) + u32::from(depth < self.half());
        }
        if self.collective == Collective::AllReduce { 2 * self.half() } else { self.half() }
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        if self.chain() {
            // The head sends at once, the others after they have received; the tail only receives.
            let depth = self.depth(rank, lane);
            return u32::from(step == u32::from(depth > 0) && depth < self.half());
        }
        1
    }

    fn send(&self, rank: u32, lane: u32, step: u32, _: u32) -> Move {
        let next = self.next(rank, lane);
        if self.chain() {
            return Move::new(next, 0, self.all);
        }
        Move::new(next, step, self.piece(lane, self.order.position(lane, rank), step))
    }

    fn recv(&self, rank: u32, lane: u32, step: u32) -> Expect {
        if self.chain() {
            return match (step == 0 && self.depth(rank, lane) > 0, self.collective) {
                (false, _) => Expect::NOTHING,
                (true, Collective::Reduce) => Expect::reduce(self.all),
                (true, _) => Expect::copy(self.all),
            };
        }
        let before = sub_mod(self.order.position(lane, rank), 1, self.order.ranks);
        let part = self.piece(lane, before, step);
        let reduces = self.collective != Collective::AllGather && step < self.half();
        if reduces { Expect::reduce(part) } else { Expect::copy(part) }
    }

    /// Every step sends one piece to the same successor; an all-reduce reduces in its first half and stores in its second.
    fn alike(&self, _: u32, step: u32) -> Range<u32> {
        match (self.chain(), self.collective == Collective::AllReduce && step >= self.half()) {
            (true, _) => step..step.saturating_add(1),
            (false, false) => 0..self.half(),
            (false, true) => self.half()..2 * self.half(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_permutations_and_keep_to_their_rail() {
        for (node, nodes, rails) in [(4, 4, 4), (8, 3, 8), (5, 6, 5), (6, 2, 3), (3, 4, 7), (12, 1, 1)] {
            let order = Order { ranks: node * nodes, node, starts: vec![], rails };
            let mut exits = Vec::new();
            for lane in 0..rails {
                for x in 0..order.ranks {
                    assert_eq!(order.position(lane, order.rank(lane, x)), x);
                    let (a, b) = (order.rank(lane, x), order.rank(lane, (x + 1) % order.ranks));
                    if a / node != b / node {
                        exits.push(a);
                        // The hop that closes an odd number of nodes changes rails.
                        assert!(a % node == b % node || (x + 1 == order.ranks && nodes % 2 == 1));
                    }
                }
            }
            if rails <= node && nodes > 1 {
                exits.sort_unstable();
                exits.dedup();
                assert_eq!(exits.len() as u32, rails * nodes, "each lane leaves each node by a port of its own");
            }
        }
    }

    #[test]
    fn nodes_of_different_sizes_are_left_by_all_ranks_of_the_smallest() {
        // 4, 3 and 5 ranks: three lanes
        let order = Order { ranks: 12, node: 3, starts: vec![0, 4, 7, 12], rails: 3 };
        let node = |rank: u32| order.node(rank).0;
        let mut exits = Vec::new();
        for lane in 0..3 {
            for x in 0..12 {
                assert_eq!(order.position(lane, order.rank(lane, x)), x);
                let (a, b) = (order.rank(lane, x), order.rank(lane, (x + 1) % 12));
                exits.extend((node(a) != node(b)).then_some(a));
            }
        }
        exits.sort_unstable();
        exits.dedup();
        assert_eq!(exits.len(), 3 * 3);
    }
}
