//! What threads of a run share: the types of `std`, or those of loom, which tries every interleaving of a small run.
//!
//! **Invariant.** Without `--cfg loom` these are the types of `std` themselves, by the same names, so they cost nothing. With it
//! (`interleavings.rs`, `make loom`) the barrier, the team and its mail are the same source, compiled with loom's types.
//! **Limits.** Counters that are only shown ([`crate::control`]) stay those of `std`: nothing waits for them.

#[cfg(not(loom))]
pub(super) use std::{
    hint::spin_loop,
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread::yield_now,
};

#[cfg(loom)]
pub(super) use loom::{
    hint::spin_loop,
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread::yield_now,
};
