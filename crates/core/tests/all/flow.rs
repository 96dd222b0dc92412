//! Flow fidelity: closed forms, agreement with packets on long flows, sharing worked out by hand, and errors.

use crate::common::pattern::Pattern;
use crate::common::*;
use supernode_core::collective::Algorithm::*;
use supernode_core::collective::Collective::*;
use supernode_core::collective::{Params, Schedule};
use supernode_core::control::Control;
use supernode_core::error::Error;
use supernode_core::record::Record;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

const B: u64 = FS_PER_BYTE;
const MIB: u64 = 1 << 20;

fn fluid() -> Run {
    Run { fluid: true, ..Run::default() }
}

fn tree(up: u32, routing: RoutingSpec) -> SystemSpec {
    let mut net = network("tree", 16, clos(&[4, 4], &[1, up]), vec![1]);
    net.routing = routing;
    system(16, vec![net])
}

/// Flows against packets; the difference in percent of the packets' time.
fn against(spec: &SystemSpec, params: &Params) -> f64 {
    let packets = Run::default().collective(spec, params).expect("packets");
    let flows = fluid().collective(spec, params).expect("flows");
    assert_eq!((packets.sent_bytes, packets.received_bytes), (flows.sent_bytes, flows.received_bytes));
    assert_eq!(packets.packet_hops, flows.packet_hops);
    100.0 * (flows.finish_fs as f64 / packets.finish_fs as f64 - 1.0)
}

fn agree(name: &str, spec: &SystemSpec, params: &Params) {
    let error = against(spec, params);
    assert!(error.abs() < 1.0, "{name}, {:?}: {error:+.2} %", params.algorithm);
}

#[test]
fn alone_a_message_takes_the_closed_form() {
    let switch = switched(8);
    let time = |c, a, n, bytes| fluid().collective(&switch, &Params::new(c, a, n, bytes)).unwrap().finish_fs;
    // 2 (p - 1) (a + n/p b)
    assert_eq!(time(AllReduce, Ring, 8, 8 * 16_384), 14 * (ALPHA + 16_384 * B));
    // lg p (a + n b)
    assert_eq!(time(AllReduce, RecursiveDoubling, 8, 40_000), 3 * (ALPHA + 40_000 * B));
    // a + (p - 1) n/p b: one message after the other, never two to one rank
    assert_eq!(time(AllToAll, Direct, 8, 8 * 4096), ALPHA + 7 * 4096 * B);
    // ceil(lg p) a: header-only messages, and the header is free here
    assert_eq!(time(Barrier, Bruck, 8, 0), 3 * ALPHA);
    // one packet of 1 000 B
    assert_eq!(time(SendRecv, Direct, 2, 1000), ALPHA + 1000 * B);
}

#[test]
fn overheads_store_and_forward_and_slow_links_count_once() {
    // 10 packets of 4 096 * 128/120 rounded up = 4 370 B and 64 B of header, launch 7 and step 5 fs
    let mut spec = switched(2);
    spec.networks[0].overhead = 64;
    let protocol = ProtocolSpec { wire_num: 128, wire_den: 120, launch_fs: 7, step_fs: vec![5], ..no_stack() };
    let params = Params::new(SendRecv, Direct, 2, 10 * 4096);
    let run = Run { protocol, ..fluid() };
    assert_eq!(run.collective(&spec, &params).unwrap().finish_fs, 7 + 5 + ALPHA + 10 * 4434 * B);
    // a switch that stores a packet: one packet more
    spec.networks[0].overhead = 0;
    spec.networks[0].switches[0].cut_through = false;
    assert_eq!(fluid().collective(&spec, &params).unwrap().finish_fs, ALPHA + 11 * 4096 * B);
    // copy channels of a quarter of the rate: the first packet's way there, then ten packets at their pace
    spec.networks[0].switches[0].cut_through = true;
    spec.device.copy_rate = Some(BitRate(RATE.0 / 4));
    assert_eq!(fluid().collective(&spec, &params).unwrap().finish_fs, ALPHA + (1 + 40) * 4096 * B);
}

#[test]
fn tiers_of_any_rate_equal_packets_without_contention() {
    for (above, cut) in [(1, true), (2, true), (1, false), (4, false)] {
        let mut spec = tree(4, RoutingSpec::DModK);
        spec.networks[0].links[1].rate = BitRate(RATE.0 * above / 2);
        spec.networks[0].switches.iter_mut().for_each(|s| s.cut_through = cut);
        for bytes in [100, 4096, 10 * 4096, 100_000] {
            let run = |fluid| Run { fluid, placement: Some(vec![0, 15]), ..Run::default() };
            let params = Params::new(Gather, Direct, 2, 2 * bytes);
            let [packets, flows] = [false, true].map(|f| run(f).collective(&spec, &params).unwrap().finish_fs);
            assert_eq!(flows, packets, "tier 2 at {above}/2 of the rate, cut-through {cut}, {bytes} bytes");
        }
    }
}

#[test]
fn packets_over_planes_leave_in_rounds() {
    // 4 planes: 8 packets two a plane, 9 packets three on one of them
    let spec = system(4, vec![network("planes", 4, clos(&[4], &[1]), vec![1; 4])]);
    for (packets, rounds) in [(1, 1), (4, 1), (8, 2), (9, 3)] {
        let params = Params::new(SendRecv, Direct, 4, packets * 4096);
        assert_eq!(fluid().collective(&spec, &params).unwrap().finish_fs, ALPHA + rounds * 4096 * B);
    }
}

#[test]
fn long_flows_on_one_switch_agree_with_packets() {
    let spec = switched(8);
    for (collective, algorithm) in
        [(AllReduce, Ring), (AllReduce, HalvingDoubling), (AllToAll, Direct), (AllReduce, TwoShot)]
    {
        agree("switch", &spec, &Params::new(collective, algorithm, 8, 64 * MIB));
    }
    // who comes first at a shared link counts in pipelined trees: packets by age, flows all alike
    let error = against(&spec, &Params::new(AllReduce, DoubleBinaryTree, 8, 64 * MIB));
    assert!(error.abs() < 3.0, "{error:+.2} %");
    for lanes in [None, Some(1), Some(7)] {
        for collective in [AllReduce, AllGather, ReduceScatter, Broadcast] {
            agree("in network", &spec, &Params { lanes, ..Params::new(collective, InNetwork, 8, 64 * MIB) });
        }
    }
}

fn end_of(record: &Record, src: u32) -> u64 {
    record.flows.iter().find(|f| f.src == src).map_or(0, |f| f.end_fs)
}

#[test]
fn colliding_flows_of_a_permutation_share_as_packets_do() {
    // d_mod_k: ranks 0, 1 and 2 to 4, 8 and 12 take one link up; all others stay under their leaf
    let to = vec![4, 8, 12, 0, 5, 6, 7, 1, 9, 10, 11, 2, 13, 14, 15, 3];
    let schedule = Pattern::new(to, |_| 64 * MIB);
    let spec = tree(4, RoutingSpec::DModK);
    let packets = Run::default().schedule(&spec, &schedule).unwrap();
    let flows = fluid().schedule(&spec, &schedule).unwrap();
    // a third of the link each: 3 x 64 MiB at 20 ps a byte, and 4 links and 3 switches of latency
    let third = 3 * 64 * MIB * B + 4 * LATENCY + 3 * SWITCH;
    assert!(end_of(&flows, 0).abs_diff(third) < 10 * 4096 * B, "{} against {third}", end_of(&flows, 0));
    for rank in 0..16 {
        let (p, f) = (end_of(&packets, rank) as f64, end_of(&flows, rank) as f64);
        assert!((f / p - 1.0).abs() < 0.01, "rank {rank}: {f} against {p}");
    }
}

#[test]
fn an_oversubscribed_tree_and_a_torus_agree_with_packets() {
    for algorithm in [Direct, Pairwise] {
        // 16 messages of 4 MiB a rank
        agree(
            "oversubscribed",
            &tree(2, RoutingSpec::SprayRoundRobin),
            &Params::new(AllToAll, algorithm, 16, 64 * MIB),
        );
    }
    let torus = system(16, vec![network("torus", 16, torus(&[4, 4]), vec![1])]);
    let params = Params { dims: vec![4, 4], ..Params::new(AllReduce, TorusBucket, 16, 64 * MIB) };
    agree("torus", &torus, &params);
}

#[test]
fn two_networks_agree_with_packets() {
    let mut across = network("across", 16, clos(&[16], &[1]), vec![1]);
    across.links[0].rate = BitRate(RATE.0 / 4);
    across.links[0].latency_fs = 2 * LATENCY;
    let spec = system(16, vec![network("inside", 4, clos(&[4], &[1]), vec![1; 3]), across]);
    for algorithm in [Hierarchical, Ring] {
        let params = Params { levels: vec![4, 4], ..Params::new(AllReduce, algorithm, 16, 64 * MIB) };
        agree("two networks", &spec, &params);
    }
}

#[test]
fn a_sum_waits_for_its_slowest_contribution() {
    // one rank's memory is shared with nothing else but slow: 1/4 of the link's rate for all, both ways
    let mut spec = switched(4);
    spec.device.hbm_rate = Some(BitRate(RATE.0 / 4));
    let params = Params { lanes: Some(1), ..Params::new(Reduce, InNetwork, 4, 16 * MIB) };
    let t = fluid().collective(&spec, &params).unwrap().finish_fs;
    // the root reads its contribution and writes the sum: twice 16 MiB at a quarter
    let floor = 8 * 16 * MIB * B;
    assert!(t >= floor && t < floor + 3 * ALPHA, "{t} against {floor}");
}

#[test]
fn the_same_run_is_the_same_to_the_last_bit() {
    let params = Params::new(AllReduce, DoubleBinaryTree, 16, 4 * MIB);
    let run = || fluid().collective(&tree(2, RoutingSpec::Ecmp), &params).unwrap();
    assert_eq!(run(), run());
}

#[test]
fn a_limit_of_the_time_it_takes_is_enough() {
    // flows speed up as others end: the ends planned for their slower rates lie beyond the limit
    let params = Params::new(AllToAll, Direct, 16, 16 * MIB);
    let spec = tree(1, RoutingSpec::Ecmp);
    let t = fluid().collective(&spec, &params).unwrap().finish_fs;
    let within = |limit| Run { time_limit_fs: Some(limit), ..fluid() }.collective(&spec, &params);
    assert_eq!(within(t).unwrap().finish_fs, t);
    assert!(matches!(within(t - 1), Err(Error::Timeout { .. })));
}

#[test]
fn what_cannot_end_is_a_typed_error() {
    let params = Params::new(AllReduce, Ring, 8, 16 * MIB);
    let error = Run { time_limit_fs: Some(1_000_000_000), ..fluid() }.collective(&switched(8), &params).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");

    let schedule = Pattern::shift(4, 1, 4096).expecting_twice();
    let error = fluid().schedule(&switched(4), &schedule).unwrap_err();
    let Error::Unfinished { waiting, .. } = &error else { panic!("{error}") };
    assert!(waiting.contains("rank 0 (lane 0, step 0)"), "{waiting}");

    let far = system(8, vec![network("host", 4, clos(&[4], &[1]), vec![1])]);
    let error = fluid().collective(&far, &Params::new(AllReduce, Ring, 8, 4096)).unwrap_err();
    assert!(matches!(error, Error::Unroutable { from: 0, to: 4, .. }), "{error}");

    let mut slow = switched(4);
    for (rate, bytes) in [(8_000, 1 << 30), (8, 1 << 16)] {
        slow.networks[0].links[0].rate = BitRate(rate);
        let error = fluid().collective(&slow, &Params::new(SendRecv, Direct, 4, bytes)).unwrap_err();
        assert!(matches!(error, Error::Overflow { .. }), "{error}");
    }

    let mut plain = switched(4);
    plain.networks[0].switches[0].in_network_reduce = false;
    let error = fluid().collective(&plain, &Params::new(AllReduce, InNetwork, 4, 4096)).unwrap_err();
    assert!(matches!(error, Error::Spec { .. }), "{error}");
}

#[test]
fn a_caller_can_stop_it() {
    use supernode_core::engine::Job;
    let fabric = supernode_core::fabric::Fabric::new(&switched(4), &Control::default()).unwrap();
    let schedule = Pattern::shift(4, 1, 4096);
    let folding = supernode_core::symmetry::Folding::none(schedule.ranks(), String::new());
    let job = Job {
        folding: &folding,
        fabric: &fabric,
        schedule: &schedule,
        placement: &[0, 1, 2, 3],
        protocol: &no_stack(),
        workload: None,
        explicit: None,
        seed: 0,
        threads: 1,
        record_flows: false,
        record_links: false,
        time_limit_fs: None,
        skip: false,
    };
    let control = Control::default();
    control.cancel();
    let error = supernode_core::flow::run(&job, &control).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
}

#[test]
fn what_enters_a_switch_leaves_it() {
    // 3 planes of two tiers and 1,002 bytes in packets of 256: nothing divides evenly among 3 x 4 paths
    let mut net = network("tree", 16, clos(&[4, 4], &[1, 4]), vec![1; 3]);
    net.payload = 256;
    for algorithm in [Ring, Binomial] {
        let params = Params { element: 1, ..Params::new(Broadcast, algorithm, 16, 1002) };
        let record = fluid().collective(&system(16, vec![net.clone()]), &params).unwrap();
        let mut left = std::collections::BTreeMap::new();
        for link in &record.links {
            *left.entry(link.vertex).or_insert(0) -= link.payload_bytes as i64;
            *left.entry(link.peer).or_insert(0) += link.payload_bytes as i64;
        }
        for rank in &record.ranks {
            *left.entry(rank.accelerator).or_insert(0) += rank.sent_bytes as i64 - rank.received_bytes as i64;
        }
        assert!(left.values().all(|&bytes| bytes == 0), "{algorithm:?}: {left:?}");
        let packets: u64 = record.links.iter().filter(|l| l.vertex < 16).map(|l| l.packets).sum();
        assert_eq!(packets, 15 * 4, "{algorithm:?}");
    }
}
