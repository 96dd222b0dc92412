//! An accelerator, or a router of a graph, in one window: deliveries, step starts and departures in order of time.
//!
//! Unlike a switch, what an accelerator sends can depend on what it received a moment ago, so its events are taken one by
//! one, earliest first. On direct networks the accelerator holds the router too, and a switch of a graph is a router without
//! an accelerator: packets that pass through wait in queues
//! of their own and compete with injection, oldest first, a newly injected packet being as old as the moment it came to
//! the head of its port.
//!
//! **Invariant.** An event is handled only when no other of this LP is earlier; so cause precedes effect. Ties: deliveries,
//! then step starts, then departures by port (from the endpoint's first port on). **Cost.** O(ports) a departure.

use super::departure::{Candidate, INJECTION};
use super::layout::{Class, Layout, Node, UNPLUGGED};
use super::packet::Packet;
use super::paths::Paths;
use super::shard::Shard;
use crate::routing::router::{Came, Onward};
use crate::units::{Fs, NEVER};

impl Shard<'_> {
    /// One visit. Returns when the accelerator must be visited next.
    pub(super) fn accelerator(&mut self, lp: u32, start: Fs, end: Fs) -> Fs {
        let (base, ports) = self.ports_of(lp);
        let mut next = self.collect(lp, base, end);
        self.settle_queues();
        let mut deliveries = std::mem::take(&mut self.scratch.deliveries);
        if deliveries.len() > 1 {
            deliveries.sort_unstable_by_key(|(tail, p)| (*tail, p.tag(), p.label(), p.selector(), p.in_port()));
        }
        let mut candidates = std::mem::take(&mut self.scratch.candidates);
        let mut times = std::mem::take(&mut self.scratch.times);
        candidates.resize(candidates.len().max(ports as usize), Candidate::NONE);
        times.clear();
        times.resize(ports as usize, NEVER);
        let endpoint = self.endpoint_of[lp as usize];
        let word = self.words[lp as usize];
        for p in 0..ports {
            if self.out_bits[(word + p / 64) as usize] >> (p % 64) & 1 == 1 {
                times[p as usize] = self.candidate(endpoint, base, p, end, &mut candidates[p as usize]);
            }
        }

        let (job, paths) = (self.job, self.paths);
        let first = if endpoint == UNPLUGGED { 0 } else { self.endpoints[endpoint as usize].first_port };
        let mut arrivals = std::mem::take(&mut self.scratch.arrivals);
        if arrivals.len() > 1 {
            arrivals.sort_unstable_by_key(|p| (p.time, p.tag(), p.label(), p.selector(), p.dst(), p.in_port()));
        }
        let (mut delivered, mut arrived) = (0, 0);
        loop {
            let (mut departure, mut p) = (NEVER, 0);
            for i in (first..times.len()).chain(0..first) {
                if times[i] < departure {
                    (departure, p) = (times[i], i);
                }
            }
            let mut begin = if endpoint == UNPLUGGED { NEVER } else { self.endpoints[endpoint as usize].next_start() };
            while let Some((now, packet)) = deliveries.get(delivered) {
                if *now > begin.min(departure) {
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
                    times[p as usize] = self.candidate(endpoint, base, p, end, &mut candidates[p as usize]);
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
                times[p] = self.candidate(endpoint, base, p as u32, end, &mut candidates[p]);
            }
            while endpoint != UNPLUGGED
                && let Some(p) = self.endpoints[endpoint as usize].opened.pop()
            {
                self.out_bits[(word + p / 64) as usize] |= 1 << (p % 64);
                times[p as usize] = self.candidate(endpoint, base, p, end, &mut candidates[p as usize]);
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
        self.announce(base, false);
        debug_assert_eq!(arrived, arrivals.len());
        arrivals.clear();
        self.scratch.arrivals = arrivals;
        deliveries.clear();
        self.scratch.deliveries = deliveries;
        self.scratch.candidates = candidates;
        self.scratch.times = times;
        next
    }

    /// Takes what arrived before `end`: own packets to the deliveries, others to the queues of the router.
    fn collect(&mut self, lp: u32, base: u32, end: Fs) -> Fs {
        let mut next = NEVER;
        let word = self.words[lp as usize];
        for w in word..self.words[lp as usize + 1] {
            let mut bits = self.in_bits[w as usize];
            while bits != 0 {
                let q = (w - word) * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                let layout = self.layout;
                let (in_fifo, class) = (self.ports[(base + q) as usize].in_fifo, self.ports[(base + q) as usize].class);
                let class = &layout.classes[class as usize];
                let mut left = NEVER;
                for channel in 0..u32::from(class.channels) {
                    left = left.min(self.collect_channel(lp, base, q, in_fifo + channel, class, end));
                }
                if left == NEVER {
                    self.in_bits[w as usize] &= !(1 << (q % 64));
                }
                next = next.min(left);
            }
        }
        next
    }

    fn collect_channel(&mut self, lp: u32, base: u32, q: u32, in_fifo: u32, class: &Class, end: Fs) -> Fs {
        let network = class.network as usize;
        let paths = self.paths;
        loop {
            let fifo = &mut self.fifos[in_fifo as usize];
            if fifo.flying == 0 {
                return NEVER;
            }
            let packet = self.packets.get_mut(&fifo.ring, 0);
            packet.set_in_port(q as u16);
            let tail = packet.time + class.fs(packet.wire());
            let Here { at, first_port, kind } = here(self.layout, paths, self.first_lp + lp, network);
            let onward =
                paths.routers[network].as_ref().and_then(|router| router.step(at, came(packet, first_port)));
            let Some(Onward { port: out, channel, left, course }) = onward else {
                // one's own packets count when their tail is in; whatever follows on this wire is later still
                if tail >= end {
                    return tail;
                }
                let packet = self.packets.pop(&mut fifo.ring);
                fifo.flying -= 1;
                self.scratch.deliveries.push((tail, packet));
                continue;
            };
            if packet.time >= end {
                return packet.time;
            }
            let mut packet = self.packets.pop(&mut fifo.ring);
            fifo.flying -= 1;
            if paths.networks[network].looks {
                // which way depends on what waits when it comes: later, in order of time
                self.scratch.arrivals.push(packet);
                continue;
            }
            let p = first_port + out;
            let port = &self.ports[(base + p) as usize];
            let out_class = &self.layout.classes[port.class as usize];
            packet.time += paths.networks[network].kinds[kind].0;
            packet.set_dst(left);
            packet.set_turn(course);
            // without flow control there is one channel
            let channel = channel.min(u32::from(out_class.channels) - 1);
            let wait = port.fifo + u32::from(out_class.channels) + channel;
            self.scratch.fresh(p * self.scratch.channels + channel, wait);
            self.packets.push(&mut self.fifos[wait as usize].ring, packet);
            let word = self.words[lp as usize] + p / 64;
            self.out_bits[word as usize] |= 1 << (p % 64);
        }
    }

    /// Puts a packet into the queue that a router which looks at its queues chooses now; returns the port.
    fn admit(&mut self, lp: u32, base: u32, mut packet: Packet) -> Option<u32> {
        let (paths, now) = (self.paths, packet.time);
        let class = |port: u32| &self.layout.classes[usize::from(self.ports[(base + port) as usize].class)];
        let network = usize::from(class(u32::from(packet.in_port())).network);
        let Here { at, first_port, kind } = here(self.layout, paths, self.first_lp + lp, network);
        let load = |p: u32| {
            let (port, class) = (&self.ports[(base + first_port + p) as usize], class(first_port + p));
            let channels = u32::from(class.channels);
            let queues = (0..channels).map(|c| self.fifos[(port.fifo + channels + c) as usize].ring.len());
            port.free_at.saturating_sub(now) + u64::from(queues.sum::<u32>()) * class.full_fs
        };
        let Onward { port, channel, left, course } =
            paths.routers[network].as_ref()?.adapt(at, came(&packet, first_port), load)?;
        let p = first_port + port;
        let channels = u32::from(class(p).channels);
        packet.time += paths.networks[network].kinds[kind].0;
        packet.set_dst(left);
        packet.set_turn(course);
        let wait = self.ports[(base + p) as usize].fifo + channels + channel.min(channels - 1);
        self.packets.push(&mut self.fifos[wait as usize].ring, packet);
        self.out_bits[(self.words[lp as usize] + p / 64) as usize] |= 1 << (p % 64);
        Some(p)
    }
}

/// A router: its place in the network, the first of its vertex's ports that are the network's, and its kind.
struct Here {
    at: u32,
    first_port: u32,
    kind: usize,
}

/// The router of a network at an LP.
fn here(layout: &Layout, paths: &Paths, lp: u32, network: usize) -> Here {
    let net = &paths.networks[network];
    match layout.nodes[lp as usize] {
        Node::Router { kind, at } => Here { at, first_port: 0, kind: kind.into() },
        _ => {
            let at = layout.vertex[lp as usize] % net.places;
            Here { at, first_port: net.first_port, kind: net.router_kind }
        }
    }
}

/// A packet as its router sees it.
fn came(packet: &Packet, first_port: u32) -> Came {
    Came {
        way: packet.dst(),
        selector: packet.selector(),
        course: packet.turn(),
        from: u32::from(packet.in_port()) - first_port,
        channel: packet.channel().into(),
    }
}
