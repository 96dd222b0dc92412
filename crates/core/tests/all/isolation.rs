//! Nothing in an operation depends on what else a run holds, except through what both use.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use supernode_core::collective::{Algorithm, Collective};
use supernode_core::record::OperationRecord;
use supernode_core::spec::*;

use crate::common::*;
use crate::workloads::random::{Random, body, machine};
use crate::workloads::{collective, job, outcome, place, spec};

const SECOND: u64 = 1_000_000_000_000_000;

/// Rows of the first operations.
fn rows(spec: &ProgramSpec, count: usize) -> Vec<OperationRecord> {
    let rows = outcome(spec).record.operations;
    rows.into_iter()
        .filter(|row| (row.operation as usize) < count)
        .map(|row| OperationRecord { role: 0, ..row })
        .collect()
}

fn operations() -> impl Strategy<Value = Vec<Random>> {
    prop::collection::vec((0u8..8, 1u64..400_000, 0u8..3, 0u8..3, prop::option::of(0u8..4)), 1..4)
}

fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() }
}

/// A machine whose halves share nothing but switches that are never full.
fn halves(kind: u8, n: u32) -> SystemSpec {
    let routing = [RoutingSpec::DModK, RoutingSpec::SprayRoundRobin, RoutingSpec::Ecmp, RoutingSpec::SprayRandom];
    // units of four on three planes, leaves of four with two uplinks
    let mut system = match kind & 1 {
        0 => machine(0, n),
        _ => {
            let tree = network("tree", n, clos(&[4, n / 4], &[1, 2]), vec![1]);
            system(n, vec![network("switch", 4, clos(&[4], &[1]), vec![1; 3]), tree])
        }
    };
    for net in &mut system.networks {
        net.routing = routing[usize::from(kind / 2) % 4];
    }
    system
}

/// One of all machines.
fn any(kind: u8, n: u32) -> SystemSpec {
    if kind < 4 { machine(kind, n) } else { halves(2 * kind + 3, n) }
}

#[test]
fn a_job_does_not_notice_another_one_elsewhere() {
    let shapes = prop::sample::select(vec![(4u32, 2u32), (2, 2), (2, 8), (4, 4)]);
    proptest!(config(300), |(kind in 0u8..8, (dp, tp) in shapes, mine in operations(), theirs in operations(), swap: bool)| {
        let axes = [("dp", dp), ("tp", tp)];
        let here = || job("mine", &axes, body(&mine, (0, 1, 2), false));
        let there = job("theirs", &axes, body(&theirs, (0, 1, 2), false));
        let n = 2 * dp * tp;
        let alone = rows(&spec(halves(kind, n), vec![here()]), mine.len());
        let mut both = spec(halves(kind, n), vec![here(), there]);
        if swap {
            // the first job lies behind the other one
            both.jobs[0].placement = Some((n / 2..n).collect());
            both.jobs[1].placement = Some((0..n / 2).collect());
            let mut moved = spec(halves(kind, n), vec![here()]);
            moved.jobs[0].placement = Some((n / 2..n).collect());
            prop_assert_eq!(rows(&both, mine.len()), rows(&moved, mine.len()));
        } else {
            prop_assert_eq!(rows(&both, mine.len()), alone);
        }
    });
}

#[test]
fn sums_in_switches_do_not_notice_ranks_of_jobs_before_them() {
    // the owner of a piece goes by its place in its own job: over two planes, one more rank before would turn it
    let machine = || {
        let mut system = system(9, vec![network("switch", 9, clos(&[9], &[1]), vec![1; 2])]);
        // the ports of a rank meet in its memory, so that it matters which of them a piece comes by
        system.device.hbm_rate = Some(supernode_core::units::BitRate(2_400_000_000_000));
        system
    };
    let sum = || {
        let at = place("sum", "s", &[]);
        job("sums", &[("r", 3)], vec![collective(at, Collective::AllReduce, Algorithm::InNetwork, 10_000, &[])])
    };
    let ends: Vec<u64> = (0..4u32)
        .map(|before| {
            let mut sums = sum();
            sums.placement = Some(vec![4, 5, 6]);
            let mut jobs = vec![sums];
            if before > 0 {
                let idle = vec![NodeSpec::Delay { place: place("idle", "s", &[]), time_fs: 1 }];
                jobs.insert(0, job("idle", &[("r", before)], idle));
                jobs[0].placement = Some((0..before).collect());
            }
            let run = outcome(&spec(machine(), jobs));
            let number = run.workload.operations().iter().position(|o| o.name == "sum").expect("the sum") as u32;
            run.record.operations.iter().find(|row| row.operation == number).expect("a row").end_fs
        })
        .collect();
    assert!(ends.iter().all(|&end| end == ends[0]), "{ends:?}");
}

#[test]
fn an_operation_does_not_notice_what_comes_a_second_later() {
    let shapes = prop::sample::select(vec![(4u32, 2u32), (2, 4), (2, 2)]);
    proptest!(config(300), |(kind in 0u8..6, (dp, tp) in shapes, mine in operations(), theirs in operations())| {
        let axes = [("dp", dp), ("tp", tp)];
        let alone = rows(&spec(any(kind, dp * tp), vec![job("j", &axes, body(&mine, (0, 1, 2), kind == 0))]), mine.len());
        let mut nodes = body(&mine, (0, 1, 2), kind == 0);
        nodes.extend(pauses());
        nodes.extend(body(&theirs, (0, 0, 1), kind == 0).into_iter().map(renamed));
        let more = rows(&spec(any(kind, dp * tp), vec![job("j", &axes, nodes)]), mine.len());
        prop_assert_eq!(more, alone);
    });
}

#[test]
fn a_look_after_the_last_step_of_an_operation_is_not_late() {
    // the lane of rank 0 is through; its operation is not, and nothing new begins
    let mine = [(0, 262_164, 0, 0, None), (4, 35_940, 0, 0, None)];
    let axes = [("dp", 4), ("tp", 2)];
    let mut nodes = body(&mine, (0, 1, 2), false);
    nodes.extend(pauses());
    nodes.extend(body(&[(0, 1, 0, 0, None)], (0, 0, 1), false).into_iter().map(renamed));
    let spec = spec(any(5, 8), vec![job("j", &axes, nodes)]);
    let mut whole = spec.clone();
    whole.skip = false;
    assert_eq!(rows(&spec, mine.len() + 4), rows(&whole, mine.len() + 4));
}

/// A second on each stream.
fn pauses() -> impl Iterator<Item = NodeSpec> {
    let pause = |stream| place(&format!("pause{stream}"), &format!("s{stream}"), &[]);
    (0..3).map(move |stream| NodeSpec::Delay { place: pause(stream), time_fs: SECOND })
}

/// The same operation under another name.
fn renamed(mut node: NodeSpec) -> NodeSpec {
    match &mut node {
        NodeSpec::Collective { place, .. } | NodeSpec::Pattern { place, .. } | NodeSpec::Compute { place, .. } => {
            place.name = format!("later-{}", place.name);
            place.after.iter_mut().for_each(|after| after.operation = format!("later-{}", after.operation));
        }
        NodeSpec::Repeat { body, .. } => *body = std::mem::take(body).into_iter().map(renamed).collect(),
        _ => {}
    }
    node
}
