//! An accelerator, or a router of a graph, in one window: deliveries, step starts and departures in order of time.
//!
//! Unlike a switch, what an accelerator sends can depend on what it received a moment ago, so its events are taken one by
//! one, earliest first. On direct networks the accelerator holds the router too, and a switch of a graph is a router without
//! an accelerator: packets that pass through wait in queues
//! of their own and compete with injection, oldest first, a newly injected packet being as old as the moment it came to
//! the head of its port.
//!
//! **Invariant.** An event is handled only when no other of this LP is earlier; so cause precedes effect. Ties: deliveries,
//! then step starts, then departures by port (from the endpoint's first port on). **Cost.** O(log ports) a departure.

use super::credits::Freed;
use super::departure::{Candidate, INJECTION};
use super::layout::{Layout, Node, UNPLUGGED};
use super::packet::Packet;
use super::paths::Paths;
use super::prefetch::prefetch;
use super::shard::Shard;
use crate::routing::router::{Arrival, NextHop};
use crate::units::{Fs, NEVER};
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;

/// Events of a visit between two looks at whether the run was stopped.
const POLL: u32 = 1 << 16;

impl Shard<'_> {
    /// One visit. Returns when the accelerator must be visited next.
    pub(super) fn accelerator(&mut self, lp: u32, start: Fs, end: Fs) -> Fs {
        let (base, ports) = self.ports_of(lp);
        let mut next = self.collect(lp, base, end);
        self.settle_queues();
        let mut deliveries = std::mem::take(&mut self.scratch.deliveries);
        let mut candidates = std::mem::take(&mut self.scratch.candidates);
        let mut times = std::mem::take(&mut self.scratch.times);
        let mut order = std::mem::take(&mut self.scratch.order);
        candidates.resize(candidates.len().max(ports as usize), Candidate::NONE);
        times.clear();
        times.resize(ports as usize, NEVER);
        let endpoint = self.endpoint_of[lp as usize];
        let word = self.words[lp as usize];
        let (job, paths) = (self.job, self.paths);
        let first = if endpoint == UNPLUGGED { 0 } else { self.endpoints[endpoint as usize].first_port as u32 };
        if deliveries.len() > 1 {
            let number = |p: &Packet| paths.number(p.selector(), u32::from(p.in_port()).wrapping_sub(first));
            let key = |p: &Packet| (number(p), p.in_port());
            deliveries.sort_unstable_by(|(t, p), (u, q)| {
                (t, p.tag(), p.message_class()).cmp(&(u, q.tag(), q.message_class())).then_with(|| key(p).cmp(&key(q)))
            });
        }
        // what departs next, the earliest first; an entry whose time is no longer its port's is void
        let turned = |p: u32| if p >= first { p - first } else { p + ports - first };
        let port_of = |turned: u32| if turned + first < ports { turned + first } else { turned + first - ports };
        for w in 0..ports.div_ceil(64) {
            let mut bits = self.out_bits[(word + w) as usize];
            while bits != 0 {
                let p = w * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                let time = self.candidate(endpoint, base, p, end, &mut candidates[p as usize]);
                times[p as usize] = time;
                if time < NEVER {
                    order.push(Reverse((time, turned(p))));
                }
            }
        }

        let mut arrivals = std::mem::take(&mut self.scratch.arrivals);
        if arrivals.len() > 1 {
            arrivals.sort_unstable_by_key(|p| (p.time, p.tag(), p.message_class(), p.selector(), p.dst(), p.in_port()));
        }
        let (mut delivered, mut arrived, mut turns) = (0, 0, 0u32);
        loop {
            // a rank can do very much in no time at all
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(POLL) && self.control.stopped() {
                return NEVER;
            }
            let (departure, p) = loop {
                match order.peek() {
                    None => break (NEVER, 0),
                    Some(&Reverse((time, turned))) => {
                        let p = port_of(turned) as usize;
                        if times[p] == time {
                            break (time, p);
                        }
                        order.pop();
                    }
                }
            };
            let mut begin = if endpoint == UNPLUGGED { NEVER } else { self.endpoints[endpoint as usize].next_start() };
            let arrival = arrivals.get(arrived).map_or(NEVER, |packet| packet.time);
            while let Some((now, packet)) = deliveries.get(delivered) {
                // not before what arrives earlier, which may leave earlier yet
                if *now > begin.min(departure).min(arrival) {
                    break;
                }
                debug_assert!(*now >= start, "an event of the past: {now} before {start}");
                self.last_event = self.last_event.max(*now);
                delivered += 1;
                let mut free = *now;
                if endpoint != UNPLUGGED {
                    let endpoint = &mut self.endpoints[endpoint as usize];
                    free = endpoint.deliver(job, paths, packet, *now);
                    begin = endpoint.next_start();
                }
                self.delivered += u64::from(packet.payload());
                self.scratch.free_buffer(u32::from(packet.in_port()), packet.channel(), packet.wire(), free);
            }
            let now = begin.min(departure);
            if let Some(packet) = arrivals.get(arrived).filter(|packet| packet.time <= now) {
                arrived += 1;
                if let Some(p) = self.admit(lp, base, *packet) {
                    let time = self.candidate(endpoint, base, p, end, &mut candidates[p as usize]);
                    if time != std::mem::replace(&mut times[p as usize], time) {
                        order.push(Reverse((time, turned(p))));
                    }
                }
                continue;
            }
            if now >= end {
                next = next.min(now);
                break;
            }
            debug_assert!(now >= start, "an event of the past: {now} before {start}");
            self.last_event = self.last_event.max(now);
            if begin == now {
                self.endpoints[endpoint as usize].start(job, paths);
            } else {
                // the memory may have become busy since the candidate was formed
                let candidate = &candidates[p];
                if candidate.source != INJECTION || self.endpoints[endpoint as usize].memory_ready() <= now {
                    self.depart(endpoint, base, p as u32, now, candidate);
                }
                let time = self.candidate(endpoint, base, p as u32, end, &mut candidates[p]);
                times[p] = time;
                // the first entry is this port's
                match order.peek_mut() {
                    Some(mut entry) if time < NEVER => entry.0.0 = time,
                    Some(entry) => _ = PeekMut::pop(entry),
                    None => {}
                }
            }
            while endpoint != UNPLUGGED
                && let Some(p) = self.endpoints[endpoint as usize].opened.pop()
            {
                self.out_bits[(word + p / 64) as usize] |= 1 << (p % 64);
                let time = self.candidate(endpoint, base, p, end, &mut candidates[p as usize]);
                if time != std::mem::replace(&mut times[p as usize], time) {
                    order.push(Reverse((time, turned(p))));
                }
            }
        }
        for w in 0..ports.div_ceil(64) {
            // a port that waits for something has its bit set, so no other needs to be looked at
            let mut bits = self.out_bits[(word + w) as usize];
            while bits != 0 {
                let p = w * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                if self.ports[(base + p) as usize].blocked {
                    next = next.min(self.credit_in_sight(base + p, end));
                } else if times[p as usize] == NEVER {
                    self.out_bits[(word + w) as usize] &= !(1 << (p % 64));
                }
            }
        }
        self.return_credits(base, Freed::InTime);
        debug_assert_eq!(arrived, arrivals.len());
        arrivals.clear();
        self.scratch.arrivals = arrivals;
        deliveries.clear();
        self.scratch.deliveries = deliveries;
        self.scratch.candidates = candidates;
        self.scratch.times = times;
        order.clear();
        self.scratch.order = order;
        next
    }

    /// Takes what arrived before `end`: own packets to the deliveries, others to the queues of the router.
    pub(super) fn collect(&mut self, lp: u32, base: u32, end: Fs) -> Fs {
        let (mut next, mut here) = (NEVER, None::<Here>);
        let word = self.words[lp as usize];
        let mut heads = std::mem::take(&mut self.scratch.heads);
        heads.clear();
        // first all wires, then all their heads: independent loads that the memory system overlaps
        for w in word..self.words[lp as usize + 1] {
            let mut bits = self.in_bits[w as usize];
            while bits != 0 {
                let q = (w - word) * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                let port = &self.ports[(base + q) as usize];
                for channel in 0..u32::from(self.layout.classes[port.class as usize].channels) {
                    prefetch(&self.fifos[(port.in_fifo + channel) as usize]);
                    heads.push((q, channel));
                }
            }
        }
        heads.retain(|&(q, channel)| {
            let fifo = &self.fifos[(self.ports[(base + q) as usize].in_fifo + channel) as usize];
            if fifo.flying > 0 {
                self.packets.prefetch_ends(&fifo.ring);
                self.credits.prefetch_tail(&fifo.credits);
            }
            fifo.flying > 0
        });
        let (mut before, mut left) = (u32::MAX, NEVER);
        for &(q, channel) in &heads {
            let class = &self.layout.classes[self.ports[(base + q) as usize].class as usize];
            let network = usize::from(class.network);
            if here.as_ref().is_none_or(|here| here.network != network) {
                here = Some(here_of(self.layout, self.paths, self.first_lp + lp, network));
            }
            if q != before {
                self.idle(word, before, left);
                (before, left) = (q, NEVER);
            }
            if let Some(here) = &here {
                left = left.min(self.collect_channel(lp, base, q, channel, here, end));
                next = next.min(left);
            }
        }
        self.idle(word, before, left);
        self.scratch.heads = heads;
        next
    }

    /// Nothing is left on the wire of port `q`, if nothing is to come.
    #[inline(always)]
    fn idle(&mut self, word: u32, q: u32, left: Fs) {
        if q != u32::MAX && left == NEVER {
            self.in_bits[(word + q / 64) as usize] &= !(1 << (q % 64));
        }
    }

    #[inline(always)]
    fn collect_channel(&mut self, lp: u32, base: u32, q: u32, channel: u32, here: &Here, end: Fs) -> Fs {
        let Self { fifos, packets, scratch, ports, layout, paths, words, out_bits, .. } = self;
        let port = &ports[(base + q) as usize];
        let (class, net) = (&layout.classes[port.class as usize], &paths.networks[here.network]);
        let router = paths.routers[here.network].as_ref();
        let fifo = (port.in_fifo + channel) as usize;
        let (mut ring, mut flying) = (fifos[fifo].ring, fifos[fifo].flying);
        let left = loop {
            if flying == 0 {
                break NEVER;
            }
            let packet = packets.get(&ring, 0);
            if packet.time >= end {
                // one's own packets count when their tail is in
                let passes = router.is_some_and(|router| !router.there(here.at, packet.dst()));
                break packet.time + if passes { 0 } else { class.fs(packet.wire()) };
            }
            let next_hop = router.and_then(|router| match net.adaptive {
                // which way depends on what waits when it comes: later, in order of time
                true => (!router.there(here.at, packet.dst())).then_some(NextHop::LATER),
                false => router.step(here.at, arrival(packet, q - here.first_port)),
            });
            if let Some(next_hop) = next_hop {
                if net.adaptive {
                    scratch.arrivals.push(packet.arrived(q as u16, packet.time));
                } else {
                    let passed = packet.passed(q as u16, packet.time + net.kinds[here.kind].0, &next_hop);
                    let p = here.first_port + next_hop.port;
                    let port = &mut ports[(base + p) as usize];
                    let channels = u32::from(layout.classes[port.class as usize].channels);
                    // without flow control there is one channel
                    let channel = next_hop.channel.min(channels - 1);
                    port.queued |= 1 << channel;
                    let wait = port.fifo + channels + channel;
                    scratch.fresh(p * scratch.channels + channel, wait);
                    packets.push(&mut fifos[wait as usize].ring, passed);
                    out_bits[(words[lp as usize] + p / 64) as usize] |= 1 << (p % 64);
                }
            } else {
                // whatever follows on this wire is later still
                let tail = packet.time + class.fs(packet.wire());
                if tail >= end {
                    break tail;
                }
                scratch.deliveries.push((tail, packet.arrived(q as u16, packet.time)));
            }
            packets.skip(&mut ring);
            flying -= 1;
        };
        (fifos[fifo].ring, fifos[fifo].flying) = (ring, flying);
        left
    }

    /// Puts a packet into the queue that a router which looks at its queues chooses now; returns the port.
    fn admit(&mut self, lp: u32, base: u32, packet: Packet) -> Option<u32> {
        let (paths, now) = (self.paths, packet.time);
        let class = |port: u32| &self.layout.classes[usize::from(self.ports[(base + port) as usize].class)];
        let network = usize::from(class(u32::from(packet.in_port())).network);
        let Here { at, first_port, kind, .. } = here_of(self.layout, paths, self.first_lp + lp, network);
        let load = |p: u32| {
            let (port, class) = (&self.ports[(base + first_port + p) as usize], class(first_port + p));
            let waiting = self.stats[(base + first_port + p) as usize].waiting;
            port.free_at.saturating_sub(now) + u64::from(waiting) * class.full_fs
        };
        let next_hop = paths.routers[network].as_ref()?.adapt(
            at,
            arrival(&packet, u32::from(packet.in_port()) - first_port),
            load,
        )?;
        let p = first_port + next_hop.port;
        let channels = u32::from(class(p).channels);
        let packet = packet.passed(packet.in_port(), now + paths.networks[network].kinds[kind].0, &next_hop);
        let channel = next_hop.channel.min(channels - 1);
        let wait = self.ports[(base + p) as usize].fifo + channels + channel;
        self.ports[(base + p) as usize].queued |= 1 << channel;
        self.packets.push(&mut self.fifos[wait as usize].ring, packet);
        self.stats[(base + p) as usize].waiting += 1;
        self.out_bits[(self.words[lp as usize] + p / 64) as usize] |= 1 << (p % 64);
        Some(p)
    }
}

/// A router of a network: its place in the network, the first of its vertex's ports that are the network's, and its kind.
struct Here {
    network: usize,
    at: u32,
    first_port: u32,
    kind: usize,
}

/// The router of a network at an LP.
fn here_of(layout: &Layout, paths: &Paths, lp: u32, network: usize) -> Here {
    let net = &paths.networks[network];
    match layout.nodes[lp as usize] {
        Node::Router { kind, at, .. } => Here { network, at, first_port: 0, kind: kind.into() },
        _ => {
            let at = layout.vertex[lp as usize] % net.places;
            Here { network, at, first_port: net.first_port, kind: net.router_kind }
        }
    }
}

/// A packet as its router sees it, which came by one of the network's ports.
fn arrival(packet: &Packet, from: u32) -> Arrival {
    Arrival {
        way: packet.dst(),
        selector: packet.selector(),
        phase: packet.turn(),
        from,
        channel: packet.channel().into(),
    }
}
