//! What shards send each other.
//!
//! **Model.** A mailbag is what one shard sends another in one window: packets in runs that came by one wire and channel,
//! and credits. A run costs one look at its port and queue on either side, however long it is.
//!
//! **Invariant.** A mailbag is taken in before the next window begins; everything in it has a time at or after the end of the
//! window that it was written in. Packets of one wire and channel keep their order, because one shard writes them all.
//!
//! **Cost.** 32 bytes per packet, 8 per run and 24 per credit, copied twice: into the mailbag, and out of it into a queue.

use super::packet::{Credit, Packet};
use super::prefetch::prefetch;
use super::shard::Shard;
use crate::units::{Fs, NEVER};

/// From one shard to another.
#[derive(Debug, Default)]
pub(super) struct Mailbag {
    /// Port that packets come in by, and how many of those below.
    runs: Vec<(u32, u32)>,
    packets: Vec<Packet>,
    /// Output port that each credit is for.
    credits: Vec<(u32, Credit)>,
}

impl Mailbag {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.credits.is_empty()
    }

    /// Empties it but keeps its memory.
    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.packets.clear();
        self.credits.clear();
    }
}

/// What leaves for other shards.
#[derive(Debug)]
pub(super) struct Outbox {
    /// One mailbag per shard.
    pub(super) mailbags: Vec<Mailbag>,
    /// Earliest time in any of them.
    pub(super) earliest: Fs,
}

impl Outbox {
    pub(super) fn new(shards: usize) -> Self {
        Self { mailbags: (0..shards).map(|_| Mailbag::default()).collect(), earliest: NEVER }
    }

    /// Packets of one channel leave in order for another shard's `port`; they lie in two pieces at most.
    #[inline]
    pub(super) fn packets(&mut self, shard: u16, port: u32, (first, rest): (&[Packet], &[Packet])) {
        let mailbag = &mut self.mailbags[usize::from(shard)];
        let Some(head) = first.first() else {
            return;
        };
        mailbag.runs.push((port, (first.len() + rest.len()) as u32));
        mailbag.packets.extend_from_slice(first);
        mailbag.packets.extend_from_slice(rest);
        self.earliest = self.earliest.min(head.time);
    }

    /// A credit leaves for another shard's `port`.
    #[inline]
    pub(super) fn credit(&mut self, shard: u16, port: u32, credit: Credit) {
        self.mailbags[usize::from(shard)].credits.push((port, credit));
        self.earliest = self.earliest.min(credit.time);
    }
}

impl Shard<'_> {
    /// Takes in what another shard sent.
    pub(super) fn receive(&mut self, mailbag: &Mailbag) {
        /// Items between asking for a port, for its queue, for the end of that, and the use of all.
        const AHEAD: usize = 6;
        let Mailbag { runs, packets, credits } = mailbag;
        let mut first = 0;
        for (i, &(port, count)) in runs.iter().enumerate() {
            if let Some(&(far, _)) = runs.get(i + 3 * AHEAD) {
                prefetch(&self.ports[(far - self.first_port) as usize]);
            }
            if let Some(&(near, _)) = runs.get(i + 2 * AHEAD) {
                prefetch(&self.fifos[self.ports[(near - self.first_port) as usize].in_fifo as usize]);
            }
            if let Some(&(next, _)) = runs.get(i + AHEAD) {
                let fifo = self.ports[(next - self.first_port) as usize].in_fifo;
                self.packets.prefetch_tail(&self.fifos[fifo as usize].ring);
            }
            let run = &packets[first..first + count as usize];
            first += count as usize;
            let slot = &self.ports[(port - self.first_port) as usize];
            let fifo = &mut self.fifos[slot.in_fifo as usize + usize::from(run[0].channel())];
            self.packets.extend(&mut fifo.ring, run);
            fifo.flying += count;
            let lp = slot.lp;
            let bit = self.words[lp as usize] * 64 + port - self.layout.first_port[(self.first_lp + lp) as usize];
            self.in_bits[bit as usize / 64] |= 1 << (bit % 64);
            self.wake.lower(lp, run[0].time);
        }
        for (i, &(port, credit)) in credits.iter().enumerate() {
            if let Some(&(far, _)) = credits.get(i + 2 * AHEAD) {
                prefetch(&self.ports[(far - self.first_port) as usize]);
            }
            if let Some(&(near, _)) = credits.get(i + AHEAD) {
                prefetch(&self.fifos[self.ports[(near - self.first_port) as usize].fifo as usize]);
            }
            self.credit(port - self.first_port, credit);
        }
    }

    /// Hands the outbox over; the caller swaps each mailbag into the receiver's mailbox.
    pub(super) fn take_outbox(&mut self) -> &mut [Mailbag] {
        self.outbox.earliest = NEVER;
        &mut self.outbox.mailbags
    }
}
