//! A sum of many floats that come and go, without drift.
//!
//! **Model.** The value is kept as an unevaluated pair of floats; each addition keeps what rounding would have lost.
//!
//! **Invariant.** Adding terms and later their negatives, in any order, leaves a rest of some 1e-30 of the largest.
//!
//! **Cost.** Eight additions a term. **Source.** Knuth, The Art of Computer Programming 2, 4.2.2 (exact sum of two).

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    /// Adds a term.
    pub(super) fn add(&mut self, term: f64) {
        let sum = self.high + term;
        let other = sum - self.high;
        let lost = (self.high - (sum - other)) + (term - other) + self.low;
        self.high = sum + lost;
        self.low = lost - (self.high - sum);
    }

    /// The value, rounded.
    pub(super) fn value(self) -> f64 {
        self.high + self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_can_be_taken_away() {
        let mut sum = Sum::default();
        let terms = (1..1000).map(|i| 1.0 / f64::from(i * i * i));
        terms.clone().for_each(|t| sum.add(t));
        assert!((sum.value() - 1.202_056_402).abs() < 1e-8);
        terms.for_each(|t| sum.add(-t));
        assert!(sum.value().abs() < 1e-28, "{sum:?}");
    }
}
