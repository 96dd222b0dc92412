//! What holds for every run: conservation, rates, determinism, and an end that is either complete or an error.

use crate::common::jobs::{comparable, jobs};
use crate::common::pattern::Pattern;
use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params};
use supernode_core::error::Error;
use supernode_core::record::{LevelRecord, LinkRecord, Record};
use supernode_core::spec::*;

/// The links that carried something, summed up from their rows.
fn levels(links: &[LinkRecord]) -> Vec<LevelRecord> {
    let mut rows = std::collections::BTreeMap::new();
    for l in links.iter().filter(|l| l.packets > 0 || l.wire_bytes > 0) {
        let new = LevelRecord { network: l.network, tier: l.tier, up: l.up, ..LevelRecord::default() };
        let row = rows.entry((l.network, l.tier, !l.up)).or_insert(new);
        *row = LevelRecord {
            links: row.links + 1,
            payload_bytes: row.payload_bytes + l.payload_bytes,
            wire_bytes: row.wire_bytes + l.wire_bytes,
            packets: row.packets + l.packets,
            busy_max_fs: row.busy_max_fs.max(l.busy_fs),
            busy_fs: row.busy_fs + u128::from(l.busy_fs),
            wait_fs: row.wait_fs + u128::from(l.wait_fs),
            stall_fs: row.stall_fs + u128::from(l.stall_fs),
            stall_max_fs: row.stall_max_fs.max(l.stall_fs),
            queue_max: row.queue_max.max(l.queue_max),
            ..*row
        };
    }
    rows.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_conserved_and_links_keep_their_rate((spec, params) in jobs(), seed: u64, fluid: bool) {
        let run = Run { seed, fluid, ..Run::default() };
        let r = run.collective(&spec, &params).unwrap();
        let in_network = params.algorithm == Algorithm::InNetwork;
        if !in_network {
            prop_assert_eq!(r.sent_bytes, r.received_bytes);
            // every byte leaves an accelerator once, and arrives at one once, on the first and last of its links
            let first: u64 = r.links.iter().filter(|l| l.vertex < spec.accelerators).map(|l| l.payload_bytes).sum();
            prop_assert!(first >= r.sent_bytes);
            if spec.networks.iter().all(|n| matches!(n.topology, TopologySpec::Clos { .. })) {
                let last: u64 = r.links.iter().filter(|l| l.peer < spec.accelerators).map(|l| l.payload_bytes).sum();
                prop_assert_eq!((first, last), (r.sent_bytes, r.received_bytes));
            }
        }
        for l in &r.links {
            let link = &spec.networks[l.network as usize].links[l.tier as usize];
            prop_assert!(l.busy_fs <= r.finish_fs, "{:?}", l);
            prop_assert!(link.rate.time(l.wire_bytes) <= l.busy_fs, "above its rate: {:?}", l);
        }
        prop_assert_eq!(&r.levels, &levels(&r.links));
        // the flows table adds up to what was received
        if !in_network {
            prop_assert_eq!(r.flows.iter().map(|f| f.bytes).sum::<u64>(), r.received_bytes);
        }
        prop_assert!(r.flows.iter().all(|f| f.start_fs <= f.end_fs && f.end_fs <= r.finish_fs));
    }

    #[test]
    fn flows_carry_what_packets_carry((spec, params) in jobs(), seed: u64) {
        let of = |fluid| Run { seed, fluid, ..Run::default() }.collective(&spec, &params).unwrap();
        let (packets, flows) = (of(false), of(true));
        let sum = |r: &Record, what: fn(&LinkRecord) -> u64| r.links.iter().map(what).sum::<u64>();
        prop_assert_eq!(packets.packet_hops, flows.packet_hops);
        prop_assert_eq!(sum(&packets, |l| l.payload_bytes), sum(&flows, |l| l.payload_bytes));
        prop_assert_eq!(sum(&packets, |l| l.wire_bytes), sum(&flows, |l| l.wire_bytes));
        prop_assert_eq!(packets.links.len(), flows.links.len());
        // several links of an accelerator take turns, by packets and as fluids each in its own way
        let one = |n: &NetworkSpec| !matches!(n.topology, TopologySpec::Clos { .. }) || n.planes.iter().sum::<u32>() == 1;
        let single = |n: &NetworkSpec| !n.routing.sprays() && one(n);
        if spec.networks.iter().all(single) && params.algorithm != Algorithm::InNetwork {
            // the same paths: every single link
            let carried = |r: &Record| r.links.iter().map(|l| (l.vertex, l.port, l.wire_bytes, l.packets)).collect::<Vec<_>>();
            prop_assert_eq!(carried(&packets), carried(&flows));
        }
        for (p, f) in packets.ranks.iter().zip(&flows.ranks) {
            prop_assert_eq!((p.sent_bytes, p.received_bytes), (f.sent_bytes, f.received_bytes));
            prop_assert_eq!((p.sent_messages, p.received_messages), (f.sent_messages, f.received_messages));
        }
        prop_assert_eq!(&flows, &of(true));
    }

    #[test]
    fn threads_change_nothing((spec, params) in jobs(), seed: u64) {
        let with = |threads| comparable(Run { seed, threads, ..Run::default() }.collective(&spec, &params).unwrap());
        let one = with(1);
        for threads in [2, 7] {
            let many = with(threads);
            prop_assert_eq!(&one.ranks, &many.ranks, "{} threads", threads);
            for (a, b) in one.links.iter().zip(&many.links) {
                prop_assert_eq!(a, b, "{} threads", threads);
            }
            prop_assert_eq!(&one, &many, "{} threads", threads);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn threads_change_nothing_in_the_network(
        n in 2u32..9, planes in 1usize..4, cut: bool, overhead in 0u32..600, elements in 1u64..600_000, lanes in 1u32..9,
        all_gather: bool,
    ) {
        let mut spec = system(n, vec![network("switch", n, clos(&[n], &[1]), vec![1; planes])]);
        spec.networks[0].switches[0].cut_through = cut;
        spec.networks[0].links[0].rate = supernode_core::units::BitRate(56_000_000_000);
        spec.networks[0].overhead = overhead;
        spec.networks[0].buffer = Some(64 * 1024);
        let collective = if all_gather { Collective::AllGather } else { Collective::AllReduce };
        let params = Params { lanes: Some(lanes), ..Params::new(collective, Algorithm::InNetwork, n, elements * 4) };
        let with = |threads| comparable(Run { threads, ..Run::default() }.collective(&spec, &params).unwrap());
        let one = with(1);
        prop_assert_eq!(&one, &with(2));
        prop_assert_eq!(&one, &with(3));
    }
}

#[test]
fn renaming_ranks_on_one_switch_renames_the_results() {
    let spec = switched(8);
    let params = Params::new(Collective::AllReduce, Algorithm::HalvingDoubling, 7, 7 * 4096);
    let of =
        |placement: Vec<u32>| Run { placement: Some(placement), ..Run::default() }.collective(&spec, &params).unwrap();
    let (plain, moved) = (of((0..7).collect()), of(vec![3, 7, 0, 5, 1, 2, 6]));
    for (a, b) in plain.ranks.iter().zip(&moved.ranks) {
        assert_eq!(
            (a.rank, a.finish_fs, a.sent_bytes, a.received_bytes),
            (b.rank, b.finish_fs, b.sent_bytes, b.received_bytes)
        );
    }
}

#[test]
fn a_ring_without_dateline_deadlocks_and_says_where() {
    let mut net = network("ring", 6, torus(&[6]), vec![1]);
    net.buffer = Some(2 * 4096);
    let shift = Pattern::shift(6, 2, 1 << 20);
    Run::default().schedule(&system(6, vec![net.clone()]), &shift).expect("the dateline keeps it free of deadlock");
    net.dateline = false;
    for threads in [1, 3] {
        let run = Run { threads, ..Run::default() };
        let error = run.schedule(&system(6, vec![net.clone()]), &shift).unwrap_err();
        let Error::Deadlock { cycle, .. } = &error else { panic!("{error}") };
        assert!(cycle.contains("accelerator") && cycle.contains("back to the first"), "{cycle}");
    }
}

#[test]
fn a_folded_deadlock_reads_as_the_run_in_full() {
    // rings without a dateline, alone, as a torus and inside a larger machine; folded, each is one place
    let switch = network("switch", 16, clos(&[16], &[1]), vec![1]);
    for (n, dims, outer) in [(4, vec![4], false), (6, vec![6], false), (16, vec![4, 4], false), (16, vec![8], true)] {
        let span = dims.iter().product();
        let mut net = network("ring", span, torus(&dims), vec![1]);
        (net.buffer, net.dateline) = (Some(2 * 4096), false);
        let networks = if outer { vec![net, switch.clone()] } else { vec![net] };
        let spec = system(n, networks);
        let params = Params::new(Collective::AllToAll, Algorithm::Direct, n, u64::from(n) << 16);
        let of = |fold| Run { fold, ..Run::default() }.collective(&spec, &params).unwrap_err().to_string();
        let (full, folded) = (of(false), of(true));
        assert!(full.contains("accelerator 1"), "more than one place of the ring: {full}");
        assert_eq!(full, folded);
    }
}

#[test]
fn a_message_that_nobody_sends_is_named() {
    let shift = Pattern::shift(4, 1, 4096).expecting_twice();
    let error = Run::default().schedule(&switched(4), &shift).unwrap_err();
    let Error::Unfinished { waiting, .. } = &error else { panic!("{error}") };
    assert!(waiting.contains("rank 0 (lane 0, step 0)"), "{waiting}");
}

#[test]
fn a_time_limit_stops_the_run() {
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 8, 1 << 24);
    let run = Run { time_limit_fs: Some(1_000_000_000), ..Run::default() };
    assert!(matches!(run.collective(&switched(8), &params), Err(Error::Timeout { .. })));
}

#[test]
fn a_clock_that_would_pass_its_end_is_an_error() {
    // 16 packets of 4 096 s each pass the clock's 5.1 hours; one packet of more than the slack is refused at once
    for (bits_per_second, bytes) in [(8_000, 1 << 30), (8, 1 << 16)] {
        let mut spec = switched(4);
        spec.networks[0].links[0].rate = supernode_core::units::BitRate(bits_per_second);
        let params = Params::new(Collective::SendRecv, Algorithm::Direct, 4, bytes);
        let error = Run::default().collective(&spec, &params).unwrap_err();
        assert!(matches!(error, Error::Overflow { .. }), "{error}");
    }
}

#[test]
fn first_packets_to_one_destination_take_different_planes() {
    // 8 ranks send one packet each to rank 0 over 7 planes: no plane carries more than two of them
    let spec = system(8, vec![network("planes", 8, clos(&[8], &[1]), vec![1; 7])]);
    let params = Params::new(Collective::Gather, Algorithm::Direct, 8, 8 * 1024);
    let r = Run::default().collective(&spec, &params).unwrap();
    let most = r.links.iter().filter(|l| l.peer == 0).map(|l| l.packets).max();
    assert_eq!(most, Some(1));
}

#[test]
fn ranks_in_different_copies_are_unroutable() {
    let spec = system(8, vec![network("host", 4, clos(&[4], &[1]), vec![1])]);
    let params = Params::new(Collective::AllReduce, Algorithm::Ring, 8, 4096);
    assert!(matches!(Run::default().collective(&spec, &params), Err(Error::Unroutable { from: 0, to: 4, .. })));
}

#[test]
fn an_incast_shares_the_last_link_fairly_and_loses_nothing() {
    // 15 ranks send 64 KiB to one: its link carries 15 x 64 KiB, and nothing else takes time
    let params = Params::new(Collective::Gather, Algorithm::Direct, 16, 16 * 65_536);
    for buffer in [Some(2 * 4096), Some(1 << 20), None] {
        let mut spec = switched(16);
        spec.networks[0].buffer = buffer;
        let r = Run::default().collective(&spec, &params).unwrap();
        let floor = ALPHA + 15 * 65_536 * FS_PER_BYTE;
        assert!(r.finish_fs >= floor, "{} < {floor}", r.finish_fs);
        assert!(buffer == Some(2 * 4096) || r.finish_fs == floor, "{} != {floor} with {buffer:?}", r.finish_fs);
    }
}
