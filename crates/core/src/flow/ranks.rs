//! A rank, with messages as the smallest unit: how long its steps take to begin, and what it does with what arrives.
//!
//! How it goes from step to step is in [`crate::walk`], whose host the run is.
//!
//! **Invariant.** The rules are those of the packet engine's endpoint. **Cost.** O(1) per message.

use std::sync::atomic::Ordering;

use super::injection::MessageKind;
use super::run::{Event, Run};
use crate::collective::{Schedule, Target};
use crate::control::push;
use crate::error::Error;
use crate::record::{FlowRecord, RankRecord};
use crate::units::{Fs, NEVER};
use crate::walk::{
    self, Alarm, Earlies, Explicitly, Host, Lane, Programmed, Programs, Progress, Proxy, Standing, Timer,
};
use crate::walk::{graph, streams};
use crate::workload::Workload;
use crate::workload::explicit::Explicit;

/// Ranks named in a message before it says how many more there are.
const NAMED: usize = 8;

/// A rank.
#[derive(Debug, Default)]
pub(super) struct Rank {
    /// By stream: steps whose messages are not all opened yet, in order of lane.
    pub(super) programs: Vec<Programs>,
    /// By stream: messages opened that have not left completely.
    pub(super) open: Vec<usize>,
    /// How far it is in its workload, if the run is more than one collective.
    pub(super) progress: Option<Box<Progress>>,
    /// How far it is in its program, if that is given action by action.
    pub(super) standing: Option<Box<Standing>>,
    /// Progress that arrived for steps not begun yet.
    early: Earlies<Fs>,
    /// Hands its messages to NICs that cost something per message.
    proxy: Proxy,
    lanes_left: u32,
    pub(super) stats: RankRecord,
}

impl<'a> Host<'a> for Run<'a> {
    type Time = Fs;

    fn schedule(&self) -> &'a dyn Schedule {
        self.job.schedule
    }

    fn rank(&self, seat: u32) -> u32 {
        self.name(seat)
    }

    fn lane(&mut self, seat: u32, slot: u32) -> &mut Lane<Fs> {
        let slots = self.slots();
        &mut self.lanes[seat as usize * slots + slot as usize]
    }

    fn early(&mut self, seat: u32) -> &mut Earlies<Fs> {
        &mut self.ranks[seat as usize].early
    }

    fn began(&mut self, seat: u32, _: u32, messages: u32, _: Fs) {
        self.ranks[seat as usize].stats.received_messages += u64::from(messages);
    }

    fn launch(&mut self, rank: u32, slot: u32, lane: u32, step: u32, time: Fs) {
        let name = self.name(rank);
        let network = self.network_of(name, self.job.schedule.send(name, lane, step, 0).to);
        let latency = self.job.protocol(self.job.operation(step)).step(network);
        let schedule = self.job.schedule;
        let mut start = time.saturating_add(latency);
        if self.job.fabric.proxies() {
            let takes = |i| {
                let network = self.network_of(name, schedule.send(name, lane, step, i).to);
                self.job.fabric.networks[network].spec.transport.per_message_fs
            };
            let mut proxy = self.ranks[rank as usize].proxy;
            start = proxy.hand(start, (0..schedule.sends(name, lane, step)).map(takes));
            self.ranks[rank as usize].proxy = proxy;
        }
        self.at(start, Event::Start { rank, slot });
    }

    fn through(&mut self, seat: u32, slot: u32, time: Fs) {
        let state = &mut self.ranks[seat as usize];
        state.stats.finish_fs = state.stats.finish_fs.max(time);
        if let Some(workload) = self.job.workload {
            return streams::through(self, seat, slot / workload.lanes(), time);
        }
        state.lanes_left -= 1;
        self.unfinished -= u32::from(state.lanes_left == 0);
    }
}

impl<'a> Programmed<'a> for Run<'a> {
    fn workload(&self) -> &'a Workload {
        self.job.workload.unwrap_or_else(|| unreachable!("a rank with progress has a workload"))
    }

    fn progress(&mut self, seat: u32) -> &mut Progress {
        let progress = self.ranks[seat as usize].progress.as_mut();
        progress.unwrap_or_else(|| unreachable!("a rank with a workload has progress"))
    }

    fn timer(&mut self, rank: u32, time: Fs, timer: Timer) {
        self.at(time, Event::Timer { rank, timer });
    }

    fn opens(&mut self, _: u32, _: u32) {}

    fn finished(&mut self, seat: u32, time: Fs) {
        let stats = &mut self.ranks[seat as usize].stats;
        stats.finish_fs = stats.finish_fs.max(time);
        self.unfinished -= 1;
    }
}

impl<'a> Explicitly<'a> for Run<'a> {
    // [`crate::walk::graph`] is entered only where the job is explicit, and then every rank is made with a standing
    fn program(&self) -> &'a Explicit {
        self.job.explicit.unwrap_or_else(|| unreachable!("a rank with a standing has a program"))
    }

    fn standing(&mut self, seat: u32) -> &mut Standing {
        let standing = self.ranks[seat as usize].standing.as_mut();
        standing.unwrap_or_else(|| unreachable!("a rank with a program has a standing"))
    }

    fn alarm(&mut self, rank: u32, time: Fs, alarm: Alarm) {
        self.at(time, Event::Alarm { rank, alarm });
    }

    fn ended(&mut self, seat: u32, time: Fs) {
        self.finished(seat, time);
    }
}

impl Run<'_> {
    /// Puts each rank on its accelerator and begins all lanes.
    pub(super) fn seat(&mut self) {
        let s = self.job.schedule;
        let (lanes, streams) = (s.lanes(), self.job.streams() as usize);
        for seat in 0..self.job.folding.simulated() {
            let rank = self.name(seat);
            let accelerator = self.job.placement[rank as usize];
            let stats = RankRecord { rank, accelerator, ..RankRecord::default() };
            let progress = self.job.workload.map(|workload| Box::new(Progress::new(workload, rank)));
            let (programs, open) = (vec![Programs::default(); streams], vec![0; streams]);
            let standing = self.job.explicit.map(|program| Box::new(Standing::new(program, rank)));
            self.ranks.push(Rank { lanes_left: lanes, stats, programs, open, progress, standing, ..Rank::default() });
            if self.job.explicit.is_some() {
                self.lanes.push(Lane::default());
                graph::start(self, seat, self.job.protocol.launch_fs);
                continue;
            }
            if self.job.workload.is_some() {
                self.lanes.extend((0..self.slots()).map(|_| Lane::default()));
                walk::streams::start(self, seat);
                continue;
            }
            self.lanes.extend((0..lanes).map(|lane| Lane::new(lane, s.steps(rank, lane))));
            if lanes == 0 {
                self.unfinished -= 1;
            }
            for lane in 0..lanes {
                walk::begin(self, seat, lane, self.job.protocol.launch_fs);
            }
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

    /// The step whose latency is over hands its messages to the queues.
    pub(super) fn start(&mut self, rank: u32, slot: u32) {
        if self.job.explicit.is_some() {
            self.ranks[rank as usize].programs[0].launch(0, slot, 1, self.now);
            return self.refill_all(rank, 0);
        }
        let Lane { step, sends_left: sends, lane, .. } = *self.lane(rank, slot);
        let (now, stream) = (self.now, self.stream_of(slot));
        self.ranks[rank as usize].programs[stream as usize].launch(lane.into(), step, sends, now);
        self.refill_all(rank, stream);
    }

    /// A time that was asked for has come.
    pub(super) fn fired(&mut self, rank: u32, timer: Timer) {
        let now = self.now;
        streams::fired(self, rank, timer, now);
    }

    /// Slots of a rank.
    pub(super) fn slots(&self) -> usize {
        (self.job.streams() * self.job.schedule.lanes()) as usize
    }

    /// The stream of a slot.
    pub(super) fn stream_of(&self, slot: u32) -> u32 {
        if self.job.workload.is_none() { 0 } else { slot / self.job.schedule.lanes() }
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
        if self.job.explicit.is_some() {
            return graph::arrived(self, rank, step, bytes + 1, self.now);
        }
        let slot = self.job.stream_of(step) * self.job.schedule.lanes() + lane;
        walk::arrived(self, rank, slot, (lane, step), bytes as i64 + 1, self.now);
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
    let lanes = run.slots().max(1);
    if let Some(program) = run.job.explicit {
        let waits = |(rank, state): (u32, &Rank)| {
            let (action, _) = state.standing.as_ref()?.open()?;
            Some(program.name(run.name(rank), action))
        };
        let mut open = (0u32..).zip(&run.ranks).filter_map(waits);
        let named: Vec<String> = open.by_ref().take(NAMED).collect();
        let waiting = format!("{} and {} more ranks have not ended", named.join("; "), open.count());
        return Some(Error::Unfinished { time_ns, waiting });
    }
    let waits = |(rank, of): (usize, &[Lane<Fs>])| {
        let l = of.iter().find(|lane| lane.open())?;
        Some(format!(
            "rank {} ({}) has {} messages to send and {} bytes or message ends to receive",
            run.name(rank as u32),
            run.job.place(l.lane.into(), l.step),
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
