//! How the bytes of a sprayed message are booked on single links of a tree.
//!
//! **Model.** A sprayed message is one flow over sets of links. So that the tables of links balance at every switch, it is cut into as many equal
//! parts as it has paths; what is left over, less than a byte or packet per path, is booked on one path, another for every message of a rank.
//!
//! **Invariant.** Equal parts fill every set evenly, and a path goes in where it comes out: what enters a switch leaves it. **Cost.** O(tiers) per
//! message. **Limits.** Bytes are dealt, not packets: a link can carry a part of a packet.

use super::resources::{Layout, Resources, tree};
use crate::engine::Job;
use crate::fabric::Vertex;
use crate::fabric::clos::Node;
use crate::survey::path;

/// See the module.
pub(super) struct Deal {
    /// Paths of the message.
    pub(super) parts: u64,
    /// The links of one of them: vertex and port.
    pub(super) path: Vec<(Vertex, u32)>,
}

impl Resources {
    /// The paths of a message in a tree that sprays, the `count`-th of its sender; `None` elsewhere.
    pub(super) fn deal(&self, job: &Job, here: u32, there: u32, count: u32) -> Option<Deal> {
        let way = path::between(job.fabric, here, there).filter(|_| here != there)?;
        let net = &job.fabric.networks[way.network];
        let Layout::Sets { tiers, climbs, .. } = &self.nets[way.network].layout else {
            return None;
        };
        let (copy, x, y) = (here / net.span, here % net.span, there % net.span);
        let (ports, turn) = (net.ports, way.meet as u8);
        let (plane, link) = net.plane_of(count % ports);
        let tree = tree(&net.planes[plane].shape)?;
        // planes of one network have the same tiers; parallel links of an accelerator into one leaf are ports of their own
        let up: u64 = tree.tiers()[1..=way.meet].iter().map(|t| u64::from(t.up) * u64::from(t.parallel)).product();
        let mut path = vec![(here, net.first_port + count % ports)];
        let dst = net.position(0, y, 0) / net.planes[0].links * net.planes[plane].links + link;
        let from = net.position(plane, x, link);
        let selector = climbs[plane].selector(from, count / ports, turn);
        let (mut at, mut port) = tree.leaf(from);
        for _ in 0..2 * tree.tiers().len() {
            let (tier, a, _) = tree.locate(at);
            let route = &tiers[plane][tier];
            port = route.next(port, turn, route.first_position(a), dst, selector);
            path.push((job.fabric.switch(way.network, copy, plane, at), port));
            match tree.peer(at, port) {
                (Node::Switch(next), came) => (at, port) = (next, came),
                (Node::Position(_), _) => break,
            }
        }
        Some(Deal { parts: u64::from(ports) * up, path })
    }
}
