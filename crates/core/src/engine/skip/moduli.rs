//! After how many steps of a selector, and after how many packets of a rank, the paths begin again.
//!
//! A switch reads digits of a packet's selector, so selectors that differ by a multiple of the product of all its choices take the
//! same path. The digits that a packet is given go by a count: that of the packets like it which its rank sent by the port before; they repeat after [`crate::routing::climb::Climb::period`] counts.

use crate::engine::layout::{Class, Layout};
use crate::engine::paths::{PathNet, Paths};
use crate::fabric::graph::WAYS;
use crate::fabric::{Fabric, Network, Shape};
use crate::routing::climb::Climb;

/// Numbers of one network; zero where there is none below 2^32.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modulus {
    /// Selectors that differ by this take the same path; zero on direct networks, whose packets carry fixed ones.
    pub(super) selector: u32,
    /// By how much the selectors of consecutive packets of a share differ, if their paths are the same.
    pub(super) paths: u32,
    /// Packets of a share after which the paths repeat.
    pub(super) groups: u32,
    /// Packets carry a fixed selector, not the spread's.
    pub(super) direct: bool,
    /// Packets of one port after which paths and the announcing of credits begin again, as far as they alone go; a guess
    /// at a period that costs nothing if it is wrong.
    pub(super) stride: u32,
    /// Routes depend on the step by a hash.
    pub(super) hashed: bool,
}

/// A longer stride is no better guess than any.
const LONGEST_STRIDE: u32 = 1 << 12;

/// Of all networks.
pub(super) fn moduli(fabric: &Fabric, layout: &Layout, paths: &Paths) -> Vec<Modulus> {
    let networks = fabric.networks.iter().zip(&paths.networks).zip(0u8..);
    networks.map(|((net, path), n)| of(net, path, layout.classes.iter().filter(|c| c.network == n))).collect()
}

fn of<'a>(net: &Network, path: &PathNet, classes: impl Iterator<Item = &'a Class>) -> Modulus {
    let ways = path.climbs.first().map_or(1, Climb::paths);
    let mut groups = path.climbs.iter().map(Climb::period).fold(1, common);
    let mut selector = ways;
    // the number of a packet stands above the ways and the links
    let most = net.planes.iter().map(|plane| plane.links).max().unwrap_or(1);
    let mut paths = ways.saturating_mul(most);
    for plane in &net.planes {
        match &plane.shape {
            Shape::Clos(_) => selector = common(selector, plane.links),
            Shape::Direct(_) => selector = 0,
            Shape::Graph(_) => (selector, paths, groups) = (WAYS, WAYS, WAYS),
        }
    }
    selector = selector.checked_mul(most).unwrap_or(0);
    let credits = classes.filter(|c| c.buffer.is_some()).map(|c| c.quantum.div_ceil(c.full_wire.max(1)));
    let stride = credits.fold(groups.max(1), common);
    Modulus {
        selector,
        paths,
        // the ways of a single path do not go by a count
        groups: if net.spec.routing.sprays() { groups } else { 1 },
        direct: net.is_direct(),
        stride: if (1..=LONGEST_STRIDE).contains(&stride) { stride } else { 1 },
        hashed: net.spec.routing.random(),
    }
}

/// Least common multiple, zero if there is none below 2^32.
pub(super) fn common(a: u32, b: u32) -> u32 {
    if a == 0 || b == 0 {
        return 0;
    }
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    (a / x).checked_mul(b).unwrap_or(0)
}
