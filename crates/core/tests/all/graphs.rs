//! Explicit graphs: the same physics as shapes that are computed, whatever the graph, and no deadlock on short paths.

use crate::common::jobs::comparable;
use crate::common::pattern::Pattern;
use crate::common::shapes::{dragonfly, graph, graphs, leaves_and_spines, ring, star};
use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params, valid_algorithms};
use supernode_core::control::Control;
use supernode_core::error::Error;
use supernode_core::record::Record;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

fn run(net: &NetworkSpec, collective: Collective, algorithm: Algorithm, bytes: u64) -> Record {
    let spec = system(net.span, vec![net.clone()]);
    Run::default().collective(&spec, &Params::new(collective, algorithm, net.span, bytes)).expect("a run")
}

#[test]
fn a_star_is_a_switch() {
    use Collective::*;
    for (collective, algorithm) in
        [(AllReduce, Algorithm::Ring), (AllToAll, Algorithm::Pairwise), (Broadcast, Algorithm::Binomial)]
    {
        for cut_through in [true, false] {
            let (mut explicit, mut tree) = (star(8, 1), switched(8));
            explicit.switches[0].cut_through = cut_through;
            tree.networks[0].switches[0].cut_through = cut_through;
            let bytes = collective.rounded_bytes(300_000, 8, 4);
            let (a, b) = (run(&explicit, collective, algorithm, bytes), time(&tree, collective, algorithm, bytes));
            assert_eq!(a.finish_fs, b, "{collective} {algorithm} {cut_through}");
        }
    }
    // four links to the switch: 8 packets are two a link
    let r = run(&star(2, 4), Collective::SendRecv, Algorithm::Direct, 8 * 4096);
    assert_eq!(r.finish_fs, ALPHA + 2 * 4096 * FS_PER_BYTE);
    assert_eq!(
        r.levels.iter().map(|l| (l.up, l.links, l.packets)).collect::<Vec<_>>(),
        [(true, 8, 16), (false, 8, 16)]
    );
}

#[test]
fn links_and_switches_can_differ() {
    // accelerator 0 - switch 2 - switch 3 - accelerator 1; the middle is slower, farther, and its second switch takes longer
    let mut net = graph(2, 2, vec![[0, 2, 0, 1], [2, 3, 1, 1], [3, 1, 0, 1]]);
    net.topology = match net.topology {
        TopologySpec::Graph { switches, edges, .. } => {
            TopologySpec::Graph { switches, edges, switch_kinds: vec![0, 1], weights: vec![], forwarding: None }
        }
        other => other,
    };
    net.links.push(LinkSpec { rate: BitRate(RATE.0 / 4), latency_fs: 3 * LATENCY, medium: "optics".into() });
    net.switches.push(SwitchSpec { latency_fs: 7 * SWITCH, cut_through: true, in_network_reduce: false });
    let r = run(&net, Collective::SendRecv, Algorithm::Direct, 10 * 4096);
    // the far end waits until the fast last link cannot run dry: the slow one decides throughout
    assert_eq!(r.finish_fs, 2 * LATENCY + 3 * LATENCY + SWITCH + 7 * SWITCH + 10 * 4096 * 4 * FS_PER_BYTE);
    let tiers: Vec<_> = r.levels.iter().map(|l| (l.tier, l.up, l.packets)).collect();
    assert_eq!(tiers, [(0, true, 20), (0, false, 20), (1, true, 20)]);
}

#[test]
fn rings_of_switches_do_not_deadlock() {
    // everyone sends four switches on, with room for two packets behind each link
    for n in [5, 8, 9] {
        let mut net = ring(n);
        net.buffer = Some(2 * 4096);
        let r = run(&net, Collective::AllToAll, Algorithm::Direct, u64::from(n) * 64 * 4096);
        assert_eq!(r.sent_bytes, r.received_bytes, "{n} switches");
    }
}

#[test]
fn paths_longer_than_the_channels_do_not_deadlock() {
    for buffer in [Some(2 * 4096), None] {
        let mut net = ring(24);
        net.buffer = buffer;
        let r = run(&net, Collective::AllToAll, Algorithm::Direct, 24 * 16 * 4096);
        assert_eq!(r.sent_bytes, r.received_bytes);
    }
}

#[test]
fn what_is_not_modelled_is_refused() {
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 8, 4096);
    let mut net = star(8, 1);
    net.topology = TopologySpec::Graph {
        switches: 1,
        edges: vec![[0, 8, 0, 1]],
        switch_kinds: vec![],
        weights: vec![],
        forwarding: None,
    };
    let error = Run::default().collective(&system(8, vec![net]), &params).unwrap_err();
    assert!(
        matches!(&error, Error::Fabric { problem, .. } if problem.contains("no path between accelerators 1 and 7"))
    );
}

/// Accelerators that forward.
fn forwarding(n: u32, edges: Vec<[u32; 4]>) -> NetworkSpec {
    let mut net = graph(n, 0, edges);
    if let TopologySpec::Graph { forwarding, .. } = &mut net.topology {
        *forwarding = Some(0);
    }
    net
}

/// Accelerators at some switches each, and which of these are joined.
fn plugged(n: u32, trunks: Vec<[u32; 2]>, homes: impl Fn(u32) -> Vec<u32>) -> NetworkSpec {
    let switches = trunks.iter().flatten().max().map_or(1, |last| last + 1);
    let mut edges: Vec<[u32; 4]> = trunks.iter().map(|&[a, b]| [n + a, n + b, 0, 1]).collect();
    edges.extend((0..n).flat_map(|a| homes(a).into_iter().map(move |home| [a, n + home, 0, 1])));
    graph(n, switches, edges)
}

/// The edges of a torus.
fn wound(dims: &[u32]) -> Vec<[u32; 4]> {
    let n: u32 = dims.iter().product();
    let mut stride = 1;
    let mut edges = vec![];
    for &size in dims {
        let next = |x: u32| x - x / stride % size * stride + (x / stride + 1) % size * stride;
        edges.extend((0..n).filter(|&x| size > 2 || x / stride % size == 0).map(|x| [x, next(x), 0, 1]));
        stride *= size;
    }
    edges
}

#[test]
fn a_ring_that_forwards_is_a_torus() {
    for (n, bytes) in [(3, 1), (5, 4096 * 7 + 5), (8, 300_000), (30, 4096 * 3)] {
        for (cut_through, buffer) in [(true, None), (true, Some(4 * 4096)), (false, Some(64 * 1024)), (false, None)] {
            let (mut ring, mut line) = (forwarding(n, wound(&[n])), network("ring", n, torus(&[n]), vec![1]));
            for net in [&mut ring, &mut line] {
                (net.switches[0].cut_through, net.buffer, net.routing) = (cut_through, buffer, RoutingSpec::DModK);
            }
            // to each distance that has one shortest way: neighbours first
            for far in 1..n.div_ceil(2) {
                let pattern = Pattern::shift(n, far, bytes);
                let time = |net: &NetworkSpec| {
                    let r = Run::default().schedule(&system(n, vec![net.clone()]), &pattern).unwrap();
                    (r.finish_fs, r.packet_hops)
                };
                let (explicit, computed) = (time(&ring), time(&line));
                // where flows meet, buffers of one channel or two make a difference in time
                if far == 1 || buffer.is_none() {
                    assert_eq!(explicit, computed, "{n} accelerators, {far} further, {bytes} bytes");
                }
                assert_eq!(explicit.1, computed.1, "{n} accelerators, {far} further, {bytes} bytes");
                if far == 1 && buffer.is_none() {
                    assert_eq!(explicit.0, LATENCY + bytes * FS_PER_BYTE, "latency and the bytes' time");
                }
            }
        }
    }
}

#[test]
fn no_channel_waits_for_itself() {
    use std::collections::{BTreeMap, BTreeSet};
    use supernode_core::fabric::{Fabric, Shape};
    use supernode_core::routing::router::{Arrival, Router};
    // rings, tori, and trees with a few links more: some by links, some by turns, some with an escape
    let mut nets: Vec<NetworkSpec> = [5, 13, 40].map(|n| forwarding(n, wound(&[n]))).to_vec();
    nets.push(ring(20));
    // two rings of switches that meet in accelerators only
    let around = |i: u32, first: u32| [[i, first + i, 0, 1], [first + i, first + (i + 1) % 24, 0, 1]];
    nets.push(graph(24, 48, (0..24).flat_map(|i| [around(i, 24), around(i, 48)].concat()).collect()));
    nets.push(forwarding(64, wound(&[4, 4, 4])));
    nets.push(forwarding(120, wound(&[10, 12])));
    let mut rng = supernode_core::rng::mix(7);
    let mut draw = |below: u32| {
        rng = supernode_core::rng::mix(rng);
        (rng % u64::from(below)) as u32
    };
    for n in [30, 60, 90] {
        // numbered at random, so that any way turns often
        let mut names: Vec<u32> = (0..n).collect();
        (1..n as usize).for_each(|i| names.swap(i, draw(i as u32 + 1) as usize));
        let mut edges: Vec<[u32; 4]> = (0..n - 1).map(|i| [names[i as usize], names[i as usize + 1], 0, 1]).collect();
        edges.extend((0..n / 8).map(|_| [draw(n), draw(n), 0, 1]).filter(|e| e[0] != e[1]));
        nets.push(forwarding(n, edges));
    }
    // accelerators at every switch of a ring, which only detours go round; and planes of rings, short and long
    nets.push(plugged(8, (0..7).map(|s| [s, (s + 1) % 7]).collect(), |_| (0..7).collect()));
    for n in [9, 24] {
        let rings = (0..2 * n).map(|s| [s, s / n * n + (s + 1) % n]).collect();
        nets.push(plugged(n, rings, |a| vec![a, n + a]));
    }
    for n in [12, 30, 60] {
        // two planes of random graphs, and accelerators at two switches of either
        let mut trunks: Vec<[u32; 2]> =
            (0..2 * n).filter(|s| s % n > 0).map(|s| [s, s / n * n + draw(s % n)]).collect();
        trunks.extend((0..n / 4).map(|_| [draw(n), draw(n)]).filter(|e| e[0] != e[1]));
        let homes: Vec<[u32; 4]> = (0..20).map(|_| [draw(n), draw(n), n + draw(n), n + draw(n)]).collect();
        nets.push(plugged(20, trunks, |a| homes[a as usize].to_vec()));
    }
    let mut escapes = 0;
    for mut net in nets {
        net.buffer = Some(4096);
        for routing in [RoutingSpec::SprayRoundRobin, RoutingSpec::Adaptive, RoutingSpec::Valiant, RoutingSpec::Ugal] {
            net.routing = routing;
            let fabric = Fabric::new(&system(net.span, vec![net.clone()]), &Control::default()).unwrap();
            let network = &fabric.networks[0];
            let Shape::Graph(graph) = &network.planes[0].shape else { panic!("a graph") };
            let (router, channels) = (Router::of(network).unwrap(), network.channels);
            let link = |at: u32, port: u32, channel: u32| (at * 64 + port) * 8 + channel;
            let mut after: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            let mut longest = 0;
            for from in 0..net.span {
                for to in (0..net.span).filter(|&to| to != from) {
                    for hop in 0..router.choices(from, to) {
                        let number = draw(1 << 20);
                        let mut selector = router.selector(from, hop, 0, number, number, number);
                        let next_hop = router.first(from, router.way(from, to), hop).unwrap();
                        let (mut at, mut port, mut channel) = (from, next_hop.port, next_hop.channel);
                        let (mut phase, mut links) = (router.phase(), 0);
                        loop {
                            let last = link(at, port, channel);
                            let (next, back) = graph.peer(at, port).unwrap();
                            // at an accelerator that does not forward nothing waits for anything
                            assert!(channel < channels || next == to && !graph.forwards(), "{channel} of {channels}");
                            links += 1;
                            if next == to {
                                break;
                            }
                            assert!(links < 4 * net.span, "a packet that does not come to its end");
                            let arrival = Arrival { way: to, selector, phase, from: back, channel };
                            let load = |port| u64::from(port * number % 5);
                            let step = if routing.adaptive() {
                                router.adapt(next, arrival, load)
                            } else {
                                router.step(next, arrival)
                            };
                            let step = step.unwrap();
                            escapes += u32::from(graph.escaped(step.channel) && !graph.escaped(channel));
                            (at, port, channel, phase) = (next, step.port, step.channel, step.phase);
                            selector = step.selector;
                            after.entry(last).or_default().insert(link(at, port, channel));
                        }
                        longest = longest.max(links);
                    }
                }
            }
            // Kahn's order of all links and channels that wait for one another
            let mut waits: BTreeMap<u32, u32> = BTreeMap::new();
            after.values().flatten().for_each(|&to| *waits.entry(to).or_default() += 1);
            let mut ready: Vec<u32> = after.keys().copied().filter(|from| !waits.contains_key(from)).collect();
            let mut sorted = 0;
            while let Some(from) = ready.pop() {
                for &to in after.get(&from).into_iter().flatten() {
                    sorted += 1;
                    let left = waits.get_mut(&to).unwrap();
                    *left -= 1;
                    if *left == 0 {
                        ready.push(to);
                    }
                }
            }
            let all: usize = after.values().map(BTreeSet::len).sum();
            assert_eq!(sorted, all, "{routing:?} on {} accelerators: paths of {longest} links", net.span);
        }
    }
    assert!(escapes > 0, "an escape is needed somewhere");
}

#[test]
fn long_rings_and_tori_need_few_channels() {
    use supernode_core::fabric::Fabric;
    let channels = |dims: &[u32]| {
        let mut net = forwarding(dims.iter().product(), wound(dims));
        net.buffer = Some(4096);
        let n = net.span;
        Fabric::new(&system(n, vec![net]), &Control::default()).unwrap().networks[0].channels
    };
    assert_eq!(channels(&[12]), 6, "by links");
    // two times local, global, local, though global links weigh three
    let mut detours = dragonfly(2, 4, 2);
    (detours.buffer, detours.routing) = (Some(4096), RoutingSpec::Valiant);
    let n = detours.span;
    let fabric = Fabric::new(&system(n, vec![detours]), &Control::default()).unwrap();
    let supernode_core::fabric::Shape::Graph(shape) = &fabric.networks[0].planes[0].shape else { panic!("a graph") };
    assert_eq!((fabric.networks[0].channels, shape.turning()), (6, false));
    assert_eq!(channels(&[100]), 2, "a dateline");
    assert!(channels(&[8, 8, 8]) <= 4, "{}", channels(&[8, 8, 8]));
}

#[test]
fn what_accelerators_get_and_what_they_pass_on_does_not_depend_on_threads() {
    // they look at their queues, and free buffers of one link by either
    let edges = [
        [[2, 8, 0, 3], [9, 8, 0, 3], [6, 9, 0, 1], [3, 8, 0, 1], [1, 6, 0, 1], [5, 2, 0, 2], [4, 8, 0, 1]].to_vec(),
        [[7, 4, 0, 1], [0, 7, 0, 1], [2, 0, 0, 2], [4, 0, 0, 2], [7, 6, 1, 1], [2, 6, 0, 1]].to_vec(),
    ];
    let mut net = graph(6, 4, edges.concat());
    if let TopologySpec::Graph { forwarding, weights, .. } = &mut net.topology {
        (*forwarding, *weights) = (Some(0), vec![1, 3]);
    }
    let link = LinkSpec { rate: BitRate(400_000_000_000), latency_fs: 100_000_000, medium: String::new() };
    net.links = vec![link.clone(), link];
    net.switches[0].latency_fs = 80_000_000;
    (net.payload, net.overhead, net.buffer, net.routing) = (1024, 64, Some(19_584), RoutingSpec::Ugal);
    let spec = system(6, vec![net]);
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 6, 4_000_008);
    let time = |threads| Run { threads, skip: false, ..Run::default() }.collective(&spec, &params).unwrap().finish_fs;
    assert_eq!([time(2), time(3)], [time(1); 2]);
}

/// Wire bytes of the links that leave a graph's leaves upwards.
fn uplinks(net: &NetworkSpec, algorithm: Algorithm, bytes: u64, leaf: impl Fn(u32) -> bool) -> Vec<u64> {
    let record = run(net, Collective::AllToAll, algorithm, bytes);
    let up = record.links.iter().filter(|l| l.vertex >= net.span && l.peer >= net.span && leaf(l.vertex - net.span));
    up.map(|l| l.wire_bytes).collect()
}

#[test]
fn every_policy_uses_all_uplinks_of_a_tree_written_out() {
    // 64 accelerators under 8 leaves, which come before their 8 spines
    for routing in [RoutingSpec::DModK, RoutingSpec::SModK, RoutingSpec::SprayRoundRobin, RoutingSpec::Adaptive] {
        let mut net = leaves_and_spines(8, 8, 8, 1);
        net.routing = routing;
        let loads = uplinks(&net, Algorithm::Pairwise, 64 * 4096, |switch| switch < 8);
        // 56 of the 64 messages of each of a leaf's 8 accelerators leave it, by 8 uplinks
        assert_eq!((loads.len(), loads.iter().sum::<u64>()), (64, 64 * 56 * 4096));
        let most = *loads.iter().max().unwrap();
        let even = 56 * 4096;
        assert!(if routing.adaptive() { most <= even * 3 / 2 } else { most == even }, "{routing:?}: {most} of {even}");
    }
}

#[test]
fn spraying_over_planes_uses_all_ways_in_each() {
    // two planes of 4 leaves and 2 spines each: 6 switches a plane
    for packets in [2, 8] {
        let net = leaves_and_spines(4, 4, 2, 2);
        let loads = uplinks(&net, Algorithm::Pairwise, 16 * packets * 4096, |switch| switch % 6 < 4);
        let sum: u64 = loads.iter().sum();
        // 12 of 16 messages leave a leaf's 4 accelerators
        assert_eq!((loads.len(), sum), (16, 16 * 12 * packets * 4096));
        assert!(loads.iter().all(|&load| load <= sum / 16 * 5 / 4), "{packets} packets a message: {loads:?}");
    }
}

#[test]
fn detours_stay_in_their_plane() {
    for routing in [RoutingSpec::Valiant, RoutingSpec::Ugal] {
        let mut net = leaves_and_spines(3, 2, 2, 2);
        net.routing = routing;
        let r = run(&net, Collective::AllToAll, Algorithm::Direct, 6 * 40_000);
        assert_eq!(r.sent_bytes, 6 * 5 * 40_000);
        assert_eq!(r.sent_bytes, r.received_bytes);
    }
}

#[test]
fn detours_help_where_all_want_one_link() {
    // 9 groups of 4 x 2; each group sends to the next one: 8 accelerators over one global link
    let mut net = dragonfly(2, 4, 2);
    let (n, bytes) = (72, 64 * 4096);
    let pattern = Pattern::shift(n, 8, bytes);
    let mut times = std::collections::BTreeMap::new();
    for routing in [RoutingSpec::SprayRoundRobin, RoutingSpec::Adaptive, RoutingSpec::Valiant, RoutingSpec::Ugal] {
        net.routing = routing;
        net.buffer = Some(64 * 4096);
        let spec = system(n, vec![net.clone()]);
        let run = |threads, skip| Run { threads, skip, ..Run::default() }.schedule(&spec, &pattern).unwrap();
        let r = comparable(run(1, false));
        assert_eq!(r.received_bytes, u64::from(n) * bytes, "{routing:?}");
        for (threads, skip) in [(1, true), (2, false), (7, true)] {
            assert_eq!(r, comparable(run(threads, skip)), "{routing:?} on {threads} threads, skip {skip}");
        }
        times.insert(routing.name(), r.finish_fs);
    }
    let global = 8 * bytes * FS_PER_BYTE;
    assert!(times["spray_round_robin"] >= global && times["adaptive"] >= global, "{times:?}");
    // UGAL sees its own queues only, not those of the one link
    assert!(2 * times["valiant"] < global && 3 * times["ugal"] < 2 * global, "{times:?}");
}

#[test]
fn detours_are_not_taken_where_nothing_waits() {
    // one message to the next group: the shortest way is free, and UGAL takes it: 5 links
    let mut net = dragonfly(2, 4, 2);
    net.routing = RoutingSpec::Ugal;
    let params = Params::new(Collective::Gather, Algorithm::Direct, 2, 2 * 4096);
    let run = Run { placement: Some(vec![0, 8]), ..Run::default() };
    let r = run.collective(&system(72, vec![net.clone()]), &params).unwrap();
    let hops = r.packet_hops;
    assert!(
        (3..=5).contains(&hops) && r.finish_fs == hops * LATENCY + (hops - 1) * SWITCH + 4096 * FS_PER_BYTE,
        "{hops}"
    );
    // Valiant's goes by any switch
    net.routing = RoutingSpec::Valiant;
    let far = run.collective(&system(72, vec![net]), &params).unwrap();
    assert!(far.finish_fs >= r.finish_fs);
}

#[test]
fn only_graphs_have_detours() {
    for routing in [RoutingSpec::Adaptive, RoutingSpec::Valiant, RoutingSpec::Ugal] {
        let mut spec = switched(4);
        spec.networks[0].routing = routing;
        let params = Params::new(Collective::AllReduce, Algorithm::Ring, 4, 4096);
        let error = Run::default().collective(&spec, &params).unwrap_err();
        assert!(error.to_string().contains(routing.name()) && error.to_string().contains("explicit graphs"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn bytes_arrive_and_threads_and_skipping_change_nothing(
        spec in graphs(), collective in 0usize..10, algorithm: prop::sample::Index, elements in 1u64..60_000, seed: u64,
    ) {
        let collective = Collective::ALL[collective];
        let bytes = if collective == Collective::Barrier { 0 } else { elements * 4 };
        let mut params = Params::new(collective, Algorithm::Ring, spec.accelerators, bytes);
        let valid = valid_algorithms(&params, false);
        params.algorithm = valid[algorithm.index(valid.len())];
        let run = |skip, threads| Run { skip, threads, seed, ..Run::default() }.collective(&spec, &params);
        let full = comparable(run(false, 1).unwrap());
        prop_assert_eq!(full.sent_bytes, full.received_bytes);
        prop_assert_eq!(full.flows.iter().map(|f| f.bytes).sum::<u64>(), full.received_bytes);
        for l in &full.links {
            let link = &spec.networks[l.network as usize].links[l.tier as usize];
            prop_assert!(link.rate.time(l.wire_bytes) <= l.busy_fs && l.busy_fs <= full.finish_fs, "{:?}", l);
        }
        for (skip, threads) in [(true, 1), (true, 2), (false, 7)] {
            prop_assert_eq!(&full, &comparable(run(skip, threads).unwrap()), "skip {} on {} threads", skip, threads);
        }
    }
}
