//! Streams, dependencies and roles: what begins when.

use supernode_core::record::IterationRecord;

use super::*;

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
