//! When each LP must be visited next.
//!
//! **Invariant.** An LP's time is never later than the earliest thing that can happen at it, and a block's never later than
//! those of its LPs. **Cost.** 8 bytes an LP; finding the LPs of a window looks at one word a block of 64.

use crate::units::Fs;

/// LPs whose earliest wake-up is kept together.
pub(super) const BLOCK: usize = 64;

/// When each LP must be visited next, and the earliest of each block.
#[derive(Debug)]
pub(super) struct Wake {
    /// One time an LP.
    pub(super) lps: Vec<Fs>,
    /// The earliest of each block.
    pub(super) blocks: Vec<Fs>,
}

impl Wake {
    /// Makes sure that an LP is visited in the window of `time`.
    #[inline(always)]
    pub(super) fn lower(&mut self, lp: u32, time: Fs) {
        let wake = &mut self.lps[lp as usize];
        if time < *wake {
            *wake = time;
            let block = &mut self.blocks[lp as usize / BLOCK];
            *block = time.min(*block);
        }
    }
}
