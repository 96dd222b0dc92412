//! Random workloads: folded, in full and on any number of threads alike.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
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
            system(n, vec![network("switch", 2, clos(&[2], &[1]), vec![2]), tree])
        }
    }
}

/// Random operations, so many.
pub(crate) fn operations(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Random>> {
    prop::collection::vec((0u8..8, 1u64..40_000, 0u8..3, 0u8..3, prop::option::of(0u8..4)), count)
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

#[test]
fn folded_in_full_and_on_any_number_of_threads_alike() {
    use std::cell::Cell;
    let (all, overlapping, folded) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let operation = (0u8..8, 1u64..40_000, 0u8..3, 0u8..3, prop::option::of(0u8..4));
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
