//! Which digits of the rank a fabric and a schedule can be shifted by, and which part of the machine they use.
//!
//! **Invariant.** A digit that is kept lies well in every network in use ([`place`]) and, where virtual channels or names tell
//! places apart, no message shows the difference. **Cost.** O(digits x divisors); at most [`LOOK`] messages are looked at.

use super::place::{self, Seat};
use crate::collective::{Schedule, Target};
use crate::control::Control;
use crate::error::Result as Checked;
use crate::fabric::direct::{Dim, Dimension};
use crate::fabric::{Fabric, Network, Shape};
use crate::radix::{Digit, Radix};
use crate::spec::RoutingSpec;

/// Messages of the representatives that are looked at to see how far they go.
const LOOK: u64 = 1 << 20;

/// The first accelerators between which all messages of the first `ranks` stay: trees have no way out of the subtrees beneath
/// the tier that joins the ranks; of other networks whole copies are kept.
pub(super) fn part(networks: &[Network], ranks: u32, all: u32) -> u32 {
    let all = u64::from(all);
    let unit = networks.iter().filter(|net| !net.is_tree()).fold(1u64, |unit, net| match unit < all {
        true => unit / u64::from(place::gcd(unit as u32, net.span)) * u64::from(net.span),
        false => all,
    });
    (u64::from(ranks).div_ceil(unit) * unit).min(all) as u32
}

/// The largest part of a digit that every network in use allows; its top part, as that is where a cyclic shift is one of
/// whole parts.
pub(super) fn largest(networks: &[Network], ranks: u32, sums: Option<usize>, digit: Digit) -> Result<Digit, String> {
    let mut first = None;
    for size in divisors(digit.size) {
        let part = Digit { stride: digit.stride * (digit.size / size), size };
        match networks
            .iter()
            .enumerate()
            .try_for_each(|(n, net)| place::seat(net, ranks, sums == Some(n), part).map(|_| ()))
        {
            Ok(()) => return Ok(part),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first.unwrap_or_default())
}

/// Divisors above one, largest first.
pub(super) fn divisors(n: u32) -> Vec<u32> {
    let small = (1..).take_while(|&d| u64::from(d) * u64::from(d) <= u64::from(n)).filter(|&d| n.is_multiple_of(d));
    let mut all: Vec<u32> = small.flat_map(|d| [d, n / d]).filter(|&d| d > 1).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.dedup();
    all
}

/// Number of networks, from the innermost on, that the messages of a schedule take if its ranks sit on accelerators in order.
pub(super) fn used(fabric: &Fabric, schedule: &dyn Schedule) -> usize {
    let last = fabric.networks.iter().position(|net| schedule.stays_within(net.span));
    last.map_or(fabric.networks.len(), |last| last + 1)
}

pub(super) fn seats(networks: &[Network], ranks: u32, sums: Option<usize>, group: &Radix) -> Vec<Vec<(Seat, Digit)>> {
    let networks = networks.iter().enumerate();
    let seat = |n: usize, net, d| place::seat(net, ranks, sums == Some(n), d).ok().map(|s| (s, d));
    networks.map(|(n, net)| group.digits().iter().filter_map(|&d| seat(n, net, d)).collect()).collect()
}

/// Rings with virtual channels have a place that is unlike the others: the dateline. It cannot be told from the others as
/// long as no message goes farther than to the next place of a ring; otherwise their digits are dropped. The same goes for
/// rings where messages that go half way round turn one way or the other by name.
pub(super) fn level(
    networks: &[Network],
    schedule: &dyn Schedule,
    digits: &mut Vec<Digit>,
    control: &Control,
) -> Checked<Result<(), String>> {
    let ranks = schedule.ranks();
    for net in networks {
        let Shape::Direct(direct) = &net.planes[0].shape else {
            continue;
        };
        let inside = |d: &Digit| matches!(place::seat(net, ranks, false, *d), Ok(Seat::Dimension(_)));
        let halved = |d: &Dim| matches!(d.kind, Dimension::Line { size, wrap: true } if size % 2 == 0);
        // which way round half a ring goes by name, unless both are taken in turn
        let named = net.spec.routing != RoutingSpec::SprayRoundRobin && direct.dims.iter().any(halved);
        if !(direct.dateline || named) || !digits.iter().any(inside) {
            continue;
        }
        let near = |from: u32, to: u32| {
            let (x, y) = (from % net.span, to % net.span);
            let way = direct.way(x, y);
            direct.dims.iter().all(|d| {
                let (size, ahead) = (d.kind.size(), way / d.unit % d.kind.size());
                !matches!(d.kind, Dimension::Line { wrap: true, .. }) || ahead <= 1 || ahead == size - 1
            })
        };
        let inner = networks.iter().take_while(|n| n.span < net.span).last().map_or(1, |n| n.span);
        let here = |from: u32, to: u32| from / net.span == to / net.span && (inner == 1 || from / inner != to / inner);
        let pass = |from, to| !here(from, to) || near(from, to);
        if !all_near(schedule, &Radix::new(digits.clone()), pass, control)? {
            digits.retain(|d| !inside(d));
            let name = &net.spec.name;
            return Ok(Err(match direct.dateline {
                true => {
                    format!("messages go round rings of network {name}, whose virtual channels change at one place")
                }
                false => format!("half way round rings of network {name} messages turn left or right by name"),
            }));
        }
    }
    Ok(Ok(()))
}

/// True if all messages of the representatives pass, and they are few enough to look at.
///
/// # Errors
/// Those of [`Control::check`].
pub(super) fn all_near(
    schedule: &dyn Schedule,
    group: &Radix,
    pass: impl Fn(u32, u32) -> bool,
    control: &Control,
) -> Checked<bool> {
    let classes = (u64::from(schedule.ranks()) / group.order()) as u32;
    let mut left = LOOK;
    for rank in (0..classes).map(|c| group.insert(c)) {
        for lane in 0..schedule.lanes() {
            for step in 0..schedule.steps(rank, lane) {
                control.check()?;
                let sends = schedule.sends(rank, lane, step);
                left = match left.checked_sub(u64::from(sends) + 1) {
                    Some(left) => left,
                    None => return Ok(false),
                };
                for i in 0..sends {
                    match schedule.send(rank, lane, step, i).to {
                        Target::Rank(to) if pass(rank, to) => {}
                        _ => return Ok(false),
                    }
                }
            }
        }
    }
    Ok(true)
}

/// Radices in which exchanges among these accelerators, sorted, are best counted: groups that lie between the places where
/// digits of the fabric begin, as far as all are equally large and they form one number system. Accelerators `0..n` fill
/// whole groups, those of a placement may fill a part of each.
pub fn order(fabric: &Fabric, accelerators: &[u32]) -> Vec<u32> {
    let ranks = accelerators.len() as u32;
    let Some(&last) = accelerators.last() else { return vec![] };
    let joins = fabric.networks.iter().position(|net| net.span > last);
    let nets = &fabric.networks[..joins.map_or(fabric.networks.len(), |n| n + 1)];
    let mut edges: Vec<u32> = nets.iter().flat_map(|net| place::edges(net, last + 1)).collect();
    edges.sort_unstable();
    edges.dedup();
    let (mut radices, mut at) = (vec![], 1);
    for edge in edges.into_iter().filter(|&edge| edge > 1) {
        let mut groups = accelerators.chunk_by(|a, b| a / edge == b / edge).map(|group| group.len() as u32);
        let size = groups.next().unwrap_or(ranks);
        if size > at && size < ranks && size.is_multiple_of(at) && groups.all(|other| other == size) {
            radices.push(size / at);
            at = size;
        }
    }
    radices.push(ranks / at);
    radices
}
