//! The quotient of a fabric: the fabric that has one place for each class of places.
//!
//! **Model.** A tree whose tier-`t` children are shifted by a digit has that many fewer children there, and fewer uplinks
//! from there: first fewer parents, then fewer parallel links. Tiers that no message reaches are left out, as are networks
//! outside of the ranks. A folded ring or full mesh keeps its ports; they lead back to the same accelerator.
//!
//! **Invariant.** Vertices and ports of the quotient are the classes of those in use; rates, latencies and buffers are the
//! same. **Cost.** That of describing a small fabric.

use super::Folding;
use super::place::{Seat, across, in_positions, reach};
use crate::control::Control;
use crate::error::Result;
use crate::fabric::{Fabric, Network, Shape};
use crate::radix::Digit;
use crate::spec::{NetworkSpec, TopologySpec};

impl Folding {
    /// Builds it.
    pub(super) fn fold(&self, fabric: &Fabric, control: &Control) -> Result<Fabric> {
        let mut spec = fabric.spec.clone();
        spec.accelerators = (u64::from(self.part) / self.labels.group.order()) as u32;
        spec.networks = (0..self.networks).map(|n| self.network(&fabric.networks[n], n)).collect();
        let shape = |n: usize| match &fabric.networks[n].planes[0].shape {
            Shape::Direct(direct) => Some(direct.fold(|dim| self.seats[n].iter().any(|s| s.0 == Seat::Dimension(dim)))),
            Shape::Clos(_) | Shape::Graph(_) => None,
        };
        Fabric::folded(&spec, shape, control)
    }

    /// Product of the sizes of the digits that lie within one copy of a network.
    fn inside(&self, network: usize) -> u32 {
        self.seats[network].iter().filter(|s| s.0 != Seat::Outside).map(|s| s.1.size).product()
    }

    /// The digits of a tier's children that are shifted, at the lowest tier counted in places.
    pub(super) fn tier(&self, network: usize, tier: usize) -> impl Iterator<Item = Digit> + '_ {
        self.seats[network].iter().filter_map(move |(seat, _)| match seat {
            Seat::Tier(t, digit) if *t == tier => Some(*digit),
            _ => None,
        })
    }

    /// The digits of the choice among uplinks that are shifted, by tier, for a plane of so many links.
    pub fn uplinks(&self, network: usize, tiers: usize, links: u32) -> Vec<Vec<Digit>> {
        let of = |t: usize| match self.tops.get(network) {
            Some(&top) if t < top && self.sums != Some(network) => {
                self.tier(network, t).map(|d| in_positions(d, t, links)).collect()
            }
            _ => vec![],
        };
        (0..tiers).map(of).collect()
    }

    fn network(&self, net: &Network, n: usize) -> NetworkSpec {
        let mut spec = net.spec.clone();
        let inside = self.inside(n);
        spec.span = net.span.min(self.part) / inside;
        match &mut spec.topology {
            TopologySpec::Clos { down, up, parallel, rails } => {
                let (top, places) = reach(net, self.part);
                for list in [&mut *down, &mut *up, &mut *parallel] {
                    list.truncate(top + 1);
                }
                let Shape::Clos(tree) = &net.planes[0].shape else {
                    return spec;
                };
                let low = if top == 0 { 1 } else { tree.tiers()[top].child_positions / net.planes[0].links };
                down[top] = places.div_ceil(low);
                let size = |t: usize| self.tier(n, t).map(|d| d.size).product::<u32>();
                for (t, children) in down.iter_mut().enumerate() {
                    *children /= size(t);
                }
                for t in 0..top {
                    let (parents, links) = self.choices(net, n, t);
                    (up[t + 1], parallel[t + 1]) = (parents, links);
                }
                let along_rails = |d: &Digit| net.rails.is_multiple_of(d.end());
                let digits = self.seats[n].iter().filter(|s| s.0 != Seat::Outside).map(|s| s.1);
                *rails /= digits.filter(along_rails).map(|d| d.size).product::<u32>();
            }
            // its shape is folded, not described anew
            TopologySpec::Torus { .. } | TopologySpec::FullMesh { .. } | TopologySpec::Graph { .. } => {}
        }
        if let (Some((turning, planes)), TopologySpec::Clos { .. }) = (self.turn, &spec.topology)
            && turning == n
        {
            // the planes turn into one another: one switch with all links stands for them
            spec.planes = vec![planes];
        }
        if let TopologySpec::Clos { down, .. } = &spec.topology {
            spec.links.truncate(down.len());
            spec.switches.truncate(down.len());
        }
        spec
    }

    /// Parents and parallel links of a tier-`t` vertex of the quotient.
    pub(super) fn choices(&self, net: &Network, n: usize, t: usize) -> (u32, u32) {
        let Shape::Clos(tree) = &net.planes[0].shape else {
            return (1, 1);
        };
        let above = &tree.tiers()[t + 1];
        let (mut parents, mut parallel) = (above.up, above.parallel);
        for digit in self.tier(n, t).filter(|_| self.sums != Some(n)) {
            let place = in_positions(digit, t, net.planes[0].links);
            let (over, along) = across(above.up, place).unwrap_or((1, 1));
            (parents, parallel) = (parents / over, parallel / along);
        }
        (parents, parallel)
    }
}
