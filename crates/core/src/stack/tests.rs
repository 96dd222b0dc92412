//! What is chosen, and why not.

use std::sync::LazyLock;

use super::*;
use crate::control::Control;
use crate::spec::{Fidelity, Pick};

/// Nothing is simulated.
fn purse() -> Purse {
    Purse { left_ns: 0, finest: Fidelity::Analytic, fold: true, skip: true }
}

fn stack(protocols: &str) -> StackSpec {
    serde_json::from_str(&format!(r#"{{"name": "s", "protocols": {protocols}}}"#)).unwrap()
}

fn machine(span: u32, outer: Option<u32>, reduce: bool) -> Fabric {
    let net = |name: &str, span: u32, gbs: u64, reduce: bool| {
        format!(
            r#"{{"name": "{name}", "span": {span}, "topology": {{"kind": "clos", "down": [{span}], "up": [1], "parallel": [1]}},
                "planes": [1], "links": [{{"rate": {}, "latency_fs": 400000000}}],
                "switches": [{{"latency_fs": 200000000, "in_network_reduce": {reduce}}}], "payload": 4096, "overhead": 0}}"#,
            gbs * 8_000_000_000
        )
    };
    let mut networks = vec![net("inner", span, 400, reduce)];
    networks.extend(outer.map(|n| net("outer", n, 50, false)));
    let text = format!(
        r#"{{"name": "t", "accelerators": {}, "device": {{}}, "networks": [{}]}}"#,
        outer.unwrap_or(span),
        networks.join(",")
    );
    Fabric::new(&serde_json::from_str(&text).unwrap(), &Control::default()).unwrap()
}

fn task<'a>(fabric: &'a Fabric, placement: &'a [u32], stack: &'a StackSpec, bytes: u64) -> Task<'a> {
    static CONTROL: LazyLock<Control> = LazyLock::new(Control::default);
    let (collective, element) = (Collective::AllReduce, 4);
    Task {
        fabric,
        placement,
        collective,
        bytes,
        element,
        root: 0,
        lanes: None,
        chunks: None,
        hierarchy: None,
        sums: true,
        unit_sums: true,
        seed: 0,
        stack,
        control: &CONTROL,
    }
}

const ONE: &str = r#"[{"name": "raw", "step_fs": [0, 0]}]"#;

#[test]
fn small_is_latency_and_large_is_bandwidth() {
    let (f, s) = (machine(8, None, false), stack(ONE));
    let placement: Vec<u32> = (0..8).collect();
    let small = task(&f, &placement, &s, 64).choose(Pick::Auto, &mut purse()).unwrap();
    assert_eq!(small.algorithm, Algorithm::Direct, "one hop");
    let large = task(&f, &placement, &s, 1 << 30).choose(Pick::Auto, &mut purse()).unwrap();
    assert_eq!(large.algorithm, Algorithm::TwoShot, "2(p-1)/p n in two hops");
}

#[test]
fn combining_switches_are_used_where_they_join_all() {
    let (f, s) = (machine(8, Some(32), true), stack(ONE));
    let placement: Vec<u32> = (0..32).collect();
    assert!(task(&f, &placement[..8], &s, 1 << 20).in_network());
    let named = task(&f, &placement[..8], &s, 1 << 30).choose(Pick::Only(Algorithm::InNetwork), &mut purse()).unwrap();
    assert_eq!(named.algorithm, Algorithm::InNetwork);
    let wide = task(&f, &placement, &s, 1 << 20);
    assert!(!wide.in_network());
    assert_eq!(wide.params(Algorithm::Ring).levels, [8, 4]);
    let error = wide.choose(Pick::Only(Algorithm::InNetwork), &mut purse()).unwrap_err();
    assert!(error.code() == "algorithm" && error.to_string().contains("hierarchical"), "{error}");
    // ranks of one unit are a flat group, in any order
    let params = |placement: &[u32]| {
        let p = task(&f, placement, &s, 1 << 20).params(Algorithm::Ring);
        (p.levels, p.nodes)
    };
    assert_eq!(params(&[1, 0, 2, 3]), (vec![4], vec![]));
    // parts of units that hold equally many are levels, in any order
    assert_eq!(params(&[0, 1, 2, 8, 9, 10]), (vec![3, 2], vec![]));
    assert_eq!(params(&[30, 0, 9, 1, 28, 10]), (vec![2, 3], vec![]));
    // one rank of each unit, or units that hold different numbers
    assert_eq!(params(&[0, 8, 16, 24]), (vec![4], vec![]));
    assert_eq!(params(&placement[..12]), (vec![12], vec![8, 4]));
}

#[test]
fn protocols_are_restricted() {
    let f = machine(8, None, false);
    let placement: Vec<u32> = (0..8).collect();
    let s = stack(
        r#"[{"name": "fast", "step_fs": [0, 0], "wire_num": 2, "wire_den": 1, "max_bytes": 65536},
            {"name": "wide", "step_fs": [5000000000, 0], "algorithms": ["ring"]}]"#,
    );
    assert_eq!(
        task(&f, &placement, &s, 1024).choose(Pick::Only(Algorithm::Ring), &mut purse()).unwrap().protocol.name,
        "fast"
    );
    assert_eq!(task(&f, &placement, &s, 1 << 20).choose(Pick::Auto, &mut purse()).unwrap().algorithm, Algorithm::Ring);
    let error = task(&f, &placement, &s, 1 << 20).choose(Pick::Only(Algorithm::TwoShot), &mut purse()).unwrap_err();
    assert!(error.code() == "spec" && error.to_string().contains("at most 65536 bytes"), "{error}");

    let rows = task(&f, &placement, &s, 1 << 20).candidates(Pick::Auto, &mut purse()).unwrap().candidates;
    assert!(rows[0].valid && rows[0].algorithm == Algorithm::Ring && rows[0].protocol == "wide", "{:?}", rows[0]);
    assert!(rows[1..].iter().all(|r| !r.valid && !r.reason.is_empty()));
    assert!(rows.iter().any(|r| r.algorithm == Algorithm::TorusBucket && r.reason.contains("torus")));
    // every algorithm once, and each protocol of those that can run
    assert!(Algorithm::ALL.iter().all(|a| rows.iter().any(|r| r.algorithm == *a)));
}

#[test]
fn auto_takes_the_least_prediction() {
    let (f, s) = (machine(8, Some(32), false), stack(ONE));
    let placement: Vec<u32> = (0..32).collect();
    for bytes in [64, 1 << 14, 1 << 20, 1 << 28] {
        let t = task(&f, &placement, &s, bytes);
        let best = t.choose(Pick::Auto, &mut purse()).unwrap();
        let rows = t.candidates(Pick::Auto, &mut purse()).unwrap().candidates;
        assert_eq!(rows[0].time_fs, Some(best.prediction.time_fs));
        assert_eq!(rows[0].algorithm, best.algorithm);
    }
}

/// Femtoseconds per byte at 400 and at 50 GB/s.
const INNER: u64 = 2_500;
const OUTER: u64 = 20_000;

#[test]
fn a_ring_takes_its_last_chunk_in() {
    let f = machine(8, None, false);
    let placement: Vec<u32> = (0..8).collect();
    let s = stack(r#"[{"name": "p", "launch_fs": 7, "step_fs": [1000], "chunk": 1024, "channels": 4}]"#);
    let launch = |bytes, algorithm| {
        let task = task(&f, &placement, &s, bytes);
        task.fitted(algorithm, 1, &s.protocols[0]).launch_fs
    };
    // an eighth of the message at the full rate, and a step
    assert_eq!(launch(8 << 10, Algorithm::Ring), 7 + 1000 + (1 << 10) * INNER);
    // at most a chunk of each channel
    assert_eq!(launch(1 << 20, Algorithm::Ring), 7 + 1000 + (4 << 10) * INNER);
    assert_eq!(launch(1 << 20, Algorithm::Direct), 7);
    let chosen = task(&f, &placement, &s, 1 << 20).choose(Pick::Only(Algorithm::Ring), &mut purse()).unwrap();
    assert_eq!(chosen.protocol.launch_fs, 7 + 1000 + (4 << 10) * INNER);
}

#[test]
fn chunks_of_trees_arrive_at_the_rate_of_their_channel() {
    let f = machine(8, Some(16), false);
    let placement: Vec<u32> = (0..16).collect();
    let s = stack(r#"[{"name": "p", "step_fs": [0, 0], "hop_fs": [5, 6], "chunk": 1024}]"#);
    let hops = |bytes, lanes, algorithm| {
        task(&f, &placement, &s, bytes).fitted(algorithm, lanes, &s.protocols[0]).hop_fs.clone()
    };
    // 16 channels of 8 heads; a channel has 64 KiB, in 64 messages of a chunk: 15 chunks more inside, one more outside
    assert_eq!(hops(1 << 20, 1024, Algorithm::DoubleBinaryTree), [5 + 15 * 1024 * INNER, 6 + 1024 * OUTER]);
    // less than a chunk per channel, in one message each
    assert_eq!(hops(16 * 100, 16, Algorithm::DoubleBinaryTree), [5 + 15 * 100 * INNER, 6 + 100 * OUTER]);
    // messages longer than the library's chunk have taken that time already
    assert_eq!(hops(1 << 30, 16, Algorithm::DoubleBinaryTree), [5, 6]);
    assert_eq!(hops(1 << 20, 1, Algorithm::Ring), [5, 6]);
    // inside one node it is a tree over ranks
    assert_eq!(
        task(&f, &placement[..8], &s, 1 << 20).fitted(Algorithm::DoubleBinaryTree, 2, &s.protocols[0]).hop_fs,
        [5, 6]
    );
}
