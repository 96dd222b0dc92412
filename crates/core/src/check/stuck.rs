//! What is left when nothing moves any more, in words.
//!
//! **Model.** A rank that has not come to its end waits for messages. Its sender is found by looking through what others have yet to
//! send. **Invariant.** Nothing is left over after a schedule that is right. **Cost.** At most [`SEARCH`] messages per rank that is named.
//! **Limits.** The first [`NAMED`] ranks are named.

use super::outcome::Found;
use super::run::{Run, receiver};
use crate::collective::Target;
use crate::walk;

/// Most messages that are looked through to tell who should have sent one.
const SEARCH: u32 = 1 << 20;
/// Ranks that are named before it says how many more there are.
const NAMED: usize = 4;

impl Run<'_> {
    /// Everyone is done and nothing is left over; otherwise, who waits for what.
    pub(super) fn finished(&self) -> Found {
        let stuck: Vec<u32> = (0..self.schedule.ranks()).filter(|&r| self.lanes[r as usize].open()).collect();
        if !stuck.is_empty() {
            let mut told: Vec<String> = stuck.iter().take(NAMED).map(|&rank| self.waiting(rank)).collect();
            if stuck.len() > told.len() {
                told.push(format!("{} more", stuck.len() - told.len()));
            }
            return Err(format!("ranks wait for ever: {}", told.join("; ")));
        }
        match self.sums.iter().next() {
            Some(((root, step), sum)) => Err(format!(
                "the reduction to {} step {step} lane {} has {} contributions of {}",
                receiver(*root),
                self.lane,
                sum.from.len(),
                self.lanes.len()
            )),
            None => Ok(()),
        }
    }

    fn waiting(&self, rank: u32) -> String {
        let step = self.lanes[rank as usize].step;
        let expected = walk::awaits(self.schedule, rank, self.lane, step).messages;
        let got = self.inbox[rank as usize].get(&step).map_or(0, |load| load.messages);
        let from = match self.sender(rank, step) {
            Some(from) => format!("the next from rank {from} in step {}", self.lanes[from as usize].step),
            None => "nobody will send more".into(),
        };
        format!("{} has {got} of {expected} messages, {from}", self.place(rank, step))
    }

    /// A rank that has yet to send to this step.
    fn sender(&self, rank: u32, step: u32) -> Option<u32> {
        let mut left = SEARCH;
        for from in 0..self.schedule.ranks() {
            // all of the step that it is in has left: a rank is stuck by what it receives
            let lane = &self.lanes[from as usize];
            for later in lane.step + 1..lane.steps {
                for i in 0..self.schedule.sends(from, self.lane, later) {
                    let message = self.schedule.send(from, self.lane, later, i);
                    let to_rank = match message.to {
                        Target::Rank(to) | Target::SwitchReduce { root: to } => to == rank,
                        Target::SwitchMulticast | Target::SwitchAllReduce => {
                            let circle = self.schedule.circle(from, message.recv_step);
                            circle.members().any(|member| member == rank)
                        }
                    };
                    if to_rank && message.recv_step == step {
                        return Some(from);
                    }
                    left = left.checked_sub(1)?;
                }
            }
        }
        None
    }
}
