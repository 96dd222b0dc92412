//! Routes, computed hop by hop from arithmetic: one file a family.
//!
//! A packet carries its destination *position* and a *selector*: a number whose mixed-radix digits pick among equal
//! paths, set once at injection by the policy ([`policy`], [`climb`]). Switches ([`tree`]) and routers ([`dimension_order`]) only
//! read it, so a policy never touches the per-hop code.
//!
//! **Invariant.** Every hop brings a packet closer (trees: up to the lowest common tier, then down; direct: one dimension
//! after the other), so routes are minimal and finite; under credit flow control trees are free of deadlock by up/down
//! order and tori by dateline virtual channels.

pub mod aggregation;
pub mod climb;
pub mod dimension_order;
pub mod policy;
pub mod router;
pub mod tree;
pub mod twisted;

/// Exact division of 32-bit numbers by a constant with one multiplication (Lemire, Kaser, Kurz, SPE 49(6) 2019).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Div {
    magic: u64,
    by: u32,
}

impl Div {
    /// Division by `by` (at least one).
    pub fn new(by: u32) -> Self {
        let by = by.max(1);
        Self { magic: if by == 1 { 0 } else { u64::MAX / u64::from(by) + 1 }, by }
    }

    /// Quotient.
    #[inline(always)]
    pub fn quotient(self, n: u32) -> u32 {
        if self.by == 1 {
            return n;
        }
        ((u128::from(self.magic) * u128::from(n)) >> 64) as u32
    }

    /// Remainder.
    #[inline(always)]
    pub fn remainder(self, n: u32) -> u32 {
        n - self.quotient(n) * self.by
    }

    /// The divisor.
    #[inline(always)]
    pub fn by(self) -> u32 {
        self.by
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn division_is_exact(n: u32, by in 1u32..) {
            let d = Div::new(by);
            prop_assert_eq!((d.quotient(n), d.remainder(n)), (n / by, n % by));
        }
    }
}
