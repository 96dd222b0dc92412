//! How threadblocks wait for each other: signals over channels, flushes, barriers and semaphores.
//!
//! **Model.** A signal is a message without bytes. Before it is seen, all has to have arrived that its threadblock wrote to that rank, or that was
//! passed on to the threadblock at a barrier or by a semaphore. The `k`-th signal of a channel is for the `k`-th wait at its other end.
//!
//! **Limits.** One threadblock on each side of a channel or semaphore: otherwise it would depend on the run which comes first.

use std::collections::{BTreeMap, VecDeque};

use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::Act;

use super::items::{Origin, Wait};
use super::plan::{End, Op, Reach};
use super::run::{Run, Thread};

/// Largest value of a semaphore.
const SEMAPHORE: u64 = 1 << 16;

/// A channel or semaphore: what was signalled and not yet waited for, and who signals and who waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals<T> {
    there: VecDeque<T>,
    from: Option<usize>,
    to: Option<usize>,
    /// True while the threadblock that waits is stopped.
    stopped: bool,
}

/// What the release of a semaphore passes on.
pub(super) type Released = Option<(Vec<Wait>, BTreeMap<u32, Vec<u32>>)>;

impl Run<'_> {
    /// The end of a channel that an operation means by a number of its threadblock.
    pub(super) fn end(&self, rank: u32, tb: usize, op: &Op, id: usize) -> Result<End> {
        let gpu = &self.plan.gpus[rank as usize];
        let reach = op.channel_type.unwrap_or(Reach::None);
        let end = gpu.channel(&gpu.threadblocks[tb], reach, id).map(|number| (rank, reach, number));
        end.filter(|end| self.ends.contains_key(end) && matches!(reach, Reach::Memory | Reach::Port)).ok_or_else(|| {
            let field = format!("{}: channel", self.place(rank, tb, op));
            Error::spec(field, format!("{reach:?} {id}"), "a memory or port channel of the threadblock to another gpu")
        })
    }

    /// Signals to the other end of a channel. Gives what the threadblock goes on after.
    pub(super) fn signal(&mut self, (rank, tb): (u32, usize), end: End, op: &Op, mut waits: Vec<Wait>) -> Result<Wait> {
        let (peer, other) = self.ends[&end];
        let port = end.1 == Reach::Port;
        waits.extend(self.ports.get(&end).map(|&last| (last, false)));
        let origin = self.origin(rank, tb);
        let (sent, received) = self.items.message((rank, peer), (0, Act::Receive), origin, waits)?;
        if port {
            self.ports.insert(end, sent);
        }
        let mut arrived = received;
        if op.name != "rlxsignal" {
            let pending = self.threads[rank as usize][tb].pending.entry(peer).or_default();
            let before = std::mem::take(pending);
            if !before.is_empty() {
                let waits = before.into_iter().chain([received]).map(|item| (item, false)).collect();
                arrived = self.items.join(peer, origin, waits)?;
            }
            self.threads[rank as usize][tb].pending.insert(peer, vec![arrived]);
        }
        if let Some(number) = other {
            let place = self.place(rank, tb, op);
            let signals = self.signals.entry((peer, end.1, number)).or_default();
            one("is signalled", &place, &mut signals.from, tb)?;
            signals.there.push_back(arrived);
            if let (true, Some(waiter)) = (std::mem::take(&mut signals.stopped), signals.to) {
                self.ready.push_back((peer, waiter));
            }
        }
        Ok((sent, port))
    }

    pub(super) fn wait(&mut self, rank: u32, tb: usize, op: &Op) -> Result<bool> {
        let ends = op.channel_ids.iter().map(|&id| self.end(rank, tb, op, id)).collect::<Result<Vec<_>>>()?;
        let place = self.place(rank, tb, op);
        for end in &ends {
            let signals = self.signals.entry(*end).or_default();
            one("is waited for", &place, &mut signals.to, tb)?;
            if signals.there.is_empty() {
                signals.stopped = true;
                return Ok(false);
            }
        }
        let mut waits = self.threads[rank as usize][tb].last.clone();
        for end in &ends {
            waits.extend(
                self.signals.get_mut(end).and_then(|signals| signals.there.pop_front()).map(|item| (item, false)),
            );
        }
        self.go_on(rank, tb, waits)?;
        Ok(true)
    }

    /// Waits until all that went over channels of ports has left.
    pub(super) fn flush(&mut self, rank: u32, tb: usize, op: &Op) -> Result<()> {
        let mut waits = self.threads[rank as usize][tb].last.clone();
        for &id in &op.channel_ids {
            let end = self.end(rank, tb, op, id)?;
            waits.extend(self.ports.get(&end).map(|&last| (last, false)));
        }
        self.go_on(rank, tb, waits)
    }

    pub(super) fn barrier(&mut self, rank: u32, tb: usize, op: &Op) -> Result<bool> {
        let blocks = self.threads[rank as usize].len();
        let (Some(id), Some(needed)) =
            (op.barrier_id, op.num_threadblocks.filter(|count| (1..=blocks).contains(count)))
        else {
            let expected = format!("barrier_id, and num_threadblocks from 1 to {blocks}");
            let given = op.num_threadblocks.map_or("missing".into(), |count| count.to_string());
            return Err(Error::spec(self.place(rank, tb, op), given, expected));
        };
        if std::mem::replace(&mut self.threads[rank as usize][tb].at_barrier, true) {
            return Ok(false);
        }
        let there = self.barriers.entry((rank, id)).or_default();
        there.push(tb);
        if there.len() < needed {
            return Ok(false);
        }
        let all = std::mem::take(there);
        let (mut waits, mut pending): (Vec<Wait>, BTreeMap<u32, Vec<u32>>) = (vec![], BTreeMap::new());
        for &each in &all {
            let thread = &self.threads[rank as usize][each];
            waits.extend(&thread.last);
            merge(&mut pending, &thread.pending);
        }
        self.settle(self.origin(rank, tb), &mut pending)?;
        let join = self.items.join(rank, self.origin(rank, tb), unique(waits))?;
        for &each in &all {
            let thread = &mut self.threads[rank as usize][each];
            (thread.last, thread.pending, thread.at_barrier) = (vec![(join, false)], pending.clone(), false);
            if each != tb {
                self.advance(rank, each);
                self.ready.push_back((rank, each));
            }
        }
        Ok(true)
    }

    /// A semaphore of a rank, as it is to begin with if it was not used.
    fn semaphore(&mut self, rank: u32, tb: usize, op: &Op, id: usize) -> Result<&mut Signals<Released>> {
        let Some(first) = self.plan.gpus[rank as usize].semaphore(id).filter(|&first| first <= SEMAPHORE) else {
            let field = format!("{}: semaphore", self.place(rank, tb, op));
            return Err(Error::spec(field, id, "a semaphore of the gpu that begins with at most 65536"));
        };
        let begin = || Signals { there: vec![None; first as usize].into(), ..Signals::default() };
        Ok(self.semaphores.entry((rank, id)).or_insert_with(begin))
    }

    pub(super) fn release(&mut self, rank: u32, tb: usize, op: &Op) -> Result<()> {
        let place = self.place(rank, tb, op);
        let Thread { last, mut pending, .. } = self.threads[rank as usize][tb].clone();
        self.settle(self.origin(rank, tb), &mut pending)?;
        self.threads[rank as usize][tb].pending.clone_from(&pending);
        for &id in &op.semaphore_ids {
            let signals = self.semaphore(rank, tb, op, id)?;
            one("is released", &place, &mut signals.from, tb)?;
            if signals.there.len() as u64 > SEMAPHORE {
                let value = format!("semaphore {id} more than {SEMAPHORE} times before it is acquired");
                return Err(Error::spec(place, value, "fewer"));
            }
            signals.there.push_back(Some((last.clone(), pending.clone())));
            if let (true, Some(waiter)) = (std::mem::take(&mut signals.stopped), signals.to) {
                self.ready.push_back((rank, waiter));
            }
        }
        Ok(())
    }

    pub(super) fn acquire(&mut self, rank: u32, tb: usize, op: &Op) -> Result<bool> {
        let place = self.place(rank, tb, op);
        for &id in &op.semaphore_ids {
            let signals = self.semaphore(rank, tb, op, id)?;
            one("is acquired", &place, &mut signals.to, tb)?;
            if signals.there.is_empty() {
                signals.stopped = true;
                return Ok(false);
            }
        }
        let Thread { last: mut waits, mut pending, .. } = self.threads[rank as usize][tb].clone();
        for &id in &op.semaphore_ids {
            if let Some(Some((last, more))) = self.semaphore(rank, tb, op, id)?.there.pop_front() {
                waits.extend(last);
                merge(&mut pending, &more);
            }
        }
        self.threads[rank as usize][tb].pending = pending;
        self.go_on(rank, tb, unique(waits))?;
        Ok(true)
    }

    /// Makes one operation on each rank of all that have to have arrived there.
    fn settle(&mut self, origin: Origin, pending: &mut BTreeMap<u32, Vec<u32>>) -> Result<()> {
        for (&peer, items) in pending {
            if items.len() > 1 {
                let waits = std::mem::take(items).into_iter().map(|item| (item, false)).collect();
                items.push(self.items.join(peer, origin, waits)?);
            }
        }
        Ok(())
    }

    /// An operation without time, after which a threadblock goes on.
    fn go_on(&mut self, rank: u32, tb: usize, waits: Vec<Wait>) -> Result<()> {
        let join = self.items.join(rank, self.origin(rank, tb), waits)?;
        self.threads[rank as usize][tb].last = vec![(join, false)];
        Ok(())
    }
}

/// Makes sure that one threadblock only is on a side of a channel or semaphore.
fn one(what: &str, place: &str, who: &mut Option<usize>, tb: usize) -> Result<()> {
    match *who.get_or_insert(tb) {
        first if first == tb => Ok(()),
        first => {
            let value = format!("what {what} by threadblocks {first} and {tb}");
            Err(Error::spec(place, value, "one threadblock: which of two comes first would depend on the run"))
        }
    }
}

fn merge(into: &mut BTreeMap<u32, Vec<u32>>, from: &BTreeMap<u32, Vec<u32>>) {
    for (&rank, items) in from {
        let all = into.entry(rank).or_default();
        all.extend(items);
        all.sort_unstable();
        all.dedup();
    }
}

fn unique(mut waits: Vec<Wait>) -> Vec<Wait> {
    waits.sort_unstable();
    waits.dedup();
    waits
}
