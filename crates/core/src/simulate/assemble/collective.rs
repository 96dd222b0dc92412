//! Collectives of a workload: who they are among, and by which algorithm and protocol.
//!
//! **Model.** The choice is made for the communicator that reaches furthest, as if it ran alone, and holds for all communicators of the
//! operation. **Invariant.** Switches form one kind of sums in a run, on one network. **Cost.** A choice per collective.
//! **Limits.** Communicators have no levels of their own, so nothing here is hierarchical, but for sums inside the units that all of them
//! fill alike.

use std::sync::Arc;

use super::names::Home;
use super::{Assembly, Described, at};
use crate::collective::{SwitchUse, unit};
use crate::error::{Error, Result};
use crate::routing::aggregation::Aggregation;
use crate::spec::{Algorithm, NodeSpec, Pick};
use crate::stack::{Task, units};
use crate::workload::{Communicators, Kind, Node};

impl Assembly<'_> {
    pub(super) fn collective(&mut self, home: &mut Home, node: &NodeSpec) -> Result<Node> {
        let NodeSpec::Collective {
            place,
            collective,
            bytes,
            axes,
            groups,
            algorithm,
            protocol,
            element_bytes,
            root,
            lanes,
            chunks,
            share_ppm,
        } = node
        else {
            return Err(Error::Internal("not a collective".into()));
        };
        let field = |what: &str| format!("operation {:?}: {what}", place.name);
        let communicators = self.communicators(home, place, (axes, groups))?;
        let size = communicators.size();
        if *root >= size {
            return Err(Error::spec(field("root"), root, format!("a place of the communicator: 0 to {}", size - 1)));
        }
        let whole = size == self.draft.ranks && communicators.count() == 1;
        let members = self.furthest(&communicators, home);
        let executed = communicators.firsts().any(|first| home.holds(first));
        let accelerators: Vec<u32> = members.iter().map(|&rank| self.placement[rank as usize]).collect();
        self.joined(&accelerators, place)?;
        let bytes = collective.rounded_bytes(*bytes, size, *element_bytes);
        let sums = self.sums(&communicators, whole);
        let unit_sums = self.unit_sums(&communicators);
        let stack = self.stack(protocol).map_err(|error| at(error, &place.name))?.clone();
        let task = Task {
            fabric: self.fabric,
            placement: &accelerators,
            collective: *collective,
            bytes,
            element: *element_bytes,
            root: *root,
            lanes: *lanes,
            chunks: *chunks,
            hierarchy: None,
            seed: self.spec.seed,
            sums: sums.is_some(),
            unit_sums: unit_sums.is_some(),
            stack: &stack,
            control: self.control,
        };
        let mut choice = task.choose(*algorithm, &mut self.purse).map_err(|error| at(error, &place.name))?;
        let other = |uses: SwitchUse| uses != SwitchUse::Forward && self.uses.is_some_and(|used| used != uses);
        let asked = matches!(algorithm, Pick::Only(algorithm) if algorithm.in_network());
        if other(choice.schedule.switches()) && !asked {
            // switches form one kind of sums in a run
            choice = Task { sums: false, unit_sums: false, ..task }
                .choose(*algorithm, &mut self.purse)
                .map_err(|error| at(error, &place.name))?;
        }
        let described = Described {
            kind: "collective",
            collective: Some(*collective),
            algorithm: Some(choice.algorithm),
            pattern: None,
            protocol: choice.protocol.name.clone(),
            stream: String::new(),
            bytes,
            root: *root,
            accelerators: if executed { accelerators.clone() } else { vec![] },
            carried: vec![],
            ranks: size,
            communicators: communicators.count(),
            prediction: choice.prediction,
            least_fs: choice.protocol.launch_fs,
        };
        self.sums = self.sums.or(match choice.algorithm {
            Algorithm::InNetwork => sums,
            Algorithm::InNetworkTree => unit_sums,
            _ => None,
        });
        self.uses = self.uses.or(Some(choice.schedule.switches()).filter(|_| choice.algorithm.in_network()));
        let all = whole && groups.is_empty();
        let listed = if groups.is_empty() || whole { None } else { Some(communicators.clone()) };
        let (schedule, alone) = match all {
            true => (Arc::clone(&choice.schedule), choice.schedule),
            false => self.lifted(choice.schedule, communicators),
        };
        let node = self.add(home, place, Kind::Messages { schedule, receiver: None }, described, *share_ppm)?;
        if let Some((operation, _)) = self.draft.operations.last_mut() {
            operation.protocol = choice.protocol;
            operation.alone = Some(alone);
            operation.listed = listed;
        }
        Ok(node)
    }

    /// The network whose switches can form the sums of all communicators, and whether it is a tree; the one that others use.
    fn sums(&self, communicators: &Communicators, whole: bool) -> Option<(usize, bool)> {
        let mut found: Option<(usize, bool)> = None;
        for first in communicators.firsts() {
            let members = (0..communicators.size()).map(|place| communicators.peer(first, place));
            let accelerators: Vec<u32> = members.map(|rank| self.placement[rank as usize]).collect();
            let at = Aggregation::find(self.fabric, &accelerators)?;
            if (at.tree && !whole) || *found.get_or_insert((at.network, at.tree)) != (at.network, at.tree) {
                return None;
            }
        }
        found.filter(|found| self.sums.is_none_or(|used| used == *found))
    }

    /// The same for sums inside units, which all communicators have to fill alike, in the order of the machine.
    fn unit_sums(&self, communicators: &Communicators) -> Option<(usize, bool)> {
        let mut found = None;
        for first in communicators.firsts() {
            let members = (0..communicators.size()).map(|place| communicators.peer(first, place));
            let accelerators: Vec<u32> = members.map(|rank| self.placement[rank as usize]).collect();
            let unit = unit(&units(self.fabric, &accelerators).0, communicators.size())?;
            let at = Aggregation::of_units(self.fabric, &accelerators, unit)?;
            if !accelerators.is_sorted() || *found.get_or_insert((at.network, unit)) != (at.network, unit) {
                return None;
            }
        }
        let found = found.map(|(network, _)| (network, false));
        found.filter(|found| self.sums.is_none_or(|used| used == *found))
    }
}
