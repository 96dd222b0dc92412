//! What a caller shares with work that is under way: a request to stop, the phase of the work, and its progress.
//!
//! **Model.** The caller sets one of two requests: [`Control::cancel`] (the user asked) or [`Control::expire`] (a wall-clock
//! limit was reached). Every loop that can take longer than some milliseconds polls it with [`Control::check`] and gives the
//! error up to its caller. The core reads no clock: who watches the time is the caller.
//!
//! **Invariant.** A request that never comes changes no result. The first request counts; later ones are ignored.
//!
//! **Cost.** A poll is one relaxed load of a word that hardly ever changes. **Limits.** Work stops at its next poll, not at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::units::Fs;

/// What work is doing, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Reading the specification.
    Reading,
    /// Building the fabric: distances, virtual channels.
    Building,
    /// Predicting algorithms and protocols.
    Choosing,
    /// Looking for symmetries.
    Folding,
    /// Proving a schedule.
    Proving,
    /// Looking for cuts and bounds.
    Bounding,
    /// Counting and listing parts of a system.
    Describing,
    /// Setting up the state of a run.
    Preparing,
    /// Simulating.
    Simulating,
    /// Making tables.
    Tabulating,
}

impl Phase {
    const ALL: [Phase; 10] = [
        Phase::Reading,
        Phase::Building,
        Phase::Choosing,
        Phase::Folding,
        Phase::Proving,
        Phase::Bounding,
        Phase::Describing,
        Phase::Preparing,
        Phase::Simulating,
        Phase::Tabulating,
    ];

    /// The phase in words that go on after "while".
    pub fn words(self) -> &'static str {
        match self {
            Phase::Reading => "reading the specification",
            Phase::Building => "building the fabric",
            Phase::Choosing => "choosing algorithm and protocol",
            Phase::Folding => "looking for symmetries",
            Phase::Proving => "proving the schedule",
            Phase::Bounding => "computing the lower bound",
            Phase::Describing => "describing the system",
            Phase::Preparing => "setting up the run",
            Phase::Simulating => "simulating",
            Phase::Tabulating => "making a table",
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Control {
    /// 0: go on; 1: the user asked to stop; 2: the wall-clock limit was reached.
    stop: AtomicU8,
    /// The wall-clock limit in words, once it was reached.
    limit: OnceLock<String>,
    /// Index of a [`Phase`].
    phase: AtomicU8,
    /// Payload bytes delivered so far.
    pub delivered_bytes: AtomicU64,
    /// Payload bytes that will be delivered, once known.
    pub total_bytes: AtomicU64,
    /// Work done so far: packets over links and visits to vertices, or events and changes of rates of fluids.
    pub work: AtomicU64,
    /// Simulated femtoseconds so far.
    pub now_fs: AtomicU64,
}

impl Control {
    /// Asks the work to stop with [`Error::Interrupted`].
    pub fn cancel(&self) {
        let _ = self.stop.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Asks the work to stop with [`Error::Timeout`]; the limit in words, such as "wall-clock timeout of 1 s".
    pub fn expire(&self, limit: String) {
        let _ = self.limit.set(limit);
        let _ = self.stop.compare_exchange(0, 2, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// True once the work should stop.
    #[inline]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    /// The poll of every long loop.
    ///
    /// # Errors
    /// [`Error::Interrupted`] or [`Error::Timeout`] once the work should stop.
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.stopped() { Err(self.error()) } else { Ok(()) }
    }

    /// Why the work stops.
    #[cold]
    pub fn error(&self) -> Error {
        let (phase, time_ns) = (self.phase().words(), self.now_fs.load(Ordering::Relaxed) / 1_000_000);
        match self.stop.load(Ordering::Relaxed) {
            2 => Error::Timeout { phase, time_ns, limit: self.limit.get().cloned().unwrap_or_default() },
            _ => Error::Interrupted { phase, time_ns },
        }
    }

    /// The error of a run that reached its limit of simulated time.
    pub fn late(&self, now: Fs, limit: Fs) -> Error {
        let limit = format!("limit of {} ns of simulated time", limit / 1_000_000);
        Error::Timeout { phase: self.phase().words(), time_ns: now / 1_000_000, limit }
    }

    /// Says what the work does from now on.
    ///
    /// # Errors
    /// As [`Control::check`].
    pub fn begin(&self, phase: Phase) -> Result<()> {
        self.check()?;
        self.phase.store(phase as u8, Ordering::Relaxed);
        Ok(())
    }

    /// What the work is doing.
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed)) % Phase::ALL.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;

    #[test]
    fn the_first_request_counts_and_names_the_phase() {
        let control = Control::default();
        assert_eq!((control.check(), control.phase()), (Ok(()), Phase::Reading));
        for phase in Phase::ALL {
            control.begin(phase).unwrap();
            assert_eq!(control.phase(), phase);
        }
        control.begin(Phase::Building).unwrap();
        control.now_fs.store(7_000_000, Ordering::Relaxed);
        control.expire("wall-clock timeout of 1 s".into());
        control.cancel();
        let text = control.check().unwrap_err().to_string();
        let wanted = "stopped while building the fabric, at 7 ns of simulated time: wall-clock timeout of 1 s reached";
        assert_eq!(text, wanted);
        assert!(control.begin(Phase::Simulating).is_err() && control.phase() == Phase::Building);

        let other = Control::default();
        other.cancel();
        other.expire("never".into());
        assert!(matches!(other.check(), Err(Error::Interrupted { phase: "reading the specification", time_ns: 0 })));
    }
}
