//! From the state at the end of a run to rows.
//!
//! **Invariant.** Rows come in the order of vertices and ports of the fabric, not of LPs, so that they are the same for
//! any number of shards. In a folded run a row stands for its class, under the name of one of its members.

use super::Job;
use super::endpoint::Endpoint;
use super::layout::{Layout, UNPLUGGED};
use super::shard::Shard;
use crate::control::{Control, filled, reserved};
use crate::error::Result;
use crate::record::{FlowRecord, Levels, LinkRecord, Record};
use crate::symmetry::first_upward;

/// Rows of a finished run; those of messages leave their shards.
///
/// # Errors
/// Those of [`Control::check`].
pub(super) fn record(job: &Job, layout: &Layout, shards: &mut [Shard], control: &Control) -> Result<Record> {
    let mut record = Record { multiplicity: job.folding.multiplicity(), ..Record::default() };
    for endpoint in shards.iter().flat_map(|s| &s.endpoints) {
        record.ranks.push(endpoint.stats);
        record.finish_fs = record.finish_fs.max(endpoint.stats.finish_fs);
        record.sent_bytes += endpoint.stats.sent_bytes * record.multiplicity;
        record.received_bytes += endpoint.stats.received_bytes * record.multiplicity;
    }
    record.ranks.sort_unstable_by_key(|r| r.rank);
    if let Some(workload) = job.workload {
        let endpoints = shards.iter().flat_map(|s| &s.endpoints);
        let of =
            |e: &Endpoint| Some((e.rank, &e.progress.as_ref()?.records[..])).map(|(rank, rows)| (rank, rows.to_vec()));
        record.operations = workload.records(endpoints.clone().filter_map(of), record.multiplicity);
        let kept = endpoints.filter_map(|e| Some((e.rank, e.progress.as_ref()?.iterations.as_deref()?)));
        record.iterations = workload.iterations(kept);
    }
    if let Some(program) = job.explicit {
        record.spans = filled("times of operations", program.len(), [0; 2])?;
        for endpoint in shards.iter().flat_map(|s| &s.endpoints) {
            let spans = &mut record.spans[program.range(endpoint.rank)];
            let found = endpoint.standing.iter().flat_map(|standing| standing.spans());
            spans.iter_mut().zip(found).for_each(|(span, (begun, ended))| *span = [begun, ended]);
        }
    }
    let mut levels = Levels::default();
    if job.record_links {
        // exactly as many as there can be: growing by doubling would take up to twice that
        record.links = reserved("rows of links", shards.iter().map(|s| s.stats.len()).sum())?;
    }
    for vertex in 0..job.simulated().vertices() {
        control.check()?;
        links_of(job, layout, shards, vertex, (&mut levels, &mut record.links));
    }
    record.levels = levels.finish(|network, tier| job.folding.link_multiplicity(network, tier));
    record.packet_hops = record.levels.iter().map(|level| level.packets).sum();
    record.links.sort_unstable_by_key(|l| (l.vertex, l.port));
    if job.record_flows {
        record.flows = flows(shards);
    }
    Ok(record)
}

/// Counts the links that leave a vertex into their levels; a row each if links are recorded.
fn links_of(job: &Job, layout: &Layout, shards: &[Shard], vertex: u32, into: (&mut Levels, &mut Vec<LinkRecord>)) {
    let (levels, rows) = into;
    let lp = layout.lp[vertex as usize];
    let shard = &shards[layout.cuts.partition_point(|&cut| cut <= lp) - 1];
    let (base, ports) = shard.ports_of(lp - shard.first_lp);
    let upward = first_upward(job.simulated(), vertex);
    for port in 0..ports {
        let stats = &shard.stats[(base + port) as usize];
        let slot = &shard.ports[(base + port) as usize];
        if slot.peer == UNPLUGGED {
            continue;
        }
        let class = &layout.classes[slot.class as usize];
        let mut link = LinkRecord {
            vertex,
            port,
            peer: vertex,
            network: u32::from(class.network),
            tier: u32::from(class.tier),
            up: port >= upward,
            payload_bytes: stats.payload,
            wire_bytes: stats.wire,
            packets: stats.packets,
            busy_fs: stats.busy,
            stall_fs: stats.stall,
            wait_fs: stats.wait,
            queue_max: stats.queue_max,
        };
        levels.add(&link);
        if job.record_links {
            // names are worked out for rows that are kept only
            (link.vertex, link.port) = job.folding.representative(job.fabric, (vertex, port));
            link.peer = job.fabric.peer(link.vertex, link.port).map_or(link.vertex, |end| end.vertex);
            rows.push(link);
        }
    }
}

/// Rows of all endpoints in one list; each endpoint's are freed as they are copied, as millions would not fit twice.
fn gather(shards: &mut [Shard], of: fn(&mut Endpoint) -> &mut Vec<FlowRecord>) -> Vec<FlowRecord> {
    let lists = shards.iter_mut().flat_map(|s| &mut s.endpoints).map(of);
    let mut lists: Vec<Vec<FlowRecord>> = lists.map(std::mem::take).collect();
    let mut rows = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    for list in &mut lists {
        rows.append(&mut std::mem::take(list));
    }
    rows
}

/// Joins where messages started with where they ended.
fn flows(shards: &mut [Shard]) -> Vec<FlowRecord> {
    let key = |f: &FlowRecord| (f.src, f.dst, f.lane, f.step);
    let mut ends = gather(shards, |e| &mut e.flow_ends);
    ends.sort_unstable();
    ends.dedup_by(|next, kept| {
        let same = key(next) == key(kept);
        if same {
            (kept.bytes, kept.end_fs) = (kept.bytes + next.bytes, kept.end_fs.max(next.end_fs));
        }
        same
    });
    let mut starts = gather(shards, |e| &mut e.flow_starts);
    starts.sort_unstable_by_key(|f| (key(f), f.start_fs));
    starts.dedup_by_key(|f| key(f));
    let mut next = 0;
    for row in &mut ends {
        while next < starts.len() && key(&starts[next]) < key(row) {
            next += 1;
        }
        if let Some(start) = starts.get(next).filter(|s| key(s) == key(row)) {
            row.start_fs = start.start_fs;
        }
    }
    ends
}
