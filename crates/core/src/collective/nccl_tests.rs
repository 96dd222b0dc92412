//! What nccl-tests counts for a collective: the size that it really runs, and its factor of bus bandwidth.
//!
//! **Invariant.** Rounding a rounded size changes nothing. This is the only place that knows the rounding.
//!
//! **Source.** The `*.cu` files of nccl-tests 2.19.6 (size and busbw factor of each test).

use super::Collective;

impl Collective {
    /// What nccl-tests multiplies the algorithm bandwidth by to get the bus bandwidth (0 for a lone rank in most).
    pub fn busbw_factor(self, ranks: u32) -> f64 {
        let n = f64::from(ranks.max(1));
        match self {
            Collective::AllReduce => 2.0 * (n - 1.0) / n,
            _ if self.parted() => (n - 1.0) / n,
            _ => 1.0,
        }
    }

    /// The size that nccl-tests really runs (its size column) when asked for `bytes`: whole elements; where every rank has
    /// a piece, the piece is rounded down to 16 bytes and the size is that of all pieces. A barrier has none.
    pub fn rounded_bytes(self, bytes: u64, ranks: u32, element: u32) -> u64 {
        let (n, element) = (u64::from(ranks.max(1)), u64::from(element.max(1)));
        let count = bytes / element;
        let unit = (16 / element).max(1);
        match self {
            Collective::Barrier => 0,
            _ if self.parted() => count / n / unit * unit * n * element,
            _ => count * element,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nccl_tests_arithmetic() {
        // 8 ranks: 2 * 7 / 8 = 1.75, 7 / 8 = 0.875.
        assert_eq!(Collective::AllReduce.busbw_factor(8), 1.75);
        assert_eq!(Collective::AllToAll.busbw_factor(8), 0.875);
        assert_eq!(Collective::Broadcast.busbw_factor(8), 1.0);
        assert_eq!(Collective::AllReduce.busbw_factor(1), 0.0);
        // 1000 bytes of float32 on 6 ranks: 250 elements, 41 each, rounded down to 4 (16 bytes): 40 * 6 * 4 = 960.
        assert_eq!(Collective::AllGather.rounded_bytes(1000, 6, 4), 960);
        assert_eq!(Collective::AllReduce.rounded_bytes(1003, 6, 4), 1000);
        // 100 bytes on 8 ranks: 25 elements, 3 each, rounded down to 0.
        assert_eq!(Collective::AllToAll.rounded_bytes(100, 8, 4), 0);
        // 8-byte elements: units of 2. 1000 / 8 = 125 on 6 ranks: 20 each: 20 * 6 * 8 = 960.
        assert_eq!(Collective::ReduceScatter.rounded_bytes(1000, 6, 8), 960);
        assert_eq!(Collective::Barrier.rounded_bytes(1000, 6, 8), 0);
    }
}
