//! Injection: messages of a rank, cut into packets one by one as its ports get to them.
//!
//! A port's share of a message is known by arithmetic (see [`crate::routing::policy`]), so a message is a few words whatever
//! its size, and a port makes its next packet when it can send it.
//!
//! **Invariant.** A message has state from the moment a port turns to it until its last packet has left. Which message a
//! port takes next does not depend on when messages are opened. **Limits.** A rank has at most [`open_messages`] open.

use std::collections::VecDeque;

use super::dealing::{Cut, Dealing, Dealt};
use super::endpoint::Endpoint;
use super::in_network::SHARED;
use super::packet::{LAST, MULTICAST, Packet, REDUCE, turn, turn_of};
use super::paths::PathNet;
use super::{Job, Paths};
use crate::collective::Target;
use crate::record::FlowRecord;
use crate::routing::policy::{Kind, Path, Spread};
use crate::routing::router::NextHop;
use crate::units::Fs;
use crate::walk::{Opening, tag};

/// Messages of a rank that can be under way at once, as a library's and a NIC's queues bound them: 256, or two for each of its
/// ports if it has more than 128, so that no port of a large mesh is idle because others are slow. A message beyond waits for one
/// before it to have left completely.
pub(crate) fn open_messages(ports: u32) -> usize {
    (2 * ports as usize).max(256)
}

/// Injection side of one port.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) shares: VecDeque<Share>,
    /// When the packet at the head came to the head.
    pub(super) ready: Fs,
    /// When the packet injected last was through.
    pub(super) tail: Fs,
}

/// One port's share of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) message: u32,
    pub(super) group: u32,
    /// The packet of this group that goes by this port: [`Spread::number`], kept because it is asked for often.
    pub(super) number: u32,
    /// Where there is no tree, what the packet carries behind the first hop.
    pub(super) way: u32,
    pub(super) hop: u16,
    pub(super) channel: u8,
    /// See [`Router::order`](crate::routing::router::Router::order).
    pub(super) order: u8,
    /// Full packets that its rank sprayed by this port before, and short ones.
    pub(super) count: u32,
    pub(super) shorts: u32,
}

/// An open message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) spread: Spread,
    pub(super) bytes: u64,
    /// Place at the leaves of what is simulated.
    pub(super) slot: u32,
    /// Place that its paths go by.
    pub(super) by: u32,
    /// How far its destination's links are turned against those here.
    pub(super) turned: u32,
    pub(super) packets: u32,
    pub(super) left: u32,
    pub(super) tag: u32,
    pub(super) message_class: u32,
    /// Slot of its lane.
    pub(super) slot_of: u32,
    pub(super) operation: u32,
    pub(super) network: u8,
    pub(super) flags: u8,
}

/// A packet that a port could inject next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) packet: Packet,
    pub(super) ready: Fs,
    /// The queue that it comes from.
    pub(super) queue: u32,
}

impl Offer {
    /// Nothing to inject.
    pub(super) const NONE: Self = Self { packet: Packet::EMPTY, ready: 0, queue: 0 };
}

impl Endpoint {
    /// True if the port has something to inject, now that it was refilled.
    pub(super) fn has_work(&self, port: u32) -> bool {
        self.queues_of(port).any(|queue| !self.queues[queue as usize].shares.is_empty())
    }

    /// The queues of a port, one per stream.
    #[inline(always)]
    fn queues_of(&self, port: u32) -> std::ops::Range<u32> {
        let streams = self.programs.len() as u32;
        port * streams..(port + 1) * streams
    }

    /// The queue of a port that is served next: of those that have something that which was served least recently. Of equals the
    /// first stream's.
    #[inline(always)]
    fn next_queue(&self, port: u32) -> Option<u32> {
        if self.programs.len() == 1 {
            return Some(port);
        }
        let filled = self.queues_of(port).filter(|&queue| !self.queues[queue as usize].shares.is_empty());
        filled.min_by_key(|&queue| self.queues[queue as usize].tail)
    }

    /// Opens messages of a stream until a port has one of them to inject or nothing is left to open. Opening is lazy: which message
    /// a port takes next does not depend on when it is opened.
    fn refill(&mut self, job: &Job, paths: &Paths, stream: u32, port: u32, now: Fs) {
        let queue = (port * self.programs.len() as u32 + stream) as usize;
        while self.queues[queue].shares.is_empty() && (self.open[stream as usize] as usize) < paths.open_messages {
            let Some(opening) = self.programs[stream as usize].open() else {
                return;
            };
            self.open(job, paths, stream, opening, now);
        }
    }

    /// Opens messages of a stream until all ports have one of them to inject or nothing is left to open.
    pub(super) fn refill_all(&mut self, job: &Job, paths: &Paths, stream: u32, now: Fs) {
        for port in 0..paths.accelerator_ports {
            if self.programs[stream as usize].is_empty() {
                return;
            }
            self.refill(job, paths, stream, port, now);
        }
    }

    /// Opens a message, whose first packet leaves neither before its step was launched nor before `now`.
    fn open(&mut self, job: &Job, paths: &Paths, stream: u32, opening: Opening, now: Fs) {
        let Opening { lane, start, .. } = opening;
        let operation = job.operation(opening.step);
        let protocol = job.protocol(operation);
        let message = job.schedule.send(self.rank, lane, opening.step, opening.message);
        let network = paths.network_of(self.accelerator, job, message.to);
        let net = &paths.networks[network];
        let packets = message.bytes.div_ceil(u64::from(net.payload)).max(1) as u32;
        let tag_of = tag(lane, message.recv_step);
        let (seed, label) = job.label(message.recv_step);
        let (folding, labels) = (job.folding, job.folding.labels(operation));
        let (target, message_class, flags, to) = match message.to {
            Target::Rank(peer) => (job.placement[peer as usize], labels.of(self.rank, peer), 0, peer),
            Target::SwitchReduce { root } => (job.placement[root as usize], labels.of(root, root), REDUCE, root),
            // each copy gets its own class where it is made
            Target::SwitchMulticast => (self.accelerator, self.rank, MULTICAST, self.rank),
            Target::SwitchAllReduce => (self.accelerator, SHARED, REDUCE | MULTICAST, self.rank),
        };
        let (here, there) = (self.accelerator % net.span, target % net.span);
        let (from, towards) = (net.slot(here), net.slot(there));
        let place = folding.stands_for(target) % net.places;
        let router = paths.routers[network].as_ref();
        let available = net.whole.as_ref().map_or(net.ports, |whole| whole.choices(here, there));
        let climbs = net.contributors.is_some();
        // owners are counted from the first rank of their job: nothing depends on the jobs before it
        let sums = |owner: u32, lane: u32| {
            let owner = owner.saturating_sub(labels.first());
            Spread::in_network(available, owner, lane, packets, climbs)
        };
        let plugged = net.whole.is_none();
        let mut spread = match message.to {
            Target::Rank(_) => Spread::new(net.routing, available, plugged, from, towards, tag(lane, label), seed),
            Target::SwitchReduce { root } => sums(root, lane),
            Target::SwitchMulticast => sums(self.rank, lane),
            Target::SwitchAllReduce => sums(0, lane),
        };
        let (simulated, way) = match &net.whole {
            Some(whole) => (folding.stands_for(self.accelerator) % net.places, whole.way(here, there)),
            None => (0, 0),
        };
        let mut before: Vec<(u32, u32)> = std::mem::take(&mut self.before);
        before.clear();
        if matches!(spread.kind, Kind::RoundRobin | Kind::Striped) {
            let mut hops = std::mem::take(&mut self.hops);
            hops.clear();
            hops.extend((0..available).map(|hop| match router {
                None => hop,
                Some(router) => router.first(simulated, way, hop).map_or(0, |next_hop| next_hop.port),
            }));
            let payload = u64::from(net.payload);
            let short = (message.bytes % payload) as u32;
            let short = (short > 0 || message.bytes == 0).then(|| protocol.wire_bytes(network, short, net.overhead));
            let cut = Cut {
                fulls: packets - u32::from(short.is_some()),
                full_wire: protocol.wire_bytes(network, net.payload, net.overhead),
                short_wire: short,
            };
            let index = stream as usize * paths.networks.len() + network;
            let dealing = self.dealing(index, net, labels.symmetric(), from);
            let begin = dealing.begin(&hops, &cut);
            before.extend(hops.iter().map(|&port| &dealing.ports[port as usize]).map(|p| (p.fulls, p.shorts)));
            dealing.deal(&hops, begin, &cut);
            spread = spread.beginning(begin, cut.fulls, short.is_some());
            self.hops = hops;
        }
        let state = Message {
            spread,
            bytes: message.bytes,
            // a sum for all is nobody's: only the link counts
            slot: if message.to == Target::SwitchAllReduce { 0 } else { net.simulated_slot(place) },
            turned: if folding.turns(network) { folding.turned(target) } else { 0 },
            by: if spread.path == Path::Destination { towards } else { from },
            packets,
            left: packets,
            tag: tag_of,
            message_class,
            slot_of: job.explicit.map_or_else(|| stream * job.schedule.lanes() + lane, |_| opening.step),
            operation,
            network: network as u8,
            flags: flags
                | turn(match &net.whole {
                    Some(_) => net.phase,
                    None if flags != 0 && climbs => net.top,
                    None => net.turn(from, towards),
                }),
        };
        let id = match self.free_messages.pop() {
            Some(id) => {
                self.messages[id as usize] = state;
                id
            }
            None => {
                self.messages.push(state);
                self.messages.len() as u32 - 1
            }
        };
        let hops = if spread.kind == Kind::Single { spread.rotation..spread.rotation + 1 } else { 0..spread.choices };
        for hop in hops {
            let number = spread.number(hop, 0);
            if number >= packets {
                continue;
            }
            let (port, channel, order, way) = match router {
                None => (net.first_port + hop, 0, 0, 0),
                Some(router) => match router.first(simulated, way, hop) {
                    Some(NextHop { port, channel, left, .. }) => {
                        (net.first_port + port, channel as u8, router.order(simulated, way, hop), left)
                    }
                    None => continue,
                },
            };
            let queue = &mut self.queues[(port * self.programs.len() as u32 + stream) as usize];
            if queue.shares.is_empty() {
                queue.ready = queue.ready.max(start).max(now);
                self.opened.push(port);
            }
            let (count, shorts) = before.get(hop as usize).copied().unwrap_or((0, 0));
            queue.shares.push_back(Share {
                message: id,
                group: 0,
                number,
                way,
                hop: hop as u16,
                channel,
                order,
                count,
                shorts,
            });
        }
        self.before = before;
        self.open[stream as usize] += 1;
        self.stats.sent_messages += 1;
        if job.record_flows && (flags != REDUCE || to == self.rank) {
            let bytes = message.bytes;
            let row = FlowRecord {
                src: self.rank,
                dst: to,
                lane,
                step: message.recv_step,
                bytes,
                start_fs: start,
                end_fs: 0,
            };
            if flags == MULTICAST {
                let circle = job.schedule.circle(self.rank, message.recv_step);
                self.flow_starts.extend(circle.members().map(|member| FlowRecord { dst: member, ..row }));
            } else {
                self.flow_starts.push(row);
            }
        }
    }

    /// What an operation sprayed into a network before.
    fn dealing(&mut self, index: usize, net: &PathNet, symmetric: bool, from: u32) -> &mut Dealing {
        if self.dealings.len() <= index {
            self.dealings.resize_with(index + 1, Dealing::default);
        }
        let dealing = &mut self.dealings[index];
        if dealing.ports.is_empty() {
            // ranks that do alike begin alike. Others spread what they send at once to one place, and do not meet again when
            // each goes on to the next place
            let block = crate::rng::mix(u64::from(from / net.ports)) % u64::from(net.ports);
            let start = block as u32 + net.ports - from % net.ports;
            dealing.next = if symmetric { 0 } else { start };
            dealing.ports = vec![Dealt::default(); net.ports as usize];
        }
        dealing
    }

    /// The packet that a port would inject next; false if there is none.
    #[inline]
    pub(super) fn offer(&self, job: &Job, paths: &Paths, port: u32, offer: &mut Offer) -> bool {
        let Some(index) = self.next_queue(port) else {
            return false;
        };
        let queue = &self.queues[index as usize];
        let Some(share) = queue.shares.front() else {
            return false;
        };
        let message = &self.messages[share.message as usize];
        let net = &paths.networks[message.network as usize];
        let (hop, number) = (u32::from(share.hop), share.number);
        // what its way up goes by, where packets are sprayed in turn: full ones and short ones each by their own count
        let count = || match message.spread.kind {
            Kind::RoundRobin if number < message.spread.fulls => share.count.wrapping_add(share.group),
            Kind::RoundRobin => share.shorts,
            _ => 0,
        };
        let sent = u64::from(number) * u64::from(net.payload);
        let payload = message.bytes.saturating_sub(sent).min(u64::from(net.payload)) as u32;
        let (dst, selector) = if let Some(at) = net.port_links.get((port - net.first_port) as usize) {
            let selector = match message.spread.path(hop, share.group, number) {
                Path::Hash(selector) => selector,
                Path::Tree(way) => at.tree(net, way, share.group),
                Path::Source | Path::Destination => {
                    at.climb(net, message.by, count(), turn_of(message.flags), share.group)
                }
            };
            let link = at.link + at.links - message.turned;
            (message.slot * at.links + if link >= at.links { link - at.links } else { link }, selector)
        } else {
            let Some(router) = &paths.routers[message.network as usize] else {
                return false;
            };
            // the first way, and how many groups of packets later this one comes
            let (way, turns) = match message.spread.path {
                // a hash for each packet, or for all
                Path::Hash(_) | Path::Tree(_) => match message.spread.path(hop, share.group, number) {
                    Path::Hash(way) | Path::Tree(way) => (way, 0),
                    Path::Source | Path::Destination => (0, 0),
                },
                Path::Source | Path::Destination => (router.start(message.by), count()),
            };
            let selector = router.selector(message.by, hop, share.order, way, turns, share.group);
            (share.way, selector)
        };
        let last = if number + 1 == message.packets { LAST } else { 0 };
        let wire = job.protocol(message.operation).wire_bytes(message.network.into(), payload, net.overhead);
        offer.packet = Packet::new(
            dst,
            selector,
            message.message_class,
            message.tag,
            payload,
            wire,
            share.channel,
            message.flags | last,
        );
        offer.ready = queue.ready;
        offer.queue = index;
        true
    }

    /// The offer of a queue left at `time`, its tail at `tail`.
    pub(super) fn left(&mut self, job: &Job, paths: &Paths, index: u32, payload: u32, time: Fs, tail: Fs) {
        let streams = self.programs.len() as u32;
        let (port, stream) = if streams == 1 { (index, 0) } else { (index / streams, index % streams) };
        let queue = &mut self.queues[index as usize];
        (queue.ready, queue.tail) = (time, tail);
        let Some(share) = queue.shares.front_mut() else {
            return;
        };
        let id = share.message;
        share.group += 1;
        let message = &mut self.messages[id as usize];
        share.number = message.spread.number(u32::from(share.hop), share.group);
        if share.number >= message.packets {
            queue.shares.pop_front();
        }
        message.left -= 1;
        self.stats.sent_bytes += u64::from(payload);
        if message.left == 0 {
            let slot = message.slot_of;
            self.free_messages.push(id);
            self.open[stream as usize] -= 1;
            self.sent(job, paths, slot, tail);
            // a place among the open messages is free: any idle port may have waited for it
            self.refill_all(job, paths, stream, time);
        }
        if self.queues[index as usize].shares.is_empty() {
            self.refill(job, paths, stream, port, time);
        }
    }
}
