//! Spraying puts equal bytes on equal links, whatever the packets of a message are like.
//!
//! `SUPERNODE_CASES` sets the number of random cases.

use crate::common::*;
use proptest::prelude::*;
use supernode_core::collective::{Algorithm, Collective, Params};
use supernode_core::record::{LinkRecord, Record};
use supernode_core::spec::*;

fn cases() -> u32 {
    std::env::var("SUPERNODE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(100)
}

/// Hosts with links into several planes of one or two tiers of switches, at the latency of short cables.
fn fabric(hosts: u32, leaves: u32, up: u32, planes: &[u32]) -> SystemSpec {
    let shape = if leaves == 1 { clos(&[hosts], &[1]) } else { clos(&[hosts, leaves], &[1, up]) };
    let mut net = network("planes", hosts * leaves, shape, planes.to_vec());
    net.links.iter_mut().for_each(|link| link.latency_fs = 20_000_000);
    net.switches.iter_mut().for_each(|switch| switch.latency_fs = 0);
    net.buffer = None;
    system(hosts * leaves, vec![net])
}

fn run(spec: &SystemSpec, collective: Collective, algorithm: Algorithm, bytes: u64, fold: bool) -> Record {
    let mut params = Params::new(collective, algorithm, spec.accelerators, bytes);
    params.element = 1;
    Run { fold, flows: false, ..Run::default() }.collective(spec, &params).expect("a run")
}

/// Largest and smallest payload of the links that are chosen.
fn payloads(record: &Record, of: impl Fn(&LinkRecord) -> bool) -> (u64, u64) {
    let bytes: Vec<u64> = record.links.iter().filter(|l| of(l)).map(|l| l.payload_bytes).collect();
    (bytes.iter().copied().max().unwrap_or(0), bytes.iter().copied().min().unwrap_or(0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// A few bytes more per message, which make a short packet each, take at most a tenth longer.
    #[test]
    fn a_short_packet_more_per_message_costs_little(
        hosts in 2u32..9, leaves in 1u32..4, up in 1u32..4, planes in prop::collection::vec(1u32..3, 1..7),
        packets in 1u64..12, more in 1u64..17, which in 0usize..4, fold: bool,
    ) {
        use Algorithm::{Direct, Pairwise, Ring};
        use Collective::{AllGather, AllToAll, ReduceScatter};
        let spec = fabric(hosts, leaves, up, &planes);
        let (collective, algorithm) =
            [(AllToAll, Direct), (AllToAll, Pairwise), (AllGather, Ring), (ReduceScatter, Direct)][which];
        let time = |piece: u64| {
            run(&spec, collective, algorithm, piece * u64::from(spec.accelerators), fold).finish_fs
        };
        let (even, odd) = (time(packets * 4096), time(packets * 4096 + more));
        // where uplinks are fewer than hosts, the hosts of a leaf, which do alike, may put a packet too many on one of them
        // and in a short exchange two senders may choose the same link of a receiver for a full packet
        let uneven = if leaves > 1 { u64::from(hosts + 1) * 4096 * FS_PER_BYTE } else { 4096 * FS_PER_BYTE };
        prop_assert!(odd as f64 <= 1.1 * even as f64 + uneven as f64, "{even} {odd}: {}", odd as f64 / even as f64);
    }

    /// Links of an accelerator, and uplinks of a leaf, carry the same within a few packets, though long and short packets
    /// take turns.
    #[test]
    fn links_carry_equal_bytes(
        hosts in 2u32..7, leaves in 1u32..4, planes in prop::collection::vec(1u32..3, 1..5), piece in 1u64..40_000,
    ) {
        let spec = fabric(hosts, leaves, 2, &planes);
        let record = run(&spec, Collective::AllToAll, Algorithm::Direct, piece * u64::from(spec.accelerators), false);
        for a in 0..spec.accelerators {
            let (most, least) = payloads(&record, |l| l.vertex == a);
            prop_assert!(most - least <= 2 * 4096, "from accelerator {a}: {most} {least}");
            let (most, least) = payloads(&record, |l| l.peer == a);
            prop_assert!(most - least <= 2 * 4096, "to accelerator {a}: {most} {least}");
        }
        let uplinks = record.links.iter().filter(|l| l.tier == 1 && l.up);
        for leaf in uplinks.map(|l| l.vertex).collect::<std::collections::BTreeSet<_>>() {
            let (most, least) = payloads(&record, |l| l.vertex == leaf && l.tier == 1 && l.up);
            // each link of an accelerator beneath deals its packets on its own: one of each kind for every such link
            let links = u64::from(hosts * planes.iter().copied().max().unwrap_or(1));
            prop_assert!(most - least <= 2 * 4096 * links, "leaf {leaf}: {most} {least}");
        }
    }

    /// Sums in the network use all links alike, however few packets a piece has: no link carries more than its part of
    /// what a rank sends, and a packet for each lane.
    #[test]
    fn sums_use_all_links_alike(ranks in 2u32..9, planes in prop::collection::vec(1u32..6, 1..5), kib in 1u64..2000, lanes in 1u32..6) {
        let mut spec = fabric(ranks, 1, 1, &planes);
        spec.networks[0].switches[0].in_network_reduce = true;
        let bytes = kib * 1024 / u64::from(ranks) * u64::from(ranks);
        let mut params = Params::new(Collective::AllReduce, Algorithm::InNetwork, ranks, bytes);
        params.element = 1;
        params.lanes = Some(lanes);
        let record = Run { flows: false, ..Run::default() }.collective(&spec, &params).expect("a run");
        let ports: u64 = planes.iter().map(|&n| u64::from(n)).sum();
        for a in 0..ranks {
            let sent: u64 = record.links.iter().filter(|l| l.vertex == a).map(|l| l.payload_bytes).sum();
            let (most, _) = payloads(&record, |l| l.vertex == a);
            prop_assert!(most <= sent / ports + 2 * 4096 * u64::from(lanes), "{most} of {sent} over {ports}");
        }
    }
}

#[test]
fn sixteen_bytes_more_do_not_double_an_all_to_all() {
    // 64 hosts, two planes, 4,096 and 4,112 bytes per pair. Each plane of a host has to carry half of 63 x 4,096 bytes, which
    // is 31.5 packets: 32 x 81.92 ns and two links of 20 ns; with the short packets 32 x 4,096 + 31 x 16 bytes at most
    let spec = fabric(64, 1, 1, &[1, 1]);
    let time = |piece: u64| run(&spec, Collective::AllToAll, Algorithm::Direct, piece * 64, false).finish_fs;
    assert_eq!(time(4096), 32 * 4096 * FS_PER_BYTE + 2 * 20_000_000);
    assert!(time(4112) <= (32 * 4096 + 34 * 16) * FS_PER_BYTE + 2 * 20_000_000, "{}", time(4112));
}
