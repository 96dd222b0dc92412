//! Up/down routing in a tree: up to the lowest switch over the destination, then down.
//!
//! The uplink at each tier is a digit of the packet's selector ([`super::climb`] makes it). The same digit picks among parallel
//! links on the way down. A packet knows at which tier it turns, so a switch need not compare positions: in a folded tree
//! ([`crate::symmetry`]) different subtrees share theirs.
//!
//! **Cost.** Two to four multiplications a hop. **Source.** Zahavi 2012 (see [`crate::fabric::clos`]).

use super::Div;
use crate::fabric::clos::Clos;

/// What all switches of one tier of one tree share.
#[derive(Clone, Copy, Debug)]
pub struct TierRoute {
    tier: u8,
    span: u32,
    child: Div,
    parallel: u32,
    digit: Div,
    choices: Div,
    up: Div,
    downs: u32,
    up_digit: Div,
    up_choices: Div,
    up_parents: Div,
    up_parallel: u32,
}

impl TierRoute {
    /// The routing constants of a tier.
    pub fn new(tree: &Clos, tier: usize) -> Self {
        let t = &tree.tiers()[tier];
        let above = tree.tiers().get(tier + 1);
        Self {
            tier: tier as u8,
            span: t.child_positions * t.down,
            child: Div::new(t.child_positions),
            parallel: t.parallel,
            digit: Div::new(t.digit),
            choices: Div::new(t.up * t.parallel),
            up: Div::new(t.up),
            downs: t.down * t.parallel,
            up_digit: Div::new(above.map_or(1, |a| a.digit)),
            up_choices: Div::new(above.map_or(1, |a| a.up * a.parallel)),
            up_parents: Div::new(above.map_or(1, |a| a.up)),
            up_parallel: above.map_or(1, |a| a.parallel),
        }
    }

    /// First position beneath switch (subtree `a`) of this tier.
    pub fn first_position(&self, a: u32) -> u32 {
        a * self.span
    }

    /// Its tier, counted from the accelerators.
    pub fn tier(&self) -> usize {
        self.tier.into()
    }

    /// Which subtree of its tier a switch with this first position stands over.
    pub fn subtree(&self, first: u32) -> u32 {
        first / self.span
    }

    /// True if this port of a switch leads up.
    pub fn leads_up(&self, port: u32) -> bool {
        port >= self.downs
    }

    /// Positions beneath a child.
    pub fn below(&self) -> u32 {
        self.child.by()
    }

    /// Output port of a packet that came in by port `from` and turns at tier `turn`, towards position `dst`, at the switch
    /// whose first position is `first`.
    #[inline(always)]
    pub fn next(&self, from: u32, turn: u8, first: u32, dst: u32, selector: u32) -> u32 {
        if from >= self.downs || turn <= self.tier {
            self.down(first, dst, selector)
        } else {
            let u = self.up_choices.remainder(self.up_digit.quotient(selector));
            if self.up_parallel == 1 {
                self.downs + u
            } else {
                self.downs + self.up_parents.remainder(u) * self.up_parallel + self.up_parents.quotient(u)
            }
        }
    }

    /// Output port down to a position beneath.
    #[inline(always)]
    pub fn down(&self, first: u32, dst: u32, selector: u32) -> u32 {
        debug_assert!(dst.wrapping_sub(first) < self.span, "position {dst} is not beneath {first}");
        let port = self.child.quotient(dst - first) * self.parallel;
        if self.parallel == 1 {
            port
        } else {
            port + self.up.quotient(self.choices.remainder(self.digit.quotient(selector)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::clos::Node;
    use crate::routing::climb::Climb;
    use proptest::prelude::*;

    /// Follows a route and returns the switches visited.
    fn walk(tree: &Clos, src: u32, dst: u32, selector: u32) -> Vec<u32> {
        let routes: Vec<TierRoute> = (0..tree.tiers().len()).map(|t| TierRoute::new(tree, t)).collect();
        let (mut at, mut from) = (Node::Switch(tree.leaf(src).0), tree.leaf(src).1);
        let (turn, mut visited) = (tree.meet(src, dst) as u8, vec![]);
        while let Node::Switch(s) = at {
            visited.push(s);
            assert!(visited.len() <= 2 * tree.tiers().len(), "a loop: {visited:?}");
            let (tier, a, _) = tree.locate(s);
            let route = &routes[tier];
            (at, from) = tree.peer(s, route.next(from, turn, route.first_position(a), dst, selector));
        }
        assert_eq!(at, Node::Position(dst));
        visited
    }

    #[test]
    fn d_mod_k_gives_every_destination_its_own_downward_path() {
        // In a full tree, all sources outside a destination's subtree reach it over one and the same root.
        let tree = Clos::new(&[4, 4, 8], &[1, 4, 4], &[1, 1, 1]).unwrap();
        let mut roots = vec![];
        for dst in 0..16 {
            let by_destination = Climb::new(&tree, &[]).selector(dst, 0, 2);
            let root = walk(&tree, 64, dst, by_destination)[2];
            for src in 64..128 {
                assert_eq!(walk(&tree, src, dst, by_destination)[2], root);
            }
            roots.push(root);
        }
        roots.sort_unstable();
        roots.dedup();
        // 16 destinations of a pod over 16 roots: one each
        assert_eq!(roots.len(), 16);
    }

    proptest! {
        #[test]
        fn routes_are_minimal(
            down in prop::collection::vec(1u32..6, 1..4),
            up in prop::collection::vec(1u32..4, 3),
            parallel in prop::collection::vec(1u32..3, 3),
            x: u32, y: u32, selector: u32,
        ) {
            let mut up = up[..down.len()].to_vec();
            let mut parallel = parallel[..down.len()].to_vec();
            up[0] = 1;
            parallel[0] = 1;
            let tree = Clos::new(&down, &up, &parallel).unwrap();
            let (x, y) = (x % tree.positions(), y % tree.positions());
            prop_assert_eq!(walk(&tree, x, y, selector).len(), 2 * tree.meet(x, y) + 1);
        }
    }
}
