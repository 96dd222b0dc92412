//! Small and tree-like schedules, message by message: who waits for whom decides, not how much there is.
//!
//! **Model.** Ranks go from step to step as in the engine ([`crate::walk`], whose host the prediction is); a message occupies its port class at the
//! sender, travels, and occupies the port class at the receiver. Packets, credits and links in between do not exist.
//!
//! **Symmetry.** Where shifts take ranks into one another ([`crate::symmetry`]), one rank of each class is walked, and what would
//! arrive at another arrives at the one that stands for it.
//!
//! **Invariant.** Events are taken in the order (time, sequence), so a prediction is deterministic.
//!
//! **Cost.** O(log events) per message of the ranks that are walked. **Limits.** Ports serve messages whole, in the order in which
//! their steps begin.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::leg::{Costs, Leg};
use crate::collective::{Schedule, Target};
use crate::control::{Control, filled};
use crate::error::Result;
use crate::radix::Radix;
use crate::units::Fs;
use crate::walk::{self, Earlies, Host, Lane, Proxy};

/// Something that happens at a rank that is walked, here and below counted by class.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The latency of a step is over.
    Start { rank: u32, lane: u32 },
    /// A message's tail is there, if the port has been free.
    Arrival { rank: u32, lane: u32, step: u32, bytes: u64, leg: Leg },
}

struct Run<'a> {
    costs: &'a Costs<'a>,
    schedule: &'a dyn Schedule,
    /// Shifts of the rank under which fabric and schedule stay the same.
    group: &'a Radix,
    /// How many ranks are walked: one of each class.
    classes: u32,
    lanes: u32,
    states: Vec<Lane<f64>>,
    /// What came before its step began, by rank.
    early: Vec<Earlies<f64>>,
    /// Contributions to sums in the switches by (root if there is one, lane, step).
    sums: BTreeMap<(Option<u32>, u32, u32), (u32, f64)>,
    /// What happens next: (time in fs as an integer, sequence, index of the event).
    order: BinaryHeap<Reverse<(u64, u64, u32)>>,
    events: Vec<Event>,
    free: Vec<u32>,
    sequence: u64,
    /// Ports out and in, by rank and class.
    out_free: Vec<f64>,
    in_free: Vec<f64>,
    /// The same where a class leads to several neighbours: by rank, class and neighbour, in and out.
    apart: BTreeMap<(u32, usize, u32, bool), f64>,
    memory_free: Vec<f64>,
    proxies: Vec<Proxy>,
    finish: f64,
}

/// Time from the end of launch until all ranks are through, if only the first `lanes` lanes run. `group` has the shifts of the
/// rank under which fabric and schedule stay the same, none if that is not known.
///
/// # Errors
/// Those of [`Control::check`].
pub fn forward(costs: &Costs, schedule: &dyn Schedule, group: &Radix, lanes: u32, control: &Control) -> Result<f64> {
    let classes = (u64::from(schedule.ranks()) / group.order()) as u32;
    let (n, ports) = (classes as usize, costs.ports());
    let mut run = Run {
        costs,
        schedule,
        group,
        classes,
        lanes,
        states: filled("states of ranks", n * lanes as usize, Lane::default())?,
        early: filled("states of ranks", n, Earlies::default())?,
        sums: BTreeMap::new(),
        order: BinaryHeap::new(),
        events: vec![],
        free: vec![],
        sequence: 0,
        out_free: filled("ports of ranks", n * ports, 0.0)?,
        in_free: filled("ports of ranks", n * ports, 0.0)?,
        apart: BTreeMap::new(),
        memory_free: filled("memories of ranks", n, 0.0)?,
        proxies: filled("threads of ranks", n, Proxy::default())?,
        finish: 0.0,
    };
    for rank in 0..classes {
        control.check()?;
        for lane in 0..lanes {
            *run.lane(rank, lane) = Lane::new(lane, schedule.steps(run.name(rank), lane));
            walk::begin(&mut run, rank, lane, 0.0);
        }
    }
    while let Some(Reverse((time, _, id))) = run.order.pop() {
        control.check()?;
        run.free.push(id);
        match run.events[id as usize] {
            Event::Start { rank, lane } => run.start(rank, lane, time as f64),
            Event::Arrival { rank, lane, step, bytes, leg } => run.arrive(rank, lane, step, time as f64, &leg, bytes),
        }
    }
    Ok(run.finish)
}

impl Run<'_> {
    fn at(&mut self, time: f64, event: Event) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.events.push(event);
            self.events.len() as u32 - 1
        });
        self.events[id as usize] = event;
        self.sequence += 1;
        self.order.push(Reverse((time.round() as u64, self.sequence, id)));
    }

    /// The rank that is walked for a class.
    fn name(&self, class: u32) -> u32 {
        self.group.insert(class)
    }

    /// Hands the messages of the current step to the ports.
    fn start(&mut self, rank: u32, lane: u32, time: f64) {
        let (name, Lane { step, sends_left: sends, .. }) = (self.name(rank), *self.lane(rank, lane));
        let mut out = time;
        for i in 0..sends {
            let message = self.schedule.send(name, lane, step, i);
            let Some(leg) = self.costs.leg(name, &message) else {
                continue;
            };
            let (free, occupancy) = self.port(rank, &leg, true);
            let begin = free.max(time);
            *free = begin + occupancy;
            let free = *free;
            let memory = &mut self.memory_free[rank as usize];
            *memory = memory.max(begin) + self.costs.memory(message.bytes as f64);
            let tail = (begin + leg.alone + leg.read).max(free);
            out = out.max(tail);
            let arrival = tail + leg.latency;
            let (step, bytes) = (message.recv_step, message.bytes);
            match message.to {
                Target::Rank(peer) => {
                    let rank = self.group.remove(peer);
                    self.at(arrival, Event::Arrival { rank, lane, step, bytes, leg });
                }
                Target::SwitchReduce { root } => {
                    // each rank that is walked adds to all roots of the class
                    let all = self.schedule.circle(root, step).size();
                    let rank = self.group.remove(root);
                    if let Some(last) = self.contribute((Some(rank), lane, step), all, arrival) {
                        self.at(last, Event::Arrival { rank, lane, step, bytes, leg });
                    }
                }
                Target::SwitchAllReduce => {
                    if let Some(last) = self.contribute((None, lane, step), self.classes, arrival) {
                        for rank in 0..self.classes {
                            self.at(last, Event::Arrival { rank, lane, step, bytes, leg });
                        }
                    }
                }
                Target::SwitchMulticast => {
                    for peer in self.schedule.circle(name, step).members() {
                        let rank = self.group.remove(peer);
                        self.at(arrival, Event::Arrival { rank, lane, step, bytes, leg });
                    }
                }
            }
        }
        walk::sent(self, rank, lane, sends, out);
    }

    /// When the ports that a message uses are free at its sender (`out`) or receiver, and how long it has them to itself.
    fn port(&mut self, rank: u32, leg: &Leg, out: bool) -> (&mut f64, f64) {
        let (neighbour, neighbours) = leg.neighbour;
        if neighbours > 1 {
            let free = self.apart.entry((rank, leg.port, neighbour, out)).or_insert(0.0);
            return (free, leg.occupancy * f64::from(neighbours));
        }
        let list = if out { &mut self.out_free } else { &mut self.in_free };
        (&mut list[rank as usize * self.costs.ports() + leg.port], leg.occupancy)
    }

    /// Adds to a sum of so many contributions; when it is complete, gives the last one's arrival.
    fn contribute(&mut self, key: (Option<u32>, u32, u32), all: u32, arrival: f64) -> Option<f64> {
        let sum = self.sums.entry(key).or_insert((0, 0.0));
        *sum = (sum.0 + 1, sum.1.max(arrival));
        let (count, last) = *sum;
        if count < all {
            return None;
        }
        self.sums.remove(&key);
        Some(last)
    }

    /// A message's tail reaches its receiver.
    fn arrive(&mut self, peer: u32, lane: u32, step: u32, arrival: f64, leg: &Leg, bytes: u64) {
        let (free, occupancy) = self.port(peer, leg, false);
        let tail = arrival.max(*free + occupancy);
        *free = tail;
        let reduce = walk::reduces(self.schedule, self.name(peer), lane, step);
        let memory = &mut self.memory_free[peer as usize];
        let took = self.costs.take(bytes as f64, reduce);
        // what arrived before the last packets is stored on the way, if the memory keeps pace
        let last = self.costs.take(leg.last.min(bytes as f64), reduce);
        *memory = (memory.max(tail - leg.alone) + took).max(tail + last);
        let stored = *memory;
        walk::arrived(self, peer, lane, (lane, step), bytes as i64 + 1, stored + leg.hop);
    }
}

impl<'a> Host<'a> for Run<'a> {
    type Time = f64;

    fn schedule(&self) -> &'a dyn Schedule {
        self.schedule
    }

    fn rank(&self, seat: u32) -> u32 {
        self.name(seat)
    }

    fn lane(&mut self, seat: u32, lane: u32) -> &mut Lane<f64> {
        &mut self.states[seat as usize * self.lanes as usize + lane as usize]
    }

    fn early(&mut self, seat: u32) -> &mut Earlies<f64> {
        &mut self.early[seat as usize]
    }

    fn began(&mut self, _: u32, _: u32, _: u32, _: f64) {}

    fn launch(&mut self, rank: u32, _: u32, lane: u32, step: u32, time: f64) {
        let name = self.name(rank);
        let first = self.schedule.send(name, lane, step, 0);
        let network = self.costs.leg(name, &first).map_or(0, |leg| leg.network);
        let (schedule, costs, ready) = (self.schedule, self.costs, time + self.costs.step(network));
        let takes =
            |i| costs.leg(name, &schedule.send(name, lane, step, i)).map_or(0, |leg| costs.per_message(leg.network));
        let handed = match costs.proxies() {
            true => self.proxies[rank as usize]
                .hand(ready.round() as Fs, (0..schedule.sends(name, lane, step)).map(takes)) as f64,
            false => ready,
        };
        self.at(handed, Event::Start { rank, lane });
    }

    fn through(&mut self, _: u32, _: u32, time: f64) {
        self.finish = self.finish.max(time);
    }
}
