//! Operations of a program in the order in which a plan's execution finds them, rank by rank.
//!
//! **Invariant.** What an operation waits for has a smaller number on the same rank. **Cost.** About a hundred bytes per operation until the
//! program is made.

use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::{Act, Action, Draft, Explicit};

/// An operation that has to be done before another one, or to have begun.
pub(super) type Wait = (u32, bool);

/// Which operation of a plan another one comes from: gpu, threadblock, operation.
pub(super) type Origin = (u32, u32, u32);

struct Item {
    act: Act,
    amount: u64,
    peer: u32,
    tag: u32,
    origin: Origin,
    waits: Vec<Wait>,
}

/// See the module.
pub(super) struct Items {
    each: Vec<Vec<Item>>,
    count: u64,
    most: u64,
    messages: u32,
}

impl Items {
    /// None yet, of at most so many.
    pub(super) fn new(ranks: usize, most: u64) -> Self {
        Self { each: std::iter::repeat_with(Vec::new).take(ranks).collect(), count: 0, most, messages: 0 }
    }

    fn push(&mut self, rank: u32, item: Item) -> Result<u32> {
        self.count += 1;
        if self.count > self.most {
            let (value, limit) = (format!("more than {}", self.most), self.most.to_string());
            return Err(Error::Overflow { what: "operations of the plan".into(), value, limit });
        }
        let all = &mut self.each[rank as usize];
        all.push(item);
        Ok(all.len() as u32 - 1)
    }

    /// An operation that takes no time.
    pub(super) fn join(&mut self, rank: u32, origin: Origin, waits: Vec<Wait>) -> Result<u32> {
        self.push(rank, Item { act: Act::Compute, amount: 0, peer: 0, tag: 0, origin, waits })
    }

    /// A message: its send, which waits, and its receive, which does not.
    pub(super) fn message(
        &mut self,
        (from, to): (u32, u32),
        (bytes, act): (u64, Act),
        origin: Origin,
        waits: Vec<Wait>,
    ) -> Result<(u32, u32)> {
        let tag = self.messages;
        self.messages += 1;
        let sent = self.push(from, Item { act: Act::Send, amount: bytes, peer: to, tag, origin, waits })?;
        let received = self.push(to, Item { act, amount: bytes, peer: from, tag, origin, waits: vec![] })?;
        Ok((sent, received))
    }

    /// The program. Operations that a threadblock of their own rank does are of its stream, others of stream 0.
    pub(super) fn compile(self, control: &Control) -> Result<Explicit> {
        let mut draft = Draft::new(self.each.len() as u64)?;
        for (rank, items) in (0u32..).zip(self.each) {
            control.check()?;
            draft.rank(rank.into())?;
            for item in &items {
                let (gpu, block, op) = item.origin;
                let (label, stream) = match gpu == rank {
                    true => (format!("tb{block}.{op}"), block as u16),
                    false => (format!("gpu{gpu}.tb{block}.{op}"), 0),
                };
                let Item { act, amount, peer, tag, .. } = *item;
                draft.push(Action { act, amount, peer, stream, ..Action::default() }, tag, &label)?;
            }
            for (number, item) in (0u64..).zip(&items) {
                for &(before, on_begin) in &item.waits {
                    draft.after(number, before.into(), on_begin)?;
                }
            }
        }
        draft.compile(control)
    }
}
