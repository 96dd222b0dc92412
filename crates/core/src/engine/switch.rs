//! A switch in one window: take what arrived, route it, and send what can leave.
//!
//! The model is a combined input/output queued switch with an ideal crossbar: a packet waits in its output's queue and
//! holds its input buffer until its tail has left. Output queues are served oldest first. Cut-through: a packet may leave
//! `latency` after its head came in, but never so early that the output would run dry; store-and-forward: after its tail.
//!
//! **Invariant.** next departure = max(link free, packet ready, credit there). Nothing else delays a packet.
//!
//! **Limits.** No head-of-line blocking inside the crossbar, no internal speed-up limit. In-network sums are kept in a
//! table without a size limit, and multicast copies do not hold the input buffer.

use super::layout::{SwitchKind, UNPLUGGED};
use super::packet::{LAST, MULTICAST, NO_PORT, Packet, REDUCE};
use super::prefetch::prefetch;
use super::shard::{Mail, Shard, buffered};
use crate::units::{Fs, NEVER};

impl Shard<'_> {
    /// One visit. Returns when the switch must be visited next.
    pub(super) fn switch(&mut self, lp: u32, kind: u32, first: u32, copy: u32, end: Fs) -> Fs {
        let layout = self.layout;
        let kind: &SwitchKind = &layout.kinds[kind as usize];
        let (base, _) = self.ports_of(lp);
        let (word, last_word) = (self.words[lp as usize], self.words[lp as usize + 1]);
        let mut next = NEVER;
        // first all wires, then all their heads: independent loads that the memory system overlaps
        let mut heads = std::mem::take(&mut self.scratch.heads);
        heads.clear();
        for w in word..last_word {
            let mut bits = self.in_bits[w as usize];
            while bits != 0 {
                let q = (w - word) * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                let in_fifo = self.ports[(base + q) as usize].in_fifo;
                prefetch(&self.fifos[in_fifo as usize]);
                heads.push((q, in_fifo));
            }
        }
        for &(_, in_fifo) in &heads {
            let fifo = &self.fifos[in_fifo as usize];
            self.packets.prefetch_ends(&fifo.ring);
            self.credits.prefetch_tail(&fifo.credits);
        }
        for &(q, in_fifo) in &heads {
            let left = self.gather(lp, base, q, in_fifo, kind, first, copy, end);
            if left == NEVER {
                self.in_bits[(word + q / 64) as usize] &= !(1 << (q % 64));
            }
            next = next.min(left);
        }
        self.scratch.heads = heads;
        if !self.scratch.arrivals.is_empty() {
            self.distribute();
        }
        for w in word..last_word {
            let mut bits = self.out_bits[w as usize];
            while bits != 0 {
                let o = (w - word) * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                next = next.min(self.serve(base, base + o, w, end));
            }
        }
        self.announce(base);
        next
    }

    /// Takes what input `q` got before `end` and routes it. Returns when its next packet arrives.
    #[allow(clippy::too_many_arguments)] // the switch's constants, kept in registers
    #[inline]
    fn gather(&mut self, lp: u32, base: u32, q: u32, in_fifo: u32, kind: &SwitchKind, first: u32, copy: u32, end: Fs) -> Fs {
        let in_class = &self.layout.classes[self.ports[(base + q) as usize].class as usize];
        let word = self.words[lp as usize];
        loop {
            let fifo = &mut self.fifos[in_fifo as usize];
            if fifo.flying == 0 {
                return NEVER;
            }
            let arrival = self.packets.get(&fifo.ring, 0).time;
            if arrival >= end {
                return arrival;
            }
            let packet = self.packets.get(&fifo.ring, 0);
            let (dst, selector, wire) = (packet.dst(), packet.selector(), packet.wire());
            let mut ready = arrival + kind.latency;
            if packet.flags() & (REDUCE | MULTICAST) != 0 {
                let packet = packet.arrived(q as u16, arrival);
                self.packets.skip(&mut fifo.ring);
                fifo.flying -= 1;
                self.in_network(lp, base, kind, first, copy, packet);
                continue;
            }
            let o = kind.route.next(first, dst, selector);
            let out = &self.ports[(base + o) as usize];
            if !kind.cut_through {
                ready += in_class.fs(wire);
            } else if !kind.uniform {
                ready += in_class.fs(wire).saturating_sub(self.layout.classes[out.class as usize].fs(wire));
            }
            self.scratch.arrivals.push((out.fifo, packet.arrived(q as u16, ready)));
            self.packets.skip(&mut fifo.ring);
            fifo.flying -= 1;
            self.out_bits[(word + o / 64) as usize] |= 1 << (o % 64);
        }
    }

    /// Sends what output `p` can send before `end`. Returns when it can send again, as far as is known.
    #[inline]
    fn serve(&mut self, base: u32, p: u32, word: u32, end: Fs) -> Fs {
        let mut port = self.ports[p as usize];
        let class = &self.layout.classes[port.class as usize];
        let mut fifo = self.fifos[port.fifo as usize];
        let mut stats = self.stats[p as usize];
        let waiting = fifo.ring.len() - fifo.flying;
        stats.queue_max = stats.queue_max.max(waiting);
        port.blocked = false;
        let mut first_arrival = NEVER;
        let mut next = NEVER;
        let mut sent = 0;
        while sent < waiting {
            let packet = self.packets.get_mut(&fifo.ring, fifo.flying);
            let wire = packet.wire();
            let ready = packet.time.max(port.free_at);
            if ready >= end {
                next = ready;
                break;
            }
            let mut time = ready;
            if class.buffer.is_some() {
                if fifo.available < wire {
                    // what came in the meantime, all at once
                    self.credits.drain_while(&mut fifo.credits, |c| c.time <= ready, |c| fifo.available += c.bytes);
                }
                while fifo.available < wire && fifo.credits.len() > 0 {
                    let credit = *self.credits.get(&fifo.credits, 0);
                    if credit.time >= end {
                        break;
                    }
                    self.credits.pop(&mut fifo.credits);
                    fifo.available += credit.bytes;
                    time = time.max(credit.time);
                }
                if fifo.available < wire {
                    port.blocked = true;
                    if fifo.credits.len() > 0 {
                        next = self.credits.get(&fifo.credits, 0).time;
                    }
                    break;
                }
                fifo.available -= wire;
            }
            let busy = class.fs(wire);
            port.free_at = time + busy;
            stats.packets += 1;
            stats.payload += u64::from(packet.payload());
            stats.wire += u64::from(wire);
            stats.busy += busy;
            stats.stall += time - ready;
            stats.wait += time - packet.time;
            let (held, in_port, channel) = (buffered(packet), packet.in_port(), packet.channel());
            packet.time = time + class.latency;
            packet.set_channel(0);
            first_arrival = first_arrival.min(packet.time);
            let leaving = *packet;
            sent += 1;
            if port.peer_lp != UNPLUGGED {
                fifo.flying += 1;
            } else {
                self.packets.pop(&mut fifo.ring);
                self.post(port.peer, leaving.time, Mail::Packet(port.peer, leaving));
            }
            if held {
                let in_class = &self.layout.classes[self.ports[(base + u32::from(in_port)) as usize].class as usize];
                self.free_buffer(u32::from(in_port), channel, wire, time + in_class.full_fs);
            }
        }
        if sent == waiting {
            self.out_bits[word as usize] &= !(1 << ((p - base) % 64));
        }
        if sent > 0 {
            self.last_event = self.last_event.max(port.free_at);
            if port.peer_lp != UNPLUGGED {
                self.in_bits[port.peer_bit as usize / 64] |= 1 << (port.peer_bit % 64);
                self.lower(port.peer_lp, first_arrival);
            }
        }
        // free_buffer never touches this port: its credits go to the far ends of input ports
        self.fifos[port.fifo as usize] = fifo;
        self.stats[p as usize] = stats;
        self.ports[p as usize] = port;
        next
    }

    /// A packet that this switch combines or replicates.
    #[cold]
    fn in_network(&mut self, lp: u32, base: u32, kind: &SwitchKind, first: u32, copy: u32, mut packet: Packet) {
        let in_port = base + u32::from(packet.in_port());
        let in_class = &self.layout.classes[self.ports[in_port as usize].class as usize];
        packet.time += kind.latency + if kind.cut_through { 0 } else { in_class.fs(packet.wire()) };
        self.free_buffer(in_port - base, packet.channel(), packet.wire(), packet.time);
        packet.set_in_port(NO_PORT);
        if packet.flags() & REDUCE != 0 {
            let key = (lp, packet.dst(), packet.tag(), packet.selector());
            let sum = self.sums.entry(key).or_insert((0, 0));
            *sum = (sum.0 + 1, sum.1.max(packet.time));
            if sum.0 < self.paths.ranks {
                return;
            }
            packet.time = sum.1;
            self.sums.remove(&key);
            packet.set_flags(packet.flags() & LAST);
            self.out(lp, base, kind, first, packet);
        } else {
            packet.set_flags(packet.flags() & LAST);
            let net = &self.paths.networks[kind.network as usize];
            let links = net.plane_links[kind.plane as usize];
            debug_assert_eq!(copy, net.group_copy);
            for &slot in &net.group {
                packet.set_dst(slot * links + packet.selector() % links);
                self.out(lp, base, kind, first, packet);
            }
        }
    }

    fn out(&mut self, lp: u32, base: u32, kind: &SwitchKind, first: u32, packet: Packet) {
        let o = kind.route.next(first, packet.dst(), packet.selector());
        self.scratch.arrivals.push((self.ports[(base + o) as usize].fifo, packet));
        self.out_bits[(self.words[lp as usize] + o / 64) as usize] |= 1 << (o % 64);
    }
}
