//! Which links the routes between ranks can take: what a bound may count.
//!
//! **Model.** A rank sends over the first links of its routes to other ranks and receives over the last ones. In a direct network the
//! first link lies in the first dimension in which the two places differ, the last link in the last such dimension
//! ([`crate::routing::dimension_order`]). In an explicit graph the first link begins a shortest path, unless packets take detours. In a
//! tree every lane begins at another plane, so a rank can use all its links, but a single-path policy (D-mod-k,
//! S-mod-k) takes one way up for each destination or source.
//!
//! **Invariant.** A link that some route between two ranks takes is counted: the bound stays a bound. **Cost.** O(ranks log ranks)
//! for each dimension or tier; on graphs at most [`PAIRS`] pairs are looked at. **Limits.** Of links in the middle only their
//! number is known, not which pairs share one. A twisted torus counts all its links.

use crate::fabric::direct::{Dim, Dimension, Direct};
use crate::fabric::{Network, Shape};
use crate::spec::RoutingSpec;
use crate::survey::path;

/// Pairs of ranks on a graph whose first links are looked up; with more, all links of a rank count.
const PAIRS: usize = 1 << 16;

/// Bytes or links, out of a group of ranks and into it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Both {
    pub(super) out: f64,
    pub(super) into: f64,
}

impl Both {
    /// The same both ways.
    pub(super) fn alike(rate: f64) -> Self {
        Self { out: rate, into: rate }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { out: self.out + other.out, into: self.into + other.into }
    }

    pub(super) fn min(self, other: Self) -> Self {
        Self { out: self.out.min(other.out), into: self.into.min(other.into) }
    }

    pub(super) fn times(self, by: f64) -> Self {
        Self { out: self.out * by, into: self.into * by }
    }
}

/// Payload bytes a second that each rank can send to and receive from other ranks over a network.
pub(super) fn doors(net: &Network, placement: &[u32]) -> Vec<Both> {
    let share = path::payload_share(net) / 8.0;
    let all = Both::alike(net.injection() as f64 * share);
    match &net.planes[0].shape {
        Shape::Direct(direct) if direct.twist.is_empty() => {
            let mut doors = vec![Both::default(); placement.len()];
            for (d, dim) in direct.dims.iter().enumerate().filter(|(_, dim)| dim.kind.size() > 1) {
                let rate = net.link(d).rate.0 as f64 * f64::from(direct.links) * share;
                let first = neighbours(net, dim, placement, |at| at % dim.stride);
                let last = neighbours(net, dim, placement, |at| at / (dim.stride * dim.kind.size()));
                for (door, (out, into)) in doors.iter_mut().zip(first.zip(last)) {
                    *door = door.plus(Both { out: f64::from(out) * rate, into: f64::from(into) * rate });
                }
            }
            doors
        }
        Shape::Clos(_) | Shape::Direct(_) => vec![all; placement.len()],
        Shape::Graph(graph) => {
            let detours = matches!(net.spec.routing, RoutingSpec::Valiant) && graph.forwards();
            let look = !detours && placement.len().saturating_mul(placement.len()) <= PAIRS;
            let rate = |a: u32, port: u32| net.link(graph.class(a, port).into()).rate.0 as f64 * share;
            let door = |&x: &u32| {
                let a = x % net.span;
                let every: Vec<u32> = (0..graph.ports(a)).collect();
                let into = every.iter().map(|&port| rate(a, port)).sum();
                let mut ports = every;
                if look {
                    let peers = placement.iter().filter(|&&y| y != x && y / net.span == x / net.span);
                    ports = peers.flat_map(|y| graph.nearer(a, y % net.span)).collect();
                    ports.sort_unstable();
                    ports.dedup();
                }
                Both { out: ports.iter().map(|&port| rate(a, port)).sum(), into }
            };
            placement.iter().map(door).collect()
        }
    }
}

/// Neighbours along a dimension by which each rank reaches those with the same `rest`, or is reached by them.
fn neighbours<'a>(
    net: &'a Network,
    dim: &'a Dim,
    placement: &'a [u32],
    rest: impl Fn(u32) -> u32 + Copy + 'a,
) -> impl Iterator<Item = u32> + 'a {
    let size = dim.kind.size();
    let line = move |a: u32| u64::from(a / net.span) << 32 | u64::from(rest(a % net.span));
    let mut lines: Vec<(u64, u32)> = placement.iter().map(|&a| (line(a), dim.at(a % net.span))).collect();
    lines.sort_unstable();
    lines.dedup();
    placement.iter().map(move |&a| {
        let (key, x) = (line(a), dim.at(a % net.span));
        let from = lines.partition_point(|&(k, _)| k < key);
        let here = &lines[from..lines.partition_point(|&(k, _)| k <= key)];
        let i = here.partition_point(|&(_, y)| y < x);
        match dim.kind {
            Dimension::Full { .. } => here.len() as u32 - 1,
            Dimension::Line { wrap: false, .. } => u32::from(i > 0) + u32::from(i + 1 < here.len()),
            Dimension::Line { wrap: true, .. } => {
                // the nearest either way round, half way at most
                let (after, before) = (here[(i + 1) % here.len()].1, here[(i + here.len() - 1) % here.len()].1);
                let ahead = |from: u32, to: u32| (to + size - from) % size;
                let reached = |way: u32| u32::from(way > 0 && 2 * way <= size);
                reached(ahead(x, after)) + reached(ahead(before, x))
            }
        }
    })
}

/// Links of each copy that routes can take from the lower half of a dimension to the upper one, and back; not of a twisted
/// torus.
pub(super) fn middle(net: &Network, direct: &Direct, d: usize, placement: &[u32]) -> Vec<Both> {
    let dim = &direct.dims[d];
    let (size, half) = (dim.kind.size(), dim.kind.size() / 2);
    let line = dim.stride * size;
    let full = matches!(dim.kind, Dimension::Full { .. });
    // where a route leaves the line of its source, dimensions before this one are those of its destination
    let source = |at: u32| if full { at / dim.stride } else { at / line };
    let target = |at: u32| if full { at % line } else { at % dim.stride };
    let side = |upper: bool, of: &dyn Fn(u32) -> u32| {
        let here = |a: &&u32| (dim.at(**a % net.span) >= half) == upper;
        let keys = placement.iter().filter(here).map(|&a| (a / net.span, of(a % net.span)));
        distinct(net.copies, keys.collect())
    };
    let (low, high) = ((side(false, &source), side(false, &target)), (side(true, &source), side(true, &target)));
    // the ends of the ranks' places in either half
    let mut ends = vec![[u32::MAX, 0, u32::MAX, 0]; net.copies as usize];
    for &a in placement {
        let (x, ends) = (dim.at(a % net.span), &mut ends[(a / net.span) as usize]);
        let upper = 2 * usize::from(x >= half);
        (ends[upper], ends[upper + 1]) = (ends[upper].min(x), ends[upper + 1].max(x));
    }
    let crossings = |&[least, below, above, most]: &[u32; 4]| match dim.kind {
        _ if least == u32::MAX || above == u32::MAX => 0.0,
        Dimension::Line { wrap: true, .. } => {
            f64::from(2 * (above - below) <= size) + f64::from(2 * (most - least) >= size)
        }
        _ => 1.0,
    };
    let links = |copy: usize| Both { out: low.0[copy] * high.1[copy], into: high.0[copy] * low.1[copy] };
    let times = |(copy, ends)| links(copy).times(crossings(ends) * f64::from(direct.links));
    ends.iter().enumerate().map(times).collect()
}

/// Bit/s out of and into each group of ranks under a switch group of `tier` on the ways up that a single-path policy takes.
pub(super) fn ways_up(net: &Network, tier: usize, placement: &[u32], group: &[u32], groups: usize) -> Vec<Both> {
    let mut total = vec![Both::default(); groups];
    for (p, plane) in net.planes.iter().enumerate() {
        let Shape::Clos(tree) = &plane.shape else {
            continue;
        };
        let tiers = tree.tiers();
        let way = |a: u32, link: u32| {
            let position = net.position(p, a % net.span, link);
            let digit = |t: usize| {
                let choices = tiers[t + 1].up * tiers[t + 1].parallel;
                (choices, position / tiers[t].child_positions % tiers[t].down % choices)
            };
            (0..=tier).map(digit).fold(0u64, |way, (choices, digit)| way * u64::from(choices) + u64::from(digit))
        };
        let each = placement.iter().zip(group).flat_map(|(&a, &g)| (0..plane.links).map(move |link| (g, a, link)));
        let ways: Vec<(u32, u64)> = each.map(|(g, a, link)| (g, way(a, link))).collect();
        let all = distinct(1, ways.iter().map(|way| (0, way.1)).collect())[0];
        for (total, own) in total.iter_mut().zip(distinct(groups as u32, ways)) {
            *total = total.plus(match net.spec.routing {
                RoutingSpec::DModK => Both { out: all, into: own },
                RoutingSpec::SModK => Both { out: own, into: all },
                _ => Both::alike(f64::INFINITY),
            });
        }
    }
    let rate = net.link(tier + 1).rate.0 as f64;
    total.into_iter().map(|ways| ways.times(rate)).collect()
}

/// How many different keys there are in each group.
fn distinct<K: Ord>(groups: u32, mut keys: Vec<(u32, K)>) -> Vec<f64> {
    keys.sort_unstable();
    keys.dedup();
    let mut count = vec![0.0; groups as usize];
    keys.iter().for_each(|&(group, _)| count[group as usize] += 1.0);
    count
}
