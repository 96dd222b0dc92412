//! Hierarchical collectives: reduce-scatter inside each group, then across groups, and all-gather back.
//!
//! **Model.** Levels from the innermost (first digit of the rank, fastest). All-reduce reduce-scatters around a ring of
//! every level in turn, each time on the piece left, then all-gathers from the outermost level in. At the top, a
//! reduce-scatter followed at once by an all-gather is a ring all-reduce. Reduce-scatter and all-gather are the two halves.
//!
//! **Invariant.** Across a level, only ranks with equal indices on all other levels talk: every rank's uplink is used, with
//! the data divided by the sizes of the levels inside.
//!
//! **Cost** (levels `g_i`, p their product, n bytes): all-reduce 2 sum(g_i - 1) steps and messages a rank; on level `i`
//! 2 n_i (g_i - 1)/g_i bytes a rank, `n_0 = n`, `n_(i+1) = n_i / g_i`; together 2n(p-1)/p, as in a flat ring.
//!
//! **Limits.** Levels take turns; give `chunks` to overlap them. At most eight levels of size two or more.
//!
//! **Source.** Cho, Finkler, Kung, Hunter: BlueConnect, MLSys 2019.

use super::Collective;
use super::axes::Frames;
use super::buckets::{Buckets, Lines};

/// The program for checked `levels`; `None` if there are too many.
pub(super) fn program(collective: Collective, levels: &[u32]) -> Option<Buckets> {
    let sizes: Vec<u32> = levels.iter().copied().filter(|&size| size > 1).collect();
    Some(Buckets::new(collective, Lines::Same, Frames::new(&sizes, |_| false, &[], false)?))
}
