//! How a rank goes through a program that is given: from action to action along their dependencies.
//!
//! **Model.** An action begins at the latest time of all that it waits for. A send is handed to the ports as soon as the stack is through
//! ([`Host::launch`]), with its number for a slot, and ends when its last byte has left. A receive ends when it has begun and its message is
//! stored. A computation waits for the [`Device`] of its stream; one that takes no time only joins dependencies.
//!
//! **Invariant.** Times are worked out as soon as all that they depend on is known, which may be before the host's clock comes to them;
//! what competes with others, a computation or a message, is an event of the host, taken in the order of time.
//!
//! **Cost.** O(1) per action and dependency; 32 bytes per action. **Limits.** What comes early is stored without limit.

use super::Host;
use super::device::Device;
use crate::units::{Fs, NEVER};
use crate::workload::explicit::{Act, Action, Explicit};

/// Where an action of a rank stands.
#[derive(Clone, Copy, Debug)]
struct State {
    /// Latest of what it waited for so far; of one that has ended, when that was.
    latest: Fs,
    /// When it began.
    begun: Fs,
    /// Payload bytes and message ends that have not arrived; one for what sends or computes.
    left: u64,
    /// Dependencies that are open.
    waits: u32,
}

const _: () = assert!(size_of::<State>() == 32);

/// States behind that of the front that are needed soon.
const AHEAD: usize = 4;

/// What a host tells a rank at a time that it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// A computation may begin.
    Compute(u32),
    /// The computation that runs on a device may end.
    Computed(u32),
}

/// How far a rank is in its program.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    states: Vec<State>,
    /// Streams that compute, and the device of each.
    devices: Vec<(u16, Device)>,
    /// Actions that wait for nothing more and have not begun.
    ready: Vec<u32>,
    /// Actions that have not ended.
    left: u32,
    /// The action that began last.
    front: u32,
    /// When the last of those that have ended did.
    end: Fs,
}

impl Standing {
    /// Of a rank, before anything.
    pub fn new(program: &Explicit, rank: u32) -> Self {
        let begins = |action: &Action| {
            let left = if action.act.receives() { action.amount + 1 } else { 1 };
            State { latest: 0, begun: NEVER, left, waits: 0 }
        };
        let mut states: Vec<State> = program.of(rank).iter().map(begins).collect();
        for number in 0..states.len() as u32 {
            program.dependents(rank, number).iter().for_each(|d| states[d.action() as usize].waits += 1);
        }
        let left = states.len() as u32;
        Self { states, left, ..Self::default() }
    }

    /// When each action began and ended, in order.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = (Fs, Fs)> + '_ {
        self.states.iter().map(|state| (state.begun, state.latest))
    }

    /// The action that began last: those that begin next are near it, as a rule.
    #[inline]
    pub fn front(&self) -> u32 {
        self.front
    }

    /// What is needed of the state of actions near the front.
    #[inline]
    pub fn ahead(&self) -> impl Iterator<Item = &impl Sized> {
        let front = self.front as usize;
        self.states.iter().skip(front).take(AHEAD).step_by(2)
    }

    /// The first action that has not ended, and whether it has begun.
    pub fn open(&self) -> Option<(u32, bool)> {
        let open = self.states.iter().position(|state| state.waits > 0 || state.left > 0)?;
        Some((open as u32, self.states[open].waits == 0))
    }

    /// Bytes of state.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.states.capacity() * size_of::<State>()
            + self.devices.capacity() * size_of::<(u16, Device)>()
            + self.ready.capacity() * 4
    }

    /// The device of a stream.
    fn device(&mut self, stream: u16) -> (u32, &mut Device) {
        let at = self.devices.iter().position(|device| device.0 == stream).unwrap_or(self.devices.len());
        if at == self.devices.len() {
            self.devices.push((stream, Device::default()));
        }
        (at as u32, &mut self.devices[at].1)
    }

    /// What depends on an action that began or ended at `time` waits for less.
    #[inline]
    fn release(&mut self, program: &Explicit, rank: u32, number: u32, on_begin: bool, time: Fs) {
        for dependent in program.dependents(rank, number).iter().filter(|d| d.on_begin() == on_begin) {
            let state = &mut self.states[dependent.action() as usize];
            state.latest = state.latest.max(time);
            state.waits -= 1;
            if state.waits == 0 {
                self.ready.push(dependent.action());
            }
        }
    }
}

/// A host whose ranks have programs that are given.
pub trait Explicitly<'a>: Host<'a, Time = Fs> {
    /// What all ranks do.
    fn program(&self) -> &'a Explicit;
    /// How far a rank is.
    fn standing(&mut self, seat: u32) -> &mut Standing;
    /// Calls [`rang`] at a time.
    fn alarm(&mut self, seat: u32, time: Fs, alarm: Alarm);
    /// All actions of a rank have ended, the last at `time`.
    fn ended(&mut self, seat: u32, time: Fs);
}

/// Begins what a rank can begin at once, at `time`.
pub fn start<'a, H: Explicitly<'a>>(host: &mut H, seat: u32, time: Fs) {
    let standing = host.standing(seat);
    let first = |(number, state): (u32, &mut State)| {
        state.latest = time;
        (state.waits == 0).then_some(number)
    };
    let roots: Vec<u32> = (0u32..).zip(&mut standing.states).filter_map(first).collect();
    standing.ready.extend(roots.iter().rev());
    if standing.left == 0 {
        host.ended(seat, time);
        return;
    }
    go(host, seat);
}

/// A message has left, its last byte at `time`.
#[inline]
pub fn sent<'a, H: Explicitly<'a>>(host: &mut H, seat: u32, number: u32, time: Fs) {
    progress(host, seat, number, 1, time);
}

/// Payload bytes and message ends for a receive have arrived and were stored or reduced at `time`.
#[inline]
pub fn arrived<'a, H: Explicitly<'a>>(host: &mut H, seat: u32, number: u32, amount: u64, time: Fs) {
    progress(host, seat, number, amount, time);
}

/// A time that was asked for has come.
pub fn rang<'a, H: Explicitly<'a>>(host: &mut H, seat: u32, alarm: Alarm, now: Fs) {
    let (program, rank) = (host.program(), host.rank(seat));
    match alarm {
        Alarm::Compute(number) => {
            let Action { amount, stream, .. } = *program.get(rank, number);
            let (device, works) = host.standing(seat).device(stream);
            if let Some(end) = works.submit(number, amount, now) {
                host.alarm(seat, end, Alarm::Computed(device));
                computes(host, seat, number, now);
            }
        }
        Alarm::Computed(device) => {
            let works = &mut host.standing(seat).devices[device as usize].1;
            let Some((number, next)) = works.ends(now) else {
                return;
            };
            let running = works.running();
            if let Some((end, running)) = next.zip(running) {
                host.alarm(seat, end, Alarm::Computed(device));
                computes(host, seat, running, now);
            }
            progress(host, seat, number, 1, now);
        }
    }
}

/// A computation begins.
fn computes<'a, H: Explicitly<'a>>(host: &mut H, seat: u32, number: u32, now: Fs) {
    let (program, rank) = (host.program(), host.rank(seat));
    let standing = host.standing(seat);
    standing.states[number as usize].begun = now;
    standing.release(program, rank, number, true, now);
    go(host, seat);
}

/// An action came so far; it ends when nothing is left of it and it has begun.
#[inline]
fn progress<'a, H: Explicitly<'a>>(host: &mut H, seat: u32, number: u32, amount: u64, time: Fs) {
    let state = &mut host.standing(seat).states[number as usize];
    state.left -= amount;
    state.latest = state.latest.max(time);
    if state.left == 0 && state.begun != NEVER {
        end(host, seat, number);
        go(host, seat);
    }
}

/// Begins everything that waits for nothing more.
fn go<'a, H: Explicitly<'a>>(host: &mut H, seat: u32) {
    let (program, rank) = (host.program(), host.rank(seat));
    while let Some(number) = host.standing(seat).ready.pop() {
        let standing = host.standing(seat);
        let State { latest: time, left, .. } = standing.states[number as usize];
        let action = program.get(rank, number);
        if action.act == Act::Compute && action.amount > 0 {
            host.alarm(seat, time, Alarm::Compute(number));
            continue;
        }
        standing.states[number as usize].begun = time;
        standing.front = number;
        standing.release(program, rank, number, true, time);
        match action.act {
            Act::Send => host.launch(seat, number, 0, number, time),
            Act::Compute | Act::Delay => {
                let state = &mut host.standing(seat).states[number as usize];
                (state.left, state.latest) = (0, later(time, action.amount));
                end(host, seat, number);
            }
            Act::Receive | Act::Reduce => {
                host.began(seat, 0, 1, time);
                if left == 0 {
                    end(host, seat, number);
                }
            }
        }
    }
}

/// A sum of times that stops short of "never".
fn later(time: Fs, by: Fs) -> Fs {
    time.saturating_add(by).min(NEVER - 1)
}

/// An action has ended.
#[inline]
fn end<'a, H: Explicitly<'a>>(host: &mut H, seat: u32, number: u32) {
    let (program, rank) = (host.program(), host.rank(seat));
    let standing = host.standing(seat);
    let time = standing.states[number as usize].latest;
    standing.left -= 1;
    standing.end = standing.end.max(time);
    let last = (standing.left == 0).then_some(standing.end);
    standing.release(program, rank, number, false, time);
    if let Some(time) = last {
        host.ended(seat, time);
    }
}
