//! Labels of messages: what breaks ties between packets that are equal in time and tag.
//!
//! **Model.** The label of a message is its *kind*: the class of its source, and where it goes seen from there. Kinds are the same for all
//! messages that the symmetries of an operation map onto each other. An operation without symmetries goes by the number of the source.
//!
//! **Invariant.** Labels depend on the operation, its job's ranks and where they sit, and on nothing else in the run. The symmetries of a
//! run are among those of each operation, so the whole and its quotient break ties alike. **Cost.** A few divisions per digit.

use crate::radix::Radix;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// First rank of the job, from which its ranks are counted.
    pub(super) first: u32,
    /// Ranks of the job.
    pub(super) ranks: u32,
    /// Digits of the rank that can be shifted, counted from the first.
    pub(super) group: Radix,
}

impl Labels {
    /// Messages of `ranks` from `first` on, which may be shifted by a group.
    pub(super) fn new(first: u32, ranks: u32, group: Radix) -> Self {
        Self { first, ranks, group }
    }

    /// The same for ranks that begin at another one.
    pub fn starting(self, first: u32) -> Self {
        Self { first, ..self }
    }

    /// First rank of the job.
    #[inline]
    pub fn first(&self) -> u32 {
        self.first
    }

    /// Digits of the rank that are shifted.
    pub fn group(&self) -> &Radix {
        &self.group
    }

    /// True if there is a symmetry: then all ranks of a class do alike.
    #[inline]
    pub fn symmetric(&self) -> bool {
        !self.group.digits().is_empty()
    }

    /// The label of a message.
    #[inline]
    pub fn of(&self, src: u32, dst: u32) -> u32 {
        if !self.symmetric() {
            return src - self.first;
        }
        let (src, dst) = (src - self.first, dst - self.first);
        // at most 2^32 kinds, checked where the group is found
        (u64::from(self.group.remove(src)) * u64::from(self.ranks) + u64::from(self.group.subtract(dst, src))) as u32
    }

    /// The source of a message of this label that arrived at `dst`.
    pub fn source(&self, label: u32, dst: u32) -> u32 {
        if !self.symmetric() {
            return label + self.first;
        }
        let (class, towards) = (label / self.ranks, label % self.ranks);
        // the shift that takes the representative's message to this one
        self.first + self.group.add(self.group.insert(class), self.group.subtract(dst - self.first, towards))
    }
}
