//! Credits: buffer space given back to the sender of a wire.
//!
//! **Invariant.** For every wire and channel, bytes free at the sender + credits on their way + bytes freed and not yet
//! announced + bytes of packets that hold the buffer = the buffer. Checked after every complete run, see `diagnose`.

use super::layout::UNPLUGGED;
use super::packet::Credit;
use super::rings::insertion_sort;
use super::shard::Shard;

/// In which order a visit lists what it frees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freed {
    /// As it happens.
    InTime,
    /// Port by port; what is freed at one and the same moment counts together.
    Together,
    /// Port by port, each by itself.
    ByPort,
}

impl Shard<'_> {
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
    /// credit leaves. Events of a window come after those of the windows before, so the cuts do not depend on windows.
    pub(super) fn return_credits(&mut self, base: u32, order: Freed) {
        let mut places = std::mem::take(&mut self.scratch.freed_at);
        let channels = self.scratch.channels;
        for place in places.drain(..) {
            let mut freed = std::mem::take(&mut self.scratch.freed[place as usize]);
            let total: u32 = freed.iter().map(|f| f.1).sum();
            let (at, channel) = ((base + place / channels) as usize, place % channels);
            let port = &mut self.ports[at];
            let class = &self.layout.classes[port.class as usize];
            let (peer, shard, local) = (port.peer, port.peer_shard, port.peer_lp != UNPLUGGED);
            if class.buffer.is_some() && port.unreturned[channel as usize] + total < class.quantum {
                port.unreturned[channel as usize] += total;
            } else if class.buffer.is_some() {
                match order {
                    Freed::InTime => {}
                    Freed::Together => insertion_sort(&mut freed, |a, b| a.0 > b.0),
                    // of one moment, the first port's first
                    Freed::ByPort if freed.is_sorted_by_key(|f| f.0) => {}
                    Freed::ByPort => freed.sort_by_key(|f| f.0),
                }
                let mut unreturned = port.unreturned[channel as usize];
                for i in 0..freed.len() {
                    let (time, bytes) = freed[i];
                    unreturned += bytes;
                    if unreturned < class.quantum
                        || order == Freed::Together && freed.get(i + 1).is_some_and(|next| next.0 == time)
                    {
                        continue;
                    }
                    let credit = Credit { time: time + class.latency, bytes: std::mem::take(&mut unreturned), channel };
                    if local {
                        self.credit(peer - self.first_port, credit);
                    } else {
                        self.outbox.credit(shard, peer, credit);
                    }
                }
                self.ports[at].unreturned[channel as usize] = unreturned;
            }
            freed.clear();
            self.scratch.freed[place as usize] = freed;
        }
        self.scratch.freed_at = places;
    }
}
