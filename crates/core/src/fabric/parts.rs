//! An explicit graph in parts: which accelerators lie together, and what their links to everything else carry.
//!
//! **Invariant.** Every accelerator is in one part; the rate out of a part, switches that were given to it included, is that
//! of all links with one end in it, one way. **Cost.** O(links) to make, 4 bytes an accelerator to keep.

use super::graph::Graph;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// Part of each accelerator.
    pub part: Vec<u32>,
    /// Bit/s that leave each part.
    pub rate: Vec<f64>,
    /// Accelerators that always share a part: so many from each multiple of it on.
    pub block: u32,
}

impl Parts {
    /// From the part of each vertex, at rates by class.
    pub fn new(graph: &Graph, rates: &[u64], part: &[u32]) -> Self {
        let n = graph.accelerators();
        let mut rate = vec![0u128; part.iter().max().map_or(0, |&most| most as usize + 1)];
        for v in 0..n + graph.switches() {
            let own = part[v as usize];
            for p in 0..graph.ports(v) {
                if graph.peer(v, p).is_some_and(|end| part[end.0 as usize] != own) {
                    let class = usize::from(graph.class(v, p));
                    rate[own as usize] += u128::from(rates[class.min(rates.len() - 1)]);
                }
            }
        }
        let part: Vec<u32> = part[..n as usize].to_vec();
        let changes = (1..n).filter(|&a| part[a as usize] != part[a as usize - 1]);
        let block = changes.fold(n, gcd);
        Self { part, rate: rate.into_iter().map(|rate| rate as f64).collect(), block }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
