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
use super::plan::{self, Block, End, Op, Plan, Reach};
use crate::claim::{Buffer, Claim, Goal};

/// Operations between two looks at whether reading was stopped.
const POLL: u64 = 1 << 10;
/// Most operations that are done, of which pipelines do one many times.
const STEPS: u64 = 1 << 22;
/// Largest value of a semaphore.
const SEMAPHORE: u64 = 1 << 16;
/// Most contributions that sums list in all.
const MOST: u64 = 1 << 27;

/// Where a threadblock is, and what it has to wait for before it goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    op: usize,
    /// Of a pipeline: how often it was gone through, and the operation in it.
    round: u64,
    inner: usize,
    /// What has to be done before the next operation.
    pub(super) last: Vec<Wait>,
    /// For each rank what has to have arrived there before a signal of this threadblock is seen.
    pub(super) pending: BTreeMap<u32, Vec<u32>>,
    at_barrier: bool,
}

/// A channel or semaphore: what was signalled and not yet waited for, and who signals and who waits.
#[derive(Clone, Debug, Default)]
struct Signals<T> {
    there: VecDeque<T>,
    from: Option<usize>,
    to: Option<usize>,
    /// True while the threadblock that waits is stopped.
    stopped: bool,
}

/// What the release of a semaphore passes on.
type Released = Option<(Vec<Wait>, BTreeMap<u32, Vec<u32>>)>;

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
    ends: BTreeMap<End, (u32, Option<usize>)>,
    /// What was signalled, by the end of the channel that waits.
    signals: BTreeMap<End, Signals<u32>>,
    semaphores: BTreeMap<(u32, usize), Signals<Released>>,
    /// Threadblocks at a barrier of a rank.
    barriers: BTreeMap<(u32, u32), Vec<usize>>,
    /// The operation of a port's channel that was last.
    pub(super) ports: BTreeMap<End, u32>,
    /// Threadblocks of a rank that wait for packets.
    readers: Vec<Vec<usize>>,
    ready: VecDeque<(u32, usize)>,
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
            items: Items::new(ranks),
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
        let mut count = 0u64;
        while let Some((rank, tb)) = self.ready.pop_front() {
            while let Some((op, piece)) = self.current(rank, tb)? {
                count += 1;
                if count.is_multiple_of(POLL) {
                    control.check()?;
                }
                if count > STEPS {
                    let (value, limit) = (format!("more than {STEPS}"), STEPS.to_string());
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
    fn current(&mut self, rank: u32, tb: usize) -> Result<Option<(&'a Op, Option<(u64, u64)>)>> {
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

    fn advance(&mut self, rank: u32, tb: usize) {
        let thread = &mut self.threads[rank as usize][tb];
        let op = &self.plan.gpus[rank as usize].threadblocks[tb].ops[thread.op];
        match op.name == "pipeline" {
            true => thread.inner += 1,
            false => thread.op += 1,
        }
    }

    /// Does an operation if it can be done.
    fn step(&mut self, rank: u32, tb: usize, op: &'a Op, piece: Option<(u64, u64)>) -> Result<bool> {
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

    /// The end of a channel that an operation means by a number of its threadblock.
    pub(super) fn end(&self, rank: u32, tb: usize, op: &Op, id: usize) -> Result<End> {
        let gpu = &self.plan.gpus[rank as usize];
        let reach = op.channel_type.unwrap_or(Reach::None);
        let end = gpu.channel(&gpu.threadblocks[tb], reach, id).map(|number| (rank, reach, number));
        end.filter(|end| self.ends.contains_key(end) && matches!(reach, Reach::Memory | Reach::Port)).ok_or_else(|| {
            let field = format!("{}: channel", self.place(rank, tb, op));
            Error::spec(field, format!("{reach:?} {id}"), "a memory or port channel of the threadblock to another gpu")
        })
    }

    /// Signals to the other end of a channel. Gives what the threadblock goes on after.
    pub(super) fn signal(&mut self, (rank, tb): (u32, usize), end: End, op: &Op, mut waits: Vec<Wait>) -> Result<Wait> {
        let (peer, other) = self.ends[&end];
        let port = end.1 == Reach::Port;
        waits.extend(self.ports.get(&end).map(|&last| (last, false)));
        let origin = self.origin(rank, tb);
        let (sent, received) = self.items.message((rank, peer), (0, RECEIVE), origin, waits)?;
        if port {
            self.ports.insert(end, sent);
        }
        let mut arrived = received;
        if op.name != "rlxsignal" {
            let pending = self.threads[rank as usize][tb].pending.entry(peer).or_default();
            let before = std::mem::take(pending);
            if !before.is_empty() {
                let waits = before.into_iter().chain([received]).map(|item| (item, false)).collect();
                arrived = self.items.join(peer, origin, waits)?;
            }
            self.threads[rank as usize][tb].pending.insert(peer, vec![arrived]);
        }
        if let Some(number) = other {
            let place = self.place(rank, tb, op);
            let signals = self.signals.entry((peer, end.1, number)).or_default();
            one("is signalled", &place, &mut signals.from, tb)?;
            signals.there.push_back(arrived);
            if let (true, Some(waiter)) = (std::mem::take(&mut signals.stopped), signals.to) {
                self.ready.push_back((peer, waiter));
            }
        }
        Ok((sent, port))
    }

    fn wait(&mut self, rank: u32, tb: usize, op: &Op) -> Result<bool> {
        let ends = op.channel_ids.iter().map(|&id| self.end(rank, tb, op, id)).collect::<Result<Vec<_>>>()?;
        let place = self.place(rank, tb, op);
        for end in &ends {
            let signals = self.signals.entry(*end).or_default();
            one("is waited for", &place, &mut signals.to, tb)?;
            if signals.there.is_empty() {
                signals.stopped = true;
                return Ok(false);
            }
        }
        let mut waits = self.threads[rank as usize][tb].last.clone();
        for end in &ends {
            waits.extend(
                self.signals.get_mut(end).and_then(|signals| signals.there.pop_front()).map(|item| (item, false)),
            );
        }
        self.go_on(rank, tb, waits)?;
        Ok(true)
    }

    /// Waits until all that went over channels of ports has left.
    pub(super) fn flush(&mut self, rank: u32, tb: usize, op: &Op) -> Result<()> {
        let mut waits = self.threads[rank as usize][tb].last.clone();
        for &id in &op.channel_ids {
            let end = self.end(rank, tb, op, id)?;
            waits.extend(self.ports.get(&end).map(|&last| (last, false)));
        }
        self.go_on(rank, tb, waits)
    }

    fn barrier(&mut self, rank: u32, tb: usize, op: &Op) -> Result<bool> {
        let blocks = self.threads[rank as usize].len();
        let (Some(id), Some(needed)) =
            (op.barrier_id, op.num_threadblocks.filter(|count| (1..=blocks).contains(count)))
        else {
            let expected = format!("barrier_id, and num_threadblocks from 1 to {blocks}");
            let given = op.num_threadblocks.map_or("missing".into(), |count| count.to_string());
            return Err(Error::spec(self.place(rank, tb, op), given, expected));
        };
        if std::mem::replace(&mut self.threads[rank as usize][tb].at_barrier, true) {
            return Ok(false);
        }
        let there = self.barriers.entry((rank, id)).or_default();
        there.push(tb);
        if there.len() < needed {
            return Ok(false);
        }
        let all = std::mem::take(there);
        let (mut waits, mut pending): (Vec<Wait>, BTreeMap<u32, Vec<u32>>) = (vec![], BTreeMap::new());
        for &each in &all {
            let thread = &self.threads[rank as usize][each];
            waits.extend(&thread.last);
            merge(&mut pending, &thread.pending);
        }
        self.settle(self.origin(rank, tb), &mut pending)?;
        let join = self.items.join(rank, self.origin(rank, tb), unique(waits))?;
        for &each in &all {
            let thread = &mut self.threads[rank as usize][each];
            (thread.last, thread.pending, thread.at_barrier) = (vec![(join, false)], pending.clone(), false);
            if each != tb {
                self.advance(rank, each);
                self.ready.push_back((rank, each));
            }
        }
        Ok(true)
    }

    /// A semaphore of a rank, as it is to begin with if it was not used.
    fn semaphore(&mut self, rank: u32, tb: usize, op: &Op, id: usize) -> Result<&mut Signals<Released>> {
        let Some(first) = self.plan.gpus[rank as usize].semaphore(id).filter(|&first| first <= SEMAPHORE) else {
            let field = format!("{}: semaphore", self.place(rank, tb, op));
            return Err(Error::spec(field, id, "a semaphore of the gpu that begins with at most 65536"));
        };
        let begin = || Signals { there: vec![None; first as usize].into(), ..Signals::default() };
        Ok(self.semaphores.entry((rank, id)).or_insert_with(begin))
    }

    fn release(&mut self, rank: u32, tb: usize, op: &Op) -> Result<()> {
        let place = self.place(rank, tb, op);
        let Thread { last, mut pending, .. } = self.threads[rank as usize][tb].clone();
        self.settle(self.origin(rank, tb), &mut pending)?;
        self.threads[rank as usize][tb].pending.clone_from(&pending);
        for &id in &op.semaphore_ids {
            let signals = self.semaphore(rank, tb, op, id)?;
            one("is released", &place, &mut signals.from, tb)?;
            if signals.there.len() as u64 > SEMAPHORE {
                let value = format!("semaphore {id} more than {SEMAPHORE} times before it is acquired");
                return Err(Error::spec(place, value, "fewer"));
            }
            signals.there.push_back(Some((last.clone(), pending.clone())));
            if let (true, Some(waiter)) = (std::mem::take(&mut signals.stopped), signals.to) {
                self.ready.push_back((rank, waiter));
            }
        }
        Ok(())
    }

    fn acquire(&mut self, rank: u32, tb: usize, op: &Op) -> Result<bool> {
        let place = self.place(rank, tb, op);
        for &id in &op.semaphore_ids {
            let signals = self.semaphore(rank, tb, op, id)?;
            one("is acquired", &place, &mut signals.to, tb)?;
            if signals.there.is_empty() {
                signals.stopped = true;
                return Ok(false);
            }
        }
        let Thread { last: mut waits, mut pending, .. } = self.threads[rank as usize][tb].clone();
        for &id in &op.semaphore_ids {
            if let Some(Some((last, more))) = self.semaphore(rank, tb, op, id)?.there.pop_front() {
                waits.extend(last);
                merge(&mut pending, &more);
            }
        }
        self.threads[rank as usize][tb].pending = pending;
        self.go_on(rank, tb, unique(waits))?;
        Ok(true)
    }

    /// Makes one operation on each rank of all that have to have arrived there.
    fn settle(&mut self, origin: Origin, pending: &mut BTreeMap<u32, Vec<u32>>) -> Result<()> {
        for (&peer, items) in pending {
            if items.len() > 1 {
                let waits = std::mem::take(items).into_iter().map(|item| (item, false)).collect();
                items.push(self.items.join(peer, origin, waits)?);
            }
        }
        Ok(())
    }

    /// An operation without time, after which a threadblock goes on.
    fn go_on(&mut self, rank: u32, tb: usize, waits: Vec<Wait>) -> Result<()> {
        let join = self.items.join(rank, self.origin(rank, tb), waits)?;
        self.threads[rank as usize][tb].last = vec![(join, false)];
        Ok(())
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

/// The kind of a receive that stores.
pub(super) const RECEIVE: supernode_core::workload::explicit::Act = supernode_core::workload::explicit::Act::Receive;

/// Makes sure that one threadblock only is on a side of a channel or semaphore.
fn one(what: &str, place: &str, who: &mut Option<usize>, tb: usize) -> Result<()> {
    match *who.get_or_insert(tb) {
        first if first == tb => Ok(()),
        first => {
            let value = format!("what {what} by threadblocks {first} and {tb}");
            Err(Error::spec(place, value, "one threadblock: which of two comes first would depend on the run"))
        }
    }
}

fn merge(into: &mut BTreeMap<u32, Vec<u32>>, from: &BTreeMap<u32, Vec<u32>>) {
    for (&rank, items) in from {
        let all = into.entry(rank).or_default();
        all.extend(items);
        all.sort_unstable();
        all.dedup();
    }
}

fn unique(mut waits: Vec<Wait>) -> Vec<Wait> {
    waits.sort_unstable();
    waits.dedup();
    waits
}
