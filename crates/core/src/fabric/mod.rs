//! The fabric: one graph of accelerators and switches joined by links, computed, not stored.
//!
//! A [`Fabric`] is a list of [`Network`]s over the same accelerators, innermost first; a network is `copies` disjoint
//! instances of a few planes, each plane a tree ([`clos`]) or a direct topology ([`direct`]), or of one explicit [`graph`].
//!
//! **Invariants.** Vertices are numbered accelerators first, then switches by network, copy, plane, index. Every port is
//! duplex: its out direction and its in direction have the same number, and [`Fabric::peer`] is an involution. The fabric
//! knows vertices and links, never collectives or packets.
//!
//! **Cost.** A few words a network; every query is arithmetic, but for explicit graphs.

mod build;
pub mod clos;
pub mod credit;
pub mod direct;
pub mod graph;
pub mod parts;

use crate::control::Control;
use crate::error::Result;
use crate::spec::{LinkSpec, NetworkSpec, SwitchSpec, SystemSpec, TopologySpec};
use build::{build, wrong};
use clos::{Clos, Node};
use direct::Direct;
use graph::Graph;
use parts::Parts;
use std::sync::{Arc, OnceLock};

/// Index of a vertex.
pub type Vertex = u32;

/// A whole machine.
#[derive(Clone, Debug)]
pub struct Fabric {
    /// The specification it was built from.
    pub spec: SystemSpec,
    /// Networks, innermost first.
    pub networks: Vec<Network>,
    accelerators: u32,
    accelerator_ports: u32,
    vertices: u32,
}

/// One network of a fabric.
#[derive(Clone, Debug)]
pub struct Network {
    /// The specification it was built from.
    pub spec: NetworkSpec,
    /// Disjoint copies.
    pub copies: u32,
    /// Accelerators of one copy.
    pub span: u32,
    /// Planes of one copy.
    pub planes: Vec<Plane>,
    /// First of an accelerator's ports that belongs to this network.
    pub first_port: u32,
    /// Accelerator ports into this network.
    pub ports: u32,
    /// Virtual channels that its routes need.
    pub channels: u32,
    /// Accelerators that share a leaf position group through rails.
    pub rails: u32,
    first_switch: Vertex,
    copy_switches: u32,
    parts: OnceLock<Arc<Vec<Parts>>>,
}

/// One plane of a network.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Shape.
    pub shape: Shape,
    /// Links of each accelerator into this plane (trees).
    pub links: u32,
    /// First of these links among the network's accelerator ports.
    pub first_link: u32,
    /// First switch of this plane within a copy.
    pub first_switch: u32,
}

/// Shape of a plane.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Switched, up/down.
    Clos(Clos),
    /// Routers inside the accelerators.
    Direct(Direct),
    /// Explicit vertices and edges.
    Graph(Arc<Graph>),
}

/// What a vertex is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An accelerator.
    Accelerator(u32),
    /// A switch of a tree or graph.
    Switch {
        /// Network index.
        network: usize,
        /// Copy of that network.
        copy: u32,
        /// Plane of that copy.
        plane: usize,
        /// Switch within the plane.
        index: u32,
    },
}

impl Network {
    /// Position of the `link`-th link of a copy's member in a plane's tree.
    #[inline]
    pub fn position(&self, plane: usize, member: u32, link: u32) -> u32 {
        let plane = &self.planes[plane];
        let Shape::Clos(tree) = &plane.shape else {
            return member;
        };
        if self.rails <= 1 {
            return member * plane.links + link;
        }
        let hosts = tree.tiers()[0].down / plane.links;
        let (host, rail) = (member / self.rails, member % self.rails);
        let (leaf, index) = ((host / hosts) * self.rails + rail, host % hosts);
        (leaf * hosts + index) * plane.links + link
    }

    /// Inverse of [`Network::position`]: member and link; the member may lie beyond the span if positions are spare.
    pub fn member(&self, plane: usize, position: u32) -> (u32, u32) {
        let plane = &self.planes[plane];
        let Shape::Clos(tree) = &plane.shape else {
            return (position, 0);
        };
        let (slot, link) = (position / plane.links, position % plane.links);
        if self.rails <= 1 {
            return (slot, link);
        }
        let hosts = tree.tiers()[0].down / plane.links;
        let (leaf, index) = (slot / hosts, slot % hosts);
        let host = (leaf / self.rails) * hosts + index;
        (host * self.rails + leaf % self.rails, link)
    }

    /// Plane and link of an accelerator's port within this network.
    #[inline]
    pub fn plane_of(&self, port: u32) -> (usize, u32) {
        let plane = self.planes.partition_point(|p| p.first_link <= port) - 1;
        (plane, port - self.planes[plane].first_link)
    }

    /// True if the routers sit inside the accelerators.
    pub fn is_direct(&self) -> bool {
        matches!(self.planes[0].shape, Shape::Direct(_))
    }

    /// True if links that leave accelerators carry traffic of others, too.
    pub fn passes(&self) -> bool {
        match &self.planes[0].shape {
            Shape::Clos(_) => false,
            Shape::Direct(_) => true,
            Shape::Graph(graph) => graph.forwards(),
        }
    }

    /// True if its planes are trees.
    pub fn is_tree(&self) -> bool {
        matches!(self.planes[0].shape, Shape::Clos(_))
    }

    /// What the links of an index are called: a tier, a dimension or a class.
    pub fn level(&self, tier: usize) -> String {
        let kind = match &self.planes[0].shape {
            Shape::Clos(_) => "tier",
            Shape::Direct(_) => "dimension",
            Shape::Graph(_) => "class",
        };
        format!("{kind} {}", tier + 1)
    }

    /// Which of the network's switches one of a graph is.
    pub fn kind_of(&self, switch: u32) -> u16 {
        match &self.spec.topology {
            TopologySpec::Graph { switch_kinds, .. } => switch_kinds.get(switch as usize).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// Which of the network's switches the router in an accelerator is.
    pub fn router_kind(&self) -> u16 {
        match &self.spec.topology {
            TopologySpec::Graph { forwarding, .. } => forwarding.unwrap_or(0),
            _ => 0,
        }
    }

    /// The parameters of a switch of a graph, or of the router in an accelerator.
    pub fn router(&self, vertex: u32) -> &SwitchSpec {
        let kind = vertex.checked_sub(self.span).map_or_else(|| self.router_kind(), |switch| self.kind_of(switch));
        self.switch(kind.into())
    }

    /// Parts of a copy that is a graph, found when first asked for.
    ///
    /// # Errors
    /// Those of finding them, which is then tried anew the next time.
    pub fn parts(&self, find: impl FnOnce() -> Result<Vec<Parts>>) -> Result<Arc<Vec<Parts>>> {
        if let Some(parts) = self.parts.get() {
            return Ok(parts.clone());
        }
        let found = Arc::new(find()?);
        Ok(self.parts.get_or_init(|| found).clone())
    }

    /// The switch parameters of a tier.
    pub fn switch(&self, tier: usize) -> &SwitchSpec {
        &self.spec.switches[tier.min(self.spec.switches.len() - 1)]
    }

    /// The link parameters of a tier or dimension.
    pub fn link(&self, tier: usize) -> &LinkSpec {
        &self.spec.links[tier.min(self.spec.links.len() - 1)]
    }

    /// Rate of one accelerator into this network, over all its links, in bit/s; of a graph's, that of the one with most.
    pub fn injection(&self) -> u64 {
        match &self.planes[0].shape {
            Shape::Clos(_) => self.link(0).rate.0.saturating_mul(u64::from(self.ports)),
            Shape::Direct(d) => d
                .dims
                .iter()
                .enumerate()
                .map(|(i, dim)| self.link(i).rate.0.saturating_mul(u64::from(dim.kind.neighbours() * d.links)))
                .sum(),
            Shape::Graph(graph) => {
                let of = |a| (0..graph.ports(a)).map(|p| self.link(graph.class(a, p).into()).rate.0).sum();
                (0..self.span).map(of).max().unwrap_or(0)
            }
        }
    }
}

impl Fabric {
    /// Whether a message over any of its networks costs the sender's thread something.
    pub fn proxies(&self) -> bool {
        self.networks.iter().any(|net| net.spec.transport.per_message_fs > 0)
    }

    /// Builds the fabric of a validated specification.
    ///
    /// # Errors
    /// [`crate::error::Error::Fabric`] names the network and the numbers that do not go together; those of [`Control::check`].
    pub fn new(spec: &SystemSpec, control: &Control) -> Result<Self> {
        Self::folded(spec, |_| None, control)
    }

    /// Builds a fabric in which some direct networks have a folded shape, given by network.
    ///
    /// # Errors
    /// Those of [`Fabric::new`].
    pub fn folded(spec: &SystemSpec, shape: impl Fn(usize) -> Option<Direct>, control: &Control) -> Result<Self> {
        let mut networks = Vec::with_capacity(spec.networks.len());
        let (mut port, mut vertex) = (0u64, u64::from(spec.accelerators));
        for (n, net) in spec.networks.iter().enumerate() {
            let network = build(net, spec.accelerators, port as u32, vertex as u32, shape(n).as_ref(), control)?;
            port += u64::from(network.ports);
            vertex += u64::from(network.copies) * u64::from(network.copy_switches);
            if port > build::MOST_PORTS || vertex >= 1 << 31 {
                return Err(wrong(
                    net,
                    format!("{port} ports an accelerator, {vertex} vertices"),
                    "at most 16384 and 2^31",
                ));
            }
            networks.push(network);
        }
        Ok(Self {
            spec: spec.clone(),
            networks,
            accelerators: spec.accelerators,
            accelerator_ports: port as u32,
            vertices: vertex as u32,
        })
    }

    /// Makes what only runs need: the tables of next hops of explicit graphs.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub fn prepare(&self, control: &Control) -> Result<()> {
        for plane in self.networks.iter().flat_map(|net| &net.planes) {
            if let Shape::Graph(graph) = &plane.shape {
                graph.prepare(control)?;
            }
        }
        Ok(())
    }

    /// Number of accelerators.
    pub fn accelerators(&self) -> u32 {
        self.accelerators
    }

    /// Number of vertices.
    pub fn vertices(&self) -> u32 {
        self.vertices
    }

    /// Ports of every accelerator.
    pub fn accelerator_ports(&self) -> u32 {
        self.accelerator_ports
    }

    /// What a vertex is.
    pub fn place(&self, vertex: Vertex) -> Place {
        if vertex < self.accelerators {
            return Place::Accelerator(vertex);
        }
        let network = self.networks.partition_point(|n| n.first_switch <= vertex) - 1;
        // Networks without switches share their first_switch with the next one; partition_point lands on the last.
        let net = &self.networks[network];
        let local = vertex - net.first_switch;
        let (copy, rest) = (local / net.copy_switches, local % net.copy_switches);
        let plane = net.planes.partition_point(|p| p.first_switch <= rest) - 1;
        Place::Switch { network, copy, plane, index: rest - net.planes[plane].first_switch }
    }

    /// Vertex of a switch.
    pub fn switch(&self, network: usize, copy: u32, plane: usize, index: u32) -> Vertex {
        let net = &self.networks[network];
        net.first_switch + copy * net.copy_switches + net.planes[plane].first_switch + index
    }

    /// Number of ports of a vertex.
    pub fn ports(&self, vertex: Vertex) -> u32 {
        match self.place(vertex) {
            Place::Accelerator(_) => self.accelerator_ports,
            Place::Switch { network, plane, index, .. } => match &self.networks[network].planes[plane].shape {
                Shape::Clos(tree) => tree.ports(tree.locate(index).0),
                Shape::Direct(_) => 0,
                Shape::Graph(graph) => graph.ports(self.networks[network].span + index),
            },
        }
    }

    /// Network that an accelerator's port belongs to.
    pub fn network_of_port(&self, port: u32) -> usize {
        self.networks.partition_point(|n| n.first_port <= port) - 1
    }

    /// The other end of a port, the network and the tier or dimension of the link; `None` if nothing is plugged in.
    pub fn peer(&self, vertex: Vertex, port: u32) -> Option<End> {
        match self.place(vertex) {
            Place::Accelerator(a) => {
                let network = self.network_of_port(port);
                let net = &self.networks[network];
                let (copy, member, local) = (a / net.span, a % net.span, port - net.first_port);
                let (plane, link) = net.plane_of(local);
                match &net.planes[plane].shape {
                    Shape::Clos(tree) => {
                        let (leaf, port) = tree.leaf(net.position(plane, member, link));
                        Some(End { vertex: self.switch(network, copy, plane, leaf), port, network, tier: 0 })
                    }
                    Shape::Direct(d) => {
                        let (peer, back) = d.peer(member, local)?;
                        let tier = d.dimension(local);
                        Some(End { vertex: copy * net.span + peer, port: net.first_port + back, network, tier })
                    }
                    Shape::Graph(graph) => self.across(network, copy, graph, member, local),
                }
            }
            Place::Switch { network, copy, plane, index } => {
                let net = &self.networks[network];
                let tree = match &net.planes[plane].shape {
                    Shape::Clos(tree) => tree,
                    Shape::Graph(graph) => return self.across(network, copy, graph, net.span + index, port),
                    Shape::Direct(_) => return None,
                };
                let (tier, ..) = tree.locate(index);
                let t = &tree.tiers()[tier];
                let link_tier = if port < t.down * t.parallel { tier } else { tier + 1 };
                match tree.peer(index, port) {
                    (Node::Position(position), _) => {
                        let (member, link) = net.member(plane, position);
                        let port = net.first_port + net.planes[plane].first_link + link;
                        (member < net.span).then(|| End { vertex: copy * net.span + member, port, network, tier: 0 })
                    }
                    (Node::Switch(s), port) => {
                        Some(End { vertex: self.switch(network, copy, plane, s), port, network, tier: link_tier })
                    }
                }
            }
        }
    }

    /// The other end of a port of a graph's vertex.
    fn across(&self, network: usize, copy: u32, graph: &Graph, vertex: u32, port: u32) -> Option<End> {
        let net = &self.networks[network];
        let (far, back) = graph.peer(vertex, port)?;
        let tier = graph.class(vertex, port).into();
        Some(match far.checked_sub(net.span) {
            None => End { vertex: copy * net.span + far, port: net.first_port + back, network, tier },
            Some(switch) => End { vertex: self.switch(network, copy, 0, switch), port: back, network, tier },
        })
    }

    /// The innermost network that has both accelerators in one copy.
    #[inline]
    pub fn network_between(&self, x: u32, y: u32) -> Option<usize> {
        self.networks.iter().position(|n| x / n.span == y / n.span)
    }

    /// Readable name of a vertex.
    pub fn name(&self, vertex: Vertex) -> String {
        match self.place(vertex) {
            Place::Accelerator(a) => format!("accelerator {a}"),
            Place::Switch { network, copy, plane, index } => {
                let net = &self.networks[network];
                let Shape::Clos(tree) = &net.planes[plane].shape else {
                    return format!("{}[{copy}] switch {index}", net.spec.name);
                };
                let (tier, ..) = tree.locate(index);
                let switch = index - tree.tiers()[tier].first;
                format!("{}[{copy}] plane {plane} tier {} switch {switch}", net.spec.name, tier + 1)
            }
        }
    }
}

/// The far end of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Vertex there.
    pub vertex: Vertex,
    /// Port there.
    pub port: u32,
    /// Network of the link.
    pub network: usize,
    /// Tier (trees) or dimension (direct) of the link: index into the network's link list.
    pub tier: usize,
}

#[cfg(test)]
mod tests;
