//! What a run will need, held against what is allowed before anything is allocated, and what would need less.
//!
//! **Model.** State of the engine (links, ranks, packets under way), copies of it for skipping, and the rows of the tables
//! that were asked for, each at what it takes at its largest: while rows are made and while they become Arrow.
//!
//! **Invariant.** A remedy is named only if, by the same estimate, this run needs a tenth less with it. **Cost.** That of a
//! description: no walk over links or messages. **Limits.** Traffic comes from a sample of ranks.

use super::{FLOW_BUDGET, Plan};
use crate::bound::describe::describe;
use crate::error::{Error, Result};
use crate::spec::RunSpec;
use crate::symmetry::Folding;

/// Bytes of a link's row, and of its rows of the tables links and switches.
const LINK_ROW: u64 = 250;
/// Bytes of a message's two rows under way (its start and its end), of the copies that join them, and of its row of the table.
const FLOW_ROW: u64 = 144;

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
        let wants = |table: &str| self.effective.record.iter().any(|r| r == table);
        Way {
            flow: self.flow,
            folding: &self.folding,
            flows: wants("flows"),
            links: wants("links") || wants("switches"),
        }
    }

    fn needs(&self, way: Way) -> u64 {
        let d = describe(way.folding.quotient().unwrap_or(&self.fabric));
        let (ranks, each) = (u64::from(way.folding.simulated()), way.folding.multiplicity());
        // packets of 32 bytes on the wires and in the buffers, some forty a busy link
        let traffic = 32 * (self.prediction.packet_hops / each).min(40 * d.directed_links);
        let state = if way.flow {
            // messages opened, and what is kept of a link or a set of links
            let open = (self.prediction.messages / ranks.max(1)).clamp(1, 256);
            ranks * (open * 400 + u64::from(self.fabric.accelerator_ports()) * 64) + d.directed_links * 120
        } else {
            d.state_bytes + traffic
        } + ranks * u64::from(self.schedule.lanes()) * 64;
        let flows = if way.flows { (self.prediction.messages / each).saturating_mul(FLOW_ROW) } else { 0 };
        let links = if way.links { d.directed_links * LINK_ROW } else { 0 };
        // two copies for skipping, each about as large as the state
        let copies = if self.effective.skip && !way.flow { (2 * state).min(512 << 20) } else { 0 };
        state.saturating_add(copies).saturating_add(flows).saturating_add(links)
    }

    /// Holds the run against the memory limit, and its messages against the engine's packet counter.
    pub(super) fn fit(&mut self, spec: &RunSpec) -> Result<()> {
        let payload = self.fabric.networks.iter().map(|n| n.spec.payload).min().unwrap_or(1).max(1);
        if self.packet && self.bytes / u64::from(payload) >= u64::from(u32::MAX) {
            return Err(Error::Overflow {
                what: "packets of one message".into(),
                value: format!("{} bytes in packets of {payload}", self.bytes),
                limit: format!("{} packets; use fidelity \"flow\" or \"analytic\"", u32::MAX),
            });
        }
        let (Some(available), true) = (spec.memory_limit, self.packet || self.flow) else {
            return Ok(());
        };
        let needed = self.memory_bytes();
        if needed <= available {
            return Ok(());
        }
        let error = self.too_large(needed, available);
        if spec.fidelity == "auto" {
            let from = if self.packet { "packets" } else { "flows" };
            self.flow = self.packet && self.prediction.messages <= FLOW_BUDGET;
            self.packet = false;
            self.flow &= self.memory_bytes() <= available;
            if self.flow || spec.record.is_empty() {
                self.warnings.push(format!(
                    "fidelity: {}, because {from} need about {needed} bytes and {available} are allowed",
                    self.fidelity()
                ));
                return Ok(());
            }
        }
        Err(error)
    }

    fn too_large(&self, needed: u64, available: u64) -> Error {
        let large: Vec<&str> = (self.effective.record.iter().map(String::as_str))
            .filter(|r| ["links", "switches", "flows"].contains(r))
            .collect();
        let what = match large.as_slice() {
            [] => "the run".into(),
            [one] => format!("the run with its table {one}"),
            several => format!("the run with its tables {}", several.join(", ")),
        };
        Error::Memory { what, needed, available, hint: self.remedies(needed) }
    }

    /// What would need less, in the order in which it costs the user something: nothing, rows, detail, size.
    fn remedies(&self, needed: u64) -> String {
        let way = self.way();
        let mut found = vec![];
        let mut offer = |remedy: &str, other: Way| {
            let left = self.needs(other);
            if left < needed - needed / 10 {
                found.push(format!("{remedy} (about {})", binary(left)));
            }
        };
        // what folding would leave of a packet run; a run that is folded already, or has no symmetry, stays what it is
        let placement = &self.placement;
        let folded = Folding::new(&self.fabric, &*self.schedule, placement, true);
        if !self.flow && !self.folding.applied() {
            offer("fold=True", Way { folding: &folded, ..way });
        }
        if way.flows {
            offer("leave flows out of record", Way { flows: false, ..way });
        }
        if way.links {
            offer("record levels instead of links and switches", Way { links: false, ..way });
        }
        if self.flow {
            offer("fidelity \"packet\" with fold=True", Way { flow: false, folding: &folded, ..way });
        } else {
            let whole = Folding::none(self.schedule.ranks(), String::new());
            offer("fidelity \"flow\"", Way { flow: true, folding: &whole, ..way });
        }
        found.push("fidelity \"analytic\" (next to nothing, and no tables but the summary)".into());
        format!("to need less: {}; or fewer ranks on a smaller system", found.join(", "))
    }
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
