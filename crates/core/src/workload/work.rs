//! How long a computation takes on each rank, each time.
//!
//! **Model.** A duration, times the factor of a slow rank, times a number that is drawn for each instance and rank: any from `1 - jitter`
//! to `1 + jitter` with equal probability.
//!
//! **Invariant.** A draw depends on the seed, the names of job and operation, the instance, and the rank within its job; on nothing else that
//! a run holds. **Cost.** A few words per operation and slow rank; two hashes per instance. **Limits.** Draws of different instances are
//! independent; a run with such a computation has no symmetry, because ranks that are alike otherwise differ in time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::key_of;
use crate::rng::mix;
use crate::units::{Fs, NEVER};

/// Parts of a million.
const MILLION: u128 = 1_000_000;

/// What a computation has to do.
#[derive(Clone, Debug, Default)]
pub struct Work {
    duration: Fs,
    varies: Option<Arc<Varies>>,
}

#[derive(Debug)]
struct Varies {
    /// First rank of the job.
    first: u32,
    /// Millionths to either side.
    jitter: u32,
    /// Millionths of the duration that it takes on some ranks of the job.
    slow: BTreeMap<u32, u64>,
    key: u64,
}

impl Work {
    /// The same on all ranks, each time.
    pub fn exactly(duration: Fs) -> Self {
        Self { duration, varies: None }
    }

    /// Different from rank to rank: `jitter` millionths to either side, and so many millionths of the duration on some ranks of the job,
    /// which begins with rank `first`. Draws go by the seed and the names of job and operation.
    pub fn varying(
        duration: Fs,
        (jitter, slow): (u32, BTreeMap<u32, u64>),
        first: u32,
        (seed, job, name): (u64, &str, &str),
    ) -> Self {
        if jitter == 0 && slow.values().all(|&factor| u128::from(factor) == MILLION) {
            return Self::exactly(duration);
        }
        let key = mix(seed ^ key_of(job, name));
        Self { duration, varies: Some(Arc::new(Varies { first, jitter, slow, key })) }
    }

    /// Whether ranks differ.
    pub fn varies(&self) -> bool {
        self.varies.is_some()
    }

    /// Whether instances differ.
    pub(crate) fn jitters(&self) -> bool {
        self.varies.as_ref().is_some_and(|varies| varies.jitter > 0)
    }

    /// Nothing of it takes less.
    pub fn least(&self) -> Fs {
        let Some(varies) = &self.varies else {
            return self.duration;
        };
        let fastest = varies.slow.values().copied().min().unwrap_or(u64::MAX).min(MILLION as u64);
        part(self.duration, fastest) - jitter(part(self.duration, fastest), varies.jitter)
    }

    /// How long an instance takes on a rank of the run.
    pub fn of(&self, rank: u32, instance: u32) -> Fs {
        let Some(Varies { first, jitter: around, slow, key }) = self.varies.as_deref() else {
            return self.duration;
        };
        let rank = rank - first;
        let duration = slow.get(&rank).map_or(self.duration, |&factor| part(self.duration, factor));
        let most = jitter(duration, *around);
        let hash = mix(mix(key ^ u64::from(instance)) ^ u64::from(rank));
        let drawn = (u128::from(hash) * (2 * u128::from(most) + 1)) >> 64;
        (duration - most).saturating_add(drawn as Fs).min(NEVER - 1)
    }
}

/// So many millionths of a duration.
fn part(duration: Fs, factor: u64) -> Fs {
    Fs::try_from(u128::from(duration) * u128::from(factor) / MILLION).unwrap_or(NEVER - 1).min(NEVER - 1)
}

fn jitter(duration: Fs, millionths: u32) -> Fs {
    part(duration, millionths.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(jitter: u32, slow: &[(u32, u64)], seed: u64) -> Work {
        Work::varying(1_000_000, (jitter, slow.iter().copied().collect()), 8, (seed, "job", "step"))
    }

    #[test]
    fn a_slow_rank_takes_its_factor() {
        let work = work(0, &[(1, 1_500_000), (2, 500_000)], 0);
        assert_eq!([8, 9, 10, 11].map(|rank| work.of(rank, 3)), [1_000_000, 1_500_000, 500_000, 1_000_000]);
        assert_eq!((work.least(), work.varies()), (500_000, true));
        assert!(!super::Work::varying(5, (0, [(1, 1_000_000)].into()), 0, (0, "j", "o")).varies());
    }

    #[test]
    fn draws_fill_the_range_evenly() {
        let varying = work(100_000, &[], 0);
        let drawn: Vec<Fs> =
            (0..100).flat_map(|k| (8..108).map(move |rank| (rank, k))).map(|(rank, k)| varying.of(rank, k)).collect();
        assert!(drawn.iter().all(|fs| (900_000..=1_100_000).contains(fs)));
        // uniform over 200 000: sigma of one is 57 735, of the mean of 10 000 it is 577; six of them are 3 464
        let mean = drawn.iter().sum::<Fs>() / 10_000;
        assert!(mean.abs_diff(1_000_000) < 3_464, "{mean}");
        // quarters of the range: each expects 2 500 with sigma 43; six sigma is 260
        for quarter in 0..4 {
            let inside = drawn.iter().filter(|&&fs| (fs - 900_000) / 50_001 == quarter).count();
            assert!(inside.abs_diff(2_500) < 260, "{quarter}: {inside}");
        }
        assert_eq!(varying.least(), 900_000);
    }

    #[test]
    fn draws_go_by_seed_instance_and_rank() {
        let first = work(100_000, &[], 0);
        assert_eq!(first.of(9, 1), work(100_000, &[], 0).of(9, 1));
        let others = [first.of(9, 2), first.of(10, 1), work(100_000, &[], 1).of(9, 1)];
        assert!(others.iter().all(|&other| other != first.of(9, 1)));
    }
}
