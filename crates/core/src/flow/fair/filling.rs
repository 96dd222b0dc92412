//! Progressive filling of a set of flows, all others held fixed.
//!
//! **Model.** All rates of the set rise together; when a resource is full its flows stop there, the others go on. What a
//! resource can still give is its capacity less what the others use. A flow that uses nothing has no limit.
//!
//! **Invariant.** The level of a resource (what is left over the weight that still rises) never falls, so a heap with old
//! levels is enough: a level that turns out too low goes back with the right one. Ties: by index of the resource.
//!
//! **Cost.** O(uses x log resources) of the set.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Fair, NONE, SAME};

/// Resources fill up together if their levels differ by less than this, and then the one of few flows counts.
const PREFERENCE: f64 = 1.0 + 1e-12;

/// What the loop needs, kept between calls.
#[derive(Debug, Default)]
pub(super) struct Filling {
    /// (level as ordered bits, resource).
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    live: Vec<u32>,
}

impl Fair {
    /// Gives every flow of the set its rate.
    pub(super) fn fill(&mut self) {
        self.gather();
        let mut filling = std::mem::take(&mut self.filling);
        let mut first = std::mem::take(&mut filling.heap).into_vec();
        first.clear();
        for t in self.touched.iter().filter(|t| t.live > 0) {
            first.push(Reverse((self.key(t.resource, t.residual / t.weight), t.resource)));
        }
        filling.heap = first.into();
        while let Some(Reverse((key, resource))) = filling.heap.pop() {
            let t = self.touched[self.slot[resource as usize] as usize];
            if t.live == 0 {
                continue;
            }
            let level = t.residual.max(0.0) / t.weight;
            let now = self.key(resource, level);
            if now > key {
                filling.heap.push(Reverse((now, resource)));
                continue;
            }
            filling.live.clear();
            let set = self.members[resource as usize].iter().map(|m| m.flow);
            filling.live.extend(set.filter(|&f| self.flows[f as usize].joined && !self.flows[f as usize].frozen));
            for &id in &filling.live {
                self.freeze(id, level, resource);
            }
        }
        // whoever uses nothing
        for i in 0..self.set.len() {
            let id = self.set[i];
            if !self.flows[id as usize].frozen {
                self.freeze(id, f64::INFINITY, NONE);
            }
        }
        self.filling = filling;
    }

    /// Order of a level: as bits, which for floats from zero up is their order.
    fn key(&self, resource: u32, level: f64) -> u64 {
        let level = level.max(0.0);
        if resource < self.first_shared { level.to_bits() } else { (level * PREFERENCE).to_bits() }
    }

    /// What each touched resource can give to the set.
    fn gather(&mut self) {
        for i in 0..self.set.len() {
            for u in 0..self.flows[self.set[i] as usize].uses.len() {
                let resource = self.flows[self.set[i] as usize].uses[u].resource;
                self.touch(resource);
            }
        }
        for t in &mut self.touched {
            (t.joined, t.live, t.weight) = (0, 0, 0.0);
            t.residual = self.capacity[t.resource as usize] - self.used[t.resource as usize].value();
        }
        for &id in &self.set {
            let flow = &mut self.flows[id as usize];
            flow.frozen = false;
            for held in &flow.uses {
                let t = &mut self.touched[self.slot[held.resource as usize] as usize];
                t.residual += held.weight * flow.rate;
                t.weight += held.weight;
                t.joined += 1;
                t.live += 1;
            }
        }
        for t in &mut self.touched {
            if t.joined as usize == self.members[t.resource as usize].len() {
                t.residual = self.capacity[t.resource as usize];
            }
        }
    }

    /// Sets the rate of a flow and takes it from its resources.
    fn freeze(&mut self, id: u32, level: f64, bottleneck: u32) {
        let flow = &mut self.flows[id as usize];
        let old = flow.rate;
        let rate = if (level - old).abs() <= SAME * old { old } else { level };
        (flow.rate, flow.frozen) = (rate, true);
        for held in &flow.uses {
            let t = &mut self.touched[self.slot[held.resource as usize] as usize];
            t.residual -= held.weight * rate;
            t.weight -= held.weight;
            t.live -= 1;
            if rate != old {
                let used = &mut self.used[held.resource as usize];
                used.add(-held.weight * old);
                used.add(held.weight * rate);
            }
        }
        if let Some(bound) = self.bound.get_mut(flow.bottleneck as usize) {
            *bound -= 1;
        }
        if let Some(bound) = self.bound.get_mut(bottleneck as usize) {
            *bound += 1;
        }
        flow.bottleneck = bottleneck;
    }
}
