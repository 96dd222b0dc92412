//! Runs of many operations against closed forms, and against each other: folded, in full, on any number of threads.

mod groups;
mod mistakes;
mod order;
pub(crate) mod random;
mod single;
mod traffic;

use std::collections::BTreeMap;

use supernode_core::collective::{Algorithm, Collective};
use supernode_core::control::Control;
use supernode_core::record::OperationRecord;
use supernode_core::simulate::{Fabrics, ProgramOutcome, program};
use supernode_core::spec::*;

use crate::common::*;

const R8: &[(&str, u32)] = &[("r", 8)];
const KIB: u64 = 1024;
const US: u64 = 1_000_000_000;

pub(crate) fn place(name: &str, stream: &str, after: &[(&str, u32)]) -> PlaceSpec {
    let after = after.iter().map(|&(operation, previous)| AfterSpec { operation: operation.into(), previous });
    PlaceSpec { name: name.into(), stream: stream.into(), after: after.collect() }
}

pub(crate) fn ring(at: PlaceSpec, bytes: u64, axes: &[&str]) -> NodeSpec {
    collective(at, Collective::AllReduce, Algorithm::Ring, bytes, axes)
}

pub(crate) fn collective(
    place: PlaceSpec,
    collective: Collective,
    algorithm: Algorithm,
    bytes: u64,
    axes: &[&str],
) -> NodeSpec {
    NodeSpec::Collective {
        place,
        collective,
        bytes,
        axes: axes.iter().map(|axis| (*axis).to_string()).collect(),
        groups: vec![],
        algorithm: Pick::Only(algorithm),
        protocol: "auto".into(),
        element_bytes: 4,
        root: 0,
        lanes: None,
        chunks: None,
        share_ppm: 0,
    }
}

pub(crate) fn compute(place: PlaceSpec, work_fs: u64) -> NodeSpec {
    NodeSpec::Compute { place, work_fs, jitter_ppm: 0, slow_ppm: vec![], seed: 0 }
}

pub(crate) fn repeat(count: u32, body: Vec<NodeSpec>) -> NodeSpec {
    NodeSpec::Repeat { count, body }
}

pub(crate) fn job(name: &str, axes: &[(&str, u32)], body: Vec<NodeSpec>) -> JobSpec {
    let axes = axes.iter().map(|&(name, size)| AxisSpec { name: name.into(), size }).collect();
    JobSpec { name: name.into(), axes, start_fs: 0, placement: None, body }
}

pub(crate) fn spec(system: SystemSpec, jobs: Vec<JobSpec>) -> ProgramSpec {
    let stack = StackSpec {
        name: "none".into(),
        protocols: vec![ProtocolSpec { step_fs: vec![0; system.networks.len()], ..no_stack() }],
        protocol: "auto".into(),
        algorithms: BTreeMap::new(),
        library: None,
    };
    ProgramSpec {
        system,
        stack,
        jobs,
        fidelity: Selection::Only(Fidelity::Packet),
        budget_ns: 30_000_000_000,
        seed: 0,
        fold: true,
        skip: true,
        threads: 1,
        record: vec![Table::Ranks, Table::Links, Table::Flows],
        time_limit_fs: None,
        memory_limit: None,
    }
}

pub(crate) fn outcome(spec: &ProgramSpec) -> ProgramOutcome {
    // through text, as specifications come
    let spec = ProgramSpec::from_json(&serde_json::to_string(spec).unwrap()).expect("a valid specification");
    program(&Fabrics::new(0), &spec, &Control::default()).expect("a run")
}

fn error(spec: &ProgramSpec) -> String {
    let spec = match ProgramSpec::from_json(&serde_json::to_string(spec).unwrap()) {
        Ok(spec) => spec,
        Err(error) => return error.to_string(),
    };
    program(&Fabrics::new(0), &spec, &Control::default()).expect_err("an error").to_string()
}

pub(crate) fn row<'a>(outcome: &'a ProgramOutcome, name: &str) -> &'a OperationRecord {
    let of = |row: &&OperationRecord| outcome.workload.operations()[row.operation as usize].name == name;
    outcome.record.operations.iter().find(of).expect("a row")
}
