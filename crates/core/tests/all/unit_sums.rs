//! Sums inside units with trees between them: closed forms, who sums with whom, and that threads, fluids and the order of ranks agree.

use crate::common::jobs::comparable;
use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params, Placed, build};
use supernode_core::control::Control;
use supernode_core::fabric::Fabric;
use supernode_core::record::Record;
use supernode_core::routing::aggregation::Aggregation;
use supernode_core::spec::*;
use supernode_core::symmetry::Folding;
use supernode_core::units::BitRate;

/// Units of accelerators on a switch each, of so many planes, and a switch over all of them.
fn machine(units: u32, unit: u32, planes: usize) -> SystemSpec {
    let inside = network("unit", unit, clos(&[unit], &[1]), vec![1; planes]);
    let n = units * unit;
    let mut outside = network("net", n, clos(&[n], &[1]), vec![1]);
    outside.switches[0].in_network_reduce = false;
    system(n, vec![inside, outside])
}

fn tree(units: u32, unit: u32, bytes: u64) -> Params {
    Params {
        levels: vec![unit, units],
        ..Params::new(Collective::AllReduce, Algorithm::InNetworkTree, units * unit, bytes)
    }
}

/// Payload bytes of the links of accelerators by network, out and in, each the largest.
fn busiest(record: &Record, accelerators: u32, network: u32) -> (u64, u64) {
    let links = || record.links.iter().filter(|l| l.network == network);
    let most = |out: bool| {
        let of = links().filter(|l| if out { l.vertex < accelerators } else { l.peer < accelerators });
        of.map(|l| l.payload_bytes).max().unwrap_or(0)
    };
    (most(true), most(false))
}

#[test]
fn one_lane_over_two_units_is_the_closed_form() {
    let spec = machine(2, 4, 1);
    for packets in [1, 3, 16] {
        let n = 4 * packets * 4096;
        let params = Params { lanes: Some(1), ..tree(2, 4, n) };
        let r = Run::default().collective(&spec, &params).unwrap();
        // in: n bytes; to the root's unit and back: a piece of n/4 each; out: n bytes. Each of them over two links and a switch.
        assert_eq!(r.finish_fs, 4 * ALPHA + (n + n / 4 + n / 4 + n) * FS_PER_BYTE, "{packets} packets");
        // inside: contributions of n and a piece that is multicast; a sum and all pieces
        assert_eq!(busiest(&r, 8, 0), (n + n / 4, n / 4 + n));
        // between: the unit of the root sends down what the other sent up
        assert_eq!(busiest(&r, 8, 1), (n / 4, n / 4));
        let carried: Vec<u64> = r.levels.iter().filter(|l| l.network == 1).map(|l| l.payload_bytes).collect();
        assert_eq!(carried, [2 * n, 2 * n], "a piece of n/4 of each of four owners, up and down");
    }
}

#[test]
fn nics_set_the_pace_where_units_are_fast() {
    // n/4 bytes over each NIC in each direction; units are 16 times as fast, so lanes wait for NICs only
    let mut spec = machine(2, 4, 1);
    // and buffers hold what is on their way there and back
    spec.networks[0].links[0].rate = BitRate(16 * RATE.0);
    spec.networks[0].buffer = Some(4 << 20);
    let n = 16 << 20;
    let r = Run::default().collective(&spec, &tree(2, 4, n)).unwrap();
    let nics = n / 4 * FS_PER_BYTE;
    assert!((nics..nics + nics / 8).contains(&r.finish_fs), "{} of {nics}", r.finish_fs);
    // an inner unit of one tree is a leaf of the other: one up and two down for half of the data, one up for the other half
    let mut wide = machine(8, 2, 1);
    (wide.networks[0].links[0].rate, wide.networks[0].buffer) =
        (spec.networks[0].links[0].rate, spec.networks[0].buffer);
    let r = Run::default().collective(&wide, &tree(8, 2, n)).unwrap();
    assert_eq!(busiest(&r, 16, 1), (n / 2 * 2, n / 2 * 2));
    let nics = n * FS_PER_BYTE;
    // lanes start together and the trees share NICs in the order of lanes, so the pipeline has gaps: measured 1.51
    assert!((nics..2 * nics).contains(&r.finish_fs), "{} of {nics}", r.finish_fs);
}

#[test]
fn it_is_not_folded_and_says_why() {
    let spec = machine(3, 4, 4);
    let fabric = Fabric::new(&spec, &Control::default()).unwrap();
    let placement: Vec<u32> = (0..12).collect();
    let schedule = build(&tree(3, 4, 1 << 20)).unwrap();
    let folding = Folding::new(&fabric, &*schedule, &placement, true, &Control::default()).unwrap();
    assert!(!folding.applied());
    assert_eq!(folding.reason(), "switches add some messages and only forward others");
}

#[test]
fn units_must_all_have_switches_that_add() {
    let control = Control::default();
    let fabric = |spec: &SystemSpec| Fabric::new(spec, &control).unwrap();
    let placement: Vec<u32> = (0..12).collect();
    let of = |spec: &SystemSpec, unit| Aggregation::of_units(&fabric(spec), &placement, unit).map(|at| at.network);
    assert_eq!(of(&machine(3, 4, 2), 4), Some(0));
    // units that are not those of the machine: only the outer switch joins them, and it does not add
    assert_eq!((of(&machine(3, 4, 2), 6), of(&machine(2, 6, 2), 4)), (None, None));
    let mut plain = machine(3, 4, 2);
    plain.networks[0].switches[0].in_network_reduce = false;
    assert_eq!(of(&plain, 4), None);
    // several tiers of switches inside a unit
    let inside = network("unit", 6, clos(&[3, 2], &[1, 1]), vec![1]);
    let tall = system(12, vec![inside, network("net", 12, clos(&[12], &[1]), vec![1])]);
    assert_eq!(of(&tall, 6), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn threads_skipping_and_order_change_nothing(
        units in 2u32..6, unit in 2u32..5, planes in 1usize..4, elements in 1u64..300_000, lanes in 1u32..9, overhead in 0u32..300,
        moved in 0u32..6,
    ) {
        let mut spec = machine(units, unit, planes);
        spec.networks.iter_mut().for_each(|net| (net.overhead, net.buffer) = (overhead, Some(64 * 1024)));
        spec.networks[1].routing = RoutingSpec::Ecmp;
        let params = Params { lanes: Some(lanes), ..tree(units, unit, elements * 4) };
        let run = |threads, skip| comparable(Run { threads, skip, ..Run::default() }.collective(&spec, &params).unwrap());
        let one = run(1, true);
        for (threads, skip) in [(2, true), (7, true), (1, false)] {
            prop_assert_eq!(&one, &run(threads, skip), "{} threads, skipping {}", threads, skip);
        }
        let flow = Run { fluid: true, ..Run::default() }.collective(&spec, &params).unwrap();
        for (p, f) in one.ranks.iter().zip(&flow.ranks) {
            prop_assert_eq!((p.sent_bytes, p.received_bytes), (f.sent_bytes, f.received_bytes));
        }
        // ranks under other names take the same time: rank i sits where place order[i] is
        let n = units * unit;
        let order: Vec<u32> = (0..n).map(|i| (i + moved) % n).collect();
        let placement: Vec<u32> = supernode_core::collective::inverse(&order);
        let placed = Placed::new(build(&params).unwrap(), Collective::AllReduce, order);
        let other = Run { placement: Some(placement), ..Run::default() }.schedule(&spec, &placed).unwrap();
        let sums = |r: &Record| r.levels.iter().map(|l| (l.network, l.up, l.payload_bytes)).collect::<Vec<_>>();
        prop_assert_eq!(sums(&one), sums(&other));
        let (least, most) = (one.finish_fs.min(other.finish_fs), one.finish_fs.max(other.finish_fs));
        prop_assert!(most <= least + least / 10, "{} and {}", one.finish_fs, other.finish_fs);
    }
}
