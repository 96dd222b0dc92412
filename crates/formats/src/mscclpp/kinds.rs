//! What each operation of MSCCL++ that moves data does.
//!
//! **Model.** Sources and destinations are numbered. Those from one number on belong to other ranks, and those from another on are packets:
//! data with flags, which a reader waits for. Operations either move each source to its destination, or sum up all sources and
//! write the sum to all destinations.

/// A number that no source or destination has.
const NONE: usize = usize::MAX;

/// An operation that moves data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Each source goes to its destination; otherwise the sum of all sources goes to all destinations.
    pub(super) pairs: bool,
    /// Sources from here on are read from other ranks.
    pub(super) remote_sources: usize,
    /// Sources from here on are packets.
    pub(super) awaited: usize,
    /// Destinations from here on are on other ranks.
    pub(super) remote: usize,
    /// Destinations from here on are packets.
    pub(super) packets: usize,
    /// A signal follows each destination.
    pub(super) signals: bool,
    /// The threadblock goes on when all has left.
    pub(super) flushes: bool,
}

const fn kind(
    name: &'static str,
    pairs: bool,
    [remote_sources, awaited]: [usize; 2],
    [remote, packets]: [usize; 2],
) -> Kind {
    Kind { name, pairs, remote_sources, awaited, remote, packets, signals: false, flushes: false }
}

/// All of them.
pub(super) const KINDS: [Kind; 17] = [
    kind("copy", true, [NONE, NONE], [NONE, NONE]),
    kind("cpkt", true, [NONE, NONE], [NONE, 0]),
    kind("upkt", true, [NONE, 0], [NONE, NONE]),
    kind("put", true, [NONE, NONE], [0, NONE]),
    Kind { signals: true, ..kind("pws", true, [NONE, NONE], [0, NONE]) },
    Kind { signals: true, flushes: true, ..kind("pwsf", true, [NONE, NONE], [0, NONE]) },
    kind("get", true, [0, NONE], [NONE, NONE]),
    kind("ppkt", true, [NONE, NONE], [0, 0]),
    kind("rppkt", false, [NONE, 0], [0, 0]),
    kind("re", false, [NONE, NONE], [NONE, NONE]),
    kind("res", false, [NONE, NONE], [1, NONE]),
    kind("rre", false, [1, NONE], [NONE, NONE]),
    kind("rres", false, [1, NONE], [1, NONE]),
    kind("repkt", false, [NONE, 1], [NONE, NONE]),
    kind("respkt", false, [NONE, 1], [1, 1]),
    kind("recpkt", false, [NONE, 1], [NONE, 1]),
    kind("recspkt", false, [NONE, 1], [2, 1]),
];

/// Operations on the sums of switches, which are not modelled.
pub(super) const SWITCH: [&str; 4] = ["glre", "glres", "gstore", "gstorepkt"];

/// Operations that order threadblocks.
pub(super) const ORDER: [&str; 10] =
    ["nop", "barrier", "signal", "rlxsignal", "wait", "rlxwait", "flush", "sem_acquire", "sem_release", "pipeline"];
