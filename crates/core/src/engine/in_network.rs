//! In-network operations: what a switch adds up and replicates.
//!
//! **Model.** A contribution leaves its input buffer when it arrives and is added; the switch forwards the sum when one has
//! come from every rank beneath a lone tier, or from every child with ranks beneath in a tree ([`Contributors`]). Below the top
//! of a tree the sum goes on up, the way that all its contributions go; there it is complete, and goes down to
//! its root or, replicated by every switch on the way, to all ranks. A multicast climbs to the top and comes down alike.
//!
//! **Invariant.** A link carries one packet of a sum, however many ranks contribute beneath: so what a symmetry of the
//! run leaves where it is, is a packet as well as the link it takes ([`crate::symmetry`]).
//!
//! **Cost.** One look-up a contribution. **Limits.** Sums are kept in a table without a size limit, and copies do not hold the
//! input buffer. Packets of one message are told apart as far as their numbers fit above the ways up a tree, 2^32 / ways:
//! those further apart (a gibibyte and more in trees of three tiers) must not be under way at once.

use super::layout::SwitchKind;
use super::packet::{FREE, LAST, MULTICAST, Packet, REDUCE};
use super::paths::PathNet;
use super::shard::Shard;
use crate::walk::untag;

/// Label of the contributions to sums for all: each link carries one packet of each.
pub(super) const SHARED: u32 = 0;

/// Which children of a tree's switches have ranks beneath, by tier.
#[derive(Debug, Default)]
pub(super) struct Contributors {
    tiers: Vec<Tier>,
}

#[derive(Debug)]
struct Tier {
    /// Children of subtree `a` are `children[first[a]..first[a + 1]]`.
    first: Vec<u32>,
    /// Subtrees of the tier below; at the lowest tier, members.
    children: Vec<u32>,
}

impl Contributors {
    /// From the subtree of the lowest tier that each member stands under, and the children of a switch of each tier above.
    pub(super) fn new(leaves: &[u32], downs: &[u32]) -> Self {
        let mut tiers = vec![Tier::new(leaves, 1)];
        for &down in downs {
            let below = &tiers[tiers.len() - 1];
            let used = |&a: &u32| below.first[a as usize] < below.first[a as usize + 1];
            let subtrees: Vec<u32> = (0..below.first.len() as u32 - 1).filter(used).collect();
            let mut tier = Tier::new(&subtrees, down);
            tier.children.iter_mut().for_each(|child| *child = subtrees[*child as usize]);
            tiers.push(tier);
        }
        Self { tiers }
    }

    fn of(&self, tier: usize, subtree: u32) -> std::ops::Range<usize> {
        let first = &self.tiers[tier].first;
        first[subtree as usize] as usize..first[subtree as usize + 1] as usize
    }
}

impl Tier {
    /// Puts the `i`-th of these under the switch of `down` of them.
    fn new(places: &[u32], down: u32) -> Self {
        let switches = places.iter().max().map_or(0, |&last| last / down + 1);
        let mut first = vec![0u32; switches as usize + 1];
        places.iter().for_each(|place| first[(place / down) as usize + 1] += 1);
        (1..first.len()).for_each(|a| first[a] += first[a - 1]);
        let mut next = first.clone();
        let mut children = vec![0; places.len()];
        for (i, place) in places.iter().enumerate() {
            let at = &mut next[(place / down) as usize];
            children[*at as usize] = i as u32;
            *at += 1;
        }
        Self { first, children }
    }
}

impl Shard<'_> {
    /// A packet that this switch combines or replicates.
    #[cold]
    pub(super) fn in_network(
        &mut self,
        (lp, base): (u32, u32),
        kind: &SwitchKind,
        (first, copy): (u32, u32),
        mut packet: Packet,
    ) {
        let from = u32::from(packet.in_port());
        self.scratch.free_buffer(from, packet.channel(), packet.wire(), packet.time);
        packet.time += kind.latency;
        packet.set_flags(packet.flags() | FREE);
        let net = &self.paths.networks[kind.network as usize];
        debug_assert!(copy == net.group_copy || self.job.schedule.a_circle().is_some() || self.job.workload.is_some());
        match &net.contributors {
            Some(contributors) => self.in_tree((lp, base), kind, first, from, packet, net, contributors),
            None => self.in_star((lp, base), kind, first, from, packet, net),
        }
    }

    /// Counts a contribution; gives the sum if it was the last of `all`.
    fn add(&mut self, lp: u32, mut packet: Packet, all: u32) -> Option<Packet> {
        let key = [lp, packet.dst(), packet.tag(), packet.selector()];
        let sum = self.sums.entry(key).or_insert((0, 0));
        *sum = (sum.0 + 1, sum.1.max(packet.time));
        if sum.0 < all {
            return None;
        }
        // all its contributions came by links alike, and which of them was seen last must not matter
        packet = packet.arrived(0, sum.1);
        packet.set_flags(packet.flags() | FREE);
        self.sums.remove(&key);
        Some(packet)
    }

    /// At the one switch of a plane.
    fn in_star(
        &mut self,
        (lp, base): (u32, u32),
        kind: &SwitchKind,
        first: u32,
        from: u32,
        mut packet: Packet,
        net: &PathNet,
    ) {
        if packet.flags() & REDUCE != 0 {
            // the root is where the sum will go; its circle is as large as any
            let all = self.job.schedule.circle(self.job.folding.rank(0), untag(packet.tag()).1).size();
            if let Some(mut sum) = self.add(lp, packet, all) {
                sum.set_flags(sum.flags() & (LAST | FREE));
                self.emit(lp, base, kind, first, sum);
            }
            return;
        }
        packet.set_flags(packet.flags() & (LAST | FREE));
        let links = net.plane_links[kind.plane as usize];
        let owner = packet.message_class();
        // which of an accelerator's links it takes: that by which it came, turned as far as the receiver is from the owner
        let turns = self.job.folding.turns(kind.network.into());
        let link = from % links + links;
        let step = untag(packet.tag()).1;
        let circle = self.job.schedule.circle(owner, step);
        let labels = self.job.folding.labels(self.job.operation(step));
        for number in 0..circle.size() {
            let member = net.group[circle.member(number) as usize];
            let link = if turns { link - member.turned } else { link } % links;
            packet.set_dst(member.slot * links + link);
            packet.set_message_class(labels.of(owner, member.rank));
            self.emit(lp, base, kind, first, packet);
        }
    }

    /// At a switch of a tree.
    #[allow(clippy::too_many_arguments)] // where the packet is
    fn in_tree(
        &mut self,
        (lp, base): (u32, u32),
        kind: &SwitchKind,
        first: u32,
        from: u32,
        packet: Packet,
        net: &PathNet,
        contributors: &Contributors,
    ) {
        let (tier, subtree) = (kind.route.tier(), kind.route.subtree(first));
        let below = contributors.of(tier, subtree);
        let complete = match packet.flags() & REDUCE != 0 {
            true => self.add(lp, packet, below.len() as u32),
            false => Some(packet),
        };
        let Some(mut packet) = complete else {
            return;
        };
        if !kind.route.leads_up(from) && tier < usize::from(packet.turn()) {
            let o = kind.route.next(from, packet.turn(), first, packet.dst(), packet.selector());
            return self.queue(lp, base, o, packet);
        }
        let links = net.plane_links[kind.plane as usize];
        if packet.flags() & MULTICAST == 0 {
            // complete: an ordinary packet from here on
            packet.set_flags(packet.flags() & !REDUCE);
            return self.emit(lp, base, kind, first, packet);
        }
        packet.set_flags(packet.flags() & !REDUCE);
        // going up it stood for the sum or its owner
        let (link, owner) = (packet.dst() % links, packet.message_class());
        let labels = self.job.folding.labels(self.job.operation(untag(packet.tag()).1));
        for &child in &contributors.tiers[tier].children[below] {
            if tier > 0 {
                packet.set_dst(child * kind.route.below() + link);
            } else {
                let member = &net.group[child as usize];
                packet.set_dst(member.slot * links + link);
                packet.set_flags(packet.flags() & !MULTICAST);
                let source = if self.paths.shared { member.rank } else { owner };
                packet.set_message_class(labels.of(source, member.rank));
            }
            self.emit(lp, base, kind, first, packet);
        }
    }

    /// Sends a packet down to its destination's place.
    fn emit(&mut self, lp: u32, base: u32, kind: &SwitchKind, first: u32, packet: Packet) {
        let o = kind.route.down(first, packet.dst(), packet.selector());
        self.queue(lp, base, o, packet);
    }

    fn queue(&mut self, lp: u32, base: u32, o: u32, packet: Packet) {
        let fifo = self.ports[(base + o) as usize].fifo;
        self.scratch.fresh(o, fifo);
        self.packets.push(&mut self.fifos[fifo as usize].ring, packet);
        self.out_bits[(self.words[lp as usize] + o / 64) as usize] |= 1 << (o % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_children_with_ranks_count() {
        // members under leaves 0, 0, 3 and 5; four leaves a pod, two pods
        let contributors = Contributors::new(&[0, 0, 3, 5], &[4, 2]);
        let children =
            |tier: usize, subtree: u32| contributors.tiers[tier].children[contributors.of(tier, subtree)].to_vec();
        assert_eq!((children(0, 0), children(0, 1), children(0, 3)), (vec![0, 1], vec![], vec![2]));
        assert_eq!((children(1, 0), children(1, 1)), (vec![0, 3], vec![5]));
        assert_eq!(children(2, 0), [0, 1]);
    }
}
