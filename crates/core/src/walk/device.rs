//! The device of a rank: one computation at a time, slowed by what operations take of it.
//!
//! **Model.** Computations are executed first come, first served. While operations that move data take shares `s1, s2, ...` of the device,
//! a computation goes on at `(1 - s1)(1 - s2)...` of its speed: each takes its share of what the others leave.
//!
//! **Invariant.** Work is counted in whole parts, [`WHOLE_DEVICE`] of them per femtosecond of an undisturbed device, so what is done
//! before and after a change of speed adds up. **Cost.** O(1) per change. **Limits.** A computation does not slow a collective.

use std::collections::VecDeque;

use crate::units::{Fs, NEVER};
use crate::workload::WHOLE_DEVICE;

/// A device and what it has to do.
#[derive(Clone, Debug)]
pub struct Device {
    /// Streams that wait with a computation, and how long each would take.
    pub(crate) waiting: VecDeque<(u32, Fs)>,
    /// The stream whose computation runs.
    pub(crate) running: Option<u32>,
    /// Parts of work left at `since`.
    pub(crate) left: u128,
    pub(crate) since: Fs,
    /// Parts of work per femtosecond.
    pub(crate) speed: u32,
    /// When the computation that runs will end.
    pub(crate) end: Fs,
    /// Time that computations ran before `since`.
    pub(crate) busy: Fs,
}

impl Default for Device {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), running: None, left: 0, since: 0, speed: WHOLE_DEVICE, end: NEVER, busy: 0 }
    }
}

impl Device {
    /// A stream wants to compute for so long. Returns when the computation that runs will end, if that is news.
    pub fn submit(&mut self, stream: u32, work: Fs, now: Fs) -> Option<Fs> {
        self.waiting.push_back((stream, work));
        if self.running.is_some() { None } else { self.next(now) }
    }

    /// Operations take other shares from now on. Returns when the computation that runs will end, if one does.
    pub fn share(&mut self, shares: impl Iterator<Item = u32>, now: Fs) -> Option<Fs> {
        let whole = u64::from(WHOLE_DEVICE);
        let rest = |speed: u64, share: u32| (speed * (whole - u64::from(share).min(whole)) / whole).max(1);
        let speed = shares.fold(whole, rest) as u32;
        self.catch_up(now);
        self.speed = speed;
        self.running.map(|_| self.plan())
    }

    /// If the computation that runs ends now: its stream, and when the next one will end if there is one.
    pub fn ends(&mut self, now: Fs) -> Option<(u32, Option<Fs>)> {
        let stream = self.running.filter(|_| self.end == now)?;
        self.catch_up(now);
        self.running = None;
        Some((stream, self.next(now)))
    }

    /// The stream whose computation runs.
    pub fn running(&self) -> Option<u32> {
        self.running
    }

    /// Time that computations have run until now.
    pub fn busy(&self, now: Fs) -> Fs {
        self.busy + if self.running.is_some() { now - self.since } else { 0 }
    }

    fn next(&mut self, now: Fs) -> Option<Fs> {
        let (stream, work) = self.waiting.pop_front()?;
        (self.running, self.since) = (Some(stream), now);
        self.left = u128::from(work) * u128::from(WHOLE_DEVICE);
        Some(self.plan())
    }

    fn catch_up(&mut self, now: Fs) {
        if self.running.is_some() {
            self.busy += now - self.since;
            self.left = self.left.saturating_sub(u128::from(now - self.since) * u128::from(self.speed));
        }
        self.since = now;
    }

    fn plan(&mut self) -> Fs {
        let takes = self.left.div_ceil(u128::from(self.speed));
        self.end = u64::try_from(takes).map_or(NEVER - 1, |takes| self.since.saturating_add(takes).min(NEVER - 1));
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u32 = WHOLE_DEVICE / 2;

    #[test]
    fn one_at_a_time_first_come_first_served() {
        let mut device = Device::default();
        assert_eq!(device.submit(3, 100, 10), Some(110));
        assert_eq!(device.submit(1, 50, 20), None);
        assert_eq!(device.ends(100), None);
        assert_eq!(device.ends(110), Some((3, Some(160))));
        assert_eq!(device.busy(130), 120);
        assert_eq!(device.ends(160), Some((1, None)));
        assert_eq!(device.busy(500), 150);
    }

    #[test]
    fn shares_slow_it_while_they_last() {
        let mut device = Device::default();
        device.submit(0, 100, 0);
        assert_eq!(device.share([HALF].into_iter(), 40), Some(160)); // 60 left at half speed
        assert_eq!(device.share([HALF, HALF].into_iter(), 80), Some(240)); // 40 left at a quarter
        assert_eq!(device.share([].into_iter(), 120), Some(150)); // 30 left
        assert_eq!(device.ends(150), Some((0, None)));
        assert_eq!(device.busy(150), 150);
    }

    #[test]
    fn work_does_not_run_over() {
        let mut device = Device::default();
        device.share([WHOLE_DEVICE].into_iter(), 0);
        assert_eq!(device.submit(0, NEVER - 1, 5), Some(NEVER - 1));
    }
}
