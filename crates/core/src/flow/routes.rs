//! Which resources a message uses, and what its packets pass on the way.
//!
//! **Model.** Under a single-path policy a message uses the links of the path that the packet engine would give it. A
//! sprayed message is one flow over sets of links, each of which carries all of it or, with planes of different widths, a
//! fraction: the same as fractional weights on every single link, at a cost that does not grow with the number of paths.
//! Where half of a ring lies between two places, half of the message goes each way round, as two branches.
//!
//! **Invariant.** Hops are those of [`crate::routing`]; fractions of a tier sum to one, so bytes are conserved.
//!
//! **Cost.** O(tiers x kinds of planes) or O(hops) a message. **Limits.** Spraying is as even as on average: packets of a
//! short message that happen to share a link are not seen.

use super::resources::{Layout, Resources, groups, tree, up_links};
use crate::bound::path;
use crate::engine::Job;
use crate::fabric::clos::Node;
use crate::fabric::{Network, Shape};
use crate::routing::dimension_order;
use crate::routing::policy::{Kind, Path, Spread};
use crate::units::{BitRate, Fs};

/// A part of a message on a resource: `share / of` of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) resource: u32,
    /// Hops of one message with the same stage carry all of it between them.
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) of: u32,
}

/// A link that the packets of a message pass, for the time of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) rate: BitRate,
    /// Links side by side over which packets can go.
    pub(super) width: u32,
    /// What stands before it forwards heads; otherwise whole packets.
    pub(super) cut_through: bool,
}

/// Where a message goes, or one half of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    /// Set of first hops: an index into the sender's gates.
    pub(super) gate: u32,
    pub(super) hops: Vec<Hop>,
    pub(super) stages: Vec<Stage>,
    pub(super) latency: Fs,
}

impl Resources {
    /// The branches of a message between two accelerators; none if they are one.
    pub(super) fn unicast(&self, job: &Job, here: u32, there: u32, tag: u32, routes: &mut Vec<Route>) {
        routes.clear();
        let Some(way) = path::between(job.fabric, here, there).filter(|_| here != there) else {
            return;
        };
        let net = &job.fabric.networks[way.network];
        let mine = &self.nets[way.network];
        let (copy, x, y) = (here / net.span, here % net.span, there % net.span);
        let slot = |m: u32| if net.is_direct() { m } else { net.position(0, m, 0) / net.planes[0].links };
        let spread = |choices| Spread::new(net.spec.routing, choices, slot(x), slot(y), 0, 0, tag, job.seed);
        match (&net.planes[0].shape, &mine.layout) {
            (Shape::Direct(d), Layout::Direct { first, bundle }) => {
                let choices = dimension_order::choices(d, x, y);
                let spread = spread(choices);
                let selectors = if spread.kind == Kind::Single {
                    spread.rotation..spread.rotation + 1
                } else {
                    0..choices / bundle
                };
                for selector in selectors {
                    let selector = dimension_order::selector(d, d.way(x, y), selector * bundle);
                    let mut route = Route { latency: way.latency_fs, ..Route::default() };
                    let mut at = x;
                    while let Some((port, _)) = dimension_order::next(d, at, y, selector) {
                        let set = port / bundle;
                        if route.hops.is_empty() {
                            route.gate = mine.first_gate + set;
                        }
                        let sets = d.ports() / bundle;
                        route.hops.push(whole(first + (copy * net.span + at) * sets + set));
                        let rate = net.link(d.dimension(port)).rate;
                        route.stages.push(Stage { rate, width: *bundle, cut_through: net.switch(0).cut_through });
                        let Some((next, _)) = d.peer(at, port) else { break };
                        at = next;
                    }
                    routes.push(route);
                }
            }
            (Shape::Clos(tree), Layout::Sets { up, down, bundles }) => {
                let mut route = Route { gate: mine.first_gate, latency: way.latency_fs, ..Route::default() };
                route.hops.push(whole(up + here));
                for b in bundles {
                    for tier in 1..=way.meet {
                        for (member, direction) in [(x, 0), (y, 1)] {
                            let groups = groups(tree, tier);
                            let group = net.position(b.planes[0], member, 0) / below(net, b.planes[0], tier);
                            let resource = b.first[tier - 1] + (direction * net.copies + copy) * groups + group;
                            route.hops.push(Hop { resource, from: b.from, to: b.to, of: net.ports });
                        }
                    }
                }
                route.hops.push(whole(down + there));
                stages(net, way.meet, &mut route.stages, |tier| {
                    let above =
                        tier.checked_sub(1).map(|t| bundles.iter().map(|b| up_links(tree, t, b.planes.len())).sum());
                    above.unwrap_or(net.ports)
                });
                routes.push(route);
            }
            (Shape::Clos(_), Layout::Links { first, switch_ports, tiers, climbs }) => {
                let spread = spread(net.ports);
                let mut route =
                    Route { gate: mine.first_gate + spread.rotation, latency: way.latency_fs, ..Route::default() };
                route.hops.push(whole(first + here * net.ports + spread.rotation));
                let (plane, link) = net.plane_of(spread.rotation);
                let dst = slot(y) * net.planes[plane].links + link;
                if let Shape::Clos(tree) = &net.planes[plane].shape {
                    let (turn, climb) = (way.meet as u8, &climbs[plane]);
                    let selector = match spread.path {
                        Path::Hash(selector) | Path::Tree(selector) => selector,
                        Path::Source(count) => climb.selector(net.position(plane, x, link), count, turn),
                        Path::Destination => climb.selector(net.position(plane, y, link), 0, turn),
                    };
                    let (mut at, mut from) = tree.leaf(net.position(plane, x, link));
                    // up and down again: no path is longer than twice the tiers
                    for _ in 0..2 * tree.tiers().len() {
                        let (tier, a, _) = tree.locate(at);
                        let route_of = &tiers[plane][tier];
                        let port = route_of.next(from, turn, route_of.first_position(a), dst, selector);
                        let vertex = job.fabric.switch(way.network, copy, plane, at);
                        route.hops.push(whole(switch_ports[(vertex - mine.first_switch) as usize] + port));
                        match tree.peer(at, port) {
                            (Node::Switch(next), port) => (at, from) = (next, port),
                            (Node::Position(_), _) => break,
                        }
                    }
                }
                stages(net, way.meet, &mut route.stages, |_| 1);
                routes.push(route);
            }
            _ => {}
        }
    }

    /// From an accelerator to the switches that combine or replicate; all ports take part.
    pub(super) fn up_to_switches(&self, job: &Job, network: usize, here: u32) -> Route {
        let net = &job.fabric.networks[network];
        let mine = &self.nets[network];
        let hops = match &mine.layout {
            Layout::Sets { up, .. } => vec![whole(up + here)],
            Layout::Links { first, .. } => (0..net.ports)
                .map(|p| Hop { resource: first + here * net.ports + p, from: p, to: p + 1, of: net.ports })
                .collect(),
            Layout::Direct { .. } => vec![],
        };
        let mut stages_ = vec![];
        stages(net, 0, &mut stages_, |_| net.ports);
        Route { gate: mine.first_gate, hops, stages: stages_, latency: path::climb(net, 0).1 }
    }

    /// From those switches to an accelerator.
    pub(super) fn down_from_switches(&self, job: &Job, network: usize, there: u32) -> Vec<Hop> {
        let net = &job.fabric.networks[network];
        match &self.nets[network].layout {
            Layout::Sets { down, .. } => vec![whole(down + there)],
            Layout::Links { switch_ports, .. } => {
                let hop = |p| {
                    let port = net.first_port + p;
                    let far = job.fabric.peer(there, port)?;
                    let first = switch_ports.get((far.vertex - self.nets[network].first_switch) as usize)?;
                    Some(Hop { resource: first + far.port, from: p, to: p + 1, of: net.ports })
                };
                (0..net.ports).filter_map(hop).collect()
            }
            Layout::Direct { .. } => vec![],
        }
    }
}

fn whole(resource: u32) -> Hop {
    Hop { resource, from: 0, to: 1, of: 1 }
}

/// Positions of a subtree under a switch of a tier.
fn below(net: &Network, plane: usize, tier: usize) -> u32 {
    tree(&net.planes[plane].shape).map_or(1, |t| t.tiers()[tier].child_positions)
}

/// Links up to tier `meet` and down again.
fn stages(net: &Network, meet: usize, stages: &mut Vec<Stage>, width: impl Fn(usize) -> u32) {
    let stage = |tier: usize, switch: usize| Stage {
        rate: net.link(tier).rate,
        width: width(tier),
        cut_through: net.switch(switch).cut_through,
    };
    stages.extend((0..=meet).map(|tier| stage(tier, tier.saturating_sub(1))));
    stages.extend((0..=meet).rev().map(|tier| stage(tier, tier)));
}
