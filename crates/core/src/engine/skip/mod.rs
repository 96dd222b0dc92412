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
//! - *selectors* advance by whole turns of the paths, and those of one label all by the same, so that routes repeat and ties
//!   (by label, then selector) fall alike. Random spraying is a hash of the packet's number, and never repeats; ECMP is one of
//!   the step, and repeats inside messages only;
//! - *the count of packets sent* advances by whole turns of first hops and paths, so that new messages spread alike;
//! - *statistics* are sums, which grow by the same amount each period, and longest queues, which do not change.
//!
//! **Looking.** At the start of a window everything before it has happened and nothing after. Inside messages any window
//! will do ([`pace`] says which). From step to step, windows end at a fixed time after rank 0's lane 0 began a step, because
//! otherwise windows and steps would have to repeat at once. Windows may end early: no result depends on where they end.
//!
//! **Cost.** Nothing in the hot loop; a fixed share of the work where nothing repeats, which fades; two snapshots of memory.
//! **Limits.** States that repeat in a permuted form are not recognised (chunks that follow each other in lanes of their
//! own, rotated shifts), nor a whole message as part of a period of messages.

mod compare;
mod decide;
mod jump;
mod meeting;
mod moduli;
mod pace;
mod visit;
mod walk;

use super::barrier::Barrier;
use super::shard::Shard;
use super::wake::Wake;
use super::{Control, Job};
use crate::record::Skipping;
use crate::units::{Fs, NEVER};
use compare::{Compare, Verdict};
use decide::{Refusal, decide};
use jump::Jump;
pub(super) use meeting::Meeting;
use meeting::Notice;
use moduli::{Modulus, moduli};
use pace::{Budget, Tracker};
use visit::Save;

/// Windows between the beginning of a step and the look at it: more than one, so that it is still to come when a window
/// in which the step began has been simulated.
const AFTER: u64 = 2;
/// What a look costs at least, in words: for each shard's part in the meeting.
const LOOK: u64 = 16;
const MEETING: u64 = 128;

/// Skipping as one shard does it. All shards do the same at the same windows.
pub(super) struct Skipper<'a> {
    job: &'a Job<'a>,
    id: usize,
    moduli: Vec<Modulus>,
    window: Fs,
    /// The clock's limit.
    limit: Fs,
    /// Index of rank 0 among this shard's endpoints.
    leader: Option<usize>,
    /// The step that the beat was last counted at, and when the look at it is due.
    step: u64,
    due: Option<Fs>,
    /// When the look inside messages is due.
    next: Option<Fs>,
    /// A jump has led to another step.
    landed: bool,
    /// From step to step, and inside messages.
    steps: Tracker,
    inside: Tracker,
    budget: Budget,
    spent: u64,
    words: u64,
    refusal: Refusal,
    tally: Skipping,
}

impl<'a> Skipper<'a> {
    /// `None` if skipping is off or cannot find anything.
    pub(super) fn new(job: &'a Job<'a>, shard: &Shard, id: usize, window: Fs, limit: Fs) -> Option<Self> {
        let moduli = moduli(job.fabric);
        if unable(job, &moduli).is_some() {
            return None;
        }
        Some(Self {
            job,
            id,
            moduli,
            window,
            limit,
            leader: shard.endpoints.iter().position(|e| e.rank == 0),
            step: 0,
            due: None,
            next: None,
            landed: false,
            steps: Tracker::new(),
            inside: Tracker::new(),
            budget: Budget::default(),
            spent: 0,
            words: (shard.ports.len() * 8 + shard.endpoints.len() * 24) as u64,
            refusal: Refusal::Differs,
            tally: Skipping::default(),
        })
    }

    /// To be called before a window begins at `now`, when all mail is in. Returns when it begins, after a jump, and the time
    /// that it must not pass.
    pub(super) fn beat(
        &mut self,
        shard: &mut Shard,
        (meeting, barrier): (&Meeting, &Barrier),
        parity: usize,
        now: Fs,
        control: &Control,
    ) -> (Fs, Fs) {
        let all = meeting.read(parity);
        self.budget.book(all.hops, all.spent);
        if all.step > self.step {
            self.inside.forget();
            // a step that a jump led to began long before
            if !std::mem::take(&mut self.landed) {
                let due = all.begun.saturating_add(AFTER * self.window);
                self.due.get_or_insert(due);
            }
            self.step = all.step;
        }
        let words = all.words.max(1);
        let by = match self.due {
            Some(due) if due <= now => {
                self.due = None;
                self.look(true, shard, (meeting, barrier), (due, now), words, control)
            }
            Some(_) => 0,
            None => {
                let at = self.next.take().filter(|&next| next <= now).unwrap_or(now);
                self.look(false, shard, (meeting, barrier), (at, now), words, control)
            }
        };
        let now = now + by;
        // a window that ends when rank 0 is as far into sending a packet as it was at the last look
        let next = if by > 0 { 0 } else { all.left.saturating_add(self.window) };
        self.next = Some(next).filter(|&next| next > now && self.due.is_none());
        let end = now.saturating_add(self.window);
        (now, end.min(self.due.unwrap_or(NEVER)).min(self.next.unwrap_or(NEVER)))
    }

    /// To be called after a window, before the barrier.
    pub(super) fn report(&self, shard: &Shard, meeting: &Meeting, parity: usize) {
        let (step, begun, left) = match self.leader {
            Some(leader) => {
                let leader = &shard.endpoints[leader];
                let busy = leader.queues.iter().find(|q| !q.shares.is_empty());
                (leader.lanes.first().map_or(0, |l| u64::from(l.step)), leader.begun, busy.map_or(0, |q| q.ready))
            }
            None => (0, 0, 0),
        };
        let notice = Notice { hops: shard.hops, spent: self.spent, words: self.words, step, begun, left };
        meeting.report(parity, self.id, notice);
    }

    /// Compares the state at `at` with the kept one and jumps, or keeps this one. Returns how far it jumped.
    fn look(
        &mut self,
        by_steps: bool,
        shard: &mut Shard,
        (meeting, barrier): (&Meeting, &Barrier),
        (at, now): (Fs, Fs),
        words: u64,
        control: &Control,
    ) -> Fs {
        let tracker = if by_steps { &mut self.steps } else { &mut self.inside };
        if let Some(before) = tracker.at.filter(|_| self.budget.solvent(words)) {
            let mut compare = Compare::new(at, &tracker.image, self.job.schedule.lanes());
            let seen = walk::walk(shard, &self.moduli, &mut compare);
            self.spent += LOOK + compare.at as u64 + if meeting.shards() > 1 { MEETING } else { 0 };
            let repeats = seen.is_ok() && compare.at == compare.saved.len();
            let mut verdict = Verdict { repeats, ..compare.verdict };
            if !repeats {
                verdict = Verdict::default();
            }
            verdict.drifts.sort_unstable();
            verdict.drifts.dedup();
            let verdicts = meeting.confer(barrier, self.id, verdict);
            let period = at - before;
            match decide(self.job, &self.moduli, verdicts, self.limit.saturating_sub(now), period) {
                Ok(periods) => return self.jump(by_steps, shard, at, (period, periods), control),
                Err(refusal) => {
                    self.refusal = if refusal == Refusal::Differs { self.refusal } else { refusal };
                    tracker.looked();
                }
            }
        }
        if tracker.due() && self.budget.affords(words) {
            if tracker.at.is_some() {
                self.budget.failed();
            }
            tracker.image.clear();
            // saving cannot fail: there is nothing to differ from
            let _ = walk::walk(shard, &self.moduli, &mut Save { now: at, image: &mut tracker.image });
            tracker.renew(at);
            self.words = tracker.image.len() as u64;
            self.spent += LOOK + self.words;
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
        let mut jump = Jump { now: at, by, periods, saved: &tracker.image, at: 0, hops: 0 };
        let received = |shard: &Shard| shard.endpoints.iter().map(|e| e.stats.received_bytes).sum::<u64>();
        let before = received(shard);
        let moved = walk::walk(shard, &self.moduli, &mut jump);
        debug_assert!(moved.is_ok() && jump.at == tracker.image.len());
        shard.delivered += received(shard) - before;
        shard.wake.advance(by);
        self.spent += jump.at as u64;
        let hops = jump.hops;
        self.steps.forget();
        self.inside.forget();
        self.budget.succeeded();
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

    /// What this shard skipped, and bytes of memory.
    pub(super) fn finish(self) -> (Skipping, u64) {
        let reason = if self.tally.jumps == 0 { Some(self.refusal.text()) } else { None };
        let bytes = 8 * (self.steps.image.capacity() + self.inside.image.capacity()) as u64;
        (Skipping { reason, ..self.tally }, bytes)
    }
}

/// Why skipping cannot find anything, if so.
fn unable(job: &Job, moduli: &[Modulus]) -> Option<&'static str> {
    if !job.skip {
        return Some("it is off");
    }
    if moduli.iter().all(|m| m.random) {
        return Some("packets are sprayed at random, which never repeats");
    }
    None
}

/// Why nothing was tried.
pub(super) fn untried(job: &Job) -> Skipping {
    Skipping { reason: unable(job, &moduli(job.fabric)), ..Skipping::default() }
}

impl Wake {
    /// Moves all times ahead.
    fn advance(&mut self, by: Fs) {
        for time in self.lps.iter_mut().chain(&mut self.blocks).filter(|time| **time != NEVER) {
            *time = time.saturating_add(by);
        }
    }
}
