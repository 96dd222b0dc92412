//! Traffic patterns, matrices of bytes and transfers between named ranks against closed forms and their definitions.

use supernode_core::bound::Bound;

use super::*;

fn pattern(name: &str, stream: &str, pattern: impl Into<PatternSpec>, bytes: u64, messages: u32) -> NodeSpec {
    NodeSpec::Pattern {
        place: place(name, stream, &[]),
        pattern: pattern.into(),
        bytes,
        messages,
        seed: 3,
        axes: vec![],
        groups: vec![],
        share_ppm: 0,
    }
}

fn transfer(name: &str, pairs: &[(u32, u32)], bytes: u64) -> NodeSpec {
    NodeSpec::Transfer { place: place(name, "s", &[]), pairs: pairs.to_vec(), bytes, share_ppm: 0 }
}

fn matrix(rows: &[[u64; 4]]) -> NodeSpec {
    let matrix = rows.iter().map(|row| row.to_vec()).collect();
    NodeSpec::Exchange { place: place("a", "s", &[]), matrix, axes: vec!["tp".into()], groups: vec![], share_ppm: 0 }
}

/// Bytes of each pair of source and destination, as the messages of the run say.
fn carried(run: &ProgramOutcome) -> BTreeMap<(u32, u32), u64> {
    let mut found = BTreeMap::new();
    for flow in run.folding.flows(&run.record) {
        *found.entry((flow.src, flow.dst)).or_default() += flow.bytes;
    }
    found
}

/// What the busiest port carries takes all of the time: the bound is the time itself, less rounding.
fn bounded(run: &ProgramOutcome) {
    let Bound { time_fs, kind } = run.bound;
    assert!(time_fs <= run.time_fs && time_fs + 10_000 > run.time_fs, "{time_fs} {}", run.time_fs);
    assert_eq!(kind, "injection");
}

const PACKET: u64 = 4096 * FS_PER_BYTE;

#[test]
fn a_shift_takes_one_message_at_a_time() {
    // every rank sends to another one: its link is busy with its own messages only, one after the other
    for (name, messages) in [(Pattern::Neighbour, 1), (Pattern::Neighbour, 5), (Pattern::Tornado, 3)] {
        let run = outcome(&spec(switched(8), vec![job("j", R8, vec![pattern("a", "s", name, 8 * 4096, messages)])]));
        assert_eq!(run.time_fs, u64::from(messages) * 8 * PACKET + ALPHA, "{name} {messages}");
        assert_eq!(run.folding.multiplicity(), 8, "{}", run.folding.reason());
        bounded(&run);
        let by = if name == Pattern::Neighbour { 1 } else { 3 };
        let sent = 8 * 4096 * u64::from(messages);
        assert_eq!(carried(&run), (0..8).map(|rank| ((rank, (rank + by) % 8), sent)).collect());
    }
}

#[test]
fn an_incast_takes_all_messages_through_one_link() {
    let one = PatternSpec { target: 2, ..Pattern::Incast.into() };
    for messages in [1, 4] {
        let body = vec![pattern("a", "s", one.clone(), 16 * 4096, messages)];
        let run = outcome(&spec(switched(8), vec![job("j", R8, body)]));
        assert_eq!(run.time_fs, 7 * 16 * u64::from(messages) * PACKET + ALPHA);
        bounded(&run);
        let all = 16 * 4096 * u64::from(messages);
        assert_eq!(carried(&run), (0..8).filter(|&rank| rank != 2).map(|rank| ((rank, 2), all)).collect());
    }
}

#[test]
fn what_is_drawn_does_not_depend_on_how_it_is_run() {
    for name in [Pattern::Uniform, Pattern::RandomPermutation, Pattern::Transpose] {
        let body = vec![pattern("a", "s", name, 10_000, 3), ring(place("b", "t", &[]), 64 * KIB, &[])];
        let system = system(16, vec![network("torus", 16, torus(&[4, 4]), vec![1])]);
        let mut spec = spec(system, vec![job("j", &[("r", 16)], body)]);
        let run = outcome(&spec);
        assert!(!run.folding.applied(), "{name}");
        assert!(run.bound.time_fs <= run.time_fs, "{:?} {}", run.bound, run.time_fs);
        (spec.threads, spec.fold) = (3, false);
        let other = outcome(&spec);
        assert_eq!((run.time_fs, &run.record.flows), (other.time_fs, &other.record.flows), "{name}");
        spec.fidelity = Selection::Only(Fidelity::Flow);
        assert_eq!(carried(&outcome(&spec)), carried(&run), "{name}");
    }
}

#[test]
fn shifts_fold_beside_other_operations() {
    for system in [switched(12), system(12, vec![network("torus", 12, torus(&[12]), vec![1])])] {
        let body = vec![
            pattern("a", "s", Pattern::Tornado, 30_000, 3),
            pattern("b", "t", Pattern::Neighbour, 9_000, 7),
            ring(place("c", "u", &[]), 64 * KIB, &[]),
        ];
        let mut spec = spec(system, vec![job("j", &[("r", 12)], body)]);
        for fidelity in [Fidelity::Packet, Fidelity::Flow] {
            (spec.fidelity, spec.fold) = (Selection::Only(fidelity), true);
            let run = outcome(&spec);
            // packets change virtual channels at one place of a ring, fluids do not
            let folds = fidelity == Fidelity::Flow || spec.system.networks[0].name != "torus";
            assert_eq!(run.folding.applied(), folds, "{}", run.folding.reason());
            spec.fold = false;
            let full = outcome(&spec);
            assert_eq!((run.time_fs, &run.record.operations), (full.time_fs, &full.record.operations));
        }
    }
}

#[test]
fn a_matrix_sends_what_it_says_in_every_communicator() {
    let rows = [[0, 4096, 0, 8192], [0, 0, 0, 0], [100, 0, 0, 0], [4096, 4096, 4096, 9]];
    let run = outcome(&spec(switched(8), vec![job("j", &[("dp", 2), ("tp", 4)], vec![matrix(&rows)])]));
    let mut expected = BTreeMap::new();
    for (group, from, to) in (0..2u32).flat_map(|g| (0..16u32).map(move |pair| (4 * g, pair / 4, pair % 4))) {
        let bytes = rows[from as usize][to as usize];
        if from != to && bytes > 0 {
            expected.insert((group + from, group + to), bytes);
        }
    }
    assert_eq!(carried(&run), expected);
    // rank 3 sends three packets; to rank 1 the second one, behind nothing
    let equal = [[7, 4096, 4096, 4096], [4096, 7, 4096, 4096], [4096, 4096, 7, 4096], [4096, 4096, 4096, 7]];
    let run = outcome(&spec(switched(8), vec![job("j", &[("dp", 2), ("tp", 4)], vec![matrix(&equal)])]));
    assert_eq!(run.time_fs, time(&switched(4), Collective::AllToAll, Algorithm::Direct, 4 * 4096));
}

#[test]
fn a_transfer_concerns_its_ranks_only() {
    let body = vec![transfer("a", &[(6, 1)], 4 * 4096), compute(place("b", "s", &[]), US)];
    let run = outcome(&spec(switched(8), vec![job("j", R8, body)]));
    let one = 4 * PACKET + ALPHA;
    assert_eq!((row(&run, "a").ranks, row(&run, "a").end_fs), (2, one));
    let computed: Vec<_> = run.record.operations.iter().filter(|row| row.operation == 1).collect();
    // the others compute at once, the source when its last byte has left, the destination when it has come
    let times: Vec<_> = computed.iter().map(|row| (row.ranks, row.start_fs, row.end_fs)).collect();
    assert_eq!(times, [(6, 0, US), (2, 4 * PACKET, one + US)]);
    // two sources share the link of one destination
    let run = outcome(&spec(switched(8), vec![job("j", R8, vec![transfer("a", &[(6, 1), (3, 1), (1, 6)], 4096)])]));
    assert_eq!(run.time_fs, 2 * PACKET + ALPHA);
    bounded(&run);
    assert_eq!(carried(&run), BTreeMap::from([((6, 1), 4096), ((3, 1), 4096), ((1, 6), 4096)]));
}

#[test]
fn ranks_that_differ_in_time_are_not_folded() {
    let body = |jitter_ppm, slow_ppm| {
        let step = place("step", "c", &[]);
        vec![
            NodeSpec::Compute { place: step, work_fs: 10 * US, jitter_ppm, slow_ppm, seed: 1 },
            ring(place("sum", "s", &[("step", 0)]), 64 * KIB, &[]),
        ]
    };
    let one = time(&switched(8), Collective::AllReduce, Algorithm::Ring, 64 * KIB);
    let run = |body| outcome(&spec(switched(8), vec![job("j", R8, body)]));
    assert!(run(body(0, vec![])).folding.applied());
    // all wait for the slowest: a ring cannot end before a whole turn after its last rank has begun
    let slow = run(body(0, vec![(5, 2_000_000)]));
    assert!(!slow.folding.applied());
    assert_eq!(row(&slow, "step").end_fs, 20 * US);
    assert!((20 * US + one / 2..=20 * US + one).contains(&slow.time_fs), "{} {one}", slow.time_fs);
    let varied = run(body(200_000, vec![]));
    let step = *row(&varied, "step");
    assert!((9 * US..=11 * US).contains(&u64::try_from(step.time_fs / 8).unwrap()), "{step:?}");
    assert!(step.end_fs > 10 * US && step.end_fs <= 12 * US, "the slowest of eight: {step:?}");
    assert_eq!(varied.record.operations, run(body(200_000, vec![])).record.operations);
    assert!(varied.bound.time_fs <= varied.time_fs);
}

#[test]
fn mistakes_of_traffic_are_named() {
    let run = |body| error(&spec(switched(8), vec![job("j", &[("dp", 2), ("tp", 4)], body)]));
    let on = |value: u32, body| NodeSpec::On { axis: "dp".into(), values: vec![value], body };
    let cases: Vec<(Vec<NodeSpec>, &str)> = vec![
        (vec![pattern("a", "s", Pattern::Transpose, 1, 1)], "operation \"a\": pattern: transpose among 8 ranks"),
        (vec![pattern("a", "s", Pattern::Neighbour, 0, 1)], "operation \"a\": size: 0"),
        (vec![pattern("a", "s", Pattern::Neighbour, 1, 0)], "operation \"a\": messages: 0"),
        (vec![on(0, vec![pattern("a", "s", Pattern::Neighbour, 1, 1)])], "no axis \"dp\" inside"),
        (
            vec![transfer("a", &[(0, 8)], 1)],
            "operation \"a\": destination: rank 8 is not valid; ranks of the job, 0 to 7",
        ),
        (vec![transfer("a", &[(2, 2)], 1)], "operation \"a\": source: 0 to itself"),
        (vec![on(0, vec![transfer("a", &[(0, 4)], 1)])], "operation \"a\": destination: rank 4"),
        (vec![matrix(&[[0; 4]; 4])], "operation \"a\": matrix: 0"),
        (vec![matrix(&[[5, 0, 0, 0], [0; 4], [0; 4], [0; 4]])], "operation \"a\": matrix: nothing"),
        (vec![matrix(&[[1; 4]; 3])], "operation \"a\": matrix: 3 rows is not valid; a square matrix of 4 rows"),
        (
            vec![NodeSpec::Compute {
                place: place("a", "s", &[]),
                work_fs: 1,
                jitter_ppm: 0,
                slow_ppm: vec![(8, 5)],
                seed: 0,
            }],
            "operation \"a\": slow_ranks: rank 8",
        ),
        (vec![compute(place("a", "s", &[]), u64::MAX)], "operation \"a\": duration: 18446744073709 ns"),
    ];
    for (body, wanted) in cases {
        let found = run(body);
        assert!(found.contains(wanted), "{found}\nshould say {wanted}");
    }
}
