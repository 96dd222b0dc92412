//! Quotients are what they claim: classes of equal size, whose links lead where those of their members lead.

use super::*;
use crate::collective::{Algorithm, Collective, Params, build};
use crate::control::Control;
use crate::fabric::Place;
use crate::spec::{DeviceSpec, LinkSpec, NetworkSpec, RoutingSpec, SwitchSpec, SystemSpec, TopologySpec};
use crate::units::BitRate;

fn network(name: &str, span: u32, topology: TopologySpec, planes: Vec<u32>) -> NetworkSpec {
    let tiers = match &topology {
        TopologySpec::Clos { down, .. } => down.len(),
        TopologySpec::Torus { dims, .. } | TopologySpec::FullMesh { dims } => dims.len(),
        TopologySpec::Graph { .. } => 1,
    };
    let switches = if matches!(topology, TopologySpec::Clos { .. }) { tiers } else { 1 };
    NetworkSpec {
        name: name.into(),
        span,
        topology,
        planes,
        links: vec![LinkSpec { rate: BitRate(1 << 38), latency_fs: 1000, medium: String::new() }; tiers],
        switches: vec![SwitchSpec { latency_fs: 0, cut_through: true, in_network_reduce: false }; switches],
        payload: 4096,
        overhead: 0,
        routing: RoutingSpec::SprayRoundRobin,
        buffer: None,
        dateline: true,
        transport: Default::default(),
    }
}

fn clos(down: &[u32], up: &[u32], parallel: &[u32], rails: u32) -> TopologySpec {
    TopologySpec::Clos { down: down.into(), up: up.into(), parallel: parallel.into(), rails }
}

fn fabric(networks: Vec<NetworkSpec>) -> Fabric {
    let accelerators = networks.last().map_or(1, |n| n.span);
    Fabric::new(
        &SystemSpec { name: "test".into(), accelerators, device: DeviceSpec::default(), networks },
        &Control::default(),
    )
    .unwrap()
}

fn all_to_all(fabric: &Fabric, ranks: u32) -> Folding {
    let mut params = Params::new(Collective::AllToAll, Algorithm::Direct, ranks, u64::from(ranks) * 4);
    let placement: Vec<u32> = (0..ranks).collect();
    params.order = order(fabric, &placement);
    Folding::new(fabric, &*build(&params).unwrap(), &placement, true, &Control::default()).unwrap()
}

/// Every class that is in use has as many members as the group has shifts, and links of members lead to members of the
/// class that the link of the class leads to. Returns the order of the group.
fn hold(fabric: &Fabric, ranks: u32) -> u64 {
    check(fabric, ranks, &all_to_all(fabric, ranks))
}

fn check(fabric: &Fabric, ranks: u32, folding: &Folding) -> u64 {
    let Some(quotient) = folding.quotient() else {
        return 1;
    };
    let mut members = std::collections::BTreeMap::new();
    for vertex in 0..fabric.vertices() {
        for port in 0..fabric.ports(vertex) {
            let Some(class) = folding.class_of(fabric, (vertex, port)) else {
                continue;
            };
            let (there, here) = (quotient.peer(class.0, class.1), fabric.peer(vertex, port));
            let idle = here.is_some_and(|e| matches!(fabric.place(e.vertex), Place::Accelerator(a) if a >= ranks));
            if idle {
                continue;
            }
            *members.entry(class).or_insert(0u64) += 1;
            assert_eq!(there.is_some(), here.is_some(), "{} port {port}", fabric.name(vertex));
            if let (Some(there), Some(here)) = (there, here) {
                let end = folding.class_of(fabric, (here.vertex, here.port));
                assert_eq!(end, Some((there.vertex, there.port)), "{} port {port}", fabric.name(vertex));
                assert_eq!((here.network, here.tier), (there.network, there.tier));
            }
        }
    }
    for vertex in 0..quotient.vertices() {
        for port in 0..quotient.ports(vertex) {
            let count = members.get(&(vertex, port)).copied().unwrap_or(0);
            let plugged = quotient.peer(vertex, port).is_some();
            assert!(!plugged || count == folding.group().order(), "{count} members of {vertex} port {port}");
            assert_eq!(folding.class_of(fabric, folding.representative(fabric, (vertex, port))), Some((vertex, port)));
        }
    }
    folding.group().order()
}

#[test]
fn classes_are_even_and_joined_as_their_members_are() {
    // one switch: everyone alike
    assert_eq!(hold(&fabric(vec![network("a", 12, clos(&[12], &[1], &[1], 1), vec![1; 3])]), 12), 12);
    // full bisection: everyone alike
    assert_eq!(hold(&fabric(vec![network("a", 64, clos(&[4, 4, 4], &[1, 4, 4], &[1; 3], 1), vec![1])]), 64), 64);
    // 2:1 at both tiers: two kinds of places at each
    assert_eq!(hold(&fabric(vec![network("a", 128, clos(&[4, 4, 8], &[1, 2, 2], &[1; 3], 1), vec![1])]), 128), 32);
    // parallel links on the way up
    assert_eq!(hold(&fabric(vec![network("a", 32, clos(&[8, 4], &[1, 2], &[1, 4], 1), vec![1])]), 32), 32);
    assert_eq!(hold(&fabric(vec![network("a", 32, clos(&[8, 4], &[1, 4], &[1, 2], 1), vec![1, 1])]), 32), 32);
    // a ring's digit that takes parents and parallel links together
    let tree = fabric(vec![network("a", 32, clos(&[8, 4], &[1, 2], &[1, 4], 1), vec![1])]);
    let ring =
        build(&Params { levels: vec![8, 4], ..Params::new(Collective::AllReduce, Algorithm::Hierarchical, 32, 4096) });
    let folding =
        Folding::new(&tree, &*ring.unwrap(), &(0..32).collect::<Vec<u32>>(), true, &Control::default()).unwrap();
    assert_eq!(check(&tree, 32, &folding), 32);
    assert_eq!(folding.group().digits(), [Digit { stride: 1, size: 8 }, Digit { stride: 8, size: 4 }]);
    // uplinks that do not divide the children: 6 places, 4 uplinks, parts of two
    assert_eq!(hold(&fabric(vec![network("a", 24, clos(&[6, 4], &[1, 4], &[1, 1], 1), vec![1])]), 24), 8);
    // several links of an accelerator into one leaf
    assert_eq!(hold(&fabric(vec![network("a", 16, clos(&[4, 4], &[1, 8], &[1, 1], 1), vec![2])]), 16), 16);
    // tori, meshes, full meshes
    let torus = TopologySpec::Torus { dims: vec![4, 2, 5], wrap: vec![true; 3], twist: vec![] };
    assert_eq!(hold(&fabric(vec![network("a", 40, torus, vec![1])]), 40), 40);
    let mesh = TopologySpec::Torus { dims: vec![4, 3], wrap: vec![true, false], twist: vec![] };
    assert_eq!(hold(&fabric(vec![network("a", 12, mesh, vec![2])]), 12), 4);
    assert_eq!(hold(&fabric(vec![network("a", 12, TopologySpec::FullMesh { dims: vec![4, 3] }, vec![1])]), 12), 12);
}

#[test]
fn compositions_fold_level_by_level() {
    let host = || network("host", 4, clos(&[4], &[1], &[1], 1), vec![2]);
    // rails: 8 hosts of 4, each rail of 4 hosts on its leaf; 8 leaves under 4 spines
    let rails = clos(&[4, 8], &[1, 4], &[1, 1], 4);
    assert_eq!(hold(&fabric(vec![host(), network("rails", 32, rails, vec![1])]), 32), 32);
    // pods of fewer leaves than rails
    let pods = clos(&[2, 2, 8], &[1, 2, 2], &[1, 1, 1], 4);
    assert_eq!(hold(&fabric(vec![host(), network("rails", 32, pods, vec![1])]), 32), 32);
    let rack = network("rack", 8, TopologySpec::FullMesh { dims: vec![4, 2] }, vec![1]);
    assert_eq!(hold(&fabric(vec![rack, network("pod", 64, clos(&[16, 4], &[1, 16], &[1, 1], 1), vec![1])]), 64), 64);
    // fewer ranks than accelerators
    assert_eq!(hold(&fabric(vec![host(), network("pod", 64, clos(&[16, 4], &[1, 16], &[1, 1], 1), vec![1])]), 16), 16);
    assert_eq!(hold(&fabric(vec![host(), network("pod", 64, clos(&[16, 4], &[1, 16], &[1, 1], 1), vec![1])]), 4), 4);
}

#[test]
fn what_is_not_proved_is_not_folded() {
    let with = |routing, dateline: bool| {
        let mut tree = network("net", 16, clos(&[4, 4], &[1, 4], &[1, 1], 1), vec![1]);
        tree.routing = routing;
        let mut ring =
            network("net", 16, TopologySpec::Torus { dims: vec![4, 4], wrap: vec![true; 2], twist: vec![] }, vec![1]);
        ring.buffer = Some(1 << 20);
        ring.dateline = dateline;
        (all_to_all(&fabric(vec![tree]), 16), all_to_all(&fabric(vec![ring]), 16))
    };
    let (hashed, dateline) = with(RoutingSpec::Ecmp, true);
    assert!(!hashed.applied() && hashed.reason().contains("by a hash of names"), "{}", hashed.reason());
    assert!(!dateline.applied() && dateline.reason().contains("virtual channels"), "{}", dateline.reason());
    let (by_destination, free) = with(RoutingSpec::DModK, false);
    assert!(by_destination.applied() && free.applied());
}

#[test]
fn kinds_name_messages_up_to_shifts() {
    let fabric = fabric(vec![network("a", 64, clos(&[4, 4, 4], &[1, 2, 4], &[1; 3], 1), vec![1])]);
    let folding = all_to_all(&fabric, 64);
    assert_eq!(folding.classes(), 2);
    let mut kinds = std::collections::BTreeMap::new();
    for src in 0..64 {
        for dst in 0..64 {
            let message_class = folding.labels(0).of(src, dst);
            *kinds.entry(message_class).or_insert(0) += 1;
            assert_eq!(folding.labels(0).source(message_class, dst), src);
        }
    }
    assert_eq!(kinds.len(), 2 * 64);
    assert!(kinds.values().all(|&count| count == 32));
}
