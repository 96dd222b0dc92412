//! Double binary tree: two trees, each with half of the data, in which (almost) nobody is an inner node twice.
//!
//! **Model.** The trees are those of [`super::trees`], with rank 0 as the root for all-reduce. Lane `l` is chunk `l/2` of tree
//! `l mod 2`: chunks follow each other through the tree. All-reduce is reduce, then broadcast, of each chunk.
//!
//! Where ranks sit in nodes, all-reduce has the trees between nodes, and a chain inside each: its head is the node's place in
//! the tree, and the others hang below it one after the other. Every channel has the two trees with heads of its own, so that
//! all NICs of a node work: lane `l` is tree `l mod 2` of channel `l/2`, modulo the channels, and chunks come after that.
//!
//! **Invariant.** Both trees span all ranks, with depth at most ceil(lg p) below the root (of nodes, and the chain's length
//! on top); no rank but the root is an inner node twice in one channel, chains aside.
//!
//! **Cost** (p ranks, n bytes, L lanes): all-reduce 2L(p-1) messages, 2n(p-1) bytes, at most three steps in a lane;
//! broadcast and reduce half of that. A rank sends and receives at most n bytes each way and phase.
//! Each call O(log p); no tables.
//!
//! **Limits.** The lanes start together: how well chunks follow each other is up to the order in which ports serve lanes.
//! Broadcast and reduce know no nodes, and neither does an all-reduce over nodes of different sizes. A head sends to its parent
//! and hears from its children by the same NIC; the library can split that over two.
//!
//! **Source.** Sanders, Speck, Träff: Two-tree algorithms for full bandwidth broadcast, reduction and scan, Parallel
//! Computing 35(12), 2009. Chains below it: NCCL v2.30, `src/graph/trees.cc` and `connect.cc`.

use super::Collective;
use super::layout::{Cut, Part, add_mod, sub_mod};
use super::program::{Expect, Move, Program};
use super::trees::Trees;

/// Channels at most by default: of larger nodes, heads lie evenly apart.
const CHANNELS: u32 = 16;

/// Ranks of a node that the trees know: 1 if they know none.
pub(super) fn node(collective: Collective, levels: &[u32], ranks: u32) -> u32 {
    match levels.first() {
        Some(&size) if collective == Collective::AllReduce && size < ranks => size.max(1),
        _ => 1,
    }
}

/// The usual number of lanes: two trees per channel.
pub(super) fn lanes(node: u32) -> u32 {
    2 * node.min(CHANNELS)
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct DoubleTree {
    collective: Collective,
    /// Over ranks, or nodes of `node` ranks.
    trees: Trees,
    node: u32,
    /// Channels, of two trees each.
    channels: u32,
    all: Part,
}

/// Where a rank is in a lane: the number of its node in the tree, and its place in the node's chain, the head's 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    number: u32,
    link: u32,
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
    /// Trees over nodes of so many ranks, on so many lanes before chunking.
    pub(super) fn new(collective: Collective, root: u32, node: u32, lanes: u32, cut: &Cut) -> Self {
        let root = if collective.rooted() { root } else { 0 };
        let channels = (lanes / 2).clamp(1, node);
        let trees = Trees { places: cut.ranks() / node, root };
        DoubleTree { collective, trees, node, channels, all: cut.all() }
    }

    /// The rank of a node that is its head in a lane.
    fn head(&self, lane: u32) -> u32 {
        let channel = lane / 2 % self.channels;
        (u64::from(channel) * u64::from(self.node) / u64::from(self.channels)) as u32
    }

    /// Where a rank is in a lane.
    fn at(&self, rank: u32, lane: u32) -> At {
        let (place, local) = (rank / self.node, rank % self.node);
        At { number: self.trees.number(place, lane), link: sub_mod(local, self.head(lane), self.node) }
    }

    /// The rank that is there.
    fn rank_at(&self, at: At, lane: u32) -> u32 {
        self.trees.place(at.number, lane) * self.node + add_mod(at.link, self.head(lane), self.node)
    }

    /// The one that it sends sums to, unless it is the root.
    fn above(&self, at: At) -> At {
        match at.link {
            0 => At { number: self.trees.parent(at.number), link: 0 },
            link => At { link: link - 1, ..at },
        }
    }

    /// How many send their sums to it.
    fn below(&self, at: At) -> u32 {
        let chain = u32::from(at.link + 1 < self.node);
        chain + if at.link == 0 && self.trees.places > 1 { self.trees.children(at.number).1 } else { 0 }
    }

    /// The `i`-th of them: heads of other nodes first, because the way to them is longer.
    fn child(&self, at: At, i: u32) -> At {
        let inner = at.link == 0 && self.trees.places > 1;
        let (heads, count) = if inner { self.trees.children(at.number) } else { ([0; 2], 0) };
        match heads.get(i as usize) {
            Some(&number) if i < count => At { number, link: 0 },
            _ => At { link: at.link + 1, ..at },
        }
    }

    fn phase(&self, at: At, step: u32) -> Phase {
        let inner = self.below(at) > 0;
        let collect = inner && self.collective != Collective::Broadcast;
        let spread = inner && self.collective != Collective::Reduce;
        let root = at == At { number: 0, link: 0 };
        [(collect, Phase::Collect), (!root, Phase::Above), (spread, Phase::Spread)]
            .into_iter()
            .filter_map(|(takes_part, phase)| takes_part.then_some(phase))
            .zip(0..)
            .find_map(|(phase, number)| (number == step).then_some(phase))
            .unwrap_or(Phase::Done)
    }
}

impl Program for DoubleTree {
    fn steps(&self, rank: u32, lane: u32) -> u32 {
        let at = self.at(rank, lane);
        (0..).find(|&step| self.phase(at, step) == Phase::Done).unwrap_or(0)
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        let at = self.at(rank, lane);
        match self.phase(at, step) {
            Phase::Above => u32::from(self.collective != Collective::Broadcast),
            Phase::Spread => self.below(at),
            Phase::Collect | Phase::Done => 0,
        }
    }

    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Move {
        let at = self.at(rank, lane);
        if self.phase(at, step) == Phase::Above {
            return Move::new(self.rank_at(self.above(at), lane), 0, self.all);
        }
        let child = self.child(at, i);
        // The child hears from above once it has collected from its own children.
        let later = self.collective == Collective::AllReduce && self.below(child) > 0;
        Move::new(self.rank_at(child, lane), u32::from(later), self.all)
    }

    fn recv(&self, rank: u32, lane: u32, step: u32) -> Expect {
        let at = self.at(rank, lane);
        match self.phase(at, step) {
            Phase::Collect => Expect::reduce(self.all).each(self.below(at)),
            Phase::Above if self.collective != Collective::Reduce => Expect::copy(self.all),
            _ => Expect::NOTHING,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collective::layout::Kind;

    #[test]
    fn chains_hang_below_the_heads_of_nodes() {
        for (nodes, size, lanes) in [(2, 8, 16), (5, 3, 6), (4, 72, 32), (1, 4, 8), (7, 2, 2)] {
            let n = nodes * size;
            let cut = Cut::new(Kind::Pieces, 1 << 20, 1, n, 1, lanes).unwrap();
            let tree = DoubleTree::new(Collective::AllReduce, 0, size, lanes, &cut);
            let mut heads = vec![0; size as usize];
            for lane in 0..lanes {
                let (mut below, mut roots) = (0, 0);
                heads[tree.head(lane) as usize] += 1;
                for rank in 0..n {
                    let at = tree.at(rank, lane);
                    assert_eq!(tree.rank_at(at, lane), rank);
                    below += tree.below(at);
                    for i in 0..tree.below(at) {
                        let child = tree.child(at, i);
                        assert_eq!(tree.above(child), at);
                        // one message leaves a node per node that is not the root, and it leaves from a head
                        assert!(child.number == at.number || child.link + at.link == 0);
                    }
                    roots += u32::from(at == At { number: 0, link: 0 });
                }
                assert_eq!((below, roots), (n - 1, 1));
            }
            // every channel has two trees with a head of its own
            assert!(heads.iter().all(|&times| times == 0 || times == 2), "{heads:?}");
            assert_eq!(heads.iter().sum::<u32>(), lanes);
        }
    }
}
