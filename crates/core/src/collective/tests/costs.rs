//! Messages, bytes, steps, lanes and memory, with their sums.

use super::*;

/// Of u units of g ranks: L lanes, each a contribution of all to every owner and a multicast by each, and two messages per owner and
/// edge of the tree; g + 1 owners' pieces per rank inside, all pieces once per direction and edge between units.
#[test]
fn trees_between_units_cost_the_closed_form() {
    for (u, g, steps) in [(2u64, 8u64, 3), (3, 4, 4), (8, 2, 4), (5, 32, 4)] {
        let (n, lanes) = (g * 1024, 4);
        let report = prove(&Params {
            levels: vec![g as u32, u as u32],
            lanes: Some(lanes as u32),
            ..params(Collective::AllReduce, Algorithm::InNetworkTree, (u * g) as u32, n)
        });
        let messages = lanes * (u * g * (g + 1) + 2 * g * (u - 1));
        let bytes = u * g * n + u * n + 2 * n * (u - 1);
        assert_eq!((report.messages, report.bytes, report.max_steps), (messages, bytes, steps), "{u} units of {g}");
    }
}

/// Messages, bytes and steps of p ranks and n bytes, n a multiple of p elements and p a power of two.
#[test]
fn costs_are_the_closed_forms() {
    use Algorithm::*;
    use Collective::*;
    for (p, lg) in [(2u64, 1u64), (8, 3), (64, 6)] {
        let n = p * 1024;
        let table = [
            // p ranks x 2(p-1) steps, n/p bytes each: 2n(p-1) bytes.
            (AllReduce, Ring, p * 2 * (p - 1), 2 * n * (p - 1), 2 * (p - 1)),
            (AllGather, Ring, p * (p - 1), n * (p - 1), p - 1),
            (ReduceScatter, Ring, p * (p - 1), n * (p - 1), p - 1),
            // Everyone sends n bytes to p-1 others.
            (AllReduce, Direct, p * (p - 1), p * (p - 1) * n, 1),
            (AllGather, Direct, p * (p - 1), n * (p - 1), 1),
            (ReduceScatter, Direct, p * (p - 1), n * (p - 1), 1),
            (AllToAll, Direct, p * (p - 1), n * (p - 1), 1),
            (Broadcast, Direct, p - 1, n * (p - 1), 1),
            (Reduce, Direct, p - 1, n * (p - 1), 1),
            (Gather, Direct, p - 1, n / p * (p - 1), 1),
            (Scatter, Direct, p - 1, n / p * (p - 1), 1),
            (SendRecv, Direct, p, n * p, 1),
            (AllReduce, TwoShot, 2 * p * (p - 1), 2 * n * (p - 1), 2),
            // lg p (alpha + n beta) for each rank.
            (AllReduce, RecursiveDoubling, p * lg, p * lg * n, lg),
            // p * (n/p + 2n/p + 4n/p + ...) = n(p-1).
            (AllGather, RecursiveDoubling, p * lg, n * (p - 1), lg),
            // 2 lg p alpha + 2n(p-1)/p beta for each rank.
            (AllReduce, HalvingDoubling, 2 * p * lg, 2 * n * (p - 1), 2 * lg),
            (ReduceScatter, HalvingDoubling, p * lg, n * (p - 1), lg),
            (AllGather, Bruck, p * lg, n * (p - 1), lg),
            // n/2 lg p for each rank.
            (AllToAll, Bruck, p * lg, p * n / 2 * lg, lg),
            (Barrier, Bruck, p * lg, 0, lg),
            // Two lanes, each a tree with p-1 edges and n/2 bytes; up and down for all-reduce.
            (AllReduce, DoubleBinaryTree, 2 * 2 * (p - 1), 2 * n * (p - 1), if p == 2 { 2 } else { 3 }),
            (Broadcast, DoubleBinaryTree, 2 * (p - 1), n * (p - 1), if p == 2 { 1 } else { 2 }),
            (Reduce, DoubleBinaryTree, 2 * (p - 1), n * (p - 1), if p == 2 { 1 } else { 2 }),
            (Broadcast, Binomial, p - 1, n * (p - 1), lg),
            (Reduce, Binomial, p - 1, n * (p - 1), lg),
            // Each of the lg p bits of a rank's number carries its piece one edge up: p/2 lg p pieces in all.
            (Gather, Binomial, p - 1, n / 2 * lg, lg),
            (Scatter, Binomial, p - 1, n / 2 * lg, lg),
            (AllToAll, Pairwise, p * (p - 1), n * (p - 1), p - 1),
            (ReduceScatter, Pairwise, p * (p - 1), n * (p - 1), p - 1),
            // p contributions for p owners, p multicasts of n/p: pn + n bytes sent.
            (AllReduce, InNetwork, p * p + p, p * n + n, 2),
            (ReduceScatter, InNetwork, p * p, p * n, 1),
            (AllGather, InNetwork, p, n, 1),
            (Broadcast, InNetwork, 1, n, 1),
            (Reduce, InNetwork, p, p * n, 1),
            (Barrier, InNetwork, p + 1, 0, 2),
        ];
        for (collective, algorithm, messages, bytes, steps) in table {
            let report = prove(&params(collective, algorithm, p as u32, n));
            let got = (report.messages, report.bytes, u64::from(report.max_steps));
            assert_eq!(got, (messages, bytes, steps), "{algorithm} {collective} on {p}");
        }
        // Sums for all that climb a tree: one contribution of n from everyone.
        for (collective, bytes) in [(AllReduce, p * n), (Barrier, 0)] {
            let shared = Params { shared: true, ..params(collective, InNetwork, p as u32, n) };
            let report = prove(&shared);
            assert_eq!(
                (report.messages, report.bytes, report.max_steps, report.lanes),
                (p, bytes, 1, 1),
                "{collective}"
            );
            prove(&Params { lanes: Some(3), ..shared });
        }
        // Chains: one lane, one message into every rank but the first, two steps inside.
        let report = prove(&params(Broadcast, Ring, p as u32, n));
        assert_eq!((report.messages, report.bytes), (p - 1, n * (p - 1)));
        assert_eq!(u64::from(report.max_steps), (p - 1).min(2));
    }
}

#[test]
fn costs_where_ranks_are_no_power_of_two() {
    // Bruck all-to-all on 6 ranks: offsets 1..5 have 1+1+2+1+2 = 7 bits set: 7 n/6 bytes a rank, 6 ranks: 7n.
    let report = prove(&params(Collective::AllToAll, Algorithm::Bruck, 6, 6000));
    assert_eq!((report.messages, report.bytes, report.max_steps), (6 * 3, 7 * 6000, 3));
    // Bruck all-gather on 7 ranks: 1 + 2 + 3 pieces = 6/7 n a rank.
    let report = prove(&params(Collective::AllGather, Algorithm::Bruck, 7, 7000 * 4));
    assert_eq!((report.messages, report.bytes, report.max_steps), (7 * 3, 6 * 7000 * 4, 3));
    // 6 ranks fold to 4 cores with 2 guests: lg 4 + 2 steps, 4 * 2 + 2 * 2 messages of n bytes.
    let report = prove(&params(Collective::AllReduce, Algorithm::RecursiveDoubling, 6, 4000));
    assert_eq!((report.messages, report.bytes, report.max_steps), (12, 12 * 4000, 4));
    // Rabenseifner: 2 lg 4 + 2 steps; cores 2n * 3/4 * 4 = 6n, guests 2 * 2n.
    let report = prove(&params(Collective::AllReduce, Algorithm::HalvingDoubling, 6, 4000));
    assert_eq!((report.messages, report.bytes, report.max_steps), (4 * 4 + 4, 10 * 4000, 6));
}

#[test]
fn costs_of_levels_and_tori() {
    // 8 x 4: 2 (7 + 3) = 20 steps; a rank sends 2n 7/8 inside and 2 (n/8) 3/4 across, together 2n 31/32.
    let n = 32 * 1024;
    let p = Params { levels: vec![8, 4], ..params(Collective::AllReduce, Algorithm::Hierarchical, 32, n) };
    let report = prove(&p);
    assert_eq!((report.messages, report.bytes, report.max_steps, report.lanes), (32 * 20, 2 * n * 31, 20, 1));
    let schedule = build(&p).unwrap();
    let across: u64 = (0..20)
        .map(|step| schedule.send(5, 0, step, 0))
        .filter(|m| !matches!(m.to, Target::Rank(to) if to / 8 == 0))
        .map(|m| m.bytes)
        .sum();
    assert_eq!(across, 2 * (n / 8) * 3 / 4);
    // The ring on the same levels: 8 lanes, 2 * 31 steps, the same bytes.
    let report = prove(&Params { algorithm: Algorithm::Ring, ..p });
    assert_eq!((report.messages, report.bytes, report.max_steps, report.lanes), (8 * 32 * 62, 2 * n * 31, 62, 8));
    // 4 x 4 x 4: 2 * 3 * 3 steps, 6 lanes, each port (n/3) 63/64 = (each lane n/6) * 2 * 63/64.
    let n = 64 * 6 * 64;
    let p = Params { dims: vec![4, 4, 4], ..params(Collective::AllReduce, Algorithm::TorusBucket, 64, n) };
    let report = prove(&p);
    assert_eq!((report.messages, report.bytes, report.max_steps, report.lanes), (6 * 64 * 18, 2 * n * 63, 18, 6));
    let schedule = build(&p).unwrap();
    let mut ports = [0u64; 64];
    for lane in 0..6 {
        for step in 0..18 {
            let message = schedule.send(21, lane, step, 0);
            let Target::Rank(to) = message.to else { panic!("no switches here") };
            ports[to as usize] += message.bytes;
        }
    }
    // Rank 21 is (1, 1, 1): neighbours 20 and 22, 17 and 25, 5 and 37.
    for neighbour in [20, 22, 17, 25, 5, 37] {
        assert_eq!(ports[neighbour], n / 3 * 63 / 64);
    }
    // All-gather: half of the steps.
    let report = prove(&Params { collective: Collective::AllGather, ..p });
    assert_eq!((report.bytes, report.max_steps), (n * 63, 9));
}

#[test]
fn a_line_without_wraparound_is_walked_in_hops_of_two() {
    let p =
        Params { dims: vec![7], wrap: vec![false], ..params(Collective::AllGather, Algorithm::TorusBucket, 7, 7 * 64) };
    let schedule = build(&p).unwrap();
    for rank in 0..7u32 {
        let Target::Rank(to) = schedule.send(rank, 0, 0, 0).to else { panic!("no switches here") };
        assert!(to.abs_diff(rank) <= 2);
    }
    prove(&p);
}

#[test]
fn default_lanes() {
    let lanes = |p: Params| build(&p).unwrap().lanes();
    let all_reduce = |algorithm, bytes| params(Collective::AllReduce, algorithm, 8, bytes);
    assert_eq!(lanes(all_reduce(Algorithm::Ring, 1 << 30)), 1);
    assert_eq!(lanes(Params { lanes: Some(4), chunks: Some(3), ..all_reduce(Algorithm::Ring, 1 << 30) }), 12);
    // Two trees of 512 KiB in chunks of 128 KiB: 4 each; never more than 32.
    assert_eq!(lanes(all_reduce(Algorithm::DoubleBinaryTree, 1 << 20)), 8);
    assert_eq!(lanes(all_reduce(Algorithm::DoubleBinaryTree, 1 << 30)), 64);
    assert_eq!(lanes(all_reduce(Algorithm::DoubleBinaryTree, 4)), 2);
    assert_eq!(lanes(all_reduce(Algorithm::InNetwork, 4)), 1);
    assert_eq!(lanes(all_reduce(Algorithm::InNetwork, 1 << 20)), 4);
    assert_eq!(lanes(all_reduce(Algorithm::InNetwork, 64 << 20)), 32);
    assert_eq!(lanes(all_reduce(Algorithm::InNetwork, 1 << 40)), 256);
    assert_eq!(lanes(Params { collective: Collective::Barrier, ..all_reduce(Algorithm::InNetwork, 1 << 40) }), 1);
    // A wide node: as many lanes as a schedule may have, and chunks only where there is room.
    let wide = Params { levels: vec![2048, 2], ..params(Collective::AllReduce, Algorithm::Ring, 4096, 1 << 40) };
    assert_eq!(lanes(wide.clone()), MAX_LANES);
    assert_eq!(lanes(Params { collective: Collective::Broadcast, ..wide }), MAX_LANES);
}

#[test]
fn a_million_ranks_cost_a_few_words() {
    let million = 1 << 20;
    let p = Params {
        levels: vec![64, million / 64],
        dims: vec![128, 128, 64],
        ..params(Collective::AllReduce, Algorithm::Ring, million, 1 << 40)
    };
    for p in pairs(&p) {
        let schedule = build(&p).unwrap();
        assert!(size_of_val(schedule.as_ref()) <= 256, "{p:?}: {}", size_of_val(schedule.as_ref()));
        for rank in [0, 1, million / 3, million - 1] {
            let (lane, steps) = (schedule.lanes() - 1, schedule.steps(rank, schedule.lanes() - 1));
            assert!((1..=MAX_STEPS).contains(&steps) && schedule.lanes() <= MAX_LANES);
            for step in [0, steps / 2, steps - 1] {
                let sends = schedule.sends(rank, lane, step);
                if sends > 0 {
                    let message = schedule.send(rank, lane, step, sends - 1);
                    if let Target::Rank(to) = message.to {
                        assert!(to < million && to != rank);
                    }
                }
                schedule.recvs(rank, lane, step);
            }
        }
    }
}
