//! The thread of a rank that hands its messages to the NICs.
//!
//! **Model.** Where NICs cost something per message ([`crate::spec::TransportSpec`]), one thread per rank serves all its lanes, in the
//! order in which their steps are ready. The messages of a step are handed over together once the first of them is through; the others
//! keep the thread busy meanwhile.
//!
//! **Invariant.** Without a cost nothing waits. **Cost.** O(messages of the step). **Limits.** Receiving costs the thread nothing.

use crate::units::{Fs, NEVER};

/// When a rank's thread is free.
#[derive(Clone, Copy, Debug, Default)]
pub struct Proxy {
    /// From then on.
    pub free: Fs,
}

impl Proxy {
    /// When the messages of a step that are ready at a time are handed over; `costs` has what each of them takes.
    #[inline]
    pub fn hand(&mut self, ready: Fs, mut costs: impl Iterator<Item = Fs>) -> Fs {
        let first = costs.next().unwrap_or(0);
        let others = costs.fold(0, Fs::saturating_add);
        if first == 0 && others == 0 {
            return ready;
        }
        let later = |time: Fs, takes: Fs| time.saturating_add(takes).min(NEVER - 1);
        let begin = ready.max(self.free);
        let handed = later(begin, first);
        self.free = later(handed, others);
        // what does not go by a NIC does not wait for the thread
        if first == 0 { ready } else { handed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_each_other() {
        let mut proxy = Proxy::default();
        assert_eq!(proxy.hand(10, [0, 0].into_iter()), 10, "nothing to do");
        assert_eq!(proxy.hand(10, [5, 5, 5].into_iter()), 15);
        assert_eq!(proxy.free, 25);
        assert_eq!(proxy.hand(11, [5].into_iter()), 30, "behind the other two");
        assert_eq!(proxy.hand(11, [0, 5].into_iter()), 11, "the first goes another way");
        assert_eq!(proxy.free, 35);
        assert_eq!(proxy.hand(100, [5].into_iter()), 105, "idle before");
    }
}
