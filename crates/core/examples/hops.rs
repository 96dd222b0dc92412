//! Time and memory a packet-hop: a random permutation on a three-tier fat tree.
//!
//! `cargo run --release --example hops -- [hosts] [MiB] [threads] [routing] [pattern] [skip]`; routing is `spray`, `dmodk` or
//! `ecmp`; the pattern is `random` (one cycle over all hosts in random order), `shift` (half way round, so that
//! destination routing spreads evenly), `quarter` (the same among the hosts of the first quarter only) or `relay` (each
//! eighth of the hosts sends to the next one when it has received, so that the work moves through the machine); `skip`
//! jumps over periods that repeat.
#![allow(clippy::disallowed_methods)] // it measures wall time

use std::time::Instant;
use supernode_core::collective::{Block, Message, Recv, Schedule, Target};
use supernode_core::engine::{Control, Job, run};
use supernode_core::fabric::Fabric;
use supernode_core::rng::mix;
use supernode_core::spec::*;
use supernode_core::symmetry::Folding;
use supernode_core::units::BitRate;

#[derive(Debug)]
struct Permutation {
    to: Vec<u32>,
    bytes: u64,
    /// Ranks below this have nothing to wait for before they send, and as many at the end have nobody to send to; zero if
    /// all ranks send at once.
    relay: u32,
}

impl Schedule for Permutation {
    fn ranks(&self) -> u32 {
        self.to.len() as u32
    }
    fn lanes(&self) -> u32 {
        1
    }
    fn steps(&self, _: u32, _: u32) -> u32 {
        if self.relay > 0 { 2 } else { 1 }
    }
    fn sends(&self, rank: u32, _: u32, step: u32) -> u32 {
        u32::from(self.relay == 0 || step == 1 && rank + self.relay < self.ranks())
    }
    fn send(&self, rank: u32, _: u32, _: u32, _: u32) -> Message {
        Message { to: Target::Rank(self.to[rank as usize]), bytes: self.bytes, recv_step: 0 }
    }
    fn recvs(&self, rank: u32, _: u32, step: u32) -> Recv {
        let any = step == 0 && rank >= self.relay;
        Recv { messages: any.into(), bytes: if any { self.bytes } else { 0 }, reduce: false }
    }
    fn blocks(&self, _: u32, _: u32, _: u32, _: u32, _: &mut Vec<Block>) {}
    fn block_bytes(&self, _: Block) -> u64 {
        0
    }
}

fn fat_tree(hosts: u32, routing: RoutingSpec) -> SystemSpec {
    let (down, up): (Vec<u32>, Vec<u32>) = match hosts {
        1024 => (vec![8, 8, 16], vec![1, 8, 8]),
        8192 => (vec![16, 16, 32], vec![1, 16, 16]),
        65_536 => (vec![32, 32, 64], vec![1, 32, 32]),
        _ => panic!("1024, 8192 or 65536 hosts"),
    };
    let link = LinkSpec { rate: BitRate(400_000_000_000), latency_fs: 500_000_000, medium: "optics".into() };
    let switch = SwitchSpec { latency_fs: 300_000_000, cut_through: true, in_network_reduce: false };
    let net = NetworkSpec {
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
    };
    SystemSpec { name: "fat tree".into(), accelerators: hosts, device: DeviceSpec::default(), networks: vec![net] }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: u32| args.get(i).map_or(default, |a| a.parse().expect("a number"));
    let (hosts, mib, threads) = (number(1, 1024), number(2, 1), number(3, 1));
    let routing = match args.get(4).map(String::as_str) {
        None | Some("spray") => RoutingSpec::SprayRoundRobin,
        Some("dmodk") => RoutingSpec::DModK,
        Some("ecmp") => RoutingSpec::Ecmp,
        Some(other) => panic!("unknown routing {other}"),
    };
    let half_way = |ranks: u32| (0..ranks).map(|r| (r + ranks / 2) % ranks).collect();
    let mut relay = 0;
    let to: Vec<u32> = match args.get(5).map(String::as_str) {
        None | Some("random") => {
            let mut order: Vec<u32> = (0..hosts).collect();
            order.sort_by_key(|&r| mix(u64::from(r)));
            // one cycle over a random order: a permutation without fixed points
            let mut to = order.clone();
            for i in 0..order.len() {
                to[order[i] as usize] = order[(i + 1) % order.len()];
            }
            to
        }
        Some("shift") => half_way(hosts),
        Some("quarter") => half_way(hosts / 4),
        Some("relay") => {
            relay = hosts / 8;
            (0..hosts).map(|r| (r + relay) % hosts).collect()
        }
        Some(other) => panic!("unknown pattern {other}"),
    };
    let schedule = Permutation { to, bytes: u64::from(mib) << 20, relay };
    let start = Instant::now();
    let fabric = Fabric::new(&fat_tree(hosts, routing)).expect("a valid fabric");
    let placement: Vec<u32> = (0..schedule.ranks()).collect();
    let protocol = ProtocolSpec { wire_num: 1, wire_den: 1, ..ProtocolSpec::default() };
    let folding = Folding::new(&fabric, &schedule, &placement, false);
    let job = Job {
        folding: &folding,
        fabric: &fabric,
        schedule: &schedule,
        placement: &placement,
        protocol: &protocol,
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
