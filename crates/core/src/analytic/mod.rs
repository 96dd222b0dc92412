//! The analytic fidelity: alpha-beta-gamma predictions of any schedule, without packets.
//!
//! **Model.** Two views of a schedule, put together:
//!
//! - *survey* (symmetric schedules, many messages): T = launch + max(Λ + σ, λ + ρ). Λ + σ is the mean rank's walk through
//!   its steps (software, propagation; its own busy time), λ + ρ the time of the busiest resource for everything (ports,
//!   tiers, dimensions, memory, all lanes) after one propagation. Lanes that run side by side hide each other's
//!   propagation, so Λ does not count twice.
//! - *forward* (trees, chains, few messages): T = launch + chain + (ρ - ρ₁). The chain is found message by message, for
//!   all lanes if they are few, otherwise for the first; the others follow it through the busiest resource.
//!
//! Both take what links carry from [`crate::flow::Loads`], message by message on the routes that are really taken, where the machine
//! and the schedule are small or symmetric enough for that; elsewhere tiers and dimensions count as a whole.
//!
//! **Invariant.** Contention-free schedules without overhead give the closed forms of the literature; a prediction is
//! never below the lower bound (the caller takes the larger).
//!
//! **Cost.** At most some thousand messages, or a few a rank for trees. **Limits.** Queues and credits are not modelled.
//!
//! **Source.** Hockney 1994 (α, β); Culler et al., PPoPP 1993 (LogP: ports are busy, wires only long).

pub mod forward;
pub mod leg;
pub mod survey;

use crate::collective::Schedule;
use crate::control::Control;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::flow::Loads;
use crate::radix::Radix;
use crate::spec::ProtocolSpec;
use crate::units::{Fs, MAX_TIME_FS};

/// Message by message up to this many messages in all.
const FEW: f64 = 10_000.0;
/// What the chain of steps takes is found up to this many messages of the ranks that are walked.
const CHAIN: u64 = 20_000;
/// Message by message for the first lane up to this many messages a rank.
const TREE: f64 = 4.5;

/// What to predict.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The machine.
    pub fabric: &'a Fabric,
    /// Who sends what to whom.
    pub schedule: &'a dyn Schedule,
    /// Accelerator of each rank.
    pub placement: &'a [u32],
    /// Software costs.
    pub protocol: &'a ProtocolSpec,
    /// Root, or 0.
    pub root: u32,
    /// Seed of every random choice.
    pub seed: u64,
    /// Who may stop it.
    pub control: &'a Control,
}

/// A prediction.
#[derive(Clone, Debug, Default)]
pub struct Prediction {
    /// Time until the last rank has finished.
    pub time_fs: Fs,
    /// Part of it that is software on the chain of steps: launch and step latencies.
    pub software_fs: Fs,
    /// Part of it that is propagation on the chain of steps.
    pub latency_fs: Fs,
    /// Busiest resource and how long it is busy.
    pub resource: String,
    /// See `resource`.
    pub busy_fs: Fs,
    /// Packets times links, estimated.
    pub packet_hops: u64,
    /// Messages, estimated.
    pub messages: u64,
    /// Payload bytes received, estimated.
    pub bytes: u64,
}

impl Prediction {
    /// What keeps the run from being faster: of the busiest resource, software and propagation the one with the largest part
    /// of the time.
    pub fn bottleneck(&self) -> String {
        let percent = |time: Fs| (100.0 * time as f64 / self.time_fs.max(1) as f64).min(100.0);
        let (busy, software, latency) = (self.busy_fs, self.software_fs, self.latency_fs);
        if busy >= software.max(latency) && !self.resource.is_empty() {
            return format!("{}, {:.0} % busy", self.resource, percent(busy));
        }
        let (part, what) = if software > latency { (software, "software") } else { (latency, "propagation latency") };
        format!("{what}, {:.0} % of the time", percent(part))
    }
}

/// Predicts the time of a schedule.
///
/// # Errors
/// Those of [`Control::check`].
pub fn predict(scene: Scene<'_>) -> Result<Prediction> {
    let Scene { fabric, schedule, placement, protocol, root, seed, control } = scene;
    let launch = protocol.launch_fs as f64;
    if schedule.ranks() < 2 {
        let time_fs = protocol.launch_fs;
        return Ok(Prediction { time_fs, software_fs: time_fs, ..Prediction::default() });
    }
    let costs = leg::Costs::new(fabric, schedule, placement, protocol);
    let loads = Loads::new(fabric, schedule, placement, protocol, seed, control)?;
    let mut s = survey::survey(&costs, schedule, root, loads.is_none(), control)?;
    if let Some(loads) = &loads {
        s.apply(loads);
    }
    let lanes = schedule.lanes();
    let resource = s.farthest + s.busiest;
    let walk = s.hop + if s.even { s.software + s.latency + s.chain + s.congestion } else { s.walk_max };
    let time = if s.messages <= FEW {
        // the chain knows ports only; where all walk in step, the tiers and dimensions of each step are known too
        let in_step = if s.even && lanes == 1 { walk } else { 0.0 };
        forward::forward(&costs, schedule, &Radix::default(), lanes, control)?.max(resource).max(in_step)
    } else if s.lane_messages <= TREE * f64::from(schedule.ranks()) {
        (forward::forward(&costs, schedule, &Radix::default(), 1, control)?
            + s.busiest * (1.0 - 1.0 / f64::from(lanes)))
        .max(resource)
    } else {
        // sums that the switches form and what they replicate use the ports one after the other
        let after = if s.in_network { s.software + s.latency + s.hop } else { s.farthest };
        walk.max(s.farthest + s.chain_max).max(after + s.busiest)
    };
    let fs = |t: f64| {
        if t < MAX_TIME_FS as f64 { t.round() as Fs } else { MAX_TIME_FS }
    };
    Ok(Prediction {
        time_fs: fs(launch + time),
        software_fs: fs(launch + s.software),
        latency_fs: fs(s.latency + s.hop),
        resource: s.name,
        busy_fs: fs(s.busiest),
        packet_hops: s.packet_hops as u64,
        messages: s.messages as u64,
        bytes: s.bytes as u64,
    })
}

/// What a chain of steps takes, message by message.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Launch and step latencies, if nothing else takes time.
    pub software_fs: Fs,
    /// How much longer with propagation.
    pub latency_fs: Fs,
    /// How much longer with bytes: serialisation and memory.
    pub bytes_fs: Fs,
}

/// Divides the longest chain of steps by what its time goes to; `None` where there are too many messages. (A [`Prediction`]
/// has the software and propagation of the mean rank.) `group` has the symmetries of the run: one rank of each class is walked.
///
/// # Errors
/// Those of [`Control::check`].
pub fn chain(scene: Scene<'_>, group: &Radix, prediction: &Prediction) -> Result<Option<Chain>> {
    let Scene { fabric, schedule, placement, protocol, control, .. } = scene;
    if prediction.messages / group.order() > CHAIN {
        return Ok(None);
    }
    let costs = || leg::Costs::new(fabric, schedule, placement, protocol);
    let time = |costs: leg::Costs| forward::forward(&costs, schedule, group, schedule.lanes(), control);
    let [software, constant, all] = [time(costs().bare(false))?, time(costs().bare(true))?, time(costs())?];
    let more = |than: f64, time: f64| (time - than).max(0.0).round() as Fs;
    Ok(Some(Chain {
        software_fs: protocol.launch_fs + software.round() as Fs,
        latency_fs: more(software, constant),
        bytes_fs: more(constant, all),
    }))
}

#[cfg(test)]
mod tests;
