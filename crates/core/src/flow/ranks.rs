//! A rank: the state machine that runs its part of the schedule, with messages as the smallest unit.
//!
//! For each lane the rank walks through its steps. A step begins when the one before is complete; after the stack's step
//! latency its messages are handed to the queues, and it is complete when all of them have left and all that it must
//! receive has arrived and been stored or reduced. What arrives for a later step is remembered.
//!
//! **Invariant.** The rules are those of the packet engine's endpoint; a step counts payload bytes and messages down to
//! zero. **Cost.** O(1) a message.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::injection::MessageKind;
use super::run::{Event, Run};
use crate::collective::{Recv, Target};
use crate::control::push;
use crate::error::Error;
use crate::record::{FlowRecord, RankRecord};
use crate::units::{Fs, NEVER};

/// Ranks named in a message before it says how many more there are.
const NAMED: usize = 8;

/// A rank.
#[derive(Debug, Default)]
pub(super) struct Rank {
    /// Steps whose messages are not all opened yet, in order of lane.
    pub(super) programs: VecDeque<Program>,
    /// Messages opened that have not left completely.
    pub(super) open: usize,
    /// Progress that arrived for steps not begun yet: lane, step, progress, latest.
    early: Vec<(u32, u32, i64, Fs)>,
    lanes_left: u32,
    pub(super) stats: RankRecord,
}

/// Where a lane's program stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    step: u32,
    steps: u32,
    pub(super) sends_left: u32,
    recv_left: i64,
    pub(super) latest: Fs,
}

/// A step whose messages are being handed to the queues.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    pub(super) lane: u32,
    pub(super) step: u32,
    pub(super) next: u32,
    pub(super) sends: u32,
    pub(super) start: Fs,
}

impl Run<'_> {
    /// Puts each rank on its accelerator and begins all lanes.
    pub(super) fn seat(&mut self) {
        let s = self.job.schedule;
        let lanes = s.lanes();
        for seat in 0..self.job.folding.simulated() {
            let rank = self.name(seat);
            let accelerator = self.job.placement[rank as usize];
            let stats = RankRecord { rank, accelerator, ..RankRecord::default() };
            self.ranks.push(Rank { lanes_left: lanes, stats, ..Rank::default() });
            self.lanes.extend((0..lanes).map(|lane| Lane { steps: s.steps(rank, lane), ..Lane::default() }));
            if lanes == 0 {
                self.unfinished -= 1;
            }
            for lane in 0..lanes {
                self.begin(seat, lane, self.job.protocol.launch_fs);
            }
        }
    }

    pub(super) fn lane(&mut self, rank: u32, lane: u32) -> &mut Lane {
        &mut self.lanes[rank as usize * self.job.schedule.lanes() as usize + lane as usize]
    }

    /// Begins the current step of a lane at `time`, and those after it as long as they ask for nothing.
    fn begin(&mut self, rank: u32, lane: u32, mut time: Fs) {
        let (s, name) = (self.job.schedule, self.name(rank));
        loop {
            let Lane { step, steps, .. } = *self.lane(rank, lane);
            if step == steps {
                let state = &mut self.ranks[rank as usize];
                state.stats.finish_fs = state.stats.finish_fs.max(time);
                state.lanes_left -= 1;
                self.unfinished -= u32::from(state.lanes_left == 0);
                return;
            }
            let Recv { messages, bytes, .. } = s.recvs(name, lane, step);
            let sends = s.sends(name, lane, step);
            let (mut left, mut latest) = (bytes as i64 + i64::from(messages), time);
            let state = &mut self.ranks[rank as usize];
            state.stats.received_messages += u64::from(messages);
            if let Some(i) = state.early.iter().position(|e| (e.0, e.1) == (lane, step)) {
                let (.., progress, done) = state.early.swap_remove(i);
                left -= progress;
                latest = latest.max(done);
            }
            *self.lane(rank, lane) = Lane { step, steps, sends_left: sends, recv_left: left, latest };
            if sends > 0 {
                let network = self.network_of(name, s.send(name, lane, step, 0).to);
                let latency = self.job.protocol.step_fs.get(network).copied().unwrap_or(0);
                self.at(time.saturating_add(latency), Event::Start { rank, lane });
                return;
            }
            if left != 0 {
                return;
            }
            self.lane(rank, lane).step += 1;
            time = latest;
        }
    }

    /// Network that a message takes. Every pair of ranks has one, which was checked.
    pub(super) fn network_of(&self, rank: u32, to: Target) -> usize {
        match to {
            Target::Rank(peer) => {
                let (here, there) = (self.job.placement[rank as usize], self.job.placement[peer as usize]);
                self.job.fabric.network_between(here, there).unwrap_or(self.job.fabric.networks.len() - 1)
            }
            Target::SwitchReduce { .. } | Target::SwitchMulticast | Target::SwitchAllReduce => {
                self.resources.switch_network.unwrap_or(0)
            }
        }
    }

    /// Completes the current step of a lane if nothing is open.
    pub(super) fn settle(&mut self, rank: u32, lane: u32) {
        let state = self.lane(rank, lane);
        if state.sends_left == 0 && state.recv_left == 0 {
            state.step += 1;
            let time = state.latest;
            self.begin(rank, lane, time);
        }
    }

    /// The step whose latency is over hands its messages to the queues.
    pub(super) fn start(&mut self, rank: u32, lane: u32) {
        let Lane { step, sends_left: sends, .. } = *self.lane(rank, lane);
        let programs = &mut self.ranks[rank as usize].programs;
        // lanes are cut from the buffer in order: what is ready of an earlier lane goes before a later one
        let at = programs.partition_point(|p| p.lane < lane);
        programs.insert(at, Program { lane, step, next: 0, sends, start: self.now });
        self.refill_all(rank);
    }

    /// A message is there and stored.
    pub(super) fn arrive(&mut self, id: u32, rank: u32) {
        let message = &self.messages[id as usize];
        let (lane, step, bytes, reduce) = (message.lane, message.step, message.bytes, message.reduce);
        let (src, start_fs) = (self.name(message.rank), message.start);
        let dst = if let MessageKind::Unicast { to } = message.kind { to } else { self.name(rank) };
        let row = FlowRecord { src, dst, lane, step, bytes, start_fs, end_fs: self.now };
        self.arrived(id);
        if self.job.record_flows {
            push("the rows of the table flows", &mut self.flows, row);
        }
        self.control.delivered_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.count_stored(rank, bytes, reduce);
        let (progress, now) = (bytes as i64 + 1, self.now);
        let state = self.lane(rank, lane);
        if state.step == step && state.step < state.steps {
            state.recv_left -= progress;
            state.latest = state.latest.max(now);
            self.settle(rank, lane);
            return;
        }
        let early = &mut self.ranks[rank as usize].early;
        match early.iter_mut().find(|e| (e.0, e.1) == (lane, step)) {
            Some(e) => (e.2, e.3) = (e.2 + progress, now),
            None => early.push((lane, step, progress, now)),
        }
    }

    /// Books what a rank did with arriving data.
    fn count_stored(&mut self, rank: u32, bytes: u64, reduce: bool) {
        let device = &self.job.fabric.spec.device;
        let time = |rate: Option<crate::units::BitRate>, bytes| rate.map_or(0, |r| r.time(bytes));
        let stats = &mut self.ranks[rank as usize].stats;
        stats.received_bytes += bytes;
        let memory = time(device.hbm_rate, if reduce { 3 * bytes } else { bytes });
        stats.memory_busy_fs = stats.memory_busy_fs.saturating_add(memory).min(NEVER - 1);
        let (busy, rate) = if reduce {
            (&mut stats.reduce_busy_fs, device.reduce_rate)
        } else {
            (&mut stats.copy_busy_fs, device.copy_rate)
        };
        *busy = busy.saturating_add(time(rate, bytes)).min(NEVER - 1);
    }

    /// Books what a rank sent.
    pub(super) fn count_sent(&mut self, rank: u32, bytes: u64) {
        let memory = self.job.fabric.spec.device.hbm_rate.map_or(0, |r| r.time(bytes));
        let stats = &mut self.ranks[rank as usize].stats;
        stats.sent_bytes += bytes;
        stats.memory_busy_fs = stats.memory_busy_fs.saturating_add(memory).min(NEVER - 1);
    }
}

/// Why a run that has no more events is not complete; `None` if it is.
pub(super) fn unfinished(run: &Run) -> Option<Error> {
    let time_ns = run.now / 1_000_000;
    if run.unfinished == 0 {
        let unexpected: usize = run.ranks.iter().map(|r| r.early.len()).sum();
        let waiting = format!("{unexpected} messages arrived that no step waits for");
        return (unexpected > 0).then_some(Error::Unfinished { time_ns, waiting });
    }
    let lanes = run.job.schedule.lanes().max(1) as usize;
    let waits = |(rank, of): (usize, &[Lane])| {
        let (lane, l) = of.iter().enumerate().find(|(_, l)| l.step < l.steps)?;
        Some(format!(
            "rank {} (lane {lane}, step {}) has {} messages to send and {} bytes or message ends to receive",
            run.name(rank as u32),
            l.step,
            l.sends_left,
            l.recv_left
        ))
    };
    let mut open = run.lanes.chunks(lanes).enumerate().filter_map(waits);
    let mut waiting = open.by_ref().take(NAMED).collect::<Vec<_>>().join("; ");
    let more = open.count();
    if more > 0 {
        waiting += &format!("; and {more} more ranks");
    }
    Some(Error::Unfinished { time_ns, waiting })
}

impl MessageKind {
    /// True for what a rank sends to switches that combine.
    pub(super) fn contributes(self) -> bool {
        matches!(self, MessageKind::Contribution { .. })
    }
}
