//! How the packets of a message are spread over first hops and paths.
//!
//! A message has `choices` equal first hops. Its packets are dealt out in groups of `choices`; within a group each first
//! hop gets exactly one packet, in an order given by a rotation. So the packets of one output port are known by
//! arithmetic, and a port generates its share of a message lazily, one packet at a time.
//!
//! - single path (D-mod-k, S-mod-k, ECMP): the path is fixed for the message. So is its first hop, with one exception: where first
//!   hops are an accelerator's own links into a tree, its NICs, packets take all of them in turn, as a library's channels do;
//! - round-robin spraying: the sender says where a message begins, so that its ports carry equal bytes
//!   ([`Spread::beginning`]), and by which count the path advances;
//! - random spraying: rotation and path are seeded hashes of (source, destination, tag, group);
//! - in-network operations: the rotation is the owner's number plus the lane's, so that consecutive owners use consecutive
//!   first hops, and the packets beyond whole groups leave gaps of equal size between them: many owners fill all hops alike.
//!
//! **Invariant.** A choice depends only on the seed, the message, what its sender sent before and the packet's number,
//! never on timing or threads. Paths up a tree follow from [`Path`] through [`super::climb`].

use crate::rng::mix;
use crate::spec::RoutingSpec;

/// No packet, and no first hop.
pub const NONE: u32 = u32::MAX;

/// How one message chooses.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// First hops in use (one for a single path).
    pub choices: u32,
    /// First hop of packet zero among them (the first hop itself for a single path).
    pub rotation: u32,
    /// Packets before a short last one that goes by a first hop of its own, and that hop; all, and [`NONE`].
    pub fulls: u32,
    /// See `fulls`.
    pub short: u32,
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
    /// Its source's position, plus a count where packets spread.
    Source,
    /// This number.
    Hash(u32),
    /// This way up, packets numbered above it.
    Tree(u32),
}

impl Spread {
    /// The spread of a unicast message. `available` first hops, which are NICs of the accelerator if it is `plugged` into a
    /// tree; `src` and `dst` are places at the leaves, `label` the message's tag.
    pub fn new(policy: RoutingSpec, available: u32, plugged: bool, src: u32, dst: u32, label: u32, seed: u64) -> Self {
        let one = Spread { choices: 1, rotation: 0, fulls: NONE, short: NONE, kind: Kind::Single, path: Path::Source };
        let single = |hop: u32, path: Path| match plugged && available > 1 {
            true => Spread { choices: available, kind: Kind::Striped, path, ..one },
            false => Spread { rotation: hop % available, path, ..one },
        };
        let key = mix(seed ^ (u64::from(src) << 32 | u64::from(dst))) ^ u64::from(label);
        match policy {
            RoutingSpec::DModK => single(dst, Path::Destination),
            RoutingSpec::SModK => single(src, Path::Source),
            RoutingSpec::Ecmp => {
                let hash = mix(key);
                single((hash >> 32) as u32, Path::Hash(hash as u32))
            }
            RoutingSpec::SprayRoundRobin | RoutingSpec::Adaptive => {
                Spread { choices: available, kind: Kind::RoundRobin, ..one }
            }
            RoutingSpec::SprayRandom | RoutingSpec::Valiant | RoutingSpec::Ugal => {
                Spread { choices: available, kind: Kind::Random(key), path: Path::Hash(0), ..one }
            }
        }
    }

    /// A sprayed message of so many full packets, and perhaps a short one after them, that begins at this first hop.
    pub fn beginning(mut self, rotation: u32, fulls: u32, short: bool) -> Self {
        self.rotation = rotation % self.choices;
        self.fulls = fulls;
        self.short = if short { (self.rotation + fulls % self.choices) % self.choices } else { NONE };
        self
    }

    /// The spread of an in-network message of so many packets: every rank deals them out alike, so that the parts of one sum
    /// meet. The sums of one owner and lane (or of one lane, if they have no owner) begin at the same first hop, and climb
    /// one way up a `tree`.
    pub fn in_network(available: u32, owner: u32, lane: u32, packets: u32, tree: bool) -> Self {
        let turn = owner.wrapping_add(lane);
        let (kind, path) = match tree {
            true => (Kind::Climbing, Path::Tree(turn / available)),
            false => (Kind::Numbered, Path::Hash(0)),
        };
        Spread { choices: available, rotation: turn % available, fulls: packets, short: NONE, kind, path }
    }

    /// Number of the packet of `group` that leaves by first hop `hop`; a number that the message does not have, such as
    /// [`NONE`], if there is none.
    #[inline]
    pub fn number(&self, hop: u32, group: u32) -> u32 {
        let rotation = match self.kind {
            Kind::Single => return group,
            Kind::Striped | Kind::RoundRobin | Kind::Numbered | Kind::Climbing => self.rotation,
            Kind::Random(key) => (mix(key ^ (u64::from(group) << 32)) >> 32) as u32 % self.choices,
        };
        let place = hop + self.choices - rotation;
        let place = if place >= self.choices { place - self.choices } else { place };
        let first = group * self.choices;
        match self.kind {
            Kind::Single | Kind::Random(_) => first + place,
            Kind::RoundRobin | Kind::Striped if first + place < self.fulls => first + place,
            Kind::RoundRobin | Kind::Striped if hop == self.short && first + place < self.fulls + self.choices => {
                self.fulls
            }
            Kind::RoundRobin | Kind::Striped => NONE,
            Kind::Numbered | Kind::Climbing => self.in_last(first, place),
        }
    }

    /// The packet of an in-network message at a place of the group that begins with this one. Those of the last group stand
    /// at equal distances.
    #[inline]
    fn in_last(&self, first: u32, place: u32) -> u32 {
        let left = self.fulls.saturating_sub(first);
        if left >= self.choices {
            return first + place;
        }
        let (left, place, choices) = (u64::from(left), u64::from(place), u64::from(self.choices));
        let nth = (place * left).div_ceil(choices);
        if nth < left && nth * choices / left == place { first + nth as u32 } else { NONE }
    }

    /// The path of a packet, without the count by which round-robin spraying moves it on.
    #[inline]
    pub fn path(&self, hop: u32, group: u32, number: u32) -> Path {
        match (self.kind, self.path) {
            (Kind::Random(key), _) => {
                let hash = mix(key ^ (u64::from(group) << 32));
                Path::Hash(mix(hash.wrapping_add(u64::from(hop))) as u32)
            }
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

    /// How often each packet leaves, and the packets of each first hop.
    fn dealt(spread: &Spread, packets: u32) -> (Vec<u32>, Vec<u32>) {
        let mut seen = vec![0; packets as usize];
        let hops = (0..spread.choices.max(spread.rotation + 1)).map(|hop| {
            let mut sent = 0;
            for group in (0..=packets.div_ceil(spread.choices)).filter(|_| spread.uses(hop)) {
                if let Some(n) = seen.get_mut(spread.number(hop, group) as usize) {
                    (*n, sent) = (*n + 1, sent + 1);
                }
            }
            sent
        });
        let hops = hops.collect();
        (seen, hops)
    }

    proptest! {
        #[test]
        fn every_packet_leaves_exactly_once(
            available in 1u32..20, plugged: bool, packets in 1u32..100, rotation: u32, short: bool, seed: u64, policy in 0usize..7,
        ) {
            use RoutingSpec::*;
            let spread = match policy {
                5 | 6 => Spread::in_network(available, rotation / 2, 1, packets, policy == 6),
                _ => {
                    let policy = [DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom][policy];
                    let spread = Spread::new(policy, available, plugged, 3, 9, 1, seed);
                    let turns = matches!(spread.kind, Kind::RoundRobin | Kind::Striped);
                    if turns { spread.beginning(rotation, packets - u32::from(short), short) } else { spread }
                }
            };
            let (seen, hops) = dealt(&spread, packets);
            prop_assert!(seen.iter().all(|&n| n == 1), "{:?} {:?}", spread, seen);
            let used = (0..available).filter(|&h| spread.uses(h)).count() as u32;
            let one = policy < 3 && (!plugged || available == 1);
            prop_assert_eq!(used, if one { 1 } else { available });
            if !matches!(spread.kind, Kind::Single | Kind::Random(_)) {
                let (most, least) = (hops.iter().max().unwrap(), hops.iter().min().unwrap());
                prop_assert!(most - least <= 1, "{:?}", hops);
            }
        }
    }

    #[test]
    fn owners_of_sums_share_all_links_alike() {
        // 8 owners, 18 links, 8 packets each: 64 packets are 3 or 4 per link
        let mut links = [0; 18];
        for owner in 0..8 {
            let (_, hops) = dealt(&Spread::in_network(18, owner, 0, 8, false), 8);
            (0..18).for_each(|i| links[i] += hops[i]);
        }
        assert!(links.iter().all(|&n| n == 3 || n == 4), "{links:?}");
    }
}
