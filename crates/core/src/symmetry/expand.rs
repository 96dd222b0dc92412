//! From one row a class to one row each: the tables of a folded run as the full run would have written them.
//!
//! **Invariant.** Bit for bit the rows of the full run, in their order: everything that the members of a class differ in
//! is their name. **Cost.** One pass over the ranks, links or messages asked for. **Limits.** Of messages there can be more
//! than any memory holds: whoever asks for them looks at [`Folding::messages`] before.

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
        let of = |rank| RankRecord { rank, accelerator: rank, ..record.ranks[self.labels.group.remove(rank) as usize] };
        (0..self.ranks).map(of).collect()
    }

    /// How many rows [`Self::flows`] makes.
    pub fn messages(&self, record: &Record) -> u64 {
        (record.flows.len() as u64).saturating_mul(self.multiplicity())
    }

    /// One row a message, in the order of source, destination, lane and step.
    pub fn flows(&self, record: &Record) -> Vec<FlowRecord> {
        let mut rows = Vec::with_capacity(self.messages(record) as usize);
        for row in &record.flows {
            for by in (0..self.multiplicity()).map(|i| self.labels.group.shift(i)) {
                rows.push(FlowRecord {
                    src: self.labels.group.add(row.src, by),
                    dst: self.labels.group.add(row.dst, by),
                    ..*row
                });
            }
        }
        rows.sort_unstable();
        rows
    }

    /// One row a connected output port, if links were recorded.
    pub fn links(&self, fabric: &Fabric, record: &Record) -> Vec<LinkRecord> {
        if self.quotient.is_none() {
            return record.links.clone();
        }
        // doubling a vector of this size as it grows would take it twice
        let most = (0..fabric.vertices()).map(|vertex| fabric.ports(vertex) as usize).sum();
        let mut rows = Vec::with_capacity(most);
        rows.extend(self.each_link(fabric, record));
        rows
    }

    /// The rows of [`Self::links`] one by one.
    pub fn each_link<'a>(&'a self, fabric: &'a Fabric, record: &'a Record) -> impl Iterator<Item = LinkRecord> + 'a {
        let machine = self.quotient.as_ref().unwrap_or(fabric);
        let mut first = vec![0usize];
        for vertex in 0..machine.vertices() {
            first.push(first[vertex as usize] + machine.ports(vertex) as usize);
        }
        let mut row_of = vec![usize::MAX; first[machine.vertices() as usize]];
        for (i, row) in record.links.iter().enumerate() {
            if let Some((vertex, port)) = self.class_of(fabric, (row.vertex, row.port)) {
                row_of[first[vertex as usize] + port as usize] = i;
            }
        }
        let ports = (0..fabric.vertices()).flat_map(|v| (0..fabric.ports(v)).map(move |p| (v, p)));
        ports.filter_map(move |(vertex, port)| {
            let class = self.class_of(fabric, (vertex, port));
            let row = class.and_then(|(v, p)| record.links.get(row_of[first[v as usize] + p as usize]));
            // a class in use has no unplugged members; a port without a class may be unplugged
            let end = fabric.peer(vertex, port)?;
            let unused = LinkRecord {
                network: end.network as u32,
                tier: end.tier as u32,
                up: upward(fabric, vertex, port),
                ..LinkRecord::default()
            };
            Some(LinkRecord { vertex, port, peer: end.vertex, ..row.copied().unwrap_or(unused) })
        })
    }

    /// How many switches a row of a folded run's switches stands for, and how many of its ports a link's row.
    pub fn switches(&self, fabric: &Fabric, vertex: u32) -> u64 {
        let (Some(quotient), Place::Switch { network, plane, index, .. }) = (&self.quotient, fabric.place(vertex))
        else {
            return 1;
        };
        if self.turns(network) {
            let inside: u64 = self.tier(network, 0).map(|d| u64::from(d.size)).product();
            return self.labels.group.order() / inside * fabric.networks[network].planes.len() as u64;
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
        self.labels.group.order() / below * (twins(whole) / twins(folded))
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
            Shape::Graph(graph) => graph.near(fabric.networks[network].span + index),
        },
    }
}
