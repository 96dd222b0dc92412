//! The JSON of a plan of MSCCL++: gpus, their channels and remote buffers, and threadblocks of operations.
//!
//! **Model.** The fields that MSCCL++'s executor reads; others are passed over. What a threadblock refers to by its own numbers is found here:
//! a channel by the threadblock's list for its type, a remote buffer likewise.
//!
//! **Invariant.** Nothing is allocated that the text does not account for.

use std::collections::BTreeMap;

use serde::Deserialize;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::MAX_RANKS;

use crate::claim::Buffer;
use crate::input::shortened;

/// How another rank is reached: by stores and loads, by a proxy, or through the sums of switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reach {
    Memory,
    Port,
    Switch,
    None,
}

/// A buffer as plans write it.
#[derive(Clone, Copy, Debug, Deserialize)]
enum Kept {
    #[serde(rename = "i")]
    Input,
    #[serde(rename = "o")]
    Output,
    #[serde(rename = "s")]
    Scratch,
}

impl From<Kept> for Buffer {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Input => Buffer::Input,
            Kept::Output => Buffer::Output,
            Kept::Scratch => Buffer::Scratch,
        }
    }
}

/// Chunks of a buffer, or of a remote one.
#[derive(Debug, Deserialize)]
pub(super) struct Chunks {
    #[serde(rename = "type")]
    kept: Option<Kept>,
    buffer_id: Option<usize>,
    pub(super) index: u64,
    pub(super) size: u64,
}

/// The part of a group of threadblocks that one does.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Share {
    pub(super) tb_id: u64,
    pub(super) tbg_size: u64,
}

/// How often a pipeline is gone through: pieces of `unit_size` bytes of so many chunks.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Pieces {
    pub(super) unit_size: u64,
    pub(super) num_chunks: u64,
}

/// An operation of a threadblock.
#[derive(Debug, Deserialize)]
pub(super) struct Op {
    pub(super) name: String,
    #[serde(default)]
    pub(super) channel_ids: Vec<usize>,
    pub(super) channel_type: Option<Reach>,
    #[serde(default)]
    pub(super) src_buff: Vec<Chunks>,
    #[serde(default)]
    pub(super) dst_buff: Vec<Chunks>,
    pub(super) tbg_info: Option<Share>,
    pub(super) barrier_id: Option<u32>,
    pub(super) num_threadblocks: Option<usize>,
    #[serde(default)]
    pub(super) semaphore_ids: Vec<usize>,
    pub(super) iter_context: Option<Pieces>,
    #[serde(default)]
    pub(super) ops: Vec<Op>,
}

#[derive(Debug, Deserialize)]
struct Ids {
    channel_type: Reach,
    channel_ids: Vec<usize>,
}

#[derive(Debug, Deserialize)]
struct References {
    access_channel_type: Reach,
    remote_buffer_ids: Vec<usize>,
}

/// A threadblock.
#[derive(Debug, Deserialize)]
pub(super) struct Block {
    pub(super) id: u32,
    pub(super) ops: Vec<Op>,
    #[serde(default)]
    channels: Vec<Ids>,
    #[serde(default)]
    remote_buffer_refs: Vec<References>,
}

#[derive(Debug, Deserialize)]
struct Channel {
    channel_type: Reach,
    #[serde(default)]
    connected_to: Vec<u32>,
}

#[derive(Debug, Deserialize)]
struct Remote {
    rank: u32,
    #[serde(rename = "type")]
    kept: Kept,
}

#[derive(Debug, Deserialize)]
struct Semaphore {
    init_value: u64,
}

/// A rank.
#[derive(Debug, Deserialize)]
pub(super) struct Gpu {
    id: u32,
    pub(super) input_chunks: u32,
    pub(super) output_chunks: u32,
    pub(super) scratch_chunks: u32,
    pub(super) threadblocks: Vec<Block>,
    #[serde(default)]
    channels: Vec<Channel>,
    #[serde(default)]
    remote_buffers: Vec<Remote>,
    #[serde(default)]
    semaphores: Vec<Semaphore>,
}

fn alignment() -> u64 {
    16
}

fn largest() -> u64 {
    u64::MAX
}

/// A plan.
#[derive(Debug, Deserialize)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) collective: String,
    pub(super) inplace: bool,
    #[serde(default)]
    pub(super) reuse_resources: bool,
    #[serde(default = "alignment")]
    pub(super) buffer_alignment: u64,
    #[serde(default)]
    pub(super) min_message_size: u64,
    #[serde(default = "largest")]
    pub(super) max_message_size: u64,
    pub(super) gpus: Vec<Gpu>,
}

/// One end of a channel: a rank, how it is reached, and the number among the rank's channels of that type.
pub(super) type End = (u32, Reach, usize);

/// Where bytes are: a rank and its buffer, and the first chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) rank: u32,
    pub(super) buffer: Buffer,
}

impl Plan {
    /// Makes sure that ranks and threadblocks have their numbers.
    pub(super) fn fit(&self) -> Result<()> {
        let count = self.gpus.len();
        if !(1..=MAX_RANKS as usize).contains(&count) {
            return Err(Error::spec("gpus", count, format!("1 to {MAX_RANKS}")));
        }
        if !self.buffer_alignment.is_power_of_two() || self.buffer_alignment > 1 << 20 {
            return Err(Error::spec("buffer_alignment", self.buffer_alignment, "a power of two of at most 2^20"));
        }
        for (number, gpu) in (0u32..).zip(&self.gpus) {
            if gpu.id != number {
                return Err(Error::spec(format!("the {number}th gpu: id"), gpu.id, format!("{number}")));
            }
            if let Some(peer) = gpu
                .channels
                .iter()
                .flat_map(|channel| &channel.connected_to)
                .find(|&&peer| peer == number || peer as usize >= count)
            {
                let expected = format!("another gpu, 0 to {}", count - 1);
                return Err(Error::spec(format!("gpu {number}: connected_to"), peer, expected));
            }
            if let Some(remote) = gpu.remote_buffers.iter().find(|r| r.rank == number || r.rank as usize >= count) {
                let expected = format!("another gpu, 0 to {}", count - 1);
                return Err(Error::spec(format!("gpu {number}: remote_buffers: rank"), remote.rank, expected));
            }
            for (place, block) in (0u32..).zip(&gpu.threadblocks) {
                if block.id != place || place > u32::from(u16::MAX) {
                    let expected = format!("{place}, at most 65535");
                    return Err(Error::spec(format!("gpu {number}: threadblock id"), block.id, expected));
                }
            }
        }
        Ok(())
    }

    /// How many places, channels and semaphores operations refer to, in all.
    pub(super) fn words(&self) -> u64 {
        let of = |op: &Op| 1 + op.src_buff.len() + op.dst_buff.len() + op.channel_ids.len() + op.semaphore_ids.len();
        let blocks = self.gpus.iter().flat_map(|gpu| &gpu.threadblocks);
        blocks.flat_map(|block| &block.ops).flat_map(|op| [op].into_iter().chain(&op.ops)).map(|op| of(op) as u64).sum()
    }

    /// For each end of a channel the other one: the `n`-th channel of a type to a rank belongs to the `n`-th of that type from there.
    pub(super) fn ends(&self) -> BTreeMap<End, (u32, Option<usize>)> {
        let mut lists: BTreeMap<(u32, u32, Reach), Vec<usize>> = BTreeMap::new();
        let mut all = vec![];
        for (rank, gpu) in (0u32..).zip(&self.gpus) {
            let mut counts: BTreeMap<Reach, usize> = BTreeMap::new();
            for channel in &gpu.channels {
                for &peer in &channel.connected_to {
                    let number = counts.entry(channel.channel_type).or_default();
                    let list = lists.entry((rank, peer, channel.channel_type)).or_default();
                    all.push(((rank, channel.channel_type, *number), peer, list.len()));
                    list.push(*number);
                    *number += 1;
                }
            }
        }
        let other = |end: &End, peer: u32, nth: usize| lists.get(&(peer, end.0, end.1))?.get(nth).copied();
        all.into_iter().map(|(end, peer, nth)| (end, (peer, other(&end, peer, nth)))).collect()
    }
}

impl Gpu {
    /// The first value of a semaphore.
    pub(super) fn semaphore(&self, number: usize) -> Option<u64> {
        self.semaphores.get(number).map(|semaphore| semaphore.init_value)
    }

    /// The channel that a threadblock means by a number of its own.
    pub(super) fn channel(&self, block: &Block, reach: Reach, id: usize) -> Option<usize> {
        let lists = block.channels.iter().filter(|ids| ids.channel_type == reach);
        lists.flat_map(|ids| &ids.channel_ids).nth(id).copied()
    }

    /// The rank and buffer that an operation of a threadblock means.
    pub(super) fn place(&self, block: &Block, op: &Op, chunks: &Chunks, remote: bool) -> Option<Place> {
        if !remote {
            return Some(Place { rank: self.id, buffer: chunks.kept?.into() });
        }
        let reach = op.channel_type?;
        let lists = block.remote_buffer_refs.iter().filter(|refs| refs.access_channel_type == reach);
        let id = lists.flat_map(|refs| &refs.remote_buffer_ids).nth(chunks.buffer_id?)?;
        let remote = self.remote_buffers.get(*id)?;
        Some(Place { rank: remote.rank, buffer: remote.kept.into() })
    }
}

/// An operation in words.
pub(super) fn place(rank: u32, block: u32, op: usize, name: &str) -> String {
    format!("gpu {rank}, threadblock {block}, operation {op} ({})", shortened(name))
}
