//! Between the whole fabric and its quotient: which class a port belongs to, and a port of each class.
//!
//! **Invariant.** [`Folding::class_of`] of a [`Folding::representative`] is the class again, and every class has as many
//! members as the group has shifts; in a tree of sums for all, [`Folding::link_multiplicity`]. **Cost.** A few divisions a digit.

use super::Folding;
use super::place::{Seat, across, in_positions};
use crate::fabric::clos::Clos;
use crate::fabric::{Fabric, Place, Shape, Vertex};
use crate::radix::{Digit, Radix};

/// A vertex and one of its ports.
pub(super) type Port = (Vertex, u32);

/// A tier of a plane's tree, whole and folded, and the digits that tell them apart.
struct View<'a> {
    whole: &'a Clos,
    folded: &'a Clos,
    /// Of the subtree beneath a switch.
    above: Radix,
    /// Of its children.
    children: Radix,
    /// Of the choice among uplinks of the tier below and of this one.
    from: Radix,
    up: Radix,
    /// Of the parent in that choice, by tier from the second on.
    parents: Vec<Radix>,
}

impl Folding {
    /// Where a port is in the quotient; `None` if nothing of the run can pass it.
    pub fn class_of(&self, fabric: &Fabric, (vertex, port): Port) -> Option<Port> {
        let Some(quotient) = &self.quotient else {
            return Some((vertex, port));
        };
        match fabric.place(vertex) {
            Place::Accelerator(a) => {
                let port = match self.turn {
                    Some((_, planes)) if port < planes => (port + planes - self.turned(a)) % planes,
                    _ => port,
                };
                (a < self.part && port < quotient.accelerator_ports()).then(|| (self.labels.group.remove(a), port))
            }
            Place::Switch { network, copy, plane, index } => {
                let net = quotient.networks.get(network)?;
                let first = copy * fabric.networks[network].span;
                if let (true, Some((_, planes))) = (self.turns(network), self.turn) {
                    // a single tier, one link each: port and member are one
                    let member = first + fabric.networks[network].member(plane, port).0;
                    let link = (plane as u32 + planes - self.turned(member)) % planes;
                    let place = self.labels.group.remove(member) % net.span;
                    return (member < self.ranks).then(|| {
                        (
                            quotient.switch(network, self.labels.group.remove(first) / net.span, 0, 0),
                            place * planes + link,
                        )
                    });
                }
                let (tier, a, b) = match &fabric.networks[network].planes[plane].shape {
                    Shape::Clos(tree) => tree.locate(index),
                    // whole copies are kept or left out, and nothing within one is shifted
                    Shape::Graph(_) if first < self.part => {
                        let copy = self.labels.group.remove(first) / net.span;
                        return Some((quotient.switch(network, copy, plane, index), port));
                    }
                    Shape::Direct(_) | Shape::Graph(_) => return None,
                };
                let view = self.view(fabric, network, plane, tier)?;
                let (whole, folded) = (view.whole.tiers()[tier], view.folded.tiers()[tier]);
                let subtree = view.above.remove(a);
                if first >= self.part || subtree >= folded.switches / (folded.child_twins * folded.up) {
                    return None;
                }
                let mut twin = 0;
                for (s, parents) in view.parents.iter().enumerate() {
                    let (w, f) = (view.whole.tiers()[s + 1], view.folded.tiers()[s + 1]);
                    twin += parents.remove(b / w.child_twins % w.up) * f.child_twins;
                }
                let index = folded.first + subtree * (folded.child_twins * folded.up) + twin;
                let downs = whole.down * whole.parallel;
                let port = if port < downs {
                    let (child, link) = (port / whole.parallel, port % whole.parallel);
                    let child = view.children.remove(child);
                    let parent = if tier == 0 { 0 } else { b / whole.child_twins };
                    let link = view.from.remove(link * whole.up + parent) / folded.up;
                    (child < folded.down).then_some(child * folded.parallel + link)?
                } else {
                    let (w, f) = (view.whole.tiers()[tier + 1], view.folded.tiers().get(tier + 1)?);
                    let (parent, link) = ((port - downs) / w.parallel, (port - downs) % w.parallel);
                    let choice = view.up.remove(link * w.up + parent);
                    folded.down * folded.parallel + choice % f.up * f.parallel + choice / f.up
                };
                Some((quotient.switch(network, self.labels.group.remove(first) / net.span, plane, index), port))
            }
        }
    }

    /// A port of the whole fabric that belongs to this class.
    pub fn representative(&self, fabric: &Fabric, (vertex, port): Port) -> Port {
        let Some(quotient) = &self.quotient else {
            return (vertex, port);
        };
        let (network, copy, plane, index) = match quotient.place(vertex) {
            Place::Accelerator(a) => return (self.labels.group.insert(a), port),
            Place::Switch { network, copy, plane, index } => (network, copy, plane, index),
        };
        if let (true, Some((_, planes))) = (self.turns(network), self.turn) {
            let copy = copy * quotient.networks[network].span;
            let first = self.labels.group.insert(copy + port / planes);
            // the member of the class whose port is in the first plane
            let shifts =
                (0..self.labels.group.order()).map(|i| self.labels.group.add(first, self.labels.group.shift(i)));
            let member = { shifts }.find(|&m| self.turned(m) == (planes - port % planes) % planes).unwrap_or(first);
            let net = &fabric.networks[network];
            return (fabric.switch(network, member / net.span, 0, 0), net.position(0, member % net.span, 0));
        }
        let copy = self.labels.group.insert(copy * quotient.networks[network].span) / fabric.networks[network].span;
        let Shape::Clos(folded) = &quotient.networks[network].planes[plane].shape else {
            return (fabric.switch(network, copy, plane, index), port);
        };
        let (tier, a, b) = folded.locate(index);
        let Some(view) = self.view(fabric, network, plane, tier) else {
            return (vertex, port);
        };
        let (whole, folded) = (view.whole.tiers()[tier], view.folded.tiers()[tier]);
        let mut twin = 0;
        for (s, parents) in view.parents.iter().enumerate() {
            let (w, f) = (view.whole.tiers()[s + 1], view.folded.tiers()[s + 1]);
            twin += parents.insert(b / f.child_twins % f.up) * w.child_twins;
        }
        let downs = folded.down * folded.parallel;
        let port = if port < downs {
            let (child, link) = (port / folded.parallel, port % folded.parallel);
            let parent = if tier == 0 { 0 } else { b / folded.child_twins };
            let link = view.from.insert(link * folded.up + parent) / whole.up;
            view.children.insert(child) * whole.parallel + link
        } else {
            let (w, f) = (view.whole.tiers()[tier + 1], view.folded.tiers()[tier + 1]);
            let (parent, link) = ((port - downs) / f.parallel, (port - downs) % f.parallel);
            let choice = view.up.insert(link * f.up + parent);
            whole.down * whole.parallel + choice % w.up * w.parallel + choice / w.up
        };
        let index = whole.first + view.above.insert(a) * (whole.child_twins * whole.up) + twin;
        (fabric.switch(network, copy, plane, index), port)
    }

    fn view<'a>(&'a self, fabric: &'a Fabric, network: usize, plane: usize, tier: usize) -> Option<View<'a>> {
        let folded = &self.quotient.as_ref()?.networks.get(network)?.planes[plane];
        let links = folded.links;
        let (Shape::Clos(whole), Shape::Clos(folded)) = (&fabric.networks[network].planes[plane].shape, &folded.shape)
        else {
            return None;
        };
        if tier >= folded.tiers().len() {
            return None;
        }
        let base = whole.tiers()[tier].child_positions * whole.tiers()[tier].down;
        let above = self.seats[network].iter().filter_map(|(seat, _)| match seat {
            Seat::Tier(t, d) if *t > tier => {
                Some(Digit { stride: d.stride * (whole.tiers()[*t].child_positions / base), size: d.size })
            }
            _ => None,
        });
        let children = |t: usize| Radix::new(self.tier(network, t).map(|d| in_positions(d, t, links)).collect());
        let choices = |t: usize| if self.sums == Some(network) { Radix::default() } else { children(t) };
        let parents = |t: usize| {
            let up = whole.tiers()[t + 1].up;
            let part = |d: &Digit| across(up, *d).map(|(parents, _)| Digit { stride: d.stride, size: parents });
            Radix::new(choices(t).digits().iter().filter_map(part).collect())
        };
        Some(View {
            whole,
            folded,
            above: Radix::new(above.collect()),
            children: children(tier),
            from: if tier == 0 { Radix::default() } else { choices(tier - 1) },
            up: choices(tier),
            parents: (0..tier).map(parents).collect(),
        })
    }
}
