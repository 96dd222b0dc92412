//! The event loop: all events of an instant, then the rates that they change.
//!
//! **Model.** Four kinds of events, in this order within an instant: a message arrives, the latency of a step is over, a
//! flow is through or has left, the links of a sender are free. When an instant has no more events, rates are brought up to date, which moves the ends of
//! the flows concerned (with more than [`CROWD`] flows, once for all instants within a [`PATIENCE`]th of the smallest latency of a link: each
//! change would touch all of them); an end that was moved stays in the heap, is recognised by its version, and is cleared away when
//! such have become many.
//!
//! **Invariant.** Times are whole femtoseconds and ties are broken by kind and number, so a run is the same every time. A
//! flow's rest is a float that is only looked at when its rate changes; its end is rounded up.
//!
//! **Cost.** O(log events) an event, plus the rates.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::atomic::Ordering;

use super::classes::Classes;
use super::fair::{Change, Fair};
use super::in_network::Downlink;
use super::injection::{InjectionQueue, Message, Part, Place, Stage};
use super::ranks::{Rank, unfinished};
use super::resources::Resources;
use super::routes::Route;
use super::tables::{self, Carried};
use super::timing::duration;
use crate::collective::SwitchUse;
use crate::control::{Control, Phase, filled, give_up, reserved};
use crate::engine::Job;
use crate::error::{Error, Result};
use crate::record::{FlowRecord, Record};
use crate::symmetry::Folding;
use crate::units::{Fs, MAX_TIME_FS, NEVER};
use crate::walk::{Alarm, Lane, Timer, graph};

/// Flows under way from which on rates may wait for each other, and the part of the smallest latency that they wait at most.
const CROWD: u64 = 512;
const PATIENCE: Fs = 64;

/// Events of an instant between two looks at whether the run was stopped.
const POLL: u64 = 1 << 16;
/// Events in the heap for each flow before those that are void are cleared away.
const CROWDED: usize = 8;

/// What happens, by order within an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A message has arrived and is stored. Ranks in events are seats: places among the ranks that are simulated.
    Arrival { message: u32, rank: u32 },
    /// The latency of a lane's step is over.
    Start { rank: u32, slot: u32 },
    /// A rank asked for this time.
    Timer { rank: u32, timer: Timer },
    /// So did a rank whose program is given.
    Alarm { rank: u32, alarm: Alarm },
    /// A flow is through, or has left its sender.
    End { part: u32, version: u32 },
    /// The sender's links are through with a flow that is held back further on.
    LinksFree { part: u32, version: u32 },
}

/// State of a run.
pub(super) struct Run<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) control: &'a Control,
    pub(super) classes: Classes,
    pub(super) resources: Resources,
    pub(super) fair: Fair,
    pub(super) now: Fs,
    /// How long rates may wait where flows are many.
    patience: Fs,
    events: BinaryHeap<Reverse<(Fs, Event)>>,
    pub(super) ranks: Vec<Rank>,
    pub(super) lanes: Vec<Lane<Fs>>,
    pub(super) queues: Vec<InjectionQueue>,
    pub(super) messages: Vec<Message>,
    pub(super) free_messages: Vec<u32>,
    /// Flows under way, by their number in `fair`.
    pub(super) parts: Vec<Part>,
    /// Sums under way by (root, lane, step): their messages.
    pub(super) sums: BTreeMap<(u32, u32, u32), u32>,
    pub(super) downlinks: Vec<Downlink>,
    pub(super) carried: Vec<Carried>,
    /// What single links of what is simulated carried beyond that.
    pub(super) over: BTreeMap<(u32, u32), Carried>,
    pub(super) flows: Vec<FlowRecord>,
    pub(super) routes: Vec<Route>,
    /// What has come to the nodes of a route.
    pub(super) nodes: Vec<Carried>,
    pub(super) unfinished: u32,
}

/// See [`super::run_within()`].
pub(super) fn run(job: &Job, control: &Control, cap: u64) -> Result<Option<Record>> {
    control.begin(Phase::Preparing)?;
    job.fabric.prepare(control)?;
    let whole = Folding::none(job.schedule.ranks(), String::new());
    let folding = if job.schedule.switches() == SwitchUse::Forward { job.folding } else { &whole };
    let job = &Job { folding, ..*job };
    let resources = Resources::new(job, control)?;
    let mut capacity = reserved("the links of the fabric", resources.capacity.len())?;
    capacity.extend_from_slice(&resources.capacity);
    let fair = Fair::new(capacity, resources.first_shared)?;
    let ranks = job.folding.simulated();
    let count = ranks as usize * job.streams() as usize * resources.queues as usize;
    let mut queues = reserved("the queues of the ranks", count)?;
    queues.resize_with(count, InjectionQueue::default);
    let mut run = Run {
        job,
        control,
        classes: Classes::new(job, &resources, control)?,
        fair,
        now: 0,
        patience: patience(job),
        events: BinaryHeap::new(),
        ranks: vec![],
        lanes: vec![],
        queues,
        messages: vec![],
        free_messages: vec![],
        parts: vec![],
        sums: BTreeMap::new(),
        downlinks: vec![],
        carried: filled("the links of the fabric", resources.capacity.len(), Carried::default())?,
        over: BTreeMap::new(),
        flows: vec![],
        routes: vec![],
        nodes: vec![],
        unfinished: ranks,
        resources,
    };
    control.begin(Phase::Simulating)?;
    run.seat();
    let Some(instants) = run.drive(cap)? else {
        return Ok(None);
    };
    if let Some(error) = unfinished(&run) {
        return Err(error);
    }
    let mut record = tables::record(&mut run)?;
    if record.finish_fs > MAX_TIME_FS {
        return Err(clock(record.finish_fs));
    }
    record.windows = instants;
    Ok(Some(record))
}

/// A small part of the latency of the fastest link.
fn patience(job: &Job) -> Fs {
    let links = job.fabric.networks.iter().flat_map(|net| &net.spec.links);
    links.map(|link| link.latency_fs).min().unwrap_or(0) / PATIENCE
}

/// The simulated clock would pass its end.
fn clock(now: Fs) -> Error {
    let (value, limit) = (format!("{} ns", now / 1_000_000), format!("{} ns", MAX_TIME_FS / 1_000_000));
    Error::Overflow { what: "simulated time".into(), value, limit }
}

impl Run<'_> {
    /// The rank that the `seat`-th simulated one is.
    pub(super) fn name(&self, seat: u32) -> u32 {
        self.job.folding.rank(seat)
    }

    /// What tells a simulated rank from others that do not do alike.
    pub(super) fn kind(&self, seat: u32) -> u32 {
        let rank = self.name(seat);
        if self.job.folding.symmetric() { self.job.folding.group().remove(rank) } else { rank }
    }

    /// Something will happen.
    pub(super) fn at(&mut self, time: Fs, event: Event) {
        if self.events.len() == self.events.capacity() && self.events.try_reserve(1).is_err() {
            give_up("the events to come", 2 * (self.events.len() * size_of::<(Fs, Event)>()) as u64);
        }
        self.events.push(Reverse((time.min(NEVER - 1), event)));
    }

    /// Handles events until none is left; the number of instants with events, or none if the cap was passed.
    fn drive(&mut self, cap: u64) -> Result<Option<u64>> {
        let limit = self.job.time_limit_fs.unwrap_or(MAX_TIME_FS).min(MAX_TIME_FS);
        let (mut instants, mut waiting, mut done) = (0, None, 0u64);
        while let Some(time) = self.next_instant() {
            if time > limit {
                return Err(if limit == MAX_TIME_FS { clock(time) } else { self.control.late(time, limit) });
            }
            self.control.check()?;
            self.control.now_fs.fetch_max(time, Ordering::Relaxed);
            self.now = time;
            instants += 1;
            let mut events = 0;
            while let Some(&Reverse((next, event))) = self.events.peek() {
                if next > time {
                    break;
                }
                self.events.pop();
                if !void(&self.parts, event) {
                    self.handle(event);
                    events += 1;
                    // an instant can have very many
                    if events % POLL == 0 {
                        self.control.check()?;
                    }
                }
            }
            self.control.work.fetch_add(events, Ordering::Relaxed);
            done += events;
            if done > cap {
                return Ok(None);
            }
            // where very many flows come and go one after the other their rates wait for each other for a moment
            let since = *waiting.get_or_insert(time);
            let soon = since.saturating_add(self.patience);
            // counted as in the whole machine, so that a folded run waits as the run in full does
            let crowd = self.fair.count() as u64 * self.job.folding.multiplicity();
            if crowd < CROWD || self.next_instant().is_none_or(|next| next > soon) {
                self.share();
                waiting = None;
            }
        }
        Ok(Some(instants))
    }

    /// Time of the next event that is not void.
    fn next_instant(&mut self) -> Option<Fs> {
        while let Some(&Reverse((time, event))) = self.events.peek() {
            if !void(&self.parts, event) {
                return Some(time);
            }
            self.events.pop();
        }
        None
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrival { message, rank } => self.arrive(message, rank),
            Event::Start { rank, slot } => self.start(rank, slot),
            Event::Timer { rank, timer } => self.fired(rank, timer),
            Event::Alarm { rank, alarm } => graph::rang(self, rank, alarm, self.now),
            Event::End { part, .. } => self.reach(part),
            Event::LinksFree { part, .. } => self.links_free(part),
        }
    }

    /// Brings rates up to date, and with them the ends of flows.
    fn share(&mut self) {
        let now = self.now;
        self.fair.resolve();
        for i in 0..self.fair.changed().len() {
            let Change { flow, before, rate } = self.fair.changed()[i];
            let part = &mut self.parts[flow as usize];
            // one that had no rate yet has it from when it came
            if before > 0.0 {
                part.rest -= before * (now - part.since) as f64;
                part.since = now;
            }
            part.rate = rate;
            self.plan(flow);
        }
        if self.events.len() > CROWDED * (self.parts.len() + self.messages.len() + self.lanes.len()) + 1024 {
            let parts = &self.parts;
            self.events.retain(|Reverse((_, event))| !void(parts, *event));
        }
    }

    /// Puts the next event of a flow into the heap; the one before is void.
    pub(super) fn plan(&mut self, flow: u32) {
        let now = self.now;
        let part = &mut self.parts[flow as usize];
        part.version = part.version.wrapping_add(1);
        let version = part.version;
        if part.rate == 0.0 && part.rest > part.until {
            return; // it has no rate yet
        }
        let end = part.since.saturating_add(duration(part.rest - part.until, part.rate)).clamp(now, NEVER - 1);
        if let (Stage::Leaving { free_at }, Place::Queue { .. }) = (part.stage, part.place)
            && end > free_at.saturating_add(1)
        {
            self.at(free_at.max(now), Event::LinksFree { part: flow, version });
        }
        self.at(end, Event::End { part: flow, version });
    }
}

/// True for an event of a flow that has been planned anew since.
fn void(parts: &[Part], event: Event) -> bool {
    match event {
        Event::End { part, version } | Event::LinksFree { part, version } => parts[part as usize].version != version,
        Event::Arrival { .. } | Event::Start { .. } | Event::Timer { .. } | Event::Alarm { .. } => false,
    }
}
