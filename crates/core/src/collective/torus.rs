//! Bucket algorithm on a torus: all ports of every rank at once.
//!
//! **Model.** With `D` dimensions, `2D` lanes share the data; lane `l` starts with dimension `l/2`, goes on with the next
//! ones cyclically, and walks its rings upwards (even `l`) or downwards (odd `l`). At any time the lanes are in different
//! dimensions or directions, as long as the sides are equal. Chunks multiply the lanes. A dimension without wraparound is
//! walked over even coordinates up and odd ones down: hops of two links, one each way on every link. With a twist a lane that
//! starts with a wraparound which shifts another dimension goes round it twice, through both halves of the other ([`super::axes`]).
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

use super::Collective;
use super::axes::Frames;
use super::buckets::{Buckets, Lines};

/// Lanes that use every port once.
pub(super) fn lanes(dims: &[u32]) -> u32 {
    2 * dims.iter().fold(0, |count, &size| count + u32::from(size > 1))
}

/// The program for checked `dims`; `wrap` is empty (all closed) or has one entry a dimension, `twist` pairs of dimensions of which
/// the wraparound of the first shifts the second by half. `None` if there are too many digits.
pub(super) fn program(collective: Collective, dims: &[u32], wrap: &[bool], twist: &[[u32; 2]]) -> Option<Buckets> {
    let kept: Vec<usize> = (0..dims.len()).filter(|&d| dims[d] > 1).collect();
    let sizes: Vec<u32> = kept.iter().map(|&d| dims[d]).collect();
    let new = |dim: u32| kept.iter().position(|&d| d == dim as usize);
    let pairs: Vec<(usize, usize)> = twist.iter().filter_map(|&[a, b]| Some((new(a)?, new(b)?))).collect();
    let open = |d: usize| wrap.get(kept[d]).is_some_and(|closed| !closed);
    Some(Buckets::new(collective, Lines::Rotated, Frames::new(&sizes, open, &pairs, true)?))
}
