//! Explicit graphs: the same physics as shapes that are computed, whatever the graph, and no deadlock on short paths.

mod common;
use common::jobs::comparable;
use common::pattern::Pattern;
use common::shapes::{dragonfly, graph, graphs, ring, star};
use common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params, valid_algorithms};
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
            TopologySpec::Graph { switches, edges, switch_kinds: vec![0, 1], weights: vec![] }
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
fn a_path_longer_than_the_channels_ends_or_says_so() {
    let mut net = ring(24);
    net.buffer = Some(2 * 4096);
    let params = Params::new(Collective::AllToAll, Algorithm::Direct, 24, 24 * 16 * 4096);
    match Run::default().collective(&system(24, vec![net.clone()]), &params) {
        Ok(r) => assert_eq!(r.sent_bytes, r.received_bytes),
        Err(error) => assert!(matches!(error, Error::Deadlock { .. }), "{error}"),
    }
    net.buffer = None;
    assert!(Run::default().collective(&system(24, vec![net]), &params).is_ok());
}

#[test]
fn what_is_not_modelled_is_refused() {
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 8, 4096);
    let mut net = star(8, 1);
    net.topology =
        TopologySpec::Graph { switches: 1, edges: vec![[0, 8, 0, 1]], switch_kinds: vec![], weights: vec![] };
    let error = Run::default().collective(&system(8, vec![net]), &params).unwrap_err();
    assert!(
        matches!(&error, Error::Fabric { problem, .. } if problem.contains("no path between accelerators 1 and 7"))
    );
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
    assert!(2 * times["valiant"] < global && 2 * times["ugal"] < global, "{times:?}");
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
        let full = match run(false, 1) {
            Ok(r) => comparable(r),
            // a chain of eight switches is longer than the channels
            Err(error) => {
                prop_assert!(matches!(error, Error::Deadlock { .. }), "{}", error);
                return Ok(());
            }
        };
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
