//! Time and memory a packet-hop: a random permutation on a three-tier fat tree.
//!
//! `cargo run --release --example hops -- [hosts] [MiB] [threads] [routing] [pattern] [skip]`; routing is `spray`, `dmodk` or
//! `ecmp`, and of the same tree as an explicit graph `graph`, `graph-adaptive`, `graph-valiant` or `graph-ugal`; the pattern is `random` (one cycle over all hosts in random order), `shift` (half way round, so that
//! destination routing spreads evenly), `quarter` (the same among the hosts of the first quarter only) or `relay` (each
//! eighth of the hosts sends to the next one when it has received, so that the work moves through the machine); `skip`
//! jumps over periods that repeat.
#![allow(clippy::disallowed_methods)] // it measures wall time

#[path = "../tests/common/mod.rs"]
mod common;

use common::pattern::Pattern;
use common::trees::{fat_tree, shuffled, tiers};
use common::{no_stack, system};
use std::time::Instant;
use supernode_core::collective::Schedule;
use supernode_core::control::Control;
use supernode_core::engine::{Job, run};
use supernode_core::fabric::Fabric;
use supernode_core::spec::*;
use supernode_core::symmetry::Folding;

/// The same network by its links.
fn explicit(net: NetworkSpec) -> NetworkSpec {
    let n = net.span;
    let fabric = Fabric::new(&system(n, vec![net.clone()]), &Control::default()).expect("a valid fabric");
    let mut edges = vec![];
    for vertex in 0..fabric.vertices() {
        for port in 0..fabric.ports(vertex) {
            if let Some(end) = fabric.peer(vertex, port).filter(|end| end.vertex > vertex) {
                edges.push([vertex, end.vertex, end.tier as u32, 1]);
            }
        }
    }
    let topology = TopologySpec::Graph {
        switches: fabric.vertices() - n,
        edges,
        switch_kinds: vec![],
        weights: vec![],
        forwarding: None,
    };
    NetworkSpec { topology, ..net }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: u32| args.get(i).map_or(default, |a| a.parse().expect("a number"));
    let (hosts, mib, threads) = (number(1, 1024), number(2, 1), number(3, 1));
    let routing = match args.get(4).map(String::as_str) {
        None | Some("spray") => RoutingSpec::SprayRoundRobin,
        Some("dmodk") => RoutingSpec::DModK,
        Some("ecmp") => RoutingSpec::Ecmp,
        Some("graph") => RoutingSpec::SprayRoundRobin,
        Some("graph-adaptive") => RoutingSpec::Adaptive,
        Some("graph-valiant") => RoutingSpec::Valiant,
        Some("graph-ugal") => RoutingSpec::Ugal,
        Some(other) => panic!("unknown routing {other}"),
    };
    let bytes = u64::from(mib) << 20;
    let schedule = match args.get(5).map(String::as_str) {
        None | Some("random") => {
            // one cycle over a random order: a permutation without fixed points
            let order = shuffled(hosts);
            let mut to = order.clone();
            for i in 0..order.len() {
                to[order[i] as usize] = order[(i + 1) % order.len()];
            }
            Pattern::new(to, |_| bytes)
        }
        Some("shift") => Pattern::shift(hosts, hosts / 2, bytes),
        Some("quarter") => Pattern::shift(hosts / 4, hosts / 8, bytes),
        Some("relay") => Pattern::relay(hosts, hosts / 8, bytes),
        Some(other) => panic!("unknown pattern {other}"),
    };
    let start = Instant::now();
    let mut net = fat_tree(hosts, tiers(hosts), RoutingSpec::SprayRoundRobin);
    if args.get(4).is_some_and(|name| name.starts_with("graph")) {
        net = explicit(net);
    }
    net.routing = routing;
    let fabric = Fabric::new(&system(hosts, vec![net]), &Control::default()).expect("a valid fabric");
    let placement: Vec<u32> = (0..schedule.ranks()).collect();
    let protocol = no_stack();
    let folding = Folding::new(&fabric, &schedule, &placement, false, &Control::default()).unwrap();
    let job = Job {
        folding: &folding,
        fabric: &fabric,
        schedule: &schedule,
        placement: &placement,
        protocol: &protocol,
        workload: None,
        explicit: None,
        seed: 1,
        threads,
        record_flows: false,
        record_links: false,
        time_limit_fs: None,
        skip: args.get(6).is_some_and(|a| a == "skip"),
    };
    let record = run(&job, &Control::default()).expect("a run");
    let wall = start.elapsed();
    println!(
        "hosts {hosts} threads {} packet-hops {} windows {} simulated {:.1} us wall {:.3} s: {:.1} ns a packet-hop, {} state bytes a host",
        record.threads,
        record.packet_hops,
        record.windows,
        record.finish_fs as f64 / 1e9,
        wall.as_secs_f64(),
        wall.as_nanos() as f64 / record.packet_hops as f64,
        record.state_bytes / u64::from(hosts),
    );
}
