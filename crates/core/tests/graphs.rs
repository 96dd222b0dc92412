//! Explicit graphs: the same physics as shapes that are computed, whatever the graph, and no deadlock on short paths.

mod common;
use common::jobs::comparable;
use common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params, valid_algorithms};
use supernode_core::error::Error;
use supernode_core::record::Record;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

/// A network of explicit edges `(a, b, class, links)`.
fn graph(accelerators: u32, switches: u32, edges: Vec<[u32; 4]>) -> NetworkSpec {
    let mut net = network("graph", accelerators, torus(&[1]), vec![1]);
    net.topology = TopologySpec::Graph { switches, edges, switch_kinds: vec![] };
    net
}

/// One switch.
fn star(n: u32, links: u32) -> NetworkSpec {
    graph(n, 1, (0..n).map(|a| [a, n, 0, links]).collect())
}

/// Switches in a ring, one accelerator each.
fn ring(n: u32) -> NetworkSpec {
    let edges = (0..n).flat_map(|i| [[i, n + i, 0, 1], [n + i, n + (i + 1) % n, 0, 1]]);
    graph(n, n, edges.collect())
}

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
            TopologySpec::Graph { switches, edges, switch_kinds: vec![0, 1] }
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
    let spec = system(8, vec![star(8, 1)]);
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 8, 4096);
    let error = Run { fluid: true, ..Run::default() }.collective(&spec, &params).unwrap_err();
    assert!(error.to_string().contains("explicit graph"), "{error}");
    let mut net = star(8, 1);
    net.topology = TopologySpec::Graph { switches: 1, edges: vec![[0, 8, 0, 1]], switch_kinds: vec![] };
    let error = Run::default().collective(&system(8, vec![net]), &params).unwrap_err();
    assert!(
        matches!(&error, Error::Fabric { problem, .. } if problem.contains("no path between accelerators 1 and 7"))
    );
}

/// Connected graphs with everything: several homes, direct links between accelerators, parallel links, two classes.
fn graphs() -> impl Strategy<Value = SystemSpec> {
    let extra = prop::collection::vec((any::<u32>(), any::<u32>(), 0u32..2, 1u32..3), 0..40);
    (2u32..10, 1u32..9, extra, 0usize..5, 0usize..3, any::<bool>(), 1u32..3).prop_map(
        |(n, switches, extra, routing, buffer, cut, copies)| {
            let vertices = n + switches;
            let mut edges: Vec<[u32; 4]> = (1..switches).map(|s| [n + s - 1, n + s, s % 2, 1]).collect();
            edges.extend((0..n).map(|a| [a, n + (a * 5) % switches, 0, 1 + a % 2]));
            edges.extend(
                extra.into_iter().map(|(a, b, c, k)| [a % vertices, b % vertices, c, k]).filter(|e| e[0] != e[1]),
            );
            let mut net = graph(n, switches, edges);
            net.links.push(LinkSpec { rate: BitRate(RATE.0 * 2), latency_fs: LATENCY / 3, medium: String::new() });
            net.switches[0].cut_through = cut;
            net.buffer = [Some(2 * 4096), Some(64 * 1024), None][buffer];
            use RoutingSpec::*;
            net.routing = [DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom][routing];
            let mut networks = vec![net];
            if copies > 1 {
                networks.push(network("pod", n * copies, clos(&[n * copies], &[1]), vec![1]));
            }
            system(n * copies, networks)
        },
    )
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
