//! How the packets of a message are spread over first hops and paths.
//!
//! A message has `choices` equal first hops. Its packets are dealt out in groups of `choices`; within a group each first
//! hop gets exactly one packet, in an order given by a rotation. So the packets of one output port are known by
//! arithmetic, and a port generates its share of a message lazily, one packet at a time.
//!
//! - single path (D-mod-k, S-mod-k, ECMP): the path is fixed for the message. So is its first hop, except that where first hops are
//!   an accelerator's own links into a tree, its NICs, packets take all of them in turn, as a library's channels do;
//! - round-robin spraying: the rotation is the rank's running packet count (plus twice the source where ranks do not do
//!   alike, so that single packets to one root spread), the path advances with every group;
//! - random spraying: rotation and path are seeded hashes of (source, destination, tag, group).
//!
//! **Invariant.** A choice depends only on the seed, the message and the packet's number, never on timing or threads. Paths
//! up a tree follow from [`Path`] through [`super::climb`].

use crate::rng::mix;
use crate::spec::RoutingSpec;

/// How one message chooses.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// First hops in use (one for a single path).
    pub choices: u32,
    /// First hop of packet zero among them (the first hop itself for a single path).
    pub rotation: u32,
    /// What changes from group to group.
    pub kind: Kind,
    /// What its paths go by.
    pub path: Path,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every packet alike.
    Single,
    /// Over all first hops in turn, every packet by the path of the message.
    Striped,
    /// The path advances with every group.
    RoundRobin,
    /// Rotation and path are hashes of this key and the group.
    Random(u64),
    /// In-network operations of a single tier: fixed rotation, the selector is the packet's number.
    Numbered,
    /// In-network operations of a tree: fixed rotation and path.
    Climbing,
}

/// What the paths of a message up a tree go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Its destination's position.
    Destination,
    /// Its source's position, plus a count.
    Source(u32),
    /// This number.
    Hash(u32),
    /// This way up, packets numbered above it.
    Tree(u32),
}

impl Spread {
    /// The spread of a unicast message. `available` first hops, which are NICs of the accelerator if it is `plugged` into a
    /// tree; `src` and `dst` are places at the leaves, `count` the packets that the rank sent before, `start` where its
    /// rotation begins, `label` the message's tag.
    #[allow(clippy::too_many_arguments)] // a message's identity
    pub fn new(
        policy: RoutingSpec,
        available: u32,
        plugged: bool,
        src: u32,
        dst: u32,
        count: u32,
        start: u32,
        label: u32,
        seed: u64,
    ) -> Self {
        let rotation = start.wrapping_add(count) % available;
        let single = |hop: u32, path: Path| match plugged && available > 1 {
            true => Spread { choices: available, rotation, kind: Kind::Striped, path },
            false => Spread { choices: 1, rotation: hop % available, kind: Kind::Single, path },
        };
        let key = mix(seed ^ (u64::from(src) << 32 | u64::from(dst))) ^ u64::from(label);
        match policy {
            RoutingSpec::DModK => single(dst, Path::Destination),
            RoutingSpec::SModK => single(src, Path::Source(0)),
            RoutingSpec::Ecmp => {
                let hash = mix(key);
                single((hash >> 32) as u32, Path::Hash(hash as u32))
            }
            RoutingSpec::SprayRoundRobin | RoutingSpec::Adaptive => {
                Spread { choices: available, rotation, kind: Kind::RoundRobin, path: Path::Source(count / available) }
            }
            RoutingSpec::SprayRandom | RoutingSpec::Valiant | RoutingSpec::Ugal => {
                Spread { choices: available, rotation: 0, kind: Kind::Random(key), path: Path::Hash(0) }
            }
        }
    }

    /// The spread of an in-network message: every rank deals its packets out alike, so that the parts of one sum meet. The
    /// sums of one owner (or of one lane, if they have none) begin at the same first hop, and climb one way up a `tree`.
    pub fn in_network(available: u32, owner: u32, tree: bool) -> Self {
        let (kind, path) = match tree {
            true => (Kind::Climbing, Path::Tree(owner / available)),
            false => (Kind::Numbered, Path::Hash(0)),
        };
        Spread { choices: available, rotation: owner % available, kind, path }
    }

    /// Number of the packet of `group` that leaves by first hop `hop`.
    #[inline]
    pub fn number(&self, hop: u32, group: u32) -> u32 {
        let rotation = match self.kind {
            Kind::Single => return group,
            Kind::Striped | Kind::RoundRobin | Kind::Numbered | Kind::Climbing => self.rotation,
            Kind::Random(key) => (mix(key ^ (u64::from(group) << 32)) >> 32) as u32 % self.choices,
        };
        let place = hop + self.choices - rotation;
        group * self.choices + if place >= self.choices { place - self.choices } else { place }
    }

    /// The path of a packet: that of the message, moved on by its group.
    #[inline]
    pub fn path(&self, hop: u32, group: u32, number: u32) -> Path {
        match (self.kind, self.path) {
            (Kind::Random(key), _) => {
                let hash = mix(key ^ (u64::from(group) << 32));
                Path::Hash(mix(hash.wrapping_add(u64::from(hop))) as u32)
            }
            (Kind::RoundRobin, Path::Source(count)) => Path::Source(count.wrapping_add(group)),
            (Kind::Numbered, _) => Path::Hash(number),
            (_, path) => path,
        }
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
            available in 1u32..20, plugged: bool, packets in 1u32..100, count: u32, seed: u64, policy in 0usize..5,
        ) {
            use RoutingSpec::*;
            let policy = [DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom][policy];
            let spread = Spread::new(policy, available, plugged, 3, 9, count, 6, 1, seed);
            let mut seen = vec![0; packets as usize];
            for hop in (0..available).filter(|&h| spread.uses(h)) {
                for group in 0..packets.div_ceil(spread.choices) {
                    if let Some(n) = seen.get_mut(spread.number(hop, group) as usize) {
                        *n += 1;
                    }
                }
            }
            prop_assert!(seen.iter().all(|&n| n == 1), "{:?} {:?}", spread, seen);
            let used = (0..available).filter(|&h| spread.uses(h)).count() as u32;
            let one = [DModK, SModK, Ecmp].contains(&policy) && !plugged;
            prop_assert_eq!(used, if one { 1 } else { available });
        }
    }
}
