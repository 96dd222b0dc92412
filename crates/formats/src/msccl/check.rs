//! Whether an algorithm does what it claims to: it is executed on sets of contributions instead of bytes.
//!
//! **Model.** A chunk is a set of contributions: the chunk `c` of the input of rank `r` begins as `{(r, c)}`. Copies copy sets, reductions join
//! them. A threadblock executes its steps as soon as what they wait for is there. At the end each chunk of each output is held against what
//! the collective asks for.
//!
//! **Invariant.** An error names rank and chunk, and the first contribution that is missing, or is there and should not be.
//! **Cost.** As many words as contributions of all chunks, at most [`MOST`]. **Limits.** One order of execution is looked at: two
//! threadblocks that use a chunk without a dependency between them may do so in another order, which is not found.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use supernode_core::control::Control;
use supernode_core::error::{Error, Result};

use super::{Algorithm, Block, Gpu, MOST_SLOTS, Step, place};
use crate::claim::{Buffer, Claim, Goal};

/// Most contributions that sets have in all.
const MOST: u64 = 1 << 27;
/// Steps between two looks at whether checking was stopped.
const POLL: u64 = 1 << 10;

/// Contributions, in order: rank and chunk. `None`: nothing was written.
type Value = Option<Rc<Vec<(u32, u32)>>>;

/// Executes an algorithm and looks at its outputs.
pub(super) fn check(algorithm: &Algorithm, control: &Control) -> Result<()> {
    let goal = Goal::of(&algorithm.collective);
    let mut run = Run::new(algorithm, goal)?;
    run.execute(control)?;
    match goal {
        Some(goal) => run.outputs(goal),
        None => Ok(()),
    }
}

struct Run<'a> {
    algorithm: &'a Algorithm,
    claim: Claim,
    /// By rank and buffer; in-place outputs are a part of the input, or the other way round.
    memory: Vec<[Vec<Value>; 3]>,
    /// Messages under way by source, destination and channel.
    channels: BTreeMap<(u32, u32, u32), VecDeque<Vec<Value>>>,
    /// Steps that are done, by rank and threadblock.
    done: Vec<Vec<u32>>,
    /// Threadblocks that may go on, as places of rank and threadblock.
    ready: VecDeque<(usize, usize)>,
    /// Those that wait for a step, by rank, threadblock and step, and for a message, by source, destination and channel.
    followers: BTreeMap<(u32, u32, u32), Vec<usize>>,
    receivers: BTreeMap<(u32, u32, u32), (usize, usize)>,
    contributions: u64,
}

impl<'a> Run<'a> {
    fn new(algorithm: &'a Algorithm, goal: Option<Goal>) -> Result<Self> {
        let memory = algorithm.gpus.iter().map(|gpu| gpu.chunks.map(|chunks| vec![None; chunks as usize]));
        let done = algorithm.gpus.iter().map(|gpu| vec![0; gpu.blocks.len()]).collect();
        let claim = Claim { goal, in_place: algorithm.in_place, ranks: algorithm.gpus.len() as u32 };
        let mut run = Self {
            algorithm,
            claim,
            memory: memory.collect(),
            channels: BTreeMap::new(),
            done,
            ready: VecDeque::new(),
            followers: BTreeMap::new(),
            receivers: BTreeMap::new(),
            contributions: 0,
        };
        let ranks = algorithm.gpus.len() as u32;
        let mut slots = 0;
        for gpu in &algorithm.gpus {
            let (input, output) = run.sizes(gpu);
            let expected = goal.map_or(output.into(), |goal| goal.output(input.into(), ranks.into()));
            if expected != u64::from(output) || (goal == Some(Goal::AllToAll) && !input.is_multiple_of(ranks)) {
                return Err(run.wrong(format!(
                    "rank {} has {input} chunks to begin with and {output} in the end; the collective gives {expected}",
                    gpu.id
                )));
            }
            slots += u64::from(input) + u64::from(output);
            if slots > 2 * MOST_SLOTS {
                let (value, limit) = (slots.to_string(), (2 * MOST_SLOTS).to_string());
                return Err(Error::Overflow { what: "chunks of inputs and outputs".into(), value, limit });
            }
            for chunk in 0..input {
                *run.at(gpu, Buffer::Input, chunk) = Some(Rc::new(vec![(gpu.id, chunk)]));
            }
        }
        Ok(run)
    }

    /// Chunks of the input and of the output of a rank.
    fn sizes(&self, gpu: &Gpu) -> (u32, u32) {
        let given = (gpu.chunks(Buffer::Input).into(), gpu.chunks(Buffer::Output).into());
        let (input, output) = self.claim.sizes(given);
        (input as u32, u32::try_from(output).unwrap_or(u32::MAX))
    }

    /// A chunk of a rank.
    fn at(&mut self, gpu: &Gpu, buffer: Buffer, chunk: u32) -> &mut Value {
        let (input, output) = self.sizes(gpu);
        let (buffer, chunk) = self.claim.kept(gpu.id, (input.into(), output.into()), buffer, chunk.into());
        let slots = &mut self.memory[gpu.id as usize][buffer as usize];
        // in place, a buffer may be larger than the file has it
        if slots.len() <= chunk as usize {
            slots.resize(chunk as usize + 1, None);
        }
        &mut slots[chunk as usize]
    }

    fn execute(&mut self, control: &Control) -> Result<()> {
        let algorithm = self.algorithm;
        let blocks = |(g, gpu): (usize, &Gpu)| (0..gpu.blocks.len()).map(move |b| (g, b));
        self.ready = algorithm.gpus.iter().enumerate().flat_map(blocks).collect();
        let mut steps = 0u64;
        while let Some((g, b)) = self.ready.pop_front() {
            let gpu = &algorithm.gpus[g];
            let block = &gpu.blocks[b];
            while let Some(step) = block.steps.get(self.done[g][b] as usize) {
                steps += 1;
                if steps.is_multiple_of(POLL) {
                    control.check()?;
                }
                if !self.step(gpu, b, step)? {
                    break;
                }
                let number = self.done[g][b];
                self.done[g][b] += 1;
                let woken = self.followers.remove(&(gpu.id, block.id, number)).unwrap_or_default();
                self.ready.extend(woken.into_iter().map(|b| (g, b)));
            }
        }
        for (gpu, done) in algorithm.gpus.iter().zip(&self.done) {
            for (block, &number) in gpu.blocks.iter().zip(done) {
                if let Some(step) = block.steps.get(number as usize) {
                    let at = place(gpu, block, number, step.line);
                    let what = "waits for ever: for a message, or for the step that it depends on";
                    return Err(self.wrong(format!("{at} {what}")));
                }
            }
        }
        Ok(())
    }

    /// Executes a step if it can be.
    fn step(&mut self, gpu: &Gpu, b: usize, step: &Step) -> Result<bool> {
        let block = &gpu.blocks[b];
        let number = self.done[gpu.id as usize][b];
        if let Some((id, other)) = step.after
            && self.done[gpu.id as usize][gpu.blocks.partition_point(|block| block.id < id)] <= other
        {
            self.followers.entry((gpu.id, id, other)).or_default().push(b);
            return Ok(false);
        }
        let mut values = match (step.kind.receives, block.receive) {
            (true, Some(from)) => {
                match self.channels.get_mut(&(from, gpu.id, block.channel)).and_then(VecDeque::pop_front) {
                    Some(values) if values.len() == step.count as usize => values,
                    Some(values) => {
                        let at = place(gpu, block, number, step.line);
                        return Err(self.wrong(format!(
                            "{at} receives {} chunks, and {} come",
                            step.count,
                            values.len()
                        )));
                    }
                    None => {
                        self.receivers.insert((from, gpu.id, block.channel), (gpu.id as usize, b));
                        return Ok(false);
                    }
                }
            }
            _ => self.read(gpu, block, step, step.source)?,
        };
        if step.kind.reduces {
            // what is received is combined with the source; a local reduction combines the source into the target
            let with = if step.kind.receives { step.source } else { step.target };
            let others = self.read(gpu, block, step, with)?;
            for (i, (value, other)) in values.iter_mut().zip(others).enumerate() {
                *value = self.joined(gpu, block, step, with.1 + i as u32, value, &other)?;
            }
        }
        if step.kind.stores {
            for (chunk, value) in (step.target.1..).zip(&values) {
                *self.at(gpu, step.target.0, chunk) = value.clone();
            }
        }
        if let (true, Some(to)) = (step.kind.sends, block.send) {
            let channel = (gpu.id, to, block.channel);
            self.channels.entry(channel).or_default().push_back(values);
            self.ready.extend(self.receivers.remove(&channel));
        }
        Ok(true)
    }

    /// The chunks that a step reads, none of which may be without a value.
    fn read(&mut self, gpu: &Gpu, block: &Block, step: &Step, (buffer, first): (Buffer, u32)) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(step.count.min(1024) as usize);
        for chunk in (first..).take(step.count as usize) {
            let value = self.at(gpu, buffer, chunk).clone();
            if value.is_none() {
                let number = self.done[gpu.id as usize][gpu.blocks.partition_point(|other| other.id < block.id)];
                let at = place(gpu, block, number, step.line);
                return Err(self.wrong(format!("{at} reads chunk {chunk} of {buffer:?}, to which nothing was written")));
            }
            values.push(value);
        }
        Ok(values)
    }

    fn joined(
        &mut self,
        gpu: &Gpu,
        block: &Block,
        step: &Step,
        chunk: u32,
        one: &Value,
        other: &Value,
    ) -> Result<Value> {
        let (Some(one), Some(other)) = (one, other) else { return Ok(None) };
        let mut all = Vec::with_capacity(one.len() + other.len());
        all.extend_from_slice(one);
        all.extend_from_slice(other);
        all.sort_unstable();
        if let Some(twice) = all.windows(2).find(|pair| pair[0] == pair[1]) {
            let number = self.done[gpu.id as usize][gpu.blocks.partition_point(|other| other.id < block.id)];
            let (rank, from) = twice[0];
            let at = place(gpu, block, number, step.line);
            return Err(self.wrong(format!("{at} adds chunk {from} of rank {rank} to chunk {chunk} a second time")));
        }
        self.contributions += all.len() as u64;
        if self.contributions > MOST {
            let (value, limit) = (self.contributions.to_string(), MOST.to_string());
            return Err(Error::Overflow {
                what: "contributions that checking the algorithm would list".into(),
                value,
                limit,
            });
        }
        Ok(Some(Rc::new(all)))
    }

    /// Holds every chunk of every output against what it has to be.
    fn outputs(&mut self, goal: Goal) -> Result<()> {
        let algorithm = self.algorithm;
        let ranks = algorithm.gpus.len() as u32;
        for gpu in &algorithm.gpus {
            let (input, output) = self.sizes(gpu);
            for chunk in 0..output {
                let (wanted, _) = goal.wanted((gpu.id, ranks), input.into(), output.into(), chunk.into());
                let wanted: Vec<(u32, u32)> = wanted.into_iter().map(|(rank, from)| (rank, from as u32)).collect();
                let found = self.at(gpu, Buffer::Output, chunk).clone().unwrap_or_default();
                if *found == wanted {
                    continue;
                }
                let missing = wanted.iter().find(|one| !found.contains(one));
                let stray = found.iter().find(|one| !wanted.contains(one));
                let what = match (missing, stray) {
                    (Some((rank, from)), _) => format!("lacks chunk {from} of rank {rank}"),
                    (None, Some((rank, from))) => {
                        format!("has chunk {from} of rank {rank}, which does not belong there")
                    }
                    (None, None) => continue,
                };
                return Err(self.wrong(format!("chunk {chunk} of the output of rank {} {what}", gpu.id)));
            }
        }
        Ok(())
    }

    fn wrong(&self, problem: String) -> Error {
        let Algorithm { name, collective, .. } = self.algorithm;
        Error::Schedule { schedule: format!("{name:?} ({collective})"), problem }
    }
}
