//! A run that skips and one that does not agree in every number, and skipping does happen where it should.

use crate::common::jobs::{ROUTINGS, comparable, dressed, jobs_on, shapes};
use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params, Schedule, build, valid_algorithms};
use supernode_core::control::Control;
use supernode_core::error::Error;
use supernode_core::record::Skipping;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

/// Asserts that skipping changes nothing, on one thread and several; returns what one thread skipped.
fn agree(run: impl Fn(bool, u32) -> Run, spec: &SystemSpec, params: &Params) -> Skipping {
    let full = run(false, 1).collective(spec, params).expect("a full run");
    assert_eq!(full.skipping.jumps, 0);
    let full = comparable(full);
    let mut skipped = None;
    for threads in [1, 2, 7] {
        let record = run(true, threads).collective(spec, params).expect("a skipping run");
        let skipping = record.skipping;
        let record = comparable(record);
        assert_eq!(full.finish_fs, record.finish_fs, "{threads} threads, {skipping:?}");
        assert_eq!(full.ranks, record.ranks, "{threads} threads, {skipping:?}");
        for (a, b) in full.links.iter().zip(&record.links) {
            assert_eq!(a, b, "{threads} threads, {skipping:?}");
        }
        for (a, b) in full.flows.iter().zip(&record.flows) {
            assert_eq!(a, b, "{threads} threads, {skipping:?}");
        }
        assert_eq!(full, record, "{threads} threads, {skipping:?}");
        skipped.get_or_insert(skipping);
    }
    skipped.unwrap_or_default()
}

/// Runs on tiny fabrics, most of them sprayed round robin, whose state repeats in the richest ways; some long enough to skip.
fn long_jobs() -> impl Strategy<Value = (SystemSpec, Params)> {
    let routings = [ROUTINGS.as_slice(), &[RoutingSpec::SprayRoundRobin; 3]].concat();
    let elements = prop_oneof![1u64..2000, 1u64..60_000, (1u64..40).prop_map(|k| k * 840 * 32), Just(1u64 << 19)];
    jobs_on(dressed(shapes(true), routings), elements)
}

/// How many cases: more than in every run, with `SKIP_CASES` in the environment.
fn cases(usual: u32) -> u32 {
    std::env::var("SKIP_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(150), ..ProptestConfig::default() })]

    #[test]
    fn skipping_changes_nothing((spec, params) in long_jobs(), seed: u64, flows: bool, step in 0u64..3) {
        let mut protocol = no_stack();
        protocol.step_fs = vec![step * 1_234_567_891; spec.networks.len()];
        protocol.hop_fs = vec![(seed % 2) * 987_654_321; spec.networks.len()];
        let run = |skip, threads| Run { skip, threads, seed, flows, protocol: protocol.clone(), ..Run::default() };
        let skipping = agree(run, &spec, &params);
        if std::env::var("SKIP_VERBOSE").is_ok() {
            println!("{} {} {} {} {skipping:?}", spec.networks[0].name, params.collective, params.algorithm, params.bytes);
        }
    }
}

/// A run without the table of flows.
fn plain(skip: bool, threads: u32) -> Run {
    Run { skip, threads, flows: false, ..Run::default() }
}

#[test]
fn a_ring_over_many_ranks_skips_steps() {
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 64, 64 * 32 * 1024);
    let skipping = agree(plain, &switched(64), &params);
    assert!(skipping.jumps >= 1, "{skipping:?}");
    // 126 steps of 64 ranks, each 8 packets over two links: most of them
    assert!(skipping.packet_hops > 126 * 64 * 8 * 2 / 2, "{skipping:?}");
}

#[test]
fn rings_on_a_torus_and_over_two_networks_skip_steps() {
    let spec = system(32, vec![network("torus", 32, torus(&[32]), vec![1])]);
    for algorithm in [Algorithm::Ring, Algorithm::TorusBucket] {
        let params = Params { dims: vec![32], ..Params::new(Collective::AllGather, algorithm, 32, 32 * 32 * 1024) };
        let skipping = agree(plain, &spec, &params);
        assert!(skipping.packet_hops > 31 * 32 * 8 / 3, "{algorithm} {skipping:?}");
    }
    let host = network("host", 4, clos(&[4], &[1]), vec![1, 1]);
    let spec = system(32, vec![host, network("pod", 32, clos(&[8, 4], &[1, 2]), vec![1])]);
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 32, 32 * 64 * 1024);
    let skipping = agree(plain, &spec, &params);
    assert!(skipping.jumps > 0, "{skipping:?}");
}

#[test]
fn a_long_message_is_skipped_inside() {
    let params = Params::new(Collective::SendRecv, Algorithm::Direct, 4, 64 << 20);
    for flows in [false, true] {
        let run = |skip, threads| Run { flows, ..plain(skip, threads) };
        let skipping = agree(run, &switched(4), &params);
        assert!(skipping.packet_hops > 4 * 2 * 16384 * 9 / 10, "{skipping:?}");
    }
}

#[test]
fn a_time_limit_stops_a_run_that_skips() {
    let params = Params::new(Collective::SendRecv, Algorithm::Direct, 4, 1 << 30);
    let full = plain(true, 1).collective(&switched(4), &params).expect("a run");
    for limit in [full.finish_fs / 3, full.finish_fs - 1_000_000_000] {
        for skip in [false, true] {
            let run = Run { time_limit_fs: Some(limit), ..plain(skip, 1) };
            let error = run.collective(&switched(4), &params).expect_err("too little time");
            assert!(matches!(error, Error::Timeout { .. }), "{error}");
        }
    }
    // credits still travel when the last rank has finished
    let run = Run { time_limit_fs: Some(full.finish_fs + 10 * LATENCY), ..plain(true, 2) };
    assert_eq!(run.collective(&switched(4), &params).expect("enough time").finish_fs, full.finish_fs);
}

#[test]
fn a_clock_that_would_pass_its_end_is_an_error() {
    let mut spec = switched(4);
    spec.networks[0].links[0].rate = BitRate(1_000_000);
    let params = Params::new(Collective::SendRecv, Algorithm::Direct, 4, 1 << 32);
    let error = plain(true, 1).collective(&spec, &params).expect_err("five hours are not enough");
    assert!(matches!(error, Error::Overflow { .. }), "{error}");
}

#[test]
fn a_run_that_skips_can_be_stopped() {
    let control = supernode_core::control::Control::default();
    control.cancel();
    let params = Params::new(Collective::SendRecv, Algorithm::Direct, 4, 1 << 30);
    let schedule = build(&params).expect("a schedule");
    let fabric = supernode_core::fabric::Fabric::new(&switched(4), &Control::default()).expect("a fabric");
    let folding = supernode_core::symmetry::Folding::none(schedule.ranks(), String::new());
    let job = supernode_core::engine::Job {
        folding: &folding,
        fabric: &fabric,
        schedule: &*schedule,
        placement: &[0, 1, 2, 3],
        protocol: &no_stack(),
        workload: None,
        explicit: None,
        seed: 0,
        threads: 2,
        record_flows: false,
        record_links: false,
        time_limit_fs: None,
        skip: true,
    };
    let error = supernode_core::engine::run(&job, &control).expect_err("stopped");
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
}

#[test]
fn what_cannot_be_skipped_says_why() {
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 16, 16 * 32 * 1024);
    let reason = |spec: &SystemSpec, run: Run| {
        let skipping = run.collective(spec, &params).expect("a run").skipping;
        assert_eq!(skipping.jumps, 0, "{skipping:?}");
        skipping.reason.unwrap_or_default()
    };
    assert!(reason(&switched(16), plain(false, 1)).contains("off"));
    assert!(reason(&switched(16), Run { flows: true, ..plain(true, 1) }).contains("flows"));
    let mut spec = switched(16);
    spec.networks[0].routing = RoutingSpec::SprayRandom;
    assert!(reason(&spec, plain(true, 1)).contains("random"));
}

/// All that a schedule says of a step, seen from that step.
fn meaning(s: &dyn Schedule, rank: u32, lane: u32, step: u32) -> impl PartialEq + std::fmt::Debug {
    let sends: Vec<_> = (0..s.sends(rank, lane, step))
        .map(|i| s.send(rank, lane, step, i))
        .map(|m| (m.to, m.bytes, i64::from(m.recv_step) - i64::from(step)))
        .collect();
    (sends, s.recvs(rank, lane, step))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(400), ..ProptestConfig::default() })]

    #[test]
    fn alike_steps_are_alike(
        collective in 0usize..10, algorithm: prop::sample::Index, shape in prop::collection::vec(1u32..5, 1..4),
        open: bool, pieces in 0u64..9, more in 0u64..3, lanes in 0u32..5,
    ) {
        let ranks = shape.iter().product::<u32>();
        let bytes = (pieces * 24 * u64::from(ranks) + more) * 4;
        let mut params = Params::new(Collective::ALL[collective], Algorithm::Ring, ranks, bytes);
        params.dims = shape.clone();
        params.wrap = vec![!open; shape.len()];
        params.levels = shape;
        params.lanes = (lanes > 0).then_some(lanes);
        let valid = valid_algorithms(&params, true);
        prop_assume!(!valid.is_empty());
        params.algorithm = valid[algorithm.index(valid.len())];
        let s = build(&params).expect("a schedule");
        for lane in 0..s.lanes() {
            let last = (0..ranks).map(|rank| s.steps(rank, lane)).max().unwrap_or(0);
            for step in 0..last {
                let alike = s.alike(lane, step);
                prop_assert!(alike.contains(&step));
                if alike.len() == 1 {
                    continue;
                }
                for other in alike.clone() {
                    prop_assert_eq!(s.alike(lane, other), alike.clone());
                    for rank in 0..ranks {
                        prop_assert!(other < s.steps(rank, lane), "{:?}", params);
                        prop_assert_eq!(
                            meaning(&*s, rank, lane, other), meaning(&*s, rank, lane, step), "{:?} {} {}", params, step, other
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn rings_and_buckets_have_alike_steps() {
    let alike = |algorithm, collective, shape: &[u32], step| {
        let ranks = shape.iter().product();
        let mut params = Params::new(collective, algorithm, ranks, 4 * 24 * u64::from(ranks));
        (params.dims, params.levels) = (shape.to_vec(), shape.to_vec());
        build(&params).expect("a schedule").alike(0, step)
    };
    assert_eq!(alike(Algorithm::Ring, Collective::AllReduce, &[8], 3), 0..7);
    assert_eq!(alike(Algorithm::Ring, Collective::AllReduce, &[8], 7), 7..14);
    assert_eq!(alike(Algorithm::Ring, Collective::AllGather, &[8], 6), 0..7);
    assert_eq!(alike(Algorithm::TorusBucket, Collective::AllReduce, &[4, 3], 1), 0..3);
    assert_eq!(alike(Algorithm::TorusBucket, Collective::AllReduce, &[4, 3], 4), 3..5);
    assert_eq!(alike(Algorithm::Hierarchical, Collective::AllGather, &[4, 3], 0), 0..2);
    assert_eq!(alike(Algorithm::Hierarchical, Collective::AllGather, &[4, 3], 2), 2..5);
}
