//! What one collective, point-to-point transfer or computation of a workload takes.

use super::*;

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
