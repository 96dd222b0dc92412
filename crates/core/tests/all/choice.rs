//! What is left to the simulator: the algorithm, and how closely a run is looked at.

use crate::common::jobs::{ROUTINGS, comparable, dressed, jobs, shapes};
use crate::common::shapes::graphs;
use crate::common::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use supernode_core::collective::{Algorithm, Collective, Params, Schedule, build};
use supernode_core::control::Control;
use supernode_core::engine::{Cap, Job, run_within};
use supernode_core::fabric::Fabric;
use supernode_core::flow;
use supernode_core::record::Record;
use supernode_core::simulate::simulate;
use supernode_core::spec::*;
use supernode_core::symmetry::Folding;

/// Slower than the fastest candidate by this factor at most.
const WITHIN: f64 = 1.10;

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: Some(Box::new(FileFailurePersistence::Off)), ..Config::default() }
}

fn spec(system: SystemSpec, collective: Collective, bytes: u64, algorithm: Pick) -> RunSpec {
    RunSpec {
        system,
        collective,
        algorithm,
        bytes,
        element_bytes: 4,
        root: 0,
        measuring: false,
        ranks: None,
        placement: None,
        lanes: None,
        chunks: None,
        levels: None,
        stack: StackSpec {
            name: "none".into(),
            protocols: vec![no_stack()],
            protocol: "auto".into(),
            ..StackSpec::default()
        },
        fidelity: Selection::Only(Fidelity::Packet),
        budget_ns: DEFAULT_BUDGET_NS,
        seed: 0,
        fold: true,
        threads: 1,
        record: vec![],
        time_limit_fs: None,
        skip: true,
        memory_limit: None,
    }
}

/// Times by packets of every algorithm that can run, with these lanes.
fn times(base: &RunSpec, lanes: &[Option<u32>]) -> Vec<(Algorithm, Option<u32>, u64)> {
    let mut found = vec![];
    for algorithm in Algorithm::ALL {
        for &lanes in lanes {
            let run = RunSpec { algorithm: Pick::Only(algorithm), lanes, ..base.clone() };
            found.extend(simulate(&run, &Control::default()).ok().map(|o| (algorithm, lanes, o.time_fs)));
        }
    }
    found
}

fn near_the_fastest(base: &RunSpec, lanes: &[Option<u32>]) {
    let candidates = times(base, lanes);
    let Some(fastest) = candidates.iter().map(|c| c.2).min() else {
        return;
    };
    let chosen = simulate(base, &Control::default()).expect("a run, since some algorithm has one");
    assert!(
        chosen.time_fs as f64 <= WITHIN * fastest as f64,
        "{:?} takes {} by {} ({}), but {candidates:?}",
        base.algorithm,
        chosen.time_fs,
        chosen.algorithm,
        chosen.chosen_by,
    );
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn auto_is_near_the_fastest(
        system in prop_oneof![dressed(shapes(true), ROUTINGS.to_vec()), graphs()],
        collective in prop::sample::select(Collective::ALL.to_vec()),
        size in prop_oneof![Just(256u64), Just(16 << 10), Just(1 << 20)],
    ) {
        near_the_fastest(&spec(system, collective, size, Pick::Auto), &[None]);
    }
}

proptest! {
    #![proptest_config(config(8))]

    #[test]
    fn best_is_near_the_fastest_of_all_lanes(
        system in prop_oneof![dressed(shapes(true), ROUTINGS.to_vec()), graphs()],
        collective in prop::sample::select(Collective::ALL.to_vec()),
        size in prop_oneof![Just(16u64 << 10), Just(1 << 20)],
    ) {
        near_the_fastest(&spec(system, collective, size, Pick::Best), &[None, Some(1), Some(2), Some(4), Some(8)]);
    }

    #[test]
    fn a_choice_does_not_depend_on_threads(
        system in prop_oneof![dressed(shapes(false), ROUTINGS.to_vec()), graphs()],
        collective in prop::sample::select(Collective::ALL.to_vec()),
        size in 1u64..(1 << 20),
    ) {
        let one = spec(system, collective, size, Pick::Best);
        let run = |threads| {
            simulate(&RunSpec { threads, fidelity: Selection::Auto, budget_ns: 20_000_000, ..one.clone() }, &Control::default())
        };
        if let (Ok(a), Ok(b)) = (run(1), run(7)) {
            prop_assert_eq!((a.algorithm, a.protocol, a.fidelity, a.time_fs), (b.algorithm, b.protocol, b.fidelity, b.time_fs));
            prop_assert_eq!((a.effective.lanes, a.chosen_by), (b.effective.lanes, b.chosen_by));
        }
    }

    /// A cap is passed by a run of more hops, and by no other: whatever the threads, folded or not, skipped or not.
    #[test]
    fn a_cap_is_the_same_for_any_number_of_threads((system, params) in jobs(), skip: bool, fold: bool) {
        let fabric = Fabric::new(&system, &Control::default()).expect("a fabric");
        let Ok(schedule) = build(&params) else { return Ok(()) };
        let within = |threads, cap| capped(&fabric, &*schedule, (threads, skip, fold), cap);
        let Ok(Some(whole)) = within(1, Cap::Endless) else { return Ok(()) };
        // hops of what is simulated: a row of a folded run stands for several
        let hops = hops(&fabric, &*schedule, fold, &whole);
        for threads in [1, 2, 7] {
            let exactly = within(threads, Cap::Hops(hops)).expect("no error").expect("within its cap");
            prop_assert_eq!(comparable(exactly), comparable(whole.clone()));
            prop_assert!(hops == 0 || within(threads, Cap::Hops(hops - 1)).expect("no error").is_none());
        }
    }
}

fn capped(
    fabric: &Fabric,
    schedule: &dyn Schedule,
    (threads, skip, fold): (u32, bool, bool),
    cap: Cap,
) -> supernode_core::error::Result<Option<Record>> {
    let placement: Vec<u32> = (0..schedule.ranks()).collect();
    let folding = Folding::new(fabric, schedule, &placement, fold, &Control::default()).expect("nobody stops it");
    let protocol = no_stack();
    let job = Job {
        fabric,
        schedule,
        placement: &placement,
        folding: &folding,
        protocol: &protocol,
        workload: None,
        explicit: None,
        seed: 0,
        threads,
        record_flows: false,
        record_links: false,
        time_limit_fs: None,
        skip,
    };
    run_within(&job, &Control::default(), cap)
}

/// Packets over links that were simulated, or skipped, each once.
fn hops(fabric: &Fabric, schedule: &dyn Schedule, fold: bool, record: &Record) -> u64 {
    let placement: Vec<u32> = (0..schedule.ranks()).collect();
    let folding = Folding::new(fabric, schedule, &placement, fold, &Control::default()).expect("nobody stops it");
    record.levels.iter().map(|l| l.packets / folding.link_multiplicity(l.network, l.tier)).sum()
}

/// A ring over one switch: 2 (p - 1) steps of p messages over two links each.
#[test]
fn a_flow_run_is_given_up_after_so_many_events() {
    let system = switched(8);
    let fabric = Fabric::new(&system, &Control::default()).expect("a fabric");
    let schedule = build(&Params::new(Collective::AllReduce, Algorithm::Ring, 8, 1 << 20)).expect("a ring");
    let placement: Vec<u32> = (0..8).collect();
    let (folding, protocol) = (Folding::none(8, String::new()), no_stack());
    let job = Job {
        fabric: &fabric,
        schedule: &*schedule,
        placement: &placement,
        folding: &folding,
        protocol: &protocol,
        workload: None,
        explicit: None,
        seed: 0,
        threads: 1,
        record_flows: false,
        record_links: false,
        time_limit_fs: None,
        skip: true,
    };
    let within = |cap| flow::run_within(&job, &Control::default(), cap).expect("no error");
    // each of 14 x 8 messages at least arrives and ends
    assert!(within(14 * 8).is_none());
    assert!(within(1_000_000).is_some());
}

#[test]
fn fidelity_follows_the_budget_and_says_why() {
    // direct all-to-all, not folded: 8 x 7 messages of 128 KiB = 32 packets over 2 links each is 3,584 hops
    let base = RunSpec {
        fidelity: Selection::Auto,
        fold: false,
        ..spec(switched(8), Collective::AllToAll, 1 << 20, Pick::Only(Algorithm::Direct))
    };
    let go = |budget_ns| simulate(&RunSpec { budget_ns, ..base.clone() }, &Control::default()).expect("a run");
    let packets = go(DEFAULT_BUDGET_NS);
    assert_eq!((packets.fidelity, packets.warnings.len()), (Fidelity::Packet, 0));
    // 3,584 x 60 ns + 56 x 500 ns + 16 ports x 500 ns = 251 us do not fit 200 us; 56 flows of 3 us each do
    let flows = go(200_000);
    assert_eq!(flows.fidelity, Fidelity::Flow);
    assert!(flows.warnings[0].starts_with("fidelity: flow, because packets would take about"), "{:?}", flows.warnings);
    let analytic = go(1_000);
    assert_eq!(analytic.fidelity, Fidelity::Analytic);
    assert!(analytic.warnings[0].contains("flows would take"), "{:?}", analytic.warnings);
}

#[test]
fn what_skips_is_tried_beyond_its_prediction() {
    // a ring of 64 by one link each: 126 steps, of which skipping leaves a few
    let base = RunSpec {
        fidelity: Selection::Auto,
        fold: false,
        ..spec(switched(64), Collective::AllReduce, 64 << 20, Pick::Only(Algorithm::Ring))
    };
    // 126 steps x 64 ranks x 256 packets x 2 links x 60 ns = 0.25 s by prediction
    let tried = RunSpec { budget_ns: 100_000_000, ..base.clone() };
    let o = simulate(&tried, &Control::default()).expect("a run");
    assert_eq!(o.fidelity, Fidelity::Packet);
    assert!(o.record.expect("packets").skipping.jumps > 0);
    let o = simulate(&RunSpec { skip: false, ..tried }, &Control::default()).expect("a run");
    assert_eq!(o.fidelity, Fidelity::Flow, "{:?}", o.warnings);
}

#[test]
fn memory_is_an_error_and_no_other_fidelity() {
    let base = RunSpec {
        fidelity: Selection::Auto,
        memory_limit: Some(1000),
        ..spec(switched(8), Collective::AllToAll, 1 << 20, Pick::Only(Algorithm::Direct))
    };
    let error = simulate(&base, &Control::default()).expect_err("1000 bytes are too few");
    assert_eq!(error.code(), "memory", "{error}");
}

/// More bytes never take less time because another algorithm is chosen.
#[test]
fn larger_messages_take_longer() {
    for system in [switched(16), system(12, vec![network("tree", 12, clos(&[4, 3], &[1, 2]), vec![1])])] {
        let mut before = 0;
        for bytes in (10..26).map(|p| 1u64 << p) {
            let o = simulate(&spec(system.clone(), Collective::AllReduce, bytes, Pick::Auto), &Control::default())
                .expect("a run");
            assert!(o.time_fs >= before, "{bytes} B take {} by {}, half of it {before}", o.time_fs, o.algorithm);
            before = o.time_fs;
        }
    }
}
