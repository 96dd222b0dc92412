//! How a rank goes through its part of a schedule: the one place that says so.
//!
//! **Model.** A lane is a program of steps. A step begins when the one before is complete. Its messages are handed to the ports after
//! what the stack takes ([`Host::launch`]). It is complete when all of them have left and all that it must receive has arrived.
//! What arrives for a later step is remembered. Which messages are opened next is in [`programs`].
//!
//! A host is whatever moves the messages: the packet engine, fluids, predictions, the symbolic check. It keeps the state and tells
//! what happened; this module decides what follows. It is generic over the host, so each host gets its own code and pays for no indirection.
//!
//! The state of a lane lies in a *slot*. A stream has a slot per lane for the operation that it executes ([`streams`] says which); of one
//! operation, slots are lanes. Where a program is given action by action ([`graph`]), slots are actions.
//!
//! **Invariant.** Receiving needs no state per message: a step counts payload bytes and message ends down to zero.
//! **Cost.** O(1) per message; see [`early`] for what comes early.

pub mod device;
pub mod early;
pub mod graph;
pub mod programs;
pub mod proxy;
pub mod streams;

#[cfg(test)]
mod tests;

use crate::collective::{MAX_LANES, MAX_STEPS, Recv, Schedule};

pub use early::{Earlies, Early};
pub use graph::{Alarm, Explicitly, Standing};
pub use programs::{Opening, Program, Programs};
pub use proxy::Proxy;
pub(crate) use streams::At;
pub use streams::{Programmed, Progress, Timer};

/// Bits of a tag that hold the lane.
pub const LANE_BITS: u32 = MAX_LANES.trailing_zeros();
const _: () = assert!(MAX_LANES == 1 << LANE_BITS && MAX_STEPS as u64 == 1 << (32 - LANE_BITS));

/// Names a step of a lane in one word; steps compare first.
#[inline(always)]
pub fn tag(lane: u32, step: u32) -> u32 {
    (step << LANE_BITS) | lane
}

/// Inverse of [`tag`]: lane and step.
#[inline(always)]
pub fn untag(tag: u32) -> (u32, u32) {
    (tag & (MAX_LANES - 1), tag >> LANE_BITS)
}

/// Times of a host: whole femtoseconds, or fractions of them where they are predicted.
pub trait Time: Copy + Default + PartialOrd {
    /// The later of two.
    #[inline(always)]
    fn later(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

impl Time for u64 {}
impl Time for f64 {}

/// Where a lane of a rank stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lane<T> {
    /// The current step.
    pub step: u32,
    /// Where its steps end.
    pub steps: u32,
    /// Messages of the current step that have not left.
    pub sends_left: u32,
    /// Payload bytes and message ends that have not arrived.
    pub recv_left: i64,
    /// Latest completion of anything that the step waits for.
    pub latest: T,
    /// What arrives is reduced, not stored.
    pub reduce: bool,
    /// Which lane of its operation it is.
    pub lane: u16,
}

impl<T: Time> Lane<T> {
    /// A lane before its first step.
    pub fn new(lane: u32, steps: u32) -> Self {
        Self::between(lane, 0, steps)
    }

    /// A lane whose steps are those from `first` to before `end`.
    pub fn between(lane: u32, first: u32, end: u32) -> Self {
        Self { step: first, steps: end, lane: lane as u16, ..Self::default() }
    }

    /// True if it is in this step.
    #[inline(always)]
    pub fn is_in(&self, step: u32) -> bool {
        self.step == step && step < self.steps
    }

    /// True if it has steps left.
    pub fn open(&self) -> bool {
        self.step < self.steps
    }
}

/// Who moves the messages of ranks. Ranks are counted by seat where not all of them are simulated.
pub trait Host<'a> {
    /// Its clock.
    type Time: Time;
    /// What the ranks do.
    fn schedule(&self) -> &'a dyn Schedule;
    /// The rank on a seat.
    fn rank(&self, seat: u32) -> u32;
    /// The lane in a slot.
    fn lane(&mut self, seat: u32, slot: u32) -> &mut Lane<Self::Time>;
    /// What came early.
    fn early(&mut self, seat: u32) -> &mut Earlies<Self::Time>;
    /// A step began at `time` that waits for so many messages.
    fn began(&mut self, seat: u32, lane: u32, messages: u32, time: Self::Time);
    /// The messages of a slot's current step have to be handed to the ports, as soon after `time` as the stack is through.
    fn launch(&mut self, seat: u32, slot: u32, lane: u32, step: u32, time: Self::Time);
    /// The lane in a slot was through at `time`.
    fn through(&mut self, seat: u32, slot: u32, time: Self::Time);
}

/// Begins the current step of the lane in a slot at `time`, and those after it as long as they ask for nothing.
pub fn begin<'a, H: Host<'a>>(host: &mut H, seat: u32, slot: u32, mut time: H::Time) {
    let (schedule, rank) = (host.schedule(), host.rank(seat));
    loop {
        let Lane { step, steps, lane: number, .. } = *host.lane(seat, slot);
        let lane = u32::from(number);
        if step >= steps {
            host.through(seat, slot, time);
            return;
        }
        let Recv { messages, bytes, reduce } = schedule.recvs(rank, lane, step);
        let sends_left = schedule.sends(rank, lane, step);
        host.began(seat, lane, messages, time);
        let (mut recv_left, mut latest) = (bytes as i64 + i64::from(messages), time);
        if let Some(came) = host.early(seat).take(tag(lane, step)) {
            recv_left -= came.progress;
            latest = latest.later(came.latest);
        }
        *host.lane(seat, slot) = Lane { step, steps, sends_left, recv_left, latest, reduce, lane: number };
        if sends_left > 0 {
            host.launch(seat, slot, lane, step, time);
            return;
        }
        if recv_left != 0 {
            return;
        }
        host.lane(seat, slot).step += 1;
        time = latest;
    }
}

/// So many messages of the current step have left, the last at `time`.
pub fn sent<'a, H: Host<'a>>(host: &mut H, seat: u32, slot: u32, messages: u32, time: H::Time) {
    let state = host.lane(seat, slot);
    state.sends_left -= messages;
    state.latest = state.latest.later(time);
    settle(host, seat, slot);
}

/// Payload bytes and message ends for a step of the lane in a slot have arrived and were stored or reduced at `time`.
#[inline]
pub fn arrived<'a, H: Host<'a>>(
    host: &mut H,
    seat: u32,
    slot: u32,
    (lane, step): (u32, u32),
    progress: i64,
    time: H::Time,
) {
    let state = host.lane(seat, slot);
    if state.is_in(step) {
        state.recv_left -= progress;
        state.latest = state.latest.later(time);
        settle(host, seat, slot);
        return;
    }
    host.early(seat).add(tag(lane, step), progress, time);
}

/// Goes on to the next step if nothing of this one is open.
#[inline]
fn settle<'a, H: Host<'a>>(host: &mut H, seat: u32, slot: u32) {
    let state = host.lane(seat, slot);
    if state.sends_left == 0 && state.recv_left == 0 {
        state.step += 1;
        let time = state.latest;
        begin(host, seat, slot, time);
    }
}

/// What a step of a rank waits for.
#[inline]
pub fn awaits(schedule: &dyn Schedule, rank: u32, lane: u32, step: u32) -> Recv {
    schedule.recvs(rank, lane, step)
}

/// Whether what a rank receives in a step is reduced.
#[inline]
pub fn reduces(schedule: &dyn Schedule, rank: u32, lane: u32, step: u32) -> bool {
    awaits(schedule, rank, lane, step).reduce
}
