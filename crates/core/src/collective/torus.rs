//! Bucket algorithm on a torus: all ports of every rank at once.
//!
//! **Model.** With `D` dimensions, `2D` lanes share the data; lane `l` starts with dimension `l/2`, goes on with the next
//! ones cyclically, and walks its rings upwards (even `l`) or downwards (odd `l`). At any time the lanes are in different
//! dimensions or directions, as long as the sides are equal. Chunks multiply the lanes. A dimension without wraparound is
//! walked over even coordinates up and odd ones down: hops of two links, one each way on every link.
//!
//! **Invariant.** In the `i`-th phase the `2D` lanes use the `2D` ports of a rank once each.
//!
//! **Cost** (p ranks, n bytes, sides `s_i`): all-reduce 2 sum(s_i - 1) steps, 2D messages of a rank in each,
//! 2n(p-1) bytes; on a port of a rank (n/D)(p-1)/p bytes for equal sides. All-gather, reduce-scatter half of that.
//!
//! **Limits.** With unequal sides the lanes drift apart and share ports. Dimensions of size one are left out, those of size
//! two have both directions on the same pair. First dimension fastest in the rank, as in the fabric.
//!
//! **Source.** Jain, Sabharwal: Optimal bucket algorithms for large MPI collectives on torus interconnects, ICS 2010.

use super::buckets::{Buckets, Lines};
use super::names::Collective;

/// Lanes that use every port once.
pub(super) fn lanes(dims: &[u32]) -> u32 {
    2 * dims.iter().fold(0, |count, &size| count + u32::from(size > 1))
}

/// The program for checked `dims`; `wrap` is empty (all closed) or has one entry a dimension.
pub(super) fn program(collective: Collective, dims: &[u32], wrap: &[bool]) -> Buckets {
    let (sizes, open): (Vec<u32>, Vec<bool>) = dims
        .iter()
        .enumerate()
        .filter(|&(_, &size)| size > 1)
        .map(|(d, &size)| (size, wrap.get(d).is_some_and(|closed| !closed)))
        .unzip();
    Buckets::new(collective, Lines::Rotated, &sizes, |d| open[d])
}
