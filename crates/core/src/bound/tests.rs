//! Bounds by hand: each test shows its sum.
use super::*;
use crate::control::Control;
use crate::spec::SystemSpec;

const GB: u64 = 8_000_000_000; // 1 GB/s in bit/s

fn protocol(launch_fs: Fs, step_fs: Vec<Fs>) -> ProtocolSpec {
    ProtocolSpec { name: "p".into(), launch_fs, step_fs, wire_num: 1, wire_den: 1, ..ProtocolSpec::default() }
}

fn fabric(accelerators: u32, networks: &str) -> Fabric {
    let text = format!(r#"{{"name": "t", "accelerators": {accelerators}, "device": {{}}, "networks": [{networks}]}}"#);
    Fabric::new(&serde_json::from_str::<SystemSpec>(&text).unwrap(), &Control::default()).unwrap()
}

fn star(name: &str, span: u32, planes: u32, gbs: u64, reduce: bool) -> String {
    format!(
        r#"{{"name": "{name}", "span": {span}, "topology": {{"kind": "clos", "down": [{span}], "up": [1], "parallel": [1]}},
            "planes": {:?}, "links": [{{"rate": {}, "latency_fs": 1000}}],
            "switches": [{{"latency_fs": 500, "in_network_reduce": {reduce}}}], "payload": 4096, "overhead": 0}}"#,
        vec![1; planes as usize],
        gbs * GB
    )
}

fn bound(fabric: &Fabric, collective: Collective, bytes: u64, ranks: u32, p: &ProtocolSpec) -> Bound {
    let placement: Vec<u32> = (0..ranks).collect();
    lower_bound(fabric, Demand { collective, bytes, root: 0, placement: &placement }, &[p], &Control::default())
        .unwrap()
}

fn near(bound: Bound, fs: f64, kind: &str) {
    assert_eq!(bound.kind, kind, "{bound:?}, expected about {fs}");
    assert!((bound.time_fs as f64 - fs).abs() <= 1.0 + fs * 2e-12, "{bound:?} is not {fs}");
}

#[test]
fn one_switch_is_bound_by_ports() {
    let f = fabric(8, &star("nv", 8, 2, 50, false));
    let p = protocol(7000, vec![30]);
    // 2 S 7/8 / 100 GB/s = 1.75e6 B / 1e11 B/s = 17.5 us, + 7000 + 30 + 2 x 1000 + 500
    near(bound(&f, Collective::AllReduce, 1_000_000, 8, &p), 17.5e9 + 9530.0, "injection");
    // S 7/8
    near(bound(&f, Collective::AllGather, 1_000_000, 8, &p), 8.75e9 + 9530.0, "injection");
    near(bound(&f, Collective::AllToAll, 1_000_000, 8, &p), 8.75e9 + 9530.0, "injection");
    near(bound(&f, Collective::Gather, 1_000_000, 8, &p), 8.75e9 + 9530.0, "injection");
    near(bound(&f, Collective::Broadcast, 1_000_000, 8, &p), 10e9 + 9530.0, "injection");
    near(bound(&f, Collective::Barrier, 0, 8, &p), 9530.0, "latency");
}

#[test]
fn combining_switches_halve_an_all_reduce() {
    let f = fabric(8, &star("nv", 8, 2, 50, true));
    // S / 100 GB/s
    near(bound(&f, Collective::AllReduce, 1_000_000, 8, &protocol(0, vec![0])), 10e9 + 2500.0, "injection");
}

#[test]
fn hosts_are_cut_at_their_nics() {
    let f = fabric(32, &format!("{}, {}", star("nv", 8, 2, 50, false), star("net", 32, 1, 10, false)));
    let p = protocol(0, vec![0, 0]);
    // 4 hosts: 2 S 3/4 / (8 x 10 GB/s) = 1.5e6 / 8e10 = 18.75 us; ports: 2 S 31/32 / 110 GB/s = 17.6 us
    near(bound(&f, Collective::AllReduce, 1_000_000, 32, &p), 18.75e9 + 2500.0, "bisection");
    // a host keeps 1/4: 8 x 24 / 32 x S / 80 GB/s = 6 S / 80 GB/s = 75 us
    near(bound(&f, Collective::AllToAll, 1_000_000, 32, &p), 75e9 + 2500.0, "bisection");
    // 8 ranks stay inside: 2 S 7/8 / 100 GB/s
    near(bound(&f, Collective::AllReduce, 1_000_000, 8, &p), 17.5e9 + 2500.0, "injection");
}

#[test]
fn oversubscription_is_a_cut() {
    let text = format!(
        r#"{{"name": "net", "span": 32, "topology": {{"kind": "clos", "down": [8, 4], "up": [1, 2], "parallel": [1, 1]}},
            "planes": [1], "links": [{{"rate": {0}, "latency_fs": 1000}}, {{"rate": {0}, "latency_fs": 3000}}],
            "switches": [{{"latency_fs": 500}}, {{"latency_fs": 700}}], "payload": 4096, "overhead": 1024}}"#,
        10 * GB
    );
    let f = fabric(32, &text);
    let p = protocol(0, vec![0]);
    // a leaf of 8 with 2 uplinks of 10 GB/s at 4/5 efficiency: 6 S / 16 GB/s
    near(bound(&f, Collective::AllToAll, 1_000_000, 32, &p), 6e6 / 16e9 * 1e15 + 2500.0, "bisection");
    // farthest: 2 (1000 + 3000) + 2 x 500 + 700
    near(bound(&f, Collective::Barrier, 0, 32, &p), 9700.0, "latency");
    near(bound(&f, Collective::Barrier, 0, 8, &p), 2500.0, "latency");
    let d = describe::describe(&f, &Control::default()).unwrap();
    assert_eq!((d.switches, d.links, d.diameter_hops), (4 + 2, 32 + 8, 4));
    // 8 uplinks of 10 GB/s, half of them each way
    assert_eq!((d.networks[0].injection_gbytes_s, d.networks[0].bisection_gbytes_s), (10.0, 40.0));
}

#[test]
fn torus_all_to_all_is_bound_by_its_middle() {
    let text = format!(
        r#"{{"name": "ici", "span": 64, "topology": {{"kind": "torus", "dims": [8, 8], "wrap": [true, true]}},
            "planes": [1], "links": [{{"rate": {0}, "latency_fs": 1000}}, {{"rate": {0}, "latency_fs": 1000}}],
            "switches": [{{"latency_fs": 500}}], "payload": 4096, "overhead": 0}}"#,
        50 * GB
    );
    let f = fabric(64, &text);
    let p = protocol(0, vec![0]);
    // 32 x 32 / 64 x S = 16 S over 2 x 8 links of 50 GB/s: 20 us
    near(bound(&f, Collective::AllToAll, 1_000_000, 64, &p), 16e6 / 800e9 * 1e15 + 1000.0, "bisection");
    // farthest: 4 + 4 hops
    near(bound(&f, Collective::Barrier, 0, 64, &p), 8000.0, "latency");
    let d = describe::describe(&f, &Control::default()).unwrap();
    assert_eq!((d.switches, d.links, d.diameter_hops), (0, 128, 8));
    assert_eq!(d.networks[0].bisection_gbytes_s, 800.0);
    assert_eq!(d.diameter_ns, (8.0 * 1000.0 + 7.0 * 500.0) / 1e6);
}

/// One network of 1 GB/s links with latency 1000 fs.
fn one(span: u32, topology: &str, links: usize, routing: &str) -> Fabric {
    let link = format!(r#"{{"rate": {GB}, "latency_fs": 1000}}"#);
    let switch = r#"{"latency_fs": 0}"#;
    fabric(
        span,
        &format!(
            r#"{{"name": "net", "span": {span}, "topology": {topology}, "planes": [1], "links": [{}], "switches": [{}],
                "payload": 4096, "overhead": 0, "routing": "{routing}"}}"#,
            vec![link; links].join(","),
            vec![switch; if topology.contains("clos") { links } else { 1 }].join(",")
        ),
    )
}

#[test]
fn only_links_that_routes_take_count() {
    let p = protocol(0, vec![0]);
    let on = |f: &Fabric, collective, placement: &[u32]| {
        lower_bound(f, Demand { collective, bytes: 1_000_000, root: 0, placement }, &[&p], &Control::default()).unwrap()
    };
    use Collective::{AllToAll, Broadcast, SendRecv};
    // a full mesh of 8: two ranks have one link of the seven, four have three
    let mesh = one(8, r#"{"kind": "full_mesh", "dims": [8]}"#, 1, "spray_round_robin");
    near(on(&mesh, SendRecv, &[2, 5]), 1e12 + 1000.0, "injection");
    near(on(&mesh, AllToAll, &[0, 3, 4, 7]), 0.75e12 / 3.0 + 1000.0, "injection");
    // a mesh of 8 x 8 joined in rows and columns, first along the row: three ranks in a corner. The one between the others
    // sends both ways; from (1, 0) to (0, 1) goes along the row, too, and comes in by the column of (0, 1)
    let square = one(64, r#"{"kind": "full_mesh", "dims": [8, 8]}"#, 2, "spray_round_robin");
    near(on(&square, AllToAll, &[0, 1, 8]), 2e12 / 3.0 + 1000.0, "injection");
    // rings of 8: to a neighbour one way, to the opposite place both
    let torus = one(64, r#"{"kind": "torus", "dims": [8, 8], "wrap": [true, true]}"#, 2, "spray_round_robin");
    near(on(&torus, SendRecv, &[8, 9]), 1e12 + 1000.0, "injection");
    near(on(&torus, SendRecv, &[0, 4]), 0.5e12 + 1000.0, "injection");
    // 4 + 4 ranks of a column: they meet over one link of the middle and one of the wraparound, not over eight lines
    let column: Vec<u32> = (0..8).map(|y| 8 * y).collect();
    near(on(&torus, AllToAll, &column), 16e12 / 8.0 / 2.0 + 1000.0, "bisection");
    // a line has no way round
    let line = one(8, r#"{"kind": "torus", "dims": [8], "wrap": [false]}"#, 1, "spray_round_robin");
    near(on(&line, Broadcast, &[3, 1, 6]), 1e12 + 1000.0, "injection");
    // leaves of 8 with 4 uplinks: hosts 0 and 4 of a leaf have the same digit, so that all that leaves or enters it by
    // D-mod-k takes one uplink; sprayed, both ranks' links are the narrowest: 2 x 6 S / 8 over 1 or over 2
    let tree = r#"{"kind": "clos", "down": [8, 4], "up": [1, 4], "parallel": [1, 1]}"#;
    let ranks: Vec<u32> = (0..8).map(|i| 4 * i).collect();
    near(on(&one(32, tree, 2, "d_mod_k"), AllToAll, &ranks), 1.5e12 + 2000.0, "bisection");
    near(on(&one(32, tree, 2, "s_mod_k"), AllToAll, &ranks), 1.5e12 + 2000.0, "bisection");
    near(on(&one(32, tree, 2, "spray_round_robin"), AllToAll, &ranks), 7e12 / 8.0 + 2000.0, "injection");
    // accelerators 0 and 2 behind one switch, 0 behind another, 1 behind both: 0 reaches 2 by its link of 1 GB/s to the first alone
    let edges = r#"[[0, 3, 0, 1], [0, 4, 0, 1], [2, 3, 0, 1], [1, 4, 0, 1], [1, 3, 0, 1]]"#;
    let graph = one(3, &format!(r#"{{"kind": "graph", "switches": 2, "edges": {edges}}}"#), 1, "spray_round_robin");
    near(on(&graph, SendRecv, &[0, 2]), 1e12 + 1000.0, "injection");
}

#[test]
fn memory_can_be_the_bound() {
    let mut f = fabric(8, &star("nv", 8, 2, 50, false));
    f.spec.device.hbm_rate = Some(crate::units::BitRate(10 * GB));
    // 6 S 7/8 = 5.25 S, less a packet of 4096 B, / 10 GB/s
    near(
        bound(&f, Collective::AllReduce, 1_000_000, 8, &protocol(0, vec![0])),
        (5.25e6 - 4096.0) / 10e9 * 1e15,
        "memory",
    );
}
