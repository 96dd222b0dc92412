//! Links summed up by where they lie: one row a level, however many links there are.
//!
//! **Invariant.** Sums are whole numbers over links that carried something, so the levels of a folded run, each class
//! counted as often as it stands for, are those of the run in full. **Cost.** A few additions a link; a row a level.

use super::LinkRecord;
use crate::units::Fs;

/// What the links of one network, tier or dimension, and direction did together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelRecord {
    /// Network index.
    pub network: u32,
    /// Tier (trees) or dimension (direct topologies).
    pub tier: u32,
    /// True if the links lead from accelerators or up a tree.
    pub up: bool,
    /// Directed links that carried something.
    pub links: u64,
    /// Payload bytes carried.
    pub payload_bytes: u64,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// Packets carried, counted once a link.
    pub packets: u64,
    /// Time that the busiest link spent sending.
    pub busy_max_fs: Fs,
    /// The same summed over the links: more than 64 bits on large machines.
    pub busy_fs: u128,
    /// Time that packets were ready to leave before they left, summed over packets and links.
    pub wait_fs: u128,
    /// Time that ready packets waited for credits while their link was idle, summed over the links.
    pub stall_fs: u128,
    /// The same of the link that stalled longest.
    pub stall_max_fs: Fs,
    /// Most packets queued at once at one link.
    pub queue_max: u32,
}

/// Rows under way.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    rows: Vec<LevelRecord>,
    /// The row met last: links of a level come in runs.
    last: usize,
}

impl Levels {
    /// Counts a link in; one that carried nothing is of no level.
    pub(crate) fn add(&mut self, link: &LinkRecord) {
        if link.packets == 0 && link.wire_bytes == 0 {
            return;
        }
        let here = |row: &LevelRecord| (row.network, row.tier, row.up) == (link.network, link.tier, link.up);
        if !self.rows.get(self.last).is_some_and(here) {
            self.last = self.rows.iter().position(here).unwrap_or_else(|| {
                let (network, tier, up) = (link.network, link.tier, link.up);
                self.rows.push(LevelRecord { network, tier, up, ..LevelRecord::default() });
                self.rows.len() - 1
            });
        }
        let row = &mut self.rows[self.last];
        row.links += 1;
        row.payload_bytes += link.payload_bytes;
        row.wire_bytes += link.wire_bytes;
        row.packets += link.packets;
        row.busy_max_fs = row.busy_max_fs.max(link.busy_fs);
        row.busy_fs += u128::from(link.busy_fs);
        row.wait_fs += u128::from(link.wait_fs);
        row.stall_fs += u128::from(link.stall_fs);
        row.stall_max_fs = row.stall_max_fs.max(link.stall_fs);
        row.queue_max = row.queue_max.max(link.queue_max);
    }

    /// The rows in the order of network, tier and direction, up first; `each` gives how many a link of a network and tier
    /// stood for.
    pub(crate) fn finish(mut self, each: impl Fn(u32, u32) -> u64) -> Vec<LevelRecord> {
        for row in &mut self.rows {
            let multiplicity = each(row.network, row.tier);
            row.links *= multiplicity;
            row.payload_bytes *= multiplicity;
            row.wire_bytes *= multiplicity;
            row.packets *= multiplicity;
            row.busy_fs *= u128::from(multiplicity);
            row.wait_fs *= u128::from(multiplicity);
            row.stall_fs *= u128::from(multiplicity);
        }
        self.rows.sort_unstable_by_key(|row| (row.network, row.tier, !row.up));
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_a_level_make_one_row() {
        let link = LinkRecord {
            up: true,
            payload_bytes: 3,
            wire_bytes: 4,
            packets: 1,
            busy_fs: u64::MAX,
            wait_fs: 9,
            stall_fs: 7,
            queue_max: 2,
            ..LinkRecord::default()
        };
        let mut levels = Levels::default();
        for l in [
            LinkRecord { tier: 1, ..link },
            LinkRecord { up: false, ..link },
            link,
            LinkRecord { busy_fs: 1, queue_max: 5, ..link },
            LinkRecord { packets: 0, wire_bytes: 0, tier: 2, ..link },
        ] {
            levels.add(&l);
        }
        let rows = levels.finish(|_, tier| if tier == 0 { 10 } else { 1 });
        assert_eq!(rows.iter().map(|r| (r.tier, r.up)).collect::<Vec<_>>(), [(0, true), (0, false), (1, true)]);
        let expected = LevelRecord {
            up: true,
            links: 20,
            payload_bytes: 60,
            wire_bytes: 80,
            packets: 20,
            busy_max_fs: u64::MAX,
            busy_fs: 10 * (u128::from(u64::MAX) + 1),
            wait_fs: 180,
            stall_fs: 140,
            stall_max_fs: 7,
            queue_max: 5,
            ..LevelRecord::default()
        };
        assert_eq!(rows[0], expected);
    }
}
