//! Injection queues: the sets of first hops of a rank, each of which sends one message after the other.
//!
//! **Model.** A queue is a port, or the set of ports over which a policy sprays. As in the packet engine a rank opens
//! messages in order, earlier lanes first, whenever a queue has nothing to send, and at most [`open_messages`] at once; a
//! message waits in its queue for those before it. A queue goes on to the next when its links have on average
//! sent all of the one before, so that messages of few packets fill it one beside the other.
//!
//! **Invariant.** Which message a queue takes next is the order of opening; nothing that has begun is overtaken.
//!
//! **Cost.** O(queues) per message. **Limits.** Shares of a message on the ports of one queue end together.

use std::collections::VecDeque;

use super::fair::Use;
use super::routes::Route;
use super::run::Run;
use crate::collective::{MAX_LANES, Target};
use crate::control::push;
use crate::engine::open_messages;
use crate::units::Fs;
use crate::walk::{self, Opening};

/// An injection queue of a rank.
#[derive(Debug, Default)]
pub(super) struct InjectionQueue {
    /// Messages and branches that wait.
    waiting: VecDeque<(u32, u32)>,
    /// Something is leaving.
    pub(super) busy: bool,
    /// When its links would be through with all that was given to them, had nothing held it back.
    pub(super) busy_until: f64,
    /// Wire bytes that have left and wait in the buffer behind its links, at most.
    pub(super) stored: f64,
    /// Flows that have left and go on from that buffer, and short ones that wait for them.
    pub(super) going_on: usize,
    pub(super) parked: VecDeque<(Part, Vec<Use>)>,
}

/// What a message is to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageKind {
    /// From rank to rank, named as in the schedule.
    Unicast { to: u32 },
    /// To the switches, as a part of a sum.
    Contribution { sum: u32 },
    /// From the switches to the root, once all contributions are there: those not begun, those not sent.
    Sum { to_begin: u32, to_send: u32 },
    /// To the switches, which replicate it.
    Multicast,
}

/// A message, from when it is opened until it has arrived everywhere.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) kind: MessageKind,
    /// Seat of the sender; the root for a sum.
    pub(super) rank: u32,
    pub(super) lane: u32,
    /// Slot of its lane at the sender, and the operation that it belongs to there.
    pub(super) slot: u32,
    pub(super) operation: u32,
    /// Step of the receiver.
    pub(super) step: u32,
    pub(super) bytes: u64,
    /// When the step that sends it began.
    pub(super) start: Fs,
    pub(super) network: usize,
    pub(super) reduce: bool,
    /// Branches that have not left completely, and those that are not through the network.
    pub(super) branches: u32,
    pub(super) under_way: u32,
    /// Places where it has not arrived.
    pub(super) arrivals: u32,
    /// From when the fluid has left: until the last packet has, and until it is stored.
    pub(super) tail: Fs,
    pub(super) latency: Fs,
    /// All of it has left its sources.
    pub(super) sent: bool,
    /// Receivers whose downlink is through before the sources are.
    pub(super) ahead: Vec<u32>,
}

/// A flow: a message or branch on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) message: u32,
    /// Receiver of what comes out of the switches; otherwise the queue through which the flow leaves.
    pub(super) place: Place,
    /// Wire bytes left when its rate changed last.
    pub(super) rest: f64,
    pub(super) since: Fs,
    pub(super) rate: f64,
    pub(super) version: u32,
    /// It is of few packets.
    pub(super) short: bool,
    /// Its next event is when so much is left.
    pub(super) until: f64,
    pub(super) stage: Stage,
}

/// How far a flow is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    /// It leaves its sender; the sender's links alone need until then.
    Leaving { free_at: Fs },
    /// The links are free, and it leaves as soon as what is left fits into the buffer behind them.
    Held,
    /// All of it has left; so much was in the buffer then.
    Stored { bytes: f64 },
}

/// Where a flow starts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// At a queue with so many links, which are the first so many resources of the flow.
    Queue { index: usize, links: u32, first: usize },
    /// At the switches, to this rank.
    Downlink(u32),
}

impl Run<'_> {
    fn queue(&self, rank: u32, stream: u32, queue: u32) -> usize {
        let row = rank as usize * self.job.streams() as usize + stream as usize;
        row * self.resources.queues as usize + queue as usize
    }

    /// True if a queue has nothing to send.
    fn idle(&self, index: usize) -> bool {
        !self.queues[index].busy && self.queues[index].waiting.is_empty()
    }

    /// Opens messages of a stream for all queues that have nothing of it to send.
    pub(super) fn refill_all(&mut self, rank: u32, stream: u32) {
        for queue in 0..self.resources.queues {
            if self.ranks[rank as usize].programs[stream as usize].is_empty() {
                return;
            }
            self.refill(rank, stream, queue);
        }
    }

    /// Opens messages until this queue has something to send or nothing is left to open.
    pub(super) fn refill(&mut self, rank: u32, stream: u32, queue: u32) {
        let index = self.queue(rank, stream, queue);
        let most = open_messages(self.job.fabric.accelerator_ports());
        while self.idle(index) && self.ranks[rank as usize].open[stream as usize] < most {
            let Some(opening) = self.ranks[rank as usize].programs[stream as usize].open() else {
                return;
            };
            self.open(rank, stream, opening);
        }
    }

    fn open(&mut self, rank: u32, stream: u32, Opening { lane, step, message, start }: Opening) {
        let name = self.name(rank);
        let sent = self.job.schedule.send(name, lane, step, message);
        let mut message = Message {
            kind: MessageKind::Multicast,
            rank,
            lane,
            slot: self.job.explicit.map_or_else(|| stream * self.job.schedule.lanes() + lane, |_| step),
            operation: self.job.operation(step),
            step: sent.recv_step,
            bytes: sent.bytes,
            start,
            network: self.network_of(name, sent.to),
            reduce: false,
            branches: 1,
            under_way: 1,
            arrivals: 1,
            tail: 0,
            latency: 0,
            sent: false,
            ahead: vec![],
        };
        match sent.to {
            Target::Rank(to) => {
                message.kind = MessageKind::Unicast { to };
                message.reduce = walk::reduces(self.job.schedule, to, lane, sent.recv_step);
            }
            Target::SwitchReduce { root } => {
                message.kind = MessageKind::Contribution { sum: self.sum_of(&message, root) }
            }
            // sums for all climb trees, which is refused before the run
            Target::SwitchMulticast | Target::SwitchAllReduce => {
                message.arrivals = self.job.schedule.circle(name, sent.recv_step).size();
            }
        }
        let id = self.keep(message);
        let state = &mut self.ranks[rank as usize];
        state.open[stream as usize] += 1;
        state.stats.sent_messages += 1;
        let mut routes = std::mem::take(&mut self.routes);
        self.route(id, &mut routes);
        let parts = 0..routes.len() as u32;
        let used: Vec<(u32, u64)> =
            parts.filter_map(|b| self.share_of(id, &routes, b).map(|bytes| (b, bytes))).collect();
        let branches = used.len().max(1) as u32;
        (self.messages[id as usize].branches, self.messages[id as usize].under_way) = (branches, branches);
        if used.is_empty() {
            // to itself: nothing to send
            self.branch_through(id);
            self.branch_left(id);
        }
        for (branch, bytes) in used {
            let route = &routes[branch as usize];
            let index = self.queue(rank, stream, route.queue);
            if self.idle(index) {
                self.launch(id, route, bytes, index);
            } else {
                self.queues[index].waiting.push_back((id, branch));
            }
        }
        self.routes = routes;
    }

    /// Keeps a message in a place that is free.
    pub(super) fn keep(&mut self, message: Message) -> u32 {
        if let Some(id) = self.free_messages.pop() {
            self.messages[id as usize] = message;
            return id;
        }
        push("the messages under way", &mut self.messages, message);
        self.messages.len() as u32 - 1
    }

    fn route(&self, id: u32, routes: &mut Vec<Route>) {
        let Message { kind, rank, lane, step, network, .. } = self.messages[id as usize];
        let here = self.job.placement[self.name(rank) as usize];
        if let MessageKind::Unicast { to } = kind {
            let (seed, label) = self.job.label(step);
            let tag = label << MAX_LANES.trailing_zeros() | lane;
            self.resources.unicast(self.job, here, self.job.placement[to as usize], (tag, seed), routes);
        } else {
            routes.clear();
            routes.push(self.resources.up_to_switches(self.job, network, here));
        }
    }

    /// Bytes of a branch; whole packets, so that a short message may leave one of several empty.
    fn share_of(&self, id: u32, routes: &[Route], branch: u32) -> Option<u64> {
        let Message { rank, lane, step, bytes, network, .. } = self.messages[id as usize];
        if routes.len() < 2 {
            return Some(bytes);
        }
        let payload = u64::from(self.job.fabric.networks[network].spec.payload);
        let packets = bytes.div_ceil(payload).max(1);
        let n = routes.last().map_or(1, |last| u64::from(last.to));
        let turn = u64::from(self.kind(rank)) + u64::from(lane) + u64::from(self.job.label(step).1);
        let (mut any, mut share) = (false, 0);
        for unit in routes[branch as usize].from..routes[branch as usize].to {
            let i = (u64::from(unit) + turn) % n;
            let (from, to) = (packets * i / n, packets * (i + 1) / n);
            any |= to > from;
            share += (to * payload).min(bytes).saturating_sub(from * payload);
        }
        any.then_some(share)
    }

    /// Lets the next message of a queue go.
    pub(super) fn pump(&mut self, index: usize) {
        let mut routes = std::mem::take(&mut self.routes);
        while !self.queues[index].busy
            && let Some((id, branch)) = self.queues[index].waiting.pop_front()
        {
            self.route(id, &mut routes);
            if let (Some(bytes), Some(route)) = (self.share_of(id, &routes, branch), routes.get(branch as usize)) {
                self.launch(id, route, bytes, index);
            }
        }
        self.routes = routes;
    }

    /// A message has arrived at one of its places.
    pub(super) fn arrived(&mut self, id: u32) {
        let message = &mut self.messages[id as usize];
        message.arrivals -= 1;
        if message.arrivals == 0 {
            self.free_messages.push(id);
        }
    }
}
