//! Time of the flow simulation: many concurrent flows, and many messages.
//!
//! `cargo run --release --example flows -- [pattern] [hosts] [MiB] [routing]`; the pattern is `permutation` (one flow a
//! host at once, to a host in random order), `incast` (64 senders to one, in every 64 hosts) or `all_to_all` (every pair,
//! direct); routing is `spray`, `narrow` (spray over half
//! of the links up), `dmodk` or `ecmp`; hosts 1024, 8192 or 131072 of a three-tier fat tree, or any number on a
//! switch with `switch` in place of the routing.
#![allow(clippy::disallowed_methods)] // it measures wall time

use std::time::Instant;
use supernode_core::collective::{Algorithm, Block, Collective, Message, Params, Recv, Schedule, Target, build};
use supernode_core::engine::{Control, Job};
use supernode_core::fabric::Fabric;
use supernode_core::flow;
use supernode_core::rng::mix;
use supernode_core::spec::*;
use supernode_core::units::BitRate;

/// One message from every rank, to the rank listed.
#[derive(Debug)]
struct Pattern {
    to: Vec<u32>,
    bytes: u64,
    recv: Vec<Recv>,
}

impl Pattern {
    fn new(to: Vec<u32>, bytes: u64) -> Self {
        let mut pattern = Pattern { recv: vec![Recv::default(); to.len()], to, bytes };
        for rank in 0..pattern.ranks() {
            let bytes = pattern.size(rank);
            let recv = &mut pattern.recv[pattern.to[rank as usize] as usize];
            (recv.messages, recv.bytes) = (recv.messages + 1, recv.bytes + bytes);
        }
        pattern
    }

    /// Sizes differ, so that flows end one by one.
    fn size(&self, rank: u32) -> u64 {
        self.bytes + mix(u64::from(rank)) % self.bytes
    }
}

impl Schedule for Pattern {
    fn ranks(&self) -> u32 {
        self.to.len() as u32
    }
    fn lanes(&self) -> u32 {
        1
    }
    fn steps(&self, _: u32, _: u32) -> u32 {
        1
    }
    fn sends(&self, _: u32, _: u32, _: u32) -> u32 {
        1
    }
    fn send(&self, rank: u32, _: u32, _: u32, _: u32) -> Message {
        Message { to: Target::Rank(self.to[rank as usize]), bytes: self.size(rank), recv_step: 0 }
    }
    fn recvs(&self, rank: u32, _: u32, _: u32) -> Recv {
        self.recv[rank as usize]
    }
    fn blocks(&self, _: u32, _: u32, _: u32, _: u32, _: &mut Vec<Block>) {}
    fn block_bytes(&self, _: Block) -> u64 {
        0
    }
}

fn fat_tree(hosts: u32, routing: RoutingSpec) -> NetworkSpec {
    let (down, up): (Vec<u32>, Vec<u32>) = match hosts {
        1024 => (vec![8, 8, 16], vec![1, 8, 8]),
        8192 => (vec![16, 16, 32], vec![1, 16, 16]),
        131_072 => (vec![32, 64, 64], vec![1, 32, 64]),
        _ => panic!("1024, 8192 or 131072 hosts"),
    };
    let link = LinkSpec { rate: BitRate(400_000_000_000), latency_fs: 500_000_000, medium: "optics".into() };
    let switch = SwitchSpec { latency_fs: 300_000_000, cut_through: true, in_network_reduce: false };
    NetworkSpec {
        name: "fat_tree".into(),
        span: hosts,
        topology: TopologySpec::Clos { down, up, parallel: vec![1; 3], rails: 1 },
        planes: vec![1],
        links: vec![link; 3],
        switches: vec![switch; 3],
        payload: 4096,
        overhead: 66,
        routing,
        buffer: Some(256 * 1024),
        dateline: true,
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = |i: usize, default: &'static str| args.get(i).cloned().unwrap_or_else(|| default.into());
    let number = |i: usize, default: u32| args.get(i).map_or(default, |a| a.parse().expect("a number"));
    let (pattern, hosts, mib) = (text(1, "permutation"), number(2, 1024), number(3, 16));
    let bytes = u64::from(mib) << 20;
    let net = match text(4, "spray").as_str() {
        "spray" => fat_tree(hosts, RoutingSpec::SprayRoundRobin),
        // half of the links up
        "narrow" => {
            let mut net = fat_tree(hosts, RoutingSpec::SprayRoundRobin);
            if let TopologySpec::Clos { up, .. } = &mut net.topology {
                up[1] /= 2;
            }
            net
        }
        "dmodk" => fat_tree(hosts, RoutingSpec::DModK),
        "ecmp" => fat_tree(hosts, RoutingSpec::Ecmp),
        "switch" => {
            let topology = TopologySpec::Clos { down: vec![hosts], up: vec![1], parallel: vec![1], rails: 1 };
            let mut net = fat_tree(1024, RoutingSpec::SprayRoundRobin);
            net.links.truncate(1);
            net.switches.truncate(1);
            NetworkSpec { span: hosts, topology, ..net }
        }
        other => panic!("unknown routing {other}"),
    };
    let mut order: Vec<u32> = (0..hosts).collect();
    order.sort_by_key(|&r| mix(u64::from(r)));
    let mut to = order.clone();
    for i in 0..order.len() {
        let next = if pattern == "incast" { i - i % 64 + 64 } else { i + 1 };
        to[order[i] as usize] = order[next % order.len()];
    }
    let schedule: Box<dyn Schedule> = match pattern.as_str() {
        "all_to_all" => {
            let params = Params::new(Collective::AllToAll, Algorithm::Direct, hosts, bytes);
            build(&params).expect("a schedule")
        }
        _ => Box::new(Pattern::new(to, bytes)),
    };
    let spec =
        SystemSpec { name: "flows".into(), accelerators: hosts, device: DeviceSpec::default(), networks: vec![net] };
    let fabric = Fabric::new(&spec).expect("a valid fabric");
    let placement: Vec<u32> = (0..hosts).collect();
    let protocol = ProtocolSpec { wire_num: 1, wire_den: 1, ..ProtocolSpec::default() };
    let folding = supernode_core::symmetry::Folding::none(schedule.ranks(), String::new());
    let job = Job {
        folding: &folding,
        fabric: &fabric,
        schedule: &*schedule,
        placement: &placement,
        protocol: &protocol,
        seed: 1,
        threads: 1,
        record_flows: false,
        record_links: false,
        time_limit_fs: None,
        skip: false,
    };
    let start = Instant::now();
    let record = flow::run(&job, &Control::default()).expect("a run");
    let wall = start.elapsed();
    let messages: u64 = record.ranks.iter().map(|r| r.sent_messages).sum();
    println!(
        "{pattern} of {hosts} hosts: {messages} messages, {} instants, simulated {:.1} us, wall {:.3} s: {:.2} us a message, {} state bytes a host",
        record.windows,
        record.finish_fs as f64 / 1e9,
        wall.as_secs_f64(),
        wall.as_micros() as f64 / messages as f64,
        record.state_bytes / u64::from(hosts),
    );
}
