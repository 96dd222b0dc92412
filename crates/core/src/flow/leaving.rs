//! How a flow leaves: its sender is through before the flow is, if the buffer behind its first links takes the rest.
//!
//! **Model.** A flow that is held back further on (several senders to one receiver, a narrow tier) goes at its fair rate,
//! but its sender's links go on at theirs until the buffer behind them is full, as with credits. So a message counts as
//! sent, and the queue turns to the next one, when the links alone would be through with everything given to them so far
//! *and* what the network has not carried yet fits into that buffer beside what earlier messages left there. From then on
//! the flow uses the links further on only (where routers pass other traffic over the first links, those too); it arrives
//! when the network is through with it.
//!
//! Senders of equal messages to one receiver would leave it in the same instant, meet again at the next receiver and never
//! part. Packets do part: credits come back in eighths of the buffer, at another time for each sender, and who is ahead
//! gains with every message. So up to an eighth of the buffer, another part for each kind of sender, counts as not announced.
//!
//! Short messages that have left wait their turn behind [`MOST`] others of their queue, as packets wait in the queue of an output; a buffer
//! can hold thousands of them, and all would share every link with all.
//!
//! **Invariant.** What has been sent never exceeds what the links could send. Memory stays occupied to the end.
//!
//! **Cost.** Two more events, only for flows that are held back. **Limits.** Buffers further on add nothing.

use super::injection::{Message, MessageKind, Part, Place, Stage};
use super::run::{Event, Run};
use crate::fabric::credit::CREDIT_UPDATES;
use crate::walk::{self, graph};

/// Flows of a queue that go on from the buffer at once before short ones wait.
const MOST: usize = 4;
/// Multiples of this fill the interval from 0 to 1 evenly, whatever their number.
const GOLDEN: f64 = 0.618_033_988_749_895;

impl Run<'_> {
    /// A flow has come to where its next event is.
    pub(super) fn reach(&mut self, id: u32) {
        let part = &mut self.parts[id as usize];
        part.rest = (part.rest - part.rate * (self.now - part.since) as f64).max(part.until);
        part.since = self.now;
        if part.until > 0.0 {
            self.leave(id);
        } else {
            self.end(id);
        }
    }

    /// The links of a flow that is held back are through with it: it leaves if the buffer takes the rest.
    pub(super) fn links_free(&mut self, id: u32) {
        let part = &self.parts[id as usize];
        let rest = part.rest - part.rate * (self.now - part.since) as f64;
        let room = self.room_behind(part);
        if rest <= room {
            self.leave(id);
            return;
        }
        let part = &mut self.parts[id as usize];
        (part.rest, part.since, part.until, part.stage) = (rest, self.now, room, Stage::Held);
        self.plan(id);
    }

    /// Bytes that the buffer behind the first links of a flow can take.
    fn room_behind(&self, part: &Part) -> f64 {
        let Place::Queue { index, links, .. } = part.place else {
            return 0.0;
        };
        let network = &self.job.fabric.networks[self.messages[part.message as usize].network];
        let buffer = network.spec.buffer.map_or(f64::INFINITY, |b| b as f64 * f64::from(links));
        // what comes back is announced in parts, and not for all senders at once
        let phase = (f64::from(self.kind(self.messages[part.message as usize].rank)) * GOLDEN).fract();
        let buffer = buffer * (1.0 - phase / CREDIT_UPDATES as f64);
        (buffer - self.queues[index].stored).max(0.0)
    }

    /// All of a flow has left its sender, the network carries on.
    fn leave(&mut self, id: u32) {
        let part = &mut self.parts[id as usize];
        part.rest = (part.rest - part.rate * (self.now - part.since) as f64).max(0.0);
        (part.since, part.until, part.stage) = (self.now, 0.0, Stage::Stored { bytes: part.rest });
        let Part { message, place, rest, .. } = *part;
        let Place::Queue { index, first, .. } = place else {
            return;
        };
        if !self.job.fabric.networks[self.messages[message as usize].network].passes() {
            self.fair.release_first(id, first);
        }
        let queue = &mut self.queues[index];
        queue.stored += rest;
        if queue.going_on < MOST || !self.parts[id as usize].short {
            queue.going_on += 1;
            self.plan(id);
        } else {
            let part = &mut self.parts[id as usize];
            part.version = part.version.wrapping_add(1);
            queue.parked.push_back((*part, self.fair.uses(id)));
            self.fair.finish(id);
        }
        self.free_queue(index, message);
    }

    /// The last byte of a flow is through.
    fn end(&mut self, id: u32) {
        let Part { message, place, stage, .. } = self.parts[id as usize];
        self.parts[id as usize].version = self.parts[id as usize].version.wrapping_add(1);
        self.fair.finish(id);
        match place {
            Place::Downlink(rank) => self.downlink_through(message, rank),
            Place::Queue { index, .. } => {
                self.branch_through(message);
                if let Stage::Stored { bytes } = stage {
                    let queue = &mut self.queues[index];
                    queue.stored = (queue.stored - bytes).max(0.0);
                    queue.going_on -= 1;
                    if queue.going_on < MOST
                        && let Some((part, uses)) = queue.parked.pop_front()
                    {
                        queue.going_on += 1;
                        self.go(part, &uses);
                    }
                } else {
                    self.free_queue(index, message);
                }
            }
        }
    }

    /// A queue is through with a flow and takes the next.
    fn free_queue(&mut self, index: usize, message: u32) {
        self.queues[index].busy = false;
        self.branch_left(message);
        self.pump(index);
        let (queues, streams) = (self.resources.queues as usize, self.job.streams() as usize);
        let row = index / queues;
        self.refill((row / streams) as u32, (row % streams) as u32, (index % queues) as u32);
    }

    /// The network is through with a branch; with the last one the message arrives.
    pub(super) fn branch_through(&mut self, id: u32) {
        let message = &mut self.messages[id as usize];
        message.under_way -= 1;
        let (under_way, kind, latency) = (message.under_way, message.kind, message.latency);
        if let (0, MessageKind::Unicast { to }) = (under_way, kind) {
            let rank = self.job.folding.stands_for(to);
            self.at(self.now.saturating_add(latency), Event::Arrival { message: id, rank });
        }
    }

    /// A branch has left; the last one frees a place among the open messages.
    pub(super) fn branch_left(&mut self, id: u32) {
        let message = &mut self.messages[id as usize];
        message.branches -= 1;
        if message.branches > 0 {
            return;
        }
        message.sent = true;
        let Message { kind, rank, slot, bytes, tail, latency, .. } = *message;
        self.count_sent(rank, bytes);
        match kind {
            MessageKind::Multicast => self.multicast_sent(id),
            MessageKind::Contribution { sum } => {
                self.contribution_sent(sum, latency);
                self.free_messages.push(id);
            }
            MessageKind::Unicast { .. } | MessageKind::Sum { .. } => {}
        }
        let stream = if self.job.explicit.is_some() { 0 } else { self.stream_of(slot) };
        self.ranks[rank as usize].open[stream as usize] -= 1;
        let left = self.now.saturating_add(tail);
        match self.job.explicit {
            None => walk::sent(self, rank, slot, 1, left),
            Some(_) => graph::sent(self, rank, slot, left),
        }
        // a place among the open messages is free: any idle queue may have waited for it
        self.refill_all(rank, stream);
    }
}
