//! Packet-level simulation of collective communication on AI supernodes: interconnect and memory hierarchy together.
//!
//! Data flows one way: [`spec`] -> [`fabric`], [`collective`] -> [`engine`] or [`flow`] -> [`record`] -> [`results`]. The crate knows
//! nothing of Python. `docs/architecture.md` maps the modules and states their invariants.

pub mod analytic;
pub mod bound;
pub mod calls;
pub mod check;
pub mod collective;
pub mod control;
pub mod engine;
pub mod error;
pub mod fabric;
pub mod flow;
pub mod measured;
pub mod radix;
pub mod record;
pub mod results;
pub mod rng;
pub mod routing;
pub mod simulate;
pub mod spec;
pub mod stack;
pub mod survey;
pub mod symmetry;
pub mod units;
pub mod walk;
pub mod workload;
