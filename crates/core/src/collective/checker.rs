//! Proof of a schedule by symbolic execution.
//!
//! **Model.** A block's value is the set of ranks whose data it contains. Each lane runs alone: a rank starts a step when it
//! has finished the one before, its messages carry what it holds at that moment, and the step is finished when everything
//! announced has arrived; only then does it change what the rank holds. Storing may not lose a contribution, reducing may
//! not add one twice or into nothing. In the end every rank must hold the collective's result, of the right size.
//!
//! **Invariant.** A schedule that passes gives the collective's result on any network that delivers every message, in any
//! order; lanes cannot disturb each other, since they share no block.
//!
//! **Cost.** Time and memory O(ranks * blocks * ranks / 64): fine for hundreds of ranks; refused above [`MAX_RANKS`]. The
//! sets that are kept are counted, and more than [`Control::memory_limit`] allows is an error.
//!
//! **Limits.** Values are sets: a reduction is taken to be commutative and associative.

use super::build::Params;
use super::held::Held;
use super::outcome::{Found, Outcome, Ranks, add, list, sizes, store};
use super::{Block, MAX_LANES, MAX_STEPS, Message, Schedule, Target};
use crate::control::{Control, Phase};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most ranks that are checked.
pub(super) const MAX_RANKS: u32 = 4096;
/// Most messages that are looked through to tell who should have sent one.
const SEARCH: u32 = 1 << 20;

/// What a correct schedule costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Messages sent by all ranks; each contribution to an in-network reduction and each multicast counts once.
    pub messages: u64,
    /// Payload bytes of these messages (at most what fits).
    pub bytes: u64,
    /// Most steps that a rank has in a lane.
    pub max_steps: u32,
    /// Number of lanes.
    pub lanes: u32,
}

/// Runs the schedule symbolically; the error says what is wrong first.
///
/// # Errors
/// [`Error::Schedule`]; [`Error::Spec`] for more than [`MAX_RANKS`] ranks; those of [`Control::check`].
pub fn check(schedule: &dyn Schedule, params: &Params, control: &Control) -> Result<CheckReport> {
    check_within(schedule, params, None, control)
}

/// Why there is no report.
enum Fault {
    /// What is wrong with the schedule.
    Wrong(String),
    /// More bytes than are allowed.
    Large(u64),
}

impl From<String> for Fault {
    fn from(problem: String) -> Self {
        Self::Wrong(problem)
    }
}

/// The same in at most `memory` bytes.
///
/// # Errors
/// Those of [`check`], and [`Error::Memory`].
pub fn check_within(
    schedule: &dyn Schedule,
    params: &Params,
    memory: Option<u64>,
    control: &Control,
) -> Result<CheckReport> {
    control.begin(Phase::Proving)?;
    if params.ranks > MAX_RANKS {
        return Err(Error::spec("ranks", params.ranks, format!("at most {MAX_RANKS} for the symbolic check")));
    }
    let (n, lanes) = (schedule.ranks(), schedule.lanes());
    let mut report = CheckReport { lanes, ..CheckReport::default() };
    let found = verify(schedule, params, memory, &mut report, control);
    // what was stopped found nothing
    control.check()?;
    match found {
        Ok(()) => Ok(report),
        Err(Fault::Wrong(problem)) => Err(Error::Schedule {
            schedule: format!("{} {} on {n} ranks", params.algorithm, params.collective),
            problem,
        }),
        Err(Fault::Large(needed)) => Err(Error::Memory {
            what: format!("the symbolic check of {n} ranks, as far as it got,"),
            needed,
            available: memory.unwrap_or(u64::MAX),
            hint: "check fewer ranks, or raise memory_limit".into(),
        }),
    }
}

fn verify(
    schedule: &dyn Schedule,
    params: &Params,
    memory: Option<u64>,
    report: &mut CheckReport,
    control: &Control,
) -> std::result::Result<(), Fault> {
    let (n, lanes) = (schedule.ranks(), schedule.lanes());
    if n != params.ranks {
        return Err(format!("it is for {n} ranks, asked for {}", params.ranks).into());
    }
    if !(1..=MAX_LANES).contains(&lanes) {
        return Err(format!("{lanes} lanes, valid are 1 to {MAX_LANES}").into());
    }
    let mut moved = 0;
    for lane in 0..lanes {
        let mut run = Run::new(schedule, params, lane, memory, control);
        run.run(report)?;
        moved = run.results()?.saturating_add(moved);
    }
    Ok(sizes(schedule, params, moved)?)
}

/// What a message brings.
#[derive(Default)]
struct Load {
    messages: u32,
    bytes: u64,
    values: Vec<(Block, Ranks)>,
}

/// An in-network reduction that not all have contributed to.
#[derive(Default)]
struct Sum {
    from: BTreeSet<u32>,
    bytes: u64,
    values: BTreeMap<Block, Ranks>,
}

struct Run<'a> {
    schedule: &'a dyn Schedule,
    outcome: Outcome<'a>,
    lane: u32,
    /// Step of each rank, and whether its messages have left.
    at: Vec<(u32, bool)>,
    holds: Vec<BTreeMap<Block, Ranks>>,
    inbox: Vec<BTreeMap<u32, Load>>,
    /// By root, if they have one, and step.
    sums: BTreeMap<(Option<u32>, u32), Sum>,
    ready: VecDeque<u32>,
    seen: BTreeSet<Block>,
    held: Held,
    control: &'a Control,
}

impl<'a> Run<'a> {
    fn new(
        schedule: &'a dyn Schedule,
        params: &'a Params,
        lane: u32,
        memory: Option<u64>,
        control: &'a Control,
    ) -> Self {
        let ranks = 0..schedule.ranks();
        Run {
            schedule,
            outcome: Outcome::new(params, schedule.lanes()),
            lane,
            at: ranks.clone().map(|_| (0, false)).collect(),
            holds: ranks.clone().map(|_| BTreeMap::new()).collect(),
            inbox: ranks.clone().map(|_| BTreeMap::new()).collect(),
            sums: BTreeMap::new(),
            ready: ranks.collect(),
            seen: BTreeSet::new(),
            held: Held::new(schedule.ranks(), memory),
            control,
        }
    }

    fn run(&mut self, report: &mut CheckReport) -> std::result::Result<(), Fault> {
        for rank in 0..self.schedule.ranks() {
            let steps = self.schedule.steps(rank, self.lane);
            if steps > MAX_STEPS {
                return Err(format!("rank {rank} has {steps} steps, at most {MAX_STEPS}").into());
            }
            report.max_steps = report.max_steps.max(steps);
        }
        while let Some(rank) = self.ready.pop_front() {
            while self.advance(rank, report)? {
                if let Some(bytes) = self.held.excess() {
                    return Err(Fault::Large(bytes));
                }
            }
        }
        Ok(self.finished()?)
    }

    /// Takes a rank as far as it can go in its step; false if it is done or must wait.
    fn advance(&mut self, rank: u32, report: &mut CheckReport) -> Found<bool> {
        let (step, sent) = self.at[rank as usize];
        if step >= self.schedule.steps(rank, self.lane) {
            return Ok(false);
        }
        if !sent {
            self.at[rank as usize].1 = true;
            // All messages of a step carry what was held at its start: nothing changes before it is complete.
            for i in 0..self.schedule.sends(rank, self.lane, step) {
                let message = self.schedule.send(rank, self.lane, step, i);
                report.messages += 1;
                report.bytes = report.bytes.saturating_add(message.bytes);
                self.send(rank, step, i, message)
                    .map_err(|e| format!("message {i} of rank {rank} step {step} lane {}: {e}", self.lane))?;
            }
        }
        let expected = self.schedule.recvs(rank, self.lane, step);
        let load = match self.inbox[rank as usize].remove(&step) {
            Some(load) if load.messages < expected.messages => {
                self.inbox[rank as usize].insert(step, load);
                return Ok(false);
            }
            None if expected.messages > 0 => return Ok(false),
            load => load.unwrap_or_default(),
        };
        let place = format!("rank {rank} step {step} lane {}", self.lane);
        if load.bytes != expected.bytes {
            return Err(format!("{place} announces {} bytes and gets {}", expected.bytes, load.bytes));
        }
        self.held.taken(load.values.len());
        for (block, value) in load.values {
            let old = self.value(rank, block);
            let wrong = |e| format!("{place}: block {block}: {e}");
            let new = if expected.reduce {
                let sum = add(old, &value).map_err(wrong)?;
                self.held.made();
                self.held.lets_go(value);
                sum
            } else {
                store(old, value).map_err(wrong)?
            };
            self.held.entered(self.holds[rank as usize].insert(block, new));
        }
        self.at[rank as usize] = (step + 1, false);
        Ok(true)
    }

    fn send(&mut self, rank: u32, step: u32, i: u32, message: Message) -> Found {
        let n = self.schedule.ranks();
        let mut blocks = Vec::new();
        self.schedule.blocks(rank, self.lane, step, i, &mut blocks);
        let mut bytes = 0;
        let mut values = Vec::with_capacity(blocks.len());
        for &block in &blocks {
            if block % u64::from(self.schedule.lanes()) != u64::from(self.lane) || !self.outcome.exists(block) {
                return Err(format!("block {block} is not one of this lane"));
            }
            bytes = self.schedule.block_bytes(block).saturating_add(bytes);
            self.seen.insert(block);
            let value = self.value(rank, block).ok_or_else(|| format!("it has no block {block} to send"))?;
            if !self.holds[rank as usize].contains_key(&block) {
                self.held.made(); // its own contribution, which nothing else refers to
            }
            values.push((block, value));
        }
        blocks.sort_unstable();
        if blocks.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("it carries a block twice".into());
        }
        if bytes != message.bytes {
            return Err(format!("its blocks have {bytes} bytes, it says {}", message.bytes));
        }
        match message.to {
            Target::Rank(to) if to == rank => Err("it goes to its own sender".into()),
            Target::Rank(to) if to >= n => Err(format!("it goes to rank {to} of {n}")),
            Target::Rank(to) => self.deliver(to, message.recv_step, bytes, values),
            Target::SwitchMulticast => {
                (0..n).try_for_each(|to| self.deliver(to, message.recv_step, bytes, values.clone()))
            }
            Target::SwitchReduce { root } if root >= n => Err(format!("it is reduced to rank {root} of {n}")),
            Target::SwitchReduce { root } => self.contribute(rank, Some(root), message, values),
            Target::SwitchAllReduce => self.contribute(rank, None, message, values),
        }
    }

    fn contribute(&mut self, rank: u32, root: Option<u32>, message: Message, values: Vec<(Block, Ranks)>) -> Found {
        let key = (root, message.recv_step);
        let sum = self.sums.entry(key).or_default();
        if sum.from.is_empty() {
            sum.bytes = message.bytes;
        }
        if sum.bytes != message.bytes {
            return Err(format!("it adds {} bytes to a reduction of {}", message.bytes, sum.bytes));
        }
        if !sum.from.insert(rank) {
            return Err(format!("a second contribution to the same reduction to {}", receiver(root)));
        }
        for (block, value) in values {
            let new = match sum.values.get(&block) {
                Some(old) => {
                    let new = add(Some(old.clone()), &value).map_err(|e| format!("block {block}: {e}"))?;
                    self.held.made();
                    self.held.lets_go(value);
                    new
                }
                None => value,
            };
            self.held.entered(sum.values.insert(block, new));
        }
        if sum.from.len() == self.at.len() {
            let sum = self.sums.remove(&key).unwrap_or_default();
            self.held.left(sum.values.len());
            let values: Vec<_> = sum.values.into_iter().collect();
            let mut to = root.map_or(0..self.schedule.ranks(), |root| root..root + 1);
            return to.try_for_each(|to| self.deliver(to, message.recv_step, sum.bytes, values.clone()));
        }
        Ok(())
    }

    fn deliver(&mut self, to: u32, step: u32, bytes: u64, values: Vec<(Block, Ranks)>) -> Found {
        if self.control.stopped() {
            return Err("it was stopped".into());
        }
        let steps = self.schedule.steps(to, self.lane);
        if step >= steps {
            return Err(format!("it is for step {step} of rank {to}, which has {steps}"));
        }
        if step < self.at[to as usize].0 {
            return Err(format!("it is for step {step} of rank {to}, which did not wait for it"));
        }
        let announced = self.schedule.recvs(to, self.lane, step).messages;
        let load = self.inbox[to as usize].entry(step).or_default();
        if load.messages >= announced {
            return Err(format!("rank {to} announces {announced} messages for step {step} and gets more"));
        }
        load.messages += 1;
        load.bytes = load.bytes.saturating_add(bytes);
        self.held.wait(values.len());
        load.values.extend(values);
        self.ready.push_back(to);
        Ok(())
    }

    /// Everyone is done and nothing is left over; otherwise, who waits for what.
    fn finished(&self) -> Found {
        let steps = |rank: u32| self.schedule.steps(rank, self.lane);
        let stuck: Vec<u32> = (0..self.schedule.ranks()).filter(|&r| self.at[r as usize].0 < steps(r)).collect();
        if !stuck.is_empty() {
            let mut told: Vec<String> = stuck.iter().take(4).map(|&rank| self.waiting(rank)).collect();
            if stuck.len() > told.len() {
                told.push(format!("{} more", stuck.len() - told.len()));
            }
            return Err(format!("ranks wait for ever: {}", told.join("; ")));
        }
        match self.sums.iter().next() {
            Some(((root, step), sum)) => Err(format!(
                "the reduction to {} step {step} lane {} has {} contributions of {}",
                receiver(*root),
                self.lane,
                sum.from.len(),
                self.at.len()
            )),
            None => Ok(()),
        }
    }

    fn waiting(&self, rank: u32) -> String {
        let step = self.at[rank as usize].0;
        let expected = self.schedule.recvs(rank, self.lane, step).messages;
        let got = self.inbox[rank as usize].get(&step).map_or(0, |load| load.messages);
        let from = match self.sender(rank, step) {
            Some(from) => format!("the next from rank {from} in step {}", self.at[from as usize].0),
            None => "nobody will send more".into(),
        };
        format!("rank {rank} step {step} lane {} has {got} of {expected} messages, {from}", self.lane)
    }

    /// A rank that has yet to send to this step.
    fn sender(&self, rank: u32, step: u32) -> Option<u32> {
        let mut left = SEARCH;
        for from in 0..self.schedule.ranks() {
            let (at, sent) = self.at[from as usize];
            for later in at + u32::from(sent)..self.schedule.steps(from, self.lane) {
                for i in 0..self.schedule.sends(from, self.lane, later) {
                    let message = self.schedule.send(from, self.lane, later, i);
                    let to_rank = match message.to {
                        Target::Rank(to) | Target::SwitchReduce { root: to } => to == rank,
                        Target::SwitchMulticast | Target::SwitchAllReduce => true,
                    };
                    if to_rank && message.recv_step == step {
                        return Some(from);
                    }
                    left = left.checked_sub(1)?;
                }
            }
        }
        None
    }

    /// What a rank holds of a block now.
    fn value(&self, rank: u32, block: Block) -> Option<Ranks> {
        if let Some(value) = self.holds[rank as usize].get(&block) {
            return Some(value.clone());
        }
        self.outcome.begins(rank, block).then(|| self.outcome.only(rank))
    }

    /// Checks what all ranks hold in the end; gives the bytes of all blocks that were seen.
    fn results(&self) -> Found<u64> {
        for rank in 0..self.schedule.ranks() {
            if self.control.stopped() {
                return Err("it was stopped".into());
            }
            self.outcome.each(rank, self.lane, &self.seen, |block, wanted| {
                let held = self.value(rank, block);
                if held.as_ref() == Some(wanted) {
                    return Ok(());
                }
                let has = held.map_or_else(|| "nothing".into(), |set| format!("the data of {}", list(&set)));
                Err(format!("rank {rank} ends with {has} in block {block}, not that of {}", list(wanted)))
            })?;
        }
        Ok(self.seen.iter().fold(0, |sum, &block| self.schedule.block_bytes(block).saturating_add(sum)))
    }
}

/// Who gets a sum, in words.
fn receiver(root: Option<u32>) -> String {
    root.map_or("all".into(), |root| format!("rank {root}"))
}
