//! Time a packet-hop on a three-tier fat tree, and the cost of building one.
//!
//! `cargo bench -p supernode-core`. Throughput is in packet-hops, so that criterion prints the time each takes.

#[path = "../tests/common/mod.rs"]
mod common;

use common::trees::{shuffled, tiers};
use common::{Run, network, system};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use supernode_core::collective::{Algorithm, Collective, Params};
use supernode_core::control::Control;
use supernode_core::fabric::Fabric;
use supernode_core::spec::SystemSpec;

fn fat_tree(hosts: u32) -> SystemSpec {
    system(hosts, vec![network("fat_tree", hosts, tiers(hosts), vec![1])])
}

fn hops(c: &mut Criterion) {
    let mut group = c.benchmark_group("packet_hop");
    group.sample_size(10);
    let spec = fat_tree(1024);
    // a shift by one rank in a shuffled placement: permutation traffic
    let placement = shuffled(1024);
    let params = Params::new(Collective::SendRecv, Algorithm::Direct, 1024, 4 << 20);
    let run = |threads| Run { threads, placement: Some(placement.clone()), ..Run::default() };
    let count = run(1).collective(&spec, &params).expect("a run").packet_hops;
    group.throughput(Throughput::Elements(count));
    for threads in [1, 2] {
        group.bench_function(format!("permutation_1024_threads_{threads}"), |b| {
            b.iter(|| run(threads).collective(&spec, &params).expect("a run"));
        });
    }
    group.finish();
}

fn all_to_all(c: &mut Criterion) {
    let mut group = c.benchmark_group("all_to_all");
    group.sample_size(10);
    let spec = fat_tree(1024);
    let params = Params::new(Collective::AllToAll, Algorithm::Direct, 1024, 1024 * 8192);
    group.bench_function("8_KiB_a_pair_1024", |b| b.iter(|| Run::default().collective(&spec, &params).expect("a run")));
    group.finish();
}

fn build(c: &mut Criterion) {
    c.bench_function("fabric_8192", |b| {
        b.iter(|| Fabric::new(&fat_tree(8192), &Control::default()).expect("a fabric"))
    });
}

criterion_group!(benches, hops, all_to_all, build);
criterion_main!(benches);
