//! Where a digit of the rank lies in a network, and whether shifting it is a symmetry of the network and its routes.
//!
//! **Model.** Shifting a digit of the rank moves accelerators. It is an automorphism of a network if it permutes whole
//! copies, or turns one ring or full mesh, or permutes the children of all switches of one tier alike. Routes follow if
//! what chooses the uplinks moves with it; then it must also move every uplink in use (act freely on the ports), or two
//! accelerators that are one in the quotient would share a queue.
//!
//! **Invariant.** A digit that is accepted is an automorphism of fabric and routes that moves every port in use.
//! **Cost.** O(tiers or dimensions).

use crate::fabric::direct::Direct;
use crate::fabric::{Network, Shape};
use crate::radix::Digit;
use crate::spec::RoutingSpec;

/// Where a digit lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// Shifting it permutes copies of the network.
    Outside,
    /// A digit among the children of a tier's switches (at the lowest tier, of places, not counting parallel links).
    Tier(usize, Digit),
    /// A dimension of a direct network.
    Dimension(usize),
}

/// Why not, in words that go on after "digit ... cannot be folded: ".
pub(super) type Refusal = String;

/// Highest tier that messages among the first `ranks` accelerators pass, and the number of places in use.
pub(super) fn reach(net: &Network, ranks: u32) -> (usize, u32) {
    let Shape::Clos(tree) = &net.planes[0].shape else {
        return (0, ranks.min(net.span));
    };
    let (members, links) = (ranks.min(net.span), net.planes[0].links);
    let slot = |member: u32| net.position(0, member, 0) / links;
    // with rails the last member need not have the last place
    let last = if net.rails > 1 { (0..members).map(slot).max().unwrap_or(0) } else { members - 1 };
    (tree.meet(0, last * links), last + 1)
}

/// Finds the seat of a digit that lies within the first `ranks` accelerators; `sums`: the network's tree forms sums of all
/// for all, so that its uplinks need not move.
pub(super) fn seat(net: &Network, ranks: u32, sums: bool, digit: Digit) -> Result<Seat, Refusal> {
    let name = &net.spec.name;
    if let Shape::Graph(_) = &net.planes[0].shape {
        return Err(format!("network {name} is an explicit graph, whose symmetries are not looked for"));
    }
    if digit.stride >= net.span {
        return match digit.stride % net.span {
            0 => Ok(Seat::Outside),
            _ => Err(format!("copies of network {name} would be torn apart")),
        };
    }
    if net.span < ranks && !net.span.is_multiple_of(digit.end()) {
        return Err(format!("it lies partly inside and partly outside of a copy of network {name}"));
    }
    match &net.planes[0].shape {
        Shape::Direct(direct) => dimension(net, direct, ranks, digit),
        Shape::Clos(_) | Shape::Graph(_) => tier(net, ranks, sums, digit),
    }
}

fn dimension(net: &Network, direct: &Direct, ranks: u32, digit: Digit) -> Result<Seat, Refusal> {
    let name = &net.spec.name;
    if ranks < net.span {
        return Err(format!("the ranks fill only a part of network {name}"));
    }
    let dim = direct.dims.iter().position(|d| d.unit == digit.stride && d.kind.size() == digit.size);
    let Some(dim) = dim else {
        return Err(format!("it is no whole dimension of network {name}"));
    };
    if !direct.dims[dim].relative() {
        return Err(format!("dimension {dim} of network {name} is a line with two different ends"));
    }
    if direct.turned().contains(&dim) {
        return Err(format!("the wraparound of dimension {dim} of network {name} shifts another"));
    }
    if direct.links > 1 && net.spec.routing != RoutingSpec::SprayRoundRobin {
        return Err(format!(
            "routing {} picks among parallel links of network {name} by name",
            net.spec.routing.name()
        ));
    }
    Ok(Seat::Dimension(dim))
}

fn tier(net: &Network, ranks: u32, sums: bool, digit: Digit) -> Result<Seat, Refusal> {
    let name = &net.spec.name;
    let Shape::Clos(tree) = &net.planes[0].shape else {
        return Err(format!("network {name} mixes trees with direct planes"));
    };
    let links = net.planes[0].links;
    let hosts = tree.tiers()[0].down / links;
    let slots = places(net.rails, hosts, digit).ok_or_else(|| format!("it straddles the rails of network {name}"))?;
    let (top, _) = reach(net, ranks);
    let last = tree.tiers().len() - 1;
    let low = |t: usize| if t == 0 { 1 } else { tree.tiers()[t].child_positions / links };
    let Some(t) = (0..=last).find(|&t| t == last || slots.stride < low(t + 1)) else {
        return Err(format!("network {name} has no tiers"));
    };
    if slots.stride % low(t) != 0 || t < last && low(t + 1) % slots.end() != 0 {
        return Err(format!("it straddles tiers of network {name}"));
    }
    let seat = Digit { stride: slots.stride / low(t), size: slots.size };
    if sums {
        return Ok(Seat::Tier(t, seat));
    }
    routes(net, top)?;
    if t < top {
        for plane in &net.planes {
            let Shape::Clos(tree) = &plane.shape else {
                continue;
            };
            let above = &tree.tiers()[t + 1];
            let (up, parallel, place) = (above.up, above.parallel, in_positions(seat, t, plane.links));
            let fits = (up * parallel).is_multiple_of(place.end());
            // in all planes alike
            let first = across(up, in_positions(seat, t, links));
            if !fits || first.is_none() || across(up, place) != first {
                let ways = up * parallel;
                return Err(format!(
                    "tier {} of network {name} has {ways} uplinks, which it would not all move",
                    t + 1
                ));
            }
        }
    }
    Ok(Seat::Tier(t, seat))
}

/// How many parents and how many parallel links a digit of the choice among uplinks takes together; parents come first.
pub(super) fn across(up: u32, place: Digit) -> Option<(u32, u32)> {
    if place.stride.is_multiple_of(up) {
        Some((1, place.size))
    } else if up.is_multiple_of(place.end()) {
        Some((place.size, 1))
    } else if up.is_multiple_of(place.stride) && place.end().is_multiple_of(up) {
        Some((up / place.stride, place.end() / up))
    } else {
        None
    }
}

/// Whether the choice of uplinks moves with the accelerators; planes are taken in turn.
fn routes(net: &Network, top: usize) -> Result<(), Refusal> {
    let name = &net.spec.name;
    let several = |plane: &crate::fabric::Plane| match &plane.shape {
        Shape::Clos(tree) => tree.tiers()[1..=top].iter().any(|t| t.up * t.parallel > 1),
        Shape::Direct(_) | Shape::Graph(_) => false,
    };
    let paths = net.planes.iter().any(several);
    match net.spec.routing {
        RoutingSpec::Ecmp if paths => {
            Err(format!("routing {} picks paths of network {name} by a hash of names", net.spec.routing.name()))
        }
        RoutingSpec::SprayRandom if paths || net.ports > 1 => {
            Err(format!("routing {} picks paths of network {name} by a hash of names", net.spec.routing.name()))
        }
        _ => Ok(()),
    }
}

/// The digit in terms of places at the leaves: rails reorder them.
fn places(rails: u32, hosts: u32, digit: Digit) -> Option<Digit> {
    let Digit { stride, size } = digit;
    if rails <= 1 || stride.is_multiple_of(rails * hosts) {
        return Some(digit);
    }
    if rails.is_multiple_of(digit.end()) {
        return Some(Digit { stride: stride * hosts, size });
    }
    let within = stride.is_multiple_of(rails) && (rails * hosts).is_multiple_of(digit.end());
    within.then_some(Digit { stride: stride / rails, size })
}

/// A tier's digit counted in positions: at the lowest tier, parallel links come first.
pub(super) fn in_positions(digit: Digit, tier: usize, links: u32) -> Digit {
    Digit { stride: if tier == 0 { digit.stride * links } else { digit.stride }, size: digit.size }
}

/// Numbers at which a digit of the rank should begin or end to lie well in a network, in any order.
pub(super) fn edges(net: &Network, ranks: u32) -> Vec<u32> {
    let mut edges = vec![net.span];
    match &net.planes[0].shape {
        Shape::Direct(direct) => edges.extend(direct.dims.iter().map(|d| d.unit)),
        Shape::Graph(_) => {}
        Shape::Clos(tree) => {
            let links = net.planes[0].links;
            let (tiers, rails) = (tree.tiers(), net.rails.max(1));
            let hosts = tiers[0].down / links;
            // a number of places as a number of ranks, where it is one
            let member = |slots: u32| match slots {
                s if rails == 1 || s % (rails * hosts) == 0 => Some(s),
                s if s <= hosts => Some(s * rails),
                s if s % hosts == 0 => Some(s / hosts),
                _ => None,
            };
            let (top, _) = reach(net, ranks);
            for t in 0..=top {
                let low = if t == 0 { 1 } else { tiers[t].child_positions / links };
                let mut here = vec![low];
                if t < top {
                    let children = if t == 0 { hosts } else { tiers[t].down };
                    // parents, and parents with their parallel links; at the lowest tier, links of an accelerator come first
                    for ways in [tiers[t + 1].up, tiers[t + 1].up * tiers[t + 1].parallel] {
                        let ways = if t == 0 { ways / gcd(ways, links) } else { ways };
                        here.push(low * gcd(children, ways));
                    }
                }
                edges.extend(here.into_iter().filter_map(member));
            }
            edges.extend([rails, rails * hosts]);
        }
    }
    edges
}

pub(super) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
