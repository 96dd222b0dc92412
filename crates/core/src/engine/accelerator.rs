//! An accelerator in one window: deliveries, step starts and departures in order of time.
//!
//! Unlike a switch, what an accelerator sends can depend on what it received a moment ago, so its events are taken one by
//! one, earliest first. On direct networks the accelerator holds the router too: packets that pass through wait in queues
//! of their own and compete with injection, oldest first, a newly injected packet being as old as the moment it came to
//! the head of its port.
//!
//! **Invariant.** An event is handled only when no other of this LP is earlier; so cause precedes effect. Ties: deliveries,
//! then step starts, then departures by port. **Cost.** O(ports) a departure.

use super::endpoint::Offer;
use super::layout::{Class, UNPLUGGED};
use super::packet::{MULTICAST, Packet, REDUCE};
use super::shard::{Fifo, Mail, Shard, buffered};
use crate::routing::dimension_order;
use crate::units::{Fs, NEVER};

/// What a port could send next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// [`INJECTION`], otherwise channel + 1 of the packets passing through.
    source: u8,
    /// The packet to inject.
    offer: Offer,
}

const INJECTION: u8 = 0;

impl Candidate {
    const NONE: Self = Self { source: INJECTION, offer: Offer::NONE };
}

impl Shard<'_> {
    /// One visit. Returns when the accelerator must be visited next.
    pub(super) fn accelerator(&mut self, lp: u32, start: Fs, end: Fs) -> Fs {
        let (base, ports) = self.ports_of(lp);
        let mut next = self.collect(lp, base, end);
        self.settle_queues();
        let mut deliveries = std::mem::take(&mut self.scratch.deliveries);
        if deliveries.len() > 1 {
            deliveries.sort_unstable_by_key(|(tail, p)| (*tail, p.tag(), p.src(), p.selector(), p.in_port()));
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
        let mut delivered = 0;
        loop {
            let (mut departure, mut p) = (NEVER, 0);
            for (i, &time) in times.iter().enumerate() {
                if time < departure {
                    (departure, p) = (time, i);
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
            if endpoint != UNPLUGGED && self.endpoints[endpoint as usize].take_opened() {
                for p in 0..ports {
                    if self.endpoints[endpoint as usize].has_work(p) {
                        self.out_bits[(word + p / 64) as usize] |= 1 << (p % 64);
                        times[p as usize] = self.candidate(endpoint, base, p, end, &mut candidates[p as usize]);
                    }
                }
            }
        }
        for p in 0..ports {
            if times[p as usize] == NEVER && !self.ports[(base + p) as usize].blocked {
                self.out_bits[(word + p / 64) as usize] &= !(1 << (p % 64));
            } else if self.ports[(base + p) as usize].blocked {
                next = next.min(self.credit_in_sight(base + p, end));
            }
        }
        self.announce(base, false);
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
            let onward = match &paths.direct[network] {
                None => None,
                Some(direct) => {
                    let here = self.layout.vertex[(self.first_lp + lp) as usize] % paths.networks[network].span;
                    dimension_order::next(direct, here, packet.dst(), packet.selector())
                }
            };
            let Some((out, channel)) = onward else {
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
            let router = &paths.networks[network];
            let p = router.first_port + out;
            let port = &self.ports[(base + p) as usize];
            let out_class = &self.layout.classes[port.class as usize];
            packet.time += router.router_latency;
            let wait = port.fifo + u32::from(out_class.channels) + channel;
            self.scratch.fresh(p * 2 + channel, wait);
            self.packets.push(&mut self.fifos[wait as usize].ring, packet);
            let word = self.words[lp as usize] + p / 64;
            self.out_bits[word as usize] |= 1 << (p % 64);
        }
    }

    /// When port `p` could send next, and what it would be; [`NEVER`] if nothing is there or no credit is in sight.
    #[inline]
    fn candidate(&mut self, endpoint: u32, base: u32, p: u32, end: Fs, candidate: &mut Candidate) -> Fs {
        let port = &self.ports[(base + p) as usize];
        let class = &self.layout.classes[port.class as usize];
        if self.paths.direct[class.network as usize].is_some() {
            return self.contend(endpoint, base, p, end, candidate);
        }
        let (mut time, mut blocked) = (NEVER, false);
        if endpoint != UNPLUGGED {
            let endpoint = &self.endpoints[endpoint as usize];
            if endpoint.offer(self.job, self.paths, p, &mut candidate.offer) {
                candidate.source = INJECTION;
                match self.credit_time(port.fifo, class, candidate.offer.packet.wire(), end) {
                    Some(credit) => {
                        time = port.free_at.max(candidate.offer.ready).max(credit).max(endpoint.memory_ready())
                    }
                    None => blocked = true,
                }
            }
        }
        self.ports[(base + p) as usize].blocked = blocked;
        time
    }

    /// The candidate of a port with a router behind it: injection and what passes through compete.
    fn contend(&mut self, endpoint: u32, base: u32, p: u32, end: Fs, candidate: &mut Candidate) -> Fs {
        let port = self.ports[(base + p) as usize];
        let class = self.layout.classes[port.class as usize];
        // (earliest departure, age, source); the oldest of those that could leave first wins
        let mut offers = [(NEVER, NEVER, INJECTION); 4];
        let mut count = 0;
        let mut blocked = false;
        {
            for channel in 0..u32::from(class.channels) {
                let waiting = &self.fifos[(port.fifo + u32::from(class.channels) + channel) as usize];
                if waiting.ring.len() == 0 {
                    continue;
                }
                let packet = *self.packets.get(&waiting.ring, 0);
                let whole = self.layout.classes
                    [self.ports[(base + u32::from(packet.in_port())) as usize].class as usize]
                    .fs(packet.wire());
                let router = &self.paths.networks[class.network as usize];
                let drain = if router.cut_through { class.fs(packet.wire()) } else { 0 };
                let ready = packet.time + whole.saturating_sub(drain);
                match self.credit_time(port.fifo + channel, &class, packet.wire(), end) {
                    Some(credit) => {
                        offers[count] = (port.free_at.max(ready).max(credit), packet.time, channel as u8 + 1);
                        count += 1;
                    }
                    None => blocked = true,
                }
            }
        }
        if endpoint != UNPLUGGED {
            let endpoint = &self.endpoints[endpoint as usize];
            if endpoint.offer(self.job, self.paths, p, &mut candidate.offer) {
                let offer = &candidate.offer;
                let wire = offer.packet.wire();
                let memory = endpoint.memory_ready();
                match self.credit_time(port.fifo + u32::from(offer.packet.channel()), &class, wire, end) {
                    Some(credit) => {
                        offers[count] = (port.free_at.max(offer.ready).max(credit).max(memory), offer.ready, INJECTION);
                        count += 1;
                    }
                    None => blocked = true,
                }
            }
        }
        self.ports[(base + p) as usize].blocked = blocked;
        let Some(first) = offers[..count].iter().map(|o| o.0).min() else {
            return NEVER;
        };
        // min_by_key keeps the first of equals: transit before injection
        let able = offers[..count].iter().filter(|o| o.0 <= first.max(port.free_at));
        let Some(best) = able.min_by_key(|o| o.1) else {
            return NEVER;
        };
        candidate.source = best.2;
        best.0
    }

    /// Earliest time before `end` at which `wire` bytes of buffer are free at the far end; `None` if that is not yet known.
    fn credit_time(&self, fifo: u32, class: &Class, wire: u32, end: Fs) -> Option<Fs> {
        let fifo = &self.fifos[fifo as usize];
        if class.buffer.is_none() || fifo.available >= wire {
            return Some(0);
        }
        let mut bytes = fifo.available;
        for i in 0..fifo.credits.len() {
            let credit = self.credits.get(&fifo.credits, i);
            if credit.time >= end {
                return None;
            }
            bytes += credit.bytes;
            if bytes >= wire {
                return Some(credit.time);
            }
        }
        None
    }

    /// When the next credit after this window arrives, as far as is known.
    fn credit_in_sight(&self, port: u32, end: Fs) -> Fs {
        let port = &self.ports[port as usize];
        let class = &self.layout.classes[port.class as usize];
        let later = |fifo: &Fifo| {
            (0..fifo.credits.len())
                .map(|i| self.credits.get(&fifo.credits, i).time)
                .find(|&time| time >= end)
                .unwrap_or(NEVER)
        };
        (0..u32::from(class.channels)).map(|c| later(&self.fifos[(port.fifo + c) as usize])).min().unwrap_or(NEVER)
    }

    /// The chosen packet leaves port `p` at `now`.
    fn depart(&mut self, endpoint: u32, base: u32, p: u32, now: Fs, candidate: &Candidate) {
        let source = candidate.source;
        let (job, paths) = (self.job, self.paths);
        let port = self.ports[(base + p) as usize];
        let class = &self.layout.classes[port.class as usize];
        let (mut packet, ready): (Packet, Fs) = if source == INJECTION {
            (candidate.offer.packet, candidate.offer.ready)
        } else {
            let channel = u32::from(source) - 1;
            let waiting = &mut self.fifos[(port.fifo + u32::from(class.channels) + channel) as usize];
            let queued = self.packets.partition_point(&waiting.ring, |p| p.time <= now);
            let stats = &mut self.stats[(base + p) as usize];
            stats.queue_max = stats.queue_max.max(queued);
            let packet = self.packets.pop(&mut waiting.ring);
            (packet, packet.time)
        };
        let wire = packet.wire();
        let out_channel = if source == INJECTION { packet.channel() } else { source - 1 };
        let busy = class.fs(wire);
        let (held, in_port, in_channel) = (buffered(&packet), packet.in_port(), packet.channel());
        let stats = &mut self.stats[(base + p) as usize];
        stats.packets += 1;
        stats.payload += u64::from(packet.payload());
        stats.wire += u64::from(wire);
        stats.busy += busy;
        stats.wait += now - ready;
        if source == INJECTION {
            stats.stall += now - ready.max(port.free_at);
        }
        self.ports[(base + p) as usize].free_at = now + busy;

        packet.time = now + class.latency;
        packet.set_channel(out_channel);
        debug_assert!(paths.direct[class.network as usize].is_none() || packet.flags() & (REDUCE | MULTICAST) == 0);
        let fifo = &mut self.fifos[(port.fifo + u32::from(out_channel)) as usize];
        if class.buffer.is_some() {
            if fifo.available < wire {
                // what came in the meantime, all at once
                self.credits.drain_while(&mut fifo.credits, |c| c.time <= now, |c| fifo.available += c.bytes);
            }
            fifo.available -= wire;
        }
        if port.peer_lp == UNPLUGGED {
            self.outbox.post(port.peer_shard, packet.time, Mail::Packet(port.peer, packet));
        } else {
            self.packets.push(&mut fifo.ring, packet);
            fifo.flying += 1;
            self.in_bits[port.peer_bit as usize / 64] |= 1 << (port.peer_bit % 64);
            self.wake.lower(port.peer_lp, packet.time);
        }
        if held {
            self.scratch.free_buffer(u32::from(in_port), in_channel, packet.wire(), now);
        }
        if source == INJECTION {
            let endpoint = &mut self.endpoints[endpoint as usize];
            endpoint.memory(paths.memory, packet.payload(), now);
            endpoint.left(job, paths, p, packet.payload(), now, now + busy);
        }
    }
}
