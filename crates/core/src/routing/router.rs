//! Routers of networks that are no trees: one interface to dimension order and to explicit graphs.
//!
//! **Model.** A packet carries where it still has to go: on a direct network the way left, which is the same for all pairs
//! that differ by a rotation; on a graph the accelerator. A router takes that, where it is, and a selector among equal
//! paths, and gives the output port, the virtual channel there and what is left behind it.
//!
//! **Invariant.** Every step brings the packet nearer. **Cost.** O(dimensions), or O(ports of the vertex).

use std::sync::Arc;

use super::dimension_order;
use crate::fabric::direct::Direct;
use crate::fabric::graph::{Graph, WAYS};
use crate::fabric::{Network, Shape};

/// See the module.
#[derive(Clone, Debug)]
pub enum Router {
    /// Inside accelerators that form a torus, mesh or full mesh.
    Direct(Direct),
    /// The switches of a graph.
    Graph(Arc<Graph>),
}

/// Where a packet goes from a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onward {
    /// Output port, among those of the network.
    pub port: u32,
    /// Virtual channel of the link behind it.
    pub channel: u32,
    /// What the packet carries from there on.
    pub left: u32,
}

impl Router {
    /// That of a network, if it has one.
    pub fn of(net: &Network) -> Option<Self> {
        match &net.planes[0].shape {
            Shape::Clos(_) => None,
            Shape::Direct(direct) => Some(Self::Direct(direct.clone())),
            Shape::Graph(graph) => Some(Self::Graph(graph.clone())),
        }
    }

    /// Equal first hops from one accelerator of a copy to another.
    pub fn choices(&self, from: u32, to: u32) -> u32 {
        match self {
            Self::Direct(direct) => dimension_order::choices(direct, from, to),
            Self::Graph(graph) => graph.choices(from, to).max(1),
        }
    }

    /// What a packet from one accelerator to another carries.
    pub fn way(&self, from: u32, to: u32) -> u32 {
        match self {
            Self::Direct(direct) => direct.way(from, to),
            Self::Graph(_) => to,
        }
    }

    /// The `hop`-th of equal first hops; `None` if the packet is there.
    pub fn first(&self, from: u32, way: u32, hop: u32) -> Option<Onward> {
        match self {
            Self::Direct(direct) => direct_step(direct, from, way, hop),
            Self::Graph(graph) => graph.choice(from, way, hop).map(|port| Onward { port, channel: 0, left: way }),
        }
    }

    /// From a vertex that a packet came to by port `from` on a channel; `None` if it is there.
    #[inline]
    pub fn step(&self, at: u32, way: u32, selector: u32, (from, channel): (u32, u32)) -> Option<Onward> {
        match self {
            Self::Direct(direct) => direct_step(direct, at, way, selector),
            Self::Graph(graph) => graph.next(at, way, selector).map(|port| {
                // the first link between switches has channel 0, as has that from the accelerator
                let channel = if from < graph.near(at) { 0 } else { channel + 1 };
                Onward { port, channel, left: way }
            }),
        }
    }

    /// The first way of those from or to a position: far enough from its neighbours' that each begins with a whole round
    /// of as many choices as are usual.
    pub fn start(&self, position: u32) -> u32 {
        position.wrapping_mul(64)
    }

    /// Selector of packet `number` of a message, the number `group` of a share, that goes this `way` if it were the first;
    /// on direct networks, where parallel links are all there is to choose from, the first hop.
    pub fn selector(&self, hop: u32, way: u32, number: u32, group: u32) -> u32 {
        match self {
            Self::Direct(_) => hop,
            Self::Graph(_) => way.wrapping_add(number) % WAYS + group % (u32::MAX / WAYS) * WAYS,
        }
    }
}

#[inline]
fn direct_step(direct: &Direct, at: u32, way: u32, selector: u32) -> Option<Onward> {
    dimension_order::step(direct, at, way, selector).map(|(port, channel, left)| Onward { port, channel, left })
}
