//! Names of collectives and algorithms, and what nccl-tests counts for them.
//!
//! Parsing is liberal (NCCL, nccl-tests, MPI, oneCCL, HCCL, Chakra spellings), output is canonical snake case.
//!
//! **Invariant.** Every canonical name parses to itself; an unknown name is an [`Error::Spec`] that lists the valid ones.
//!
//! **Limits.** The `v` variants (vectors of counts) and `hypercube` are not modelled.
//!
//! **Source.** Sizes and factors: the `*.cu` files of nccl-tests 2.19.6 (S and busbw factor of each test).

use crate::error::{Error, Result};
use std::fmt;

/// What the ranks want to achieve together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Collective {
    /// Everyone gets the sum of all buffers.
    AllReduce,
    /// Everyone gets everyone's piece.
    AllGather,
    /// Rank `i` gets piece `i` of the sum.
    ReduceScatter,
    /// Rank `i` gets from every rank the piece meant for it.
    AllToAll,
    /// Everyone gets the root's buffer.
    Broadcast,
    /// The root gets the sum of all buffers.
    Reduce,
    /// The root gets everyone's piece.
    Gather,
    /// Rank `i` gets piece `i` of the root's buffer.
    Scatter,
    /// Rank `i` gets the buffer of rank `i - 1`.
    SendRecv,
    /// No data: nobody leaves before everyone has come.
    Barrier,
}

/// How they do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// A ring (or a chain for the rooted ones).
    Ring,
    /// One step: everyone sends straight to everyone concerned.
    Direct,
    /// Direct reduce-scatter, then direct all-gather.
    TwoShot,
    /// Exchange with partners at doubling distance.
    RecursiveDoubling,
    /// Recursive halving (reduce-scatter), then doubling (Rabenseifner).
    HalvingDoubling,
    /// Bruck's cyclic doubling; for a barrier, dissemination.
    Bruck,
    /// Two complementary binary trees with pipelined chunks.
    DoubleBinaryTree,
    /// A binomial tree.
    Binomial,
    /// One partner a step, each at another distance.
    Pairwise,
    /// Rings along every dimension and direction of a torus at once.
    TorusBucket,
    /// Level by level: inside, across, inside.
    Hierarchical,
    /// The switches reduce and replicate.
    InNetwork,
}

impl Collective {
    /// All of them.
    pub const ALL: [Collective; 10] = [
        Collective::AllReduce,
        Collective::AllGather,
        Collective::ReduceScatter,
        Collective::AllToAll,
        Collective::Broadcast,
        Collective::Reduce,
        Collective::Gather,
        Collective::Scatter,
        Collective::SendRecv,
        Collective::Barrier,
    ];

    /// Canonical name.
    pub fn name(self) -> &'static str {
        match self {
            Collective::AllReduce => "all_reduce",
            Collective::AllGather => "all_gather",
            Collective::ReduceScatter => "reduce_scatter",
            Collective::AllToAll => "all_to_all",
            Collective::Broadcast => "broadcast",
            Collective::Reduce => "reduce",
            Collective::Gather => "gather",
            Collective::Scatter => "scatter",
            Collective::SendRecv => "send_recv",
            Collective::Barrier => "barrier",
        }
    }

    /// Spellings beside the canonical one, lower case, letters only, without the library's prefix.
    fn aliases(self) -> &'static [&'static str] {
        match self {
            Collective::AllReduce => &[],
            Collective::AllGather => &["allgatherbase", "allgatherintotensor"],
            Collective::ReduceScatter => &["reducescatterblock", "reducescatterbase", "reducescattertensor"],
            Collective::AllToAll => &["allall", "alltoallsingle", "alltoallbase"],
            Collective::Broadcast => &["bcast"],
            Collective::SendRecv => &["sendreceive", "send", "recv", "receive", "permute", "collectivepermute"],
            Collective::Reduce | Collective::Gather | Collective::Scatter | Collective::Barrier => &[],
        }
    }

    /// Reads any usual spelling: case and everything but letters are ignored, as are the prefixes `nccl`, `rccl`, `hccl`,
    /// `oneccl`, `ccl` and `mpi`.
    pub fn parse(name: &str) -> Result<Self> {
        let letters: String = name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
        let bare = ["nccl", "rccl", "hccl", "oneccl", "ccl", "mpi"].iter().find_map(|p| letters.strip_prefix(p));
        lookup("collective", name, &[&letters, bare.unwrap_or(&letters)], &Self::ALL, Self::name, Self::aliases)
    }

    /// What nccl-tests multiplies the algorithm bandwidth by to get the bus bandwidth (0 for a lone rank in most).
    pub fn busbw_factor(self, ranks: u32) -> f64 {
        let n = f64::from(ranks.max(1));
        match self {
            Collective::AllReduce => 2.0 * (n - 1.0) / n,
            Collective::AllGather
            | Collective::ReduceScatter
            | Collective::AllToAll
            | Collective::Gather
            | Collective::Scatter => (n - 1.0) / n,
            Collective::Broadcast | Collective::Reduce | Collective::SendRecv | Collective::Barrier => 1.0,
        }
    }

    /// The size that nccl-tests really runs (its size column) when asked for `bytes`: whole elements; where every rank has
    /// a piece, the piece is rounded down to 16 bytes and the size is that of all pieces. A barrier has none.
    pub fn rounded_bytes(self, bytes: u64, ranks: u32, element: u32) -> u64 {
        let (n, element) = (u64::from(ranks.max(1)), u64::from(element.max(1)));
        let count = bytes / element;
        match self {
            Collective::AllReduce | Collective::Broadcast | Collective::Reduce | Collective::SendRecv => {
                count * element
            }
            Collective::AllGather
            | Collective::ReduceScatter
            | Collective::AllToAll
            | Collective::Gather
            | Collective::Scatter => {
                let unit = (16 / element).max(1);
                count / n / unit * unit * n * element
            }
            Collective::Barrier => 0,
        }
    }

    /// Whether `root` means something.
    pub fn rooted(self) -> bool {
        matches!(self, Collective::Broadcast | Collective::Reduce | Collective::Gather | Collective::Scatter)
    }

    /// Whether arriving data is combined somewhere.
    pub fn reduces(self) -> bool {
        matches!(self, Collective::AllReduce | Collective::ReduceScatter | Collective::Reduce)
    }
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 12] = [
        Algorithm::Ring,
        Algorithm::Direct,
        Algorithm::TwoShot,
        Algorithm::RecursiveDoubling,
        Algorithm::HalvingDoubling,
        Algorithm::Bruck,
        Algorithm::DoubleBinaryTree,
        Algorithm::Binomial,
        Algorithm::Pairwise,
        Algorithm::TorusBucket,
        Algorithm::Hierarchical,
        Algorithm::InNetwork,
    ];

    /// Canonical name.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Ring => "ring",
            Algorithm::Direct => "direct",
            Algorithm::TwoShot => "two_shot",
            Algorithm::RecursiveDoubling => "recursive_doubling",
            Algorithm::HalvingDoubling => "halving_doubling",
            Algorithm::Bruck => "bruck",
            Algorithm::DoubleBinaryTree => "double_binary_tree",
            Algorithm::Binomial => "binomial",
            Algorithm::Pairwise => "pairwise",
            Algorithm::TorusBucket => "torus_bucket",
            Algorithm::Hierarchical => "hierarchical",
            Algorithm::InNetwork => "in_network",
        }
    }

    /// Spellings beside the canonical one, lower case, letters and digits only.
    fn aliases(self) -> &'static [&'static str] {
        match self {
            Algorithm::Ring => &["onering", "ringrma", "segmentedring", "chain", "pipeline"],
            Algorithm::Direct => &[
                "oneshot",
                "linear",
                "linearsync",
                "basiclinear",
                "mesh",
                "fullmesh",
                "flat",
                "naive",
                "onedirect",
                "p2p",
            ],
            Algorithm::TwoShot => &["directtwoshot"],
            Algorithm::RecursiveDoubling => &["rd", "doubling"],
            Algorithm::HalvingDoubling => {
                &["rabenseifner", "recursivehalvingdoubling", "recursivehalving", "onehalvingdoubling", "hdr", "hd"]
            }
            Algorithm::Bruck => &["modifiedbruck", "dissemination", "nb"],
            Algorithm::DoubleBinaryTree => &["tree", "doubletree", "dbt", "twotree"],
            Algorithm::Binomial => &["binomialtree"],
            Algorithm::Pairwise => &["pairwiseexchange"],
            Algorithm::TorusBucket => &["torus", "bucket", "buckettorus", "multiring"],
            Algorithm::Hierarchical => &["2d", "topo", "ahc", "multilevel", "hier"],
            Algorithm::InNetwork => {
                &["nvls", "nvlstree", "collnet", "collnetdirect", "collnetchain", "sharp", "multimem", "switch"]
            }
        }
    }

    /// Reads any usual spelling; case and everything but letters and digits are ignored.
    pub fn parse(name: &str) -> Result<Self> {
        let letters: String =
            name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        lookup("algorithm", name, &[&letters], &Self::ALL, Self::name, Self::aliases)
    }
}

impl fmt::Display for Collective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Finds one of `all` by any of the `spellings`; the error lists the names and the nearest one within two letters.
fn lookup<T: Copy>(
    field: &str,
    given: &str,
    spellings: &[&str],
    all: &[T],
    name: fn(T) -> &'static str,
    aliases: fn(T) -> &'static [&'static str],
) -> Result<T> {
    let mut nearest: Option<(usize, T)> = None;
    for &item in all {
        let canonical: String = name(item).chars().filter(|&c| c != '_').collect();
        for known in aliases(item).iter().copied().chain([canonical.as_str()]) {
            for &spelling in spellings {
                if spelling == known {
                    return Ok(item);
                }
                let far = distance(spelling, known);
                if far <= 2 && far < known.len() / 2 && nearest.is_none_or(|(best, _)| far < best) {
                    nearest = Some((far, item));
                }
            }
        }
    }
    let names: Vec<_> = all.iter().map(|&item| name(item)).collect();
    let mut expected = format!("one of {}", names.join(", "));
    if let Some((_, item)) = nearest {
        expected = format!("did you mean {}? {expected}", name(item));
    }
    Err(Error::spec(field, format!("{given:?}"), expected))
}

/// Number of letters to insert, delete or replace to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    // A name of absurd length is far from everything; do not measure it.
    for (i, letter) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &other) in b.iter().enumerate() {
            let replace = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for c in Collective::ALL {
            assert_eq!(Collective::parse(c.name()).unwrap(), c);
        }
        for a in Algorithm::ALL {
            assert_eq!(Algorithm::parse(a.name()).unwrap(), a);
        }
        for (name, c) in [
            ("AllReduce", Collective::AllReduce),
            ("ncclAllReduce", Collective::AllReduce),
            ("MPI_Allreduce", Collective::AllReduce),
            ("ALLREDUCE", Collective::AllReduce),
            ("AlltoAll", Collective::AllToAll),
            ("all2all", Collective::AllToAll),
            ("MPI_Reduce_scatter_block", Collective::ReduceScatter),
            ("REDUCE_SCATTER_BLOCK", Collective::ReduceScatter),
            ("HcclReduceScatter", Collective::ReduceScatter),
            ("MPI_Bcast", Collective::Broadcast),
            ("ccl::bcast", Collective::Broadcast),
            ("sendrecv", Collective::SendRecv),
            ("MPI_Sendrecv", Collective::SendRecv),
            ("MPI_Barrier", Collective::Barrier),
        ] {
            assert_eq!(Collective::parse(name).unwrap(), c, "{name}");
        }
        for (name, a) in [
            ("Ring", Algorithm::Ring),
            ("Tree", Algorithm::DoubleBinaryTree),
            ("NVLS", Algorithm::InNetwork),
            ("nvls_tree", Algorithm::InNetwork),
            ("CollNetDirect", Algorithm::InNetwork),
            ("H-D_R", Algorithm::HalvingDoubling),
            ("rabenseifner", Algorithm::HalvingDoubling),
            ("2d", Algorithm::Hierarchical),
            ("fullmesh", Algorithm::Direct),
            ("one-shot", Algorithm::Direct),
            ("two shot", Algorithm::TwoShot),
        ] {
            assert_eq!(Algorithm::parse(name).unwrap(), a, "{name}");
        }
    }

    #[test]
    fn unknown_names_list_the_valid_ones() {
        let told = |e: Error| {
            assert_eq!(e.code(), "spec");
            e.to_string()
        };
        let text = told(Collective::parse("alreduce").unwrap_err());
        assert!(text.contains("did you mean all_reduce?") && text.contains("barrier"), "{text}");
        let text = told(Algorithm::parse("rign").unwrap_err());
        assert!(text.contains("\"rign\"") && text.contains("two_shot"), "{text}");
        for name in ["", "x", "quantum", &"ring".repeat(10_000)] {
            assert!(!told(Algorithm::parse(name).unwrap_err()).contains("did you mean"));
        }
    }

    #[test]
    fn nccl_tests_arithmetic() {
        // 8 ranks: 2 * 7 / 8 = 1.75, 7 / 8 = 0.875.
        assert_eq!(Collective::AllReduce.busbw_factor(8), 1.75);
        assert_eq!(Collective::AllToAll.busbw_factor(8), 0.875);
        assert_eq!(Collective::Broadcast.busbw_factor(8), 1.0);
        assert_eq!(Collective::AllReduce.busbw_factor(1), 0.0);
        // 1000 bytes of float32 on 6 ranks: 250 elements, 41 each, rounded down to 4 (16 bytes): 40 * 6 * 4 = 960.
        assert_eq!(Collective::AllGather.rounded_bytes(1000, 6, 4), 960);
        assert_eq!(Collective::AllReduce.rounded_bytes(1003, 6, 4), 1000);
        // 100 bytes on 8 ranks: 25 elements, 3 each, rounded down to 0.
        assert_eq!(Collective::AllToAll.rounded_bytes(100, 8, 4), 0);
        // 8-byte elements: units of 2. 1000 / 8 = 125 on 6 ranks: 20 each: 20 * 6 * 8 = 960.
        assert_eq!(Collective::ReduceScatter.rounded_bytes(1000, 6, 8), 960);
        assert_eq!(Collective::Barrier.rounded_bytes(1000, 6, 8), 0);
    }
}
