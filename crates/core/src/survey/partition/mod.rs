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
//! thousand links, and with half a million about a second. **Limits.** That nothing narrower exists is not shown. Of 1,500
//! random graphs of up to ten accelerators, against every choice of halves, none is missed, and families have their closed
//! forms in any numbering; where these do not help, as in 33 groups of a dragonfly, numberings differ by one or two percent.

mod ladder;
mod refine;
mod seeds;
mod web;

use crate::control::Control;
use crate::error::Result;
use crate::fabric::Network;
use crate::fabric::graph::Graph;
use crate::fabric::parts::Parts;
use ladder::{Ladder, components, homes};
use refine::Halves;
use web::Web;

/// Edges and vertices that all starts of a kind may have together.
const WORK: usize = 1 << 17;
/// Starts of a kind, at least and at most.
const STARTS: (usize, usize) = (2, 24);
/// Classes of links and rates that are taken away to see what falls apart.
const CLASSES: usize = 8;

/// Cuts of one copy of a network that is a graph, kept with it: the narrowest halves found, then other parts.
///
/// # Errors
/// Those of [`Control::check`].
pub fn cuts(net: &Network, graph: &Graph, control: &Control) -> Result<std::sync::Arc<Vec<Parts>>> {
    net.parts(|| {
        let rates: Vec<u64> = net.spec.links.iter().map(|link| link.rate.0).collect();
        search(graph, &rates, control)
    })
}

/// The narrowest halves found, and other parts.
fn search(graph: &Graph, rates: &[u64], control: &Control) -> Result<Vec<Parts>> {
    let base = Web::new(graph, rates);
    let starts = (WORK / base.work()).clamp(STARTS.0, STARTS.1);
    let mut ladders = vec![Ladder::new(&base, homes(graph, &base), control)?];
    let (whole, apart): (Vec<_>, Vec<_>) = fallen_apart(graph, rates, control)?.into_iter().unzip();
    for found in whole.into_iter().take(starts / 2) {
        ladders.push(Ladder::new(&base, found, control)?);
    }
    let halves = halves(graph, &base, &ladders, starts, control)?;
    let mut parts = vec![Parts::new(graph, rates, &halves)];
    parts.extend(ladders[0].clumps().iter().map(|clumps| Parts::new(graph, rates, clumps)));
    parts.extend(apart);
    Ok(parts)
}

/// Components without the links of one class, or without those that are no faster than some rate; those first that have the
/// least between them.
fn fallen_apart(graph: &Graph, rates: &[u64], control: &Control) -> Result<Vec<(Vec<u32>, Parts)>> {
    let rate = |class: u16| rates[usize::from(class).min(rates.len() - 1)];
    let mut used: Vec<u16> =
        (0..=u16::MAX).take(graph.links().len()).filter(|&c| graph.links()[usize::from(c)] > 0).collect();
    let mut slowest: Vec<u64> = used.iter().map(|&class| rate(class)).collect();
    slowest.sort_unstable();
    slowest.dedup();
    used.sort_by_key(|&class| std::cmp::Reverse(graph.links()[usize::from(class)]));
    let by_class = used.iter().take(CLASSES).map(|&class| components(graph, |other| other != class));
    let by_rate = slowest.iter().take(CLASSES).map(|&least| components(graph, |class| rate(class) > least));
    let mut found: Vec<(Vec<u32>, Parts)> = vec![];
    for whole in by_class.chain(by_rate) {
        control.check()?;
        if whole.iter().any(|&part| part > 0) && found.iter().all(|(other, _)| *other != whole) {
            let parts = Parts::new(graph, rates, &whole);
            found.push((whole, parts));
        }
    }
    found.sort_by(|(_, a), (_, b)| a.rate.iter().sum::<f64>().total_cmp(&b.rate.iter().sum()));
    Ok(found)
}

/// Side of each vertex in the narrowest halves found.
fn halves(graph: &Graph, base: &Web, ladders: &[Ladder<'_>], starts: usize, control: &Control) -> Result<Vec<u32>> {
    let mut found: Vec<Halves> = vec![];
    for ladder in ladders {
        let top = ladder.top();
        let some = starts.min(top.len());
        let mut tops: Vec<Halves> = vec![];
        let mut from = 0;
        for k in 0..some {
            control.check()?;
            let (upper, last) = seeds::grown(top, from);
            tops.push(Halves::new(top, upper));
            tops.push(Halves::new(top, seeds::drawn(top, k as u64)));
            // the farthest from the first, the farthest from that, and then any
            from = if k < 2 { last } else { (k * top.len() / some) as u32 };
        }
        tops.iter_mut().try_for_each(|halves| halves.refine(top, control))?;
        keep_best(top, &mut tops, starts.div_ceil(8));
        for halves in tops {
            found.push(ladder.descend(halves, control)?);
        }
    }
    // halves by rank are good as they are or not at all
    let ranks = seeds::by_rank(base, graph.accelerators(), 2 * starts, control)?;
    let mut ranks: Vec<Halves> = ranks.into_iter().map(|upper| Halves::new(base, upper)).collect();
    keep_best(base, &mut ranks, starts.div_ceil(2));
    let best = found.iter().map(|halves| halves.cost(base)).min().unwrap_or(i64::MAX);
    ranks.retain(|halves| starts == STARTS.1 || halves.cost(base) / 2 <= best);
    for halves in ranks.iter().take(starts.div_ceil(8)) {
        let mut top = ladders[0].ascend(&halves.upper);
        top.refine(ladders[0].top(), control)?;
        found.push(ladders[0].descend(top, control)?);
    }
    if starts == STARTS.1 {
        let lots = (0..starts as u64).map(|lot| seeds::drawn(base, lot));
        let grown =
            (0..starts.min(base.len())).map(|k| seeds::grown(base, (k * base.len() / starts.min(base.len())) as u32).0);
        ranks.extend(lots.chain(grown).map(|upper| Halves::new(base, upper)));
    }
    for halves in &mut ranks {
        halves.refine(base, control)?;
    }
    found.extend(ranks);
    found.iter_mut().try_for_each(|halves| halves.level(base, control))?;
    keep_best(base, &mut found, 1);
    Ok(found.first().map_or(vec![], |best| best.upper.iter().map(|&upper| u32::from(upper)).collect()))
}

/// Keeps the best few, of equals the first, and no two alike.
fn keep_best(web: &Web, found: &mut Vec<Halves>, few: usize) {
    found.sort_by_key(|halves| halves.cost(web));
    found.dedup_by(|a, b| a.upper == b.upper);
    found.truncate(few);
}

#[cfg(test)]
mod tests;
