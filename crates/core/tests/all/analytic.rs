//! The analytic fidelity against packets, and both against the lower bound.
//!
//! Prints the table of errors (`cargo test --test all analytic:: -- --nocapture`).

use crate::common::*;
use supernode_core::analytic::{Scene, predict};
use supernode_core::bound::{Demand, lower_bound};
use supernode_core::collective::{Algorithm, Collective, Params, build};
use supernode_core::control::Control;
use supernode_core::engine::{Job, run};
use supernode_core::fabric::Fabric;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

/// 72 accelerators over 18 planes of 50 GB/s.
fn rack() -> SystemSpec {
    let mut net = network("nv", 72, clos(&[72], &[1]), vec![1; 18]);
    (net.overhead, net.payload) = (16, 1024);
    net.links[0].latency_fs = 250_000_000;
    system(72, vec![net])
}

/// 8 hosts of 8 on a switch each, joined by a two-tier tree of 50 GB/s with 1:1 uplinks.
fn hosts() -> SystemSpec {
    let inner = network("inner", 8, clos(&[8], &[1]), vec![1; 8]);
    let mut outer = network("outer", 64, clos(&[16, 4], &[1, 16]), vec![1]);
    outer.overhead = 64;
    system(64, vec![inner, outer])
}

/// 64 accelerators under 8 leaves with one uplink for two ports.
fn narrow() -> SystemSpec {
    system(64, vec![network("net", 64, clos(&[8, 8], &[1, 4]), vec![1])])
}

fn cube() -> SystemSpec {
    let mut net = network("ici", 64, torus(&[4, 4, 4]), vec![1]);
    net.overhead = 32;
    system(64, vec![net])
}

struct Row {
    packet: u64,
    analytic: u64,
    bound: u64,
}

fn compare(spec: &SystemSpec, params: &Params, protocol: &ProtocolSpec) -> Row {
    let fabric = Fabric::new(spec, &Control::default()).unwrap();
    let schedule = build(params).unwrap();
    let placement: Vec<u32> = (0..params.ranks).collect();
    let folding =
        supernode_core::symmetry::Folding::new(&fabric, &*schedule, &placement, false, &Control::default()).unwrap();
    let job = Job {
        folding: &folding,
        fabric: &fabric,
        schedule: &*schedule,
        placement: &placement,
        protocol,
        workload: None,
        explicit: None,
        seed: 0,
        threads: 1,
        record_flows: false,
        record_links: false,
        time_limit_fs: None,
        skip: false,
    };
    let packet = run(&job, &Control::default()).unwrap().finish_fs;
    let scene = Scene {
        fabric: &fabric,
        schedule: &*schedule,
        placement: &placement,
        protocol,
        root: params.root,
        seed: 0,
        control: &Control::default(),
    };
    let demand =
        Demand { collective: params.collective, bytes: params.bytes, root: params.root, placement: &placement };
    let bound = lower_bound(&fabric, demand, &[protocol], &Control::default()).unwrap().time_fs;
    Row { packet, analytic: predict(scene).unwrap().time_fs.max(bound), bound }
}

fn all(
    name: &str,
    spec: &SystemSpec,
    cases: &[(Collective, Algorithm)],
    levels: &[u32],
    dims: &[u32],
) -> Vec<(String, f64)> {
    let protocol = ProtocolSpec {
        name: "p".into(),
        launch_fs: 2_000_000_000,
        step_fs: vec![300_000_000; spec.networks.len()],
        wire_num: 1,
        wire_den: 1,
        ..ProtocolSpec::default()
    };
    let mut errors = vec![];
    for &(collective, algorithm) in cases {
        for bytes in [1u64 << 10, 1 << 16, 1 << 20, 1 << 23] {
            let n = spec.accelerators;
            let bytes = collective.rounded_bytes(bytes, n, 4);
            let params =
                Params { levels: levels.into(), dims: dims.into(), ..Params::new(collective, algorithm, n, bytes) };
            let row = compare(spec, &params, &protocol);
            let what = format!("{name:<7} {:<14} {:<18} {bytes:>9} B", collective.name(), algorithm.name());
            assert!(row.bound <= row.packet, "{what}: bound {} fs above packets {} fs", row.bound, row.packet);
            let error = row.analytic as f64 / row.packet as f64 - 1.0;
            let share = row.bound as f64 / row.packet as f64;
            println!(
                "{what} packet {:>13.1} ns, analytic {:>+6.1} %, bound {:>5.1} %",
                row.packet as f64 / 1e6,
                100.0 * error,
                100.0 * share
            );
            errors.push((what, error));
        }
    }
    errors
}

/// Errors are at most `strict`, but for algorithms named in `loose`, whose contention arises from the order of packets (head
/// of line blocking, ranks that fall out of step): there the prediction is only held to the given limit.
fn within(errors: &[(String, f64)], strict: f64, loose: &[(&str, f64)]) {
    let limit = |what: &str| loose.iter().find(|(name, _)| what.contains(name)).map_or(strict, |l| l.1);
    let far: Vec<_> = errors.iter().filter(|(what, e)| e.abs() > limit(what)).collect();
    assert!(far.is_empty(), "farther from packets than allowed: {far:#?}");
}

const SYMMETRIC: &[(Collective, Algorithm)] = {
    use Algorithm::*;
    use Collective::*;
    &[
        (AllReduce, Ring),
        (AllGather, Ring),
        (AllReduce, TwoShot),
        (AllGather, Direct),
        (AllToAll, Direct),
        (AllToAll, Pairwise),
        (AllReduce, HalvingDoubling),
        (AllReduce, RecursiveDoubling),
        (AllGather, Bruck),
        (AllReduce, DoubleBinaryTree),
        (Broadcast, DoubleBinaryTree),
        (Broadcast, Binomial),
        (Broadcast, Ring),
        (Gather, Direct),
        (Scatter, Binomial),
    ]
};

#[test]
fn rack_scale() {
    let mut errors = all("rack", &rack(), SYMMETRIC, &[], &[]);
    errors.extend(all("rack", &rack(), &[(Collective::AllReduce, Algorithm::InNetwork)], &[], &[]));
    // an incast of one packet a rank: which planes the first packets take decides
    within(&errors, 0.12, &[("gather         direct", 0.35)]);
}

#[test]
fn hosts_on_a_tree() {
    let mut errors = all("hosts", &hosts(), SYMMETRIC, &[8, 8], &[]);
    errors.extend(all("hosts", &hosts(), &[(Collective::AllReduce, Algorithm::Hierarchical)], &[8, 8], &[]));
    within(&errors, 0.10, &[("direct", 0.25), ("two_shot", 0.25), ("pairwise", 0.20), ("double_binary_tree", 0.30)]);
}

#[test]
fn oversubscribed_tree() {
    let errors = all("narrow", &narrow(), SYMMETRIC, &[], &[]);
    within(&errors, 0.10, &[("pairwise", 0.25), ("double_binary_tree", 0.15)]);
}

#[test]
fn torus_of_64() {
    let mut errors = all("cube", &cube(), SYMMETRIC, &[], &[4, 4, 4]);
    errors.extend(all("cube", &cube(), &[(Collective::AllReduce, Algorithm::TorusBucket)], &[], &[4, 4, 4]));
    let loose = [
        ("direct", 0.45),
        ("two_shot", 0.45),
        ("pairwise", 0.35),
        ("double_binary_tree", 0.35),
        ("recursive_doubling", 0.15),
    ];
    within(&errors, 0.10, &loose);
}

#[test]
fn full_meshes() {
    // each neighbour has links of its own, which a rank uses side by side
    let mesh = |dims: &[u32], links| {
        let n = dims.iter().product();
        system(n, vec![network("mesh", n, TopologySpec::FullMesh { dims: dims.into() }, vec![links])])
    };
    let (one, several) = (mesh(&[8], 1), mesh(&[4], 4));
    let mut errors = all("mesh", &one, SYMMETRIC, &[], &[]);
    errors.extend(all("links", &several, SYMMETRIC, &[], &[]));
    within(&errors, 0.10, &[("double_binary_tree", 0.45)]);
}

#[test]
fn memory_bound() {
    let mut spec = rack();
    spec.device.hbm_rate = Some(BitRate(8 * 600_000_000_000));
    let cases = [
        (Collective::AllReduce, Algorithm::Ring),
        (Collective::AllReduce, Algorithm::TwoShot),
        (Collective::AllToAll, Algorithm::Direct),
    ];
    within(&all("memory", &spec, &cases, &[], &[]), 0.12, &[]);
}
