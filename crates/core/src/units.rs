//! Units as types: time in femtoseconds, bytes, and rates.
//!
//! **Invariant.** Simulated time is an integer number of femtoseconds in a `u64` (5.1 hours). Whole picoseconds would
//! already lose 0.16 % on a 64-byte flit at 900 GB/s. Sums that could pass the end of the range are checked once per
//! run ([`MAX_TIME_FS`] leaves headroom, the engine stops with an error when the clock reaches it); they never wrap.
//!
//! **Cost.** [`Serializer::fs`] is one widening multiplication, no division.
//!
//! **Limits.** A duration derived from a rate is rounded *up* to the next femtosecond, so that no link ever carries
//! more than its rate; one rounding is below 1 fs a packet.

use serde::{Deserialize, Serialize};

/// Simulated time or duration in femtoseconds.
pub type Fs = u64;

/// "Never": later than any simulated time.
pub const NEVER: Fs = u64::MAX;

/// The simulated clock stops here (about 4.6 hours) with an overflow error rather than wrap.
pub const MAX_TIME_FS: Fs = u64::MAX - u64::MAX / 10;

/// Femtoseconds in a nanosecond.
pub const FS_PER_NS: u64 = 1_000_000;
/// Femtoseconds in a microsecond.
pub const FS_PER_US: u64 = 1_000_000_000;

/// A data rate in bits per second, as link rates are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BitRate(pub u64);

impl BitRate {
    /// The time that `bytes` take at this rate, rounded up to whole femtoseconds.
    pub fn time(self, bytes: u64) -> Fs {
        let fs = (u128::from(bytes) * 8 * 1_000_000_000_000_000).div_ceil(u128::from(self.0));
        u64::try_from(fs).unwrap_or(NEVER)
    }

    /// Bytes per second as a float, for reports.
    pub fn bytes_per_second(self) -> f64 {
        self.0 as f64 / 8.0
    }
}

/// Turns bytes into femtoseconds at a fixed rate with one multiplication.
///
/// The reciprocal is kept as a 32.32 fixed-point number that is rounded down, and the product is rounded up. For packets of up to
/// 64 KiB the reciprocal takes less than 2^-16 fs away, so results equal [`BitRate::time`], or are 1 fs less where the exact time is
/// that little above a whole femtosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serializer {
    fs_per_byte_q32: u128,
}

impl Serializer {
    /// A serializer of the given rate; a rate of zero is refused by the validated spec.
    pub fn new(rate: BitRate) -> Self {
        let exact = 8_000_000_000_000_000u128 << 32;
        Self { fs_per_byte_q32: exact / u128::from(rate.0.max(1)) }
    }

    /// Infinitely fast: zero time for any number of bytes.
    pub const fn instant() -> Self {
        Self { fs_per_byte_q32: 0 }
    }

    /// Femtoseconds that `bytes` take, rounded up but for the reciprocal's error.
    #[inline(always)]
    pub fn fs(self, bytes: u32) -> Fs {
        // The reciprocal was rounded down, so adding just under one before the shift rounds the product up.
        ((u128::from(bytes) * self.fs_per_byte_q32 + 0xFFFF_FFFF) >> 32) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_bytes_at_900_gigabytes() {
        // 64 B / 900e9 B/s = 71.111.. ps = 71 111.1 fs, rounded up
        assert_eq!(BitRate(7_200_000_000_000).time(64), 71_112);
        assert_eq!(Serializer::new(BitRate(7_200_000_000_000)).fs(64), 71_112);
    }

    #[test]
    fn whole_femtoseconds_stay_whole() {
        // 4096 B / 50e9 B/s = 81 920 000 fs exactly
        assert_eq!(Serializer::new(BitRate(400_000_000_000)).fs(4096), 81_920_000);
    }

    #[test]
    fn multiplication_equals_division() {
        for gbit in [1u64, 25, 106, 200, 224, 400, 448, 800, 7200] {
            let rate = BitRate(gbit * 1_000_000_000);
            let ser = Serializer::new(rate);
            for bytes in (0..70_000).step_by(37) {
                let (fast, exact) = (ser.fs(bytes), rate.time(u64::from(bytes)));
                assert!(fast == exact, "{gbit} Gbit/s, {bytes} B: {fast} != {exact}");
            }
        }
    }
}
