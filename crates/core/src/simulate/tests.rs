//! From a specification to an outcome, without the packet engine.
use super::*;
use crate::control::Control;
use Selection::{Auto, Only};

fn spec(extra: &str) -> RunSpec {
    parse(&text(extra), None).unwrap()
}

fn text(extra: &str) -> String {
    format!(
        r#"{{"system": {{"name": "pair", "accelerators": 16, "device": {{}}, "networks": [{{"name": "nv", "span": 8,
             "topology": {{"kind": "clos", "down": [8], "up": [1], "parallel": [1]}}, "planes": [1],
             "links": [{{"rate": 800000000000, "latency_fs": 400000000}}], "switches": [{{"latency_fs": 200000000}}],
             "payload": 4096, "overhead": 0}}]}}, "ranks": 8, "fidelity": "analytic",
            "stack": {{"name": "none", "protocols": [{{"name": "raw", "step_fs": [0]}}]}}, {extra}}}"#
    )
}

fn go(extra: &str) -> Outcome {
    simulate(&spec(extra), &Control::default()).unwrap()
}

#[test]
fn a_ring_by_hand() {
    let o = go(r#""collective": "AllReduce", "bytes": 524288, "algorithm": "ring""#);
    // 14 (1 us + 64 KiB / 100 GB/s) = 14 us + 9.17504 us
    assert_eq!(o.time_fs, 14_000_000_000 + 9_175_040_000);
    // n / t = 524288 B / 23.17504 us = 22.62 GB/s, busbw x 14/8
    assert!(
        (o.algbw_gbytes_s - 524_288.0 / 23_175.04).abs() < 1e-9
            && (o.busbw_gbytes_s - o.algbw_gbytes_s * 1.75).abs() < 1e-9
    );
    assert_eq!((o.effective.collective, o.effective.algorithm), (Collective::AllReduce, Pick::Only(Algorithm::Ring)));
    assert!(o.bound.time_fs <= o.time_fs && o.warnings.is_empty(), "{:?} {:?}", o.bound, o.warnings);
    assert_eq!(o.bottleneck, "propagation latency, 60 % of the time");
}

#[test]
fn options_without_effect_are_named() {
    let cases = [
        (r#""collective": "barrier", "bytes": 8"#, "bytes has no effect"),
        (r#""collective": "all_gather", "bytes": 1000"#, "rounded to 896"),
        (r#""collective": "all_reduce", "bytes": 1024, "root": 3"#, "root has no effect"),
        (r#""collective": "all_reduce", "bytes": 1024, "seed": 3"#, "seed has no effect"),
        (r#""collective": "all_reduce", "bytes": 1024, "placement": [0,1,2,3,4,5,6,7]"#, "placement has no effect"),
        (r#""collective": "all_reduce", "bytes": 1024, "algorithm": "ring", "budget_ns": 3"#, "budget has no effect"),
        (r#""collective": "all_reduce", "bytes": 1024, "record": ["links"]"#, "record has no effect"),
        (r#""collective": "all_reduce", "bytes": 1024, "threads": 2"#, "threads has no effect"),
        (r#""collective": "barrier", "bytes": 0, "lanes": 2"#, "lanes has no effect"),
    ];
    for (extra, expected) in cases {
        let warnings = go(extra).warnings;
        assert!(warnings.iter().any(|w| w.contains(expected)), "{expected} not in {warnings:?}");
    }
}

#[test]
fn what_cannot_be_done_is_a_typed_error() {
    let fail = |extra: &str, code: &str, expected: &str| {
        let error = simulate(&spec(extra), &Control::default()).unwrap_err();
        assert!(error.code() == code && error.to_string().contains(expected), "{error:?}");
    };
    fail(r#""collective": "all_reduce", "bytes": 64, "placement": [0,1,2,3,4,5,6,8]"#, "unroutable", "accelerator 8");
    fail(r#""collective": "all_reduce", "bytes": 64, "algorithm": "torus_bucket""#, "algorithm", "two_shot");
    let mut huge = spec(r#""collective": "send_recv", "bytes": 4503599627370496"#);
    huge.fidelity = Only(Fidelity::Packet);
    let error = Plan::new(&huge, &Control::default()).map(|_| ()).unwrap_err();
    assert!(error.code() == "overflow" && error.to_string().contains("packets of one message"), "{error}");
    let mut big = spec(r#""collective": "all_to_all", "bytes": 1048576, "record": ["flows"], "memory_limit": 1000"#);
    big.fidelity = Only(Fidelity::Packet);
    let error = Plan::new(&big, &Control::default()).unwrap_err();
    assert!(error.code() == "memory" && error.to_string().contains("flows"), "{error}");
    // nor does memory decide how closely a run is looked at
    big.record.clear();
    big.fidelity = Auto;
    assert_eq!(Plan::new(&big, &Control::default()).unwrap_err().code(), "memory");
}

/// The error of a run with a memory limit.
fn too_large(s: &RunSpec) -> String {
    let error = Plan::new(s, &Control::default()).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "memory", "{error}");
    error.to_string()
}

/// Ranks on one switch, all to all, with 3 MiB allowed.
fn wide(ranks: u32, record: &[&str], fidelity: &str) -> RunSpec {
    let mut s = spec(r#""collective": "all_to_all", "bytes": 65536, "algorithm": "direct", "memory_limit": 3145728"#);
    (s.system.accelerators, s.bytes) = (ranks, u64::from(ranks) * 64);
    s.system.networks[0].span = ranks;
    s.system.networks[0].topology =
        crate::spec::TopologySpec::Clos { down: vec![ranks], up: vec![1], parallel: vec![1], rails: 1 };
    s.ranks = None;
    s.record = record.iter().map(|r| Table::parse(r).unwrap()).collect();
    (s.fidelity, s.fold) = (Only(Fidelity::parse(fidelity).unwrap()), false);
    s
}

#[test]
fn what_would_need_less_is_named_in_order() {
    let mut s = wide(4096, &["levels", "links", "flows"], "packet");
    let text = too_large(&s);
    let remedies =
        ["fold=True (", "leave flows out", "record levels instead of links", "fidelity \"analytic\"", "fewer ranks"];
    let found: Vec<_> = remedies.iter().map(|r| text.find(r)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{text}");
    assert!(text.starts_with("the run with its tables links, flows needs about "), "{text}");
    // folded, it fits
    s.fold = true;
    assert!(Plan::new(&s, &Control::default()).unwrap().folding.applied());
}

#[test]
fn only_what_helps_is_named() {
    // nothing recorded: fewer rows help nothing
    let text = too_large(&wide(4096, &["levels", "ranks"], "packet"));
    assert!(text.contains("fold=True") && !text.contains("record"), "{text}");
    // flows do not fold, packets do
    let text = too_large(&wide(8192, &["levels"], "flow"));
    assert!(text.contains("fidelity \"packet\" with fold=True (") && !text.contains("record"), "{text}");
    // flows need less than packets where few messages meet many links
    let mut s = wide(4096, &[], "packet");
    (s.collective, s.algorithm, s.bytes) = (Collective::AllReduce, Pick::Only(Algorithm::RecursiveDoubling), 1 << 20);
    let text = too_large(&s);
    assert!(text.contains("fidelity \"flow\" ("), "{text}");
    // a broadcast has no symmetry
    let mut s = wide(8192, &["links"], "packet");
    (s.collective, s.algorithm) = (Collective::Broadcast, Pick::Only(Algorithm::Binomial));
    let text = too_large(&s);
    assert!(!text.contains("fold=True") && text.contains("record levels instead of links"), "{text}");
    // folded already
    let mut s = wide(8192, &["flows"], "packet");
    (s.fold, s.memory_limit) = (true, Some(1000));
    let text = too_large(&s);
    assert!(!text.contains("fold=True") && text.contains("leave flows out"), "{text}");
}

#[test]
fn memory_is_checked_before_anything_large_is_made() {
    let mut s = wide(4096, &["flows"], "packet");
    (s.system.accelerators, s.system.networks[0].span, s.bytes) = (1 << 20, 1 << 20, 64 << 20);
    s.system.networks[0].topology = crate::spec::TopologySpec::Clos {
        down: vec![128, 128, 64],
        up: vec![1, 128, 128],
        parallel: vec![1; 3],
        rails: 1,
    };
    let (link, switch) = (s.system.networks[0].links[0].clone(), s.system.networks[0].switches[0].clone());
    (s.system.networks[0].links, s.system.networks[0].switches) = (vec![link; 3], vec![switch; 3]);
    s.memory_limit = Some(1 << 30);
    let text = too_large(&s);
    // 2^40 messages: had anything been made of them, this would not return
    assert!(text.contains("fold=True") && text.contains("leave flows out"), "{text}");
}

#[test]
fn rows_of_links_count_only_if_they_are_kept() {
    let bytes = |record: &[&str]| {
        let mut s = wide(1024, record, "packet");
        s.memory_limit = None;
        Plan::new(&s, &Control::default()).unwrap().memory_bytes()
    };
    assert_eq!(bytes(&["levels", "ranks"]), bytes(&[]));
    assert!(bytes(&["links"]) > bytes(&[]) && bytes(&["links"]) == bytes(&["switches"]));
}

#[test]
fn bytes_are_read_by_people() {
    let texts = [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (3 << 30, "3 GiB"), (u64::MAX, "16777216.0 TiB")];
    for (bytes, text) in texts {
        assert_eq!(memory::binary(bytes), text);
    }
}

#[test]
fn slow_reduce_channels_are_named() {
    let mut s = spec(r#""collective": "all_reduce", "bytes": 16777216, "algorithm": "ring""#);
    s.system.device.reduce_rate = Some(crate::units::BitRate(8_000_000_000));
    s.fidelity = Only(Fidelity::Packet);
    let o = simulate(&s, &Control::default()).unwrap();
    assert!(o.bottleneck.starts_with("reduce channels"), "{}", o.bottleneck);
}

#[test]
fn auto_fidelity_follows_the_budget() {
    let mut s = spec(r#""collective": "all_to_all", "bytes": 1048576, "algorithm": "direct""#);
    s.fidelity = Auto;
    // 8 x 7 messages of 128 KiB = 32 packets over 2 links each, 60 ns each, and 500 ns per message; folded, one rank's. Every one
    // of 2 x 16 ports of the machine takes 500 ns if nothing is folded, every one of the quotient's 2 x 1 otherwise
    for (fold, ranks, ports) in [(false, 8, 32), (true, 1, 2)] {
        s.fold = fold;
        let work = Plan::new(&s, &Control::default()).unwrap().work();
        assert_eq!(work.hops, ranks * 7 * 32 * 2);
        assert_eq!(work.packets_ns, work.hops * 60 + ranks * 7 * 500 + ports * 500, "{fold}");
        for (budget, expected) in [(work.packets_ns, Fidelity::Packet), (work.packets_ns - 1, Fidelity::Flow)] {
            s.budget_ns = budget;
            if expected == Fidelity::Packet || work.flow_ns <= budget {
                assert_eq!(Plan::new(&s, &Control::default()).unwrap().fidelity(), expected, "{fold} {budget}");
            }
        }
    }
}

#[test]
fn reports_are_json() {
    let s = spec(r#""collective": "all_reduce", "bytes": 1024, "algorithm": "ring""#);
    let report: serde_json::Value = serde_json::from_str(&check_schedule(&s, &Control::default()).unwrap()).unwrap();
    assert_eq!((&report["messages"], &report["bytes"], &report["steps"]), (&112.into(), &14336.into(), &14.into()));
    let found: serde_json::Value = serde_json::from_str(&explain(&s, &Control::default()).unwrap()).unwrap();
    let rows = found["candidates"].as_array().unwrap();
    assert!(rows.len() >= 12 && rows[0]["valid"] == true && rows[0]["time_fs"].is_u64());
    assert!(found["missing"].as_array().unwrap().is_empty() && found["instead_of"].is_null(), "no library is known");
    let system = serde_json::to_string(&s.system).unwrap();
    let counts: serde_json::Value =
        serde_json::from_str(&describe_system(&system, &Control::default()).unwrap()).unwrap();
    assert_eq!((&counts["accelerators"], &counts["switches"], &counts["links"]), (&16.into(), &2.into(), &16.into()));
}

#[test]
fn one_rank_needs_only_the_launch() {
    let mut s = spec(r#""collective": "all_reduce", "bytes": 1024"#);
    s.ranks = Some(1);
    s.stack.protocols[0].launch_fs = 77;
    let o = simulate(&s, &Control::default()).unwrap();
    assert_eq!((o.time_fs, o.busbw_gbytes_s), (77, 0.0));
}

#[test]
fn a_buffer_below_the_round_trip_is_remarked() {
    let mut s = spec(r#""collective": "all_reduce", "bytes": 1048576"#);
    // 52,000 bytes hold 12 packets of 4,096 bytes. Credits come back in parts of 6,500 bytes, two packets each. A part needs
    // 2 x 400 + 200 ns, in which 100,000 bytes pass, and the packet before it: 12 x 4,096 / 104,096 = 47 %
    s.system.networks[0].buffer = Some(52_000);
    let warnings = simulate(&s, &Control::default()).unwrap().warnings;
    assert!(warnings.iter().any(|w| w.contains("nv tier 1") && w.contains("links reach 47 %")), "{warnings:?}");
}

#[test]
fn plans_that_are_given_one_store_share_a_fabric() {
    let s = spec(r#""collective": "all_reduce", "bytes": 1024, "algorithm": "ring""#);
    let (store, control) = (Fabrics::new(1), Control::default());
    let plan = || Plan::sharing(&store, &s, &control).unwrap();
    let (one, other, alone) = (plan(), plan(), Plan::new(&s, &control).unwrap());
    assert!(Arc::ptr_eq(&one.fabric, &other.fabric) && !Arc::ptr_eq(&one.fabric, &alone.fabric));
}
