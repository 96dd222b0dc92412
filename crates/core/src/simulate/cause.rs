//! What kept a run from being faster: the cause with the largest measured share of its time.
//!
//! **Model.** Each cause has a share of the run's time: *serialisation*, how long the busiest link of a level was sending;
//! *memory*, copy and reduce channels, how long they were busy at the busiest rank; *credit stalls*, how long the link of a level that
//! stalled longest stood idle with a packet ready and no credit; *software* and *propagation* along the chain of steps,
//! which are sums of the specification's constants. What none of these explains is *waiting*: in queues, if packets waited
//! longer than they travelled (then for the level at which they waited most, and for credits there, if that is what most of
//! its time went to). If packets did not wait, it is bytes along the chain of steps: each link sends for a short part of the run,
//! one after another. Ranks that wait for each other wait for one of the other causes, so that is no cause of its own. A link
//! that is busy nearly all the time is the cause whatever waits for it. Where the largest share is below a third, the label says
//! that there are several causes.
//!
//! **Invariant.** Everything but the steps' constants is measured, and the same folded, skipped and with any number of
//! threads. **Cost.** O(ranks + levels), and up to 60,000 messages of the analytic model. **Limits.** Shares are of different ranks
//! and may overlap; the exact chain of events is not followed, and the constants of many messages are those of the mean rank.
//! Fluids have no queues: what waits for a fair share of a link counts as contention for the busiest level.

use super::Plan;
use crate::analytic::{Chain, Scene, chain};
use crate::control::Control;
use crate::error::Result;
use crate::record::{LevelRecord, RankRecord, Record};
use crate::units::Fs;

/// A link busy for this share of the time is the cause.
const SATURATED: f64 = 0.8;
/// No cause below this share of the time stands for all.
const SINGLE: f64 = 1.0 / 3.0;

impl Plan {
    /// The cause with the largest share, with place and share.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub(super) fn bottleneck(&self, record: &Record, control: &Control) -> Result<String> {
        let all = record.finish_fs.max(1) as f64;
        let share = |time: Fs| time as f64 / all;
        let most = |of: fn(&RankRecord) -> Fs| record.ranks.iter().map(of).max().unwrap_or(0);
        // of equal ones the first: links before the rest, those next to the accelerators and upwards before others
        let mut found: Vec<(f64, String)> = vec![];
        for level in &record.levels {
            let busy = share(level.busy_max_fs);
            found.push((busy, format!("{}, {:.0} % busy", self.class(level), 100.0 * busy)));
        }
        for (busy, name) in [
            (most(|r| r.memory_busy_fs), "memory"),
            (most(|r| r.copy_busy_fs), "copy channels"),
            (most(|r| r.reduce_busy_fs), "reduce channels"),
        ] {
            found.push((share(busy), format!("{name}, {:.0} % busy", 100.0 * share(busy))));
        }
        let largest = |found: Vec<(f64, String)>| {
            found.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best }).unwrap_or_default()
        };
        let busy = largest(found);
        if busy.0 >= SATURATED {
            return Ok(busy.1);
        }
        let part = |share: f64, what: String| (share, format!("{what}, {:.0} % of the time", 100.0 * share.min(1.0)));
        let chain = self.chain(control)?;
        let of_mean = (self.prediction.software_fs, self.prediction.latency_fs);
        let (software, propagation) = chain.map_or(of_mean, |chain| (chain.software_fs, chain.latency_fs));
        let (software, propagation) = (share(software), share(propagation));
        let rest = 1.0 - busy.0 - software - propagation;
        let mut causes = vec![busy, part(software, "software".into()), part(propagation, "propagation latency".into())];
        for level in &record.levels {
            causes.push(part(share(level.stall_max_fs), format!("credit stalls at {}", self.class(level))));
        }
        let stalled = record.levels.iter().map(|level| share(level.stall_max_fs)).fold(0.0, f64::max);
        // what the chain takes beyond its constants and stalls is bytes, one link after another, unless packets wait in queues
        let bytes = chain.map(|chain| share(chain.bytes_fs).min(1.0 - software - propagation - stalled));
        match (self.waiting(record), bytes) {
            (Some(what), Some(bytes)) if self.flow => {
                causes.extend(self.sending(record).map(|what| part(bytes, what)));
                causes.push(part(1.0 - software - propagation - bytes, what));
            }
            (Some(what), _) => causes.push(part(rest, what)),
            (None, Some(bytes)) => causes.extend(self.sending(record).map(|what| part(bytes, what))),
            (None, None) => {}
        }
        let (share, cause) = largest(causes);
        Ok(match share < SINGLE {
            true => format!("several causes; largest: {cause}"),
            false => cause,
        })
    }

    /// What the longest chain of steps takes, where there are few messages.
    fn chain(&self, control: &Control) -> Result<Option<Chain>> {
        let scene = Scene {
            fabric: &self.fabric,
            schedule: &*self.schedule,
            placement: &self.placement,
            protocol: &self.protocol,
            root: self.effective.root,
            seed: self.effective.seed,
            control,
        };
        chain(scene, self.folding.group(), &self.prediction)
    }

    /// What sends longest in all: links of a level, or a memory.
    fn sending(&self, record: &Record) -> Option<String> {
        let level = record.levels.iter().rev().max_by_key(|level| level.busy_fs)?;
        let memory: u128 = record.ranks.iter().map(|r| u128::from(r.memory_busy_fs)).sum();
        let what = if memory > level.busy_fs { "memory".into() } else { self.class(level) };
        Some(format!("{what} in one step after another"))
    }

    /// What waits, where neither links nor constants explain the time.
    fn waiting(&self, record: &Record) -> Option<String> {
        if self.flow {
            let busiest = record.levels.iter().rev().max_by_key(|level| level.busy_max_fs);
            return busiest.map(|level| format!("contention for {}", self.class(level)));
        }
        let waited: u128 = record.levels.iter().map(|level| level.wait_fs).sum();
        let travelled: u128 = record.levels.iter().map(|level| level.busy_fs + self.propagation(level)).sum();
        match record.levels.iter().rev().max_by_key(|level| level.wait_fs) {
            Some(level) if waited >= travelled => {
                // a link that idles for lack of room about as long as it sends has its queue from there
                let what = match (level.stall_fs > level.busy_fs, 3 * level.stall_fs > level.busy_fs) {
                    (true, _) => "credit stalls",
                    (_, true) => "queueing and credit stalls",
                    _ => "queueing",
                };
                Some(format!("{what} at {}", self.class(level)))
            }
            _ => None,
        }
    }

    /// Propagation of all packets of a level.
    fn propagation(&self, level: &LevelRecord) -> u128 {
        let link = self.fabric.networks[level.network as usize].link(level.tier as usize);
        u128::from(level.packets) * u128::from(link.latency_fs)
    }

    /// Name of a level's links.
    fn class(&self, level: &LevelRecord) -> String {
        let net = &self.fabric.networks[level.network as usize];
        if !net.is_tree() {
            return format!("{} {} links", net.spec.name, net.level(level.tier as usize));
        }
        format!("{} tier {} {} links", net.spec.name, level.tier + 1, if level.up { "up" } else { "down" })
    }
}
