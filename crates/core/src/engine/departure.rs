//! What leaves an accelerator by which port, and when: injection and what passes through the router compete.
//!
//! When each could leave, and what its leaving does to the port, is in [`super::port`]. A packet to inject is ready once the memory is, too.
//!
//! **Invariant.** Among those that could leave first, the oldest does, a passing packet before an injected one of the same age.

use super::injection::Offer;
use super::layout::{Node, UNPLUGGED};
use super::packet::{MULTICAST, Packet, REDUCE};
use super::port::{Exit, in_sight, leave, opening};
use super::rings::Ring;
use super::shard::Shard;
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
                let ready = candidate.offer.ready.max(endpoint.memory_ready());
                let (fifo, wire) = (&self.fifos[port.fifo as usize], candidate.offer.packet.wire());
                match opening(class, fifo, &self.credits, port.free_at, wire, ready, end) {
                    Ok(opens) => time = opens,
                    Err(_) => blocked = true,
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
        let mut queued = port.queued;
        let cut_through = queued != 0 && self.cuts_through(port.lp, usize::from(class.network));
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
            let fifo = &self.fifos[(port.fifo + channel) as usize];
            match opening(class, fifo, &self.credits, port.free_at, wire, ready, end) {
                Ok(opens) => {
                    let offer = (opens, packet.time);
                    if offer < best {
                        (best, candidate.source, candidate.ready) = (offer, channel as u8 + 1, ready);
                    }
                }
                Err(_) => blocked = true,
            }
        }
        if endpoint != UNPLUGGED {
            let endpoint = &self.endpoints[endpoint as usize];
            if endpoint.offer(self.job, self.paths, p, &mut candidate.offer) {
                let offer = &candidate.offer;
                let fifo = &self.fifos[(port.fifo + u32::from(offer.packet.channel())) as usize];
                let (wire, ready) = (offer.packet.wire(), offer.ready.max(endpoint.memory_ready()));
                match opening(class, fifo, &self.credits, port.free_at, wire, ready, end) {
                    Ok(opens) => {
                        let offer = (opens, offer.ready);
                        if offer < best {
                            (best, candidate.source) = (offer, INJECTION);
                        }
                    }
                    Err(_) => blocked = true,
                }
            }
        }
        self.ports[(base + p) as usize].blocked = blocked;
        best.0
    }

    /// Whether the router of a network at an LP cuts through.
    #[inline(always)]
    fn cuts_through(&self, lp: u32, network: usize) -> bool {
        let net = &self.paths.networks[network];
        let kind = match self.layout.nodes[(self.first_lp + lp) as usize] {
            Node::Router { kind, .. } => usize::from(kind),
            _ => net.router_kind,
        };
        net.kinds[kind].1
    }

    /// When the next credit after this window arrives, as far as is known.
    pub(super) fn credit_in_sight(&self, port: u32, end: Fs) -> Fs {
        let port = &self.ports[port as usize];
        let class = &self.layout.classes[port.class as usize];
        let later = |channel| in_sight(&self.fifos[(port.fifo + channel) as usize], &self.credits, end);
        (0..u32::from(class.channels)).map(later).min().unwrap_or(NEVER)
    }

    /// The chosen packet leaves port `p` at `now`.
    pub(super) fn depart(&mut self, endpoint: u32, base: u32, p: u32, now: Fs, candidate: &Candidate) {
        let source = candidate.source;
        let (job, paths) = (self.job, self.paths);
        let port = self.ports[(base + p) as usize];
        let class = &self.layout.classes[port.class as usize];
        let stats = &mut self.stats[(base + p) as usize];
        let (packet, ready, queue): (Packet, Fs, Option<Ring>) = if source == INJECTION {
            // waiting for its own message's packets is not waiting for the network, nor is waiting for the memory
            let endpoint = &self.endpoints[endpoint as usize];
            let read = paths.memory != Serializer::instant() && endpoint.memory_ready() == now;
            let ready = candidate.offer.ready.max(endpoint.queues[candidate.offer.queue as usize].tail);
            (candidate.offer.packet, if read { now } else { ready }, None)
        } else {
            let channel = u32::from(source) - 1;
            let waiting = &mut self.fifos[(port.fifo + u32::from(class.channels) + channel) as usize];
            stats.waiting = stats.waiting.saturating_sub(1);
            // the queue as it is until the packet has left
            let queue = waiting.ring;
            let packet = *self.packets.get(&queue, 0);
            self.packets.skip(&mut waiting.ring);
            if waiting.ring.len() == 0 {
                self.ports[(base + p) as usize].queued &= !(1 << channel);
            }
            (packet, candidate.ready, Some(queue))
        };
        let out_channel = if source == INJECTION { packet.channel() } else { source - 1 };
        let (held, in_port, in_channel) = (packet.buffered(), packet.in_port(), packet.channel());
        let fifo = &mut self.fifos[(port.fifo + u32::from(out_channel)) as usize];
        let exit = Exit { class, fifo: &mut *fifo, credits: &mut self.credits, stats, free_at: port.free_at };
        let queue = queue.as_ref().map(|queue| (&self.packets, queue));
        let (arrival, free_at) = leave(exit, &packet, ready, now, queue);
        self.hops += 1;
        self.ports[(base + p) as usize].free_at = free_at;

        let packet = packet.departed(arrival, out_channel);
        debug_assert!(paths.routers[class.network as usize].is_none() || packet.flags() & (REDUCE | MULTICAST) == 0);
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
            endpoint.left(job, paths, candidate.offer.queue, packet.payload(), now, free_at);
        }
    }
}
