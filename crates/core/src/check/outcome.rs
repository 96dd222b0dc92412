//! What a collective begins and ends with, in blocks: the checker's specification.
//!
//! **Model.** The value of a block on a rank is the set of ranks whose data it contains.
//!
//! Blocks are `owner * lanes + lane` (all-to-all: `(source * ranks + destination) * lanes + lane`), where the owner is the
//! rank that begins or ends with the piece, and any number for all-reduce, broadcast and reduce. A barrier's blocks are
//! empty tokens: everyone must have heard, perhaps through others, of everyone.
//!
//! **Invariant.** Nothing here depends on an algorithm.

use crate::collective::{Block, Collective, Params, Schedule};
use std::collections::BTreeSet;
use std::rc::Rc;

/// A result, or what was found wrong.
pub(super) type Found<T = ()> = std::result::Result<T, String>;

/// A set of ranks, a bit each.
pub(super) type Ranks = Rc<[u64]>;

/// The collective's specification for a number of lanes.
pub(super) struct Outcome<'a> {
    params: &'a Params,
    lanes: u64,
    everyone: Ranks,
}

impl<'a> Outcome<'a> {
    pub(super) fn new(params: &'a Params, lanes: u32) -> Self {
        let n = u64::from(params.ranks);
        let everyone = (0..n.div_ceil(64)).map(|word| u64::MAX >> (64 - (n - word * 64).min(64))).collect();
        Outcome { params, lanes: u64::from(lanes), everyone }
    }

    /// The set of one rank.
    pub(super) fn only(&self, rank: u32) -> Ranks {
        let word = rank as usize / 64;
        (0..self.everyone.len()).map(|w| if w == word { 1 << (rank % 64) } else { 0 }).collect()
    }

    /// Whether the block can exist.
    pub(super) fn exists(&self, block: Block) -> bool {
        let (n, owner) = (u64::from(self.params.ranks), block / self.lanes);
        match self.params.collective {
            Collective::AllReduce | Collective::Broadcast | Collective::Reduce => true,
            Collective::AllToAll => owner < n * n,
            _ => owner < n,
        }
    }

    /// Whether the rank begins with its own data in the block; otherwise it begins with none.
    pub(super) fn begins(&self, rank: u32, block: Block) -> bool {
        let (n, owner) = (u64::from(self.params.ranks), block / self.lanes);
        match self.params.collective {
            Collective::AllReduce | Collective::Reduce | Collective::ReduceScatter => true,
            Collective::Broadcast | Collective::Scatter => rank == self.params.root,
            Collective::AllToAll => owner / n == u64::from(rank),
            _ => owner == u64::from(rank),
        }
    }

    /// Calls `ends` with each block of a lane that the rank must end with, and its value. Where blocks have no owner, those
    /// `seen` in messages are meant.
    pub(super) fn each(
        &self,
        rank: u32,
        lane: u32,
        seen: &BTreeSet<Block>,
        mut ends: impl FnMut(Block, &Ranks) -> Found,
    ) -> Found {
        let (n, root) = (self.params.ranks, self.params.root);
        let block = |owner: u64| owner * self.lanes + u64::from(lane);
        match self.params.collective {
            Collective::Reduce | Collective::Gather if rank != root => Ok(()),
            Collective::AllReduce | Collective::Reduce => {
                seen.iter().try_for_each(|&block| ends(block, &self.everyone))
            }
            Collective::Broadcast => {
                let wanted = self.only(root);
                seen.iter().try_for_each(|&block| ends(block, &wanted))
            }
            Collective::AllGather | Collective::Gather | Collective::Barrier => {
                (0..n).try_for_each(|owner| ends(block(owner.into()), &self.only(owner)))
            }
            Collective::ReduceScatter => ends(block(rank.into()), &self.everyone),
            Collective::Scatter => ends(block(rank.into()), &self.only(root)),
            Collective::AllToAll => (0..n).try_for_each(|source| {
                let pair = u64::from(source) * u64::from(n) + u64::from(rank);
                ends(block(pair), &self.only(source))
            }),
            Collective::SendRecv => {
                let source = rank.checked_sub(1).unwrap_or(n - 1);
                ends(block(source.into()), &self.only(source))
            }
        }
    }
}

/// The value after a reduction.
pub(super) fn add(old: Option<Ranks>, new: &Ranks) -> Found<Ranks> {
    let old = old.ok_or("reduced into data that is not there")?;
    if old.iter().zip(new.iter()).any(|(a, b)| a & b != 0) {
        return Err(format!("{} is added to {}: a contribution counts twice", list(new), list(&old)));
    }
    Ok(old.iter().zip(new.iter()).map(|(a, b)| a | b).collect())
}

/// The value after storing.
pub(super) fn store(old: Option<Ranks>, new: Ranks) -> Found<Ranks> {
    match old {
        Some(old) if old.iter().zip(new.iter()).any(|(a, b)| a & !b != 0) => {
            Err(format!("{} is overwritten by {}: a contribution is lost", list(&old), list(&new)))
        }
        _ => Ok(new),
    }
}

/// The first few ranks of a set, in words.
pub(super) fn list(set: &Ranks) -> String {
    let members: Vec<usize> = (0..set.len() * 64).filter(|i| set[i / 64] >> (i % 64) & 1 == 1).collect();
    let shown: Vec<String> = members.iter().take(4).map(usize::to_string).collect();
    let dots = if members.len() > 4 { format!(",... ({} ranks)", members.len()) } else { String::new() };
    format!("{{{}{dots}}}", shown.join(","))
}

/// Checks that the blocks make up the collective's size, padded to equal pieces, evenly to within an element.
pub(super) fn sizes(schedule: &dyn Schedule, params: &Params, moved: u64) -> Found {
    let (n, lanes) = (u64::from(schedule.ranks()), u64::from(schedule.lanes()));
    if n == 1 {
        return Ok(());
    }
    let bytes = if params.collective == Collective::Barrier { 0 } else { params.bytes };
    let total = |parts: &mut dyn Iterator<Item = u64>| parts.fold(0u64, u64::saturating_add);
    let owned = |owner: u64| total(&mut (0..lanes).map(|lane| schedule.block_bytes(owner * lanes + lane)));
    // pieces are equal: the buffer is padded by less than an element a piece
    let padded = |got: u64| got >= bytes && got - bytes < (n * u64::from(params.element)).max(1);
    let wrong = |what: &str, got: u64| Err(format!("{what} has {got} bytes of {bytes}"));
    match params.collective {
        Collective::AllReduce if !padded(moved) => wrong("the buffer", moved),
        Collective::Broadcast | Collective::Reduce if moved != bytes => wrong("the buffer", moved),
        Collective::AllReduce | Collective::Broadcast | Collective::Reduce => Ok(()),
        Collective::SendRecv => match (0..n).map(owned).find(|&got| got != bytes) {
            Some(got) => wrong("a rank's buffer", got),
            None => Ok(()),
        },
        Collective::AllToAll => {
            for rank in 0..n {
                let sent = total(&mut (0..n).map(|to| owned(rank * n + to)));
                let got = total(&mut (0..n).map(|from| owned(from * n + rank)));
                if !padded(sent) || got != sent {
                    return wrong(&format!("rank {rank}"), if padded(sent) { got } else { sent });
                }
            }
            Ok(())
        }
        _ => {
            let shares: Vec<u64> = (0..n).map(owned).collect();
            let sum = total(&mut shares.iter().copied());
            let spread = shares.iter().max().zip(shares.iter().min()).map_or(0, |(most, least)| most - least);
            if !padded(sum) {
                return wrong("the buffer", sum);
            }
            if spread > u64::from(params.element) {
                return Err(format!("the ranks' pieces differ by {spread} bytes, more than an element"));
            }
            Ok(())
        }
    }
}
