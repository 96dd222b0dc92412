//! The fabric laid out for the engine: LPs in an order of locality, cut into shards, with flat tables of ports.
//!
//! **Invariant.** LPs are numbered so that those over neighbouring accelerators are neighbours; a shard is a run of
//! consecutive LPs and owns their ports. The numbering depends on the fabric only, the cuts also on the number of shards,
//! and no result depends on either.
//!
//! **Cost.** O(ports) once; 4 bytes a vertex and 12 a port beyond what the shards own.

use crate::control::Control;
use crate::error::Result;
use crate::fabric::credit;
use crate::fabric::{End, Fabric, Place, Shape, Vertex};
use crate::routing::tree::TierRoute;
use crate::spec::ProtocolSpec;
use crate::units::{Fs, NEVER, Serializer};

/// A port that leads nowhere.
pub(super) const UNPLUGGED: u32 = u32::MAX;

/// What all links of one network and tier share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    pub(super) latency: Fs,
    pub(super) serializer: Serializer,
    /// Wire bytes of a full packet and the time they take.
    pub(super) full_wire: u32,
    pub(super) full_fs: Fs,
    /// Buffer behind the link per virtual channel; `None` is unlimited.
    pub(super) buffer: Option<u64>,
    /// Freed bytes are announced when this many have come together.
    pub(super) quantum: u32,
    pub(super) channels: u8,
    pub(super) network: u8,
    pub(super) tier: u8,
}

impl Class {
    /// Time that a packet occupies the link.
    #[inline(always)]
    pub(super) fn fs(&self, wire: u32) -> Fs {
        if wire == self.full_wire { self.full_fs } else { self.serializer.fs(wire) }
    }
}

/// What all switches of one tier of one plane share.
#[derive(Clone, Copy, Debug)]
pub(super) struct SwitchKind {
    pub(super) route: TierRoute,
    pub(super) latency: Fs,
    pub(super) cut_through: bool,
    /// Cut-through with one rate on all ports: a packet is ready a fixed time after its head came in.
    pub(super) simple: bool,
    pub(super) network: u8,
    pub(super) plane: u16,
}

/// An LP.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    /// Accelerator.
    Accelerator,
    /// Switch: its kind and the first position beneath it.
    Switch { kind: u32, first: u32, copy: u32 },
    /// Switch of a graph: its kind among the network's switches, its vertex in the graph, and whether it looks at its queues.
    Router { kind: u16, at: u32, adaptive: bool },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Layout {
    /// Vertex of each LP.
    pub(super) vertex: Vec<Vertex>,
    /// LP of each vertex.
    pub(super) lp: Vec<u32>,
    /// First port of each LP, and the total at the end.
    pub(super) first_port: Vec<u32>,
    /// Port at the other end, or [`UNPLUGGED`].
    pub(super) peer: Vec<u32>,
    /// Class of each port's link.
    pub(super) class: Vec<u16>,
    pub(super) classes: Vec<Class>,
    pub(super) kinds: Vec<SwitchKind>,
    pub(super) nodes: Vec<Node>,
    /// First LP of each shard, and the number of LPs at the end.
    pub(super) cuts: Vec<u32>,
    /// The smallest latency of any link.
    pub(super) window: Fs,
}

impl Layout {
    /// All in one shard.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub(super) fn new(fabric: &Fabric, protocol: &ProtocolSpec, control: &Control) -> Result<Self> {
        let vertices = fabric.vertices();
        let (classes, first_class) = classes(fabric, protocol);
        let mut kinds = vec![];
        let mut kind_of: Vec<Vec<u32>> = vec![];
        for (n, net) in fabric.networks.iter().enumerate() {
            for (p, plane) in net.planes.iter().enumerate() {
                let mut tiers = vec![];
                if let Shape::Clos(tree) = &plane.shape {
                    for tier in 0..tree.tiers().len() {
                        tiers.push(kinds.len() as u32);
                        let above = net.link((tier + 1).min(tree.tiers().len() - 1)).rate;
                        kinds.push(SwitchKind {
                            route: TierRoute::new(tree, tier),
                            latency: net.switch(tier).latency_fs,
                            cut_through: net.switch(tier).cut_through,
                            simple: net.switch(tier).cut_through && net.link(tier).rate == above,
                            network: n as u8,
                            plane: p as u16,
                        });
                    }
                }
                kind_of.push(tiers);
            }
        }
        let first_plane: Vec<usize> = fabric
            .networks
            .iter()
            .scan(0, |sum, net| {
                let first = *sum;
                *sum += net.planes.len();
                Some(first)
            })
            .collect();

        // Locality: a switch sits among the accelerators beneath it, twins spread evenly over them.
        let mut order: Vec<(u64, Vertex)> = Vec::with_capacity(vertices as usize);
        let mut place_nodes = Vec::with_capacity(vertices as usize);
        for vertex in 0..vertices {
            control.check()?;
            let (key, node) = match fabric.place(vertex) {
                Place::Accelerator(a) => (u64::from(a) << 20, Node::Accelerator),
                Place::Switch { network, copy, plane, index } => {
                    let net = &fabric.networks[network];
                    let tree = match &net.planes[plane].shape {
                        Shape::Clos(tree) => tree,
                        Shape::Graph(graph) => {
                            // beside the first accelerator plugged into it, or anywhere
                            let at = net.span + index;
                            let first = graph.peer(at, 0).map_or(index, |end| end.0);
                            let key = copy * net.span + if graph.near(at) > 0 { first } else { index % net.span };
                            let kind = net.kind_of(index);
                            order.push((u64::from(key) << 20 | 1, vertex));
                            place_nodes.push(Node::Router { kind, at, adaptive: net.spec.routing.adaptive() });
                            continue;
                        }
                        Shape::Direct(_) => continue,
                    };
                    let (tier, a, b) = tree.locate(index);
                    let t = &tree.tiers()[tier];
                    let kind = kind_of[first_plane[network] + plane][tier];
                    let first = kinds[kind as usize].route.first_position(a);
                    let below = u64::from(t.down * t.child_positions);
                    let twins = u64::from(t.child_twins * t.up);
                    let spread = (below << 20) * (2 * u64::from(b) + 1) / (2 * twins);
                    let position = (u64::from(first) << 20) + spread;
                    let scale = u64::from(tree.positions() / net.span.max(1)).max(1);
                    ((u64::from(copy * net.span) << 20) + position / scale, Node::Switch { kind, first, copy })
                }
            };
            order.push((key, vertex));
            place_nodes.push(node);
        }
        order.sort_unstable();

        let mut lp = vec![0; vertices as usize];
        let mut vertex = Vec::with_capacity(order.len());
        let mut nodes = Vec::with_capacity(order.len());
        let mut first_port = Vec::with_capacity(order.len() + 1);
        let mut ports = 0;
        for (i, &(_, v)) in order.iter().enumerate() {
            lp[v as usize] = i as u32;
            vertex.push(v);
            nodes.push(place_nodes[v as usize]);
            first_port.push(ports);
            ports += fabric.ports(v);
        }
        first_port.push(ports);
        drop((order, place_nodes));

        let mut peer = Vec::with_capacity(ports as usize);
        let mut class = Vec::with_capacity(ports as usize);
        for (i, &v) in vertex.iter().enumerate() {
            control.check()?;
            for port in 0..first_port[i + 1] - first_port[i] {
                match fabric.peer(v, port) {
                    Some(End { vertex: far, port, network, tier }) => {
                        peer.push(first_port[lp[far as usize] as usize] + port);
                        class.push(first_class[network] + tier as u16);
                    }
                    None => {
                        peer.push(UNPLUGGED);
                        class.push(0);
                    }
                }
            }
        }
        let window = classes.iter().map(|c| c.latency).min().unwrap_or(NEVER);
        let cuts = vec![0, vertices];
        Ok(Self { vertex, lp, first_port, peer, class, classes, kinds, nodes, cuts, window })
    }

    /// LP that owns a port.
    pub(super) fn lp_of_port(&self, port: u32) -> u32 {
        self.first_port.partition_point(|&first| first <= port) as u32 - 1
    }

    /// Bytes of the tables.
    pub(super) fn bytes(&self) -> u64 {
        (self.vertex.len() * 4
            + self.lp.len() * 4
            + self.first_port.len() * 4
            + self.nodes.len() * size_of::<Node>()
            + self.peer.len() * 6) as u64
    }
}

fn classes(fabric: &Fabric, protocol: &ProtocolSpec) -> (Vec<Class>, Vec<u16>) {
    let (mut classes, mut first) = (vec![], vec![]);
    for (n, net) in fabric.networks.iter().enumerate() {
        first.push(classes.len() as u16);
        for (tier, link) in net.spec.links.iter().enumerate() {
            let serializer = Serializer::new(link.rate);
            let full_wire = protocol.wire_bytes(n, net.spec.payload, net.spec.overhead);
            classes.push(Class {
                latency: link.latency_fs,
                serializer,
                full_wire,
                full_fs: serializer.fs(full_wire),
                buffer: net.spec.buffer,
                quantum: credit::quantum(net.spec.buffer.unwrap_or(0), full_wire.into()),
                channels: net.channels as u8,
                network: n as u8,
                tier: tier as u8,
            });
        }
    }
    (classes, first)
}
