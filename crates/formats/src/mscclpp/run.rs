//! The execution of a plan: threadblocks go on until they wait, and what they do is noted as operations of a program.
//!
//! **Model.** A threadblock does one operation after the other. It is taken up again when what it waits for is there: signals, packets, other
//! threadblocks at a barrier, or a semaphore. **Invariant.** The order is that of a queue, and the same in every run.

use std::collections::{BTreeMap, VecDeque};

use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::Explicit;

use super::bytes::{Bytes, Piece, Value};
use super::items::{Items, Origin, Wait};
use super::kinds::{KINDS, ORDER, SWITCH};
use super::plan::{self, Block, End, Op, Plan};
use super::sync::{Released, Signals};
use crate::claim::{Buffer, Claim, Goal};

/// Operations between two looks at whether reading was stopped.
const POLL: u64 = 1 << 10;
/// Most steps and operations of a program beyond those that a plan has words for: pipelines repeat what they have.
const MORE: u64 = 1 << 19;
/// Most operations of a program for what one word of a plan refers to.
const EACH: u64 = 8;
/// Most contributions that sums list in all.
const MOST: u64 = 1 << 27;

/// The part of its bytes that an operation in a pipeline moves: where it begins, and its size.
pub(super) type Part = Option<(u64, u64)>;

/// Where a threadblock is, and what it has to wait for before it goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    pub(super) op: usize,
    /// Of a pipeline: how often it was gone through, and the operation in it.
    round: u64,
    inner: usize,
    /// What has to be done before the next operation.
    pub(super) last: Vec<Wait>,
    /// For each rank what has to have arrived there before a signal of this threadblock is seen.
    pub(super) pending: BTreeMap<u32, Vec<u32>>,
    pub(super) at_barrier: bool,
}

pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) chunk: u64,
    pub(super) claim: Claim,
    /// By rank and buffer.
    memory: Vec<[Bytes; 3]>,
    /// Packets in the scratch of each rank.
    pub(super) packets: Vec<Bytes>,
    pub(super) items: Items,
    pub(super) threads: Vec<Vec<Thread>>,
    pub(super) ends: BTreeMap<End, (u32, Option<usize>)>,
    /// What was signalled, by the end of the channel that waits.
    pub(super) signals: BTreeMap<End, Signals<u32>>,
    pub(super) semaphores: BTreeMap<(u32, usize), Signals<Released>>,
    /// Threadblocks at a barrier of a rank.
    pub(super) barriers: BTreeMap<(u32, u32), Vec<usize>>,
    /// The operation of a port's channel that was last.
    pub(super) ports: BTreeMap<End, u32>,
    /// Threadblocks of a rank that wait for packets.
    readers: Vec<Vec<usize>>,
    pub(super) ready: VecDeque<(u32, usize)>,
    contributions: u64,
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a Plan, chunk: u64) -> Result<Self> {
        let ranks = plan.gpus.len();
        let goal = Goal::of(&plan.collective);
        let mut run = Self {
            plan,
            chunk,
            claim: Claim { goal, in_place: plan.inplace, ranks: ranks as u32 },
            memory: vec![Default::default(); ranks],
            packets: vec![Bytes::default(); ranks],
            items: Items::new(ranks, MORE + EACH * plan.words()),
            threads: plan.gpus.iter().map(|gpu| vec![Thread::default(); gpu.threadblocks.len()]).collect(),
            ends: plan.ends(),
            signals: BTreeMap::new(),
            semaphores: BTreeMap::new(),
            barriers: BTreeMap::new(),
            ports: BTreeMap::new(),
            readers: vec![vec![]; ranks],
            ready: VecDeque::new(),
            contributions: 0,
        };
        for rank in 0..ranks as u32 {
            let (input, output) = run.sizes(rank);
            let expected = goal.map_or(output, |goal| goal.output(input, ranks as u64));
            let uneven = goal == Some(Goal::AllToAll) && !input.is_multiple_of(ranks as u64 * chunk);
            if expected != output || uneven {
                let (given, end) = (input / chunk, output / chunk);
                return Err(run.wrong(format!(
                    "rank {rank} has {given} chunks to begin with and {end} in the end, which the collective does not give"
                )));
            }
            if input > 0 {
                let piece = Piece { bytes: input, value: Value::input(rank, 0), made: 0 };
                run.write((rank, Buffer::Input), 0, vec![piece]);
            }
        }
        Ok(run)
    }

    /// Executes the plan, looks at its outputs, and gives its program.
    pub(super) fn program(mut self, control: &Control) -> Result<Explicit> {
        for (rank, gpu) in (0u32..).zip(&self.plan.gpus) {
            self.ready.extend((0..gpu.threadblocks.len()).map(|tb| (rank, tb)));
        }
        let (mut count, most) = (0u64, 2 * MORE + EACH * self.plan.words());
        while let Some((rank, tb)) = self.ready.pop_front() {
            while let Some((op, piece)) = self.current(rank, tb)? {
                count += 1;
                if count.is_multiple_of(POLL) {
                    control.check()?;
                }
                if count > most {
                    let (value, limit) = (format!("more than {most}"), most.to_string());
                    return Err(Error::Overflow { what: "steps of the plan".into(), value, limit });
                }
                if !self.step(rank, tb, op, piece)? {
                    break;
                }
                self.advance(rank, tb);
            }
        }
        for (rank, gpu) in (0u32..).zip(&self.plan.gpus) {
            for tb in 0..gpu.threadblocks.len() {
                if let Some((op, _)) = self.current(rank, tb)? {
                    let place = self.place(rank, tb, op);
                    return Err(
                        self.wrong(format!("{place} waits for ever: for a signal, packets or another threadblock"))
                    );
                }
            }
        }
        if let Some(goal) = self.claim.goal {
            self.outputs(goal)?;
        }
        self.items.compile(control)
    }

    /// The operation that a threadblock does next, and for which piece of its bytes: where it begins, and its size.
    fn current(&mut self, rank: u32, tb: usize) -> Result<Option<(&'a Op, Part)>> {
        let plan = self.plan;
        let block: &Block = &plan.gpus[rank as usize].threadblocks[tb];
        loop {
            let (chunk, thread) = (self.chunk, &mut self.threads[rank as usize][tb]);
            let Some(op) = block.ops.get(thread.op) else { return Ok(None) };
            if op.name != "pipeline" {
                return Ok(Some((op, None)));
            }
            let place = || plan::place(rank, tb as u32, thread.op, &op.name);
            let Some(pieces) = op.iter_context.filter(|pieces| pieces.unit_size > 0) else {
                return Err(Error::spec(format!("{}: iter_context", place()), "no unit_size", "at least one byte"));
            };
            if let Some(inner) = op.ops.iter().find(|inner| inner.name == "pipeline") {
                return Err(Error::spec(place(), &inner.name, "operations that are no pipelines"));
            }
            let rounds = pieces.num_chunks.saturating_mul(chunk).div_ceil(pieces.unit_size);
            match op.ops.get(thread.inner) {
                Some(inner) if thread.round < rounds => {
                    return Ok(Some((inner, Some((thread.round * pieces.unit_size, pieces.unit_size)))));
                }
                Some(_) => (thread.op, thread.round, thread.inner) = (thread.op + 1, 0, 0),
                None if op.ops.is_empty() => thread.op += 1,
                None => (thread.round, thread.inner) = (thread.round + 1, 0),
            }
        }
    }

    pub(super) fn advance(&mut self, rank: u32, tb: usize) {
        let thread = &mut self.threads[rank as usize][tb];
        let op = &self.plan.gpus[rank as usize].threadblocks[tb].ops[thread.op];
        match op.name == "pipeline" {
            true => thread.inner += 1,
            false => thread.op += 1,
        }
    }

    /// Does an operation if it can be done.
    fn step(&mut self, rank: u32, tb: usize, op: &'a Op, piece: Part) -> Result<bool> {
        match op.name.as_str() {
            "nop" => Ok(true),
            "signal" | "rlxsignal" => {
                let before = self.threads[rank as usize][tb].last.clone();
                let mut last = vec![];
                for &id in &op.channel_ids {
                    let end = self.end(rank, tb, op, id)?;
                    last.push(self.signal((rank, tb), end, op, before.clone())?);
                }
                if !last.is_empty() {
                    self.threads[rank as usize][tb].last = last;
                }
                Ok(true)
            }
            "wait" | "rlxwait" => self.wait(rank, tb, op),
            "flush" => self.flush(rank, tb, op).map(|()| true),
            "barrier" => self.barrier(rank, tb, op),
            "sem_release" => self.release(rank, tb, op).map(|()| true),
            "sem_acquire" => self.acquire(rank, tb, op),
            name => match KINDS.iter().find(|kind| kind.name == name) {
                Some(kind) => self.transfer((rank, tb), op, kind, piece),
                None if SWITCH.contains(&name) => {
                    let expected = "an operation between two ranks: those of switches are not modelled";
                    Err(Error::spec(self.place(rank, tb, op), name, expected))
                }
                None => {
                    let known: Vec<_> = ORDER.into_iter().chain(KINDS.iter().map(|kind| kind.name)).collect();
                    Err(Error::spec(self.place(rank, tb, op), "unknown", format!("one of {}", known.join(", "))))
                }
            },
        }
    }

    /// Notes that a threadblock waits for packets.
    pub(super) fn stop_for_packets(&mut self, rank: u32, tb: usize) {
        self.readers[rank as usize].push(tb);
    }

    /// Takes up the threadblocks of a rank that wait for packets.
    pub(super) fn wake_for_packets(&mut self, rank: u32) {
        let woken = std::mem::take(&mut self.readers[rank as usize]);
        self.ready.extend(woken.into_iter().map(|tb| (rank, tb)));
    }

    /// Bytes of the input and of the output of a rank.
    pub(super) fn sizes(&self, rank: u32) -> (u64, u64) {
        let gpu = &self.plan.gpus[rank as usize];
        self.claim.sizes((u64::from(gpu.input_chunks) * self.chunk, u64::from(gpu.output_chunks) * self.chunk))
    }

    /// What a range of a buffer holds; the first byte of the buffer that nothing was written to, if there is one.
    pub(super) fn read(&self, (rank, buffer): (u32, Buffer), from: u64, bytes: u64) -> Result<Vec<Piece>, u64> {
        let (kept, at) = self.claim.kept(rank, self.sizes(rank), buffer, from);
        self.memory[rank as usize][kept as usize].read(at, bytes).map_err(|hole| hole - at + from)
    }

    /// Writes to a buffer.
    pub(super) fn write(&mut self, (rank, buffer): (u32, Buffer), from: u64, pieces: Vec<Piece>) {
        let (kept, at) = self.claim.kept(rank, self.sizes(rank), buffer, from);
        self.memory[rank as usize][kept as usize].write(at, pieces);
    }

    /// Counts contributions that a sum lists.
    pub(super) fn count(&mut self, contributions: usize) -> Result<()> {
        self.contributions += contributions as u64;
        if self.contributions > MOST {
            let (value, limit) = (self.contributions.to_string(), MOST.to_string());
            let what = "contributions that checking the plan would list".into();
            return Err(Error::Overflow { what, value, limit });
        }
        Ok(())
    }

    /// Holds every byte of every output against what it has to be.
    fn outputs(&self, goal: Goal) -> Result<()> {
        let ranks = self.claim.ranks;
        for rank in 0..ranks {
            let (input, output) = self.sizes(rank);
            let mut at = 0;
            while at < output {
                let (begin, (wanted, bytes)) = (at, goal.wanted((rank, ranks), input, output, at));
                let chunk = |at: u64| format!("chunk {} of the output of rank {rank}", at / self.chunk);
                let found = self
                    .read((rank, Buffer::Output), at, bytes)
                    .map_err(|hole| self.wrong(format!("{} is not written", chunk(hole))))?;
                for piece in found {
                    let wanted: Vec<_> = wanted.iter().map(|&(from, first)| (from, first + at - begin)).collect();
                    let has: Vec<_> = piece.value.contributions().collect();
                    let missing = wanted.iter().find(|one| !has.contains(one));
                    let stray = has.iter().find(|one| !wanted.contains(one));
                    let what = match (missing, stray) {
                        (Some((from, place)), _) => format!("lacks chunk {} of rank {from}", place / self.chunk),
                        (None, Some((from, place))) => {
                            let other = place / self.chunk;
                            format!("has chunk {other} of rank {from}, which does not belong there")
                        }
                        (None, None) => {
                            at += piece.bytes;
                            continue;
                        }
                    };
                    return Err(self.wrong(format!("{} {what}", chunk(at))));
                }
            }
        }
        Ok(())
    }

    /// Where an operation comes from.
    pub(super) fn origin(&self, rank: u32, tb: usize) -> Origin {
        (rank, tb as u32, self.threads[rank as usize][tb].op as u32)
    }

    /// An operation in words.
    pub(super) fn place(&self, rank: u32, tb: usize, op: &Op) -> String {
        plan::place(rank, tb as u32, self.threads[rank as usize][tb].op, &op.name)
    }

    pub(super) fn wrong(&self, problem: String) -> Error {
        let Plan { name, collective, .. } = self.plan;
        Error::Schedule { schedule: format!("{name:?} ({collective})"), problem }
    }
}
