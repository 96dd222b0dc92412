//! What links carry if every rank walks through its steps: loads on the routes that messages really take.
//!
//! **Model.** The wire bytes of every message are put on the links of its route ([`super::routes`]: the path of a single-path
//! policy, or fractions of every link over which packets spread) and divided by their rates. Where the run has a symmetry one rank of
//! each class is looked at ([`super::classes`]). Two sums come out of it: the time of the busiest link over the whole run, and the sum over
//! steps of the time of the busiest link of each step, which is what ranks that walk in step wait for. Messages of a step that leave a
//! rank one after the other are steps of their own. Where paths collide by chance only some ranks are late, so the second sum is also
//! taken halfway to the mean rank.
//!
//! **Invariant.** Where every message is looked at, the busiest link's time is exact: no run is faster.
//!
//! **Cost.** At most [`MESSAGES`] messages, and O(links) of a machine of at most [`PORTS`] accelerator ports; larger ones are declined. Steps that
//! a schedule says are alike count as one. If there are still too many, a sample of them is looked at, which gives the second sum only.
//! **Limits.** In-network operations are left to others.

use std::collections::BTreeMap;

use super::classes::{Classes, folding};
use super::resources::Resources;
use super::routes::NOWHERE;
use super::timing;
use super::width::Width;
use crate::collective::{MAX_LANES, Schedule, SwitchUse, Target};
use crate::control::Control;
use crate::engine::Job;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::spec::ProtocolSpec;
use crate::symmetry::first_upward;

/// Messages looked at, about.
const MESSAGES: u64 = 1 << 16;
/// Links of a message that count as one message more.
const LINKS: u64 = 32;
/// Steps alike, on average, of a schedule whose ranks only wait for their neighbours.
const ALIKE: f64 = 4.0;
/// Accelerator ports of the largest machine looked at.
const PORTS: u64 = 1 << 18;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loads {
    /// Femtoseconds that the busiest link needs for everything, if every message was looked at.
    pub busiest: Option<f64>,
    /// The level that this link belongs to.
    pub name: String,
    /// Femtoseconds of the busiest link of each step, summed over the steps: largest over lanes.
    pub paced: f64,
    /// The same, halfway between the busiest link of all and the mean over ranks of the busiest link that each uses.
    pub in_step: f64,
    /// Every step is like many others: a rank waits for its neighbours, but not for the slowest of all.
    pub alike: bool,
    /// A step has several messages that leave a rank one after the other.
    pub queued: bool,
    /// Wire bytes of the longest message, as a multiple of the buffer behind a link; zero if buffers have no end.
    pub fill: f64,
}

impl Loads {
    /// Those of a schedule; `None` where they are not looked at.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub fn new(
        fabric: &Fabric,
        schedule: &dyn Schedule,
        placement: &[u32],
        protocol: &ProtocolSpec,
        seed: u64,
        control: &Control,
    ) -> Result<Option<Self>> {
        let ports = u64::from(fabric.accelerators()) * u64::from(fabric.accelerator_ports());
        if schedule.switches() != SwitchUse::Forward || ports > PORTS {
            return Ok(None);
        }
        let folding = folding(fabric, schedule, placement, true, control)?;
        let job = Job {
            fabric,
            schedule,
            placement,
            folding: &folding,
            protocol,
            workload: None,
            explicit: None,
            seed,
            threads: 1,
            record_flows: false,
            record_links: false,
            time_limit_fs: None,
            skip: false,
        };
        let each = Width::new(fabric, placement, control)?.links.div_ceil(LINKS).max(1);
        let Some(steps) = Steps::new(&job, MESSAGES / each) else {
            return Ok(None);
        };
        let Ok(resources) = Resources::new(&job, control) else {
            // it was stopped, or flows do not model this
            return control.check().map(|()| None);
        };
        let classes = Classes::new(&job, &resources, control)?;
        Survey::new(&job, &resources, &classes).walk(&steps, control).map(Some)
    }
}

/// Which steps of each lane are looked at, and how many each stands for.
struct Steps {
    lanes: Vec<Vec<(u32, f64)>>,
    /// None was left out.
    all: bool,
}

impl Steps {
    /// As many as have room; `None` if not even one step of each lane has.
    fn new(job: &Job, most: u64) -> Option<Self> {
        let (s, seats) = (job.schedule, job.folding.simulated());
        let name = |seat| job.folding.rank(seat);
        let lanes = s.lanes();
        let mut found = Self { lanes: vec![], all: true };
        let mut left = most;
        for lane in 0..lanes {
            let length = (0..seats).map(|seat| s.steps(name(seat), lane)).max().unwrap_or(0);
            let (mut list, mut step) = (vec![], 0);
            while step < length {
                let end = s.alike(lane, step).end.clamp(step + 1, length);
                list.push((step, f64::from(end - step)));
                step = end;
            }
            // ranks may differ in a step; of many ranks some are asked
            let stride = (seats / 64).max(1);
            let sends = |step: u32| -> u64 {
                let of = |seat| match name(seat) {
                    rank if step < s.steps(rank, lane) => u64::from(s.sends(rank, lane, step)) + 1,
                    _ => 1,
                };
                let asked = (0..seats).step_by(stride as usize).map(of).sum::<u64>();
                asked * u64::from(seats) / u64::from(seats.div_ceil(stride)).max(1)
            };
            // what is left is shared by the lanes that are left
            let share = left / u64::from(lanes - lane);
            let first = list.first().map_or(0, |&(step, _)| sends(step)).max(1);
            let wanted: u64 = match list.len() {
                0..=64 => list.iter().map(|&(step, _)| sends(step)).sum(),
                many => first.saturating_mul(many as u64),
            };
            if first > share {
                return None;
            }
            if wanted > share {
                let keep = (list.len() as u64 * share / wanted).max(1) as usize;
                let whole = list.len();
                list = (0..keep).map(|k| list[(2 * k + 1) * whole / (2 * keep)]).collect();
                list.iter_mut().for_each(|step| step.1 *= whole as f64 / keep as f64);
                found.all = false;
            }
            left = left.saturating_sub(wanted.min(share));
            found.lanes.push(list);
        }
        Some(found)
    }
}

struct Survey<'a> {
    job: &'a Job<'a>,
    resources: &'a Resources,
    classes: &'a Classes,
    /// Femtoseconds by resource: all, and those of the turn under way.
    busy: Vec<f64>,
    turn: Vec<f64>,
    /// What the messages of a step put on links, by turn: the n-th message that a queue of its sender sends.
    turns: Vec<Vec<Put>>,
    /// See [`Loads`].
    fill: f64,
}

/// A part of a message on a resource.
struct Put {
    network: usize,
    seat: u32,
    class: u32,
    load: f64,
    /// On the link into the receiver.
    last: bool,
}

impl<'a> Survey<'a> {
    fn new(job: &'a Job<'a>, resources: &'a Resources, classes: &'a Classes) -> Self {
        let n = resources.capacity.len();
        Self { job, resources, classes, busy: vec![0.0; n], turn: vec![0.0; n], turns: vec![], fill: 0.0 }
    }

    fn walk(mut self, steps: &Steps, control: &Control) -> Result<Loads> {
        let mut loads = Loads { alike: true, ..Loads::default() };
        for (lane, list) in steps.lanes.iter().enumerate() {
            let (mut paced, mut in_step) = (0.0, 0.0);
            for &(step, weight) in list {
                for seat in 0..self.job.folding.simulated() {
                    control.check()?;
                    self.send(seat, lane as u32, step);
                }
                let mut turns = std::mem::take(&mut self.turns);
                let queued = turns.iter().filter(|turn| !turn.is_empty()).count() > 1;
                loads.queued |= queued;
                // queues into one network do not wait for those into another
                let mut here = vec![[0.0; 2]; self.job.fabric.networks.len()];
                for turn in &mut turns {
                    turn.sort_by_key(|put| put.network);
                    for of in turn.chunk_by(|a, b| a.network == b.network) {
                        let (busiest, mean) = self.take(of, weight, queued);
                        here[of[0].network][0] += busiest;
                        here[of[0].network][1] += (busiest + mean) / 2.0;
                    }
                    turn.clear();
                }
                let [most, between] = [0, 1].map(|i| here.iter().map(|times| times[i]).fold(0.0, f64::max));
                (paced, in_step) = (paced + most * weight, in_step + between * weight);
                self.turns = turns;
            }
            loads.alike &= list.iter().map(|step| step.1).sum::<f64>() >= ALIKE * list.len() as f64;
            loads.paced = loads.paced.max(paced);
            loads.in_step = loads.in_step.max(in_step);
        }
        loads.alike &= steps.all;
        loads.fill = self.fill;
        if steps.all {
            let (mut at, mut most) = (0, 0.0);
            for (resource, &busy) in self.busy.iter().enumerate() {
                if busy > most {
                    (at, most) = (resource as u32, busy);
                }
            }
            loads.busiest = Some(most);
            loads.name = self.name(at);
        }
        Ok(loads)
    }

    /// Adds a turn in one network to what is busy: the time of its busiest link, and the mean over ranks of the busiest that each uses.
    fn take(&mut self, turn: &[Put], weight: f64, queued: bool) -> (f64, f64) {
        for put in turn {
            self.turn[put.class as usize] += put.load;
        }
        let (mut busiest, mut sum, mut ranks) = (0.0f64, 0.0, 0u32);
        for own in turn.chunk_by(|a, b| a.seat == b.seat) {
            // several that begin with one receiver part at once, and then go on beside each other
            let own = own.iter().filter(|put| !(queued && put.last));
            let most = own.map(|put| self.turn[put.class as usize]).fold(0.0, f64::max);
            (busiest, sum, ranks) = (busiest.max(most), sum + most, ranks + 1);
        }
        for put in turn {
            self.busy[put.class as usize] += std::mem::take(&mut self.turn[put.class as usize]) * weight;
        }
        (busiest, sum / f64::from(ranks.max(1)))
    }

    /// Puts what a rank sends in a step on its links.
    fn send(&mut self, seat: u32, lane: u32, step: u32) {
        let (job, s) = (self.job, self.job.schedule);
        let rank = job.folding.rank(seat);
        if step >= s.steps(rank, lane) {
            return;
        }
        let here = job.placement[rank as usize];
        // messages that each queue has sent
        let mut sent: BTreeMap<u32, usize> = BTreeMap::new();
        let mut routes = vec![];
        for i in 0..s.sends(rank, lane, step) {
            let message = s.send(rank, lane, step, i);
            let Target::Rank(to) = message.to else { continue };
            let there = job.placement[to as usize];
            let Some(network) = job.fabric.network_between(here, there).filter(|_| here != there) else { continue };
            let net = &job.fabric.networks[network];
            let wire = timing::wire(job.protocol, (network, net), message.bytes) as f64;
            self.fill = self.fill.max(net.spec.buffer.map_or(0.0, |buffer| wire / buffer as f64));
            let tag = message.recv_step << MAX_LANES.trailing_zeros() | lane;
            self.resources.unicast(job, here, there, (tag, job.seed), &mut routes);
            let all = routes.last().map_or(1, |last| last.to).max(1);
            for route in &routes {
                let nth = sent.entry(route.queue).or_default();
                if self.turns.len() <= *nth {
                    self.turns.push(vec![]);
                }
                let part = wire * f64::from(route.to - route.from) / f64::from(all);
                let tree = net.is_tree();
                for (i, hop) in route.hops.iter().enumerate().filter(|(_, hop)| hop.resource != NOWHERE) {
                    let (class, times) = self.classes.of(hop.resource);
                    let capacity = self.resources.capacity[hop.resource as usize];
                    let load = part * hop.weight * f64::from(times) / capacity;
                    let last = tree && i + 1 == route.hops.len();
                    self.turns[*nth].push(Put { network, seat, class, load, last });
                }
                *nth += 1;
            }
        }
    }

    /// The level of a class of resources.
    fn name(&self, class: u32) -> String {
        let fabric = self.job.fabric;
        let ports = (0..fabric.vertices()).flat_map(|v| (0..fabric.ports(v)).map(move |p| (v, p)));
        let here = |&(v, p): &(u32, u32)| {
            self.resources.home(self.job, v, p).is_some_and(|home| self.classes.of(home.0).0 == class)
        };
        let Some((vertex, port)) = { ports }.find(here) else {
            return String::new();
        };
        let Some(end) = fabric.peer(vertex, port) else {
            return String::new();
        };
        let net = &fabric.networks[end.network];
        if !net.is_tree() {
            return format!("{} {} links", net.spec.name, net.level(end.tier));
        }
        let direction = if port >= first_upward(fabric, vertex) { "up" } else { "down" };
        format!("{} tier {} {direction} links", net.spec.name, end.tier + 1)
    }
}
