//! Seeded hashing: the only source of randomness.
//!
//! **Invariant.** A random choice is a pure function of (seed, what is being chosen for), never of the order in which
//! choices are made, so it cannot depend on threads or on what else runs. The mixer is SplitMix64's finaliser (Steele,
//! Lea, Flood, OOPSLA 2014), which passes BigCrush on counters.

/// Mixes 64 bits into 64 well-spread bits.
#[inline]
pub const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Hash of a flow: seed, source, destination and a flow label.
#[inline]
pub const fn flow_hash(seed: u64, src: u32, dst: u32, label: u32) -> u32 {
    let pair = ((src as u64) << 32) | dst as u64;
    (mix(mix(seed ^ pair).wrapping_add(label as u64)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_spread_evenly() {
        // 65 536 flows over 16 paths: each expects 4 096 with sigma 62; six sigma is 372
        let mut counts = [0u32; 16];
        for flow in 0..65_536u32 {
            counts[(flow_hash(7, flow, flow ^ 1, 0) % 16) as usize] += 1;
        }
        assert!(counts.iter().all(|&c| c.abs_diff(4096) < 372), "{counts:?}");
    }
}
