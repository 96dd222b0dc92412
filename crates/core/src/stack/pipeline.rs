//! Loops of a kernel that cuts a message up, and what filling and emptying its pipeline costs.
//!
//! **Model.** A kernel of C channels takes a message in loops of C x H x c bytes: H heads, the ranks that own a part, and c bytes per
//! channel and head, by the library's ladder of sizes ([`chunk`]). A loop passes through stages, one after the other: copied into
//! the buffers that switches reach, reduced and multicast, copied out. Each stage takes a fixed time o and the time t of a loop's bytes at
//! the rate of the wire. Stages of different loops overlap, so L loops take (L + extra)(o + t), where `extra` is the number of stages
//! beside the one on the wire. The packets of the run take L t of that; this file gives the rest, L o + extra (o + t).
//!
//! Below one loop the first head, and then the first channel, get their whole chunks before others get any. A channel moves its
//! share of the rate of kernels and no more, so a message that fills one channel takes as long for a stage as C channels take for a
//! whole loop, if those do not slow each other down: `lone` says how data expands then.
//!
//! With trees between units ([`Algorithm::InNetworkTree`]) heads are those of a unit. The stages between units are in the packets of
//! the run, and loops wait for them and not for each other's fixed time: so L loops take L t and `extra` stages (o + t). The thread that
//! hands messages to the NIC takes `message` for each that it sends and receives, two per channel and loop, and the loops wait.
//!
//! **Invariant.** At exactly one loop both forms are equal. The result is never below `launch`.
//!
//! **Cost.** A few multiplications per offer. **Limits.** All of it is counted before the first packet, as a longer launch: so the sum
//! is right, while the gaps between loops, in which another operation could use the links, are at the start. It holds where all ranks
//! are in one copy of the innermost network, or fill several by trees; elsewhere the launch has the fixed parts only. With more ranks
//! than heads the packets still come from all.
//!
//! **Source.** NVIDIA/nccl v2.30.7 @5067397, src/enqueue.cc:2258-2275 (ladder), src/device/all_reduce.h:390-455 (stages),
//! src/graph/search.cc:1127 (heads).

use std::borrow::Cow;

use super::channels::wire_time;
use super::{Task, units};
use crate::collective::{Algorithm, Collective, unit};
use crate::spec::{PipelineSpec, ProtocolSpec};
use crate::units::{BitRate, Fs};

/// Bytes per channel, head and loop of a message of `bytes` on `heads` ranks.
///
/// The ladder is gone down once: each rung is compared with the chunk that those before it left.
fn chunk(pipeline: &PipelineSpec, bytes: u64, heads: u64) -> u64 {
    pipeline.shrink.iter().fold(pipeline.chunk, |chunk, rung| {
        let enough = u128::from(rung.below) * u128::from(heads) * u128::from(chunk) * u128::from(pipeline.channels);
        if u128::from(bytes) < enough { chunk.min(rung.chunk) } else { chunk }
    })
}

/// A part `of` / `whole` of a time, rounded down.
fn part(time: Fs, of: u64, whole: u64) -> Fs {
    u64::try_from(u128::from(time) * u128::from(of) / u128::from(whole.max(1))).unwrap_or(Fs::MAX)
}

/// What a message of `bytes` costs beyond its bytes on the wire; `wire` gives their time there, and `lone` the time of the bytes of
/// channels that do not slow each other down. `apart`: loops wait for what is not counted here, which hides the fixed time of each.
fn beyond_wire(
    pipeline: &PipelineSpec,
    bytes: u64,
    ranks: u64,
    (extra, apart): (u64, bool),
    wire: impl Fn(u64) -> Fs,
    lone: impl Fn(u64) -> Fs,
) -> Fs {
    let heads = ranks.min(pipeline.heads.into());
    let chunk = chunk(pipeline, bytes, heads);
    let round = chunk.saturating_mul(heads);
    let filled = round.saturating_mul(pipeline.channels.into());
    let (fixed, time) = (pipeline.stage_fs, wire(filled));
    let messages = if apart { part(pipeline.message_fs.saturating_mul(2), bytes.max(round), round) } else { 0 };
    if bytes >= filled {
        let loops = if apart { 0 } else { part(fixed, bytes, filled) };
        return extra.saturating_mul(fixed.saturating_add(time)).saturating_add(loops).saturating_add(messages);
    }
    // all channels together, or one that has more to do than its share
    let (shared, one) = (part(time, bytes, filled), lone(filled).min(time));
    let copied = fixed.saturating_add(part(one, bytes.min(round), round).max(shared));
    let alone = part(one, bytes.min(chunk), chunk).saturating_sub(shared);
    let first = if apart { 0 } else { fixed };
    extra.saturating_mul(copied).saturating_add(first).saturating_add(alone).saturating_add(messages)
}

impl Task<'_> {
    /// The protocol as this task sees it: where it has a pipeline, its launch includes what loops cost beyond the wire.
    pub(super) fn piped<'p>(&self, algorithm: Algorithm, protocol: &'p ProtocolSpec) -> Cow<'p, ProtocolSpec> {
        let (Some(pipeline), Some(net)) = (&protocol.pipeline, self.fabric.networks.first()) else {
            return Cow::Borrowed(protocol);
        };
        if self.placement.len() < 2 {
            return Cow::Borrowed(protocol);
        }
        let stages = u64::from(pipeline.stages);
        // only what is both reduced and given to all is copied both in and out
        let extra = match self.collective {
            Collective::AllReduce => stages - 1,
            _ => stages.saturating_sub(2),
        };
        let home = self.placement[0] / net.span;
        let alone = self.placement.iter().all(|accelerator| accelerator / net.span == home);
        let joined = match algorithm {
            Algorithm::InNetworkTree => unit(&units(self.fabric, &self.sorted()).0, self.ranks()),
            _ => Some(self.ranks()).filter(|_| alone),
        };
        let beyond = if let Some(ranks) = joined.map(u64::from) {
            // each direction of a link carries the sum or its parts, and an all-reduce both
            let twice = if self.collective == Collective::AllReduce { ranks + 1 } else { ranks };
            let wire = |bytes| part(wire_time((0, net), protocol, bytes), twice, ranks);
            let lone = |bytes| {
                let time = u128::from(BitRate(net.injection().max(1)).time(bytes));
                let [num, den] = pipeline.lone.map(u128::from);
                let body = u128::from(net.spec.payload) * num + u128::from(net.spec.overhead) * den;
                u64::try_from(time * body / (u128::from(net.spec.payload) * den).max(1)).unwrap_or(Fs::MAX)
            };
            let apart = algorithm == Algorithm::InNetworkTree;
            beyond_wire(pipeline, self.bytes, ranks, (extra, apart), wire, lone)
        } else {
            (extra + 1).saturating_mul(pipeline.stage_fs)
        };
        let launch_fs = protocol.launch_fs.saturating_add(beyond);
        Cow::Owned(ProtocolSpec { launch_fs, ..protocol.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Rung;

    fn nvls() -> PipelineSpec {
        let rung = |below, kib: u64| Rung { below, chunk: kib << 10 };
        PipelineSpec {
            channels: 16,
            heads: 32,
            stages: 3,
            chunk: 128 << 10,
            shrink: vec![rung(64, 64), rung(8, 32), rung(2, 16)],
            stage_fs: 6,
            lone: [1, 1],
            message_fs: 9,
        }
    }

    #[test]
    fn the_ladder_on_eight_ranks_is_the_librarys() {
        // 16 channels: 16 KiB below 8 MiB, 32 from there, 64 from 64 MiB, 128 from 1 GiB
        let kib = |mib: u64| chunk(&nvls(), mib << 20, 8) >> 10;
        assert_eq!([1, 4, 7].map(kib), [16; 3]);
        assert_eq!([8, 16, 63].map(kib), [32; 3]);
        assert_eq!([64, 512, 1023].map(kib), [64; 3]);
        assert_eq!([1024, 8192].map(kib), [128; 2]);
    }

    #[test]
    fn loops_and_stages_add_up() {
        // a wire of one byte per unit of time; 16 x 8 x 16 KiB = 2 MiB is a loop, t = 2^21
        let t = 1 << 21;
        let beyond = |bytes| beyond_wire(&nvls(), bytes, 8, (2, false), |bytes| bytes, |bytes| bytes);
        // one loop: (1 + 2)(6 + t) in all, of which t on the wire
        assert_eq!(beyond(2 << 20), 3 * (6 + t) - t);
        // one byte less is the other form, and equal but for that byte's share
        assert_eq!(beyond((2 << 20) - 1), 3 * (6 + t) - (t - 1));
        // three loops: (3 + 2)(6 + t) less 3 t
        assert_eq!(beyond(6 << 20), 5 * (6 + t) - 3 * t);
        // one channel full: its stage on the wire takes t all the same
        assert_eq!(beyond(128 << 10), 3 * (6 + t) - (128 << 10));
        // one head's chunk: copies take an eighth of t
        assert_eq!(beyond(16 << 10), 2 * (6 + t / 8) + 6 + t - (16 << 10));
        // nothing at all: the fixed parts
        assert_eq!(beyond(0), 18);
    }

    #[test]
    fn a_lone_channel_is_not_slowed_down_by_others() {
        // on its own a channel is twice as fast as among all
        let t = 1 << 21;
        let beyond = |bytes| beyond_wire(&nvls(), bytes, 8, (2, false), |bytes| bytes, |bytes| bytes / 2);
        assert_eq!(beyond(128 << 10), 3 * (6 + t / 2) - t / 16, "one channel");
        assert_eq!(beyond(1 << 20), 3 * (6 + t / 2) - t / 2, "eight, which share the rate of all");
        assert_eq!(beyond(3 << 19), 3 * (6 + t * 3 / 4) - t * 3 / 4, "twelve slow each other down");
        assert_eq!(beyond(2 << 20), 3 * (6 + t) - t, "all");
    }

    #[test]
    fn between_units_only_the_stages_inside_count() {
        let rung = |below, kib: u64| Rung { below, chunk: kib << 10 };
        let tree = PipelineSpec { stages: 4, shrink: vec![rung(4, 64), rung(1, 32)], ..nvls() };
        // 16 channels: 32 KiB below 8 MiB, 64 from there, 128 from 64 MiB
        let kib = |mib: u64| chunk(&tree, mib << 20, 8) >> 10;
        assert_eq!([1, 7, 8, 63, 64, 8192].map(kib), [32, 32, 64, 64, 128, 128]);
        // loops of 16 MiB: three stages of 6 + 2^24 beside the wire, whatever their number
        let beyond = |bytes| beyond_wire(&tree, bytes, 8, (3, true), |bytes| bytes, |bytes| bytes);
        // and two messages of 9 for each 8 x 128 KiB
        assert_eq!([64 << 20, 1 << 30].map(beyond), [64, 1024].map(|rounds| 3 * (6 + (1 << 24)) + 18 * rounds));
        // 4 MiB are just one loop of 32 KiB, on 16 channels
        assert_eq!(beyond(4 << 20), 3 * (6 + (1 << 22)) + 18 * 16);
        assert_eq!(beyond(0), 18 + 18);
    }

    #[test]
    fn huge_sizes_do_not_overflow() {
        assert_eq!(beyond_wire(&nvls(), u64::MAX, u64::MAX, (2, false), |_| Fs::MAX, |_| Fs::MAX), Fs::MAX);
    }
}
