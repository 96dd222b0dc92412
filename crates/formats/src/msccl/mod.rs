//! MSCCL: algorithms as XML, of threadblocks that send, receive and combine chunks.
//!
//! **Model.** A step that moves chunks becomes a send or a receive, or a receive and then a send (`rcs`, `rrs`, `rrcs`). A step begins when
//! the one before it in its threadblock and the one that it names (`depid`, `deps`) are done. A channel between two ranks keeps its order, so
//! the channel is the tag. Chunks are `size / nchunksperloop` bytes.
//!
//! **Invariant.** What the file claims to be (`coll`) is checked by executing it on sets of contributions ([`check`]); an error names the
//! rank and the chunk that is wrong.
//!
//! **Limits.** Local steps (`nop`, `cpy`, `re`) take no time. A message is moved as a whole: slices of a chunk are not pipelined. `coll` of
//! other names than allreduce, allgather, reduce_scatter and alltoall, `custom` among them, is executed and its result is not checked.

mod check;
pub(crate) mod write;
mod xml;

use std::io::BufRead;

use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::{Act, Action, Draft, Explicit};

use crate::claim::Buffer;

/// Most chunks of a buffer, and of all buffers of all ranks.
const MOST_CHUNKS: u64 = 1 << 16;
const MOST_SLOTS: u64 = 1 << 24;

/// What a step does with what it receives, sends or has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    name: &'static str,
    receives: bool,
    /// Combines what it receives, or what it copies, with what is there.
    reduces: bool,
    /// Keeps what it received or combined.
    stores: bool,
    sends: bool,
}

const fn kind(name: &'static str, [receives, reduces, stores, sends]: [bool; 4]) -> Kind {
    Kind { name, receives, reduces, stores, sends }
}

/// All kinds of steps: receives, reduces, stores, sends.
const KINDS: [Kind; 9] = [
    kind("nop", [false, false, false, false]),
    kind("s", [false, false, false, true]),
    kind("r", [true, false, true, false]),
    kind("rcs", [true, false, true, true]),
    kind("rrs", [true, true, false, true]),
    kind("rrc", [true, true, true, false]),
    kind("rrcs", [true, true, true, true]),
    kind("cpy", [false, false, true, false]),
    kind("re", [false, true, true, false]),
];

/// A step of a threadblock.
#[derive(Clone, Debug)]
struct Step {
    line: u32,
    kind: Kind,
    source: (Buffer, u32),
    target: (Buffer, u32),
    count: u32,
    /// Threadblock and step that have to be done.
    after: Option<(u32, u32)>,
}

/// A threadblock: with whom it exchanges on which channel, and its steps.
#[derive(Clone, Debug)]
struct Block {
    id: u32,
    send: Option<u32>,
    receive: Option<u32>,
    channel: u32,
    steps: Vec<Step>,
}

/// A rank: its chunks by buffer, and its threadblocks by number.
#[derive(Clone, Debug)]
struct Gpu {
    id: u32,
    chunks: [u32; 3],
    blocks: Vec<Block>,
}

impl Gpu {
    fn chunks(&self, buffer: Buffer) -> u32 {
        self.chunks[buffer as usize]
    }

    fn block(&self, id: u32) -> Option<&Block> {
        self.blocks.binary_search_by_key(&id, |block| block.id).ok().map(|at| &self.blocks[at])
    }
}

/// An algorithm.
#[derive(Clone, Debug)]
struct Algorithm {
    name: String,
    collective: String,
    chunks: u32,
    in_place: bool,
    gpus: Vec<Gpu>,
}

/// Reads a program; `size` is that of the message that the algorithm is for.
///
/// # Errors
/// [`Error::Spec`] that names line, rank, threadblock and step; [`Error::Schedule`] if it does not do what it claims to; those of
/// [`Draft`].
pub fn read(input: impl BufRead, size: Option<u64>, control: &Control) -> Result<Explicit> {
    let algorithm = xml::read(input, control)?;
    algorithm.fit()?;
    check::check(&algorithm, control)?;
    let Some(size) = size else {
        return Err(Error::spec("size", "none", "the bytes of the message: MSCCL's algorithms are for any, say size="));
    };
    let chunks = u64::from(algorithm.chunks);
    if !size.is_multiple_of(chunks) || size == 0 {
        return Err(Error::spec("size", size, format!("a multiple of the {chunks} chunks of the algorithm")));
    }
    algorithm.compile(size / chunks, control)
}

impl Algorithm {
    /// Makes sure that every step refers to what there is.
    fn fit(&self) -> Result<()> {
        let ranks = self.gpus.len() as u32;
        let mut slots = 0;
        for gpu in &self.gpus {
            let mut channels: Vec<(bool, u32, u32)> = vec![];
            for chunks in gpu.chunks.map(u64::from) {
                slots += chunks;
                if chunks > MOST_CHUNKS || slots > MOST_SLOTS {
                    let limit = format!("{MOST_CHUNKS} of a buffer, {MOST_SLOTS} of all");
                    return Err(Error::Overflow {
                        what: format!("gpu {}: chunks", gpu.id),
                        value: chunks.to_string(),
                        limit,
                    });
                }
            }
            for block in &gpu.blocks {
                for (sends, peer) in [(true, block.send), (false, block.receive)] {
                    let Some(peer) = peer else { continue };
                    if peer >= ranks || peer == gpu.id {
                        let field = format!("gpu {}, tb {}: {}", gpu.id, block.id, if sends { "send" } else { "recv" });
                        return Err(Error::spec(field, peer, format!("another gpu, 0 to {}, or -1", ranks - 1)));
                    }
                    channels.push((sends, peer, block.channel));
                }
                for (number, step) in (0u32..).zip(&block.steps) {
                    self.fit_step(gpu, block, number, step)?;
                }
            }
            channels.sort_unstable();
            if let Some(twice) = channels.windows(2).find(|pair| pair[0] == pair[1]) {
                let (sends, peer, channel) = twice[0];
                let field =
                    format!("gpu {}: channel {channel} {} gpu {peer}", gpu.id, if sends { "to" } else { "from" });
                return Err(Error::spec(field, "two threadblocks", "one, because a channel keeps its order"));
            }
        }
        Ok(())
    }

    fn fit_step(&self, gpu: &Gpu, block: &Block, number: u32, step: &Step) -> Result<()> {
        let wrong = |what: &str, value: String, expected: &str| {
            Err(Error::spec(format!("{}: {what}", place(gpu, block, number, step.line)), value, expected))
        };
        let name = step.kind.name;
        if step.kind.sends && block.send.is_none() {
            return wrong("type", name.into(), "a type that does not send: the threadblock has send -1");
        }
        if step.kind.receives && block.receive.is_none() {
            return wrong("type", name.into(), "a type that does not receive: the threadblock has recv -1");
        }
        let reads = (step.kind.sends && !step.kind.receives) || step.kind.reduces || name == "cpy";
        for (used, (buffer, from)) in [(reads, step.source), (step.kind.stores, step.target)] {
            let (chunks, end) = (gpu.chunks(buffer), u64::from(from) + u64::from(step.count));
            if used && (step.count == 0 || end > chunks.into()) {
                let value = format!("chunks {from} to before {end}");
                return wrong("chunks", value, &format!("at least one, of the {chunks} of its {buffer:?} buffer"));
            }
        }
        if let Some((id, other)) = step.after {
            let there = gpu.block(id).is_some_and(|block| (other as usize) < block.steps.len());
            if !there {
                return wrong("depid, deps", format!("{id}, {other}"), "a threadblock of this gpu and a step of it");
            }
        }
        Ok(())
    }

    /// The program for chunks of so many bytes.
    fn compile(&self, chunk: u64, control: &Control) -> Result<Explicit> {
        let mut draft = Draft::new(self.gpus.len() as u64)?;
        for gpu in &self.gpus {
            control.check()?;
            draft.rank(gpu.id.into())?;
            // first and last action of each step, by threadblock
            let mut ends: Vec<Vec<(u32, u32)>> = vec![];
            for block in &gpu.blocks {
                let stream = u16::try_from(block.id).map_err(|_| draft.wrong("tb id", block.id, "at most 65535"))?;
                let mut of_block = vec![];
                for (number, step) in block.steps.iter().enumerate() {
                    draft.line(step.line);
                    let label = format!("tb{}.{number}", block.id);
                    let mut push = |act: Act, peer: Option<u32>| {
                        let amount = if act.moves() { u64::from(step.count) * chunk } else { 0 };
                        let action = Action { act, amount, peer: peer.unwrap_or(0), stream, ..Action::default() };
                        draft.push(action, block.channel, &label)
                    };
                    let received = match (step.kind.receives, step.kind.reduces) {
                        (true, true) => Some(push(Act::Reduce, block.receive)?),
                        (true, false) => Some(push(Act::Receive, block.receive)?),
                        _ => None,
                    };
                    let sent = if step.kind.sends { Some(push(Act::Send, block.send)?) } else { None };
                    let last = match sent.or(received) {
                        Some(last) => last,
                        None => push(Act::Compute, None)?,
                    };
                    if let (Some(received), Some(sent)) = (received, sent) {
                        draft.after(sent.into(), received.into(), false)?;
                    }
                    of_block.push((received.unwrap_or(last), last));
                }
                for pair in of_block.windows(2) {
                    draft.after(pair[1].0.into(), pair[0].1.into(), false)?;
                }
                ends.push(of_block);
            }
            for (block, of_block) in gpu.blocks.iter().zip(&ends) {
                for (step, (first, _)) in block.steps.iter().zip(of_block) {
                    let Some((id, other)) = step.after else { continue };
                    let at = gpu.blocks.partition_point(|block| block.id < id);
                    draft.line(step.line);
                    draft.after((*first).into(), ends[at][other as usize].1.into(), false)?;
                }
            }
        }
        draft.compile(control)
    }
}

/// A step in words.
fn place(gpu: &Gpu, block: &Block, step: u32, line: u32) -> String {
    format!("line {line}: gpu {}, tb {}, step {step}", gpu.id, block.id)
}
