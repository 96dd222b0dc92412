//! A folded run is the full run, bit for bit in every row; so is one that skips, and one that does both.

use crate::common::jobs::{ROUTINGS, comparable, dressed, expanded, jobs, jobs_on};
use crate::common::shapes::{self, graphs};
use crate::common::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use supernode_core::collective::{Algorithm, Collective, Params, build};
use supernode_core::control::Control;
use supernode_core::fabric::Fabric;
use supernode_core::flow;
use supernode_core::spec::*;
use supernode_core::symmetry::{Folding, order};
use supernode_core::units::BitRate;

/// Runs in full, folded, and folded with skipping; asserts that they agree. Returns how many each simulated rank stood for.
fn hold(spec: &SystemSpec, params: &Params, seed: u64) -> u64 {
    agree(spec, params, seed, true, false).max(agree(spec, params, seed, false, true))
}

/// With rows of messages or without; from step to step, only runs without skip.
fn agree(spec: &SystemSpec, params: &Params, seed: u64, flows: bool, skip: bool) -> u64 {
    let fabric = Fabric::new(spec, &Control::default()).unwrap();
    let schedule = build(params).unwrap();
    let placement: Vec<u32> = (0..params.ranks).collect();
    let folding = Folding::new(&fabric, &*schedule, &placement, true, &Control::default()).unwrap();
    if folding.quotient().is_none() {
        return 1;
    }
    let run = |fold, skip| Run { seed, fold, skip, flows, ..Run::default() }.collective(spec, params).unwrap();
    let full = comparable(run(false, false));
    let expanded = expanded(&folding, &fabric, run(true, skip));
    assert_eq!(full.finish_fs, expanded.finish_fs, "{spec:?} {params:?}");
    for (a, b) in full.ranks.iter().zip(&expanded.ranks) {
        assert_eq!(a, b, "{spec:?} {params:?}");
    }
    assert_eq!(full.levels, expanded.levels, "{spec:?} {params:?}");
    for (a, b) in full.links.iter().zip(&expanded.links) {
        assert_eq!(a, b, "{spec:?} {params:?}");
    }
    for (a, b) in full.flows.iter().zip(&expanded.flows) {
        assert_eq!(a, b, "{spec:?} {params:?}");
    }
    assert_eq!(full, expanded, "{spec:?} {params:?}");
    folding.multiplicity()
}

/// Flows of one rank of each class against those of all; how many each simulated rank stood for.
fn flows_agree(spec: &SystemSpec, params: &Params, seed: u64) -> u64 {
    let fabric = Fabric::new(spec, &Control::default()).unwrap();
    let schedule = build(params).unwrap();
    let placement: Vec<u32> = (0..params.ranks).collect();
    let folding = flow::folding(&fabric, &*schedule, &placement, true, &Control::default()).unwrap();
    if !folding.applied() {
        return 1;
    }
    let run = |fold| Run { seed, fold, fluid: true, ..Run::default() }.collective(spec, params).unwrap();
    let (full, folded) = (run(false), run(true));
    // rounding of floats, and what it adds up to over the steps
    let near = |a: u64, b: u64| a.abs_diff(b) <= 1000 + (a as f64 * 1e-9) as u64;
    let what = || format!("{spec:?} {params:?}");
    assert!(near(full.finish_fs, folded.finish_fs), "{} {} {}", full.finish_fs, folded.finish_fs, what());
    assert_eq!((full.sent_bytes, full.received_bytes), (folded.sent_bytes, folded.received_bytes), "{}", what());
    let (ranks, messages) = (folding.ranks(&folded), folding.flows(&folded));
    for (a, b) in full.ranks.iter().zip(&ranks) {
        assert!(a.rank == b.rank && near(a.finish_fs, b.finish_fs), "{a:?} {b:?} {}", what());
        assert_eq!(
            (a.sent_bytes, a.received_bytes, a.sent_messages),
            (b.sent_bytes, b.received_bytes, b.sent_messages)
        );
    }
    assert_eq!(full.flows.len(), messages.len(), "{}", what());
    for (a, b) in full.flows.iter().zip(&messages) {
        assert_eq!((a.src, a.dst, a.lane, a.step, a.bytes), (b.src, b.dst, b.lane, b.step, b.bytes), "{}", what());
        assert!(near(a.end_fs, b.end_fs), "{a:?} {b:?} {}", what());
    }
    // what a set of links carried is divided evenly, a remainder here and there
    let links = folding.links(&fabric, &folded);
    let rows = full.links.iter().filter(|row| folding.class_of(&fabric, (row.vertex, row.port)).is_some());
    let few = 1 + full.flows.len() as u64 / u64::from(params.ranks);
    for a in rows {
        let b = links.iter().find(|b| (b.vertex, b.port) == (a.vertex, a.port)).expect("the link");
        assert!(a.payload_bytes.abs_diff(b.payload_bytes) <= few, "{a:?} {b:?} {}", what());
        assert!(a.packets.abs_diff(b.packets) <= few, "{a:?} {b:?} {}", what());
    }
    for (a, b) in full.levels.iter().zip(&folded.levels) {
        let key = |l: &supernode_core::record::LevelRecord| (l.network, l.tier, l.up);
        assert_eq!(key(a), key(b));
    }
    folding.multiplicity()
}

/// Over two planes an odd number of packets takes different ways up. What arrives by both planes at once must not be served in
/// the order of these ways, because they differ between ranks that do alike.
#[test]
fn packets_of_two_planes_come_in_alike() {
    let mut spec = system(32, vec![network("tree", 32, clos(&[4, 4, 2], &[1, 4, 1]), vec![1, 1])]);
    spec.device.hbm_rate = Some(BitRate(1_200_000_000_000));
    spec.networks[0].routing = RoutingSpec::SprayRoundRobin;
    for (packets, buffer) in [(15, 12_288), (27, 12_288), (31, 12_288), (31, 8_320)] {
        spec.networks[0].buffer = Some(buffer);
        let mut params = Params::new(Collective::AllReduce, Algorithm::RecursiveDoubling, 32, packets * 4096 + 132);
        params.order = vec![4, 4, 2];
        assert!(hold(&spec, &params, 0) > 1);
    }
}

/// Over two links into one plane an odd number of packets takes ways up that collide: what two accelerators that do alike send
/// meets in one queue. Which goes first must not depend on their numbers.
#[test]
fn packets_of_two_links_meet_alike() {
    let rack = network("rack", 8, TopologySpec::FullMesh { dims: vec![4, 2] }, vec![1]);
    let mut spec = system(32, vec![rack, network("pod", 32, clos(&[8, 4], &[1, 8]), vec![2])]);
    for net in &mut spec.networks {
        (net.routing, net.buffer) = (RoutingSpec::SprayRoundRobin, Some(8_320));
    }
    for bytes in [12_544, 12_800] {
        let mut params = Params::new(Collective::AllReduce, Algorithm::TwoShot, 32, 32 * bytes);
        (params.levels, params.order) = (vec![8, 4], vec![4, 2, 4]);
        assert!(hold(&spec, &params, 0) > 1);
    }
}

/// How many random cases to try: `SUPERNODE_CASES` or this.
fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("SUPERNODE_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(usual), max_global_rejects: 1 << 20, ..ProptestConfig::default() }
}

/// A seed of its own for the usual number of cases.
fn fixed() -> RngSeed {
    if std::env::var("SUPERNODE_CASES").is_ok() { RngSeed::Random } else { RngSeed::Fixed(1) }
}

/// Fabrics with symmetries, oversubscribed, on rails, with parallel links and tight buffers; memory that is slow.
fn even_fabrics() -> impl Strategy<Value = SystemSpec> {
    let shape = (0usize..9, 0usize..3, 0usize..3, 1u32..3).prop_map(|(kind, a, b, links)| {
        let (up, twice) = ([1u32, 2, 4][a], [1u32, 2, 3][b]);
        match kind {
            0 => {
                let planes = [vec![1; 3], vec![1; 2], vec![2, 2]][a].clone();
                system(6 * twice, vec![network("switch", 6 * twice, clos(&[6 * twice], &[1]), planes)])
            }
            1 => system(8 * twice, vec![network("tree", 8 * twice, clos(&[4, 2 * twice], &[1, up]), vec![links])]),
            2 => system(32, vec![network("tree", 32, clos(&[4, 4, 2], &[1, up, twice]), vec![1; links as usize])]),
            3 => {
                let dims = [vec![4, 3], vec![3, 3, 2], vec![6, 2]][a].clone();
                let n = dims.iter().product();
                system(n, vec![network("torus", n, torus(&dims), vec![links])])
            }
            4 => {
                let mesh = TopologySpec::FullMesh { dims: vec![4, twice + 1] };
                system(4 * (twice + 1), vec![network("mesh", 4 * (twice + 1), mesh, vec![links])])
            }
            5 => {
                let host = network("host", 4, clos(&[4], &[1]), vec![2, 1]);
                let rails =
                    TopologySpec::Clos { down: vec![2, 8], up: vec![1, up], parallel: vec![1, links], rails: 4 };
                system(16, vec![host, network("rails", 16, rails, vec![1; links as usize])])
            }
            6 => {
                let rack = network("rack", 8, TopologySpec::FullMesh { dims: vec![4, 2] }, vec![1]);
                system(32, vec![rack, network("pod", 32, clos(&[8, 4], &[1, 2 * up]), vec![links])])
            }
            7 => {
                let tree =
                    TopologySpec::Clos { down: vec![8, 4], up: vec![1, up], parallel: vec![1, 2 * links], rails: 1 };
                system(32, vec![network("tree", 32, tree, vec![1])])
            }
            _ => {
                let mesh = TopologySpec::Torus { dims: vec![4, 3], wrap: vec![true, false], twist: vec![] };
                system(
                    24,
                    vec![network("board", 12, mesh, vec![links]), network("pod", 24, clos(&[24], &[1]), vec![2])],
                )
            }
        }
    });
    // mostly what can be folded
    let routings = [&ROUTINGS[..3], &[RoutingSpec::SprayRoundRobin; 5]].concat();
    dressed(shape, routings)
}

fn even_jobs() -> impl Strategy<Value = (SystemSpec, Params)> {
    use Collective::*;
    let collective = prop::sample::select(vec![AllReduce, AllGather, ReduceScatter, AllToAll, SendRecv, Barrier]);
    (even_fabrics(), collective, any::<prop::sample::Index>(), 1u64..40_000, 0u32..3, 0u32..4).prop_map(
        |(spec, collective, algorithm, elements, lanes, part)| {
            // now and then long enough for skipping
            let elements = if elements % 7 == 0 { elements * 16 } else { elements };
            // now and then only the first of the accelerators
            let n = match part {
                0 => spec.networks[0].span,
                _ => spec.accelerators,
            };
            let mut params = Params::new(collective, Algorithm::Ring, n, elements * 4);
            params.lanes = (lanes > 0).then_some(lanes);
            if collective == Barrier {
                params.bytes = 0;
            }
            if let (TopologySpec::Torus { dims, wrap, .. }, true) =
                (&spec.networks[0].topology, n == spec.networks[0].span)
            {
                (params.dims, params.wrap) = (dims.clone(), wrap.clone());
            }
            params.order = order(&Fabric::new(&spec, &Control::default()).unwrap(), &(0..n).collect::<Vec<_>>());
            if n > spec.networks[0].span {
                params.levels = vec![spec.networks[0].span, n / spec.networks[0].span];
            } else if n == 32 && elements % 2 == 0 {
                params.levels = vec![8, 4];
            } else if params.order.len() > 1 {
                params.levels.clone_from(&params.order);
            }
            let single = matches!(&spec.networks[0].topology, TopologySpec::Clos { down, .. } if down.len() == 1);
            let valid = supernode_core::collective::valid_algorithms(&params, single && n == spec.networks[0].span);
            params.algorithm = valid[algorithm.index(valid.len())];
            (spec, params)
        },
    )
}

/// A ring that goes round a torus with virtual channels folds as fluids though packets cannot be folded: an all-to-all of 64 ranks.
#[test]
fn datelines_do_not_keep_flows_from_folding() {
    let spec = system(64, vec![network("torus", 64, torus(&[4, 4, 4]), vec![1])]);
    let mut params = Params::new(Collective::AllToAll, Algorithm::Direct, 64, 64 * 65536);
    params.order = order(&Fabric::new(&spec, &Control::default()).unwrap(), &(0..64).collect::<Vec<_>>());
    assert_eq!(flows_agree(&spec, &params, 0), 64);
}

proptest! {
    // Always the same cases unless more are asked for: in one of some thousand, rounding decides which of two messages that end
    // together goes on first, and others end some per cent later (docs/folding.md).
    #![proptest_config(ProptestConfig { rng_seed: fixed(), ..cases(600) })]

    #[test]
    fn folded_flows_are_all_flows((spec, params) in even_jobs(), seed in 0u64..3) {
        flows_agree(&spec, &params, seed);
    }

    #[test]
    fn folded_runs_are_the_full_ones((spec, params) in even_jobs(), seed: u64) {
        hold(&spec, &params, seed);
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn folding_changes_nothing_on_any_fabric((spec, params) in jobs(), seed: u64) {
        hold(&spec, &params, seed);
    }
}

#[test]
fn most_of_the_random_jobs_fold() {
    // the tests above would prove nothing if folding were always refused
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut folded = std::collections::BTreeMap::new();
    for _ in 0..400 {
        let (spec, params) = even_jobs().new_tree(&mut runner).unwrap().current();
        let order = hold(&spec, &params, 1);
        folded.entry(params.algorithm.name()).or_insert_with(Vec::new).push(order);
    }
    for (algorithm, orders) in &folded {
        println!(
            "{algorithm}: {} of {} fold, by up to {:?}",
            orders.iter().filter(|&&o| o > 1).count(),
            orders.len(),
            orders.iter().max()
        );
    }
    let (all, yes) = folded.values().flatten().fold((0, 0), |(n, y), &o| (n + 1, y + u32::from(o > 1)));
    assert!(yes * 2 > all, "{yes} of {all} fold: {folded:?}");
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn folded_sums_in_the_network_are_the_full_ones(
        planes in 1u32..5, turns in 1u32..5, gather in 0usize..3, elements in 1u64..200_000, lanes in 0u32..6, cut: bool,
        memory in 0u64..3, buffer in 0usize..3, overhead in 0u32..100, routing in 0usize..3, copies in 1u32..3,
    ) {
        let n = planes * turns + u32::from(planes * turns == 1);
        let mut net = network("switch", n, clos(&[n], &[1]), vec![1; planes as usize]);
        net.switches[0].cut_through = cut;
        net.buffer = [Some(2 * (4096 + 100)), Some(64 * 1024), None][buffer];
        net.overhead = overhead;
        net.routing = [RoutingSpec::DModK, RoutingSpec::Ecmp, RoutingSpec::SprayRoundRobin][routing];
        let mut spec = system(n * copies, vec![net]);
        if memory > 0 {
            let rate = supernode_core::units::BitRate(RATE.0 * u64::from(planes) * memory);
            spec.device = DeviceSpec { name: String::new(), generation: String::new(), hbm_rate: Some(rate), copy_rate: Some(rate), reduce_rate: None };
        }
        let collective = [Collective::AllReduce, Collective::AllGather, Collective::ReduceScatter][gather];
        let mut params = Params::new(collective, Algorithm::InNetwork, n, elements * 4);
        params.lanes = (lanes > 0).then_some(lanes);
        let order = hold(&spec, &params, 0);
        prop_assert_eq!(order, u64::from(n), "{} planes, {} ranks", planes, n);
    }
}

/// Graphs of every kind: alone, in copies under a switch or a tree, around boards, and both.
fn nested_graphs() -> impl Strategy<Value = SystemSpec> {
    let graph = prop_oneof![
        graphs().prop_map(|spec| spec.networks[0].clone()),
        (1u32..3, 2u32..4).prop_map(|(p, a)| shapes::dragonfly(p, a, 1)),
        (2u32..4, 1u32..3).prop_map(|(a, p)| shapes::hyperx(a, 2, p)),
        (2u32..4, 1u32..3).prop_map(|(p, planes)| shapes::leaves_and_spines(2, p, 2, planes)),
        (2u32..7).prop_map(shapes::ring),
        (1u32..5, 1u32..3).prop_map(|(n, links)| shapes::star(n, links)),
    ];
    (graph, 1u32..4, 0u32..3, any::<bool>()).prop_map(|(net, copies, above, board)| {
        let span = net.span;
        let mut networks = vec![net];
        if board && span % 2 == 0 {
            networks.insert(0, network("board", 2, clos(&[2], &[1]), vec![2]));
        }
        let all = span * copies;
        if copies > 1 {
            networks.push(match above {
                0 => network("pod", all, clos(&[all], &[1]), vec![1, 1]),
                1 => network("pod", all, clos(&[span, copies], &[1, 2]), vec![1]),
                // a graph of graphs
                _ => NetworkSpec { name: "pod".into(), ..shapes::star(all, 1) },
            });
        }
        system(all, networks)
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_part_of_a_machine_with_graphs_is_the_full_run((spec, params) in jobs_on(nested_graphs(), 1u64..20_000), seed: u64) {
        hold(&spec, &params, seed);
    }
}

#[test]
fn switches_of_a_graph_keep_their_names_in_a_part() {
    // two accelerators on one switch, twice, under another; the first two send to each other
    let spec = system(4, vec![shapes::star(2, 1), network("pod", 4, clos(&[4], &[1]), vec![1])]);
    let params = Params::new(Collective::SendRecv, Algorithm::Direct, 2, 100);
    let fabric = Fabric::new(&spec, &Control::default()).unwrap();
    let folding = Folding::new(&fabric, &*build(&params).unwrap(), &[0, 1], true, &Control::default()).unwrap();
    assert_eq!(folding.quotient().map(Fabric::accelerators), Some(2));
    let part = Run { fold: true, ..Run::default() }.collective(&spec, &params).unwrap();
    let ends: Vec<_> = part.links.iter().map(|l| (fabric.name(l.vertex), l.packets)).collect();
    let (a, b, s) = ("accelerator 0", "accelerator 1", "graph[0] switch 0");
    assert_eq!(ends, [(a, 1), (b, 1), (s, 1), (s, 1)].map(|(name, packets)| (name.to_string(), packets)));
    assert_eq!(hold(&spec, &params, 0), 1);
}

#[test]
fn what_the_ranks_cannot_reach_is_left_out() {
    // 8 racks of 4 x 2, joined by a tree over leaves of 16; a broadcast has no symmetry
    let rack = network("rack", 8, TopologySpec::FullMesh { dims: vec![4, 2] }, vec![1]);
    let spec = system(64, vec![rack, network("pod", 64, clos(&[16, 4], &[1, 16]), vec![1])]);
    for (ranks, part, networks) in [(3, 8, 1), (8, 8, 1), (9, 16, 2), (16, 16, 2), (17, 24, 2), (60, 64, 2)] {
        let params = Params::new(Collective::Broadcast, Algorithm::Binomial, ranks, 50_000);
        let placement: Vec<u32> = (0..ranks).collect();
        let folding = Folding::new(
            &Fabric::new(&spec, &Control::default()).unwrap(),
            &*build(&params).unwrap(),
            &placement,
            true,
            &Control::default(),
        )
        .unwrap();
        let kept = folding.quotient().map(|f| (f.accelerators(), f.networks.len()));
        assert_eq!(kept, (part < 64).then_some((part, networks)), "{ranks} ranks");
        assert!(!folding.applied() && folding.multiplicity() == 1);
        assert_eq!(hold(&spec, &params, 0), 1);
    }
}
