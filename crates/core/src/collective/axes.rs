//! The rings and lines that a bucket algorithm walks: digits of the rank, and what a twist makes of them.
//!
//! **Model.** An axis is one digit of the rank in mixed radix, or two that count as one number: of a twisted torus, the ring
//! through a wraparound that shifts another dimension by half passes its own side twice, once for each half of the
//! other. What is left of that other one is a line of half its size. Wherever else the wraparound leads to, the rank moves along.
//!
//! **Invariant.** The axes of a frame are a number system: a rank is told by its places on all of them. Ranks that agree in
//! some first axes of a frame are responsible for the same pieces after these.
//!
//! **Cost.** O(1) a query; a few words a dimension. **Limits.** At most [`MAX_DIMS`] digits, halves counted apart.
//!
//! **Source.** The geometry of the slices that optical circuit switches make (see [`crate::fabric::direct`]).

use super::digits::{Digits, MAX_DIMS};
use super::layout::{add_mod, sub_mod};
use crate::radix::Digit;

/// A digit of the rank, and its number among all.
#[derive(Clone, Copy, Debug)]
struct Own {
    index: usize,
    digit: Digit,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    low: Own,
    /// Half of another dimension, on which side of the wraparound one is.
    high: Option<Own>,
    /// A line, not a ring.
    open: bool,
    /// Other dimensions that the wraparound shifts by half.
    also: Vec<Digit>,
}

impl Axis {
    /// Places.
    pub(super) fn size(&self) -> u32 {
        self.low.digit.size * self.high.map_or(1, |high| high.digit.size)
    }

    /// Which digit of a rank alone the axis is, if every place on it looks alike.
    fn of(rank: u32, digit: Digit) -> u32 {
        rank / digit.stride % digit.size
    }

    /// The coordinate of a rank.
    pub(super) fn at(&self, rank: u32) -> u32 {
        Self::of(rank, self.low.digit) + self.high.map_or(0, |high| Self::of(rank, high.digit) * self.low.digit.size)
    }

    /// The pieces of a set that have this coordinate.
    pub(super) fn fix(&self, set: Digits, at: u32) -> Digits {
        let set = set.fix(self.low.index, at % self.low.digit.size);
        self.high.map_or(set, |high| set.fix(high.index, at / self.low.digit.size))
    }

    /// Place of a coordinate on its ring. A line is walked over even coordinates up and odd ones down, so that no hop is
    /// longer than two links and each link carries one hop each way.
    fn place(&self, at: u32) -> u32 {
        match (self.open, at % 2) {
            (false, _) => at,
            (true, 0) => at / 2,
            (true, _) => self.size() - 1 - at / 2,
        }
    }

    fn placed(&self, place: u32) -> u32 {
        let back = self.size() - 1 - place;
        match self.open {
            false => place,
            true if place <= back => 2 * place,
            true => 2 * back + 1,
        }
    }

    /// The coordinate `hops` further along, at most the size; or as many back.
    pub(super) fn along(&self, at: u32, hops: u32, down: bool) -> u32 {
        let (place, size) = (self.place(at), self.size());
        self.placed(if down { sub_mod(place, hops, size) } else { add_mod(place, hops, size) })
    }

    /// The next rank along it.
    pub(super) fn next(&self, rank: u32, down: bool) -> u32 {
        let set = |rank: u32, digit: Digit, to: u32| rank - Self::of(rank, digit) * digit.stride + to * digit.stride;
        let (from, to) = (self.at(rank), self.along(self.at(rank), 1, down));
        let (side, low) = (self.low.digit.size, self.low.digit);
        let mut rank = set(rank, low, to % side);
        if let Some(high) = self.high
            && from / side != to / side
        {
            rank = set(rank, high.digit, to / side);
            rank = self
                .also
                .iter()
                .fold(rank, |rank, &digit| set(rank, digit, (Self::of(rank, digit) + digit.size / 2) % digit.size));
        }
        rank
    }
}

/// The axes of the lanes that start with each dimension, in order, and the sizes of all digits.
#[derive(Debug)]
pub(super) struct Frames {
    digits: Vec<u32>,
    frames: Vec<Vec<Axis>>,
}

impl Frames {
    /// For `dims` of size two or more; `open(d)`: no wraparound; `twist`: pairs of rings of which the wraparound of the first
    /// shifts the second, of even size, by half. `rotated`: a frame for each dimension to start with, instead of one.
    /// `None` if there are more digits than [`MAX_DIMS`].
    pub(super) fn new(
        dims: &[u32],
        open: impl Fn(usize) -> bool,
        twist: &[(usize, usize)],
        rotated: bool,
    ) -> Option<Self> {
        let partner = |turned: usize| twist.iter().find(|pair| pair.0 == turned).map(|pair| pair.1);
        let split = |dim: usize| (0..dims.len()).any(|turned| partner(turned) == Some(dim));
        // each dimension's digits: all of it, or its place in a half and which half
        let (mut digits, mut own, mut stride) = (vec![], vec![], 1);
        for (dim, &size) in dims.iter().enumerate() {
            let low = if split(dim) { size / 2 } else { size };
            own.push(Own { index: digits.len(), digit: Digit { stride, size: low } });
            digits.push(low);
            if split(dim) {
                digits.push(2);
            }
            stride *= size;
        }
        if digits.len() > MAX_DIMS {
            return None;
        }
        let half = |dim: usize| {
            let Own { index, digit } = own[dim];
            Own { index: index + 1, digit: Digit { stride: digit.stride * digit.size, size: 2 } }
        };
        let whole = |dim: usize| Digit { stride: own[dim].digit.stride, size: dims[dim] };
        let frame = |start: usize| {
            let lent = if rotated { partner(start) } else { None };
            let axis = |dim: usize| {
                let turned = partner(dim).is_some();
                let high = if dim == start && lent.is_some() {
                    lent.map(half)
                } else {
                    (split(dim) && lent != Some(dim)).then(|| half(dim))
                };
                let shifted = twist.iter().filter(|pair| pair.0 == dim && Some(pair.1) != lent);
                Axis {
                    low: own[dim],
                    high,
                    open: open(dim) || lent == Some(dim) || turned && dim != start,
                    also: if dim == start && lent.is_some() { shifted.map(|p| whole(p.1)).collect() } else { vec![] },
                }
            };
            (0..dims.len()).map(|index| axis((start + index) % dims.len())).collect()
        };
        let starts = if rotated { dims.len() } else { 1 };
        Some(Self { digits, frames: (0..starts).map(frame).collect() })
    }

    /// Number of axes.
    pub(super) fn count(&self) -> usize {
        self.frames[0].len()
    }

    /// The axes of a lane, in its order: two lanes a dimension to start with, one each way.
    pub(super) fn of(&self, lane: u32) -> &[Axis] {
        &self.frames[lane as usize / 2 % self.frames.len()]
    }

    /// All pieces.
    pub(super) fn all(&self) -> Digits {
        Digits::free(&self.digits)
    }

    /// Dimensions that can be rotated on their own: rings that are one axis in every frame.
    pub(super) fn rotations(&self) -> Vec<Digit> {
        let plain = |axis: &&Axis| !axis.open && axis.high.is_none();
        let rings = self.frames[0].iter().filter(plain).map(|axis| axis.low.digit);
        rings.filter(|ring| self.frames.iter().all(|f| f.iter().filter(plain).any(|a| a.low.digit == *ring))).collect()
    }
}
