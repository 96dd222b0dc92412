//! Symmetries of a run, and its quotient: what must be simulated so that everything else is a copy of it.
//!
//! **Model.** The group shifts some digits of the rank, each cyclically and on its own. It is taken from what the schedule
//! declares ([`crate::collective::Schedule::symmetry`]), kept as far as every network allows it ([`place`]), and a
//! schedule that uses a network's virtual channels unevenly loses it again. If it maps fabric, routes and schedule onto
//! themselves and moves every port in use, then a deterministic simulator whose tie-breaks are the same for all members
//! of a class keeps the symmetry for ever: one port of each class carries the truth. The quotient of a tree is a smaller
//! tree, that of a ring or full mesh one place whose links lead back to itself, so the engine runs on a quotient as on
//! any fabric; only where a message turns and which way up it takes are worked out in the whole fabric, when it is sent.
//!
//! **Labels.** What ties between packets go by is in [`Labels`].
//!
//! **Sums.** In a tree that forms sums of all for all, a shift may leave a link where it is, as long as it leaves its packets
//! where they are, too: each link carries one packet of a sum, whoever contributes beneath. So there only the
//! accelerators must move, uplinks are not folded, and a link stands for as many as there are subtrees like its own.
//!
//! **Invariants.** No proof, no folding: whatever is not recognised is simulated in full, with the reason in words. The
//! group depends on the specification only, and is the same whether folding is asked for or not.
//!
//! **Cost.** O(digits x divisors); at most 2^20 messages are looked at. **Limits.** Ranks must sit on accelerators in
//! order; digits of mixed order that no cyclic shift describes are not found. `docs/folding.md` has the proof.

mod classes;
mod expand;
mod labels;
mod place;
mod quotient;
mod search;

pub use expand::{first_upward, upward};
pub use labels::Labels;
pub use place::Seat;
pub use search::order;

use search::{largest, level, part, seats, used};

use crate::collective::{Schedule, SwitchUse};
use crate::control::{Control, Phase};
use crate::error::Result as Checked;
use crate::fabric::{Fabric, Network};
use crate::radix::{Digit, Radix};
use crate::routing::aggregation::Aggregation;
use crate::spec::RoutingSpec;

/// The symmetries of a run.
#[derive(Clone, Debug)]
pub struct Folding {
    ranks: u32,
    /// Networks that messages take, from the innermost on.
    networks: usize,
    /// Accelerators that can have a part in the run: those of the ranks, and what lies in networks between them.
    part: u32,
    /// Digits of the rank that can be shifted, and what follows for ties.
    labels: Labels,
    /// What ties go by in each operation, if there are several.
    own: Vec<Labels>,
    /// Where each digit of the group lies in each network.
    seats: Vec<Vec<(Seat, Digit)>>,
    /// The highest tier that messages reach in each network.
    tops: Vec<usize>,
    /// The network whose planes turn with the ranks, and their number.
    turn: Option<(usize, u32)>,
    /// The network whose tree forms sums of all for all.
    sums: Option<usize>,
    /// What is simulated, if that is not everything.
    quotient: Option<Fabric>,
    /// Why nothing is folded, or not more.
    reason: String,
}

impl Folding {
    /// The symmetries of a schedule on a fabric; `fold` asks for the quotient.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub fn new(
        fabric: &Fabric,
        schedule: &dyn Schedule,
        placement: &[u32],
        fold: bool,
        control: &Control,
    ) -> Checked<Self> {
        Self::among(fabric, schedule, &schedule.symmetry(), placement, fold, control)
    }

    /// The same, but only shifts of the digits that are `declared` are looked at.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub fn among(
        fabric: &Fabric,
        schedule: &dyn Schedule,
        declared: &[Digit],
        placement: &[u32],
        fold: bool,
        control: &Control,
    ) -> Checked<Self> {
        control.begin(Phase::Folding)?;
        let ranks = schedule.ranks();
        let mut folding = Self::none(ranks, String::new());
        let in_order = placement.iter().enumerate().all(|(rank, &a)| rank as u32 == a);
        if !in_order || ranks < 2 {
            folding.reason =
                if in_order { "there is one rank".into() } else { "ranks do not sit on accelerators in order".into() };
            return Ok(folding);
        }
        folding.networks = used(fabric, schedule);
        // in-network operations spread their packets in a way of their own, whatever the policy
        let mut own = fabric.clone();
        let switches = schedule.switches();
        if switches != SwitchUse::Forward {
            if schedule.mixed() {
                // sums turn the planes with the ranks, or leave uplinks where they are; what is only forwarded does neither
                folding.reason = "switches add some messages and only forward others".into();
                return Ok(folding);
            }
            let at = Aggregation::of(fabric, schedule, placement);
            if at.is_none_or(|at| at.network + 1 != folding.networks) {
                folding.reason = "sums are not formed in the outermost network that messages take".into();
                return Ok(folding);
            }
            if switches == SwitchUse::Owned && at.is_some_and(|at| at.tree) {
                folding.reason = "sums that have an owner each climb a tree to it".into();
                return Ok(folding);
            }
            folding.sums = at.filter(|_| switches == SwitchUse::Shared).map(|at| at.network);
            own.networks.iter_mut().for_each(|net| net.spec.routing = RoutingSpec::SprayRoundRobin);
        }
        let fabric = &own;
        let networks = &fabric.networks[..folding.networks];
        let (mut digits, mut refusals) = (vec![], vec![]);
        for digit in declared {
            match largest(networks, ranks, folding.sums, *digit) {
                Ok(digit) => digits.push(digit),
                Err(refusal) => refusals.push(refusal),
            }
        }
        if switches != SwitchUse::Shared
            && let Err(refusal) = level(networks, schedule, &mut digits, control)?
        {
            refusals.push(refusal);
        }
        if switches == SwitchUse::Owned
            && let Err(refusal) = folding.turn_planes(networks, &mut digits)
        {
            refusals.push(refusal);
        }
        folding.labels.group = Radix::new(digits);
        let kinds = u64::from(ranks) * u64::from(folding.classes());
        if folding.labels.group.order() > 1 && kinds > 1 << 32 {
            refusals.push(format!("{kinds} kinds of messages, at most 2^32"));
            folding.labels.group = Radix::default();
        }
        folding.seats = seats(networks, ranks, folding.sums, &folding.labels.group);
        folding.tops = networks.iter().map(|n| place::reach(n, ranks).0).collect();
        refusals.dedup();
        folding.reason = match (declared.is_empty(), folding.labels.symmetric()) {
            (true, _) => "the schedule has no symmetry that is known".into(),
            (false, true) => refusals.join("; "),
            (false, false) => refusals.join("; "),
        };
        if fold && folding.labels.symmetric() {
            match folding.fold(fabric, control) {
                Ok(quotient) => folding.quotient = Some(quotient),
                Err(error) => folding.reason = format!("the quotient cannot be built: {error}"),
            }
        } else if folding.labels.symmetric() {
            folding.reason = "not asked for".into();
        } else if fold && folding.turn.is_none() {
            // nothing is folded, but what the ranks cannot reach need not be there
            folding.part = part(networks, ranks, fabric.accelerators());
            folding.quotient =
                if folding.part < fabric.accelerators() { folding.fold(fabric, control).ok() } else { None };
        }
        control.check()?;
        Ok(folding)
    }

    /// In-network operations spread sums over planes by owner: the planes must be alike, and turn a whole number of times
    /// with each digit. Other digits are dropped.
    fn turn_planes(&mut self, networks: &[Network], digits: &mut Vec<Digit>) -> Result<(), String> {
        let Some(net) = networks.last() else {
            return Ok(());
        };
        let planes = net.planes.len() as u32;
        if planes == 1 && net.ports == 1 {
            return Ok(());
        }
        let alike = net.planes.iter().all(|p| p.links == 1);
        let before = digits.len();
        digits.retain(|d| alike && net.first_port == 0 && d.end().is_multiple_of(planes));
        // shifts take a port to the same one, or to any other: else a row of a link would not be found in each plane
        let turned = digits.iter().fold(planes, |all, digit| place::gcd(all, digit.stride));
        if turned > 1 && turned < planes {
            digits.clear();
        }
        if !digits.is_empty() {
            self.turn = Some((networks.len() - 1, planes));
        }
        if digits.len() < before {
            let name = &net.spec.name;
            return Err(format!("sums are spread over the planes of network {name} by the number of their owner"));
        }
        Ok(())
    }

    /// No symmetry, for this reason.
    pub fn none(ranks: u32, reason: String) -> Self {
        Self {
            ranks,
            part: ranks,
            networks: 0,
            labels: Labels::new(0, ranks, Radix::default()),
            own: vec![],
            seats: vec![],
            tops: vec![],
            turn: None,
            sums: None,
            quotient: None,
            reason,
        }
    }

    /// The same, with another reason why nothing is folded.
    pub fn because(self, reason: &str) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// True if only one of each class is simulated.
    pub fn applied(&self) -> bool {
        self.quotient.is_some() && self.labels.symmetric()
    }

    /// What is simulated, if that is not everything: the quotient, or the part of the machine that the ranks can use.
    pub fn quotient(&self) -> Option<&Fabric> {
        self.quotient.as_ref()
    }

    /// How many things each simulated one stands for.
    pub fn multiplicity(&self) -> u64 {
        if self.applied() { self.labels.group.order() } else { 1 }
    }

    /// How many links a simulated one of this network and tier stands for.
    pub fn link_multiplicity(&self, network: u32, tier: u32) -> u64 {
        let network = network as usize;
        match self.sums {
            // shifts within the subtree below leave it where it is
            Some(sums) if self.applied() && sums == network => {
                let below = (0..tier as usize).flat_map(|t| self.tier(network, t));
                self.labels.group.order() / below.map(|d| u64::from(d.size)).product::<u64>()
            }
            _ => self.multiplicity(),
        }
    }

    /// Digits of the rank that are shifted.
    pub fn group(&self) -> &Radix {
        self.labels.group()
    }

    /// Why nothing is folded, or why not more.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// True if the run has a symmetry, folded or not: then all ranks of a class do alike.
    pub fn symmetric(&self) -> bool {
        self.labels.symmetric()
    }

    /// Number of classes of ranks.
    pub fn classes(&self) -> u32 {
        (u64::from(self.ranks) / self.labels.group.order()) as u32
    }

    /// Number of ranks that are simulated.
    pub fn simulated(&self) -> u32 {
        if self.applied() { self.classes() } else { self.ranks }
    }

    /// The `i`-th rank that is simulated.
    pub fn rank(&self, i: u32) -> u32 {
        if self.applied() { self.labels.group.insert(i) } else { i }
    }

    /// Which simulated accelerator stands for this one.
    #[inline]
    pub fn stands_for(&self, accelerator: u32) -> u32 {
        if self.applied() { self.labels.group.remove(accelerator) } else { accelerator }
    }

    /// True if the planes of a network turn with the ranks: shifting a rank by one takes its port `p` to port `p + 1`. Sums
    /// are spread over the planes by their owner, and with the planes turned all owners do alike.
    #[inline]
    pub fn turns(&self, network: usize) -> bool {
        self.applied() && self.turn.is_some_and(|(n, _)| n == network)
    }

    /// How far an accelerator's ports are turned against those of the one that stands for it, in a run whose planes turn.
    #[inline]
    pub fn turned(&self, accelerator: u32) -> u32 {
        match self.turn {
            Some((_, planes)) if self.applied() => {
                (accelerator - self.labels.group.insert(self.labels.group.remove(accelerator))) % planes
            }
            _ => 0,
        }
    }

    /// The port of an accelerator that goes first where several could send.
    pub fn first_port(&self, accelerator: u32) -> u32 {
        match self.turn {
            Some((_, planes)) => {
                let from = if self.applied() {
                    self.labels.group.insert(self.labels.group.remove(accelerator))
                } else {
                    accelerator
                };
                from % planes
            }
            None => 0,
        }
    }

    /// The message that stands for one: that of its source's representative, if the run is folded.
    pub fn stands_for_message(&self, src: u32, dst: u32) -> (u32, u32) {
        if !self.applied() {
            return (src, dst);
        }
        let (group, first) = (&self.labels.group, self.labels.group.insert(self.labels.group.remove(src)));
        (first, group.add(dst, group.subtract(first, src)))
    }

    /// The same for several operations, each of which has labels of its own. The group has to be among those of all.
    pub fn labelled(self, own: Vec<Labels>) -> Self {
        Self { own, ..self }
    }

    /// What ties between the messages of an operation go by.
    #[inline]
    pub fn labels(&self, operation: u32) -> &Labels {
        self.own.get(operation as usize).unwrap_or(&self.labels)
    }
}

#[cfg(test)]
mod tests;
