//! The flow fidelity: messages as fluids that share links max-min fairly, on the routes and schedules of the packet engine.
//!
//! **Model.** Ranks walk through their steps as in [`crate::engine`]. A message is a flow over the resources of its path
//! ([`mod@resources`], [`routes`]) from when its port turns to it until its last byte has left; it moves at its max-min fair
//! rate ([`fair`]), which changes only when flows come or go, and its last byte arrives after the propagation of its path
//! and what storing a packet on the way costs ([`timing`]). Resources are links at the payload share that headers and
//! protocol leave, and the memory, copy and reduce channels of accelerators.
//!
//! **Order at a port.** A port sends one message after the other, in the order in which they are opened: earlier lanes
//! first, nothing that has begun is overtaken ([`injection`]). This is the packet engine's order, and its head-of-line
//! blocking. In the network no lane goes before another: flows share fairly.
//!
//! **Invariant.** Payload and wire bytes of all links together are those of a packet run; no link passes its rate; results
//! depend on the job alone, never on threads, hashes or the clock.
//!
//! **Cost.** Two events a message and the rates that each changes, whatever the size of messages. **Limits.** No queues,
//! credits or buffers: congestion is felt at once along a whole path and never spreads beyond it, a link that several
//! flows share is full while any of them waits, and packets of different messages do not collide by chance. Switches keep
//! sums and copies without limit, as in the packet engine.
//!
//! **Source.** Bertsekas, Gallager: Data Networks, 2nd ed. 1992, 6.5.2; Massoulié, Roberts: Bandwidth sharing: objectives
//! and algorithms, IEEE/ACM ToN 10(3) 2002.

mod check;
mod classes;
mod dealing;
mod detours;
pub mod fair;
mod graph;
mod in_network;
mod injection;
mod launch;
mod leaving;
mod loads;
mod ranks;
mod resources;
mod routes;
mod run;
mod spreading;
mod tables;
mod timing;
mod width;

pub use check::models;
pub use classes::folding;
pub use loads::Loads;
pub use resources::resources;
pub use width::Width;

use crate::control::{Control, caught};
use crate::engine::Job;
use crate::error::{Error, Result};
use crate::record::Record;

/// Runs a job to its end. Threads are not used: events depend on each other.
///
/// # Errors
/// Those of [`crate::engine::run`], but for deadlocks, which flows do not have.
pub fn run(job: &Job, control: &Control) -> Result<Record> {
    run_within(job, control, u64::MAX)?.ok_or_else(|| Error::Internal("a run without a cap was capped".into()))
}

/// Runs a job to its end, or gives it up after so many events and changes of rates: then the result is `None`.
///
/// # Errors
/// Those of [`run()`].
pub fn run_within(job: &Job, control: &Control, cap: u64) -> Result<Option<Record>> {
    caught(|| run::run(job, control, cap))
}
