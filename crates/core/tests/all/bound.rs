//! No packet or flow run is ever faster than its lower bound: random fabrics, collectives, algorithms, placements.

use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective};
use supernode_core::control::Control;
use supernode_core::simulate::simulate;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

fn direct(name: &str, dims: &[u32], wrap: bool, full: bool) -> NetworkSpec {
    let shape = if full {
        TopologySpec::FullMesh { dims: dims.into() }
    } else {
        TopologySpec::Torus { dims: dims.into(), wrap: vec![wrap; dims.len()], twist: vec![] }
    };
    network(name, dims.iter().product(), shape, vec![1])
}

fn machine(kind: u8, a: u32, b: u32, fast: u64) -> SystemSpec {
    match kind {
        0 => system(a * b, vec![network("sw", a * b, clos(&[a * b], &[1]), vec![1; a as usize])]),
        1 => system(a * b, vec![network("tree", a * b, clos(&[a, b], &[1, a.div_ceil(2)]), vec![1, 2])]),
        2 => system(a * b, vec![direct("torus", &[a, b], true, false)]),
        3 => system(a * b, vec![direct("mesh", &[a, b], false, false)]),
        4 => system(a * b, vec![direct("full", &[a, b], false, true)]),
        k => {
            let mut inner = if k == 5 {
                network("in", a, clos(&[a], &[1]), vec![1, 1])
            } else {
                direct("in", &[a], k == 6, k == 7)
            };
            inner.links[0].rate.0 *= fast;
            let mut outer = network("out", a * b, clos(&[b, a], &[1, 2]), vec![1]);
            if k == 8 {
                outer.topology =
                    TopologySpec::Clos { down: vec![b, a], up: vec![1, 1], parallel: vec![1, 2], rails: a };
            }
            system(a * b, vec![inner, outer])
        }
    }
}

/// Packets and flows of a run take no less than its bound.
fn holds(spec: &mut RunSpec) -> Result<(), TestCaseError> {
    for fidelity in [Fidelity::Packet, Fidelity::Flow] {
        spec.fidelity = Selection::Only(fidelity);
        match simulate(spec, &Control::default()) {
            Ok(o) => prop_assert!(o.bound.time_fs <= o.time_fs, "{}: {:?} above {} fs", fidelity, o.bound, o.time_fs),
            // sums that climb a tree are packets only
            Err(e) if fidelity == Fidelity::Flow && e.code() == "spec" => {
                prop_assert!(e.to_string().contains("fluids"))
            }
            Err(e) => prop_assert_eq!(e.code(), "algorithm", "{}", e),
        }
    }
    Ok(())
}

/// A run of one protocol with these software costs.
#[allow(clippy::too_many_arguments)] // what a run is
fn a_run(
    machine: &SystemSpec,
    collective: Collective,
    algorithm: &str,
    bytes: u64,
    root: u32,
    ranks: u32,
    placement: Option<Vec<u32>>,
    seed: u64,
    launch: u64,
) -> RunSpec {
    let step_fs = vec![launch / 8; machine.networks.len()];
    let protocol = ProtocolSpec {
        name: "p".into(),
        launch_fs: launch,
        step_fs,
        wire_num: 1,
        wire_den: 1,
        ..ProtocolSpec::default()
    };
    let protocols = vec![protocol];
    let stack = StackSpec {
        name: "s".into(),
        protocols,
        protocol: "auto".into(),
        algorithms: Default::default(),
        library: None,
    };
    let bytes = if collective == Collective::Barrier { 0 } else { bytes };
    let text = serde_json::json!({
        "system": machine, "collective": collective.name(), "algorithm": algorithm, "bytes": bytes,
        "root": root % ranks, "ranks": ranks, "placement": placement, "seed": seed, "fidelity": "packet", "threads": 1,
        "stack": stack,
    });
    RunSpec::from_json(&text.to_string()).unwrap()
}

/// All accelerators or some of them, in order or strewn.
fn some_of(n: u32, ranks: u32, turn: u32) -> (u32, Option<Vec<u32>>) {
    let ranks = if ranks.is_multiple_of(3) { 2 + ranks % (n - 1) } else { n };
    // 7 and n share no factor but where n is a multiple of 7
    let stride = if n.is_multiple_of(7) { 1 } else { 7 };
    (ranks, (turn % 2 == 1).then(|| (0..ranks).map(|r| (r * stride + turn % n) % n).collect()))
}

/// Part of the time of a packet run that its bound explains.
fn efficiency(machine: &SystemSpec, collective: Collective, algorithm: &str, placement: &[u32]) -> f64 {
    let ranks = placement.len() as u32;
    let run = a_run(machine, collective, algorithm, 4 << 20, 0, ranks, Some(placement.to_vec()), 0, 0);
    let o = simulate(&run, &Control::default()).unwrap();
    assert!(o.bound.time_fs <= o.time_fs, "{:?} above {}", o.bound, o.time_fs);
    o.bound.time_fs as f64 / o.time_fs as f64
}

#[test]
fn runs_that_cannot_be_better_are_efficient() {
    use Collective::{AllGather, AllReduce, AllToAll, Broadcast, SendRecv};
    let mesh = system(8, vec![direct("full", &[8], false, true)]);
    let torus = system(64, vec![direct("torus", &[8, 8], true, false)]);
    let line = system(8, vec![direct("line", &[8], false, false)]);
    let mut tree = system(32, vec![network("tree", 32, clos(&[8, 4], &[1, 4]), vec![1])]);
    tree.networks[0].switches.iter_mut().for_each(|s| s.in_network_reduce = false);
    tree.networks[0].routing = RoutingSpec::DModK;
    let cases: [(&SystemSpec, Collective, &str, &[u32]); 8] = [
        // one link of a full mesh, or one for each peer
        (&mesh, SendRecv, "direct", &[2, 5]),
        (&mesh, AllReduce, "ring", &[2, 5]),
        (&mesh, AllToAll, "direct", &[0, 3, 4, 7]),
        (&mesh, AllGather, "direct", &[6, 1, 2]),
        // one way round a ring, both where it is as far
        (&torus, SendRecv, "direct", &[8, 9]),
        (&torus, SendRecv, "direct", &[0, 4]),
        // two ends of a line
        (&line, AllReduce, "ring", &[1, 6]),
        // a root sends to one other
        (&line, Broadcast, "direct", &[3, 1]),
    ];
    for (machine, collective, algorithm, placement) in cases {
        let found = efficiency(machine, collective, algorithm, placement);
        assert!(found >= 0.9, "{collective} on {placement:?} of {}: {found}", machine.networks[0].name);
    }
    // All cross the same uplink: four messages. Everyone sends the one within the leaf first, so the uplink waits for a fifth.
    let found = efficiency(&tree, AllToAll, "direct", &[0, 4, 8, 12]);
    assert!((0.78..0.8).contains(&found), "{found} instead of 4 / 5, less some latency");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn bound_is_never_above_packets_or_flows(
        kind in 0u8..9, a in 2u32..6, b in 2u32..5, fast in 1u64..9, collective in 0usize..10, algorithm in 0usize..12,
        log in 0u32..19, odd: u16, root: u32, ranks: u32, turn: u32, policy in 0usize..5, hbm in 0u64..3, overhead in 0u32..200,
        launch in 0u64..2_000_000_000, seed: u64,
    ) {
        use RoutingSpec::*;
        let mut machine = machine(kind, a, b, fast);
        let n = machine.accelerators;
        for net in &mut machine.networks {
            (net.routing, net.overhead) = ([DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom][policy], overhead);
        }
        machine.device.hbm_rate = (hbm > 0).then_some(BitRate(hbm * RATE.0));
        machine.device.reduce_rate = (hbm > 1).then_some(RATE);
        let (ranks, placement) = some_of(n, ranks, turn);
        let collective = Collective::ALL[collective];
        let (algorithm, bytes) = (Algorithm::ALL[algorithm].name(), (1u64 << log) + u64::from(odd));
        holds(&mut a_run(&machine, collective, algorithm, bytes, root, ranks, placement, seed, launch))?;
    }

    #[test]
    fn sums_of_a_part_are_never_faster_than_their_bound(
        kind in 5u8..9, a in 2u32..6, b in 2u32..5, fast in 1u64..200, sums in 0u32..4, outer_fast: bool, collective in 0usize..10,
        log in 0u32..19, odd: u16, root: u32, ranks: u32, first: u32,
    ) {
        // either network may add, and either may be the faster
        let mut machine = machine(kind, a, b, 1);
        for (i, net) in machine.networks.iter_mut().enumerate() {
            net.switches.iter_mut().for_each(|s| s.in_network_reduce = sums >> i & 1 == 1);
            if (i == 1) == outer_fast {
                net.links.iter_mut().for_each(|l| (l.rate.0, l.latency_fs) = (l.rate.0 * fast, l.latency_fs / fast));
            }
        }
        // consecutive accelerators: often those of one inner copy
        let ranks = 2 + ranks % (2 * a - 1);
        let placement = (0..ranks).map(|r| (r + first) % machine.accelerators).collect();
        let bytes = (1u64 << log) + u64::from(odd);
        let collective = Collective::ALL[collective];
        holds(&mut a_run(&machine, collective, "in_network", bytes, root, ranks, Some(placement), 0, 0))?;
    }
}
