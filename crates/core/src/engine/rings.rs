//! Many small FIFO queues in one array.
//!
//! A [`Ring`] is a circular queue whose slots are a power-of-two block of the shared array; blocks are recycled by size.
//! Hundreds of thousands of queues cost 16 bytes each while empty and grow without bound when traffic piles up.
//!
//! **Invariant.** A block belongs to one ring or to one free list. **Cost.** O(1) amortised; a growing ring copies itself.
//! **Limits.** 2^32 entries in all.

use super::prefetch::prefetch;
use crate::control::give_up;

/// Handle of one queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ring {
    offset: u32,
    head: u32,
    len: u32,
    cap: u32,
}

impl Ring {
    /// Entries in the queue.
    #[inline(always)]
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    #[inline(always)]
    fn slot(&self, i: u32) -> usize {
        (self.offset + ((self.head + i) & (self.cap - 1))) as usize
    }
}

/// The shared array.
#[derive(Debug)]
pub(super) struct Rings<T> {
    data: Vec<T>,
    free: [Vec<u32>; 32],
    /// Entries of the first block of a ring, a power of two: what most rings need at their fullest, because growing there
    /// from less would leave as much again in freed blocks.
    first: u32,
}

/// Up to this many entries an insertion sort is the fastest.
const INSERTION: usize = 24;
/// An emptied ring gives back a block larger than this.
const KEEP_CAP: u32 = 16;

impl<T: Copy + Default> Rings<T> {
    /// No rings yet; `first` entries, a power of two, in the first block of each.
    pub(super) fn new(first: u32) -> Self {
        debug_assert!(first.is_power_of_two());
        Self { data: vec![], free: Default::default(), first }
    }

    /// Entry `i` from the head; `i < ring.len()`.
    #[inline(always)]
    pub(super) fn get(&self, ring: &Ring, i: u32) -> &T {
        &self.data[ring.slot(i)]
    }

    /// Entry `i` from the head; `i < ring.len()`.
    #[inline(always)]
    pub(super) fn get_mut(&mut self, ring: &Ring, i: u32) -> &mut T {
        &mut self.data[ring.slot(i)]
    }

    /// Asks for the cache lines where the ring is read and written next.
    #[inline(always)]
    pub(super) fn prefetch_ends(&self, ring: &Ring) {
        if ring.cap > 0 {
            prefetch(&self.data[ring.slot(0)]);
            prefetch(&self.data[ring.slot(2)]);
            prefetch(&self.data[ring.slot(4)]);
            prefetch(&self.data[ring.slot(ring.len)]);
        }
    }

    /// Asks for the cache line where the ring is written next.
    #[inline(always)]
    pub(super) fn prefetch_tail(&self, ring: &Ring) {
        if ring.cap > 0 {
            prefetch(&self.data[ring.slot(ring.len)]);
        }
    }

    /// Appends.
    #[inline(always)]
    pub(super) fn push(&mut self, ring: &mut Ring, value: T) {
        if ring.len == ring.cap {
            self.grow(ring);
        }
        ring.len += 1;
        let slot = ring.slot(ring.len - 1);
        self.data[slot] = value;
    }

    /// Appends all of `values`, of which there is at least one.
    #[inline]
    pub(super) fn extend(&mut self, ring: &mut Ring, values: &[T]) {
        while ring.cap - ring.len < values.len() as u32 {
            self.grow(ring);
        }
        let start = ring.slot(ring.len);
        let (first, rest) = values.split_at(values.len().min((ring.offset + ring.cap) as usize - start));
        self.data[start..start + first.len()].copy_from_slice(first);
        self.data[ring.offset as usize..ring.offset as usize + rest.len()].copy_from_slice(rest);
        ring.len += values.len() as u32;
    }

    /// The first `count` entries, in two pieces at most; the ring has as many, and at least one.
    #[inline]
    pub(super) fn front(&self, ring: &Ring, count: u32) -> (&[T], &[T]) {
        let start = ring.slot(0);
        let first = count.min(ring.offset + ring.cap - start as u32) as usize;
        let offset = ring.offset as usize;
        (&self.data[start..start + first], &self.data[offset..offset + count as usize - first])
    }

    /// The first entry at or after `from` for which `before` does not hold; it holds for no entry after one for which it does not.
    pub(super) fn partition_from(&self, ring: &Ring, from: u32, before: impl Fn(&T) -> bool) -> u32 {
        let (mut low, mut high) = (from, ring.len);
        while low < high {
            let mid = (low + high) / 2;
            if before(self.get(ring, mid)) { low = mid + 1 } else { high = mid }
        }
        low
    }

    /// Sorts the last `count` entries, few and nearly in order as a rule.
    #[inline]
    pub(super) fn sort_tail(&mut self, ring: &Ring, count: u32, after: impl Fn(&T, &T) -> bool) {
        let (first, last) = (ring.slot(ring.len - count), ring.slot(ring.len - 1));
        if first <= last {
            return insertion_sort(&mut self.data[first..=last], after);
        }
        // around the end of the block: on a copy
        let mut tail: Vec<T> = (ring.len - count..ring.len).map(|i| *self.get(ring, i)).collect();
        insertion_sort(&mut tail, after);
        for (i, value) in (ring.len - count..).zip(tail) {
            *self.get_mut(ring, i) = value;
        }
    }

    /// Removes entries from the head as long as `take` holds, handing each to `each`.
    #[inline(always)]
    pub(super) fn drain_while(&mut self, ring: &mut Ring, take: impl Fn(&T) -> bool, mut each: impl FnMut(&T)) {
        while ring.len > 0 && take(&self.data[ring.slot(0)]) {
            each(&self.data[ring.slot(0)]);
            self.skip(ring);
        }
    }

    /// Removes the head without reading it; the ring is not empty.
    #[inline(always)]
    pub(super) fn skip(&mut self, ring: &mut Ring) {
        self.consume(ring, 1);
    }

    /// Removes `count` entries from the head; the ring has as many.
    #[inline(always)]
    pub(super) fn consume(&mut self, ring: &mut Ring, count: u32) {
        ring.head = (ring.head + count) & ring.cap.wrapping_sub(1);
        ring.len -= count;
        if ring.len == 0 && ring.cap > KEEP_CAP {
            self.free[ring.cap.trailing_zeros() as usize].push(ring.offset);
            *ring = Ring::default();
        }
    }

    #[cold]
    fn grow(&mut self, ring: &mut Ring) {
        let cap = (ring.cap * 2).max(self.first);
        let offset = match self.free[cap.trailing_zeros() as usize].pop() {
            Some(offset) => offset,
            None => {
                let offset = self.data.len();
                self.reserve(cap as usize);
                self.data.resize(offset + cap as usize, T::default());
                offset as u32
            }
        };
        for i in 0..ring.len {
            self.data[(offset + i) as usize] = self.data[ring.slot(i)];
        }
        if ring.cap > 0 {
            self.free[ring.cap.trailing_zeros() as usize].push(ring.offset);
        }
        *ring = Ring { offset, head: 0, len: ring.len, cap };
    }

    /// Makes room at the end. Where the operating system gives none, nothing can go on in this shard: the run is left as
    /// by a panic, with the error that its caller sees.
    fn reserve(&mut self, more: usize) {
        if self.data.try_reserve(more).or_else(|_| self.data.try_reserve_exact(more)).is_err() {
            let bytes = (self.data.len() + more) as u64 * size_of::<T>() as u64;
            give_up("packets under way", bytes);
        }
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> u64 {
        (self.data.len() * size_of::<T>() + self.free.iter().map(|f| f.capacity() * 4).sum::<usize>()) as u64
    }
}

/// For a few entries that are nearly in order; `after` says that the first must come after the second.
#[inline(always)]
pub(super) fn insertion_sort<T: Copy>(items: &mut [T], after: impl Fn(&T, &T) -> bool) {
    if items.len() > INSERTION {
        return items.sort_unstable_by(|a, b| after(a, b).cmp(&after(b, a)));
    }
    for i in 1..items.len() {
        if !after(&items[i - 1], &items[i]) {
            continue;
        }
        let value = items[i];
        let mut to = i;
        while to > 0 && after(&items[to - 1], &value) {
            items[to] = items[to - 1];
            to -= 1;
        }
        items[to] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn behaves_like_separate_queues(ops in prop::collection::vec((0usize..5, 0u32..7), 0..2000)) {
            let mut rings = Rings::<u32>::new(4);
            let mut handles = [Ring::default(); 5];
            let mut models: [VecDeque<u32>; 5] = Default::default();
            for (n, (q, push)) in ops.into_iter().enumerate() {
                if push > 3 || models[q].is_empty() {
                    rings.push(&mut handles[q], n as u32);
                    models[q].push_back(n as u32);
                } else if push > 2 {
                    let more: Vec<u32> = (0..n as u32 % 40 + 1).collect();
                    rings.extend(&mut handles[q], &more);
                    models[q].extend(more);
                } else {
                    prop_assert_eq!(Some(*rings.get(&handles[q], 0)), models[q].pop_front());
                    rings.skip(&mut handles[q]);
                }
                prop_assert_eq!(handles[q].len() as usize, models[q].len());
                if let Some(count) = (handles[q].len()).checked_sub(1) {
                    let (first, rest) = rings.front(&handles[q], count + 1);
                    prop_assert!(first.iter().chain(rest).eq(models[q].iter()));
                }
                for (i, v) in models[q].iter().enumerate() {
                    prop_assert_eq!(rings.get(&handles[q], i as u32), v);
                }
            }
        }
    }
    #[test]
    fn a_search_goes_on_from_where_it_is_told() {
        // 5 to 19 in a block of 32
        let (mut rings, mut ring) = (Rings::<u32>::new(4), Ring::default());
        (0..20).for_each(|value| rings.push(&mut ring, value));
        rings.consume(&mut ring, 5);
        for from in 0..=15 {
            for limit in 0..25u32 {
                let found = rings.partition_from(&ring, from, |&value| value < limit);
                assert_eq!(found, limit.saturating_sub(5).clamp(from, 15), "{from} {limit}");
            }
        }
    }
}
