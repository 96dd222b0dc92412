//! What a collective asks of its output, for algorithms that claim to be one.
//!
//! **Model.** Places of buffers are counted in any unit: chunks or bytes. A contribution is a rank and a place of its input. In place, input
//! and output are one buffer: of a gather the input is a part of the output, of a reduce-scatter the output a part of the input.
//!
//! **Limits.** All-reduce, all-gather, reduce-scatter and all-to-all. Of other names nothing is known.

/// A buffer of a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Buffer {
    Input,
    Output,
    Scratch,
}

/// What the output has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    AllReduce,
    AllGather,
    ReduceScatter,
    AllToAll,
}

impl Goal {
    /// The goal of this name, whatever its spelling.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().replace(['_', '-'], "").as_str() {
            "allreduce" => Some(Goal::AllReduce),
            "allgather" => Some(Goal::AllGather),
            "reducescatter" => Some(Goal::ReduceScatter),
            "alltoall" => Some(Goal::AllToAll),
            _ => None,
        }
    }

    /// The size of the output for one of the input.
    pub(crate) fn output(self, input: u64, ranks: u64) -> u64 {
        match self {
            Goal::AllReduce | Goal::AllToAll => input,
            Goal::AllGather => input.saturating_mul(ranks),
            Goal::ReduceScatter => input / ranks,
        }
    }

    /// The contributions that a place of the output has to have, and for how many places from there on they go on alike.
    pub(crate) fn wanted(self, (rank, ranks): (u32, u32), input: u64, output: u64, at: u64) -> (Vec<(u32, u64)>, u64) {
        match self {
            Goal::AllReduce => ((0..ranks).map(|from| (from, at)).collect(), output - at),
            Goal::ReduceScatter => {
                ((0..ranks).map(|from| (from, u64::from(rank) * output + at)).collect(), output - at)
            }
            Goal::AllGather => (vec![((at / input) as u32, at % input)], input - at % input),
            Goal::AllToAll => {
                let each = input / u64::from(ranks);
                (vec![((at / each) as u32, u64::from(rank) * each + at % each)], each - at % each)
            }
        }
    }
}

/// Whether an algorithm works in place, and for what goal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) goal: Option<Goal>,
    pub(crate) in_place: bool,
    pub(crate) ranks: u32,
}

impl Claim {
    /// Sizes of input and output. In place many files leave out the one that is a part of the other.
    pub(crate) fn sizes(&self, given: (u64, u64)) -> (u64, u64) {
        let ranks = u64::from(self.ranks);
        match (self.in_place, self.goal, given) {
            (true, Some(Goal::AllGather), (0, output)) => (output / ranks, output),
            (true, Some(Goal::ReduceScatter), (0, output)) => (output.saturating_mul(ranks), output),
            (true, Some(goal), (input, 0)) => (input, goal.output(input, ranks)),
            (true, _, (0, all) | (all, 0)) => (all, all),
            _ => given,
        }
    }

    /// Where a place of a buffer of a rank is kept.
    pub(crate) fn kept(&self, rank: u32, (input, output): (u64, u64), buffer: Buffer, at: u64) -> (Buffer, u64) {
        match (self.in_place, self.goal, buffer) {
            (true, Some(Goal::AllGather), Buffer::Input) => (Buffer::Output, u64::from(rank) * input + at),
            (true, Some(Goal::ReduceScatter), Buffer::Output) => (Buffer::Input, u64::from(rank) * output + at),
            (true, Some(Goal::AllReduce | Goal::AllToAll) | None, Buffer::Output) if input == output => {
                (Buffer::Input, at)
            }
            _ => (buffer, at),
        }
    }
}
