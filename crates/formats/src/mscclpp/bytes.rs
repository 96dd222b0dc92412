//! What bytes of a buffer hold, as contributions: pieces of a buffer, each with the inputs that it is the sum of.
//!
//! **Model.** A piece is a range of bytes with one value: the ranks and places of inputs that its first byte comes from; those behind it come
//! from the places behind. Pieces are split where ranges end.
//!
//! **Invariant.** Pieces do not overlap. **Cost.** As many pieces as ranges were written, whatever their sizes.

use std::collections::BTreeMap;
use std::rc::Rc;

/// Contributions of the first byte of a piece, in order: rank, and place in its input.
#[derive(Clone, Debug)]
pub(super) struct Value {
    all: Rc<Vec<(u32, u64)>>,
    /// Bytes by which the piece begins behind where the list does.
    behind: u64,
}

impl Value {
    /// What is there to begin with.
    pub(super) fn input(rank: u32, at: u64) -> Self {
        Self { all: Rc::new(vec![(rank, at)]), behind: 0 }
    }

    /// The contributions.
    pub(super) fn contributions(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.all.iter().map(|&(rank, at)| (rank, at + self.behind))
    }

    /// The value so many bytes behind.
    fn shifted(&self, bytes: u64) -> Self {
        Self { all: self.all.clone(), behind: self.behind + bytes }
    }

    /// The sum of two; the contribution that is in both, if there is one.
    pub(super) fn sum(&self, other: &Self) -> Result<Self, (u32, u64)> {
        let mut all: Vec<_> = self.contributions().chain(other.contributions()).collect();
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(twice[0]),
            None => Ok(Self { all: Rc::new(all), behind: 0 }),
        }
    }

    /// How many contributions there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// A range of bytes: how many, what they hold, and which operations made it.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) bytes: u64,
    pub(super) value: Value,
    /// The operation of the rank that has to be done before they are there, for bytes that are waited for.
    pub(super) made: u32,
}

impl Piece {
    fn split(&self, at: u64) -> (Self, Self) {
        let behind = Self { bytes: self.bytes - at, value: self.value.shifted(at), made: self.made };
        (Self { bytes: at, ..self.clone() }, behind)
    }
}

/// The pieces of a buffer by where they begin.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes {
    pieces: BTreeMap<u64, Piece>,
}

impl Bytes {
    /// The pieces of a range; the first byte that nothing was written to, if there is one.
    pub(super) fn read(&self, from: u64, bytes: u64) -> Result<Vec<Piece>, u64> {
        let (mut at, end, mut found) = (from, from + bytes, vec![]);
        while at < end {
            let Some((&begin, piece)) = self.pieces.range(..=at).next_back() else { return Err(at) };
            if begin + piece.bytes <= at {
                return Err(at);
            }
            let (_, piece) = piece.split(at - begin);
            let piece = if piece.bytes > end - at { piece.split(end - at).0 } else { piece };
            at += piece.bytes;
            found.push(piece);
        }
        Ok(found)
    }

    /// True if any byte of a range was written.
    pub(super) fn any(&self, from: u64, bytes: u64) -> bool {
        let before = self.pieces.range(..from + bytes).next_back();
        bytes > 0 && before.is_some_and(|(begin, piece)| begin + piece.bytes > from)
    }

    /// Writes pieces one behind the other.
    pub(super) fn write(&mut self, from: u64, pieces: Vec<Piece>) {
        let end = from + pieces.iter().map(|piece| piece.bytes).sum::<u64>();
        if end == from {
            return;
        }
        // what is left of pieces that begin before the range or end behind it
        for at in [from, end] {
            if let Some((&begin, piece)) = self.pieces.range(..at).next_back()
                && begin + piece.bytes > at
            {
                let (front, back) = piece.split(at - begin);
                self.pieces.insert(begin, front);
                self.pieces.insert(at, back);
            }
        }
        let inside: Vec<u64> = self.pieces.range(from..end).map(|(&begin, _)| begin).collect();
        inside.iter().for_each(|begin| drop(self.pieces.remove(begin)));
        let mut at = from;
        for piece in pieces {
            let bytes = piece.bytes;
            self.pieces.insert(at, piece);
            at += bytes;
        }
    }
}

/// Cuts two lists of pieces of as many bytes where either has an end.
pub(super) fn cut(one: Vec<Piece>, other: Vec<Piece>) -> Vec<(Piece, Piece)> {
    let (mut one, mut other, mut both) = (one.into_iter(), other.into_iter(), vec![]);
    let (mut first, mut second) = (one.next(), other.next());
    while let (Some(a), Some(b)) = (first.take(), second.take()) {
        let bytes = a.bytes.min(b.bytes);
        let ((a, more), (b, rest)) = (a.split(bytes), b.split(bytes));
        both.push((a, b));
        first = if more.bytes > 0 { Some(more) } else { one.next() };
        second = if rest.bytes > 0 { Some(rest) } else { other.next() };
    }
    both
}
