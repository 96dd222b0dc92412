//! Ranges of the numbers of a workload, checked once before anything is built.
//!
//! **Invariant.** An error names operation and keyword in the user's words, and times with a unit. **Cost.** O(numbers).
//! **Limits.** Whether names are known and operations fit their ranks is found out when the workload is assembled.

use super::{NodeSpec, PlaceSpec, ProgramSpec};
use crate::error::{Error, Result};
use crate::spec::validate::{ranges, within};
use crate::spec::{Algorithm, Collective, MAX_LANES, Pick};
use crate::units::{FS_PER_NS, Fs};

/// Parts of a million.
const MILLION: u64 = 1_000_000;
/// Longest computation or delay: an hour.
const HOUR: Fs = 3_600_000_000_000_000_000;
/// Largest factor of a slow rank.
const FACTOR: u64 = 1000;
/// Most bytes of an operation.
const MOST_BYTES: u64 = 1 << 50;
/// Most messages of a pattern to a destination.
const MOST_MESSAGES: u64 = 1 << 20;

impl ProgramSpec {
    pub(super) fn validate(&self) -> Result<()> {
        ranges(&self.system, &self.stack, self.threads, self.time_limit_fs, self.memory_limit)?;
        if self.jobs.is_empty() {
            return Err(Error::spec("jobs", "[]", "at least one job"));
        }
        let mut ranks = 0u64;
        for (i, job) in self.jobs.iter().enumerate() {
            let at = |field: &str| format!("job {:?}: {field}", job.name);
            if self.jobs[..i].iter().any(|other| other.name == job.name) {
                return Err(Error::spec("job", format!("{:?}", job.name), "a name of its own"));
            }
            short(&at("start"), job.start_fs)?;
            let mut size = 1u64;
            for (axis, spec) in job.axes.iter().enumerate() {
                within(&at(&format!("axis {}", spec.name)), spec.size.into(), 1, 1 << 31)?;
                if job.axes[..axis].iter().any(|other| other.name == spec.name) {
                    return Err(Error::spec(at("axis"), format!("{:?}", spec.name), "a name of its own"));
                }
                size = size.saturating_mul(spec.size.into());
            }
            if job.axes.is_empty() {
                return Err(Error::spec(at("axes"), "[]", "at least one axis"));
            }
            if let Some(placement) = &job.placement
                && placement.len() as u64 != size
            {
                return Err(Error::spec(
                    at("placement"),
                    placement.len(),
                    format!("one accelerator for each of {size} ranks"),
                ));
            }
            ranks = ranks.saturating_add(size);
            job.body.iter().try_for_each(node)?;
        }
        let most = self.system.accelerators;
        if ranks > most.into() {
            return Err(Error::spec("jobs", format!("{ranks} ranks"), format!("at most {most}, one per accelerator")));
        }
        Ok(())
    }
}

/// A time of at most an hour.
fn short(field: &str, time: Fs) -> Result<()> {
    if time <= HOUR { Ok(()) } else { Err(Error::spec(field, format!("{} ns", time / FS_PER_NS), "at most an hour")) }
}

fn node(node: &NodeSpec) -> Result<()> {
    let named = |place: &PlaceSpec, field: &str| format!("operation {:?}: {field}", place.name);
    let share = |place: &PlaceSpec, share: u32| {
        within(&format!("{} in millionths", named(place, "share")), share.into(), 0, MILLION - 1)
    };
    let size = |place: &PlaceSpec, bytes: u64, taken: u32| {
        within(&named(place, "size"), bytes, 1, MOST_BYTES)?;
        share(place, taken)
    };
    match node {
        NodeSpec::Collective {
            place, collective, bytes, algorithm, element_bytes, lanes, chunks, share_ppm, ..
        } => {
            let least = u64::from(*collective == Collective::Barrier);
            size(place, (*bytes).max(least), *share_ppm)?;
            within(&named(place, "bytes of an element"), u64::from(*element_bytes), 1, 16)?;
            for (field, value) in [("lanes", lanes), ("chunks", chunks)] {
                if let Some(value) = value {
                    within(&named(place, field), u64::from(*value), 1, MAX_LANES.into())?;
                }
            }
            if *algorithm == Pick::Only(Algorithm::Hierarchical) {
                let expected = "another algorithm: communicators of a workload have no levels of their own yet";
                return Err(Error::spec(named(place, "algorithm"), Algorithm::Hierarchical.name(), expected));
            }
            Ok(())
        }
        NodeSpec::Send { place, bytes, share_ppm, .. } | NodeSpec::Receive { place, bytes, share_ppm, .. } => {
            size(place, *bytes, *share_ppm)
        }
        NodeSpec::Transfer { place, bytes, share_ppm, .. } => size(place, *bytes, *share_ppm),
        NodeSpec::Pattern { place, bytes, messages, share_ppm, .. } => {
            within(&named(place, "messages"), u64::from(*messages), 1, MOST_MESSAGES)?;
            size(place, *bytes, *share_ppm)
        }
        NodeSpec::Exchange { place, matrix, share_ppm, .. } => {
            let most = matrix.iter().flatten().copied().max().unwrap_or(0);
            within(&named(place, "matrix"), most, 1, MOST_BYTES)?;
            share(place, *share_ppm)
        }
        NodeSpec::Compute { place, work_fs, jitter_ppm, slow_ppm, .. } => {
            short(&named(place, "duration"), *work_fs)?;
            let millionths = |field: &str| format!("{} in millionths", named(place, field));
            within(&millionths("jitter"), u64::from(*jitter_ppm), 0, MILLION - 1)?;
            let mut factors = slow_ppm.iter().map(|&(_, factor)| factor);
            factors.try_for_each(|factor| within(&millionths("slow_ranks"), factor, 1, FACTOR * MILLION))
        }
        NodeSpec::Delay { place, time_fs } => short(&named(place, "time"), *time_fs),
        NodeSpec::Repeat { count, body } => {
            within("repeat", u64::from(*count), 1, 1 << 31)?;
            body.iter().try_for_each(self::node)
        }
        NodeSpec::On { axis, values, body } => {
            if values.is_empty() {
                return Err(Error::spec(format!("on {axis}"), "no coordinate", "at least one"));
            }
            body.iter().try_for_each(self::node)
        }
    }
}
