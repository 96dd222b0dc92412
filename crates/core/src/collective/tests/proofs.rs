//! Everything that builds gives the collective's result.

use super::*;
use crate::control::Control;
use crate::error::Error;
use proptest::prelude::*;

const RANKS: [u32; 19] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 24, 31, 32, 33, 48, 64];

#[test]
fn every_flat_pair_is_proved() {
    let flat = params(Collective::AllReduce, Algorithm::Ring, 8, 0);
    // ring 5, direct 9, two-shot 1, recursive doubling 2, halving-doubling 2, Bruck 3, trees 3, binomial 4, pairwise 2,
    // in-network 6; no torus and no levels here.
    assert_eq!(pairs(&flat).len(), 5 + 9 + 1 + 2 + 2 + 3 + 3 + 4 + 2 + 6);
    for ranks in RANKS {
        // Even, uneven, fewer elements than ranks, nothing.
        for elements in [u64::from(ranks) * 10, 1003, 5, 0] {
            let root = ranks * 2 / 3;
            let chunks = (elements == 1003).then_some(3);
            for p in pairs(&Params { root, chunks, bytes: elements * 4, ..flat.clone() }.with_ranks(ranks)) {
                prove(&p);
            }
        }
    }
}

#[test]
fn every_flat_pair_is_proved_on_a_hundred_ranks() {
    let flat = Params { root: 99, ..params(Collective::AllReduce, Algorithm::Ring, 100, 3 << 18) };
    pairs(&flat).iter().for_each(|p| {
        prove(p);
    });
    prove(&params(Collective::AllToAll, Algorithm::Bruck, 256, 1 << 20));
    prove(&params(Collective::AllReduce, Algorithm::HalvingDoubling, 255, 1 << 20));
}

#[test]
fn levels_and_tori_are_proved() {
    let shapes: [&[u32]; 12] = [
        &[2, 2],
        &[4, 3],
        &[3, 4],
        &[8, 4],
        &[5, 5],
        &[8, 1],
        &[1, 6],
        &[2, 3, 4],
        &[4, 4, 4],
        &[3, 1, 5],
        &[2, 2, 2, 2],
        &[1, 1],
    ];
    for sizes in shapes {
        let ranks = sizes.iter().product();
        for elements in [u64::from(ranks) * 64, 1003, 7] {
            for (levels, dims, open) in [(sizes, &[][..], false), (&[], sizes, false), (&[], sizes, true)] {
                let p = Params {
                    bytes: elements * 4,
                    root: ranks / 2,
                    levels: levels.to_vec(),
                    dims: dims.to_vec(),
                    wrap: if open { (0..dims.len()).map(|d| d % 2 == 1).collect() } else { Vec::new() },
                    ..params(Collective::AllReduce, Algorithm::Ring, ranks, 0)
                };
                for algorithm in [Algorithm::Ring, Algorithm::TorusBucket, Algorithm::Hierarchical] {
                    for p in pairs(&p).into_iter().filter(|p| p.algorithm == algorithm) {
                        prove(&p);
                        prove(&Params { chunks: Some(2), ..p.clone() });
                        prove(&Params { lanes: Some(3), ..p });
                    }
                }
            }
        }
    }
}

#[test]
fn sums_of_units_go_through_trees() {
    for units in [2, 3, 4, 5, 8] {
        for unit in [2, 4, 8, 32, 64] {
            let ranks = units * unit;
            let p = Params {
                levels: vec![unit, units],
                lanes: Some(if ranks > 128 { 2 } else { 5 }),
                ..params(Collective::AllReduce, Algorithm::InNetworkTree, ranks, u64::from(ranks) * 64)
            };
            prove(&p);
            // fewer elements than owners, and nothing
            prove(&Params { bytes: 12, ..p.clone() });
            prove(&Params { bytes: 0, ..p.clone() });
            if ranks <= 64 {
                prove(&Params { bytes: 1003 * 4, lanes: None, chunks: Some(3), ..p.clone() });
                // more levels outside are not looked at
                prove(&Params { levels: vec![unit, units, 1], lanes: Some(1), ..p });
            }
        }
    }
}

#[test]
fn buckets_follow_a_twist() {
    let shapes: [(&[u32], &[[u32; 2]]); 7] = [
        (&[3, 6], &[[0, 1]]),
        (&[4, 3], &[[1, 0]]),
        (&[3, 3, 6], &[[0, 2], [1, 2]]),
        (&[3, 6, 6], &[[0, 1], [0, 2]]),
        (&[6, 3, 1, 4], &[[1, 3], [1, 0]]),
        (&[5, 2, 8], &[[0, 2]]),
        (&[3, 5, 6, 4], &[[0, 2], [1, 3]]),
    ];
    for (dims, twist) in shapes {
        let ranks = dims.iter().product();
        for elements in [u64::from(ranks) * 64, 1003] {
            for collective in [Collective::AllReduce, Collective::AllGather, Collective::ReduceScatter] {
                let p = Params {
                    dims: dims.to_vec(),
                    twist: twist.to_vec(),
                    ..params(collective, Algorithm::TorusBucket, ranks, elements * 4)
                };
                prove(&p);
                prove(&Params { lanes: Some(3), chunks: Some(2), ..p });
            }
        }
    }
}

fn any_params() -> impl Strategy<Value = Params> {
    let group = prop::collection::vec(1u32..6, 1..4);
    let small = (0u64..3000, prop::sample::select(vec![1u32, 2, 4, 8]));
    let lanes = (prop::option::of(1u32..5), prop::option::of(1u32..4));
    (0..Collective::ALL.len(), 0..Algorithm::ALL.len(), group, small, 0u32..1000, 0u8..4, lanes).prop_map(
        |(c, a, sizes, (elements, element), root, shape, (lanes, chunks))| {
            let ranks = sizes.iter().product();
            Params {
                bytes: elements * u64::from(element),
                element,
                root: root % ranks,
                levels: if shape & 1 == 1 { sizes.clone() } else { Vec::new() },
                wrap: if shape & 2 == 2 { sizes.iter().map(|size| size % 2 == 0).collect() } else { Vec::new() },
                dims: if shape & 2 == 2 { sizes } else { Vec::new() },
                lanes,
                chunks,
                ..params(Collective::ALL[c], Algorithm::ALL[a], ranks, 0)
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_schedule_that_builds_is_right(p in any_params()) {
        match build(&p) {
            Ok(schedule) => {
                check(schedule.as_ref(), &p, &Control::default()).unwrap();
            }
            Err(Error::Algorithm { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn any_schedule_is_right_in_any_order_and_nodes(
        p in any_params(), keys in prop::collection::vec(any::<u32>(), 125), cut in 0u32..250,
    ) {
        // the parts are dealt out anew, and the first ranks in that order may be a node of their own size
        let mut order: Vec<u32> = (0..p.ranks).collect();
        order.sort_by_key(|&rank| keys[rank as usize]);
        let first = 1 + cut % p.ranks;
        let nodes = if first < p.ranks { vec![first, p.ranks - first] } else { vec![] };
        let parts = Params { root: inverse(&order)[p.root as usize], nodes, ..p.clone() };
        match build(&parts) {
            // who is next in a send_recv goes by the ranks' numbers
            Ok(_) if p.collective == Collective::SendRecv => {}
            Ok(schedule) => {
                check(&Placed::new(schedule, p.collective, order), &p, &Control::default()).unwrap();
            }
            Err(Error::Algorithm { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn bytes_grow_with_the_buffer(p in any_params()) {
        if let Ok(schedule) = build(&p) {
            let more = Params { bytes: p.bytes + u64::from(p.element) * 100, chunks: Some(2), lanes: Some(2), ..p.clone() };
            let less = Params { chunks: Some(2), lanes: Some(2), ..p.clone() };
            let (less, more) = (prove(&less), prove(&more));
            prop_assert!(less.bytes <= more.bytes);
            prop_assert_eq!(less.messages, more.messages);
            prop_assert_eq!(schedule.ranks(), p.ranks);
        }
    }
}
