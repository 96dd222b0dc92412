//! From one row a class to one row each: the tables of a folded run as the full run would have written them.
//!
//! **Invariant.** Bit for bit the rows of the full run, in their order: everything that the members of a class differ in
//! is their name. **Cost.** One pass over the ranks, links or messages asked for.

use super::Folding;
use crate::fabric::clos::Clos;
use crate::fabric::{Fabric, Place, Shape};
use crate::record::{FlowRecord, LinkRecord, RankRecord, Record};

impl Folding {
    /// One row a rank.
    pub fn ranks(&self, record: &Record) -> Vec<RankRecord> {
        if !self.applied() {
            return record.ranks.clone();
        }
        let of = |rank| RankRecord { rank, accelerator: rank, ..record.ranks[self.group.remove(rank) as usize] };
        (0..self.ranks).map(of).collect()
    }

    /// One row a message, in the order of source, destination, lane and step.
    pub fn flows(&self, record: &Record) -> Vec<FlowRecord> {
        let shifts = if self.applied() { self.group.order() } else { 1 };
        let mut rows = Vec::with_capacity(record.flows.len() * shifts as usize);
        for row in &record.flows {
            for by in (0..shifts).map(|i| self.group.shift(i)) {
                rows.push(FlowRecord { src: self.group.add(row.src, by), dst: self.group.add(row.dst, by), ..*row });
            }
        }
        rows.sort_unstable();
        rows
    }

    /// One row a connected output port, if links were recorded.
    pub fn links(&self, fabric: &Fabric, record: &Record) -> Vec<LinkRecord> {
        let Some(quotient) = &self.quotient else {
            return record.links.clone();
        };
        let mut first = vec![0usize];
        for vertex in 0..quotient.vertices() {
            first.push(first[vertex as usize] + quotient.ports(vertex) as usize);
        }
        let mut row_of = vec![usize::MAX; first[quotient.vertices() as usize]];
        for (i, row) in record.links.iter().enumerate() {
            if let Some((vertex, port)) = self.class_of(fabric, (row.vertex, row.port)) {
                row_of[first[vertex as usize] + port as usize] = i;
            }
        }
        let mut rows = vec![];
        for vertex in 0..fabric.vertices() {
            for port in 0..fabric.ports(vertex) {
                let class = self.class_of(fabric, (vertex, port));
                let row = class.and_then(|(v, p)| record.links.get(row_of[first[v as usize] + p as usize]));
                // a class in use has no unplugged members; a port without a class may be unplugged
                let Some(end) = fabric.peer(vertex, port) else {
                    continue;
                };
                let unused = LinkRecord {
                    network: end.network as u32,
                    tier: end.tier as u32,
                    up: upward(fabric, vertex, port),
                    ..LinkRecord::default()
                };
                rows.push(LinkRecord { vertex, port, peer: end.vertex, ..row.copied().unwrap_or(unused) });
            }
        }
        rows
    }

    /// How many switches a row of a folded run's switches stands for, and how many of its ports a link's row.
    pub fn switches(&self, fabric: &Fabric, vertex: u32) -> u64 {
        let (Some(quotient), Place::Switch { network, plane, index, .. }) = (&self.quotient, fabric.place(vertex))
        else {
            return 1;
        };
        if self.turns(network) {
            let inside: u64 = self.tier(network, 0).map(|d| u64::from(d.size)).product();
            return self.group.order() / inside * fabric.networks[network].planes.len() as u64;
        }
        let (Shape::Clos(whole), Shape::Clos(folded)) =
            (&fabric.networks[network].planes[plane].shape, &quotient.networks[network].planes[plane].shape)
        else {
            return 1;
        };
        let (tier, ..) = whole.locate(index);
        let twins = |tree: &Clos| u64::from(tree.tiers()[tier].child_twins * tree.tiers()[tier].up);
        // shifts that move the switch: those of copies and of subtrees, and those of its twins
        let below: u64 = (0..=tier).flat_map(|t| self.tier(network, t)).map(|d| u64::from(d.size)).product();
        self.group.order() / below * (twins(whole) / twins(folded))
    }
}

/// True if a port leads from an accelerator or up a tree.
pub fn upward(fabric: &Fabric, vertex: u32, port: u32) -> bool {
    port >= first_upward(fabric, vertex)
}

/// The first port of a vertex that leads from an accelerator or up a tree; so do all after it.
pub fn first_upward(fabric: &Fabric, vertex: u32) -> u32 {
    match fabric.place(vertex) {
        Place::Accelerator(_) => 0,
        Place::Switch { network, plane, index, .. } => match &fabric.networks[network].planes[plane].shape {
            Shape::Clos(tree) => {
                let tier = &tree.tiers()[tree.locate(index).0];
                tier.down * tier.parallel
            }
            Shape::Direct(_) => 0,
        },
    }
}
