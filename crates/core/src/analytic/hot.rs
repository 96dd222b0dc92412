//! The busiest link of a direct network, message by message.
//!
//! **Model.** Every message is walked along its dimension-order route; its wire bytes occupy each link on the way, divided
//! evenly among the parallel links and directions that the policy lets it use. In a torus the links around a hub of a tree,
//! or along one dimension of a pattern, can carry many times the average.
//!
//! **Cost.** O(hops) a message and eight bytes a port; [`super::predict`] calls this for schedules of few messages only.
//! **Limits.** Trees of switches spread evenly over their uplinks and are left to [`super::survey`].

use super::leg::Costs;
use super::survey::sample;
use crate::bound::path;
use crate::collective::{Schedule, Target};
use crate::control::Control;
use crate::error::Result;
use crate::fabric::Shape;
use crate::routing::dimension_order;

/// Lanes looked at; they are alike but for what tree or ring they belong to.
pub const LANES: u32 = 8;
/// Most ports looked at.
const PORTS: u64 = 1 << 20;

/// Femtoseconds of the busiest link of any direct network, all lanes, and its network and dimension.
///
/// # Errors
/// Those of [`Control::check`].
pub fn busiest(costs: &Costs, schedule: &dyn Schedule, control: &Control) -> Result<(f64, usize, usize)> {
    let mut found = (0.0, 0, 0);
    let (lanes, weight) = sample(schedule.lanes(), LANES);
    for (network, net) in costs.fabric.networks.iter().enumerate() {
        let Shape::Direct(direct) = &net.planes[0].shape else {
            continue;
        };
        let ports = direct.ports();
        let all = u64::from(net.copies) * u64::from(net.span) * u64::from(ports);
        if all > PORTS {
            continue;
        }
        let mut busy = vec![0.0f64; all as usize];
        for rank in 0..schedule.ranks() {
            control.check()?;
            let here = costs.placement[rank as usize];
            for (lane, step) in lanes.iter().flat_map(|&l| (0..schedule.steps(rank, l)).map(move |s| (l, s))) {
                for i in 0..schedule.sends(rank, lane, step) {
                    let message = schedule.send(rank, lane, step, i);
                    let Target::Rank(peer) = message.to else {
                        continue;
                    };
                    let Some(leg) = costs.leg(rank, lane, &message).filter(|leg| leg.network == network) else {
                        continue;
                    };
                    let copy = here - here % net.span;
                    let (from, to) = (here % net.span, costs.placement[peer as usize] % net.span);
                    let choices = dimension_order::choices(direct, from, to);
                    for hop in 0..choices {
                        let selector = dimension_order::selector(direct, direct.way(from, to), hop);
                        let mut at = from;
                        while let Some((port, _)) = dimension_order::next(direct, at, to, selector) {
                            let link = u64::from(copy + at) * u64::from(ports) + u64::from(port);
                            let rate = net.link(direct.dimension(port)).rate.0 as f64;
                            busy[link as usize] += leg.wire * weight * 8e15 / rate / f64::from(choices);
                            let Some((next, _)) = direct.peer(at, port) else {
                                break;
                            };
                            at = next;
                        }
                    }
                }
            }
        }
        for (link, &time) in busy.iter().enumerate() {
            if time > found.0 {
                found = (time, network, direct.dimension((link as u64 % u64::from(ports)) as u32));
            }
        }
    }
    Ok(found)
}

/// True if some network is direct.
pub fn applies(costs: &Costs) -> bool {
    costs.fabric.networks.iter().any(|net| net.is_direct() && path::tiers(net) > 0)
}
