//! Tests of the core from outside, one binary: linking each file on its own takes longer than running it.

#[path = "../common/mod.rs"]
mod common;

mod analytic;
mod balance;
mod bound;
mod choice;
mod closed_forms;
mod credits;
mod explicit;
mod flow;
mod flow_graphs;
mod folding;
mod graph_bounds;
mod graphs;
mod invariants;
mod isolation;
mod layers;
mod skip;
mod spraying;
mod sums;
mod table_limit;
mod tables;
mod unit_sums;
mod waits;
mod workload_skip;
mod workloads;
