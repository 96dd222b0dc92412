//! Paths against a plain search, choices, and what is refused.

use super::*;
use crate::control::Control;
use proptest::prelude::*;
use std::collections::VecDeque;

impl Refusal {
    fn problem(self) -> String {
        match self {
            Refusal::Wrong(problem, _) => problem,
            Refusal::Failed(error) => error.to_string(),
        }
    }
}

fn edge(a: u32, b: u32, count: u32) -> Edge {
    Edge { a, b, class: 0, count }
}

/// Breadth-first search that passes those who forward only.
fn search(graph: &Graph, from: u32, to: u32) -> Option<u32> {
    let mut seen = vec![None; graph.first.len() - 1];
    let mut queue = VecDeque::from([from]);
    seen[from as usize] = Some(0);
    while let Some(v) = queue.pop_front() {
        if v != from && v < graph.base {
            continue;
        }
        for &(w, _) in graph.ends(v) {
            if seen[w as usize].is_none() {
                seen[w as usize] = seen[v as usize].map(|hops: u32| hops + 1);
                queue.push_back(w);
            }
        }
    }
    seen[to as usize]
}

proptest! {
    #[test]
    fn paths_are_shortest_and_every_choice_is_one(
        accelerators in 2u32..8, switches in 1u32..80, extra in prop::collection::vec((any::<u32>(), any::<u32>(), 1u32..3), 0..120),
        selector: u32, forwarding: bool,
    ) {
        // a chain of switches, accelerators plugged in somewhere, and whatever else
        let vertices = accelerators + switches;
        let mut edges: Vec<Edge> = (1..switches).map(|s| edge(accelerators + s - 1, accelerators + s, 1)).collect();
        edges.extend((0..accelerators).map(|a| edge(a, accelerators + (a * 7) % switches, 1)));
        edges.extend(extra.iter().map(|&(a, b, n)| edge(a % vertices, b % vertices, n)).filter(|e| e.a != e.b));
        let build = if forwarding { Graph::forwarding } else { Graph::new };
        let graph = build(accelerators, switches, &edges, &[1], &Control::default()).unwrap();
        for v in 0..vertices {
            for p in 0..graph.ports(v) {
                let (w, q) = graph.peer(v, p).unwrap();
                prop_assert_eq!(graph.peer(w, q), Some((v, p)));
                prop_assert_eq!(p < graph.near(v), w < accelerators);
            }
            prop_assert_eq!(graph.peer(v, graph.ports(v)), None);
        }
        let mut longest = 0;
        for x in 0..vertices {
            for y in 0..accelerators {
                let hops = search(&graph, x, y);
                prop_assert_eq!(graph.hops(x, y), hops, "{} to {}", x, y);
                longest = if x < accelerators { longest.max(hops.unwrap()) } else { longest };
                let (mut at, mut left) = (x, hops.unwrap());
                let mut way = selector;
                while let n @ 1.. = graph.choices(at, y) {
                    let (digit, next) = pick(way, n);
                    let port = graph.choice(at, y, digit).unwrap();
                    way = next;
                    at = graph.peer(at, port).unwrap().0;
                    left -= 1;
                    prop_assert_eq!(graph.hops(at, y), Some(left));
                }
                prop_assert_eq!((at, left), (y, 0));
                for k in 0..graph.choices(x, y) {
                    let end = graph.peer(x, graph.choice(x, y, k).unwrap()).unwrap().0;
                    prop_assert_eq!(graph.hops(end, y).unwrap() + 1, graph.hops(x, y).unwrap());
                }
            }
        }
        prop_assert_eq!(graph.diameter(), longest);
    }
}

#[test]
fn what_is_wrong_is_named() {
    let refusal = |accelerators, switches, edges: &[Edge]| {
        Graph::new(accelerators, switches, edges, &[1], &Control::default()).unwrap_err().problem()
    };
    assert_eq!(refusal(2, 1, &[edge(0, 2, 1)]), "no path between accelerators 0 and 1");
    // accelerator 1 would have to forward
    let chain = [edge(0, 1, 1), edge(1, 2, 1)];
    assert_eq!(refusal(3, 0, &chain), "no path between accelerators 0 and 2");
    assert_eq!(Graph::forwarding(3, 0, &chain, &[1], &Control::default()).unwrap().hops(0, 2), Some(2));
    let apart = Graph::forwarding(4, 0, &chain, &[1], &Control::default()).unwrap_err();
    assert_eq!(apart, Refusal::Wrong("no path between accelerators 1 and 3".into(), "a connected graph".into()));
    // 255 links are one more than a byte tells
    let line = |n: u32| {
        Graph::forwarding(n, 0, &(1..n).map(|a| edge(a - 1, a, 1)).collect::<Vec<_>>(), &[1], &Control::default())
    };
    assert_eq!(line(255).unwrap().diameter(), 254);
    assert_eq!(line(256).unwrap_err().problem(), "more than 254 links between accelerators 0 and 255");
    assert_eq!(
        Graph::forwarding(20_000, 0, &[], &[1], &Control::default()).unwrap_err().problem(),
        "20000 vertices that forward a copy"
    );
    assert_eq!(refusal(2, 1, &[edge(0, 3, 1)]), "edge 0 between vertices 0 and 3");
    assert_eq!(refusal(2, 1, &[edge(1, 1, 1)]), "edge 0 between vertices 1 and 1");
    assert!(refusal(2, 1, &[edge(0, 2, 0)]).contains("0 links of class 0"));
    assert_eq!(refusal(2, 1, &[edge(0, 2, 20_000), edge(1, 2, 1)]), "accelerator 0 with 20000 ports");
    assert!(refusal(2, 20_000, &[]).contains("20000 switches"));
}

#[test]
fn choices_are_spread() {
    // two leaves and eight spines: each selector takes some spine, all of them are taken
    let mut edges = vec![edge(0, 2, 1), edge(1, 3, 1)];
    edges.extend((4..12).flat_map(|spine| [edge(2, spine, 1), edge(3, spine, 1)]));
    let graph = Graph::new(2, 10, &edges, &[1], &Control::default()).unwrap();
    let next = |way| graph.choice(2, 1, pick(way, 8).0).unwrap();
    let mut taken: Vec<u32> = (0..WAYS).map(next).collect();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!((taken.len(), graph.diameter(), graph.choices(2, 1)), (8, 4, 8));
    for first in 0..20 {
        let mut some: Vec<u32> = (0..8).map(|i| next(8 * first + i)).collect();
        some.sort_unstable();
        some.dedup();
        assert_eq!(some.len(), 8, "eight ways in turn take eight spines");
    }
}

#[test]
fn no_two_ways_become_one() {
    for n in 1..40 {
        let mut left: Vec<u32> = (0..WAYS).map(|way| pick(7 * WAYS + way, n).1).collect();
        left.sort_unstable();
        assert!(left.iter().zip(7 * WAYS..).all(|(&a, b)| a == b), "{n} choices");
    }
    // digits one after the other
    let ((a, second), third) = (pick(5 + 16 * 9, 16), |s| pick(s, 8));
    assert_eq!((a, third(second).0), (5, 1));
}

#[test]
fn heavy_links_are_avoided() {
    // accelerators at switches 2 and 4: one heavy link straight, or two light ones over switch 3
    let edges = |w| [edge(0, 2, 1), edge(1, 4, 1), Edge { class: w, ..edge(2, 4, 1) }, edge(2, 3, 1), edge(3, 4, 1)];
    let first = |class, weights: &[u8]| {
        let graph = Graph::new(2, 3, &edges(class), weights, &Control::default()).unwrap();
        (graph.hops(0, 1), graph.nearer(2, 1).filter_map(|p| graph.peer(2, p)).map(|end| end.0).collect::<Vec<_>>())
    };
    assert_eq!(first(0, &[1]), (Some(3), vec![4]));
    assert_eq!(first(1, &[1, 2]), (Some(3), vec![4, 3]));
    assert_eq!(first(1, &[1, 3]), (Some(3), vec![3]));
    assert!(Graph::new(2, 3, &edges(0), &[16], &Control::default()).unwrap_err().problem().contains("weight 16"));
}
