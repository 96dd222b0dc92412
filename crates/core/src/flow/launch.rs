//! A message begins to leave: what it occupies, how fast it can go, and what is booked for it.
//!
//! **Model.** A flow takes its rate of every link or set of links on its path (of the planes of a set of ports, their
//! share), once its payload of the sender's memory, and once (stored) or three times (combined) of the receiver's, whose
//! copy or reduce channels it takes, too.
//!
//! **Invariant.** What links carry is booked once a message, when it begins. **Cost.** O(resources of the path).

use super::fair::Use;
use super::injection::{Message, MessageKind, Part, Place, Stage};
use super::routes::{Hop, NOWHERE, Route};
use super::run::{Event, Run};
use super::tables::Carried;
use super::timing::{Timing, accesses, timing};
use crate::control::push;
use crate::units::{Fs, NEVER};

/// Packets of a message that is short.
const SHORT: u64 = 8;

impl Run<'_> {
    /// A message or branch begins to leave.
    pub(super) fn launch(&mut self, id: u32, route: &Route, bytes: u64, index: usize) {
        let Message { kind, rank, network, reduce, operation, .. } = self.messages[id as usize];
        let here = self.job.placement[self.name(rank) as usize];
        let t = timing(self.job, operation, network, &route.stages, bytes, reduce);
        let mut uses = vec![];
        let mut carried = Carried::new(bytes, t.wire, t.packets);
        if let MessageKind::Unicast { to } = kind {
            carried = self.book_left_over(rank, self.job.placement[to as usize], carried);
        }
        self.occupy(&route.hops, carried, &mut uses);
        self.serve(here, 0, 1, bytes, t.wire, &mut uses);
        if let MessageKind::Unicast { to } = kind {
            self.store(to, bytes, reduce, t.wire, &mut uses);
        }
        let hop = self.job.protocol(operation).hop(network, &self.job.fabric.networks[network].spec);
        let latency = route.last(t.packets).saturating_add(t.extra).saturating_add(hop);
        let message = &mut self.messages[id as usize];
        message.latency = message.latency.max(latency);
        message.tail = message.tail.max(t.tail);
        let state = &mut self.queues[index];
        state.busy = true;
        let mut free_at = NEVER;
        // switches take in-network traffic whatever happens behind them
        if matches!(kind, MessageKind::Unicast { .. }) {
            let capacity = |hop: &Hop| self.resources.capacity[hop.resource as usize];
            let rate: f64 = route.hops.iter().take(route.first).map(capacity).sum();
            state.busy_until = state.busy_until.max(self.now as f64) + t.wire as f64 / rate;
            free_at = state.busy_until.ceil() as Fs;
        }
        let links = route.stages.first().map_or(1, |s| s.width);
        self.flow(id, Place::Queue { index, links, first: route.first }, &mut uses, &t, free_at);
        if kind.contributes() {
            self.contribution_begins(id);
        } else if kind == MessageKind::Multicast {
            self.multicast_begins(id);
        }
    }

    /// Starts a flow. Its sender's links alone would be through with it at `free_at`.
    pub(super) fn flow(&mut self, message: u32, place: Place, uses: &mut [Use], t: &Timing, free_at: Fs) {
        for held in &mut *uses {
            let (resource, times) = self.classes.of(held.resource);
            *held = Use { resource, weight: held.weight * f64::from(times) };
        }
        let (rest, stage) = (t.wire as f64, Stage::Leaving { free_at });
        let short = t.packets <= SHORT;
        let id =
            self.go(Part { message, place, rest, since: 0, rate: 0.0, version: 0, short, until: 0.0, stage }, uses);
        if t.wire == 0 {
            // nothing to send: it has left at once, whatever its rate
            let version = self.parts[id as usize].version;
            self.at(self.now, Event::End { part: id, version });
        }
    }

    /// A flow begins, or goes on.
    pub(super) fn go(&mut self, part: Part, uses: &[Use]) -> u32 {
        let id = self.fair.start(uses);
        let version = self.parts.get(id as usize).map_or(0, |old| old.version.wrapping_add(1));
        let part = Part { since: self.now, rate: 0.0, version, ..part };
        if let Some(place) = self.parts.get_mut(id as usize) {
            *place = part;
        } else {
            push("the flows under way", &mut self.parts, part);
        }
        id
    }

    /// Books what does not divide evenly among the paths of a message on one of them; the rest.
    fn book_left_over(&mut self, seat: u32, there: u32, carried: Carried) -> Carried {
        let here = self.job.placement[self.name(seat) as usize];
        let count = self.ranks[seat as usize].stats.sent_messages as u32;
        let Some(deal) = self.resources.deal(self.job, here, there, count) else {
            return carried;
        };
        let (over, even) = carried.cut(deal.parts);
        for port in deal.path {
            if let Some(class) = self.job.folding.class_of(self.job.fabric, port) {
                self.over.entry(class).or_default().add(&over);
            }
        }
        even
    }

    /// Adds links to what a flow uses and books what they carry.
    pub(super) fn occupy(&mut self, hops: &[Hop], carried: Carried, uses: &mut Vec<Use>) {
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.clear();
        nodes.push(carried);
        for hop in hops {
            let part = nodes[hop.at as usize].part(hop);
            if hop.resource != NOWHERE {
                uses.push(Use { resource: hop.resource, weight: hop.weight });
                self.carried[self.classes.of(hop.resource).0 as usize].add(&part);
            }
            if hop.next != NOWHERE {
                nodes.resize(nodes.len().max(hop.next as usize + 1), Carried::default());
                nodes[hop.next as usize].add(&part);
            }
        }
        self.nodes = nodes;
    }

    /// Adds a server of an accelerator: `times` accesses a payload byte.
    fn serve(&self, accelerator: u32, server: usize, times: u32, bytes: u64, wire: u64, uses: &mut Vec<Use>) {
        if let Some(first) = self.resources.servers[server].filter(|_| wire > 0) {
            let weight = f64::from(times) * bytes as f64 / wire as f64;
            uses.push(Use { resource: first + accelerator, weight });
        }
    }

    /// Adds what storing or combining at a rank takes.
    pub(super) fn store(&self, rank: u32, bytes: u64, reduce: bool, wire: u64, uses: &mut Vec<Use>) {
        let there = self.job.placement[rank as usize];
        self.serve(there, 0, accesses(reduce), bytes, wire, uses);
        self.serve(there, if reduce { 2 } else { 1 }, 1, bytes, wire, uses);
    }
}
