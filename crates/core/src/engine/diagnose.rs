//! Why a run stopped before its end: a cycle of full buffers, or messages that nobody sends.
//!
//! When no event is left, every packet that still waits waits for a credit. The credit's buffer is held by packets at the
//! next vertex, which wait for their own outputs; following holders either comes back to a port seen before, which is the
//! deadlock's cycle, or ends at a vertex whose packets do not wait. Without waiting packets, ranks wait for messages that
//! the schedule announces and nobody sends.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Layout, UNPLUGGED};
use super::run::side_by_side;
use super::shard::Shard;
use crate::error::Error;
use crate::fabric::{Fabric, Vertex};
use crate::units::Fs;

/// Ranks or ports named in a message before it says how many more there are.
const NAMED: usize = 8;

/// `None` if the run is complete.
pub(super) fn diagnose(layout: &Layout, shards: &[Shard], threads: usize, last: Fs) -> Option<Error> {
    let time_ns = last / 1_000_000;
    let open: Vec<_> = shards.iter().flat_map(|s| &s.endpoints).filter(|e| !e.finished()).collect();
    if open.is_empty() {
        let unexpected: usize = shards.iter().flat_map(|s| &s.endpoints).map(|e| e.unexpected()).sum();
        let waiting = format!("{unexpected} messages arrived that no step waits for");
        if unexpected > 0 {
            return Some(Error::Unfinished { time_ns, waiting });
        }
        let lost = side_by_side(shards.len(), threads, |id| lost_credit(layout, shards, &shards[id]));
        return lost.into_iter().flatten().next();
    }
    if let Some(cycle) = cycle(layout, shards) {
        return Some(Error::Deadlock { time_ns, cycle });
    }
    let mut lines: Vec<(u32, String)> = open
        .iter()
        .filter_map(|e| {
            let job = shards.first()?.job;
            if let (Some(program), Some(standing)) = (job.explicit, &e.standing) {
                let (action, begun) = standing.open()?;
                let waits = if begun { "has begun and not ended" } else { "waits to begin" };
                return Some((e.rank, format!("{} {waits}", program.name(e.rank, action))));
            }
            let Some((lane, step, sends, recv)) = e.waiting().next() else {
                let (operation, _) = e.progress.as_ref()?.open().next()?;
                let name = &job.workload?.operations()[operation as usize].name;
                return Some((e.rank, format!("rank {} waits to begin operation {name:?}", e.rank)));
            };
            let place = job.place(lane, step);
            Some((
                e.rank,
                format!(
                    "rank {} ({place}) has {sends} messages to send and {recv} bytes or message ends to receive",
                    e.rank
                ),
            ))
        })
        .collect();
    lines.sort_unstable();
    let more = lines.len().saturating_sub(NAMED);
    let mut waiting = lines.into_iter().take(NAMED).map(|l| l.1).collect::<Vec<_>>().join("; ");
    if more > 0 {
        waiting += &format!("; and {more} more ranks");
    }
    Some(Error::Unfinished { time_ns, waiting })
}

/// After a complete run every buffer must be empty again: what is free, on its way back and not yet announced adds up.
fn lost_credit(layout: &Layout, shards: &[Shard], shard: &Shard) -> Option<Error> {
    for (p, port) in shard.ports.iter().enumerate() {
        let class = &layout.classes[port.class as usize];
        let (Some(buffer), true) = (class.buffer, port.peer != UNPLUGGED) else {
            continue;
        };
        let far = &shards[usize::from(port.peer_shard)];
        let far = &far.ports[(port.peer - far.first_port) as usize];
        for channel in 0..u32::from(class.channels) {
            let fifo = &shard.fifos[(port.fifo + channel) as usize];
            let returning: u64 =
                (0..fifo.credits.len()).map(|i| u64::from(shard.credits.get(&fifo.credits, i).bytes)).sum();
            let home = fifo.available + returning + u64::from(far.unreturned[channel as usize]);
            if home != buffer {
                let problem = format!("{home} of {buffer} buffer bytes came home at port {p} channel {channel}");
                return Some(Error::Internal(problem));
            }
        }
    }
    None
}

/// A queue: vertex, port of it, and channel.
type Queue = (Vertex, u32, u32);

/// The first cycle found, as text: of the real machine, also where only a quotient of it was simulated. Each of its queues
/// does what its class does, and the queue that holds it up is at the vertex behind its own link.
fn cycle(layout: &Layout, shards: &[Shard]) -> Option<String> {
    let waits = waiting_queues(layout, shards);
    let job = shards[0].job;
    let (fabric, folding) = (job.fabric, job.folding);
    let class = |(vertex, port, channel): Queue| {
        let (vertex, port) = folding.class_of(fabric, (vertex, port))?;
        Some((vertex, port, channel))
    };
    let held_by = |at: Queue| {
        let there = fabric.peer(at.0, at.1)?.vertex;
        let holders = waits.get(&class(at)?)?;
        let of_class = |q: &Queue| holders.contains(q) && waits.contains_key(q);
        let channels = holders.iter().map(|q| q.2).max().unwrap_or(0);
        let queues =
            (0..fabric.ports(there)).flat_map(|port| (0..=channels).map(move |channel| (there, port, channel)));
        { queues }.find(|&q| class(q).as_ref().is_some_and(of_class))
    };
    let channels = waits.keys().map(|q| q.2).max().unwrap_or(0);
    let ports = (0..fabric.vertices()).flat_map(|v| (0..fabric.ports(v)).map(move |port| (v, port)));
    let queues = ports.flat_map(|(v, port)| (0..=channels).map(move |channel| (v, port, channel)));
    let mut seen: BTreeSet<Queue> = BTreeSet::new();
    for start in queues.filter(|&q| class(q).is_some_and(|class| waits.contains_key(&class))) {
        let mut path: Vec<Queue> = vec![];
        let mut at = start;
        while seen.insert(at) {
            path.push(at);
            match held_by(at) {
                Some(next) => at = next,
                None => break,
            }
            if let Some(i) = path.iter().position(|&q| q == at) {
                return Some(describe(fabric, &path[i..]));
            }
        }
    }
    None
}

/// Queues with a packet that waits, and the queues at the next vertex that hold its buffer.
fn waiting_queues(layout: &Layout, shards: &[Shard]) -> BTreeMap<Queue, Vec<Queue>> {
    // holders[upstream queue] = queues at the vertex behind it whose packets came through it
    let mut holders: BTreeMap<Queue, Vec<Queue>> = BTreeMap::new();
    let mut waiting: Vec<(Queue, u32)> = vec![];
    for shard in shards {
        for lp in 0..shard.lps {
            let (base, ports) = shard.ports_of(lp);
            for p in 0..ports {
                let port = &shard.ports[(base + p) as usize];
                let class = &layout.classes[port.class as usize];
                let direct = shard.paths.routers[class.network as usize].is_some()
                    && !matches!(layout.nodes[(shard.first_lp + lp) as usize], super::layout::Node::Switch { .. });
                for channel in 0..u32::from(class.channels) {
                    let queue = (layout.vertex[(shard.first_lp + lp) as usize], p, channel);
                    let fifo = port.fifo + channel + if direct { u32::from(class.channels) } else { 0 };
                    let fifo = &shard.fifos[fifo as usize];
                    let skip = if direct { 0 } else { fifo.flying };
                    if fifo.ring.len() > skip || (channel == 0 && port.blocked) {
                        waiting.push((queue, channel));
                    }
                    for i in skip..fifo.ring.len() {
                        let packet = shard.packets.get(&fifo.ring, i);
                        if packet.buffered() {
                            let upstream = shard.ports[(base + u32::from(packet.in_port())) as usize].peer;
                            if upstream != UNPLUGGED {
                                let far = layout.lp_of_port(upstream) as usize;
                                let port = upstream - layout.first_port[far];
                                let came = (layout.vertex[far], port, u32::from(packet.channel()));
                                holders.entry(came).or_default().push(queue);
                            }
                        }
                    }
                }
            }
        }
    }
    waiting
        .into_iter()
        .map(|(queue, _)| {
            let mut next = holders.get(&queue).cloned().unwrap_or_default();
            next.sort_unstable();
            next.dedup();
            (queue, next)
        })
        .collect()
}

fn describe(fabric: &Fabric, cycle: &[Queue]) -> String {
    let name = |&(vertex, port, channel): &Queue| format!("{} port {port} channel {channel}", fabric.name(vertex));
    let more = if cycle.len() > NAMED { format!(" ({} ports in all)", cycle.len()) } else { String::new() };
    format!("{} -> back to the first{more}", cycle.iter().take(NAMED).map(name).collect::<Vec<_>>().join(" -> "))
}
