//! A switch in one window: take what arrived, route it, and send what can leave.
//!
//! The model is a combined input/output queued switch with an ideal crossbar: a packet waits in its output's queue and
//! holds its input buffer until it starts to leave (credits count flits: what leaves drains as fast as the next can fill). Output queues are served oldest first. Cut-through: a packet may leave
//! `latency` after its head came in, but never so early that the output would run dry; store-and-forward: after its tail.
//!
//! **Invariant.** Outputs have nothing to do with one another. When a packet leaves its output is said in [`super::port`].
//!
//! **Limits.** An input faster than the output it feeds gets its credit up to one packet time early. No head-of-line blocking inside the crossbar, no
//! internal speed-up limit. What the switch combines or replicates is in [`super::in_network`].

use super::credits::Freed;
use super::layout::{Class, SwitchKind, UNPLUGGED};
use super::packet::{MULTICAST, Packet, REDUCE};
use super::port::{Credit, Exit, FlowControl, Service, Unlimited};
use super::prefetch::prefetch;
use super::rings::{Ring, Rings};
use super::scratch::Scratch;
use super::shard::Shard;
use crate::units::{Fs, NEVER};

impl Shard<'_> {
    /// One visit. Returns when the switch must be visited next.
    pub(super) fn switch(&mut self, lp: u32, kind: u32, first: u32, copy: u32, end: Fs) -> Fs {
        let layout = self.layout;
        let kind: &SwitchKind = &layout.kinds[kind as usize];
        let (base, ports) = self.ports_of(lp);
        let left = self.gather(lp, base, ports, kind, first, end);
        while let Some(packet) = self.scratch.special.pop() {
            self.in_network((lp, base), kind, (first, copy), packet);
        }
        self.settle_queues();
        let next = self.serve(lp, base, ports, kind, end);
        self.return_credits(base, Freed::Together);
        left.min(next)
    }

    /// Takes what arrived before `end` and routes it. Returns when the next packet arrives.
    #[inline]
    fn gather(&mut self, lp: u32, base: u32, ports: u32, kind: &SwitchKind, first: u32, end: Fs) -> Fs {
        let Self { words, in_bits, out_bits, fifos, packets, credits, scratch, .. } = self;
        let ports = &self.ports[base as usize..(base + ports) as usize];
        let words = words[lp as usize] as usize..words[lp as usize + 1] as usize;
        let (in_bits, out_bits) = (&mut in_bits[words.clone()], &mut out_bits[words]);
        // first all wires, then all their heads: independent loads that the memory system overlaps
        scratch.heads.clear();
        for (w, &bits) in in_bits.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                let q = w as u32 * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                let in_fifo = ports[q as usize].in_fifo;
                prefetch(&fifos[in_fifo as usize]);
                scratch.heads.push((q, in_fifo));
            }
        }
        for &(_, in_fifo) in &scratch.heads {
            let fifo = &fifos[in_fifo as usize];
            packets.prefetch_ends(&fifo.ring);
            credits.prefetch_tail(&fifo.credits);
        }
        let mut next = NEVER;
        for i in 0..scratch.heads.len() {
            let (q, in_fifo) = scratch.heads[i];
            let (ring, flying) = (fifos[in_fifo as usize].ring, fifos[in_fifo as usize].flying);
            let mut taken = 0;
            while taken < flying {
                let packet = packets.get(&ring, taken);
                let arrival = packet.time;
                if arrival >= end {
                    next = next.min(arrival);
                    break;
                }
                taken += 1;
                if packet.flags() & (REDUCE | MULTICAST) != 0 {
                    scratch.special.push(packet.arrived(q as u16, arrival));
                    continue;
                }
                let o = kind.route.next(q, packet.turn(), first, packet.dst(), packet.selector());
                let out = &ports[o as usize];
                let packet = packet.arrived(q as u16, arrival + kind.latency);
                packets.push(&mut fifos[out.fifo as usize].ring, packet);
                if scratch.fresh(o, out.fifo) {
                    out_bits[o as usize / 64] |= 1 << (o % 64);
                }
            }
            let fifo = &mut fifos[in_fifo as usize];
            packets.consume(&mut fifo.ring, taken);
            fifo.flying -= taken;
            if taken == flying {
                in_bits[q as usize / 64] &= !(1 << (q % 64));
            }
        }
        next
    }

    /// Sends what can leave before `end`, output by output. Returns when something can leave again, as far as is known.
    #[inline]
    fn serve(&mut self, lp: u32, base: u32, count: u32, kind: &SwitchKind, end: Fs) -> Fs {
        let Self { words, in_bits, out_bits, fifos, packets, credits, scratch, layout, wake, outbox, .. } = self;
        let ports = &mut self.ports[base as usize..(base + count) as usize];
        let stats = &mut self.stats[base as usize..(base + count) as usize];
        let words = words[lp as usize] as usize..words[lp as usize + 1] as usize;
        let out_bits = &mut out_bits[words];
        let classes = &layout.classes[..];
        let (mut next, mut last, mut hops) = (NEVER, 0, 0);
        for (w, word) in out_bits.iter_mut().enumerate() {
            let mut bits = *word;
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                let o = w * 64 + bit as usize;
                let (class, free_at) = (&classes[ports[o].class as usize], ports[o].free_at);
                let fifo = &mut fifos[ports[o].fifo as usize];
                let (ring, flying) = (fifo.ring, fifo.flying);
                let exit = Exit { class, fifo, credits, stats: &mut stats[o], free_at };
                let input = |q: u16| ports.get(usize::from(q)).map_or(class, |port| &classes[port.class as usize]);
                let queue = Queue { ring, flying, end };
                let done = if class.buffer.is_some() {
                    queue.serve(Service::<Credit>::new(exit), kind, input, packets, scratch)
                } else {
                    queue.serve(Service::<Unlimited>::new(exit), kind, input, packets, scratch)
                };
                next = next.min(done.next);
                ports[o].blocked = done.blocked;
                if done.sent == ring.len() - flying {
                    *word &= !(1 << bit);
                }
                if done.sent == 0 {
                    continue;
                }
                hops += u64::from(done.sent);
                last = done.free_at.max(last);
                let port = &mut ports[o];
                port.free_at = done.free_at;
                let fifo = &mut fifos[port.fifo as usize];
                if port.peer_lp == UNPLUGGED {
                    outbox.packets(port.peer_shard, port.peer, packets.front(&ring, done.sent));
                    packets.consume(&mut fifo.ring, done.sent);
                } else {
                    fifo.flying += done.sent;
                    in_bits[port.peer_bit as usize / 64] |= 1 << (port.peer_bit % 64);
                    wake.lower(port.peer_lp, done.first_arrival);
                }
            }
        }
        self.last_event = self.last_event.max(last);
        self.hops += hops;
        next
    }
}

/// What waits at an output of a switch, behind what is on the wire, and when the window ends.
struct Queue {
    ring: Ring,
    flying: u32,
    end: Fs,
}

/// What became of it.
struct Served {
    sent: u32,
    /// Something waits for a credit that is not in sight.
    blocked: bool,
    /// When something can leave again, as far as is known.
    next: Fs,
    first_arrival: Fs,
    free_at: Fs,
}

impl Queue {
    /// Sends what can leave. `input` has the class of an input port, or the output's if a packet came by none.
    #[inline(always)]
    fn serve<'c, F: FlowControl>(
        self,
        mut service: Service<F>,
        kind: &SwitchKind,
        input: impl Fn(u16) -> &'c Class,
        packets: &mut Rings<Packet>,
        scratch: &mut Scratch,
    ) -> Served {
        let Self { ring, flying, end } = self;
        let (mut blocked, mut next, mut first_arrival) = (false, NEVER, NEVER);
        // what came before this time waited behind the last packet that left
        let mut behind = 0;
        for at in flying..ring.len() {
            if packets.get(&ring, at).time < behind {
                service.measure(packets, &ring, at - 1, behind - 1);
            }
            let packet = packets.get_mut(&ring, at);
            debug_assert_eq!(packet.channel(), 0, "trees have one channel");
            let wire = packet.wire();
            let mut ready = packet.time;
            if !kind.simple {
                // store-and-forward waits for the tail; cut-through to a faster link, until it cannot run dry
                let whole = input(packet.in_port()).fs(wire);
                ready += if kind.cut_through { whole.saturating_sub(service.fs(wire)) } else { whole };
            }
            let time = match service.opening(wire, ready, end) {
                Ok(time) if time < end => time,
                Ok(time) => {
                    next = time;
                    break;
                }
                Err(credit) => {
                    (blocked, next) = (true, credit);
                    break;
                }
            };
            if packet.buffered() {
                scratch.free_buffer(u32::from(packet.in_port()), 0, wire, time);
            }
            packet.time = service.leave(packet, ready, time);
            first_arrival = first_arrival.min(packet.time);
            behind = time + 1;
        }
        let sent = service.sent;
        let free_at = if sent > 0 {
            service.alone();
            service.close()
        } else {
            0
        };
        Served { sent, blocked, next, first_arrival, free_at }
    }
}
