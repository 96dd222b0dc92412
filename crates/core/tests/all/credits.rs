//! What credit flow control costs a flow that has its links to itself: nothing with an `auto` buffer, and what
//! `fabric::credit::slowdown` says with a smaller one.
//!
//! `SUPERNODE_CASES` sets the number of random cases.

use crate::common::shapes::ring;
use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm::Direct, Collective::SendRecv, Params};
use supernode_core::control::Control;
use supernode_core::fabric::Fabric;
use supernode_core::fabric::credit::{auto_buffer, slowdown};
use supernode_core::spec::*;
use supernode_core::units::BitRate;

fn cases() -> u32 {
    std::env::var("SUPERNODE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(150)
}

/// A network of any family whose links hold so many packets in flight over a round trip, at any rate; a protocol; and the
/// two accelerators that are farthest apart.
#[derive(Clone, Debug)]
struct Case {
    net: NetworkSpec,
    protocol: ProtocolSpec,
    ends: Vec<u32>,
    /// Rate of HBM over that of an accelerator's links.
    hbm: Option<u32>,
}

fn shape(family: usize, planes: u32) -> (NetworkSpec, Vec<u32>) {
    match family {
        0 => (network("switch", 4, clos(&[4], &[1]), vec![1; planes as usize]), vec![0, 3]),
        1 => (network("tree", 8, clos(&[2, 4], &[1, 2]), vec![1; planes as usize]), vec![0, 7]),
        2 => (network("three tiers", 8, clos(&[2, 2, 2], &[1, 1, 2]), vec![planes]), vec![0, 7]),
        3 => (network("torus", 16, torus(&[4, 4]), vec![planes]), vec![0, 10]),
        _ => (ring(6), vec![0, 3]),
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let numbers = (1u64..10_000_000, 0u32..3000, 0u32..300, 16u32..9000, 0u32..200);
    let options = (0usize..5, 1u32..4, any::<bool>(), 0usize..4, 0usize..3, prop::sample::select(vec![0.2, 1.0, 3.0]));
    (numbers, options).prop_map(
        |((mbit, flying, held, payload, overhead), (family, planes, cut, routing, wire, up))| {
            let (mut net, ends) = shape(family, planes);
            let rate = BitRate(mbit * 1_000_000);
            let packet = rate.time(u64::from(payload + overhead));
            for (tier, link) in net.links.iter_mut().enumerate() {
                let scale = if tier > 0 { up } else { 1.0 };
                link.rate = BitRate((rate.0 as f64 * scale) as u64);
                link.latency_fs = (f64::from(flying) * packet as f64 / 2.0 / scale) as u64 + 1;
            }
            for switch in &mut net.switches {
                (switch.latency_fs, switch.cut_through) = (u64::from(held) * packet / 4, cut);
            }
            (net.payload, net.overhead) = (payload, overhead);
            use RoutingSpec::*;
            net.routing = [SModK, DModK, SprayRoundRobin, Ecmp][routing];
            let most = net.switches.iter().map(|s| s.latency_fs).max().unwrap_or(0);
            let sizes = net.links.iter().map(|l| auto_buffer(l.rate, l.latency_fs, most, payload, overhead));
            net.buffer = sizes.max();
            let (wire_num, wire_den) = [(1, 1), (2, 1), (128, 120)][wire];
            let hbm = [None, Some(1), Some(4)][(flying % 3) as usize];
            Case { net, protocol: ProtocolSpec { wire_num, wire_den, ..no_stack() }, ends, hbm }
        },
    )
}

impl Case {
    fn time(&self, bytes: u64, buffer: Option<u64>) -> u64 {
        let net = NetworkSpec { buffer, ..self.net.clone() };
        let mut spec = system(net.span, vec![net]);
        if let Some(times) = self.hbm {
            let links = 2 * 4 * self.net.planes.iter().map(|&n| u64::from(n)).sum::<u64>();
            let fastest = self.net.links.iter().map(|l| l.rate.0).max().unwrap_or(1);
            spec.device.hbm_rate = Some(BitRate(fastest * links * u64::from(times)));
        }
        let run =
            Run { placement: Some(self.ends.clone()), protocol: self.protocol.clone(), flows: false, ..Run::default() };
        let params = Params { element: 1, ..Params::new(SendRecv, Direct, 2, bytes) };
        run.collective(&spec, &params).expect("a run").finish_fs
    }

    /// Bytes of so many packets, the last of which is short.
    fn bytes(&self, packets: u64) -> u64 {
        packets * u64::from(self.net.payload) + 4
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// One flow over links of any rate and latency, packets of any size, every family and routing, protocols that double
    /// the bytes, store-and-forward: with an `auto` buffer it takes at most 0.5 % longer than without limits.
    #[test]
    fn an_auto_buffer_costs_one_flow_nothing(case in any_case()) {
        let buffer = case.net.buffer.unwrap_or(0);
        let ports: u64 = case.net.planes.iter().map(|&n| u64::from(n)).sum();
        let bytes = case.bytes((4 * ports * buffer / u64::from(case.net.payload)).min(40_000));
        let (credit, unlimited) = (case.time(bytes, case.net.buffer), case.time(bytes, None));
        prop_assert!(credit >= unlimited);
        prop_assert!(credit as f64 <= 1.005 * unlimited as f64, "{credit} {unlimited} {}", credit as f64 / unlimited as f64);
    }

    /// A smaller buffer slows a flow down as predicted, within 2 %.
    #[test]
    fn a_small_buffer_slows_one_flow_down_as_said(mut case in any_case(), packets in 2u64..80, rest in 0u64..1000, tree: bool) {
        let (shape, ends) = shape(tree.into(), 1);
        (case.net.topology, case.net.planes, case.net.span, case.ends) = (shape.topology, shape.planes, shape.span, ends);
        (case.net.links, case.net.switches) = (vec![case.net.links[0].clone(); 2], vec![case.net.switches[0].clone(); 2]);
        case.net.links.truncate(1 + usize::from(tree));
        case.net.switches.truncate(1 + usize::from(tree));
        (case.hbm, case.net.routing) = (None, RoutingSpec::SModK);
        let wire = u64::from(case.protocol.wire_bytes(0, case.net.payload, case.net.overhead));
        let buffer = packets * wire + rest * wire / 1000;
        case.net.buffer = Some(buffer);
        let fabric = Fabric::new(&system(case.net.span, vec![case.net.clone()]), &Control::default()).unwrap();
        let pace = |tier: usize| {
            let net = &fabric.networks[0];
            slowdown(net, tier, wire).0 * net.link(tier).rate.time(wire) as f64
        };
        let slowest = (0..case.net.links.len()).map(pace).fold(0.0, f64::max);
        // both start with a full buffer and end with the same packets: the difference is the long run
        let (few, many) = (10 * packets, 60 * packets);
        let took = case.time(case.bytes(many), Some(buffer)) - case.time(case.bytes(few), Some(buffer));
        let said = (many - few) as f64 * slowest;
        prop_assert!((took as f64 / said - 1.0).abs() < 0.02, "{took} {said}: {}", took as f64 / said);
    }
}
