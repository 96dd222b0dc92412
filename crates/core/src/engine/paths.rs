//! What injection needs to know of each network, worked out once.
//!
//! **Invariant.** Every pair of ranks has a common network; in-network operations have switches that add over all
//! ranks. Both are checked here, before the run.

use super::Job;
use super::in_network::Contributors;
use super::injection::open_messages;
use crate::collective::{SwitchUse, Target};
use crate::error::{Error, Result};
use crate::fabric::{Network, Shape};
use crate::routing::aggregation::{self, Aggregation};
use crate::routing::climb::Climb;
use crate::routing::router::{Router, STRAIGHT};
use crate::spec::RoutingSpec;
use crate::units::{Fs, Serializer};

/// See the module.
#[derive(Debug)]
pub(super) struct Paths {
    /// Ports of the whole machine's accelerators: an idle port looks for work, too, and so has a say in what is opened when.
    pub(super) accelerator_ports: u32,
    /// Messages that a rank can have under way at once.
    pub(super) open_messages: usize,
    pub(super) networks: Vec<PathNet>,
    /// Ways up the tree behind each port of an accelerator, times its links; 1 where there is no tree.
    ways: Vec<u32>,
    /// The routers of networks that are no trees, as simulated.
    pub(super) routers: Vec<Option<Router>>,
    pub(super) memory: Serializer,
    pub(super) copy: Serializer,
    pub(super) reduce: Serializer,
    /// Some message is known later than it is stored.
    pub(super) hops: bool,
    /// Some message costs the thread that hands it to a NIC something.
    pub(super) proxies: bool,
    /// Sums go to all and to nobody alone.
    pub(super) shared: bool,
    /// Where in-network operations happen.
    aggregation: Option<Aggregation>,
}

/// One network as an endpoint sees it.
#[derive(Debug)]
pub(super) struct PathNet {
    /// Accelerators of a copy, in the whole fabric and in what is simulated.
    pub(super) span: u32,
    pub(super) places: u32,
    pub(super) first_port: u32,
    pub(super) ports: u32,
    pub(super) payload: u32,
    pub(super) overhead: u32,
    pub(super) routing: RoutingSpec,
    /// By port of a tree.
    pub(super) port_links: Vec<PortLink>,
    pub(super) plane_links: Vec<u32>,
    /// All ranks, where switches combine and replicate.
    pub(super) group: Vec<Member>,
    /// Where in the tree they are, if sums climb one.
    pub(super) contributors: Option<Contributors>,
    pub(super) group_copy: u32,
    /// Course of packets at their start, and whether routers look at their queues.
    pub(super) phase: u8,
    pub(super) adaptive: bool,
    /// Latency of routers and whether they cut through, by kind.
    pub(super) kinds: Vec<(Fs, bool)>,
    /// That of the routers inside accelerators.
    pub(super) router_kind: usize,
    /// The whole router of a network that is no tree.
    pub(super) whole: Option<Router>,
    rails: Rails,
    simulated_rails: Rails,
    /// Tier at which in-network operations are complete.
    pub(super) top: u8,
    /// Places beneath one switch of each tier.
    tiers: Vec<u32>,
    /// How packets climb each plane's tree.
    pub(super) climbs: Vec<Climb>,
}

/// A port into a tree: its plane, how many links that has, and which of them it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortLink {
    plane: usize,
    pub(super) links: u32,
    pub(super) link: u32,
    /// Most links of any plane of the network.
    most: u32,
    /// How many numbers of packets fit above the ways and links of a selector. None may, where there are very many ways.
    room: u32,
}

impl PortLink {
    /// Selector of a packet through this port on a way up of its own.
    #[inline]
    pub(super) fn tree(&self, net: &PathNet, way: u32, group: u32) -> u32 {
        let climb = &net.climbs[self.plane];
        climb.above(way % climb.paths(), self.above(group, 0))
    }

    /// Selector of a packet through this port that goes by a place at the leaves and a count. Packets of two accelerators that
    /// do alike can meet in a queue if they come by different links: then the link tells which goes first.
    #[inline]
    pub(super) fn climb(&self, net: &PathNet, slot: u32, count: u32, turn: u8, group: u32) -> u32 {
        let climb = &net.climbs[self.plane];
        climb.above(climb.selector(slot * self.links + self.link, count, turn), self.above(group, self.link))
    }

    /// What stands above the way in a selector: the number of the packet, and by which link it came. Switches do not see
    /// them, but packets that meet in a queue are in their order, which no renaming of uplinks can change.
    #[inline]
    fn above(&self, group: u32, link: u32) -> u32 {
        match self.room {
            0 => 0,
            // a branch costs less than a division, and it nearly always goes this way
            room if group < room => group * self.most + link,
            room => group % room * self.most + link,
        }
    }
}

/// A rank as the switches of in-network operations see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Its place at the leaves of what is simulated, and the copy that these are in.
    pub(super) slot: u32,
    pub(super) copy: u32,
    pub(super) rank: u32,
    /// See [`crate::symmetry::Folding::turned`].
    pub(super) turned: u32,
}

/// How members of a copy take their places at the leaves.
#[derive(Clone, Copy, Debug)]
struct Rails {
    rails: u32,
    hosts: u32,
}

impl Rails {
    fn new(net: &Network) -> Self {
        let hosts = match &net.planes[0].shape {
            Shape::Clos(tree) => tree.tiers()[0].down / net.planes[0].links,
            Shape::Direct(_) | Shape::Graph(_) => 1,
        };
        Self { rails: net.rails, hosts }
    }

    /// Place of a member; its position in a plane is this times the plane's links, plus the link.
    #[inline]
    fn slot(self, member: u32) -> u32 {
        if self.rails <= 1 {
            return member;
        }
        let (host, rail) = (member / self.rails, member % self.rails);
        ((host / self.hosts) * self.rails + rail) * self.hosts + host % self.hosts
    }
}

impl PathNet {
    fn new(job: &Job, n: usize) -> Self {
        let (net, simulated) = (&job.fabric.networks[n], &job.simulated().networks[n]);
        let most = net.planes.iter().map(|plane| plane.links).max().unwrap_or(1);
        let climb = |plane: usize| match (&net.planes[plane].shape, &simulated.planes.get(plane)?.shape) {
            (Shape::Clos(tree), Shape::Clos(folded)) => {
                let shifted = job.folding.uplinks(n, tree.tiers().len() - 1, net.planes[plane].links);
                let climb = Climb::new(tree, &shifted);
                Some(if job.folding.quotient().is_some() { climb.fold(folded, &shifted) } else { climb })
            }
            _ => None,
        };
        let climbs: Vec<Climb> = (0..net.planes.len()).filter_map(climb).collect();
        let port_link = |port| {
            let (plane, link) = net.plane_of(port);
            let (plane, links, link) = match job.folding.turns(n) {
                true => (0, net.ports, port),
                false => (plane, net.planes[plane].links, link),
            };
            PortLink { plane, links, link, most, room: climbs.get(plane).map_or(0, |c| u32::MAX / c.paths() / most) }
        };
        let port_links = if net.is_tree() { (0..net.ports).map(port_link).collect() } else { vec![] };
        let tiers = match &net.planes[0].shape {
            Shape::Clos(tree) => {
                let links = net.planes[0].links;
                tree.tiers().iter().map(|t| t.child_positions * t.down / links).collect()
            }
            Shape::Direct(_) | Shape::Graph(_) => vec![],
        };
        let whole = Router::of(net);
        Self {
            span: net.span,
            places: simulated.span,
            first_port: net.first_port,
            ports: net.ports,
            payload: net.spec.payload,
            overhead: net.spec.overhead,
            routing: net.spec.routing,
            port_links,
            plane_links: simulated.planes.iter().map(|p| p.links).collect(),
            group: vec![],
            contributors: None,
            group_copy: job.placement.first().map_or(0, |a| a / net.span),
            phase: whole.as_ref().map_or(STRAIGHT, Router::phase),
            adaptive: net.spec.routing.adaptive(),
            kinds: net.spec.switches.iter().map(|s| (s.latency_fs, s.cut_through)).collect(),
            router_kind: net.router_kind().into(),
            whole,
            rails: Rails::new(net),
            simulated_rails: Rails::new(simulated),
            top: 0,
            tiers,
            climbs,
        }
    }

    /// Makes the network one of in-network operations: who takes part, and where they are in the tree.
    fn gather(&mut self, job: &Job, at: Aggregation, shared: bool) {
        let member = |rank: u32| {
            let accelerator = job.placement[rank as usize];
            let stands_for = job.folding.stands_for(accelerator);
            Member {
                slot: self.simulated_slot(stands_for % self.places),
                copy: stands_for / self.places,
                rank,
                turned: job.folding.turned(accelerator),
            }
        };
        // what goes to one owner after the other comes to the links of its class; what goes to all, once to each
        self.group = match shared {
            true => (0..job.folding.simulated()).map(|i| member(job.folding.rank(i))).collect(),
            false => (0..job.schedule.ranks()).map(member).collect(),
        };
        if !at.tree {
            return;
        }
        let simulated = &job.simulated().networks[at.network];
        let Shape::Clos(tree) = &simulated.planes[0].shape else {
            return;
        };
        let hosts = tree.tiers()[0].down / simulated.planes[0].links;
        let leaves: Vec<u32> = self.group.iter().map(|m| m.slot / hosts).collect();
        let downs: Vec<u32> = tree.tiers()[1..=at.top].iter().map(|t| t.down).collect();
        self.contributors = Some(Contributors::new(&leaves, &downs));
        self.top = at.top as u8;
    }

    /// Place of a member at the leaves.
    #[inline]
    pub(super) fn slot(&self, member: u32) -> u32 {
        self.rails.slot(member)
    }

    /// Place at the leaves of a member of what is simulated.
    #[inline]
    pub(super) fn simulated_slot(&self, member: u32) -> u32 {
        self.simulated_rails.slot(member)
    }

    /// Tier of switches at which messages between two places turn.
    #[inline]
    pub(super) fn turn(&self, x: u32, y: u32) -> u8 {
        self.tiers.iter().take_while(|&&beneath| x / beneath != y / beneath).count() as u8
    }
}

impl Paths {
    pub(super) fn new(job: &Job) -> Result<Self> {
        let fabric = job.fabric;
        let mut networks: Vec<PathNet> = (0..job.simulated().networks.len()).map(|n| PathNet::new(job, n)).collect();
        let joins = |net: &PathNet| job.placement.iter().all(|a| a / net.span == net.group_copy);
        let joined: Vec<bool> = networks.iter().map(joins).collect();
        let together = |i: usize| joined[i];
        if let Some(&first) = job.placement.first()
            && !(0..networks.len()).any(together)
            && let Some(&other) = job.placement.iter().find(|&&a| fabric.network_between(first, a).is_none())
        {
            let spans: Vec<String> = networks.iter().map(|n| n.span.to_string()).collect();
            let why = format!("no network has both in one copy; the networks span {} accelerators", spans.join(", "));
            return Err(Error::Unroutable { from: first.into(), to: other.into(), why });
        }
        let switches = job.schedule.switches();
        let aggregation =
            if switches == SwitchUse::Forward { None } else { Aggregation::of(fabric, job.schedule, job.placement) };
        let shared = switches == SwitchUse::Shared;
        match aggregation {
            None if switches != SwitchUse::Forward => {
                return Err(Error::spec("algorithm", "in_network", aggregation::WANTED));
            }
            Some(at) => networks[at.network].gather(job, at, shared),
            None => {}
        }
        let ways = networks.iter().flat_map(|net| {
            let ways = |at: &PortLink| net.climbs.get(at.plane).map_or(1, Climb::paths).saturating_mul(at.most);
            (0..net.ports as usize).map(move |port| net.port_links.get(port).map_or(1, ways))
        });
        let ways = ways.collect();
        let hops = job
            .protocols()
            .any(|protocol| fabric.networks.iter().enumerate().any(|(n, net)| protocol.hop(n, &net.spec) > 0));
        let rate = |r: Option<crate::units::BitRate>| r.map_or(Serializer::instant(), Serializer::new);
        let device = &fabric.spec.device;
        Ok(Self {
            accelerator_ports: fabric.accelerator_ports(),
            open_messages: open_messages(fabric.accelerator_ports()),
            routers: job.simulated().networks.iter().map(Router::of).collect(),
            networks,
            ways,
            memory: rate(device.hbm_rate),
            copy: rate(device.copy_rate),
            reduce: rate(device.reduce_rate),
            hops,
            proxies: fabric.proxies(),
            shared,
            aggregation,
        })
    }

    /// The place of a packet among those of its message that come in by this port of an accelerator: its selector without
    /// the way that it took up a tree, which ranks that do alike take differently, and without the link, which the port tells.
    #[inline]
    pub(super) fn number(&self, selector: u32, port: u32) -> u32 {
        selector / self.ways.get(port as usize).copied().unwrap_or(1).max(1)
    }

    /// From when a message is stored until its receiver knows it, if it came by this port.
    pub(super) fn hop(&self, job: &Job, step: u32, port: u16) -> Fs {
        let network = self.networks.partition_point(|net| net.first_port <= port.into()).saturating_sub(1);
        job.protocol(job.operation(step)).hop(network, &job.fabric.networks[network].spec)
    }

    /// Network that a message takes. Every pair of ranks has one, which [`Paths::new`] checked.
    #[inline]
    pub(super) fn network_of(&self, accelerator: u32, job: &Job, to: Target) -> usize {
        match to {
            Target::Rank(peer) => {
                let other = job.placement[peer as usize];
                self.networks
                    .iter()
                    .position(|n| accelerator / n.span == other / n.span)
                    .unwrap_or(self.networks.len() - 1)
            }
            Target::SwitchReduce { .. } | Target::SwitchMulticast | Target::SwitchAllReduce => {
                self.aggregation.map_or(0, |at| at.network)
            }
        }
    }
}
