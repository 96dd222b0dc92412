//! Flows on explicit graphs: closed forms, the links that packets take, conservation, and agreement with trees and packets.

use crate::common::pattern::Pattern;
use crate::common::shapes::*;
use crate::common::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use supernode_core::collective::Algorithm::*;
use supernode_core::collective::Collective::*;
use supernode_core::collective::{Params, Schedule, valid_algorithms};
use supernode_core::control::Control;
use supernode_core::error::Error;
use supernode_core::fabric::Fabric;
use supernode_core::record::Record;
use supernode_core::spec::RoutingSpec::*;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

const B: u64 = FS_PER_BYTE;
const MIB: u64 = 1 << 20;

fn fluid() -> Run {
    Run { fluid: true, ..Run::default() }
}

fn routed(net: &NetworkSpec, routing: RoutingSpec) -> SystemSpec {
    system(net.span, vec![NetworkSpec { routing, ..net.clone() }])
}

/// One message between two accelerators, as packets and as a fluid.
fn message(spec: &SystemSpec, from: u32, to: u32, bytes: u64) -> [Record; 2] {
    let params = Params::new(Gather, Direct, 2, 2 * bytes);
    [false, true].map(|fluid| {
        // the root gathers
        let run = Run { fluid, placement: Some(vec![to, from]), ..Run::default() };
        run.collective(spec, &params).expect("a run")
    })
}

/// Flows against packets; the difference in percent of the packets' time.
fn error(spec: &SystemSpec, schedule: &dyn Schedule) -> f64 {
    let packets = Run::default().schedule(spec, schedule).expect("packets");
    let flows = fluid().schedule(spec, schedule).expect("flows");
    assert_eq!((packets.sent_bytes, packets.received_bytes), (flows.sent_bytes, flows.received_bytes));
    100.0 * (flows.finish_fs as f64 / packets.finish_fs as f64 - 1.0)
}

/// Payload, wire bytes and packets of every link.
fn per_link(record: &Record) -> BTreeMap<(u32, u32), (u64, u64, u64)> {
    record.links.iter().map(|l| ((l.vertex, l.port), (l.payload_bytes, l.wire_bytes, l.packets))).collect()
}

#[test]
fn alone_a_message_takes_the_closed_form() {
    // a ring of eight: from 0 to 3 are three links between switches, the other way round five
    for routing in [DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom, Adaptive] {
        let [packets, flow] = message(&routed(&ring(8), routing), 0, 3, 10 * 4096);
        assert_eq!(flow.finish_fs, 5 * LATENCY + 4 * SWITCH + 10 * 4096 * B, "{routing:?}");
        assert_eq!((packets.finish_fs, packets.packet_hops), (flow.finish_fs, flow.packet_hops), "{routing:?}");
    }
    // to 4 half goes each way round, and the last links take all of it
    let [packets, flow] = message(&routed(&ring(8), SprayRoundRobin), 0, 4, 16 * 4096);
    assert_eq!(flow.finish_fs, 6 * LATENCY + 5 * SWITCH + 16 * 4096 * B);
    assert_eq!((packets.finish_fs, packets.packet_hops), (flow.finish_fs, flow.packet_hops));
    let halves = per_link(&flow).into_values().filter(|l| l.0 == 8 * 4096).count();
    assert_eq!(halves, 2 * 4);
}

#[test]
fn links_and_switches_count_by_their_class() {
    // accelerator 0 - switch 2 - switch 3 - accelerator 1, the middle slower and farther; switch 3 slow, and storing packets
    for cut in [true, false] {
        let mut net = graph(2, 2, vec![[0, 2, 0, 1], [2, 3, 1, 1], [3, 1, 0, 1]]);
        if let TopologySpec::Graph { switch_kinds, .. } = &mut net.topology {
            *switch_kinds = vec![0, 1];
        }
        net.links.push(LinkSpec { rate: BitRate(RATE.0 / 4), latency_fs: 3 * LATENCY, medium: "optics".into() });
        net.switches.push(SwitchSpec { latency_fs: 7 * SWITCH, cut_through: cut, in_network_reduce: false });
        let [packets, flow] = message(&routed(&net, DModK), 0, 1, 10 * 4096);
        let stored = if cut { 0 } else { 4096 * B };
        assert_eq!(flow.finish_fs, 5 * LATENCY + 8 * SWITCH + 10 * 4096 * 4 * B + stored, "cut-through {cut}");
        assert_eq!(packets.finish_fs, flow.finish_fs);
    }
}

#[test]
fn two_messages_share_a_link() {
    // accelerators 0 and 1 at switch 4, 2 and 3 at switch 5, one link between the switches: half of it each
    let net = graph(4, 2, vec![[0, 4, 0, 1], [1, 4, 0, 1], [4, 5, 0, 1], [5, 2, 0, 1], [5, 3, 0, 1]]);
    let pattern = Pattern::new(vec![2, 3, 0, 1], |_| 16 * MIB);
    for routing in [DModK, SprayRoundRobin] {
        let r = fluid().schedule(&routed(&net, routing), &pattern).unwrap();
        // the end of a fluid is rounded up
        assert!(r.finish_fs - (3 * LATENCY + 2 * SWITCH + 2 * 16 * MIB * B) <= 1, "{routing:?}");
        assert!(error(&routed(&net, routing), &pattern).abs() < 0.1);
    }
    // one of half the bytes is through when the other has as much left; that one then has the link to itself
    let uneven = Pattern::new(vec![2, 3, 0, 1], |rank| if rank == 0 { 8 * MIB } else { 16 * MIB });
    let r = fluid().schedule(&routed(&net, DModK), &uneven).unwrap();
    let end = |src| r.flows.iter().find(|f| f.src == src).unwrap().end_fs - 3 * LATENCY - 2 * SWITCH;
    assert!(end(0) - 16 * MIB * B <= 1 && end(1) - 24 * MIB * B <= 1, "{} {}", end(0), end(1));
}

#[test]
fn detours_take_what_is_left_of_a_ring_of_switches() {
    // four switches with an accelerator each: by hand in src/flow/detours.rs. From 0 to its neighbour 1, of 4 MiB: a
    // quarter each turns at 0 to 3; the way there as there, then 0 -> 1, none, 2 -> 1 and half of 3's each way round
    let r = &message(&routed(&ring(4), Valiant), 0, 1, 4 * MIB)[1];
    let parts: BTreeMap<(u32, u32), f64> = (r.links.iter())
        .filter(|l| l.vertex >= 4 && l.peer >= 4)
        .map(|l| ((l.vertex - 4, l.peer - 4), (l.payload_bytes as f64 / MIB as f64 * 1e4).round() / 1e4))
        .collect();
    let expected = [
        ((0, 1), 1.5 + 1.0 + 0.5), // out, those that turned at 0, half of those that turned at 3
        ((0, 3), 1.5),
        ((1, 2), 0.5),
        ((3, 2), 0.5 + 0.5),
        ((2, 1), 1.0 + 0.5),
        ((3, 0), 0.5),
        ((1, 0), 0.0),
        ((2, 3), 0.0),
    ];
    assert_eq!(parts, BTreeMap::from(expected));
}

#[test]
fn a_tree_written_out_is_the_tree() {
    // one spine, so that all paths are unique; then four, over which messages are sprayed, and two planes of that
    for (spines, planes, routing) in [(1, 1, DModK), (1, 1, Ecmp), (4, 1, SprayRoundRobin), (2, 2, SprayRoundRobin)] {
        let mut tree = network("tree", 16, clos(&[4, 4], &[1, spines]), vec![1; planes as usize]);
        tree.routing = routing;
        let tree = system(16, vec![tree]);
        let explicit = routed(&leaves_and_spines(4, 4, spines, planes), routing);
        for (collective, algorithm) in [(AllReduce, Ring), (AllToAll, Direct), (AllReduce, HalvingDoubling)] {
            let params = Params::new(collective, algorithm, 16, 16 * MIB);
            // in an order that has no symmetry, which only the tree would have
            let run = || Run { placement: Some((0..16).rev().collect()), ..fluid() };
            let [a, b] = [&tree, &explicit].map(|spec| run().collective(spec, &params).unwrap());
            let what = format!("{spines} spines, {planes} planes, {routing:?}, {algorithm:?}");
            // sums of fractions round differently
            assert!(a.finish_fs.abs_diff(b.finish_fs) <= a.finish_fs / 1_000_000_000, "{what}");
            assert_eq!((a.packet_hops, a.flows.len(), a.sent_bytes), (b.packet_hops, b.flows.len(), b.sent_bytes));
            if spines == 1 {
                assert_eq!((a.finish_fs, &a.ranks, &a.flows), (b.finish_fs, &b.ranks, &b.flows), "{what}");
            }
        }
    }
}

#[test]
fn long_flows_agree_with_packets() {
    let nets = [
        ("dragonfly", dragonfly(2, 4, 2)),
        ("hypercube", hypercube(5)),
        ("hyperx", hyperx(4, 4, 4)),
        ("ring", ring(8)),
    ];
    for (name, net) in nets {
        let n = net.span;
        for routing in [DModK, Ecmp, Adaptive] {
            for shift in [1, n / 2] {
                let off = error(&routed(&net, routing), &Pattern::shift(n, shift, 4 * MIB));
                assert!(off.abs() < 1.0, "{name} {routing:?}, {shift} on: {off:+.2} %");
            }
        }
    }
    // where a message has many paths, packets load them evenly too
    for routing in [SprayRoundRobin, Adaptive] {
        let net = leaves_and_spines(4, 4, 4, 1);
        for shift in [1, 4, 7] {
            let off = error(&routed(&net, routing), &Pattern::shift(16, shift, 4 * MIB));
            assert!(off.abs() < 2.0, "leaves {routing:?}, {shift} on: {off:+.2} %");
        }
    }
}

#[test]
fn accelerators_with_several_neighbours_send_by_all() {
    // 0 and 1 are joined by two links, and each to switches 3 and 4, to which 2 is plugged, too
    let edges = vec![[0, 1, 0, 2], [0, 3, 0, 1], [0, 4, 0, 1], [1, 3, 0, 1], [1, 4, 0, 1], [2, 3, 0, 1], [2, 4, 0, 1]];
    let spec = routed(&graph(3, 2, edges), SprayRoundRobin);
    for (to, links, way) in [(1, 2, LATENCY), (2, 2, ALPHA)] {
        let [packets, flow] = message(&spec, 0, to, 32 * 4096);
        assert_eq!(flow.finish_fs, way + 32 / links * 4096 * B, "to {to}");
        assert_eq!(packets.finish_fs, flow.finish_fs);
        assert_eq!(per_link(&packets), per_link(&flow));
    }
    // three ways that are no set: 0 has one link into each of three switches, 1 into two of them, 2 into one
    let edges = vec![[0, 3, 0, 1], [0, 4, 0, 1], [0, 5, 0, 1], [1, 3, 0, 1], [1, 4, 0, 1], [2, 5, 0, 1], [4, 5, 0, 1]];
    let spec = routed(&graph(3, 3, edges), SprayRoundRobin);
    for (to, links) in [(1, 2), (2, 1)] {
        let [packets, flow] = message(&spec, 0, to, 30 * 4096);
        assert_eq!((flow.finish_fs, packets.finish_fs), (ALPHA + 30 / links * 4096 * B, flow.finish_fs), "to {to}");
    }
}

#[test]
fn what_accelerators_pass_on_shares_their_links_with_what_they_have_sent() {
    // a chain of 0 = 1 - 2 = 3: two pieces go over the link in the middle, and no buffer holds anything back
    let mut net = graph(4, 0, vec![[0, 1, 0, 2], [1, 2, 0, 1], [2, 3, 0, 2]]);
    if let TopologySpec::Graph { forwarding, .. } = &mut net.topology {
        *forwarding = Some(0);
    }
    net.buffer = None;
    let params = Params::new(Gather, Direct, 4, 4 * MIB);
    let r = fluid().collective(&routed(&net, SprayRoundRobin), &params).unwrap();
    assert!(r.finish_fs >= 2 * MIB * B, "{} fs", r.finish_fs);
}

#[test]
fn what_fluids_cannot_follow_is_refused() {
    let params = Params::new(AllReduce, Ring, 72, 4096);
    let refused = fluid().collective(&routed(&dragonfly(2, 4, 2), Ugal), &params).unwrap_err().to_string();
    assert!(refused.contains("ugal") && refused.contains("packet or analytic"), "{refused}");
    let large = hypercube(10);
    let refused = fluid().collective(&routed(&large, Valiant), &params).unwrap_err();
    assert!(matches!(&refused, Error::Spec { .. }) && refused.to_string().contains("10240"), "{refused}");
    assert!(fluid().collective(&routed(&large, SprayRandom), &params).is_ok());
}

fn graph_switches(net: &NetworkSpec) -> u32 {
    match net.topology {
        TopologySpec::Graph { switches, .. } => switches,
        _ => 0,
    }
}

/// True if as many bytes come into every switch of a graph as leave it.
fn conserved(spec: &SystemSpec, record: &Record) -> bool {
    let fabric = Fabric::new(spec, &Control::default()).unwrap();
    let mut balance = vec![(0i128, 0i128, 0i128); fabric.vertices() as usize];
    for l in &record.links {
        for (vertex, sign) in [(l.vertex, -1), (l.peer, 1)] {
            let b = &mut balance[vertex as usize];
            b.0 += sign * i128::from(l.payload_bytes);
            b.1 += sign * i128::from(l.wire_bytes);
            b.2 += sign * i128::from(l.packets);
        }
    }
    // those of the graphs come first; of sets of links in trees only the sum is known
    let switches = fabric.networks[0].copies as usize * graph_switches(&spec.networks[0]) as usize;
    balance[fabric.accelerators() as usize..][..switches].iter().all(|&b| b == (0, 0, 0))
}

#[test]
fn links_that_pass_others_on_are_never_over_their_rate() {
    // a ring of accelerators that forward: what a sender has left with still uses the links that others come by
    for (buffer, elements) in [(None, 32_768), (Some(64 * 1024), 32_768), (Some(8192), 5000)] {
        let mut net = graph(8, 0, (0..8).map(|a| [a, (a + 1) % 8, 0, 1]).collect());
        net.buffer = buffer;
        if let TopologySpec::Graph { forwarding, .. } = &mut net.topology {
            *forwarding = Some(0);
        }
        let spec = system(8, vec![net]);
        let params = Params::new(AllToAll, Direct, 8, 8 * 4 * elements);
        let r = Run { fluid: true, ..Run::default() }.collective(&spec, &params).unwrap();
        let busiest = r.links.iter().map(|l| RATE.time(l.wire_bytes)).max().unwrap();
        assert!(busiest <= r.finish_fs, "{buffer:?}: {busiest} of {}", r.finish_fs);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_conserved_and_single_paths_are_those_of_packets(
        spec in graphs(), collective in 0usize..10, algorithm: prop::sample::Index, elements in 1u64..60_000, seed: u64,
    ) {
        let collective = supernode_core::collective::Collective::ALL[collective];
        let bytes = if collective == Barrier { 0 } else { elements * 4 };
        let mut params = Params::new(collective, Ring, spec.accelerators, bytes);
        let valid = valid_algorithms(&params, false);
        params.algorithm = valid[algorithm.index(valid.len())];
        let run = |fluid| Run { fluid, seed, ..Run::default() }.collective(&spec, &params);
        let routing = spec.networks[0].routing;
        let flow = match run(true) {
            Ok(r) => r,
            Err(error) => {
                let aside = routing == Valiant && error.to_string().contains("its accelerators forward");
                prop_assert!(routing == Ugal || aside, "{}", error);
                return Ok(());
            }
        };
        prop_assert_eq!(flow.sent_bytes, flow.received_bytes);
        prop_assert!(conserved(&spec, &flow), "{:?}", routing);
        prop_assert_eq!(flow.links.iter().map(|l| l.packets).sum::<u64>(), flow.packet_hops);
        let messages: u64 = flow.ranks.iter().map(|r| r.sent_messages).sum();
        for l in &flow.links {
            // within what rounding parts of messages to whole bytes adds
            let link = &spec.networks[l.network as usize].links[l.tier as usize];
            let carried = l.wire_bytes.saturating_sub(4 * messages);
            prop_assert!(link.rate.time(carried) <= flow.finish_fs, "{:?} by {}", l, flow.finish_fs);
        }
        if let (false, Ok(packets)) = (routing.sprays(), run(false)) {
            if spec.networks.len() == 1 {
                prop_assert_eq!(per_link(&packets), per_link(&flow));
            }
            prop_assert_eq!(packets.packet_hops, flow.packet_hops);
        }
    }
}
