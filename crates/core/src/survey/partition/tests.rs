//! Halves against every choice in small graphs, and against closed forms of families.

use super::*;
use crate::control::Control;
use crate::fabric::graph::Edge;
use crate::rng::mix;

fn edge(a: u32, b: u32, class: u16, count: u32) -> Edge {
    Edge { a, b, class, count }
}

fn graph(accelerators: u32, switches: u32, edges: &[Edge], classes: usize) -> Graph {
    Graph::new(accelerators, switches, edges, &vec![1; classes], &Control::default()).unwrap()
}

/// Rate between the narrowest halves found, and how many accelerators the smaller has.
fn found(graph: &Graph, rates: &[u64]) -> (f64, usize) {
    let parts = &search(graph, rates, &Control::default()).unwrap()[0];
    let upper = parts.part.iter().filter(|&&part| part > 0).count();
    assert!(parts.rate.iter().all(|rate| *rate == parts.rate[0]), "both sides of a cut have the same links");
    (parts.rate[0], upper.min(parts.part.len() - upper))
}

/// The narrowest of all halves.
fn narrowest(graph: &Graph, rates: &[u64]) -> f64 {
    let (n, vertices) = (graph.accelerators(), graph.accelerators() + graph.switches());
    let mut least = u64::MAX;
    for sides in 0u32..1 << vertices {
        if (sides & ((1 << n) - 1)).count_ones() != n / 2 {
            continue;
        }
        let across = |v: u32| {
            (0..graph.ports(v))
                .filter(move |&p| (sides >> v ^ sides >> graph.peer(v, p).unwrap().0) & 1 == 1)
                .map(move |p| rates[usize::from(graph.class(v, p))])
        };
        least = least.min((0..vertices).flat_map(across).sum::<u64>() / 2);
    }
    least as f64
}

/// A random connected graph: several homes, links between accelerators, parallel links, classes of other rates.
fn random(seed: u64) -> (Graph, [u64; 2]) {
    let draw = |k: u64, below: u64| (mix(seed ^ mix(k)) % below) as u32;
    let (n, switches) = (2 + draw(1, 9), 1 + draw(2, 5));
    let mut edges: Vec<Edge> =
        (1..switches).map(|s| edge(n + draw(u64::from(90 + s), s.into()), n + s, (s % 2) as u16, 1)).collect();
    edges.extend((0..n).map(|a| edge(a, n + draw(u64::from(50 + a), switches.into()), 0, 1 + draw(3, 2))));
    let extra = draw(4, 25);
    let vertices = u64::from(n + switches);
    let more = |k: u32| {
        let at = u64::from(1000 + 4 * k);
        edge(draw(at, vertices), draw(at + 1, vertices), draw(at + 2, 2) as u16, 1 + draw(at + 3, 3))
    };
    edges.extend((0..extra).map(more).filter(|e| e.a != e.b));
    (graph(n, switches, &edges, 2), [400 + 100 * u64::from(draw(5, 3)), 100 + 37 * u64::from(draw(6, 10))])
}

#[test]
fn the_narrowest_halves_of_small_graphs_are_found() {
    let (graphs, mut missed) = (1500, vec![]);
    for seed in 0..graphs {
        let (graph, rates) = random(seed);
        let ((rate, smaller), least) = (found(&graph, &rates), narrowest(&graph, &rates));
        assert_eq!(smaller as u32, graph.accelerators() / 2, "seed {seed}");
        assert!(rate >= least, "seed {seed}: {rate} of {least}");
        if rate > least {
            missed.push((seed, rate / least));
        }
    }
    assert!(missed.len() <= graphs as usize / 500, "{missed:?}");
}

/// `p` accelerators on each of some switches, and links between these.
fn plugged(switches: u32, p: u32, links: impl IntoIterator<Item = (u32, u32, u16)>) -> Graph {
    let n = switches * p;
    let mut edges: Vec<Edge> = (0..n).map(|a| edge(a, n + a / p, 0, 1)).collect();
    edges.extend(links.into_iter().map(|(x, y, class)| edge(n + x, n + y, class, 1)));
    graph(n, switches, &edges, 16)
}

/// Switches at the points of a lattice; along each dimension all are joined, or those next to each other.
fn lattice(dims: &[u32], p: u32, full: bool) -> Graph {
    let switches: u32 = dims.iter().product();
    let mut links = vec![];
    let mut stride = 1;
    for (class, &size) in dims.iter().enumerate() {
        for s in 0..switches {
            let x = s / stride % size;
            let ring = if size > 2 || x == 0 { vec![(x + 1) % size] } else { vec![] };
            let far = if full { (x + 1..size).collect() } else { ring };
            links.extend(far.into_iter().map(|y| (s, s - x * stride + y * stride, class as u16)));
        }
        stride *= size;
    }
    plugged(switches, p, links)
}

/// Groups of `a` switches that are all joined, every two groups by a link.
fn dragonfly(p: u32, a: u32, groups: u32) -> Graph {
    let inside = (0..groups).flat_map(|g| (0..a).flat_map(move |x| (0..x).map(move |y| (g * a + x, g * a + y, 1))));
    let outside = (0..groups).flat_map(|g| (0..g).map(move |f| (g * a + f % a, f * a + g % a, 2)));
    plugged(groups * a, p, inside.chain(outside).collect::<Vec<_>>())
}

/// Ranks shuffled: nothing follows from their order.
fn shuffled(g: &Graph) -> Graph {
    let n = g.accelerators();
    let mut order: Vec<u32> = (0..n).collect();
    order.sort_by_key(|&a| mix(a.into()));
    let mut spots: Vec<u32> = (0..g.switches()).collect();
    spots.sort_by_key(|&s| mix(u64::from(s) + 77));
    let at = |v: u32| if v < n { order[v as usize] } else { n + spots[(v - n) as usize] };
    let mut edges = vec![];
    for v in 0..n + g.switches() {
        for p in 0..g.ports(v) {
            let (u, _) = g.peer(v, p).unwrap();
            if u > v {
                edges.push(edge(at(v), at(u), g.class(v, p), 1));
            }
        }
    }
    graph(n, g.switches(), &edges, 16)
}

/// Links between the halves found, in order and shuffled; all links carry the same.
fn links(g: &Graph) -> (f64, f64) {
    (found(g, &[7; 16]).0 / 7.0, found(&shuffled(g), &[7; 16]).0 / 7.0)
}

#[test]
fn families_have_their_closed_forms() {
    for d in 1..10 {
        // half of the corners have a link along one dimension
        let half = f64::from(1u32 << (d - 1));
        assert_eq!(links(&lattice(&vec![2; d], 2, false)), (half, half), "hypercube of {d} dimensions");
    }
    for n in [4, 5, 6, 9, 16, 31] {
        assert_eq!(links(&lattice(&[n], 1, false)), (2.0, 2.0), "ring of {n}");
    }
    // two links for each line along the longest side
    assert_eq!(links(&lattice(&[8, 8], 1, false)), (16.0, 16.0));
    assert_eq!(links(&lattice(&[4, 12], 2, false)), (8.0, 8.0));
    assert_eq!(links(&lattice(&[4, 6, 4], 2, false)), (32.0, 32.0));
    // (k/2)^2 links for each line along the side that has fewest for it
    assert_eq!(links(&lattice(&[4, 4], 4, true)), (16.0, 16.0));
    assert_eq!(links(&lattice(&[8, 4], 4, true)), (32.0, 32.0));
    assert_eq!(links(&lattice(&[6, 4, 3], 4, true)), (72.0, 72.0));
    // (g/2)^2 links between groups: none is cut
    for (p, a, g) in [(2, 4, 6), (2, 4, 8), (4, 8, 16), (4, 8, 24)] {
        let between = f64::from(g * g / 4);
        assert_eq!(links(&dragonfly(p, a, g)), (between, between), "{g} groups of {a} x {p}");
    }
    // the switch in the middle stands on one side, half of its links lead to the other; or all accelerators stand alone
    assert_eq!(links(&plugged(1, 9, [])), (4.0, 4.0));
}

#[test]
fn slow_links_are_cut_rather_than_many() {
    // 8 x 4, all joined: 64 links along the one side, 32 along the other, of another rate
    let hyperx = lattice(&[8, 4], 8, true);
    let rates = |along_first: u64, along_second: u64| {
        let mut rates = [1000; 16];
        (rates[0], rates[1]) = (along_first, along_second);
        rates
    };
    // plugs are of class 0 as well as the first dimension; they are 8 a switch, and never cut
    assert_eq!(found(&hyperx, &rates(10, 10)).0, 320.0);
    assert_eq!(found(&hyperx, &rates(10, 21)).0, 640.0);
    assert_eq!(found(&hyperx, &rates(u64::MAX / 8, u64::MAX / 64)).0, (32.0 * (u64::MAX / 64) as f64));
}

#[test]
fn a_tree_written_out_is_the_tree() {
    use crate::fabric::Fabric;
    use crate::survey::{edges, halves};
    let machine = |span: u32, topology: &str, links: &str, switches: usize| {
        let switches = vec![r#"{"latency_fs": 1}"#; switches].join(",");
        let text = format!(
            r#"{{"name": "t", "accelerators": {span}, "device": {{}}, "networks": [{{"name": "n", "span": {span},
                "topology": {topology}, "planes": [1], "links": [{links}], "switches": [{switches}],
                "payload": 4096, "overhead": 0}}]}}"#
        );
        Fabric::new(&serde_json::from_str(&text).unwrap(), &Control::default()).unwrap()
    };
    let link = |rate: u64| format!(r#"{{"rate": {rate}, "latency_fs": 1}}"#);
    for (down, up, span, rates) in [
        (vec![8, 8], vec![1, 8], 64, vec![100, 100]),
        (vec![8, 8], vec![1, 2], 64, vec![100, 100]),
        (vec![8, 6], vec![1, 4], 48, vec![100, 400]),
        (vec![4, 3], vec![1, 2], 12, vec![100, 100]),
        (vec![4, 4, 4], vec![1, 4, 4], 64, vec![100, 100, 100]),
        (vec![4, 4, 4], vec![1, 4, 2], 64, vec![100, 100, 150]),
        (vec![6, 3, 3], vec![1, 2, 3], 54, vec![100, 300, 200]),
    ] {
        let links: Vec<String> = rates.iter().map(|&rate| link(rate)).collect();
        let kind = format!(
            r#"{{"kind": "clos", "down": {down:?}, "up": {up:?}, "parallel": {:?}, "rails": 1}}"#,
            vec![1; down.len()]
        );
        let tree = machine(span, &kind, &links.join(","), down.len());
        let once = edges::list(&tree, &Control::default()).unwrap().into_iter().filter(|e| e.vertex < e.peer);
        let list: Vec<[u32; 4]> = once.map(|e| [e.vertex, e.peer, e.level, 1]).collect();
        let kind =
            format!(r#"{{"kind": "graph", "switches": {}, "edges": {list:?}}}"#, tree.vertices() - tree.accelerators());
        let graph = machine(span, &kind, &links.join(","), 1);
        let (a, b) = (
            halves::bisection(&tree.networks[0], &Control::default()).unwrap(),
            halves::bisection(&graph.networks[0], &Control::default()).unwrap(),
        );
        assert_eq!(a, b, "down {down:?}, up {up:?}");
    }
}

#[test]
fn parts_are_switches_groups_and_halves() {
    // 3 groups of 4 x 2: each group has a link to either other one
    let parts = search(&dragonfly(2, 4, 3), &[10, 20, 40], &Control::default()).unwrap();
    let groups = parts.iter().find(|p| p.block == 8).expect("the groups");
    assert_eq!((groups.part.last(), groups.rate.as_slice()), (Some(&2), [80.0; 3].as_slice()));
    let switches = parts.iter().skip(1).find(|p| p.block == 2).expect("the switches");
    // three links in the group, and one to another group from two of four
    assert_eq!(switches.rate.iter().sum::<f64>(), 12.0 * 60.0 + 6.0 * 40.0);
    let (again, more) = (search(&dragonfly(2, 4, 3), &[10, 20, 40], &Control::default()).unwrap(), parts.len());
    assert!(again == parts && more >= 4);
}
