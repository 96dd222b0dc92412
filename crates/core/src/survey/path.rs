//! Distance between two accelerators over the network that joins them: hops, propagation, store-and-forward stages.
//!
//! **Invariant.** The path is the one that [`crate::routing`] takes: up to the lowest common tier and down in a tree, one
//! dimension after the other in a direct network. Equal paths have equal latency, so no policy needs to be known.
//!
//! **Cost.** O(tiers or dimensions) per pair, no allocation.

use crate::fabric::direct::{Dimension, Direct};
use crate::fabric::{Fabric, Network, Shape};
use crate::routing::dimension_order;
use crate::units::Fs;

/// What lies between two accelerators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Network index.
    pub network: usize,
    /// Highest tier of switches passed (trees); zero in direct networks.
    pub meet: usize,
    /// Links passed.
    pub links: u32,
    /// Links and switches (or routers), propagation only.
    pub latency_fs: Fs,
    /// The part of it that links alone take.
    pub wire_fs: Fs,
}

/// The path between two different accelerators; `None` if no network joins them. In a graph whose links differ, its
/// links count as if they were the shortest.
pub fn between(fabric: &Fabric, x: u32, y: u32) -> Option<Path> {
    let network = fabric.network_between(x, y)?;
    let net = &fabric.networks[network];
    let (x, y) = (x % net.span, y % net.span);
    let (meet, links, wire_fs, latency_fs) = match &net.planes[0].shape {
        Shape::Clos(_) => {
            let meet = meet(net, x, y);
            let (wire, latency) = climb(net, meet);
            (meet, 2 * (meet as u32 + 1), wire, latency)
        }
        Shape::Direct(d) => {
            let (hops, wire, latency) = route(net, d, x, y);
            (0, hops, wire, latency)
        }
        Shape::Graph(graph) => {
            let hops = graph.hops(x, y)?;
            let wire = u64::from(hops) * net.spec.links.iter().map(|l| l.latency_fs).min().unwrap_or(0);
            let switch = net.spec.switches.iter().map(|s| s.latency_fs).min().unwrap_or(0);
            (0, hops, wire, wire + u64::from(hops.saturating_sub(1)) * switch)
        }
    };
    Some(Path { network, meet, links, latency_fs, wire_fs })
}

/// Links, and the latency of links alone and with routers, between two places of a direct network.
pub fn route(net: &Network, direct: &Direct, x: u32, y: u32) -> (u32, Fs, Fs) {
    let (mut hops, mut wire) = (0, 0);
    for (i, h) in dimension_order::hops(direct, x, y).enumerate() {
        hops += h;
        wire += u64::from(h) * net.link(i).latency_fs;
    }
    (hops, wire, wire + u64::from(hops.saturating_sub(1)) * net.switch(0).latency_fs)
}

/// Highest tier passed between two members of a copy of a tree network.
pub fn meet(net: &Network, x: u32, y: u32) -> usize {
    match &net.planes[0].shape {
        Shape::Clos(tree) => tree.meet(net.position(0, x, 0), net.position(0, y, 0)),
        Shape::Direct(_) | Shape::Graph(_) => 0,
    }
}

/// Link latency, and link and switch latency, of a tree path whose highest tier is `meet`.
pub fn climb(net: &Network, meet: usize) -> (Fs, Fs) {
    let wire: Fs = (0..=meet).map(|t| 2 * net.link(t).latency_fs).sum();
    let switches: Fs = (0..=meet).map(|t| if t < meet { 2 } else { 1 } * net.switch(t).latency_fs).sum();
    (wire, wire + switches)
}

/// Hops along one dimension.
pub fn span(kind: Dimension, x: u32, y: u32) -> u32 {
    match kind {
        Dimension::Full { .. } => u32::from(x != y),
        Dimension::Line { size, wrap } => {
            let straight = x.abs_diff(y);
            if wrap { straight.min(size - straight) } else { straight }
        }
    }
}

/// Places (accelerators) under one switch group of tier `tier` and below.
pub fn places(net: &Network, tier: usize) -> u32 {
    match &net.planes[0].shape {
        Shape::Clos(tree) => {
            let t = &tree.tiers()[tier];
            t.child_positions * t.down / net.planes[0].links
        }
        Shape::Direct(d) => d.positions(),
        Shape::Graph(_) => net.span,
    }
}

/// Number of tiers (trees), dimensions (direct networks) or classes of links (graphs).
pub fn tiers(net: &Network) -> usize {
    match &net.planes[0].shape {
        Shape::Clos(tree) => tree.tiers().len(),
        Shape::Direct(d) => d.dims.len(),
        Shape::Graph(_) => net.spec.links.len(),
    }
}

/// Rate of all links from one subtree of tier `tier` up to the next tier, over all planes, in bit/s.
pub fn uplinks(net: &Network, tier: usize) -> f64 {
    let plane = |shape: &Shape| match shape {
        Shape::Clos(tree) => tree.tiers().get(tier + 1).map_or(0.0, |above| {
            let twins = tree.tiers()[tier].child_twins * tree.tiers()[tier].up;
            f64::from(twins) * f64::from(above.up) * f64::from(above.parallel)
        }),
        Shape::Direct(_) | Shape::Graph(_) => 0.0,
    };
    let links: f64 = net.planes.iter().map(|p| plane(&p.shape)).sum();
    links * net.link(tier + 1).rate.0 as f64
}

/// Payload share of the wire in full packets: the best that any message can reach.
pub fn payload_share(net: &Network) -> f64 {
    let payload = f64::from(net.spec.payload);
    payload / (payload + f64::from(net.spec.overhead))
}
