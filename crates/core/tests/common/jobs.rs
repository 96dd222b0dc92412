//! Random runs on random small fabrics, and what of their records must be equal.

use super::*;
use proptest::prelude::*;
use proptest::sample::Index;
use supernode_core::collective::valid_algorithms;
use supernode_core::control::Control;
use supernode_core::symmetry::order;

/// Every policy.
pub(crate) const ROUTINGS: [RoutingSpec; 5] =
    [RoutingSpec::DModK, RoutingSpec::SModK, RoutingSpec::Ecmp, RoutingSpec::SprayRoundRobin, RoutingSpec::SprayRandom];

/// Small fabrics of every family: up to 24 accelerators, or if tiny up to 12, for runs of many packets.
pub(crate) fn shapes(tiny: bool) -> impl Strategy<Value = SystemSpec> {
    let (a, b) = if tiny { (2, 2) } else { (4, 3) };
    (0usize..8, 1u32..4, 1u32..3).prop_map(move |(kind, k, links)| match kind {
        0 => system(a * k, vec![network("switch", a * k, clos(&[a * k], &[1]), vec![links; 2])]),
        1 => system(3 * a, vec![network("tree", 3 * a, clos(&[a, 3], &[1, k]), vec![links])]),
        2 => system(2 * a * b, vec![network("tree", 2 * a * b, clos(&[b, a, 2], &[1, k, 2]), vec![1])]),
        3 => {
            let dims = [a.max(3), k + a / 2];
            let n = dims.iter().product();
            system(n, vec![network("torus", n, torus(&dims), vec![links])])
        }
        7 => {
            let turned = TopologySpec::Torus { dims: vec![k + 2, 4], wrap: vec![true; 2], twist: vec![[0, 1]] };
            system(4 * (k + 2), vec![network("twisted", 4 * (k + 2), turned, vec![links])])
        }
        4 => {
            let mesh = TopologySpec::FullMesh { dims: vec![a, k + 1] };
            system(a * (k + 1), vec![network("mesh", a * (k + 1), mesh, vec![links])])
        }
        5 => {
            let host = network("host", 4, clos(&[4], &[1]), vec![2, 1]);
            let rails = TopologySpec::Clos { down: vec![a / 2, 2 * a], up: vec![1, 2], parallel: vec![1, 1], rails: 4 };
            system(a * a, vec![host, network("rails", a * a, rails, vec![1, 1])])
        }
        _ => {
            let rack = network("rack", 2 * a, TopologySpec::FullMesh { dims: vec![a, 2] }, vec![1]);
            system(4 * a, vec![rack, network("pod", 4 * a, clos(&[2 * a, 2], &[1, k + 1]), vec![1])])
        }
    })
}

/// Fabrics with one of these policies, some with buffers of two packets, headers, slow memory or fast upper links.
pub(crate) fn dressed(
    shapes: impl Strategy<Value = SystemSpec>,
    routings: Vec<RoutingSpec>,
) -> impl Strategy<Value = SystemSpec> {
    let routing = prop::sample::select(routings);
    let overhead = prop_oneof![Just(0u32), 0u32..65];
    (shapes, routing, 0usize..3, overhead, any::<bool>(), any::<bool>(), 0u64..4).prop_map(
        |(mut spec, routing, buffer, overhead, cut, fast, memory)| {
            let rate = |factor: u64| (memory > 0).then(|| BitRate(RATE.0 * factor * memory / 2));
            spec.device = DeviceSpec {
                name: String::new(),
                generation: String::new(),
                hbm_rate: rate(2),
                copy_rate: rate(2),
                reduce_rate: rate(1),
            };
            for net in &mut spec.networks {
                net.routing = routing;
                net.buffer = [Some(2 * (4096 + 64)), Some(64 * 1024), None][buffer];
                net.overhead = overhead;
                net.transport.latency_fs = u64::from(overhead % 2) * 777_777_777;
                net.transport.per_message_fs = u64::from(overhead % 3) * 55_555_555;
                net.switches.iter_mut().for_each(|s| s.cut_through = cut);
                let twisted = matches!(&net.topology, TopologySpec::Torus { twist, .. } if !twist.is_empty());
                if fast && net.links.len() > 1 && !twisted {
                    net.links[1].rate.0 *= 2;
                }
            }
            spec
        },
    )
}

/// Any collective by any algorithm that can run it, over all accelerators or the first of them; some with few lanes.
pub(crate) fn jobs_on(
    fabrics: impl Strategy<Value = SystemSpec>,
    elements: impl Strategy<Value = u64>,
) -> impl Strategy<Value = (SystemSpec, Params)> {
    let ranks = (any::<bool>(), any::<Index>());
    (fabrics, 0usize..10, any::<Index>(), elements, ranks, 0u32..8).prop_map(
        |(spec, collective, algorithm, elements, (all, part), lanes)| {
            let n = if all { spec.accelerators } else { 1 + part.index(spec.accelerators as usize) as u32 };
            let collective = Collective::ALL[collective];
            let bytes = if collective == Collective::Barrier { 0 } else { elements * 4 };
            let mut params = Params::new(collective, Algorithm::Ring, n, bytes);
            if n == spec.accelerators {
                if let TopologySpec::Torus { dims, twist, .. } = &spec.networks[0].topology {
                    (params.dims, params.twist) = (dims.clone(), twist.clone());
                }
                if spec.networks.len() > 1 {
                    params.levels = vec![spec.networks[0].span, n / spec.networks[0].span];
                }
            }
            let accelerators: Vec<u32> = (0..n).collect();
            params.order = order(&Fabric::new(&spec, &Control::default()).expect("a fabric"), &accelerators);
            let one_tier = |n: &NetworkSpec| matches!(&n.topology, TopologySpec::Clos { down, .. } if down.len() == 1);
            let in_network = spec.networks.len() == 1 && one_tier(&spec.networks[0]);
            // of several networks those inside units sum
            let sums = in_network || spec.networks.len() > 1 && one_tier(&spec.networks[0]);
            let fits = |algorithm: &Algorithm| in_network || *algorithm != Algorithm::InNetwork;
            let valid: Vec<Algorithm> = valid_algorithms(&params, sums).into_iter().filter(fits).collect();
            params.algorithm = valid[algorithm.index(valid.len())];
            if let 1..4 = lanes {
                params.lanes = Some(lanes);
            }
            (spec, params)
        },
    )
}

/// Short runs on every small fabric with every policy.
pub(crate) fn jobs() -> impl Strategy<Value = (SystemSpec, Params)> {
    jobs_on(dressed(shapes(false), ROUTINGS.to_vec()), 1u64..60_000)
}

/// A record without the facts about the run that are no results.
pub(crate) fn comparable(mut record: Record) -> Record {
    (record.threads, record.state_bytes, record.windows) = (0, 0, 0);
    record.skipping = Default::default();
    record
}

/// What the record of a folded run says of the run in full.
pub(crate) fn expanded(folding: &Folding, fabric: &Fabric, folded: Record) -> Record {
    Record {
        ranks: folding.ranks(&folded),
        links: folding.links(fabric, &folded),
        flows: folding.flows(&folded),
        multiplicity: 1,
        ..comparable(folded)
    }
}
