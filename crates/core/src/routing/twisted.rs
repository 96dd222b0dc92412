//! The shortest ways through a torus with a twist.
//!
//! **Model.** Displacements are vectors of whole numbers; two lead to the same place if they differ by a vector of the
//! lattice that the wraparounds span. With a twist, crossing one wraparound and coming back along another ring can be
//! shorter than either alone, so all of the few candidates are compared. A shortest way then goes in dimension order.
//!
//! **Invariant.** Which of several shortest ways a packet takes is a function of its *order* alone: which sign is preferred
//! (bit 0), and whether the first two dimensions should be long or short (bits 1 and 2). After a hop the remaining way
//! is again the one that the order chooses, so nothing but the way left and the order travels, and no packet returns
//! to a dimension that it has left.
//!
//! **Cost.** Two candidates for each ring whose wraparound shifts others. **Limits.** At most [`MOST_TWISTED`] dimensions.
//!
//! **Source.** Camarero, Martinez, Beivide: Lattice graphs for high-scale interconnection topologies, IEEE TPDS 26(9) 2015.

use crate::fabric::direct::{Dimension, Direct, MOST_TWISTED};

const MOST: usize = MOST_TWISTED;
/// Different orders.
pub const ORDERS: u32 = 8;

/// Hops by dimension; negative ones go down. Zero where the dimension is no ring.
pub type Hops = [i32; MOST];

/// The shortest way that an order chooses.
#[inline]
pub fn hops(direct: &Direct, way: u32, order: u32) -> Hops {
    let mut best = ([i32::MAX; 2 * MOST + 1], [0; MOST]);
    let turned = direct.turned();
    for crossed in 0..1u32 << turned.len() {
        let mut found = [0; MOST];
        for (i, dim) in direct.dims.iter().enumerate() {
            let Dimension::Line { size, wrap: true } = dim.kind else {
                continue;
            };
            let over = |turned_dim: usize| turned.iter().position(|&t| t == turned_dim).map_or(0, |n| crossed >> n & 1);
            let ahead = (way / dim.unit % size) as i32;
            let size = size as i32;
            let down = order & 1 == 1;
            found[i] = if turned.contains(&i) {
                match (over(i), ahead) {
                    (0, _) => ahead,
                    (_, 0) if down => -size,
                    (_, 0) => size,
                    _ => ahead - size,
                }
            } else {
                let times: u32 = direct.twist.iter().filter(|pair| pair.1 == i).map(|pair| over(pair.0)).sum();
                let ahead = if times % 2 == 1 { (ahead + size / 2) % size } else { ahead };
                match (2 * ahead).cmp(&size) {
                    std::cmp::Ordering::Less => ahead,
                    std::cmp::Ordering::Equal if !down => ahead,
                    _ => ahead - size,
                }
            };
        }
        let candidate = (key(&found, order), found);
        if candidate.0 < best.0 {
            best = candidate;
        }
    }
    best.1
}

/// What the shortest ways are ranked by: all hops, then by dimension how many, then their sign.
fn key(hops: &Hops, order: u32) -> [i32; 2 * MOST + 1] {
    let mut key = [0; 2 * MOST + 1];
    key[0] = hops.iter().map(|h| h.abs()).sum();
    for (i, &h) in hops.iter().enumerate() {
        let long = i < 2 && order >> (1 + i) & 1 == 1;
        key[2 * i + 1] = if long { -h.abs() } else { h.abs() };
        key[2 * i + 2] = i32::from((h < 0) != (order & 1 == 1));
    }
    key
}

/// One order for each first hop that a shortest way can begin with, and how many those are.
pub fn orders(direct: &Direct, way: u32) -> ([u32; ORDERS as usize], u32) {
    let (mut orders, mut firsts, mut count) = ([0; ORDERS as usize], [(0, false); ORDERS as usize], 0);
    for order in 0..ORDERS {
        let hops = hops(direct, way, order);
        let first = hops.iter().position(|&h| h != 0).map_or((0, false), |i| (i, hops[i] < 0));
        if !firsts[..count].contains(&first) {
            (orders[count], firsts[count]) = (order, first);
            count += 1;
        }
    }
    (orders, count as u32)
}
