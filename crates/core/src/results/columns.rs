//! The columns of every table: names, types, units and meanings. A contract.
//!
//! **Invariant.** `docs/data_dictionary.md` lists exactly these columns (a test compares them), and a table is built from
//! its list, so schema and document cannot drift apart. Names are snake case and end in their unit. Nothing here depends on
//! the wall clock or on the number of threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit unsigned integer.
    U64,
    /// 64-bit signed integer.
    I64,
    /// 64-bit floating point.
    F64,
}

impl Kind {
    /// Its name in the data dictionary.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::U32 => "uint32",
            Kind::U64 => "uint64",
            Kind::I64 => "int64",
            Kind::F64 => "float64",
        }
    }

    fn arrow(self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8,
            Kind::U32 => DataType::UInt32,
            Kind::U64 => DataType::UInt64,
            Kind::I64 => DataType::Int64,
            Kind::F64 => DataType::Float64,
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its unit; `1` for a ratio, empty for names, ids and counts of things the name says.
    pub unit: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn column(name: &'static str, kind: Kind, unit: &'static str, meaning: &'static str) -> Column {
    Column { name, kind, unit, meaning }
}

/// One row a run.
pub const SUMMARY: &[Column] = &[
    column("system", Kind::Text, "", "name of the system"),
    column("collective", Kind::Text, "", "canonical name of the collective"),
    column("algorithm", Kind::Text, "", "algorithm that ran"),
    column("protocol", Kind::Text, "", "protocol of the software stack that ran"),
    column("fidelity", Kind::Text, "", "packet, flow or analytic"),
    column("ranks", Kind::U32, "", "ranks that took part"),
    column("size_bytes", Kind::U64, "B", "nccl-tests' size column, rounded as nccl-tests does"),
    column(
        "count",
        Kind::U64,
        "elements",
        "nccl-tests' count column: a rank's piece where each rank has one, else the buffer",
    ),
    column("type_bytes", Kind::U32, "B", "bytes of one element"),
    column("root", Kind::I64, "", "root rank, -1 where no rank is special"),
    column("time_ns", Kind::F64, "ns", "from the call until the last rank has finished"),
    column("time_fs", Kind::U64, "fs", "the same as an exact integer"),
    column("algbw_gbytes_s", Kind::F64, "GB/s", "size over time (1 GB = 1e9 bytes)"),
    column("busbw_gbytes_s", Kind::F64, "GB/s", "algbw times nccl-tests' factor of the collective"),
    column(
        "bound_ns",
        Kind::F64,
        "ns",
        "lower bound: no schedule on this fabric, with any protocol of this stack, can be faster",
    ),
    column("bound_kind", Kind::Text, "", "what sets the bound: injection, bisection, latency or memory"),
    column("efficiency", Kind::F64, "1", "bound over time"),
    column("bottleneck", Kind::Text, "", "what kept this run from being faster"),
    column("packet_hops", Kind::U64, "", "packets counted once a link; 0 if the run is analytic"),
    column("seed", Kind::U64, "", "seed of every random choice"),
];

/// One row a rank.
pub const RANKS: &[Column] = &[
    column("rank", Kind::U32, "", "rank"),
    column("accelerator", Kind::U32, "", "accelerator that it ran on"),
    column("finish_ns", Kind::F64, "ns", "when its last step completed"),
    column("sent_bytes", Kind::U64, "B", "payload that it sent"),
    column("received_bytes", Kind::U64, "B", "payload that it received"),
    column("sent_messages", Kind::U64, "", "messages that it sent"),
    column("received_messages", Kind::U64, "", "messages that it received; a sum formed by the switches is one"),
    column("memory_busy_ns", Kind::F64, "ns", "time that its HBM was busy with the collective"),
    column("memory_utilisation", Kind::F64, "1", "memory_busy_ns over the time of the run"),
    column("multiplicity", Kind::U64, "", "ranks that the row stands for: one, unless the run was folded"),
];

/// One row a network, level and direction: the links in use there together.
pub const LEVELS: &[Column] = &[
    column("network", Kind::Text, "", "network that the links belong to"),
    column("level", Kind::U32, "", "tier (1: next to the accelerators) or dimension (from 1)"),
    column("direction", Kind::Text, "", "up: from an accelerator or towards the roots of a tree; down: the other way"),
    column(
        "links",
        Kind::U64,
        "",
        "directed links in use, which are those that carried something, of the whole machine",
    ),
    column("bytes", Kind::U64, "B", "payload carried, summed over these links"),
    column("wire_bytes", Kind::U64, "B", "bytes carried with headers and protocol expansion, summed"),
    column("packets", Kind::U64, "", "packets carried, counted once a link"),
    column("busy_max_ns", Kind::F64, "ns", "time that the busiest of these links spent sending"),
    column("utilisation_max", Kind::F64, "1", "busy_max_ns over the time of the run"),
    column(
        "utilisation_mean",
        Kind::F64,
        "1",
        "time spent sending over the time of the run, averaged over the links in use; idle links do not count",
    ),
    column("queue_max_packets", Kind::U32, "packets", "most packets that waited at once at one link; 0 for flows"),
    column(
        "wait_ns",
        Kind::F64,
        "ns",
        "sum over packets of the time that they waited for these links, behind others or for credits; 0 for flows",
    ),
    column("stall_ns", Kind::F64, "ns", "sum over these links of the time stalled for lack of credits; 0 for flows"),
    column("stall_max_ns", Kind::F64, "ns", "time that the link which stalled longest did; 0 for flows"),
];

/// One row a directed link.
pub const LINKS: &[Column] = &[
    column("link", Kind::U64, "", "id: sending vertex times 2^16 plus its port"),
    column("src", Kind::Text, "", "sending accelerator or switch"),
    column("dst", Kind::Text, "", "receiving accelerator or switch"),
    column("network", Kind::Text, "", "network that the link belongs to"),
    column("level", Kind::U32, "", "tier (1: next to the accelerators) or dimension (from 1)"),
    column("direction", Kind::Text, "", "up: from an accelerator or towards the roots of a tree; down: the other way"),
    column("bytes", Kind::U64, "B", "payload carried"),
    column("wire_bytes", Kind::U64, "B", "bytes carried with headers and protocol expansion"),
    column("packets", Kind::U64, "", "packets carried"),
    column("busy_ns", Kind::F64, "ns", "time spent sending"),
    column("utilisation", Kind::F64, "1", "busy_ns over the time of the run"),
    column("queue_max_packets", Kind::U32, "packets", "most packets that waited at once; 0 for flows"),
    column(
        "queue_mean_packets",
        Kind::F64,
        "packets",
        "packets waiting, averaged over the time of the run; 0 for flows",
    ),
    column(
        "wait_ns",
        Kind::F64,
        "ns",
        "sum over packets of the time that they waited, behind others or for credits; 0 for flows",
    ),
    column(
        "stall_ns",
        Kind::F64,
        "ns",
        "time that a packet was ready and the link idle for lack of credits; 0 for flows",
    ),
    column("multiplicity", Kind::U64, "", "links that the row stands for: one, unless the run was folded"),
];

/// One row a switch: what its outgoing links carried.
pub const SWITCHES: &[Column] = &[
    column("switch", Kind::Text, "", "name of the switch"),
    column("network", Kind::Text, "", "network that it belongs to"),
    column("level", Kind::U32, "", "tier, 1 next to the accelerators"),
    column("bytes", Kind::U64, "B", "payload that it sent on"),
    column("wire_bytes", Kind::U64, "B", "the same with headers and protocol expansion"),
    column("packets", Kind::U64, "", "packets that it sent on"),
    column("ports_used", Kind::U32, "", "output ports that carried anything"),
    column("utilisation_max", Kind::F64, "1", "utilisation of its busiest output port"),
    column(
        "queue_max_packets",
        Kind::U32,
        "packets",
        "most packets that waited at one of its output ports; 0 for flows",
    ),
    column(
        "stall_ns",
        Kind::F64,
        "ns",
        "sum over its output ports of the time stalled for lack of credits; 0 for flows",
    ),
    column("multiplicity", Kind::U64, "", "switches that the row stands for: one, unless the run was folded"),
];

/// One row a message.
pub const FLOWS: &[Column] = &[
    column("src", Kind::U32, "", "sending rank"),
    column("dst", Kind::U32, "", "receiving rank"),
    column("lane", Kind::U32, "", "lane of the schedule"),
    column("step", Kind::U32, "", "step of the receiver that waited for it"),
    column("bytes", Kind::U64, "B", "payload"),
    column("start_ns", Kind::F64, "ns", "when the step that sends it began"),
    column("end_ns", Kind::F64, "ns", "when its last byte was stored or reduced"),
    column("duration_ns", Kind::F64, "ns", "end_ns less start_ns"),
    column("multiplicity", Kind::U64, "", "messages that the row stands for: one, unless the run was folded"),
];

/// One row per operation of a workload and role of ranks.
pub const OPERATIONS: &[Column] = &[
    column("job", Kind::Text, "", "job; empty for a run of one collective"),
    column("operation", Kind::Text, "", "name of the operation"),
    column("kind", Kind::Text, "", "collective, pattern, transfer, send, receive, compute or delay"),
    column("stream", Kind::Text, "", "stream that it runs on"),
    column("role", Kind::U32, "", "ranks that execute alike have one role"),
    column("algorithm", Kind::Text, "", "algorithm of a collective, or name of a pattern; empty for other kinds"),
    column("protocol", Kind::Text, "", "protocol of its messages; empty where there are none"),
    column(
        "size_bytes",
        Kind::U64,
        "B",
        "size of a collective, or of a message, after rounding; of a matrix the most that a rank sends",
    ),
    column("ranks", Kind::U64, "", "ranks of this role that executed it"),
    column("instances", Kind::U64, "", "how often all of them together executed it"),
    column("start_ns", Kind::F64, "ns", "when it first began on one of them"),
    column("end_ns", Kind::F64, "ns", "when it last ended on one of them"),
    column("time_ns", Kind::F64, "ns", "from beginning to end on a rank, mean of all instances"),
    column("exposed_ns", Kind::F64, "ns", "part of time_ns in which the rank did not compute"),
];

/// One row per instance of each operation, of one rank of each role.
pub const ITERATIONS: &[Column] = &[
    column("job", Kind::Text, "", "job; empty for a run of one collective"),
    column("operation", Kind::Text, "", "name of the operation"),
    column("kind", Kind::Text, "", "collective, pattern, transfer, send, receive, compute or delay"),
    column("stream", Kind::Text, "", "stream that it runs on"),
    column("role", Kind::U32, "", "ranks that execute alike have one role"),
    column("rank", Kind::U32, "", "the first rank of the role, of which all instances are kept"),
    column("iteration", Kind::U32, "", "number of the instance, from 0"),
    column("start_ns", Kind::F64, "ns", "when it began on this rank"),
    column("end_ns", Kind::F64, "ns", "when it ended on this rank"),
    column("exposed_ns", Kind::F64, "ns", "part of this time in which the rank did not compute"),
];

/// The summary of a workload.
pub const WORKLOAD_SUMMARY: &[Column] = &[
    column("system", Kind::Text, "", "name of the machine"),
    column("jobs", Kind::U32, "", "number of jobs"),
    column("operations", Kind::U32, "", "number of operations"),
    column("fidelity", Kind::Text, "", "packet or flow"),
    column("ranks", Kind::U32, "", "ranks of all jobs"),
    column("time_ns", Kind::F64, "ns", "until the last rank of the last job has finished"),
    column("time_fs", Kind::U64, "fs", "the same in whole femtoseconds"),
    column("bound_ns", Kind::F64, "ns", "what the streams, or one operation by itself, cannot beat"),
    column("bound_kind", Kind::Text, "", "what sets the bound"),
    column("efficiency", Kind::F64, "1", "bound_ns over time_ns"),
    column("sent_bytes", Kind::U64, "B", "payload that all ranks sent"),
    column("bottleneck", Kind::Text, "", "what was busy for the largest part of the time"),
    column("packet_hops", Kind::U64, "", "packets times links"),
    column("seed", Kind::U64, "", "seed of every random choice"),
];

/// One row per message of a workload.
pub const OPERATION_FLOWS: &[Column] = &[
    column("job", Kind::Text, "", "job"),
    column("operation", Kind::Text, "", "operation that received it"),
    column("iteration", Kind::U32, "", "number of the instance, from 0"),
    column("src", Kind::U32, "", "sending rank"),
    column("dst", Kind::U32, "", "receiving rank"),
    column("lane", Kind::U32, "", "lane of the schedule"),
    column("step", Kind::U32, "", "step of the receiver that waited for it, from the first of the instance"),
    column("bytes", Kind::U64, "B", "payload"),
    column("start_ns", Kind::F64, "ns", "when the step that sends it began"),
    column("end_ns", Kind::F64, "ns", "when its last byte was stored or reduced"),
    column("duration_ns", Kind::F64, "ns", "end_ns less start_ns"),
    column("multiplicity", Kind::U64, "", "messages that the row stands for: one, unless the run was folded"),
];

/// The summary of an explicit schedule.
pub const SCHEDULE_SUMMARY: &[Column] = &[
    column("system", Kind::Text, "", "name of the machine"),
    column("schedule", Kind::Text, "", "name of the schedule"),
    column("operations", Kind::U64, "", "number of operations of all ranks"),
    column("messages", Kind::U64, "", "number of messages"),
    column("protocol", Kind::Text, "", "protocol of the messages"),
    column("fidelity", Kind::Text, "", "packet or flow"),
    column("ranks", Kind::U32, "", "ranks of the schedule"),
    column("time_ns", Kind::F64, "ns", "until the last operation has ended"),
    column("time_fs", Kind::U64, "fs", "the same in whole femtoseconds"),
    column("bound_ns", Kind::F64, "ns", "what the chains of operations, and the bytes of each rank, cannot beat"),
    column("bound_kind", Kind::Text, "", "what sets the bound: dependencies or injection"),
    column("efficiency", Kind::F64, "1", "bound_ns over time_ns"),
    column("sent_bytes", Kind::U64, "B", "payload that all ranks sent"),
    column("bottleneck", Kind::Text, "", "what was busy for the largest part of the time"),
    column("packet_hops", Kind::U64, "", "packets times links"),
    column("seed", Kind::U64, "", "seed of every random choice"),
];

/// One row per operation of an explicit schedule.
pub const SCHEDULE_OPERATIONS: &[Column] = &[
    column("rank", Kind::U32, "", "rank that executes it"),
    column("operation", Kind::U32, "", "its number in its rank, from 0"),
    column("label", Kind::Text, "", "its label in the file; empty if it has none"),
    column("kind", Kind::Text, "", "send, receive, reduce (a receive whose data is combined), compute or delay"),
    column("stream", Kind::U32, "", "computations of one stream of a rank run one at a time"),
    column("peer", Kind::I64, "", "the other rank of a message; -1 where there is none"),
    column("tag", Kind::U32, "", "tag of the message; 0 where there is none"),
    column("bytes", Kind::U64, "B", "payload of the message; 0 where there is none"),
    column(
        "start_ns",
        Kind::F64,
        "ns",
        "when all that it depends on had come so far and, of a computation, its stream was free",
    ),
    column(
        "end_ns",
        Kind::F64,
        "ns",
        "when its last byte had left (send), was stored or reduced (receive, reduce), or its time was over",
    ),
];

/// The operations of an explicit schedule, before it runs.
pub const PROGRAM: &[Column] = &[
    column("rank", Kind::U32, "", "rank that executes it"),
    column("operation", Kind::U32, "", "its number in its rank, from 0"),
    column("label", Kind::Text, "", "its label in the file; empty if it has none"),
    column("kind", Kind::Text, "", "send, receive, reduce (a receive whose data is combined), compute or delay"),
    column("stream", Kind::U32, "", "computations of one stream of a rank run one at a time"),
    column("peer", Kind::I64, "", "the other rank of a message; -1 where there is none"),
    column("tag", Kind::U32, "", "tag of the message; 0 where there is none"),
    column("bytes", Kind::U64, "B", "payload of the message; 0 where there is none"),
    column("duration_fs", Kind::U64, "fs", "time of a computation or delay; 0 for a message"),
];

/// The dependencies of an explicit schedule.
pub const DEPENDENCIES: &[Column] = &[
    column("rank", Kind::U32, "", "rank of both operations"),
    column("operation", Kind::U32, "", "the operation that waits"),
    column("after", Kind::U32, "", "the operation that it waits for"),
    column("on_begin", Kind::U32, "", "1 if it waits for the other one's beginning, 0 if for its end"),
];

/// All tables by name.
pub const TABLES: [(&str, &[Column]); 8] = [
    ("summary", SUMMARY),
    ("ranks", RANKS),
    ("levels", LEVELS),
    ("links", LINKS),
    ("switches", SWITCHES),
    ("flows", FLOWS),
    ("operations", OPERATIONS),
    ("iterations", ITERATIONS),
];

/// Tables that have other columns for a workload.
pub const OF_WORKLOADS: [(&str, &[Column]); 2] = [("summary", WORKLOAD_SUMMARY), ("flows", OPERATION_FLOWS)];

/// Tables that have other columns for an explicit schedule.
pub const OF_SCHEDULES: [(&str, &[Column]); 2] = [("summary", SCHEDULE_SUMMARY), ("operations", SCHEDULE_OPERATIONS)];

/// The Arrow schema of a list of columns; unit and meaning stand in the fields' metadata.
pub fn schema(columns: &[Column]) -> SchemaRef {
    let field = |c: &Column| {
        let mut metadata = BTreeMap::from([("doc".to_string(), c.meaning.to_string())]);
        if !c.unit.is_empty() {
            metadata.insert("unit".to_string(), c.unit.to_string());
        }
        Field::new(c.name, c.kind.arrow(), false).with_metadata(metadata.into_iter().collect())
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}
