//! Moves the state ahead by whole periods.
//!
//! **Invariant.** The state becomes what it would be if each of the periods were simulated: times move by all of them,
//! counters by as many times what they did in one.

use super::visit::{Course, Differs, Seen, Visit, open_from};
use crate::engine::layout::Class;
use crate::engine::packet::Packet;
use crate::engine::shard::PortStats;
use crate::record::{FlowRecord, OperationRecord};
use crate::symmetry::Folding;
use crate::units::Fs;
use crate::walk::LANE_BITS;

/// Moves the state ahead by `periods` times its difference from a saved one.
#[derive(Debug)]
pub(super) struct Jump<'a> {
    pub(super) now: Fs,
    pub(super) by: Fs,
    pub(super) periods: u64,
    pub(super) saved: &'a [u64],
    pub(super) at: usize,
    pub(super) folding: &'a Folding,
    /// Packet-hops skipped here, all that each link stands for.
    pub(super) hops: u64,
}

impl Jump<'_> {
    #[inline(always)]
    fn next(&mut self) -> Seen<u64> {
        let word = self.saved.get(self.at).copied().ok_or(Differs)?;
        self.at += 1;
        Ok(word)
    }

    /// Counters in two's complement: what was subtracted comes back by as many subtractions.
    #[inline(always)]
    fn ahead(&mut self, value: u64) -> Seen<u64> {
        let before = self.next()?;
        Ok(value.wrapping_add(self.periods.wrapping_mul(value.wrapping_sub(before))))
    }

    fn ahead32(&mut self, value: u32) -> Seen<u32> {
        Ok(self.ahead(u64::from(value))? as u32)
    }
}

impl Visit for Jump<'_> {
    fn now(&self) -> Fs {
        self.now
    }

    #[inline(always)]
    fn same(&mut self, _: u64) -> Seen {
        self.at += 1;
        Ok(())
    }

    #[inline(always)]
    fn time(&mut self, time: &mut Fs) -> Seen {
        *time = time.saturating_add(self.by);
        self.same(0)
    }

    #[inline(always)]
    fn due(&mut self, time: &mut Fs) -> Seen {
        // what has passed stays where it was: the table of flows shows when steps began
        if *time >= self.now {
            *time = time.saturating_add(self.by);
        }
        self.same(0)
    }

    fn shift(&mut self, time: &mut Fs) {
        *time = time.saturating_add(self.by);
    }

    #[inline(always)]
    fn sum(&mut self, sum: &mut u64) -> Seen {
        // sums that are too large for their word stay at its end, here as in a full run
        let more = sum.wrapping_sub(self.next()?);
        *sum = sum.saturating_add(self.periods.saturating_mul(more));
        Ok(())
    }

    fn moves(&mut self, time: &mut Fs) -> Seen {
        if self.next()? == time.wrapping_sub(self.now) {
            *time = time.saturating_add(self.by);
        }
        Ok(())
    }

    fn served(&mut self, time: &mut Fs) -> Seen {
        self.moves(time)
    }

    fn end(&mut self, end: &mut u32) -> Seen {
        *end = self.ahead32(*end)?;
        Ok(())
    }

    fn counts(&mut self, counts: &mut [u32]) -> Seen {
        for count in counts {
            *count = self.ahead32(*count)?;
        }
        Ok(())
    }

    fn began(&mut self, began: &mut Fs, computed: &mut Fs, _: Fs) -> Seen {
        self.moves(began)?;
        *computed = self.ahead(*computed)?;
        self.same(0)
    }

    fn done(&mut self, done: &mut [u32], _: &[bool]) -> Seen {
        self.counts(done)
    }

    fn record(&mut self, record: &mut OperationRecord) -> Seen {
        let before = OperationRecord {
            instances: self.next()?,
            time_fs: u128::from(self.next()?) | u128::from(self.next()?) << 64,
            exposed_fs: u128::from(self.next()?) | u128::from(self.next()?) << 64,
            ..OperationRecord::default()
        };
        if record.instances > before.instances {
            let periods = u128::from(self.periods);
            record.instances += self.periods * (record.instances - before.instances);
            record.time_fs += periods * (record.time_fs - before.time_fs);
            record.exposed_fs += periods * (record.exposed_fs - before.exposed_fs);
            record.end_fs = record.end_fs.saturating_add(self.by);
        }
        Ok(())
    }

    fn step(&mut self, _: u32, step: &mut u32) -> Seen {
        *step = self.ahead32(*step)?;
        Ok(())
    }

    fn tag(&mut self, tag: &mut u32) -> Seen {
        // the lane is the same in both, so it stays as it is
        *tag = self.ahead32(*tag)?;
        Ok(())
    }

    fn left(&mut self, left: &mut i64) -> Seen {
        *left = self.ahead(*left as u64)? as i64;
        Ok(())
    }

    fn progress(&mut self, progress: &mut i64) -> Seen {
        self.left(progress)
    }

    fn unsent(&mut self, left: &mut u32) -> Seen {
        *left = self.ahead32(*left)?;
        Ok(())
    }

    fn group(&mut self, group: &mut u32, _: &Course) -> Seen {
        *group = self.ahead32(*group)?;
        Ok(())
    }

    fn selector(&mut self, selector: &mut u32, _: u64, _: u32) -> Seen {
        *selector = self.ahead32(*selector)?;
        Ok(())
    }

    fn count(&mut self, count: &mut u32, _: u32) -> Seen {
        *count = self.ahead32(*count)?;
        Ok(())
    }

    fn sent(&mut self, packets: &mut u32, _: u32) -> Seen {
        *packets = self.ahead32(*packets)?;
        Ok(())
    }

    #[inline(always)]
    fn packet(&mut self, packet: &mut Packet, _: bool, _: u32) -> Seen {
        packet.time = packet.time.saturating_add(self.by);
        self.at += 1;
        let route = self.next()?;
        let selector = packet.selector().wrapping_sub((route >> 32) as u32);
        packet.route = packet.route.wrapping_add(u64::from(selector).wrapping_mul(self.periods) << 32);
        let message = self.next()?;
        debug_assert_eq!(message << (32 - LANE_BITS), packet.message << (32 - LANE_BITS));
        packet.message = packet.message.wrapping_add(packet.message.wrapping_sub(message).wrapping_mul(self.periods));
        self.at += 1;
        Ok(())
    }

    fn port(&mut self, stats: &mut PortStats, class: &Class) -> Seen<bool> {
        let before = stats.packets;
        let PortStats { payload, wire, packets, busy, stall, wait, .. } = stats;
        for sum in [packets, payload, wire, busy, stall, wait] {
            self.sum(sum)?;
        }
        self.hops += (stats.packets - before) * self.folding.link_multiplicity(class.network.into(), class.tier.into());
        Ok(false)
    }

    /// Rows of one message are added up when the tables are made, so what was skipped becomes a row of its own. Its end is
    /// that of a later packet: no message ends in a jump.
    fn flows(&mut self, rows: &mut Vec<FlowRecord>) -> Seen {
        let before = self.next()? as usize;
        let first = open_from(before);
        let mut more = vec![];
        for (i, row) in rows.iter().enumerate().skip(first) {
            let had = if i < before { self.next()? } else { 0 };
            let bytes = (row.bytes - had) * self.periods;
            if bytes > 0 {
                more.push(FlowRecord { bytes, end_fs: 0, ..*row });
            }
        }
        rows.extend(more);
        Ok(())
    }

    fn used(&mut self, _: u32, _: impl Fn() -> bool) {}
}
