//! A rank: the state machine that runs its part of the schedule.
//!
//! For each lane the rank walks through its steps. A step begins when the one before is complete; after the stack's step
//! latency its messages are handed to the ports, and it is complete when all of them have left and all that it must
//! receive has arrived and been stored or reduced. Data that arrives for a later step is remembered.
//!
//! **Invariant.** Receiving needs no state a message at all: a step counts payload bytes and message ends down to zero.
//!
//! **Memory.** Every packet sent is read from HBM and every packet received is written (copy) or read twice and written
//! (reduce); these share the HBM's bandwidth first come first served. A slow memory delays the return of credits and so
//! holds the network back. Copy and reduce channels are one server each. **Limits.** HBM latency is part of the step
//! latency; caches are not modelled.

use std::collections::VecDeque;

use super::dealing::{Dealing, Dealt};
use super::injection::{Message, Queue, Share};
use super::packet::{Packet, tag, untag};
use super::prefetch::prefetch;
use super::{Job, Paths};
use crate::collective::Recv;
use crate::record::{FlowRecord, RankRecord};
use crate::units::{Fs, NEVER, Serializer};

/// Rows of the table of flows, from the last, among which an arriving packet looks for that of its message.
pub(super) const FLOWS_LOOKED_AT: usize = 64;

/// A rank and its queues.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    pub(super) rank: u32,
    pub(super) accelerator: u32,
    pub(super) lanes: Vec<Lane>,
    /// Steps whose latency runs: (time, lane), latest first.
    pub(super) starts: Vec<(Fs, u32)>,
    /// Steps whose messages are not all opened yet, in order of lane.
    pub(super) programs: VecDeque<Program>,
    pub(super) messages: Vec<Message>,
    pub(super) free_messages: Vec<u32>,
    /// Progress that arrived for steps not begun yet.
    pub(super) early: Vec<(u32, i64, Fs)>,
    /// What each port has to inject, in order.
    pub(super) queues: Vec<Queue>,
    /// Ports that were idle and have something to inject now.
    pub(super) opened: Vec<u32>,
    /// The port that goes first where several could: in-network operations turn the ports from rank to rank.
    pub(super) first_port: usize,
    /// What it sprayed before, by network.
    pub(super) dealings: Vec<Dealing>,
    /// Scratch of opening a message: ports of its first hops, and packets sent by them before.
    pub(super) hops: Vec<u32>,
    pub(super) before: Vec<(u32, u32)>,
    pub(super) lanes_left: u32,
    pub(super) memory_free: Fs,
    pub(super) copy_free: Fs,
    pub(super) reduce_free: Fs,
    /// When the current step of lane 0 began: what skipping keeps its beat by.
    pub(super) begun: Fs,
    pub(super) stats: RankRecord,
    pub(super) flow_starts: Vec<FlowRecord>,
    pub(super) flow_ends: Vec<FlowRecord>,
}

/// Where a lane's program stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    pub(super) step: u32,
    pub(super) steps: u32,
    pub(super) sends_left: u32,
    pub(super) recv_left: i64,
    /// Latest completion of anything that the step waits for.
    pub(super) latest: Fs,
    pub(super) reduce: bool,
}

/// A step whose messages are being handed to the ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    pub(super) lane: u32,
    pub(super) step: u32,
    pub(super) next: u32,
    pub(super) sends: u32,
    pub(super) start: Fs,
}

impl Endpoint {
    pub(super) fn new(job: &Job, paths: &Paths, rank: u32) -> Self {
        let lanes = job.schedule.lanes();
        let accelerator = job.placement[rank as usize];
        let mut endpoint = Endpoint {
            first_port: job.folding.first_port(accelerator) as usize,
            rank,
            accelerator,
            lanes: (0..lanes).map(|l| Lane { steps: job.schedule.steps(rank, l), ..Lane::default() }).collect(),
            lanes_left: lanes,
            // one of each is what a ring or tree over one port needs, and a million ranks have one of each
            starts: Vec::with_capacity(1),
            programs: VecDeque::with_capacity(1),
            messages: Vec::with_capacity(1),
            queues: (0..paths.accelerator_ports).map(|_| Queue::default()).collect(),
            stats: RankRecord { rank, accelerator, ..RankRecord::default() },
            ..Endpoint::default()
        };
        for lane in 0..lanes {
            endpoint.begin(job, paths, lane, job.protocol.launch_fs);
        }
        endpoint
    }

    /// Asks for the fields that a visit begins with.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(self);
        prefetch(&self.queues);
        prefetch(&self.memory_free);
    }

    /// Asks for what they point to.
    #[inline]
    pub(super) fn prefetch_lists(&self) {
        if let Some(lane) = self.lanes.first() {
            prefetch(lane);
        }
        if let Some(queue) = self.queues.first() {
            prefetch(queue);
        }
        if let Some(message) = self.messages.first() {
            prefetch(message);
        }
        if let Some(start) = self.starts.first() {
            prefetch(start);
        }
    }

    /// True when every lane is through.
    pub(super) fn finished(&self) -> bool {
        self.lanes_left == 0
    }

    /// Lanes that still wait: lane, step, messages to send, progress to receive.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u32, u32, u32, i64)> + '_ {
        let open = self.lanes.iter().enumerate().filter(|(_, l)| l.step < l.steps);
        open.map(|(i, l)| (i as u32, l.step, l.sends_left, l.recv_left))
    }

    /// When the next step's latency is over.
    pub(super) fn next_start(&self) -> Fs {
        self.starts.last().map_or(NEVER, |s| s.0)
    }

    /// Begins the current step of a lane at `time`, and those after it as long as they ask for nothing.
    fn begin(&mut self, job: &Job, paths: &Paths, lane: u32, mut time: Fs) {
        loop {
            let state = &mut self.lanes[lane as usize];
            if state.step == state.steps {
                self.lanes_left -= 1;
                self.stats.finish_fs = self.stats.finish_fs.max(time);
                return;
            }
            let step = state.step;
            let Recv { messages, bytes, reduce } = job.schedule.recvs(self.rank, lane, step);
            state.recv_left = bytes as i64 + i64::from(messages);
            state.reduce = reduce;
            state.sends_left = job.schedule.sends(self.rank, lane, step);
            state.latest = time;
            if lane == 0 {
                self.begun = time;
            }
            self.stats.received_messages += u64::from(messages);
            if let Some(i) = self.early.iter().position(|e| e.0 == tag(lane, step)) {
                let (_, progress, done) = self.early.swap_remove(i);
                state.recv_left -= progress;
                state.latest = time.max(done);
            }
            if state.sends_left > 0 {
                let first = job.schedule.send(self.rank, lane, step, 0);
                let network = paths.network_of(self.accelerator, job, first.to);
                let latency = job.protocol.step_fs.get(network).copied().unwrap_or(0);
                let start = (later(time, latency), lane);
                let at = self.starts.partition_point(|s| *s > start);
                self.starts.insert(at, start);
                return;
            }
            if state.recv_left != 0 {
                return;
            }
            state.step += 1;
            time = state.latest;
        }
    }

    /// Completes the current step of a lane if nothing is open.
    pub(super) fn settle(&mut self, job: &Job, paths: &Paths, lane: u32) {
        let state = &mut self.lanes[lane as usize];
        if state.sends_left == 0 && state.recv_left == 0 {
            state.step += 1;
            let time = state.latest;
            self.begin(job, paths, lane, time);
        }
    }

    /// The step whose latency is over hands its messages to the ports.
    pub(super) fn start(&mut self, job: &Job, paths: &Paths) {
        if let Some((start, lane)) = self.starts.pop() {
            let Lane { step, sends_left: sends, .. } = self.lanes[lane as usize];
            // lanes are cut from the buffer in order: what is ready of an earlier lane goes before a later one
            let at = self.programs.partition_point(|p| p.lane < lane);
            self.programs.insert(at, Program { lane, step, next: 0, sends, start });
            for port in 0..self.queues.len() as u32 {
                if self.programs.is_empty() {
                    return;
                }
                self.refill(job, paths, port, start);
            }
        }
    }

    /// A packet's tail arrived at `time`. Returns when its buffer is free.
    pub(super) fn deliver(&mut self, job: &Job, paths: &Paths, packet: &Packet, time: Fs) -> Fs {
        let (lane, step) = untag(packet.tag());
        let current = self.lanes[lane as usize].step == step;
        let reduce =
            if current { self.lanes[lane as usize].reduce } else { job.schedule.recvs(self.rank, lane, step).reduce };
        let bytes = packet.payload();
        let (channel, busy, rate) = if reduce {
            (&mut self.reduce_free, &mut self.stats.reduce_busy_fs, paths.reduce)
        } else {
            (&mut self.copy_free, &mut self.stats.copy_busy_fs, paths.copy)
        };
        let takes = rate.fs(bytes);
        *busy = busy.saturating_add(takes);
        *channel = later(time.max(*channel), takes);
        let done = (*channel).max(self.memory(paths.memory, if reduce { 3 * bytes } else { bytes }, time));
        self.stats.received_bytes += u64::from(packet.payload());
        if job.record_flows {
            self.record_arrival(job, packet, lane, step, done);
        }
        if current {
            let state = &mut self.lanes[lane as usize];
            state.recv_left -= packet.progress();
            state.latest = state.latest.max(done);
            self.settle(job, paths, lane);
        } else {
            match self.early.iter_mut().find(|e| e.0 == packet.tag()) {
                Some(e) => (e.1, e.2) = (e.1 + packet.progress(), e.2.max(done)),
                None => self.early.push((packet.tag(), packet.progress(), done)),
            }
        }
        done
    }

    /// Occupies the memory with `bytes` from `time` on; returns when they are through.
    pub(super) fn memory(&mut self, memory: Serializer, bytes: u32, time: Fs) -> Fs {
        let busy = memory.fs(bytes);
        self.stats.memory_busy_fs = self.stats.memory_busy_fs.saturating_add(busy);
        self.memory_free = later(self.memory_free.max(time), busy);
        self.memory_free
    }

    /// When the memory can begin another access.
    pub(super) fn memory_ready(&self) -> Fs {
        self.memory_free
    }

    fn record_arrival(&mut self, job: &Job, packet: &Packet, lane: u32, step: u32, done: Fs) {
        // One row a message: packets of a message come close together, so the row is among the last few; rows that are
        // missed here are merged when the tables are made.
        let (src, dst) = match job.folding.applied() {
            // as its source's representative knows it
            true => job.folding.ends(packet.message_class()),
            false => (job.folding.source(packet.message_class(), self.rank), self.rank),
        };
        let row = FlowRecord { src, dst, lane, step, bytes: u64::from(packet.payload()), start_fs: 0, end_fs: done };
        let same = |f: &&mut FlowRecord| (f.src, f.dst, f.lane, f.step) == (src, dst, lane, step);
        match self.flow_ends.iter_mut().rev().take(FLOWS_LOOKED_AT).find(same) {
            Some(old) => (old.bytes, old.end_fs) = (old.bytes + row.bytes, old.end_fs.max(done)),
            None => self.flow_ends.push(row),
        }
    }

    /// Messages that arrived for steps that the schedule does not have.
    pub(super) fn unexpected(&self) -> usize {
        self.early.len()
    }

    /// Bytes of state.
    pub(super) fn bytes(&self) -> u64 {
        let shares: usize =
            self.queues.iter().map(|q| q.shares.capacity() * size_of::<Share>() + size_of::<Queue>()).sum();
        (size_of::<Self>()
            + self.lanes.capacity() * size_of::<Lane>()
            + self.starts.capacity() * 16
            + self.programs.capacity() * size_of::<Program>()
            + self.messages.capacity() * size_of::<Message>()
            + self.early.capacity() * 24
            + self
                .dealings
                .iter()
                .map(|d| size_of::<Dealing>() + d.ports.capacity() * size_of::<Dealt>())
                .sum::<usize>()
            + self.hops.capacity() * 4
            + self.before.capacity() * 8
            + (self.flow_starts.capacity() + self.flow_ends.capacity()) * size_of::<FlowRecord>()
            + shares) as u64
    }
}

/// A sum of times that stops short of "never": the clock's limit ends the run when it comes to that.
#[inline(always)]
fn later(time: Fs, by: Fs) -> Fs {
    time.saturating_add(by).min(NEVER - 1)
}
