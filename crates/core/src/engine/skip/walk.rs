//! Every word of a shard's state, named by kind, in a fixed order.
//!
//! **What is the state.** Whatever a later event can depend on. Left out, because nothing depends on it or it follows from
//! the rest: when LPs are visited next, bits that say where something waits, numbers of open messages and of free ones, the
//! longest queue (a maximum over a period is one over several), and the input port of packets on a wire. Made alike, because
//! windows decide how it is kept: credits that came in count as free buffer whether they were looked at or not, and times
//! that can only be compared with later ones count as now once they have passed. A link's `free_at` and the age of what waits
//! for it keep their exact values while something waits: statistics are made of them.
//!
//! **Cost.** A pass over all ports, a few words for each that was ever used, four words a packet.

use super::moduli::Modulus;
use super::program::program;
use super::visit::{Course, Seen, Visit};
use crate::engine::Job;
use crate::engine::endpoint::Endpoint;
use crate::engine::in_network::SHARED;
use crate::engine::injection::Message;
use crate::engine::layout::{Class, Layout, Node, UNPLUGGED};
use crate::engine::packet::{Credit, Packet};
use crate::engine::paths::PathNet;
use crate::engine::rings::Rings;
use crate::engine::shard::{Fifo, Shard};
use crate::routing::policy::{Kind, Path};
use crate::walk::{Early, Programs, untag};

/// Passes over a shard.
pub(super) fn walk<V: Visit>(shard: &mut Shard, moduli: &[Modulus], v: &mut V) -> Seen {
    let mut ids = vec![];
    for lp in 0..shard.lps {
        let used = ports(shard, lp, moduli, v)?;
        let seat = shard.endpoint_of[lp as usize];
        if seat != UNPLUGGED {
            endpoint(shard.job, &mut shard.endpoints[seat as usize], moduli, used, &mut ids, v)?;
        }
    }
    sums(shard, moduli, v)?;
    v.due(&mut shard.last_event)
}

/// Ports of an LP. Returns the networks that they sent into since, as bits.
fn ports<V: Visit>(shard: &mut Shard, lp: u32, moduli: &[Modulus], v: &mut V) -> Seen<u32> {
    let (base, count) = shard.ports_of(lp);
    let seat = shard.endpoint_of[lp as usize];
    let Shard { layout, paths, fifos, packets, credits, endpoints, first_lp, .. } = shard;
    let layout: &Layout = layout;
    let router = !matches!(layout.nodes[(*first_lp + lp) as usize], Node::Switch { .. });
    let mut used = 0;
    for p in 0..count {
        let (port, stats) = (&mut shard.ports[(base + p) as usize], &mut shard.stats[(base + p) as usize]);
        if port.peer == UNPLUGGED {
            continue;
        }
        let class = &layout.classes[port.class as usize];
        let channels = u32::from(class.channels);
        let transit = if router && paths.routers[class.network as usize].is_some() { channels } else { 0 };
        let (own, end) = (port.fifo as usize, (port.fifo + channels + transit) as usize);
        let proxy = port.peer_lp == UNPLUGGED;
        let (far, far_end) = (port.in_fifo as usize, (port.in_fifo + if proxy { channels } else { 0 }) as usize);
        let filled = |fifo: &Fifo| fifo.ring.len() > 0;
        let silent = stats.packets == 0 && port.unreturned.iter().all(|&unreturned| unreturned == 0) && !port.blocked;
        if silent && !fifos[own..end].iter().any(filled) && !fifos[far..far_end].iter().any(filled) {
            continue;
        }
        let waits = fifos[own..end].iter().any(|f| f.ring.len() > f.flying)
            || seat != UNPLUGGED && endpoints[seat as usize].has_work(p);
        v.same(u64::from(base + p) << 2 | u64::from(port.blocked) << 1 | u64::from(waits))?;
        let (pairs, _) = port.unreturned.as_chunks::<2>();
        for [low, high] in &pairs[..channels.div_ceil(2) as usize] {
            v.same(u64::from(*low) | u64::from(*high) << 32)?;
        }
        if waits {
            v.time(&mut port.free_at)?
        } else {
            v.due(&mut port.free_at)?
        }
        let modulus = moduli[class.network as usize].selector;
        for (i, fifo) in fifos[own..end].iter_mut().enumerate() {
            if class.buffer.is_some() && (i as u32) < channels {
                room(fifo, credits, v)?;
            }
            queue(fifo, packets, modulus, v)?;
        }
        for fifo in &mut fifos[far..far_end] {
            queue(fifo, packets, modulus, v)?;
        }
        if v.port(stats, class)? {
            used |= network_bit(class);
        }
    }
    Ok(used)
}

fn network_bit(class: &Class) -> u32 {
    1u32.checked_shl(u32::from(class.network)).unwrap_or(1 << 31)
}

/// Packets of a queue.
#[inline(always)]
fn queue<V: Visit>(fifo: &Fifo, packets: &mut Rings<Packet>, modulus: u32, v: &mut V) -> Seen {
    let flying = fifo.flying;
    v.same(u64::from(fifo.ring.len()) | u64::from(flying) << 32)?;
    for i in 0..fifo.ring.len() {
        v.packet(packets.get_mut(&fifo.ring, i), i < flying, modulus)?;
    }
    Ok(())
}

/// Buffer free at the far end, and credits on their way.
fn room<V: Visit>(fifo: &mut Fifo, credits: &mut Rings<Credit>, v: &mut V) -> Seen {
    let (mut free, mut due) = (fifo.available, 0);
    while due < fifo.credits.len() && credits.get(&fifo.credits, due).time < v.now() {
        let credit = credits.get_mut(&fifo.credits, due);
        free += u64::from(credit.bytes);
        v.shift(&mut credit.time);
        due += 1;
    }
    v.same(free)?;
    v.same(u64::from(fifo.credits.len() - due))?;
    for i in due..fifo.credits.len() {
        let credit = credits.get_mut(&fifo.credits, i);
        v.time(&mut credit.time)?;
        v.same(u64::from(credit.bytes) | u64::from(credit.channel) << 32)?;
    }
    v.shift(&mut fifo.last_credit);
    Ok(())
}

/// A rank: its lanes, what it has begun to send, and its memory.
fn endpoint<V: Visit>(
    job: &Job,
    e: &mut Endpoint,
    moduli: &[Modulus],
    used: u32,
    ids: &mut Vec<u32>,
    v: &mut V,
) -> Seen {
    let several = job.streams() > 1;
    lanes(job, e, v)?;
    if let (Some(workload), Some(progress)) = (job.workload, &mut e.progress) {
        program(workload, e.rank, progress, v)?;
    }
    v.same((e.messages.len() - e.free_messages.len()) as u64 | u64::from(e.lanes_left) << 32)?;
    ids.clear();
    ids.resize(e.messages.len(), 0);
    let mut known = 0;
    let Endpoint { queues, messages, .. } = e;
    for queue in queues.iter_mut() {
        v.same(queue.shares.len() as u64)?;
        if queue.shares.is_empty() {
            if several {
                v.served(&mut queue.tail)?
            } else {
                v.due(&mut queue.tail)?
            }
            continue;
        }
        v.time(&mut queue.ready)?;
        v.time(&mut queue.tail)?;
        for share in &mut queue.shares {
            let message = &mut messages[share.message as usize];
            let id = &mut ids[share.message as usize];
            let net = &moduli[usize::from(message.network)];
            let modulus = (!net.direct).then_some(*net);
            if *id == 0 {
                known += 1;
                *id = known;
                open(message, v)?;
            }
            v.same(
                u64::from(*id)
                    | u64::from(share.hop) << 32
                    | u64::from(share.channel) << 48
                    | u64::from(share.order) << 56,
            )?;
            v.same(u64::from(share.way))?;
            if message.spread.kind == Kind::RoundRobin && !net.direct {
                v.count(&mut share.count, net.groups)?;
                v.count(&mut share.shorts, net.groups)?;
            }
            let course = Course {
                spread: message.spread,
                hop: u32::from(share.hop),
                packets: message.packets,
                message: word_of(message),
                modulus,
            };
            v.group(&mut share.group, &course)?;
            share.number = message.spread.number(u32::from(share.hop), share.group);
        }
    }
    v.due(&mut e.memory_free)?;
    v.due(&mut e.copy_free)?;
    v.due(&mut e.reduce_free)?;
    v.due(&mut e.proxy.free)?;
    v.shift(&mut e.begun);
    let (rank, lanes) = (e.rank, &e.lanes);
    v.used(used, || {
        let mut open = lanes.iter().filter(|l| l.open());
        open.all(|l| job.schedule.sends(rank, l.lane.into(), l.step) <= 1)
    });
    v.same(e.dealings.len() as u64)?;
    for (dealing, net) in e.dealings.iter_mut().zip(moduli.iter().cycle()) {
        v.same(dealing.ports.len() as u64 | u64::from(dealing.next) << 32)?;
        for port in &mut dealing.ports {
            v.same(port.ahead)?;
            if !net.direct {
                v.sent(&mut port.fulls, net.groups)?;
                v.sent(&mut port.shorts, net.groups)?;
            }
        }
    }
    let s = &mut e.stats;
    for sum in [
        &mut s.sent_bytes,
        &mut s.received_bytes,
        &mut s.sent_messages,
        &mut s.received_messages,
        &mut s.memory_busy_fs,
        &mut s.copy_busy_fs,
        &mut s.reduce_busy_fs,
    ] {
        v.sum(sum)?;
    }
    v.flows(&mut e.flow_ends)
}

/// Where the lanes stand.
fn lanes<V: Visit>(job: &Job, e: &mut Endpoint, v: &mut V) -> Seen {
    for l in &mut e.lanes {
        let open = l.open();
        v.same(u64::from(open) | u64::from(l.reduce) << 1 | u64::from(l.sends_left) << 2)?;
        if open {
            v.same(l.lane.into())?;
            v.step(l.lane.into(), &mut l.step)?;
            v.end(&mut l.steps)?;
            v.left(&mut l.recv_left)?;
            v.due(&mut l.latest)?;
        }
    }
    v.same(e.starts.len() as u64 | (e.early.len() as u64) << 32)?;
    for (programs, &open) in e.programs.iter().zip(&e.open) {
        v.same(programs.len() as u64 | u64::from(open) << 32)?;
    }
    match job.workload {
        None => {
            for (time, lane) in &mut e.starts {
                v.time(time)?;
                v.same(u64::from(*lane))?;
            }
        }
        Some(_) => {
            // some may stay where they are, so they change places
            e.starts.sort_unstable_by_key(|start| (start.1, start.0));
            let mut seen = Ok(());
            for (time, what) in &mut e.starts {
                seen = seen.and_then(|()| v.same(u64::from(*what))).and_then(|()| v.moves(time));
            }
            e.starts.sort_unstable_by(|a, b| b.cmp(a));
            seen?;
        }
    }
    for program in e.programs.iter_mut().flat_map(Programs::iter_mut) {
        v.same(u64::from(program.lane) | u64::from(program.next) << 32)?;
        v.same(u64::from(program.sends))?;
        v.step(program.lane, &mut program.step)?;
        v.due(&mut program.start)?;
    }
    for Early { tag, progress, latest } in e.early.iter_mut() {
        v.tag(tag)?;
        v.progress(progress)?;
        v.due(latest)?;
    }
    Ok(())
}

/// An open message.
fn open<V: Visit>(m: &mut Message, v: &mut V) -> Seen {
    v.same(u64::from(m.spread.choices) | u64::from(m.spread.rotation) << 32)?;
    let kind = match m.spread.kind {
        Kind::Single => 0,
        Kind::RoundRobin => 1,
        Kind::Numbered => 2,
        Kind::Climbing => 4,
        Kind::Striped => 5,
        Kind::Random(key) => {
            v.same(key)?;
            3
        }
    };
    v.same(kind | u64::from(m.flags) << 8 | u64::from(m.network) << 16 | u64::from(m.slot_of) << 32)?;
    v.same(m.bytes)?;
    v.same(u64::from(m.slot) | u64::from(m.packets) << 32)?;
    v.same(u64::from(m.message_class) | u64::from(m.turned) << 32)?;
    v.same(u64::from(m.by) | u64::from(m.operation) << 32)?;
    v.same(u64::from(m.spread.fulls) | u64::from(m.spread.short) << 32)?;
    match m.spread.path {
        Path::Hash(way) | Path::Tree(way) => v.same(u64::from(way))?,
        Path::Source | Path::Destination => v.same(0)?,
    }
    v.tag(&mut m.tag)?;
    v.unsent(&mut m.left)
}

/// Class and tag of a message's packets in one word.
fn word_of(m: &Message) -> u64 {
    u64::from(m.message_class) | u64::from(m.tag) << 32
}

/// In-network sums under way, in the order of their keys.
fn sums<V: Visit>(shard: &mut Shard, moduli: &[Modulus], v: &mut V) -> Seen {
    v.same(shard.sums.len() as u64)?;
    if shard.sums.is_empty() {
        return Ok(());
    }
    let mut all: Vec<_> = shard.sums.drain().collect();
    all.sort_unstable_by_key(|sum| sum.0);
    let mut seen = Ok(());
    for ([lp, dst, tag, selector], (count, time)) in &mut all {
        if seen.is_err() {
            break;
        }
        let Node::Switch { kind, copy, .. } = shard.layout.nodes[(shard.first_lp + *lp) as usize] else {
            continue;
        };
        let kind = &shard.layout.kinds[kind as usize];
        // its contributions have the class of the root, which is where the sum will go, or that of sums for all
        let message_class = if shard.paths.shared {
            SHARED
        } else {
            let root = shard.paths.networks[usize::from(kind.network)].rank_at(kind.plane, copy, *dst);
            shard.job.folding.labels(shard.job.operation(untag(*tag).1)).of(root, root)
        };
        let message = u64::from(message_class) | u64::from(*tag) << 32;
        let modulus = moduli[usize::from(kind.network)].selector;
        seen = v
            .same(u64::from(*lp) | u64::from(*dst) << 32)
            .and_then(|()| v.same(u64::from(*count)))
            .and_then(|()| v.selector(selector, message, modulus))
            .and_then(|()| v.tag(tag))
            .and_then(|()| v.due(time));
    }
    shard.sums.extend(all);
    seen
}

impl PathNet {
    /// The rank at a position of a plane of a copy.
    fn rank_at(&self, plane: u16, copy: u32, position: u32) -> u32 {
        let slot = position / self.plane_links[usize::from(plane)].max(1);
        let at = |rank: &usize| self.group.get(*rank).is_some_and(|member| (member.copy, member.slot) == (copy, slot));
        let rank = Some((copy * self.places + slot) as usize).filter(at).or_else(|| (0..self.group.len()).find(at));
        rank.map_or(0, |rank| self.group[rank].rank)
    }
}
