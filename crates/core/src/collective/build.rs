//! From parameters to a schedule: what goes together, how many lanes, how the buffer is cut.
//!
//! **Lanes.** `lanes` times `chunks`. Usually: ring one lane, or one a rail if the ranks sit in nodes; double binary tree
//! two, or two per rank of a node up to 32; torus two a dimension; in-network one for every 256 KiB, up to 32, and
//! beyond 128 MiB one for every 4 MiB, up to 256, and in an even number with trees between units; all others one. Chunks: as many as make a chunk
//! of about 128 KiB, up to 32, for the double binary tree and for chains (ring broadcast and reduce); otherwise one. A
//! barrier always has one lane.
//!
//! **Invariant.** [`build`] either gives a schedule that passes [`crate::check`] or a typed error; the algorithms that an
//! [`Error::Algorithm`] lists build with the same parameters.
//!
//! **Cost.** O(levels + dimensions); a schedule is a few words, whatever the number of ranks.
//!
//! **Limits.** Sizes are whole elements, see [`Collective::rounded_bytes`].

use super::binomial::Binomial;
use super::bruck::Bruck;
use super::digits::MAX_DIMS;
use super::direct::Direct;
use super::double_tree::{self, DoubleTree};
use super::halving_doubling::{self, HalvingDoubling};
use super::in_network::{self, InNetwork};
use super::in_network_tree::{self, InNetworkTree};
use super::layout::{Cut, Kind, ceil_log2};
use super::pairwise::Pairwise;
use super::program::{Idle, Laid, Program};
use super::recursive_doubling::RecursiveDoubling;
use super::ring::{self, Ring};
use super::{Algorithm, Collective};
use super::{MAX_LANES, MAX_STEPS, Schedule, hierarchical, torus};
use crate::error::{Error, Result};
use crate::radix::Radix;

/// Bytes of a pipelined chunk that default chunking aims at.
const CHUNK_BYTES: u64 = 128 << 10;
/// Chunks by default, at most.
const CHUNKS: u32 = 32;

/// What to run, on how many ranks, how big.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// What the ranks want.
    pub collective: Collective,
    /// How they do it.
    pub algorithm: Algorithm,
    /// Number of ranks, at least 1.
    pub ranks: u32,
    /// Size as in nccl-tests' size column: the whole buffer; where every rank has a piece, all pieces of a rank together.
    /// A multiple of `element`. A barrier ignores it.
    pub bytes: u64,
    /// Bytes of an element; buffers are cut between elements only.
    pub element: u32,
    /// The root, if the collective has one.
    pub root: u32,
    /// Sizes of the groups from the innermost level out; their product is `ranks`. Empty or one entry: flat.
    pub levels: Vec<u32>,
    /// Ranks of consecutive nodes, where these hold different numbers of them; empty otherwise.
    pub nodes: Vec<u32>,
    /// Sides of the torus that the ranks fill, first dimension fastest; empty if they do not.
    pub dims: Vec<u32>,
    /// Radices in which direct and pairwise exchanges count the ranks, first digit fastest; empty: one digit.
    pub order: Vec<u32>,
    /// Wraparound by dimension; empty: all.
    pub wrap: Vec<bool>,
    /// Pairs of dimensions with wraparound: that of the first shifts the second, of even size, by half.
    pub twist: Vec<[u32; 2]>,
    /// In-network: a tree of several tiers of switches sums, and sums of all go to all instead of to owners.
    pub shared: bool,
    /// Independent lanes; the algorithm's usual number if absent.
    pub lanes: Option<u32>,
    /// Pipelined chunks of each lane, each a lane of its own in the schedule; the algorithm's usual number if absent.
    pub chunks: Option<u32>,
}

impl Params {
    /// Flat group, float32, root 0, default lanes and chunks.
    pub fn new(collective: Collective, algorithm: Algorithm, ranks: u32, bytes: u64) -> Self {
        Params {
            collective,
            algorithm,
            ranks,
            bytes,
            element: 4,
            root: 0,
            levels: Vec::new(),
            nodes: Vec::new(),
            dims: Vec::new(),
            order: Vec::new(),
            wrap: Vec::new(),
            twist: Vec::new(),
            shared: false,
            lanes: None,
            chunks: None,
        }
    }

    /// Bytes that are cut: none for a barrier.
    fn payload(&self) -> u64 {
        if self.collective == Collective::Barrier { 0 } else { self.bytes }
    }
}

/// Why there is no schedule.
enum Refusal {
    /// The algorithm and the rest do not go together, for this reason.
    Algorithm(String),
    /// Another error.
    Other(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Other(error)
    }
}

/// The collectives that an algorithm can run.
fn repertoire(algorithm: Algorithm) -> &'static [Collective] {
    use Collective::*;
    match algorithm {
        Algorithm::Ring => &[AllReduce, AllGather, ReduceScatter, Broadcast, Reduce],
        Algorithm::Direct => {
            &[AllReduce, AllGather, ReduceScatter, AllToAll, Broadcast, Reduce, Gather, Scatter, SendRecv]
        }
        Algorithm::TwoShot | Algorithm::InNetworkTree => &[AllReduce],
        Algorithm::RecursiveDoubling => &[AllReduce, AllGather],
        Algorithm::HalvingDoubling => &[AllReduce, ReduceScatter],
        Algorithm::Bruck => &[AllGather, AllToAll, Barrier],
        Algorithm::DoubleBinaryTree => &[AllReduce, Broadcast, Reduce],
        Algorithm::Binomial => &[Broadcast, Reduce, Gather, Scatter],
        Algorithm::Pairwise => &[AllToAll, ReduceScatter],
        Algorithm::TorusBucket | Algorithm::Hierarchical => &[AllReduce, AllGather, ReduceScatter],
        Algorithm::InNetwork => &[AllReduce, AllGather, ReduceScatter, Broadcast, Reduce, Barrier],
    }
}

/// Builds the schedule.
pub fn build(params: &Params) -> Result<Box<dyn Schedule>> {
    assemble(params).map_err(|refusal| match refusal {
        Refusal::Other(error) => error,
        Refusal::Algorithm(why) => {
            let valid: Vec<_> = valid_algorithms(params, false).into_iter().map(Algorithm::name).collect();
            Error::Algorithm {
                algorithm: params.algorithm.to_string(),
                collective: params.collective.to_string(),
                ranks: u64::from(params.ranks),
                why,
                valid: if valid.is_empty() { "none".into() } else { valid.join(", ") },
            }
        }
    })
}

/// The algorithms that [`build`] accepts with otherwise the same parameters; those that let switches form sums only
/// where switches can do it.
pub fn valid_algorithms(params: &Params, in_network: bool) -> Vec<Algorithm> {
    let builds = |algorithm: Algorithm| assemble(&Params { algorithm, ..params.clone() }).is_ok();
    Algorithm::ALL.into_iter().filter(|&a| (in_network || !a.in_network()) && builds(a)).collect()
}

/// Checks everything that does not depend on the algorithm.
fn validate(params: &Params) -> Result<()> {
    let product =
        |sizes: &[u32]| sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(u64::from(size))).unwrap_or(0);
    let ranks = u64::from(params.ranks);
    if ranks == 0 {
        return Err(Error::spec("ranks", 0, "at least 1"));
    }
    if params.element == 0 {
        return Err(Error::spec("element", 0, "bytes of an element, at least 1"));
    }
    let element = u64::from(params.element);
    if !params.payload().is_multiple_of(element) {
        let below = params.payload() / element * element;
        return Err(Error::spec(
            "bytes",
            params.bytes,
            format!("a multiple of the element's {element}, such as {below}"),
        ));
    }
    if params.root >= params.ranks {
        return Err(Error::spec("root", params.root, format!("a rank below {ranks}")));
    }
    for (field, sizes) in [("levels", &params.levels), ("dims", &params.dims), ("order", &params.order)] {
        if !sizes.is_empty() && product(sizes) != ranks {
            return Err(Error::spec(field, format!("{sizes:?}"), format!("sizes whose product is {ranks}")));
        }
    }
    let sum = params.nodes.iter().try_fold(0u32, |sum, &node| sum.checked_add(node));
    if !params.nodes.is_empty() && (sum != Some(params.ranks) || params.nodes.contains(&0)) {
        return Err(Error::spec("nodes", format!("{:?}", params.nodes), format!("sizes whose sum is {ranks}")));
    }
    if !params.wrap.is_empty() && params.wrap.len() != params.dims.len() {
        let expected = format!("empty or one entry for each of {} dims", params.dims.len());
        return Err(Error::spec("wrap", format!("{:?}", params.wrap), expected));
    }
    let ring = |d: u32| {
        let d = d as usize;
        params.dims.get(d).is_some_and(|&size| size > 2) && params.wrap.get(d).is_none_or(|&closed| closed)
    };
    let shifts = |d: u32| params.twist.iter().any(|pair| pair[0] == d);
    let fits = |&&[a, b]: &&[u32; 2]| ring(a) && ring(b) && params.dims[b as usize].is_multiple_of(2) && !shifts(b);
    if let Some(pair) = params.twist.iter().find(|pair| !fits(pair)) {
        let expected = "two rings, the second of even size and without a twist of its own";
        return Err(Error::spec("twist", format!("{pair:?}"), expected));
    }
    for (field, value) in [("lanes", params.lanes), ("chunks", params.chunks)] {
        if let Some(count) = value.filter(|count| !(1..=MAX_LANES).contains(count)) {
            return Err(Error::spec(field, count, format!("1 to {MAX_LANES}")));
        }
    }
    Ok(())
}

/// How many chunks a pipelined lane is cut into, if `lanes` of them share the buffer.
fn default_chunks(bytes: u64, lanes: u32) -> u32 {
    let wanted = (bytes / u64::from(lanes)).div_ceil(CHUNK_BYTES);
    u32::try_from(wanted).unwrap_or(CHUNKS).clamp(1, CHUNKS.min(MAX_LANES / lanes))
}

/// The lanes that share the buffer, before chunking, and all lanes of the schedule.
fn lanes(params: &Params) -> Result<(u32, u32)> {
    if params.collective == Collective::Barrier {
        return Ok((1, 1));
    }
    let lanes = params.lanes.unwrap_or_else(|| match params.algorithm {
        Algorithm::Ring => ring::rails(&params.levels, &params.nodes, params.ranks),
        Algorithm::DoubleBinaryTree => double_tree::lanes(node(params)),
        Algorithm::TorusBucket => torus::lanes(&params.dims).max(1),
        // nobody waits for an owner: packets alone are a pipeline
        Algorithm::InNetwork if params.shared && in_network::shares(params.collective) => 1,
        Algorithm::InNetwork => in_network::lanes(params.payload()),
        Algorithm::InNetworkTree => in_network_tree::lanes(params.payload()),
        _ => 1,
    });
    let pipelined = match params.algorithm {
        Algorithm::DoubleBinaryTree => true,
        Algorithm::Ring => params.collective.rooted(),
        _ => false,
    };
    let default = || {
        if pipelined { default_chunks(params.payload(), lanes) } else { 1 }
    };
    let chunks = params.chunks.unwrap_or_else(default);
    match lanes.checked_mul(chunks) {
        Some(total) if total <= MAX_LANES => Ok((lanes, total)),
        _ => {
            let expected = format!("lanes times chunks at most {MAX_LANES}");
            Err(Error::spec("chunks", format!("{chunks} with {lanes} lanes"), expected))
        }
    }
}

fn assemble(params: &Params) -> std::result::Result<Box<dyn Schedule>, Refusal> {
    validate(params)?;
    let (algorithm, collective, n) = (params.algorithm, params.collective, params.ranks);
    let known = repertoire(algorithm);
    if !known.contains(&collective) {
        let names: Vec<_> = known.iter().map(|c| c.name()).collect();
        return Err(Refusal::Algorithm(format!("it is for {}", names.join(", "))));
    }
    let (shared, total) = lanes(params)?;
    if n == 1 {
        return Ok(Box::new(Idle));
    }
    shape(params)?;
    let order = if params.order.is_empty() { Radix::full(&[n]) } else { Radix::full(&params.order) };
    let kind = match collective {
        Collective::AllToAll if algorithm == Algorithm::Bruck => Kind::Pairs(Radix::full(&[n])),
        Collective::AllToAll => Kind::Pairs(order.clone()),
        Collective::SendRecv => Kind::Own,
        _ => Kind::Pieces,
    };
    let many = || Refusal::Algorithm(format!("more than {MAX_DIMS} dimensions, halves of twisted ones counted apart"));
    let cut = Cut::new(kind, params.payload(), params.element, n, pieces(params), total)?;
    Ok(match algorithm {
        Algorithm::Ring => lay(Ring::new(collective, params.root, (&params.levels, &params.nodes), shared, &cut), cut),
        Algorithm::Direct => lay(Direct::new(collective, params.root, false, order, &cut), cut),
        Algorithm::TwoShot => lay(Direct::new(collective, params.root, true, order, &cut), cut),
        Algorithm::RecursiveDoubling => lay(RecursiveDoubling::new(collective, &cut), cut),
        Algorithm::HalvingDoubling => lay(HalvingDoubling::new(collective, &cut), cut),
        Algorithm::Bruck => lay(Bruck::new(collective, &cut), cut),
        Algorithm::DoubleBinaryTree => lay(DoubleTree::new(collective, params.root, node(params), shared, &cut), cut),
        Algorithm::Binomial => lay(Binomial::new(collective, params.root, &cut), cut),
        Algorithm::Pairwise => lay(Pairwise::new(collective, order, &cut), cut),
        Algorithm::TorusBucket => {
            lay(torus::program(collective, &params.dims, &params.wrap, &params.twist).ok_or_else(many)?, cut)
        }
        Algorithm::Hierarchical => lay(hierarchical::program(collective, &params.levels).ok_or_else(many)?, cut),
        Algorithm::InNetwork => lay(InNetwork::new(collective, params.root, params.shared, order, &cut), cut),
        Algorithm::InNetworkTree => lay(InNetworkTree::new(unit(params), &cut), cut),
    })
}

impl Params {
    /// Channels of a double binary tree over nodes, and how many ranks of a node are heads of some; `None` if it knows no nodes.
    pub fn tree_channels(&self) -> Option<(u32, u32)> {
        let node = node(self);
        let (channels, _) = lanes(self).ok().filter(|_| node > 1)?;
        Some((channels, (channels / 2).clamp(1, node)))
    }
}

/// Ranks of a unit in which switches form sums; all of them if there is one unit.
fn unit(params: &Params) -> u32 {
    in_network_tree::unit(&params.levels, params.ranks).unwrap_or(params.ranks)
}

/// Ranks of a node, where a double binary tree has chains inside nodes; otherwise 1.
fn node(params: &Params) -> u32 {
    double_tree::node(params.collective, &params.levels, params.ranks)
}

fn lay<P: Program + 'static>(program: P, cut: Cut) -> Box<dyn Schedule> {
    Box::new(Laid { cut, program })
}

/// Whether the group has the shape that the algorithm needs, and takes no more steps than a schedule may have.
fn shape(params: &Params) -> std::result::Result<(), Refusal> {
    let real = |sizes: &[u32]| sizes.iter().filter(|&&size| size > 1).count();
    let sum = |sizes: &[u32]| sizes.iter().map(|&size| u64::from(size.max(1) - 1)).sum::<u64>();
    let twice = if params.collective == Collective::AllReduce { 2 } else { 1 };
    let steps = match params.algorithm {
        Algorithm::Ring if params.collective.rooted() => 2,
        Algorithm::Ring => twice * u64::from(params.ranks - 1),
        Algorithm::Pairwise => u64::from(params.ranks - 1),
        Algorithm::TorusBucket => {
            if params.dims.is_empty() {
                return Err(Refusal::Algorithm("the ranks do not fill a torus".into()));
            }
            if real(&params.dims) > MAX_DIMS {
                let why = format!("{} dimensions, at most {MAX_DIMS}", real(&params.dims));
                return Err(Refusal::Algorithm(why));
            }
            twice * sum(&params.dims)
        }
        Algorithm::Hierarchical => {
            if real(&params.levels) < 2 {
                return Err(Refusal::Algorithm("the group has only one level".into()));
            }
            if real(&params.levels) > MAX_DIMS {
                let why = format!("{} levels, at most {MAX_DIMS}", real(&params.levels));
                return Err(Refusal::Algorithm(why));
            }
            twice * sum(&params.levels)
        }
        Algorithm::InNetworkTree if unit(params) == params.ranks => {
            return Err(Refusal::Algorithm(
                "the ranks do not fill several units evenly, with several ranks in each".into(),
            ));
        }
        _ => u64::from(2 * ceil_log2(params.ranks) + 2),
    };
    if steps > u64::from(MAX_STEPS) {
        return Err(Refusal::Algorithm(format!("it would take {steps} steps, at most {MAX_STEPS}")));
    }
    Ok(())
}

/// Number of pieces that the buffer is cut into.
fn pieces(params: &Params) -> u32 {
    let whole = match params.algorithm {
        Algorithm::RecursiveDoubling => params.collective == Collective::AllReduce,
        Algorithm::Direct => params.collective == Collective::AllReduce,
        Algorithm::DoubleBinaryTree => true,
        Algorithm::InNetwork => params.shared && params.collective == Collective::AllReduce,
        _ => false,
    };
    match params.collective {
        Collective::Broadcast | Collective::Reduce | Collective::SendRecv => 1,
        _ if whole => 1,
        _ if params.algorithm == Algorithm::InNetworkTree => unit(params),
        collective if params.algorithm == Algorithm::HalvingDoubling => {
            halving_doubling::pieces(collective, params.ranks)
        }
        _ => params.ranks,
    }
}
