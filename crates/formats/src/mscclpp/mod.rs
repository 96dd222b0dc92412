//! MSCCL++: execution plans as JSON, of threadblocks that write to and read from the memory of other ranks.
//!
//! **Model.** A plan is executed once on contributions instead of bytes, and what it does becomes a program. A write to another rank is a
//! message. A read from one is a message without bytes there and one with the data back. A signal is a message without bytes; what waits for it
//! also waits for what its threadblock wrote to that rank before. Packets carry their own flags: what reads them waits for
//! them. Operations over ports run beside their threadblock, in the order of their channel, until a flush. Local operations take no time.
//!
//! **Invariant.** Output that is not what the collective of the plan asks for is an error that names rank and chunk. **Cost.** See [`items`];
//! pieces of buffers grow with the operations, not with bytes.
//!
//! A program has at most eight operations for each place, channel or semaphore that the plan names, and half a million more for pipelines.
//!
//! **Limits.** Operations of switches (`glre`, `glres`, `gstore`, `gstorepkt`) are refused. So is what depends on who comes first: a channel or semaphore
//! that several threadblocks signal or wait for, and packets that are written twice. Races are not found: one order of execution is looked at. What is written
//! by one rank and signalled by another is taken to be there. Packets count the bytes of their data: flags are the protocol's.

mod bytes;
mod items;
mod kinds;
mod plan;
mod run;
mod sync;
mod transfer;

use std::io::BufRead;

use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::Explicit;

use plan::Plan;
use run::Run;

/// Scratch that MSCCL++ sets aside where plans share it.
const SHARED_SCRATCH: u64 = 1 << 26;

/// Characters of a parser's error.
const QUOTED: usize = 200;

/// Reads a program; `size` is that of the message that the plan is for.
///
/// # Errors
/// [`Error::Spec`] that names gpu, threadblock and operation; [`Error::Schedule`] if the plan does not do what it claims to; those of
/// the draft of a program.
pub fn read(input: impl BufRead, size: Option<u64>, control: &Control) -> Result<Explicit> {
    let plan: Plan = serde_json::from_reader(input).map_err(|error| {
        let field = format!("line {}, column {}", error.line(), error.column());
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        // the parser quotes whole words of the file
        let what: String = what.chars().take(QUOTED).collect();
        Error::spec(field, what, "a plan of MSCCL++: JSON with name, collective and gpus")
    })?;
    plan.fit()?;
    let chunk = chunk(&plan, size)?;
    Run::new(&plan, chunk)?.program(control)
}

/// Bytes of a chunk for a message of this size.
fn chunk(plan: &Plan, size: Option<u64>) -> Result<u64> {
    let chunks = plan.gpus.iter().map(|gpu| gpu.input_chunks.max(gpu.output_chunks)).max().unwrap_or(0);
    if chunks == 0 {
        return Err(Error::spec("input_chunks, output_chunks", 0, "at least one chunk of an input or output"));
    }
    let Some(size) = size else {
        return Err(Error::spec("size", "none", "the bytes of the message: MSCCL++'s plans are for any, say size="));
    };
    let unit = u64::from(chunks) * plan.buffer_alignment;
    if size == 0 || !size.is_multiple_of(unit) {
        let expected =
            format!("a multiple of {unit}: {chunks} chunks that begin at multiples of {} bytes", plan.buffer_alignment);
        return Err(Error::spec("size", size, expected));
    }
    let (low, high) = (plan.min_message_size, plan.max_message_size);
    if !(low..=high).contains(&size) {
        return Err(Error::spec("size", size, format!("{low} to {high} bytes, which the plan is for")));
    }
    if size > 1 << 50 {
        return Err(Error::spec("size", size, "at most 2^50"));
    }
    let chunk = size / u64::from(chunks);
    let scratch = plan.gpus.iter().map(|gpu| gpu.scratch_chunks).max().unwrap_or(0);
    if plan.reuse_resources && u64::from(scratch).saturating_mul(chunk) > SHARED_SCRATCH {
        let expected =
            format!("at most {SHARED_SCRATCH} bytes of scratch: beyond them a plan that reuses resources folds it");
        return Err(Error::spec("size", size, expected));
    }
    Ok(chunk)
}
