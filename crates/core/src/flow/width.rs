//! How many links a message is spread over, for whoever plans a run.
//!
//! **Model.** Where an explicit graph spreads packets a flow uses every link on a shortest path, or with detours nearly every link
//! between switches twice; elsewhere a handful. **Cost.** O(links on shortest paths) for each of [`PAIRS`] pairs of ranks.
//! **Limits.** A mean over these pairs.

use super::{detours, spreading};
use crate::control::Control;
use crate::error::Result;
use crate::fabric::{Fabric, Shape};

/// Pairs of ranks looked at.
const PAIRS: u64 = 64;
/// Bytes of a link in a table of detours.
const TURN: u64 = 16;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Width {
    /// Links of a message, on average; zero where no graph spreads any.
    pub links: u64,
    /// Bytes of all tables of detours.
    pub table_bytes: u64,
}

impl Width {
    /// That of messages between these accelerators.
    ///
    /// # Errors
    /// Those of [`Control::check`].
    pub fn new(fabric: &Fabric, placement: &[u32], control: &Control) -> Result<Self> {
        let mut width = Self::default();
        let ranks = placement.len() as u64;
        let spread = |network: usize| match &fabric.networks[network].planes[0].shape {
            Shape::Graph(graph) if fabric.networks[network].spec.routing.sprays() => Some(graph),
            _ => None,
        };
        if ranks < 2 || !(0..fabric.networks.len()).any(|n| spread(n).is_some()) {
            return Ok(width);
        }
        for network in 0..fabric.networks.len() {
            if let Some(graph) = spread(network).filter(|_| fabric.networks[network].spec.routing.detours()) {
                width.table_bytes += detours::links(graph) * detours::starts(graph) * TURN;
            }
        }
        for pair in 0..PAIRS {
            control.check()?;
            let from = pair * ranks / PAIRS;
            // by the golden ratio, so that every distance is as likely
            let to = (from + 1 + ((pair * 0x9E37_79B9) >> 8) % (ranks - 1)) % ranks;
            let (x, y) = (placement[from as usize], placement[to as usize]);
            let Some((network, graph)) = fabric.network_between(x, y).and_then(|n| Some((n, spread(n)?))) else {
                continue;
            };
            let net = &fabric.networks[network];
            width.links += match net.spec.routing.detours() {
                true => 2 * detours::links(graph),
                false => spreading::width(graph, x % net.span, y % net.span),
            };
        }
        width.links = width.links.div_ceil(PAIRS);
        Ok(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{LinkSpec, NetworkSpec, RoutingSpec, SwitchSpec, SystemSpec, TopologySpec};
    use crate::units::BitRate;

    #[test]
    fn two_spines_by_hand() {
        // accelerators 0 and 1 at leaves 2 and 3, each joined to spines 4 and 5: six links, and eight between switches
        let edges = vec![[0, 2, 0, 1], [1, 3, 0, 1], [2, 4, 0, 1], [2, 5, 0, 1], [3, 4, 0, 1], [3, 5, 0, 1]];
        let topology =
            TopologySpec::Graph { switches: 4, edges, switch_kinds: vec![], weights: vec![], forwarding: None };
        let found = |routing| {
            let net = NetworkSpec {
                name: "graph".into(),
                span: 2,
                topology: topology.clone(),
                planes: vec![1],
                links: vec![LinkSpec { rate: BitRate(8), latency_fs: 1, medium: String::new() }],
                switches: vec![SwitchSpec { latency_fs: 1, cut_through: true, in_network_reduce: false }],
                payload: 4096,
                overhead: 0,
                routing,
                buffer: None,
                dateline: true,
                transport: Default::default(),
            };
            let device = crate::spec::DeviceSpec::default();
            let spec = SystemSpec { name: String::new(), accelerators: 2, device, networks: vec![net] };
            Width::new(&Fabric::new(&spec, &Control::default()).unwrap(), &[0, 1], &Control::default()).unwrap()
        };
        assert_eq!(found(RoutingSpec::DModK), Width::default());
        assert_eq!(found(RoutingSpec::Adaptive), Width { links: 6, table_bytes: 0 });
        assert_eq!(found(RoutingSpec::Valiant), Width { links: 16, table_bytes: 8 * 2 * TURN });
    }
}
