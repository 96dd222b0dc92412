//! Counts that vendors publish follow from the graph, and every port's peer leads back.
use super::*;
use crate::control::Control;
use crate::spec::{DeviceSpec, RoutingSpec, TopologySpec};
use crate::units::BitRate;

fn network(name: &str, span: u32, topology: TopologySpec, planes: Vec<u32>, tiers: usize) -> NetworkSpec {
    let link = LinkSpec { rate: BitRate(400_000_000_000), latency_fs: 500_000_000, medium: String::new() };
    let switch = SwitchSpec { latency_fs: 0, cut_through: true, in_network_reduce: false };
    let switches = if matches!(topology, TopologySpec::Clos { .. }) { tiers } else { 1 };
    NetworkSpec {
        name: name.into(),
        span,
        topology,
        planes,
        links: vec![link; tiers],
        switches: vec![switch; switches],
        payload: 4096,
        overhead: 0,
        routing: RoutingSpec::DModK,
        buffer: Some(1 << 16),
        dateline: true,
        transport: Default::default(),
    }
}

fn clos(down: &[u32], up: &[u32], parallel: &[u32], rails: u32) -> TopologySpec {
    TopologySpec::Clos { down: down.into(), up: up.into(), parallel: parallel.into(), rails }
}

fn system(accelerators: u32, networks: Vec<NetworkSpec>) -> SystemSpec {
    SystemSpec { name: "test".into(), accelerators, device: DeviceSpec::default(), networks }
}

fn check_involution(fabric: &Fabric) -> u64 {
    let mut links = 0;
    for vertex in 0..fabric.vertices() {
        for port in 0..fabric.ports(vertex) {
            let Some(end) = fabric.peer(vertex, port) else {
                continue;
            };
            links += 1;
            let back = fabric.peer(end.vertex, end.port).expect("a link leads back");
            assert_eq!((back.vertex, back.port), (vertex, port), "{} port {port}", fabric.name(vertex));
            assert_eq!((back.network, back.tier), (end.network, end.tier));
        }
    }
    links
}

#[test]
fn cloudmatrix384_has_336_leaf_and_112_spine_chips() {
    let ub = network("ub", 384, clos(&[8, 48], &[1, 16], &[1, 1], 1), vec![2; 7], 2);
    let fabric = Fabric::new(&system(384, vec![ub]), &Control::default()).unwrap();
    // 7 planes x (48 L1 + 16 L2) = 336 + 112
    assert_eq!(fabric.vertices() - 384, 336 + 112);
    // directed links: accelerator side 384 x 14, L1-L2 7 x 48 x 16, both ways
    assert_eq!(check_involution(&fabric), 2 * (384 * 14 + 7 * 48 * 16));
}

#[test]
fn hpn7_pod_puts_each_rail_on_its_own_leaf() {
    let hpn = network("hpn", 15_360, clos(&[128, 120], &[1, 60], &[1, 1], 8), vec![1, 1], 2);
    let fabric = Fabric::new(&system(15_360, vec![hpn]), &Control::default()).unwrap();
    // 2 planes x (120 ToR + 60 aggregation)
    assert_eq!(fabric.vertices() - 15_360, 360);
    check_involution(&fabric);
    let leaf = |gpu| fabric.peer(gpu, 0).unwrap().vertex;
    assert_eq!(leaf(0), leaf(8), "rail 0 of hosts 0 and 1");
    assert_ne!(leaf(0), leaf(1), "rails 0 and 1 of host 0");
    assert_ne!(leaf(0), leaf(1024), "rail 0 of the next segment");
}

#[test]
fn hgx_planes_may_be_unequal() {
    let nvlink = network("nvlink", 8, clos(&[8], &[1], &[1], 1), vec![5, 4, 4, 5], 1);
    let fabric = Fabric::new(&system(16, vec![nvlink]), &Control::default()).unwrap();
    assert_eq!(fabric.accelerator_ports(), 18);
    assert_eq!(check_involution(&fabric), 2 * 16 * 18);
}

#[test]
fn a_rack_mesh_and_a_tree_compose() {
    let rack = network("rack", 64, TopologySpec::FullMesh { dims: vec![8, 8] }, vec![1], 2);
    let pod = network("pod", 128, clos(&[32, 4], &[1, 8], &[1, 2], 1), vec![2, 2], 2);
    let fabric = Fabric::new(&system(128, vec![rack, pod]), &Control::default()).unwrap();
    assert_eq!(fabric.accelerator_ports(), 14 + 4);
    check_involution(&fabric);
    assert_eq!(fabric.network_between(0, 63), Some(0));
    assert_eq!(fabric.network_between(0, 64), Some(1));
}

#[test]
fn what_cannot_be_built_is_named() {
    let cases = [
        (network("a", 5, clos(&[8], &[1], &[1], 1), vec![1], 1), "span 5 does not divide"),
        (network("b", 8, clos(&[4], &[1], &[1], 1), vec![1], 1), "4 accelerator places for a span of 8"),
        (network("c", 8, clos(&[8, 1], &[1], &[1], 1), vec![1], 1), "three lists"),
        (
            network("d", 8, TopologySpec::Torus { dims: vec![2, 2], wrap: vec![true; 2], twist: vec![] }, vec![1], 2),
            "hold 4 accelerators",
        ),
        (network("e", 8, TopologySpec::FullMesh { dims: vec![8] }, vec![1, 1], 1), "2 planes"),
        (network("f", 8, clos(&[8], &[1], &[1], 1), vec![], 1), "planes []"),
        (network("g", 8, clos(&[8], &[1], &[1], 1), vec![1], 2), "2 link and 2 switch entries"),
    ];
    for (net, expected) in cases {
        let message = Fabric::new(&system(8, vec![net]), &Control::default()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
