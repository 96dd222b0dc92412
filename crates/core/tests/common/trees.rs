//! Full three-tier fat trees: one NIC of 400 Gbit/s a host, links of 500 ns, switches of 300 ns.

use super::*;

/// Tiers of as many hosts, each with as many links up as down.
pub(crate) fn tiers(hosts: u32) -> TopologySpec {
    match hosts {
        1024 => clos(&[8, 8, 16], &[1, 8, 8]),
        8192 => clos(&[16, 16, 32], &[1, 16, 16]),
        65_536 => clos(&[32, 32, 64], &[1, 32, 32]),
        131_072 => clos(&[32, 64, 64], &[1, 32, 64]),
        _ => panic!("{hosts} hosts: use 1024, 8192, 65536 or 131072"),
    }
}

pub(crate) fn fat_tree(hosts: u32, topology: TopologySpec, routing: RoutingSpec) -> NetworkSpec {
    let mut net = network("fat_tree", hosts, topology, vec![1]);
    for link in &mut net.links {
        link.medium = "optics".into();
    }
    for switch in &mut net.switches {
        (switch.latency_fs, switch.in_network_reduce) = (300_000_000, false);
    }
    NetworkSpec { overhead: 66, routing, ..net }
}

/// A random order of the hosts, the same every time.
pub(crate) fn shuffled(hosts: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..hosts).collect();
    order.sort_by_key(|&host| supernode_core::rng::mix(u64::from(host)));
    order
}
