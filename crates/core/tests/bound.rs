//! No packet or flow run is ever faster than its lower bound: random fabrics, collectives, algorithms, placements.

mod common;
use common::*;
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
        let ranks = if ranks.is_multiple_of(3) { 2 + ranks % (n - 1) } else { n };
        // 7 and n share no factor but where n is a multiple of 7
        let stride = if n.is_multiple_of(7) { 1 } else { 7 };
        let placement = (turn % 2 == 1).then(|| (0..ranks).map(|r| (r * stride + turn % n) % n).collect::<Vec<u32>>());
        let networks = machine.networks.len();
        let protocol = ProtocolSpec { name: "p".into(), launch_fs: launch, step_fs: vec![launch / 8; networks], wire_num: 1, wire_den: 1, ..ProtocolSpec::default() };
        let collective = Collective::ALL[collective];
        let bytes = if collective == Collective::Barrier { 0 } else { (1u64 << log) + u64::from(odd) };
        let text = serde_json::json!({
            "system": machine, "collective": collective.name(), "algorithm": Algorithm::ALL[algorithm].name(), "bytes": bytes,
            "root": root % ranks, "ranks": ranks, "placement": placement, "seed": seed, "fidelity": "packet", "threads": 1,
            "stack": StackSpec { name: "s".into(), protocols: vec![protocol], protocol: "auto".into(), algorithms: Default::default() },
        });
        let mut spec = RunSpec::from_json(&text.to_string()).unwrap();
        for fidelity in [Fidelity::Packet, Fidelity::Flow] {
            spec.fidelity = Selection::Only(fidelity);
            match simulate(&spec, &Control::default()) {
                Ok(o) => prop_assert!(o.bound.time_fs <= o.time_fs, "{}: {:?} above {} fs", fidelity, o.bound, o.time_fs),
                // sums that climb a tree are packets only
                Err(e) if fidelity == Fidelity::Flow && e.code() == "spec" => prop_assert!(e.to_string().contains("fluids")),
                Err(e) => prop_assert_eq!(e.code(), "algorithm", "{}", e),
            }
        }
    }
}
