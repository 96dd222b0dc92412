//! The machine, the ranks and the size, before algorithm and protocol are chosen.

use std::sync::Arc;

use super::Fabrics;
use crate::collective::Collective;
use crate::control::{Control, Phase};
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::spec::RunSpec;
use crate::stack::Task;

/// What is known before anything is chosen.
pub(super) struct Stage {
    pub(super) fabric: Arc<Fabric>,
    pub(super) collective: Collective,
    pub(super) placement: Vec<u32>,
    pub(super) bytes: u64,
}

impl Stage {
    pub(super) fn new(spec: &RunSpec, fabrics: &Fabrics, control: &Control) -> Result<Self> {
        control.begin(Phase::Building)?;
        let fabric = fabrics.get(&spec.system, control)?;
        let collective = spec.collective;
        let ranks = spec.ranks.unwrap_or(spec.system.accelerators);
        let placement: Vec<u32> = spec.placement.clone().unwrap_or_else(|| (0..ranks).collect());
        let home = placement.first().copied().unwrap_or(0);
        if let Some(&stray) = placement.iter().find(|&&a| fabric.network_between(home, a).is_none()) {
            let tried: Vec<_> =
                fabric.networks.iter().map(|n| format!("{} joins {} at a time", n.spec.name, n.span)).collect();
            return Err(Error::Unroutable { from: home.into(), to: stray.into(), why: tried.join(", ") });
        }
        let bytes = collective.rounded_bytes(spec.bytes, ranks, spec.element_bytes);
        Ok(Stage { fabric, collective, placement, bytes })
    }

    pub(super) fn task<'a>(&'a self, spec: &'a RunSpec, control: &'a Control) -> Task<'a> {
        Task {
            fabric: &self.fabric,
            placement: &self.placement,
            collective: self.collective,
            bytes: self.bytes,
            element: spec.element_bytes,
            root: spec.root,
            lanes: spec.lanes,
            chunks: spec.chunks,
            hierarchy: spec.levels.as_deref(),
            seed: spec.seed,
            sums: true,
            unit_sums: true,
            stack: &spec.stack,
            control,
        }
    }
}
