//! A program that is given, not computed: for each rank a graph of sends, receives and computations.
//!
//! **Model.** An [`Action`] sends bytes to a rank, receives bytes from one, computes, or waits for a time. It begins when all actions of its
//! rank that it depends on have ended, or begun where the dependency says so. A send ends when its last byte has left, a receive when it has
//! begun and all of its message is there; what comes earlier is stored. Nothing else orders the actions of a rank. Computations of one
//! stream of a rank run one at a time.
//!
//! **Pairs.** The `k`-th send and the `k`-th receive of the same source, destination and tag belong together, in the order of their
//! numbers ([`pairs`]). So each message names the action that receives it, and an action's number is the step of its message in lane 0.
//!
//! **Invariants.** Every send has its receive, of the same size. All actions can be executed ([`order`]). Both are found out by
//! [`Draft::compile`], before the run.
//!
//! **Cost.** 32 bytes per action and 4 per dependency; labels as long as they are. **Limits.** [`MAX_STEPS`] actions per rank,
//! [`MAX_RANKS`] ranks, 2^32 actions and dependencies in all. No symmetry is looked for: such a run is neither folded nor skipped.

mod draft;
mod order;
mod pairs;
#[cfg(test)]
mod tests;

pub use draft::Draft;

use std::ops::Range;

use crate::collective::{Block, MAX_STEPS, Message, Recv, Schedule, Target};
use crate::units::Fs;

/// Most ranks of a program.
pub const MAX_RANKS: u32 = 1 << 22;
/// Most bytes of a message.
pub const MAX_BYTES: u64 = 1 << 50;
/// Longest computation: an hour.
pub const MAX_TIME: Fs = 3_600_000_000_000_000_000;
/// Why a run of such a program is not folded.
pub const UNFOLDED: &str = "an explicit schedule is simulated rank by rank";

/// What an action does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Act {
    /// Sends bytes.
    Send,
    /// Receives bytes and stores them.
    Receive,
    /// Receives bytes and combines them with data of the rank.
    Reduce,
    /// Computes.
    #[default]
    Compute,
    /// Waits, and occupies nothing.
    Delay,
}

impl Act {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Act::Send => "send",
            Act::Receive => "receive",
            Act::Reduce => "reduce",
            Act::Compute => "compute",
            Act::Delay => "delay",
        }
    }

    /// True if it has another rank and bytes, false if it takes a time.
    #[inline]
    pub fn moves(self) -> bool {
        !matches!(self, Act::Compute | Act::Delay)
    }

    /// True if it waits for a message.
    #[inline]
    pub fn receives(self) -> bool {
        matches!(self, Act::Receive | Act::Reduce)
    }
}

/// An action of a rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Bytes, or femtoseconds of a computation or delay.
    pub amount: u64,
    /// The other rank.
    pub peer: u32,
    /// The action of the other rank that belongs to this one; [`Draft::compile`] finds it.
    pub mate: u32,
    /// Where the actions that depend on it are listed; [`Draft::compile`] lists them.
    pub first: u32,
    /// On a rank, computations of one stream run one at a time.
    pub stream: u16,
    /// The rank's network interface in the file that it comes from; without effect.
    pub nic: u8,
    /// What it does.
    pub act: Act,
}

const _: () = assert!(size_of::<Action>() == 24);

/// An action that depends on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependent(u32);

impl Dependent {
    fn new(action: u32, on_begin: bool) -> Self {
        Self(action << 1 | u32::from(on_begin))
    }

    /// Its number in its rank.
    #[inline(always)]
    pub fn action(self) -> u32 {
        self.0 >> 1
    }

    /// True if it waits for the other one's beginning, false if for its end.
    #[inline(always)]
    pub fn on_begin(self) -> bool {
        self.0 & 1 != 0
    }
}

/// Names that a file gives its actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Labels {
    text: String,
    /// Where each ends; empty if there are none.
    ends: Vec<u32>,
}

impl Labels {
    fn get(&self, index: usize) -> &str {
        let end = |index: usize| self.ends.get(index).map_or(0, |&end| end as usize);
        let from = index.checked_sub(1).map_or(0, end);
        self.text.get(from..end(index)).unwrap_or("")
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explicit {
    /// First action of each rank, and their number.
    first: Vec<u32>,
    /// Those of one rank after those of another, and one more.
    actions: Vec<Action>,
    tags: Vec<u32>,
    dependents: Vec<Dependent>,
    labels: Labels,
    /// Whether any receive combines its data.
    reduces: bool,
}

impl Explicit {
    /// Number of actions.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Actions of a rank, as numbers among all.
    #[inline(always)]
    pub fn range(&self, rank: u32) -> Range<usize> {
        self.first[rank as usize] as usize..self.first[rank as usize + 1] as usize
    }

    /// Actions of a rank.
    #[inline(always)]
    pub fn of(&self, rank: u32) -> &[Action] {
        &self.actions[self.range(rank)]
    }

    /// An action of a rank.
    #[inline(always)]
    pub fn get(&self, rank: u32, action: u32) -> &Action {
        &self.actions[self.first[rank as usize] as usize + action as usize]
    }

    /// What depends on an action of a rank.
    #[inline(always)]
    pub fn dependents(&self, rank: u32, action: u32) -> &[Dependent] {
        let at = self.first[rank as usize] as usize + action as usize;
        &self.dependents[self.actions[at].first as usize..self.actions[at + 1].first as usize]
    }

    /// Tag of an action of a rank.
    pub fn tag(&self, rank: u32, action: u32) -> u32 {
        self.tags[self.first[rank as usize] as usize + action as usize]
    }

    /// Label of an action of a rank; empty if it has none.
    pub fn label(&self, rank: u32, action: u32) -> &str {
        self.labels.get(self.first[rank as usize] as usize + action as usize)
    }

    /// True if any receive combines its data.
    #[inline]
    pub fn reduces(&self) -> bool {
        self.reduces
    }

    /// The action whose number among those of all ranks is given.
    #[inline]
    pub fn at(&self, index: usize) -> &Action {
        &self.actions[index]
    }

    /// True if any action has a label.
    pub fn labelled(&self) -> bool {
        !self.labels.text.is_empty()
    }

    /// Payload bytes of all messages.
    pub fn bytes(&self) -> u64 {
        let sends = self.actions.iter().filter(|action| action.act == Act::Send);
        sends.fold(0, |sum, action| sum.saturating_add(action.amount))
    }

    /// An action in words, with its place.
    pub fn name(&self, rank: u32, action: u32) -> String {
        let Action { amount, peer, act, .. } = *self.get(rank, action);
        let what = match act {
            Act::Compute | Act::Delay => format!("{} {} ns", act.name(), amount as f64 / 1e6),
            Act::Send => format!("send {amount} B to rank {peer}, tag {}", self.tag(rank, action)),
            _ => format!("{} {amount} B from rank {peer}, tag {}", act.name(), self.tag(rank, action)),
        };
        let label = match self.label(rank, action) {
            "" => String::new(),
            label => format!(" {label:?}"),
        };
        format!("rank {rank}, operation {action}{label} ({what})")
    }

    /// Bytes of memory.
    pub fn state_bytes(&self) -> u64 {
        let per = size_of::<Action>() + 4;
        (self.len() * per + (self.first.len() + self.dependents.len() + self.labels.ends.len()) * 4) as u64
            + self.labels.text.len() as u64
    }
}

impl Schedule for Explicit {
    fn ranks(&self) -> u32 {
        self.first.len() as u32 - 1
    }

    fn lanes(&self) -> u32 {
        1
    }

    fn steps(&self, rank: u32, _: u32) -> u32 {
        self.range(rank).len() as u32
    }

    fn sends(&self, rank: u32, _: u32, step: u32) -> u32 {
        u32::from(self.get(rank, step).act == Act::Send)
    }

    fn send(&self, rank: u32, _: u32, step: u32, _: u32) -> Message {
        let Action { amount, peer, mate, .. } = *self.get(rank, step);
        Message { to: Target::Rank(peer), bytes: amount, recv_step: mate }
    }

    fn recvs(&self, rank: u32, _: u32, step: u32) -> Recv {
        let Action { amount, act, .. } = *self.get(rank, step);
        match act.receives() {
            true => Recv { messages: 1, bytes: amount, reduce: act == Act::Reduce },
            false => Recv::default(),
        }
    }

    fn blocks(&self, rank: u32, _: u32, step: u32, _: u32, out: &mut Vec<Block>) {
        out.push(u64::from(rank) * u64::from(MAX_STEPS) + u64::from(step));
    }

    fn block_bytes(&self, block: Block) -> u64 {
        let (rank, step) = (block / u64::from(MAX_STEPS), block % u64::from(MAX_STEPS));
        self.get(rank as u32, step as u32).amount
    }
}
