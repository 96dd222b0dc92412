//! From a list of edges to a graph: ports, distances, and what is wrong with a list.
//!
//! **Invariant.** What is built is connected and within its limits; anything else is a refusal that names vertex or edge.
//!
//! **Cost.** O(edges), and the distances of [`super::distance`].

use std::sync::OnceLock;

use super::{Edge, Graph, MAX_SWITCHES, MAX_WEIGHT, Metric, NOWHERE, Refusal};
use crate::control::Control;

impl Graph {
    /// From edges; vertices from `base` on forward.
    pub(super) fn build(
        (accelerators, switches): (u32, u32),
        edges: &[Edge],
        weights: &[u8],
        base: u32,
        control: &Control,
    ) -> Result<Self, Refusal> {
        let classes = weights.len();
        if let Some(class) = weights.iter().position(|w| !(1..=MAX_WEIGHT).contains(w)) {
            let given = format!("weight {} of link class {class}", weights[class]);
            return Err((given, format!("1 to {MAX_WEIGHT}")).into());
        }
        let vertices = accelerators.saturating_add(switches);
        let forward = vertices - base;
        if forward > MAX_SWITCHES {
            let what = if base == 0 { "vertices that forward" } else { "switches" };
            return Err(
                (format!("{forward} {what} a copy"), format!("at most {MAX_SWITCHES} in an explicit graph")).into()
            );
        }
        let mut degree = vec![[0u64; 2]; vertices as usize];
        let mut links = vec![0; classes];
        for (i, e) in edges.iter().enumerate() {
            let at = || format!("edge {i} between vertices {} and {}", e.a, e.b);
            if e.a >= vertices || e.b >= vertices {
                return Err((at(), format!("vertices below {vertices}: accelerators, then switches")).into());
            }
            if e.a == e.b {
                return Err((at(), "two different ends".into()).into());
            }
            if e.count == 0 || usize::from(e.class) >= classes {
                let given = format!("{} has {} links of class {}", at(), e.count, e.class);
                return Err((given, format!("at least one link, and a class below {classes}")).into());
            }
            degree[e.a as usize][usize::from(e.b >= accelerators)] += u64::from(e.count);
            degree[e.b as usize][usize::from(e.a >= accelerators)] += u64::from(e.count);
            links[usize::from(e.class)] += u64::from(e.count);
        }
        if let Some(v) = degree.iter().position(|d| d[0] + d[1] >= 1 << 14) {
            return Err((
                format!("{} with {} ports", name(v as u32, accelerators), degree[v][0] + degree[v][1]),
                "fewer than 16384 ports".into(),
            )
                .into());
        }
        let mut first = vec![0u32];
        for d in &degree {
            first.push(first[first.len() - 1] + (d[0] + d[1]) as u32);
        }
        let near: Vec<u32> = degree.iter().map(|d| d[0] as u32).collect();
        let ports = first[vertices as usize] as usize;
        let mut next: Vec<[u32; 2]> = near.iter().map(|&n| [0, n]).collect();
        let (mut peer, mut class) = (vec![(0, 0); ports], vec![0; ports]);
        for e in edges {
            for _ in 0..e.count {
                let mut take = |v: u32, other: u32| {
                    let at = &mut next[v as usize][usize::from(other >= accelerators)];
                    *at += 1;
                    *at - 1
                };
                let (p, q) = (take(e.a, e.b), take(e.b, e.a));
                for (v, p, end) in [(e.a, p, (e.b, q)), (e.b, q, (e.a, p))] {
                    let slot = (first[v as usize] + p) as usize;
                    (peer[slot], class[slot]) = (end, e.class);
                }
            }
        }
        let mut graph = Self {
            accelerators,
            base,
            first,
            peer,
            class,
            near,
            homes: vec![],
            planes: vec![],
            plane: vec![],
            home: vec![],
            links_apart: Metric::default(),
            weight_apart: None,
            far: (0, 0),
            longest: 0,
            links,
            turns: None,
            channels: 1,
            next_hop: OnceLock::new(),
        };
        graph.homes = match graph.forwards() {
            true => (0..accelerators).collect(),
            false => (accelerators..vertices).filter(|&s| graph.near[s as usize] > 0).collect(),
        };
        graph.part_planes();
        let home = |a: u32| {
            if graph.forwards() {
                return a;
            }
            let (homes, near) = (graph.homes(a), graph.near(a));
            let alike = |i: usize| homes[i].0 == homes[0].0 && graph.class(a, near + i as u32) == graph.class(a, near);
            if !homes.is_empty() && (0..homes.len()).all(alike) { homes[0].0 } else { NOWHERE }
        };
        graph.home = (0..accelerators).map(home).collect();
        graph.links_apart = graph.measure(vec![1; classes], control)?;
        if weights.iter().any(|&weight| weight != 1) {
            graph.weight_apart = Some(graph.measure(weights.to_vec(), control)?);
        }
        (graph.longest, graph.far) = graph.longest(control)?;
        Ok(graph)
    }

    /// Finds out which of those that forward reach each other.
    fn part_planes(&mut self) {
        let mut plane = vec![NOWHERE; self.forward()];
        for start in self.base..self.first.len() as u32 - 1 {
            if plane[(start - self.base) as usize] != NOWHERE {
                continue;
            }
            let own = self.planes.len() as u32;
            plane[(start - self.base) as usize] = own;
            let mut due = vec![start];
            while let Some(at) = due.pop() {
                for end in self.through(at).map(|p| self.ends(at)[p as usize].0) {
                    let end_plane = &mut plane[(end - self.base) as usize];
                    if *end_plane == NOWHERE {
                        *end_plane = own;
                        due.push(end);
                    }
                }
            }
            self.planes.push(vec![]);
        }
        for &home in &self.homes {
            self.planes[plane[(home - self.base) as usize] as usize].push(home);
        }
        self.plane = plane;
    }
}

/// What to call a vertex.
fn name(vertex: u32, accelerators: u32) -> String {
    match vertex.checked_sub(accelerators) {
        None => format!("accelerator {vertex}"),
        Some(switch) => format!("switch {switch}"),
    }
}
