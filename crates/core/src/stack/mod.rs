//! Choosing: which algorithm and protocol a communication library would take, and which is the fastest.
//!
//! **Model.** A [`Task`] says what can run at all; [`library`] says what the library takes; [`choose`] lists the offers and takes that one,
//! or the cheapest; [`settle`] finds their prices by simulating those that may win; [`work`] says what a simulation costs before it is begun;
//! [`pipeline`] what the loops of a kernel cost beyond the wire, and [`channels`] what whole chunks do.
//!
//! Hierarchies and tori are offered where the ranks fill them in order: `levels` are the spans of the networks inside the
//! ranks, `dims` those of the innermost torus if the ranks are exactly one copy of it.
//!
//! **Invariant.** The choice depends on the specification only. **Cost.** Algorithms x protocols predictions, and the
//! simulations that the budget allows.

mod channels;
mod choose;
mod library;
mod pipeline;
mod settle;
mod work;

pub use choose::{Candidate, Choice, Comparison};
pub use settle::{Basis, EVENT_NS, Purse};
pub use work::{Work, fluid_bytes};

use std::borrow::Cow;
use std::sync::Arc;

use crate::analytic::{Prediction, Scene, predict};
use crate::collective::{Algorithm, Collective, Params, Placed, Schedule, build, inverse, unit, valid_algorithms};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::fabric::direct::Dimension;
use crate::fabric::{Fabric, Shape};
use crate::routing::aggregation::{self, Aggregation};
use crate::spec::{ProtocolSpec, StackSpec, TopologySpec};
use crate::symmetry;

/// What is to be run, before anything is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The machine.
    pub fabric: &'a Fabric,
    /// Accelerator of each rank.
    pub placement: &'a [u32],
    /// The collective.
    pub collective: Collective,
    /// Rounded size.
    pub bytes: u64,
    /// Bytes of an element.
    pub element: u32,
    /// Root, if it has one.
    pub root: u32,
    /// Lanes asked for.
    pub lanes: Option<u32>,
    /// Chunks asked for.
    pub chunks: Option<u32>,
    /// Levels of the hierarchical algorithm asked for.
    pub hierarchy: Option<&'a [u32]>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Switches may form sums for these ranks.
    pub sums: bool,
    /// Switches may form sums inside the units that these ranks fill.
    pub unit_sums: bool,
    /// Software costs to choose from.
    pub stack: &'a StackSpec,
    /// Who may stop it.
    pub control: &'a Control,
}

impl<'a> Task<'a> {
    fn ranks(&self) -> u32 {
        self.placement.len() as u32
    }

    /// The same with another number of lanes.
    fn with_lanes(self, lanes: Option<u32>) -> Self {
        Task { lanes, ..self }
    }

    /// The same with about so many bytes.
    fn resized(self, bytes: u64) -> Self {
        Task { bytes: self.collective.rounded_bytes(bytes, self.ranks(), self.element), ..self }
    }

    /// Ranks in the order in which an algorithm counts them: rings, trees and levels follow the machine, exchanges where the
    /// ranks fill equal parts of its units, others the numbers of the ranks.
    fn order(&self, algorithm: Algorithm) -> Vec<u32> {
        use Algorithm::{Direct, DoubleBinaryTree, Hierarchical, InNetworkTree, Pairwise, Ring, TorusBucket};
        let given: Vec<u32> = (0..self.ranks()).collect();
        if self.placement.is_sorted() {
            return given;
        }
        let mut order = given.clone();
        order.sort_by_key(|&rank| self.placement[rank as usize]);
        let in_units = || {
            let accelerators: Vec<u32> = order.iter().map(|&rank| self.placement[rank as usize]).collect();
            symmetry::order(self.fabric, &accelerators).len() > 1
        };
        let follows = match algorithm {
            Ring | DoubleBinaryTree | TorusBucket | Hierarchical | InNetworkTree => true,
            Direct | Pairwise => self.collective != Collective::SendRecv && in_units(),
            _ => false,
        };
        if follows { order } else { given }
    }

    /// Parameters of a schedule, ranks counted in [`Self::order`].
    pub fn params(&self, algorithm: Algorithm) -> Params {
        self.params_in(algorithm, &self.order(algorithm))
    }

    fn params_in(&self, algorithm: Algorithm, order: &[u32]) -> Params {
        let mut params = Params::new(self.collective, algorithm, self.ranks(), self.bytes);
        let accelerators: Vec<u32> = order.iter().map(|&rank| self.placement[rank as usize]).collect();
        params.element = self.element;
        params.root = inverse(order).get(self.root as usize).copied().unwrap_or(self.root);
        (params.lanes, params.chunks) = (self.lanes, self.chunks);
        params.shared = algorithm == Algorithm::InNetwork && self.aggregation().is_some_and(|a| a.tree);
        if accelerators.is_sorted() {
            (params.levels, params.nodes) = units(self.fabric, &accelerators);
            params.order = symmetry::order(self.fabric, &accelerators);
            if algorithm == Algorithm::Hierarchical {
                params.levels = self.hierarchy.map_or_else(|| self.nested(&params.levels), <[u32]>::to_vec);
            }
        }
        if (0u32..).zip(&accelerators).all(|(i, &a)| i == a) {
            self.torus(&mut params);
        }
        params
    }

    /// The groups of the hierarchical algorithm: those of the networks, the innermost by its dimensions if it is direct, so
    /// that every hop goes to a neighbour.
    fn nested(&self, levels: &[u32]) -> Vec<u32> {
        match self.fabric.networks.first().map(|net| (net.span, &net.planes[0].shape)) {
            Some((span, Shape::Direct(direct))) if levels.first() == Some(&span) => {
                let dims = direct.dims.iter().map(|d| d.kind.size());
                dims.chain(levels[1..].iter().copied()).collect()
            }
            _ => levels.to_vec(),
        }
    }

    /// Fills in sides, wraparound and twist of the innermost torus, if the ranks are one copy of it.
    fn torus(&self, params: &mut Params) {
        let is_torus = |net: &&crate::fabric::Network| matches!(net.spec.topology, TopologySpec::Torus { .. });
        let net = self.fabric.networks.iter().find(is_torus).filter(|net| net.span == self.ranks());
        let Some(Shape::Direct(direct)) = net.map(|net| &net.planes[0].shape) else {
            return;
        };
        let wraps = |kind| !matches!(kind, Dimension::Line { wrap: false, size: 2.. });
        (params.dims, params.wrap) = direct.dims.iter().map(|d| (d.kind.size(), wraps(d.kind))).unzip();
        params.twist = direct.twist.iter().map(|&(a, b)| [a as u32, b as u32]).collect();
    }

    /// True if switches that can combine join all ranks.
    pub fn in_network(&self) -> bool {
        self.aggregation().is_some()
    }

    /// True if switches can combine, but none that joins these ranks.
    fn adds_outside(&self) -> bool {
        self.sums && self.ranks() > 1 && Aggregation::outside(self.fabric, self.placement)
    }

    fn aggregation(&self) -> Option<Aggregation> {
        if !self.sums {
            return None;
        }
        Aggregation::find(self.fabric, self.placement)
    }

    /// The accelerators in the order of the machine.
    fn sorted(&self) -> Vec<u32> {
        let mut accelerators = self.placement.to_vec();
        accelerators.sort_unstable();
        accelerators
    }

    /// Why switches cannot do what an algorithm asks of them here.
    fn lacks(&self, algorithm: Algorithm) -> Option<&'static str> {
        match algorithm {
            Algorithm::InNetwork if self.ranks() > 1 && !self.in_network() => Some(aggregation::WANTED),
            Algorithm::InNetworkTree => {
                let accelerators = self.sorted();
                let unit = unit(&units(self.fabric, &accelerators).0, self.ranks())?;
                let adds = self.unit_sums && Aggregation::of_units(self.fabric, &accelerators, unit).is_some();
                (!adds).then_some(aggregation::WANTED_IN_UNITS)
            }
            _ => None,
        }
    }

    /// The schedule of an algorithm.
    ///
    /// # Errors
    /// [`Error::Algorithm`] with the reason and the algorithms that would be valid.
    pub fn schedule(&self, algorithm: Algorithm) -> Result<Arc<dyn Schedule>> {
        let order = self.order(algorithm);
        let params = self.params_in(algorithm, &order);
        let list = || {
            let builds = valid_algorithms(&params, true).into_iter().filter(|&a| self.lacks(a).is_none());
            let names: Vec<_> = builds.map(Algorithm::name).collect();
            if names.is_empty() { "none".to_string() } else { names.join(", ") }
        };
        if let Some(lacks) = self.lacks(algorithm) {
            return Err(Error::Algorithm {
                algorithm: algorithm.name().into(),
                collective: self.collective.name().into(),
                ranks: self.ranks().into(),
                why: format!("it needs {lacks}"),
                valid: list(),
            });
        }
        let schedule = build(&params).map_err(|error| match error {
            Error::Algorithm { algorithm, collective, ranks, why, .. } => {
                Error::Algorithm { algorithm, collective, ranks, why, valid: list() }
            }
            other => other,
        })?;
        let placed = |schedule| Arc::new(Placed::new(schedule, self.collective, order.clone()));
        Ok(if order.is_sorted() { Arc::from(schedule) } else { placed(schedule) })
    }

    /// Why a protocol does not go with an algorithm here.
    fn refusal(&self, algorithm: Algorithm, protocol: &ProtocolSpec) -> Option<String> {
        if !protocol.algorithms.is_empty() && !protocol.algorithms.contains(&algorithm) {
            let names: Vec<_> = protocol.algorithms.iter().map(|a| a.name()).collect();
            return Some(format!("protocol {} is for {}", protocol.name, names.join(", ")));
        }
        let most = protocol.max_bytes.filter(|&most| self.bytes > most)?;
        Some(format!("protocol {} is for at most {most} bytes", protocol.name))
    }

    /// A protocol as this task's kernels run it with an algorithm: what loops and channels cost is in its launch and hops.
    fn fitted<'p>(&self, algorithm: Algorithm, lanes: u32, protocol: &'p ProtocolSpec) -> Cow<'p, ProtocolSpec> {
        let mut fitted = self.piped(algorithm, protocol);
        if fitted.chunk.is_some() {
            self.channelled(algorithm, lanes, fitted.to_mut());
        }
        fitted
    }

    fn predict(&self, schedule: &dyn Schedule, protocol: &ProtocolSpec) -> Result<Prediction> {
        let Task { fabric, placement, root, seed, control, .. } = *self;
        predict(Scene { fabric, schedule, placement, protocol, root, seed, control })
    }
}

/// Sizes of nested groups whose product is the number of ranks: those that share a copy of each network, where all copies
/// in use hold equally many. If those of the innermost network that has several do not, their sizes.
pub fn units(fabric: &Fabric, accelerators: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let n = accelerators.len() as u32;
    let (mut inner, mut span, mut levels, mut nodes) = (1, 1, vec![], None);
    for net in &fabric.networks {
        let sizes: Vec<u32> =
            accelerators.chunk_by(|a, b| a / net.span == b / net.span).map(|unit| unit.len() as u32).collect();
        let even = sizes.iter().all(|&size| size == sizes[0]);
        if sizes.len() > 1 && sizes.iter().any(|&size| size > 1) {
            nodes = nodes.or(Some(if even { vec![] } else { sizes.clone() }));
        }
        if sizes.len() > 1
            && even
            && sizes[0] > inner
            && sizes[0].is_multiple_of(inner)
            && net.span.is_multiple_of(span)
        {
            levels.push(sizes[0] / inner);
            (inner, span) = (sizes[0], net.span);
        }
    }
    levels.push(n / inner);
    (levels, nodes.unwrap_or_default())
}

#[cfg(test)]
mod tests;
