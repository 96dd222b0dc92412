//! Fiduccia-Mattheyses passes: two halves are made better by moving vertices one at a time.
//!
//! **Model.** A pass moves every vertex at most once, always the one by which the cut shrinks most (or grows least) of those
//! that keep the halves within a vertex's weight of each other, and then takes back what came after the best state; so it
//! climbs out of small dips. Among equal gains the vertex goes first whose gain changed last, which keeps to one place at a
//! time; then the lower number. An accelerator too many on a side counts a little more than it can cost to move it.
//!
//! **Invariant.** A pass never makes [`Halves::cost`] worse, and the same input gives the same halves. **Cost.** A pass is
//! O(E log E) at most, mostly far less: it gives up after [`patience`] moves in vain.
//!
//! **Source.** Kernighan & Lin, "An efficient heuristic procedure for partitioning graphs", BSTJ 49(2) 1970; Fiduccia &
//! Mattheyses, "A linear-time heuristic for improving network partitions", DAC 1982 (moves of one vertex; here a heap instead
//! of buckets, since weights differ widely); Hagen, Huang & Kahng, "On implementation choices for iterative improvement
//! partitioning algorithms", EURO-DAC 1995 (last in, first out).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::web::Web;
use crate::control::Control;
use crate::error::Result;

/// Passes over one web, at least and at most.
const PASSES: (usize, usize) = (3, 12);
/// Looks at an edge or a vertex that its passes may take, by a rough count.
const LOOKS: usize = 1 << 21;

/// Two sides of a web's vertices.
#[derive(Clone, Debug)]
pub(super) struct Halves {
    /// Which side each vertex is on.
    pub(super) upper: Vec<bool>,
    /// Weight of the upper side less that of the lower one.
    lead: i64,
    cut: i64,
}

/// Gain, when it changed last, vertex.
type Entry = (i64, u32, Reverse<u32>);

impl Halves {
    /// Sides as they are given.
    pub(super) fn new(web: &Web, upper: Vec<bool>) -> Self {
        let (mut lead, mut cut) = (0, 0);
        for v in 0..web.len() {
            lead += if upper[v] { web.weight[v] } else { -web.weight[v] };
            let across = |&&(u, _): &&(u32, i64)| upper[u as usize] != upper[v];
            cut += web.ends(v as u32).iter().filter(across).map(|end| end.1).sum::<i64>();
        }
        Self { upper, lead, cut: cut / 2 }
    }

    /// Accelerators that one side has too many, twice.
    fn excess(&self, parity: i64) -> i64 {
        self.lead.abs() - parity
    }

    /// The cut, and what it can cost to make the sides equal.
    pub(super) fn cost(&self, web: &Web) -> i64 {
        self.cut + self.excess(web.total() % 2) / 2 * web.toll
    }

    /// Makes passes until none helps.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub(super) fn refine(&mut self, web: &Web, control: &Control) -> Result<()> {
        for _ in 0..(LOOKS / web.work()).clamp(PASSES.0, PASSES.1) {
            if !self.pass(web, control)? {
                break;
            }
        }
        Ok(())
    }

    /// Moves accelerators one by one until the sides are equal, or differ by one where their number is odd.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub(super) fn level(&mut self, web: &Web, control: &Control) -> Result<()> {
        let parity = web.total() % 2;
        while self.excess(parity) > 0 {
            control.check()?;
            let heavy = self.lead > 0;
            let movable = |&v: &u32| web.weight[v as usize] == 1 && self.upper[v as usize] == heavy;
            let Some(v) = (0..web.len() as u32).filter(movable).max_by_key(|&v| (self.gain(web, v), Reverse(v))) else {
                break;
            };
            self.cut -= self.gain(web, v);
            self.flip(web, v);
        }
        Ok(())
    }

    /// By how much the cut shrinks if a vertex moves.
    fn gain(&self, web: &Web, v: u32) -> i64 {
        let side = self.upper[v as usize];
        web.ends(v).iter().map(|&(u, w)| if self.upper[u as usize] == side { -w } else { w }).sum()
    }

    fn flip(&mut self, web: &Web, v: u32) {
        let v = v as usize;
        self.upper[v] = !self.upper[v];
        self.lead += 2 * if self.upper[v] { web.weight[v] } else { -web.weight[v] };
    }

    /// One pass; true if it helped.
    fn pass(&mut self, web: &Web, control: &Control) -> Result<bool> {
        control.check()?;
        let n = web.len();
        let parity = web.total() % 2;
        let slack = parity + 2 * web.weight.iter().copied().max().unwrap_or(0);
        let mut gain: Vec<i64> = (0..n as u32).map(|v| self.gain(web, v)).collect();
        // when each gain changed last; a vertex that has moved is not moved again
        let mut stamp = vec![0u32; n];
        const MOVED: u32 = u32::MAX;
        // those that change the balance, by side, and those that do not
        let heap_of = |v: usize, upper: bool| if web.weight[v] == 0 { 2 } else { usize::from(upper) };
        let mut entries: [Vec<Entry>; 3] = Default::default();
        for v in 0..n {
            entries[heap_of(v, self.upper[v])].push((gain[v], 0, Reverse(v as u32)));
        }
        let mut heaps = entries.map(BinaryHeap::from);
        let before = self.cost(web);
        let (mut best, mut kept) = (before, 0);
        let (mut moved, mut clock) = (vec![], 0);
        while moved.len() - kept < patience(n) {
            if moved.len() % 1024 == 1023 {
                control.check()?;
            }
            let fits = |v: usize, upper: bool| {
                let after = self.lead + 2 * if upper { -web.weight[v] } else { web.weight[v] };
                after.abs() <= slack || after.abs() < self.lead.abs()
            };
            let mut choice: Option<(Entry, bool, usize)> = None;
            for (side, heap) in heaps.iter_mut().enumerate() {
                while heap.peek().is_some_and(|&(_, at, Reverse(v))| stamp[v as usize] != at) {
                    heap.pop();
                }
                let Some(&entry) = heap.peek() else { continue };
                let v = entry.2.0 as usize;
                // of equal gains, the one that evens out
                let heavier = side < 2 && (self.lead > 0) == self.upper[v] && self.lead != 0;
                if fits(v, self.upper[v])
                    && choice.is_none_or(|(top, even, _)| (entry.0, heavier, entry) > (top.0, even, top))
                {
                    choice = Some((entry, heavier, side));
                }
            }
            let Some((_, _, side)) = choice else { break };
            let Some((_, _, Reverse(v))) = heaps[side].pop() else { break };
            self.cut -= gain[v as usize];
            self.flip(web, v);
            stamp[v as usize] = MOVED;
            clock += 1;
            moved.push(v);
            for &(u, w) in web.ends(v) {
                let u = u as usize;
                if stamp[u] != MOVED {
                    gain[u] += if self.upper[u] == self.upper[v as usize] { -2 * w } else { 2 * w };
                    stamp[u] = clock;
                    heaps[heap_of(u, self.upper[u])].push((gain[u], clock, Reverse(u as u32)));
                }
            }
            if self.cost(web) < best {
                (best, kept) = (self.cost(web), moved.len());
            }
        }
        for &v in moved[kept..].iter().rev() {
            self.cut -= self.gain(web, v);
            self.flip(web, v);
        }
        Ok(best < before)
    }
}

/// Moves in vain after which a pass gives up.
fn patience(vertices: usize) -> usize {
    512 + vertices / 64
}
