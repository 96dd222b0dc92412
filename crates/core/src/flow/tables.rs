//! From the state at the end of a run to rows.
//!
//! **Invariant.** Rows come in the order of ids, as those of the packet engine. What a set of links carried is divided
//! evenly over them, remainders to the first, so that sums are exact. **Limits.** Queues, stalls and waits are zero: a
//! fluid has none.

use super::routes::Hop;
use super::run::Run;
use crate::record::{FlowRecord, Levels, LinkRecord, Record};
use crate::symmetry::first_upward;

/// What a resource carried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried {
    payload: u64,
    wire: u64,
    packets: u64,
}

impl Carried {
    /// A message.
    pub(super) fn new(payload: u64, wire: u64, packets: u64) -> Self {
        Self { payload, wire, packets }
    }

    /// A hop's part of it.
    pub(super) fn part(&self, hop: &Hop) -> Self {
        Self { payload: hop.of(self.payload), wire: hop.of(self.wire), packets: hop.of(self.packets) }
    }

    /// Adds what another carried; the packets of that.
    pub(super) fn add(&mut self, more: &Carried) -> u64 {
        self.payload += more.payload;
        self.wire += more.wire;
        self.packets += more.packets;
        more.packets
    }

    /// The part of one of several links.
    fn of(self, index: u32, links: u32) -> Carried {
        let part = |all: u64| all / u64::from(links) + u64::from(u64::from(index) < all % u64::from(links));
        Carried { payload: part(self.payload), wire: part(self.wire), packets: part(self.packets) }
    }
}

/// Rows of a finished run.
pub(super) fn record(run: &mut Run) -> Record {
    let mut record = Record { threads: 1, multiplicity: 1, packet_hops: run.packet_hops, ..Record::default() };
    for rank in &run.ranks {
        record.ranks.push(rank.stats);
        record.finish_fs = record.finish_fs.max(rank.stats.finish_fs);
        record.sent_bytes += rank.stats.sent_bytes;
        record.received_bytes += rank.stats.received_bytes;
    }
    let mut levels = Levels::default();
    for vertex in 0..run.job.fabric.vertices() {
        links_of(run, vertex, &mut levels, &mut record.links);
    }
    record.levels = levels.finish(|_, _| 1);
    record.flows = merged(std::mem::take(&mut run.flows));
    record.state_bytes = run.fair.bytes()
        + (run.parts.capacity() * size_of::<super::gates::Part>()
            + run.messages.capacity() * size_of::<super::gates::Message>()
            + run.gates.len() * size_of::<super::gates::Gate>()
            + run.ranks.len() * size_of::<super::ranks::Rank>()
            + run.lanes.len() * size_of::<super::ranks::Lane>()
            + run.carried.len() * size_of::<Carried>()) as u64;
    record
}

/// Counts the links that leave a vertex into their levels; a row each if links are recorded.
fn links_of(run: &Run, vertex: u32, levels: &mut Levels, rows: &mut Vec<LinkRecord>) {
    let fabric = run.job.fabric;
    let upward = first_upward(fabric, vertex);
    for port in 0..fabric.ports(vertex) {
        let Some((end, (resource, index, links))) =
            fabric.peer(vertex, port).zip(run.resources.home(run.job, vertex, port))
        else {
            continue;
        };
        let carried = run.carried[resource as usize].of(index, links);
        let link = LinkRecord {
            vertex,
            port,
            peer: end.vertex,
            network: end.network as u32,
            tier: end.tier as u32,
            up: port >= upward,
            payload_bytes: carried.payload,
            wire_bytes: carried.wire,
            packets: carried.packets,
            busy_fs: fabric.networks[end.network].link(end.tier).rate.time(carried.wire),
            ..LinkRecord::default()
        };
        levels.add(&link);
        if run.job.record_links {
            rows.push(link);
        }
    }
}

/// One row for what one rank sends another in a lane for a step.
fn merged(mut rows: Vec<FlowRecord>) -> Vec<FlowRecord> {
    let key = |f: &FlowRecord| (f.src, f.dst, f.lane, f.step);
    rows.sort_unstable();
    rows.dedup_by(|next, kept| {
        let same = key(next) == key(kept);
        if same {
            kept.bytes += next.bytes;
            (kept.start_fs, kept.end_fs) = (kept.start_fs.min(next.start_fs), kept.end_fs.max(next.end_fs));
        }
        same
    });
    rows
}
