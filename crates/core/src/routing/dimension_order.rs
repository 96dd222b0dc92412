//! Dimension-order routing in tori, meshes and full meshes.
//!
//! Dimensions are corrected one after the other, fastest first, each the shorter way round (exactly half way: the
//! selector decides). On a ring, packets that still have to cross the wraparound use channel 0 and the others channel 1,
//! so no cycle of channel dependencies exists.
//!
//! **Source.** Dally & Seitz, IEEE ToC C-36(5) 1987 (dateline); the class of a packet is recomputed from where it is and
//! where it goes, so no state travels.

use crate::fabric::direct::{Dimension, Direct};

/// Output port, virtual channel and the way left behind that port; `None` when there. `here` is the position, `way` the way
/// left from it ([`Direct::way`]).
#[inline]
pub fn step(direct: &Direct, here: u32, way: u32, selector: u32) -> Option<(u32, u32, u32)> {
    for dim in &direct.dims {
        let size = dim.kind.size();
        let ahead = way / dim.unit % size;
        let (neighbour, channel, left) = match dim.kind {
            Dimension::Line { wrap: false, .. } => {
                let x = dim.at(here);
                if x == ahead {
                    continue;
                }
                (u32::from(ahead < x), 0, ahead)
            }
            _ if ahead == 0 => continue,
            Dimension::Full { .. } => (ahead - 1, 0, 0),
            Dimension::Line { wrap: true, .. } => {
                let minus = match (2 * ahead).cmp(&size) {
                    std::cmp::Ordering::Less => false,
                    std::cmp::Ordering::Greater => true,
                    std::cmp::Ordering::Equal => (selector / direct.links) & 1 == 1,
                };
                let x = dim.at(here);
                let crosses = if minus { x < size - ahead } else { x + ahead >= size };
                (
                    u32::from(minus),
                    u32::from(direct.dateline && !crosses),
                    if minus { (ahead + 1) % size } else { ahead - 1 },
                )
            }
        };
        let port = dim.port + neighbour * direct.links + selector % direct.links;
        return Some((port, channel, way - ahead * dim.unit + left * dim.unit));
    }
    None
}

/// Output port and virtual channel from one position of an unfolded shape towards another; `None` when there.
pub fn next(direct: &Direct, at: u32, dst: u32, selector: u32) -> Option<(u32, u32)> {
    step(direct, at, direct.way(at, dst), selector).map(|(port, channel, _)| (port, channel))
}

/// Number of equal first hops between two places: parallel links, twice if the first differing ring is exactly halved.
pub fn choices(direct: &Direct, at: u32, dst: u32) -> u32 {
    let halved = |d: &crate::fabric::direct::Dim| match d.kind {
        Dimension::Line { size, wrap: true } => {
            2 * ((dst / d.stride % size + size - at / d.stride % size) % size) == size
        }
        _ => false,
    };
    let differs = |d: &&crate::fabric::direct::Dim| at / d.stride % d.kind.size() != dst / d.stride % d.kind.size();
    match direct.dims.iter().find(differs) {
        Some(d) if halved(d) => 2 * direct.links,
        _ => direct.links,
    }
}

/// Hops between two places.
pub fn distance(direct: &Direct, at: u32, dst: u32) -> u32 {
    let hops = |d: &crate::fabric::direct::Dim| {
        let size = d.kind.size();
        let (x, y) = (at / d.stride % size, dst / d.stride % size);
        match d.kind {
            Dimension::Full { .. } => u32::from(x != y),
            Dimension::Line { wrap, .. } => {
                let straight = x.abs_diff(y);
                if wrap { straight.min(size - straight) } else { straight }
            }
        }
    };
    direct.dims.iter().map(hops).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shapes() -> impl Strategy<Value = Direct> {
        let dim = (1u32..7, 0u8..3).prop_map(|(size, kind)| match kind {
            0 => Dimension::Full { size },
            k => Dimension::Line { size, wrap: k == 2 && size > 2 },
        });
        (prop::collection::vec(dim, 1..4), 1u32..3).prop_map(|(dims, links)| Direct::new(&dims, links).unwrap())
    }

    proptest! {
        #[test]
        fn routes_are_minimal(direct in shapes(), x: u32, y: u32, selector: u32) {
            let (mut at, dst) = (x % direct.positions(), y % direct.positions());
            let expected = distance(&direct, at, dst);
            let (mut hops, mut way) = (0, direct.way(at, dst));
            while let Some((port, _, left)) = step(&direct, at, way, selector) {
                at = direct.peer(at, port).unwrap().0;
                way = left;
                hops += 1;
                prop_assert!(hops <= expected);
                prop_assert_eq!(way, direct.way(at, dst));
            }
            prop_assert_eq!((hops, at), (expected, dst));
        }
    }

    #[test]
    fn channel_dependencies_have_no_cycle() {
        // Every (port, channel) of a 5 x 4 torus, with an edge for each pair of consecutive hops of any route, must sort
        // topologically.
        let ring = |size| Dimension::Line { size, wrap: true };
        let direct = Direct::new(&[ring(5), ring(4)], 1).unwrap();
        let (n, ports) = (direct.positions(), direct.ports());
        let id = |at: u32, port: u32, channel: u32| ((at * ports + port) * 2 + channel) as usize;
        let mut edges = std::collections::BTreeSet::new();
        for src in 0..n {
            for dst in 0..n {
                for selector in 0..2 {
                    let (mut at, mut last) = (src, None);
                    while let Some((port, channel)) = next(&direct, at, dst, selector) {
                        let here = id(at, port, channel);
                        if let Some(last) = last {
                            edges.insert((last, here));
                        }
                        last = Some(here);
                        at = direct.peer(at, port).unwrap().0;
                    }
                }
            }
        }
        let mut indegree = vec![0; id(n, 0, 0)];
        for &(_, to) in &edges {
            indegree[to] += 1;
        }
        let mut ready: Vec<usize> = (0..indegree.len()).filter(|&v| indegree[v] == 0).collect();
        let mut sorted = 0;
        while let Some(v) = ready.pop() {
            sorted += 1;
            for &(_, to) in edges.range((v, 0)..(v + 1, 0)) {
                indegree[to] -= 1;
                if indegree[to] == 0 {
                    ready.push(to);
                }
            }
        }
        assert_eq!(sorted, indegree.len(), "a cycle of channel dependencies");
    }
}
