//! What a shard says after each window, so that all look at the state at the pace of rank 0.
//!
//! **Invariant.** Only the shard of rank 0 says where it stands; it depends on the state of that rank alone, so it is the same
//! for any number of shards. **Cost.** A few words a shard and window.

use super::Skipper;
use super::meeting::{Lead, Meeting, Notice};
use crate::engine::shard::Shard;

impl Skipper<'_> {
    /// To be called after a window, before the barrier.
    pub(in crate::engine) fn report(&mut self, shard: &Shard, meeting: &Meeting, parity: usize) {
        let lead = self.leader.map_or_else(Lead::default, |leader| self.lead(shard, leader));
        meeting.report(parity, self.id, Notice { hops: shard.hops, spent: self.spent, words: self.words, lead });
    }

    /// Where rank 0 stands.
    fn lead(&mut self, shard: &Shard, (leader, base): (usize, u32)) -> Lead {
        let leader = &shard.endpoints[leader];
        let mut lead = Lead {
            step: leader.lanes.first().map_or(0, |l| u64::from(l.step)),
            begun: leader.begun,
            ..Lead::default()
        };
        if let Some(progress) = &leader.progress {
            // ends of operations are beats, too
            (lead.step, lead.begun) = (lead.step + progress.ends, lead.begun.max(progress.end));
        }
        // queues of a port lie one after the other, one per stream
        let ports = (base..).flat_map(|port| leader.programs.iter().map(move |_| port));
        let busy = leader.queues.iter().zip(ports).find_map(|(q, port)| Some((q.ready, port, q.shares.front()?)));
        let Some((left, port, share)) = busy else {
            return lead;
        };
        lead.left = left;
        let message = &leader.messages[share.message as usize];
        let stride = u64::from(self.moduli[usize::from(message.network)].stride);
        let rest = message.packets.saturating_sub(share.number);
        lead.long = u64::from(u64::from(rest) > 3 * stride * u64::from(message.spread.choices));
        let packets = shard.stats[port as usize].packets;
        let (before, when, of) = std::mem::replace(&mut self.paced, (packets, left, port));
        let (sent, took) = (packets.wrapping_sub(before), left.wrapping_sub(when));
        if of == port && sent > 0 && when > leader.begun && took.is_multiple_of(sent) {
            let time = (took / sent).saturating_mul(stride);
            lead.stride = time * (self.window / time.max(1)).max(1);
        }
        lead
    }
}

/// Where rank 0 sits, if it does here: its place among the endpoints, and its first port.
pub(super) fn leader(shard: &Shard) -> Option<(usize, u32)> {
    let leader = shard.endpoints.iter().position(|e| e.rank == 0)?;
    let lp = shard.endpoint_of.iter().position(|&seat| seat as usize == leader)?;
    Some((leader, shard.ports_of(lp as u32).0))
}
