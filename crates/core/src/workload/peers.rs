//! Point-to-point transfers: one side sends, the other receives, each in an operation of its own.
//!
//! **Model.** A side has one step with at most one message. The place sends to, or receives from, the place that is `by` further along the
//! axis; where the axis ends there is nobody, unless it wraps around.
//!
//! **Invariant.** What [`Sends`] sends is what [`Receives`] of the opposite distance announces. **Cost.** O(1) per call.

use crate::collective::{Block, Message, Recv, Schedule, Target};
use crate::radix::Digit;

/// Who is `by` places away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    size: u32,
    by: i64,
    wrap: bool,
}

impl Line {
    fn peer(self, place: u32) -> Option<u32> {
        let (size, to) = (i64::from(self.size), i64::from(place) + self.by);
        match self.wrap {
            true => Some(to.rem_euclid(size) as u32).filter(|&peer| peer != place),
            false => (0..size).contains(&to).then_some(to as u32),
        }
    }

    fn symmetry(self) -> Vec<Digit> {
        if self.wrap { vec![Digit { stride: 1, size: self.size }] } else { vec![] }
    }
}

/// The sides that send.
#[derive(Debug)]
pub struct Sends {
    line: Line,
    bytes: u64,
}

/// The sides that receive.
#[derive(Debug)]
pub struct Receives {
    line: Line,
    bytes: u64,
}

impl Sends {
    /// Each place sends so many bytes to the one `by` further.
    pub fn new(size: u32, by: i64, wrap: bool, bytes: u64) -> Self {
        Self { line: Line { size, by, wrap }, bytes }
    }

    /// Whom a place sends to.
    pub fn peer(&self, place: u32) -> Option<u32> {
        self.line.peer(place)
    }
}

impl Receives {
    /// Each place receives so many bytes from the one `by` further.
    pub fn new(size: u32, by: i64, wrap: bool, bytes: u64) -> Self {
        Self { line: Line { size, by, wrap }, bytes }
    }

    /// Whom a place receives from.
    pub fn peer(&self, place: u32) -> Option<u32> {
        self.line.peer(place)
    }
}

impl Schedule for Sends {
    fn ranks(&self) -> u32 {
        self.line.size
    }

    fn lanes(&self) -> u32 {
        1
    }

    fn steps(&self, place: u32, _: u32) -> u32 {
        u32::from(self.line.peer(place).is_some())
    }

    fn sends(&self, place: u32, _: u32, _: u32) -> u32 {
        u32::from(self.line.peer(place).is_some())
    }

    fn send(&self, place: u32, _: u32, _: u32, _: u32) -> Message {
        Message { to: Target::Rank(self.line.peer(place).unwrap_or(place)), bytes: self.bytes, recv_step: 0 }
    }

    fn recvs(&self, _: u32, _: u32, _: u32) -> Recv {
        Recv::default()
    }

    fn symmetry(&self) -> Vec<Digit> {
        self.line.symmetry()
    }

    fn blocks(&self, place: u32, _: u32, _: u32, _: u32, out: &mut Vec<Block>) {
        out.push(place.into());
    }

    fn block_bytes(&self, _: Block) -> u64 {
        self.bytes
    }
}

impl Schedule for Receives {
    fn ranks(&self) -> u32 {
        self.line.size
    }

    fn lanes(&self) -> u32 {
        1
    }

    fn steps(&self, place: u32, _: u32) -> u32 {
        u32::from(self.line.peer(place).is_some())
    }

    fn sends(&self, _: u32, _: u32, _: u32) -> u32 {
        0
    }

    fn send(&self, place: u32, _: u32, _: u32, _: u32) -> Message {
        Message { to: Target::Rank(place), bytes: 0, recv_step: 0 }
    }

    fn recvs(&self, place: u32, _: u32, _: u32) -> Recv {
        let messages = u32::from(self.line.peer(place).is_some());
        Recv { messages, bytes: u64::from(messages) * self.bytes, reduce: false }
    }

    fn symmetry(&self) -> Vec<Digit> {
        self.line.symmetry()
    }

    fn blocks(&self, _: u32, _: u32, _: u32, _: u32, _: &mut Vec<Block>) {}

    fn block_bytes(&self, _: Block) -> u64 {
        self.bytes
    }
}
