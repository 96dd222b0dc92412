//! From the specification of a network to its shape: what can be built and what cannot.
//!
//! **Invariant.** A network that is built has a place for every accelerator of its span, an entry for every tier or
//! dimension, and counts that fit 31 bits; everything else is an error that names the network and the numbers.

use super::clos::Clos;
use super::direct::{Dimension, Direct};
use super::graph::{Edge, Graph, Refusal};
use super::{Network, Plane, Shape};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::spec::{NetworkSpec, RoutingSpec, TopologySpec};
use std::sync::{Arc, OnceLock};

/// Ports that an accelerator can have.
pub(super) const MOST_PORTS: u64 = 1 << 14;

/// What is wrong with a network.
pub(super) fn wrong(net: &NetworkSpec, problem: impl Into<String>, expected: impl Into<String>) -> Error {
    Error::Fabric { fabric: net.name.clone(), problem: problem.into(), expected: expected.into() }
}

/// One network, its ports and switches numbered from the given ones on; `folded` is the shape of a direct network that was
/// folded, instead of the one that the specification describes.
pub(super) fn build(
    net: &NetworkSpec,
    accelerators: u32,
    first_port: u32,
    first_switch: u32,
    folded: Option<&Direct>,
    control: &Control,
) -> Result<Network> {
    if net.span == 0 || !accelerators.is_multiple_of(net.span) {
        return Err(wrong(net, format!("span {} does not divide {accelerators} accelerators", net.span), "a divisor"));
    }
    if net.planes.is_empty() || net.planes.contains(&0) {
        return Err(wrong(
            net,
            format!("planes {:?}", net.planes),
            "at least one link into each of at least one plane",
        ));
    }
    let links: u64 = net.planes.iter().map(|&links| u64::from(links)).sum();
    if links > MOST_PORTS {
        return Err(wrong(net, format!("{links} links an accelerator"), format!("at most {MOST_PORTS}")));
    }
    if (net.routing.detours() || net.routing.adaptive()) && !matches!(net.topology, TopologySpec::Graph { .. }) {
        let expected = "d_mod_k, s_mod_k, ecmp, spray_round_robin or spray_random; adaptive, valiant and ugal are for explicit graphs";
        return Err(wrong(net, format!("routing {}", net.routing.name()), expected));
    }
    let mut planes = Vec::with_capacity(net.planes.len());
    let (mut ports, mut switches, mut channels, mut rails) = (0, 0u64, 1, 1);
    for &links in &net.planes {
        let shape = match (folded, &net.topology) {
            (Some(direct), _) => Shape::Direct(direct.clone()),
            (None, TopologySpec::Clos { down, up, parallel, rails: r }) => {
                rails = (*r).max(1);
                clos_shape(net, links, down, up, parallel, rails)?
            }
            (None, TopologySpec::Torus { dims, wrap, twist }) => {
                if dims.len() != wrap.len() {
                    return Err(wrong(
                        net,
                        format!("{} dimensions, {} wrap flags", dims.len(), wrap.len()),
                        "one flag a dimension",
                    ));
                }
                // two places joined by one link: both look alike
                let line = |(&size, &wrap): (&u32, &bool)| match size {
                    2 => Dimension::Full { size },
                    _ => Dimension::Line { size, wrap: wrap && size > 2 },
                };
                direct_shape(net, links, &dims.iter().zip(wrap).map(line).collect::<Vec<_>>(), twist)?
            }
            (None, TopologySpec::FullMesh { dims }) => {
                direct_shape(net, links, &dims.iter().map(|&size| Dimension::Full { size }).collect::<Vec<_>>(), &[])?
            }
            (None, TopologySpec::Graph { switches, edges, switch_kinds, weights, forwarding }) => {
                graph_shape(net, *switches, edges, switch_kinds, weights, *forwarding, control)?
            }
        };
        let (plane_ports, plane_switches, tiers) = match &shape {
            Shape::Clos(tree) => (links, tree.switches(), tree.tiers().len()),
            Shape::Direct(d) => {
                channels = if d.dateline { 2 } else { 1 };
                (d.ports(), 0, d.dims.len())
            }
            Shape::Graph(graph) => {
                channels = graph.channels();
                (graph.accelerator_ports(), graph.switches(), net.links.len())
            }
        };
        let switch_specs = match shape {
            Shape::Clos(_) => tiers,
            Shape::Direct(_) => 1,
            Shape::Graph(_) => net.switches.len().max(1),
        };
        if net.links.len() != tiers || net.switches.len() != switch_specs {
            return Err(wrong(
                net,
                format!("{} link and {} switch entries", net.links.len(), net.switches.len()),
                format!("{tiers} link and {switch_specs} switch entries, one a tier or dimension"),
            ));
        }
        planes.push(Plane { shape, links, first_link: ports, first_switch: switches as u32 });
        ports += plane_ports;
        switches += u64::from(plane_switches);
    }
    if switches >= 1 << 31 || u64::from(accelerators / net.span) * switches >= 1 << 31 {
        return Err(wrong(net, format!("{switches} switches a copy"), "fewer than 2^31 switches in all"));
    }
    let copies = accelerators / net.span;
    let copy_switches = switches as u32;
    Ok(Network {
        spec: net.clone(),
        copies,
        span: net.span,
        planes,
        first_port,
        ports,
        channels,
        rails,
        first_switch,
        copy_switches,
        parts: OnceLock::new(),
    })
}

fn clos_shape(net: &NetworkSpec, links: u32, down: &[u32], up: &[u32], parallel: &[u32], rails: u32) -> Result<Shape> {
    if down.is_empty() || down.len() != up.len() || down.len() != parallel.len() {
        return Err(wrong(
            net,
            format!("down {down:?}, up {up:?}, parallel {parallel:?}"),
            "three lists of one entry a tier",
        ));
    }
    if up[0] != 1 || parallel[0] != 1 {
        return Err(wrong(
            net,
            format!("up[0] = {}, parallel[0] = {}", up[0], parallel[0]),
            "1: use planes for several links",
        ));
    }
    let mut down = down.to_vec();
    down[0] = down[0].saturating_mul(links);
    let too_large = || {
        wrong(net, format!("a tree of down {down:?}, up {up:?}, parallel {parallel:?}"), "positive counts below 2^31")
    };
    let tree = Clos::new(&down, up, parallel).ok_or_else(too_large)?;
    let places = tree.positions() / links;
    if places < net.span {
        return Err(wrong(
            net,
            format!("{places} accelerator places for a span of {}", net.span),
            "down counts whose product is at least the span",
        ));
    }
    if rails > 1 {
        let leaves = tree.tiers()[0].switches;
        let hosts = tree.tiers()[0].down / links;
        let groups = net.span.div_ceil(rails).div_ceil(hosts);
        if !net.span.is_multiple_of(rails) || groups * rails > leaves {
            return Err(wrong(
                net,
                format!("{rails} rails over {} accelerators and {leaves} leaves of {hosts}", net.span),
                "a divisor of the span, with a leaf for each rail of each group of hosts",
            ));
        }
    }
    if (0..tree.tiers().len()).any(|t| tree.ports(t) >= 1 << 14) {
        return Err(wrong(net, "a switch of 16384 ports or more", "a smaller radix"));
    }
    Ok(Shape::Clos(tree))
}

fn graph_shape(
    net: &NetworkSpec,
    switches: u32,
    edges: &[[u32; 4]],
    kinds: &[u16],
    weights: &[u8],
    forwarding: Option<u16>,
    control: &Control,
) -> Result<Shape> {
    if !weights.is_empty() && weights.len() != net.links.len() {
        let expected = format!("none, or one for each of {} link entries", net.links.len());
        return Err(wrong(net, format!("{} weights", weights.len()), expected));
    }
    let weights = if weights.is_empty() { vec![1; net.links.len()] } else { weights.to_vec() };
    if net.planes != [1] {
        return Err(wrong(net, format!("planes {:?}", net.planes), "[1]: an explicit graph lists all its links"));
    }
    if !kinds.is_empty() && kinds.len() != switches as usize {
        let expected = format!("none, or one for each of {switches} switches");
        return Err(wrong(net, format!("{} kinds of switches", kinds.len()), expected));
    }
    if let Some(i) = kinds.iter().position(|&kind| usize::from(kind) >= net.switches.len()) {
        let expected = format!("below {}, the number of switch entries", net.switches.len());
        return Err(wrong(net, format!("switch {i} of kind {}", kinds[i]), expected));
    }
    if let Some(kind) = forwarding.filter(|&kind| usize::from(kind) >= net.switches.len()) {
        let expected = format!("below {}, the number of switch entries", net.switches.len());
        return Err(wrong(net, format!("accelerators that forward as switches of kind {kind}"), expected));
    }
    let edge = |&[a, b, class, count]: &[u32; 4]| Edge { a, b, class: class.min(u16::MAX.into()) as u16, count };
    let edges: Vec<Edge> = edges.iter().map(edge).collect();
    let build = if forwarding.is_some() { Graph::forwarding } else { Graph::new };
    let mut graph = build(net.span, switches, &edges, &weights, control).map_err(|refusal| match refusal {
        Refusal::Wrong(problem, expected) => wrong(net, problem, expected),
        Refusal::Failed(error) => error,
    })?;
    // without flow control nothing can wait in a circle
    if net.buffer.is_some() {
        // where accelerators forward, UGAL decides behind the first link
        let lead = forwarding.is_some() && net.routing == RoutingSpec::Ugal;
        graph.arrange(if net.routing.detours() { 2 } else { 1 }, lead.into(), control)?;
    }
    Ok(Shape::Graph(Arc::new(graph)))
}

fn direct_shape(net: &NetworkSpec, links: u32, kinds: &[Dimension], twist: &[[u32; 2]]) -> Result<Shape> {
    if net.planes.len() != 1 {
        return Err(wrong(
            net,
            format!("{} planes", net.planes.len()),
            "one plane: a direct topology has no planes, only parallel links",
        ));
    }
    let sizes: Vec<u32> = kinds.iter().map(|k| k.size()).collect();
    let mut direct = Direct::new(kinds, links).ok_or_else(|| {
        wrong(
            net,
            format!("dimensions {sizes:?} with {links} parallel links"),
            "positive sizes whose product is below 2^31",
        )
    })?;
    if direct.positions() != net.span {
        return Err(wrong(
            net,
            format!("dimensions {sizes:?} hold {} accelerators, the span is {}", direct.positions(), net.span),
            "equal numbers",
        ));
    }
    direct = direct.twisted(twist).map_err(|problem| {
        wrong(net, problem, "pairs of rings, the second of even size and without a twist of its own")
    })?;
    // equally short paths may take different dimensions: they must take equally long
    if let Some((a, b)) = direct.twist.iter().find(|&&(a, b)| net.links.get(a) != net.links.get(b)) {
        let problem = format!("links of dimensions {a} and {b}, which a twist joins, differ");
        return Err(wrong(net, problem, "equal rate and latency"));
    }
    // without flow control nothing can wait in a circle
    direct.dateline &= net.dateline && net.buffer.is_some();
    Ok(Shape::Direct(direct))
}
