//! Working space of one LP visit, kept so that nothing is allocated in a window.
//!
//! **Invariant.** Empty between visits.

use super::departure::Candidate;
use super::packet::Packet;
use crate::units::Fs;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Working space of one LP visit, kept to avoid allocation.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Channels that any port has.
    pub(super) channels: u32,
    /// New packets of each queue (by output port and channel), and the queues that have some with their FIFO.
    pub(super) fresh: Vec<u32>,
    pub(super) touched: Vec<(u32, u32)>,
    /// Packets that the switch combines or replicates.
    pub(super) special: Vec<Packet>,
    /// Packets at a router that looks at its queues, as they came.
    pub(super) arrivals: Vec<Packet>,
    /// Packets for this accelerator and when their tail is in.
    pub(super) deliveries: Vec<(Fs, Packet)>,
    /// What each port of an accelerator would send next, and when.
    pub(super) candidates: Vec<Candidate>,
    pub(super) times: Vec<Fs>,
    /// The earliest of these: time, and place of the port in the order of ties.
    pub(super) order: BinaryHeap<Reverse<(Fs, u32)>>,
    /// Buffers freed in this visit: time and bytes by input port and channel, and which have some.
    pub(super) freed: Vec<Vec<(Fs, u32)>>,
    pub(super) freed_at: Vec<u32>,
    /// Wires that have something: input port and FIFO.
    pub(super) heads: Vec<(u32, u32)>,
}

impl Scratch {
    /// For LPs of at most so many ports with so many channels.
    pub(super) fn new(ports: usize, channels: u32) -> Self {
        let places = ports * channels as usize;
        Self { channels, fresh: vec![0; places], freed: vec![vec![]; places], ..Self::default() }
    }

    /// Notes a packet that was put into a queue; true if it is the first of this visit.
    #[inline(always)]
    pub(super) fn fresh(&mut self, queue: u32, fifo: u32) -> bool {
        let count = &mut self.fresh[queue as usize];
        *count += 1;
        let first = *count == 1;
        if first {
            self.touched.push((queue, fifo));
        }
        first
    }

    /// Notes that a packet's buffer at input `q` is free at `time`; `Shard::return_credits` tells the sender.
    #[inline(always)]
    pub(super) fn free_buffer(&mut self, q: u32, channel: u8, wire: u32, time: Fs) {
        let place = q * self.channels + u32::from(channel);
        let freed = &mut self.freed[place as usize];
        if freed.is_empty() {
            self.freed_at.push(place);
        }
        freed.push((time, wire));
    }
}
