//! Distances in a graph: in links, or by weight.
//!
//! **Model.** A table of all pairs of vertices that forward, filled by breadth-first search from 64 switches at a time, a bit each; a link of
//! weight w is passed w rounds later. Distances of accelerators that do not forward follow from the switches that they are plugged into.
//!
//! **Invariant.** A distance is that of a path through vertices that forward only. **Cost.** O(n^2 + n x ports / 64 x diameter)
//! of n such vertices once, a byte a pair; a look at the links of an accelerator a query. The longest: O(kinds x n + kinds^2) x ports, where a kind are accelerators with the
//! same neighbours. **Limits.** Vertices that forward are at most 254 apart.

use super::{Graph, NONE, NOWHERE, Refusal};
use crate::control::{Control, filled};
use crate::error::Result as Checked;

/// Two accelerators that are as far from everything as each other, or one twice.
type Twins = [u32; 2];

/// How far vertices that forward are apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Metric {
    /// Of a link, by class.
    pub(super) weights: Vec<u8>,
    /// From the `s`-th of n to the `t`-th: `apart[t * n + s]`.
    apart: Vec<u8>,
}

impl Metric {
    /// Distances of all that forward to one of them.
    pub(super) fn row(&self, graph: &Graph, to: u32) -> &[u8] {
        let (n, t) = (graph.forward(), (to - graph.base) as usize);
        &self.apart[t * n..(t + 1) * n]
    }
}

impl Graph {
    /// How many vertices forward.
    pub(super) fn forward(&self) -> usize {
        self.first.len() - 1 - self.base as usize
    }

    /// Distance from a vertex to an accelerator.
    pub(super) fn far(&self, metric: &Metric, from: u32, to: u32) -> Option<u32> {
        if from == to {
            return Some(0);
        }
        if from >= self.base && to >= self.base {
            return Some(u32::from(self.between(metric, from, to))).filter(|&far| far < NONE.into());
        }
        let weight = |v: u32, p: usize| u32::from(metric.weights[usize::from(self.class(v, p as u32))]);
        if from < self.accelerators {
            let near = self.near[from as usize] as usize;
            let over = |(p, end): (usize, &(u32, u32))| match p < near {
                true => (end.0 == to).then(|| weight(from, p)),
                false => self.far(metric, end.0, to).map(|far| far + weight(from, p)),
            };
            return self.ends(from).iter().enumerate().filter_map(over).min();
        }
        // the last switch of the path is one that the accelerator is plugged into
        let near = self.near[to as usize] as usize;
        let over = |(i, home): (usize, &(u32, u32))| {
            let apart = self.between(metric, from, home.0);
            (apart < NONE).then(|| u32::from(apart) + weight(to, near + i))
        };
        self.homes(to).iter().enumerate().filter_map(over).min()
    }

    /// Distance between two vertices that forward.
    pub(super) fn between(&self, metric: &Metric, from: u32, to: u32) -> u8 {
        metric.row(self, to)[(from - self.base) as usize]
    }

    /// Distances between all pairs of vertices that forward, by breadth-first search from 64 at a time, a bit each. A link of weight w is
    /// passed w rounds later.
    pub(super) fn measure(&self, weights: Vec<u8>, control: &Control) -> Checked<Metric> {
        let n = self.forward();
        let pairs = n as u64 * n as u64;
        control.need(&format!("the distances between {n} vertices that forward"), pairs, "take a smaller graph")?;
        let mut apart = filled("a table of distances", n * n, NONE)?;
        let rounds = usize::from(weights.iter().copied().max().unwrap_or(1)) + 1;
        for batch in (0..n).step_by(64) {
            let mut seen = vec![0u64; n];
            // who is reached in this round and the next ones
            let mut due = vec![vec![0u64; n]; rounds];
            for (bit, t) in (batch..n.min(batch + 64)).enumerate() {
                due[0][t] = 1 << bit;
            }
            for far in 0..NONE {
                control.check()?;
                if due.iter().all(|round| round.iter().all(|&bits| bits == 0)) {
                    break;
                }
                let here = std::mem::replace(&mut due[usize::from(far) % rounds], vec![0; n]);
                for s in 0..n {
                    let new = here[s] & !seen[s];
                    if new == 0 {
                        continue;
                    }
                    seen[s] |= new;
                    let mut bits = new;
                    while bits != 0 {
                        apart[(batch + bits.trailing_zeros() as usize) * n + s] = far;
                        bits &= bits - 1;
                    }
                    let v = self.base + s as u32;
                    for p in self.through(v) {
                        let t = (self.ends(v)[p as usize].0 - self.base) as usize;
                        let weight = usize::from(weights[usize::from(self.class(v, p))]);
                        due[(usize::from(far) + weight) % rounds][t] |= new & !seen[t];
                    }
                }
            }
        }
        Ok(Metric { weights, apart })
    }

    /// The longest of all shortest paths between accelerators.
    pub(super) fn longest(&self, control: &Control) -> Result<(u32, (u32, u32)), Refusal> {
        // accelerators plugged into the same switches are as far from everything
        let mut kinds = std::collections::BTreeMap::new();
        for a in 0..self.accelerators {
            let near = &self.ends(a)[..self.near[a as usize] as usize];
            let mut ends: Vec<u32> = near.iter().chain(self.homes(a)).map(|end| end.0).collect();
            ends.sort_unstable();
            ends.dedup();
            kinds.entry(ends).or_insert([a, a])[1] = a;
        }
        // nearly always an accelerator is so far from the one vertex that forwards for it; others are looked at link by link
        let metric = self.metric();
        let plain = |a: u32| {
            let (home, near) = (self.home[a as usize], self.near(a));
            let weight = |port| u32::from(metric.weights[usize::from(self.class(a, port))]);
            match self.forwards() {
                true => Some((a, 0)),
                false => (near == 0 && home != NOWHERE).then(|| (home, weight(0))),
            }
        };
        let kinds: Vec<(Twins, Option<(u32, u32)>)> = kinds.into_values().map(|two| (two, plain(two[0]))).collect();
        let mut longest = (0, (0, 0));
        let mut see = |x: u32, y: u32, far: u32| {
            if far == NOWHERE {
                return Err(self.apart_by(x.min(y), x.max(y)));
            }
            if far > longest.0 {
                longest = (far, (x, y));
            }
            Ok(())
        };
        let all_plain = kinds.iter().all(|kind| kind.1.is_some());
        for &([x, twin], here) in &kinds {
            control.check()?;
            if twin != x {
                see(x, twin, self.far(metric, x, twin).unwrap_or(NOWHERE))?;
            }
            let row = here.map(|(home, own)| (metric.row(self, home), own));
            let reach = if all_plain { vec![] } else { self.reach(x) };
            for &([y, _], there) in kinds.iter().filter(|kind| kind.0[0] != x) {
                let far = match (row, there) {
                    (Some((row, own)), Some((home, other))) => match row[(home - self.base) as usize] {
                        NONE => NOWHERE,
                        apart => own + u32::from(apart) + other,
                    },
                    _ => self.reached(&reach, x, y),
                };
                see(x, y, far)?;
            }
        }
        Ok(longest)
    }

    /// Distances of all that forward from an accelerator; [`NOWHERE`] if there is no path.
    fn reach(&self, from: u32) -> Vec<u32> {
        let (metric, near) = (self.metric(), self.near[from as usize]);
        let itself = [(from, 0)];
        let homes = if self.forwards() { &itself } else { self.homes(from) };
        let mut reach = vec![NOWHERE; self.forward()];
        for (p, home) in (near..).zip(homes) {
            let weight = if self.forwards() { 0 } else { u32::from(metric.weights[usize::from(self.class(from, p))]) };
            for (reach, &apart) in reach.iter_mut().zip(metric.row(self, home.0)).filter(|(_, apart)| **apart < NONE) {
                *reach = (*reach).min(u32::from(apart) + weight);
            }
        }
        reach
    }

    /// Distance from one accelerator, from which all that forward are so far, to another; [`NOWHERE`] if there is no path.
    fn reached(&self, reach: &[u32], from: u32, to: u32) -> u32 {
        if self.forwards() {
            return reach[to as usize];
        }
        let (metric, near) = (self.metric(), self.near[to as usize] as usize);
        let over = |(p, end): (usize, &(u32, u32))| {
            let before = if p >= near {
                reach[(end.0 - self.base) as usize]
            } else if end.0 == from {
                0
            } else {
                NOWHERE
            };
            before.saturating_add(metric.weights[usize::from(self.class(to, p as u32))].into())
        };
        self.ends(to).iter().enumerate().map(over).min().unwrap_or(NOWHERE)
    }

    /// Why there is no distance between two accelerators.
    fn apart_by(&self, x: u32, y: u32) -> Refusal {
        let planes = |a: u32| {
            let homes: Vec<u32> =
                if self.forwards() { vec![a] } else { self.homes(a).iter().map(|end| end.0).collect() };
            homes.into_iter().map(|home| self.plane[(home - self.base) as usize])
        };
        if planes(x).any(|plane| planes(y).any(|other| other == plane)) {
            let what = if self.weight_apart.is_some() { "weight" } else { "links" };
            let problem = format!("more than {} {what} between accelerators {x} and {y}", NONE - 1);
            return Refusal::Wrong(problem, "shorter paths in an explicit graph, or a torus".into());
        }
        let more = if self.forwards() { "" } else { "; accelerators do not forward" };
        Refusal::Wrong(format!("no path between accelerators {x} and {y}"), format!("a connected graph{more}"))
    }
}
