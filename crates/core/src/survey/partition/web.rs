//! A graph as partitioning sees it: one edge between two vertices, weighing what its links carry; vertices weigh as many
//! accelerators as they stand for.
//!
//! **Invariant.** Each edge is there from either end, neighbours of a vertex in order; no sum of weights overflows, for which
//! rates are taken by their greatest common divisor and, if that does not do, rounded. **Cost.** O(links) memory and time.

use crate::fabric::graph::Graph;

/// Larger sums than this are avoided.
const MOST: u128 = 1 << 60;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Web {
    first: Vec<usize>,
    ends: Vec<(u32, i64)>,
    /// Accelerators by vertex.
    pub(super) weight: Vec<i64>,
    /// Vertices of the graph by vertex.
    pub(super) size: Vec<i64>,
    /// More than moving one accelerator to the other side can cost.
    pub(super) toll: i64,
}

impl Web {
    /// Of a graph with these rates by class, vertex by vertex.
    pub(super) fn new(graph: &Graph, rates: &[u64]) -> Self {
        let n = graph.accelerators();
        let vertices = n + graph.switches();
        let units = units(graph, rates);
        let links = |v: u32| {
            let mut links: Vec<(u32, i64)> = (0..graph.ports(v))
                .filter_map(|p| Some((graph.peer(v, p)?.0, units[usize::from(graph.class(v, p))])))
                .collect();
            links.sort_unstable();
            links
        };
        let (mut first, mut ends) = (vec![0], vec![]);
        for v in 0..vertices {
            let from = ends.len();
            for link in links(v) {
                join(&mut ends, from, link);
            }
            first.push(ends.len());
        }
        let mut web = Self {
            first,
            ends,
            weight: (0..vertices).map(|v| i64::from(v < n)).collect(),
            size: vec![1; vertices as usize],
            toll: 0,
        };
        let degree = |a: u32| web.ends(a).iter().map(|end| end.1).sum::<i64>();
        web.toll = 1 + (0..n).map(degree).max().unwrap_or(0);
        web
    }

    /// The same with vertices joined that `map` gives the same number below `count`.
    pub(super) fn joined(&self, map: &[u32], count: u32) -> Self {
        let count = count as usize;
        let mut first = vec![0usize; count + 1];
        map.iter().for_each(|&m| first[m as usize + 1] += 1);
        (0..count).for_each(|m| first[m + 1] += first[m]);
        let (mut next, mut members) = (first.clone(), vec![0; map.len()]);
        for (v, &m) in map.iter().enumerate() {
            members[next[m as usize]] = v as u32;
            next[m as usize] += 1;
        }
        let mut web =
            Self { first: vec![0], ends: vec![], weight: vec![0; count], size: vec![0; count], toll: self.toll };
        // the place of each neighbour in the list under construction, if it is in there
        let mut place = vec![usize::MAX; count];
        for m in 0..count {
            let from = web.ends.len();
            for &v in &members[first[m]..first[m + 1]] {
                web.weight[m] += self.weight[v as usize];
                web.size[m] += self.size[v as usize];
                for &(u, w) in self.ends(v) {
                    let to = map[u as usize];
                    if to as usize == m {
                        continue;
                    }
                    let at = place[to as usize];
                    if at < web.ends.len() && at >= from {
                        web.ends[at].1 += w;
                    } else {
                        place[to as usize] = web.ends.len();
                        web.ends.push((to, w));
                    }
                }
            }
            web.ends[from..].sort_unstable();
            // places were those before sorting: none of them is asked for again
            web.first.push(web.ends.len());
        }
        web
    }

    /// Number of vertices.
    pub(super) fn len(&self) -> usize {
        self.weight.len()
    }

    /// Neighbours and the weights of the edges to them.
    pub(super) fn ends(&self, vertex: u32) -> &[(u32, i64)] {
        &self.ends[self.first[vertex as usize]..self.first[vertex as usize + 1]]
    }

    /// What a look at everything takes.
    pub(super) fn work(&self) -> usize {
        self.ends.len() + self.len()
    }

    /// Accelerators.
    pub(super) fn total(&self) -> i64 {
        self.weight.iter().sum()
    }
}

/// Adds a link to a list in order, from the place on where its vertex begins.
fn join(ends: &mut Vec<(u32, i64)>, from: usize, (to, weight): (u32, i64)) {
    match ends[from..].last_mut() {
        Some(last) if last.0 == to => last.1 += weight,
        _ => ends.push((to, weight)),
    }
}

/// Rates as small whole numbers of the same proportions, as far as sums allow.
fn units(graph: &Graph, rates: &[u64]) -> Vec<i64> {
    let rate = |class: usize| rates[class.min(rates.len() - 1)];
    let classes = graph.links().len();
    let used = || (0..classes).filter(|&c| graph.links()[c] > 0);
    let common = used().map(rate).fold(0, gcd).max(1);
    let largest = u128::from(used().map(rate).max().unwrap_or(1) / common);
    let vertices = u128::from(graph.accelerators() + graph.switches());
    // a vertex has fewer than 2^14 ports
    let sum = largest * (vertices << 14);
    let shift = (0..64).find(|&shift| sum >> shift < MOST).unwrap_or(63);
    (0..classes).map(|c| ((rate(c) / common) >> shift).max(1) as i64).collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
