//! What must hold before a run: ranks can reach each other, and in-network operations have their switches.
//!
//! **Invariant.** The refusals are those of the packet engine, and a few more: sums that climb a tree, graphs that route by
//! queues and nothing else would do, and detours by accelerators or over more links than a flow can use.
//! **Cost.** O(ranks x networks + switches).

use super::detours::{self, MOST_LINKS};
use crate::collective::{Schedule, SwitchUse};
use crate::engine::Job;
use crate::error::{Error, Result};
use crate::fabric::{Fabric, Network, Shape};
use crate::routing::aggregation::{self, Aggregation};
use crate::spec::RoutingSpec;
use crate::units::{BitRate, Fs, MAX_TIME_FS, NEVER};

/// The network of in-network operations, if there is one.
///
/// # Errors
/// [`Error::Unroutable`]; [`Error::Spec`] for an in-network schedule without such a network, or over a tree; [`Error::Overflow`] for links
/// on which a packet takes longer than the clock runs.
pub(super) fn checked(job: &Job) -> Result<Option<usize>> {
    let fabric = job.fabric;
    let home = job.placement.first().copied().unwrap_or(0);
    let together =
        |i: usize| job.placement.iter().all(|a| a / fabric.networks[i].span == home / fabric.networks[i].span);
    if !(0..fabric.networks.len()).any(together)
        && let Some(&other) = job.placement.iter().find(|&&a| fabric.network_between(home, a).is_none())
    {
        let spans: Vec<String> = fabric.networks.iter().map(|n| n.span.to_string()).collect();
        let why = format!("no network has both in one copy; the networks span {} accelerators", spans.join(", "));
        return Err(Error::Unroutable { from: home.into(), to: other.into(), why });
    }
    for (i, net) in fabric.networks.iter().enumerate() {
        let wire = job.protocol.wire_bytes(i, net.spec.payload, net.spec.overhead);
        for link in &net.spec.links {
            slow(&net.spec.name, link.rate, wire)?;
        }
    }
    models(fabric, job.schedule, job.placement)
}

/// The network of in-network operations, if there are any.
///
/// # Errors
/// [`Error::Spec`] for operations that no network has, or that are not modelled as fluids.
pub fn models(fabric: &Fabric, schedule: &dyn Schedule, placement: &[u32]) -> Result<Option<usize>> {
    for net in &fabric.networks {
        graph(net)?;
    }
    if schedule.switches() == SwitchUse::Forward {
        return Ok(None);
    }
    match Aggregation::of(fabric, schedule, placement) {
        None => Err(Error::spec("algorithm", "in_network", aggregation::WANTED)),
        Some(at) if at.tree => Err(Error::spec(
            "fidelity",
            "flow",
            "packet or analytic: sums that climb several tiers of switches are not modelled as fluids",
        )),
        Some(at) => Ok(Some(at.network)),
    }
}

/// What a graph routes by must be known without its queues, and a flow must not use too many of its links.
fn graph(net: &Network) -> Result<()> {
    let (Shape::Graph(graph), name) = (&net.planes[0].shape, &net.spec.name) else {
        return Ok(());
    };
    let refuse =
        |why: String| Err(Error::spec("fidelity", "flow", format!("packet or analytic: network {name} {why}")));
    if net.spec.routing == RoutingSpec::Ugal {
        return refuse(
            "routes by ugal, which chooses between the shortest way and a detour by queues that fluids do not have; as \
             fluids go valiant (always a detour) and the policies that take shortest ways"
                .into(),
        );
    }
    if net.spec.routing.detours() && graph.forwards() {
        let routing = net.spec.routing.name();
        return refuse(format!(
            "routes by {routing} and its accelerators forward, of which detours as fluids are not modelled"
        ));
    }
    let links = detours::links(graph);
    if net.spec.routing.detours() && links > MOST_LINKS {
        return refuse(format!(
            "spreads a message by {} over {links} directed links between switches, and a fluid uses {MOST_LINKS} at most",
            net.spec.routing.name()
        ));
    }
    Ok(())
}

fn slow(network: &str, rate: BitRate, wire: u32) -> Result<()> {
    const LONGEST: Fs = (NEVER - MAX_TIME_FS) / 16;
    if rate.time(wire.into()) <= LONGEST {
        return Ok(());
    }
    Err(Error::Overflow {
        what: format!("time of one packet on a link of network {network}"),
        value: format!("{wire} bytes at {} bit/s", rate.0),
        limit: format!("{} s", LONGEST / 1_000_000_000_000_000),
    })
}
