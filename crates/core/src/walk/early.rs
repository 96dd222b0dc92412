//! What arrived for steps that have not begun.
//!
//! **Invariant.** Sorted by tag, each tag once. **Cost.** O(log n) to find one; what comes and goes in order of steps moves nothing.
//! **Limits.** Stored without limit.

use std::collections::VecDeque;

use super::Time;

/// Progress that arrived for a step that has not begun.
#[derive(Clone, Copy, Debug, Default)]
pub struct Early<T> {
    /// Of the lane and step.
    pub tag: u32,
    /// Payload bytes and message ends.
    pub progress: i64,
    /// When the last of it came.
    pub latest: T,
}

/// All of it that a rank has.
#[derive(Clone, Debug, Default)]
pub struct Earlies<T>(VecDeque<Early<T>>);

impl<T: Time> Earlies<T> {
    /// Takes what came for a step.
    #[inline]
    pub fn take(&mut self, tag: u32) -> Option<Early<T>> {
        if self.0.is_empty() {
            return None;
        }
        let at = self.0.binary_search_by_key(&tag, |early| early.tag).ok()?;
        self.0.remove(at)
    }

    /// Something came for a step.
    pub fn add(&mut self, tag: u32, progress: i64, latest: T) {
        match self.0.binary_search_by_key(&tag, |early| early.tag) {
            Ok(at) => {
                let early = &mut self.0[at];
                (early.progress, early.latest) = (early.progress + progress, early.latest.later(latest));
            }
            Err(at) => self.0.insert(at, Early { tag, progress, latest }),
        }
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if nothing came early.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by tag, to be moved ahead together.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Early<T>> {
        self.0.iter_mut()
    }

    /// Bytes of state.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Early<T>>()
    }
}
