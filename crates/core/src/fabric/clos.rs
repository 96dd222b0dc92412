//! Up/down trees: single-stage switches, two- and three-tier Clos networks of any radix, trunking and oversubscription.
//!
//! The shape is the parallel-port generalised fat tree PGFT(h; m; w; p): a tier-l switch has `m[l]` children over `p[l]`
//! parallel links each, and every tier-(l-1) vertex has `w[l]` parents. A tier-l switch is named by the pair (a, b): `a`
//! is the subtree of positions beneath it, `b` tells it from the other switches over the same subtree.
//!
//! **Invariant.** Neighbours are arithmetic on (a, b, port): nothing is stored per vertex. `peer` is an involution.
//!
//! **Cost.** O(1) a query, a few words a tree whatever its size.
//!
//! **Source.** Zahavi, "Fat-tree routing and node ordering providing contention free traffic for MPI global collectives",
//! JPDC 72(11) 2012 (PGFT and its D-mod-K routing); Öhring et al., IPPS 1995 (the unparallel form).

/// One tree (one plane of a network).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clos {
    tiers: Vec<Tier>,
}

/// One tier of switches, counted from the accelerators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Children of a switch (m).
    pub down: u32,
    /// Parents of a child (w).
    pub up: u32,
    /// Parallel links between the two (p).
    pub parallel: u32,
    /// Positions beneath a child: product of `down` of the tiers below.
    pub child_positions: u32,
    /// Switches over one child subtree: product of `up` of the tiers below.
    pub child_twins: u32,
    /// Switches of this tier.
    pub switches: u32,
    /// Index of the first switch of this tier within the tree.
    pub first: u32,
    /// Product of `up * parallel` of the tiers below: where this tier's digit of a path selector starts.
    pub digit: u32,
}

/// A vertex of a tree, or a position (the place of one accelerator link).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// Position at the bottom.
    Position(u32),
    /// Switch by index within the tree.
    Switch(u32),
}

impl Clos {
    /// A tree from its tier lists (innermost first). `None` if a count does not fit 31 bits or is zero.
    pub fn new(down: &[u32], up: &[u32], parallel: &[u32]) -> Option<Self> {
        let mut tiers = Vec::with_capacity(down.len());
        let (mut positions, mut twins, mut digit, mut first) = (1u64, 1u64, 1u64, 0u64);
        let total: u64 = down.iter().try_fold(1u64, |n, &d| n.checked_mul(u64::from(d)))?;
        for ((&down, &up), &parallel) in down.iter().zip(up).zip(parallel) {
            let subtrees = total.checked_div(positions * u64::from(down))?;
            let switches = subtrees.checked_mul(twins.checked_mul(u64::from(up))?)?;
            let ports = u64::from(down) * u64::from(parallel);
            if [total, switches, first + switches, digit, ports].iter().any(|&n| n == 0 && n != first || n >= 1 << 31) {
                return None;
            }
            tiers.push(Tier {
                down,
                up,
                parallel,
                child_positions: positions as u32,
                child_twins: twins as u32,
                switches: switches as u32,
                first: first as u32,
                digit: digit as u32,
            });
            positions *= u64::from(down);
            twins *= u64::from(up);
            digit = digit.checked_mul(u64::from(up) * u64::from(parallel))?;
            first += switches;
        }
        (!tiers.is_empty()).then_some(Self { tiers })
    }

    /// Tiers, innermost first.
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// Number of positions.
    pub fn positions(&self) -> u32 {
        let top = self.top();
        top.down * top.child_positions
    }

    /// Number of switches.
    pub fn switches(&self) -> u32 {
        let top = self.top();
        top.first + top.switches
    }

    fn top(&self) -> &Tier {
        &self.tiers[self.tiers.len() - 1]
    }

    /// Tier (0 = leaf) of a switch and its (subtree, twin) name.
    pub fn locate(&self, switch: u32) -> (usize, u32, u32) {
        let tier = self.tiers.iter().rposition(|t| switch >= t.first).unwrap_or(0);
        let t = &self.tiers[tier];
        let twins = t.child_twins * t.up;
        let local = switch - t.first;
        (tier, local / twins, local % twins)
    }

    /// Ports of a switch of this tier: the down ports first, then the up ports.
    pub fn ports(&self, tier: usize) -> u32 {
        let t = &self.tiers[tier];
        t.down * t.parallel + self.tiers.get(tier + 1).map_or(0, |u| u.up * u.parallel)
    }

    /// The other end of a switch's port.
    pub fn peer(&self, switch: u32, port: u32) -> (Node, u32) {
        let (tier, a, b) = self.locate(switch);
        let t = &self.tiers[tier];
        let downs = t.down * t.parallel;
        if port < downs {
            let (child, k) = (port / t.parallel, port % t.parallel);
            let child_a = a * t.down + child;
            if tier == 0 {
                return (Node::Position(child_a), 0);
            }
            let (parent, child_b) = (b / t.child_twins, b % t.child_twins);
            let below = &self.tiers[tier - 1];
            let index = below.first + child_a * (below.child_twins * below.up) + child_b;
            (Node::Switch(index), below.down * below.parallel + parent * t.parallel + k)
        } else {
            let above = &self.tiers[tier + 1];
            let (parent, k) = ((port - downs) / above.parallel, (port - downs) % above.parallel);
            let (parent_a, child) = (a / above.down, a % above.down);
            let parent_b = parent * above.child_twins + b;
            let index = above.first + parent_a * (above.child_twins * above.up) + parent_b;
            (Node::Switch(index), child * above.parallel + k)
        }
    }

    /// The leaf switch and its port at a position.
    pub fn leaf(&self, position: u32) -> (u32, u32) {
        let t = &self.tiers[0];
        (position / t.down, position % t.down)
    }

    /// Tier index of the lowest common ancestor of two positions.
    pub fn meet(&self, x: u32, y: u32) -> usize {
        let mut tier = 0;
        while tier + 1 < self.tiers.len()
            && x / (self.tiers[tier].child_positions * self.tiers[tier].down)
                != y / (self.tiers[tier].child_positions * self.tiers[tier].down)
        {
            tier += 1;
        }
        tier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_64_port_three_tier_fat_tree() {
        // k = 64: k^3/4 hosts, k^2/2 leaves and as many aggregation switches, k^2/4 cores
        let tree = Clos::new(&[32, 32, 64], &[1, 32, 32], &[1, 1, 1]).unwrap();
        assert_eq!(tree.positions(), 65_536);
        let tiers: Vec<u32> = tree.tiers().iter().map(|t| t.switches).collect();
        assert_eq!(tiers, [2048, 2048, 1024]);
        assert_eq!((tree.ports(0), tree.ports(1), tree.ports(2)), (64, 64, 64));
    }

    #[test]
    fn peer_is_an_involution() {
        for tree in [
            Clos::new(&[4, 3, 2], &[1, 2, 3], &[1, 2, 1]).unwrap(),
            Clos::new(&[8], &[1], &[1]).unwrap(),
            Clos::new(&[4, 6], &[1, 4], &[1, 3]).unwrap(),
        ] {
            for switch in 0..tree.switches() {
                let (tier, ..) = tree.locate(switch);
                for port in 0..tree.ports(tier) {
                    let back = match tree.peer(switch, port) {
                        (Node::Position(p), 0) => {
                            let (s, q) = tree.leaf(p);
                            (s, q)
                        }
                        (Node::Switch(s), q) => match tree.peer(s, q) {
                            (Node::Switch(s), q) => (s, q),
                            other => panic!("{other:?}"),
                        },
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(back, (switch, port));
                }
            }
        }
    }

    #[test]
    fn too_large_is_refused() {
        assert!(Clos::new(&[1 << 20, 1 << 20], &[1, 1], &[1, 1]).is_none());
        assert!(Clos::new(&[0], &[1], &[1]).is_none());
    }
}
