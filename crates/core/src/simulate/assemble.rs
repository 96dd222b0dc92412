//! From the specification of a run of many operations to a workload: names become numbers, collectives get algorithms.
//!
//! **Model.** Each collective chooses algorithm and protocol by itself, for the communicator that reaches furthest, as if it ran alone; all
//! its communicators then run that. **Invariant.** An error names the operation. **Cost.** A choice per collective.
//! **Limits.** Sums in switches only where one network, of one tier unless the communicator holds all ranks, joins each communicator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::analytic::Prediction;
use crate::collective::{Schedule, SwitchUse};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::radix::Digit;
use crate::routing::aggregation::Aggregation;
use crate::spec::{Algorithm, Collective, JobSpec, NodeSpec, Pick, PlaceSpec, ProgramSpec, StackSpec};
use crate::stack::{Purse, Task};
use crate::units::Fs;
use crate::workload::{
    Communicators, Draft, Kind, Lifted, Node, Only, Operation, Receives, Sends, WHOLE_DEVICE, Waits,
};

/// What is known of an operation besides what is executed.
#[derive(Clone, Debug, Default)]
pub struct Described {
    /// `collective`, `send`, `receive`, `compute` or `delay`.
    pub kind: &'static str,
    /// The collective, if it is one.
    pub collective: Option<Collective>,
    /// Its algorithm.
    pub algorithm: Option<Algorithm>,
    /// Its protocol.
    pub protocol: String,
    /// Name of the stream.
    pub stream: String,
    /// Size, after rounding.
    pub bytes: u64,
    /// Root, as a place in the communicator.
    pub root: u32,
    /// Accelerators of the communicator that reaches furthest.
    pub accelerators: Vec<u32>,
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

/// The job that is assembled.
struct Home<'a> {
    number: u32,
    first: u32,
    job: &'a JobSpec,
    streams: Vec<String>,
    /// Numbers of operations by name.
    names: BTreeMap<String, usize>,
    /// Names that operations wait for or send to, resolved when all are known.
    waits: Vec<(usize, Vec<(String, u32)>)>,
    receivers: Vec<(usize, String)>,
    /// Number of the job's first operation.
    base: usize,
    /// Restrictions around what is assembled.
    within: Vec<Only>,
}

impl Home<'_> {
    fn sizes(&self) -> Vec<u32> {
        self.job.axes.iter().map(|axis| axis.size).collect()
    }

    fn ranks(&self) -> u32 {
        self.sizes().iter().product()
    }

    fn axis(&self, name: &str, field: String) -> Result<usize> {
        self.job.axes.iter().position(|axis| axis.name == name).ok_or_else(|| {
            let names: Vec<_> = self.job.axes.iter().map(|axis| axis.name.as_str()).collect();
            Error::spec(field, format!("{name:?}"), format!("one of {}", names.join(", ")))
        })
    }

    /// Whether a rank executes what is assembled.
    fn holds(&self, rank: u32) -> bool {
        self.within.iter().all(|only| only.values.contains(&only.digit.of(rank - self.first)))
    }

    fn digit(&self, axis: usize) -> Digit {
        let sizes = self.sizes();
        Digit { stride: sizes[axis + 1..].iter().product(), size: sizes[axis] }
    }
}

/// All ranks' accelerators: those given, and for other jobs those after the job before.
pub(super) fn placement(spec: &ProgramSpec) -> Result<Vec<u32>> {
    let (all, mut placement) = (spec.system.accelerators, vec![]);
    let mut owner: Vec<Option<u32>> = vec![None; all as usize];
    for (number, job) in (0u32..).zip(&spec.jobs) {
        let ranks: u32 = job.axes.iter().map(|axis| axis.size).product();
        let next = placement.last().map_or(0, |last| last + 1);
        let field = format!("job {:?}: placement", job.name);
        for rank in 0..ranks {
            let accelerator = job.placement.as_ref().map_or(next + rank, |given| given[rank as usize]);
            let Some(slot) = owner.get_mut(accelerator as usize) else {
                return Err(Error::spec(field, accelerator, format!("accelerators below {all}")));
            };
            if let Some(other) = slot.replace(number) {
                let other = &spec.jobs[other as usize].name;
                let expected = format!("accelerators of its own; it is one of job {other:?}, too");
                return Err(Error::spec(field, format!("accelerator {accelerator}"), expected));
            }
            placement.push(accelerator);
        }
    }
    Ok(placement)
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
            NodeSpec::Compute { place, work_fs } => {
                let described = Described { kind: "compute", least_fs: *work_fs, ..Described::default() };
                self.add(home, place, Kind::Compute(*work_fs), described, 0)
            }
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
            NodeSpec::Collective { .. } => self.collective(home, node),
        }
    }

    fn peer(
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
        let stack = self.stack("auto")?.clone();
        let task = Task {
            fabric: self.fabric,
            placement: &accelerators,
            collective: Collective::SendRecv,
            bytes,
            element: 1,
            root: 0,
            lanes: None,
            chunks: None,
            hierarchy: None,
            seed: self.spec.seed,
            sums: false,
            stack: &stack,
            control: self.control,
        };
        let choice = task.choose(Pick::Auto, &mut self.purse).map_err(|error| at(error, &place.name))?;
        let protocol = choice.protocol;
        let described = Described {
            kind,
            bytes,
            ranks: communicators.size(),
            communicators: communicators.count(),
            least_fs: protocol.launch_fs,
            protocol: protocol.name.clone(),
            prediction: if kind == "send" { choice.prediction } else { Prediction::default() },
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

    fn collective(&mut self, home: &mut Home, node: &NodeSpec) -> Result<Node> {
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
        if !axes.is_empty() && !groups.is_empty() {
            return Err(Error::spec(field("groups"), "groups and axes", "one of them"));
        }
        let communicators = if groups.is_empty() {
            let named = |name: &String| home.axis(name, field("axes"));
            let mut axes: Vec<usize> = axes.iter().map(named).collect::<Result<_>>()?;
            if axes.is_empty() {
                axes = (0..home.job.axes.len()).collect();
            }
            Communicators::along(home.first, &home.sizes(), &axes)
        } else {
            Communicators::listed(home.first, home.ranks(), groups, &field("groups"))?
        };
        let size = communicators.size();
        if *root >= size {
            return Err(Error::spec(field("root"), root, format!("a place of the communicator: 0 to {}", size - 1)));
        }
        let whole = size == self.draft.ranks && communicators.count() == 1;
        let members = self.furthest(&communicators, home);
        let executed = communicators.firsts().any(|first| home.holds(first));
        let accelerators: Vec<u32> = members.iter().map(|&rank| self.placement[rank as usize]).collect();
        let home_of = accelerators[0];
        if let Some(&stray) = accelerators.iter().find(|&&a| self.fabric.network_between(home_of, a).is_none()) {
            let why = format!("operation {:?} needs a network that joins them", place.name);
            return Err(Error::Unroutable { from: home_of.into(), to: stray.into(), why });
        }
        let bytes = collective.rounded_bytes(*bytes, size, *element_bytes);
        let sums = self.sums(&communicators, whole);
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
            stack: &stack,
            control: self.control,
        };
        let mut choice = task.choose(*algorithm, &mut self.purse).map_err(|error| at(error, &place.name))?;
        let other = |uses: SwitchUse| uses != SwitchUse::Forward && self.uses.is_some_and(|used| used != uses);
        if other(choice.schedule.switches()) && *algorithm != Pick::Only(Algorithm::InNetwork) {
            // switches form one kind of sums in a run
            choice = Task { sums: false, ..task }
                .choose(*algorithm, &mut self.purse)
                .map_err(|error| at(error, &place.name))?;
        }
        let described = Described {
            kind: "collective",
            collective: Some(*collective),
            algorithm: Some(choice.algorithm),
            protocol: choice.protocol.name.clone(),
            stream: String::new(),
            bytes,
            root: *root,
            accelerators: if executed { accelerators.clone() } else { vec![] },
            ranks: size,
            communicators: communicators.count(),
            prediction: choice.prediction,
            least_fs: choice.protocol.launch_fs,
        };
        let in_network = choice.algorithm == Algorithm::InNetwork;
        self.sums = self.sums.or(sums.filter(|_| in_network));
        self.uses = self.uses.or(Some(choice.schedule.switches()).filter(|_| in_network));
        let all = whole && groups.is_empty();
        let listed = if groups.is_empty() || whole { None } else { Some(communicators.clone()) };
        let circles = if in_network && !all { Some(communicators.clone()) } else { None };
        let (schedule, alone) = match all {
            true => (Arc::clone(&choice.schedule), choice.schedule),
            false => self.lifted(choice.schedule, communicators),
        };
        let node = self.add(home, place, Kind::Messages { schedule, receiver: None }, described, *share_ppm)?;
        if let Some((operation, _)) = self.draft.operations.last_mut() {
            operation.protocol = choice.protocol;
            operation.alone = Some(alone);
            operation.circles = circles;
            operation.listed = listed;
        }
        Ok(node)
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

    /// Names that were used become numbers.
    fn resolve(&mut self, home: &Home) -> Result<()> {
        let names: Vec<String> =
            self.draft.operations[home.base..].iter().map(|(operation, _)| operation.name.clone()).collect();
        let find = |name: &str, what: &str, of: &str| {
            home.names.get(name).copied().ok_or_else(|| {
                let field = format!("operation {of:?}: {what}");
                Error::spec(field, format!("{name:?}"), format!("an operation of job {:?}", home.job.name))
            })
        };
        for (number, waits) in &home.waits {
            let of = names[number - home.base].clone();
            for (name, previous) in waits {
                let operation = find(name, "after", &of)? as u32;
                self.draft.operations[*number].1.push(Waits { operation, previous: *previous });
            }
        }
        let mut taken = BTreeSet::new();
        for (number, name) in &home.receivers {
            let of = names[number - home.base].clone();
            let to = find(name, "to", &of)?;
            let wrong = |given: String, expected: &str| Error::spec(format!("operation {of:?}: to"), given, expected);
            if self.described[to].kind != "receive" {
                return Err(wrong(format!("{name:?}, a {}", self.described[to].kind), "a receive"));
            }
            if self.described[to].bytes != self.described[*number].bytes {
                let given =
                    format!("{} bytes, and {name:?} has {}", self.described[*number].bytes, self.described[to].bytes);
                return Err(wrong(given, "as many bytes"));
            }
            if !taken.insert(name) {
                return Err(wrong(format!("{name:?}, which others send to"), "a receive of its own"));
            }
            if let Kind::Messages { receiver, .. } = &mut self.draft.operations[*number].0.kind {
                *receiver = Some(to as u32);
            }
        }
        let sent_to: BTreeSet<&str> = home.receivers.iter().map(|(_, name)| name.as_str()).collect();
        let received = |number: usize| sent_to.contains(names[number - home.base].as_str());
        let mut operations = home.base..self.draft.operations.len();
        if let Some(lonely) = operations.find(|&at| self.described[at].kind == "receive" && !received(at)) {
            let name = &names[lonely - home.base];
            return Err(Error::spec(format!("operation {name:?}"), "a receive", "a send whose \"to\" names it"));
        }
        Ok(())
    }
}

/// The first collective in a body that is along an axis.
fn restricted<'n>(nodes: &'n [NodeSpec], axis: &str) -> Option<&'n str> {
    nodes.iter().find_map(|node| match node {
        NodeSpec::Collective { place, axes, groups, .. } => {
            let along = axes.iter().any(|name| name == axis) || axes.is_empty() || !groups.is_empty();
            along.then_some(place.name.as_str())
        }
        NodeSpec::Repeat { body, .. } | NodeSpec::On { body, .. } => restricted(body, axis),
        _ => None,
    })
}

/// The error with the operation that it is about.
fn at(error: Error, name: &str) -> Error {
    match error {
        Error::Algorithm { algorithm, collective, ranks, why, valid } => {
            Error::Algorithm { algorithm, collective, ranks, why: format!("{why} (operation {name:?})"), valid }
        }
        Error::Spec { field, value, expected } => Error::spec(format!("operation {name:?}: {field}"), value, expected),
        other => other,
    }
}
