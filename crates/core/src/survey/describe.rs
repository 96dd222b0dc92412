//! What a machine consists of, counted by arithmetic.
//!
//! **Model.** Counts follow from the parameters of each network, never from walking the graph: links of tier t join each
//! vertex below it to `up * parallel` ports; a line of a torus has one link an accelerator (one less without wraparound), a
//! full line of k one per pair. Bisection and diameter are those of [`super::halves`]; the machine's bisection is that of the
//! network that joins all, its diameter the longest of the networks that are the innermost one for some pair.
//!
//! **Cost.** O(networks x planes x tiers), whatever the number of accelerators; the halves of an explicit graph are looked for
//! once ([`super::partition`]).
//!
//! **Limits.** The bisection of an explicit graph is an upper bound, the narrowest halves found. `state_bytes` is an estimate of what the packet engine keeps for links and ranks, without traffic.

use serde::Serialize;

use super::{halves, path};
use crate::control::{Control, Phase};
use crate::error::Result;
use crate::fabric::direct::Dimension;
use crate::fabric::{Fabric, Network, Shape};

/// Bytes that the packet engine keeps a directed link and virtual channel, before any packet moves (measured: 356 to 436).
const LINK_BYTES: u64 = 410;
/// The same an accelerator, with the state of its rank.
const ACCELERATOR_BYTES: u64 = 512;

/// A machine in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Name of the system.
    pub name: String,
    /// Number of accelerators.
    pub accelerators: u64,
    /// Switches of all networks.
    pub switches: u64,
    /// Links (cables or traces, both directions counted as one).
    pub links: u64,
    /// Directed links: twice the links.
    pub directed_links: u64,
    /// Ports of an accelerator.
    pub accelerator_ports: u64,
    /// Injection of an accelerator over all networks, one way.
    pub injection_gbytes_s: f64,
    /// Between two halves of the machine, one way.
    pub bisection_gbytes_s: f64,
    /// True if no halves have less between them; of an explicit graph these are the narrowest that were found.
    pub bisection_exact: bool,
    /// Links on the longest route.
    pub diameter_hops: u32,
    /// Propagation of the longest route: links, and switches or routers.
    pub diameter_ns: f64,
    /// Estimated bytes of simulation state.
    pub state_bytes: u64,
    /// By network, innermost first.
    pub networks: Vec<NetworkDescription>,
}

/// A network in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkDescription {
    /// Its name.
    pub name: String,
    /// `clos`, `torus`, `full_mesh` or `graph`.
    pub kind: &'static str,
    /// Accelerators of a copy.
    pub span: u32,
    /// Copies.
    pub copies: u32,
    /// Planes of a copy.
    pub planes: usize,
    /// Injection of an accelerator, one way.
    pub injection_gbytes_s: f64,
    /// Between two halves of a copy, one way.
    pub bisection_gbytes_s: f64,
    /// True if no halves have less between them.
    pub bisection_exact: bool,
    /// Links on the longest route.
    pub diameter_hops: u32,
    /// Propagation of the longest route.
    pub diameter_ns: f64,
    /// Tiers of switches or dimensions, innermost first, over all copies and planes.
    pub levels: Vec<LevelDescription>,
}

/// A tier of switches with the links below it, or a dimension.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelDescription {
    /// `tier 1`, or `dimension 1`.
    pub name: String,
    /// Switches of the tier.
    pub switches: u64,
    /// Ports of each switch (of the first plane).
    pub ports: u32,
    /// Links below the tier or along the dimension.
    pub links: u64,
    /// Rate of each, one way.
    pub link_gbytes_s: f64,
    /// Propagation of each.
    pub link_ns: f64,
    /// What they are made of; empty if the specification does not say.
    pub medium: String,
    /// Head in to head out of a switch of the tier, or of the router inside an accelerator.
    pub switch_ns: f64,
}

/// Links that join the lower half of a line to the upper one.
pub fn middle(kind: Dimension) -> u64 {
    let (low, high) = (u64::from(kind.size() / 2), u64::from(kind.size().div_ceil(2)));
    match kind {
        _ if kind.size() < 2 => 0,
        Dimension::Full { .. } => low * high,
        Dimension::Line { wrap, .. } => 1 + u64::from(wrap),
    }
}

/// Links of a line.
pub fn cables(kind: Dimension) -> u64 {
    let size = u64::from(kind.size());
    match kind {
        Dimension::Full { .. } => size * size.saturating_sub(1) / 2,
        Dimension::Line { wrap, .. } => size.saturating_sub(u64::from(!wrap)),
    }
}

/// Links of a fabric, without the rest of its description.
pub fn links(fabric: &Fabric) -> u64 {
    fabric.networks.iter().flat_map(levels).map(|level| level.links).sum()
}

/// What there is of a fabric: all that needs no search.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Switches.
    pub switches: u64,
    /// Full-duplex links.
    pub links: u64,
    /// Directed links.
    pub directed_links: u64,
    /// Bytes that a run in full would take, about, without packets under way.
    pub state_bytes: u64,
    /// Tiers or dimensions of each network, innermost first.
    pub levels: Vec<Vec<LevelDescription>>,
}

/// Counts a fabric, without its cuts and longest routes.
pub fn count(fabric: &Fabric) -> Counts {
    let levels: Vec<Vec<LevelDescription>> = fabric.networks.iter().map(|net| levels(net).collect()).collect();
    let total = |count: fn(&LevelDescription) -> u64| levels.iter().flatten().map(count).sum::<u64>();
    let channels = |(net, levels): (&Network, &Vec<LevelDescription>)| {
        2 * u64::from(net.channels) * levels.iter().map(|l| l.links).sum::<u64>() * LINK_BYTES
    };
    let state: u64 = fabric.networks.iter().zip(&levels).map(channels).sum();
    let (switches, links) = (total(|l| l.switches), total(|l| l.links));
    let state_bytes = state + u64::from(fabric.accelerators()) * ACCELERATOR_BYTES;
    Counts { switches, links, directed_links: 2 * links, state_bytes, levels }
}

/// Describes a fabric.
///
/// # Errors
/// Those of [`Control::check`].
pub fn describe(fabric: &Fabric, control: &Control) -> Result<Description> {
    control.begin(Phase::Describing)?;
    let counts = count(fabric);
    let both = fabric.networks.iter().zip(counts.levels);
    let networks: Vec<NetworkDescription> =
        both.map(|(net, levels)| network(net, levels, control)).collect::<Result<_>>()?;
    // a network as wide as the one inside it never carries anything
    let used = |i: &usize| *i == 0 || fabric.networks[*i].span != fabric.networks[i - 1].span;
    let far = || (0..networks.len()).filter(used).map(|i| &networks[i]);
    Ok(Description {
        name: fabric.spec.name.clone(),
        accelerators: fabric.accelerators().into(),
        switches: counts.switches,
        links: counts.links,
        directed_links: counts.directed_links,
        accelerator_ports: u64::from(fabric.accelerator_ports()),
        injection_gbytes_s: networks.iter().map(|n| n.injection_gbytes_s).sum(),
        bisection_gbytes_s: far().next_back().map_or(0.0, |n| n.bisection_gbytes_s),
        bisection_exact: far().next_back().is_none_or(|n| n.bisection_exact),
        diameter_hops: far().map(|n| n.diameter_hops).max().unwrap_or(0),
        diameter_ns: far().map(|n| n.diameter_ns).fold(0.0, f64::max),
        state_bytes: counts.state_bytes,
        networks,
    })
}

fn network(net: &Network, levels: Vec<LevelDescription>, control: &Control) -> Result<NetworkDescription> {
    let (hops, fs) = halves::diameter(net);
    Ok(NetworkDescription {
        name: net.spec.name.clone(),
        kind: match (&net.planes[0].shape, &net.spec.topology) {
            (Shape::Clos(_), _) => "clos",
            (Shape::Graph(_), _) => "graph",
            (_, crate::spec::TopologySpec::FullMesh { .. }) => "full_mesh",
            _ => "torus",
        },
        span: net.span,
        copies: net.copies,
        planes: net.planes.len(),
        injection_gbytes_s: net.injection() as f64 / 8e9,
        bisection_gbytes_s: halves::bisection(net, control)? / 8e9,
        bisection_exact: !matches!(net.planes[0].shape, Shape::Graph(_)),
        diameter_hops: hops,
        diameter_ns: fs as f64 / 1e6,
        levels,
    })
}

fn levels(net: &Network) -> impl Iterator<Item = LevelDescription> + '_ {
    (0..path::tiers(net)).map(|tier| level(net, tier))
}

fn level(net: &Network, tier: usize) -> LevelDescription {
    let (mut switches, mut links, mut ports) = (0, 0, 0);
    for plane in net.planes.iter().rev() {
        match &plane.shape {
            Shape::Clos(tree) => {
                let t = &tree.tiers()[tier];
                switches += u64::from(t.switches);
                ports = tree.ports(tier);
                links += match tier {
                    0 => u64::from(net.span) * u64::from(plane.links),
                    _ => u64::from(t.switches) * u64::from(t.down) * u64::from(t.parallel),
                };
            }
            Shape::Direct(d) => {
                let dim = &d.dims[tier];
                ports = dim.kind.neighbours() * d.links;
                links += cables(dim.kind) * u64::from(net.span / dim.kind.size()) * u64::from(d.links);
            }
            Shape::Graph(graph) => {
                // switches have links of any class: they are counted with the first
                switches += if tier == 0 { u64::from(graph.switches()) } else { 0 };
                ports = if tier == 0 { graph.radix() } else { 0 };
                links += graph.links()[tier];
            }
        }
    }
    let copies = u64::from(net.copies);
    LevelDescription {
        name: net.level(tier),
        switches: switches * copies,
        ports,
        links: links * copies,
        link_gbytes_s: net.link(tier).rate.0 as f64 / 8e9,
        link_ns: net.link(tier).latency_fs as f64 / 1e6,
        medium: net.link(tier).medium.clone(),
        switch_ns: net.switch(if net.is_tree() { tier } else { 0 }).latency_fs as f64 / 1e6,
    }
}
