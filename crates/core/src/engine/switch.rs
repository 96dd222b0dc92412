//! A switch in one window: take what arrived, route it, and send what can leave.
//!
//! The model is a combined input/output queued switch with an ideal crossbar: a packet waits in its output's queue and
//! holds its input buffer until it starts to leave (credits count flits: what leaves drains as fast as the next can fill). Output queues are served oldest first. Cut-through: a packet may leave
//! `latency` after its head came in, but never so early that the output would run dry; store-and-forward: after its tail.
//!
//! **Invariant.** next departure = max(link free, packet ready, credit there). Nothing else delays a packet.
//!
//! **Limits.** An input faster than the output it feeds gets its credit up to one packet time early. No head-of-line blocking inside the crossbar, no
//! internal speed-up limit. What the switch combines or replicates is in [`super::in_network`].

use super::credits::Freed;
use super::layout::{SwitchKind, UNPLUGGED};
use super::packet::{MULTICAST, REDUCE};
use super::prefetch::prefetch;
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
                let (class, peer, peer_lp, peer_bit) =
                    (&classes[ports[o].class as usize], ports[o].peer, ports[o].peer_lp, ports[o].peer_bit);
                let fifo = &mut fifos[ports[o].fifo as usize];
                let stats = &mut stats[o];
                let mut free_at = ports[o].free_at;
                let mut blocked = false;
                let ring = fifo.ring;
                let waiting = ring.len() - fifo.flying;
                let (mut sent, mut first_arrival) = (0, NEVER);
                let (mut wires, mut payloads, mut busies, mut waits) = (0, 0, 0, 0);
                let mut queued = 0;
                while sent < waiting {
                    let packet = packets.get_mut(&ring, fifo.flying + sent);
                    let wire = packet.wire();
                    let room = u64::from(wire);
                    let mut ready = packet.time;
                    if !kind.simple {
                        // store-and-forward waits for the tail; cut-through to a faster link, until it cannot run dry;
                        let from = ports.get(usize::from(packet.in_port()));
                        let whole = from.map_or(class, |q| &classes[q.class as usize]).fs(wire);
                        ready += if kind.cut_through { whole.saturating_sub(class.fs(wire)) } else { whole };
                    }
                    // from here on it waits: for those before it, then for room
                    let came = ready;
                    let ready = ready.max(free_at);
                    if ready >= end {
                        next = next.min(ready);
                        break;
                    }
                    let mut time = ready;
                    if class.buffer.is_some() {
                        if fifo.available < room {
                            // what came in the meantime, all at once
                            credits.drain_while(
                                &mut fifo.credits,
                                |c| c.time <= ready,
                                |c| fifo.available += u64::from(c.bytes),
                            );
                        }
                        while fifo.available < room && fifo.credits.len() > 0 {
                            let credit = *credits.get(&fifo.credits, 0);
                            if credit.time >= end {
                                break;
                            }
                            credits.skip(&mut fifo.credits);
                            fifo.available += u64::from(credit.bytes);
                            time = time.max(credit.time);
                        }
                        if fifo.available < room {
                            blocked = true;
                            if fifo.credits.len() > 0 {
                                next = next.min(credits.get(&fifo.credits, 0).time);
                            }
                            break;
                        }
                        fifo.available -= room;
                    }
                    let busy = class.fs(wire);
                    free_at = time + busy;
                    wires += u64::from(wire);
                    payloads += u64::from(packet.payload());
                    busies += busy;
                    waits = (time - came).saturating_add(waits);
                    if time > ready {
                        stats.stall += time - ready;
                    }
                    if packet.buffered() {
                        scratch.free_buffer(u32::from(packet.in_port()), packet.channel(), wire, time);
                    }
                    packet.time = time + class.latency;
                    packet.set_channel(0);
                    first_arrival = first_arrival.min(packet.time);
                    // the queue is longest just before something leaves; it cannot exceed what waits
                    if waiting - sent > stats.queue_max {
                        queued = queued.max(sent + 1);
                        while queued < waiting && packets.get(&ring, fifo.flying + queued).time <= time {
                            queued += 1;
                        }
                        stats.queue_max = stats.queue_max.max(queued - sent);
                    }
                    sent += 1;
                }
                if sent == waiting {
                    *word &= !(1 << bit);
                }
                ports[o].blocked = blocked;
                if sent == 0 {
                    continue;
                }
                hops += u64::from(sent);
                stats.packets += u64::from(sent);
                stats.wire += wires;
                stats.payload += payloads;
                stats.busy += busies;
                stats.wait = stats.wait.saturating_add(waits);
                ports[o].free_at = free_at;
                last = free_at.max(last);
                if peer_lp == UNPLUGGED {
                    outbox.packets(ports[o].peer_shard, peer, packets.front(&ring, sent));
                    packets.consume(&mut fifo.ring, sent);
                } else {
                    fifo.flying += sent;
                    in_bits[peer_bit as usize / 64] |= 1 << (peer_bit % 64);
                    wake.lower(peer_lp, first_arrival);
                }
            }
        }
        self.last_event = self.last_event.max(last);
        self.hops += hops;
        next
    }
}
