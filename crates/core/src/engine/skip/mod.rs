//! Exact cycle skipping: a state that repeats but for progress is moved ahead by whole periods instead of being simulated.
//!
//! **Why it is exact.** Let `S(t)` be the state at `t`: everything that later events depend on. Let `T` move a state ahead:
//! add `P` to its times, `s` to its steps, and fixed amounts to its counters. If `T` commutes with simulating (an event of
//! `T S` is that of `S`, moved) and `S(t + P) = T S(t)`, then `S(t + 2P) = T S(t + P)`, and so on: `k` periods are `k` times
//! `T`. Times and counters are whole numbers, so equality is equality. What an event depends on, and why `T` does not
//! change it as long as no limit is passed:
//!
//! - *times* are compared with each other only;
//! - *steps*: `s` is the same for all lanes that are not through, so labels keep their order; all steps from the first that the
//!   old state touches to the last that a skipped period touches are *alike* ([`crate::collective::Schedule::alike`]), so the
//!   schedule says the same for them. Then nothing inside a message may have advanced;
//! - *inside messages* (`s = 0`): all packets are full and none is the last one while the numbers stay below the end, so
//!   they differ by their selector only; no step comes to its end while something is left to receive;
//! - *selectors* advance by whole turns of the paths, and those of one class of messages all by the same, so that routes repeat and ties
//!   (by class of message, then selector) fall alike. Random spraying is a hash of the packet's number, and never repeats; ECMP is one of
//!   the step, and repeats inside messages only;
//! - *the count of packets sent* advances by whole turns of first hops and paths, so that new messages spread alike;
//! - *of a workload* ([`shifts`], [`mod@program`]), operations in a loop may move by whole iterations of it; times that stay where
//!   they are do not come in a period;
//! - *statistics* are sums, which grow by the same amount each period, and longest queues, which do not change.
//!
//! **Looking.** At the start of a window everything before it has happened and nothing after. Windows are made to end a fixed
//! time after rank 0's lane 0 began a step, and inside messages a fixed time after rank 0 sent a packet, because otherwise
//! windows and state would have to repeat at once. They may end early: no result depends on where they end. [`pace`] says
//! when a look pays.
//!
//! **Cost.** Nothing in the hot loop; a fixed share of the work where nothing repeats, which fades; two snapshots of memory,
//! 256 MiB each at most.
//! **Limits.** States that repeat in a permuted form are not recognised (chunks that follow each other in lanes of their
//! own, rotated shifts), nor a whole message as part of a period of messages.

mod compare;
mod decide;
mod jump;
mod lead;
mod meeting;
mod moduli;
mod pace;
mod program;
mod shifts;
mod visit;
mod walk;

use super::Job;
use super::layout::UNPLUGGED;
use super::shard::Shard;
use super::wake::Wake;
use crate::control::Control;
use crate::record::Skipping;
use crate::units::{Fs, NEVER};
use compare::{Compare, Verdict};
use decide::{Refusal, decide};
use jump::Jump;
use lead::leader;
pub(super) use meeting::{Meeting, Notice};
use moduli::{Modulus, moduli};
use pace::{Budget, Tracker};
use visit::Save;

/// Words of a snapshot at most: two of 256 MiB.
const MOST: u64 = 1 << 25;
/// Words that a meeting of several shards costs each.
const MEETING: u64 = 128;

/// Skipping as one shard does it. All shards do the same at the same windows.
pub(super) struct Skipper<'a> {
    job: &'a Job<'a>,
    id: usize,
    moduli: Vec<Modulus>,
    window: Fs,
    /// The clock's limit.
    limit: Fs,
    /// Index of rank 0 among this shard's endpoints, and its first port.
    leader: Option<(usize, u32)>,
    /// The step that the beat was last counted at, and when the look at it is due.
    step: u64,
    due: Option<Fs>,
    /// When the look inside messages is due.
    next: Option<Fs>,
    /// When the last window ended: everything before it has happened, and nothing at or after it.
    ended: Fs,
    /// Packets that rank 0 had sent at the last report, when the last of them left, and by which port.
    paced: (u64, Fs, u32),
    /// A jump has led to another step.
    landed: bool,
    /// The look before this window.
    turn: Option<Turn>,
    /// From step to step, and inside messages.
    steps: Tracker,
    inside: Tracker,
    budget: Budget,
    spent: u64,
    words: u64,
    refusal: Refusal,
    tally: Skipping,
    /// Packets over links that all shards together would have simulated.
    skipped: u64,
}

/// A look at the state: what it is for, the time of the state, and that of the one it is compared with, if it is.
#[derive(Debug)]
struct Turn {
    by_steps: bool,
    at: Fs,
    before: Option<Fs>,
}

impl<'a> Skipper<'a> {
    /// `None` if skipping is off or cannot find anything.
    pub(super) fn new(job: &'a Job<'a>, shard: &Shard, id: usize, window: Fs, limit: Fs) -> Option<Self> {
        if unable(job).is_some() {
            return None;
        }
        let moduli = moduli(job.simulated(), shard.layout, shard.paths);
        Some(Self {
            job,
            id,
            moduli,
            window,
            limit,
            leader: leader(shard),
            paced: (0, 0, 0),
            step: 0,
            due: None,
            next: None,
            ended: 0,
            landed: false,
            turn: None,
            steps: Tracker::new(job.folding.simulated()),
            inside: Tracker::new(0),
            budget: Budget::default(),
            spent: 0,
            words: (shard.ports.len() * 8 + shard.endpoints.len() * 24) as u64,
            refusal: Refusal::Differs,
            tally: Skipping::default(),
            skipped: 0,
        })
    }

    /// To be called before a window begins at `now`, when all mail is in, with the notices of all shards. True if the
    /// threads must meet, once all shards have come this far, before any calls [`Skipper::beat`].
    pub(super) fn prepare(&mut self, shard: &mut Shard, meeting: &Meeting, all: &Notice, now: Fs) -> bool {
        self.budget.book(all.hops, all.spent);
        if all.lead.step > self.step {
            self.inside.forget();
            self.next = None;
            let due = all.lead.begun.saturating_add(self.window);
            // a step that a jump led to began long before, and so did the last one when it is over and none follows
            if !std::mem::take(&mut self.landed) && due >= self.ended {
                self.due.get_or_insert(due);
            }
            self.step = all.lead.step;
        }
        let (by_steps, at) = match (self.due, self.next) {
            (Some(due), _) if due <= now => {
                self.due = None;
                (true, due)
            }
            (Some(_), _) => return false,
            (None, Some(next)) if next > now => return false,
            (None, next) => {
                self.next = None;
                (false, next.unwrap_or(now))
            }
        };
        let words = all.words.max(1);
        let tracker = if by_steps { &mut self.steps } else { &mut self.inside };
        let before = tracker.at.filter(|_| self.budget.solvent(words));
        self.turn = Some(Turn { by_steps, at, before });
        let Some(saved) = before else {
            return false;
        };
        let mut compare = Compare::new(self.job, (at, now), at - saved, &tracker.image);
        let seen = walk::walk(shard, &self.moduli, &mut compare);
        self.spent += Budget::look(self.words) + compare.at as u64 + if meeting.shards() > 1 { MEETING } else { 0 };
        let repeats = seen.is_ok() && compare.at == compare.saved.len();
        let mut verdict = Verdict { repeats, ..compare.verdict };
        if !repeats {
            verdict = Verdict::default();
        }
        verdict.drifts.sort_unstable();
        verdict.drifts.dedup();
        meeting.lay(self.id, verdict);
        true
    }

    /// To be called after [`Skipper::prepare`]. Returns when the window begins, after a jump, and the time that it must not pass.
    pub(super) fn beat(
        &mut self,
        shard: &mut Shard,
        meeting: &Meeting,
        all: &Notice,
        now: Fs,
        control: &Control,
    ) -> (Fs, Fs) {
        let by = self.turn.take().map_or(0, |turn| self.look(&turn, shard, meeting, now, all, control));
        let now = now + by;
        if self.next.is_none() && self.due.is_none() && by == 0 {
            // when rank 0 is as far into sending a packet as it was at the last look
            let next = self.inside.next(now).unwrap_or_else(|| all.lead.left.saturating_add(self.window));
            self.next = Some(next).filter(|&next| next > now && self.budget.solvent(all.words));
        }
        let end = now.saturating_add(self.window);
        let looks = [self.due, self.next].into_iter().flatten();
        self.ended = looks.filter(|&look| look > now).fold(end, Fs::min);
        (now, self.ended)
    }

    /// Jumps, or keeps the state. Returns how far it jumped.
    fn look(
        &mut self,
        &Turn { by_steps, at, before }: &Turn,
        shard: &mut Shard,
        meeting: &Meeting,
        now: Fs,
        all: &Notice,
        control: &Control,
    ) -> Fs {
        let words = all.words.max(1);
        let tracker = if by_steps { &mut self.steps } else { &mut self.inside };
        if let Some(before) = before {
            let period = at - before;
            match decide(self.job, &self.moduli, meeting.verdicts(), self.limit.saturating_sub(now), period) {
                Ok((periods, hops)) => {
                    self.budget.succeeded(hops, words);
                    self.skipped = self.skipped.saturating_add(hops);
                    return self.jump(by_steps, shard, at, (period, periods), control);
                }
                Err(refusal) => {
                    self.refusal = if refusal == Refusal::Differs { self.refusal } else { refusal };
                    tracker.looked();
                }
            }
        }
        let worth = by_steps || all.lead.left == 0 || all.lead.long > 0;
        let stride = if by_steps { 0 } else { all.lead.stride };
        if words > MOST {
            self.refusal = Refusal::Large;
        } else if worth && tracker.due() && tracker.ready(by_steps || stride > 0) && self.budget.affords(words) {
            if tracker.at.is_some() && tracker.overdue() {
                self.budget.failed();
            }
            tracker.image.clear();
            // saving cannot fail: there is nothing to differ from
            let _ = walk::walk(shard, &self.moduli, &mut Save { now: at, image: &mut tracker.image });
            tracker.renew(at, stride);
            self.words = tracker.image.len() as u64;
            self.spent += self.words;
        }
        0
    }

    /// Moves this shard ahead. Every shard does so, each by itself.
    fn jump(
        &mut self,
        by_steps: bool,
        shard: &mut Shard,
        at: Fs,
        (period, periods): (Fs, u64),
        control: &Control,
    ) -> Fs {
        let tracker = if by_steps { &mut self.steps } else { &mut self.inside };
        let by = period * periods;
        let mut jump = Jump { now: at, by, periods, saved: &tracker.image, at: 0, folding: shard.job.folding, hops: 0 };
        let received = |shard: &Shard| shard.endpoints.iter().map(|e| e.stats.received_bytes).sum::<u64>();
        let before = received(shard);
        let moved = walk::walk(shard, &self.moduli, &mut jump);
        debug_assert!(moved.is_ok() && jump.at == tracker.image.len());
        shard.delivered += received(shard) - before;
        shard.wake.advance(by);
        if shard.job.workload.is_some() {
            stay(shard);
        }
        self.spent += jump.at as u64;
        let hops = jump.hops;
        // a snapshot from step to step stays what the state was, however the state came to where it is
        if by_steps {
            self.steps.forget();
        }
        self.inside.forget();
        if self.id == 0 {
            self.tally.jumps += 1;
            self.tally.periods += periods;
            self.tally.time_fs += by;
            control.now_fs.fetch_max(at + by, std::sync::atomic::Ordering::Relaxed);
        }
        self.tally.packet_hops += hops;
        self.landed = by_steps;
        by
    }

    /// Packets over links that all shards together skipped.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What this shard skipped, and bytes of memory.
    pub(super) fn finish(self) -> (Skipping, u64) {
        let reason = if self.tally.jumps == 0 { Some(self.refusal.text()) } else { None };
        let bytes = 8 * (self.steps.image.capacity() + self.inside.image.capacity()) as u64;
        (Skipping { reason, ..self.tally }, bytes)
    }
}

/// Why skipping cannot find anything, if so.
fn unable(job: &Job) -> Option<&'static str> {
    if !job.skip {
        return Some("it is off");
    }
    if job.explicit.is_some() {
        return Some("the schedule is explicit: no step is known to be like another");
    }
    if job.fabric.networks.iter().all(|n| n.spec.routing.random() && n.spec.routing.sprays()) {
        return Some("packets are sprayed at random, which never repeats");
    }
    None
}

/// Why nothing was tried.
pub(super) fn untried(job: &Job) -> Skipping {
    Skipping { reason: unable(job), ..Skipping::default() }
}

/// Wakes ranks at times that did not move ahead.
fn stay(shard: &mut Shard) {
    for lp in 0..shard.lps {
        let seat = shard.endpoint_of[lp as usize];
        if seat != UNPLUGGED {
            let next = shard.endpoints[seat as usize].next_start();
            shard.wake.lower(lp, next);
        }
    }
}

impl Wake {
    /// Moves all times ahead.
    fn advance(&mut self, by: Fs) {
        for time in self.lps.iter_mut().chain(&mut self.blocks).filter(|time| **time != NEVER) {
            *time = time.saturating_add(by);
        }
    }
}
