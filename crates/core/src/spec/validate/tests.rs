//! Every range has an error that names its field.
use super::*;

fn good() -> RunSpec {
    RunSpec::from_json(TEXT).unwrap()
}

const TEXT: &str = r#"{"system": {"name": "two", "accelerators": 4, "device": {}, "networks": [{"name": "nv", "span": 4,
             "topology": {"kind": "clos", "down": [4], "up": [1], "parallel": [1]}, "planes": [1],
             "links": [{"rate": 8000000000, "latency_fs": 1000}], "switches": [{"latency_fs": 0}],
             "payload": 4096, "overhead": 16, "buffer": 65536}]},
            "collective": "all_reduce", "bytes": 1024,
            "stack": {"name": "none", "protocols": [{"name": "simple", "step_fs": [0]}]}}"#;

#[test]
fn unknown_names_are_refused_with_what_is_known() {
    let cases = [
        ("all_reduce\"", "gossip\"", "collective: \"gossip\"", "barrier"),
        ("\"bytes\"", "\"algorithm\": \"magic\", \"bytes\"", "algorithm: \"magic\"", "two_shot"),
        ("\"bytes\"", "\"fidelity\": \"exact\", \"bytes\"", "fidelity: \"exact\"", "analytic"),
        ("\"bytes\"", "\"record\": [\"links\", \"packets\"], \"bytes\"", "table: \"packets\"", "levels"),
        ("\"step_fs\"", "\"algorithms\": [\"magic\"], \"step_fs\"", "algorithm: \"magic\"", "ring"),
        (
            "\"protocols\"",
            "\"algorithms\": {\"all_reduce\": [\"magic\"]}, \"protocols\"",
            "algorithm: \"magic\"",
            "ring",
        ),
        ("\"payload\"", "\"routing\": \"north\", \"payload\"", "routing: \"north\"", "d_mod_k"),
    ];
    for (old, new, said, valid) in cases {
        let error = RunSpec::from_json(&TEXT.replacen(old, new, 1)).unwrap_err();
        assert!(error.code() == "spec" && error.to_string().contains(said), "{error}");
        assert!(error.to_string().contains(valid), "{error}");
    }
}

#[test]
fn names_are_written_out_as_they_are_read() {
    let text = serde_json::to_string(&good()).unwrap();
    assert!(text.contains(r#""collective":"all_reduce","algorithm":"auto""#), "{text}");
    assert_eq!(RunSpec::from_json(&text).unwrap(), good());
}

#[test]
fn each_field_is_checked_and_named() {
    type Break = fn(&mut RunSpec);
    let cases: &[(Break, &str)] = &[
        (|s| s.bytes = 0, "bytes: 0"),
        (|s| s.element_bytes = 0, "element_bytes: 0"),
        (|s| s.element_bytes = 17, "element_bytes: 17"),
        (|s| s.ranks = Some(0), "ranks: 0"),
        (|s| s.ranks = Some(5), "ranks: 5"),
        (|s| s.placement = Some(vec![0, 1]), "placement: 2 entries"),
        (|s| s.placement = Some(vec![0, 1, 2, 4]), "placement[3]: 4"),
        (|s| s.placement = Some(vec![0, 1, 2, 2]), "placement: 2 is not valid; every"),
        (|s| s.root = 4, "root: 4"),
        (|s| s.lanes = Some(0), "lanes: 0"),
        (|s| s.chunks = Some(5000), "chunks: 5000"),
        (|s| s.threads = 5000, "threads: 5000"),
        (|s| s.time_limit_fs = Some(0), "time_limit_fs: 0"),
        (|s| s.memory_limit = Some(0), "memory_limit: 0"),
        (|s| s.stack.protocols.clear(), "stack.protocols: []"),
        (|s| s.stack.protocol = "LL".into(), "stack.protocol: \"LL\""),
        (|s| s.stack.protocols[0].step_fs.clear(), "stack.protocols[0].step_fs: []"),
        (|s| s.stack.protocols[0].wire_den = 0, "wire_num / wire_den: 1/0"),
        (|s| s.stack.protocols[0].wire_den = 2, "wire_num / wire_den: 1/2"),
        (|s| s.stack.protocols[0].wire_num = 17, "17/1: 69648 bytes"),
        (|s| s.stack.protocols[0].wires = vec![(1, 1); 5], "wires: [(1, 1), (1, 1), (1, 1), (1, 1), (1, 1)]"),
        (|s| s.stack.protocols[0].wires = vec![(1, 2); s.system.networks.len()], "wires: 1/2"),
        (|s| s.stack.protocols[0].wires = vec![(17, 1); s.system.networks.len()], "wires: 17/1: 69648 bytes"),
        // 9 x 4096 + 16 = 36,880 bytes of a full packet
        (
            |s| {
                s.stack.protocols[0].wire_num = 9;
                s.system.networks[0].buffer = Some(36_879);
            },
            "buffer: 36879",
        ),
        (|s| s.stack.protocols[0].launch_fs = SECOND, "stack.protocols[0].launch_fs"),
        (|s| s.system.accelerators = 0, "system.accelerators: 0"),
        (|s| s.system.networks.clear(), "system.networks: []"),
        (|s| s.system.device.hbm_rate = Some(crate::units::BitRate(0)), "system.device.hbm_rate: 0"),
        (|s| s.system.networks[0].span = 5, "system.networks[0].span: 5"),
        (|s| s.system.networks[0].name = " ".into(), "system.networks[0].name"),
        (|s| s.system.networks[0].payload = 0, "system.networks[0].payload: 0"),
        (|s| s.system.networks[0].overhead = 65_535, "system.networks[0].overhead: 65535"),
        (|s| s.system.networks[0].buffer = Some(4111), "system.networks[0].buffer: 4111"),
        (|s| s.system.networks[0].links[0].latency_fs = 0, "system.networks[0].links[0].latency_fs: 0"),
        (|s| s.system.networks[0].links[0].rate.0 = 0, "system.networks[0].links[0].rate: 0"),
        (|s| s.system.networks[0].switches[0].latency_fs = SECOND, "switches[0].latency_fs"),
    ];
    for (damage, expected) in cases {
        let mut spec = good();
        damage(&mut spec);
        let message = validate(&spec).unwrap_err().to_string();
        assert!(message.contains(expected), "expected {expected:?} in {message:?}");
    }
}

#[test]
fn sizes_whose_product_overflows_are_an_overflow() {
    let mut spec = good();
    spec.bytes = u64::MAX / 2;
    assert_eq!(validate(&spec).unwrap_err().code(), "overflow");
}

#[test]
fn unknown_and_missing_fields_are_named() {
    for (text, expected) in [("{", "EOF"), (r#"{"colective": 1}"#, "colective"), ("{}", "system")] {
        let message = RunSpec::from_json(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn only_a_barrier_may_be_empty() {
    let mut spec = good();
    (spec.bytes, spec.collective) = (0, Collective::Barrier);
    validate(&spec).unwrap();
}
