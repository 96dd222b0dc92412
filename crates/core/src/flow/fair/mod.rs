//! Max-min fair rates of flows over shared resources, kept up to date as flows come and go.
//!
//! **Model.** A flow moves at one rate; of each resource it takes that rate times a weight (a fraction of a sprayed message
//! on a link, payload per wire byte on a memory). Rates are max-min fair: none can rise without lowering one that is not
//! larger. Equivalently, every flow has a *bottleneck*: a resource that is full and on which no flow is faster.
//!
//! **Update.** [`Fair::resolve`] starts from the flows that came and the resources that were freed, fills that set with
//! everybody else held fixed ([`filling`]), and then looks at the resources touched: whoever is not held there by a
//! bottleneck any more, or stands in the way of one who is slower, joins the set. When nobody joins, the equivalent
//! condition holds everywhere, so rates are those of a computation from scratch.
//!
//! **Invariant.** No resource is used above its capacity but by rounding; results depend on the order of calls only.
//!
//! **Cost.** O(flows that change and their neighbours x resources of a flow) an update. **Limits.** Equal weights of
//! flows: no priorities, no minimum rates.
//!
//! **Source.** Bertsekas, Gallager: Data Networks, 2nd ed. 1992, 6.5.2 (progressive filling, bottleneck condition).

mod filling;
mod sum;

use filling::Filling;
use sum::Sum;

use crate::control::{filled, push};
use crate::error::Result;

/// Relative difference below which two rates count as equal and a resource as full.
const EQUAL: f64 = 1e-11;
/// Relative change of a rate that is not worth telling.
const SAME: f64 = 1e-13;
/// The bottleneck of a flow that has none yet.
const NONE: u32 = u32::MAX;

/// What a flow takes of a resource, as a multiple of its rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// Index of the resource.
    pub resource: u32,
    /// Multiple of the flow's rate.
    pub weight: f64,
}

/// A flow whose rate is another than before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The flow.
    pub flow: u32,
    /// Its rate until now.
    pub before: f64,
    /// Its rate from now on.
    pub rate: f64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    resource: u32,
    /// Place among the resource's members.
    place: u32,
    weight: f64,
}

#[derive(Debug, Default)]
struct Flow {
    uses: Vec<Held>,
    rate: f64,
    before: f64,
    bottleneck: u32,
    /// In the set that is being filled, and its place there.
    joined: bool,
    at: u32,
    frozen: bool,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    flow: u32,
    /// Which of its uses.
    at: u32,
}

/// A resource that the current update looks at.
#[derive(Clone, Copy, Debug)]
struct Touched {
    resource: u32,
    /// Members in the set, and those of them without a rate yet.
    joined: u32,
    live: u32,
    residual: f64,
    weight: f64,
}

/// See the module.
#[derive(Debug)]
pub struct Fair {
    capacity: Vec<f64>,
    used: Vec<Sum>,
    members: Vec<Vec<Member>>,
    /// Flows whose bottleneck a resource is.
    bound: Vec<u32>,
    /// Resources below this index are preferred as bottlenecks where several fill up together.
    first_shared: u32,
    flows: Vec<Flow>,
    free: Vec<u32>,
    set: Vec<u32>,
    touched: Vec<Touched>,
    /// Place of a resource in `touched`, or [`NONE`].
    slot: Vec<u32>,
    /// Place of a resource among the uses of a flow that is being added, or [`NONE`].
    place: Vec<u32>,
    filling: Filling,
    changed: Vec<Change>,
}

impl Fair {
    /// Resources of these capacities. Those below `first_shared` belong to few flows each: where they fill up together
    /// with others they count as the bottleneck, which keeps updates small.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::error::Error::Memory).
    pub fn new(capacity: Vec<f64>, first_shared: u32) -> Result<Self> {
        let (n, what) = (capacity.len(), "the links of the fabric");
        Ok(Self {
            capacity,
            used: filled(what, n, Sum::default())?,
            members: filled(what, n, vec![])?,
            bound: filled(what, n, 0)?,
            first_shared,
            flows: vec![],
            free: vec![],
            set: vec![],
            touched: vec![],
            slot: filled(what, n, NONE)?,
            place: filled(what, n, NONE)?,
            filling: Filling::default(),
            changed: vec![],
        })
    }

    /// A new flow; it has no rate before the next [`Fair::resolve`]. Uses of one resource add up.
    pub fn start(&mut self, uses: &[Use]) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| {
            push("the flows under way", &mut self.flows, Flow::default());
            self.flows.len() as u32 - 1
        });
        let flow = &mut self.flows[id as usize];
        (flow.rate, flow.before, flow.bottleneck, flow.joined) = (0.0, 0.0, NONE, true);
        flow.at = self.set.len() as u32;
        flow.uses.clear();
        for u in uses.iter().filter(|u| u.weight > 0.0) {
            let place = &mut self.place[u.resource as usize];
            if *place == NONE {
                *place = flow.uses.len() as u32;
                flow.uses.push(Held { resource: u.resource, place: 0, weight: u.weight });
            } else {
                flow.uses[*place as usize].weight += u.weight;
            }
        }
        for (at, held) in flow.uses.iter_mut().enumerate() {
            self.place[held.resource as usize] = NONE;
            let members = &mut self.members[held.resource as usize];
            held.place = members.len() as u32;
            members.push(Member { flow: id, at: at as u32 });
        }
        self.set.push(id);
        id
    }

    /// Takes a flow away; its number is used again for a later one.
    pub fn finish(&mut self, id: u32) {
        let uses = std::mem::take(&mut self.flows[id as usize].uses);
        let Flow { rate, bottleneck, joined, at, .. } = self.flows[id as usize];
        for &held in &uses {
            self.withdraw(id, held, rate);
        }
        if let Some(bound) = self.bound.get_mut(bottleneck as usize) {
            *bound -= 1;
        }
        if joined {
            self.set.swap_remove(at as usize);
            if let Some(&moved) = self.set.get(at as usize) {
                self.flows[moved as usize].at = at;
            }
        }
        let flow = &mut self.flows[id as usize];
        (flow.uses, flow.joined, flow.bottleneck, flow.rate) = (uses, false, NONE, 0.0);
        flow.uses.clear();
        self.free.push(id);
    }

    /// Brings all rates up to date; the flows whose rate is another than before, in the order in which they were found.
    pub fn resolve(&mut self) -> &[Change] {
        self.changed.clear();
        if self.set.is_empty() && self.touched.is_empty() {
            return &self.changed;
        }
        loop {
            self.fill();
            if !self.widen() {
                break;
            }
        }
        for &id in &self.set {
            let flow = &mut self.flows[id as usize];
            flow.joined = false;
            if flow.rate != flow.before {
                self.changed.push(Change { flow: id, before: flow.before, rate: flow.rate });
            }
        }
        self.set.clear();
        for t in self.touched.drain(..) {
            self.slot[t.resource as usize] = NONE;
        }
        &self.changed
    }

    /// The flows that the last [`Fair::resolve`] found to have another rate.
    pub fn changed(&self) -> &[Change] {
        &self.changed
    }

    /// A flow does not use its first so many resources any more, if it uses others.
    pub fn release_first(&mut self, id: u32, count: usize) {
        if self.flows[id as usize].uses.len() <= count {
            return;
        }
        for at in (0..count).rev() {
            let flow = &mut self.flows[id as usize];
            let held = flow.uses.swap_remove(at);
            if let Some(&Held { resource, place, .. }) = flow.uses.get(at) {
                self.members[resource as usize][place as usize].at = at as u32;
            }
            if flow.bottleneck == held.resource {
                flow.bottleneck = NONE;
                self.bound[held.resource as usize] -= 1;
            }
            let rate = flow.rate;
            self.withdraw(id, held, rate);
        }
        self.join(id);
    }

    /// Takes a flow that has `rate` off one of its resources.
    fn withdraw(&mut self, id: u32, held: Held, rate: f64) {
        let members = &mut self.members[held.resource as usize];
        members.swap_remove(held.place as usize);
        if let Some(&Member { flow, at }) = members.get(held.place as usize)
            && flow != id
        {
            self.flows[flow as usize].uses[at as usize].place = held.place;
        }
        if self.members[held.resource as usize].is_empty() {
            self.used[held.resource as usize] = Sum::default();
        } else {
            self.used[held.resource as usize].add(-held.weight * rate);
        }
        self.touch(held.resource);
    }

    /// What a flow takes.
    pub fn uses(&self, flow: u32) -> Vec<Use> {
        let uses = &self.flows[flow as usize].uses;
        uses.iter().map(|held| Use { resource: held.resource, weight: held.weight }).collect()
    }

    /// Number of flows.
    pub fn count(&self) -> usize {
        self.flows.len() - self.free.len()
    }

    /// Rate of a flow.
    pub fn rate(&self, flow: u32) -> f64 {
        self.flows[flow as usize].rate
    }

    /// Bytes of state, about.
    pub fn bytes(&self) -> u64 {
        let members: usize = self.members.iter().map(|m| m.capacity() * size_of::<Member>()).sum();
        let uses: usize = self.flows.iter().map(|f| f.uses.capacity() * size_of::<Held>() + size_of::<Flow>()).sum();
        let a_resource = 8 + size_of::<Sum>() + size_of::<Vec<Member>>() + 4 + 4 + 4;
        (self.capacity.len() * a_resource + members + uses) as u64
    }

    fn touch(&mut self, resource: u32) {
        if self.slot[resource as usize] == NONE {
            self.slot[resource as usize] = self.touched.len() as u32;
            self.touched.push(Touched { resource, joined: 0, live: 0, residual: 0.0, weight: 0.0 });
        }
    }

    fn join(&mut self, id: u32) {
        let flow = &mut self.flows[id as usize];
        if !flow.joined {
            (flow.joined, flow.before, flow.at) = (true, flow.rate, self.set.len() as u32);
            self.set.push(id);
        }
    }

    /// Adds to the set whoever breaks the bottleneck condition on a resource that was touched. False if nobody does.
    fn widen(&mut self) -> bool {
        let before = self.set.len();
        for i in 0..self.touched.len() {
            let Touched { resource, joined, .. } = self.touched[i];
            let r = resource as usize;
            if self.bound[r] == 0 || joined as usize == self.members[r].len() {
                continue;
            }
            let full = self.used[r].value() >= self.capacity[r] * (1.0 - EQUAL);
            let (mut low, mut top) = (f64::INFINITY, 0.0f64);
            for m in &self.members[r] {
                let flow = &self.flows[m.flow as usize];
                top = top.max(flow.rate);
                if flow.bottleneck == resource {
                    low = low.min(flow.rate);
                }
            }
            if full && top <= low * (1.0 + EQUAL) {
                continue;
            }
            for m in 0..self.members[r].len() {
                let id = self.members[r][m].flow;
                let flow = &self.flows[id as usize];
                let held_back = flow.bottleneck == resource && (!full || flow.rate < top * (1.0 - EQUAL));
                let in_the_way = full && flow.rate > low * (1.0 + EQUAL);
                if held_back || in_the_way {
                    self.join(id);
                }
            }
        }
        self.set.len() > before
    }
}

#[cfg(test)]
mod tests;
