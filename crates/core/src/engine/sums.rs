//! In-network sums under way.
//!
//! **Invariant.** Only looked up, never iterated, so the order of the table cannot matter. **Limits.** No limit to its size.

use std::hash::{BuildHasherDefault, Hasher};

use crate::rng::mix;
use crate::units::Fs;

/// By (LP, destination position, tag, packet number): contributions seen, and the latest. Only
/// looked up, never iterated, so its order cannot matter.
pub(super) type Sums = hashbrown::HashMap<[u32; 4], (u32, Fs), BuildHasherDefault<SumHasher>>;

/// Hashes the four words of a sum's key, always alike.
#[derive(Debug, Default)]
pub(super) struct SumHasher(u64);

impl Hasher for SumHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut buffer = [0; 8];
            buffer[..word.len()].copy_from_slice(word);
            self.0 = mix(self.0 ^ u64::from_le_bytes(buffer));
        }
    }
}
