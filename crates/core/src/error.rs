//! The errors of the core: an enumerated contract.
//!
//! **Invariant.** Every variant names the offending value and what would be valid, and carries one stable [`Error::code`]
//! that the Python side maps to an exception class; a test lists all codes. Bad input is an `Err`, never a panic.

use thiserror::Error;

/// Shorthand used throughout the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by what the user can do about it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Error {
    /// A value of the specification is out of range, unknown or contradicts another.
    #[error("{field}: {value} is not valid; {expected}")]
    Spec {
        /// Dotted path of the offending field.
        field: String,
        /// The value as given.
        value: String,
        /// What would be valid.
        expected: String,
    },
    /// A fabric that cannot be built from its parameters.
    #[error("fabric {fabric}: {problem}; {expected}")]
    Fabric {
        /// Name of the network in the system.
        fabric: String,
        /// What cannot be built, with the numbers.
        problem: String,
        /// What would be valid.
        expected: String,
    },
    /// A collective, algorithm and rank count that do not go together.
    #[error("{algorithm} cannot run {collective} on {ranks} ranks: {why}; valid here: {valid}")]
    Algorithm {
        /// The algorithm asked for.
        algorithm: String,
        /// The collective asked for.
        collective: String,
        /// Number of ranks.
        ranks: u64,
        /// The reason.
        why: String,
        /// Algorithms that would work.
        valid: String,
    },
    /// A quantity that does not fit its integer.
    #[error("{what} overflows: {value}; at most {limit}")]
    Overflow {
        /// The quantity.
        what: String,
        /// Its value or the expression that overflowed.
        value: String,
        /// The largest value.
        limit: String,
    },
    /// Two ranks that no route joins.
    #[error("no route from accelerator {from} to accelerator {to}: {why}")]
    Unroutable {
        /// Source accelerator.
        from: u64,
        /// Destination accelerator.
        to: u64,
        /// Which networks were tried.
        why: String,
    },
    /// A run or table that would not fit in memory.
    #[error("{what} needs about {needed} bytes, {available} are allowed; {hint}")]
    Memory {
        /// What would be allocated.
        what: String,
        /// Estimated bytes.
        needed: u64,
        /// Bytes allowed.
        available: u64,
        /// How to need less.
        hint: String,
    },
    /// Packets wait for buffer space in a cycle.
    #[error("deadlock at {time_ns} ns: {cycle}")]
    Deadlock {
        /// Simulated time at which nothing could move any more.
        time_ns: u64,
        /// The cycle of ports, each waiting for the next.
        cycle: String,
    },
    /// Ranks wait for messages that nobody will send.
    #[error("the run ended at {time_ns} ns with unfinished ranks: {waiting}")]
    Unfinished {
        /// Simulated time of the last event.
        time_ns: u64,
        /// Ranks, steps and what each waits for.
        waiting: String,
    },
    /// A schedule whose symbolic execution does not give the collective's result.
    #[error("schedule {schedule} is wrong: {problem}")]
    Schedule {
        /// Name of the schedule.
        schedule: String,
        /// First thing found wrong.
        problem: String,
    },
    /// The simulated or wall-clock limit was reached.
    #[error("stopped while {phase}, at {time_ns} ns of simulated time: {limit} reached")]
    Timeout {
        /// What was under way.
        phase: &'static str,
        /// Simulated time reached.
        time_ns: u64,
        /// The limit.
        limit: String,
    },
    /// The caller asked to stop.
    #[error("interrupted while {phase}, at {time_ns} ns of simulated time")]
    Interrupted {
        /// What was under way.
        phase: &'static str,
        /// Simulated time reached.
        time_ns: u64,
    },
    /// A defect in supernode itself.
    #[error("internal error (please report): {0}")]
    Internal(String),
}

impl Error {
    /// Stable name of the kind of error; the Python exception class is chosen by it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Spec { .. } => "spec",
            Error::Fabric { .. } => "fabric",
            Error::Algorithm { .. } => "algorithm",
            Error::Overflow { .. } => "overflow",
            Error::Unroutable { .. } => "unroutable",
            Error::Memory { .. } => "memory",
            Error::Deadlock { .. } => "deadlock",
            Error::Unfinished { .. } => "unfinished",
            Error::Schedule { .. } => "schedule",
            Error::Timeout { .. } => "timeout",
            Error::Interrupted { .. } => "interrupted",
            Error::Internal(_) => "internal",
        }
    }

    /// All codes, for the binding's table and its test.
    pub const CODES: [&'static str; 12] = [
        "spec",
        "fabric",
        "algorithm",
        "overflow",
        "unroutable",
        "memory",
        "deadlock",
        "unfinished",
        "schedule",
        "timeout",
        "interrupted",
        "internal",
    ];

    /// A [`Error::Spec`] from its three parts.
    pub fn spec(field: impl Into<String>, value: impl ToString, expected: impl Into<String>) -> Self {
        Error::Spec { field: field.into(), value: value.to_string(), expected: expected.into() }
    }
}
