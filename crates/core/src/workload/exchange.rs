//! Messages that are listed one by one: between named ranks, or by a matrix of bytes.
//!
//! **Model.** One step, in which a place sends each of its messages and receives all that go to it, as a direct all-to-all does. The first
//! message goes to the nearest higher place that gets one, so that no receiver is everyone's first.
//!
//! **Invariant.** No place sends to itself, nor twice to the same place. **Cost.** 16 bytes per message and 24 per place.
//! **Limits.** A list has no symmetry that is known, so a run that holds one is not folded.

use crate::collective::{Block, Message, Recv, Schedule, Target};
use crate::error::{Error, Result};

/// Most bytes that a place can be sent in one operation.
const MOST: u64 = 1 << 60;

/// A listed message: source, destination and bytes.
type Listed = (u32, u32, u64);

/// See the module's documentation.
#[derive(Debug)]
pub struct Exchange {
    /// Where the messages of each place begin in `messages`, and one more.
    starts: Vec<usize>,
    /// Destination and bytes, of all places one after the other.
    messages: Vec<(u32, u64)>,
    /// Messages and bytes that come to each place.
    coming: Vec<(u32, u64)>,
}

impl Exchange {
    /// The exchange of these messages among so many places.
    ///
    /// # Errors
    /// [`Error::Spec`] with `field` if a place sends to itself or twice to the same place; [`Error::Overflow`] if one is sent too much.
    pub fn new(places: u32, mut listed: Vec<Listed>, field: &str) -> Result<Self> {
        let turn = |&(from, to, _): &Listed| (from, if to > from { to - from } else { places - from + to });
        listed.sort_by_key(turn);
        if let Some(&(from, ..)) = listed.iter().find(|(from, to, _)| from == to) {
            return Err(Error::spec(field, format!("{from} to itself"), "another destination than the source"));
        }
        if let Some(pair) = listed.windows(2).find(|pair| turn(&pair[0]) == turn(&pair[1])) {
            let (from, to, _) = pair[0];
            return Err(Error::spec(field, format!("{from} to {to} twice"), "each pair once"));
        }
        let (mut starts, mut coming) = (vec![0; places as usize + 1], vec![(0, 0u64); places as usize]);
        for &(from, to, bytes) in &listed {
            starts[from as usize + 1] += 1;
            let (messages, all) = &mut coming[to as usize];
            (*messages, *all) = (*messages + 1, all.saturating_add(bytes));
            if *all > MOST {
                let limit = format!("{MOST} to one rank");
                return Err(Error::Overflow { what: field.to_string(), value: format!("{all} bytes"), limit });
            }
        }
        for place in 1..starts.len() {
            starts[place] += starts[place - 1];
        }
        Ok(Self { starts, messages: listed.into_iter().map(|(_, to, bytes)| (to, bytes)).collect(), coming })
    }

    fn of(&self, place: u32) -> &[(u32, u64)] {
        &self.messages[self.starts[place as usize]..self.starts[place as usize + 1]]
    }

    /// Bytes that each place sends and receives.
    pub fn carried(&self) -> Vec<(u64, u64)> {
        let sent = |place| self.of(place).iter().map(|&(_, bytes)| bytes).sum();
        (0..self.ranks()).map(|place| (sent(place), self.coming[place as usize].1)).collect()
    }

    /// Bytes of the largest message.
    pub fn largest(&self) -> u64 {
        self.messages.iter().map(|&(_, bytes)| bytes).max().unwrap_or(0)
    }
}

impl Schedule for Exchange {
    fn ranks(&self) -> u32 {
        self.coming.len() as u32
    }

    fn lanes(&self) -> u32 {
        1
    }

    fn steps(&self, place: u32, _: u32) -> u32 {
        u32::from(!self.of(place).is_empty() || self.coming[place as usize].0 > 0)
    }

    fn sends(&self, place: u32, _: u32, _: u32) -> u32 {
        self.of(place).len() as u32
    }

    fn send(&self, place: u32, _: u32, _: u32, i: u32) -> Message {
        let (to, bytes) = self.of(place)[i as usize];
        Message { to: Target::Rank(to), bytes, recv_step: 0 }
    }

    fn recvs(&self, place: u32, _: u32, _: u32) -> Recv {
        let (messages, bytes) = self.coming[place as usize];
        Recv { messages, bytes, reduce: false }
    }

    fn blocks(&self, place: u32, _: u32, _: u32, i: u32, out: &mut Vec<Block>) {
        out.push(self.starts[place as usize] as Block + Block::from(i));
    }

    fn block_bytes(&self, block: Block) -> u64 {
        self.messages[block as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_higher_place_is_first() {
        let all = Exchange::new(4, vec![(2, 0, 5), (2, 3, 6), (0, 1, 7), (3, 1, 8)], "matrix").unwrap();
        let sent = |place| (0..all.sends(place, 0, 0)).map(|i| all.send(place, 0, 0, i)).collect::<Vec<_>>();
        let to = |to, bytes| Message { to: Target::Rank(to), bytes, recv_step: 0 };
        assert_eq!(sent(2), [to(3, 6), to(0, 5)]);
        assert_eq!((sent(0), sent(1), sent(3)), (vec![to(1, 7)], vec![], vec![to(1, 8)]));
        assert_eq!(all.recvs(1, 0, 0), Recv { messages: 2, bytes: 15, reduce: false });
        assert_eq!((all.carried(), all.largest()), (vec![(7, 5), (0, 15), (11, 0), (8, 6)], 8));
        assert_eq!([0, 1, 2, 3].map(|place| all.steps(place, 0)), [1, 1, 1, 1]);
        let one = Exchange::new(3, vec![(0, 2, 1)], "matrix").unwrap();
        assert_eq!([0, 1, 2].map(|place| one.steps(place, 0)), [1, 0, 1]);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let wrong = |listed: &[Listed]| Exchange::new(4, listed.to_vec(), "pairs").unwrap_err().to_string();
        assert!(wrong(&[(1, 1, 5)]).contains("1 to itself"));
        assert!(wrong(&[(0, 1, 5), (2, 3, 1), (0, 1, 6)]).contains("0 to 1 twice"));
        assert!(wrong(&[(0, 1, MOST), (2, 1, 1)]).contains("pairs"));
    }
}
