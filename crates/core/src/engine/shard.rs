//! A shard: a run of consecutive LPs and all state that only they touch.
//!
//! **Invariants.**
//! - The FIFO of an output port holds, in order, the packets on the wire (`flying`, their time is the arrival at the far
//!   end) and then those that wait (their time is when they are ready). The far end takes from the front. So a packet is
//!   written once a hop and never moved when it departs.
//! - During the window `[start, end)` nothing with a time at or after `end` is read, and everything that one LP gives
//!   another has a time at or after `end`; so the order in which LPs run does not matter.
//! - What leaves for another shard goes by [mail](super::mail) and is taken in before that shard's next window.
//!
//! **Cost.** About 150 bytes a port, plus 32 bytes a packet and 16 a credit under way.

use super::endpoint::Endpoint;
use super::layout::{Layout, Node, UNPLUGGED};
use super::mail::Outbox;
use super::packet::{Credit, Packet};
use super::prefetch::prefetch;
use super::rings::{Ring, Rings};
use super::scratch::Scratch;
use super::sums::Sums;
use super::wake::{BLOCK, Wake};
use super::{Job, Paths};
use crate::control::{Control, filled, reserved};
use crate::error::Result;
use crate::fabric::graph::CHANNELS;
use crate::units::{Fs, NEVER};

/// Visits between asking for what one loads first, for what that leads to, and the visit itself.
const AHEAD: usize = 3;

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
    /// Channels in which something passes through and waits, as bits.
    pub(super) queued: u8,
    /// Bytes freed behind the wire that comes in here and not announced yet, by channel.
    pub(super) unreturned: [u32; CHANNELS as usize],
}

const _: () = assert!(size_of::<Port>() == 64);

/// A queue of packets and the credits of its channel.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))] // one cache line
pub(super) struct Fifo {
    pub(super) ring: Ring,
    /// How many from the front are on the wire.
    pub(super) flying: u32,
    /// Bytes of buffer free at the far end.
    pub(super) available: u64,
    /// Credits on their way or not looked at yet; at most one a quantum of the buffer.
    pub(super) credits: Ring,
    /// Time of the latest of them.
    pub(super) last_credit: Fs,
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
    /// Packets that wait at a router that looks at its queues.
    pub(super) waiting: u32,
}

/// See the module.
pub(super) struct Shard<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) layout: &'a Layout,
    pub(super) paths: &'a Paths,
    /// Who may stop the run.
    pub(super) control: &'a Control,
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
    /// Packets that left a port of this shard.
    pub(super) hops: u64,
    /// Visits to LPs.
    visits: u64,
}

impl<'a> Shard<'a> {
    /// # Errors
    /// Those of [`Control::check`].
    pub(super) fn new(
        job: &'a Job<'a>,
        layout: &'a Layout,
        paths: &'a Paths,
        id: usize,
        control: &'a Control,
    ) -> Result<Self> {
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
            control,
            first_lp,
            lps,
            first_port,
            ports: reserved("ports", count)?,
            fifos: vec![],
            stats: filled("counters of ports", count, PortStats::default())?,
            packets: Rings::new(16),
            credits: Rings::new(8),
            in_bits: vec![0; word as usize],
            out_bits: vec![0; word as usize],
            words,
            wake: Wake { lps: vec![NEVER; lps as usize], blocks: vec![NEVER; (lps as usize).div_ceil(BLOCK)] },
            endpoint_of: vec![UNPLUGGED; lps as usize],
            endpoints: vec![],
            sums: Sums::default(),
            outbox: Outbox::new(layout.cuts.len() - 1),
            scratch: Scratch::new(most_ports, layout.classes.iter().map(|c| c.channels.into()).max().unwrap_or(1)),
            delivered: 0,
            last_event: 0,
            hops: 0,
            visits: 0,
        };
        shard.plug(control)?;
        Ok(shard)
    }

    /// Fills the port table and its FIFOs.
    fn plug(&mut self, control: &Control) -> Result<()> {
        let mut fifo_count = 0;
        for lp in 0..self.lps {
            control.check()?;
            let global = (self.first_lp + lp) as usize;
            let inside = !matches!(self.layout.nodes[global], Node::Switch { .. });
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
                    * if inside && self.paths.routers[class.network as usize].is_some() { 2 } else { 1 };
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
                    queued: 0,
                    unreturned: [0; CHANNELS as usize],
                });
            }
        }
        for i in 0..self.ports.len() {
            control.check()?;
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
        self.fifos = filled("queues of ports", fifo_count as usize, Fifo::default())?;
        for port in &self.ports {
            let class = &self.layout.classes[port.class as usize];
            for channel in 0..u32::from(class.channels) {
                self.fifos[(port.fifo + channel) as usize].available = class.buffer.unwrap_or(u64::MAX);
            }
        }
        Ok(())
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

    /// What was done since the start, in units of about equal time.
    pub(super) fn work(&self) -> u64 {
        self.hops + self.visits
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
            // a visit is a chain of loads; those of the visits to come are asked for while this one goes on
            let mut due = [0u32; BLOCK + 2 * AHEAD];
            let mut count = 0;
            for lp in (block * BLOCK) as u32..((block + 1) * BLOCK).min(self.lps as usize) as u32 {
                let wake = self.wake.lps[lp as usize];
                if wake >= end {
                    self.wake.blocks[block] = self.wake.blocks[block].min(wake);
                } else {
                    self.wake.lps[lp as usize] = NEVER;
                    due[count] = lp;
                    count += 1;
                }
            }
            self.visits += count as u64;
            due[..count.min(AHEAD)].iter().for_each(|&lp| self.approach(lp));
            for i in 0..count {
                let lp = due[i];
                if i + 2 * AHEAD < count {
                    self.approach(due[i + 2 * AHEAD]);
                }
                if i + AHEAD < count {
                    self.reach(due[i + AHEAD]);
                }
                let next = match self.layout.nodes[(self.first_lp + lp) as usize] {
                    Node::Accelerator | Node::Router { adaptive: true, .. } => self.accelerator(lp, start, end),
                    Node::Router { adaptive: false, .. } => self.router(lp, end),
                    Node::Switch { kind, first, copy } => self.switch(lp, kind, first, copy, end),
                };
                self.wake.lower(lp, next);
            }
        }
    }

    /// Asks for what a visit loads first.
    #[inline]
    fn approach(&self, lp: u32) {
        let word = self.words[lp as usize];
        prefetch(&self.in_bits[word as usize]);
        prefetch(&self.ports[self.ports_of(lp).0 as usize]);
        if let Some(endpoint) = self.endpoints.get(self.endpoint_of[lp as usize] as usize) {
            endpoint.prefetch();
        }
    }

    /// Asks for what those loads lead to.
    #[inline]
    fn reach(&self, lp: u32) {
        let (base, ports) = self.ports_of(lp);
        if ports > 64 {
            return;
        }
        let mut bits = self.in_bits[self.words[lp as usize] as usize];
        while bits != 0 {
            let port = &self.ports[(base + bits.trailing_zeros()) as usize];
            bits &= bits - 1;
            prefetch(&self.fifos[port.in_fifo as usize]);
        }
        if let Some(endpoint) = self.endpoints.get(self.endpoint_of[lp as usize] as usize) {
            endpoint.prefetch_lists(self.job);
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
                packets.sort_tail(&fifos[fifo as usize].ring, count, Packet::after);
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
