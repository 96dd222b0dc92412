//! What injection needs to know of each network, worked out once.
//!
//! **Invariant.** Every pair of ranks has a common network; in-network operations have one switch tier that joins all
//! ranks. Both are checked here, before the run.

use super::Job;
use crate::collective::Target;
use crate::error::{Error, Result};
use crate::fabric::direct::Direct;
use crate::fabric::{Network, Shape};
use crate::spec::RoutingSpec;
use crate::units::{Fs, Serializer};

/// See the module.
#[derive(Debug)]
pub(super) struct Paths {
    pub(super) ranks: u32,
    pub(super) accelerator_ports: u32,
    pub(super) networks: Vec<PathNet>,
    /// The shape of direct networks.
    pub(super) direct: Vec<Option<Direct>>,
    pub(super) memory: Serializer,
    pub(super) copy: Serializer,
    pub(super) reduce: Serializer,
    /// Network of in-network operations.
    switch_network: Option<usize>,
}

/// One network as an endpoint sees it.
#[derive(Debug)]
pub(super) struct PathNet {
    pub(super) span: u32,
    pub(super) first_port: u32,
    pub(super) ports: u32,
    pub(super) payload: u32,
    pub(super) overhead: u32,
    pub(super) routing: RoutingSpec,
    /// Of each port: links of its plane, and which of them it is.
    pub(super) port_links: Vec<(u32, u32)>,
    pub(super) plane_links: Vec<u32>,
    /// Slots of all ranks, if they share one copy.
    pub(super) group: Vec<u32>,
    pub(super) group_copy: u32,
    pub(super) cut_through: bool,
    pub(super) router_latency: Fs,
    rails: u32,
    hosts: u32,
}

impl PathNet {
    fn new(net: &Network, placement: &[u32]) -> Self {
        let links = |port| {
            let (plane, link) = net.plane_of(port);
            (net.planes[plane].links, link)
        };
        let hosts = match &net.planes[0].shape {
            Shape::Clos(tree) => tree.tiers()[0].down / net.planes[0].links,
            Shape::Direct(_) => 1,
        };
        let port_links = if net.is_direct() { vec![] } else { (0..net.ports).map(links).collect() };
        let mut path = Self {
            span: net.span,
            first_port: net.first_port,
            ports: net.ports,
            payload: net.spec.payload,
            overhead: net.spec.overhead,
            routing: net.spec.routing,
            port_links,
            plane_links: net.planes.iter().map(|p| p.links).collect(),
            group: vec![],
            group_copy: placement.first().map_or(0, |a| a / net.span),
            cut_through: net.switch(0).cut_through,
            router_latency: net.switch(0).latency_fs,
            rails: net.rails,
            hosts,
        };
        if placement.iter().all(|a| a / net.span == path.group_copy) {
            path.group = placement.iter().map(|a| path.slot(a % net.span)).collect();
        }
        path
    }

    /// Place of a member at the leaves; its position in a plane is this times the plane's links, plus the link.
    #[inline]
    pub(super) fn slot(&self, member: u32) -> u32 {
        if self.rails <= 1 {
            return member;
        }
        let (host, rail) = (member / self.rails, member % self.rails);
        ((host / self.hosts) * self.rails + rail) * self.hosts + host % self.hosts
    }
}

impl Paths {
    pub(super) fn new(job: &Job) -> Result<Self> {
        let fabric = job.fabric;
        let networks: Vec<PathNet> = fabric.networks.iter().map(|n| PathNet::new(n, job.placement)).collect();
        let together = |i: usize| !networks[i].group.is_empty();
        if let Some(&first) = job.placement.first()
            && !(0..networks.len()).any(together)
            && let Some(&other) = job.placement.iter().find(|&&a| fabric.network_between(first, a).is_none())
        {
            let spans: Vec<String> = networks.iter().map(|n| n.span.to_string()).collect();
            let why = format!("no network has both in one copy; the networks span {} accelerators", spans.join(", "));
            return Err(Error::Unroutable { from: first.into(), to: other.into(), why });
        }
        let in_switch = |i: &usize| {
            let net = &fabric.networks[*i];
            let one_tier = matches!(&net.planes[0].shape, Shape::Clos(tree) if tree.tiers().len() == 1);
            together(*i) && one_tier && net.switch(0).in_network_reduce
        };
        let switch_network = (0..networks.len()).find(in_switch);
        if switch_network.is_none() && uses_switches(job) {
            return Err(Error::spec(
                "algorithm",
                "in_network",
                "a network with in_network_reduce whose single switch tier joins all ranks",
            ));
        }
        let rate = |r: Option<crate::units::BitRate>| r.map_or(Serializer::instant(), Serializer::new);
        let device = &fabric.spec.device;
        let direct = fabric.networks.iter().map(|n| match &n.planes[0].shape {
            Shape::Direct(d) => Some(d.clone()),
            Shape::Clos(_) => None,
        });
        Ok(Self {
            ranks: job.schedule.ranks(),
            accelerator_ports: fabric.accelerator_ports(),
            direct: direct.collect(),
            networks,
            memory: rate(device.hbm_rate),
            copy: rate(device.copy_rate),
            reduce: rate(device.reduce_rate),
            switch_network,
        })
    }

    /// Network that a message takes. Every pair of ranks has one, which [`Paths::new`] checked.
    #[inline]
    pub(super) fn network_of(&self, accelerator: u32, job: &Job, to: Target) -> usize {
        match to {
            Target::Rank(peer) => {
                let other = job.placement[peer as usize];
                self.networks
                    .iter()
                    .position(|n| accelerator / n.span == other / n.span)
                    .unwrap_or(self.networks.len() - 1)
            }
            Target::SwitchReduce { .. } | Target::SwitchMulticast => self.switch_network.unwrap_or(0),
        }
    }
}

/// True if the first rank's first steps ask switches to combine or replicate.
fn uses_switches(job: &Job) -> bool {
    let s = job.schedule;
    (0..s.lanes().min(4)).any(|lane| {
        (0..s.steps(0, lane).min(8)).any(|step| {
            (0..s.sends(0, lane, step).min(8)).any(|i| !matches!(s.send(0, lane, step, i).to, Target::Rank(_)))
        })
    })
}
