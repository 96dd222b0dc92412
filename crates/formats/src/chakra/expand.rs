//! Collectives of a trace as sends and receives.
//!
//! **Model.** The `k`-th collective of each rank is one collective of all of them, by the algorithm of [`algorithm`], in one lane. A step of a
//! rank waits for all of the step before it.
//!
//! **Invariant.** All ranks have as many collectives, of the same kinds and sizes. **Cost.** One schedule per collective; what its steps
//! receive is found by asking all ranks what they send.

use std::collections::BTreeMap;

use supernode_core::collective::{Algorithm, Collective, Params, Schedule, Target, build};
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::{Act, Action, Draft};

use super::{COLLECTIVE, wire::Node, wrong};

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

/// All collectives of a trace.
pub(super) struct Collectives {
    each: Vec<(Box<dyn Schedule>, Received)>,
}

impl Collectives {
    pub(super) fn new(traces: &[Vec<Node>]) -> Result<Self> {
        let of = |nodes: &'_ [Node]| nodes.iter().filter(|node| node.kind == COLLECTIVE).cloned().collect::<Vec<_>>();
        let first = traces.first().map(|nodes| of(nodes)).unwrap_or_default();
        let ranks = traces.len() as u32;
        for (rank, nodes) in (0u32..).zip(traces) {
            let own = of(nodes);
            if own.len() != first.len() {
                let given = format!("{} collectives, and rank 0 has {}", own.len(), first.len());
                return Err(Error::spec(format!("rank {rank}"), given, "as many on all ranks"));
            }
            for (one, other) in own.iter().zip(&first) {
                for name in ["comm_type", "comm_size", "root_rank"] {
                    if one.integer(name) != other.integer(name) {
                        let value = one.integer(name).map_or("missing".into(), |value| value.to_string());
                        return Err(wrong(rank, one, name, value, "what the same collective has on rank 0"));
                    }
                }
            }
        }
        let (mut each, mut messages) = (vec![], 0);
        for node in &first {
            let (schedule, received) = Self::one(ranks, node, &mut messages)?;
            each.push((schedule, received));
        }
        Ok(Self { each })
    }

    fn one(ranks: u32, node: &Node, messages: &mut u64) -> Result<(Box<dyn Schedule>, Received)> {
        if node.text("pg_name").is_some_and(|name| !name.is_empty()) {
            let expected = "none: the trace does not say which ranks are in a process group";
            return Err(wrong(0, node, "pg_name", node.text("pg_name").unwrap_or(""), expected));
        }
        if node.has("involved_dim") {
            return Err(wrong(0, node, "involved_dim", "given", "none: collectives are of all ranks"));
        }
        let number = node.integer("comm_type").unwrap_or(u64::MAX);
        let Some(&collective) = usize::try_from(number).ok().and_then(|number| KINDS.get(number)) else {
            return Err(wrong(0, node, "comm_type", number, "0 to 9"));
        };
        let mut bytes = node.integer("comm_size").unwrap_or(0);
        if bytes > 1 << 50 {
            return Err(wrong(0, node, "comm_size", bytes, "at most 2^50"));
        }
        if collective == Collective::AllGather {
            // what a rank gives, while the core counts what it gets
            bytes = bytes.saturating_mul(ranks.into());
        }
        let root = node.integer("root_rank").and_then(|root| u32::try_from(root).ok()).unwrap_or(0);
        let params = Params {
            element: 1,
            root,
            lanes: Some(1),
            chunks: Some(1),
            ..Params::new(collective, algorithm(collective), ranks, bytes)
        };
        let schedule = build(&params)?;
        let mut received = Received::new();
        for rank in 0..ranks {
            for lane in 0..schedule.lanes() {
                for step in 0..schedule.steps(rank, lane) {
                    for i in 0..schedule.sends(rank, lane, step) {
                        let message = schedule.send(rank, lane, step, i);
                        let Target::Rank(to) = message.to else { continue };
                        *messages += 1;
                        if *messages > MOST {
                            let value = format!("more than {MOST}");
                            let what = "messages of the collectives of the trace".to_string();
                            return Err(Error::Overflow { what, value, limit: MOST.to_string() });
                        }
                        let at = (to, message.recv_step << 8 | lane);
                        received.entry(at).or_default().push((rank, message.bytes));
                    }
                }
            }
        }
        Ok((schedule, received))
    }

    /// Adds the part of a rank in a collective: its first actions, and the one that ends it.
    pub(super) fn push(
        &self,
        draft: &mut Draft,
        (rank, instance): (u32, usize),
        stream: u16,
        label: &str,
    ) -> Result<(Vec<u32>, u32)> {
        let (schedule, received) = &self.each[instance];
        let tag = TAGS + instance as u32;
        let begin = draft.push(Action { stream, ..Action::default() }, 0, label)?;
        let mut open = vec![];
        for lane in 0..schedule.lanes() {
            let mut before = vec![begin];
            for step in 0..schedule.steps(rank, lane) {
                let mut these = vec![];
                for i in 0..schedule.sends(rank, lane, step) {
                    let message = schedule.send(rank, lane, step, i);
                    let Target::Rank(peer) = message.to else { continue };
                    let action = Action { act: Act::Send, peer, amount: message.bytes, stream, ..Action::default() };
                    these.push(draft.push(action, tag, label)?);
                }
                let reduces = reduces(&**schedule, rank, lane, step);
                for &(peer, amount) in received.get(&(rank, step << 8 | lane)).into_iter().flatten() {
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
fn reduces(schedule: &dyn Schedule, rank: u32, lane: u32, step: u32) -> bool {
    schedule.recvs(rank, lane, step).reduce
}
