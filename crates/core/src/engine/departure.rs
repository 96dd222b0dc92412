//! What leaves an accelerator by which port, and when: injection and what passes through the router compete.
//!
//! **Invariant.** A departure is never before the link is free, the packet ready, the memory read and the credit there; among
//! those that could leave first, the oldest does, a passing packet before an injected one of the same age.

use super::injection::Offer;
use super::layout::{Class, Node, UNPLUGGED};
use super::packet::{MULTICAST, Packet, REDUCE};
use super::shard::{Fifo, Shard};
use crate::units::{Fs, NEVER, Serializer};

/// What a port could send next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// [`INJECTION`], otherwise channel + 1 of the packets passing through.
    pub(super) source: u8,
    /// When a packet passing through could have left an idle link.
    ready: Fs,
    /// The packet to inject.
    offer: Offer,
}

pub(super) const INJECTION: u8 = 0;

impl Candidate {
    pub(super) const NONE: Self = Self { source: INJECTION, ready: 0, offer: Offer::NONE };
}

impl Shard<'_> {
    /// When port `p` could send next, and what it would be; [`NEVER`] if nothing is there or no credit is in sight.
    #[inline]
    pub(super) fn candidate(&mut self, endpoint: u32, base: u32, p: u32, end: Fs, candidate: &mut Candidate) -> Fs {
        let port = &self.ports[(base + p) as usize];
        let class = &self.layout.classes[port.class as usize];
        if self.paths.routers[class.network as usize].is_some() {
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
    pub(super) fn contend(&mut self, endpoint: u32, base: u32, p: u32, end: Fs, candidate: &mut Candidate) -> Fs {
        let port = &self.ports[(base + p) as usize];
        let class = &self.layout.classes[port.class as usize];
        let channels = u32::from(class.channels);
        // the earliest departure, of equal ones the oldest, of those what passes through
        let mut best = (NEVER, NEVER);
        let mut blocked = false;
        let net = &self.paths.networks[class.network as usize];
        let kind = match self.layout.nodes[(self.first_lp + port.lp) as usize] {
            Node::Router { kind, .. } => usize::from(kind),
            _ => net.router_kind,
        };
        let cut_through = net.kinds[kind].1;
        let mut queued = port.queued;
        while queued != 0 {
            let channel = queued.trailing_zeros();
            queued &= queued - 1;
            let waiting = &self.fifos[(port.fifo + channels + channel) as usize];
            let packet = self.packets.get(&waiting.ring, 0);
            let wire = packet.wire();
            let from = self.ports[(base + u32::from(packet.in_port())) as usize].class;
            let whole = self.layout.classes[from as usize].fs(wire);
            let drain = if cut_through { class.fs(wire) } else { 0 };
            let ready = packet.time + whole.saturating_sub(drain);
            match self.credit_time(port.fifo + channel, class, wire, end) {
                Some(credit) => {
                    let offer = (port.free_at.max(ready).max(credit), packet.time);
                    if offer < best {
                        (best, candidate.source, candidate.ready) = (offer, channel as u8 + 1, ready);
                    }
                }
                None => blocked = true,
            }
        }
        if endpoint != UNPLUGGED {
            let endpoint = &self.endpoints[endpoint as usize];
            if endpoint.offer(self.job, self.paths, p, &mut candidate.offer) {
                let offer = &candidate.offer;
                let (wire, memory) = (offer.packet.wire(), endpoint.memory_ready());
                match self.credit_time(port.fifo + u32::from(offer.packet.channel()), class, wire, end) {
                    Some(credit) => {
                        let offer = (port.free_at.max(offer.ready).max(credit).max(memory), offer.ready);
                        if offer < best {
                            (best, candidate.source) = (offer, INJECTION);
                        }
                    }
                    None => blocked = true,
                }
            }
        }
        self.ports[(base + p) as usize].blocked = blocked;
        best.0
    }

    /// Earliest time before `end` at which `wire` bytes of buffer are free at the far end; `None` if that is not yet known.
    fn credit_time(&self, fifo: u32, class: &Class, wire: u32, end: Fs) -> Option<Fs> {
        let (fifo, wire) = (&self.fifos[fifo as usize], u64::from(wire));
        if class.buffer.is_none() || fifo.available >= wire {
            return Some(0);
        }
        let mut bytes = fifo.available;
        for i in 0..fifo.credits.len() {
            let credit = self.credits.get(&fifo.credits, i);
            if credit.time >= end {
                return None;
            }
            bytes += u64::from(credit.bytes);
            if bytes >= wire {
                return Some(credit.time);
            }
        }
        None
    }

    /// When the next credit after this window arrives, as far as is known.
    pub(super) fn credit_in_sight(&self, port: u32, end: Fs) -> Fs {
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
    pub(super) fn depart(&mut self, endpoint: u32, base: u32, p: u32, now: Fs, candidate: &Candidate) {
        let source = candidate.source;
        let (job, paths) = (self.job, self.paths);
        let port = self.ports[(base + p) as usize];
        let class = &self.layout.classes[port.class as usize];
        let (packet, ready): (Packet, Fs) = if source == INJECTION {
            // waiting for its own message's packets is not waiting for the network, nor is waiting for the memory
            let endpoint = &self.endpoints[endpoint as usize];
            let read = paths.memory != Serializer::instant() && endpoint.memory_ready() == now;
            let ready = candidate.offer.ready.max(endpoint.queues[candidate.offer.queue as usize].tail);
            (candidate.offer.packet, if read { now } else { ready })
        } else {
            let channel = u32::from(source) - 1;
            let waiting = &mut self.fifos[(port.fifo + u32::from(class.channels) + channel) as usize];
            let stats = &mut self.stats[(base + p) as usize];
            if waiting.ring.len() > stats.queue_max {
                let queued = self.packets.partition_point(&waiting.ring, |p| p.time <= now);
                stats.queue_max = stats.queue_max.max(queued);
            }
            stats.waiting = stats.waiting.saturating_sub(1);
            let packet = self.packets.pop(&mut waiting.ring);
            if waiting.ring.len() == 0 {
                self.ports[(base + p) as usize].queued &= !(1 << channel);
            }
            (packet, candidate.ready)
        };
        let wire = packet.wire();
        let out_channel = if source == INJECTION { packet.channel() } else { source - 1 };
        let busy = class.fs(wire);
        let (held, in_port, in_channel) = (packet.buffered(), packet.in_port(), packet.channel());
        let stats = &mut self.stats[(base + p) as usize];
        stats.packets += 1;
        self.hops += 1;
        stats.payload += u64::from(packet.payload());
        stats.wire += u64::from(wire);
        stats.busy += busy;
        stats.wait = stats.wait.saturating_add(now - ready);
        stats.stall += now - ready.max(port.free_at);
        self.ports[(base + p) as usize].free_at = now + busy;

        let packet = packet.departed(now + class.latency, out_channel);
        debug_assert!(paths.routers[class.network as usize].is_none() || packet.flags() & (REDUCE | MULTICAST) == 0);
        let fifo = &mut self.fifos[(port.fifo + u32::from(out_channel)) as usize];
        if class.buffer.is_some() {
            if fifo.available < u64::from(wire) {
                // what came in the meantime, all at once
                self.credits.drain_while(
                    &mut fifo.credits,
                    |c| c.time <= now,
                    |c| fifo.available += u64::from(c.bytes),
                );
            }
            fifo.available -= u64::from(wire);
        }
        if port.peer_lp == UNPLUGGED {
            self.outbox.packets(port.peer_shard, port.peer, (&[packet], &[]));
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
            endpoint.left(job, paths, candidate.offer.queue, packet.payload(), now, now + busy);
        }
    }
}
