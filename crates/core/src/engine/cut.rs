//! Where LPs are cut into shards.
//!
//! **Model.** A shard is a run of LPs in their order of locality. An LP weighs as much as it has ports, a switch times the
//! share of the accelerators beneath that carry ranks; what carries nothing weighs next to nothing, and so do the switches
//! above all ranks of a network. The cuts make shards of equal weight.
//!
//! **Shards a thread.** One thread has one shard. Several have [`PIECES`] each, to be dealt out anew in every window as work moves
//! about ([`super::deal`]). More would balance better, but every packet that crosses from shard to shard is copied twice.
//!
//! **Invariant.** No result depends on the cuts. **Cost.** O(LPs) once. **Limits.** Positions of rails count as if they lay
//! side by side; what ranks have to do is taken to be the same for all.

use super::Job;
use super::layout::Layout;
use crate::fabric::{Place, Shape};

/// Shards a thread where there are several threads.
const PIECES: usize = 4;
/// Shards at most, unless there are more threads: mailbags go from each to each.
const MOST: usize = 512;
/// What one port weighs; an LP that carries nothing weighs one.
const PORT: u64 = 64;

/// An LP with a rank, and the rank.
pub(super) type Seat = (u32, u32);

/// Where the simulated ranks sit, in the order of LPs.
pub(super) fn seats(job: &Job, layout: &Layout) -> Vec<Seat> {
    let ranks = (0..job.folding.simulated()).map(|i| job.folding.rank(i));
    let lp = |rank: u32| layout.lp[job.folding.stands_for(job.placement[rank as usize]) as usize];
    let mut seats: Vec<Seat> = ranks.map(|rank| (lp(rank), rank)).collect();
    seats.sort_unstable();
    seats
}

/// How many shards so many threads should have.
pub(super) fn shards(layout: &Layout, threads: usize) -> usize {
    let pieces = if threads == 1 { 1 } else { PIECES.min(MOST / threads).max(1) };
    (threads * pieces).min(layout.nodes.len())
}

/// Cuts LPs into runs of about equal weight: the first LP of each, and the number of LPs at the end.
pub(super) fn cuts(job: &Job, layout: &Layout, seats: &[Seat], shards: usize) -> Vec<u32> {
    let lps = layout.nodes.len();
    if shards == 1 {
        return vec![0, lps as u32];
    }
    let weights = weights(job, layout, seats);
    let total: u64 = weights.iter().sum();
    let (mut cuts, mut before) = (vec![0], 0);
    for (lp, weight) in weights.iter().enumerate() {
        // a shard begins once those before have their share, but none may be left without an LP
        let begun = cuts.len();
        let full = before * shards as u64 >= total * begun as u64;
        if lp > 0 && begun < shards && (full || lps - lp <= shards - begun) {
            cuts.push(lp as u32);
        }
        before += weight;
    }
    cuts.push(lps as u32);
    cuts
}

/// What each LP is expected to do.
fn weights(job: &Job, layout: &Layout, seats: &[Seat]) -> Vec<u64> {
    let fabric = job.simulated();
    let accelerators = fabric.spec.accelerators as usize;
    let mut used = vec![0; accelerators + 1];
    for &(lp, _) in seats {
        used[layout.vertex[lp as usize] as usize + 1] = 1u64;
    }
    for i in 0..accelerators {
        used[i + 1] += used[i];
    }
    // ranks on so many accelerators from the first on
    let within = |first: u64, count: u64| {
        let clamp = |a: u64| used[(a as usize).min(accelerators)];
        clamp(first + count.max(1)) - clamp(first)
    };
    let weight = |(lp, &vertex): (usize, &u32)| {
        let ports = u64::from(layout.first_port[lp + 1] - layout.first_port[lp]);
        match fabric.place(vertex) {
            Place::Accelerator(a) => 1 + PORT * (ports + 1) * within(a.into(), 1),
            Place::Switch { network, copy, plane, index } => {
                let net = &fabric.networks[network];
                let Shape::Clos(tree) = &net.planes[plane].shape else {
                    return 1;
                };
                let (tier, a, _) = tree.locate(index);
                let t = &tree.tiers()[tier];
                // positions of a member of the network
                let scale = u64::from(tree.positions() / net.span.max(1)).max(1);
                let child = (u64::from(t.child_positions) / scale).max(1);
                let below = (u64::from(t.down) * u64::from(t.child_positions) / scale).max(1);
                let base = u64::from(copy) * u64::from(net.span);
                let first = base + u64::from(a) * below;
                let ranks = within(first, below);
                let all = ranks == within(base, net.span.into());
                let in_one_child = || (0..u64::from(t.down)).any(|c| within(first + c * child, child) == ranks);
                if tier > 0 && all && in_one_child() { 1 } else { 1 + PORT * (ports + 1) * ranks / below }
            }
        }
    };
    layout.vertex.iter().enumerate().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collective::{Algorithm, Collective, Params, build};
    use crate::control::Control;
    use crate::fabric::Fabric;
    use crate::spec::*;
    use crate::symmetry::Folding;
    use crate::units::BitRate;

    /// Ranks in each of so many shards, for a ring on some of the 64 accelerators of a three-tier tree.
    fn ranks_by_shard(placement: &[u32], shards: usize) -> Vec<usize> {
        let link = LinkSpec { rate: BitRate(400_000_000_000), latency_fs: 500_000_000, medium: String::new() };
        let switch = SwitchSpec { latency_fs: 0, cut_through: true, in_network_reduce: false };
        let net = NetworkSpec {
            name: "tree".into(),
            span: 64,
            topology: TopologySpec::Clos { down: vec![4; 3], up: vec![1, 4, 4], parallel: vec![1; 3], rails: 1 },
            planes: vec![1],
            links: vec![link; 3],
            switches: vec![switch; 3],
            payload: 4096,
            overhead: 0,
            routing: RoutingSpec::DModK,
            buffer: None,
            dateline: true,
            transport: Default::default(),
        };
        let spec =
            SystemSpec { name: String::new(), accelerators: 64, device: DeviceSpec::default(), networks: vec![net] };
        let (fabric, protocol) = (Fabric::new(&spec, &Control::default()).unwrap(), ProtocolSpec::default());
        let ranks = placement.len() as u32;
        let schedule = build(&Params::new(Collective::AllGather, Algorithm::Ring, ranks, 4096)).unwrap();
        let job = Job {
            fabric: &fabric,
            schedule: &*schedule,
            placement,
            folding: &Folding::none(ranks, String::new()),
            protocol: &protocol,
            workload: None,
            explicit: None,
            seed: 0,
            threads: 1,
            record_flows: false,
            record_links: false,
            time_limit_fs: None,
            skip: false,
        };
        let layout = Layout::new(&fabric, &protocol, &Control::default()).unwrap();
        let seats = seats(&job, &layout);
        let cuts = cuts(&job, &layout, &seats, shards);
        assert!(cuts.len() == shards + 1 && cuts.is_sorted_by(|a, b| a < b));
        cuts.windows(2).map(|c| seats.iter().filter(|seat| (c[0]..c[1]).contains(&seat.0)).count()).collect()
    }

    #[test]
    fn ranks_in_a_corner_are_spread_over_the_shards() {
        let everywhere: Vec<u32> = (0..64).collect();
        assert_eq!(ranks_by_shard(&everywhere, 1), [64]);
        assert_eq!(ranks_by_shard(&everywhere, 4), [16; 4]);
        for corner in [0..16, 16..32, 48..64] {
            let corner: Vec<u32> = corner.collect();
            let halves = ranks_by_shard(&corner, 2);
            assert!(halves.iter().all(|&ranks| (7..=9).contains(&ranks)), "{halves:?}");
        }
        // far more shards than work: every shard has an LP all the same
        assert_eq!(ranks_by_shard(&[63], 100).iter().sum::<usize>(), 1);
    }
}
