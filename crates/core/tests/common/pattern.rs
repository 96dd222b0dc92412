//! One message from every rank, to the rank listed: permutations, shifts, incasts, and relays from group to group.

use supernode_core::collective::{Block, Message, Recv, Schedule, Target};

#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    to: Vec<u32>,
    bytes: Vec<u64>,
    recv: Vec<Recv>,
    /// In a relay the first so many ranks wait for nothing, and the last so many send nothing; zero if all send at once.
    relay: u32,
}

impl Pattern {
    /// Each rank sends as many bytes as `bytes` says of it.
    pub(crate) fn new(to: Vec<u32>, bytes: impl Fn(u32) -> u64) -> Self {
        let bytes: Vec<u64> = (0..to.len() as u32).map(bytes).collect();
        let mut recv = vec![Recv::default(); to.len()];
        for (&to, bytes) in to.iter().zip(&bytes) {
            let recv = &mut recv[to as usize];
            (recv.messages, recv.bytes) = (recv.messages + 1, recv.bytes + bytes);
        }
        Self { to, bytes, recv, relay: 0 }
    }

    /// Rank `i` of `ranks` sends to rank `i + shift`, all alike.
    pub(crate) fn shift(ranks: u32, shift: u32, bytes: u64) -> Self {
        Self::new((0..ranks).map(|rank| (rank + shift) % ranks).collect(), |_| bytes)
    }

    /// Each group of so many ranks sends to the next one when it has received.
    pub(crate) fn relay(ranks: u32, group: u32, bytes: u64) -> Self {
        Self { relay: group, ..Self::shift(ranks, group, bytes) }
    }

    /// Every rank waits for twice as much as it is sent.
    pub(crate) fn expecting_twice(mut self) -> Self {
        for recv in &mut self.recv {
            (recv.messages, recv.bytes) = (2 * recv.messages, 2 * recv.bytes);
        }
        self
    }
}

impl Schedule for Pattern {
    fn ranks(&self) -> u32 {
        self.to.len() as u32
    }
    fn lanes(&self) -> u32 {
        1
    }
    fn steps(&self, _: u32, _: u32) -> u32 {
        if self.relay > 0 { 2 } else { 1 }
    }
    fn sends(&self, rank: u32, _: u32, step: u32) -> u32 {
        u32::from(self.relay == 0 || step == 1 && rank + self.relay < self.ranks())
    }
    fn send(&self, rank: u32, _: u32, _: u32, _: u32) -> Message {
        let rank = rank as usize;
        Message { to: Target::Rank(self.to[rank]), bytes: self.bytes[rank], recv_step: 0 }
    }
    fn recvs(&self, rank: u32, _: u32, step: u32) -> Recv {
        if step == 1 || rank < self.relay {
            return Recv::default();
        }
        self.recv[rank as usize]
    }
    fn blocks(&self, _: u32, _: u32, _: u32, _: u32, _: &mut Vec<Block>) {}
    fn block_bytes(&self, _: Block) -> u64 {
        0
    }
}
