//! A workload that skips and one that does not agree in every number, and iterations of loops are skipped where they should be.

use supernode_core::collective::{Algorithm, Collective};
use supernode_core::simulate::ProgramOutcome;
use supernode_core::spec::*;

use crate::common::*;
use crate::workloads::random::comparable;
use crate::workloads::{collective, compute, job, outcome, place, repeat, ring, row, spec};

const KIB: u64 = 1024;
const US: u64 = 1_000_000_000;

/// Runs it with and without skipping, and on several threads; returns what one thread skipped.
fn agree(spec: &mut ProgramSpec) -> ProgramOutcome {
    spec.skip = false;
    let full = outcome(spec);
    spec.skip = true;
    let mut first = None;
    for threads in [1, 3] {
        spec.threads = threads;
        let run = outcome(spec);
        assert_eq!(run.time_fs, full.time_fs, "{threads} threads, {:?}", run.record.skipping);
        for (a, b) in run.record.operations.iter().zip(&full.record.operations) {
            assert_eq!(a, b, "{threads} threads, {:?}", run.record.skipping);
        }
        assert_eq!(run.record.ranks, full.record.ranks, "{threads} threads, {:?}", run.record.skipping);
        assert_eq!(comparable(run.record.clone()), comparable(full.record.clone()), "{threads} threads");
        first.get_or_insert(run);
    }
    first.expect("a run")
}

fn looped(count: u32, body: Vec<NodeSpec>) -> ProgramSpec {
    let mut spec = spec(switched(8), vec![job("j", &[("dp", 4), ("tp", 2)], vec![repeat(count, body)])]);
    spec.record = vec![Table::Ranks, Table::Links];
    spec
}

#[test]
fn a_long_loop_costs_as_much_as_a_short_one() {
    let body = || {
        vec![
            compute(place("mm", "c", &[]), 10 * US),
            ring(place("ar", "c", &[]), 64 * KIB, &[]),
            collective(place("tp", "n", &[("mm", 0)]), Collective::AllGather, Algorithm::Direct, 8 * KIB, &["tp"]),
        ]
    };
    for fold in [true, false] {
        let mut long = looped(400, body());
        long.fold = fold;
        let run = agree(&mut long);
        let skipping = run.record.skipping;
        let (hops, short) = (run.record.packet_hops, outcome(&looped(10, body())).record.packet_hops);
        assert!(skipping.jumps > 0, "{skipping:?}");
        assert_eq!(hops, 40 * short);
        assert!(hops - skipping.packet_hops <= 3 * short, "{hops} {skipping:?} {short}");
        assert_eq!(row(&run, "ar").instances, 400 * 8);
    }
}

#[test]
fn loops_in_loops_and_waits_for_earlier_iterations_are_skipped() {
    let body = vec![
        compute(place("mm", "c", &[("ar", 2)]), 30 * US),
        ring(place("ar", "n", &[("mm", 0)]), 16 * KIB, &["dp"]),
        repeat(50, vec![ring(place("inner", "n", &[]), 4 * KIB, &["tp"])]),
    ];
    let mut nested = looped(30, body);
    let run = agree(&mut nested);
    assert!(run.record.skipping.jumps > 0, "{:?}", run.record.skipping);
}

#[test]
fn what_stands_still_beside_a_loop_ends_when_it_should() {
    // a computation and a pause of their own, which end in the middle of the loop
    let mut spec = looped(300, vec![ring(place("ar", "n", &[]), 16 * KIB, &[])]);
    let one = time(&switched(8), Collective::AllReduce, Algorithm::Ring, 16 * KIB);
    spec.jobs[0].body.insert(0, compute(place("long", "c", &[]), 100 * one + 7));
    spec.jobs[0].body.insert(1, NodeSpec::Delay { place: place("pause", "p", &[]), time_fs: 200 * one + 3 });
    spec.jobs[0].body.push(ring(place("last", "p", &[]), 4 * KIB, &["tp"]));
    let run = agree(&mut spec);
    assert!(run.record.skipping.jumps >= 2, "{:?}", run.record.skipping);
    assert_eq!(row(&run, "long").end_fs, 100 * one + 7);
}

#[test]
fn what_stands_still_may_end_at_any_moment_of_a_period() {
    // four ranks whose reductions are slower than their links, behind small buffers; the pause ends somewhere in an iteration
    let mesh = TopologySpec::FullMesh { dims: vec![4] };
    let mut machine = system(4, vec![network("mesh", 4, mesh, vec![1])]);
    machine.networks[0].buffer = Some(8192);
    machine.networks[0].links[0] = LinkSpec { rate: RATE, latency_fs: US / 4, medium: String::new() };
    machine.device.reduce_rate = Some(supernode_core::units::BitRate(160_000_000_000));
    let sum = |name: &str, stream: &str| {
        collective(place(name, stream, &[]), Collective::AllReduce, Algorithm::Direct, 16 * KIB, &[])
    };
    let mut jumps = 0;
    for quarter in 0..24u64 {
        let body = vec![
            repeat(24, vec![sum("x", "x")]),
            compute(place("long", "y", &[]), 50 * US + quarter * US / 4),
            repeat(24, vec![compute(place("short", "z", &[]), US / 2), sum("z", "z")]),
        ];
        let mut spec = spec(machine.clone(), vec![job("j", &[("r", 4)], body)]);
        (spec.record, spec.fold) = (vec![Table::Ranks, Table::Links], false);
        jumps += agree(&mut spec).record.skipping.jumps;
    }
    assert!(jumps >= 24, "{jumps}");
}

#[test]
fn rows_of_iterations_are_never_made_up() {
    let mut spec = looped(60, vec![ring(place("ar", "n", &[]), 1024 * KIB, &[])]);
    spec.record.push(Table::Iterations);
    let run = agree(&mut spec);
    assert_eq!(run.record.iterations.len(), 60);
    // inside messages it still skips
    assert!(run.record.skipping.jumps > 0, "{:?}", run.record.skipping);
}
