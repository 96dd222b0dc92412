//! Who sums up with a rank in the switches: a run of consecutive places, under other names where ranks are renamed.
//!
//! **Model.** A schedule counts the places of its circle from a first one on. A wrapper that renames ranks names the places: by a list,
//! by the peers of a communicator, or by both, the list first.
//!
//! **Invariant.** All circles of a schedule in a step are of one size, and no rank is in two of them. **Cost.** A value of a few words:
//! naming a member looks up nothing unless ranks are renamed.

use std::fmt::Debug;

/// A communicator that knows its members by place.
pub trait Peers: Debug {
    /// The rank at a place of the communicator that a rank is in.
    fn peer(&self, rank: u32, place: u32) -> u32;
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Circle<'a> {
    first: u32,
    size: u32,
    order: Option<&'a [u32]>,
    peers: Option<(&'a dyn Peers, u32)>,
}

impl<'a> Circle<'a> {
    /// So many places from one on.
    pub fn new(first: u32, size: u32) -> Self {
        Circle { first, size, order: None, peers: None }
    }

    /// The same, where place `i` is rank `order[i]`.
    pub fn ordered(self, order: &'a [u32]) -> Self {
        Circle { order: Some(order), ..self }
    }

    /// The same in the communicator that a rank is in.
    pub fn among(self, peers: &'a dyn Peers, rank: u32) -> Self {
        Circle { peers: Some((peers, rank)), ..self }
    }

    /// How many sum up with each other.
    #[inline]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// One of them, by its number.
    #[inline]
    pub fn member(&self, number: u32) -> u32 {
        let place = self.first + number;
        let place = self.order.map_or(place, |order| order[place as usize]);
        self.peers.map_or(place, |(peers, rank)| peers.peer(rank, place))
    }

    /// All of them.
    pub fn members(self) -> impl Iterator<Item = u32> + 'a {
        (0..self.size).map(move |number| self.member(number))
    }
}
