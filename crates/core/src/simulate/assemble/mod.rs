//! From the specification of a run of many operations to a workload: names become numbers, collectives get algorithms.
//!
//! **Model.** Each collective chooses algorithm and protocol by itself, for the communicator that reaches furthest, as if it ran alone; all
//! its communicators then run that. **Invariant.** An error names the operation. **Cost.** A choice per collective.
//! **Limits.** Sums in switches only where one network, of one tier unless the communicator holds all ranks, joins each communicator.

mod collective;
mod names;
mod peers;
mod placement;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;

use names::Home;

use crate::analytic::Prediction;
use crate::collective::{Schedule, SwitchUse};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::spec::{Algorithm, Collective, NodeSpec, Pattern, PlaceSpec, ProgramSpec, StackSpec};
use crate::stack::Purse;
use crate::units::Fs;
use crate::workload::{Communicators, Draft, Kind, Lifted, Node, Only, Operation, Receives, Sends, WHOLE_DEVICE, Work};

pub(super) use placement::placement;

/// What is known of an operation besides what is executed.
#[derive(Clone, Debug, Default)]
pub struct Described {
    /// `collective`, `pattern`, `transfer`, `send`, `receive`, `compute` or `delay`.
    pub kind: &'static str,
    /// The collective, if it is one.
    pub collective: Option<Collective>,
    /// Its algorithm.
    pub algorithm: Option<Algorithm>,
    /// The traffic pattern, if it is one.
    pub pattern: Option<Pattern>,
    /// Its protocol.
    pub protocol: String,
    /// Name of the stream.
    pub stream: String,
    /// Size, after rounding.
    pub bytes: u64,
    /// Root, as a place in the communicator.
    pub root: u32,
    /// Accelerators of the communicator that reaches furthest, if a rank executes it.
    pub accelerators: Vec<u32>,
    /// Bytes that each place sends and receives, of messages that are given.
    pub carried: Vec<(u64, u64)>,
    /// Ranks of a communicator, and how many there are.
    pub ranks: u32,
    /// See `ranks`.
    pub communicators: u32,
    /// What the analytic model says of one instance in one communicator.
    pub prediction: Prediction,
    /// Nothing of it ends earlier on a rank.
    pub least_fs: Fs,
}

/// Builds the draft of a workload.
pub(super) struct Assembly<'a> {
    spec: &'a ProgramSpec,
    fabric: &'a Fabric,
    placement: &'a [u32],
    purse: Purse,
    control: &'a Control,
    /// The network whose switches form sums, and whether it is a tree, once an operation uses them.
    sums: Option<(usize, bool)>,
    /// What it asks of switches.
    uses: Option<SwitchUse>,
    /// The stack with the protocol that each operation asks for.
    stacks: Vec<StackSpec>,
    draft: Draft,
    described: Vec<Described>,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(
        spec: &'a ProgramSpec,
        fabric: &'a Fabric,
        placement: &'a [u32],
        purse: Purse,
        control: &'a Control,
    ) -> Self {
        let draft = Draft { ranks: placement.len() as u32, ..Draft::default() };
        Self {
            spec,
            fabric,
            placement,
            purse,
            control,
            sums: None,
            uses: None,
            stacks: vec![],
            draft,
            described: vec![],
        }
    }

    /// The draft, and what is known of each operation.
    pub(super) fn assemble(mut self) -> Result<(Draft, Vec<Described>)> {
        let spec = self.spec;
        let mut first = 0;
        for (number, job) in (0..).zip(&spec.jobs) {
            let base = self.draft.operations.len();
            let mut home = Home {
                number,
                first,
                job,
                streams: vec![],
                names: BTreeMap::new(),
                waits: vec![],
                receivers: vec![],
                base,
                within: vec![],
            };
            let body = self.nodes(&mut home, &job.body)?;
            self.resolve(&home)?;
            self.draft.jobs.push((job.name.clone(), first, home.ranks(), job.start_fs, body));
            first += home.ranks();
        }
        Ok((self.draft, self.described))
    }

    fn nodes(&mut self, home: &mut Home, nodes: &[NodeSpec]) -> Result<Vec<Node>> {
        nodes.iter().map(|node| self.node(home, node)).collect()
    }

    fn node(&mut self, home: &mut Home, node: &NodeSpec) -> Result<Node> {
        self.control.check()?;
        match node {
            NodeSpec::Repeat { count, body } => Ok(Node::Repeat(*count, self.nodes(home, body)?)),
            NodeSpec::On { axis, values, body } => {
                let digit = home.digit(home.axis(axis, format!("job {:?}: on", home.job.name))?);
                if let Some(&wrong) = values.iter().find(|&&value| value >= digit.size) {
                    return Err(Error::spec(format!("on {axis}"), wrong, format!("0 to {}", digit.size - 1)));
                }
                if let Some(name) = restricted(body, axis) {
                    let expected = format!("no axis {axis:?} inside a part for some of its coordinates only");
                    return Err(Error::spec(format!("operation {name:?}: axes"), format!("{axis:?}"), expected));
                }
                home.within.push(Only { digit, values: values.clone() });
                let body = self.nodes(home, body)?;
                home.within.pop();
                // ranks are counted from the first of the job, which starts where digits do
                Ok(Node::On(Only { digit, values: values.clone() }, body))
            }
            NodeSpec::Compute { .. } => self.computation(home, node),
            NodeSpec::Delay { place, time_fs } => {
                let described = Described { kind: "delay", least_fs: *time_fs, ..Described::default() };
                self.add(home, place, Kind::Delay(*time_fs), described, 0)
            }
            NodeSpec::Send { place, axis, by, wrap, bytes, to, share_ppm } => {
                home.receivers.push((self.draft.operations.len(), to.clone()));
                let side = |size| Arc::new(Sends::new(size, *by, *wrap, *bytes)) as Arc<_>;
                self.peer(home, place, (axis, *bytes, *share_ppm), "send", side)
            }
            NodeSpec::Receive { place, axis, by, wrap, bytes, share_ppm } => {
                let side = |size| Arc::new(Receives::new(size, *by, *wrap, *bytes)) as Arc<_>;
                self.peer(home, place, (axis, *bytes, *share_ppm), "receive", side)
            }
            NodeSpec::Transfer { place, pairs, bytes, share_ppm } => {
                self.transfer(home, place, pairs, (*bytes, *share_ppm))
            }
            NodeSpec::Pattern { .. } => self.pattern(home, node),
            NodeSpec::Exchange { place, matrix, axes, groups, share_ppm } => {
                self.exchange(home, place, matrix, (axes, groups), *share_ppm)
            }
            NodeSpec::Collective { .. } => self.collective(home, node),
        }
    }

    /// A computation, which may differ from rank to rank.
    fn computation(&mut self, home: &mut Home, node: &NodeSpec) -> Result<Node> {
        let NodeSpec::Compute { place, work_fs, jitter_ppm, slow_ppm, seed } = node else {
            return Err(Error::Internal("not a computation".into()));
        };
        let ranks = home.ranks();
        if let Some(&(rank, _)) = slow_ppm.iter().find(|&&(rank, _)| rank >= ranks) {
            let field = format!("operation {:?}: slow_ranks", place.name);
            return Err(Error::spec(field, format!("rank {rank}"), format!("ranks of the job, 0 to {}", ranks - 1)));
        }
        let varies = (*jitter_ppm, slow_ppm.iter().copied().collect());
        let work = Work::varying(*work_fs, varies, home.first, (*seed, &home.job.name, &place.name));
        let described = Described { kind: "compute", least_fs: work.least(), ..Described::default() };
        self.add(home, place, Kind::Compute(work), described, 0)
    }

    /// The communicators along some axes, or those that are listed.
    fn communicators(
        &self,
        home: &Home,
        place: &PlaceSpec,
        (axes, groups): (&[String], &[Vec<u32>]),
    ) -> Result<Communicators> {
        let field = |what: &str| format!("operation {:?}: {what}", place.name);
        if !axes.is_empty() && !groups.is_empty() {
            return Err(Error::spec(field("groups"), "groups and axes", "one of them"));
        }
        if !groups.is_empty() {
            return Communicators::listed(home.first, home.ranks(), groups, &field("groups"));
        }
        let named = |name: &String| home.axis(name, field("axes"));
        let mut axes: Vec<usize> = axes.iter().map(named).collect::<Result<_>>()?;
        if axes.is_empty() {
            axes = (0..home.job.axes.len()).collect();
        }
        Ok(Communicators::along(home.first, &home.sizes(), &axes))
    }

    /// Refuses accelerators that no network joins.
    fn joined(&self, accelerators: &[u32], place: &PlaceSpec) -> Result<()> {
        let home = accelerators[0];
        match accelerators.iter().find(|&&other| self.fabric.network_between(home, other).is_none()) {
            None => Ok(()),
            Some(&stray) => {
                let why = format!("operation {:?} needs a network that joins them", place.name);
                Err(Error::Unroutable { from: home.into(), to: stray.into(), why })
            }
        }
    }

    /// What each communicator does as a schedule of all ranks, and as one of the job's ranks alone.
    fn lifted(&self, local: Arc<dyn Schedule>, communicators: Communicators) -> (Arc<dyn Schedule>, Arc<dyn Schedule>) {
        let (ranks, relative) = (communicators.job_ranks(), communicators.relative());
        let alone = Lifted { local: Arc::clone(&local), communicators: relative, ranks };
        (Arc::new(Lifted { local, communicators, ranks: self.draft.ranks }), Arc::new(alone))
    }

    /// The ranks of the communicator whose ranks are joined by the outermost network; of equals the first.
    fn furthest(&self, communicators: &Communicators, home: &Home) -> Vec<u32> {
        let reach = |members: &[u32]| {
            let first = self.placement[members[0] as usize];
            let network = |&rank: &u32| self.fabric.network_between(first, self.placement[rank as usize]);
            members.iter().map(|rank| network(rank).map_or(usize::MAX, |network| network)).max().unwrap_or(0)
        };
        let mut best: Option<(usize, Vec<u32>)> = None;
        // of those that execute it, if any do
        let idle = !communicators.firsts().any(|first| home.holds(first));
        for first in communicators.firsts().filter(|&first| idle || home.holds(first)) {
            let members: Vec<u32> = (0..communicators.size()).map(|place| communicators.peer(first, place)).collect();
            let reach = reach(&members);
            if best.as_ref().is_none_or(|(most, _)| reach > *most) {
                best = Some((reach, members));
            }
        }
        best.map_or_else(Vec::new, |(_, members)| members)
    }

    /// The stack, restricted to a protocol.
    fn stack(&mut self, protocol: &str) -> Result<&StackSpec> {
        let wanted = if protocol == "auto" { self.spec.stack.protocol.as_str() } else { protocol };
        if let Some(at) = self.stacks.iter().position(|stack| stack.protocol == wanted) {
            return Ok(&self.stacks[at]);
        }
        let known = &self.spec.stack.protocols;
        if wanted != "auto" && known.iter().all(|p| p.name != wanted) {
            let names: Vec<_> = known.iter().map(|p| p.name.as_str()).collect();
            let expected = format!("auto or one of {}", names.join(", "));
            return Err(Error::spec("protocol", format!("{wanted:?}"), expected));
        }
        self.stacks.push(StackSpec { protocol: wanted.into(), ..self.spec.stack.clone() });
        Ok(&self.stacks[self.stacks.len() - 1])
    }

    fn add(
        &mut self,
        home: &mut Home,
        place: &PlaceSpec,
        kind: Kind,
        described: Described,
        share_ppm: u32,
    ) -> Result<Node> {
        let stream = home.streams.iter().position(|name| *name == place.stream).unwrap_or_else(|| {
            home.streams.push(place.stream.clone());
            home.streams.len() - 1
        });
        let number = self.draft.operations.len();
        let mut operation = Operation::new(place.name.clone(), (home.number, &home.job.name), stream as u32, kind);
        if home.names.insert(place.name.clone(), number).is_some() {
            return Err(operation.wrong("name", "twice", "a name of its own in its job"));
        }
        operation.share = (u64::from(share_ppm) * u64::from(WHOLE_DEVICE) / 1_000_000) as u32;
        let waits = place.after.iter().map(|after| (after.operation.clone(), after.previous)).collect();
        home.waits.push((number, waits));
        self.draft.operations.push((operation, vec![]));
        self.described.push(Described { stream: place.stream.clone(), ..described });
        Ok(Node::Do(number as u32))
    }
}

/// The first collective in a body that is along an axis.
fn restricted<'n>(nodes: &'n [NodeSpec], axis: &str) -> Option<&'n str> {
    nodes.iter().find_map(|node| match node {
        NodeSpec::Collective { place, axes, groups, .. }
        | NodeSpec::Pattern { place, axes, groups, .. }
        | NodeSpec::Exchange { place, axes, groups, .. } => {
            let along = axes.iter().any(|name| name == axis) || axes.is_empty() || !groups.is_empty();
            along.then_some(place.name.as_str())
        }
        NodeSpec::Repeat { body, .. } | NodeSpec::On { body, .. } => restricted(body, axis),
        _ => None,
    })
}

/// The error with the operation that it is about.
pub(super) fn at(error: Error, name: &str) -> Error {
    match error {
        Error::Algorithm { algorithm, collective, ranks, why, valid } => {
            Error::Algorithm { algorithm, collective, ranks, why: format!("{why} (operation {name:?})"), valid }
        }
        Error::Overflow { what, value, limit } => {
            Error::Overflow { what: format!("operation {name:?}: {what}"), value, limit }
        }
        Error::Spec { field, value, expected } => Error::spec(format!("operation {name:?}: {field}"), value, expected),
        other => other,
    }
}
