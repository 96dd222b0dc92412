//! Random runs on random small fabrics, and what of their records must be equal.

use super::*;
use proptest::prelude::*;
use supernode_core::collective::valid_algorithms;
use supernode_core::symmetry::order;

/// Random small fabrics of every family, some with buffers of two packets.
pub(crate) fn fabrics() -> impl Strategy<Value = SystemSpec> {
    let shape = (0usize..7, 1u32..4, 1u32..3).prop_map(|(kind, k, links)| match kind {
        0 => system(4 * k, vec![network("switch", 4 * k, clos(&[4 * k], &[1]), vec![links; 2])]),
        1 => system(12, vec![network("tree", 12, clos(&[4, 3], &[1, k]), vec![links])]),
        2 => system(24, vec![network("tree", 24, clos(&[3, 4, 2], &[1, k, 2]), vec![1])]),
        3 => system(4 * (k + 2), vec![network("torus", 4 * (k + 2), torus(&[4, k + 2]), vec![links])]),
        4 => system(
            4 * (k + 1),
            vec![network("mesh", 4 * (k + 1), TopologySpec::FullMesh { dims: vec![4, k + 1] }, vec![links])],
        ),
        5 => {
            let host = network("host", 4, clos(&[4], &[1]), vec![2, 1]);
            let rails = TopologySpec::Clos { down: vec![2, 8], up: vec![1, 2], parallel: vec![1, 1], rails: 4 };
            system(16, vec![host, network("rails", 16, rails, vec![1, 1])])
        }
        _ => {
            let rack = network("rack", 8, TopologySpec::FullMesh { dims: vec![4, 2] }, vec![1]);
            system(16, vec![rack, network("pod", 16, clos(&[8, 2], &[1, 4]), vec![1])])
        }
    });
    (shape, 0usize..5, 0usize..3, 0u32..65, any::<bool>(), any::<bool>(), 0u64..3).prop_map(
        |(mut spec, routing, buffer, overhead, cut, fast, memory)| {
            use RoutingSpec::*;
            let rate = |factor: u64| (memory > 0).then(|| supernode_core::units::BitRate(RATE.0 * factor * memory / 2));
            spec.device =
                DeviceSpec { name: String::new(), hbm_rate: rate(2), copy_rate: rate(2), reduce_rate: rate(1) };
            for net in &mut spec.networks {
                net.routing = [DModK, SModK, Ecmp, SprayRoundRobin, SprayRandom][routing];
                net.buffer = [Some(2 * (4096 + 64)), Some(64 * 1024), None][buffer];
                net.overhead = overhead;
                net.switches.iter_mut().for_each(|s| s.cut_through = cut);
                if fast && net.links.len() > 1 {
                    net.links[1].rate.0 *= 2;
                }
            }
            spec
        },
    )
}

pub(crate) fn jobs() -> impl Strategy<Value = (SystemSpec, Params)> {
    (fabrics(), 0usize..10, any::<prop::sample::Index>(), 1u64..60_000, any::<prop::sample::Index>()).prop_map(
        |(spec, collective, algorithm, elements, ranks)| {
            let n = 1 + ranks.index(spec.accelerators as usize) as u32;
            let n = if n.is_multiple_of(3) { spec.accelerators } else { n };
            let collective = Collective::ALL[collective];
            let bytes = if collective == Collective::Barrier { 0 } else { elements * 4 };
            let mut params = Params::new(collective, Algorithm::Ring, n, bytes);
            if n == spec.accelerators {
                if let TopologySpec::Torus { dims, .. } = &spec.networks[0].topology {
                    params.dims = dims.clone();
                }
                if spec.networks.len() > 1 {
                    params.levels = vec![spec.networks[0].span, n / spec.networks[0].span];
                }
            }
            params.order = order(&Fabric::new(&spec).expect("a fabric"), n);
            let one_tier = |n: &NetworkSpec| matches!(&n.topology, TopologySpec::Clos { down, .. } if down.len() == 1);
            let in_network = spec.networks.len() == 1 && one_tier(&spec.networks[0]);
            let valid = valid_algorithms(&params, in_network);
            params.algorithm = valid[algorithm.index(valid.len())];
            (spec, params)
        },
    )
}

/// A record without the facts about the run that are no results.
pub(crate) fn comparable(mut record: Record) -> Record {
    (record.threads, record.state_bytes, record.windows) = (0, 0, 0);
    record.skipping = Default::default();
    record
}
