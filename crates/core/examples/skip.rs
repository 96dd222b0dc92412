//! What exact cycle skipping is worth: time of a run with and without it.
//!
//! `cargo run --release --example skip -- [ranks] [planes] [MiB] [algorithm] [collective] [both]`: a collective on one switch of
//! several planes; with `both` it runs without skipping, too, and says whether the results agree.
#![allow(clippy::disallowed_methods)] // it measures wall time

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Run, clos, network, system};
use std::time::Instant;
use supernode_core::collective::{Algorithm, Collective, Params};
use supernode_core::record::{Record, Skipping};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = |i: usize, default: &'static str| args.get(i).cloned().unwrap_or_else(|| default.into());
    let number = |i: usize, default: u32| args.get(i).map_or(default, |a| a.parse().expect("a number"));
    let (ranks, planes, mib) = (number(1, 8), number(2, 1), number(3, 64));
    let algorithm = Algorithm::parse(&text(4, "ring")).expect("an algorithm");
    let collective = Collective::parse(&text(5, "all_reduce")).expect("a collective");
    let mut spec = system(ranks, vec![network("switch", ranks, clos(&[ranks], &[1]), vec![1; planes as usize])]);
    spec.networks[0].overhead = 64;
    let bytes = collective.rounded_bytes(u64::from(mib) << 20, ranks, 4);
    let params = Params::new(collective, algorithm, ranks, bytes);
    let timed = |skip| -> Record {
        let start = Instant::now();
        let run = Run { skip, flows: false, ..Run::default() };
        let r = run.collective(&spec, &params).expect("a run");
        println!(
            "{ranks} ranks {planes} planes {mib} MiB {algorithm} skip {skip}: wall {:.4} s, simulated {:.1} us, {} packet-hops, {} windows, {:?}",
            start.elapsed().as_secs_f64(),
            r.finish_fs as f64 / 1e9,
            r.packet_hops,
            r.windows,
            r.skipping
        );
        Record { windows: 0, state_bytes: 0, skipping: Skipping::default(), ..r }
    };
    let skipped = timed(true);
    if text(6, "") == "both" {
        println!("agree: {}", timed(false) == skipped);
    }
}
