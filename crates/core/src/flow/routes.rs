//! Which resources a message uses, and what its packets pass on the way.
//!
//! **Model.** Under a single-path policy a message uses the links of the path that the packet engine would give it; where an
//! accelerator has several links into a tree, a branch takes each. A
//! sprayed message is one flow over sets of links, each of which carries all of it or, with planes of different widths, a
//! fraction: the same as fractional weights on every single link, at a cost that does not grow with the number of paths.
//! Where half of a ring lies between two places, half of the message goes each way round, as two branches. Explicit graphs
//! have a file of their own ([`spreading`]).
//!
//! **Invariant.** Hops are those of [`crate::routing`]; fractions of a tier sum to one, so bytes are conserved.
//!
//! **Cost.** O(tiers x kinds of planes) or O(hops) a message. **Limits.** Spraying is as even as on average: packets of a
//! short message that happen to share a link are not seen.

use super::resources::{Layout, Resources, groups, tree, up_links};
use super::spreading;
use crate::engine::Job;
use crate::fabric::clos::Node;
use crate::fabric::{Network, Shape};
use crate::routing::dimension_order;
use crate::routing::policy::{Kind, Path, Spread};
use crate::survey::path;
use crate::units::{BitRate, Fs};

/// No resource, or no node.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A part of a message on a resource.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hop {
    /// May be [`NOWHERE`]: bytes that only change their course.
    pub(super) resource: u32,
    /// The part from `from / of` to `to / of` of what has come to node `at`; those of a node's hops cover all of it. Node 0
    /// is where all of the message starts; others come in an order in which they are complete before they are left.
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) of: u32,
    pub(super) at: u32,
    /// The node it leads to, if it matters.
    pub(super) next: u32,
    /// The part of the message.
    pub(super) weight: f64,
}

impl Hop {
    /// A part of a message, wherever it comes from.
    fn part(resource: u32, from: u32, to: u32, of: u32) -> Self {
        Hop { resource, from, to, of, at: 0, next: NOWHERE, weight: f64::from(to - from) / f64::from(of) }
    }

    /// Its part of what a node has.
    pub(super) fn of(&self, all: u64) -> u64 {
        let up_to = |i: u32| (u128::from(all) * u128::from(i) / u128::from(self.of)) as u64;
        up_to(self.to) - up_to(self.from)
    }
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

/// Where a message goes, or one branch of it.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// Set of first hops: an index into the sender's queues.
    pub(super) queue: u32,
    /// Its part of the packets, in the units in which the last branch of the message ends.
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) hops: Vec<Hop>,
    /// So many of them leave the sender.
    pub(super) first: usize,
    pub(super) stages: Vec<Stage>,
    /// Propagation of the longest way.
    pub(super) latency: Fs,
    /// Propagation and the part of the packets that take so long, where packets draw their ways; shortest first.
    pub(super) ways: Vec<(Fs, f64)>,
}

impl Default for Route {
    fn default() -> Self {
        Self { queue: 0, from: 0, to: 1, hops: vec![], first: 1, stages: vec![], latency: 0, ways: vec![] }
    }
}

impl Route {
    /// Propagation of the last of so many packets: of the longest way, or if packets draw their ways the mean of the longest drawn.
    pub(super) fn last(&self, packets: u64) -> Fs {
        if self.ways.is_empty() {
            return self.latency;
        }
        // all packets take at most so long with this probability
        let (mut share, mut before, mut mean) = (0.0f64, 0.0, 0.0);
        for &(time, part) in &self.ways {
            share += part;
            let all = share.min(1.0).powf(packets as f64);
            mean += time as f64 * (all - before);
            before = all;
        }
        (mean / before).round() as Fs
    }
}

impl Resources {
    /// The branches of a message between two accelerators; none if they are one.
    pub(super) fn unicast(&self, job: &Job, here: u32, there: u32, (tag, seed): (u32, u64), routes: &mut Vec<Route>) {
        routes.clear();
        let Some(way) = path::between(job.fabric, here, there).filter(|_| here != there) else {
            return;
        };
        let net = &job.fabric.networks[way.network];
        let mine = &self.nets[way.network];
        let (copy, x, y) = (here / net.span, here % net.span, there % net.span);
        let slot = |m: u32| if net.is_direct() { m } else { net.position(0, m, 0) / net.planes[0].links };
        let spread = |choices| Spread::new(net.spec.routing, choices, net.is_tree(), slot(x), slot(y), tag, seed);
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
                    let (nth, selector) =
                        (routes.len() as u32, dimension_order::selector(d, d.way(x, y), selector * bundle));
                    let mut route = Route { latency: way.latency_fs, from: nth, to: nth + 1, ..Route::default() };
                    let mut at = x;
                    while let Some((port, _)) = dimension_order::next(d, at, y, selector) {
                        let set = port / bundle;
                        if route.hops.is_empty() {
                            route.queue = mine.first_queue + set;
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
            (Shape::Clos(tree), Layout::Sets { up, down, bundles, .. }) => {
                let mut route = Route { queue: mine.first_queue, latency: way.latency_fs, ..Route::default() };
                route.hops.push(whole(up + here));
                for b in bundles {
                    for tier in 1..=way.meet {
                        for (member, direction) in [(x, 0), (y, 1)] {
                            let groups = groups(tree, tier);
                            let group = net.position(b.planes[0], member, 0) / below(net, b.planes[0], tier);
                            let resource = b.first[tier - 1] + (direction * net.copies + copy) * groups + group;
                            route.hops.push(Hop::part(resource, b.from, b.to, net.ports));
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
                // a branch for each of the accelerator's links
                for port in 0..net.ports {
                    let mut route =
                        Route { queue: mine.first_queue + port, latency: way.latency_fs, ..Route::default() };
                    (route.from, route.to) = (port, port + 1);
                    route.hops.push(whole(first + here * net.ports + port));
                    let (plane, link) = net.plane_of(port);
                    let dst = slot(y) * net.planes[plane].links + link;
                    if let Shape::Clos(tree) = &net.planes[plane].shape {
                        let (turn, climb) = (way.meet as u8, &climbs[plane]);
                        let selector = match spread.path {
                            Path::Hash(selector) | Path::Tree(selector) => selector,
                            Path::Source => climb.selector(net.position(plane, x, link), 0, turn),
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
            }
            (Shape::Graph(_), Layout::Graph(sets)) => {
                if net.spec.routing.sprays() {
                    spreading::branches(net, sets, copy, x, y, routes);
                } else {
                    routes.push(spreading::path(net, sets, copy, x, y, tag, seed));
                }
                routes.iter_mut().for_each(|route| route.queue += mine.first_queue);
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
            Layout::Links { first, .. } => {
                (0..net.ports).map(|p| Hop::part(first + here * net.ports + p, p, p + 1, net.ports)).collect()
            }
            Layout::Direct { .. } | Layout::Graph(_) => vec![],
        };
        let mut stages_ = vec![];
        stages(net, 0, &mut stages_, |_| net.ports);
        Route { queue: mine.first_queue, hops, stages: stages_, latency: path::climb(net, 0).1, ..Route::default() }
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
                    Some(Hop::part(first + far.port, p, p + 1, net.ports))
                };
                (0..net.ports).filter_map(hop).collect()
            }
            Layout::Direct { .. } | Layout::Graph(_) => vec![],
        }
    }
}

/// All of a message.
pub(super) fn whole(resource: u32) -> Hop {
    Hop::part(resource, 0, 1, 1)
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
