//! How the packets of a message are spread over first hops and paths.
//!
//! A message has `choices` equal first hops. Its packets are dealt out in groups of `choices`; within a group each first
//! hop gets exactly one packet, in an order given by a rotation. So the packets of one output port are known by
//! arithmetic, and a port generates its share of a message lazily, one packet at a time.
//!
//! - single path (D-mod-k, S-mod-k, ECMP): `choices` is one, the first hop and selector are fixed for the message;
//! - round-robin spraying: the rotation is the rank's running packet count plus twice the source, the selector advances with every group;
//! - random spraying: rotation and selector are seeded hashes of (source, destination, tag, group).
//!
//! **Invariant.** A choice depends only on the seed, the message and the packet's number, never on timing or threads.

use crate::rng::mix;
use crate::spec::RoutingSpec;

/// How one message chooses.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// First hops in use (one for a single path).
    pub choices: u32,
    /// First hop of packet zero among them (the first hop itself for a single path).
    pub rotation: u32,
    /// Selector of the first group.
    pub selector: u32,
    /// What changes from group to group.
    pub kind: Kind,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every packet alike.
    Single,
    /// The selector advances with every group.
    RoundRobin,
    /// Rotation and selector are hashes of this key and the group.
    Random(u64),
    /// In-network operations: fixed rotation, the selector is the packet's number.
    Numbered,
}

impl Spread {
    /// The spread of a unicast message. `available` first hops; `src` and `dst` are positions, `count` the packets that
    /// the rank sent before, `label` the message's tag.
    pub fn new(policy: RoutingSpec, available: u32, src: u32, dst: u32, count: u32, label: u32, seed: u64) -> Self {
        let single =
            |hop: u32, selector: u32| Spread { choices: 1, rotation: hop % available, selector, kind: Kind::Single };
        let key = mix(seed ^ (u64::from(src) << 32 | u64::from(dst))) ^ u64::from(label);
        match policy {
            RoutingSpec::DModK => single(dst, dst),
            RoutingSpec::SModK => single(src, src),
            RoutingSpec::Ecmp => {
                let hash = mix(key);
                single((hash >> 32) as u32, hash as u32)
            }
            RoutingSpec::SprayRoundRobin => Spread {
                choices: available,
                // Twice the source: the first packets of all sources to one destination take different first hops, and so
                // do, in a shift pattern, the packets to one destination of consecutive sources (once the source would
                // send them all by one).
                rotation: src.wrapping_mul(2).wrapping_add(count) % available,
                selector: src.wrapping_add(count / available),
                kind: Kind::RoundRobin,
            },
            RoutingSpec::SprayRandom => {
                Spread { choices: available, rotation: 0, selector: 0, kind: Kind::Random(key) }
            }
        }
    }

    /// The spread of an in-network message: every rank deals its packets out alike, so that the parts of one sum meet.
    pub fn in_network(available: u32, owner: u32) -> Self {
        Spread { choices: available, rotation: owner % available, selector: 0, kind: Kind::Numbered }
    }

    /// Number of the packet of `group` that leaves by first hop `hop`, and its selector.
    #[inline]
    pub fn packet(&self, hop: u32, group: u32) -> (u32, u32) {
        let (rotation, selector) = match self.kind {
            Kind::Single => return (group, self.selector),
            Kind::RoundRobin => (self.rotation, self.selector.wrapping_add(group)),
            Kind::Numbered => (self.rotation, 0),
            Kind::Random(key) => {
                let hash = mix(key ^ (u64::from(group) << 32));
                let selector = mix(hash.wrapping_add(u64::from(hop))) as u32;
                ((hash >> 32) as u32 % self.choices, selector)
            }
        };
        let place = hop + self.choices - rotation;
        let number = group * self.choices + if place >= self.choices { place - self.choices } else { place };
        (number, if self.kind == Kind::Numbered { number } else { selector })
    }

    /// True if the message can use this first hop.
    #[inline]
    pub fn uses(&self, hop: u32) -> bool {
        self.kind != Kind::Single || hop == self.rotation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_packet_leaves_exactly_once(
            available in 1u32..20, packets in 1u32..100, count: u32, seed: u64, policy in 0usize..5,
        ) {
            use RoutingSpec::*;
            let policy = [DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom][policy];
            let spread = Spread::new(policy, available, 3, 9, count, 1, seed);
            let mut seen = vec![0; packets as usize];
            for hop in (0..available).filter(|&h| spread.uses(h)) {
                for group in 0..packets.div_ceil(spread.choices) {
                    if let Some(n) = seen.get_mut(spread.packet(hop, group).0 as usize) {
                        *n += 1;
                    }
                }
            }
            prop_assert!(seen.iter().all(|&n| n == 1), "{:?} {:?}", spread, seen);
        }
    }
}
