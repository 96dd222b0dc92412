//! htsim's connection matrices: flows that start at a time, or when others are through.
//!
//! **Model.** A flow is a send and a receive with its number, from 0, for a tag. `start` is a delay before the send, in picoseconds; a fraction
//! of one is cut off, as htsim does. A trigger becomes dependencies: the flows that fire it have to have been sent (`send_done_trigger`) or received (`recv_done_trigger`) before those that wait
//! for it are sent.
//!
//! **Limits.** A trigger acts within one rank: what fires it ends where the flows that wait for it begin, because nothing tells another rank
//! at once. A trigger that several flows fire must be a barrier of as many. Failures are refused: they belong to the network. So are flows
//! of size 0, which htsim sends without end. Written sizes stay below 2^31, which htsim reads.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use supernode_core::collective::Schedule;
use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::{Act, Action, Draft, Explicit};

use crate::input::{Words, shortened};

/// Femtoseconds of a picosecond.
const PICOSECOND: u64 = 1000;
/// Sizes that htsim reads are below.
const SIZES: u64 = 1 << 31;

/// A flow of the file.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    line: u32,
    source: u32,
    target: u32,
    bytes: u64,
    start: u64,
    trigger: Option<u32>,
    sent: Option<u32>,
    received: Option<u32>,
}

/// A trigger of the file: the line that describes it, and the count of a barrier.
#[derive(Clone, Copy, Debug)]
struct Trigger {
    line: u32,
    count: Option<u32>,
}

/// Reads a program.
///
/// # Errors
/// [`Error::Spec`] that names the line, and those of [`Draft`].
pub fn read(input: impl BufRead, control: &Control) -> Result<Explicit> {
    let mut words = Words::new(input, b"", b",");
    let (mut nodes, mut connections) = (None, None);
    let (mut flows, mut triggers): (Vec<Flow>, BTreeMap<u32, Trigger>) = (vec![], BTreeMap::new());
    while let Some(word) = words.next()?.map(str::to_string) {
        control.check()?;
        match word.to_ascii_lowercase().as_str() {
            "nodes" => nodes = Some(words.number::<u64>("Nodes", "")?),
            "connections" => connections = Some(words.number::<usize>("Connections", "")?),
            "triggers" => drop(words.number::<u64>("Triggers", "")?),
            "failures" => match words.number::<u64>("Failures", "")? {
                0 => {}
                more => return Err(words.wrong("Failures", more, FAILURES)),
            },
            "failure" => return Err(words.wrong("failure", "a failed link", FAILURES)),
            "trigger" => {
                let (id, trigger) = trigger(&mut words)?;
                if triggers.insert(id, trigger).is_some() {
                    return Err(words.wrong("trigger id", id, "an id of its own"));
                }
            }
            _ => {
                let nodes = nodes.ok_or_else(|| words.wrong("word", shortened(&word), "Nodes N before all flows"))?;
                flows.push(flow(&mut words, &word, nodes)?);
            }
        }
    }
    let nodes = nodes.ok_or_else(|| words.wrong("file", "no Nodes", "Nodes N"))?;
    if let Some(count) = connections.filter(|&count| count != flows.len()) {
        return Err(words.wrong("Connections", count, format!("{}, the number of flows", flows.len())));
    }
    build(nodes, &flows, &triggers, control)
}

const FAILURES: &str = "none: failed links belong to the network, not to a schedule";

fn trigger<R: BufRead>(words: &mut Words<R>) -> Result<(u32, Trigger)> {
    words.expect("id")?;
    let id = words.number("trigger id", "")?;
    let kind = words.next()?.map(shortened).unwrap_or_default();
    let line = words.line();
    let count = match kind.as_str() {
        "oneshot" | "multishot" => None,
        "barrier" => {
            words.expect("count")?;
            Some(words.number("count", "")?)
        }
        _ => return Err(words.wrong("trigger", format!("{kind:?}"), "oneshot, multishot or barrier count n")),
    };
    Ok((id, Trigger { line, count }))
}

fn flow<R: BufRead>(words: &mut Words<R>, pair: &str, nodes: u64) -> Result<Flow> {
    let wrong = |words: &Words<R>| {
        words.wrong(
            "flow",
            format!("{:?}", shortened(pair)),
            format!("source->target, nodes from 0 to {}", nodes.max(1) - 1),
        )
    };
    let ends = pair.split_once("->").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let Some((source, target)) = ends.filter(|&(from, to): &(u32, u32)| u64::from(from.max(to)) < nodes) else {
        return Err(wrong(words));
    };
    if source == target {
        return Err(words.wrong("flow", pair, "two different nodes"));
    }
    let mut flow = Flow { line: words.line(), source, target, ..Flow::default() };
    let mut sized = false;
    // the words of a flow are those up to the next flow, trigger or failure
    while let Some(key) = words.peek()?.map(str::to_string) {
        let of_flow = match key.as_str() {
            "id" | "start" | "size" | "send_done_trigger" | "recv_done_trigger" | "prio" => true,
            "trigger" => words.line() == flow.line,
            _ => false,
        };
        if !of_flow {
            break;
        }
        words.next()?;
        match key.as_str() {
            "start" => flow.start = picoseconds(words)?.saturating_mul(PICOSECOND),
            "size" => (flow.bytes, sized) = (words.number("size", "")?, true),
            "trigger" => flow.trigger = Some(words.number("trigger", "")?),
            "send_done_trigger" => flow.sent = Some(words.number(&key, "")?),
            "recv_done_trigger" => flow.received = Some(words.number(&key, "")?),
            _ => drop(words.number::<u64>(&key, "")?),
        }
    }
    match (sized, flow.bytes) {
        (false, _) => Err(Error::spec(format!("line {}: flow", flow.line), pair, "a size")),
        (true, 0) => {
            let expected = "at least 1: htsim sends a flow of size 0 without end";
            Err(Error::spec(format!("line {}: size", flow.line), 0, expected))
        }
        _ => Ok(flow),
    }
}

/// A time in whole picoseconds, of which a fraction is cut off.
fn picoseconds<R: BufRead>(words: &mut Words<R>) -> Result<u64> {
    let word = words.peek()?.unwrap_or_default();
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    match whole.parse() {
        Ok(time) if fraction.bytes().all(|digit| digit.is_ascii_digit()) => {
            words.next()?;
            Ok(time)
        }
        _ => words.number("start", ""),
    }
}

/// What fires each trigger: a rank, and an operation of it.
type Fires = BTreeMap<u32, Vec<(u32, u32)>>;

/// From flows to a program: on each rank, sends and receives stand in the order of the flows.
fn build(nodes: u64, flows: &[Flow], triggers: &BTreeMap<u32, Trigger>, control: &Control) -> Result<Explicit> {
    let mut draft = Draft::new(nodes)?;
    let (mut counts, mut fires) = (BTreeMap::<u32, u32>::new(), Fires::new());
    // (rank, flow, whether it sends), in the order of ranks and then of flows
    let mut ends: Vec<(u32, usize, bool)> = vec![];
    for (number, flow) in flows.iter().enumerate() {
        ends.extend([(flow.source, number, true), (flow.target, number, false)]);
        for (rank, delay, trigger) in [(flow.source, flow.start > 0, flow.sent), (flow.target, false, flow.received)] {
            let count = counts.entry(rank).or_default();
            *count += u32::from(delay);
            if let Some(id) = trigger {
                fires.entry(id).or_default().push((rank, *count));
            }
            *count += 1;
        }
    }
    ends.sort_unstable();
    for of_rank in ends.chunk_by(|a, b| a.0 == b.0) {
        control.check()?;
        draft.rank(of_rank[0].0.into())?;
        let mut waits: Vec<(u32, u32)> = vec![];
        for &(_, number, sends) in of_rank {
            let flow = &flows[number];
            draft.line(flow.line);
            let first = draft.at().1;
            if sends && flow.start > 0 {
                draft.push(Action { act: Act::Delay, amount: flow.start, ..Action::default() }, 0, "")?;
            }
            let (act, peer) = if sends { (Act::Send, flow.target) } else { (Act::Receive, flow.source) };
            let action = Action { act, peer, amount: flow.bytes, ..Action::default() };
            waits.extend(flow.trigger.filter(|_| sends).map(|id| (id, first)));
            let last = draft.push(action, number as u32, "")?;
            if last > first {
                waits.push((u32::MAX, first));
            }
        }
        for (id, operation) in waits {
            if id == u32::MAX {
                draft.after(u64::from(operation) + 1, operation.into(), false)?;
            } else {
                for before in fired_by(id, of_rank[0].0, triggers, &fires)? {
                    draft.after(operation.into(), before.into(), false)?;
                }
            }
        }
    }
    draft.compile(control)
}

/// Operations of a rank that fire a trigger which a flow of the rank waits for.
fn fired_by(id: u32, rank: u32, triggers: &BTreeMap<u32, Trigger>, fires: &Fires) -> Result<Vec<u32>> {
    let Some(trigger) = triggers.get(&id) else {
        return Err(Error::spec("trigger", id, "an id that a line \"trigger id\" describes"));
    };
    let wrong =
        |what: String, expected: &str| Err(Error::spec(format!("line {}: trigger {id}", trigger.line), what, expected));
    let of = fires.get(&id).map_or(&[][..], Vec::as_slice);
    let needed = trigger.count.unwrap_or(1);
    if of.len() != needed as usize {
        let what = format!("{} flows fire it, and it waits for {needed}", of.len());
        return wrong(what, "as many flows as it waits for: which of several come first would depend on the run");
    }
    if let Some((other, _)) = of.iter().find(|(other, _)| *other != rank) {
        let what = format!("it is fired on node {other}, and a flow of node {rank} waits for it");
        return wrong(what, "triggers within one node: a message has to tell another one");
    }
    Ok(of.iter().map(|&(_, operation)| operation).collect())
}

/// A flow that is written: what it waits for, and the trigger that it fires when it was sent or received.
#[derive(Debug)]
struct Plan {
    /// Delay before each send, by rank and operation.
    starts: BTreeMap<(u32, u32), u64>,
    /// Trigger that each send waits for.
    waits: BTreeMap<(u32, u32), u32>,
    /// Trigger that the end of an operation fires.
    fires: BTreeMap<(u32, u32), u32>,
    /// How many operations fire each trigger.
    counts: Vec<usize>,
    lost: Vec<String>,
}

/// How a program is written, if the format can hold it.
fn plan(program: &Explicit) -> Result<Plan> {
    let mut plan =
        Plan { starts: BTreeMap::new(), waits: BTreeMap::new(), fires: BTreeMap::new(), counts: vec![], lost: vec![] };
    let (mut posted, mut computed) = (0, 0);
    for rank in 0..program.ranks() {
        let actions = program.of(rank);
        let refuse = |number: u32, value: &str, expected: &str| {
            Err(Error::spec(format!("{}: htsim", program.name(rank, number)), value, expected))
        };
        let mut before: Vec<(u32, u32, bool)> = vec![];
        for number in 0..actions.len() as u32 {
            before.extend(program.dependents(rank, number).iter().map(|d| (d.action(), number, d.on_begin())));
        }
        before.sort_unstable();
        let of = |number: u32| {
            let from = before.partition_point(|entry| entry.0 < number);
            &before[from..from + before[from..].partition_point(|entry| entry.0 == number)]
        };
        let mut sets: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        for (number, action) in (0u32..).zip(actions) {
            let waits = of(number);
            match action.act {
                Act::Receive | Act::Reduce => posted += usize::from(!waits.is_empty()),
                Act::Compute | Act::Delay if program.dependents(rank, number).is_empty() => computed += 1,
                Act::Compute | Act::Delay if !waits.is_empty() => {
                    return refuse(number, "a time between messages", "delays at the start only");
                }
                Act::Compute | Act::Delay => {}
                Act::Send => {
                    if action.amount == 0 {
                        return refuse(
                            number,
                            "a message without bytes",
                            "at least one byte: htsim sends 0 without end",
                        );
                    }
                    if action.amount >= SIZES {
                        return refuse(number, "2^31 bytes or more", "smaller messages: htsim reads 31 bits");
                    }
                    if waits.iter().any(|entry| entry.2) {
                        return refuse(number, "it waits for a beginning", "dependencies on ends only");
                    }
                    let set: Vec<u32> = waits.iter().map(|entry| entry.1).collect();
                    match set[..] {
                        [] => {}
                        [only] if !actions[only as usize].act.moves() => {
                            plan.starts.insert((rank, number), actions[only as usize].amount);
                        }
                        _ if set.iter().any(|&other| !actions[other as usize].act.moves()) => {
                            return refuse(number, "it waits for a time and for messages", "one of them");
                        }
                        _ => {
                            let next = plan.counts.len() as u32 + 1;
                            let id = *sets.entry(set.clone()).or_insert(next);
                            if id == next {
                                plan.counts.push(set.len());
                                for &other in &set {
                                    if plan.fires.insert((rank, other), id).is_some() {
                                        return refuse(
                                            other,
                                            "different sets of flows wait for it",
                                            "one trigger per end",
                                        );
                                    }
                                }
                            }
                            plan.waits.insert((rank, number), id);
                        }
                    }
                }
            }
        }
    }
    if posted > 0 {
        plan.lost.push(format!("what {posted} receives wait for is left out: htsim's receivers are always ready"));
    }
    if computed > 0 {
        plan.lost.push(format!("{computed} times that no message waits for are left out"));
    }
    let parts = plan.starts.values().filter(|start| !start.is_multiple_of(PICOSECOND)).count();
    if parts > 0 {
        plan.lost.push(format!("{parts} delays are rounded up to whole picoseconds"));
    }
    Ok(plan)
}

/// What the format cannot hold of a program.
///
/// # Errors
/// [`Error::Spec`] that names an operation without which the rest would mean something else.
pub(crate) fn lost(program: &Explicit) -> Result<Vec<String>> {
    plan(program).map(|plan| plan.lost)
}

/// Writes a program for which [`lost`] was asked.
///
/// # Errors
/// Those of the output, and those of [`lost`].
pub fn write(program: &Explicit, out: &mut impl Write) -> std::io::Result<()> {
    let plan = plan(program).map_err(std::io::Error::other)?;
    let sends = |rank: u32| (0u32..).zip(program.of(rank)).filter(|(_, action)| action.act == Act::Send);
    let count: usize = (0..program.ranks()).map(|rank| sends(rank).count()).sum();
    writeln!(out, "Nodes {}\nConnections {count}", program.ranks())?;
    if !plan.counts.is_empty() {
        writeln!(out, "Triggers {}", plan.counts.len())?;
    }
    let mut id = 0;
    for rank in 0..program.ranks() {
        for (number, action) in sends(rank) {
            id += 1;
            write!(out, "{rank}->{} id {id} ", action.peer)?;
            match plan.waits.get(&(rank, number)) {
                Some(trigger) => write!(out, "trigger {trigger}")?,
                None => {
                    let start = plan.starts.get(&(rank, number)).map_or(0, |start| start.div_ceil(PICOSECOND));
                    write!(out, "start {start}")?;
                }
            }
            write!(out, " size {}", action.amount)?;
            if let Some(trigger) = plan.fires.get(&(rank, number)) {
                write!(out, " send_done_trigger {trigger}")?;
            }
            if let Some(trigger) = plan.fires.get(&(action.peer, action.mate)) {
                write!(out, " recv_done_trigger {trigger}")?;
            }
            writeln!(out)?;
        }
    }
    for (id, count) in (1..).zip(&plan.counts) {
        match count {
            1 => writeln!(out, "trigger id {id} oneshot")?,
            _ => writeln!(out, "trigger id {id} barrier count {count}")?,
        }
    }
    Ok(())
}
