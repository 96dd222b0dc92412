//! A rank: the state machine that runs its part of the schedule.
//!
//! How it goes from step to step is in [`crate::walk`], whose host it is: it keeps the latency of the stack, and hands messages
//! to the ports.
//!
//! **Memory.** Every packet sent is read from HBM and every packet received is written (copy) or read twice and written
//! (reduce); these share the HBM's bandwidth first come first served. A slow memory delays the return of credits and so
//! holds the network back. Copy and reduce channels are one server each. **Limits.** HBM latency is part of the step
//! latency; caches are not modelled.

use super::dealing::{Dealing, Dealt};
use super::injection::{Message, Queue, Share};
use super::packet::Packet;
use super::prefetch::prefetch;
use super::{Job, Paths};
use crate::collective::Schedule;
use crate::record::{FlowRecord, RankRecord};
use crate::units::{Fs, NEVER, Serializer};
use crate::walk::{
    self, Alarm, Earlies, Explicitly, Host, Lane, Programmed, Programs, Progress, Proxy, Standing, Timer,
};
use crate::walk::{graph, streams, untag};
use crate::workload::Workload;
use crate::workload::explicit::Explicit;

/// Rows of the table of flows, from the last, among which an arriving packet looks for that of its message.
pub(super) const FLOWS_LOOKED_AT: usize = 64;

/// A rank and its queues.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    pub(super) rank: u32,
    pub(super) accelerator: u32,
    /// By slot: the lanes of one stream after those of another.
    pub(super) lanes: Vec<Lane<Fs>>,
    /// Steps whose latency runs and other times that were asked for: (time, slot or [`timer`]), latest first.
    pub(super) starts: Vec<(Fs, u32)>,
    /// By stream: steps whose messages are not all opened yet, in order of lane.
    pub(super) programs: Vec<Programs>,
    /// By stream: messages that are open.
    pub(super) open: Vec<u32>,
    /// How far it is in its workload, if the run is more than one collective.
    pub(super) progress: Option<Box<Progress>>,
    /// How far it is in its program, if that is given action by action.
    pub(super) standing: Option<Box<Standing>>,
    pub(super) messages: Vec<Message>,
    pub(super) free_messages: Vec<u32>,
    /// Progress that arrived for steps not begun yet.
    pub(super) early: Earlies<Fs>,
    /// What each port has to inject, in order: a queue per stream, those of a port one after the other.
    pub(super) queues: Vec<Queue>,
    /// Ports that were idle and have something to inject now.
    pub(super) opened: Vec<u32>,
    /// The port that goes first where several could: in-network operations turn the ports from rank to rank.
    pub(super) first_port: usize,
    /// What it sprayed before, by stream and network.
    pub(super) dealings: Vec<Dealing>,
    /// Scratch of opening a message: ports of its first hops, and packets sent by them before.
    pub(super) hops: Vec<u32>,
    pub(super) before: Vec<(u32, u32)>,
    pub(super) lanes_left: u32,
    pub(super) memory_free: Fs,
    pub(super) copy_free: Fs,
    pub(super) reduce_free: Fs,
    /// Hands its messages to NICs that cost something per message.
    pub(super) proxy: Proxy,
    /// When the current step of lane 0 began: what skipping keeps its beat by.
    pub(super) begun: Fs,
    pub(super) stats: RankRecord,
    pub(super) flow_starts: Vec<FlowRecord>,
    pub(super) flow_ends: Vec<FlowRecord>,
}

/// A rank that walks: what its steps ask for besides its own state.
struct Walking<'w, 'a> {
    endpoint: &'w mut Endpoint,
    job: &'w Job<'a>,
    paths: &'w Paths,
}

impl<'a> Host<'a> for Walking<'_, 'a> {
    type Time = Fs;

    #[inline(always)]
    fn schedule(&self) -> &'a dyn Schedule {
        self.job.schedule
    }

    #[inline(always)]
    fn rank(&self, _: u32) -> u32 {
        self.endpoint.rank
    }

    #[inline(always)]
    fn lane(&mut self, _: u32, slot: u32) -> &mut Lane<Fs> {
        &mut self.endpoint.lanes[slot as usize]
    }

    #[inline(always)]
    fn early(&mut self, _: u32) -> &mut Earlies<Fs> {
        &mut self.endpoint.early
    }

    #[inline(always)]
    fn began(&mut self, _: u32, lane: u32, messages: u32, time: Fs) {
        if lane == 0 {
            self.endpoint.begun = time;
        }
        self.endpoint.stats.received_messages += u64::from(messages);
    }

    fn launch(&mut self, _: u32, slot: u32, lane: u32, step: u32, time: Fs) {
        let Self { endpoint, job, paths } = self;
        let first = job.schedule.send(endpoint.rank, lane, step, 0);
        let network = paths.network_of(endpoint.accelerator, job, first.to);
        let latency = job.protocol(job.operation(step)).step(network);
        let mut start = later(time, latency);
        if paths.proxies {
            let (schedule, rank, accelerator) = (job.schedule, endpoint.rank, endpoint.accelerator);
            let takes = |i| {
                let network = paths.network_of(accelerator, job, schedule.send(rank, lane, step, i).to);
                job.fabric.networks[network].spec.transport.per_message_fs
            };
            start = endpoint.proxy.hand(start, (0..schedule.sends(rank, lane, step)).map(takes));
        }
        endpoint.at(start, slot);
    }

    fn through(&mut self, seat: u32, slot: u32, time: Fs) {
        self.endpoint.stats.finish_fs = self.endpoint.stats.finish_fs.max(time);
        match self.job.workload {
            None => self.endpoint.lanes_left -= 1,
            Some(workload) => streams::through(self, seat, slot / workload.lanes(), time),
        }
    }
}

impl<'a> Programmed<'a> for Walking<'_, 'a> {
    fn workload(&self) -> &'a Workload {
        self.job.workload.unwrap_or_else(|| unreachable!("a rank with progress has a workload"))
    }

    fn progress(&mut self, _: u32) -> &mut Progress {
        self.endpoint.progress.as_mut().unwrap_or_else(|| unreachable!("a rank with a workload has progress"))
    }

    fn timer(&mut self, _: u32, time: Fs, timer: Timer) {
        self.endpoint.at(time, word(timer));
    }

    fn opens(&mut self, _: u32, stream: u32) {
        // an operation spreads its packets as if it were alone
        let networks = self.paths.networks.len();
        let dealings = self.endpoint.dealings.iter_mut().skip(stream as usize * networks).take(networks);
        dealings.for_each(|dealing| *dealing = Dealing::default());
    }

    fn finished(&mut self, _: u32, time: Fs) {
        self.endpoint.lanes_left = 0;
        self.endpoint.stats.finish_fs = self.endpoint.stats.finish_fs.max(time);
    }
}

impl<'a> Explicitly<'a> for Walking<'_, 'a> {
    // [`crate::walk::graph`] is entered only where the job is explicit, and then every rank is made with a standing
    fn program(&self) -> &'a Explicit {
        self.job.explicit.unwrap_or_else(|| unreachable!("a rank with a standing has a program"))
    }

    fn standing(&mut self, _: u32) -> &mut Standing {
        self.endpoint.standing.as_mut().unwrap_or_else(|| unreachable!("a rank with a program has a standing"))
    }

    fn alarm(&mut self, _: u32, time: Fs, alarm: Alarm) {
        self.endpoint.at(
            time,
            match alarm {
                Alarm::Compute(action) => TIMERS + action,
                Alarm::Computed(device) => DEVICES + device,
            },
        );
    }

    fn ended(&mut self, seat: u32, time: Fs) {
        self.finished(seat, time);
    }
}

/// Times of [`Endpoint::starts`] that are no slots lie above this.
const TIMERS: u32 = 1 << 31;
/// Where a program is given: ends of computations lie above this, their beginnings below.
const DEVICES: u32 = TIMERS + (1 << 30);

/// A timer among the slots.
fn word(timer: Timer) -> u32 {
    match timer {
        Timer::Start => TIMERS,
        Timer::Computed => TIMERS + 1,
        Timer::Over(stream) => TIMERS + 2 + stream,
    }
}

/// Inverse of [`word`].
fn timer(word: u32) -> Option<Timer> {
    match word.checked_sub(TIMERS)? {
        0 => Some(Timer::Start),
        1 => Some(Timer::Computed),
        more => Some(Timer::Over(more - 2)),
    }
}

impl Endpoint {
    pub(super) fn new(job: &Job, paths: &Paths, rank: u32) -> Self {
        let lanes = job.schedule.lanes();
        let streams = job.streams();
        let accelerator = job.placement[rank as usize];
        let lane = |lane: u32| match job.workload {
            None => Lane::new(lane, job.schedule.steps(rank, lane)),
            Some(_) => Lane::default(),
        };
        let mut endpoint = Endpoint {
            first_port: job.folding.first_port(accelerator) as usize,
            rank,
            accelerator,
            // of a program that is given, no lane has steps: its actions are walked through by their numbers
            lanes: match job.explicit {
                None => (0..lanes * streams).map(lane).collect(),
                Some(_) => vec![Lane::default()],
            },
            lanes_left: if job.workload.is_some() { 1 } else { lanes },
            standing: job.explicit.map(|program| Box::new(Standing::new(program, rank))),
            progress: job.workload.map(|workload| Box::new(Progress::new(workload, rank))),
            open: vec![0; streams as usize],
            // one of each is what a ring or tree over one port needs, and a million ranks have one of each
            starts: Vec::with_capacity(1),
            programs: (0..streams).map(|_| Programs::with_capacity(1)).collect(),
            messages: Vec::with_capacity(1),
            queues: (0..paths.accelerator_ports * streams).map(|_| Queue::default()).collect(),
            stats: RankRecord { rank, accelerator, ..RankRecord::default() },
            ..Endpoint::default()
        };
        if job.workload.is_some() {
            streams::start(&mut endpoint.walking(job, paths), 0);
            return endpoint;
        }
        if job.explicit.is_some() {
            graph::start(&mut endpoint.walking(job, paths), 0, job.protocol.launch_fs);
            return endpoint;
        }
        for lane in 0..lanes {
            walk::begin(&mut endpoint.walking(job, paths), 0, lane, job.protocol.launch_fs);
        }
        endpoint
    }

    /// Something happens to a slot at a time.
    fn at(&mut self, time: Fs, what: u32) {
        let at = self.starts.partition_point(|s| *s > (time, what));
        self.starts.insert(at, (time, what));
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
    pub(super) fn prefetch_lists(&self, job: &Job) {
        if let (Some(program), Some(standing)) = (job.explicit, &self.standing) {
            prefetch(program.at(program.range(self.rank).start + standing.front() as usize));
            standing.ahead().for_each(prefetch);
        }
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
        let open = self.lanes.iter().filter(|lane| lane.open());
        open.map(|l| (l.lane.into(), l.step, l.sends_left, l.recv_left))
    }

    /// When the next step's latency is over.
    pub(super) fn next_start(&self) -> Fs {
        self.starts.last().map_or(NEVER, |s| s.0)
    }

    #[inline(always)]
    fn walking<'w, 'a>(&'w mut self, job: &'w Job<'a>, paths: &'w Paths) -> Walking<'w, 'a> {
        Walking { endpoint: self, job, paths }
    }

    /// A message of a slot's current step has left at `time`.
    pub(super) fn sent(&mut self, job: &Job, paths: &Paths, slot: u32, time: Fs) {
        match job.explicit {
            None => walk::sent(&mut self.walking(job, paths), 0, slot, 1, time),
            Some(_) => graph::sent(&mut self.walking(job, paths), 0, slot, time),
        }
    }

    /// The step whose latency is over hands its messages to the ports, or another time has come that was asked for.
    pub(super) fn start(&mut self, job: &Job, paths: &Paths) {
        let Some((start, slot)) = self.starts.pop() else {
            return;
        };
        if job.explicit.is_some() {
            match slot.checked_sub(TIMERS) {
                None => self.programs[0].launch(0, slot, 1, start),
                Some(action) if slot < DEVICES => {
                    return graph::rang(&mut self.walking(job, paths), 0, Alarm::Compute(action), start);
                }
                Some(_) => {
                    return graph::rang(&mut self.walking(job, paths), 0, Alarm::Computed(slot - DEVICES), start);
                }
            }
            return self.refill_all(job, paths, 0, start);
        }
        if let Some(timer) = timer(slot) {
            streams::fired(&mut self.walking(job, paths), 0, timer, start);
            return;
        }
        let Lane { step, sends_left: sends, lane, .. } = self.lanes[slot as usize];
        let stream = if self.programs.len() == 1 { 0 } else { slot / job.schedule.lanes() };
        self.programs[stream as usize].launch(lane.into(), step, sends, start);
        self.refill_all(job, paths, stream, start);
    }

    /// A packet's tail arrived at `time`. Returns when its buffer is free.
    pub(super) fn deliver(&mut self, job: &Job, paths: &Paths, packet: &Packet, time: Fs) -> Fs {
        let (lane, step) = untag(packet.tag());
        let slot = match job.workload {
            None => lane,
            Some(workload) => workload.stream_of(step) * workload.lanes() + lane,
        };
        let state = &self.lanes[slot as usize];
        let inside = state.is_in(step);
        let reduce = if inside {
            state.reduce
        } else {
            // most programs that are given combine nothing, and looking at the action may take long
            job.explicit.is_none_or(Explicit::reduces) && walk::reduces(job.schedule, self.rank, lane, step)
        };
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
        // the buffer is free at once; the library learns of the data a hop later
        let known = if paths.hops { later(done, paths.hop(job, step, packet.in_port())) } else { done };
        if job.record_flows {
            self.record_arrival(job, packet, lane, step, known);
        }
        if !inside && job.explicit.is_some() {
            graph::arrived(&mut self.walking(job, paths), 0, step, packet.progress() as u64, known);
        } else {
            walk::arrived(&mut self.walking(job, paths), 0, slot, (lane, step), packet.progress(), known);
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
        let labels = job.folding.labels(job.operation(step));
        let (src, dst) = job.folding.stands_for_message(labels.source(packet.message_class(), self.rank), self.rank);
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
            + self.lanes.capacity() * size_of::<Lane<Fs>>()
            + self.starts.capacity() * 16
            + self.programs.iter().map(|programs| size_of::<Programs>() + programs.bytes()).sum::<usize>()
            + self.open.capacity() * 4
            + self.progress.as_ref().map_or(0, |progress| progress.bytes())
            + self.standing.as_ref().map_or(0, |standing| standing.bytes())
            + self.messages.capacity() * size_of::<Message>()
            + self.early.bytes()
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
