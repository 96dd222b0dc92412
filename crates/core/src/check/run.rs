//! A lane of a schedule with sets of ranks as data: the host of [`crate::walk`] that delivers every message at once.
//!
//! **Model.** The walk says which step a rank is in and when its messages go. What a rank received stays apart until the walk goes on
//! from the step; then it is stored or reduced, in the order in which it came.
//!
//! **Invariant.** The walk counts bytes and ends of messages in one number. Here they are counted apart and must both be as announced, so
//! no step is complete by accident. **Cost.** O(blocks * ranks / 64) per message. **Limits.** There is no clock: time is `()`.

use super::held::Held;
use super::outcome::{Found, Outcome, Ranks, add, list, store};
use super::{CheckReport, Fault};
use crate::collective::{Block, MAX_STEPS, Message, Params, Recv, Schedule, Target};
use crate::control::Control;
use crate::walk::{self, Earlies, Host, Lane, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

impl Time for () {}

/// What messages bring to a step.
#[derive(Default)]
pub(super) struct Load {
    pub(super) messages: u32,
    bytes: u64,
    values: Vec<(Block, Ranks)>,
}

/// An in-network reduction that not all have contributed to.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) from: BTreeSet<u32>,
    bytes: u64,
    values: BTreeMap<Block, Ranks>,
}

/// One lane of all ranks. Lists are by rank.
pub(super) struct Run<'a> {
    pub(super) schedule: &'a dyn Schedule,
    outcome: Outcome<'a>,
    pub(super) lane: u32,
    pub(super) lanes: Vec<Lane<()>>,
    early: Vec<Earlies<()>>,
    /// Its step has begun, and its messages have not been sent.
    launched: Vec<bool>,
    /// Steps and progress that the walk has not been told of yet.
    untold: Vec<Vec<(u32, i64)>>,
    holds: Vec<BTreeMap<Block, Ranks>>,
    /// By step, what has come for it.
    pub(super) inbox: Vec<BTreeMap<u32, Load>>,
    /// By root, if they have one, and step.
    pub(super) sums: BTreeMap<(Option<u32>, u32), Sum>,
    /// Ranks that have something to do.
    ready: VecDeque<u32>,
    seen: BTreeSet<Block>,
    held: Held,
    /// What was found wrong while the walk went on.
    wrong: Option<String>,
    control: &'a Control,
}

impl<'a> Run<'a> {
    pub(super) fn new(
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
            lanes: ranks.clone().map(|rank| Lane::new(lane, schedule.steps(rank, lane))).collect(),
            early: ranks.clone().map(|_| Earlies::default()).collect(),
            launched: ranks.clone().map(|_| false).collect(),
            untold: ranks.clone().map(|_| vec![]).collect(),
            holds: ranks.clone().map(|_| BTreeMap::new()).collect(),
            inbox: ranks.clone().map(|_| BTreeMap::new()).collect(),
            sums: BTreeMap::new(),
            ready: ranks.collect(),
            seen: BTreeSet::new(),
            held: Held::new(schedule.ranks(), memory),
            wrong: None,
            control,
        }
    }

    /// Takes all ranks through all of their steps.
    pub(super) fn run(&mut self, report: &mut CheckReport) -> std::result::Result<(), Fault> {
        for (rank, &Lane { steps, .. }) in self.lanes.iter().enumerate() {
            if steps > MAX_STEPS {
                return Err(format!("rank {rank} has {steps} steps, at most {MAX_STEPS}").into());
            }
            report.max_steps = report.max_steps.max(steps);
        }
        for rank in 0..self.schedule.ranks() {
            walk::begin(self, rank, self.lane, ());
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

    /// Sends what a rank's step asks for and tells the walk what has come; false if nothing more is to be sent.
    fn advance(&mut self, rank: u32, report: &mut CheckReport) -> Found<bool> {
        if std::mem::take(&mut self.launched[rank as usize]) {
            // all messages of a step carry what was held at its start: nothing changes before it is complete
            let Lane { step, sends_left: sends, .. } = self.lanes[rank as usize];
            for i in 0..sends {
                let message = self.schedule.send(rank, self.lane, step, i);
                report.messages += 1;
                report.bytes = report.bytes.saturating_add(message.bytes);
                self.send(rank, step, i, message)
                    .map_err(|e| format!("message {i} of {}: {e}", self.place(rank, step)))?;
            }
            walk::sent(self, rank, self.lane, sends, ());
        }
        for (step, progress) in std::mem::take(&mut self.untold[rank as usize]) {
            walk::arrived(self, rank, self.lane, (self.lane, step), progress, ());
        }
        if let Some(problem) = self.wrong.take() {
            return Err(problem);
        }
        if !self.launched[rank as usize] {
            self.waits_for_messages(rank)?;
        }
        Ok(self.launched[rank as usize])
    }

    /// Where something happens, in words.
    pub(super) fn place(&self, rank: u32, step: u32) -> String {
        format!("rank {rank} step {step} lane {}", self.lane)
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
                let circle = self.schedule.circle(rank, message.recv_step);
                circle.members().try_for_each(|to| self.deliver(to, message.recv_step, bytes, values.clone()))
            }
            Target::SwitchReduce { root } if root >= n => Err(format!("it is reduced to rank {root} of {n}")),
            Target::SwitchReduce { root } => self.contribute(rank, Some(root), message, values),
            Target::SwitchAllReduce => self.contribute(rank, None, message, values),
        }
    }

    fn contribute(&mut self, rank: u32, root: Option<u32>, message: Message, values: Vec<(Block, Ranks)>) -> Found {
        let circle = self.schedule.circle(root.unwrap_or(rank), message.recv_step);
        // no rank is in two circles, so their first members tell them apart
        if self.schedule.circle(rank, message.recv_step).member(0) != circle.member(0) {
            return Err(format!("it is added to a sum for {}, whose circle does not have rank {rank}", receiver(root)));
        }
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
        if sum.from.len() == circle.size() as usize {
            let sum = self.sums.remove(&key).unwrap_or_default();
            self.held.left(sum.values.len());
            let values: Vec<_> = sum.values.into_iter().collect();
            let mut deliver = |to| self.deliver(to, message.recv_step, sum.bytes, values.clone());
            return match root {
                Some(root) => deliver(root),
                None => circle.members().try_for_each(deliver),
            };
        }
        Ok(())
    }

    fn deliver(&mut self, to: u32, step: u32, bytes: u64, values: Vec<(Block, Ranks)>) -> Found {
        if self.control.stopped() {
            return Err("it was stopped".into());
        }
        let Lane { step: now, steps, .. } = self.lanes[to as usize];
        if step >= steps {
            return Err(format!("it is for step {step} of rank {to}, which has {steps}"));
        }
        if step < now {
            return Err(format!("it is for step {step} of rank {to}, which did not wait for it"));
        }
        let announced = walk::awaits(self.schedule, to, self.lane, step).messages;
        let load = self.inbox[to as usize].entry(step).or_default();
        if load.messages >= announced {
            return Err(format!("rank {to} announces {announced} messages for step {step} and gets more"));
        }
        load.messages += 1;
        load.bytes = load.bytes.saturating_add(bytes);
        self.held.wait(values.len());
        load.values.extend(values);
        self.untold[to as usize].push((step, bytes as i64 + 1));
        self.ready.push_back(to);
        Ok(())
    }

    /// The walk went on from a step: what came for it changes what the rank holds.
    fn complete(&mut self, rank: u32, step: u32) -> Found {
        let expected = walk::awaits(self.schedule, rank, self.lane, step);
        let load = self.inbox[rank as usize].remove(&step).unwrap_or_default();
        let place = self.place(rank, step);
        agree(&place, &expected, &load)?;
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
        Ok(())
    }

    /// A rank that waits must lack a message: if all are there, with other bytes than announced, it would wait for ever.
    fn waits_for_messages(&self, rank: u32) -> Found {
        let lane = &self.lanes[rank as usize];
        if !lane.open() {
            return Ok(());
        }
        let expected = walk::awaits(self.schedule, rank, self.lane, lane.step);
        let (none, inbox) = (Load::default(), &self.inbox[rank as usize]);
        let load = inbox.get(&lane.step).unwrap_or(&none);
        if load.messages < expected.messages {
            return Ok(());
        }
        agree(&self.place(rank, lane.step), &expected, load)
    }

    /// What a rank holds of a block now.
    fn value(&self, rank: u32, block: Block) -> Option<Ranks> {
        if let Some(value) = self.holds[rank as usize].get(&block) {
            return Some(value.clone());
        }
        self.outcome.begins(rank, block).then(|| self.outcome.only(rank))
    }

    /// Checks what all ranks hold in the end; gives the bytes of all blocks that were seen.
    pub(super) fn results(&self) -> Found<u64> {
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

impl<'a> Host<'a> for Run<'a> {
    type Time = ();

    fn schedule(&self) -> &'a dyn Schedule {
        self.schedule
    }

    fn rank(&self, seat: u32) -> u32 {
        seat
    }

    fn lane(&mut self, seat: u32, _: u32) -> &mut Lane<()> {
        &mut self.lanes[seat as usize]
    }

    fn early(&mut self, seat: u32) -> &mut Earlies<()> {
        &mut self.early[seat as usize]
    }

    fn began(&mut self, seat: u32, _: u32, _: u32, (): ()) {
        self.left_behind(seat);
    }

    fn launch(&mut self, seat: u32, _: u32, _: u32, _: u32, (): ()) {
        self.launched[seat as usize] = true;
    }

    fn through(&mut self, seat: u32, _: u32, (): ()) {
        self.left_behind(seat);
    }
}

impl Run<'_> {
    /// The walk is in a new step, or through: the step before, if there is one, is complete.
    fn left_behind(&mut self, rank: u32) {
        let step = self.lanes[rank as usize].step.checked_sub(1);
        if let (Some(step), None) = (step, &self.wrong) {
            self.wrong = self.complete(rank, step).err();
        }
    }
}

/// What came for a step must be what it announced.
fn agree(place: &str, expected: &Recv, load: &Load) -> Found {
    if load.bytes == expected.bytes && load.messages == expected.messages {
        return Ok(());
    }
    // with the same bytes, the walk would have counted all ends of messages
    Err(format!("{place} announces {} bytes and gets {}", expected.bytes, load.bytes))
}

/// Who gets a sum, in words.
pub(super) fn receiver(root: Option<u32>) -> String {
    root.map_or("all".into(), |root| format!("rank {root}"))
}
