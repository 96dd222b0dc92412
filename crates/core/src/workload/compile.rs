//! From a tree of loops, roles and operations to programs of streams.
//!
//! **Model.** Steps are dealt out in the order of the tree; a loop takes those of its body times its count. Each combination of
//! restrictions that some rank meets is a role, whose streams execute the operations that are left for it.
//!
//! **Invariant.** What is compiled ends, if all messages that are waited for are sent: an operation waits for those before it in the
//! tree, or for earlier iterations. **Cost.** O(operations x roles), and one look at each rank where roles differ.
//! **Errors.** They name the operation.

use std::collections::BTreeMap;

use super::operation::{After, Nest, key_of};
use super::steps::{Item, What};
use super::{Communicators, Instruction, Kind, Operation, Role, Workload};
use crate::collective::{MAX_STEPS, SwitchUse, Target};
use crate::error::{Error, Result};
use crate::radix::Digit;
use crate::spec::ProtocolSpec;
use crate::units::Fs;

/// Most instances of an operation.
const MAX_INSTANCES: u64 = 1 << 31;
/// Most roles.
const MAX_ROLES: usize = 1 << 16;

/// A restriction to ranks with certain values of a digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    /// The digit of the rank, counted from the first of the job.
    pub digit: Digit,
    /// The values.
    pub values: Vec<u32>,
}

/// A part of a job's program.
#[derive(Clone, Debug)]
pub enum Node {
    /// An operation, by its number.
    Do(u32),
    /// A loop.
    Repeat(u32, Vec<Node>),
    /// For some ranks only.
    On(Only, Vec<Node>),
}

/// What an operation waits for, besides the one before it on its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The operation.
    pub operation: u32,
    /// How many iterations ago.
    pub previous: u32,
}

/// A workload as it is described: operations, and the tree of each job.
#[derive(Debug, Default)]
pub struct Draft {
    /// Ranks of the run.
    pub ranks: u32,
    /// Streams by number: there are as many as the largest number used, and one.
    pub operations: Vec<(Operation, Vec<Waits>)>,
    /// Name, first rank, ranks, when it starts, and what it does.
    pub jobs: Vec<(String, u32, u32, Fs, Vec<Node>)>,
}

impl Operation {
    /// An operation that has no place in a program yet.
    pub fn new(name: String, (job, job_name): (u32, &str), stream: u32, kind: Kind) -> Self {
        let key = key_of(job_name, &name);
        Self {
            name,
            job,
            stream,
            kind,
            protocol: ProtocolSpec::default(),
            share: 0,
            alone: None,
            fixed: vec![],
            listed: None,
            after: vec![],
            base: 0,
            span: 0,
            nests: vec![],
            key,
        }
    }

    /// The error that something about it is not valid.
    pub fn wrong(&self, what: &str, value: impl ToString, expected: impl Into<String>) -> Error {
        Error::spec(format!("operation {:?}: {what}", self.name), value, expected)
    }

    /// Whether a rank executes it on a stream, where it executes all of its program.
    fn executed(&self, stream: u32, rank: u32) -> bool {
        self.stream == stream && self.listed.as_ref().is_none_or(|groups| groups.contain(rank))
    }

    fn most_steps(&self) -> u32 {
        let Some(schedule) = self.schedule() else {
            return 0;
        };
        let lanes = 0..schedule.lanes();
        lanes.flat_map(|lane| (0..schedule.ranks()).map(move |rank| schedule.steps(rank, lane))).max().unwrap_or(0)
    }
}

/// Deals out steps.
struct Layout<'a> {
    operations: &'a mut [Operation],
    /// Position of each operation in the tree; none if it is not in it.
    order: Vec<Option<u32>>,
    count: u32,
    loops: u32,
}

impl Layout<'_> {
    /// Lays out nodes from a step on, within an iteration of the innermost loop; returns where they end.
    fn lay(&mut self, nodes: &[Node], outer: u32, from: u64, nests: &[Nest], items: &mut Vec<Item>) -> Result<u64> {
        let mut at = from;
        for node in nodes {
            match node {
                Node::Do(number) => {
                    let operation = &mut self.operations[*number as usize];
                    if self.order[*number as usize].replace(self.count).is_some() {
                        return Err(operation.wrong("place", "twice in the program", "once"));
                    }
                    self.count += 1;
                    operation.span = operation.most_steps();
                    operation.base = outer + at as u32;
                    operation.nests = nests.to_vec();
                    if operation.span > 0 {
                        items.push(Item { first: at as u32, what: What::Operation(*number) });
                    }
                    at += u64::from(operation.span);
                }
                Node::On(_, inner) => at = self.lay(inner, outer, at, nests, items)?,
                Node::Repeat(count, inner) => {
                    self.loops += 1;
                    let nest = Nest { id: self.loops, count: (*count).max(1), span: 0 };
                    let (mut inside, inner_nests) = (vec![], [nests, &[nest]].concat());
                    let times = inner_nests.iter().fold(1u64, |all, nest| all.saturating_mul(nest.count.into()));
                    if times > MAX_INSTANCES {
                        return Err(Error::Overflow {
                            what: "iterations of nested loops".into(),
                            value: times.to_string(),
                            limit: MAX_INSTANCES.to_string(),
                        });
                    }
                    let span = self.lay(inner, outer + at as u32, 0, &inner_nests, &mut inside)?;
                    let all = span * u64::from(nest.count);
                    if at + all > u64::from(MAX_STEPS) {
                        return Err(too_long(at + all));
                    }
                    for operation in self.operations.iter_mut() {
                        operation.nests.iter_mut().filter(|n| n.id == nest.id).for_each(|n| n.span = span as u32);
                    }
                    if span > 0 {
                        let what = What::Loop { count: nest.count, span: span as u32, items: inside };
                        items.push(Item { first: at as u32, what });
                    }
                    at += all;
                }
            }
            if at > u64::from(MAX_STEPS) {
                return Err(too_long(at));
            }
        }
        Ok(at)
    }
}

fn too_long(steps: u64) -> Error {
    Error::Overflow {
        what: "steps of the workload, those of all iterations".into(),
        value: format!("{steps} or more"),
        limit: format!("{MAX_STEPS}: repeat less, or take algorithms of fewer steps"),
    }
}

impl Draft {
    /// Compiles it.
    ///
    /// # Errors
    /// [`Error::Overflow`] for too many steps; [`Error::Spec`] for an operation that waits for a later one, a send without a receive,
    /// too many roles, or sums in switches that are not for all ranks.
    pub fn compile(self) -> Result<Workload> {
        let (mut operations, waits): (Vec<Operation>, Vec<Vec<Waits>>) = self.operations.into_iter().unzip();
        let (mut items, mut at) = (vec![], 0);
        let order = vec![None; operations.len()];
        let mut layout = Layout { operations: &mut operations, order, count: 0, loops: 0 };
        for (.., body) in &self.jobs {
            at = layout.lay(body, 0, at, &[], &mut items)?;
        }
        let order = layout.order;
        for (number, waits) in waits.iter().enumerate() {
            operations[number].after =
                waits.iter().map(|waits| after(&operations, &order, number, *waits)).collect::<Result<_>>()?;
        }
        switches(&operations)?;
        let streams = operations.iter().map(|operation| operation.stream + 1).max().unwrap_or(1);
        let lanes = operations.iter().filter_map(Operation::schedule).map(|s| s.lanes()).max().unwrap_or(1);
        let (roles, role_of) = roles(&operations, &self.jobs, self.ranks, streams)?;
        let mut fixed: Vec<Digit> = self.jobs.iter().flat_map(|(.., body)| restricted(body)).collect();
        if operations.iter().any(|operation| matches!(&operation.kind, Kind::Compute(work) if work.varies())) {
            fixed.push(Digit { stride: 1, size: self.ranks }); // ranks that are alike otherwise differ in time
        }
        self.jobs.iter().for_each(|(.., body)| restrict(&mut operations, body, &mut vec![]));
        let (jobs, firsts) = self.jobs.into_iter().map(|job| (job.0, job.1)).unzip();
        let (ranks, sampled) = (self.ranks, vec![]);
        let workload =
            Workload { ranks, lanes, streams, operations, items, roles, role_of, fixed, jobs, firsts, sampled };
        workload.matched()?;
        Ok(workload)
    }
}

/// A dependency in terms of instances.
fn after(operations: &[Operation], order: &[Option<u32>], number: usize, waits: Waits) -> Result<After> {
    let (mine, theirs) = (&operations[number], &operations[waits.operation as usize]);
    if mine.job != theirs.job {
        return Err(mine.wrong("after", format!("{:?} of another job", theirs.name), "operations of its own job"));
    }
    let shared = mine.nests.iter().zip(&theirs.nests).take_while(|(a, b)| a.id == b.id).count();
    if waits.previous == 0 && order[waits.operation as usize] >= order[number] {
        let expected = "operations before it, or a previous iteration of later ones";
        return Err(mine.wrong("after", format!("{:?}, which comes later", theirs.name), expected));
    }
    if waits.previous > 0 && shared == 0 {
        let given = format!("{} iterations before, of {:?}", waits.previous, theirs.name);
        return Err(mine.wrong("after", given, "an operation of a loop that holds both"));
    }
    let instances = |nests: &[Nest]| nests[shared..].iter().map(|nest| nest.count).product();
    Ok(After {
        operation: waits.operation,
        mine: instances(&mine.nests),
        theirs: instances(&theirs.nests),
        previous: waits.previous,
    })
}

/// Sums in switches are all alike.
fn switches(operations: &[Operation]) -> Result<()> {
    let mut first: Option<SwitchUse> = None;
    for operation in operations {
        let Some(schedule) = operation.schedule() else {
            continue;
        };
        let uses = schedule.switches();
        if uses == SwitchUse::Forward {
            continue;
        }
        if *first.get_or_insert(uses) != uses {
            let expected = "the same kind of sums for all operations: in one switch, or up a tree of them";
            return Err(operation.wrong("algorithm", "in_network", expected));
        }
    }
    Ok(())
}

/// Notes the restrictions around each operation.
fn restrict(operations: &mut [Operation], nodes: &[Node], around: &mut Vec<Digit>) {
    for node in nodes {
        match node {
            Node::Do(number) => operations[*number as usize].fixed.clone_from(around),
            Node::Repeat(_, inner) => restrict(operations, inner, around),
            Node::On(only, inner) => {
                around.push(only.digit);
                restrict(operations, inner, around);
                around.pop();
            }
        }
    }
}

/// Digits by which roles differ.
fn restricted(nodes: &[Node]) -> Vec<Digit> {
    let mut found = vec![];
    for node in nodes {
        match node {
            Node::Do(_) => {}
            Node::Repeat(_, inner) => found.extend(restricted(inner)),
            Node::On(only, inner) => {
                found.push(only.digit);
                found.extend(restricted(inner));
            }
        }
    }
    found
}

type Job = (String, u32, u32, Fs, Vec<Node>);

/// All roles, and that of each rank if there are several.
fn roles(operations: &[Operation], jobs: &[Job], ranks: u32, streams: u32) -> Result<(Vec<Role>, Vec<u16>)> {
    let mut roles: Vec<Role> = vec![];
    let (mut role_of, mut roles_of_jobs) = (vec![], 0);
    for (name, first, count, start, body) in jobs {
        let digits = restricted(body);
        let job = roles_of_jobs;
        let listed: Vec<&Communicators> =
            operations.iter().filter(|operation| operation.job == job).filter_map(|o| o.listed.as_ref()).collect();
        roles_of_jobs += 1;
        // by the values of the digits that matter, and by the groups that hold the rank
        let mut known: BTreeMap<Vec<u32>, u16> = BTreeMap::new();
        for rank in 0..if digits.is_empty() && listed.is_empty() { (*count).min(1) } else { *count } {
            let inside = listed.iter().map(|groups| u32::from(groups.contain(first + rank)));
            let values: Vec<u32> = digits.iter().map(|digit| digit.of(rank)).chain(inside).collect();
            let role = match known.get(&values) {
                Some(&role) => role,
                None => {
                    let mut role = Role {
                        streams: vec![vec![]; streams as usize],
                        executes: vec![false; operations.len()],
                        start: *start,
                    };
                    (0..streams).for_each(|stream| project(operations, body, (*first, rank), stream, &mut role));
                    roles.push(role);
                    if roles.len() > MAX_ROLES {
                        let expected = format!("at most {MAX_ROLES} combinations of restrictions");
                        return Err(Error::spec(format!("job {name:?}: roles"), roles.len(), expected));
                    }
                    known.insert(values, (roles.len() - 1) as u16);
                    (roles.len() - 1) as u16
                }
            };
            role_of.push(role);
        }
        role_of.resize((first + count) as usize, role_of.last().copied().unwrap_or(0));
    }
    role_of.resize(ranks as usize, 0);
    if roles.len() == 1 {
        role_of = vec![];
    }
    Ok((roles, role_of))
}

/// The program of one stream for a rank.
fn project(operations: &[Operation], nodes: &[Node], (first, rank): (u32, u32), stream: u32, role: &mut Role) {
    for node in nodes {
        match node {
            Node::Do(number) if operations[*number as usize].executed(stream, first + rank) => {
                role.streams[stream as usize].push(Instruction::Do(*number));
                role.executes[*number as usize] = true;
            }
            Node::Do(_) => {}
            Node::On(only, inner) => {
                if only.values.contains(&only.digit.of(rank)) {
                    project(operations, inner, (first, rank), stream, role);
                }
            }
            Node::Repeat(count, inner) => {
                let begin = role.streams[stream as usize].len();
                role.streams[stream as usize].push(Instruction::Repeat(*count));
                project(operations, inner, (first, rank), stream, role);
                let program = &mut role.streams[stream as usize];
                match program.len() == begin + 1 {
                    true => program.truncate(begin),
                    false => program.push(Instruction::Until(begin as u32)),
                }
            }
        }
    }
}

impl Workload {
    /// Every send has its receive, on the ranks that execute them.
    fn matched(&self) -> Result<()> {
        let mut receives: BTreeMap<u32, u32> = BTreeMap::new();
        for (number, operation) in (0u32..).zip(&self.operations) {
            if let Kind::Messages { receiver: Some(receiver), .. } = operation.kind {
                receives.insert(receiver, number);
                let other = &self.operations[receiver as usize];
                if operation.instances() != other.instances() {
                    let given = format!("{} times, and {:?} {}", operation.instances(), other.name, other.instances());
                    return Err(operation.wrong("executed", given, "a send and its receive equally often"));
                }
            }
        }
        for (&receiver, &sender) in &receives {
            let (from, to) = (&self.operations[sender as usize], &self.operations[receiver as usize]);
            let (Some(sends), Some(recvs)) = (from.schedule(), to.schedule()) else {
                continue;
            };
            let executes = |rank: u32, operation: u32| self.role(rank).executes[operation as usize];
            let mut expected = vec![0u32; self.ranks as usize];
            for rank in (0..self.ranks).filter(|&rank| executes(rank, sender) && sends.steps(rank, 0) > 0) {
                let Target::Rank(peer) = sends.send(rank, 0, 0, 0).to else {
                    continue;
                };
                expected[peer as usize] += 1;
                if !executes(peer, receiver) || recvs.steps(peer, 0) == 0 {
                    let given = format!("rank {rank} sends to rank {peer}, which does not execute {:?}", to.name);
                    return Err(from.wrong("peer", given, "a receive on every rank that is sent to"));
                }
            }
            for rank in (0..self.ranks).filter(|&rank| executes(rank, receiver) && recvs.steps(rank, 0) > 0) {
                if expected[rank as usize] != 1 {
                    let given = format!("{} ranks send to rank {rank}", expected[rank as usize]);
                    return Err(to.wrong("peer", given, format!("one that executes {:?}", from.name)));
                }
            }
        }
        Ok(())
    }
}
