//! Trees of switches that sum and replicate: which network does it for a set of ranks, and how far up.
//!
//! **Model.** Contributions to one sum go the same way up from everywhere: one tree for each plane and lane, or owner. Each switch
//! waits for one from every child that has ranks beneath and sends the sum on; the lowest tier over all ranks completes
//! it, and from there it goes to its root, or copies of it down to all.
//!
//! **Invariant.** All switches that a sum can meet are able to add. **Cost.** O(ranks). **Limits.** One network, the
//! innermost that joins all ranks: sums do not go on from one network to the next.
//!
//! **Source.** Graham et al.: Scalable hierarchical aggregation protocol (SHArP), COMHPC 2016.

use crate::collective::Schedule;
use crate::fabric::{Fabric, Network, Shape};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// Network that sums.
    pub network: usize,
    /// Lowest tier of switches over all ranks.
    pub top: usize,
    /// The network has more than one tier, so that sums climb.
    pub tree: bool,
}

/// What a network must have, for messages about one that lacks it.
pub const WANTED: &str = "switches with in_network_reduce in the innermost network that joins all ranks";
/// The same for sums inside units.
pub const WANTED_IN_UNITS: &str =
    "switches with in_network_reduce, in a single tier, in the innermost network that joins the ranks of a unit";

impl Aggregation {
    /// The innermost network that joins these accelerators, if it can sum. An outer one is never taken instead: two
    /// accelerators talk over the innermost network that joins them, and sums follow the same rule.
    pub fn find(fabric: &Fabric, placement: &[u32]) -> Option<Self> {
        // the cheap half first: most machines do not sum at all
        if !fabric.networks.iter().any(|net| net.switch(0).in_network_reduce) {
            return None;
        }
        let home = placement.first().copied().unwrap_or(0);
        let network = innermost(fabric, placement)?;
        let net = &fabric.networks[network];
        let Shape::Clos(tree) = &net.planes[0].shape else {
            return None;
        };
        let at = |a: u32| net.position(0, a % net.span, 0);
        let top = placement.iter().map(|&a| tree.meet(at(home), at(a))).max().unwrap_or(0);
        let sums = (0..=top).all(|tier| net.switch(tier).in_network_reduce);
        sums.then_some(Self { network, top, tree: tree.tiers().len() > 1 })
    }

    /// That of units of so many consecutive ranks, if all units have it alike, in one tier of switches.
    pub fn of_units(fabric: &Fabric, placement: &[u32], unit: u32) -> Option<Self> {
        let mut units = placement.chunks(unit.max(1) as usize).map(|unit| Self::find(fabric, unit));
        let first = units.next()??;
        (!first.tree && units.all(|unit| unit == Some(first))).then_some(first)
    }

    /// That of the ranks whose sums switches form: all of them, or those of one circle, which stands for the others.
    pub fn of(fabric: &Fabric, schedule: &dyn Schedule, placement: &[u32]) -> Option<Self> {
        match schedule.a_circle() {
            None => Self::find(fabric, placement),
            Some(ranks) => {
                let accelerators: Vec<u32> = ranks.iter().map(|&rank| placement[rank as usize]).collect();
                Self::find(fabric, &accelerators)
            }
        }
    }

    /// True if a network further out than the innermost that joins these accelerators can sum, and that one cannot.
    pub fn outside(fabric: &Fabric, placement: &[u32]) -> bool {
        let adds = |net: &Network| net.is_tree() && net.switch(0).in_network_reduce;
        let Some(inner) = innermost(fabric, placement) else {
            return false;
        };
        fabric.networks[inner + 1..].iter().any(adds) && Self::find(fabric, placement).is_none()
    }
}

/// The innermost network that joins these accelerators.
pub fn innermost(fabric: &Fabric, placement: &[u32]) -> Option<usize> {
    let home = placement.first().copied().unwrap_or(0);
    fabric.networks.iter().position(|net| placement.iter().all(|a| a / net.span == home / net.span))
}
