//! Time of the flow simulation: many concurrent flows, and many messages.
//!
//! `cargo run --release --example flows -- [pattern] [hosts] [MiB] [routing]`; the pattern is `permutation` (one flow a
//! host at once, to a host in random order), `incast` (64 senders to one, in every 64 hosts) or `all_to_all` (every pair,
//! direct); routing is `spray`, `narrow` (spray over half
//! of the links up), `dmodk` or `ecmp`; hosts 1024, 8192, 65536 or 131072 of a three-tier fat tree, or any number on a
//! switch with `switch` in place of the routing.
#![allow(clippy::disallowed_methods)] // it measures wall time

#[path = "../tests/common/mod.rs"]
mod common;

use common::pattern::Pattern;
use common::trees::{fat_tree, shuffled, tiers};
use common::{clos, no_stack, system};
use std::time::Instant;
use supernode_core::collective::{Algorithm, Collective, Params, Schedule, build};
use supernode_core::control::Control;
use supernode_core::engine::Job;
use supernode_core::fabric::Fabric;
use supernode_core::flow;
use supernode_core::rng::mix;
use supernode_core::spec::*;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = |i: usize, default: &'static str| args.get(i).cloned().unwrap_or_else(|| default.into());
    let number = |i: usize, default: u32| args.get(i).map_or(default, |a| a.parse().expect("a number"));
    let (pattern, hosts, mib) = (text(1, "permutation"), number(2, 1024), number(3, 16));
    let bytes = u64::from(mib) << 20;
    let (topology, routing) = match text(4, "spray").as_str() {
        "spray" => (tiers(hosts), RoutingSpec::SprayRoundRobin),
        // half of the links up
        "narrow" => {
            let mut topology = tiers(hosts);
            if let TopologySpec::Clos { up, .. } = &mut topology {
                up[1] /= 2;
            }
            (topology, RoutingSpec::SprayRoundRobin)
        }
        "dmodk" => (tiers(hosts), RoutingSpec::DModK),
        "ecmp" => (tiers(hosts), RoutingSpec::Ecmp),
        "switch" => (clos(&[hosts], &[1]), RoutingSpec::SprayRoundRobin),
        other => panic!("unknown routing {other}"),
    };
    let order = shuffled(hosts);
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
        // sizes differ, so that flows end one by one
        _ => Box::new(Pattern::new(to, |rank| bytes + mix(u64::from(rank)) % bytes)),
    };
    let fabric = Fabric::new(&system(hosts, vec![fat_tree(hosts, topology, routing)]), &Control::default())
        .expect("a valid fabric");
    let placement: Vec<u32> = (0..hosts).collect();
    let protocol = no_stack();
    let folding = supernode_core::symmetry::Folding::none(schedule.ranks(), String::new());
    let job = Job {
        folding: &folding,
        fabric: &fabric,
        schedule: &*schedule,
        placement: &placement,
        protocol: &protocol,
        workload: None,
        explicit: None,
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
