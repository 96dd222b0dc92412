//! A rank: the state machine that runs its part of the schedule.
//!
//! For each lane the rank walks through its steps. A step begins when the one before is complete; after the stack's step
//! latency its messages are handed to the ports, and it is complete when all of them have left and all that it must
//! receive has arrived and been stored or reduced. Data that arrives for a later step is remembered.
//!
//! **Invariant.** A message has state from the moment a port turns to it until its last packet has left;
//! receiving needs no state a message at all: a step counts payload bytes and message ends down to zero.
//!
//! **Memory.** Every packet sent is read from HBM and every packet received is written (copy) or read twice and written
//! (reduce); these share the HBM's bandwidth first come first served. A slow memory delays the return of credits and so
//! holds the network back. Copy and reduce channels are one server each. **Limits.** HBM latency is part of the step
//! latency; caches are not modelled.

use std::collections::VecDeque;

use super::packet::{LAST, MULTICAST, Packet, REDUCE, tag, untag};
use super::{Job, Paths};
use crate::collective::{Recv, Target};
use crate::record::{FlowRecord, RankRecord};
use crate::routing::{dimension_order, policy::Spread};
use crate::units::{Fs, Serializer};

/// Messages of a rank that can be under way at once, as a library's and a NIC's queues bound them. A message beyond waits
/// for one before it to have left completely.
const OPEN_MESSAGES: usize = 256;

/// A rank and its queues.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    pub(super) rank: u32,
    pub(super) accelerator: u32,
    lanes: Vec<Lane>,
    /// Steps whose latency runs: (time, lane), latest first.
    starts: Vec<(Fs, u32)>,
    /// Steps whose messages are not all opened yet, in order of lane.
    programs: VecDeque<Program>,
    messages: Vec<Message>,
    free_messages: Vec<u32>,
    /// Progress that arrived for steps not begun yet.
    early: Vec<(u32, i64, Fs)>,
    /// What each port has to inject, in order.
    pub(super) queues: Vec<Queue>,
    opened: bool,
    sent_packets: u32,
    lanes_left: u32,
    memory_free: Fs,
    copy_free: Fs,
    reduce_free: Fs,
    pub(super) stats: RankRecord,
    pub(super) flow_starts: Vec<FlowRecord>,
    pub(super) flow_ends: Vec<FlowRecord>,
}

/// Injection side of one port.
#[derive(Debug, Default)]
pub(super) struct Queue {
    shares: VecDeque<Share>,
    /// When the packet at the head came to the head.
    pub(super) ready: Fs,
}

/// One port's share of a message.
#[derive(Clone, Copy, Debug)]
struct Share {
    message: u32,
    group: u32,
    hop: u16,
    channel: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    step: u32,
    steps: u32,
    sends_left: u32,
    recv_left: i64,
    /// Latest completion of anything that the step waits for.
    latest: Fs,
    reduce: bool,
}

#[derive(Clone, Copy, Debug)]
struct Program {
    lane: u32,
    step: u32,
    next: u32,
    sends: u32,
    start: Fs,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    spread: Spread,
    bytes: u64,
    slot: u32,
    packets: u32,
    left: u32,
    tag: u32,
    src: u32,
    lane: u32,
    network: u8,
    flags: u8,
}

/// A packet that a port could inject next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) packet: Packet,
    pub(super) ready: Fs,
}

impl Offer {
    /// Nothing to inject.
    pub(super) const NONE: Self = Self { packet: Packet::EMPTY, ready: 0 };
}

impl Endpoint {
    pub(super) fn new(job: &Job, paths: &Paths, rank: u32) -> Self {
        let lanes = job.schedule.lanes();
        let accelerator = job.placement[rank as usize];
        let mut endpoint = Endpoint {
            rank,
            accelerator,
            lanes: (0..lanes).map(|l| Lane { steps: job.schedule.steps(rank, l), ..Lane::default() }).collect(),
            lanes_left: lanes,
            queues: (0..paths.accelerator_ports).map(|_| Queue::default()).collect(),
            stats: RankRecord { rank, accelerator, ..RankRecord::default() },
            ..Endpoint::default()
        };
        for lane in 0..lanes {
            endpoint.begin(job, paths, lane, job.protocol.launch_fs);
        }
        endpoint
    }

    /// True when every lane is through.
    pub(super) fn finished(&self) -> bool {
        self.lanes_left == 0
    }

    /// Lanes that still wait: lane, step, messages to send, progress to receive.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u32, u32, u32, i64)> + '_ {
        let open = self.lanes.iter().enumerate().filter(|(_, l)| l.step < l.steps);
        open.map(|(i, l)| (i as u32, l.step, l.sends_left, l.recv_left))
    }

    /// When the next step's latency is over.
    pub(super) fn next_start(&self) -> Fs {
        self.starts.last().map_or(crate::units::NEVER, |s| s.0)
    }

    /// Begins the current step of a lane at `time`, and those after it as long as they ask for nothing.
    fn begin(&mut self, job: &Job, paths: &Paths, lane: u32, mut time: Fs) {
        loop {
            let state = &mut self.lanes[lane as usize];
            if state.step == state.steps {
                self.lanes_left -= 1;
                self.stats.finish_fs = self.stats.finish_fs.max(time);
                return;
            }
            let step = state.step;
            let Recv { messages, bytes, reduce } = job.schedule.recvs(self.rank, lane, step);
            state.recv_left = bytes as i64 + i64::from(messages);
            state.reduce = reduce;
            state.sends_left = job.schedule.sends(self.rank, lane, step);
            state.latest = time;
            self.stats.received_messages += u64::from(messages);
            if let Some(i) = self.early.iter().position(|e| e.0 == tag(lane, step)) {
                let (_, progress, done) = self.early.swap_remove(i);
                state.recv_left -= progress;
                state.latest = time.max(done);
            }
            if state.sends_left > 0 {
                let first = job.schedule.send(self.rank, lane, step, 0);
                let network = paths.network_of(self.accelerator, job, first.to);
                let latency = job.protocol.step_fs.get(network).copied().unwrap_or(0);
                let start = (time + latency, lane);
                let at = self.starts.partition_point(|s| *s > start);
                self.starts.insert(at, start);
                return;
            }
            if state.recv_left != 0 {
                return;
            }
            state.step += 1;
            time = state.latest;
        }
    }

    /// Completes the current step of a lane if nothing is open.
    fn settle(&mut self, job: &Job, paths: &Paths, lane: u32) {
        let state = &mut self.lanes[lane as usize];
        if state.sends_left == 0 && state.recv_left == 0 {
            state.step += 1;
            let time = state.latest;
            self.begin(job, paths, lane, time);
        }
    }

    /// The step whose latency is over hands its messages to the ports.
    pub(super) fn start(&mut self, job: &Job, paths: &Paths) {
        if let Some((start, lane)) = self.starts.pop() {
            let Lane { step, sends_left: sends, .. } = self.lanes[lane as usize];
            // lanes are cut from the buffer in order: what is ready of an earlier lane goes before a later one
            let at = self.programs.partition_point(|p| p.lane < lane);
            self.programs.insert(at, Program { lane, step, next: 0, sends, start });
            for port in 0..self.queues.len() as u32 {
                if self.programs.is_empty() {
                    return;
                }
                self.refill(job, paths, port, start);
            }
        }
    }

    /// True if the port has something to inject, now that it was refilled.
    pub(super) fn has_work(&self, port: u32) -> bool {
        !self.queues[port as usize].shares.is_empty()
    }

    /// Opens messages until this port has something to inject or nothing is left to open. Opening is lazy: which message
    /// a port takes next does not depend on when it is opened.
    fn refill(&mut self, job: &Job, paths: &Paths, port: u32, now: Fs) {
        while self.queues[port as usize].shares.is_empty()
            && self.messages.len() - self.free_messages.len() < OPEN_MESSAGES
        {
            let Some(program) = self.programs.front_mut() else {
                return;
            };
            let Program { lane, step, next, start, .. } = *program;
            program.next += 1;
            if program.next == program.sends {
                self.programs.pop_front();
            }
            self.open(job, paths, lane, step, next, start, now);
        }
    }

    #[allow(clippy::too_many_arguments)] // which message, and the two times that bound its first packet
    fn open(&mut self, job: &Job, paths: &Paths, lane: u32, step: u32, i: u32, start: Fs, now: Fs) {
        let message = job.schedule.send(self.rank, lane, step, i);
        let network = paths.network_of(self.accelerator, job, message.to);
        let net = &paths.networks[network];
        let packets = message.bytes.div_ceil(u64::from(net.payload)).max(1) as u32;
        let tag = tag(lane, message.recv_step);
        let here = self.accelerator % net.span;
        let (slot, src, flags, to) = match message.to {
            Target::Rank(peer) => (net.slot(job.placement[peer as usize] % net.span), self.rank, 0, peer),
            Target::SwitchReduce { root } => (net.slot(job.placement[root as usize] % net.span), root, REDUCE, root),
            Target::SwitchMulticast => (net.slot(here), self.rank, MULTICAST, self.rank),
        };
        let direct = paths.direct[network].as_ref();
        let available = direct.map_or(net.ports, |d| dimension_order::choices(d, here, slot));
        let spread = match message.to {
            Target::Rank(_) => {
                Spread::new(net.routing, available, net.slot(here), slot, self.sent_packets, tag, job.seed)
            }
            Target::SwitchReduce { root } => Spread::in_network(available, root),
            Target::SwitchMulticast => Spread::in_network(available, self.rank),
        };
        self.sent_packets = self.sent_packets.wrapping_add(packets);
        let state = Message {
            spread,
            bytes: message.bytes,
            slot,
            packets,
            left: packets,
            tag,
            src,
            lane,
            network: network as u8,
            flags,
        };
        let id = match self.free_messages.pop() {
            Some(id) => {
                self.messages[id as usize] = state;
                id
            }
            None => {
                self.messages.push(state);
                self.messages.len() as u32 - 1
            }
        };
        let hops = if spread.kind == crate::routing::policy::Kind::Single {
            spread.rotation..spread.rotation + 1
        } else {
            0..spread.choices
        };
        for hop in hops {
            if spread.packet(hop, 0).0 >= packets {
                continue;
            }
            let (port, channel) = match direct {
                None => (net.first_port + hop, 0),
                Some(d) => match dimension_order::next(d, here, slot, hop) {
                    Some((port, channel)) => (net.first_port + port, channel as u8),
                    None => continue,
                },
            };
            let queue = &mut self.queues[port as usize];
            if queue.shares.is_empty() {
                queue.ready = queue.ready.max(start).max(now);
                self.opened = true;
            }
            queue.shares.push_back(Share { message: id, group: 0, hop: hop as u16, channel });
        }
        self.stats.sent_messages += 1;
        if job.record_flows && (flags != REDUCE || to == self.rank) {
            let bytes = message.bytes;
            let row = FlowRecord {
                src: self.rank,
                dst: to,
                lane,
                step: message.recv_step,
                bytes,
                start_fs: start,
                end_fs: 0,
            };
            if flags == MULTICAST {
                self.flow_starts.extend((0..paths.ranks).map(|dst| FlowRecord { dst, ..row }));
            } else {
                self.flow_starts.push(row);
            }
        }
    }

    /// The packet that a port would inject next; false if there is none.
    #[inline]
    pub(super) fn offer(&self, job: &Job, paths: &Paths, port: u32, offer: &mut Offer) -> bool {
        let queue = &self.queues[port as usize];
        let Some(share) = queue.shares.front() else {
            return false;
        };
        let message = &self.messages[share.message as usize];
        let net = &paths.networks[message.network as usize];
        let (number, selector) = message.spread.packet(u32::from(share.hop), share.group);
        let sent = u64::from(number) * u64::from(net.payload);
        let payload = message.bytes.saturating_sub(sent).min(u64::from(net.payload)) as u32;
        let direct = paths.direct[message.network as usize].is_some();
        let (dst, selector) = if direct {
            (message.slot, u32::from(share.hop))
        } else {
            let (links, link) = net.port_links[(port - net.first_port) as usize];
            (message.slot * links + link, selector)
        };
        let last = if number + 1 == message.packets { LAST } else { 0 };
        let wire = super::layout::wire_bytes(payload, net.overhead, job.protocol);
        offer.packet =
            Packet::new(dst, selector, message.src, message.tag, payload, wire, share.channel, message.flags | last);
        offer.ready = queue.ready;
        true
    }

    /// The port's offer left at `time`, its tail at `tail`.
    pub(super) fn left(&mut self, job: &Job, paths: &Paths, port: u32, payload: u32, time: Fs, tail: Fs) {
        let queue = &mut self.queues[port as usize];
        queue.ready = time;
        let Some(share) = queue.shares.front_mut() else {
            return;
        };
        let id = share.message;
        share.group += 1;
        let message = &mut self.messages[id as usize];
        if message.spread.packet(u32::from(share.hop), share.group).0 >= message.packets {
            queue.shares.pop_front();
        }
        message.left -= 1;
        self.stats.sent_bytes += u64::from(payload);
        if message.left == 0 {
            let lane = message.lane;
            self.free_messages.push(id);
            let state = &mut self.lanes[lane as usize];
            state.sends_left -= 1;
            state.latest = state.latest.max(tail);
            self.settle(job, paths, lane);
            // a place among the open messages is free: any idle port may have waited for it
            for idle in 0..self.queues.len() as u32 {
                if self.programs.is_empty() {
                    break;
                }
                self.refill(job, paths, idle, time);
            }
        }
        self.refill(job, paths, port, time);
    }

    /// True once after something was put before an idle port.
    pub(super) fn take_opened(&mut self) -> bool {
        std::mem::take(&mut self.opened)
    }

    /// A packet's tail arrived at `time`. Returns when its buffer is free.
    pub(super) fn deliver(&mut self, job: &Job, paths: &Paths, packet: &Packet, time: Fs) -> Fs {
        let (lane, step) = untag(packet.tag());
        let current = self.lanes[lane as usize].step == step;
        let reduce =
            if current { self.lanes[lane as usize].reduce } else { job.schedule.recvs(self.rank, lane, step).reduce };
        let bytes = packet.payload();
        let channel = if reduce { &mut self.reduce_free } else { &mut self.copy_free };
        let rate = if reduce { paths.reduce } else { paths.copy };
        *channel = time.max(*channel) + rate.fs(bytes);
        let done = (*channel).max(self.memory(paths.memory, if reduce { 3 * bytes } else { bytes }, time));
        self.stats.received_bytes += u64::from(packet.payload());
        if job.record_flows {
            self.record_arrival(packet, lane, step, done);
        }
        if current {
            let state = &mut self.lanes[lane as usize];
            state.recv_left -= packet.progress();
            state.latest = state.latest.max(done);
            self.settle(job, paths, lane);
        } else {
            match self.early.iter_mut().find(|e| e.0 == packet.tag()) {
                Some(e) => (e.1, e.2) = (e.1 + packet.progress(), e.2.max(done)),
                None => self.early.push((packet.tag(), packet.progress(), done)),
            }
        }
        done
    }

    /// Occupies the memory with `bytes` from `time` on; returns when they are through.
    pub(super) fn memory(&mut self, memory: Serializer, bytes: u32, time: Fs) -> Fs {
        let busy = memory.fs(bytes);
        self.stats.memory_busy_fs += busy;
        self.memory_free = self.memory_free.max(time) + busy;
        self.memory_free
    }

    /// When the memory can begin another access.
    pub(super) fn memory_ready(&self) -> Fs {
        self.memory_free
    }

    fn record_arrival(&mut self, packet: &Packet, lane: u32, step: u32, done: Fs) {
        // One row a message: packets of a message come close together, so the row is among the last few; rows that are
        // missed here are merged when the tables are made.
        let row = FlowRecord {
            src: packet.src(),
            dst: self.rank,
            lane,
            step,
            bytes: u64::from(packet.payload()),
            start_fs: 0,
            end_fs: done,
        };
        let same = |f: &&mut FlowRecord| (f.src, f.lane, f.step) == (row.src, lane, step);
        match self.flow_ends.iter_mut().rev().take(64).find(same) {
            Some(old) => (old.bytes, old.end_fs) = (old.bytes + row.bytes, old.end_fs.max(done)),
            None => self.flow_ends.push(row),
        }
    }

    /// Messages that arrived for steps that the schedule does not have.
    pub(super) fn unexpected(&self) -> usize {
        self.early.len()
    }

    /// Bytes of state.
    pub(super) fn bytes(&self) -> u64 {
        let shares: usize =
            self.queues.iter().map(|q| q.shares.capacity() * size_of::<Share>() + size_of::<Queue>()).sum();
        (size_of::<Self>()
            + self.lanes.capacity() * size_of::<Lane>()
            + self.starts.capacity() * 16
            + self.programs.capacity() * size_of::<Program>()
            + self.messages.capacity() * size_of::<Message>()
            + self.early.capacity() * 24
            + (self.flow_starts.capacity() + self.flow_ends.capacity()) * size_of::<FlowRecord>()
            + shares) as u64
    }
}
