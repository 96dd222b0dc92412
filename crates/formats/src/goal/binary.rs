//! GOAL as LogGOPSim's simulator takes it: packed records, little endian.
//!
//! **Model.** A word of magic; ranks and the largest `cpu` and `nic`; for each rank where its part begins and ends, from behind the magic.
//! A part: how many operations and how many of them wait for nothing, the numbers of the latter, a record of 39 bytes per operation, and
//! the numbers of dependents, to which the records refer.
//!
//! **Invariant.** Nothing is allocated that the bytes do not account for. **Limits.** `cpu` and `nic` up to 255; no labels.

use std::io::Write;

use supernode_core::collective::Schedule;
use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::{Act, Action, Draft, Explicit};

use super::{MAGIC, NANOSECOND, WILDCARD, nanoseconds};

/// Bytes of a record.
const RECORD: usize = 39;
/// Bytes of the magic, from behind which offsets count.
const FRONT: usize = 8;
const SEND: u8 = 1;
const RECV: u8 = 2;
const CALC: u8 = 3;

/// Bytes that are read from the front.
struct Bytes<'a> {
    rest: &'a [u8],
    /// What they are, for errors.
    place: String,
}

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((front, rest)) = self.rest.split_at_checked(count) else {
            let expected = format!("{count} bytes more");
            return Err(Error::spec(
                &self.place,
                format!("cut off {} bytes before its end", self.rest.len()),
                expected,
            ));
        };
        self.rest = rest;
        Ok(front)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn wrong(&self, what: &str, value: impl ToString, expected: impl Into<String>) -> Error {
        Error::spec(format!("{}: {what}", self.place), value, expected)
    }
}

/// Reads a program.
///
/// # Errors
/// [`Error::Spec`] that names rank and operation, and those of [`Draft`].
pub fn read(data: &[u8], control: &Control) -> Result<Explicit> {
    let mut head = Bytes { rest: data, place: "head of the file".into() };
    let magic = head.u64()?;
    if magic != MAGIC {
        return Err(head.wrong("magic", magic, format!("{MAGIC}: a compiled GOAL schedule begins with it")));
    }
    let ranks = head.u32()?;
    head.take(2)?;
    let mut index = Bytes { rest: head.take(ranks as usize * 16)?, place: "index of ranks".into() };
    let mut draft = Draft::new(ranks.into())?;
    let body = &data[FRONT..];
    for rank in 0..ranks {
        control.check()?;
        let (start, end) = (index.u64()? as usize, index.u64()? as usize);
        let place = format!("rank {rank}");
        let Some(part) = body.get(start..end) else {
            let value = format!("bytes {start} to {end}");
            return Err(Error::spec(place, value, format!("a part of the {} bytes behind the magic", body.len())));
        };
        draft.rank(rank.into())?;
        rank_of(Bytes { rest: part, place }, &mut draft)?;
    }
    draft.compile(control)
}

/// Reads the part of a rank.
fn rank_of(mut part: Bytes, draft: &mut Draft) -> Result<()> {
    let (nodes, roots) = (part.u32()? as usize, part.u32()? as usize);
    part.take(roots.saturating_mul(4))?; // which these are follows from the dependencies
    let mut records = Bytes { rest: part.take(nodes.saturating_mul(RECORD))?, place: part.place.clone() };
    let edges = part.rest;
    let (mut left, mut indegrees) = (edges.len() / 4, vec![0u32; nodes]);
    // (number, first dependent, how many, on its beginning), when all operations are known
    let mut lists: Vec<(u32, usize, usize, bool)> = vec![];
    for number in 0..nodes as u32 {
        records.place = format!("{}, operation {number}", part.place);
        indegrees[number as usize] = records.u32()?;
        let (kind, peer, size, tag) = (records.u8()?, records.u32()?, records.u64()?, records.u32()?);
        let (cpu, nic) = (records.u8()?, records.u8()?);
        for on_begin in [false, true] {
            let (count, first) = (records.u32()? as usize, records.u32()? as usize);
            if first.saturating_add(count) > edges.len() / 4 || count > left {
                let value = format!("{count} from the {first}th on");
                let expected = format!("as many as there are for all operations of the rank: {}", edges.len() / 4);
                return Err(records.wrong("dependents", value, expected));
            }
            left -= count;
            if count > 0 {
                lists.push((number, first, count, on_begin));
            }
        }
        let act = match kind {
            SEND => Act::Send,
            RECV => Act::Receive,
            CALC => Act::Compute,
            other => return Err(records.wrong("type", other, "1 (send), 2 (recv) or 3 (calc)")),
        };
        if act == Act::Receive && (peer == u32::MAX || tag == u32::MAX) {
            return Err(records.wrong("rank or tag", -1, WILDCARD));
        }
        let amount = if act.moves() { size } else { size.saturating_mul(NANOSECOND) };
        draft.push(Action { act, amount, peer, stream: cpu.into(), nic, ..Action::default() }, tag, "")?;
    }
    for (number, first, count, on_begin) in lists {
        for edge in edges[4 * first..4 * (first + count)].chunks_exact(4) {
            let after = u32::from_le_bytes([edge[0], edge[1], edge[2], edge[3]]);
            draft.after(after.into(), number.into(), on_begin)?;
            indegrees[after as usize] = indegrees[after as usize].wrapping_sub(1);
        }
    }
    if let Some(number) = indegrees.iter().position(|&left| left != 0) {
        let value = format!("{} too many", indegrees[number] as i32);
        part.place = format!("{}, operation {number}", part.place);
        return Err(part.wrong("number of dependencies", value, "as many as operations name it for a dependent"));
    }
    Ok(())
}

/// Makes sure that the format can hold a program. Gives what it cannot hold.
pub(crate) fn fit(program: &Explicit) -> Result<Vec<String>> {
    let most = u16::from(u8::MAX);
    for rank in 0..program.ranks() {
        if let Some(at) = program.of(rank).iter().position(|action| action.stream > most) {
            let field = format!("{}: stream", program.name(rank, at as u32));
            return Err(Error::spec(field, program.of(rank)[at].stream, format!("at most {most} in compiled GOAL")));
        }
    }
    let mut lost = super::lost(program);
    if program.labelled() {
        lost.push("labels are left out".into());
    }
    Ok(lost)
}

/// Writes a program for which [`fit`] was asked.
///
/// # Errors
/// Those of the output.
pub fn write(program: &Explicit, out: &mut impl Write) -> std::io::Result<()> {
    let ranks = program.ranks();
    let actions = || (0..ranks).flat_map(|rank| program.of(rank));
    let cpu = actions().map(|action| action.stream).max().unwrap_or(0) as u8;
    let nic = actions().map(|action| action.nic).max().unwrap_or(0);
    out.write_all(&MAGIC.to_le_bytes())?;
    out.write_all(&ranks.to_le_bytes())?;
    out.write_all(&[cpu, nic])?;
    let mut at = 6 + 16 * u64::from(ranks);
    for rank in 0..ranks {
        let part = Part::new(program, rank);
        out.write_all(&at.to_le_bytes())?;
        at += part.bytes();
        out.write_all(&at.to_le_bytes())?;
    }
    (0..ranks).try_for_each(|rank| Part::new(program, rank).write(out))
}

/// The part of a rank.
struct Part<'a> {
    program: &'a Explicit,
    rank: u32,
    indegrees: Vec<u32>,
    edges: u64,
}

impl<'a> Part<'a> {
    fn new(program: &'a Explicit, rank: u32) -> Self {
        let (mut indegrees, mut edges) = (vec![0; program.of(rank).len()], 0);
        for number in 0..indegrees.len() as u32 {
            let dependents = program.dependents(rank, number);
            edges += dependents.len() as u64;
            dependents.iter().for_each(|d| indegrees[d.action() as usize] += 1);
        }
        Self { program, rank, indegrees, edges }
    }

    fn roots(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.indegrees).filter(|(_, degree)| **degree == 0).map(|(number, _)| number)
    }

    fn bytes(&self) -> u64 {
        8 + 4 * self.roots().count() as u64 + RECORD as u64 * self.indegrees.len() as u64 + 4 * self.edges
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { program, rank, .. } = *self;
        let mut word = |value: u32| out.write_all(&value.to_le_bytes());
        word(self.indegrees.len() as u32)?;
        word(self.roots().count() as u32)?;
        self.roots().try_for_each(&mut word)?;
        let mut next = 0u32;
        for (number, action) in (0u32..).zip(program.of(rank)) {
            let kind = match action.act {
                Act::Send => SEND,
                Act::Receive | Act::Reduce => RECV,
                Act::Compute | Act::Delay => CALC,
            };
            let size = if action.act.moves() { action.amount } else { nanoseconds(action.amount) };
            let count = |on_begin: bool| {
                program.dependents(rank, number).iter().filter(|d| d.on_begin() == on_begin).count() as u32
            };
            out.write_all(&self.indegrees[number as usize].to_le_bytes())?;
            out.write_all(&[kind])?;
            out.write_all(&action.peer.to_le_bytes())?;
            out.write_all(&size.to_le_bytes())?;
            out.write_all(&program.tag(rank, number).to_le_bytes())?;
            out.write_all(&[action.stream as u8, action.nic])?;
            for count in [count(false), count(true)] {
                out.write_all(&count.to_le_bytes())?;
                out.write_all(&next.to_le_bytes())?;
                next += count;
            }
        }
        for number in 0..self.indegrees.len() as u32 {
            for on_begin in [false, true] {
                for dependent in program.dependents(rank, number).iter().filter(|d| d.on_begin() == on_begin) {
                    out.write_all(&dependent.action().to_le_bytes())?;
                }
            }
        }
        Ok(())
    }
}
