//! Runs of many operations against closed forms, and against each other: folded, in full, on any number of threads.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use supernode_core::collective::{Algorithm, Collective};
use supernode_core::control::Control;
use supernode_core::record::{IterationRecord, OperationRecord, Record};
use supernode_core::simulate::{Fabrics, ProgramOutcome, program};
use supernode_core::spec::*;

use crate::common::*;

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
    NodeSpec::Compute { place, work_fs }
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
        algorithms: std::collections::BTreeMap::new(),
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

const R8: &[(&str, u32)] = &[("r", 8)];
const KIB: u64 = 1024;
const US: u64 = 1_000_000_000;

#[test]
fn one_operation_takes_what_the_collective_takes() {
    for (algorithm, bytes) in
        [(Algorithm::Ring, 64 * KIB), (Algorithm::DoubleBinaryTree, 4 * KIB), (Algorithm::Direct, 100)]
    {
        for system in [switched(8), system(8, vec![network("torus", 8, torus(&[4, 2]), vec![1])])] {
            let alone = time(&system, Collective::AllReduce, algorithm, bytes);
            let body = vec![collective(place("a", "s", &[]), Collective::AllReduce, algorithm, bytes, &[])];
            let run = outcome(&spec(system, vec![job("j", R8, body)]));
            assert_eq!(run.time_fs, alone, "{algorithm} {bytes}");
            assert_eq!((row(&run, "a").end_fs, row(&run, "a").instances), (alone, 8));
        }
    }
}

#[test]
fn operations_of_one_stream_add_up() {
    let one = time(&switched(8), Collective::AllReduce, Algorithm::Ring, 64 * KIB);
    let body = vec![
        ring(place("a", "s", &[]), 64 * KIB, &[]),
        compute(place("b", "s", &[]), 7 * US),
        ring(place("c", "s", &[]), 64 * KIB, &[]),
        NodeSpec::Delay { place: place("d", "s", &[]), time_fs: 3 * US },
    ];
    let run = outcome(&spec(switched(8), vec![job("j", R8, body)]));
    assert_eq!(run.time_fs, 2 * one + 10 * US);
    assert_eq!((row(&run, "b").start_fs, row(&run, "c").start_fs), (one, one + 7 * US));
    // computation hides nothing of what comes before or after it
    assert_eq!(row(&run, "c").exposed_fs, row(&run, "c").time_fs);
}

#[test]
fn a_loop_is_as_long_as_its_iterations() {
    let one = time(&switched(8), Collective::AllReduce, Algorithm::Ring, 64 * KIB);
    let body = vec![repeat(
        3,
        vec![repeat(2, vec![ring(place("a", "s", &[]), 64 * KIB, &[])]), compute(place("b", "s", &[]), US)],
    )];
    let run = outcome(&spec(switched(8), vec![job("j", R8, body)]));
    assert_eq!(run.time_fs, 6 * one + 3 * US);
    assert_eq!((row(&run, "a").instances, row(&run, "b").instances), (48, 24));
    assert_eq!(row(&run, "a").time_fs, 48 * u128::from(one));
}

#[test]
fn launch_and_step_latencies_are_paid_per_operation() {
    let stack = ProtocolSpec { launch_fs: 5 * US, step_fs: vec![US], ..no_stack() };
    let bytes = 64 * KIB;
    let mut spec = spec(switched(8), vec![job("j", R8, vec![repeat(4, vec![ring(place("a", "s", &[]), bytes, &[])])])]);
    spec.stack.protocols = vec![stack.clone()];
    let params = supernode_core::collective::Params::new(Collective::AllReduce, Algorithm::Ring, 8, bytes);
    let one = Run { protocol: stack, ..Run::default() }.collective(&switched(8), &params).unwrap().finish_fs;
    assert_eq!(outcome(&spec).time_fs, 4 * one);
}

#[test]
fn rings_that_share_links_take_twice_as_long() {
    let bytes = 64 << 20;
    let one = time(&switched(8), Collective::AllReduce, Algorithm::Ring, bytes);
    let body = vec![ring(place("a", "s", &[]), bytes, &[]), ring(place("b", "t", &[]), bytes, &[])];
    let mut spec = spec(switched(8), vec![job("j", R8, body)]);
    spec.record = vec![];
    for fidelity in [Fidelity::Packet, Fidelity::Flow] {
        spec.fidelity = Selection::Only(fidelity);
        let ratio = outcome(&spec).time_fs as f64 / one as f64;
        assert!((ratio - 2.0).abs() < 0.02, "{fidelity}: {ratio}");
    }
}

#[test]
fn a_port_serves_operations_in_turn() {
    // 16 packets of 81.92 us each to one rank, and 4 beside them: the short one has to wait for as many of the long one only
    let send = |name: &str, stream: &str, to: &str, packets: u64| NodeSpec::Send {
        place: place(name, stream, &[]),
        axis: "r".into(),
        by: 1,
        wrap: false,
        bytes: packets * 4096,
        to: to.into(),
        share_ppm: 0,
    };
    let receive = |name: &str, stream: &str, packets: u64| NodeSpec::Receive {
        place: place(name, stream, &[]),
        axis: "r".into(),
        by: -1,
        wrap: false,
        bytes: packets * 4096,
        share_ppm: 0,
    };
    let on = |value: u32, body| NodeSpec::On { axis: "r".into(), values: vec![value], body };
    let body = vec![
        on(0, vec![send("long", "s", "r-long", 16), send("short", "t", "r-short", 4)]),
        on(1, vec![receive("r-long", "s", 16), receive("r-short", "t", 4)]),
    ];
    let run = outcome(&spec(switched(2), vec![job("j", &[("r", 2)], body)]));
    let packet = 4096 * FS_PER_BYTE;
    assert_eq!(row(&run, "r-long").end_fs, 20 * packet + ALPHA);
    assert_eq!(row(&run, "r-short").end_fs, 8 * packet + ALPHA);
}

#[test]
fn disjoint_operations_do_not_touch_each_other() {
    // four groups of two on one switch, and two jobs on halves of the machine
    let groups = vec![ring(place("a", "s", &[]), 64 * KIB, &["tp"])];
    let run = outcome(&spec(switched(8), vec![job("j", &[("dp", 4), ("tp", 2)], groups)]));
    assert_eq!(run.time_fs, time(&switched(2), Collective::AllReduce, Algorithm::Ring, 64 * KIB));
    assert_eq!(run.folding.multiplicity(), 8);
    let body = |bytes| vec![ring(place("a", "s", &[]), bytes, &[])];
    let four = &[("r", 4)];
    let jobs = vec![job("one", four, body(64 * KIB)), job("two", four, body(4 * KIB))];
    let run = outcome(&spec(switched(8), jobs));
    let of = |job: u32| run.record.operations.iter().find(|row| row.operation == job).unwrap().end_fs;
    assert_eq!(of(0), time(&switched(4), Collective::AllReduce, Algorithm::Ring, 64 * KIB));
    assert_eq!(of(1), time(&switched(4), Collective::AllReduce, Algorithm::Ring, 4 * KIB));
}

#[test]
fn switches_form_the_sums_of_every_communicator() {
    let bytes = 64 * KIB;
    for (axes, group) in [(["tp"].as_slice(), 4), (["dp"].as_slice(), 2), (["dp", "tp"].as_slice(), 8)] {
        for fidelity in [Fidelity::Packet, Fidelity::Flow] {
            let params =
                supernode_core::collective::Params::new(Collective::AllReduce, Algorithm::InNetwork, group, bytes);
            let fluid = fidelity == Fidelity::Flow;
            let alone = Run { fluid, ..Run::default() }.collective(&switched(group), &params).unwrap().finish_fs;
            let body = vec![collective(place("a", "s", &[]), Collective::AllReduce, Algorithm::InNetwork, bytes, axes)];
            let mut spec = spec(switched(8), vec![job("j", &[("dp", 2), ("tp", 4)], body)]);
            spec.fidelity = Selection::Only(fidelity);
            let run = outcome(&spec);
            assert_eq!(run.time_fs, alone, "{axes:?} {fidelity}");
        }
    }
}

#[test]
fn sums_fold_where_planes_turn_with_the_ranks() {
    for (dp, tp, planes) in [(3, 2, 3), (4, 3, 6), (3, 2, 2), (9, 8, 18)] {
        for axes in [["dp"].as_slice(), &["tp"]] {
            let n = dp * tp;
            let system = system(n, vec![network("switch", n, clos(&[n], &[1]), vec![1; planes])]);
            let sum = |name: &str, axes: &[&str]| {
                collective(place(name, "s", &[]), Collective::AllReduce, Algorithm::InNetwork, 100 * KIB, axes)
            };
            let body = vec![sum("a", axes), sum("b", &["tp"])];
            let mut spec = spec(system, vec![job("j", &[("dp", dp), ("tp", tp)], body)]);
            let run = outcome(&spec);
            spec.fold = false;
            assert!(run.folding.applied(), "{}", run.folding.reason());
            assert_eq!(run.time_fs, outcome(&spec).time_fs, "{dp} {tp} {planes} {axes:?}");
        }
    }
}

#[test]
fn only_members_of_listed_groups_execute() {
    let mut body = vec![ring(place("a", "s", &[]), 64 * KIB, &[]), compute(place("b", "s", &[]), US)];
    if let NodeSpec::Collective { groups, .. } = &mut body[0] {
        *groups = vec![vec![6, 1]];
    }
    let run = outcome(&spec(switched(8), vec![job("j", R8, body)]));
    let one = time(&switched(2), Collective::AllReduce, Algorithm::Ring, 64 * KIB);
    assert_eq!((row(&run, "a").ranks, row(&run, "a").instances, row(&run, "a").end_fs), (2, 2, one));
    let computed: Vec<_> = run.record.operations.iter().filter(|row| row.operation == 1).collect();
    assert_eq!(computed.iter().map(|row| (row.ranks, row.end_fs)).collect::<Vec<_>>(), [(6, US), (2, one + US)]);
}

#[test]
fn what_no_rank_executes_bounds_nothing() {
    let on = |value: u32, body| NodeSpec::On { axis: "dp".into(), values: vec![value], body };
    let never = on(0, vec![on(1, vec![ring(place("never", "s", &[]), 1 << 30, &["tp"])])]);
    let body = vec![never, compute(place("b", "s", &[]), US)];
    let run = outcome(&spec(switched(8), vec![job("j", &[("dp", 4), ("tp", 2)], body)]));
    assert_eq!((run.time_fs, run.bound.time_fs), (US, US));
}

#[test]
fn who_waits_for_ever_is_named() {
    let on = |value: u32, body| NodeSpec::On { axis: "r".into(), values: vec![value], body };
    let half = |name: &str, by: i64, to: Option<&str>| {
        let (axis, wrap, bytes, share_ppm) = ("r".to_string(), false, 8, 0);
        let place = place(name, "s", &[]);
        match to {
            Some(to) => NodeSpec::Send { place, axis, by, wrap, bytes, to: to.into(), share_ppm },
            None => NodeSpec::Receive { place, axis, by, wrap, bytes, share_ppm },
        }
    };
    // both receive before they send
    let body = vec![
        on(0, vec![half("r0", 1, None), half("s0", 1, Some("r1"))]),
        on(1, vec![half("r1", -1, None), half("s1", -1, Some("r0"))]),
    ];
    let mut spec = spec(switched(2), vec![job("j", &[("r", 2)], body)]);
    for fidelity in [Fidelity::Packet, Fidelity::Flow] {
        spec.fidelity = Selection::Only(fidelity);
        assert!(error(&spec).contains("rank 0 (operation \"r0\", iteration 0, lane 0, step 0)"), "{}", error(&spec));
    }
}

#[test]
fn a_loop_that_takes_no_time_can_be_stopped() {
    let body = vec![repeat(1 << 31, vec![compute(place("c", "s", &[]), 0)])];
    let mut spec = spec(switched(2), vec![job("j", &[("r", 2)], body)]);
    for fidelity in [Fidelity::Packet, Fidelity::Flow] {
        spec.fidelity = Selection::Only(fidelity);
        let control = Control::default();
        let failed = std::thread::scope(|scope| {
            let run = scope.spawn(|| program(&Fabrics::new(0), &spec, &control));
            std::thread::sleep(std::time::Duration::from_millis(100));
            control.cancel();
            run.join().expect("no panic").expect_err("stopped")
        });
        assert_eq!(failed.code(), "interrupted");
    }
}

#[test]
fn computation_beside_a_collective_is_free_unless_it_takes_the_device() {
    let one = time(&switched(8), Collective::AllReduce, Algorithm::Ring, 64 * KIB);
    let with = |share| {
        let mut a = ring(place("a", "s", &[]), 64 * KIB, &[]);
        if let NodeSpec::Collective { share_ppm, .. } = &mut a {
            *share_ppm = share;
        }
        let body = vec![a, compute(place("b", "t", &[]), 2 * one)];
        outcome(&spec(switched(8), vec![job("j", R8, body)]))
    };
    let free = with(0);
    assert_eq!((free.time_fs, row(&free, "a").exposed_fs), (2 * one, 0));
    // half of the device while the collective runs: half of that time is lost
    assert_eq!(with(500_000).time_fs, 2 * one + one / 2);
}

#[test]
fn a_stream_waits_for_others_and_for_earlier_iterations() {
    let one = time(&switched(8), Collective::AllReduce, Algorithm::Ring, 64 * KIB);
    // iteration i of the collective hides behind computation i + 1, which needs the collective of iteration i - 1
    let body = |previous| {
        let compute = compute(place("mm", "c", &[("ar", previous)]), 2 * one);
        vec![repeat(10, vec![compute, ring(place("ar", "n", &[("mm", 0)]), 64 * KIB, &[])])]
    };
    let run = |previous| outcome(&spec(switched(8), vec![job("j", R8, body(previous))]));
    assert_eq!(run(2).time_fs, 10 * 2 * one + one);
    assert_eq!(run(1).time_fs, 10 * (2 * one + one)); // nothing overlaps
    assert_eq!(row(&run(2), "ar").exposed_fs, 8 * u128::from(one)); // the last one, on 8 ranks
}

#[test]
fn a_pipeline_fills_and_drains() {
    // two stages, four microbatches of 10 us, one packet between: (4 + 1) stages and the transfer
    let on = |value: u32, body| NodeSpec::On { axis: "pp".into(), values: vec![value], body };
    let send = NodeSpec::Send {
        place: place("send", "n", &[("f0", 0)]),
        axis: "pp".into(),
        by: 1,
        wrap: false,
        bytes: 4096,
        to: "recv".into(),
        share_ppm: 0,
    };
    let receive = NodeSpec::Receive {
        place: place("recv", "n", &[]),
        axis: "pp".into(),
        by: -1,
        wrap: false,
        bytes: 4096,
        share_ppm: 0,
    };
    let body = vec![repeat(
        4,
        vec![
            on(0, vec![compute(place("f0", "c", &[]), 10 * US), send]),
            on(1, vec![receive, compute(place("f1", "c", &[("recv", 0)]), 10 * US)]),
        ],
    )];
    let run = outcome(&spec(switched(8), vec![job("j", &[("pp", 2), ("tp", 4)], body)]));
    assert_eq!(run.time_fs, 50 * US + ALPHA + 4096 * FS_PER_BYTE);
    assert_eq!(run.folding.multiplicity(), 4, "the tensor axis folds: {}", run.folding.reason());
}

#[test]
fn one_rank_of_each_role_keeps_every_instance() {
    // two stages: the first computes 10 us at a time, the second 25 us and an all-reduce of its four ranks beside the next
    let one = time(&switched(4), Collective::AllReduce, Algorithm::Ring, 64 * KIB);
    let stage = |value: u32, body| NodeSpec::On { axis: "pp".into(), values: vec![value], body };
    let body = vec![repeat(
        3,
        vec![
            stage(0, vec![compute(place("f0", "c", &[]), 10 * US)]),
            stage(
                1,
                vec![compute(place("f1", "c", &[]), 25 * US), ring(place("sum", "n", &[("f1", 0)]), 64 * KIB, &["tp"])],
            ),
        ],
    )];
    let mut spec = spec(switched(8), vec![job("j", &[("pp", 2), ("tp", 4)], body)]);
    assert_eq!(outcome(&spec).record.iterations, [], "nobody asked");
    spec.record.push(Table::Iterations);
    let row = |operation, rank, iteration, start_fs, took, exposed_fs| IterationRecord {
        operation,
        role: u32::from(rank >= 4),
        rank,
        iteration,
        start_fs,
        end_fs: start_fs + took,
        exposed_fs,
    };
    let instances = |operation: u32| (0..3).map(move |k| (operation, k, u64::from(k)));
    let first = instances(0).map(|(o, k, i)| row(o, 0, k, i * 10 * US, 10 * US, 0));
    let second = instances(1).map(|(o, k, i)| row(o, 4, k, i * 25 * US, 25 * US, 0));
    let sums = instances(2).map(|(o, k, i)| row(o, 4, k, (i + 1) * 25 * US, one, if k < 2 { 0 } else { one }));
    let expected: Vec<_> = first.chain(second).chain(sums).collect();
    for fold in [true, false] {
        for threads in [1, 3] {
            (spec.fold, spec.threads) = (fold, threads);
            let run = outcome(&spec);
            assert_eq!((run.folding.applied(), &run.record.iterations), (fold, &expected));
        }
    }
    spec.fidelity = Selection::Only(Fidelity::Flow);
    let flows = [true, false].map(|fold| {
        spec.fold = fold;
        outcome(&spec).record.iterations
    });
    assert_eq!(flows[0], flows[1]);
    let named = |rows: &[IterationRecord]| rows.iter().map(|r| (r.operation, r.rank, r.iteration)).collect::<Vec<_>>();
    assert_eq!(named(&flows[0]), named(&expected));
}

#[test]
fn mistakes_are_named() {
    let run = |body| error(&spec(switched(8), vec![job("j", &[("dp", 4), ("tp", 2)], body)]));
    let a = || ring(place("a", "s", &[]), KIB, &[]);
    let cases: Vec<(Vec<NodeSpec>, &str)> = vec![
        (vec![ring(place("a", "s", &[]), KIB, &["pp"])], "operation \"a\": axes: \"pp\" is not valid; one of dp, tp"),
        (vec![a(), a()], "operation \"a\": name: twice"),
        (
            vec![ring(place("a", "s", &[("b", 0)]), KIB, &[]), ring(place("b", "t", &[]), KIB, &[])],
            "\"b\", which comes later",
        ),
        (vec![ring(place("a", "s", &[("x", 0)]), KIB, &[])], "operation \"a\": after: \"x\""),
        (vec![ring(place("a", "s", &[("a", 1)]), KIB, &[])], "a loop that holds both"),
        (vec![NodeSpec::On { axis: "dp".into(), values: vec![4], body: vec![] }], "on dp: 4 is not valid; 0 to 3"),
        (
            vec![NodeSpec::On {
                axis: "dp".into(),
                values: vec![0],
                body: vec![ring(place("a", "s", &[]), KIB, &["dp"])],
            }],
            "no axis \"dp\" inside",
        ),
        (vec![repeat(1 << 21, vec![a()])], "steps of the workload"),
        (vec![repeat(1 << 16, vec![repeat(1 << 16, vec![compute(place("c", "s", &[]), 1)])])], "nested loops"),
    ];
    for (body, wanted) in cases {
        let found = run(body);
        assert!(found.contains(wanted), "{found}\nshould say {wanted}");
    }
    let mut wrong = spec(switched(8), vec![job("j", R8, vec![a()]), job("k", &[("r", 1)], vec![])]);
    assert!(error(&wrong).contains("9 ranks"), "{}", error(&wrong));
    wrong.jobs[1].name = "j".into();
    wrong.jobs[0].axes[0].size = 7;
    assert!(error(&wrong).contains("a name of its own"), "{}", error(&wrong));
    wrong.jobs[1].name = "k".into();
    wrong.jobs[1].placement = Some(vec![3]);
    assert!(error(&wrong).contains("accelerator 3"), "{}", error(&wrong));
    wrong.fidelity = Selection::Only(Fidelity::Analytic);
    assert!(error(&wrong).contains("analytic"), "{}", error(&wrong));
}

/// A machine of `n` accelerators.
pub(crate) fn machine(kind: u8, n: u32) -> SystemSpec {
    match kind {
        0 => switched(n),
        1 => system(n, vec![network("mesh", n, TopologySpec::FullMesh { dims: vec![n] }, vec![1])]),
        2 => system(n, vec![network("torus", n, torus(&[n / 2, 2]), vec![1])]),
        _ => {
            let tree = network("tree", n, clos(&[n / 2, 2], &[1, n / 2]), vec![1]);
            system(n, vec![network("switch", 2, clos(&[2], &[1]), vec![2]), tree])
        }
    }
}

/// Random operations, so many.
pub(crate) fn operations(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Random>> {
    prop::collection::vec((0u8..7, 1u64..40_000, 0u8..3, 0u8..3, prop::option::of(0u8..4)), count)
}

/// One random operation: kind, size, axes, stream, and which of those before it waits for.
pub(crate) type Random = (u8, u64, u8, u8, Option<u8>);

pub(crate) fn body(operations: &[Random], loops: (usize, usize, u32), sums: bool) -> Vec<NodeSpec> {
    let name = |i: usize| format!("o{i}");
    let mut nodes = vec![];
    for (i, &(kind, size, axes, stream, after)) in operations.iter().enumerate() {
        let after = after.filter(|_| i > 0).map(|back| name(i - 1 - usize::from(back) % i));
        let after: Vec<(&str, u32)> = after.as_deref().map(|name| (name, 0)).into_iter().collect();
        let at = place(&name(i), &format!("s{stream}"), &after);
        let axes: &[&str] = [&["dp"][..], &["tp"], &["dp", "tp"]][usize::from(axes) % 3];
        let make = |c, a| collective(at.clone(), c, a, size, axes);
        nodes.push(match kind {
            0 => make(Collective::AllReduce, Algorithm::Ring),
            1 => make(Collective::AllGather, Algorithm::Direct),
            2 => make(Collective::AllToAll, Algorithm::Pairwise),
            3 => make(Collective::AllReduce, Algorithm::RecursiveDoubling),
            6 => make(Collective::AllToAll, Algorithm::Direct),
            5 if sums => make(Collective::AllReduce, Algorithm::InNetwork),
            _ => compute(at.clone(), size * FS_PER_BYTE),
        });
    }
    let (from, to) = (loops.0.min(nodes.len()), (loops.0 + loops.1).min(nodes.len()));
    let inner: Vec<NodeSpec> = nodes.drain(from..to).collect();
    nodes.insert(from, repeat(loops.2, inner));
    nodes
}

pub(crate) fn comparable(mut record: Record) -> Record {
    (record.windows, record.threads, record.state_bytes) = (0, 0, 0);
    record.skipping = Default::default();
    record
}

#[test]
fn folded_in_full_and_on_any_number_of_threads_alike() {
    use std::cell::Cell;
    let (all, overlapping, folded) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let operation = (0u8..6, 1u64..40_000, 0u8..3, 0u8..3, prop::option::of(0u8..4));
    let workloads =
        (0u8..4, prop::sample::select(vec![(4u32, 2u32), (2, 4), (2, 2)]), prop::collection::vec(operation, 2..6));
    let loops = (0usize..4, 1usize..4, 1u32..4);
    let cases = 1000;
    let config = Config { cases, rng_seed: RngSeed::Fixed(12), failure_persistence: None, ..Config::default() };
    proptest!(config, |((kind, (dp, tp), operations) in workloads, loops in loops, seed in 0u64..4)| {
        let body = body(&operations, loops, kind == 0);
        let mut spec = spec(machine(kind, dp * tp), vec![job("j", &[("dp", dp), ("tp", tp)], body)]);
        spec.seed = seed;
        spec.record.push(Table::Iterations);
        let run = outcome(&spec);
        let rows = &run.record.operations;
        let meets = |a: &OperationRecord, b: &OperationRecord| a.operation != b.operation && a.start_fs < b.end_fs && b.start_fs < a.end_fs;
        all.set(all.get() + 1);
        overlapping.set(overlapping.get() + u32::from(rows.iter().any(|a| rows.iter().any(|b| meets(a, b)))));
        folded.set(folded.get() + u32::from(run.folding.applied()));
        prop_assert!(run.bound.time_fs <= run.time_fs, "{:?} above {}", run.bound, run.time_fs);
        spec.fold = false;
        for threads in [1, 7] {
            spec.threads = threads;
            let full = outcome(&spec);
            prop_assert_eq!(full.time_fs, run.time_fs);
            prop_assert_eq!(run.folding.ranks(&run.record), full.folding.ranks(&full.record));
            prop_assert_eq!(run.folding.flows(&run.record), full.folding.flows(&full.record));
            prop_assert_eq!(&run.record.levels, &full.record.levels);
            prop_assert_eq!(&run.record.operations, &full.record.operations);
            prop_assert_eq!(&run.record.iterations, &full.record.iterations);
        }
        spec.fold = true;
        spec.threads = 2;
        prop_assert_eq!(comparable(outcome(&spec).record), comparable(run.record));
    });
    let (all, overlapping, folded) = (all.get(), overlapping.get(), folded.get());
    assert!(10 * overlapping >= 6 * all, "{overlapping} of {all} overlap operations");
    assert!(10 * folded >= 3 * all, "{folded} of {all} fold");
}
