//! After how many steps of a selector, and after how many packets of a rank, the paths begin again.
//!
//! A tree reads digits of the selector, so a selector that advanced by a multiple of the product of all its choices takes
//! the same paths. A new message starts where the count of packets sent says: its rotation repeats with the number of first
//! hops, its selector advances by one each time round.

use crate::engine::layout::{Class, Layout};
use crate::fabric::{Fabric, Network, Shape};
use crate::spec::RoutingSpec;

/// Numbers of one network; zero where there is none below 2^32.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modulus {
    /// Selectors that differ by this take the same path; zero on direct networks, whose packets carry fixed ones.
    pub(super) selector: u32,
    /// Packets carry a fixed selector, not the spread's.
    pub(super) direct: bool,
    /// Messages opened so many packets later spread alike.
    pub(super) packets: u32,
    /// Packets of one port after which paths and the announcing of credits begin again, as far as they alone go; a guess
    /// at a period that costs nothing if it is wrong.
    pub(super) stride: u32,
    /// Routes depend on the step by a hash.
    pub(super) hashed: bool,
}

/// A longer stride is no better guess than any.
const LONGEST_STRIDE: u32 = 1 << 12;

/// Of all networks.
pub(super) fn moduli(fabric: &Fabric, layout: &Layout) -> Vec<Modulus> {
    fabric
        .networks
        .iter()
        .zip(0u8..)
        .map(|(net, n)| of(net, layout.classes.iter().filter(|c| c.network == n)))
        .collect()
}

fn of<'a>(net: &Network, classes: impl Iterator<Item = &'a Class>) -> Modulus {
    let (mut selector, mut packets) = (1, 1);
    for plane in &net.planes {
        match &plane.shape {
            Shape::Clos(tree) => {
                selector = common(selector, plane.links);
                for tier in tree.tiers() {
                    let choices = tier.digit.checked_mul(tier.up).and_then(|n| n.checked_mul(tier.parallel));
                    selector = common(selector, choices.unwrap_or(0));
                }
            }
            Shape::Direct(direct) => {
                selector = 0;
                packets = 2 * direct.links;
            }
        }
    }
    let counts = net.spec.routing == RoutingSpec::SprayRoundRobin;
    if !net.is_direct() {
        packets = net.ports.checked_mul(selector).unwrap_or(0);
    }
    let credits = classes.filter(|c| c.buffer.is_some()).map(|c| c.quantum.div_ceil(c.full_wire.max(1)));
    let stride = credits.fold(selector.max(1), common);
    Modulus {
        selector,
        direct: net.is_direct(),
        stride: if (1..=LONGEST_STRIDE).contains(&stride) { stride } else { 1 },
        packets: if counts { packets } else { 1 },
        hashed: matches!(net.spec.routing, RoutingSpec::Ecmp | RoutingSpec::SprayRandom),
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
