//! In-network operations: contributions go up to the switches, sums and copies come down from them.
//!
//! **Model.** What goes up is a flow of its own on the sender's links: a rank that is early sends ahead, and the switches
//! keep it, as in the packet engine. What comes down to a rank leaves the switches one after the other, oldest first: a sum
//! from when its last contribution has begun, a copy of a multicast from when that has begun. Either ends no earlier than
//! what it is made of. So a sum goes at the rate of its slowest contribution, and a multicast occupies its sender's links
//! once and the links to every receiver.
//!
//! **Invariant.** As many bytes come down to a rank as in a packet run. **Cost.** O(log sums) a contribution, one flow for
//! each receiver of a multicast. **Limits.** One tier of switches; they keep sums and copies without limit.

use std::collections::VecDeque;

use super::injection::{Message, MessageKind, Place};
use super::run::{Event, Run};
use super::tables::Carried;
use super::timing::timing;
use crate::units::{Fs, NEVER};
use crate::walk;

/// What waits in the switches for the links to a rank.
#[derive(Debug, Default)]
pub(super) struct Downlink {
    waiting: VecDeque<u32>,
    busy: bool,
}

impl Run<'_> {
    /// The sum that a contribution belongs to; it begins with the first one.
    pub(super) fn sum_of(&mut self, contribution: &Message, root: u32) -> u32 {
        let key = (root, contribution.lane, contribution.step);
        if let Some(&sum) = self.sums.get(&key) {
            return sum;
        }
        let ranks = self.job.schedule.circle(root, key.2).size();
        let reduce = walk::reduces(self.job.schedule, root, key.1, key.2);
        let kind = MessageKind::Sum { to_begin: ranks, to_send: ranks };
        let sum = self.keep(Message { kind, rank: root, reduce, ..contribution.clone() });
        self.sums.insert(key, sum);
        sum
    }

    /// A contribution has begun to leave; the last one lets the sum out of the switches.
    pub(super) fn contribution_begins(&mut self, id: u32) {
        let MessageKind::Contribution { sum } = self.messages[id as usize].kind else {
            return;
        };
        let (rank, start) = (self.messages[id as usize].rank, self.messages[id as usize].start);
        let message = &mut self.messages[sum as usize];
        if rank == message.rank {
            message.start = start;
        }
        let root = message.rank;
        if let MessageKind::Sum { to_begin, .. } = &mut message.kind {
            *to_begin -= 1;
            if *to_begin == 0 {
                self.come_down(sum, root);
            }
        }
    }

    /// A contribution has left completely.
    pub(super) fn contribution_sent(&mut self, sum: u32, latency: Fs) {
        let message = &mut self.messages[sum as usize];
        message.latency = message.latency.max(latency);
        let MessageKind::Sum { to_send, .. } = &mut message.kind else {
            return;
        };
        *to_send -= 1;
        if *to_send == 0 {
            message.sent = true;
            self.sums.remove(&(message.rank, message.lane, message.step));
            self.ahead_arrive(sum);
        }
    }

    /// A multicast has begun to leave: its copies wait for the links to all ranks.
    pub(super) fn multicast_begins(&mut self, id: u32) {
        let (owner, step) = (self.messages[id as usize].rank, self.messages[id as usize].step);
        let circle = self.job.schedule.circle(owner, step);
        circle.members().for_each(|member| self.come_down(id, member));
    }

    /// A multicast has left completely.
    pub(super) fn multicast_sent(&mut self, id: u32) {
        self.ahead_arrive(id);
    }

    /// Those whose links were through before the sources get it now.
    fn ahead_arrive(&mut self, id: u32) {
        let latency = self.messages[id as usize].latency;
        for rank in std::mem::take(&mut self.messages[id as usize].ahead) {
            self.at(self.now.saturating_add(latency), Event::Arrival { message: id, rank });
        }
    }

    /// A message waits for the links from the switches to a rank.
    fn come_down(&mut self, id: u32, rank: u32) {
        if self.downlinks.is_empty() {
            self.downlinks.resize_with(self.job.schedule.ranks() as usize, Downlink::default);
        }
        self.downlinks[rank as usize].waiting.push_back(id);
        self.next_down(rank);
    }

    /// Lets the next message down to a rank.
    fn next_down(&mut self, rank: u32) {
        let downlink = &mut self.downlinks[rank as usize];
        if !downlink.busy
            && let Some(id) = downlink.waiting.pop_front()
        {
            downlink.busy = true;
            let Message { bytes, network, reduce, operation, .. } = self.messages[id as usize];
            let there = self.job.placement[rank as usize];
            let stages = self.resources.up_to_switches(self.job, network, there).stages;
            let t = timing(self.job, operation, network, &stages, bytes, reduce);
            let mut uses = vec![];
            let hops = self.resources.down_from_switches(self.job, network, there);
            self.occupy(&hops, Carried::new(bytes, t.wire, t.packets), &mut uses);
            self.store(rank, bytes, reduce, t.wire, &mut uses);
            self.flow(id, Place::Downlink(rank), &mut uses, &t, NEVER);
        }
    }

    /// The links to a rank are through with a message; it has arrived when its sources are, too.
    pub(super) fn downlink_through(&mut self, id: u32, rank: u32) {
        self.downlinks[rank as usize].busy = false;
        let message = &mut self.messages[id as usize];
        if message.sent {
            let time = self.now.saturating_add(message.latency);
            self.at(time, Event::Arrival { message: id, rank });
        } else {
            message.ahead.push(rank);
        }
        self.next_down(rank);
    }
}
