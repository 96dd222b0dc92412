//! What a collective must move, whatever the algorithm: bytes over any cut, and bytes in sum.
//!
//! **Model.** Cut the graph in two so that `a` of the `n` ranks are inside and `b = n - a` outside. What the outside must
//! learn from the inside has to cross, whatever the switches do with it: all contributions of the inside to an all-reduce
//! can be summed before they cross, but that sum, S bytes, must. So (S is nccl-tests' size):
//!
//! | collective | out of the inside | into it |
//! |---|---|---|
//! | all_reduce, send_recv | S | S |
//! | all_gather | aS/n | bS/n |
//! | reduce_scatter | bS/n | aS/n |
//! | all_to_all | abS/n | abS/n |
//! | broadcast, scatter, root inside | S, bS/n | 0 |
//! | reduce, gather, root inside | 0 | S, bS/n |
//!
//! (root outside: the mirror image; send_recv shifts by one rank, so at least one buffer crosses any cut each way.)
//!
//! **Sum.** Ranks that form the only sums need more for an all-reduce. Of one element, every message between `m` groups
//! carries one combination, and after all messages every group knows the contributions of all: that is gossip by one-way
//! calls, which takes at least 2(m-1) of them. So 2(m-1)S bytes leave the groups together: 2S(m-1)/m a group on average.
//! Switches that combine escape this, not the cut.
//!
//! **Source.** Harary & Schwenk, "The communication problem on graphs and digraphs", J. Franklin Inst. 297(6) 1974 (one-way
//! gossip); Patarasuk & Yuan, JPDC 69(2) 2009 (the same number for all-reduce).

use crate::collective::Collective;

/// Bytes that must leave and enter a group of `inside` of `n` ranks.
pub fn crossing(collective: Collective, bytes: u64, n: u32, inside: u32, root_inside: bool) -> (f64, f64) {
    if inside == 0 || inside >= n {
        return (0.0, 0.0);
    }
    let (s, a, b) = (bytes as f64, f64::from(inside), f64::from(n - inside));
    let piece = s / f64::from(n);
    let from_root = |inward: f64, outward: f64| {
        if root_inside { (outward, 0.0) } else { (0.0, inward) }
    };
    let to_root = |inward: f64, outward: f64| {
        if root_inside { (0.0, inward) } else { (outward, 0.0) }
    };
    match collective {
        Collective::AllReduce | Collective::SendRecv => (s, s),
        Collective::AllGather => (a * piece, b * piece),
        Collective::ReduceScatter => (b * piece, a * piece),
        Collective::AllToAll => (a * b * piece, a * b * piece),
        Collective::Broadcast => from_root(s, s),
        Collective::Scatter => from_root(a * piece, b * piece),
        Collective::Reduce => to_root(s, s),
        Collective::Gather => to_root(b * piece, a * piece),
        Collective::Barrier => (0.0, 0.0),
    }
}

/// Bytes that must leave `groups` groups in sum if only ranks can combine; zero where the cuts already say as much.
pub fn gossip(collective: Collective, bytes: u64, groups: u32) -> f64 {
    match collective {
        Collective::AllReduce => 2.0 * f64::from(groups.saturating_sub(1)) * bytes as f64,
        _ => 0.0,
    }
}

/// Bytes of HBM traffic of all ranks in sum: a send reads, a copy writes, a reduction reads twice and writes once.
pub fn memory(collective: Collective, bytes: u64, n: u32, in_network: bool) -> f64 {
    let (s, n, others) = (bytes as f64, f64::from(n), f64::from(n.saturating_sub(1)));
    match collective {
        // 2(n-1)S are sent and received, at least (n-1)S of them combined: 2 + 1 + 3; with combining switches one each way.
        Collective::AllReduce if in_network => 2.0 * n * s,
        Collective::AllReduce => 6.0 * others * s,
        Collective::ReduceScatter if in_network => others * s + s,
        Collective::ReduceScatter => 4.0 * others * s,
        // one copy on the wire may serve all, yet everyone stores it
        Collective::AllGather => others * s + if in_network { s } else { others * s },
        Collective::Broadcast => others * s + if in_network { s } else { others * s },
        Collective::Reduce => others * s + if in_network { s } else { 3.0 * others * s },
        Collective::AllToAll => 2.0 * others * s,
        Collective::Gather | Collective::Scatter => 2.0 * others * s / n,
        Collective::SendRecv => 2.0 * n * s,
        Collective::Barrier => 0.0,
    }
}

/// Bytes that must be combined by the ranks in sum.
pub fn combined(collective: Collective, bytes: u64, n: u32, in_network: bool) -> f64 {
    if collective.reduces() && !in_network { f64::from(n.saturating_sub(1)) * bytes as f64 } else { 0.0 }
}
