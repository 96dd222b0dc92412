//! A schedule whose parts are taken in the order of the machine, whatever the numbers of the ranks.
//!
//! **Model.** Algorithms number their parts so that neighbours lie next to each other. Where ranks sit on accelerators in another
//! order, the rank on the first accelerator takes the first part, as a library does that looks at the machine before it
//! builds its rings. What a rank begins and ends with stays its own: blocks change their owner along with it.
//!
//! **Invariant.** A renaming of the ranks of a schedule that does what its collective asks for does so, too. **Cost.** 8 bytes a
//! rank. **Limits.** No symmetry is declared: such runs are not folded.

use super::{Block, Circle, Collective, Message, Recv, Schedule, SwitchUse, Target};
use std::ops::Range;

/// See the module.
#[derive(Debug)]
pub struct Placed {
    inner: Box<dyn Schedule>,
    collective: Collective,
    /// The part that each rank takes, and the rank of each part.
    part: Vec<u32>,
    rank: Vec<u32>,
}

impl Placed {
    /// Rank `order[i]` takes part `i`.
    pub fn new(inner: Box<dyn Schedule>, collective: Collective, order: Vec<u32>) -> Self {
        Self { inner, collective, part: inverse(&order), rank: order }
    }

    /// A block with its owners renamed.
    fn renamed(&self, block: Block, names: &[u32]) -> Block {
        let (n, lanes) = (u64::from(self.inner.ranks()), u64::from(self.inner.lanes()));
        let (owner, lane) = (block / lanes, block % lanes);
        let name = |rank: u64| names.get(rank as usize).map_or(rank, |&name| u64::from(name));
        let owner = match self.collective {
            Collective::AllReduce | Collective::Broadcast | Collective::Reduce => owner,
            Collective::AllToAll => name(owner / n) * n + name(owner % n),
            _ => name(owner),
        };
        owner * lanes + lane
    }
}

/// Where each number stands in a permutation.
pub fn inverse(order: &[u32]) -> Vec<u32> {
    let mut place = vec![0; order.len()];
    (0u32..).zip(order).for_each(|(i, &rank)| place[rank as usize] = i);
    place
}

impl Schedule for Placed {
    fn ranks(&self) -> u32 {
        self.inner.ranks()
    }

    fn lanes(&self) -> u32 {
        self.inner.lanes()
    }

    fn steps(&self, rank: u32, lane: u32) -> u32 {
        self.inner.steps(self.part[rank as usize], lane)
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        self.inner.sends(self.part[rank as usize], lane, step)
    }

    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Message {
        let message = self.inner.send(self.part[rank as usize], lane, step, i);
        let to = match message.to {
            Target::Rank(part) => Target::Rank(self.rank[part as usize]),
            Target::SwitchReduce { root } => Target::SwitchReduce { root: self.rank[root as usize] },
            other => other,
        };
        Message { to, ..message }
    }

    fn recvs(&self, rank: u32, lane: u32, step: u32) -> Recv {
        self.inner.recvs(self.part[rank as usize], lane, step)
    }

    fn switches(&self) -> SwitchUse {
        self.inner.switches()
    }

    fn mixed(&self) -> bool {
        self.inner.mixed()
    }

    fn circle(&self, rank: u32, step: u32) -> Circle<'_> {
        self.inner.circle(self.part[rank as usize], step).ordered(&self.rank)
    }

    fn a_circle(&self) -> Option<Vec<u32>> {
        let parts = self.inner.a_circle()?;
        Some(parts.into_iter().map(|part| self.rank[part as usize]).collect())
    }

    fn blocks(&self, rank: u32, lane: u32, step: u32, i: u32, out: &mut Vec<Block>) {
        let first = out.len();
        self.inner.blocks(self.part[rank as usize], lane, step, i, out);
        out[first..].iter_mut().for_each(|block| *block = self.renamed(*block, &self.rank));
    }

    fn block_bytes(&self, block: Block) -> u64 {
        self.inner.block_bytes(self.renamed(block, &self.part))
    }

    fn alike(&self, lane: u32, step: u32) -> Range<u32> {
        self.inner.alike(lane, step)
    }
}
