//! Sums that climb trees of switches: what they cost, and that folding, skipping and threads change nothing.

use crate::common::jobs::{comparable, dressed, expanded};
use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params, build};
use supernode_core::control::Control;
use supernode_core::error::Error;
use supernode_core::fabric::Fabric;
use supernode_core::routing::aggregation::Aggregation;
use supernode_core::spec::*;
use supernode_core::symmetry::{Folding, order};

fn shared(spec: &SystemSpec, collective: Collective, bytes: u64) -> Params {
    let n = spec.accelerators;
    let order = order(&Fabric::new(spec, &Control::default()).unwrap(), &(0..n).collect::<Vec<_>>());
    Params { shared: true, order, ..Params::new(collective, Algorithm::InNetwork, n, bytes) }
}

fn three_tiers() -> SystemSpec {
    system(24, vec![network("tree", 24, clos(&[4, 3, 2], &[1, 2, 3]), vec![1])])
}

#[test]
fn an_all_reduce_goes_up_and_down_once() {
    // three tiers: 6 links and 5 switches there and back, every byte once each way: 6 l + 5 s + n b
    let path = 6 * LATENCY + 5 * SWITCH;
    for packets in [1, 7, 64] {
        let n = packets * 4096;
        let r = Run::default().collective(&three_tiers(), &shared(&three_tiers(), Collective::AllReduce, n)).unwrap();
        assert_eq!(r.finish_fs, path + n * FS_PER_BYTE, "{packets} packets");
        // up: 24 accelerators, 6 leaves, 2 pods; down as many
        let carried: Vec<u64> = r.levels.iter().map(|l| l.payload_bytes).collect();
        assert_eq!(carried, [24 * n, 24 * n, 6 * n, 6 * n, 2 * n, 2 * n]);
        assert!(r.ranks.iter().all(|r| (r.sent_bytes, r.received_bytes) == (n, n)));
        assert_eq!(
            r.flows.iter().map(|f| (f.src, f.dst, f.bytes)).collect::<Vec<_>>(),
            (0..24).map(|r| (r, r, n)).collect::<Vec<_>>()
        );
    }
    let barrier = Run::default().collective(&three_tiers(), &shared(&three_tiers(), Collective::Barrier, 0)).unwrap();
    assert_eq!(barrier.finish_fs, path);
}

#[test]
fn sums_stay_beneath_the_lowest_switch_over_all_ranks() {
    // the ranks of one pod, out of order and with a leaf left out: 4 links and 3 switches
    let spec = three_tiers();
    let n = 5 * 4096;
    let placement: Vec<u32> = [21, 12, 23, 13, 14, 22, 20].to_vec();
    let params = Params { shared: true, ..Params::new(Collective::AllReduce, Algorithm::InNetwork, 7, n) };
    let r = Run { placement: Some(placement), ..Run::default() }.collective(&spec, &params).unwrap();
    assert_eq!(r.finish_fs, 4 * LATENCY + 3 * SWITCH + n * FS_PER_BYTE);
    let carried: Vec<u64> = r.levels.iter().map(|l| l.payload_bytes).collect();
    assert_eq!(carried, [7 * n, 7 * n, 2 * n, 2 * n]);
}

#[test]
fn store_and_forward_adds_a_packet_time_a_switch() {
    // every switch waits for whole packets: 5 of them on a path of 6 links
    let mut spec = three_tiers();
    spec.networks[0].switches.iter_mut().for_each(|s| s.cut_through = false);
    let n = 9 * 4096;
    let r = Run::default().collective(&spec, &shared(&spec, Collective::AllReduce, n)).unwrap();
    assert_eq!(r.finish_fs, 6 * LATENCY + 5 * SWITCH + (n + 5 * 4096) * FS_PER_BYTE);
}

#[test]
fn fast_trunks_do_not_run_dry() {
    // trunks of twice the rate: a sum leaves a leaf when the rest of it will be there in time, half a packet later
    let mut spec = system(8, vec![network("tree", 8, clos(&[4, 2], &[1, 2]), vec![1])]);
    spec.networks[0].links[1].rate.0 *= 2;
    let r = Run::default().collective(&spec, &shared(&spec, Collective::AllReduce, 4096)).unwrap();
    assert_eq!(r.finish_fs, 4 * LATENCY + 3 * SWITCH + (4096 + 2048) * FS_PER_BYTE);
}

#[test]
fn operations_with_owners_climb_too() {
    let spec = three_tiers();
    let n = 24 * 4096;
    for (collective, received) in [
        (Collective::AllReduce, n),
        (Collective::AllGather, n),
        (Collective::ReduceScatter, n / 24),
        (Collective::Broadcast, n),
    ] {
        let r = Run::default().collective(&spec, &shared(&spec, collective, n)).unwrap();
        assert!(r.ranks.iter().all(|r| r.received_bytes == received), "{collective}: {:?}", r.ranks);
        assert!(r.finish_fs >= 6 * LATENCY + 5 * SWITCH + received * FS_PER_BYTE, "{collective}");
    }
    let r = Run::default().collective(&spec, &shared(&spec, Collective::Reduce, n)).unwrap();
    // one lane: all contributions at once, the sum to rank 0 alone
    assert_eq!(r.ranks[0].received_bytes, n);
    assert!(r.ranks[1..].iter().all(|r| (r.sent_bytes, r.received_bytes) == (n, 0)));
    let top = r.levels.iter().filter(|l| l.tier == 2).map(|l| (l.up, l.payload_bytes)).collect::<Vec<_>>();
    assert_eq!(top, [(true, 2 * n), (false, n)]);
}

#[test]
fn a_switch_that_cannot_add_is_in_the_way() {
    let mut spec = three_tiers();
    spec.networks[0].switches[1].in_network_reduce = false;
    let params = shared(&spec, Collective::AllReduce, 4096);
    let error = Run::default().collective(&spec, &params).unwrap_err();
    assert!(matches!(&error, Error::Spec { .. }) && error.to_string().contains("in_network_reduce"), "{error}");
    // the ranks of one leaf do without it
    let leaf = Params { order: vec![], ranks: 4, ..params };
    assert_eq!(Run::default().collective(&spec, &leaf).unwrap().finish_fs, 2 * LATENCY + SWITCH + 4096 * FS_PER_BYTE);
    let fluid = Run { fluid: true, ..Run::default() };
    let error = fluid.collective(&three_tiers(), &shared(&three_tiers(), Collective::AllReduce, 4096)).unwrap_err();
    assert!(error.to_string().contains("fluids"), "{error}");
}

#[test]
fn an_outer_network_does_not_sum_for_ranks_within_one_inner_copy() {
    // units of 4 whose own switches cannot add, under a switch that can
    let mut unit = network("unit", 4, clos(&[4], &[1]), vec![1]);
    unit.switches[0].in_network_reduce = false;
    let spec = system(8, vec![unit, network("top", 8, clos(&[8], &[1]), vec![1])]);
    let fabric = Fabric::new(&spec, &Control::default()).unwrap();
    let sums = |placement: &[u32]| Aggregation::find(&fabric, placement).map(|at| at.network);
    // any two ranks of a unit talk inside it
    assert_eq!((sums(&[0, 1, 2, 3]), sums(&[7, 5])), (None, None));
    assert_eq!((sums(&[3, 4]), sums(&[0, 1, 2, 3, 4, 5, 6, 7])), (Some(1), Some(1)));
    let params = Params { ranks: 4, order: vec![], ..shared(&spec, Collective::AllReduce, 4096) };
    let error = Run::default().collective(&spec, &params).unwrap_err();
    assert!(matches!(&error, Error::Spec { .. }) && error.to_string().contains("innermost"), "{error}");
    // where units add, too, they do
    let spec = system(8, [("unit", 4), ("top", 8)].map(|(name, n)| network(name, n, clos(&[n], &[1]), vec![1])).into());
    let at = Aggregation::find(&Fabric::new(&spec, &Control::default()).unwrap(), &[4, 5, 6]).unwrap();
    assert_eq!((at.network, at.top), (0, 0));
}

/// Trees with parallel links, planes, links into a plane, rails, tight buffers, other rates and slow memory.
fn trees() -> impl Strategy<Value = SystemSpec> {
    let shape = (0usize..5, 1u32..4, 1u32..3, 1u32..3).prop_map(|(kind, up, parallel, links)| {
        let planes = vec![links; up as usize % 2 + 1];
        let tree = |down: &[u32], ups: &[u32], rails| TopologySpec::Clos {
            down: down.into(),
            up: ups.into(),
            parallel: std::iter::once(1).chain(vec![parallel; down.len() - 1]).collect(),
            rails,
        };
        match kind {
            0 => system(12, vec![network("tree", 12, tree(&[4, 3], &[1, up], 1), planes)]),
            1 => system(24, vec![network("tree", 24, tree(&[4, 3, 2], &[1, up, 2], 1), planes)]),
            2 => system(16, vec![network("rails", 16, tree(&[2, 8], &[1, up], 4), planes)]),
            3 => {
                let host = network("host", 4, clos(&[4], &[1]), vec![2, 1]);
                system(16, vec![host, network("pod", 16, tree(&[4, 4], &[1, up], 1), planes)])
            }
            // more places than ranks
            _ => system(8, vec![network("tree", 8, tree(&[2, 3, 2], &[1, up, 2], 1), planes)]),
        }
    });
    // whatever the policy says, sums go their own way
    dressed(shape, vec![RoutingSpec::SprayRoundRobin, RoutingSpec::Ecmp])
}

fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("SUPERNODE_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(usual), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn folded_and_skipped_sums_are_the_full_ones(
        spec in trees(), elements in 1u64..300_000, lanes in 0u32..4, barrier: bool, flows: bool,
    ) {
        let collective = if barrier { Collective::Barrier } else { Collective::AllReduce };
        let mut params = shared(&spec, collective, if barrier { 0 } else { elements * 4 });
        params.lanes = (lanes > 0).then_some(lanes);
        let fabric = Fabric::new(&spec, &Control::default()).unwrap();
        let placement: Vec<u32> = (0..params.ranks).collect();
        let folding = Folding::new(&fabric, &*build(&params).unwrap(), &placement, true, &Control::default()).unwrap();
        prop_assert!(folding.applied(), "{}", folding.reason());
        let run = |fold, skip, threads| {
            Run { fold, skip, threads, flows, ..Run::default() }.collective(&spec, &params).unwrap()
        };
        let full = comparable(run(false, false, 1));
        for threads in [1, 2, 7] {
            prop_assert_eq!(&full, &comparable(run(false, true, threads)), "{} threads", threads);
        }
        for skip in [false, true] {
            let expanded = expanded(&folding, &fabric, run(true, skip, 1));
            prop_assert_eq!(&full.levels, &expanded.levels);
            for (a, b) in full.links.iter().zip(&expanded.links) {
                prop_assert_eq!(a, b);
            }
            prop_assert_eq!(&full, &expanded);
        }
    }

    #[test]
    fn owners_and_threads_agree_on_trees(spec in trees(), which in 0usize..5, elements in 1u64..40_000, lanes in 1u32..4) {
        use Collective::*;
        let collective = [AllGather, ReduceScatter, Broadcast, Reduce, AllReduce][which];
        // an all-reduce with owners, as on a single tier
        let params = Params { lanes: Some(lanes), shared: which < 4, ..shared(&spec, collective, elements * 4) };
        let run = |skip, threads| comparable(Run { skip, threads, ..Run::default() }.collective(&spec, &params).unwrap());
        let full = run(false, 1);
        let received: u64 = full.flows.iter().map(|f| f.bytes).sum();
        prop_assert_eq!(received, full.received_bytes);
        for threads in [1, 3] {
            prop_assert_eq!(&full, &run(true, threads), "{} threads", threads);
        }
    }
}

#[test]
fn long_sums_on_whole_trees_fold_to_one_rank_and_skip() {
    let spec = system(512, vec![network("tree", 512, clos(&[8, 8, 8], &[1, 4, 2]), vec![1, 1])]);
    let params = shared(&spec, Collective::AllReduce, 64 << 20);
    let fabric = Fabric::new(&spec, &Control::default()).unwrap();
    let placement: Vec<u32> = (0..512).collect();
    let folding = Folding::new(&fabric, &*build(&params).unwrap(), &placement, true, &Control::default()).unwrap();
    assert_eq!(folding.simulated(), 1, "{}", folding.reason());
    let r = Run { fold: true, flows: false, ..Run::default() }.collective(&spec, &params).unwrap();
    assert!(r.skipping.packet_hops * 10 > r.packet_hops * 9, "{:?} of {}", r.skipping, r.packet_hops);
    // 16,384 packets; links of accelerators, leaves and pods, up and down
    assert_eq!(r.packet_hops, 16_384 * 2 * (512 + 64 + 8));
    assert_eq!(r.finish_fs, 6 * LATENCY + 5 * SWITCH + (32 << 20) * FS_PER_BYTE);
}
