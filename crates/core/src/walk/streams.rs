//! How a rank goes through a workload: from operation to operation on each of its streams.
//!
//! **Model.** A stream is at one operation: it waits for what that depends on, or executes it, or is through. When an operation ends on
//! this rank, every stream looks whether its next one may begin. An operation that moves messages pays its launch and then begins its
//! lanes ([`super::begin`]); it has ended when all of them are through. A computation waits for the [`Device`].
//!
//! **Invariant.** All ends are events of the host, taken in the order of time, so that an operation begins exactly when the last of what
//! it waits for ends. **Cost.** O(streams x dependencies) per end. **Limits.** A run of one collective has no program: its host begins
//! the lanes itself.

use super::device::Device;
use super::{Host, Lane, begin};
use crate::collective::Schedule;
use crate::control::push;
use crate::record::{IterationRecord, OperationRecord};
use crate::units::{Fs, NEVER};
use crate::workload::{Instruction, Kind, Workload};

/// What a host tells a rank at a time that it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The job starts.
    Start,
    /// The operation of a stream ends.
    Over(u32),
    /// The computation that runs may end.
    Computed,
}

/// Where a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Before an operation, which waits.
    Before(u32),
    /// In an operation.
    In(u32),
    /// Behind its last operation.
    Through,
}

#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) at: At,
    /// Next instruction, and how often each loop around it is still executed.
    pub(crate) next: u32,
    pub(crate) counts: Vec<u32>,
    pub(crate) lanes_left: u32,
    /// When the operation began, when its last lane was through, and how long the device had been computing.
    pub(crate) began: Fs,
    pub(crate) through: Fs,
    pub(crate) computed: Fs,
}

/// How far a rank is in its workload.
#[derive(Clone, Debug)]
pub struct Progress {
    pub(crate) streams: Vec<Stream>,
    /// Instances that have ended, by operation.
    pub(crate) done: Vec<u32>,
    pub(crate) device: Device,
    /// What there was of each operation.
    pub records: Vec<OperationRecord>,
    /// A row per instance, if this rank stands for its role and somebody asked.
    pub iterations: Option<Vec<IterationRecord>>,
    pub(crate) left: u32,
    /// Operations that have ended, and when the last one did: what skipping keeps its beat by.
    pub(crate) ends: u64,
    pub(crate) end: Fs,
}

impl Progress {
    /// Of a rank, before anything.
    pub fn new(workload: &Workload, rank: u32) -> Self {
        let stream =
            Stream { at: At::Through, next: 0, counts: vec![], lanes_left: 0, began: 0, through: 0, computed: 0 };
        let operations = workload.operations().len();
        Self {
            streams: vec![stream; workload.streams() as usize],
            done: vec![0; operations],
            device: Device::default(),
            records: vec![OperationRecord::default(); operations],
            iterations: workload.samples(rank).then(Vec::new),
            left: workload.streams(),
            ends: 0,
            end: 0,
        }
    }

    /// Bytes of state.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.streams.len() * (size_of::<Stream>() + 16)
            + self.done.len() * (4 + size_of::<OperationRecord>())
            + self.iterations.as_ref().map_or(0, Vec::capacity) * size_of::<IterationRecord>()
    }

    /// Names of the operations that streams are at, and whether each waits to begin.
    pub fn open(&self) -> impl Iterator<Item = (u32, bool)> + '_ {
        self.streams.iter().filter_map(|stream| match stream.at {
            At::Before(operation) => Some((operation, true)),
            At::In(operation) => Some((operation, false)),
            At::Through => None,
        })
    }
}

/// A host whose ranks have programs.
pub trait Programmed<'a>: Host<'a, Time = Fs> {
    /// What all ranks do.
    fn workload(&self) -> &'a Workload;
    /// How far a rank is.
    fn progress(&mut self, seat: u32) -> &mut Progress;
    /// Calls [`fired`] at a time.
    fn timer(&mut self, seat: u32, time: Fs, timer: Timer);
    /// An operation with messages begins on a stream.
    fn opens(&mut self, seat: u32, stream: u32);
    /// All streams of a rank were through at `time`.
    fn finished(&mut self, seat: u32, time: Fs);
}

/// Begins what a rank can begin at once.
pub fn start<'a, H: Programmed<'a>>(host: &mut H, seat: u32) {
    let (workload, rank) = (host.workload(), host.rank(seat));
    for stream in 0..workload.streams() {
        advance(host, seat, stream, 0);
    }
    match workload.role(rank).start {
        0 => go(host, seat, 0),
        start => host.timer(seat, start, Timer::Start),
    }
}

/// A lane was through at `time`.
pub fn through<'a, H: Programmed<'a>>(host: &mut H, seat: u32, stream: u32, time: Fs) {
    let state = &mut host.progress(seat).streams[stream as usize];
    state.through = state.through.max(time);
    state.lanes_left -= 1;
    if state.lanes_left == 0 {
        let over = state.through;
        host.timer(seat, over, Timer::Over(stream));
    }
}

/// A time that was asked for has come.
pub fn fired<'a, H: Programmed<'a>>(host: &mut H, seat: u32, timer: Timer, now: Fs) {
    match timer {
        Timer::Start => {}
        Timer::Over(stream) => over(host, seat, stream, now),
        Timer::Computed => {
            let Some((stream, next)) = host.progress(seat).device.ends(now) else {
                return; // it was slowed since
            };
            if let Some(end) = next {
                host.timer(seat, end, Timer::Computed);
            }
            over(host, seat, stream, now);
        }
    }
    go(host, seat, now);
}

/// The operation of a stream has ended.
fn over<'a, H: Programmed<'a>>(host: &mut H, seat: u32, stream: u32, now: Fs) {
    let workload = host.workload();
    let progress = host.progress(seat);
    let computed = progress.device.busy(now);
    let state = &mut progress.streams[stream as usize];
    let At::In(operation) = state.at else {
        return;
    };
    (progress.ends, progress.end) = (progress.ends + 1, now);
    let iteration = progress.done[operation as usize];
    progress.done[operation as usize] += 1;
    let (took, beside) = (now - state.began, computed - state.computed);
    let (start_fs, exposed_fs) = (state.began, took - beside.min(took));
    progress.records[operation as usize].add(start_fs, now, exposed_fs);
    if let Some(rows) = &mut progress.iterations {
        // its role and rank are filled in with all others at the end
        let row = IterationRecord { operation, iteration, start_fs, end_fs: now, exposed_fs, ..Default::default() };
        push("the rows of the table iterations", rows, row);
    }
    advance(host, seat, stream, now);
    if workload.operations()[operation as usize].share > 0 {
        reshare(host, seat, now);
    }
}

/// Takes a stream to its next operation.
fn advance<'a, H: Programmed<'a>>(host: &mut H, seat: u32, stream: u32, now: Fs) {
    let rank = host.rank(seat);
    let program = &host.workload().role(rank).streams[stream as usize];
    let progress = host.progress(seat);
    let state = &mut progress.streams[stream as usize];
    loop {
        match program.get(state.next as usize) {
            None => {
                state.at = At::Through;
                progress.left -= 1;
                if progress.left == 0 {
                    host.finished(seat, now);
                }
                return;
            }
            Some(&Instruction::Do(operation)) => {
                state.next += 1;
                state.at = At::Before(operation);
                return;
            }
            Some(&Instruction::Repeat(count)) => {
                state.next += 1;
                state.counts.push(count);
            }
            Some(&Instruction::Until(begin)) => match state.counts.last_mut() {
                Some(left) if *left > 1 => {
                    *left -= 1;
                    state.next = begin + 1;
                }
                _ => {
                    state.counts.pop();
                    state.next += 1;
                }
            },
        }
    }
}

/// Begins every operation that waits for nothing more.
fn go<'a, H: Programmed<'a>>(host: &mut H, seat: u32, now: Fs) {
    let (workload, rank) = (host.workload(), host.rank(seat));
    let executes = &workload.role(rank).executes;
    for stream in 0..workload.streams() {
        let progress = host.progress(seat);
        let At::Before(number) = progress.streams[stream as usize].at else {
            continue;
        };
        let operation = &workload.operations()[number as usize];
        let k = progress.done[number as usize];
        let waits = operation.after.iter().filter(|after| executes[after.operation() as usize]);
        if { waits }.any(|after| progress.done[after.operation() as usize] < after.needed(k)) {
            continue;
        }
        let computed = progress.device.busy(now);
        let state = &mut progress.streams[stream as usize];
        (state.at, state.began, state.through, state.computed) = (At::In(number), now, now, computed);
        match &operation.kind {
            Kind::Delay(time) => host.timer(seat, later(now, *time), Timer::Over(stream)),
            Kind::Compute(work) => {
                if let Some(end) = progress.device.submit(stream, work.of(rank, k), now) {
                    host.timer(seat, end, Timer::Computed);
                }
            }
            Kind::Messages { schedule, .. } => {
                let lanes = schedule.lanes();
                state.lanes_left = lanes;
                let first = workload.first_step(number, k);
                host.opens(seat, stream);
                if operation.share > 0 {
                    reshare(host, seat, now);
                }
                let slots = stream * Schedule::lanes(workload);
                for lane in 0..lanes {
                    let steps = schedule.steps(rank, lane);
                    *host.lane(seat, slots + lane) = Lane::between(lane, first, first + steps);
                }
                let launched = later(now, operation.protocol.launch_fs);
                for lane in 0..lanes {
                    begin(host, seat, slots + lane, launched);
                }
            }
        }
    }
}

/// The operations under way take other shares of the device than before.
fn reshare<'a, H: Programmed<'a>>(host: &mut H, seat: u32, now: Fs) {
    let workload = host.workload();
    let Progress { streams, device, .. } = host.progress(seat);
    let shares = streams.iter().filter_map(|stream| match stream.at {
        At::In(operation) => Some(workload.operations()[operation as usize].share),
        _ => None,
    });
    if let Some(end) = device.share(shares, now) {
        host.timer(seat, end, Timer::Computed);
    }
}

fn later(time: Fs, by: Fs) -> Fs {
    time.saturating_add(by).min(NEVER - 1)
}
