//! How a buffer is cut into pieces and lanes, and what a set of pieces weighs.
//!
//! **Cut.** A buffer of `E` elements is cut into `pieces` of equal size, `E / pieces` elements rounded up: like a library
//! that works on equal slices, the schedule pads the buffer by less than an element a piece. So all ranks do alike
//! whatever the size, which is what folding them into one needs. Each piece is cut into `lanes`, the first ones with an
//! element more where it does not come out even.
//!
//! **Block ids.** `owner * lanes + lane`; all-to-all has `(source * ranks + destination) * lanes + lane`.
//!
//! **Cost.** O(1) a call for spans, O(dimensions) for digit sets, O(blocks) only to list blocks. No allocation.

use super::Block;
use super::digits::Digits;
use crate::error::{Error, Result};
use crate::radix::Radix;

/// `(a + b) mod n` for `a < n`, `b <= n`.
pub(super) fn add_mod(a: u32, b: u32, n: u32) -> u32 {
    let room = n - b;
    if a >= room { a - room } else { a + b }
}

/// `(a - b) mod n` for `a < n`, `b <= n`.
pub(super) fn sub_mod(a: u32, b: u32, n: u32) -> u32 {
    if a >= b { a - b } else { n - (b - a) }
}

/// `ceil(log2 n)` for `n >= 1`.
pub(super) fn ceil_log2(n: u32) -> u32 {
    u32::BITS - (n - 1).leading_zeros()
}

/// A set of pieces.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// `len` pieces from `first` on, wrapping around at the last one.
    Span {
        /// First piece.
        first: u32,
        /// Number of pieces.
        len: u32,
    },
    /// The pieces whose index has this bit set.
    Bit(u32),
    /// The pieces whose index has these digits.
    Digits(Digits),
}

impl Part {
    /// One piece.
    pub(super) fn one(piece: u32) -> Self {
        Part::Span { first: piece, len: 1 }
    }

    /// All pieces but one.
    pub(super) fn all_but(piece: u32, pieces: u32) -> Self {
        Part::Span { first: add_mod(piece, 1, pieces), len: pieces - 1 }
    }
}

/// What the pieces of a cut are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pieces of one buffer, of which every rank holds or wants all or its own.
    Pieces,
    /// One buffer per rank, not cut into pieces.
    Own,
    /// One buffer per rank; piece `k` goes to the rank `k` further on, counted in these digits.
    Pairs(Radix),
}

/// A buffer cut into pieces and lanes.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    kind: Kind,
    ranks: u32,
    pieces: u32,
    lanes: u32,
    /// Elements of a piece.
    elements: u64,
    element: u64,
}

impl Cut {
    /// Cuts `bytes` (a multiple of `element`) of a collective among `ranks`.
    pub(super) fn new(kind: Kind, bytes: u64, element: u32, ranks: u32, pieces: u32, lanes: u32) -> Result<Self> {
        let (n, element) = (u64::from(ranks), u64::from(element.max(1)));
        if bytes.checked_mul(n).is_none() {
            return Err(Error::Overflow {
                what: "bytes of a collective over all ranks".into(),
                value: format!("{bytes} * {n}"),
                limit: u64::MAX.to_string(),
            });
        }
        if matches!(kind, Kind::Pairs(_)) && (n * n).checked_mul(u64::from(lanes)).is_none() {
            return Err(Error::Overflow {
                what: "number of blocks of an all_to_all".into(),
                value: format!("{n} * {n} * {lanes}"),
                limit: u64::MAX.to_string(),
            });
        }
        let elements = (bytes / element).div_ceil(u64::from(pieces));
        Ok(Cut { kind, ranks, pieces, lanes, elements, element })
    }

    pub(super) fn ranks(&self) -> u32 {
        self.ranks
    }

    pub(super) fn lanes(&self) -> u32 {
        self.lanes
    }

    /// All pieces.
    pub(super) fn all(&self) -> Part {
        Part::Span { first: 0, len: self.pieces }
    }

    /// Bytes of a lane of a piece.
    fn share(&self, lane: u64) -> u64 {
        let lanes = u64::from(self.lanes);
        (self.elements / lanes + u64::from(lane < self.elements % lanes)) * self.element
    }

    /// Payload bytes of a set of pieces in a lane.
    pub(super) fn bytes(&self, part: &Part, lane: u32) -> u64 {
        let members = match *part {
            Part::Span { len, .. } => u64::from(len),
            Part::Bit(k) => with_bit(u64::from(self.pieces), k),
            Part::Digits(ref set) => set.members(),
        };
        members * self.share(u64::from(lane))
    }

    /// Appends the blocks of a set of pieces that `rank` sends.
    pub(super) fn blocks(&self, part: &Part, rank: u32, lane: u32, out: &mut Vec<Block>) {
        let (n, lanes, lane) = (u64::from(self.ranks), u64::from(self.lanes), u64::from(lane));
        // Bruck's all-to-all: a block with offset `o` has moved on by the bits of `o` below bit `k`.
        let held = if let Part::Bit(k) = *part { (1u64 << k) - 1 } else { 0 };
        let mut push = |piece: u64| {
            let owner = match &self.kind {
                Kind::Pieces => piece,
                Kind::Own => u64::from(rank),
                Kind::Pairs(order) => {
                    let source = order.subtract(rank, (piece & held) as u32);
                    u64::from(source) * n + u64::from(order.add(source, piece as u32))
                }
            };
            out.push(owner * lanes + lane);
        };
        match *part {
            Part::Span { first, len } => {
                (0..u64::from(len)).for_each(|i| push((u64::from(first) + i) % u64::from(self.pieces)));
            }
            Part::Bit(k) => (0..u64::from(self.pieces)).filter(|piece| piece >> k & 1 == 1).for_each(push),
            Part::Digits(ref set) => set.each(push),
        }
    }

    /// Payload bytes of a block.
    pub(super) fn block_bytes(&self, block: Block) -> u64 {
        self.share(block % u64::from(self.lanes))
    }
}

/// How many numbers below `limit` have bit `k` set.
fn with_bit(limit: u64, k: u32) -> u64 {
    let (half, period) = (1u64 << k, 2u64 << k);
    limit / period * half + (limit % period).saturating_sub(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_pieces_weigh_what_their_blocks_weigh() {
        for (elements, pieces, lanes) in [(0, 5, 2), (3, 7, 4), (100, 7, 3), (1000, 13, 4), (64, 8, 1)] {
            for kind in [Kind::Pieces, Kind::Pairs(Radix::full(&[pieces]))] {
                let cut = Cut::new(kind.clone(), elements * 4, 4, pieces, pieces, lanes).unwrap();
                let bits = (0..3).map(Part::Bit);
                let spans = (0..pieces).flat_map(|first| (0..=pieces).map(move |len| Part::Span { first, len }));
                let mut sizes = Vec::new();
                for part in bits.filter(|_| kind != Kind::Pieces).chain(spans) {
                    for lane in 0..lanes {
                        let mut blocks = Vec::new();
                        cut.blocks(&part, 1, lane, &mut blocks);
                        let sum: u64 = blocks.iter().map(|&block| cut.block_bytes(block)).sum();
                        assert_eq!(cut.bytes(&part, lane), sum, "{part:?}");
                        sizes.extend(blocks.iter().map(|&block| cut.block_bytes(block)));
                    }
                }
                let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
                assert!(most - least <= 4, "blocks differ by at most an element");
                let total: u64 = (0..lanes).map(|lane| cut.bytes(&cut.all(), lane)).sum();
                assert_eq!(total, elements.div_ceil(u64::from(pieces)) * u64::from(pieces) * 4, "equal pieces, padded");
            }
        }
    }

    #[test]
    fn arithmetic_on_a_ring() {
        let n = u32::MAX;
        assert_eq!((add_mod(n - 1, 1, n), add_mod(n - 1, n, n), add_mod(5, n - 5, n)), (0, n - 1, 0));
        assert_eq!((sub_mod(0, 1, n), sub_mod(0, n, n), sub_mod(7, 3, n)), (n - 1, 0, 4));
        let logs: Vec<u32> = [1, 2, 3, 4, 5, 8, 9, u32::MAX].map(ceil_log2).to_vec();
        assert_eq!(logs, [0, 1, 2, 2, 3, 3, 4, 32]);
    }
}
