//! Sets of numbers in mixed radix, some digits fixed: the pieces that travel along one dimension.
//!
//! **Invariant.** The first digit is the fastest, as in a torus' coordinates and a hierarchy's levels.
//!
//! **Cost.** Counting is O(digits), listing O(members).

/// Most dimensions (of size two or more) of a torus, most levels of a hierarchy.
pub(super) const MAX_DIMS: usize = 8;

/// A number in mixed radix, first digit fastest, with some digits fixed and the others free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    count: usize,
    dims: [u32; MAX_DIMS],
    fixed: [Option<u32>; MAX_DIMS],
}

impl Digits {
    /// All numbers below the product of `dims`.
    pub(super) fn free(dims: &[u32]) -> Self {
        let mut all = Digits { count: dims.len().min(MAX_DIMS), dims: [1; MAX_DIMS], fixed: [None; MAX_DIMS] };
        all.dims[..all.count].copy_from_slice(&dims[..all.count]);
        all
    }

    /// The same set with one digit fixed.
    pub(super) fn fix(mut self, dim: usize, digit: u32) -> Self {
        self.fixed[dim] = Some(digit);
        self
    }

    /// How many members there are.
    pub(super) fn members(&self) -> u64 {
        (0..self.count).filter(|&d| self.fixed[d].is_none()).map(|d| u64::from(self.dims[d])).product()
    }

    /// Calls `visit` with every member.
    pub(super) fn each(&self, mut visit: impl FnMut(u64)) {
        for index in 0..self.members() {
            let (mut rest, mut stride, mut number) = (index, 1, 0);
            for d in 0..self.count {
                let size = u64::from(self.dims[d]);
                let digit = match self.fixed[d] {
                    Some(fixed) => u64::from(fixed),
                    None => {
                        let digit = rest % size;
                        rest /= size;
                        digit
                    }
                };
                number += digit * stride;
                stride *= size;
            }
            visit(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_agrees_with_listing() {
        let dims = [3, 4, 1, 5];
        for fixed in
            [vec![], vec![(0, 2)], vec![(1, 0)], vec![(3, 4)], vec![(0, 1), (3, 2)], vec![(1, 3), (2, 0), (3, 0)]]
        {
            let set = fixed.iter().fold(Digits::free(&dims), |set, &(dim, digit)| set.fix(dim, digit));
            let mut members = Vec::new();
            set.each(|number| members.push(number));
            for &number in &members {
                let digits = [number % 3, number / 3 % 4, 0, number / 12];
                assert!(fixed.iter().all(|&(dim, digit)| digits[dim] == u64::from(digit)));
            }
            assert_eq!(set.members(), members.len() as u64);
        }
    }
}
