//! Which ranks talk to each other: the communicators of one operation, as arithmetic on the rank.
//!
//! **Model.** The ranks of a job have named axes, outermost first, so a rank is a number in mixed radix. The ranks that agree on all
//! axes but the chosen ones form a communicator; inside it they are counted along the chosen axes, the last one fastest.
//! So 128 tensor-parallel groups are a few words. Groups can also be listed, rank by rank.
//!
//! **Invariant.** All communicators of an operation are of one size, and no rank is in two of them.
//!
//! **Cost.** Two divisions per axis; a list costs eight bytes per rank. **Limits.** Listed groups have no symmetry.

use crate::collective::Peers;
use crate::error::{Error, Result};
use crate::radix::{Digit, Radix};

/// No communicator.
const NOWHERE: (u32, u32) = (u32::MAX, 0);

/// The communicators of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Communicators {
    /// First rank of the job.
    first: u32,
    /// Ranks of the job.
    ranks: u32,
    members: Members,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Members {
    /// Chosen axes as digits of the rank, outermost first; neighbours are joined.
    Axes { size: u32, chosen: Vec<Digit>, others: Vec<Digit> },
    /// Groups of ranks: the communicator and the place of each rank, and who they are.
    Lists { size: u32, of: Vec<(u32, u32)>, ranks: Vec<u32> },
}

impl Communicators {
    /// Along the chosen axes (numbers of axes) of a mesh whose sizes are given outermost first.
    pub fn along(first: u32, mesh: &[u32], axes: &[usize]) -> Self {
        let (mut stride, mut chosen, mut others) = (1, Vec::<Digit>::new(), Vec::<Digit>::new());
        for (axis, &size) in mesh.iter().enumerate().rev() {
            let list = if axes.contains(&axis) { &mut chosen } else { &mut others };
            match list.last_mut() {
                Some(inner) if inner.end() == stride => inner.size *= size,
                _ => list.push(Digit { stride, size }),
            }
            stride *= size;
        }
        chosen.reverse();
        let size = chosen.iter().map(|digit| digit.size).product();
        Self { first, ranks: stride, members: Members::Axes { size, chosen, others } }
    }

    /// All ranks of a job together.
    pub fn all(first: u32, ranks: u32) -> Self {
        Self::along(first, &[ranks], &[0])
    }

    /// Groups of ranks of a job, counted from its first rank.
    ///
    /// # Errors
    /// [`Error::Spec`] with `field` if groups are empty or differ in size, or a rank is not one of the job or listed twice.
    pub fn listed(first: u32, ranks: u32, groups: &[Vec<u32>], field: &str) -> Result<Self> {
        let size = groups.first().map_or(0, Vec::len);
        let mut of = vec![NOWHERE; ranks as usize];
        for (number, group) in (0u32..).zip(groups) {
            if group.is_empty() || group.len() != size {
                let given = format!("{} ranks in group {number} and {size} in group 0", group.len());
                return Err(Error::spec(field, given, "groups of one size, of at least one rank each"));
            }
            for (place, &rank) in (0u32..).zip(group) {
                match of.get_mut(rank as usize) {
                    None => return Err(Error::spec(field, rank, format!("ranks below {ranks}"))),
                    Some(slot) if *slot != NOWHERE => {
                        let why = format!("each rank in one group; it is in group {} and {number}", slot.0);
                        return Err(Error::spec(field, format!("rank {rank}"), why));
                    }
                    Some(slot) => *slot = (number, place),
                }
            }
        }
        if size == 0 {
            return Err(Error::spec(field, "no group", "at least one group of ranks"));
        }
        let listed = groups.iter().flatten().map(|rank| first + rank).collect();
        Ok(Self { first, ranks, members: Members::Lists { size: size as u32, of, ranks: listed } })
    }

    /// Ranks of a communicator.
    pub fn size(&self) -> u32 {
        match self.members {
            Members::Axes { size, .. } | Members::Lists { size, .. } => size,
        }
    }

    /// Number of communicators.
    pub fn count(&self) -> u32 {
        match &self.members {
            Members::Axes { size, .. } => self.ranks / size,
            Members::Lists { size, ranks, .. } => ranks.len() as u32 / size,
        }
    }

    /// True if the rank is in one.
    #[inline]
    pub fn contain(&self, rank: u32) -> bool {
        let inside = (self.first..self.first + self.ranks).contains(&rank);
        match &self.members {
            Members::Axes { .. } => inside,
            Members::Lists { of, .. } => inside && of[(rank - self.first) as usize] != NOWHERE,
        }
    }

    /// Place of a member in its communicator.
    #[inline]
    pub fn place(&self, rank: u32) -> u32 {
        let rank = rank - self.first;
        match &self.members {
            Members::Axes { chosen, .. } => chosen.iter().fold(0, |place, digit| place * digit.size + digit.of(rank)),
            Members::Lists { of, .. } => of[rank as usize].1,
        }
    }

    /// The rank at a place of a member's communicator.
    #[inline]
    pub fn peer(&self, rank: u32, mut place: u32) -> u32 {
        match &self.members {
            Members::Axes { chosen, .. } => {
                let mut peer = rank - self.first;
                for digit in chosen.iter().rev() {
                    peer = peer - digit.of(peer) * digit.stride + place % digit.size * digit.stride;
                    place /= digit.size;
                }
                self.first + peer
            }
            Members::Lists { size, of, ranks } => ranks[(of[(rank - self.first) as usize].0 * size + place) as usize],
        }
    }

    /// The first rank of each communicator.
    pub fn firsts(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match &self.members {
            Members::Axes { others, .. } => {
                let all = Radix::new(others.iter().rev().copied().collect());
                Box::new((0..self.count()).map(move |number| self.first + all.shift(number.into())))
            }
            Members::Lists { size, ranks, .. } => Box::new(ranks.iter().step_by(*size as usize).copied()),
        }
    }

    /// Whether each lies within one of the groups of `size` ranks into which the run can be cut.
    pub fn stay_within(&self, size: u32) -> bool {
        match &self.members {
            Members::Axes { chosen, .. } => {
                let end = chosen.first().map_or(1, |digit| digit.end());
                size.is_multiple_of(end) && self.first.is_multiple_of(end)
            }
            Members::Lists { size: members, ranks, .. } => {
                let alike = |group: &[u32]| group.iter().all(|rank| rank / size == group[0] / size);
                ranks.chunks(*members as usize).all(alike)
            }
        }
    }

    /// The same communicators where the job's first rank is rank 0.
    pub fn relative(&self) -> Self {
        let mut moved = self.clone();
        moved.first = 0;
        if let Members::Lists { ranks, .. } = &mut moved.members {
            ranks.iter_mut().for_each(|rank| *rank -= self.first);
        }
        moved
    }

    /// Ranks of the job.
    pub fn job_ranks(&self) -> u32 {
        self.ranks
    }

    /// Digits of the rank that can be shifted, given those of the place in a communicator. None if not all ranks of the run
    /// belong to the job.
    pub fn symmetry(&self, all: u32, places: &[Digit]) -> Vec<Digit> {
        let Members::Axes { chosen, others, .. } = &self.members else {
            return vec![];
        };
        if self.first != 0 || self.ranks != all {
            return vec![];
        }
        let wide = |digit: &Digit| digit.size > 1;
        let mut digits: Vec<Digit> = others.iter().copied().filter(wide).collect();
        for place in places {
            // the top of a digit can be shifted by whole parts, so what lies in one axis at the top of it stays
            let mut below = 1;
            for axis in chosen.iter().rev() {
                let (low, high) = (place.stride.max(below), place.end());
                if (below..below * axis.size).contains(&(high - 1)) && high.is_multiple_of(low) && high > low {
                    let digit = Digit { stride: low / below * axis.stride, size: high / low };
                    digits.extend(Some(digit).filter(wide));
                }
                below *= axis.size;
            }
        }
        digits.sort_unstable();
        digits
    }
}

impl Peers for Communicators {
    fn peer(&self, rank: u32, place: u32) -> u32 {
        Communicators::peer(self, rank, place)
    }
}

/// Digits whose shifts are among those of both: tops of digits that end where one of the other ends.
pub fn common(a: &[Digit], b: &[Digit]) -> Vec<Digit> {
    let both = a.iter().flat_map(|a| b.iter().filter(|b| a.end() == b.end()).map(|b| (*a, *b)));
    let top = |(a, b): (Digit, Digit)| {
        let size = gcd(a.size, b.size);
        Digit { stride: a.end() / size, size }
    };
    both.map(top).filter(|digit| digit.size > 1).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tensor_parallel_groups_are_neighbours_and_data_parallel_ones_strides() {
        let (dp, tp) = (Communicators::along(0, &[4, 8], &[0]), Communicators::along(0, &[4, 8], &[1]));
        assert_eq!((dp.size(), dp.count(), tp.size(), tp.count()), (4, 8, 8, 4));
        assert_eq!((dp.place(19), tp.place(19)), (2, 3));
        assert_eq!((dp.peer(19, 0), tp.peer(19, 7)), (3, 23));
        assert_eq!(tp.firsts().collect::<Vec<_>>(), [0, 8, 16, 24]);
        assert_eq!(dp.firsts().collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn outer_axes_together_are_counted_with_the_last_one_fastest() {
        // pp and tp of (pp, dp, tp) = (2, 3, 4): place = pp * 4 + tp
        let both = Communicators::along(100, &[2, 3, 4], &[0, 2]);
        assert_eq!(both.place(100 + 12 + 4 + 3), 7);
        assert_eq!(both.peer(100 + 4 + 1, 6), 100 + 12 + 4 + 2);
    }

    #[test]
    fn lists_name_what_is_wrong() {
        let wrong = |groups: &[Vec<u32>]| Communicators::listed(0, 4, groups, "groups").unwrap_err().to_string();
        assert!(wrong(&[vec![0, 1], vec![2]]).contains("1 ranks in group 1"));
        assert!(wrong(&[vec![0, 4]]).contains("ranks below 4"));
        assert!(wrong(&[vec![0, 1], vec![1, 2]]).contains("rank 1"));
        assert!(wrong(&[]).contains("no group"));
        let good = Communicators::listed(8, 4, &[vec![3, 0]], "groups").unwrap();
        assert_eq!((good.place(11), good.peer(11, 1), good.contain(9)), (0, 8, false));
    }

    #[test]
    fn what_two_operations_share_is_shifted() {
        let digit = |stride, size| Digit { stride, size };
        // a ring over 8 of 4 x 8, and one over all 32: only rows of 8 can be moved as a whole
        let (tp, all) = (Communicators::along(0, &[4, 8], &[1]), Communicators::all(0, 32));
        let tp = tp.symmetry(32, &[digit(1, 8)]);
        assert_eq!(tp, [digit(1, 8), digit(8, 4)]);
        let all = all.symmetry(32, &[digit(1, 32)]);
        assert_eq!(common(&tp, &all), [digit(8, 4)]);
    }

    proptest! {
        #[test]
        fn places_and_peers_are_inverse(mesh in prop::collection::vec(1u32..5, 1..5), mask: u8, rank: u32, place: u32) {
            let axes: Vec<usize> = (0..mesh.len()).filter(|axis| mask >> axis & 1 == 1).collect();
            let all = Communicators::along(7, &mesh, &axes);
            let rank = 7 + rank % mesh.iter().product::<u32>();
            let place = place % all.size();
            let peer = all.peer(rank, place);
            prop_assert_eq!(all.place(peer), place);
            prop_assert_eq!(all.peer(peer, all.place(rank)), rank);
            prop_assert_eq!(all.size() * all.count(), mesh.iter().product::<u32>());
        }
    }
}
