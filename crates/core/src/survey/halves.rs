//! Bisection and diameter of a network, by arithmetic on its shape.
//!
//! **Model.** The *bisection* is the least rate, one way, of the links between two halves of the accelerators of a copy
//! (which differ by one where their number is odd), over all halves that follow the shape. In a tree these take whole
//! subtrees, and one split at each tier; switches stand on the side that costs less. In a direct network they cut through
//! the middle of a dimension; where its size is odd, the middle layer is itself halved along the others. Wraparounds with a
//! twist cross the middle of the rings that they shift. The *diameter*
//! is the longest route in links, and in propagation over links and switches.
//!
//! **Invariant.** In symmetric trees, tori (with a twist: of even size) and full meshes no halves at all have less between them: tests hold this against
//! every choice of halves in small graphs, and the diameter against a search of the graph.
//!
//! **Cost.** O(tiers) or O(2^dimensions), and a search once for an explicit graph. **Limits.** A tree with an incomplete last
//! subtree counts it like the others; of a graph the narrowest halves found count ([`partition`]), which may not be the
//! narrowest that there are.

use super::describe::middle;
use super::{partition, path};
use crate::control::Control;
use crate::error::Result;
use crate::fabric::direct::{Dimension, Direct};
use crate::fabric::{Network, Shape};

/// Bit/s, one way, between two halves of a copy.
///
/// # Errors
/// Those of [`Control::check`].
pub fn bisection(net: &Network, control: &Control) -> Result<f64> {
    Ok(match &net.planes[0].shape {
        Shape::Clos(_) => split(net, path::tiers(net) - 1, net.span / 2),
        Shape::Direct(direct) => cut(net, direct, &(0..direct.dims.len()).collect::<Vec<_>>()),
        Shape::Graph(graph) => partition::cuts(net, graph, control)?[0].rate.first().copied().unwrap_or(0.0),
    })
}

/// Bit/s between some members of a subtree and its top, which stays with the others.
fn split(net: &Network, tier: usize, members: u32) -> f64 {
    let Some(below) = tier.checked_sub(1) else {
        return f64::from(members) * net.injection() as f64;
    };
    let child = path::places(net, below);
    let (whole, rest) = (members / child, members % child);
    let all = path::uplinks(net, below).min(split(net, below, child));
    let part = match rest {
        0 => 0.0,
        _ => split(net, below, rest).min(path::uplinks(net, below) + split(net, below, child - rest)),
    };
    f64::from(whole) * all + part
}

/// Bit/s between two halves of the product of some dimensions.
fn cut(net: &Network, direct: &Direct, dims: &[usize]) -> f64 {
    let size = |i: usize| direct.dims[i].kind.size();
    let places: u32 = dims.iter().map(|&i| size(i)).product();
    let through = |&i: &usize| {
        // whoever crosses a wraparound that shifts this ring by half is on its other side
        let turned = direct.twisted_across(i).map(|turned| u64::from(places / turned.kind.size()));
        let lines = middle(direct.dims[i].kind) * u64::from(places / size(i)) + turned.sum::<u64>();
        let links = lines * u64::from(direct.links);
        let others: Vec<usize> = dims.iter().copied().filter(|&j| j != i).collect();
        let layer = if size(i) % 2 == 1 { cut(net, direct, &others) } else { 0.0 };
        links as f64 * net.link(i).rate.0 as f64 + layer
    };
    // an odd ring that shifts others has no middle layer of its own
    let cuts = |&&i: &&usize| size(i) > 1 && (size(i) % 2 == 0 || direct.shifts(i).next().is_none());
    let least = dims.iter().filter(cuts).map(through).fold(f64::INFINITY, f64::min);
    if least.is_finite() { least } else { 0.0 }
}

/// Links and propagation (fs) of the longest route in a copy.
pub fn diameter(net: &Network) -> (u32, u64) {
    match &net.planes[0].shape {
        _ if net.span < 2 => (0, 0),
        Shape::Clos(_) => {
            // the first and the last member are as far apart as any two: different subtrees at every tier in use
            let meet = path::meet(net, 0, net.span - 1);
            (2 * (meet as u32 + 1), path::climb(net, meet).1)
        }
        Shape::Direct(direct) if !direct.twist.is_empty() => {
            // every place sees the same: look from the first
            let far = (0..net.span).map(|to| path::route(net, direct, 0, to));
            let (hops, _, fs) = far.max_by_key(|&(hops, _, fs)| (hops, fs)).unwrap_or_default();
            (hops, fs)
        }
        Shape::Direct(direct) => {
            let far = |kind: Dimension| match kind {
                Dimension::Full { size } => u32::from(size > 1),
                Dimension::Line { size, wrap: true } => size / 2,
                Dimension::Line { size, wrap: false } => size - 1,
            };
            let lines = direct.dims.iter().enumerate().map(|(i, dim)| (far(dim.kind), net.link(i).latency_fs));
            let (hops, fs) = lines.fold((0, 0), |(hops, fs), (n, each)| (hops + n, fs + u64::from(n) * each));
            (hops, fs + u64::from(hops.saturating_sub(1)) * net.switch(0).latency_fs)
        }
        Shape::Graph(graph) => {
            // along one of the longest paths; others of as many links may be of other classes
            let (from, to) = graph.farthest();
            let (mut at, mut hops, mut fs) = (from, 0, 0);
            while let Some((port, (next, _))) = graph.choice(at, to, 0).and_then(|p| Some((p, graph.peer(at, p)?))) {
                fs += net.link(graph.class(at, port).into()).latency_fs;
                fs += if next == to { 0 } else { net.router(next).latency_fs };
                (at, hops) = (next, hops + 1);
            }
            (hops, fs)
        }
    }
}
