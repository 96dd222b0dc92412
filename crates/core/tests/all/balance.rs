//! Jobs that give threads unequal work: in a corner of the machine, scattered, to one receiver, from part to part. Which
//! thread simulates what leaves no trace.

use crate::common::jobs::{comparable, dressed, shapes};
use crate::common::pattern::Pattern;
use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params, Schedule, build};
use supernode_core::rng::mix;
use supernode_core::spec::*;

/// Asserts that a job does alike on any number of threads, with and without skipping.
fn agree(spec: &SystemSpec, schedule: &dyn Schedule, placement: &[u32], seed: u64) {
    let with = |threads, skip| {
        let run = Run { threads, skip, seed, placement: Some(placement.to_vec()), ..Run::default() };
        comparable(run.schedule(spec, schedule).expect("a run"))
    };
    let one = with(1, false);
    for threads in [1, 2, 3, 7] {
        for skip in [false, true] {
            let other = with(threads, skip);
            assert_eq!(one.ranks, other.ranks, "{threads} threads, skip {skip}");
            for (a, b) in one.links.iter().zip(&other.links) {
                assert_eq!(a, b, "{threads} threads, skip {skip}");
            }
            assert_eq!(one, other, "{threads} threads, skip {skip}");
        }
    }
}

/// A tree of three tiers, 64 accelerators and 80 switches.
fn tree(routing: RoutingSpec) -> SystemSpec {
    let mut net = network("tree", 64, clos(&[4, 4, 4], &[1, 4, 4]), vec![1]);
    net.routing = routing;
    net.buffer = Some(64 * 1024);
    system(64, vec![net])
}

const ROUTINGS: [RoutingSpec; 3] = [RoutingSpec::DModK, RoutingSpec::Ecmp, RoutingSpec::SprayRoundRobin];

#[test]
fn one_receiver() {
    let all_to_one = Pattern::new((0..64).map(|rank| if rank == 5 { 6 } else { 5 }).collect(), |_| 100_000);
    let everywhere: Vec<u32> = (0..64).collect();
    for routing in ROUTINGS {
        agree(&tree(routing), &all_to_one, &everywhere, 1);
    }
}

#[test]
fn work_that_moves_through_the_machine() {
    let relay = Pattern::relay(64, 8, 100_000);
    let everywhere: Vec<u32> = (0..64).collect();
    for routing in ROUTINGS {
        agree(&tree(routing), &relay, &everywhere, 2);
    }
}

#[test]
fn a_quarter_of_the_machine() {
    let ring = Params::new(Collective::AllReduce, Algorithm::Ring, 16, 16 * 64 * 1024);
    let ring = build(&ring).expect("a schedule");
    for routing in ROUTINGS {
        for first in [0, 16, 48] {
            agree(&tree(routing), &*ring, &(first..first + 16).collect::<Vec<_>>(), 3);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn ranks_anywhere(
        spec in dressed(shapes(false), crate::common::jobs::ROUTINGS.to_vec()), ranks: prop::sample::Index, first: prop::sample::Index, scattered: bool, tree: bool, seed: u64,
        elements in 1u64..60_000,
    ) {
        let accelerators = spec.accelerators;
        let ranks = 1 + ranks.index(accelerators as usize) as u32;
        let first = first.index((accelerators - ranks + 1) as usize) as u32;
        let mut seats: Vec<u32> = (0..accelerators).collect();
        if scattered {
            seats.sort_by_key(|&a| mix(seed ^ u64::from(a)));
        }
        let (collective, algorithm) = if tree {
            (Collective::Broadcast, Algorithm::Binomial)
        } else {
            (Collective::AllGather, Algorithm::Ring)
        };
        let schedule = build(&Params::new(collective, algorithm, ranks, elements * 4 * u64::from(ranks))).expect("a schedule");
        agree(&spec, &*schedule, &seats[first as usize..(first + ranks) as usize], seed);
    }
}
