//! The window loop of each thread: jump to the next event, simulate one window on all shards, exchange mailbags, repeat.
//!
//! **Model.** Shards are dealt out to threads anew in every window by the work of the last one ([`super::deal`]), and a thread
//! that is through takes over shards that others have not begun. How many of the threads take part is measured
//! ([`super::gain`]): the first thread says at the beginning of a window how many do in the next one, and those that do not sleep.
//!
//! **Invariant.** The windows are the same for any number of shards: the next one starts at the earliest event anywhere
//! and lasts the smallest link latency. Mailbags of one window are taken in before the next, in the order of sending shards;
//! nothing depends on that order, because wires are single-writer and credits are sorted. Nor does anything depend on which
//! thread simulates a shard: one thread at a time holds it. That takes a lock for the compiler's sake, and no one waits for it
//! while a shard is simulated: what another thread holds is passed by.
//!
//! **Cost.** One barrier per window, and a look at the box of each pair of shards. Empty windows cost nothing. **Limits.** Taking
//! in mailbags and looking at the state are not taken over from others; nothing ties threads to cores or memory to threads,
//! but state is first touched by the thread that has it at the start.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::Cap;
use super::barrier::Barrier;
use super::deal::Deal;
use super::gain::{self, Gain};
use super::mail::Mailbag;
use super::shard::Shard;
use super::skip::{Meeting, Notice, Skipper};
use super::sync::atomic::{AtomicU64, Ordering};
use super::sync::{Condvar, Mutex, MutexGuard};
use crate::control::Control;
use crate::error::Error;
use crate::units::{Fs, NEVER};

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Quiet,
    Capped,
    Cancelled,
    Limit(Fs),
}

/// A shard and what goes with it from thread to thread.
pub(super) struct Member<'a> {
    pub(super) shard: Shard<'a>,
    pub(super) skipper: Option<Skipper<'a>>,
    id: usize,
    /// When the window begins, and the time that it must not pass.
    span: (Fs, Fs),
    /// The window that it is ready to be simulated in.
    ready: Option<u64>,
}

impl<'a> Member<'a> {
    pub(super) fn new(shard: Shard<'a>, skipper: Option<Skipper<'a>>, id: usize) -> Self {
        Self { shard, skipper, id, span: (0, 0), ready: None }
    }
}

/// From this window on so many threads take part; or the run is over.
#[derive(Clone, Copy, Debug, Default)]
struct Call {
    window: u64,
    active: usize,
    over: bool,
}

/// What the threads share during a run.
pub(super) struct Team<'a> {
    members: Vec<Mutex<Member<'a>>>,
    threads: usize,
    /// The smallest latency of any link.
    window: Fs,
    limit: Fs,
    cap: Cap,
    control: &'a Control,
    barrier: Barrier,
    /// `takes_part[parity]`: a window, and how many threads take part in it, see [`part`].
    takes_part: [AtomicU64; 2],
    /// Where sleeping threads learn that they are wanted.
    call: Mutex<Call>,
    bell: Condvar,
    /// `mailbox[parity][to][from]`.
    mailbox: [Vec<Vec<Mutex<Mailbag>>>; 2],
    /// `next[parity][shard]`: earliest event of each shard.
    next: [Vec<AtomicU64>; 2],
    /// `work[parity][shard]`: what each did in the window before.
    work: [Vec<AtomicU64>; 2],
    /// `behind[parity][shard]`: packets over links that each has simulated; those that were skipped count for the first.
    behind: [Vec<AtomicU64>; 2],
    /// What the only shard has done.
    paid: AtomicU64,
    meeting: Meeting,
}

impl<'a> Team<'a> {
    pub(super) fn new(
        members: Vec<Member<'a>>,
        threads: usize,
        (window, limit, cap): (Fs, Fs, Cap),
        control: &'a Control,
    ) -> Self {
        let shards = members.len();
        let mailbox = || (0..shards).map(|_| (0..shards).map(|_| Mutex::default()).collect()).collect();
        let slots = || members.iter().map(|m| AtomicU64::new(m.shard.next())).collect();
        let idle = || (0..shards).map(|_| AtomicU64::new(0)).collect();
        let leader = members.iter().position(|m| m.shard.endpoints.iter().any(|e| e.rank == 0)).unwrap_or(0);
        Self {
            threads,
            window,
            limit,
            cap,
            control,
            barrier: Barrier::new(),
            takes_part: [AtomicU64::new(part(0, 1)), AtomicU64::new(part(0, 1))],
            call: Mutex::default(),
            bell: Condvar::new(),
            mailbox: [mailbox(), mailbox()],
            next: [slots(), slots()],
            work: [idle(), idle()],
            behind: [idle(), idle()],
            paid: AtomicU64::new(0),
            meeting: Meeting::new(shards, leader),
            members: members.into_iter().map(Mutex::new).collect(),
        }
    }

    /// Runs to the end. Returns how it ended, and the number of windows.
    pub(super) fn run(&self) -> (End, u64) {
        std::thread::scope(|scope| {
            let start = |thread| std::thread::Builder::new().spawn_scoped(scope, move || self.help(thread)).ok();
            // where a thread cannot be started, those that could do the same work
            let others: Vec<_> = (1..self.threads).map_while(start).collect();
            let ended = self.head(Gain::new(1 + others.len()));
            for other in others {
                // a panic there is a panic here, as it is when a scope ends
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
            ended
        })
    }

    /// The first thread's part of a run.
    pub(super) fn head(&self, gain: Gain) -> (End, u64) {
        let ended = self.guarded(|| self.lead(gain));
        self.ring(Call { over: true, ..Call::default() });
        ended
    }

    /// Any other thread's part of a run.
    pub(super) fn help(&self, thread: usize) {
        self.guarded(|| self.follow(thread));
    }

    /// Runs a thread's part. If it ends early, for lack of memory or by a defect, so do the others, instead of waiting for it.
    fn guarded<T>(&self, part: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|panic| {
            if let Some(error) = panic.downcast_ref::<Error>() {
                self.control.fail(error.clone());
            }
            self.barrier.break_off();
            self.ring(Call { over: true, ..Call::default() });
            resume_unwind(panic)
        })
    }

    /// The first thread: takes part in every window, and says how many others do.
    fn lead(&self, mut gain: Gain) -> (End, u64) {
        let mut windows = 0;
        loop {
            let active = gain.threads();
            self.ring(Call { window: windows, active, over: false });
            if let Some(end) = self.drive(0, active, &mut windows, Some(&mut gain)) {
                return (end, windows);
            }
        }
    }

    /// Any other thread: sleeps until it is wanted.
    fn follow(&self, thread: usize) {
        let mut windows = 0;
        loop {
            let mut call = hold(&self.call);
            while !(call.over || call.active > thread && call.window >= windows) {
                call = self.bell.wait(call).unwrap_or_else(|e| e.into_inner());
            }
            let Call { window, active, over } = *call;
            drop(call);
            windows = window;
            if over || self.drive(thread, active, &mut windows, None).is_some() {
                return;
            }
        }
    }

    fn ring(&self, call: Call) {
        *hold(&self.call) = call;
        self.bell.notify_all();
    }

    /// The shards after the run.
    pub(super) fn dismiss(self) -> Vec<Member<'a>> {
        self.members.into_iter().map(|m| m.into_inner().unwrap_or_else(|e| e.into_inner())).collect()
    }

    /// One thread's part in the windows from this one on, until the number of threads changes or the run ends.
    fn drive(&self, thread: usize, active: usize, windows: &mut u64, mut gain: Option<&mut Gain>) -> Option<End> {
        let mut kept = (self.threads == 1).then(|| hold(&self.members[0]));
        let mut deal = Deal::new(self.members.len(), active);
        let mut began = None;
        loop {
            let parity = (*windows & 1) as usize;
            let now = self.next[parity].iter().map(|n| n.load(Ordering::Acquire)).min().unwrap_or(NEVER);
            // every thread sees the same numbers, so all of them leave in the same round
            if self.passed(parity) {
                return Some(End::Capped);
            }
            if now == NEVER {
                return Some(End::Quiet);
            }
            if now == CANCELLED && *windows > 0 {
                return Some(End::Cancelled);
            }
            if now > self.limit {
                return Some(End::Limit(now));
            }
            if let Some(member) = &mut kept {
                let all = self.notices(member, parity);
                self.take_in(member, parity, now, &all);
                self.begin(member, now, &all);
                self.simulate(member, parity ^ 1);
                *windows += 1;
                continue;
            }
            let work = || self.work[parity].iter().map(|work| work.load(Ordering::Relaxed));
            if let Some(gain) = gain.as_deref_mut() {
                // the window before is over, and the one after this has not begun anywhere
                let ended = gain::clock();
                if let Some(began) = began.replace(ended) {
                    gain.window(work().sum(), ended - began);
                }
                self.takes_part[parity ^ 1].store(part(*windows + 1, gain.threads()), Ordering::Relaxed);
            }
            if *windows > 0 {
                deal.again(work());
            }
            self.share(deal.of(thread), active, parity, now, *windows);
            *windows += 1;
            self.barrier.wait(active);
            // who is left out may read this late, when it already speaks of a later window
            if self.takes_part[parity ^ 1].load(Ordering::Relaxed) != part(*windows, active) {
                return None;
            }
        }
    }

    /// Simulates a window on these shards, and on those of others that they have not come to.
    fn share(&self, mine: std::ops::Range<usize>, active: usize, parity: usize, now: Fs, windows: u64) {
        let all = self.notices(&hold(&self.members[mine.start]), parity);
        let mut meet = false;
        for member in &self.members[mine.clone()] {
            meet |= self.take_in(&mut hold(member), parity, now, &all);
        }
        if meet {
            self.barrier.wait(active);
        }
        for member in &self.members[mine.clone()] {
            let mut member = hold(member);
            self.begin(&mut member, now, &all);
            member.ready = Some(windows);
        }
        // one's own in order, then the others from behind: those at the end of a run are come to last
        let others = (0..mine.start).rev().chain((mine.end..self.members.len()).rev());
        for member in mine.clone().chain(others) {
            if let Ok(mut member) = self.members[member].try_lock()
                && member.ready == Some(windows)
            {
                member.ready = None;
                self.simulate(&mut member, parity ^ 1);
            }
        }
    }

    /// True if all shards together have passed the cap. Looked at before the end of the run is, so that where windows end
    /// makes no difference to it.
    fn passed(&self, parity: usize) -> bool {
        match self.cap {
            Cap::Endless => false,
            Cap::Hops(most) => self.behind(parity) > most,
            Cap::Simulated { most, whole } => {
                let paid = self.paid.load(Ordering::Relaxed);
                let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
                paid > most || paid > most / 4 && share(self.behind(parity), whole) < share(paid, most)
            }
        }
    }

    /// Packets over links that were simulated or skipped.
    fn behind(&self, parity: usize) -> u64 {
        self.behind[parity].iter().map(|behind| behind.load(Ordering::Acquire)).sum()
    }

    /// What all shards said about skipping, if that is on.
    fn notices(&self, member: &Member, parity: usize) -> Notice {
        if member.skipper.is_some() { self.meeting.read(parity) } else { Notice::default() }
    }

    /// Takes in what others sent. True if the threads must meet before the window begins; all shards say the same.
    fn take_in(&self, member: &mut Member, parity: usize, now: Fs, all: &Notice) -> bool {
        for (from, mailbag) in self.mailbox[parity][member.id].iter().enumerate() {
            if from != member.id {
                let mut mailbag = hold(mailbag);
                member.shard.receive(&mailbag);
                mailbag.clear();
            }
        }
        let Member { shard, skipper, .. } = member;
        skipper.as_mut().is_some_and(|skipper| skipper.prepare(shard, &self.meeting, all, now))
    }

    /// Finds out when the window begins and ends.
    fn begin(&self, member: &mut Member, now: Fs, all: &Notice) {
        let Member { shard, skipper, .. } = member;
        member.span = match skipper {
            Some(skipper) => skipper.beat(shard, &self.meeting, all, now, self.control),
            None => (now, now.saturating_add(self.window)),
        };
    }

    /// Simulates the window and lays down what others must know.
    fn simulate(&self, Member { shard, skipper, id, span, .. }: &mut Member, parity: usize) {
        let cancelled = || self.control.stopped();
        let &mut (now, end) = span;
        let before = shard.work();
        shard.window(now, end, cancelled);
        self.control.delivered_bytes.fetch_add(std::mem::take(&mut shard.delivered), Ordering::Relaxed);
        self.control.now_fs.fetch_max(now, Ordering::Relaxed);

        let next = if cancelled() { CANCELLED } else { shard.next() };
        for (to, mailbag) in shard.take_outbox().iter_mut().enumerate() {
            if !mailbag.is_empty() {
                // the box was emptied two windows ago: its memory comes back to be filled again
                std::mem::swap(&mut *hold(&self.mailbox[parity][to][*id]), mailbag);
            }
        }
        if let Some(skipper) = skipper {
            skipper.report(shard, &self.meeting, parity);
        }
        let done = shard.work() - before;
        self.work[parity][*id].store(done, Ordering::Relaxed);
        self.control.work.fetch_add(done, Ordering::Relaxed);
        if self.cap != Cap::Endless {
            // what was skipped is known to all and counted once
            let skipped = skipper.as_ref().filter(|_| *id == 0).map_or(0, Skipper::skipped);
            self.behind[parity][*id].store(shard.hops.saturating_add(skipped), Ordering::Relaxed);
            self.paid.store(shard.work(), Ordering::Relaxed);
        }
        self.next[parity][*id].store(next, Ordering::Release);
    }
}

/// A window and a number of threads in one word.
fn part(window: u64, threads: usize) -> u64 {
    window << 16 | threads as u64
}

fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(|e| e.into_inner())
}

/// In place of a next event: the caller asked to stop. No event is at time zero once a window was simulated.
const CANCELLED: Fs = 0;
