//! From the state at the end of a run to rows.
//!
//! **Invariant.** Rows come in the order of ids, as those of the packet engine. What a set of links carried is divided
//! evenly over them, remainders to the first, so that sums are exact. **Limits.** Queues, stalls and waits are zero: a
//! fluid has none.

use super::ranks::Rank;
use super::routes::Hop;
use super::run::Run;
use crate::control::{filled, push};
use crate::error::Result;
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

    /// Adds what another carried.
    pub(super) fn add(&mut self, more: &Carried) {
        self.payload += more.payload;
        self.wire += more.wire;
        self.packets += more.packets;
    }

    /// What is left over when it is cut into so many equal parts, and the rest.
    pub(super) fn cut(self, parts: u64) -> (Carried, Carried) {
        let left = |all: u64| all % parts;
        let over = Carried { payload: left(self.payload), wire: left(self.wire), packets: left(self.packets) };
        let even = Carried {
            payload: self.payload - over.payload,
            wire: self.wire - over.wire,
            packets: self.packets - over.packets,
        };
        (over, even)
    }

    /// The part of one of several links.
    fn of(self, index: u32, links: u32) -> Carried {
        let part = |all: u64| all / u64::from(links) + u64::from(u64::from(index) < all % u64::from(links));
        Carried { payload: part(self.payload), wire: part(self.wire), packets: part(self.packets) }
    }
}

/// Rows of a finished run.
///
/// # Errors
/// Those of [`Control::check`](crate::control::Control::check).
pub(super) fn record(run: &mut Run) -> Result<Record> {
    let folding = run.job.folding;
    let mut record = Record { threads: 1, multiplicity: folding.multiplicity(), ..Record::default() };
    for rank in &run.ranks {
        record.ranks.push(rank.stats);
        record.finish_fs = record.finish_fs.max(rank.stats.finish_fs);
        record.sent_bytes += rank.stats.sent_bytes * record.multiplicity;
        record.received_bytes += rank.stats.received_bytes * record.multiplicity;
    }
    if let Some(workload) = run.job.workload {
        let of = |rank: &Rank| Some((rank.stats.rank, rank.progress.as_ref()?.records.clone()));
        record.operations = workload.records(run.ranks.iter().filter_map(of), record.multiplicity);
        let kept = run.ranks.iter().filter_map(|r| Some((r.stats.rank, r.progress.as_ref()?.iterations.as_deref()?)));
        record.iterations = workload.iterations(kept);
    }
    if let Some(program) = run.job.explicit {
        record.spans = filled("times of operations", program.len(), [0; 2])?;
        for rank in &run.ranks {
            let spans = &mut record.spans[program.range(rank.stats.rank)];
            let found = rank.standing.iter().flat_map(|standing| standing.spans());
            spans.iter_mut().zip(found).for_each(|(span, (begun, ended))| *span = [begun, ended]);
        }
    }
    let mut levels = Levels::default();
    let mut classes = vec![0; if folding.applied() { run.carried.len() } else { 0 }];
    for vertex in 0..run.job.simulated().vertices() {
        run.control.check()?;
        links_of(run, vertex, &mut classes, &mut levels, &mut record.links);
    }
    record.links.sort_unstable_by_key(|l| (l.vertex, l.port));
    record.levels = levels.finish(|network, tier| folding.link_multiplicity(network, tier));
    record.packet_hops = record.levels.iter().map(|level| level.packets).sum();
    record.flows = merged(std::mem::take(&mut run.flows));
    record.state_bytes = run.fair.bytes()
        + (run.parts.capacity() * size_of::<super::injection::Part>()
            + run.messages.capacity() * size_of::<super::injection::Message>()
            + run.queues.len() * size_of::<super::injection::InjectionQueue>()
            + run.ranks.len() * size_of::<Rank>()
            + run.lanes.len() * size_of::<crate::walk::Lane<crate::units::Fs>>()
            + run.carried.len() * size_of::<Carried>()) as u64;
    Ok(record)
}

/// Counts the links that leave a vertex of what is simulated into their levels; a row each if links are recorded. `classes`
/// counts the links met of each class of resources, where classes are simulated.
fn links_of(run: &Run, vertex: u32, classes: &mut [u32], levels: &mut Levels, rows: &mut Vec<LinkRecord>) {
    let fabric = run.job.fabric;
    for port in 0..run.job.simulated().ports(vertex) {
        let over = run.over.get(&(vertex, port)).copied().unwrap_or_default();
        let (vertex, port) = run.job.folding.representative(fabric, (vertex, port));
        let Some((end, (resource, index, links))) =
            fabric.peer(vertex, port).zip(run.resources.home(run.job, vertex, port))
        else {
            continue;
        };
        let (class, times) = run.classes.of(resource);
        let all = run.carried[class as usize];
        let mut carried = match classes.get_mut(class as usize) {
            // the links that shifts take into one another carry the same
            Some(met) => {
                *met += 1;
                all.of(*met - 1, (links / times).max(1))
            }
            None => all.of(index, links),
        };
        carried.add(&over);
        let link = LinkRecord {
            vertex,
            port,
            peer: end.vertex,
            network: end.network as u32,
            tier: end.tier as u32,
            up: port >= first_upward(fabric, vertex),
            payload_bytes: carried.payload,
            wire_bytes: carried.wire,
            packets: carried.packets,
            busy_fs: fabric.networks[end.network].link(end.tier).rate.time(carried.wire),
            ..LinkRecord::default()
        };
        levels.add(&link);
        if run.job.record_links {
            push("the rows of the table links", rows, link);
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
