//! Names: the closed lists that users choose from, each an enumeration with its spellings.
//!
//! **Model.** A name has one canonical spelling (snake case), which is what is written out, and any number of others: those of
//! NCCL, nccl-tests, MPI, oneCCL, HCCL and Chakra. Reading ignores case and separators.
//!
//! **Invariant.** Every canonical name parses to itself; an unknown name is an [`Error::Spec`] that lists the valid ones.
//!
//! **Limits.** The `v` variants (vectors of counts) and `hypercube` are not modelled.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// An enumeration whose values have names.
pub trait Named: Copy + 'static {
    /// What is named, for messages.
    const KIND: &'static str;

    /// The values and the spellings of each, the canonical one first.
    fn spellings() -> Vec<(&'static str, &'static [&'static str])>;

    /// Canonical name.
    fn name(self) -> &'static str;

    /// Reads any of the spellings.
    ///
    /// # Errors
    /// [`Error::Spec`] that lists the valid names, and the nearest one.
    fn parse(name: &str) -> Result<Self>;
}

/// Defines an enumeration with a canonical name and other spellings (lower case letters and digits) for each value.
macro_rules! named {
    ($(#[$meta:meta])* $kind:literal $type:ident { $($(#[$doc:meta])* $value:ident = $name:literal $aliases:expr,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$doc])* $value,)* }

        impl $type {
            /// All of them.
            pub const ALL: [$type; <[&str]>::len(&[$($name),*])] = [$($type::$value),*];

            /// Canonical name.
            pub fn name(self) -> &'static str {
                match self { $($type::$value => $name,)* }
            }

            /// Spellings beside the canonical one, lower case, letters and digits only, without the library's prefix.
            fn aliases(self) -> &'static [&'static str] {
                match self { $($type::$value => &$aliases,)* }
            }

            /// Reads any usual spelling. Case and everything but letters and digits are ignored, as are the prefixes `nccl`,
            /// `rccl`, `hccl`, `oneccl`, `ccl` and `mpi`.
            ///
            /// # Errors
            /// [`Error::Spec`] that lists the valid names, and the nearest one.
            pub fn parse(name: &str) -> Result<Self> {
                lookup($kind, name, &Self::ALL, Self::name, Self::aliases)
            }
        }

        impl Named for $type {
            const KIND: &'static str = $kind;
            fn spellings() -> Vec<(&'static str, &'static [&'static str])> {
                Self::ALL.iter().map(|v| (v.name(), v.aliases())).collect()
            }
            fn name(self) -> &'static str {
                $type::name(self)
            }
            fn parse(name: &str) -> Result<Self> {
                $type::parse(name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Self::parse(&name).map_err(serde::de::Error::custom)
            }
        }
    };
}

named! {
    /// What the ranks want to achieve together.
    "collective" Collective {
        /// Everyone gets the sum of all buffers.
        AllReduce = "all_reduce" [],
        /// Everyone gets everyone's piece.
        AllGather = "all_gather" ["allgatherbase", "allgatherintotensor"],
        /// Rank `i` gets piece `i` of the sum.
        ReduceScatter = "reduce_scatter" ["reducescatterblock", "reducescatterbase", "reducescattertensor"],
        /// Rank `i` gets from every rank the piece meant for it.
        AllToAll = "all_to_all" ["all2all", "alltoallsingle", "alltoallbase"],
        /// Everyone gets the root's buffer.
        Broadcast = "broadcast" ["bcast"],
        /// The root gets the sum of all buffers.
        Reduce = "reduce" [],
        /// The root gets everyone's piece.
        Gather = "gather" [],
        /// Rank `i` gets piece `i` of the root's buffer.
        Scatter = "scatter" [],
        /// Rank `i` gets the buffer of rank `i - 1`.
        SendRecv = "send_recv" ["sendreceive", "send", "recv", "receive", "permute", "collectivepermute"],
        /// No data: nobody leaves before everyone has come.
        Barrier = "barrier" [],
    }
}

named! {
    /// How they do it.
    "algorithm" Algorithm {
        /// A ring (or a chain for the rooted ones).
        Ring = "ring" ["onering", "ringrma", "segmentedring", "chain", "pipeline"],
        /// One step: everyone sends straight to everyone concerned.
        Direct = "direct" [
            "oneshot", "linear", "linearsync", "basiclinear", "mesh", "fullmesh", "flat", "naive", "onedirect", "p2p",
        ],
        /// Direct reduce-scatter, then direct all-gather.
        TwoShot = "two_shot" ["directtwoshot"],
        /// Exchange with partners at doubling distance.
        RecursiveDoubling = "recursive_doubling" ["rd", "doubling"],
        /// Recursive halving (reduce-scatter), then doubling (Rabenseifner).
        HalvingDoubling = "halving_doubling" ["rabenseifner", "recursivehalvingdoubling", "recursivehalving", "onehalvingdoubling", "hdr", "hd"],
        /// Bruck's cyclic doubling; for a barrier, dissemination.
        Bruck = "bruck" ["modifiedbruck", "dissemination", "nb"],
        /// Two complementary binary trees with pipelined chunks.
        DoubleBinaryTree = "double_binary_tree" ["tree", "doubletree", "dbt", "twotree"],
        /// A binomial tree.
        Binomial = "binomial" ["binomialtree"],
        /// One partner a step, each at another distance.
        Pairwise = "pairwise" ["pairwiseexchange"],
        /// Rings along every dimension and direction of a torus at once.
        TorusBucket = "torus_bucket" ["torus", "bucket", "buckettorus", "multiring"],
        /// Level by level: inside, across, inside.
        Hierarchical = "hierarchical" ["2d", "topo", "ahc", "multilevel", "hier"],
        /// The switches reduce and replicate.
        InNetwork = "in_network" ["nvls", "collnet", "collnetdirect", "collnetchain", "sharp", "multimem", "switch"],
        /// The switches reduce and replicate inside units, two trees join the units.
        InNetworkTree = "in_network_tree" ["nvlstree"],
    }
}

named! {
    /// How closely a run is looked at.
    "fidelity" Fidelity {
        /// Every packet.
        Packet = "packet" [],
        /// Messages as fluids that share links fairly.
        Flow = "flow" [],
        /// Closed forms.
        Analytic = "analytic" [],
    }
}

named! {
    /// Detail tables that a run keeps if asked.
    "table" Table {
        /// A row per rank.
        Ranks = "ranks" [],
        /// A row per network, level and direction.
        Levels = "levels" [],
        /// A row per directed link.
        Links = "links" [],
        /// A row per switch.
        Switches = "switches" [],
        /// A row per message.
        Flows = "flows" [],
        /// A row per operation and role of ranks.
        Operations = "operations" [],
        /// A row per instance of each operation, of one rank of each role.
        Iterations = "iterations" [],
    }
}

named! {
    /// Who sends to whom in a traffic pattern; `crate::workload::Traffic` has the definitions.
    "pattern" Pattern {
        /// To the next place.
        Neighbour = "neighbour" ["neighbor"],
        /// Almost half way round.
        Tornado = "tornado" [],
        /// Rows become columns.
        Transpose = "transpose" [],
        /// All bits inverted.
        BitComplement = "bit_complement" ["bitinverse"],
        /// Bits in the opposite order.
        BitReverse = "bit_reverse" ["bitreversal"],
        /// Bits rotated by one.
        Shuffle = "shuffle" ["perfectshuffle"],
        /// As listed.
        Permutation = "permutation" [],
        /// Each to one other, drawn.
        RandomPermutation = "random_permutation" ["randperm"],
        /// Each message to another place, drawn.
        Uniform = "uniform" ["uniformrandom"],
        /// All to one.
        Incast = "incast" ["hotspot"],
        /// All to some.
        AllToSome = "all_to_some" [],
    }
}

named! {
    /// Choice among equal-cost paths.
    #[derive(Default)]
    "routing" RoutingSpec {
        /// Path and plane by destination (D-mod-k); dimension order on direct topologies.
        DModK = "d_mod_k" ["dimensionorder", "deterministic"],
        /// Path and plane by source (S-mod-k); dimension order on direct topologies.
        SModK = "s_mod_k" ["railaligned"],
        /// One path per flow by seeded hash of (source, destination, lane).
        Ecmp = "ecmp" ["hash"],
        /// Each packet takes the next plane and path in turn.
        #[default]
        SprayRoundRobin = "spray_round_robin" ["spray", "roundrobin"],
        /// Each packet takes a plane and path by seeded hash.
        SprayRandom = "spray_random" ["random"],
        /// Explicit graphs only: each switch sends a packet on by the least loaded port of all that lead nearer.
        Adaptive = "adaptive" ["leastqueue", "minimaladaptive"],
        /// Explicit graphs only: each packet goes by a random switch first (Valiant).
        Valiant = "valiant" ["vlb"],
        /// Explicit graphs only: the first switch decides between the shortest way and Valiant's by its own queues (UGAL).
        Ugal = "ugal" ["ugall"],
    }
}

impl Algorithm {
    /// Whether it lets switches form sums.
    pub fn in_network(self) -> bool {
        matches!(self, Algorithm::InNetwork | Algorithm::InNetworkTree)
    }
}

impl Collective {
    /// Whether `root` means something.
    pub fn rooted(self) -> bool {
        matches!(self, Collective::Broadcast | Collective::Reduce | Collective::Gather | Collective::Scatter)
    }

    /// Whether every rank has a piece of the size that nccl-tests counts.
    pub fn parted(self) -> bool {
        use Collective::{AllGather, AllToAll, Gather, ReduceScatter, Scatter};
        matches!(self, AllGather | ReduceScatter | AllToAll | Gather | Scatter)
    }

    /// Whether arriving data is combined somewhere.
    pub fn reduces(self) -> bool {
        matches!(self, Collective::AllReduce | Collective::ReduceScatter | Collective::Reduce)
    }
}

impl RoutingSpec {
    /// True if packets of a message take different first hops.
    pub fn sprays(self) -> bool {
        !matches!(self, Self::DModK | Self::SModK | Self::Ecmp)
    }

    /// True if paths depend on the seed.
    pub fn random(self) -> bool {
        matches!(self, Self::Ecmp | Self::SprayRandom | Self::Valiant | Self::Ugal)
    }

    /// True if some packets take a way that is not the shortest.
    pub fn detours(self) -> bool {
        matches!(self, Self::Valiant | Self::Ugal)
    }

    /// True if switches look at their queues.
    pub fn adaptive(self) -> bool {
        matches!(self, Self::Adaptive | Self::Ugal)
    }

    /// True if only explicit graphs know it.
    pub fn of_graphs(self) -> bool {
        matches!(self, Self::Adaptive | Self::Valiant | Self::Ugal)
    }
}

/// A named value, or `auto`: the simulator's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Selection<T> {
    /// Chosen by the simulator.
    #[default]
    Auto,
    /// This one.
    Only(T),
}

impl<T: Named> Selection<T> {
    /// The value, if one is named.
    pub fn named(self) -> Option<T> {
        match self {
            Selection::Auto => None,
            Selection::Only(value) => Some(value),
        }
    }
}

impl<T: Named> Serialize for Selection<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.named().map_or("auto", T::name))
    }
}

impl<'de, T: Named> Deserialize<'de> for Selection<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        if name == "auto" {
            return Ok(Selection::Auto);
        }
        T::parse(&name).map(Selection::Only).map_err(serde::de::Error::custom)
    }
}

/// Prefixes that libraries put before names, the longest first.
pub const LIBRARIES: [&str; 6] = ["oneccl", "nccl", "rccl", "hccl", "ccl", "mpi"];

/// Finds one of `all` by any of its spellings; the error lists the names and the nearest one within two letters.
fn lookup<T: Copy>(
    field: &str,
    given: &str,
    all: &[T],
    name: fn(T) -> &'static str,
    aliases: fn(T) -> &'static [&'static str],
) -> Result<T> {
    let letters: String = given.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let bare = LIBRARIES.iter().find_map(|p| letters.strip_prefix(p));
    let spellings = [letters.as_str(), bare.unwrap_or(&letters)];
    let canonical = |item: T| -> String { name(item).chars().filter(|&c| c != '_').collect() };
    for &item in all {
        let known = canonical(item);
        if spellings.iter().any(|&s| s == known || aliases(item).contains(&s)) {
            return Ok(item);
        }
    }
    let mut nearest: Option<(usize, T)> = None;
    for &item in all {
        let canonical = canonical(item);
        for known in aliases(item).iter().copied().chain([canonical.as_str()]) {
            for spelling in spellings {
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
            ("nvls_tree", Algorithm::InNetworkTree),
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
}
