//! Narrow cuts of an explicit graph: between two halves of its accelerators, and around parts that lie close together.
//!
//! **Model.** The narrowest halves of a graph are hard to find (NP-hard in general), so they are looked for: many starts
//! ([`seeds`]), on webs of clumps ([`ladder`]) and on the graph itself, are made better by moves of single vertices
//! ([`refine`]), and the best is kept. On the way there are parts to cut out: each switch with its accelerators, the
//! components that links of some classes leave (the groups of a dragonfly, the rows of a HyperX), and the clumps of the ladder.
//!
//! **Invariant.** Halves have equally many accelerators, or differ by one where their number is odd; switches stand on either
//! side. What is found is a cut, so the true bisection is never wider; the rate of each cut is exact. The same graph gives the
//! same cuts.
//!
//! **Cost.** O(E log E) a start; the more starts the smaller the graph is, so that a search takes milliseconds up to a few
//! thousand links, and with a million about a second. **Limits.** That nothing narrower exists is not shown. The tests compare
//! random graphs of up to ten accelerators with every choice of halves (one in some thousands is missed), and families with
//! their closed forms.

mod ladder;
mod refine;
mod seeds;
mod web;

use crate::fabric::Network;
use crate::fabric::graph::Graph;
use crate::fabric::parts::Parts;
use ladder::{Ladder, components, homes};
use refine::Halves;
use web::Web;

/// Looks at an edge or a vertex that all starts together may take, by a rough count.
const WORK: usize = 1 << 21;
/// Starts of a kind, at most and at least.
const STARTS: (usize, usize) = (24, 2);

/// Cuts of one copy of a network that is a graph, kept with it: the narrowest halves found, then other parts.
pub fn cuts(net: &Network, graph: &Graph) -> std::sync::Arc<Vec<Parts>> {
    net.parts(|| {
        let rates: Vec<u64> = net.spec.links.iter().map(|link| link.rate.0).collect();
        search(graph, &rates)
    })
}

/// The narrowest halves found, and other parts.
fn search(graph: &Graph, rates: &[u64]) -> Vec<Parts> {
    let base = Web::new(graph, rates);
    let homes = homes(graph, &base);
    let mut whole: Vec<Vec<u32>> = vec![];
    for class in 0..graph.links().len().min(usize::from(u16::MAX)) {
        let rate = |c: u16| rates[usize::from(c).min(rates.len() - 1)];
        // without one class, and without those that are no faster
        let without: [&dyn Fn(u16) -> bool; 2] =
            [&|c| usize::from(c) != class, &|c| rate(c) > rate(class as u16)];
        for keeps in without {
            let found = components(graph, keeps);
            if found.iter().any(|&group| group > 0) && !whole.contains(&found) {
                whole.push(found);
            }
        }
    }
    let mut ladders = vec![Ladder::new(&base, std::slice::from_ref(&homes))];
    ladders.extend(whole.iter().map(|found| Ladder::new(&base, std::slice::from_ref(found))));
    let mut parts = vec![halves(graph, &base, &ladders)];
    parts.extend(ladders[0].clumps());
    parts.extend(whole);
    parts.dedup();
    parts.iter().map(|part| Parts::new(graph, rates, part)).collect()
}

/// Side of each vertex in the narrowest halves found.
fn halves(graph: &Graph, base: &Web, ladders: &[Ladder<'_>]) -> Vec<u32> {
    let starts = (WORK / base.work() / 4).clamp(STARTS.1, STARTS.0);
    let mut found: Vec<Halves> = vec![];
    for ladder in ladders {
        let top = ladder.top();
        let some = starts.min(top.len());
        let mut tops: Vec<Halves> = vec![];
        let mut from = 0;
        for k in 0..some {
            let (upper, last) = seeds::grown(top, from);
            tops.push(Halves::new(top, upper));
            tops.push(Halves::new(top, seeds::drawn(top, k as u64)));
            // the farthest from the first, the farthest from that, and then any
            from = if k < 2 { last } else { (k * top.len() / some) as u32 };
        }
        tops.iter_mut().for_each(|halves| halves.refine(top));
        keep_best(top, &mut tops, starts.div_ceil(8));
        found.extend(tops.into_iter().map(|halves| ladder.descend(halves)));
    }
    // halves by rank are good as they are or not at all
    let ranks = seeds::by_rank(base, graph.accelerators(), 2 * starts);
    let mut ranks: Vec<Halves> = ranks.into_iter().map(|upper| Halves::new(base, upper)).collect();
    keep_best(base, &mut ranks, starts.div_ceil(2));
    let clumped = ranks.iter().take(starts.div_ceil(8)).map(|halves| {
        let mut top = ladders[0].ascend(&halves.upper);
        top.refine(ladders[0].top());
        ladders[0].descend(top)
    });
    found.extend(clumped.collect::<Vec<_>>());
    if starts == STARTS.0 {
        let lots = (0..starts as u64).map(|lot| seeds::drawn(base, lot));
        let grown = (0..starts.min(base.len())).map(|k| seeds::grown(base, (k * base.len() / starts.min(base.len())) as u32).0);
        ranks.extend(lots.chain(grown).map(|upper| Halves::new(base, upper)));
    }
    for halves in &mut ranks {
        halves.refine(base);
    }
    found.extend(ranks);
    found.iter_mut().for_each(|halves| halves.level(base));
    keep_best(base, &mut found, 1);
    found.first().map_or(vec![], |best| best.upper.iter().map(|&upper| u32::from(upper)).collect())
}

/// Keeps the best few, of equals the first, and no two alike.
fn keep_best(web: &Web, found: &mut Vec<Halves>, few: usize) {
    found.sort_by_key(|halves| halves.cost(web));
    found.dedup_by(|a, b| a.upper == b.upper);
    found.truncate(few);
}

#[cfg(test)]
mod tests;
