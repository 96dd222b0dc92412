//! Traffic patterns: every place sends messages of one size to the destinations that a rule gives.
//!
//! **Model.** Rounds, one after the other: in a round a place sends one message to each of its destinations, and the next round begins
//! when they have left (a closed loop). What comes is waited for at the end, so a place that is sent to late does not hold up what it
//! sends itself.
//!
//! **Invariant.** No place sends to itself. What a pattern would send there is not sent. **Cost.** Four bytes per place for permutations
//! and for what is drawn, O(1) per call; `uniform` draws every message once more at the start. **Limits.** Only patterns that
//! shift all places by one distance have a symmetry here. What is drawn is the same in all communicators of an operation.
//!
//! **Source.** Dally and Towles, *Principles and Practices of Interconnection Networks*, 2004, section 3.2 and table 3.1, on the places
//! of a communicator: tornado is a shift by `ceil(n/2) - 1`, neighbour one by 1.

use crate::collective::{Block, MAX_STEPS, Message, Recv, Schedule, Target};
use crate::error::{Error, Result};
use crate::radix::Digit;
use crate::rng::mix;
use crate::spec::{Pattern, PatternSpec};

/// Most bytes that a place can be sent in one operation.
const MOST_BYTES: u64 = 1 << 60;
/// Most messages that are drawn.
const MOST_DRAWN: u64 = 1 << 30;

/// Who sends to whom in a round.
#[derive(Debug)]
enum Rule {
    /// To the place so much further on.
    Shift(u32),
    /// Each to one other; those that would send to themselves send nothing.
    Permutation(Vec<u32>),
    /// All to some, in ascending order.
    Some(Vec<u32>),
    /// Drawn for each message; how many come to each place.
    Drawn { seed: u64, coming: Vec<u32> },
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Traffic {
    places: u32,
    rounds: u32,
    bytes: u64,
    rule: Rule,
}

impl Traffic {
    /// A pattern among so many places: so many messages of so many bytes to each destination.
    ///
    /// # Errors
    /// [`Error::Spec`] if the pattern is not defined on so many places, and [`Error::Overflow`] if it is too much. Both begin with `owner`
    /// and the keyword.
    pub fn new(
        pattern: &PatternSpec,
        places: u32,
        (messages, bytes): (u32, u64),
        seed: u64,
        owner: &str,
    ) -> Result<Self> {
        let rule = rule(pattern, places, messages, seed, owner)?;
        let found = Self { places, rounds: messages, bytes, rule };
        let most = (0..places).map(|place| found.coming(place)).max().unwrap_or(0);
        if messages > MAX_STEPS || most > u64::from(u32::MAX) || most.saturating_mul(bytes) > MOST_BYTES {
            let limit = format!("{MAX_STEPS} rounds, and 2^32 - 1 messages and {MOST_BYTES} bytes to one rank");
            return Err(Error::Overflow {
                what: format!("{owner}: messages"),
                value: format!("{most} messages to one rank"),
                limit,
            });
        }
        Ok(found)
    }

    /// Bytes that each place sends and receives.
    pub fn carried(&self) -> Vec<(u64, u64)> {
        let sent = |place| u64::from(self.sends(place, 0, 0)) * u64::from(self.rounds) * self.bytes;
        (0..self.places).map(|place| (sent(place), self.coming(place) * self.bytes)).collect()
    }

    /// Messages that come to a place in all rounds together.
    fn coming(&self, place: u32) -> u64 {
        let rounds = u64::from(self.rounds);
        match &self.rule {
            Rule::Shift(_) => rounds,
            Rule::Permutation(to) => rounds * u64::from(to[place as usize] != place),
            Rule::Some(targets) if targets.binary_search(&place).is_ok() => rounds * u64::from(self.places - 1),
            Rule::Some(_) => 0,
            Rule::Drawn { coming, .. } => coming[place as usize].into(),
        }
    }
}

/// The destination of a message that is drawn, any place but its own with equal probability.
fn drawn(seed: u64, places: u32, place: u32, message: u32) -> u32 {
    let hash = mix(mix(seed ^ (u64::from(place) << 32 | u64::from(message))));
    let other = below(hash, places - 1);
    other + u32::from(other >= place)
}

/// A number below `n`, from a hash.
fn below(hash: u64, n: u32) -> u32 {
    ((u128::from(hash) * u128::from(n)) >> 64) as u32
}

/// A permutation without a fixed point, each with equal probability: shuffled until it has none.
fn derangement(seed: u64, places: u32) -> Vec<u32> {
    let mut attempt = 0;
    loop {
        let key = mix(mix(seed).wrapping_add(attempt));
        let mut to: Vec<u32> = (0..places).collect();
        for i in (1..places).rev() {
            to.swap(i as usize, below(mix(key ^ u64::from(i)), i + 1) as usize);
        }
        if (0..).zip(&to).all(|(place, &to)| place != to) {
            return to;
        }
        attempt += 1;
    }
}

fn rule(pattern: &PatternSpec, n: u32, messages: u32, seed: u64, owner: &str) -> Result<Rule> {
    let of = |keyword: &str| format!("{owner}: {keyword}");
    let wrong = |expected: &str| {
        let given = format!("{} among {n} ranks", pattern.name);
        Error::spec(of("pattern"), given, expected)
    };
    let table = |to: &dyn Fn(u32) -> u32| Rule::Permutation((0..n).map(to).collect());
    if n < 2 {
        return Err(wrong("at least two ranks in each communicator"));
    }
    let bits = || if n.is_power_of_two() { Ok(n.ilog2()) } else { Err(wrong("a power of two of ranks")) };
    let inside = |keyword: &str, place: u32| {
        let valid = format!("places of the communicator, 0 to {}", n - 1);
        if place < n { Ok(place) } else { Err(Error::spec(of(keyword), place, valid)) }
    };
    Ok(match pattern.name {
        Pattern::Neighbour => Rule::Shift(1),
        Pattern::Tornado if n < 3 => return Err(wrong("at least three ranks: with two, each sends to itself")),
        Pattern::Tornado => Rule::Shift(n.div_ceil(2) - 1),
        Pattern::Transpose => {
            let side = n.isqrt();
            if side * side != n {
                return Err(wrong("a square number of ranks, as 16 or 64"));
            }
            table(&|place| place % side * side + place / side)
        }
        Pattern::BitComplement => {
            bits()?;
            table(&|place| n - 1 - place)
        }
        Pattern::BitReverse => {
            let bits = bits()?;
            table(&|place| place.reverse_bits() >> (32 - bits))
        }
        Pattern::Shuffle => {
            let bits = bits()?;
            table(&|place| (place << 1 | place >> (bits - 1)) & (n - 1))
        }
        Pattern::RandomPermutation => Rule::Permutation(derangement(seed, n)),
        Pattern::Permutation => {
            let to = &pattern.to;
            let mut sources = vec![false; n as usize];
            if to.len() != n as usize {
                let valid = format!("a destination for each of {n} ranks of a communicator");
                return Err(Error::spec(of("destinations"), format!("{} of them", to.len()), valid));
            }
            for &place in to {
                if std::mem::replace(&mut sources[inside("destinations", place)? as usize], true) {
                    return Err(Error::spec(of("destinations"), format!("{place} twice"), "each destination once"));
                }
            }
            Rule::Permutation(to.clone())
        }
        Pattern::Incast => Rule::Some(vec![inside("target", pattern.target)?]),
        Pattern::AllToSome => {
            let mut found =
                pattern.targets.iter().map(|&place| inside("targets", place)).collect::<Result<Vec<_>>>()?;
            found.sort_unstable();
            if let Some(pair) = found.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(Error::spec(of("targets"), format!("{} twice", pair[0]), "each target once"));
            }
            if found.is_empty() {
                return Err(Error::spec(of("targets"), "none", "at least one"));
            }
            Rule::Some(found)
        }
        Pattern::Uniform => {
            if u64::from(n) * u64::from(messages) > MOST_DRAWN {
                let (value, limit) = (format!("{n} ranks x {messages}"), format!("{MOST_DRAWN} in a communicator"));
                return Err(Error::Overflow { what: of("messages that are drawn"), value, limit });
            }
            let mut coming = vec![0; n as usize];
            for place in 0..n {
                (0..messages).for_each(|message| coming[drawn(seed, n, place, message) as usize] += 1);
            }
            Rule::Drawn { seed, coming }
        }
    })
}

impl Schedule for Traffic {
    fn ranks(&self) -> u32 {
        self.places
    }

    fn lanes(&self) -> u32 {
        1
    }

    fn steps(&self, _: u32, _: u32) -> u32 {
        self.rounds
    }

    fn sends(&self, place: u32, _: u32, _: u32) -> u32 {
        match &self.rule {
            Rule::Shift(_) | Rule::Drawn { .. } => 1,
            Rule::Permutation(to) => u32::from(to[place as usize] != place),
            Rule::Some(targets) => (targets.len() - usize::from(targets.binary_search(&place).is_ok())) as u32,
        }
    }

    fn send(&self, place: u32, _: u32, round: u32, i: u32) -> Message {
        let to = match &self.rule {
            Rule::Shift(by) => (u64::from(place) + u64::from(*by)).rem_euclid(self.places.into()) as u32,
            Rule::Permutation(to) => to[place as usize],
            Rule::Some(targets) => {
                // the nearest higher one first, so that no target is everyone's first
                let higher = targets.partition_point(|&target| target <= place);
                targets[(higher + i as usize) % targets.len()]
            }
            Rule::Drawn { seed, .. } => drawn(*seed, self.places, place, round),
        };
        Message { to: Target::Rank(to), bytes: self.bytes, recv_step: self.rounds - 1 }
    }

    fn recvs(&self, place: u32, _: u32, round: u32) -> Recv {
        if round + 1 < self.rounds {
            return Recv::default();
        }
        let messages = self.coming(place);
        Recv { messages: messages as u32, bytes: messages * self.bytes, reduce: false }
    }

    fn symmetry(&self) -> Vec<Digit> {
        match self.rule {
            Rule::Shift(_) => vec![Digit { stride: 1, size: self.places }],
            _ => vec![],
        }
    }

    fn blocks(&self, place: u32, _: u32, round: u32, _: u32, out: &mut Vec<Block>) {
        out.push(Block::from(place) << 32 | Block::from(round));
    }

    fn block_bytes(&self, _: Block) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Pattern; 8] = [
        Pattern::Neighbour,
        Pattern::Tornado,
        Pattern::Transpose,
        Pattern::BitComplement,
        Pattern::BitReverse,
        Pattern::Shuffle,
        Pattern::RandomPermutation,
        Pattern::Uniform,
    ];

    fn traffic(pattern: impl Into<PatternSpec>, places: u32) -> Traffic {
        Traffic::new(&pattern.into(), places, (3, 10), 5, "it").unwrap()
    }

    #[test]
    fn what_is_sent_is_what_is_announced_and_nobody_sends_to_itself() {
        let some = PatternSpec { targets: vec![9, 3, 0], ..Pattern::AllToSome.into() };
        let one = PatternSpec { target: 5, ..Pattern::Incast.into() };
        for pattern in ALL.into_iter().map(PatternSpec::from).chain([some, one]) {
            let t = traffic(pattern.clone(), 16);
            let mut coming = [0; 16];
            for (place, round) in (0..16).flat_map(|place| (0..3).map(move |round| (place, round))) {
                for i in 0..t.sends(place, 0, round) {
                    let Message { to: Target::Rank(to), bytes: 10, recv_step: 2 } = t.send(place, 0, round, i) else {
                        panic!("{pattern:?}")
                    };
                    assert_ne!(to, place, "{pattern:?}");
                    coming[to as usize] += 1;
                }
                assert_eq!(t.recvs(place, 0, round).messages == 0, round < 2 || t.coming(place) == 0);
            }
            let bytes: u64 = t.carried().iter().map(|&(sent, _)| sent).sum();
            assert_eq!(bytes, 10 * u64::from(coming.iter().sum::<u32>()), "{pattern:?}");
            assert_eq!(t.carried().iter().map(|&(_, came)| came / 10).collect::<Vec<_>>(), coming.map(u64::from));
            let announced: Vec<u32> = (0..16).map(|place| t.recvs(place, 0, 2).messages).collect();
            assert_eq!(announced, coming, "{pattern:?}");
        }
    }

    #[test]
    fn patterns_are_those_of_the_book() {
        let to = |pattern, places, place| match traffic(pattern, places).send(place, 0, 0, 0).to {
            Target::Rank(to) => to,
            _ => panic!("a rank"),
        };
        // b = 4 bits, place 0b0011
        assert_eq!(to(Pattern::BitComplement, 16, 0b0011), 0b1100);
        assert_eq!(to(Pattern::BitReverse, 16, 0b0011), 0b1100);
        assert_eq!(to(Pattern::Shuffle, 16, 0b1011), 0b0111);
        assert_eq!(to(Pattern::Transpose, 16, 0b0111), 0b1101);
        // k = 9: half way less one
        assert_eq!((to(Pattern::Tornado, 9, 6), to(Pattern::Tornado, 8, 6)), (1, 1));
        assert_eq!(to(Pattern::Neighbour, 9, 8), 0);
        assert_eq!(traffic(Pattern::Transpose, 16).sends(5, 0, 0), 0, "the diagonal sends nothing");
    }

    #[test]
    fn draws_depend_on_the_seed_and_are_even() {
        let drawn = |seed| derangement(seed, 1000);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        // 100 places with 10 000 messages each: each expects 10 000 with sigma 100; six sigma is 600
        let t = Traffic::new(&Pattern::Uniform.into(), 100, (10_000, 1), 3, "it").unwrap();
        assert!((0..100).all(|place| t.coming(place).abs_diff(10_000) < 600));
        // the 9 derangements of four places: each expects 100 of 900 with sigma 9.4; six sigma is 57
        let mut counts = std::collections::BTreeMap::<Vec<u32>, u32>::new();
        (0..900).for_each(|seed| *counts.entry(derangement(seed, 4)).or_default() += 1);
        assert_eq!(counts.len(), 9);
        assert!(counts.values().all(|&count| count.abs_diff(100) < 57), "{counts:?}");
    }

    #[test]
    fn where_a_pattern_is_not_defined_it_says_so() {
        let refused = |pattern: PatternSpec, n| Traffic::new(&pattern, n, (1, 1), 0, "it").unwrap_err().to_string();
        let wrong = |pattern: Pattern, n| refused(pattern.into(), n);
        assert!(wrong(Pattern::Transpose, 12).contains("a square number of ranks"));
        assert!(wrong(Pattern::BitComplement, 12).contains("a power of two"));
        assert!(wrong(Pattern::Tornado, 2).contains("at least three"));
        assert!(wrong(Pattern::Neighbour, 1).contains("at least two"));
        assert!(refused(PatternSpec { target: 4, ..Pattern::Incast.into() }, 4).contains("it: target: 4 is not valid"));
        assert!(
            refused(PatternSpec { targets: vec![1, 1], ..Pattern::AllToSome.into() }, 4)
                .contains("it: targets: 1 twice")
        );
        assert!(
            refused(PatternSpec { to: vec![0, 1], ..Pattern::Permutation.into() }, 4)
                .contains("it: destinations: 2 of them")
        );
        assert!(
            refused(PatternSpec { to: vec![0, 1, 1, 2], ..Pattern::Permutation.into() }, 4)
                .contains("it: destinations: 1 twice")
        );
    }
}
