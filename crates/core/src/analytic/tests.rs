//! Closed forms of the literature, each with its sum: α a message, β a byte, p ranks, n bytes, one port, no overhead.
use super::*;
use crate::collective::{Algorithm, Collective, Params, build};
use crate::control::Control;
use crate::spec::SystemSpec;
use crate::symmetry::Folding;

const ALPHA: f64 = 1e9; // 400 + 200 + 400 ns
const BETA: f64 = 1e4; // 100 GB/s: 10 ps a byte

fn star(span: u32) -> String {
    format!(
        r#"{{"name": "sw", "span": {span}, "topology": {{"kind": "clos", "down": [{span}], "up": [1], "parallel": [1]}},
            "planes": [1], "links": [{{"rate": 800000000000, "latency_fs": 400000000}}],
            "switches": [{{"latency_fs": 200000000}}], "payload": 4096, "overhead": 0}}"#
    )
}

fn fabric(accelerators: u32, networks: &str) -> Fabric {
    let text = format!(r#"{{"name": "t", "accelerators": {accelerators}, "device": {{}}, "networks": [{networks}]}}"#);
    Fabric::new(&serde_json::from_str::<SystemSpec>(&text).unwrap(), &Control::default()).unwrap()
}

fn time(fabric: &Fabric, params: &Params) -> f64 {
    let networks = fabric.networks.len();
    let protocol = ProtocolSpec {
        name: "raw".into(),
        step_fs: vec![0; networks],
        wire_num: 1,
        wire_den: 1,
        ..ProtocolSpec::default()
    };
    let placement: Vec<u32> = (0..params.ranks).collect();
    let schedule = build(params).unwrap();
    let scene = Scene {
        fabric,
        schedule: &*schedule,
        placement: &placement,
        protocol: &protocol,
        root: params.root,
        seed: 0,
        control: &Control::default(),
    };
    predict(scene).unwrap().time_fs as f64
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found / expected - 1.0).abs() <= tolerance,
        "{what}: {found} fs, expected {expected} fs: {:+.3} %",
        100.0 * (found / expected - 1.0)
    );
}

#[test]
fn closed_forms_on_one_switch() {
    use Algorithm::*;
    use Collective::*;
    // 4096 bytes a piece and more, so that packets are full
    for p in [2u32, 8, 64, 256] {
        let n = f64::from(p) * 4096.0 * 16.0;
        let (q, lg) = (f64::from(p - 1), f64::from(p).log2());
        let rest = q / f64::from(p);
        let f = fabric(p, &star(p));
        let cases = [
            (AllReduce, Ring, 2.0 * q * ALPHA + 2.0 * n * rest * BETA),
            (AllGather, Ring, q * ALPHA + n * rest * BETA),
            (ReduceScatter, Ring, q * ALPHA + n * rest * BETA),
            (AllReduce, RecursiveDoubling, lg * (ALPHA + n * BETA)),
            (AllReduce, HalvingDoubling, 2.0 * lg * ALPHA + 2.0 * n * rest * BETA),
            (ReduceScatter, HalvingDoubling, lg * ALPHA + n * rest * BETA),
            (AllGather, RecursiveDoubling, lg * ALPHA + n * rest * BETA),
            (AllGather, Bruck, lg * ALPHA + n * rest * BETA),
            (AllToAll, Pairwise, q * ALPHA + n * rest * BETA),
            (AllToAll, Bruck, lg * ALPHA + n / 2.0 * lg * BETA),
            (AllToAll, Direct, ALPHA + n * rest * BETA),
            (AllGather, Direct, ALPHA + n * rest * BETA),
            (AllReduce, TwoShot, 2.0 * ALPHA + 2.0 * n * rest * BETA),
            (Broadcast, Binomial, lg * (ALPHA + n * BETA)),
            (Reduce, Binomial, lg * (ALPHA + n * BETA)),
            (Gather, Binomial, lg * ALPHA + n * rest * BETA),
            (Scatter, Binomial, lg * ALPHA + n * rest * BETA),
            (Gather, Direct, ALPHA + n * rest * BETA),
            (SendRecv, Direct, ALPHA + n * BETA),
        ];
        for (collective, algorithm, expected) in cases {
            let found = time(&f, &Params::new(collective, algorithm, p, n as u64));
            near(found, expected, 1e-6, &format!("{collective} {algorithm} p = {p}"));
        }
    }
}

#[test]
fn hierarchical_on_two_levels() {
    // L = 8 inside at 100 GB/s, N = 4 across at 100 GB/s: (2(L-1) + 2(N-1)) α + (2n(L-1)/L + 2(n/L)(N-1)/N) β
    let f = fabric(32, &format!("{}, {}", star(8), star(32).replace("\"sw\"", "\"out\"")));
    let n = 32.0 * 4096.0 * 16.0;
    let params =
        Params { levels: vec![8, 4], ..Params::new(Collective::AllReduce, Algorithm::Hierarchical, 32, n as u64) };
    let expected = 20.0 * ALPHA + (2.0 * n * 7.0 / 8.0 + 2.0 * n / 8.0 * 3.0 / 4.0) * BETA;
    near(time(&f, &params), expected, 1e-6, "hierarchical");
}

#[test]
fn buckets_on_a_torus() {
    let text = r#"{"name": "ici", "span": 64, "topology": {"kind": "torus", "dims": [8, 8], "wrap": [true, true]},
        "planes": [1], "links": [{"rate": 800000000000, "latency_fs": 1000000000}, {"rate": 800000000000, "latency_fs": 1000000000}],
        "switches": [{"latency_fs": 0}], "payload": 4096, "overhead": 0}"#;
    let f = fabric(64, text);
    let n = 64.0 * 4096.0 * 16.0;
    let params = Params {
        dims: vec![8, 8],
        wrap: vec![true, true],
        ..Params::new(Collective::AllReduce, Algorithm::TorusBucket, 64, n as u64)
    };
    // 2D(s-1)α + (n/D)(p-1)/p β with D = 2, s = 8
    let expected = 28.0 * ALPHA + n / 2.0 * 63.0 / 64.0 * BETA;
    near(time(&f, &params), expected, 1e-6, "torus bucket");
}

#[test]
fn an_oversubscribed_all_to_all_waits_for_its_uplinks() {
    let text = r#"{"name": "net", "span": 64, "topology": {"kind": "clos", "down": [8, 8], "up": [1, 2], "parallel": [1, 1]},
        "planes": [1], "links": [{"rate": 800000000000, "latency_fs": 200000000}, {"rate": 800000000000, "latency_fs": 200000000}],
        "switches": [{"latency_fs": 0}, {"latency_fs": 0}], "payload": 4096, "overhead": 0}"#;
    let f = fabric(64, text);
    let n = 64.0 * 4096.0 * 16.0;
    // 8 ranks send 56/64 of n each over 2 uplinks: 8 x 56/64 / 2 = 3.5 n, + 4 x 200 ns
    let found = time(&f, &Params::new(Collective::AllToAll, Algorithm::Direct, 64, n as u64));
    near(found, 3.5 * n * BETA + 0.8e9, 1e-2, "all-to-all");
}

#[test]
fn a_million_ranks_take_milliseconds_to_predict() {
    let f = fabric(1 << 20, &format!("{}, {}", star(64), star(1 << 20).replace("\"sw\"", "\"out\"").replace("[1048576]", "[1024, 1024]").replace(
        "\"up\": [1], \"parallel\": [1]", "\"up\": [1, 64], \"parallel\": [1, 1]").replace(
        "\"links\": [{\"rate\": 800000000000, \"latency_fs\": 400000000}]",
        "\"links\": [{\"rate\": 800000000000, \"latency_fs\": 400000000}, {\"rate\": 800000000000, \"latency_fs\": 400000000}]").replace(
        "\"switches\": [{\"latency_fs\": 200000000}]", "\"switches\": [{\"latency_fs\": 200000000}, {\"latency_fs\": 200000000}]")));
    let params = Params {
        levels: vec![64, 1 << 14],
        ..Params::new(Collective::AllReduce, Algorithm::Hierarchical, 1 << 20, 1 << 30)
    };
    assert!(time(&f, &params) > 0.0);
}

#[test]
fn samples_are_weighted_and_in_range() {
    for (total, count) in [(0, 4), (3, 4), (4, 4), (5, 4), (1000, 7), (u32::MAX, 32)] {
        let (picked, weight) = survey::sample(total, count);
        assert!((picked.len() as f64 * weight - f64::from(total)).abs() < 1e-6 * f64::from(total).max(1.0));
        assert!(picked.windows(2).all(|w| w[0] <= w[1]) && picked.iter().all(|&i| i < total), "{picked:?}");
    }
}

#[test]
fn links_of_a_graph_count_with_their_own_latency() {
    // accelerator 0 - switch 2 - switch 3 - accelerator 1: 1 ns, 1 ms, 1 ns
    let text = r#"{"name": "net", "span": 2, "topology": {"kind": "graph", "switches": 2, "edges": [[0, 2, 0, 1], [2, 3, 1, 1], [3, 1, 0, 1]]},
        "planes": [1], "links": [{"rate": 800000000000, "latency_fs": 1000000}, {"rate": 800000000000, "latency_fs": 1000000000000}],
        "switches": [{"latency_fs": 5000000}], "payload": 4096, "overhead": 0}"#;
    let found = time(&fabric(2, text), &Params::new(Collective::SendRecv, Algorithm::Direct, 2, 4096));
    // 2 x 1 ns + 1 ms + 2 switches of 5 ns + 4096 bytes
    near(found, 2e6 + 1e12 + 2.0 * 5e6 + 4096.0 * BETA, 1e-9, "a slow link between two fast ones");
}

#[test]
fn paths_of_a_graph_share_links() {
    // accelerators 0 and 1 at switch 4, 2 and 3 at switch 5, one link between the two: a pair of 1 MiB messages shares it
    let text = r#"{"name": "net", "span": 4, "topology": {"kind": "graph", "switches": 2,
        "edges": [[0, 4, 0, 1], [1, 4, 0, 1], [2, 5, 0, 1], [3, 5, 0, 1], [4, 5, 0, 1]]}, "planes": [1],
        "links": [{"rate": 800000000000, "latency_fs": 400000000}], "switches": [{"latency_fs": 0}], "payload": 4096, "overhead": 0}"#;
    let n = 4.0 * 4096.0 * 256.0;
    let found = time(&fabric(4, text), &Params::new(Collective::AllToAll, Algorithm::Direct, 4, n as u64));
    // two ranks send half of n each over the link: n, and 3 links of latency
    near(found, n * BETA + 3.0 * 0.4e9, 1e-6, "a shared link");
}

#[test]
fn a_twist_shortens_the_ways_of_a_torus() {
    let torus = |twist: &str| {
        let text = format!(
            r#"{{"name": "ici", "span": 32, "topology": {{"kind": "torus", "dims": [4, 8], "wrap": [true, true]{twist}}},
            "planes": [1], "links": [{{"rate": 800000000000, "latency_fs": 1000}}, {{"rate": 800000000000, "latency_fs": 1000}}],
            "switches": [{{"latency_fs": 0}}], "payload": 4096, "overhead": 0}}"#
        );
        let params = Params::new(Collective::AllToAll, Algorithm::Direct, 32, 32 * 65536);
        time(&fabric(32, &text), &params)
    };
    // 32 messages of 64 KiB per rank, 4 for each distance along the ring of 8. The fuller direction carries those of 1, 2 and
    // 3 hops, and of the 4 that go half way round those that begin with one hop in the other ring (2) and half of the others
    // (1), because only packets that have two first hops go both ways: 4 x (1 + 2 + 3) + 4 x (2 + 1) = 36 per link.
    let (plain, twisted) = (torus(""), torus(r#", "twist": [[0, 1]]"#));
    assert!((plain / (36.0 * 65536.0 * BETA) - 1.0).abs() < 1e-3, "{plain}");
    assert!(twisted < 0.95 * plain, "{twisted} with a twist, {plain} without");
}

#[test]
fn one_rank_of_each_class_takes_the_time_of_all() {
    // units of 8 below a network of 4 of them; sums are formed inside
    let adds = star(8).replace("200000000}", "200000000, \"in_network_reduce\": true}");
    let machines = [
        fabric(32, &format!("{}, {}", star(8), star(32).replace("\"sw\"", "\"out\""))),
        fabric(8, &adds),
        fabric(
            8,
            r#"{"name": "mesh", "span": 8, "topology": {"kind": "full_mesh", "dims": [8]}, "planes": [1],
            "links": [{"rate": 800000000000, "latency_fs": 1000000000}], "switches": [{"latency_fs": 0}], "payload": 4096, "overhead": 0}"#,
        ),
    ];
    let protocol = ProtocolSpec {
        name: "raw".into(),
        step_fs: vec![1_000_000; 2],
        wire_num: 1,
        wire_den: 1,
        ..ProtocolSpec::default()
    };
    let control = Control::default();
    let mut folded = 0;
    for f in &machines {
        let placement: Vec<u32> = (0..f.accelerators()).collect();
        for (collective, algorithm) in
            Collective::ALL.into_iter().flat_map(|c| Algorithm::ALL.into_iter().map(move |a| (c, a)))
        {
            let params = Params { levels: vec![8, 4], ..Params::new(collective, algorithm, f.accelerators(), 1 << 20) };
            let Ok(schedule) = build(&params) else { continue };
            let costs = leg::Costs::new(f, &*schedule, &placement, &protocol);
            let folding = Folding::new(f, &*schedule, &placement, false, &control).unwrap();
            if !folding.symmetric() {
                continue;
            }
            folded += 1;
            let time = |group: &Radix| forward::forward(&costs, &*schedule, group, schedule.lanes(), &control).unwrap();
            let what = format!("{collective} {algorithm} over {}", f.accelerators());
            // lanes that come to a port at the same instant may go in another order
            let tolerance = if schedule.lanes() > 1 { 0.01 } else { 1e-12 };
            near(time(folding.group()), time(&Radix::default()), tolerance, &what);
        }
    }
    assert!(folded > 20, "{folded} schedules were symmetric");
}
