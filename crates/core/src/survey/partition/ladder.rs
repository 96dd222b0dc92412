//! Coarser and coarser pictures of a web: clumps that should stay together become one vertex.
//!
//! **Model.** On the first rung each switch has taken in the accelerators that are plugged into it alone, or whole components
//! have come together; then vertices pair up, each with the neighbour that it has the heaviest edge to for the size
//! of the two, until few are left. Halves of a coarse web are halves of the finer ones, to be refined rung by rung.
//!
//! **Invariant.** The same input gives the same rungs. **Cost.** O(E) a rung, and rungs shrink.
//!
//! **Source.** Hendrickson & Leland, "A multilevel algorithm for partitioning graphs", SC 1995; Karypis & Kumar, "A fast and
//! high quality multilevel scheme for partitioning irregular graphs", SIAM J. Sci. Comput. 20(1) 1998 (heavy edges).

use super::refine::Halves;
use super::web::Web;
use crate::control::Control;
use crate::error::Result;
use crate::fabric::graph::Graph;

/// Vertices that are few enough.
const FEW: usize = 32;
/// No vertex.
const NONE: u32 = u32::MAX;

/// Webs from fine to coarse.
#[derive(Debug)]
pub(super) struct Ladder<'a> {
    base: &'a Web,
    /// From vertices of the rung below, and the web that they make.
    rungs: Vec<(Vec<u32>, Web)>,
}

impl<'a> Ladder<'a> {
    /// With these clumps of the graph's vertices on the first rung, and pairs from there on.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub(super) fn new(base: &'a Web, clumps: Vec<u32>, control: &Control) -> Result<Self> {
        let mut ladder = Self { base, rungs: vec![] };
        ladder.add(clumps);
        while ladder.top().len() > FEW {
            control.check()?;
            let (before, pairs) = (ladder.top().len(), pairs(ladder.top()));
            ladder.add(pairs);
            // where nothing can pair up, as round the middle of a star, more rungs do not help
            if ladder.top().len() * 20 > before * 19 {
                break;
            }
        }
        Ok(ladder)
    }

    fn add(&mut self, map: Vec<u32>) {
        let count = 1 + map.iter().copied().max().unwrap_or(0);
        let web = self.top().joined(&map, count);
        self.rungs.push((map, web));
    }

    /// The coarsest web.
    pub(super) fn top(&self) -> &Web {
        self.rungs.last().map_or(self.base, |rung| &rung.1)
    }

    /// Halves of the base that come from halves of the top, refined on every rung.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub(super) fn descend(&self, mut halves: Halves, control: &Control) -> Result<Halves> {
        for i in (0..self.rungs.len()).rev() {
            let finer = if i == 0 { self.base } else { &self.rungs[i - 1].1 };
            let upper = self.rungs[i].0.iter().map(|&m| halves.upper[m as usize]).collect();
            halves = Halves::new(finer, upper);
            halves.refine(finer, control)?;
        }
        Ok(halves)
    }

    /// Sides of the top for halves of the base: those of most accelerators, or vertices, of each clump.
    pub(super) fn ascend(&self, upper: &[bool]) -> Halves {
        let mut vote: Vec<i64> = (0..self.base.len())
            .map(|v| (1 + self.base.weight[v] * self.base.len() as i64) * if upper[v] { 1 } else { -1 })
            .collect();
        for (map, web) in &self.rungs {
            let mut above = vec![0; web.len()];
            map.iter().zip(&vote).for_each(|(&m, vote)| above[m as usize] += vote);
            vote = above;
        }
        Halves::new(self.top(), vote.iter().map(|&vote| vote > 0).collect())
    }

    /// Clump of each vertex of the base, rung by rung.
    pub(super) fn clumps(&self) -> Vec<Vec<u32>> {
        let mut clump: Vec<u32> = (0..self.base.len() as u32).collect();
        let up = |(map, _): &(Vec<u32>, Web)| {
            clump.iter_mut().for_each(|c| *c = map[*c as usize]);
            clump.clone()
        };
        self.rungs.iter().map(up).collect()
    }
}

/// Vertices in pairs, those that fit best first.
fn pairs(web: &Web) -> Vec<u32> {
    let n = web.len();
    // a clump larger than this could not be put on either side
    let most = (web.total() / 8).max(1);
    let mut map = vec![NONE; n];
    let mut count = 0;
    for v in 0..n as u32 {
        if map[v as usize] != NONE {
            continue;
        }
        let mut best: Option<(u32, i64)> = None;
        for &(u, w) in web.ends(v) {
            let fits = map[u as usize] == NONE && web.weight[u as usize] + web.weight[v as usize] <= most;
            let better = |(b, x): (u32, i64)| {
                i128::from(w) * i128::from(web.size[b as usize]) > i128::from(x) * i128::from(web.size[u as usize])
            };
            if fits && best.is_none_or(better) {
                best = Some((u, w));
            }
        }
        map[v as usize] = count;
        if let Some((u, _)) = best {
            map[u as usize] = count;
        }
        count += 1;
    }
    map
}

/// Each switch with the accelerators that have a link to it and to no other vertex.
pub(super) fn homes(graph: &Graph, web: &Web) -> Vec<u32> {
    let mut parent: Vec<u32> = (0..web.len() as u32).collect();
    for a in 0..graph.accelerators() {
        if let &[(home, _)] = web.ends(a)
            && home >= graph.accelerators()
        {
            parent[a as usize] = home;
        }
    }
    numbered(&parent)
}

/// Components of a graph by the links of some classes only, accelerators with the switches that they are plugged into.
pub(super) fn components(graph: &Graph, keeps: impl Fn(u16) -> bool) -> Vec<u32> {
    let n = graph.accelerators();
    let mut parent: Vec<u32> = (0..n + graph.switches()).collect();
    fn root(parent: &mut [u32], mut v: u32) -> u32 {
        while parent[v as usize] != v {
            parent[v as usize] = parent[parent[v as usize] as usize];
            v = parent[v as usize];
        }
        v
    }
    for v in 0..parent.len() as u32 {
        for p in 0..graph.ports(v) {
            let Some((u, _)) = graph.peer(v, p) else { continue };
            let plug = (v < n) != (u < n);
            if u > v && (plug || keeps(graph.class(v, p))) {
                let (x, y) = (root(&mut parent, v), root(&mut parent, u));
                parent[x.max(y) as usize] = x.min(y);
            }
        }
    }
    let roots: Vec<u32> = (0..parent.len() as u32).map(|v| root(&mut parent, v)).collect();
    numbered(&roots)
}

/// The same groups, numbered from 0 in the order in which they come.
fn numbered(group: &[u32]) -> Vec<u32> {
    let mut number = vec![NONE; group.len()];
    let mut count = 0;
    let of = |&g: &u32| {
        let at = &mut number[g as usize];
        if *at == NONE {
            (*at, count) = (count, count + 1);
        }
        *at
    };
    group.iter().map(of).collect()
}
