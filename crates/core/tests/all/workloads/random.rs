//! Random workloads: folded, skipped and on any number of threads as in full.
//!
//! One set of 1,000. Of these, at least 60 % overlap operations, 30 % fold and 30 % jump, which is asserted. To get there, some have long
//! loops and some long messages. `PROPTEST_RNG_SEED` draws another set.

use proptest::prelude::*;
use proptest::test_runner::Config;
use supernode_core::record::Record;

use super::*;

/// A machine of `n` accelerators.
pub(crate) fn machine(kind: u8, n: u32) -> SystemSpec {
    match kind {
        0 => switched(n),
        1 => system(n, vec![network("mesh", n, TopologySpec::FullMesh { dims: vec![n] }, vec![1])]),
        2 => system(n, vec![network("torus", n, torus(&[n / 2, 2]), vec![1])]),
        _ => {
            let mut tree = network("tree", n, clos(&[n / 2, 2], &[1, n / 2]), vec![1]);
            tree.transport.latency_fs = 2_345_678_901;
            tree.transport.per_message_fs = 123_456_789;
            system(n, vec![network("switch", 2, clos(&[2], &[1]), vec![2]), tree])
        }
    }
}

/// One random operation: kind, size, axes, stream, and which of those before it waits for.
pub(crate) type Random = (u8, u64, u8, u8, Option<u8>);

/// What is long in a workload, so that there is something to skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Long {
    Nothing,
    Loops,
    Messages,
}

/// A random workload: what is long in it, its operations, and a loop around some of them (from, how many, how often).
fn workloads() -> impl Strategy<Value = (Long, Vec<Random>, (usize, usize, u32))> {
    let operations = |sizes: std::ops::Range<u64>, count: std::ops::Range<usize>| {
        prop::collection::vec((0u8..8, sizes, 0u8..3, 0u8..3, prop::option::of(0u8..4)), count)
    };
    let long = prop::sample::select(vec![30u32, 80]);
    prop_oneof![
        3 => (Just(Long::Nothing), operations(1..40_000, 2..6), (0usize..4, 1usize..4, 1u32..4)),
        3 => (Just(Long::Loops), operations(1..40_000, 2..5), (0usize..2, 1usize..4, long)),
        4 => (Just(Long::Messages), operations(200_000..2_000_000, 2..4), (0usize..2, 1usize..3, 1u32..3)),
    ]
}

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
            6 => NodeSpec::Pattern {
                place: at.clone(),
                pattern: Pattern::Neighbour.into(),
                bytes: size,
                messages: 2,
                seed: 0,
                axes: axes.iter().map(|axis| (*axis).to_string()).collect(),
                groups: vec![],
                share_ppm: 0,
            },
            7 => make(Collective::AllToAll, Algorithm::Direct),
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

/// All tables of a run in full that a folded one must expand to.
fn expanded(run: &ProgramOutcome) -> impl PartialEq + std::fmt::Debug {
    let record = &run.record;
    (
        (run.time_fs, run.folding.ranks(record), run.folding.flows(record), run.folding.links(&run.fabric, record)),
        (record.levels.clone(), record.operations.clone(), record.iterations.clone()),
        (record.packet_hops, record.sent_bytes, record.received_bytes),
    )
}

/// One run of a workload: folded or in full, with skipping or without, on so many threads.
fn run(spec: &ProgramSpec, fold: bool, skip: bool, threads: u32) -> ProgramOutcome {
    outcome(&ProgramSpec { fold, skip, threads, ..spec.clone() })
}

#[test]
fn folded_skipped_and_on_any_number_of_threads_as_in_full() {
    use std::cell::Cell;
    let [all, overlapping, folded, jumped, loops_jumped] = [const { Cell::new(0u32) }; 5];
    let count = |counter: &Cell<u32>, one: bool| counter.set(counter.get() + u32::from(one));
    let shapes = prop::sample::select(vec![(4u32, 2u32), (2, 4), (2, 2)]);
    let config = Config { cases: 1000, failure_persistence: None, ..Config::default() };
    proptest!(config, |(kind in 0u8..4, (dp, tp) in shapes, workload in workloads(), rows: bool, seed in 0u64..4)| {
        let (long, operations, loops) = workload;
        let body = body(&operations, loops, kind == 0);
        let mut spec = spec(machine(kind, dp * tp), vec![job("j", &[("dp", dp), ("tp", tp)], body)]);
        spec.seed = seed;
        spec.record = vec![Table::Ranks, Table::Links];
        if rows && long != Long::Loops {
            // rows that a jump over iterations or steps would have to make up forbid it
            spec.record.extend([Table::Flows, Table::Iterations]);
        }
        let full = run(&spec, false, false, 1);
        let usual = run(&spec, true, true, 1);
        let meets = |a: &OperationRecord, b: &OperationRecord| {
            a.operation != b.operation && a.start_fs < b.end_fs && b.start_fs < a.end_fs
        };
        let rows = &full.record.operations;
        count(&all, true);
        count(&overlapping, rows.iter().any(|a| rows.iter().any(|b| meets(a, b))));
        count(&folded, usual.folding.applied());
        count(&jumped, usual.record.skipping.jumps > 0);
        count(&loops_jumped, usual.record.skipping.jumps > 0 && long == Long::Loops);
        prop_assert!(full.bound.time_fs <= full.time_fs, "{:?} above {}", full.bound, full.time_fs);
        prop_assert_eq!(expanded(&usual), expanded(&full));
        // as they are, rows of folded runs are of classes of ranks
        for (fold, skip, threads) in [(true, false, 2), (true, true, 2), (false, true, 7), (false, false, 7)] {
            let other = run(&spec, fold, skip, threads).record;
            let same = if fold { &usual.record } else { &full.record };
            prop_assert_eq!(comparable(other), comparable(same.clone()), "{} {} {}", fold, skip, threads);
        }
    });
    let [all, overlapping, folded, jumped, loops_jumped] =
        [all, overlapping, folded, jumped, loops_jumped].map(Cell::into_inner);
    println!("{overlapping} of {all} overlap, {folded} fold, {jumped} jump, {loops_jumped} of these over loops");
    assert!(10 * overlapping >= 6 * all, "{overlapping} of {all} overlap operations");
    assert!(10 * folded >= 3 * all, "{folded} of {all} fold");
    assert!(10 * jumped >= 3 * all, "{jumped} of {all} jump");
    assert!(20 * loops_jumped >= all, "{loops_jumped} of {all} jump over loops");
}
