//! Folding: one flow of each class stands for all, and one resource of each class for those that the symmetry takes it to.
//!
//! **Model.** Max-min fair rates are unique, so they have every symmetry that the flows have. Ranks that a shift takes into one
//! another ([`crate::symmetry`]) do alike at the same times, so one of each class is simulated, and what would arrive at another
//! arrives at the one that stands for it. A resource stands for the resources that shifts take it to. Of `order` shifts
//! `order / members` leave it where it is: so many flows like the simulated one pass it, and the flow's weight counts so often. With
//! links one by one that is one; the uplinks of a leaf, taken together, are passed by all hosts of the leaf.
//!
//! **Invariant.** A folded run gives the times of the run in full, but for the rounding of floats. Fluids have no virtual
//! channels, so a dateline does not break their symmetry as it does that of packets.
//!
//! **Cost.** O(ports of the machine) once. **Limits.** In-network operations run in full: their sums and copies meet at
//! every rank.

use super::resources::Resources;
use crate::collective::{Schedule, SwitchUse};
use crate::control::{Control, filled, reserved};
use crate::engine::Job;
use crate::error::Result;
use crate::fabric::{Fabric, Network, Shape};
use crate::symmetry::Folding;

/// Not met yet.
const NONE: u32 = u32::MAX;

/// The symmetries of a run as fluids, and what is simulated if `fold` asks for one of each class.
///
/// # Errors
/// Those of [`Control::check`].
pub fn folding(
    fabric: &Fabric,
    schedule: &dyn Schedule,
    placement: &[u32],
    fold: bool,
    control: &Control,
) -> Result<Folding> {
    if schedule.switches() != SwitchUse::Forward {
        return Ok(Folding::none(schedule.ranks(), "in-network operations are not folded as fluids".into()));
    }
    // the links of an accelerator take turns by what it sent before, which as fluids differs between members of a class
    let turns = |net: &Network| net.is_tree() && net.ports > 1 && !net.spec.routing.sprays();
    if let Some(net) = fabric.networks.iter().find(|net| turns(net)) {
        let why =
            format!("{}: single paths over several links of an accelerator are not folded as fluids", net.spec.name);
        return Ok(Folding::none(schedule.ranks(), why));
    }
    let mut free = fabric.clone();
    for net in &mut free.networks {
        net.spec.dateline = false;
        for plane in &mut net.planes {
            if let Shape::Direct(direct) = &mut plane.shape {
                direct.dateline = false;
            }
        }
    }
    Folding::new(&free, schedule, placement, fold, control)
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// By resource, the one that stands for it; empty if nothing is folded.
    of: Vec<u32>,
    /// By resource that stands for others, the shifts that leave it where it is.
    times: Vec<u32>,
}

impl Classes {
    /// Those of a run.
    pub(super) fn new(job: &Job, resources: &Resources, control: &Control) -> Result<Self> {
        if !job.folding.applied() {
            return Ok(Self::default());
        }
        let all = resources.capacity.len();
        let mut of = reserved("classes of links", all)?;
        of.extend(0..all as u32);
        let quotient = job.simulated();
        let mut first = vec![0usize];
        for vertex in 0..quotient.vertices() {
            first.push(first[vertex as usize] + quotient.ports(vertex) as usize);
        }
        let mut met = filled("classes of links", first[quotient.vertices() as usize], NONE)?;
        let mut used = filled("classes of links", all, false)?;
        for vertex in 0..job.fabric.vertices() {
            control.check()?;
            for port in 0..job.fabric.ports(vertex) {
                let class = job.folding.class_of(job.fabric, (vertex, port));
                let plugged = job.fabric.peer(vertex, port).is_some();
                let Some(((v, p), (resource, ..))) = class.filter(|_| plugged).zip(resources.home(job, vertex, port))
                else {
                    continue;
                };
                used[resource as usize] = true;
                let met = &mut met[first[v as usize] + p as usize];
                if *met == NONE {
                    *met = resource;
                } else {
                    join(&mut of, *met, resource);
                }
            }
        }
        for first in resources.servers.into_iter().flatten() {
            for accelerator in 0..job.schedule.ranks() {
                used[(first + accelerator) as usize] = true;
                let stands_for = job.folding.rank(job.folding.stands_for(accelerator));
                join(&mut of, first + stands_for, first + accelerator);
            }
        }
        let mut times = filled("classes of links", all, 0u32)?;
        for resource in 0..all as u32 {
            let root = root(&mut of, resource);
            of[resource as usize] = root;
            times[root as usize] += u32::from(used[resource as usize]);
        }
        let order = job.folding.multiplicity();
        for members in &mut times {
            debug_assert!(*members == 0 || order.is_multiple_of(u64::from(*members)), "{members} of {order}");
            *members = (order / u64::from((*members).max(1))) as u32;
        }
        Ok(Self { of, times })
    }

    /// The resource that stands for this one, and how often what a simulated flow takes of it counts.
    pub(super) fn of(&self, resource: u32) -> (u32, u32) {
        match self.of.get(resource as usize) {
            Some(&class) => (class, self.times[class as usize]),
            None => (resource, 1),
        }
    }
}

/// The smallest resource known to be of the same class.
fn root(of: &mut [u32], mut resource: u32) -> u32 {
    while of[resource as usize] != resource {
        of[resource as usize] = of[of[resource as usize] as usize];
        resource = of[resource as usize];
    }
    resource
}

/// Two resources are of one class.
fn join(of: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(of, a), root(of, b));
    of[a.max(b) as usize] = a.min(b);
}
