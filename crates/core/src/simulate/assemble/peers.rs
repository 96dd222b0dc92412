//! Point-to-point transfers of a workload.
//!
//! **Model.** The two sides are operations of their own. The protocol is that which a shift by one along the axis would choose.
//! **Invariant.** A side moves exactly the bytes that it was given. **Cost.** A choice per side.
//! **Limits.** Which receive a send belongs to is found by name ([`super::names`]).

use std::sync::Arc;

use super::names::Home;
use super::{Assembly, Described, at};
use crate::analytic::Prediction;
use crate::collective::Schedule;
use crate::error::Result;
use crate::spec::{Collective, Pick, PlaceSpec};
use crate::stack::{Choice, Task};
use crate::workload::{Communicators, Kind, Node};

impl Assembly<'_> {
    pub(super) fn peer(
        &mut self,
        home: &mut Home,
        place: &PlaceSpec,
        (axis, bytes, share_ppm): (&str, u64, u32),
        kind: &'static str,
        side: impl Fn(u32) -> Arc<dyn Schedule>,
    ) -> Result<Node> {
        let axis = home.axis(axis, format!("operation {:?}: axis", place.name))?;
        let communicators = Communicators::along(home.first, &home.sizes(), &[axis]);
        let schedule = side(communicators.size());
        // of a transfer by itself: that of a shift by one along the axis
        let accelerators: Vec<u32> =
            self.furthest(&communicators, home).iter().map(|&rank| self.placement[rank as usize]).collect();
        let Choice { protocol, prediction, .. } = self.shift(place, &accelerators, bytes)?;
        let described = Described {
            kind,
            bytes,
            ranks: communicators.size(),
            communicators: communicators.count(),
            least_fs: protocol.launch_fs,
            protocol: protocol.name.clone(),
            prediction: if kind == "send" { prediction } else { Prediction::default() },
            ..Described::default()
        };
        let (schedule, alone) = self.lifted(schedule, communicators);
        let node = self.add(home, place, Kind::Messages { schedule, receiver: None }, described, share_ppm)?;
        if let Some((operation, _)) = self.draft.operations.last_mut() {
            operation.protocol = protocol;
            operation.alone = Some(alone);
        }
        Ok(node)
    }

    /// What a shift by one among some accelerators chooses: messages without an algorithm take its protocol.
    pub(super) fn shift(&mut self, place: &PlaceSpec, accelerators: &[u32], bytes: u64) -> Result<Choice> {
        let stack = self.stack("auto")?.clone();
        let task = Task {
            fabric: self.fabric,
            placement: accelerators,
            collective: Collective::SendRecv,
            bytes,
            element: 1,
            root: 0,
            lanes: None,
            chunks: None,
            hierarchy: None,
            seed: self.spec.seed,
            sums: false,
            unit_sums: false,
            stack: &stack,
            control: self.control,
        };
        task.choose(Pick::Auto, &mut self.purse).map_err(|error| at(error, &place.name))
    }
}
