//! Explicit graphs that tests of packets and of flows run on.

use super::{LATENCY, RATE, SWITCH, clos, network, system, torus};
use proptest::prelude::*;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

/// A network of explicit edges `(a, b, class, links)`.
pub(crate) fn graph(accelerators: u32, switches: u32, edges: Vec<[u32; 4]>) -> NetworkSpec {
    let mut net = network("graph", accelerators, torus(&[1]), vec![1]);
    net.topology = TopologySpec::Graph { switches, edges, switch_kinds: vec![], weights: vec![], forwarding: None };
    net
}

/// One switch.
pub(crate) fn star(n: u32, links: u32) -> NetworkSpec {
    graph(n, 1, (0..n).map(|a| [a, n, 0, links]).collect())
}

/// Switches in a ring, one accelerator each.
pub(crate) fn ring(n: u32) -> NetworkSpec {
    let edges = (0..n).flat_map(|i| [[i, n + i, 0, 1], [n + i, n + (i + 1) % n, 0, 1]]);
    graph(n, n, edges.collect())
}

/// A dragonfly of `g` groups of `a` routers with `p` accelerators each; every pair of groups has one link.
pub(crate) fn dragonfly(p: u32, a: u32, h: u32) -> NetworkSpec {
    let g = a * h + 1;
    let n = g * a * p;
    let mut edges: Vec<[u32; 4]> = (0..n).map(|x| [x, n + x / p, 0, 1]).collect();
    for group in 0..g {
        let router = |i: u32| n + group * a + i;
        edges.extend((0..a).flat_map(|i| (0..i).map(move |j| [router(i), router(j), 0, 1])));
        // the k-th global port leads k + 1 groups further
        for k in (0..a * h).filter(|&k| (group + k + 1) % g > group) {
            let other = (group + k + 1) % g;
            edges.push([router(k / h), n + other * a + (g - 2 - k) / h, 1, 1]);
        }
    }
    let mut net = graph(n, g * a, edges);
    // a path has one global link, though two may be shorter
    net.links.push(net.links[0].clone());
    if let TopologySpec::Graph { weights, .. } = &mut net.topology {
        *weights = vec![1, 3];
    }
    net
}

/// `2^dims` switches with one accelerator each, joined where their numbers differ in one bit.
pub(crate) fn hypercube(dims: u32) -> NetworkSpec {
    let n = 1 << dims;
    let cube = (0..n).flat_map(|i| (0..dims).map(move |d| [n + i, n + (i ^ 1 << d), 0, 1])).filter(|e| e[0] < e[1]);
    graph(n, n, (0..n).map(|i| [i, n + i, 0, 1]).chain(cube).collect())
}

/// A HyperX: switches in `a` rows and `b` columns with `p` accelerators each; all of a row and all of a column are joined.
pub(crate) fn hyperx(a: u32, b: u32, p: u32) -> NetworkSpec {
    let n = a * b * p;
    let joined = move |i: u32, j: u32| i / b == j / b || i % b == j % b;
    let mesh = (0..a * b).flat_map(|i| (0..i).filter(move |&j| joined(i, j)).map(move |j| [n + j, n + i, 0, 1]));
    graph(n, a * b, (0..n).map(|x| [x, n + x / p, 0, 1]).chain(mesh).collect())
}

/// A tree of `leaves` with `p` accelerators each under `spines`, written out; accelerators have a link into each of `planes`.
pub(crate) fn leaves_and_spines(leaves: u32, p: u32, spines: u32, planes: u32) -> NetworkSpec {
    let n = leaves * p;
    let mut edges = vec![];
    for plane in 0..planes {
        let first = n + plane * (leaves + spines);
        edges.extend((0..n).map(|a| [a, first + a / p, 0, 1]));
        edges.extend((0..leaves).flat_map(|l| (0..spines).map(move |s| [first + l, first + leaves + s, 0, 1])));
    }
    graph(n, planes * (leaves + spines), edges)
}

/// Connected graphs with everything: several homes, direct links between accelerators, parallel links, two classes.
pub(crate) fn graphs() -> impl Strategy<Value = SystemSpec> {
    let extra = prop::collection::vec((any::<u32>(), any::<u32>(), 0u32..2, 1u32..3), 0..40);
    (2u32..10, 1u32..9, extra, 0usize..8, 0usize..3, any::<bool>(), 1u32..3, 0usize..3).prop_map(
        |(n, switches, extra, routing, buffer, cut, copies, forward)| {
            // forwarding among switches, or without any: then along a line of accelerators
            let switches = if forward == 2 { 0 } else { switches };
            let vertices = n + switches;
            let mut edges: Vec<[u32; 4]> = (1..switches).map(|s| [n + s - 1, n + s, s % 2, 1]).collect();
            match switches {
                0 => edges.extend((1..n).map(|a| [a - 1, a, 0, 1 + a % 2])),
                _ => edges.extend((0..n).map(|a| [a, n + (a * 5) % switches, 0, 1 + a % 2])),
            }
            edges.extend(
                extra.into_iter().map(|(a, b, c, k)| [a % vertices, b % vertices, c, k]).filter(|e| e[0] != e[1]),
            );
            let mut net = graph(n, switches, edges);
            net.links.push(LinkSpec { rate: BitRate(RATE.0 * 2), latency_fs: LATENCY / 3, medium: String::new() });
            net.switches[0].cut_through = cut;
            if forward > 0
                && let TopologySpec::Graph { forwarding, .. } = &mut net.topology
            {
                *forwarding = Some(1);
                net.switches.push(SwitchSpec { latency_fs: 2 * SWITCH, cut_through: !cut, in_network_reduce: false });
            }
            net.buffer = [Some(2 * 4096), Some(64 * 1024), None][buffer];
            use RoutingSpec::*;
            net.routing = [DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom, Adaptive, Valiant, Ugal][routing];
            let mut networks = vec![net];
            if copies > 1 {
                networks.push(network("pod", n * copies, clos(&[n * copies], &[1]), vec![1]));
            }
            system(n * copies, networks)
        },
    )
}
