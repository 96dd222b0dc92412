//! What a port does with packets: when one may leave, and what its leaving changes. Switches, routers and accelerators all ask here.
//!
//! **Model.** A port sends one packet after the other. A packet leaves when the link is free, the packet is ready and the far end has
//! room for it. The far end gives room by its flow control: [`Unlimited`], or [`Credit`]. Which packet is next is up to the owner of the
//! port.
//!
//! **Invariant.** Departure = max(link free, packet ready, credit there): nothing else delays a packet, and nothing else changes a port's
//! counters. **Cost.** O(1) per packet and per credit. The flow control is chosen once per visit to a port, and its code is inlined. What
//! changes with each packet is kept here and written back once. **Limits.** A port has one flow control for all of its channels.

#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use super::layout::Class;
use super::packet::{self, Packet};
use super::rings::{Ring, Rings};
use super::shard::{Fifo, PortStats};
use crate::units::{Fs, NEVER};

/// How the far end of a link says that it has room.
pub(super) trait FlowControl {
    /// The earliest time at which `wire` bytes have room, of `available` bytes now and the credits that come before `end`; 0 if they
    /// have it already. Otherwise, when the first credit after that arrives, as far as is known.
    fn room(available: u64, fifo: &Fifo, credits: &Rings<packet::Credit>, wire: u32, end: Fs) -> Result<Fs, Fs>;

    /// A packet takes its room at `now`, which is not before [`FlowControl::room`] allows.
    fn take(available: &mut u64, fifo: &mut Fifo, credits: &mut Rings<packet::Credit>, wire: u32, now: Fs);
}

/// The far end takes whatever comes.
#[derive(Debug)]
pub(super) enum Unlimited {}

impl FlowControl for Unlimited {
    #[inline(always)]
    fn room(_: u64, _: &Fifo, _: &Rings<packet::Credit>, _: u32, _: Fs) -> Result<Fs, Fs> {
        Ok(0)
    }

    #[inline(always)]
    fn take(_: &mut u64, _: &mut Fifo, _: &mut Rings<packet::Credit>, _: u32, _: Fs) {}
}

/// The far end announces what it has freed. Only a port that lacks room reads the credits.
#[derive(Debug)]
pub(super) enum Credit {}

impl FlowControl for Credit {
    #[inline(always)]
    fn room(available: u64, fifo: &Fifo, credits: &Rings<packet::Credit>, wire: u32, end: Fs) -> Result<Fs, Fs> {
        let wire = u64::from(wire);
        if available >= wire {
            return Ok(0);
        }
        let mut bytes = available;
        for i in 0..fifo.credits.len() {
            let credit = credits.get(&fifo.credits, i);
            if credit.time >= end {
                return Err(credit.time);
            }
            bytes += u64::from(credit.bytes);
            if bytes >= wire {
                return Ok(credit.time);
            }
        }
        Err(NEVER)
    }

    #[inline(always)]
    fn take(available: &mut u64, fifo: &mut Fifo, credits: &mut Rings<packet::Credit>, wire: u32, now: Fs) {
        let wire = u64::from(wire);
        if *available < wire {
            // what came in the meantime, all at once
            credits.drain_while(&mut fifo.credits, |c| c.time <= now, |c| *available += u64::from(c.bytes));
        }
        *available -= wire;
    }
}

/// What a packet leaves by: a link, the queue of one channel of it, and its counters.
pub(super) struct Exit<'p> {
    pub(super) class: &'p Class,
    pub(super) fifo: &'p mut Fifo,
    pub(super) credits: &'p mut Rings<packet::Credit>,
    pub(super) stats: &'p mut PortStats,
    /// When the link is free.
    pub(super) free_at: Fs,
}

/// An exit while it serves packets.
pub(super) struct Service<'p, F> {
    exit: Exit<'p>,
    /// Bytes of buffer free at the far end.
    available: u64,
    /// Packets that left.
    pub(super) sent: u32,
    wire: u64,
    payload: u64,
    busy: Fs,
    wait: Fs,
    stall: Fs,
    /// The longest queue so far, and up to which entry of the queue all are known to wait.
    longest: u32,
    known: u32,
    flow: PhantomData<F>,
}

impl<'p, F: FlowControl> Service<'p, F> {
    #[inline(always)]
    pub(super) fn new(exit: Exit<'p>) -> Self {
        let (available, longest) = (exit.fifo.available, exit.stats.queue_max);
        let (sent, wire, payload, busy, wait, stall, known) = (0, 0, 0, 0, 0, 0, 0);
        Self { exit, available, sent, wire, payload, busy, wait, stall, longest, known, flow: PhantomData }
    }

    /// How long the link takes for a packet.
    #[inline(always)]
    pub(super) fn fs(&self, wire: u32) -> Fs {
        self.exit.class.fs(wire)
    }

    /// See [`opening`].
    #[inline(always)]
    pub(super) fn opening(&self, wire: u32, ready: Fs, end: Fs) -> Result<Fs, Fs> {
        let Exit { fifo, credits, free_at, .. } = &self.exit;
        opens::<F>(self.available, fifo, credits, *free_at, wire, ready, end)
    }

    /// A packet that was ready at `ready` leaves at `now`. Returns when its head is at the far end.
    #[inline(always)]
    pub(super) fn leave(&mut self, packet: &Packet, ready: Fs, now: Fs) -> Fs {
        let Exit { class, fifo, credits, free_at, .. } = &mut self.exit;
        let wire = packet.wire();
        F::take(&mut self.available, fifo, credits, wire, now);
        let busy = class.fs(wire);
        self.sent += 1;
        self.wire += u64::from(wire);
        self.payload += u64::from(packet.payload());
        self.busy += busy;
        // it waits for those before it, then for room
        self.wait = (now - ready).saturating_add(self.wait);
        self.stall += now - ready.max(*free_at);
        *free_at = now + busy;
        now + class.latency
    }

    /// Entry `first` of a queue leaves at `now`. A queue is longest just before something leaves.
    #[inline(always)]
    pub(super) fn measure(&mut self, packets: &Rings<Packet>, queue: &Ring, first: u32, now: Fs) {
        // it cannot exceed what there is
        if queue.len() - first > self.longest {
            self.known = packets.partition_from(queue, self.known.max(first + 1), |packet| packet.time <= now);
            self.longest = self.longest.max(self.known - first);
        }
    }

    /// The last packet that left was alone in its queue, or [`Service::measure`] was told of those behind it.
    #[inline(always)]
    pub(super) fn alone(&mut self) {
        self.longest = self.longest.max(1);
    }

    /// Writes back what has changed. Returns when the link is free again.
    #[inline(always)]
    pub(super) fn close(self) -> Fs {
        let Exit { fifo, stats, free_at, .. } = self.exit;
        fifo.available = self.available;
        stats.packets += u64::from(self.sent);
        stats.wire += self.wire;
        stats.payload += self.payload;
        stats.busy += self.busy;
        stats.wait = stats.wait.saturating_add(self.wait);
        stats.stall += self.stall;
        stats.queue_max = self.longest;
        free_at
    }
}

/// When a packet of `wire` bytes that is ready at `ready` can leave by a link that is free at `free_at`. An error says that it lacks
/// room, and when the next credit arrives, as far as is known. What cannot leave before `end` needs no room yet.
#[inline(always)]
pub(super) fn opening(
    class: &Class,
    fifo: &Fifo,
    credits: &Rings<packet::Credit>,
    free_at: Fs,
    wire: u32,
    ready: Fs,
    end: Fs,
) -> Result<Fs, Fs> {
    if class.buffer.is_some() {
        opens::<Credit>(fifo.available, fifo, credits, free_at, wire, ready, end)
    } else {
        opens::<Unlimited>(fifo.available, fifo, credits, free_at, wire, ready, end)
    }
}

#[inline(always)]
fn opens<F: FlowControl>(
    available: u64,
    fifo: &Fifo,
    credits: &Rings<packet::Credit>,
    free_at: Fs,
    wire: u32,
    ready: Fs,
    end: Fs,
) -> Result<Fs, Fs> {
    let time = ready.max(free_at);
    if time >= end {
        return Ok(time);
    }
    F::room(available, fifo, credits, wire, end).map(|room| time.max(room))
}

/// A packet leaves by itself; it may be the first of a queue. Returns when its head is at the far end, and when the link is free again.
#[inline(always)]
pub(super) fn leave(
    exit: Exit,
    packet: &Packet,
    ready: Fs,
    now: Fs,
    queue: Option<(&Rings<Packet>, &Ring)>,
) -> (Fs, Fs) {
    if exit.class.buffer.is_some() {
        leaves(Service::<Credit>::new(exit), packet, ready, now, queue)
    } else {
        leaves(Service::<Unlimited>::new(exit), packet, ready, now, queue)
    }
}

#[inline(always)]
fn leaves<F: FlowControl>(
    mut service: Service<F>,
    packet: &Packet,
    ready: Fs,
    now: Fs,
    queue: Option<(&Rings<Packet>, &Ring)>,
) -> (Fs, Fs) {
    if let Some((packets, queue)) = queue {
        service.measure(packets, queue, 0, now);
    }
    (service.leave(packet, ready, now), service.close())
}

/// When the first credit at or after `end` arrives, as far as is known.
pub(super) fn in_sight(fifo: &Fifo, credits: &Rings<packet::Credit>, end: Fs) -> Fs {
    let times = (0..fifo.credits.len()).map(|i| credits.get(&fifo.credits, i).time);
    times.into_iter().find(|&time| time >= end).unwrap_or(NEVER)
}
