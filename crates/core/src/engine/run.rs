//! The window loop: jump to the next event, simulate one window on all shards, exchange mail, repeat.
//!
//! **Invariant.** The windows are the same for any number of shards: the next one starts at the earliest event anywhere
//! and lasts the smallest link latency. Mail of one window is taken in before the next, in the order of sending shards;
//! nothing depends on that order, because wires are single-writer and credits are sorted.
//!
//! **Cost.** One barrier a window. Empty windows cost nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::barrier::Barrier;
use super::endpoint::Endpoint;
use super::layout::{Layout, UNPLUGGED};
use super::mail::Mail;
use super::shard::Shard;
use super::skip::{Meeting, Skipper, untried};
use super::{Control, Job, Paths, tables};
use crate::error::{Error, Result};
use crate::record::{Record, Skipping};
use crate::units::{Fs, MAX_TIME_FS, NEVER};

/// What the shards share during a run.
struct Exchange {
    barrier: Barrier,
    /// `mailbox[parity][to][from]`.
    mailbox: [Vec<Vec<Mutex<Vec<Mail>>>>; 2],
    /// `next[parity][shard]`: earliest event of each shard.
    next: [Vec<AtomicU64>; 2],
    meeting: Meeting,
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Quiet,
    Cancelled(Fs),
    Limit(Fs),
}

/// See [`super::run`].
pub(super) fn run(job: &Job, control: &Control) -> Result<Record> {
    let paths = Paths::new(job)?;
    let threads = threads(job);
    let layout = Layout::new(job.simulated(), job.protocol, threads);
    check_rates(job, &layout)?;
    let mut shards: Vec<Shard> = (0..threads).map(|id| Shard::new(job, &layout, &paths, id)).collect();
    seat(job, &paths, &layout, &mut shards);

    let limit = job.time_limit_fs.unwrap_or(MAX_TIME_FS).min(MAX_TIME_FS);
    let mailbox = || (0..threads).map(|_| (0..threads).map(|_| Mutex::new(vec![])).collect()).collect();
    let slots = || shards.iter().map(|s| AtomicU64::new(s.next())).collect::<Vec<_>>();
    let exchange = Exchange {
        barrier: Barrier::new(threads),
        mailbox: [mailbox(), mailbox()],
        next: [slots(), slots()],
        meeting: Meeting::new(
            threads,
            shards.iter().position(|s| s.endpoints.iter().any(|e| e.rank == 0)).unwrap_or(0),
        ),
    };
    let (end, windows, skipping, images) = std::thread::scope(|scope| {
        let (mine, others) = shards.split_at_mut(1);
        let others: Vec<_> = others
            .iter_mut()
            .enumerate()
            .map(|(i, shard)| {
                let (exchange, window) = (&exchange, layout.window);
                scope.spawn(move || drive(shard, i + 1, exchange, window, limit, control))
            })
            .collect();
        let (end, windows, mut skipping, mut images) = drive(&mut mine[0], 0, &exchange, layout.window, limit, control);
        for other in others {
            // a panic there is a panic here, as it is when a scope ends
            let (_, _, more, bytes) = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            skipping.packet_hops += more.packet_hops;
            images += bytes;
        }
        (end, windows, skipping, images)
    });

    let last = shards.iter().map(|s| s.last_event).max().unwrap_or(0);
    match end {
        End::Cancelled(now) => {
            return Err(Error::Interrupted { time_ns: now / 1_000_000 });
        }
        End::Limit(now) if limit == MAX_TIME_FS => return Err(clock(now)),
        End::Limit(now) => {
            return Err(Error::Timeout {
                time_ns: now / 1_000_000,
                limit: format!("simulated time limit {} ns", limit / 1_000_000),
            });
        }
        End::Quiet => {}
    }
    if let Some(error) = super::diagnose::diagnose(&layout, &shards, last) {
        return Err(error);
    }
    let state_bytes = layout.bytes() + shards.iter().map(Shard::bytes).sum::<u64>() + images;
    let mut record = tables::record(job, &layout, &mut shards);
    if record.finish_fs > MAX_TIME_FS {
        return Err(clock(record.finish_fs));
    }
    record.windows = windows;
    record.threads = threads as u32;
    record.skipping = skipping;
    record.state_bytes = state_bytes;
    Ok(record)
}

/// The simulated clock would pass its end.
fn clock(now: Fs) -> Error {
    let (value, limit) = (format!("{} ns", now / 1_000_000), format!("{} ns", MAX_TIME_FS / 1_000_000));
    Error::Overflow { what: "simulated time".into(), value, limit }
}

/// Refuses links so slow that a single packet could carry the clock past its end between two looks at it.
fn check_rates(job: &Job, layout: &Layout) -> Result<()> {
    const LONGEST: Fs = (NEVER - MAX_TIME_FS) / 16;
    let slow = layout.classes.iter().find(|c| c.full_fs > LONGEST);
    slow.map_or(Ok(()), |c| {
        let net = &job.fabric.networks[c.network as usize].spec;
        let rate = net.links[c.tier as usize].rate.0;
        Err(Error::Overflow {
            what: format!("time of one packet on a link of network {}", net.name),
            value: format!("{} bytes at {rate} bit/s", c.full_wire),
            limit: format!("{} s", LONGEST / 1_000_000_000_000_000),
        })
    })
}

/// Threads to use: what was asked for, or one for small runs and all cores for large ones.
fn threads(job: &Job) -> usize {
    const LARGE: u32 = 4096;
    let lps = job.simulated().vertices();
    let wanted = match job.threads {
        0 if lps < LARGE => 1,
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n as usize,
    };
    wanted.clamp(1, lps.max(1) as usize)
}

/// Puts each rank on its accelerator.
fn seat(job: &Job, paths: &Paths, layout: &Layout, shards: &mut [Shard]) {
    for i in 0..job.folding.simulated() {
        let rank = job.folding.rank(i);
        let lp = layout.lp[job.folding.stands_for(job.placement[rank as usize]) as usize];
        let shard = &mut shards[layout.cuts.partition_point(|&cut| cut <= lp) - 1];
        let local = lp - shard.first_lp;
        debug_assert_eq!(shard.endpoint_of[local as usize], UNPLUGGED);
        shard.endpoint_of[local as usize] = shard.endpoints.len() as u32;
        let endpoint = Endpoint::new(job, paths, rank);
        shard.wake.lower(local, endpoint.next_start());
        shard.endpoints.push(endpoint);
    }
}

/// How the loop ended, windows, what this shard skipped and the bytes that it took.
type Driven = (End, u64, Skipping, u64);

fn drive(shard: &mut Shard, id: usize, exchange: &Exchange, window: Fs, limit: Fs, control: &Control) -> Driven {
    let mut skipper = Skipper::new(shard.job, shard, id, window, limit);
    let (end, windows) = windows(shard, id, exchange, (window, limit), control, skipper.as_mut());
    let (skipping, bytes) = skipper.map_or_else(|| (untried(shard.job), 0), Skipper::finish);
    (end, windows, skipping, bytes)
}

fn windows(
    shard: &mut Shard,
    id: usize,
    exchange: &Exchange,
    (window, limit): (Fs, Fs),
    control: &Control,
    mut skipper: Option<&mut Skipper>,
) -> (End, u64) {
    let mut windows = 0;
    let mut parity = 0;
    loop {
        let mut now = exchange.next[parity].iter().map(|n| n.load(Ordering::Acquire)).min().unwrap_or(NEVER);
        // every shard sees the same numbers, so all of them leave in the same round
        if now == NEVER {
            return (End::Quiet, windows);
        }
        if now == CANCELLED && windows > 0 {
            return (End::Cancelled(control.now_fs.load(Ordering::Relaxed)), windows);
        }
        if now > limit {
            return (End::Limit(now), windows);
        }
        for from in &exchange.mailbox[parity][id] {
            let mut mail = from.lock().unwrap_or_else(|e| e.into_inner());
            shard.receive(&mail);
            mail.clear();
        }
        let cancelled = || control.cancel.load(Ordering::Relaxed);
        let mut end = now.saturating_add(window);
        if let Some(skipper) = &mut skipper {
            (now, end) = skipper.beat(shard, (&exchange.meeting, &exchange.barrier), parity, now, control);
        }
        shard.window(now, end, cancelled);
        windows += 1;
        control.delivered_bytes.fetch_add(std::mem::take(&mut shard.delivered), Ordering::Relaxed);
        control.now_fs.fetch_max(now, Ordering::Relaxed);

        parity ^= 1;
        let next = if cancelled() { CANCELLED } else { shard.next() };
        for (to, mail) in shard.take_outbox().iter_mut().enumerate() {
            if !mail.is_empty() {
                // the box was emptied two windows ago: its list comes back to be filled again
                std::mem::swap(&mut *exchange.mailbox[parity][to][id].lock().unwrap_or_else(|e| e.into_inner()), mail);
            }
        }
        if let Some(skipper) = &mut skipper {
            skipper.report(shard, &exchange.meeting, parity);
        }
        exchange.next[parity][id].store(next, Ordering::Release);
        exchange.barrier.wait();
    }
}

/// In place of a next event: the caller asked to stop. No event is at time zero once a window was simulated.
const CANCELLED: Fs = 0;
