//! What a run costs whoever runs it, in nanoseconds of one nominal core.
//!
//! **Model.** By packets: so much per packet-hop, by kind of fabric; per message; and per port of what is simulated, once. Folding
//! leaves one of each class. Skipping leaves, at best, a few of each run of steps that are alike and the first packets of each
//! message: [`Work::skipping_ns`] is that best case, which a trial confirms or not. As fluids: so much per message, more where a
//! message is spread over many links.
//!
//! **Invariant.** A function of the specification alone. Rates are constants, measured on one core of the machine that
//! `docs/performance.md` names; so what is decided by them is the same on every machine.
//!
//! **Cost.** A few calls of the schedule. **Limits.** Hops and messages are the analytic model's estimates, good to some ten
//! per cent. Runs that wait for propagation cost more per packet-hop than full links do.

use crate::analytic::Prediction;
use crate::collective::Schedule;
use crate::fabric::{Fabric, Network, Shape};
use crate::flow::{self, Width};
use crate::survey::describe;
use crate::symmetry::Folding;

/// Nanoseconds per packet-hop: trees of switches; direct topologies; graphs; graphs whose switches look at their queues.
const HOP: [u64; 4] = [60, 80, 150, 300];
/// Nanoseconds per message that is sent and received by packets.
const MESSAGE: u64 = 500;
/// Nanoseconds per port that is made, plugged and read out.
const PORT: u64 = 500;
/// Nanoseconds per message as a fluid.
const FLUID: u64 = 3_000;
/// Links of a message that count as one message more: it would use about as many if it were not spread over a graph.
const FLUID_LINKS: u64 = 8;
/// Steps that are simulated of each run of alike steps before skipping finds their period.
const STEPS: u32 = 6;
/// Packets that are simulated of each message before skipping finds their period, at best.
const PACKETS: f64 = 128.0;
/// Runs of alike steps that are looked at.
const RUNS: usize = 64;

/// What a run costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Nanoseconds by packets, if nothing is skipped.
    pub packets_ns: u64,
    /// The same if as much as possible is skipped; equal to `packets_ns` where skipping is off or finds nothing.
    pub skipping_ns: u64,
    /// Nanoseconds as fluids.
    pub flow_ns: u64,
    /// Packets over links that are simulated if nothing is skipped.
    pub hops: u64,
    /// Nanoseconds per packet over a link.
    pub hop_ns: u64,
    /// Nanoseconds before the first packet and after the last.
    pub set_up_ns: u64,
    /// Bytes that fluids keep of the links, see [`fluid_bytes`].
    pub fluid_bytes: u64,
}

impl Work {
    /// That of a schedule with these symmetries and this prediction.
    pub fn new(
        fabric: &Fabric,
        schedule: &dyn Schedule,
        folding: &Folding,
        prediction: &Prediction,
        width: Width,
        skip: bool,
    ) -> Self {
        let hop_ns = hop_ns(fabric, schedule.ranks());
        let hops = prediction.packet_hops / folding.multiplicity();
        let messages = prediction.messages / folding.multiplicity();
        let ports = 2 * describe::links(folding.quotient().unwrap_or(fabric));
        let set_up_ns = ports.saturating_mul(PORT);
        let cost = |part: f64, steps: f64| {
            let moving = hops.saturating_mul(hop_ns) as f64 * part + messages.saturating_mul(MESSAGE) as f64 * steps;
            set_up_ns.saturating_add(moving as u64)
        };
        let packets_ns = cost(1.0, 1.0);
        let skipping_ns = if skip && skips(fabric) {
            let steps = steps_left(schedule);
            let bytes = prediction.bytes as f64 / prediction.messages.max(1) as f64;
            let payload = fabric.networks.iter().map(|net| net.spec.payload).max().unwrap_or(1);
            let packets = bytes / f64::from(payload.max(1));
            cost(steps * (PACKETS / packets.max(1.0)).min(1.0), steps)
        } else {
            packets_ns
        };
        let each = width.links.div_ceil(FLUID_LINKS).max(1);
        let flow_ns = prediction.messages.saturating_mul(FLUID).saturating_mul(each);
        let fluid_bytes = fluid_bytes(fabric);
        let flow_ns = flow_ns.saturating_add(fluid_bytes);
        Work { packets_ns, skipping_ns, flow_ns, hops, hop_ns, set_up_ns, fluid_bytes }
    }

    /// Packets over links that so many nanoseconds pay for.
    pub fn hops_in(&self, nanoseconds: u64) -> u64 {
        nanoseconds / self.hop_ns.max(1)
    }
}

/// Bytes that fluids keep of the links of a machine, or of sets of them: of the whole machine, also where few of its
/// accelerators take part. Making them takes about a nanosecond per byte.
pub fn fluid_bytes(fabric: &Fabric) -> u64 {
    // where paths are single, or sets belong to graphs, each has a list of its own of who uses it
    let single = |net: &Network| !net.spec.routing.sprays() && net.is_tree() && net.spec.links.len() > 1;
    let apart = |net: &Network| single(net) || !net.is_tree() && !net.is_direct();
    let each = if fabric.networks.iter().any(apart) { 240 } else { 120 };
    let counts = describe::count(fabric);
    let links = |levels: &[describe::LevelDescription]| 2 * levels.iter().map(|level| level.links).sum::<u64>();
    let sets = fabric.networks.iter().zip(&counts.levels).map(|(net, of)| flow::resources(fabric, net, links(of)));
    each * sets.sum::<u64>()
}

/// Nanoseconds per packet-hop: those of the costliest network that the ranks use.
fn hop_ns(fabric: &Fabric, ranks: u32) -> u64 {
    let mut reached = 1;
    let mut dearest = HOP[0];
    for net in &fabric.networks {
        if reached >= ranks {
            break;
        }
        reached = net.span;
        let kind = match &net.planes[0].shape {
            Shape::Clos(_) => 0,
            Shape::Direct(_) => 1,
            Shape::Graph(_) if net.spec.routing.adaptive() => 3,
            Shape::Graph(_) => 2,
        };
        dearest = dearest.max(HOP[kind]);
    }
    dearest
}

/// True if a state can repeat: some network does not draw each packet's way by hash.
fn skips(fabric: &Fabric) -> bool {
    fabric.networks.iter().any(|net| !(net.spec.routing.random() && net.spec.routing.sprays()))
}

/// The part of the steps of rank 0 in lane 0 that is left if all but a few of each run of alike steps are skipped.
fn steps_left(schedule: &dyn Schedule) -> f64 {
    let all = schedule.steps(0, 0);
    let (mut step, mut left) = (0, 0u32);
    for _ in 0..RUNS {
        if step >= all {
            break;
        }
        let end = schedule.alike(0, step).end.clamp(step + 1, all);
        left += (end - step).min(STEPS);
        step = end;
    }
    if step == 0 { 1.0 } else { f64::from(left) / f64::from(step) }
}
