//! A program as an algorithm of MSCCL.
//!
//! **Model.** A threadblock per channel and direction: its sends to one rank, or receives from one, with one tag. Operations without a message
//! have a threadblock each. What a step waits for beyond one other step are `nop` steps before it. The collective is `custom`: every message
//! is sent from the beginning of the input, and received at the beginning of the scratch buffer.
//!
//! **Invariant.** What is written was read again first. **Limits.** Messages of at least a byte; no times; no dependencies on beginnings.
//! Operations of one channel run one after the other, which a program need not ask for.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};

use supernode_core::collective::Schedule;
use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::{Act, Explicit};

/// Channels that MSCCL's runtime has.
const CHANNELS: u32 = 32;

/// A threadblock: whether it sends, with which rank, by which tag; or the number of an operation without a message.
type Block = (u32, Option<(bool, u32)>);

/// What is written, and what of the program is left out.
pub(crate) fn text(program: &Explicit) -> Result<(Vec<u8>, Vec<String>)> {
    let refuse = |rank: u32, number: u32, value: &str, expected: &str| {
        Err(Error::spec(format!("{}: msccl", program.name(rank, number)), value, expected))
    };
    let (mut chunk, mut largest, mut reduces, mut channels) = (0, 0, 0usize, 0);
    for rank in 0..program.ranks() {
        for (number, action) in (0u32..).zip(program.of(rank)) {
            if action.act.moves() && action.amount == 0 {
                return refuse(rank, number, "a message without bytes", "at least one byte");
            }
            if !action.act.moves() && action.amount > 0 {
                return refuse(rank, number, "a time", "messages, and computations that take none");
            }
            if program.dependents(rank, number).iter().any(|dependent| dependent.on_begin()) {
                return refuse(rank, number, "another one waits for its beginning", "dependencies on ends only");
            }
            if action.act.moves() {
                (chunk, largest) = (divisor(chunk, action.amount), action.amount.max(largest));
                channels = channels.max(program.tag(rank, number).saturating_add(1));
            }
            reduces += usize::from(action.act == Act::Reduce);
        }
    }
    let chunks = largest.checked_div(chunk).unwrap_or(1).max(1);
    let mut lost = vec![
        format!("sizes are left out: read it with size={}", chunks * chunk.max(1)),
        "operations of one channel run one after the other".to_string(),
    ];
    if reduces > 0 {
        lost.push(format!("{reduces} receives whose data is combined become receives that store"));
    }
    if channels > CHANNELS {
        lost.push(format!("MSCCL's runtime has {CHANNELS} channels, and tags are up to {}", channels - 1));
    }
    let mut out = vec![];
    write(program, (chunk, chunks, channels.max(1)), &mut out).map_err(|error| Error::Internal(error.to_string()))?;
    super::read(BufReader::new(&out[..]), Some(chunks * chunk.max(1)), &Control::default())?;
    Ok((out, lost))
}

/// The largest number that divides both; 0 is divided by all.
fn divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

fn write(program: &Explicit, (chunk, chunks, channels): (u64, u64, u32), out: &mut Vec<u8>) -> std::io::Result<()> {
    let ranks = program.ranks();
    writeln!(
        out,
        "<algo name=\"supernode\" proto=\"Simple\" nchannels=\"{channels}\" nchunksperloop=\"{chunks}\" ngpus=\"{ranks}\" \
         coll=\"custom\" inplace=\"0\">"
    )?;
    for rank in 0..ranks {
        writeln!(out, "  <gpu id=\"{rank}\" i_chunks=\"{chunks}\" o_chunks=\"0\" s_chunks=\"{chunks}\">")?;
        let mut before: Vec<(u32, u32)> = vec![];
        let mut blocks: BTreeMap<Block, Vec<u32>> = BTreeMap::new();
        for (number, action) in (0u32..).zip(program.of(rank)) {
            before.extend(program.dependents(rank, number).iter().map(|dependent| (dependent.action(), number)));
            let block = match action.act.moves() {
                true => (program.tag(rank, number), Some((action.act == Act::Send, action.peer))),
                false => (number, None),
            };
            blocks.entry(block).or_default().push(number);
        }
        before.sort_unstable();
        let waits = |number: u32| {
            let from = before.partition_point(|pair| pair.0 < number);
            before[from..].iter().take_while(move |pair| pair.0 == number).map(|pair| pair.1)
        };
        // where each operation stands: its threadblock, and its step behind the steps that wait for it
        let mut places: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (id, numbers) in blocks.values().enumerate() {
            let mut step = 0;
            for &number in numbers {
                step += waits(number).count().saturating_sub(1);
                places.insert(number, (id, step));
                step += 1;
            }
        }
        for (id, (block, numbers)) in blocks.iter().enumerate() {
            let (send, receive) = match block.1 {
                Some((true, peer)) => (i64::from(peer), -1),
                Some((false, peer)) => (-1, i64::from(peer)),
                None => (-1, -1),
            };
            let channel = if block.1.is_some() { block.0 } else { 0 };
            writeln!(out, "    <tb id=\"{id}\" send=\"{send}\" recv=\"{receive}\" chan=\"{channel}\">")?;
            let mut step = 0;
            for &number in numbers {
                let action = program.get(rank, number);
                let (kind, count) = match action.act {
                    Act::Send => ("s", action.amount / chunk),
                    Act::Receive | Act::Reduce => ("r", action.amount / chunk),
                    Act::Compute | Act::Delay => ("nop", 0),
                };
                let mut line = |kind: &str, count: u64, after: Option<(usize, usize)>| {
                    let (depid, deps) = after.map_or((-1, -1), |(id, step)| (id as i64, step as i64));
                    writeln!(
                        out,
                        "      <step s=\"{step}\" type=\"{kind}\" srcbuf=\"i\" srcoff=\"0\" dstbuf=\"s\" dstoff=\"0\" \
                         cnt=\"{count}\" depid=\"{depid}\" deps=\"{deps}\" hasdep=\"{}\"/>",
                        u32::from(!program.dependents(rank, number).is_empty())
                    )?;
                    step += 1;
                    std::io::Result::Ok(())
                };
                let all: Vec<(usize, usize)> = waits(number).map(|other| places[&other]).collect();
                for &other in all.iter().rev().skip(1).rev() {
                    line("nop", 0, Some(other))?;
                }
                line(kind, count, all.last().copied())?;
            }
            writeln!(out, "    </tb>")?;
        }
        writeln!(out, "  </gpu>")?;
    }
    writeln!(out, "</algo>")
}
