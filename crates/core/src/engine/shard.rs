//! A shard: a run of consecutive LPs and all state that only they touch.
//!
//! **Invariants.**
//! - The FIFO of an output port holds, in order, the packets on the wire (`flying`, their time is the arrival at the far
//!   end) and then those that wait (their time is when they are ready). The far end takes from the front. So a packet is
//!   written once a hop and never moved when it departs.
//! - During the window `[start, end)` nothing with a time at or after `end` is read, and everything that one LP gives
//!   another has a time at or after `end`; so the order in which LPs run does not matter.
//! - What leaves for another shard goes by [`Mail`] and is taken in before that shard's next window.
//!
//! **Cost.** About 150 bytes a port, plus 32 bytes a packet and 16 a credit under way.

use std::hash::{BuildHasherDefault, Hasher};

use super::accelerator::Candidate;
use super::endpoint::Endpoint;
use super::layout::{Layout, Node, UNPLUGGED};
use super::packet::{Credit, NO_PORT, Packet};
use super::rings::{Ring, Rings, insertion_sort};
use super::{Job, Paths};
use crate::rng::mix;
use crate::units::{Fs, NEVER};

/// LPs whose earliest wake-up is kept together.
const BLOCK: usize = 64;

/// Output side and input side of a port.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))] // one cache line
pub(super) struct Port {
    /// When the link is free again.
    pub(super) free_at: Fs,
    /// Engine-wide number of the port at the other end.
    pub(super) peer: u32,
    /// The other end's LP within this shard, or [`UNPLUGGED`] if another shard owns it.
    pub(super) peer_lp: u32,
    /// This port's own LP within the shard.
    pub(super) lp: u32,
    /// Shard of the other end.
    pub(super) peer_shard: u16,
    /// Bit of the other end's LP that says that this wire has something.
    pub(super) peer_bit: u32,
    /// First of this port's FIFOs: one a channel for what leaves; on routers inside accelerators, then one a channel
    /// for what passes through and waits.
    pub(super) fifo: u32,
    /// First FIFO that arriving packets are taken from: the far end's, or a proxy filled by mail.
    pub(super) in_fifo: u32,
    /// Link class.
    pub(super) class: u16,
    /// Something waits and no credit for it is in sight.
    pub(super) blocked: bool,
    /// Bytes freed behind the wire that comes in here and not announced yet, by channel.
    pub(super) owed: [u32; 2],
}

/// A queue of packets and the credits of its channel.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))] // one cache line
pub(super) struct Fifo {
    pub(super) ring: Ring,
    /// How many from the front are on the wire.
    pub(super) flying: u32,
    /// Bytes of buffer free at the far end.
    pub(super) available: u32,
    /// Credits on their way or not looked at yet; at most one a quantum of the buffer.
    pub(super) credits: Ring,
    /// Time of the latest of them.
    last_credit: Fs,
}

/// What a port did.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))] // one cache line
pub(super) struct PortStats {
    pub(super) payload: u64,
    pub(super) wire: u64,
    pub(super) packets: u64,
    pub(super) busy: Fs,
    pub(super) stall: Fs,
    pub(super) wait: Fs,
    pub(super) queue_max: u32,
}

/// Something for another shard.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mail {
    /// A packet on the wire into this port.
    Packet(u32, Packet),
    /// A credit for this output port.
    Credit(u32, Credit),
}

/// In-network sums under way, by (LP, destination position, tag, packet number): contributions seen, and the latest. Only
/// looked up, never iterated, so its order cannot matter.
pub(super) type Sums = hashbrown::HashMap<[u32; 4], (u32, Fs), BuildHasherDefault<SumHasher>>;

/// Hashes the four words of a sum's key, always alike.
#[derive(Debug, Default)]
pub(super) struct SumHasher(u64);

impl Hasher for SumHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut buffer = [0; 8];
            buffer[..word.len()].copy_from_slice(word);
            self.0 = mix(self.0 ^ u64::from_le_bytes(buffer));
        }
    }
}

/// See the module.
pub(super) struct Shard<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) layout: &'a Layout,
    pub(super) paths: &'a Paths,
    pub(super) first_lp: u32,
    pub(super) lps: u32,
    pub(super) first_port: u32,
    pub(super) ports: Vec<Port>,
    pub(super) fifos: Vec<Fifo>,
    pub(super) stats: Vec<PortStats>,
    pub(super) packets: Rings<Packet>,
    pub(super) credits: Rings<Credit>,
    pub(super) words: Vec<u32>,
    pub(super) in_bits: Vec<u64>,
    pub(super) out_bits: Vec<u64>,
    pub(super) wake: Wake,
    /// Endpoint of each LP, or [`UNPLUGGED`].
    pub(super) endpoint_of: Vec<u32>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) sums: Sums,
    pub(super) outbox: Outbox,
    pub(super) scratch: Scratch,
    /// Payload bytes delivered since the last report.
    pub(super) delivered: u64,
    /// Time of the last event that this shard saw.
    pub(super) last_event: Fs,
}

/// When each LP must be visited next, and the earliest of each block.
#[derive(Debug)]
pub(super) struct Wake {
    lps: Vec<Fs>,
    blocks: Vec<Fs>,
}

impl Wake {
    /// Makes sure that an LP is visited in the window of `time`.
    #[inline(always)]
    pub(super) fn lower(&mut self, lp: u32, time: Fs) {
        let wake = &mut self.lps[lp as usize];
        if time < *wake {
            *wake = time;
            let block = &mut self.blocks[lp as usize / BLOCK];
            *block = time.min(*block);
        }
    }
}

/// What leaves for other shards.
#[derive(Debug)]
pub(super) struct Outbox {
    mail: Vec<Vec<Mail>>,
    earliest: Fs,
}

impl Outbox {
    /// Puts something into another shard's mail.
    #[inline]
    pub(super) fn post(&mut self, shard: u16, time: Fs, mail: Mail) {
        self.mail[usize::from(shard)].push(mail);
        self.earliest = self.earliest.min(time);
    }
}

/// Working space of one LP visit, kept to avoid allocation.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// New packets of each queue (by output port and channel), and the queues that have some with their FIFO.
    pub(super) fresh: Vec<u32>,
    pub(super) touched: Vec<(u32, u32)>,
    /// Packets that the switch combines or replicates.
    pub(super) special: Vec<Packet>,
    /// Packets for this accelerator and when their tail is in.
    pub(super) deliveries: Vec<(Fs, Packet)>,
    /// What each port of an accelerator would send next, and when.
    pub(super) candidates: Vec<Candidate>,
    pub(super) times: Vec<Fs>,
    /// Buffers freed in this visit: time and bytes by input port and channel, and which have some.
    pub(super) freed: Vec<Vec<(Fs, u32)>>,
    pub(super) freed_at: Vec<u32>,
    /// Wires that have something: input port and FIFO.
    pub(super) heads: Vec<(u32, u32)>,
}

impl Scratch {
    fn new(ports: usize) -> Self {
        Self { fresh: vec![0; 2 * ports], freed: vec![vec![]; 2 * ports], ..Self::default() }
    }

    /// Notes a packet that was put into a queue.
    #[inline(always)]
    pub(super) fn fresh(&mut self, queue: u32, fifo: u32) {
        let count = &mut self.fresh[queue as usize];
        if *count == 0 {
            self.touched.push((queue, fifo));
        }
        *count += 1;
    }

    /// Notes that a packet's buffer at input `q` is free at `time`; [`Shard::announce`] tells the sender.
    #[inline(always)]
    pub(super) fn free_buffer(&mut self, q: u32, channel: u8, wire: u32, time: Fs) {
        let place = q * 2 + u32::from(channel);
        let freed = &mut self.freed[place as usize];
        if freed.is_empty() {
            self.freed_at.push(place);
        }
        freed.push((time, wire));
    }
}

impl<'a> Shard<'a> {
    pub(super) fn new(job: &'a Job<'a>, layout: &'a Layout, paths: &'a Paths, id: usize) -> Self {
        let (first_lp, end_lp) = (layout.cuts[id], layout.cuts[id + 1]);
        let lps = end_lp - first_lp;
        let (first_port, end_port) = (layout.first_port[first_lp as usize], layout.first_port[end_lp as usize]);
        let count = (end_port - first_port) as usize;

        let ports_of = |lp: u32| layout.first_port[lp as usize + 1] - layout.first_port[lp as usize];
        let most_ports = (first_lp..end_lp).map(ports_of).max().unwrap_or(0) as usize;
        let mut words = Vec::with_capacity(lps as usize + 1);
        let mut word = 0;
        for lp in first_lp..end_lp {
            words.push(word);
            word += ports_of(lp).div_ceil(64);
        }
        words.push(word);

        let mut shard = Self {
            job,
            layout,
            paths,
            first_lp,
            lps,
            first_port,
            ports: Vec::with_capacity(count),
            fifos: vec![],
            stats: vec![PortStats::default(); count],
            packets: Rings::default(),
            credits: Rings::default(),
            in_bits: vec![0; word as usize],
            out_bits: vec![0; word as usize],
            words,
            wake: Wake { lps: vec![NEVER; lps as usize], blocks: vec![NEVER; (lps as usize).div_ceil(BLOCK)] },
            endpoint_of: vec![UNPLUGGED; lps as usize],
            endpoints: vec![],
            sums: Sums::default(),
            outbox: Outbox { mail: vec![vec![]; layout.cuts.len() - 1], earliest: NEVER },
            scratch: Scratch::new(most_ports),
            delivered: 0,
            last_event: 0,
        };
        shard.plug();
        shard
    }

    /// Fills the port table and its FIFOs.
    fn plug(&mut self) {
        let mut fifo_count = 0;
        for lp in 0..self.lps {
            let global = (self.first_lp + lp) as usize;
            let inside = matches!(self.layout.nodes[global], Node::Accelerator);
            for port in self.layout.first_port[global]..self.layout.first_port[global + 1] {
                let class = &self.layout.classes[self.layout.class[port as usize] as usize];
                let peer = self.layout.peer[port as usize];
                let (mut peer_lp, mut peer_bit, mut peer_shard) = (UNPLUGGED, 0, 0);
                if peer != UNPLUGGED {
                    let far = self.layout.lp_of_port(peer);
                    peer_shard = self.layout.cuts.partition_point(|&cut| cut <= far) as u16 - 1;
                    if (self.first_lp..self.first_lp + self.lps).contains(&far) {
                        peer_lp = far - self.first_lp;
                        peer_bit = self.words[peer_lp as usize] * 64 + (peer - self.layout.first_port[far as usize]);
                    }
                }
                let fifo = fifo_count;
                fifo_count += u32::from(class.channels)
                    * if inside && self.paths.direct[class.network as usize].is_some() { 2 } else { 1 };
                self.ports.push(Port {
                    free_at: 0,
                    peer,
                    peer_lp,
                    lp,
                    peer_shard,
                    peer_bit,
                    fifo,
                    in_fifo: UNPLUGGED,
                    class: self.layout.class[port as usize],
                    blocked: false,
                    owed: [0; 2],
                });
            }
        }
        for i in 0..self.ports.len() {
            let port = self.ports[i];
            if port.peer == UNPLUGGED {
                continue;
            }
            self.ports[i].in_fifo = if port.peer_lp != UNPLUGGED {
                self.ports[(port.peer - self.first_port) as usize].fifo
            } else {
                fifo_count += u32::from(self.layout.classes[port.class as usize].channels);
                fifo_count - u32::from(self.layout.classes[port.class as usize].channels)
            };
        }
        self.fifos = vec![Fifo::default(); fifo_count as usize];
        for port in &self.ports {
            let class = &self.layout.classes[port.class as usize];
            for channel in 0..u32::from(class.channels) {
                self.fifos[(port.fifo + channel) as usize].available = class.buffer.unwrap_or(u32::MAX);
            }
        }
    }

    /// First port of an LP within this shard, and their number.
    #[inline(always)]
    pub(super) fn ports_of(&self, lp: u32) -> (u32, u32) {
        let global = (self.first_lp + lp) as usize;
        let first = self.layout.first_port[global];
        (first - self.first_port, self.layout.first_port[global + 1] - first)
    }

    /// Earliest time at which anything here, or sent from here, can happen.
    pub(super) fn next(&self) -> Fs {
        self.wake.blocks.iter().copied().min().unwrap_or(NEVER).min(self.outbox.earliest)
    }

    /// Takes in what other shards sent.
    pub(super) fn receive(&mut self, mail: &mut Vec<Mail>) {
        for item in mail.drain(..) {
            match item {
                Mail::Packet(port, packet) => {
                    let local = (port - self.first_port) as usize;
                    let fifo = self.ports[local].in_fifo + u32::from(packet.channel());
                    let fifo = &mut self.fifos[fifo as usize];
                    self.packets.push(&mut fifo.ring, packet);
                    fifo.flying += 1;
                    let lp = self.ports[local].lp;
                    let bit =
                        self.words[lp as usize] * 64 + port - self.layout.first_port[(self.first_lp + lp) as usize];
                    self.in_bits[bit as usize / 64] |= 1 << (bit % 64);
                    self.wake.lower(lp, packet.time);
                }
                Mail::Credit(port, credit) => self.credit(port - self.first_port, credit),
            }
        }
    }

    /// Hands the outbox over; the caller swaps each list into the receiver's mailbox.
    pub(super) fn take_outbox(&mut self) -> &mut [Vec<Mail>] {
        self.outbox.earliest = NEVER;
        &mut self.outbox.mail
    }

    /// A credit arrives at a local output port. Credits are kept in order of time; few come out of order.
    #[inline]
    pub(super) fn credit(&mut self, port: u32, credit: Credit) {
        let slot = &self.ports[port as usize];
        let fifo = &mut self.fifos[(slot.fifo + credit.channel) as usize];
        self.credits.push(&mut fifo.credits, credit);
        if credit.time < fifo.last_credit {
            let mut i = fifo.credits.len() - 1;
            while i > 0 && self.credits.get(&fifo.credits, i - 1).time > credit.time {
                let earlier = *self.credits.get(&fifo.credits, i - 1);
                *self.credits.get_mut(&fifo.credits, i) = earlier;
                i -= 1;
            }
            *self.credits.get_mut(&fifo.credits, i) = credit;
        }
        fifo.last_credit = fifo.last_credit.max(credit.time);
        if slot.blocked {
            self.wake.lower(slot.lp, credit.time);
        }
    }

    /// Turns the buffers freed in this visit into credits.
    ///
    /// Freed bytes are added up in the order of the events that freed them, and whenever a quantum has come together a
    /// credit leaves. Events of a window come after those of the windows before, so the cuts do not depend on windows. A
    /// switch (`unordered`) lists its events output by output; what it frees at one and the same moment counts together.
    pub(super) fn announce(&mut self, base: u32, unordered: bool) {
        let mut places = std::mem::take(&mut self.scratch.freed_at);
        for place in places.drain(..) {
            let mut freed = std::mem::take(&mut self.scratch.freed[place as usize]);
            let total: u32 = freed.iter().map(|f| f.1).sum();
            let port = &mut self.ports[(base + place / 2) as usize];
            let class = &self.layout.classes[port.class as usize];
            let (peer, shard, local, channel) = (port.peer, port.peer_shard, port.peer_lp != UNPLUGGED, place % 2);
            if class.buffer.is_some() && port.owed[channel as usize] + total < class.quantum {
                port.owed[channel as usize] += total;
            } else if class.buffer.is_some() {
                if unordered {
                    insertion_sort(&mut freed, |f| f.0);
                }
                let mut owed = port.owed[channel as usize];
                for i in 0..freed.len() {
                    let (time, bytes) = freed[i];
                    owed += bytes;
                    if owed < class.quantum || unordered && freed.get(i + 1).is_some_and(|next| next.0 == time) {
                        continue;
                    }
                    let credit = Credit { time: time + class.latency, bytes: std::mem::take(&mut owed), channel };
                    if local {
                        self.credit(peer - self.first_port, credit);
                    } else {
                        self.outbox.post(shard, credit.time, Mail::Credit(peer, credit));
                    }
                }
                self.ports[(base + place / 2) as usize].owed[channel as usize] = owed;
            }
            freed.clear();
            self.scratch.freed[place as usize] = freed;
        }
        self.scratch.freed_at = places;
    }

    /// Simulates the window `[start, end)`. Stops early, between blocks, if asked to.
    pub(super) fn window(&mut self, start: Fs, end: Fs, cancelled: impl Fn() -> bool) {
        for block in 0..self.wake.blocks.len() {
            if self.wake.blocks[block] >= end {
                continue;
            }
            if cancelled() {
                return;
            }
            self.wake.blocks[block] = NEVER;
            for lp in (block * BLOCK) as u32..((block + 1) * BLOCK).min(self.lps as usize) as u32 {
                let wake = self.wake.lps[lp as usize];
                if wake >= end {
                    self.wake.blocks[block] = self.wake.blocks[block].min(wake);
                    continue;
                }
                self.wake.lps[lp as usize] = NEVER;
                let next = match self.layout.nodes[(self.first_lp + lp) as usize] {
                    Node::Accelerator => self.accelerator(lp, start, end),
                    Node::Switch { kind, first, copy } => self.switch(lp, kind, first, copy, end),
                };
                self.wake.lower(lp, next);
            }
        }
    }

    /// Puts the new packets of each queue into order, oldest first.
    ///
    /// Arrivals of one window are later than those of the windows before, so that each queue stays in order.
    #[inline]
    pub(super) fn settle_queues(&mut self) {
        let Self { scratch, packets, fifos, .. } = self;
        for (queue, fifo) in scratch.touched.drain(..) {
            let count = std::mem::take(&mut scratch.fresh[queue as usize]);
            if count > 1 {
                packets.sort_tail(&fifos[fifo as usize].ring, count, Packet::key);
            }
        }
    }

    /// Largest memory use, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let flat = self.ports.len() * (size_of::<Port>() + size_of::<PortStats>())
            + self.fifos.len() * size_of::<Fifo>()
            + (self.in_bits.len() + self.out_bits.len() + self.wake.lps.len()) * 8
            + (self.words.len() + self.endpoint_of.len()) * 4;
        flat as u64
            + self.packets.bytes()
            + self.credits.bytes()
            + self.endpoints.iter().map(Endpoint::bytes).sum::<u64>()
    }
}

/// True for packets that hold a buffer at the port they came in by.
#[inline(always)]
pub(super) fn buffered(packet: &Packet) -> bool {
    packet.in_port() != NO_PORT
}
