//! What a run will need, held against what is allowed before anything is allocated, and what would need less.
//!
//! **Model.** State of the engine (links, ranks, packets under way), copies of it for skipping, and the rows of the tables
//! that were asked for, each at what it takes at its largest: while rows are made and while they become Arrow.
//!
//! **Invariant.** A remedy is named only if, by the same estimate, this run needs a twentieth less with it. **Cost.** That of a
//! description: no walk over messages, nor over links but those of an explicit graph, once. **Limits.** Traffic comes from a sample of ranks. How
//! far queues fill is not known before a run: where they stay short, the estimate is up to two or three times too high.

use super::Plan;
use crate::control::Control;
use crate::engine::open_messages;
use crate::error::{Error, Result};
use crate::fabric::{Fabric, Network};
use crate::spec::{Fidelity, Table};
use crate::stack::fluid_bytes;
use crate::survey::describe::{Counts, count};
use crate::symmetry::Folding;

/// Bytes that any run takes: threads, their arenas, and what is rounded up.
const BASE: u64 = 2 << 20;
/// Bytes of a packet in the engine.
const PACKET: u64 = 32;
/// Packets that wait behind a link whose buffer is unlimited; there can be more.
const UNLIMITED: u64 = 256;
/// Bytes of a link's row, and of its rows of the tables links and switches.
const LINK_ROW: u64 = 270;
/// Bytes of a message's two rows under way (its start and its end), of the copies that join them, and of its row of the table.
const FLOW_ROW: u64 = 180;
/// The same where messages are fluids: one row under way and one of the table.
const FLUID_ROW: u64 = 100;
/// Bytes of a message that leaves where messages are fluids; of one that is open and waits; of the queue that it leaves by.
const LEAVING: u64 = 600;
const WAITING: u64 = 230;
const GATE: u64 = 130;
/// Messages of a rank that leave at once, at most.
const MOST_LEAVING: u64 = 16;
/// Bytes of a link that such a message is spread over.
const SPREAD: u64 = 48;

/// A way to run: everything that memory depends on besides the job itself.
#[derive(Clone, Copy)]
struct Way<'a> {
    flow: bool,
    folding: &'a Folding,
    flows: bool,
    links: bool,
}

impl Plan {
    /// Bytes of memory that a packet or flow run and its tables will need, estimated.
    pub fn memory_bytes(&self) -> u64 {
        self.needs(self.way())
    }

    fn way(&self) -> Way<'_> {
        let wants = |table: Table| self.effective.record.contains(&table);
        Way {
            flow: self.flow,
            folding: &self.folding,
            flows: wants(Table::Flows),
            links: wants(Table::Links) || wants(Table::Switches),
        }
    }

    fn needs(&self, way: Way) -> u64 {
        let d = count(way.folding.quotient().unwrap_or(&self.fabric));
        let (ranks, each) = (u64::from(way.folding.simulated()), way.folding.multiplicity());
        let traffic = PACKET * (self.prediction.packet_hops / each).min(self.under_way(&d));
        let state = if way.flow {
            // messages opened, and what is kept of a link or a set of links
            let ports = u64::from(self.fabric.accelerator_ports());
            let message = LEAVING + self.width.links * SPREAD;
            let open = self.open().min(open_messages(self.fabric.accelerator_ports()) as u64);
            let room = open.min(MOST_LEAVING) * message + open * WAITING + ports * GATE;
            let links = fluid_bytes(&self.fabric);
            // what is folded has a class of each of them, too
            let classes = if way.folding.applied() { links / 12 } else { 0 };
            ranks * room + links + classes + self.width.table_bytes
        } else {
            d.state_bytes + traffic
        } + ranks * u64::from(self.schedule.lanes()) * 64;
        let row = if way.flow { FLUID_ROW } else { FLOW_ROW };
        let flows = if way.flows { (self.prediction.messages / each).saturating_mul(row) } else { 0 };
        let links = if way.links { d.directed_links * LINK_ROW } else { 0 };
        // two copies for skipping, of the part that is in use: measured, together half of the state
        let copies = if self.effective.skip && !way.flow { (state / 2).min(512 << 20) } else { 0 };
        (BASE + state).saturating_add(copies).saturating_add(flows).saturating_add(links)
    }

    /// Packets for which the links' queues have room when they are busy: those on the wire, and those that wait, in rings
    /// that grow by doubling. In order and sprayed, half a dozen wait; where paths or receivers collide, half the buffer
    /// behind the link fills up, or all of it if every rank sends to many at once.
    fn under_way(&self, d: &Counts) -> u64 {
        let (scattered, many) = (self.effective.placement.is_some(), self.open() > 1);
        let mut packets = 0;
        for ((i, net), levels) in self.fabric.networks.iter().enumerate().zip(&d.levels) {
            let wire = u64::from(self.protocol.wire_bytes(i, net.spec.payload, net.spec.overhead));
            let buffer = net.spec.buffer.map_or(UNLIMITED, |b| (b / wire.max(1)).min(1 << 24));
            for level in levels {
                // links of a level: at most 2^24 packets each, so that nothing overflows
                let flying = ((level.link_ns * level.link_gbytes_s / wire.max(1) as f64) as u64).min(1 << 24);
                let room = if scattered || single_path(net) {
                    (flying + if many { buffer } else { buffer / 2 }).next_power_of_two()
                } else {
                    2 * (flying + 6)
                };
                packets += 2 * level.links * room;
            }
        }
        packets
    }

    /// Messages that a rank opens at once: those of a step, in every lane; of the first rank.
    fn open(&self) -> u64 {
        const LOOK: u32 = 64;
        let of = |lane| {
            let steps = self.schedule.steps(0, lane).min(LOOK);
            (0..steps).map(|step| u64::from(self.schedule.sends(0, lane, step))).max().unwrap_or(0)
        };
        (0..self.schedule.lanes().min(LOOK)).map(of).sum::<u64>().max(1)
    }

    /// What this run would need at another fidelity.
    pub(super) fn needs_as(&self, fidelity: Fidelity, folding: &Folding) -> u64 {
        self.needs(Way { flow: fidelity == Fidelity::Flow, folding, ..self.way() })
    }

    /// Holds the run against the memory limit. What does not fit is an error: memory never decides how closely a run is looked at.
    pub(super) fn fit(&self, control: &Control) -> Result<()> {
        if self.packet {
            countable(&self.fabric, self.bytes)?;
        }
        let (Some(available), true) = (control.memory_limit(), self.packet || self.flow) else {
            return Ok(());
        };
        let needed = self.memory_bytes();
        if needed <= available { Ok(()) } else { Err(self.too_large(needed, available, control)?) }
    }

    fn too_large(&self, needed: u64, available: u64, control: &Control) -> Result<Error> {
        let large: Vec<&str> = (self.effective.record.iter())
            .filter(|r| matches!(r, Table::Links | Table::Switches | Table::Flows))
            .map(|r| r.name())
            .collect();
        let what = match large.as_slice() {
            [] => "the run".into(),
            [one] => format!("the run with its table {one}"),
            several => format!("the run with its tables {}", several.join(", ")),
        };
        Ok(Error::Memory { what, needed, available, hint: self.remedies(needed, control)? })
    }

    /// What would need less, in the order in which it costs the user something: nothing, rows, detail, size.
    fn remedies(&self, needed: u64, control: &Control) -> Result<String> {
        let way = self.way();
        let mut found = vec![];
        let mut offer = |remedy: &str, other: Way, before: u64| {
            let left = self.needs(other);
            if left < before - before / 20 {
                found.push(format!("{remedy} (about {})", binary(left)));
            }
            left
        };
        // what folding would leave of a packet run; a run that is folded already, or has no symmetry, stays what it is
        let placement = &self.placement;
        let folded = Folding::new(&self.fabric, &*self.schedule, placement, true, control)?;
        if !self.flow && !self.folding.applied() {
            offer("fold=True", Way { folding: &folded, ..way }, needed);
        }
        // tables one after the other: of two that are large, either alone may be little
        let mut kept = needed;
        if way.flows {
            kept = offer("leave flows out of record", Way { flows: false, ..way }, kept);
        }
        if way.links {
            let also = if way.flows { "and record" } else { "record" };
            let remedy = format!("{also} levels instead of links and switches");
            offer(&remedy, Way { flows: false, links: false, ..way }, kept);
        }
        if self.flow {
            offer("fidelity \"packet\" with fold=True", Way { flow: false, folding: &folded, ..way }, needed);
        } else if crate::flow::models(&self.fabric, &*self.schedule, placement).is_ok() {
            let whole = Folding::none(self.schedule.ranks(), String::new());
            offer("fidelity \"flow\"", Way { flow: true, folding: &whole, ..way }, needed);
        }
        found.push("fidelity \"analytic\" (next to nothing, and no tables but the summary)".into());
        Ok(format!("to need less: {}; or fewer ranks on a smaller system", found.join(", ")))
    }
}

/// True if messages can meet on a link while others are idle: a tree of several tiers, and one path a message.
fn single_path(net: &Network) -> bool {
    !net.spec.routing.sprays() && net.is_tree() && net.spec.links.len() > 1
}

/// Bytes as people read them.
pub(super) fn binary(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return format!("{size:.0} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// Holds messages of so many bytes against the engine's packet counter.
pub(super) fn countable(fabric: &Fabric, bytes: u64) -> Result<()> {
    let payload = fabric.networks.iter().map(|n| n.spec.payload).min().unwrap_or(1).max(1);
    if bytes / u64::from(payload) < u64::from(u32::MAX) {
        return Ok(());
    }
    Err(Error::Overflow {
        what: "packets of one message".into(),
        value: format!("{bytes} bytes in packets of {payload}"),
        limit: format!("{} packets; use fidelity \"flow\" or \"analytic\"", u32::MAX),
    })
}
