//! Jobs that give threads unequal work: in a corner of the machine, scattered, to one receiver, from part to part. Which
//! thread simulates what leaves no trace.

mod common;
use common::jobs::{comparable, fabrics};
use common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Block, Collective, Message, Params, Recv, Schedule, Target, build};
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

/// Ranks send one message each, all at once, or in turns: each group to the next when it has received.
#[derive(Debug)]
struct Sends {
    to: Vec<Option<u32>>,
    turns: bool,
}

impl Schedule for Sends {
    fn ranks(&self) -> u32 {
        self.to.len() as u32
    }
    fn lanes(&self) -> u32 {
        1
    }
    fn steps(&self, _: u32, _: u32) -> u32 {
        1 + u32::from(self.turns)
    }
    fn sends(&self, rank: u32, _: u32, step: u32) -> u32 {
        u32::from(step == u32::from(self.turns) && self.to[rank as usize].is_some())
    }
    fn send(&self, rank: u32, _: u32, _: u32, _: u32) -> Message {
        Message { to: Target::Rank(self.to[rank as usize].unwrap_or(0)), bytes: 100_000, recv_step: 0 }
    }
    fn recvs(&self, rank: u32, _: u32, step: u32) -> Recv {
        let messages = if step == 0 { self.to.iter().filter(|&&to| to == Some(rank)).count() as u32 } else { 0 };
        Recv { messages, bytes: u64::from(messages) * 100_000, reduce: false }
    }
    fn blocks(&self, _: u32, _: u32, _: u32, _: u32, _: &mut Vec<Block>) {}
    fn block_bytes(&self, _: Block) -> u64 {
        0
    }
}

const ROUTINGS: [RoutingSpec; 3] = [RoutingSpec::DModK, RoutingSpec::Ecmp, RoutingSpec::SprayRoundRobin];

#[test]
fn one_receiver() {
    let to: Vec<_> = (0..64).map(|rank| (rank != 5).then_some(5)).collect();
    let everywhere: Vec<u32> = (0..64).collect();
    for routing in ROUTINGS {
        agree(&tree(routing), &Sends { to: to.clone(), turns: false }, &everywhere, 1);
    }
}

#[test]
fn work_that_moves_through_the_machine() {
    let to: Vec<_> = (0..64).map(|rank| Some(rank + 8).filter(|&to| to < 64)).collect();
    let everywhere: Vec<u32> = (0..64).collect();
    for routing in ROUTINGS {
        agree(&tree(routing), &Sends { to: to.clone(), turns: true }, &everywhere, 2);
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
        spec in fabrics(), ranks: prop::sample::Index, first: prop::sample::Index, scattered: bool, tree: bool, seed: u64,
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
