//! Counts and cuts by hand.
use super::{describe, edges};
use crate::control::Control;
use crate::fabric::Fabric;
use crate::spec::SystemSpec;

fn fabric(accelerators: u32, networks: &str) -> Fabric {
    let text = format!(r#"{{"name": "t", "accelerators": {accelerators}, "device": {{}}, "networks": [{networks}]}}"#);
    Fabric::new(&serde_json::from_str::<SystemSpec>(&text).unwrap(), &Control::default()).unwrap()
}

#[test]
fn describe_matches_published_counts() {
    let text = r#"{"name": "ub", "span": 384, "topology": {"kind": "clos", "down": [8, 48], "up": [1, 16], "parallel": [1, 1]},
        "planes": [2,2,2,2,2,2,2], "links": [{"rate": 224000000000, "latency_fs": 1000}, {"rate": 448000000000, "latency_fs": 1}],
        "switches": [{"latency_fs": 0}, {"latency_fs": 0}], "payload": 4096, "overhead": 0}"#;
    let d = describe::describe(&fabric(384, text), &Control::default()).unwrap();
    // CloudMatrix 384: 336 leaf and 112 spine chips; 14 links an NPU; 7 x 48 x 16 leaf-spine links
    let level = |i: usize| &d.networks[0].levels[i];
    assert_eq!((level(0).switches, level(1).switches), (336, 112));
    assert_eq!((level(0).links, level(1).links), (384 * 14, 7 * 48 * 16));
    assert_eq!(d.directed_links, 2 * (384 * 14 + 7 * 48 * 16));
}

#[test]
fn odd_halves_split_what_is_left() {
    let torus = |dims: &str, span: u32| {
        let text = format!(
            r#"{{"name": "ici", "span": {span}, "topology": {{"kind": "torus", "dims": {dims}, "wrap": [true, true]}},
                "planes": [1], "links": [{{"rate": {0}, "latency_fs": 1}}, {{"rate": {0}, "latency_fs": 1}}],
                "switches": [{{"latency_fs": 0}}], "payload": 4096, "overhead": 0}}"#,
            8_000_000_000u64 // 1 GB/s
        );
        describe::describe(&fabric(span, &text), &Control::default()).unwrap().bisection_gbytes_s
    };
    // 2 (k^2 - 1) / (k - 1) links where the side is odd
    assert_eq!((torus("[4, 4]", 16), torus("[3, 3]", 9), torus("[5, 5]", 25)), (8.0, 8.0, 12.0));
}

#[test]
fn a_listing_has_every_link_twice() {
    let text = r#"{"name": "nv", "span": 8, "topology": {"kind": "clos", "down": [8], "up": [1], "parallel": [1]},
        "planes": [1, 1], "links": [{"rate": 400000000000, "latency_fs": 1000}], "switches": [{"latency_fs": 500}],
        "payload": 4096, "overhead": 0}"#;
    let f = fabric(8, text);
    let all = edges::list(&f, &Control::default()).unwrap();
    assert_eq!(all.len() as u64, describe::describe(&f, &Control::default()).unwrap().directed_links);
    let back = |e: &edges::Edge| all.iter().any(|o| (o.vertex, o.port, o.peer) == (e.peer, e.peer_port, e.vertex));
    assert!(all.iter().all(back));
}
