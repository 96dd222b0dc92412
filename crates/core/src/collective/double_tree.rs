//! Double binary tree: two trees, each with half of the data, in which (almost) nobody is an inner node twice.
//!
//! **Model.** Ranks are renumbered so that the root (rank 0 for all-reduce) is 0 and the others are `1..p`. The first tree
//! is the in-order tree: a number whose lowest set bit is `b` has its children `b/2` to either side, so odd numbers are
//! leaves. The second is the same tree with the numbers shifted by one (p even) or mirrored (p odd), which turns leaves
//! into inner nodes. The root feeds the top of both. Lane `l` is chunk `l/2` of tree `l mod 2`: chunks follow each other
//! through the tree. All-reduce is reduce, then broadcast, of each chunk.
//!
//! **Invariant.** Both trees span all ranks, with depth at most ceil(lg p) below the root; no rank but
//! the root is an inner node twice.
//!
//! **Cost** (p ranks, n bytes, L lanes): all-reduce 2L(p-1) messages, 2n(p-1) bytes, at most three steps in a lane;
//! broadcast and reduce half of that. A rank sends and receives at most n bytes each way and phase.
//! Each call O(log p); no tables.
//!
//! **Limits.** The lanes start together: how well chunks follow each other is up to the order in which ports serve lanes.
//!
//! **Source.** Sanders, Speck, Träff: Two-tree algorithms for full bandwidth broadcast, reduction and scan, Parallel
//! Computing 35(12), 2009.

use super::Collective;
use super::layout::{Cut, Part, add_mod, sub_mod};
use super::program::{Expect, Move, Program};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct DoubleTree {
    collective: Collective,
    ranks: u32,
    root: u32,
    all: Part,
}

/// What a rank does in one step of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reduces what the children send.
    Collect,
    /// Sends to the parent (reduce), hears from it (broadcast), or both (all-reduce).
    Above,
    /// Sends the result to the children.
    Spread,
    /// Nothing left to do.
    Done,
}

impl DoubleTree {
    pub(super) fn new(collective: Collective, root: u32, cut: &Cut) -> Self {
        let root = if collective.rooted() { root } else { 0 };
        DoubleTree { collective, ranks: cut.ranks(), root, all: cut.all() }
    }

    /// The number of a rank in a lane's tree.
    fn number(&self, rank: u32, lane: u32) -> u32 {
        let v = sub_mod(rank, self.root, self.ranks);
        match (v, lane % 2) {
            (0, _) | (_, 0) => v,
            _ if self.ranks % 2 == 1 => self.ranks - v,
            (1, _) => self.ranks - 1,
            _ => v - 1,
        }
    }

    /// The rank that has a number in a lane's tree.
    fn rank(&self, number: u32, lane: u32) -> u32 {
        let v = match (number, lane % 2) {
            (0, _) | (_, 0) => number,
            _ if self.ranks % 2 == 1 => self.ranks - number,
            _ if number == self.ranks - 1 => 1,
            _ => number + 1,
        };
        add_mod(v, self.root, self.ranks)
    }

    /// The parent of a number other than 0: its lowest bit moves one up; it is cleared if there is no such number.
    fn parent(&self, v: u32) -> u32 {
        let low = 1 << v.trailing_zeros();
        let base = v - low;
        match base.checked_add(low).and_then(|v| v.checked_add(low)) {
            _ if base & (low << 1) != 0 => base,
            Some(up) if low << 1 != 0 && up < self.ranks => up,
            _ => base,
        }
    }

    /// The children of a number, and how many there are.
    fn children(&self, v: u32) -> ([u32; 2], u32) {
        if v == 0 {
            return ([1 << (self.ranks - 1).ilog2(), 0], 1);
        }
        let mut half = (1u32 << v.trailing_zeros()) / 2;
        if half == 0 {
            return ([0; 2], 0);
        }
        let left = v - half;
        // Where the numbers end, the right child is the top of what is left of its subtree.
        while half > 0 && half >= self.ranks - v {
            half /= 2;
        }
        if half > 0 { ([left, v + half], 2) } else { ([left, 0], 1) }
    }

    fn phase(&self, v: u32, step: u32) -> Phase {
        let inner = v.is_multiple_of(2);
        let collect = inner && self.collective != Collective::Broadcast;
        let spread = inner && self.collective != Collective::Reduce;
        [(collect, Phase::Collect), (v > 0, Phase::Above), (spread, Phase::Spread)]
            .into_iter()
            .filter_map(|(takes_part, phase)| takes_part.then_some(phase))
            .zip(0..)
            .find_map(|(phase, at)| (at == step).then_some(phase))
            .unwrap_or(Phase::Done)
    }
}

impl Program for DoubleTree {
    fn steps(&self, rank: u32, lane: u32) -> u32 {
        let v = self.number(rank, lane);
        (0..).find(|&step| self.phase(v, step) == Phase::Done).unwrap_or(0)
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        let v = self.number(rank, lane);
        match self.phase(v, step) {
            Phase::Above => u32::from(self.collective != Collective::Broadcast),
            Phase::Spread => self.children(v).1,
            Phase::Collect | Phase::Done => 0,
        }
    }

    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Move {
        let v = self.number(rank, lane);
        if self.phase(v, step) == Phase::Above {
            return Move::new(self.rank(self.parent(v), lane), 0, self.all);
        }
        let (children, _) = self.children(v);
        let child = if i == 0 { children[0] } else { children[1] };
        // The child hears from above once it has collected from its own children.
        let later = self.collective == Collective::AllReduce && child.is_multiple_of(2);
        Move::new(self.rank(child, lane), u32::from(later), self.all)
    }

    fn recv(&self, rank: u32, lane: u32, step: u32) -> Expect {
        let v = self.number(rank, lane);
        match self.phase(v, step) {
            Phase::Collect => Expect::reduce(self.all).each(self.children(v).1),
            Phase::Above if self.collective != Collective::Reduce => Expect::copy(self.all),
            _ => Expect::NOTHING,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collective::layout::{Kind, ceil_log2};

    #[test]
    fn both_trees_span_all_ranks_and_share_no_inner_node() {
        for n in 2..200 {
            let cut = Cut::new(Kind::Pieces, 1 << 20, 1, n, 1, 2).unwrap();
            let tree = DoubleTree::new(Collective::Broadcast, n / 3, &cut);
            let mut inner = vec![0; n as usize];
            for lane in 0..2 {
                for rank in 0..n {
                    let v = tree.number(rank, lane);
                    assert_eq!(tree.rank(v, lane), rank);
                    let (children, count) = tree.children(v);
                    for &child in &children[..count as usize] {
                        assert_eq!(tree.parent(child), v, "{child} of {n}");
                    }
                    inner[rank as usize] += u32::from(count > 0 && v > 0);
                    let (mut at, mut depth) = (v, 0);
                    while at != 0 {
                        (at, depth) = (tree.parent(at), depth + 1);
                    }
                    assert!(depth <= ceil_log2(n), "{v} of {n} is {depth} deep");
                }
            }
            assert!(inner.iter().filter(|&&times| times > 1).count() == 0, "{n}: {inner:?}");
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let cut = Cut::new(Kind::Pieces, 1, 1, u32::MAX, 1, 2).unwrap();
        let tree = DoubleTree::new(Collective::AllReduce, 0, &cut);
        for v in [1, 2, 1 << 31, (1 << 31) + 1, u32::MAX - 1, u32::MAX - 2] {
            let (children, count) = tree.children(v);
            for &child in &children[..count as usize] {
                assert_eq!(tree.parent(child), v);
            }
            let parent = tree.parent(v);
            assert!(tree.children(parent).0.contains(&v));
        }
    }
}
