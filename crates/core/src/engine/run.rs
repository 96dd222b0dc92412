//! A run from its job to its record: shards are made, a team of threads simulates, and what came of it becomes tables.
//!
//! **Invariant.** What each shard is made of depends on the job and its part of the machine only, so shards are made, as they
//! are simulated, by all threads at once.

use super::cut::{self, Seat};
use super::endpoint::Endpoint;
use super::layout::{Layout, UNPLUGGED};
use super::shard::Shard;
use super::skip::{Skipper, untried};
use super::team::{End, Member, Team};
use super::{Cap, Job, Paths, tables};
use crate::control::{Control, Phase};
use crate::error::{Error, Result};
use crate::record::{Record, Skipping};
use crate::units::{Fs, MAX_TIME_FS, NEVER};

/// See [`super::run_within()`].
pub(super) fn run(job: &Job, control: &Control, cap: Cap) -> Result<Option<Record>> {
    control.begin(Phase::Preparing)?;
    job.simulated().prepare(control)?;
    let paths = Paths::new(job)?;
    let threads = if matches!(cap, Cap::Simulated { .. }) { 1 } else { threads(job) };
    let mut layout = Layout::new(job.simulated(), job.protocol, control)?;
    check_rates(job, &layout)?;
    let seats = cut::seats(job, &layout);
    layout.cuts = cut::cuts(job, &layout, &seats, cut::shards(&layout, threads));
    let limit = job.time_limit_fs.unwrap_or(MAX_TIME_FS).min(MAX_TIME_FS);
    let make = |id: usize| member(job, &layout, &paths, &seats, (id, limit), control);
    let members: Vec<Member> = side_by_side(layout.cuts.len() - 1, threads, make).into_iter().collect::<Result<_>>()?;
    control.begin(Phase::Simulating)?;
    let team = Team::new(members, threads, (layout.window, limit, cap), control);
    let (end, windows) = team.run();
    let (mut skipping, mut images) = (untried(job), 0);
    let mut shards = vec![];
    for (id, Member { shard, skipper, .. }) in team.dismiss().into_iter().enumerate() {
        if let Some(skipper) = skipper {
            let (did, bytes) = skipper.finish();
            // all jumped together; each knows its own packets
            skipping = if id == 0 {
                did
            } else {
                Skipping { packet_hops: skipping.packet_hops + did.packet_hops, ..skipping }
            };
            images += bytes;
        }
        shards.push(shard);
    }

    let last = shards.iter().map(|s| s.last_event).max().unwrap_or(0);
    match end {
        End::Cancelled => return Err(control.error()),
        End::Limit(now) if limit == MAX_TIME_FS => return Err(clock(now)),
        End::Limit(now) => return Err(control.late(now, limit)),
        End::Capped => return Ok(None),
        End::Quiet => {}
    }
    if let Some(error) = super::diagnose::diagnose(&layout, &shards, threads, last) {
        return Err(error);
    }
    let state_bytes = layout.bytes() + shards.iter().map(Shard::bytes).sum::<u64>() + images;
    let mut record = tables::record(job, &layout, &mut shards, control)?;
    if record.finish_fs > MAX_TIME_FS {
        return Err(clock(record.finish_fs));
    }
    record.windows = windows;
    record.threads = threads as u32;
    record.skipping = skipping;
    record.state_bytes = state_bytes;
    Ok(Some(record))
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

/// Makes the shard of a number, ready to be simulated up to a time.
pub(super) fn member<'a>(
    job: &'a Job,
    layout: &'a Layout,
    paths: &'a Paths,
    seats: &[Seat],
    (id, limit): (usize, Fs),
    control: &'a Control,
) -> Result<Member<'a>> {
    let shard = seated(Shard::new(job, layout, paths, id, control)?, seats, control)?;
    let skipper = Skipper::new(job, &shard, id, layout.window, limit);
    Ok(Member::new(shard, skipper, id))
}

/// Puts each rank of a shard on its accelerator.
fn seated<'a>(mut shard: Shard<'a>, seats: &[Seat], control: &Control) -> Result<Shard<'a>> {
    let from = |lp: u32| seats.partition_point(|seat| seat.0 < lp);
    for &(lp, rank) in &seats[from(shard.first_lp)..from(shard.first_lp + shard.lps)] {
        control.check()?;
        let local = lp - shard.first_lp;
        debug_assert_eq!(shard.endpoint_of[local as usize], UNPLUGGED);
        shard.endpoint_of[local as usize] = shard.endpoints.len() as u32;
        let endpoint = Endpoint::new(shard.job, shard.paths, rank);
        shard.wake.lower(local, endpoint.next_start());
        shard.endpoints.push(endpoint);
    }
    Ok(shard)
}

/// The values for `0..count`, in order, made by several threads.
pub(super) fn side_by_side<T: Send>(count: usize, threads: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let part = |t: usize| (t * count / threads..(t + 1) * count / threads).map(&make).collect::<Vec<T>>();
    if threads == 1 {
        return part(0);
    }
    let part = &part;
    std::thread::scope(|scope| {
        let start = |t| (t, std::thread::Builder::new().spawn_scoped(scope, move || part(t)));
        let parts: Vec<_> = (0..threads).map(start).collect();
        let made = parts.into_iter().map(|(t, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // the part of a thread that cannot be started is done here
            Err(_) => part(t),
        });
        made.flatten().collect()
    })
}
