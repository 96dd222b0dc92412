//! Resources of a fabric: links, or sets of links that are loaded alike, and the memory, copy and reduce channels.
//!
//! **Model.** A network under a single-path policy has a resource for every directed link. A network that sprays has one
//! for each set of links that spraying loads alike: all ports of an accelerator out, all into it, all links up from a
//! subtree, all links down into it (planes into which accelerators have the same number of links count together, others
//! apart, by their share of the packets), or the parallel links between two neighbours of a direct network. Explicit graphs:
//! see [`super::graph`].
//!
//! **Invariant.** Every link belongs to exactly one resource ([`Resources::home`]), whose capacity is that of its links.
//!
//! **Cost.** O(1) words a resource, and at most one resource a link. **Limits.** Within a set all links carry the same.

use super::check::checked;
use super::detours::Detours;
use super::graph::GraphSets;
use crate::control::{Control, refused};
use crate::engine::Job;
use crate::error::{Error, Result};
use crate::fabric::clos::Clos;
use crate::fabric::graph::Graph;
use crate::fabric::{Fabric, Network, Place, Plane, Shape, Vertex};
use crate::routing::climb::Climb;
use crate::routing::tree::TierRoute;
use crate::units::BitRate;

/// Planes that are loaded alike.
#[derive(Clone, Debug)]
pub(super) struct Bundle {
    pub(super) planes: Vec<usize>,
    /// Its part of the accelerator's ports: from, to.
    pub(super) from: u32,
    pub(super) to: u32,
    /// First resource by tier (from 1): up groups, then down groups.
    pub(super) first: Vec<u32>,
}

/// How links of a network become resources.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    /// Parallel links of direct networks, `bundle` together.
    Direct { first: u32, bundle: u32 },
    /// Every link of a tree by itself: accelerators' ports, then switches' ports.
    Links { first: u32, switch_ports: Vec<u32>, tiers: Vec<Vec<TierRoute>>, climbs: Vec<Climb> },
    /// Sets of links of a tree.
    Sets { up: u32, down: u32, bundles: Vec<Bundle>, tiers: Vec<Vec<TierRoute>>, climbs: Vec<Climb> },
    /// Links of an explicit graph.
    Graph(Box<GraphSets>),
}

/// One network.
#[derive(Clone, Debug)]
pub(super) struct Net {
    pub(super) layout: Layout,
    pub(super) first_queue: u32,
    pub(super) first_switch: Vertex,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Resources {
    pub(super) nets: Vec<Net>,
    /// Bytes a femtosecond of each resource.
    pub(super) capacity: Vec<f64>,
    /// Resources from here on are shared by many.
    pub(super) first_shared: u32,
    /// Sets of first hops of an accelerator, each of which sends one message after the other.
    pub(super) queues: u32,
    /// First memory, copy and reduce server, by accelerator; `None` where they are no limit.
    pub(super) servers: [Option<u32>; 3],
    /// Network of in-network operations.
    pub(super) switch_network: Option<usize>,
}

/// Bytes a femtosecond.
pub(super) fn speed(rate: BitRate) -> f64 {
    rate.0 as f64 / 8e15
}

fn sprays(net: &Network) -> bool {
    net.spec.routing.sprays()
}

fn too_many() -> Error {
    Error::Overflow {
        what: "links of the fabric".into(),
        value: "2^32 or more".into(),
        limit: format!("{} at flow fidelity", u32::MAX),
    }
}

/// Numbers resources one after the other.
pub(super) struct Numbering {
    pub(super) capacity: Vec<f64>,
}

impl Numbering {
    pub(super) fn take(&mut self, count: u64, capacity: f64) -> Result<u32> {
        let first = self.capacity.len() as u64;
        if first + count >= u64::from(u32::MAX) {
            return Err(too_many());
        }
        let list = &mut self.capacity;
        list.try_reserve(count as usize).map_err(|_| refused("the links of the fabric", 8 * (first + count)))?;
        list.resize((first + count) as usize, capacity);
        Ok(first as u32)
    }
}

impl Resources {
    /// Numbers the resources of a job's fabric and checks that every rank can be reached.
    pub(super) fn new(job: &Job, control: &Control) -> Result<Self> {
        let fabric = job.fabric;
        let switch_network = checked(job)?;
        let accelerators = u64::from(fabric.accelerators());
        let mut numbers = Numbering { capacity: vec![] };
        let (mut nets, mut queues) = (vec![], 0);
        let mut switch = fabric.accelerators();
        for (n, net) in fabric.networks.iter().enumerate() {
            let first_queue = queues;
            let link = speed(net.link(0).rate);
            let layout = match &net.planes[0].shape {
                Shape::Direct(d) => {
                    let bundle = if sprays(net) { d.links } else { 1 };
                    let sets = d.ports() / bundle;
                    let first = numbers.take(accelerators * u64::from(sets), 0.0)?;
                    for set in 0..sets {
                        let rate = speed(net.link(d.dimension(set * bundle)).rate);
                        let all = numbers.capacity[first as usize..].iter_mut().skip(set as usize);
                        all.step_by(sets as usize).for_each(|c| *c = rate * f64::from(bundle));
                    }
                    queues += sets;
                    Layout::Direct { first, bundle }
                }
                Shape::Graph(graph) => {
                    let mut sets = GraphSets::new(net, graph, &mut numbers)?;
                    if net.spec.routing.detours() {
                        sets.detours = detours(net, graph, job.placement, control)?;
                    }
                    queues += sets.most_queues();
                    Layout::Graph(Box::new(sets))
                }
                Shape::Clos(_) if sprays(net) => {
                    queues += 1;
                    let all = link * f64::from(net.ports);
                    let up = numbers.take(accelerators, all)?;
                    let down = numbers.take(accelerators, all)?;
                    Layout::Sets { up, down, bundles: vec![], tiers: tier_routes(net), climbs: climbs(job, n) }
                }
                Shape::Clos(_) => {
                    queues += net.ports;
                    let first = numbers.take(accelerators * u64::from(net.ports), link)?;
                    Layout::Links { first, switch_ports: vec![], tiers: tier_routes(net), climbs: climbs(job, n) }
                }
            };
            nets.push(Net { layout, first_queue, first_switch: switch });
            let switches = |shape: &Shape| match shape {
                Shape::Clos(tree) => tree.switches(),
                Shape::Direct(_) => 0,
                Shape::Graph(graph) => graph.switches(),
            };
            let copy: u32 = net.planes.iter().map(|p| switches(&p.shape)).sum();
            switch += net.copies * copy;
        }
        let device = &fabric.spec.device;
        let mut servers = [None; 3];
        for (server, rate) in servers.iter_mut().zip([device.hbm_rate, device.copy_rate, device.reduce_rate]) {
            if let Some(rate) = rate {
                *server = Some(numbers.take(accelerators, speed(rate))?);
            }
        }
        let first_shared = numbers.capacity.len() as u32;
        for (net, here) in fabric.networks.iter().zip(&mut nets) {
            match &mut here.layout {
                Layout::Direct { .. } => {}
                Layout::Links { switch_ports, .. } => links(job, net, here.first_switch, switch_ports, &mut numbers)?,
                Layout::Sets { bundles, .. } => *bundles = sets(net, &mut numbers)?,
                Layout::Graph(sets) => sets.number_switches(net, &mut numbers)?,
            }
        }
        Ok(Self { nets, capacity: numbers.capacity, first_shared, queues, servers, switch_network })
    }

    /// The resource of a port's outgoing link, which of the links of that resource it is, and how many those are.
    pub(super) fn home(&self, job: &Job, vertex: Vertex, port: u32) -> Option<(u32, u32, u32)> {
        let fabric = job.fabric;
        match fabric.place(vertex) {
            Place::Accelerator(a) => {
                let network = fabric.network_of_port(port);
                let net = &fabric.networks[network];
                let local = port - net.first_port;
                Some(match &self.nets[network].layout {
                    Layout::Direct { first, bundle } => {
                        (first + a * (net.ports / bundle) + local / bundle, local % bundle, *bundle)
                    }
                    Layout::Links { first, .. } => (first + a * net.ports + local, 0, 1),
                    Layout::Sets { up, .. } => (up + a, local, net.ports),
                    // accelerators of a graph need not have equally many ports
                    Layout::Graph(sets) if local >= sets.graph.ports(a % net.span) => return None,
                    Layout::Graph(sets) => sets.home(a / net.span, a % net.span, local),
                })
            }
            Place::Switch { network, copy, plane, index } => {
                let net = &fabric.networks[network];
                if let Layout::Graph(sets) = &self.nets[network].layout {
                    return Some(sets.home(copy, net.span + index, port));
                }
                let tree = tree(&net.planes[plane].shape)?;
                match &self.nets[network].layout {
                    Layout::Direct { .. } | Layout::Graph(_) => None,
                    Layout::Links { switch_ports, .. } => {
                        Some((switch_ports[(vertex - self.nets[network].first_switch) as usize] + port, 0, 1))
                    }
                    Layout::Sets { down, bundles, .. } => {
                        let (tier, a, b) = tree.locate(index);
                        let t = &tree.tiers()[tier];
                        let downs = t.down * t.parallel;
                        if tier == 0 && port < downs {
                            let (member, link) = net.member(plane, a * t.down + port);
                            let there = copy * net.span + member;
                            return Some((down + there, net.planes[plane].first_link + link, net.ports));
                        }
                        let bundle = bundles.iter().find(|b| b.planes.contains(&plane))?;
                        let nth = bundle.planes.iter().position(|&p| p == plane)? as u32;
                        // of the links between a subtree and the tier above: this plane's, this switch's, this port's
                        let (upper, direction, group, within) = if port >= downs {
                            let above = &tree.tiers()[tier + 1];
                            (tier + 1, 0, a, b * above.up * above.parallel + port - downs)
                        } else {
                            (tier, 1, a * t.down + port / t.parallel, b * t.parallel + port % t.parallel)
                        };
                        let links = up_links(tree, upper - 1, 1);
                        let resource =
                            bundle.first[upper - 1] + (direction * net.copies + copy) * groups(tree, upper) + group;
                        Some((resource, nth * links + within, links * bundle.planes.len() as u32))
                    }
                }
            }
        }
    }
}

/// Tables of the detours that begin at the switches to which accelerators with ranks are plugged.
fn detours(net: &Network, graph: &Graph, placement: &[u32], control: &Control) -> Result<Vec<Option<Detours>>> {
    let mut tables = vec![None; graph.switches() as usize];
    for &a in placement {
        let member = a % net.span;
        for (home, _) in (graph.near(member)..graph.ports(member)).filter_map(|p| graph.peer(member, p)) {
            let table = &mut tables[(home - net.span) as usize];
            if table.is_none() {
                *table = Some(Detours::from(graph, home, control)?);
            }
        }
    }
    Ok(tables)
}

pub(super) fn tree(shape: &Shape) -> Option<&Clos> {
    match shape {
        Shape::Clos(tree) => Some(tree),
        Shape::Direct(_) | Shape::Graph(_) => None,
    }
}

/// How packets climb each plane's tree. The choice among uplinks is made in the digits that the run's symmetry shifts, as for packets.
fn climbs(job: &Job, n: usize) -> Vec<Climb> {
    let climb = |plane: &Plane| {
        let tree = tree(&plane.shape)?;
        Some(Climb::new(tree, &job.folding.uplinks(n, tree.tiers().len() - 1, plane.links)))
    };
    job.fabric.networks[n].planes.iter().filter_map(climb).collect()
}

/// Where packets go on at each tier of each plane.
fn tier_routes(net: &Network) -> Vec<Vec<TierRoute>> {
    let trees = net.planes.iter().filter_map(|p| tree(&p.shape));
    trees.map(|t| (0..t.tiers().len()).map(|tier| TierRoute::new(t, tier)).collect()).collect()
}

/// Subtrees under the switches of a tier (at least 1).
pub(super) fn groups(tree: &Clos, tier: usize) -> u32 {
    tree.positions() / tree.tiers()[tier].child_positions
}

/// Links from a subtree of tier `tier` to the tier above, over a number of planes.
pub(super) fn up_links(tree: &Clos, tier: usize, planes: usize) -> u32 {
    let (t, above) = (&tree.tiers()[tier], &tree.tiers()[tier + 1]);
    t.child_twins * t.up * above.up * above.parallel * planes as u32
}

/// Resources of a network of so many directed links, as they will be numbered; servers of accelerators come on top.
pub fn resources(fabric: &Fabric, net: &Network, directed_links: u64) -> u64 {
    match &net.planes[0].shape {
        Shape::Clos(_) if sprays(net) => {
            let mut kinds: Vec<&Plane> = net.planes.iter().collect();
            kinds.sort_by_key(|plane| plane.links);
            kinds.dedup_by_key(|plane| plane.links);
            let trees = kinds.into_iter().filter_map(|plane| tree(&plane.shape));
            let sets = |tree: &Clos| (1..tree.tiers().len()).map(|tier| u64::from(groups(tree, tier))).sum::<u64>();
            2 * u64::from(fabric.accelerators()) + 2 * u64::from(net.copies) * trees.map(sets).sum::<u64>()
        }
        Shape::Direct(direct) if sprays(net) => directed_links / u64::from(direct.links),
        Shape::Clos(_) | Shape::Direct(_) | Shape::Graph(_) => directed_links,
    }
}

/// Numbers every link out of a tree's switches.
fn links(job: &Job, net: &Network, first: Vertex, switch_ports: &mut Vec<u32>, numbers: &mut Numbering) -> Result<()> {
    let trees = || net.planes.iter().filter_map(|p| tree(&p.shape));
    let switches: u32 = trees().map(Clos::switches).sum::<u32>() * net.copies;
    for vertex in first..first + switches {
        let Place::Switch { plane, index, .. } = job.fabric.place(vertex) else {
            continue;
        };
        let Shape::Clos(tree) = &net.planes[plane].shape else {
            continue;
        };
        let (tier, ..) = tree.locate(index);
        let t = &tree.tiers()[tier];
        let (downs, all) = (t.down * t.parallel, tree.ports(tier));
        switch_ports.push(numbers.take(downs.into(), speed(net.link(tier).rate))?);
        if all > downs {
            numbers.take(u64::from(all - downs), speed(net.link(tier + 1).rate))?;
        }
    }
    Ok(())
}

/// Numbers the sets of links between tiers that spraying loads alike.
fn sets(net: &Network, numbers: &mut Numbering) -> Result<Vec<Bundle>> {
    let mut bundles: Vec<Bundle> = vec![];
    let mut links: Vec<u32> = net.planes.iter().map(|p| p.links).collect();
    links.sort_unstable();
    links.dedup();
    let mut from = 0;
    for &count in &links {
        let planes: Vec<usize> = (0..net.planes.len()).filter(|&p| net.planes[p].links == count).collect();
        let Some(tree) = tree(&net.planes[planes[0]].shape) else {
            continue;
        };
        let mut first = vec![];
        for tier in 1..tree.tiers().len() {
            let capacity = f64::from(up_links(tree, tier - 1, planes.len())) * speed(net.link(tier).rate);
            first.push(numbers.take(2 * u64::from(net.copies) * u64::from(groups(tree, tier)), capacity)?);
        }
        let to = from + count * planes.len() as u32;
        bundles.push(Bundle { planes, from, to, first });
        from = to;
    }
    Ok(bundles)
}
