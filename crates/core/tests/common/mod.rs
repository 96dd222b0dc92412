//! Small systems and one way to run a collective on them.
#![allow(dead_code)] // each test crate uses its own part

pub(crate) mod jobs;
pub(crate) mod pattern;
pub(crate) mod shapes;
pub(crate) mod trees;

use supernode_core::collective::{Algorithm, Collective, Params, Schedule, build};
use supernode_core::control::Control;
use supernode_core::engine::{Job, run};
use supernode_core::error::Result;
use supernode_core::fabric::Fabric;
use supernode_core::flow;
use supernode_core::record::Record;
use supernode_core::spec::*;
use supernode_core::symmetry::Folding;
use supernode_core::units::BitRate;

/// 50 GB/s: 20 000 fs a byte, exactly.
pub(crate) const RATE: BitRate = BitRate(400_000_000_000);
pub(crate) const FS_PER_BYTE: u64 = 20_000;
pub(crate) const LATENCY: u64 = 500_000_000;
pub(crate) const SWITCH: u64 = 100_000_000;
/// One link, a switch, another link.
pub(crate) const ALPHA: u64 = 2 * LATENCY + SWITCH;

pub(crate) fn network(name: &str, span: u32, topology: TopologySpec, planes: Vec<u32>) -> NetworkSpec {
    let tiers = match &topology {
        TopologySpec::Clos { down, .. } => down.len(),
        TopologySpec::Torus { dims, .. } | TopologySpec::FullMesh { dims } => dims.len(),
        TopologySpec::Graph { .. } => 1,
    };
    let link = LinkSpec { rate: RATE, latency_fs: LATENCY, medium: String::new() };
    let switch = SwitchSpec { latency_fs: SWITCH, cut_through: true, in_network_reduce: true };
    let switches = if matches!(topology, TopologySpec::Clos { .. }) { tiers } else { 1 };
    NetworkSpec {
        name: name.into(),
        span,
        topology,
        planes,
        links: vec![link; tiers],
        switches: vec![switch; switches],
        payload: 4096,
        overhead: 0,
        routing: RoutingSpec::SprayRoundRobin,
        buffer: Some(256 * 1024),
        dateline: true,
        transport: Default::default(),
    }
}

pub(crate) fn clos(down: &[u32], up: &[u32]) -> TopologySpec {
    TopologySpec::Clos { down: down.into(), up: up.into(), parallel: vec![1; down.len()], rails: 1 }
}

pub(crate) fn torus(dims: &[u32]) -> TopologySpec {
    TopologySpec::Torus { dims: dims.into(), wrap: vec![true; dims.len()], twist: vec![] }
}

pub(crate) fn system(accelerators: u32, networks: Vec<NetworkSpec>) -> SystemSpec {
    SystemSpec { name: "test".into(), accelerators, device: DeviceSpec::default(), networks }
}

/// `n` accelerators on one switch by one link each.
pub(crate) fn switched(n: u32) -> SystemSpec {
    system(n, vec![network("switch", n, clos(&[n], &[1]), vec![1])])
}

pub(crate) fn no_stack() -> ProtocolSpec {
    ProtocolSpec { name: "none".into(), wire_num: 1, wire_den: 1, ..ProtocolSpec::default() }
}

pub(crate) struct Run {
    pub(crate) threads: u32,
    pub(crate) seed: u64,
    pub(crate) placement: Option<Vec<u32>>,
    pub(crate) protocol: ProtocolSpec,
    pub(crate) time_limit_fs: Option<u64>,
    pub(crate) flows: bool,
    pub(crate) fold: bool,
    pub(crate) fluid: bool,
    pub(crate) skip: bool,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            threads: 1,
            seed: 0,
            placement: None,
            protocol: no_stack(),
            time_limit_fs: None,
            flows: true,
            fold: false,
            fluid: false,
            skip: true,
        }
    }
}

impl Run {
    pub(crate) fn schedule(&self, spec: &SystemSpec, schedule: &dyn Schedule) -> Result<Record> {
        let fabric = Fabric::new(spec, &Control::default())?;
        let placement = self.placement.clone().unwrap_or_else(|| (0..schedule.ranks()).collect());
        let control = Control::default();
        let folding = match self.fluid {
            true => flow::folding(&fabric, schedule, &placement, self.fold, &control).unwrap(),
            false => Folding::new(&fabric, schedule, &placement, self.fold, &control).unwrap(),
        };
        let job = Job {
            fabric: &fabric,
            folding: &folding,
            schedule,
            placement: &placement,
            protocol: &self.protocol,
            workload: None,
            explicit: None,
            seed: self.seed,
            threads: self.threads,
            record_flows: self.flows,
            record_links: true,
            time_limit_fs: self.time_limit_fs,
            skip: self.skip,
        };
        if self.fluid { flow::run(&job, &Control::default()) } else { run(&job, &Control::default()) }
    }

    pub(crate) fn collective(&self, spec: &SystemSpec, params: &Params) -> Result<Record> {
        self.schedule(spec, &*build(params)?)
    }
}

/// Runs a collective over all accelerators with defaults.
pub(crate) fn time(spec: &SystemSpec, collective: Collective, algorithm: Algorithm, bytes: u64) -> u64 {
    let params = Params::new(collective, algorithm, spec.accelerators, bytes);
    Run::default().collective(spec, &params).expect("a run").finish_fs
}
