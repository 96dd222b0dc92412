//! Collectives of a trace as sends and receives.
//!
//! **Model.** The `k`-th collective of a group is the same on each of its ranks, by the algorithm of [`algorithm`], in one lane. A group is a
//! name and its ranks. A step of a rank waits for all of the step before it.
//!
//! **Invariant.** All ranks of a group have as many of its collectives, of the same kinds and sizes. **Cost.** One schedule per collective; what its steps
//! receive is found by asking all ranks what they send.

use std::collections::BTreeMap;
use std::rc::Rc;

use supernode_core::collective::{Algorithm, Collective, Params, Schedule, Target, build};
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::{Act, Action, Draft};

use super::groups::{self, Members};
use super::{wire::Node, wrong};

/// Tags of sends and receives of the trace are below; those of collectives begin here.
pub(super) const TAGS: u32 = 1 << 24;
/// Most messages of all collectives.
const MOST: u64 = 1 << 26;
/// Chakra's collectives in the order of their numbers.
const KINDS: [Collective; 10] = [
    Collective::AllReduce,
    Collective::Reduce,
    Collective::AllGather,
    Collective::Gather,
    Collective::Scatter,
    Collective::Broadcast,
    Collective::AllToAll,
    Collective::ReduceScatter,
    Collective::ReduceScatter,
    Collective::Barrier,
];

/// The algorithm by which a collective is expanded.
fn algorithm(collective: Collective) -> Algorithm {
    match collective {
        Collective::AllReduce | Collective::AllGather | Collective::ReduceScatter => Algorithm::Ring,
        Collective::AllToAll => Algorithm::Pairwise,
        Collective::Barrier => Algorithm::Bruck,
        _ => Algorithm::Binomial,
    }
}

/// What one step of a rank receives: from whom, and how much.
type Received = BTreeMap<(u32, u32), Vec<(u32, u64)>>;

/// A collective: its group, its algorithm, and what each step receives, all by places in the group.
struct One {
    members: Rc<Vec<u32>>,
    schedule: Box<dyn Schedule>,
    received: Received,
}

/// All collectives of a trace.
pub(super) struct Collectives {
    each: Vec<One>,
    /// Those of each rank, by their order there.
    of: Vec<Vec<u32>>,
}

impl Collectives {
    /// Finds the collectives of traces, whose groups are described here for each rank and for all.
    pub(super) fn new(traces: &[Vec<Node>], shared: &Members) -> Result<Self> {
        let ranks = traces.len() as u32;
        let all: Rc<Vec<u32>> = Rc::new((0..ranks).collect());
        let mut messages = 0;
        let (mut each, mut of, mut firsts) = (vec![], vec![], Vec::<(u32, &Node)>::new());
        // collectives of each group
        let mut known: BTreeMap<(&str, Rc<Vec<u32>>), Vec<u32>> = BTreeMap::new();
        for (rank, nodes) in (0u32..).zip(traces) {
            let own = groups::described(rank, nodes, ranks)?;
            let mut counts: BTreeMap<(&str, Rc<Vec<u32>>), usize> = BTreeMap::new();
            let mut numbers = vec![];
            for node in nodes.iter().filter(|node| node.is_collective()) {
                let members = groups::of(rank, node, &[&own, shared], &all)?;
                let name = node.text("pg_name").unwrap_or("");
                let instances = known.entry((name, members.clone())).or_default();
                let count = counts.entry((name, members.clone())).or_default();
                match instances.get(*count) {
                    Some(&number) => same(rank, node, firsts[number as usize])?,
                    None if members.iter().min() != Some(&rank) => {
                        let first = members.iter().min().unwrap_or(&0);
                        let given = format!("{} or more of group {name:?}, and rank {first} has {count}", *count + 1);
                        return Err(wrong(rank, node, "collectives", given, "as many on all ranks of a group"));
                    }
                    None => {
                        instances.push(each.len() as u32);
                        firsts.push((rank, node));
                        each.push(Self::one(members.clone(), rank, node, &mut messages)?);
                    }
                }
                numbers.push(instances[*count]);
                *count += 1;
            }
            for (group, instances) in known.iter().filter(|((_, members), _)| members.contains(&rank)) {
                let count = counts.get(group).copied().unwrap_or(0);
                if count != instances.len() {
                    let first = group.1.iter().min().unwrap_or(&0);
                    let given = format!("{count} collectives, and rank {first} has {}", instances.len());
                    return Err(Error::spec(format!("rank {rank}"), given, "as many on all ranks of a group"));
                }
            }
            of.push(numbers);
        }
        Ok(Self { each, of })
    }

    fn one(members: Rc<Vec<u32>>, rank: u32, node: &Node, messages: &mut u64) -> Result<One> {
        let ranks = members.len() as u32;
        let number = node.integer("comm_type").unwrap_or(u64::MAX);
        let Some(&collective) = usize::try_from(number).ok().and_then(|number| KINDS.get(number)) else {
            return Err(wrong(rank, node, "comm_type", number, "0 to 9"));
        };
        let mut bytes = node.integer("comm_size").unwrap_or(0);
        if bytes > 1 << 50 {
            return Err(wrong(rank, node, "comm_size", bytes, "at most 2^50"));
        }
        if collective == Collective::AllGather {
            // what a rank gives, while the core counts what it gets
            bytes = bytes.saturating_mul(ranks.into());
        }
        let root = node.integer("root_rank").and_then(|root| u32::try_from(root).ok()).unwrap_or(0);
        if root > 0 && members.iter().zip(0..).any(|(&member, place)| member != place) {
            let expected = "0: in a group it may be a rank or a place, and the format does not say which";
            return Err(wrong(rank, node, "root_rank", root, expected));
        }
        let params = Params {
            element: 1,
            root,
            lanes: Some(1),
            chunks: Some(1),
            ..Params::new(collective, algorithm(collective), ranks, bytes)
        };
        let schedule = build(&params)?;
        let mut received = Received::new();
        for place in 0..ranks {
            for lane in 0..schedule.lanes() {
                for step in 0..schedule.steps(place, lane) {
                    for i in 0..schedule.sends(place, lane, step) {
                        let message = schedule.send(place, lane, step, i);
                        let Target::Rank(to) = message.to else { continue };
                        *messages += 1;
                        if *messages > MOST {
                            let value = format!("more than {MOST}");
                            let what = "messages of the collectives of the trace".to_string();
                            return Err(Error::Overflow { what, value, limit: MOST.to_string() });
                        }
                        let at = (to, message.recv_step << 8 | lane);
                        received.entry(at).or_default().push((place, message.bytes));
                    }
                }
            }
        }
        Ok(One { members, schedule, received })
    }

    /// Adds the part of a rank in a collective: its first actions, and the one that ends it.
    pub(super) fn push(
        &self,
        draft: &mut Draft,
        (rank, instance): (u32, usize),
        stream: u16,
        label: &str,
    ) -> Result<(Vec<u32>, u32)> {
        let number = self.of[rank as usize][instance];
        let One { members, schedule, received } = &self.each[number as usize];
        let place = members.iter().zip(0u32..).find(|(member, _)| **member == rank).map_or(0, |(_, place)| place);
        let tag = TAGS + number;
        let begin = draft.push(Action { stream, ..Action::default() }, 0, label)?;
        let mut open = vec![];
        for lane in 0..schedule.lanes() {
            let mut before = vec![begin];
            for step in 0..schedule.steps(place, lane) {
                let mut these = vec![];
                for i in 0..schedule.sends(place, lane, step) {
                    let message = schedule.send(place, lane, step, i);
                    let Target::Rank(to) = message.to else { continue };
                    let peer = members[to as usize];
                    let action = Action { act: Act::Send, peer, amount: message.bytes, stream, ..Action::default() };
                    these.push(draft.push(action, tag, label)?);
                }
                let reduces = reduces(&**schedule, place, lane, step);
                for &(from, amount) in received.get(&(place, step << 8 | lane)).into_iter().flatten() {
                    let peer = members[from as usize];
                    let act = if reduces { Act::Reduce } else { Act::Receive };
                    these.push(draft.push(Action { act, peer, amount, stream, ..Action::default() }, tag, label)?);
                }
                for &action in &these {
                    before.iter().try_for_each(|&one| draft.after(action.into(), one.into(), false))?;
                }
                if !these.is_empty() {
                    before = these;
                }
            }
            open.extend(before);
        }
        let end = draft.push(Action { stream, ..Action::default() }, 0, label)?;
        open.iter().try_for_each(|&one| draft.after(end.into(), one.into(), false))?;
        Ok((vec![begin], end))
    }
}

/// Whether what a step receives is combined.
fn reduces(schedule: &dyn Schedule, place: u32, lane: u32, step: u32) -> bool {
    schedule.recvs(place, lane, step).reduce
}

/// Makes sure that a collective is what it is on the first rank of its group.
fn same(rank: u32, node: &Node, (first, other): (u32, &Node)) -> Result<()> {
    for name in ["comm_type", "comm_size", "root_rank"] {
        if node.integer(name) != other.integer(name) {
            let value = node.integer(name).map_or("missing".into(), |value| value.to_string());
            return Err(wrong(rank, node, name, value, format!("what the same collective has on rank {first}")));
        }
    }
    Ok(())
}
