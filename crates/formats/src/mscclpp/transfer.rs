//! Operations that move data: what they read, what they sum up, and where they write.
//!
//! **Model.** Data of other ranks is asked for and comes back; packets are waited for; then sums are written here and to other ranks. An
//! operation that shares its bytes with a group of threadblocks, or is part of a pipeline, moves its part only.
//!
//! **Invariant.** An operation that has to wait for packets has changed nothing.

use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::Act;

use super::bytes::{Piece, cut};
use super::items::Wait;
use super::kinds::Kind;
use super::plan::{Chunks, Op, Reach};
use super::run::{Part, Run};
use crate::claim::Buffer;

/// A range of bytes of a buffer of a rank.
#[derive(Clone, Copy, Debug)]
struct Range {
    rank: u32,
    buffer: Buffer,
    from: u64,
    bytes: u64,
}

impl<'a> Run<'a> {
    /// Does an operation that moves data; false if it has to wait for packets.
    pub(super) fn transfer(&mut self, (rank, tb): (u32, usize), op: &'a Op, kind: &Kind, piece: Part) -> Result<bool> {
        let range = |run: &Self, (number, chunks): (usize, &Chunks), first: usize| {
            run.range((rank, tb), op, chunks, number >= first, piece)
        };
        let sources = op.src_buff.iter().enumerate();
        let sources = sources.map(|each| range(self, each, kind.remote_sources)).collect::<Result<Vec<_>>>()?;
        let targets = op.dst_buff.iter().enumerate();
        let targets = targets.map(|each| range(self, each, kind.remote)).collect::<Result<Vec<_>>>()?;
        self.fit(rank, tb, op, kind, &sources, &targets)?;
        // packets first: if they are not there, nothing has happened
        let mut awaited: Vec<Wait> = vec![];
        let mut values: Vec<Vec<Piece>> = vec![];
        for (number, source) in sources.iter().enumerate() {
            if number < kind.awaited {
                values.push(vec![]);
                continue;
            }
            let Ok(found) = self.packets[rank as usize].read(source.from, source.bytes) else {
                self.stop_for_packets(rank, tb);
                return Ok(false);
            };
            awaited.extend(found.iter().map(|piece| (piece.made, false)));
            values.push(found);
        }
        let before = self.threads[rank as usize][tb].last.clone();
        let origin = self.origin(rank, tb);
        let mut got: Vec<Wait> = vec![];
        for (number, source) in sources.iter().enumerate().take(kind.awaited.min(sources.len())) {
            values[number] = self.read((source.rank, source.buffer), source.from, source.bytes).map_err(|hole| {
                let (place, at) = (self.place(rank, tb, op), hole / self.chunk);
                let Range { rank, buffer, .. } = source;
                self.wrong(format!(
                    "{place} reads chunk {at} of {buffer:?} of rank {rank}, to which nothing was written"
                ))
            })?;
            if number >= kind.remote_sources && source.bytes > 0 {
                let asked = self.items.message((rank, source.rank), (0, Act::Receive), origin, before.clone())?.1;
                let act = if kind.pairs { Act::Receive } else { Act::Reduce };
                let data = (source.bytes, act);
                got.push((self.items.message((source.rank, rank), data, origin, vec![(asked, false)])?.1, false));
            }
        }
        // what the writes wait for
        let mut ready = if got.is_empty() { before } else { got.clone() };
        if !awaited.is_empty() || (got.is_empty() && kind.remote > 0) {
            awaited.sort_unstable();
            awaited.dedup();
            ready.extend(awaited);
            ready = vec![(self.items.join(rank, origin, ready)?, false)];
        }
        if !kind.pairs {
            let sum = self.sum((rank, tb), op, values)?;
            values = vec![sum; targets.len()];
        }
        let mut last = vec![];
        for (number, (target, pieces)) in targets.iter().zip(values).enumerate() {
            if target.bytes == 0 {
                continue;
            }
            let packets = number >= kind.packets;
            // a write to this rank follows what was made ready; another one follows its message
            let mut made = ready.first().map_or(0, |wait| wait.0);
            if number >= kind.remote {
                let (wait, received) = self.put((rank, tb), op, target, ready.clone(), number - kind.remote)?;
                last.push(wait);
                made = received;
                if !packets {
                    let pending = &mut self.threads[rank as usize][tb].pending;
                    pending.entry(target.rank).or_default().push(received);
                }
            }
            let pieces = pieces.into_iter().map(|piece| Piece { made, ..piece }).collect();
            self.store((rank, tb), op, target, packets, pieces)?;
        }
        self.threads[rank as usize][tb].last = if last.is_empty() { ready } else { last };
        if kind.signals {
            let before = self.threads[rank as usize][tb].last.clone();
            let mut last = vec![];
            for &id in &op.channel_ids {
                let end = self.end(rank, tb, op, id)?;
                last.push(self.signal((rank, tb), end, op, before.clone())?);
            }
            self.threads[rank as usize][tb].last = last;
        }
        if kind.flushes {
            self.flush(rank, tb, op)?;
        }
        Ok(true)
    }

    /// Sends to another rank; gives what the threadblock goes on after, and the receive.
    fn put(
        &mut self,
        (rank, tb): (u32, usize),
        op: &Op,
        target: &Range,
        mut waits: Vec<Wait>,
        number: usize,
    ) -> Result<(Wait, u32)> {
        let port = op.channel_type == Some(Reach::Port);
        let end = match (port, op.channel_ids.get(number)) {
            (true, Some(&id)) => Some(self.end(rank, tb, op, id)?),
            (true, None) => {
                let field = format!("{}: channel_ids", self.place(rank, tb, op));
                return Err(Error::spec(field, op.channel_ids.len(), "a channel for each destination over a port"));
            }
            _ => None,
        };
        waits.extend(end.and_then(|end| self.ports.get(&end)).map(|&last| (last, false)));
        let origin = self.origin(rank, tb);
        let (sent, received) = self.items.message((rank, target.rank), (target.bytes, Act::Receive), origin, waits)?;
        if let Some(end) = end {
            self.ports.insert(end, sent);
        }
        Ok(((sent, port), received))
    }

    /// Writes to a buffer of any rank, as data or as packets.
    fn store(
        &mut self,
        (rank, tb): (u32, usize),
        op: &Op,
        to: &Range,
        packets: bool,
        pieces: Vec<Piece>,
    ) -> Result<()> {
        if !packets {
            self.write((to.rank, to.buffer), to.from, pieces);
            return Ok(());
        }
        let there = &mut self.packets[to.rank as usize];
        if there.any(to.from, to.bytes) {
            let value = format!("packets in chunk {} of rank {}, a second time", to.from / self.chunk, to.rank);
            let expected = "each place once: which of two its reader takes would depend on the run";
            return Err(Error::spec(self.place(rank, tb, op), value, expected));
        }
        there.write(to.from, pieces);
        self.wake_for_packets(to.rank);
        Ok(())
    }

    /// The sum of all sources.
    fn sum(&mut self, (rank, tb): (u32, usize), op: &Op, values: Vec<Vec<Piece>>) -> Result<Vec<Piece>> {
        let mut values = values.into_iter();
        let mut sum = values.next().unwrap_or_default();
        for other in values {
            let mut all = vec![];
            for (one, other) in cut(sum, other) {
                let value = one.value.sum(&other.value).map_err(|(from, at)| {
                    let (place, chunk) = (self.place(rank, tb, op), at / self.chunk);
                    self.wrong(format!("{place} adds chunk {chunk} of rank {from} a second time"))
                })?;
                self.count(value.len())?;
                all.push(Piece { value, ..one });
            }
            sum = all;
        }
        Ok(sum)
    }

    /// The bytes that an operation means by chunks.
    fn range(&self, (rank, tb): (u32, usize), op: &Op, chunks: &Chunks, remote: bool, piece: Part) -> Result<Range> {
        let gpu = &self.plan.gpus[rank as usize];
        let Some(place) = gpu.place(&gpu.threadblocks[tb], op, chunks, remote) else {
            let expected = if remote { "buffer_id of a remote buffer of the threadblock" } else { "type i, o or s" };
            return Err(Error::spec(format!("{}: buffer", self.place(rank, tb, op)), "none", expected));
        };
        let (input, output) = self.sizes(place.rank);
        let there = match place.buffer {
            Buffer::Input => input,
            Buffer::Output => output,
            Buffer::Scratch => u64::from(self.plan.gpus[place.rank as usize].scratch_chunks) * self.chunk,
        };
        let end = chunks.index.checked_add(chunks.size).and_then(|end| end.checked_mul(self.chunk));
        if chunks.size == 0 || end.is_none_or(|end| end > there) {
            let value = format!("chunks {} to before {}", chunks.index, chunks.index.saturating_add(chunks.size));
            let expected = format!(
                "at least one, of the {} of the {:?} buffer of rank {}",
                there / self.chunk,
                place.buffer,
                place.rank
            );
            return Err(Error::spec(format!("{}: buffer", self.place(rank, tb, op)), value, expected));
        }
        let (mut from, mut bytes) = (chunks.index * self.chunk, chunks.size * self.chunk);
        if let Some(share) = op.tbg_info {
            if share.tb_id >= share.tbg_size {
                let value = format!("{} of {}", share.tb_id, share.tbg_size);
                return Err(Error::spec(
                    format!("{}: tbg_info", self.place(rank, tb, op)),
                    value,
                    "a threadblock of the group",
                ));
            }
            // whole units of alignment, of which the first threadblocks get one more
            let units = bytes / self.plan.buffer_alignment;
            let begin = |number: u64| {
                let more = number.min(units % share.tbg_size);
                (number * (units / share.tbg_size) + more) * self.plan.buffer_alignment
            };
            (from, bytes) = (from + begin(share.tb_id), begin(share.tb_id + 1) - begin(share.tb_id));
        }
        if let Some((behind, most)) = piece {
            (from, bytes) = (from + behind.min(bytes), bytes.saturating_sub(behind).min(most));
        }
        Ok(Range { rank: place.rank, buffer: place.buffer, from, bytes })
    }

    /// Makes sure that what an operation reads and writes goes together.
    fn fit(&self, rank: u32, tb: usize, op: &Op, kind: &Kind, sources: &[Range], targets: &[Range]) -> Result<()> {
        let wrong = |what: &str, value: String, expected: &str| {
            Err(Error::spec(format!("{}: {what}", self.place(rank, tb, op)), value, expected))
        };
        if sources.is_empty() || targets.is_empty() || (kind.pairs && sources.len() != targets.len()) {
            let value = format!("{} sources and {} destinations", sources.len(), targets.len());
            return wrong("buffers", value, "at least one of each, and as many for an operation that only moves");
        }
        let bytes = |ranges: &[Range]| ranges.iter().map(|range| range.bytes).collect::<Vec<_>>();
        let alike = match kind.pairs {
            true => bytes(sources) == bytes(targets),
            false => bytes(sources).into_iter().chain(bytes(targets)).all(|bytes| bytes == sources[0].bytes),
        };
        if !alike {
            let value = format!("{:?} and {:?} bytes", bytes(sources), bytes(targets));
            return wrong("buffers", value, "as many bytes from each source as to its destination");
        }
        let packets = sources.iter().skip(kind.awaited).chain(targets.iter().skip(kind.packets));
        match packets.into_iter().find(|range| range.buffer != Buffer::Scratch) {
            Some(range) => wrong("packets", format!("in {:?}", range.buffer), "in scratch"),
            None => Ok(()),
        }
    }
}
