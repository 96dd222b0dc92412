//! Next hops, looked up instead of searched for.
//!
//! **Model.** For each vertex that forwards and each home (where accelerators are, or are plugged in) the set of ports that lead
//! nearer. Most homes share their set with many others, as seen from one vertex, so a pair costs two bytes and a
//! set is stored once.
//!
//! **Invariant.** A set holds what [`Graph::nearer`] or [`Graph::towards`] finds, in the same order. **Cost.** O(vertices x homes x
//! ports) once, before a run ([`Graph::prepare`]); at most [`MOST_PAIRS`] pairs and [`MOST_LISTED`] ports and sets, beyond which there is no table.

use std::collections::BTreeMap;

use super::{Graph, NOWHERE};
use crate::control::{Control, reserved};
use crate::error::Result;

/// Two bytes each.
const MOST_PAIRS: usize = 1 << 25;
/// Ports of all sets, two bytes each, and sets, four each: where hardly two homes share a set, these would be most of it.
const MOST_LISTED: usize = 1 << 24;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct NextHop {
    homes: usize,
    /// Place of each vertex that forwards among the homes.
    place: Vec<u32>,
    /// Set of each pair, among those of the vertex.
    set: Vec<u16>,
    /// First set of each vertex.
    first_set: Vec<u32>,
    /// First port of each set, and the total at the end.
    first: Vec<u32>,
    /// By accelerator: the first of its home's ports that lead to it, if they follow one another, and how many.
    last: Vec<(u32, u32)>,
    ports: Vec<u16>,
}

impl NextHop {
    /// `None` if it would be too large.
    pub(super) fn new(graph: &Graph, control: &Control) -> Result<Option<Self>> {
        let (n, homes) = (graph.forward(), graph.homes.len());
        if n * homes > MOST_PAIRS || n == 0 {
            return Ok(None);
        }
        let mut place = vec![u32::MAX; n];
        for (i, home) in (0..).zip(&graph.homes) {
            place[(home - graph.base) as usize] = i;
        }
        let metric = graph.metric();
        let mut table = Self {
            homes,
            place,
            set: reserved("a table of next hops", n * homes)?,
            first_set: vec![],
            first: vec![0],
            last: vec![],
            ports: vec![],
        };
        for at in graph.base..graph.base + n as u32 {
            control.check()?;
            let (row, through) = (metric.row(graph, at), graph.through(at));
            let words = through.len().div_ceil(64).max(1);
            let mut masks = vec![0u64; homes * words];
            for (i, port) in through.clone().enumerate() {
                let weight = metric.weights[usize::from(graph.class(at, port))];
                // links are full duplex, so distances are the same both ways
                let there = metric.row(graph, graph.ends(at)[port as usize].0);
                for (mask, home) in masks.chunks_exact_mut(words).zip(&graph.homes) {
                    let home = (home - graph.base) as usize;
                    mask[i / 64] |= u64::from(there[home].checked_add(weight) == Some(row[home])) << (i % 64);
                }
            }
            let base = table.first.len() as u32 - 1;
            if table.ports.len() + table.first.len() > MOST_LISTED {
                return Ok(None);
            }
            table.first_set.push(base);
            let mut known: BTreeMap<&[u64], u16> = BTreeMap::new();
            let mut before: Option<(&[u64], u16)> = None;
            for mask in masks.chunks_exact(words) {
                let set = match before {
                    Some((same, set)) if same == mask => set,
                    _ => match known.get(mask) {
                        Some(&set) => set,
                        None => {
                            let set = known.len() as u16;
                            let member = |i: &usize| mask[i / 64] >> (i % 64) & 1 == 1;
                            table
                                .ports
                                .extend((0..through.len()).filter(member).map(|i| through.start as u16 + i as u16));
                            table.first.push(table.ports.len() as u32);
                            known.insert(mask, set);
                            set
                        }
                    },
                };
                before = Some((mask, set));
                table.set.push(set);
            }
        }
        table.last = (0..graph.accelerators).map(|a| last(graph, a)).collect();
        Ok(Some(table))
    }

    /// Ports that lead nearer from one vertex that forwards to another, if that is a home.
    #[inline]
    fn towards(&self, at: u32, to: u32) -> Option<&[u16]> {
        let place = self.place[to as usize];
        if place == u32::MAX {
            return None;
        }
        let set = self.first_set[at as usize] + u32::from(self.set[at as usize * self.homes + place as usize]);
        let (start, end) = (self.first[set as usize], self.first[set as usize + 1]);
        Some(&self.ports[start as usize..end as usize])
    }
}

/// Ports of its home that lead to an accelerator, if they follow one another: the first and their number.
fn last(graph: &Graph, accelerator: u32) -> (u32, u32) {
    let home = graph.home[accelerator as usize];
    if home == NOWHERE || graph.forwards() {
        return (0, 0);
    }
    let ends = graph.ends(home);
    let Some(first) = ends.iter().position(|end| end.0 == accelerator) else {
        return (0, 0);
    };
    let count = ends[first..].iter().take_while(|end| end.0 == accelerator).count();
    let all = ends.iter().filter(|end| end.0 == accelerator).count();
    if count == all { (first as u32, count as u32) } else { (0, 0) }
}

/// Some ports in order: a run of them, or a list.
#[derive(Clone, Copy, Debug)]
pub enum Ports<'a> {
    /// From the first, so many.
    Run(u32, u32),
    /// These.
    List(&'a [u16]),
}

impl<'a> Ports<'a> {
    /// One after the other.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = u32> + Clone + 'a {
        (0..self.count()).map(move |k| self.get(k))
    }

    /// How many.
    #[inline]
    pub fn count(&self) -> u32 {
        match self {
            Self::Run(_, count) => *count,
            Self::List(list) => list.len() as u32,
        }
    }

    /// The `k`-th, below [`Ports::count`].
    #[inline]
    pub fn get(&self, k: u32) -> u32 {
        match self {
            Self::Run(first, _) => first + k,
            Self::List(list) => list[k as usize].into(),
        }
    }
}

impl Graph {
    /// What [`Graph::nearer`] finds from a vertex that forwards to an accelerator elsewhere, if it is in a table.
    #[inline]
    pub fn table_nearer(&self, at: u32, to: u32) -> Option<Ports<'_>> {
        let table = self.table()?;
        let home = self.home[to as usize];
        if home == at && at >= self.accelerators {
            let (first, count) = table.last[to as usize];
            return (count > 0).then_some(Ports::Run(first, count));
        }
        if home == NOWHERE { None } else { table.towards(at - self.base, home - self.base).map(Ports::List) }
    }

    /// What [`Graph::towards`] finds, if it is in a table.
    #[inline]
    pub fn table_towards(&self, at: u32, other: u32) -> Option<Ports<'_>> {
        self.table()?.towards(at - self.base, other - self.base).map(Ports::List)
    }

    /// Makes the table of next hops, if it is not too large; without it each look searches the ports of its vertex.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub fn prepare(&self, control: &Control) -> Result<()> {
        if self.next_hop.get().is_none() {
            let made = NextHop::new(self, control)?;
            self.next_hop.get_or_init(|| made);
        }
        Ok(())
    }

    #[inline]
    fn table(&self) -> Option<&NextHop> {
        self.next_hop.get().and_then(Option::as_ref)
    }
}
