//! Contention-free collectives without overhead take exactly as long as the textbook says.
//!
//! a = two links and a switch = 1 100 ns; b = 20 ps a byte (50 GB/s); p ranks, n bytes. Packets cut through, so that a
//! message of m bytes takes a + m b.

use crate::common::*;
use supernode_core::collective::{Algorithm::*, Collective::*, Params, Target, build};
use supernode_core::control::Control;
use supernode_core::fabric::{Fabric, Shape};
use supernode_core::routing::dimension_order;
use supernode_core::spec::{ProtocolSpec, SwitchSpec, SystemSpec, TopologySpec};

const B: u64 = FS_PER_BYTE;

#[test]
fn ring_all_reduce() {
    // 2 (p - 1) steps of a + n/p b: 14 (1 100 ns + 16 384 B * 20 ps) = 14 * 1 427.68 ns
    assert_eq!(time(&switched(8), AllReduce, Ring, 8 * 16_384), 14 * (ALPHA + 16_384 * B));
    assert_eq!(14 * (ALPHA + 16_384 * B), 19_987_520_000);
}

#[test]
fn ring_all_gather_and_reduce_scatter() {
    for collective in [AllGather, ReduceScatter] {
        // (p - 1) (a + n/p b)
        assert_eq!(time(&switched(6), collective, Ring, 6 * 10_000), 5 * (ALPHA + 10_000 * B));
    }
}

#[test]
fn recursive_doubling() {
    // lg p (a + n b)
    assert_eq!(time(&switched(16), AllReduce, RecursiveDoubling, 40_000), 4 * (ALPHA + 40_000 * B));
}

#[test]
fn halving_doubling() {
    // 2 lg p a + 2 n (p - 1)/p b
    assert_eq!(time(&switched(16), AllReduce, HalvingDoubling, 16 * 4000), 8 * ALPHA + 2 * 15 * 4000 * B);
}

#[test]
fn bruck_all_gather_of_any_number_of_ranks() {
    for p in [2u64, 3, 6, 7, 12] {
        let steps = u64::from(p.next_power_of_two().trailing_zeros());
        // ceil(lg p) a + n (p - 1)/p b
        assert_eq!(
            time(&switched(p as u32), AllGather, Bruck, p * 8000),
            steps * ALPHA + (p - 1) * 8000 * B,
            "p = {p}"
        );
    }
}

#[test]
fn bruck_barrier_costs_only_latency() {
    // ceil(lg 12) a: header-only messages, and the header is free here
    assert_eq!(time(&switched(12), Barrier, Bruck, 0), 4 * ALPHA);
}

#[test]
fn pairwise_all_to_all() {
    // (p - 1) (a + n/p b)
    assert_eq!(time(&switched(9), AllToAll, Pairwise, 9 * 20_000), 8 * (ALPHA + 20_000 * B));
}

#[test]
fn direct_all_to_all_pays_latency_once() {
    // p - 1 messages back to back from every rank, never two to one rank at a time: a + (p - 1) n/p b
    assert_eq!(time(&switched(8), AllToAll, Direct, 8 * 4096), ALPHA + 7 * 4096 * B);
}

#[test]
fn binomial_broadcast() {
    // ceil(lg p) (a + n b)
    assert_eq!(time(&switched(8), Broadcast, Binomial, 30_000), 3 * (ALPHA + 30_000 * B));
}

#[test]
fn planes_divide_the_bandwidth_term() {
    // 4 planes, 8 packets a step: two packets a plane
    let spec = system(4, vec![network("planes", 4, clos(&[4], &[1]), vec![1; 4])]);
    assert_eq!(time(&spec, AllReduce, Ring, 4 * 8 * 4096), 6 * (ALPHA + 2 * 4096 * B));
}

#[test]
fn buckets_of_a_twisted_torus_keep_every_link_busy() {
    // 4 x 8 with a twist: a lane each way round either ring of 8, with a quarter of 32 x 16 KiB each. All-reduce goes round its
    // ring in 2 x 7 steps of an eighth of that, 16 KiB, alone on its links; in between, 2 x 3 steps of a fourth of that on
    // lines of 4, over two links at most, of which each carries the messages of two lanes.
    let shape = TopologySpec::Torus { dims: vec![4, 8], wrap: vec![true; 2], twist: vec![[0, 1]] };
    let spec = system(32, vec![network("twisted", 32, shape, vec![1])]);
    let mut params = Params::new(AllReduce, TorusBucket, 32, 32 * 4 * 4096);
    (params.dims, params.twist) = (vec![4, 8], vec![[0, 1]]);
    let direct = match &Fabric::new(&spec, &Control::default()).unwrap().networks[0].planes[0].shape {
        Shape::Direct(direct) => direct.clone(),
        other => panic!("{other:?}"),
    };
    let schedule = build(&params).unwrap();
    for (lane, step) in (0..4).flat_map(|lane| (0..schedule.steps(0, lane)).map(move |step| (lane, step))) {
        for rank in 0..32 {
            let message = schedule.send(rank, lane, step, 0);
            let Target::Rank(peer) = message.to else { panic!("{message:?}") };
            let hops = dimension_order::distance(&direct, rank, peer);
            // the first seven steps and the last seven are on the ring that goes round twice or is the long one
            assert_eq!(hops, if (7..13).contains(&step) { hops.clamp(1, 2) } else { 1 }, "{rank} {lane} {step}");
        }
    }
    let time = Run::default().collective(&spec, &params).unwrap().finish_fs;
    let rings = 14 * (LATENCY + 16_384 * B);
    assert!(time > rings + 6 * (LATENCY + 4096 * B), "{time}");
    assert!(time < rings + 6 * (2 * LATENCY + SWITCH + 3 * 4096 * B), "{time}");
}

#[test]
fn a_torus_neighbour_is_one_link_away() {
    // send_recv to the next rank of an 8-ring: no switch between
    let spec = system(8, vec![network("ring", 8, torus(&[8]), vec![1])]);
    assert_eq!(time(&spec, SendRecv, Direct, 50_000), LATENCY + 50_000 * B);
}

#[test]
fn a_line_is_passed_hop_by_hop() {
    // one message over 5 links and 4 routers of a mesh, cut through
    let mesh = TopologySpec::Torus { dims: vec![6], wrap: vec![false], twist: vec![] };
    let spec = system(6, vec![network("line", 6, mesh, vec![1])]);
    let params = Params::new(Gather, Direct, 2, 2 * 12_000);
    let run = Run { placement: Some(vec![0, 5]), ..Run::default() };
    assert_eq!(run.collective(&spec, &params).unwrap().finish_fs, 5 * LATENCY + 4 * SWITCH + 12_000 * B);
}

#[test]
fn store_and_forward_waits_for_whole_packets() {
    let mut spec = switched(2);
    spec.networks[0].switches[0] = SwitchSpec { latency_fs: SWITCH, cut_through: false, in_network_reduce: false };
    // the switch waits for the first packet's 4 096 B, then the rest streams: a + (n + 4 096) b
    assert_eq!(time(&spec, SendRecv, Direct, 8 * 4096), ALPHA + (8 + 1) * 4096 * B);
}

#[test]
fn headers_and_protocols_cost_wire_time() {
    let mut spec = switched(2);
    spec.networks[0].overhead = 64;
    let params = Params::new(SendRecv, Direct, 2, 10 * 4096);
    // 10 packets of 4 096 * 128/120 rounded up = 4 370 B and 64 B of header
    let protocol = ProtocolSpec { wire_num: 128, wire_den: 120, launch_fs: 7, step_fs: vec![5], ..no_stack() };
    let run = Run { protocol, ..Run::default() };
    assert_eq!(run.collective(&spec, &params).unwrap().finish_fs, 7 + 5 + ALPHA + 10 * (4370 + 64) * B);
}

/// Four boards of four on a switch each, joined by another switch.
fn boards() -> SystemSpec {
    let (inner, outer) =
        (network("board", 4, clos(&[4], &[1]), vec![1]), network("net", 16, clos(&[16], &[1]), vec![1]));
    system(16, vec![inner, outer])
}

#[test]
fn a_hop_delays_the_news_and_nobody_else() {
    const HOP: u64 = 20_000_000_000;
    // one message of many packets, by packets and as a fluid: once
    let mut spec = switched(2);
    spec.networks[0].transport.latency_fs = HOP;
    for fluid in [false, true] {
        let run = Run { fluid, ..Run::default() };
        let params = Params::new(SendRecv, Direct, 2, 100 * 4096);
        assert_eq!(run.collective(&spec, &params).unwrap().finish_fs, ALPHA + 100 * 4096 * B + HOP, "fluid: {fluid}");
    }
    // 30 steps of a ring over 16 ranks. What a rank forwards has passed every rank before it, and one way in four leaves a
    // board: of 30 in a row at most 4 + 4. As time of a step it would be 30 times, as every step of four ranks would take it.
    let (params, step) = (Params::new(AllReduce, Ring, 16, 16 * 4000), ALPHA + 4000 * B);
    let time = |spec: &SystemSpec, protocol: ProtocolSpec, fluid| {
        Run { protocol, fluid, ..Run::default() }.collective(spec, &params).unwrap().finish_fs
    };
    for fluid in [false, true] {
        assert_eq!(time(&boards(), no_stack(), fluid), 30 * step);
        let mut slow = boards();
        slow.networks[1].transport.latency_fs = HOP / 2;
        // half of it the NICs', half the library's
        let library = ProtocolSpec { hop_fs: vec![0, HOP / 2], ..no_stack() };
        assert_eq!(time(&slow, library, fluid), 30 * step + 8 * HOP, "fluid: {fluid}");
        let occupied = ProtocolSpec { step_fs: vec![0, HOP], ..no_stack() };
        assert!(time(&boards(), occupied, fluid) > 30 * HOP, "fluid: {fluid}");
    }
}

#[test]
fn a_cost_per_message_occupies_the_sender() {
    const COST: u64 = 5_000_000_000;
    let mut spec = switched(2);
    spec.networks[0].transport.per_message_fs = COST;
    for fluid in [false, true] {
        let run = Run { fluid, ..Run::default() };
        let params = Params::new(SendRecv, Direct, 2, 100 * 4096);
        assert_eq!(run.collective(&spec, &params).unwrap().finish_fs, COST + ALPHA + 100 * 4096 * B, "fluid: {fluid}");
        // three lanes of a ring of two: a message each, handed over one after the other; sending takes less than that
        let mut params = Params::new(AllGather, Ring, 2, 6 * 4000);
        params.lanes = Some(3);
        const { assert!(4000 * B < COST) };
        let finish = run.collective(&spec, &params).unwrap().finish_fs;
        assert_eq!(finish, 3 * COST + ALPHA + 4000 * B, "fluid: {fluid}");
    }
}

#[test]
fn a_slow_memory_is_the_bottleneck() {
    let mut spec = switched(2);
    // 25 GB/s of HBM: each rank reads n and writes n, 40 000 fs a byte each, while the links take 20 000
    spec.device.hbm_rate = Some(supernode_core::units::BitRate(200_000_000_000));
    let n = 64 * 4096;
    let t = time(&spec, SendRecv, Direct, n);
    let floor = 2 * n * 2 * B;
    assert!(t >= floor && t < floor + 2 * ALPHA + 16 * 4096 * 2 * B, "{t} against {floor}");
}

#[test]
fn in_network_all_reduce_moves_each_byte_once_each_way() {
    // up: n of contributions and n/p of multicast; never faster than that, nor than a there and back
    let (p, n) = (8u64, 1u64 << 20);
    let t = time(&switched(8), AllReduce, InNetwork, n);
    let bound = (n + n / p) * B;
    assert!(t >= bound.max(2 * ALPHA), "{t} below {bound}");
    // and far better than the ring's 2 n (p - 1)/p b
    assert!(t < 2 * n * (p - 1) / p * B, "{t}");
}

#[test]
fn fat_tree_paths_add_tiers() {
    // first rank to last: 4 links and 3 switches on a non-blocking 2-tier tree, all others shorter
    let spec = system(16, vec![network("tree", 16, clos(&[4, 4], &[1, 4]), vec![1])]);
    let params = Params::new(Gather, Direct, 2, 2 * 12_000);
    let run = Run { placement: Some(vec![0, 15]), ..Run::default() };
    assert_eq!(run.collective(&spec, &params).unwrap().finish_fs, 4 * LATENCY + 3 * SWITCH + 12_000 * B);
}

#[test]
fn levels_have_their_own_alpha_and_beta() {
    // 4 nodes of 4: inside one switch, across a second network of a quarter of the rate. Hierarchical all_reduce of n:
    // 2 (L - 1) (a1 + n/L b1) + 2 (N - 1) (a2 + n/(L N) b2)
    let inside = network("inside", 4, clos(&[4], &[1]), vec![1]);
    let mut across = network("across", 16, clos(&[16], &[1]), vec![1]);
    across.links[0].rate = supernode_core::units::BitRate(RATE.0 / 4);
    across.links[0].latency_fs = 2 * LATENCY;
    let spec = system(16, vec![inside, across]);
    let n = 16 * 4096u64;
    let params = Params { levels: vec![4, 4], ..Params::new(AllReduce, Hierarchical, 16, n) };
    let t = Run::default().collective(&spec, &params).unwrap().finish_fs;
    let (a1, a2) = (ALPHA, 4 * LATENCY + SWITCH);
    assert_eq!(t, 6 * (a1 + n / 4 * B) + 6 * (a2 + n / 16 * 4 * B));
}

#[test]
fn all_ports_of_a_large_mesh_send_at_once() {
    // 300 ranks and a link to each other one: 16 packets on every link, all links at the same time
    let mesh = network("mesh", 300, TopologySpec::FullMesh { dims: vec![300] }, vec![1]);
    let params = Params::new(AllToAll, Direct, 300, 300 * 65_536);
    for fluid in [false, true] {
        let run = Run { fold: true, fluid, flows: false, ..Run::default() };
        let record = run.collective(&system(300, vec![mesh.clone()]), &params).unwrap();
        assert_eq!(record.finish_fs, LATENCY + 65_536 * FS_PER_BYTE, "fluid: {fluid}");
        assert_eq!(record.ranks.len(), 1);
    }
}
