//! Dimension-order routing in tori, meshes and full meshes.
//!
//! Dimensions are corrected one after the other, fastest first, each the shorter way round (exactly half way: the
//! selector decides). On a ring, packets that still have to cross the wraparound use channel 0 and the others channel 1,
//! so no cycle of channel dependencies exists. With a twist ([`super::twisted`]) this still holds: no shortest way crosses a
//! wraparound twice, and none comes back to a dimension.
//!
//! **Source.** Dally & Seitz, IEEE ToC C-36(5) 1987 (dateline); the class of a packet is recomputed from where it is and
//! where it goes, so no state travels.

use super::twisted::{self, ORDERS};
use crate::fabric::direct::{Dimension, Direct};
use std::cmp::Ordering;

/// Output port, virtual channel and the way left behind that port; `None` when there. `here` is the position, `way` the way
/// left from it ([`Direct::way`]).
#[inline]
pub fn step(direct: &Direct, here: u32, way: u32, selector: u32) -> Option<(u32, u32, u32)> {
    let twisted = (!direct.twist.is_empty()).then(|| twisted::hops(direct, way, selector / direct.links % ORDERS));
    for (i, dim) in direct.dims.iter().enumerate() {
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
            Dimension::Full { .. } if ahead == 0 => continue,
            Dimension::Full { .. } => (ahead - 1, 0, 0),
            Dimension::Line { wrap: true, .. } => {
                let (minus, hops) = match (&twisted, (2 * ahead).cmp(&size)) {
                    (Some(hops), _) => (hops[i] < 0, hops[i].unsigned_abs()),
                    (None, Ordering::Less) => (false, ahead),
                    (None, Ordering::Greater) => (true, size - ahead),
                    (None, Ordering::Equal) => ((selector / direct.links) & 1 == 1, ahead),
                };
                if hops == 0 {
                    continue;
                }
                let x = dim.at(here);
                let crosses = if minus { x < hops } else { x + hops >= size };
                let left = if minus { (ahead + 1) % size } else { (ahead + size - 1) % size };
                (u32::from(minus), u32::from(direct.dateline && !crosses), left)
            }
        };
        let port = dim.port + neighbour * direct.links + selector % direct.links;
        let mut way = way - ahead * dim.unit + left * dim.unit;
        // counted from the other side of the wraparound, the way is that much longer along the rings which it shifts
        if twisted.is_some() && if neighbour == 1 { left == 0 } else { ahead == 0 } {
            way = direct.shifts(i).fold(way, |way, shifted| shifted.half_further(way));
        }
        return Some((port, channel, way));
    }
    None
}

/// The selector of the `hop`-th of [`choices`] towards a place that is so far away.
#[inline]
pub fn selector(direct: &Direct, way: u32, hop: u32) -> u32 {
    if direct.twist.is_empty() {
        return hop;
    }
    twisted::orders(direct, way).0[(hop / direct.links % ORDERS) as usize] * direct.links + hop % direct.links
}

/// Output port and virtual channel from one position of an unfolded shape towards another; `None` when there.
pub fn next(direct: &Direct, at: u32, dst: u32, selector: u32) -> Option<(u32, u32)> {
    step(direct, at, direct.way(at, dst), selector).map(|(port, channel, _)| (port, channel))
}

/// Number of equal first hops between two places: parallel links, twice if the first differing ring is exactly halved, as often
/// as there are shortest ways that begin differently if there is a twist.
pub fn choices(direct: &Direct, at: u32, dst: u32) -> u32 {
    if !direct.twist.is_empty() {
        return ways(direct, at, dst) * direct.links;
    }
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

/// First hops of different direction with a twist; a dimension that is no ring and comes before them has only one.
fn ways(direct: &Direct, at: u32, dst: u32) -> u32 {
    let (all, count) = twisted::orders(direct, direct.way(at, dst));
    let first = |order: u32| next(direct, at, dst, order * direct.links).map(|(port, _)| direct.dimension(port));
    match first(all[0]) {
        Some(dim) if matches!(direct.dims[dim].kind, Dimension::Line { wrap: true, .. }) => count,
        _ => 1,
    }
}

/// Hops along each dimension on the way from one place to another.
pub fn hops(direct: &Direct, at: u32, dst: u32) -> impl Iterator<Item = u32> + '_ {
    let twisted = (!direct.twist.is_empty()).then(|| twisted::hops(direct, direct.way(at, dst), 0));
    direct.dims.iter().enumerate().map(move |(i, d)| {
        let size = d.kind.size();
        let (x, y) = (at / d.stride % size, dst / d.stride % size);
        let straight = x.abs_diff(y);
        match (d.kind, &twisted) {
            (Dimension::Full { .. }, _) => u32::from(x != y),
            (Dimension::Line { wrap: false, .. }, _) => straight,
            (_, Some(hops)) => hops[i].unsigned_abs(),
            (_, None) => straight.min(size - straight),
        }
    })
}

/// Hops between two places.
pub fn distance(direct: &Direct, at: u32, dst: u32) -> u32 {
    hops(direct, at, dst).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Twisted tori: two dimensions, three of which one shifts two or two shift one, and with others in between.
    fn twisted_shapes() -> impl Strategy<Value = Direct> {
        let ring = |size| Dimension::Line { size, wrap: true };
        (0u32..6, 3u32..6, 1u32..3).prop_map(move |(kind, k, links)| {
            let (short, long, mesh) = (ring(k), ring(2 * k), Dimension::Line { size: 2, wrap: false });
            let (dims, pairs): (Vec<Dimension>, Vec<[u32; 2]>) = match kind {
                0 => (vec![short, long], vec![[0, 1]]),
                1 => (vec![long, short], vec![[1, 0]]),
                2 => (vec![short, short, long], vec![[0, 2], [1, 2]]),
                3 => (vec![long, short, long], vec![[1, 2], [1, 0]]),
                4 => (vec![Dimension::Full { size: 3 }, short, mesh, ring(4)], vec![[1, 3]]),
                _ => (vec![short, ring(5), long], vec![[0, 2]]),
            };
            Direct::new(&dims, links).unwrap().twisted(&pairs).unwrap()
        })
    }

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

    /// Hops from one place to all others, by search.
    fn search(direct: &Direct, from: u32) -> Vec<u32> {
        let mut hops = vec![u32::MAX; direct.positions() as usize];
        hops[from as usize] = 0;
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            for (next, _) in (0..direct.ports()).filter_map(|port| direct.peer(at, port)) {
                if hops[next as usize] == u32::MAX {
                    hops[next as usize] = hops[at as usize] + 1;
                    queue.push_back(next);
                }
            }
        }
        hops
    }

    proptest! {
        #[test]
        fn twisted_routes_are_the_shortest_there_are(direct in twisted_shapes(), x: u32, random: u32) {
            let (from, pick) = (x % direct.positions(), random % (direct.links * ORDERS));
            let searched = search(&direct, from);
            for dst in 0..direct.positions() {
                prop_assert_eq!(distance(&direct, from, dst), searched[dst as usize]);
                let n = choices(&direct, from, dst);
                let ports = (0..n).map(|hop| next(&direct, from, dst, selector(&direct, direct.way(from, dst), hop)));
                let mut ports: Vec<u32> = ports.flatten().map(|(port, _)| port).collect();
                ports.sort_unstable();
                ports.dedup();
                // each equal first hop is another port
                prop_assert_eq!(ports.len() as u32, if from == dst { 0 } else { n });
                for selector in (0..n).map(|hop| selector(&direct, direct.way(from, dst), hop)).chain([pick]) {
                    let (mut at, mut way, mut hops, mut last) = (from, direct.way(from, dst), 0, 0);
                    while let Some((port, _, left)) = step(&direct, at, way, selector) {
                        // never back to a dimension, nor the other way along it
                        let along = direct.dimension(port) as u32 * 2 + (port - direct.dims[direct.dimension(port)].port) / direct.links;
                        let same = last == 0 || along / 2 > (last - 1) / 2 || along == last - 1;
                        let full = matches!(direct.dims[direct.dimension(port)].kind, Dimension::Full { .. });
                        prop_assert!(same || full);
                        last = along + 1;
                        at = direct.peer(at, port).unwrap().0;
                        way = left;
                        hops += 1;
                        prop_assert!(hops <= searched[dst as usize]);
                        prop_assert_eq!(way, direct.way(at, dst));
                    }
                    prop_assert_eq!((hops, at), (searched[dst as usize], dst));
                }
            }
        }
    }

    #[test]
    fn a_twist_brings_places_nearer() {
        // k x k x 2k: places are nearer on average and at most
        let ring = |size| Dimension::Line { size, wrap: true };
        let plain = Direct::new(&[ring(4), ring(4), ring(8)], 1).unwrap();
        let twisted = plain.clone().twisted(&[[0, 2], [1, 2]]).unwrap();
        let total = |d: &Direct| (0..128).map(|to| distance(d, 0, to)).sum::<u32>();
        let far = |d: &Direct| (0..128).map(|to| distance(d, 0, to)).max().unwrap();
        // 1 + 1 + 2 links on average
        assert_eq!((total(&plain), far(&plain)), (4 * 128, 8));
        // as a search of the graph finds, too
        assert_eq!((total(&twisted), far(&twisted)), (440, 6));
    }

    #[test]
    fn channel_dependencies_have_no_cycle() {
        let ring = |size| Dimension::Line { size, wrap: true };
        sorts(&Direct::new(&[ring(5), ring(4)], 1).unwrap());
        sorts(&Direct::new(&[ring(4), ring(8)], 1).unwrap().twisted(&[[0, 1]]).unwrap());
        sorts(&Direct::new(&[ring(3), ring(3), ring(6)], 1).unwrap().twisted(&[[0, 2], [1, 2]]).unwrap());
        sorts(&Direct::new(&[ring(6), ring(3), ring(6)], 1).unwrap().twisted(&[[1, 2], [1, 0]]).unwrap());
    }

    /// Every (port, channel), with an edge for each pair of consecutive hops of any route, must sort topologically.
    fn sorts(direct: &Direct) {
        let (n, ports) = (direct.positions(), direct.ports());
        let id = |at: u32, port: u32, channel: u32| ((at * ports + port) * 2 + channel) as usize;
        let mut edges = std::collections::BTreeSet::new();
        for src in 0..n {
            for dst in 0..n {
                for selector in 0..ORDERS {
                    let (mut at, mut last) = (src, None);
                    while let Some((port, channel)) = next(direct, at, dst, selector) {
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
