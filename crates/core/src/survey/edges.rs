//! The graph itself, port by port: for checks from outside, pictures and other programs.
//!
//! **Invariant.** One entry per port with something plugged in, in order of vertex and port; each link is there twice, once
//! from either end. **Cost.** O(ports), so only for fabrics of at most [`MOST`] ports. **Limits.** HBM and hosts are no
//! vertices.

use crate::control::{Control, Phase, reserved};
use crate::error::{Error, Result};
use crate::fabric::{Fabric, Place, Shape};

/// Ports that a listing may have.
pub const MOST: u64 = 10_000_000;

/// A directed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Vertex that it leaves: accelerators first, then switches.
    pub vertex: u32,
    /// Port there.
    pub port: u32,
    /// Vertex that it reaches.
    pub peer: u32,
    /// Port there.
    pub peer_port: u32,
    /// Network, innermost first.
    pub network: u32,
    /// Tier or dimension, from 0.
    pub level: u32,
    /// Rate in bit/s.
    pub rate: u64,
    /// Propagation of the link.
    pub latency_fs: u64,
    /// Head in to head out at the far end, for what it forwards.
    pub forward_fs: u64,
}

/// Lists a fabric.
///
/// # Errors
/// [`Error::Memory`] if it has more than [`MOST`] ports; those of [`Control::check`].
pub fn list(fabric: &Fabric, control: &Control) -> Result<Vec<Edge>> {
    control.begin(Phase::Describing)?;
    let total = 2 * super::describe::links(fabric);
    if total > MOST {
        let size = size_of::<Edge>() as u64;
        return Err(Error::Memory {
            what: format!("a listing of {total} directed links"),
            needed: total * size,
            available: MOST * size,
            hint: "list a smaller system".into(),
        });
    }
    // the rows, and the columns that they become
    let needed = 2 * total * size_of::<Edge>() as u64;
    control.need(&format!("a listing of {total} directed links"), needed, "list a smaller system")?;
    let mut edges = reserved("a listing of links", total as usize)?;
    for vertex in 0..fabric.vertices() {
        control.check()?;
        for port in 0..fabric.ports(vertex) {
            let Some(end) = fabric.peer(vertex, port) else {
                continue;
            };
            let net = &fabric.networks[end.network];
            let link = net.link(end.tier);
            let tier = match fabric.place(end.vertex) {
                Place::Accelerator(_) => net.router_kind().into(),
                Place::Switch { plane, index, .. } => match &net.planes[plane].shape {
                    Shape::Clos(tree) => tree.locate(index).0,
                    Shape::Direct(_) => 0,
                    Shape::Graph(_) => net.kind_of(index).into(),
                },
            };
            edges.push(Edge {
                vertex,
                port,
                peer: end.vertex,
                peer_port: end.port,
                network: end.network as u32,
                level: end.tier as u32,
                rate: link.rate.0,
                latency_fs: link.latency_fs,
                forward_fs: net.switch(tier).latency_fs,
            });
        }
    }
    Ok(edges)
}
