//! Numbers in mixed radix, and groups that shift some of their digits.
//!
//! A [`Digit`] is a place in a number: `x / stride % size`. A [`Radix`] is a set of disjoint digits; the group that it
//! stands for shifts each of them cyclically, independently of the others and without carry. Its order is the product of
//! the sizes, and no shift but the identity leaves any number unchanged: it acts freely.
//!
//! **Invariant.** Digits are sorted by stride and aligned: `stride * size` of one divides the stride of the next.
//! Removing the digits of a number gives the name of its class, inserting zeros the class's representative.
//!
//! **Cost.** Two divisions a digit.

/// A place in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digit {
    /// What one unit of it is worth.
    pub stride: u32,
    /// How many values it has.
    pub size: u32,
}

impl Digit {
    /// The digit of a number.
    #[inline]
    pub fn of(self, x: u32) -> u32 {
        x / self.stride % self.size
    }

    /// True if both count the same part of a number.
    pub fn overlaps(&self, other: &Digit) -> bool {
        self.stride < other.end() && other.stride < self.end()
    }

    /// Where the next digit begins.
    pub fn end(self) -> u32 {
        self.stride * self.size
    }
}

/// Disjoint digits, smallest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Radix {
    digits: Vec<Digit>,
}

impl Radix {
    /// From digits that are aligned; those of size one are left out.
    pub fn new(mut digits: Vec<Digit>) -> Self {
        digits.retain(|d| d.size > 1);
        digits.sort_unstable();
        debug_assert!(digits.windows(2).all(|w| w[1].stride.is_multiple_of(w[0].end())), "{digits:?}");
        Self { digits }
    }

    /// All digits of a number system, given by its radices, first digit fastest.
    pub fn full(radices: &[u32]) -> Self {
        let mut stride = 1;
        let digit = |&size: &u32| {
            let digit = Digit { stride, size };
            stride *= size;
            digit
        };
        Self::new(radices.iter().map(digit).collect())
    }

    /// The digits.
    pub fn digits(&self) -> &[Digit] {
        &self.digits
    }

    /// Number of shifts: the product of the sizes.
    pub fn order(&self) -> u64 {
        self.digits.iter().map(|d| u64::from(d.size)).product()
    }

    /// The number without these digits.
    #[inline]
    pub fn remove(&self, mut x: u32) -> u32 {
        for d in self.digits.iter().rev() {
            x = x / d.end() * d.stride + x % d.stride;
        }
        x
    }

    /// The number with zeros put in for these digits.
    #[inline]
    pub fn insert(&self, mut x: u32) -> u32 {
        for d in &self.digits {
            x = x / d.stride * d.end() + x % d.stride;
        }
        x
    }

    /// Each of these digits of `x` plus that of `by`, without carry; other digits are those of `x`.
    #[inline]
    pub fn add(&self, mut x: u32, by: u32) -> u32 {
        for d in &self.digits {
            let (a, b) = (d.of(x), d.of(by));
            let sum = if a >= d.size - b { a - (d.size - b) } else { a + b };
            x = x - a * d.stride + sum * d.stride;
        }
        x
    }

    /// Each of these digits of `x` minus that of `by`, without borrow; other digits are those of `x`.
    #[inline]
    pub fn subtract(&self, mut x: u32, by: u32) -> u32 {
        for d in &self.digits {
            let (a, b) = (d.of(x), d.of(by));
            let difference = if a >= b { a - b } else { a + d.size - b };
            x = x - a * d.stride + difference * d.stride;
        }
        x
    }

    /// The shift with this number, `below` the order: its digits in the places of these, zero elsewhere.
    pub fn shift(&self, mut number: u64) -> u32 {
        let mut x = 0;
        for d in &self.digits {
            x += (number % u64::from(d.size)) as u32 * d.stride;
            number /= u64::from(d.size);
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn classes_and_shifts(sizes in prop::collection::vec((1u32..5, any::<bool>()), 1..6), x: u32, y: u32, shift: u64) {
            let radices: Vec<u32> = sizes.iter().map(|s| s.0).collect();
            let all: u32 = radices.iter().product();
            let mut stride = 1;
            let mut digits = vec![];
            for (size, chosen) in sizes {
                if chosen {
                    digits.push(Digit { stride, size });
                }
                stride *= size;
            }
            let group = Radix::new(digits);
            let (x, y) = (x % all, y % all);
            let g = group.shift(shift % group.order());
            // classes are named 0.. and shifts do not change them
            prop_assert!(u64::from(group.remove(x)) < u64::from(all) / group.order());
            prop_assert_eq!(group.remove(group.add(x, g)), group.remove(x));
            prop_assert_eq!(group.remove(group.insert(group.remove(x))), group.remove(x));
            // every number is a shift of its representative by its own digits
            prop_assert_eq!(group.add(group.insert(group.remove(x)), x), x);
            prop_assert_eq!(group.subtract(group.add(x, y), y), x);
            // the action is free
            prop_assert!(g == 0 || group.add(x, g) != x);
            let order = Radix::full(&radices);
            prop_assert_eq!(order.subtract(order.add(x, y), x), y);
        }
    }
}
