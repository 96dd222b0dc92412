//! Two binary trees over the same places, in which (almost) nobody is an inner node twice.
//!
//! **Model.** Places are renumbered so that the root is 0 and the others are `1..p`. The first tree is the in-order tree: a number whose
//! lowest set bit is `b` has its children `b/2` to either side, so odd numbers are leaves. The second is the same tree with the numbers
//! shifted by one (p even) or mirrored (p odd), which turns leaves into inner nodes. The root feeds the top of both. Lane `l` uses
//! tree `l mod 2`.
//!
//! **Invariant.** Both trees span all places, with depth at most ceil(lg p) below the root; no place but the root is an inner node
//! twice. **Cost.** Each call O(log p); no tables.
//!
//! **Source.** Sanders, Speck, Träff: Two-tree algorithms for full bandwidth broadcast, reduction and scan, Parallel
//! Computing 35(12), 2009.

use super::layout::{add_mod, sub_mod};

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trees {
    /// How many there are.
    pub(super) places: u32,
    pub(super) root: u32,
}

impl Trees {
    /// The number of a place in a lane's tree.
    pub(super) fn number(&self, place: u32, lane: u32) -> u32 {
        let v = sub_mod(place, self.root, self.places);
        match (v, lane % 2) {
            (0, _) | (_, 0) => v,
            _ if self.places % 2 == 1 => self.places - v,
            (1, _) => self.places - 1,
            _ => v - 1,
        }
    }

    /// The place that has a number in a lane's tree.
    pub(super) fn place(&self, number: u32, lane: u32) -> u32 {
        let v = match (number, lane % 2) {
            (0, _) | (_, 0) => number,
            _ if self.places % 2 == 1 => self.places - number,
            _ if number == self.places - 1 => 1,
            _ => number + 1,
        };
        add_mod(v, self.root, self.places)
    }

    /// The parent of a number other than 0: its lowest bit moves one up; it is cleared if there is no such number.
    pub(super) fn parent(&self, v: u32) -> u32 {
        let low = 1 << v.trailing_zeros();
        let base = v - low;
        match base.checked_add(low).and_then(|v| v.checked_add(low)) {
            _ if base & (low << 1) != 0 => base,
            Some(up) if low << 1 != 0 && up < self.places => up,
            _ => base,
        }
    }

    /// The children of a number, and how many there are.
    pub(super) fn children(&self, v: u32) -> ([u32; 2], u32) {
        if v == 0 {
            return ([1 << (self.places - 1).ilog2(), 0], 1);
        }
        let mut half = (1u32 << v.trailing_zeros()) / 2;
        if half == 0 {
            return ([0; 2], 0);
        }
        let left = v - half;
        // Where the numbers end, the right child is the top of what is left of its subtree.
        while half > 0 && half >= self.places - v {
            half /= 2;
        }
        if half > 0 { ([left, v + half], 2) } else { ([left, 0], 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collective::layout::ceil_log2;

    #[test]
    fn both_trees_span_all_ranks_and_share_no_inner_node() {
        for n in 2..200 {
            let tree = Trees { places: n, root: n / 3 };
            let mut inner = vec![0; n as usize];
            for lane in 0..2 {
                for rank in 0..n {
                    let v = tree.number(rank, lane);
                    assert_eq!(tree.place(v, lane), rank);
                    let (children, count) = tree.children(v);
                    for &child in &children[..count as usize] {
                        assert_eq!(tree.parent(child), v, "{child} of {n}");
                    }
                    inner[rank as usize] += u32::from(count > 0 && v > 0);
                    let (mut at, mut depth) = (v, 0);
                    while at != 0 {
                        (at, depth) = (tree.parent(at), depth + 1);
                    }
                    assert!(depth <= ceil_log2(n), "{v} of {n} is {depth} deep");
                }
            }
            assert!(inner.iter().filter(|&&times| times > 1).count() == 0, "{n}: {inner:?}");
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let tree = Trees { places: u32::MAX, root: 0 };
        for v in [1, 2, 1 << 31, (1 << 31) + 1, u32::MAX - 1, u32::MAX - 2] {
            let (children, count) = tree.children(v);
            for &child in &children[..count as usize] {
                assert_eq!(tree.parent(child), v);
            }
            let parent = tree.parent(v);
            assert!(tree.children(parent).0.contains(&v));
        }
    }
}
