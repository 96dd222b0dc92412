//! What must hold before a run: ranks can reach each other, and in-network operations have their switches.
//!
//! **Invariant.** The refusals are those of the packet engine, so that a specification is valid at both fidelities or at
//! neither. **Cost.** O(ranks x networks).

use crate::collective::Target;
use crate::engine::Job;
use crate::error::{Error, Result};
use crate::fabric::Shape;
use crate::units::{BitRate, Fs, MAX_TIME_FS, NEVER};

/// The network of in-network operations, if there is one.
///
/// # Errors
/// [`Error::Unroutable`]; [`Error::Spec`] for an in-network schedule without such a network; [`Error::Overflow`] for links
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
    for net in &fabric.networks {
        let wire = crate::engine::wire_bytes(net.spec.payload, net.spec.overhead, job.protocol);
        for link in &net.spec.links {
            slow(&net.spec.name, link.rate, wire)?;
        }
    }
    let in_switch = |&i: &usize| {
        let net = &fabric.networks[i];
        let one_tier = matches!(&net.planes[0].shape, Shape::Clos(tree) if tree.tiers().len() == 1);
        together(i) && one_tier && net.switch(0).in_network_reduce
    };
    let found = (0..fabric.networks.len()).find(in_switch);
    if found.is_none() && uses_switches(job) {
        return Err(Error::spec(
            "algorithm",
            "in_network",
            "a network with in_network_reduce whose single switch tier joins all ranks",
        ));
    }
    Ok(found)
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

/// True if the first rank's first steps ask switches to combine or replicate.
fn uses_switches(job: &Job) -> bool {
    let s = job.schedule;
    (0..s.lanes().min(4)).any(|lane| {
        (0..s.steps(0, lane).min(8)).any(|step| {
            (0..s.sends(0, lane, step).min(8)).any(|i| !matches!(s.send(0, lane, step, i).to, Target::Rank(_)))
        })
    })
}
