//! Cuts of explicit graphs as bounds: never above a simulated time, and where they bite.

use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective};
use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::simulate::{Outcome, simulate};
use supernode_core::spec::*;
use supernode_core::units::BitRate;

/// A network of explicit edges `(a, b, class, links)`, class 0 at the usual rate and the others at so many hundredths of it.
fn graph(accelerators: u32, switches: u32, edges: Vec<[u32; 4]>, others: &[u64]) -> NetworkSpec {
    let mut net = network("graph", accelerators, torus(&[1]), vec![1]);
    net.topology = TopologySpec::Graph { switches, edges, switch_kinds: vec![], weights: vec![], forwarding: None };
    let link = |&percent| LinkSpec {
        rate: BitRate(RATE.0 / 100 * percent),
        latency_fs: LATENCY * 2 / 3,
        medium: String::new(),
    };
    net.links.extend(others.iter().map(link));
    net
}

fn outcome(
    machine: &SystemSpec,
    collective: Collective,
    algorithm: &str,
    bytes: u64,
    more: &serde_json::Value,
) -> Result<Outcome> {
    let protocol = ProtocolSpec { step_fs: vec![0; machine.networks.len()], ..no_stack() };
    let mut run = serde_json::json!({
        "system": machine, "collective": collective.name(), "algorithm": algorithm, "bytes": bytes, "root": 0,
        "ranks": machine.accelerators, "seed": 0, "fidelity": "packet", "threads": 1,
        "stack": StackSpec { name: "s".into(), protocols: vec![protocol], protocol: "auto".into(), algorithms: Default::default(), library: None },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        run[key] = value.clone();
    }
    simulate(&RunSpec::from_json(&run.to_string())?, &Control::default())
}

/// Groups of `a` switches with `p` accelerators each, all joined; every two groups have one link, of class 1.
fn dragonfly(p: u32, a: u32, groups: u32, percent: u64) -> NetworkSpec {
    let n = groups * a * p;
    let mut edges: Vec<[u32; 4]> = (0..n).map(|x| [x, n + x / p, 0, 1]).collect();
    for g in 0..groups {
        let router = |g: u32, i: u32| n + g * a + i % a;
        edges.extend((0..a).flat_map(|i| (0..i).map(move |j| [router(g, i), router(g, j), 0, 1])));
        edges.extend((0..g).map(|f| [router(g, f), router(f, g), 1, 1]));
    }
    graph(n, groups * a, edges, &[percent])
}

#[test]
fn an_all_to_all_is_held_by_the_links_between_groups() {
    // 4 groups of 3 x 2, each with three links to others: 6 x 18 pieces of S/24 over three links at half the rate
    let machine = system(24, vec![dragonfly(2, 3, 4, 50)]);
    let bytes = 24 * 16 * 4096;
    let o = outcome(&machine, Collective::AllToAll, "direct", bytes, &serde_json::Value::Null).unwrap();
    let across = 6 * 18 * (bytes / 24) / 3 * 2 * FS_PER_BYTE;
    let ports = 23 * (bytes / 24) * FS_PER_BYTE;
    assert_eq!(o.bound.kind, "bisection");
    assert!(
        o.bound.time_fs.abs_diff(across + LATENCY * 2 / 3) < across / 1_000_000,
        "{:?}, expected {across}",
        o.bound
    );
    // three times what the ports alone say; ranks in order send to one group at a time, which takes half as long again
    assert!(o.bound.time_fs > 3 * ports, "{:?} against {ports}", o.bound);
    assert!(o.bound.time_fs <= o.time_fs && o.time_fs * 3 / 5 <= o.bound.time_fs, "{:?} of {}", o.bound, o.time_fs);
}

#[test]
fn a_thin_waist_is_a_tight_bound() {
    // two switches of 4 and one link: 2 x 4 x 4 pieces of S/8 cross it, half of them either way
    let edges = (0..8).map(|a| [a, 8 + a / 4, 0, 1]).chain([[8, 9, 1, 1]]).collect();
    let machine = system(8, vec![graph(8, 2, edges, &[100])]);
    let bytes = 8 * 64 * 4096;
    let o = outcome(&machine, Collective::AllToAll, "direct", bytes, &serde_json::Value::Null).unwrap();
    let across = 16 * (bytes / 8) * FS_PER_BYTE;
    assert_eq!(o.bound.kind, "bisection");
    assert!(o.bound.time_fs.abs_diff(across + LATENCY * 2 / 3) < across / 1_000_000);
    assert!(o.time_fs * 95 / 100 < o.bound.time_fs, "{:?} of {}", o.bound, o.time_fs);
    // ranks on one side do not cross: injection alone
    let inside = serde_json::json!({"ranks": 4});
    let o = outcome(&machine, Collective::AllToAll, "direct", bytes, &inside).unwrap();
    assert_eq!(o.bound.kind, "injection");
    // the root's switch sends it all over the one link
    let o = outcome(&machine, Collective::Broadcast, "binomial", bytes, &serde_json::Value::Null).unwrap();
    assert!(o.bound.time_fs <= o.time_fs);
}

/// Connected graphs with everything: several homes, links between accelerators, parallel links, rates that differ,
/// alone, in copies under switches or around boards.
fn graphs() -> impl Strategy<Value = SystemSpec> {
    let extra = prop::collection::vec((any::<u32>(), any::<u32>(), 0u32..3, 1u32..3), 0..16);
    (1u32..6, 1u32..8, extra, 0usize..8, 0usize..3, 10u64..300, any::<u32>()).prop_map(
        |(half, switches, extra, routing, shape, percent, homes)| {
            let n = 2 * half;
            let vertices = n + switches;
            let mut edges: Vec<[u32; 4]> = (1..switches).map(|s| [n + s / 2, n + s, s % 3, 1]).collect();
            edges.extend((0..n).map(|a| [a, n + (a.wrapping_mul(homes) >> 3) % switches, 0, 1 + a % 2]));
            let extra = extra.into_iter().map(|(a, b, c, k)| [a % vertices, b % vertices, c, k]);
            edges.extend(extra.filter(|e| e[0] != e[1]));
            let mut net = graph(n, switches, edges, &[percent, 50]);
            // without flow control no graph can deadlock
            net.buffer = None;
            net.overhead = (percent % 3) as u32 * 64;
            use RoutingSpec::*;
            net.routing = [DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom, Adaptive, Valiant, Ugal][routing];
            match shape {
                0 => system(n, vec![net]),
                1 => system(2 * n, vec![net, network("pod", 2 * n, clos(&[2 * n], &[1]), vec![1])]),
                _ => system(n, vec![network("board", 2, clos(&[2], &[1]), vec![1]), net]),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn cuts_are_never_above_packets(
        machine in graphs(), collective in 0usize..10, algorithm in 0usize..12, log in 0u32..20, odd: u16, root: u32, ranks: u32,
        turn: u32,
    ) {
        let n = machine.accelerators;
        let ranks = if ranks.is_multiple_of(3) && n > 2 { 2 + ranks % (n - 1) } else { n };
        let stride = if n.is_multiple_of(7) { 1 } else { 7 };
        let placement = (turn % 2 == 1).then(|| (0..ranks).map(|r| (r * stride + turn % n) % n).collect::<Vec<u32>>());
        let collective = Collective::ALL[collective];
        let bytes = if collective == Collective::Barrier { 0 } else { (1u64 << log) + u64::from(odd) };
        let more = serde_json::json!({"ranks": ranks, "placement": placement, "root": root % ranks});
        match outcome(&machine, collective, Algorithm::ALL[algorithm].name(), bytes, &more) {
            Ok(o) => prop_assert!(o.bound.time_fs <= o.time_fs, "{:?} above {} fs", o.bound, o.time_fs),
            Err(Error::Algorithm { .. }) => {}
            Err(e) => prop_assert!(false, "{}", e),
        }
    }
}
