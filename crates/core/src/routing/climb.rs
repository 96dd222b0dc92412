//! Which way up: the selector of a packet from the positions and counters that its policy goes by.
//!
//! At each tier a packet chooses among `up * parallel` uplinks. The choice is the packet's digit there: the digit of a
//! position (its destination's: D-mod-k; its source's: S-mod-k) plus a counter's digit (spraying). The addition is done
//! place by place in the digits that a symmetry of the run shifts ([`crate::symmetry`]), so that shifting all positions
//! shifts all uplinks alike: the routes have the symmetry, too.
//!
//! **Invariant.** In a full tree (as many uplinks as children) different digits take different uplinks, so every
//! destination (D-mod-k) has a path down of its own.
//!
//! **Cost.** Four divisions per tier, only when a packet is made. **Source.** Zahavi, JPDC 72(11) 2012, generalised:
//! with fewer uplinks than children each tier takes its own digit modulo its uplinks.

use crate::fabric::clos::Clos;
use crate::radix::{Digit, Radix};

/// How packets climb one tree.
#[derive(Clone, Debug)]
pub struct Climb {
    tiers: Vec<Step>,
    /// Number of different selectors.
    paths: u32,
}

/// From one tier to the next.
#[derive(Clone, Debug)]
struct Step {
    /// Positions beneath a child of the lower switch, and its children.
    below: u32,
    children: u32,
    choices: u32,
    /// The places of a choice; together all of it.
    places: Radix,
    /// The places that folding leaves out, and where the rest stands in the selector of the folded tree.
    folded: Radix,
    digit: u32,
}

impl Climb {
    /// For a tree whose tier `t` has these digits (of the choice among uplinks) shifted by the run's symmetry.
    pub fn new(tree: &Clos, shifted: &[Vec<Digit>]) -> Self {
        let tiers = tree.tiers();
        let step = |t: usize| {
            let choices = tiers[t + 1].up * tiers[t + 1].parallel;
            let none = vec![];
            let mut edges = vec![1, choices];
            for digit in shifted.get(t).unwrap_or(&none) {
                edges.extend([digit.stride, digit.end()]);
            }
            edges.sort_unstable();
            edges.dedup();
            let places = edges.windows(2).map(|w| Digit { stride: w[0], size: w[1] / w[0] }).collect();
            Step {
                below: tiers[t].child_positions,
                children: tiers[t].down,
                choices,
                places: Radix::new(places),
                folded: Radix::default(),
                digit: tiers[t + 1].digit,
            }
        };
        Self { tiers: (0..tiers.len() - 1).map(step).collect(), paths: paths(tree) }
    }

    /// The same climb in a tree that was folded by these digits.
    pub fn fold(mut self, folded: &Clos, shifted: &[Vec<Digit>]) -> Self {
        self.tiers.truncate(folded.tiers().len() - 1);
        self.paths = paths(folded);
        for (t, step) in self.tiers.iter_mut().enumerate() {
            step.folded = Radix::new(shifted.get(t).cloned().unwrap_or_default());
            step.digit = folded.tiers()[t + 1].digit;
        }
        self
    }

    /// The selector of a packet on this way up, which is below [`Climb::paths`], with a number above all digits of the way.
    #[inline]
    pub fn above(&self, way: u32, number: u32) -> u32 {
        way + number * self.paths
    }

    /// Number of different selectors.
    pub fn paths(&self) -> u32 {
        self.paths
    }

    /// Counts that differ by this take the same path from anywhere; zero if there is no such number below 2^32.
    pub fn period(&self) -> u32 {
        let (mut below, mut period) = (1u64, 1u64);
        for step in &self.tiers {
            let kept = step.places.digits().iter().filter(|p| !step.folded.digits().contains(p));
            // what is folded away stands below a kept place without changing it
            period = kept.map(|p| below.saturating_mul(p.end().into())).max().unwrap_or(period);
            below = below.saturating_mul(step.choices.into());
        }
        u32::try_from(period).unwrap_or(0)
    }

    /// The choices of a packet that goes by this position and counter and turns at tier `turn`, as one number.
    #[inline]
    pub fn selector(&self, position: u32, mut count: u32, turn: u8) -> u32 {
        let mut selector = 0;
        for step in self.tiers.iter().take(usize::from(turn)) {
            let digit = position / step.below % step.children;
            let over = count / step.choices;
            let choice = match step.places.digits() {
                // the only place is all of the choice
                [whole] if whole.stride == 1 => {
                    let sum = digit % step.choices + (count - over * step.choices);
                    if sum >= step.choices { sum - step.choices } else { sum }
                }
                places => places.iter().map(|p| (p.of(digit) + p.of(count)) % p.size * p.stride).sum(),
            };
            count = over;
            selector += step.folded.remove(choice) * step.digit;
        }
        selector
    }
}

/// Different ways up a tree.
fn paths(tree: &Clos) -> u32 {
    tree.tiers().iter().fold(1, |paths: u32, t| paths.saturating_mul(t.up * t.parallel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counters_visit_every_path(x: u32, up in prop::collection::vec(1u32..5, 2)) {
            // as many consecutive counts as there are paths take all of them
            let tree = Clos::new(&[3, 4, 2], &[1, up[0], up[1]], &[1, 1, 2]).unwrap();
            let climb = Climb::new(&tree, &[]);
            let paths = up[0] * up[1] * 2;
            let mut seen: Vec<u32> = (0..paths).map(|c| climb.selector(x % tree.positions(), c, 2)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..paths).collect::<Vec<_>>());
        }

        #[test]
        fn counts_a_period_apart_take_one_path(x in 0u32..64, count in 0u32..1000, by in 0u32..5, low: bool) {
            let tree = Clos::new(&[8, 8], &[1, 4], &[1, 2]).unwrap();
            let digit = if low { Digit { stride: 1, size: 4 } } else { Digit { stride: 4, size: 2 } };
            let folded = Clos::new(if low { &[2, 8] } else { &[4, 8] }, if low { &[1, 1] } else { &[1, 4] }, &[1, if low { 2 } else { 1 }]).unwrap();
            let whole = Climb::new(&tree, &[vec![digit]]);
            prop_assert_eq!(whole.period(), 8);
            let climb = whole.fold(&folded, &[vec![digit]]);
            prop_assert_eq!(climb.period(), if low { 8 } else { 4 });
            prop_assert_eq!(climb.selector(x, count, 1), climb.selector(x, count + by * climb.period(), 1));
        }

        #[test]
        fn shifting_positions_shifts_choices(x in 0u32..64, count: u32, by in 0u32..4) {
            // 8 x 8 positions, 8 uplinks; the low digit (of 4) of the leaf's 8 places is shifted
            let tree = Clos::new(&[8, 8], &[1, 8], &[1, 1]).unwrap();
            let digit = Digit { stride: 1, size: 4 };
            let climb = Climb::new(&tree, &[vec![digit]]);
            let group = Radix::new(vec![digit]);
            let moved = climb.selector(group.add(x, by), count, 1);
            prop_assert_eq!(moved, group.add(climb.selector(x, count, 1), by));
        }
    }
}
