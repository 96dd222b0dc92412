//! The part of the state that a workload adds: where the streams of a rank are, and what its device does.
//!
//! **Invariant.** A stream that waits, computes or delays may stand still while others repeat: its times stay where they are, and no jump passes
//! one that is to come.

use super::visit::{Seen, Visit};
use crate::walk::{At, Progress};
use crate::workload::Workload;

/// Passes over a rank's progress.
pub(super) fn program<V: Visit>(workload: &Workload, rank: u32, progress: &mut Progress, v: &mut V) -> Seen {
    let busy = progress.device.busy(v.now());
    let Progress { streams, done, device, records, iterations, left, .. } = progress;
    v.same(u64::from(*left))?;
    // rows of instances are not made up
    v.same(iterations.as_ref().map_or(0, |rows| rows.len() as u64))?;
    v.same(device.running.map_or(0, |stream| 1 + u64::from(stream)) | u64::from(device.speed) << 32)?;
    v.same(device.left as u64)?;
    v.same((device.left >> 64) as u64)?;
    if device.running.is_some() {
        v.moves(&mut device.since)?;
        v.moves(&mut device.end)?;
    }
    v.sum(&mut device.busy)?;
    v.same(device.waiting.len() as u64)?;
    for &(stream, work) in &device.waiting {
        v.same(stream.into())?;
        v.same(work)?;
    }
    for stream in streams.iter_mut() {
        let (at, operation) = match stream.at {
            At::Before(operation) => (0, operation),
            At::In(operation) => (1, operation),
            At::Through => (2, 0),
        };
        v.same(at | u64::from(operation) << 32)?;
        v.same(u64::from(stream.next) | u64::from(stream.lanes_left) << 32)?;
        v.same(stream.counts.len() as u64)?;
        v.counts(&mut stream.counts)?;
        if let At::In(_) = stream.at {
            v.began(&mut stream.began, &mut stream.computed, busy)?;
            v.due(&mut stream.through)?;
        }
    }
    v.done(done, &workload.role(rank).executes)?;
    records.iter_mut().try_for_each(|record| v.record(record))
}
