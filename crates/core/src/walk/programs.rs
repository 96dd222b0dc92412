//! Which message of a rank is opened next.
//!
//! **Model.** A step that has been launched is a program: its messages, one after the other. Lanes are cut from the buffer in
//! order, so what is launched of an earlier lane goes before a later one.
//!
//! **Invariant.** The order of opening depends on the order of launches only, not on when ports ask. **Cost.** O(lanes) per step.

use std::collections::VecDeque;

use crate::units::Fs;

/// A step whose messages are being opened.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its lane.
    pub lane: u32,
    /// Its number.
    pub step: u32,
    /// The message that is opened next.
    pub next: u32,
    /// How many it has.
    pub sends: u32,
    /// When it was launched.
    pub start: Fs,
}

/// A message to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Lane and step.
    pub lane: u32,
    /// Step that sends it.
    pub step: u32,
    /// Its number in the step.
    pub message: u32,
    /// When its step was launched.
    pub start: Fs,
}

/// The steps of a rank whose messages are not all opened, in order of lane.
#[derive(Clone, Debug, Default)]
pub struct Programs(VecDeque<Program>);

impl Programs {
    /// Room for so many.
    pub fn with_capacity(programs: usize) -> Self {
        Self(VecDeque::with_capacity(programs))
    }

    /// A step was launched.
    pub fn launch(&mut self, lane: u32, step: u32, sends: u32, start: Fs) {
        let at = self.0.partition_point(|p| p.lane < lane);
        self.0.insert(at, Program { lane, step, next: 0, sends, start });
    }

    /// Takes the message that is opened next.
    #[inline]
    pub fn open(&mut self) -> Option<Opening> {
        let program = self.0.front_mut()?;
        let Program { lane, step, next: message, start, .. } = *program;
        program.next += 1;
        if program.next == program.sends {
            self.0.pop_front();
        }
        Some(Opening { lane, step, message, start })
    }

    /// True if every message is opened.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, to be moved ahead.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Program> {
        self.0.iter_mut()
    }

    /// Bytes of state.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Program>()
    }
}
