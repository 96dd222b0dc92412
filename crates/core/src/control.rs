//! What a caller shares with work that is under way: a request to stop, the memory that it may take, its phase and progress.
//!
//! **Model.** Work stops for one of three reasons: [`Control::cancel`] (the user asked), [`Control::expire`] (a wall-clock
//! limit was reached) and [`Control::fail`] (it cannot go on, for lack of memory as a rule). Every loop that can take longer
//! than some milliseconds polls with [`Control::check`] and gives the error up to its caller. The core reads no clock and
//! no counters of the operating system: who watches those is the caller. Whoever is about to take much memory asks
//! [`Control::need`] first, and takes it with [`filled`] or [`reserved`], which fail instead of ending the process.
//!
//! **Invariant.** A request that never comes changes no result. The first reason counts; later ones are ignored.
//!
//! **Cost.** A poll is one relaxed load of a word that hardly ever changes. **Limits.** Work stops at its next poll, not at once.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

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

/// Why work stops.
#[derive(Debug)]
enum Reason {
    Cancelled,
    /// The wall-clock limit, in words.
    Expired(String),
    Failed(Error),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    reason: OnceLock<Reason>,
    /// Bytes that the work may take; 0 is no limit.
    memory: AtomicU64,
    /// Index of a [`Phase`].
    phase: AtomicU8,
    /// What is done belongs to a candidate that is being priced: the phase stays, and no progress is seen.
    trial: AtomicBool,
    /// Payload bytes delivered so far.
    pub delivered_bytes: AtomicU64,
    /// Payload bytes that will be delivered, once known.
    pub total_bytes: AtomicU64,
    /// Work done so far: packets over links and visits to vertices, or events and changes of rates of fluids.
    pub work: AtomicU64,
    /// Simulated femtoseconds so far.
    pub now_fs: AtomicU64,
    /// Nanoseconds of the nominal core that the run was predicted to take, once known.
    pub predicted_ns: AtomicU64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Simulated femtoseconds.
    pub now_fs: Fs,
    /// Payload bytes delivered.
    pub delivered_bytes: u64,
    /// Payload bytes in all, 0 while that is not known.
    pub total_bytes: u64,
    /// Nanoseconds of the nominal core that the run was predicted to take, 0 while that is not known.
    pub predicted_ns: u64,
}

impl Control {
    /// Asks the work to stop with [`Error::Interrupted`].
    pub fn cancel(&self) {
        self.stop(Reason::Cancelled);
    }

    /// Asks the work to stop with [`Error::Timeout`]; the limit in words, such as "wall-clock timeout of 1 s".
    pub fn expire(&self, limit: String) {
        self.stop(Reason::Expired(limit));
    }

    /// Stops the work, all of its threads, with an error that one of them or the caller met.
    pub fn fail(&self, error: Error) {
        self.stop(Reason::Failed(error));
    }

    fn stop(&self, reason: Reason) {
        self.reason.get_or_init(|| reason);
        self.stop.store(true, Ordering::Release);
    }

    /// Says how many bytes the work may take; `None`: any.
    pub fn limit_memory(&self, bytes: Option<u64>) {
        self.memory.store(bytes.map_or(0, |bytes| bytes.max(1)), Ordering::Relaxed);
    }

    /// Bytes that the work may take, if there is a limit.
    pub fn memory_limit(&self) -> Option<u64> {
        Some(self.memory.load(Ordering::Relaxed)).filter(|&bytes| bytes > 0)
    }

    /// Asks for memory before it is taken.
    ///
    /// # Errors
    /// [`Error::Memory`] if it is more than is allowed.
    pub fn need(&self, what: &str, needed: u64, hint: &str) -> Result<()> {
        match self.memory_limit() {
            Some(available) if needed > available => {
                Err(Error::Memory { what: what.into(), needed, available, hint: hint.into() })
            }
            _ => Ok(()),
        }
    }

    /// True once the work should stop.
    #[inline]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The poll of every long loop.
    ///
    /// # Errors
    /// [`Error::Interrupted`], [`Error::Timeout`] or what [`Control::fail`] was given, once the work should stop.
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.stopped() { Err(self.error()) } else { Ok(()) }
    }

    /// Why the work stops.
    #[cold]
    pub fn error(&self) -> Error {
        let (phase, time_ns) = (self.phase().words(), self.now_fs.load(Ordering::Relaxed) / 1_000_000);
        match self.reason.get() {
            Some(Reason::Expired(limit)) => Error::Timeout { phase, time_ns, limit: limit.clone() },
            Some(Reason::Failed(error)) => error.clone(),
            Some(Reason::Cancelled) | None => Error::Interrupted { phase, time_ns },
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
        if !self.trial.load(Ordering::Relaxed) {
            self.phase.store(phase as u8, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Simulates a candidate: whoever watches sees neither its phases nor its progress.
    pub fn tried<T>(&self, work: impl FnOnce() -> T) -> T {
        self.trial.store(true, Ordering::Relaxed);
        let result = work();
        self.start_over();
        self.trial.store(false, Ordering::Relaxed);
        result
    }

    /// Progress begins again: what was simulated was given up.
    pub fn start_over(&self) {
        self.delivered_bytes.store(0, Ordering::Relaxed);
        self.now_fs.store(0, Ordering::Relaxed);
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        let seen = |counter: &AtomicU64| {
            let count = counter.load(Ordering::Relaxed);
            if self.trial.load(Ordering::Relaxed) { 0 } else { count }
        };
        let delivered_bytes = seen(&self.delivered_bytes);
        Progress {
            phase: self.phase(),
            now_fs: seen(&self.now_fs),
            delivered_bytes,
            total_bytes: self.total_bytes.load(Ordering::Relaxed).max(delivered_bytes),
            predicted_ns: self.predicted_ns.load(Ordering::Relaxed),
        }
    }

    /// What the work is doing.
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed)) % Phase::ALL.len()]
    }
}

/// So many equal values, or an error where the operating system gives no memory for them.
///
/// # Errors
/// [`Error::Memory`].
pub fn filled<T: Clone>(what: &str, len: usize, value: T) -> Result<Vec<T>> {
    let mut list = reserved(what, len)?;
    list.resize(len, value);
    Ok(list)
}

/// An empty list with room for so many values, or an error where the operating system gives no memory for them.
///
/// # Errors
/// [`Error::Memory`].
pub fn reserved<T>(what: &str, len: usize) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(len).map_err(|_| refused(what, (len as u64).saturating_mul(size_of::<T>() as u64)))?;
    Ok(list)
}

/// Appends to a list that grows with a run. Where the operating system gives no room for it, nothing can go on: see [`give_up`].
#[inline]
pub fn push<T>(what: &str, list: &mut Vec<T>, value: T) {
    if list.len() == list.capacity() && list.try_reserve(1).is_err() {
        give_up(what, 2 * (list.len() * size_of::<T>()) as u64);
    }
    list.push(value);
}

/// Leaves a run that cannot go on for lack of memory, as a panic leaves it, but with an error and without a message. Whoever
/// began the run gets the error by [`caught`].
#[cold]
pub fn give_up(what: &str, needed: u64) -> ! {
    resume_unwind(Box::new(refused(what, needed)))
}

/// The result of work that may end by [`give_up`].
///
/// # Errors
/// Those of the work, and what it gave up with.
pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // what the work changed is dropped with it
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| match panic.downcast::<Error>() {
        Ok(error) => Err(*error),
        Err(panic) => resume_unwind(panic),
    })
}

/// The error where the operating system gives no more memory.
pub fn refused(what: &str, needed: u64) -> Error {
    let hint = "the operating system gives no more: take a smaller system, or allow the process more".into();
    Error::Memory { what: what.into(), needed, available: 0, hint }
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

    #[test]
    fn memory_is_asked_for_and_refused() {
        let control = Control::default();
        assert_eq!((control.need("a table", u64::MAX, "less"), control.memory_limit()), (Ok(()), None));
        control.limit_memory(Some(1000));
        assert_eq!(control.need("a table", 1000, "less"), Ok(()));
        let error = control.need("a table", 1001, "less").unwrap_err();
        assert_eq!(error.to_string(), "a table needs about 1001 bytes, 1000 are allowed; less");
        control.fail(error.clone());
        control.cancel();
        assert_eq!(control.check(), Err(error));
        // nobody has so much
        assert!(matches!(filled("a list", usize::MAX / 2, 0u8), Err(Error::Memory { .. })));
        assert!(matches!(reserved::<u64>("a list", usize::MAX), Err(Error::Memory { needed: u64::MAX, .. })));
        assert_eq!(filled("a list", 3, 7), Ok(vec![7, 7, 7]));
        let seen = Control::default();
        seen.begin(Phase::Choosing).unwrap();
        let found = seen.tried(|| {
            seen.now_fs.store(5, Ordering::Relaxed);
            seen.begin(Phase::Simulating).unwrap();
            seen.progress()
        });
        assert_eq!((found.phase, found.now_fs, seen.progress()), (Phase::Choosing, 0, found));
        let mut list = vec![1];
        push("a list", &mut list, 2);
        assert_eq!((list, caught(|| Ok(3))), (vec![1, 2], Ok(3)));
        assert_eq!(caught::<u32>(|| give_up("a list", 7)), Err(refused("a list", 7)));
    }
}
