//! Halves to start from: by rank, by breadth-first search, and by lot.
//!
//! **Model.** Ranks are numbered along the structure nearly always, so runs and stripes of them, as wide as the divisors of
//! half their number, are halves of lattices, cubes and groups. A search takes in what is near a vertex until it has half of
//! the accelerators. Lots find what has no structure. A switch stands where most of its links lead.
//!
//! **Invariant.** The sides have equally many accelerators, but for one vertex of weight. **Cost.** O(E) each.

use std::collections::VecDeque;

use super::web::Web;
use crate::control::Control;
use crate::error::Result;
use crate::rng::mix;

/// Most rounds in which switches look for their side.
const ROUNDS: u32 = 8;

/// Halves by ranks, at most so many: the first run, stripes from wide to narrow, and runs from further on.
///
/// # Errors
/// Those of [`Control::check`].
pub(super) fn by_rank(web: &Web, accelerators: u32, most: usize, control: &Control) -> Result<Vec<Vec<bool>>> {
    let half = accelerators / 2;
    let run = |from: u32| move |a: u32| (a + accelerators - from) % accelerators < half;
    let mut found = vec![placed(web, accelerators, run(0))];
    let even = accelerators.is_multiple_of(2);
    let widths = (1..half).rev().filter(|width| even && half.is_multiple_of(*width));
    for width in widths.take(most.saturating_sub(1) * 3 / 4) {
        control.check()?;
        found.push(placed(web, accelerators, |a| (a / width).is_multiple_of(2)));
    }
    let turns = (1..8).map(|k| (u64::from(half) * k / 8) as u32).filter(|&from| from > 0);
    for from in turns.take(most.saturating_sub(found.len())) {
        control.check()?;
        found.push(placed(web, accelerators, run(from)));
    }
    Ok(found)
}

/// Switches beside accelerators that have a side: where most of their links lead, once and again.
fn placed(web: &Web, accelerators: u32, upper: impl Fn(u32) -> bool) -> Vec<bool> {
    let n = accelerators as usize;
    // one side, the other, or none yet
    let mut side: Vec<i8> = vec![0; web.len()];
    (0..n).for_each(|a| side[a] = if upper(a as u32) { 1 } else { -1 });
    for _ in 0..ROUNDS {
        let mut changed = false;
        for s in n..web.len() {
            let pull: i64 = web.ends(s as u32).iter().map(|&(u, w)| i64::from(side[u as usize]) * w).sum();
            let now = if pull == 0 { side[s] } else { pull.signum() as i8 };
            changed |= now != side[s];
            side[s] = now;
        }
        if !changed {
            break;
        }
    }
    side.iter().map(|&side| side > 0).collect()
}

/// What a breadth-first search from a vertex takes in until it has half of the weight, and the vertex that it would reach last.
pub(super) fn grown(web: &Web, from: u32) -> (Vec<bool>, u32) {
    let (mut seen, mut upper) = (vec![false; web.len()], vec![false; web.len()]);
    let (mut left, mut last) = (web.total() / 2, from);
    let starts = std::iter::once(from).chain(0..web.len() as u32);
    for start in starts {
        if std::mem::replace(&mut seen[start as usize], true) {
            continue;
        }
        let mut queue = VecDeque::from([start]);
        while let Some(v) = queue.pop_front() {
            last = v;
            if left > 0 && web.weight[v as usize] <= left {
                upper[v as usize] = true;
                left -= web.weight[v as usize];
            }
            for &(u, _) in web.ends(v) {
                if !std::mem::replace(&mut seen[u as usize], true) {
                    queue.push_back(u);
                }
            }
        }
    }
    (upper, last)
}

/// Halves by lot.
pub(super) fn drawn(web: &Web, lot: u64) -> Vec<bool> {
    let key = |v: u32| mix(u64::from(v) ^ mix(lot + 1));
    let mut order: Vec<u32> = (0..web.len() as u32).collect();
    order.sort_by_key(|&v| (key(v), v));
    let (mut upper, mut left) = (vec![false; web.len()], web.total() / 2);
    for v in order {
        let weight = web.weight[v as usize];
        // what weighs nothing is tossed for
        if weight > 0 && weight <= left || weight == 0 && key(v) & 1 == 1 {
            upper[v as usize] = true;
            left -= weight;
        }
    }
    upper
}
