//! Steps of a whole workload: each instance of each operation has its own, so a step and a lane name a message in the whole run.
//!
//! **Invariant.** [`Workload::at`] and [`Workload::first_step`] are inverse. **Cost.** A search per loop around an operation.

use std::ops::Range;

use super::{Kind, Operation, Workload, common};
use crate::collective::{Block, Circle, Message, Recv, Schedule, SwitchUse};
use crate::radix::Digit;
use crate::rng::mix;

/// Where the steps of instances lie.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) first: u32,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Operation(u32),
    Loop { count: u32, span: u32, items: Vec<Item> },
}

/// An instance of an operation, and a step of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The operation.
    pub operation: u32,
    /// Its number.
    pub number: u32,
    /// A step, from the first of the instance.
    pub step: u32,
}

impl Workload {
    /// First step of an instance of an operation.
    pub(crate) fn first_step(&self, operation: u32, number: u32) -> u32 {
        self.operations[operation as usize].first_step(number)
    }

    /// The instance that a step belongs to.
    #[inline]
    pub fn at(&self, step: u32) -> Instance {
        let (mut items, mut at, mut number) = (&self.items, step, 0);
        loop {
            let item = &items[items.partition_point(|item| item.first <= at) - 1];
            at -= item.first;
            match &item.what {
                What::Operation(operation) => return Instance { operation: *operation, number, step: at },
                What::Loop { count, span, items: inner } => {
                    number = number * count + at / span;
                    (items, at) = (inner, at % span);
                }
            }
        }
    }

    /// The stream of a step.
    #[inline]
    pub fn stream_of(&self, step: u32) -> u32 {
        if self.streams == 1 { 0 } else { self.operations[self.at(step).operation as usize].stream }
    }

    /// What random choices about a message go by: the seed, and the number of its step that they know it by. Nothing that
    /// happens to an operation depends on what else there is in a run.
    pub fn label(&self, seed: u64, step: u32) -> (u64, u32) {
        let at = self.at(step);
        let key = self.operations[at.operation as usize].key;
        (mix(seed ^ mix(key ^ u64::from(at.number))), at.step)
    }

    /// The digits that are in all of these lists, and by which roles do not differ.
    pub fn shared(&self, of: impl Iterator<Item = Vec<Digit>>) -> Vec<Digit> {
        let mut digits = of.reduce(|shared, digits| common(&shared, &digits)).unwrap_or_default();
        digits.retain(|digit| !self.fixed.iter().any(|fixed| digit.overlaps(fixed)));
        digits
    }

    fn of(&self, step: u32) -> (&dyn Schedule, Instance) {
        let at = self.at(step);
        match &self.operations[at.operation as usize].kind {
            Kind::Messages { schedule, .. } => (&**schedule, at),
            // only operations with messages have steps
            Kind::Compute(_) | Kind::Delay(_) => (self, at),
        }
    }
}

impl Schedule for Workload {
    fn ranks(&self) -> u32 {
        self.ranks
    }

    fn lanes(&self) -> u32 {
        self.lanes
    }

    fn steps(&self, rank: u32, lane: u32) -> u32 {
        let last = |operation: &Operation| {
            let schedule = operation.schedule().filter(|schedule| lane < schedule.lanes())?;
            let steps = schedule.steps(rank, lane);
            (steps > 0).then(|| operation.first_step(operation.instances() - 1) + steps)
        };
        self.operations.iter().filter_map(last).max().unwrap_or(0)
    }

    fn sends(&self, rank: u32, lane: u32, step: u32) -> u32 {
        let (schedule, at) = self.of(step);
        let there = lane < schedule.lanes() && at.step < schedule.steps(rank, lane);
        if there && self.role(rank).executes[at.operation as usize] { schedule.sends(rank, lane, at.step) } else { 0 }
    }

    fn send(&self, rank: u32, lane: u32, step: u32, i: u32) -> Message {
        let (schedule, at) = self.of(step);
        let message = schedule.send(rank, lane, at.step, i);
        let first = match self.operations[at.operation as usize].kind {
            Kind::Messages { receiver: Some(receiver), .. } => self.first_step(receiver, at.number),
            _ => step - at.step,
        };
        Message { recv_step: first + message.recv_step, ..message }
    }

    fn recvs(&self, rank: u32, lane: u32, step: u32) -> Recv {
        let (schedule, at) = self.of(step);
        let there = lane < schedule.lanes() && at.step < schedule.steps(rank, lane);
        if there && self.role(rank).executes[at.operation as usize] {
            schedule.recvs(rank, lane, at.step)
        } else {
            Recv::default()
        }
    }

    fn symmetry(&self) -> Vec<Digit> {
        self.shared(self.operations.iter().filter_map(Operation::schedule).map(|schedule| schedule.symmetry()))
    }

    fn stays_within(&self, size: u32) -> bool {
        let mut schedules = self.operations.iter().filter_map(Operation::schedule);
        size >= self.ranks || schedules.all(|schedule| schedule.stays_within(size))
    }

    fn switches(&self) -> SwitchUse {
        let uses = self.operations.iter().filter_map(Operation::schedule).map(|schedule| schedule.switches());
        uses.into_iter().find(|&uses| uses != SwitchUse::Forward).unwrap_or(SwitchUse::Forward)
    }

    fn mixed(&self) -> bool {
        let mut schedules = self.operations.iter().filter_map(Operation::schedule);
        let forwards = |schedule: &dyn Schedule| schedule.switches() == SwitchUse::Forward || schedule.mixed();
        self.switches() != SwitchUse::Forward && schedules.any(forwards)
    }

    fn circle(&self, rank: u32, step: u32) -> Circle<'_> {
        let at = self.at(step);
        match &self.operations[at.operation as usize].kind {
            Kind::Messages { schedule, .. } => schedule.circle(rank, at.step),
            Kind::Compute(_) | Kind::Delay(_) => Circle::new(0, self.ranks),
        }
    }

    fn a_circle(&self) -> Option<Vec<u32>> {
        let sums = |schedule: &&dyn Schedule| schedule.switches() != SwitchUse::Forward;
        self.operations.iter().filter_map(Operation::schedule).find(sums)?.a_circle()
    }

    fn blocks(&self, rank: u32, lane: u32, step: u32, i: u32, out: &mut Vec<Block>) {
        let (schedule, at) = self.of(step);
        schedule.blocks(rank, lane, at.step, i, out);
    }

    fn block_bytes(&self, _: Block) -> u64 {
        0 // blocks of different operations are not told apart: each is checked by itself
    }

    fn alike(&self, lane: u32, step: u32) -> Range<u32> {
        let (schedule, at) = self.of(step);
        let first = step - at.step;
        let alike = schedule.alike(lane, at.step);
        first + alike.start..first.saturating_add(alike.end)
    }
}
