//! What shards send each other.
//!
//! **Invariant.** Mail of one window is taken in before the next one begins; everything in it has a time at or after the
//! end of the window that it was sent in.

use super::packet::{Credit, Packet};
use crate::units::Fs;

/// Something for another shard.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mail {
    /// A packet on the wire into this port.
    Packet(u32, Packet),
    /// A credit for this output port.
    Credit(u32, Credit),
}

impl Mail {
    /// The port that it concerns.
    #[inline(always)]
    pub(super) fn port(&self) -> u32 {
        match *self {
            Mail::Packet(port, _) | Mail::Credit(port, _) => port,
        }
    }
}

/// What leaves for other shards.
#[derive(Debug)]
pub(super) struct Outbox {
    /// One list a shard.
    pub(super) mail: Vec<Vec<Mail>>,
    /// Earliest time in any of them.
    pub(super) earliest: Fs,
}

impl Outbox {
    /// Puts something into another shard's mail.
    #[inline]
    pub(super) fn post(&mut self, shard: u16, time: Fs, mail: Mail) {
        self.mail[usize::from(shard)].push(mail);
        self.earliest = self.earliest.min(time);
    }
}
