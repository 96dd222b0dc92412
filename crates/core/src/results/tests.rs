//! The tables of a made-up outcome, and the data dictionary against the schemas.
use super::*;
use crate::bound::Bound;
use crate::control::Control;
use crate::fabric::Fabric;
use crate::record::{FlowRecord, LevelRecord, RankRecord};
use crate::spec::{Fidelity, RunSpec, Table};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};

fn outcome(record: &[&str]) -> Outcome {
    let mut effective = RunSpec::from_json(
        r#"{"system": {"name": "two", "accelerators": 2, "device": {}, "networks": [{"name": "nv", "span": 2,
             "topology": {"kind": "clos", "down": [2], "up": [1], "parallel": [1]}, "planes": [1],
             "links": [{"rate": 8000000000, "latency_fs": 1000}], "switches": [{"latency_fs": 0}],
             "payload": 4096, "overhead": 0}]},
            "collective": "all_gather", "bytes": 1024,
            "stack": {"name": "none", "protocols": [{"name": "simple", "step_fs": [0]}]}}"#,
    )
    .unwrap();
    effective.record = record.iter().map(|r| Table::parse(r).unwrap()).collect();
    let fabric = Fabric::new(&effective.system, &Control::default()).unwrap();
    let link = LinkRecord {
        vertex: 2,
        port: 0,
        peer: 0,
        network: 0,
        tier: 0,
        up: false,
        payload_bytes: 512,
        wire_bytes: 512,
        packets: 1,
        busy_fs: 512_000_000,
        stall_fs: 0,
        wait_fs: 256_000_000,
        queue_max: 1,
    };
    let links = vec![
        LinkRecord { vertex: 0, peer: 2, up: true, ..link },
        link,
        LinkRecord { port: 1, peer: 1, packets: 0, busy_fs: 0, ..link },
    ];
    let level = LevelRecord {
        links: 4,
        busy_max_fs: 512_000_000,
        busy_fs: 4 * 256_000_000,
        stall_fs: 1_500_000,
        ..LevelRecord::default()
    };
    let levels = vec![LevelRecord { up: true, ..level }, level];
    let flows =
        vec![FlowRecord { src: 0, dst: 1, lane: 0, step: 0, bytes: 512, start_fs: 1_000_000, end_fs: 3_000_000 }];
    let ranks = (0..2).map(|rank| RankRecord { rank, accelerator: rank, ..RankRecord::default() }).collect();
    let record = crate::record::Record {
        finish_fs: 1_024_000_000,
        packet_hops: 4,
        ranks,
        levels,
        links,
        flows,
        ..crate::record::Record::default()
    };
    Outcome {
        chosen_by: String::new(),
        folding: crate::symmetry::Folding::none(2, String::new()),
        time_fs: record.finish_fs,
        algorithm: crate::spec::Algorithm::Ring,
        protocol: "simple".into(),
        fidelity: Fidelity::Packet,
        kind: "switch".into(),
        ranks: 2,
        bytes_effective: 1024,
        algbw_gbytes_s: 1.0,
        busbw_gbytes_s: 0.5,
        bound: Bound { time_fs: 512_000_000, kind: "injection" },
        bottleneck: "nv tier 1 up links, 50 % busy".into(),
        warnings: vec![],
        record: Some(record),
        effective,
        fabric: fabric.into(),
    }
}

fn float(batch: &RecordBatch, column: &str) -> Vec<f64> {
    batch.column_by_name(column).unwrap().as_primitive::<Float64Type>().values().to_vec()
}

#[test]
fn every_table_has_its_columns() {
    let o = outcome(&["ranks", "levels", "links", "switches", "flows", "operations", "iterations"]);
    assert_eq!(tables(&o), ["summary", "ranks", "levels", "links", "switches", "flows", "operations", "iterations"]);
    for (name, list) in columns::TABLES {
        let batch = table(&o, name, false, None, &Control::default()).unwrap();
        let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, list.iter().map(|c| c.name).collect::<Vec<_>>());
        assert!(batch.columns().iter().all(|c| c.null_count() == 0));
    }
}

#[test]
fn values_are_in_their_units() {
    let o = outcome(&["levels", "links", "switches", "flows"]);
    let summary = table(&o, "summary", false, None, &Control::default()).unwrap();
    assert_eq!(float(&summary, "time_ns"), [1024.0]);
    assert_eq!(float(&summary, "efficiency"), [0.5]);
    // nccl-tests: count of an all-gather is a rank's piece, 1024 B / 4 B / 2 ranks
    assert_eq!(summary.column_by_name("count").unwrap().as_primitive::<UInt64Type>().value(0), 128);
    let levels = table(&o, "levels", false, None, &Control::default()).unwrap();
    assert_eq!(float(&levels, "utilisation_max"), [0.5; 2]);
    assert_eq!(float(&levels, "utilisation_mean"), [0.25; 2]);
    assert_eq!(float(&levels, "stall_ns"), [1.5; 2]);
    assert_eq!(levels, table(&o, "levels", true, None, &Control::default()).unwrap());
    let links = table(&o, "links", false, None, &Control::default()).unwrap();
    assert_eq!(float(&links, "utilisation"), [0.5, 0.5, 0.0]);
    assert_eq!(float(&links, "queue_mean_packets"), [0.25; 3]);
    assert_eq!(links.column_by_name("src").unwrap().as_string::<i32>().value(0), "accelerator 0");
    let switches = table(&o, "switches", false, None, &Control::default()).unwrap();
    assert_eq!((switches.num_rows(), float(&switches, "utilisation_max")), (1, vec![0.5]));
    assert_eq!(float(&table(&o, "flows", false, None, &Control::default()).unwrap(), "duration_ns"), [2.0]);
}

#[test]
fn what_was_not_recorded_is_an_error() {
    let o = outcome(&["ranks"]);
    for (name, expected) in [("flows", "put \"flows\" into record"), ("heat", "one of summary")] {
        let error = table(&o, name, false, None, &Control::default()).unwrap_err();
        assert!(error.code() == "spec" && error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn more_text_than_a_column_holds_is_an_error() {
    assert_eq!(text_within(6, ["abc", "def"]).unwrap().len(), 2);
    let error = text_within(5, ["abc", "def", "ghi"]).unwrap_err();
    let expected = "text of one column overflows: 6 bytes in the first 2 rows; at most 5 bytes";
    assert!(error.code() == "overflow" && error.to_string().contains(expected), "{error}");
}

#[test]
fn the_data_dictionary_lists_exactly_these_columns() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/data_dictionary.md");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut expected = String::new();
    let workloads = columns::OF_WORKLOADS.iter().map(|(name, list)| (format!("{name} of a workload"), *list));
    let tables = columns::TABLES.iter().map(|(name, list)| ((*name).to_string(), *list));
    let of = |(name, list): &(&str, &'static [columns::Column])| (format!("{name} of an explicit schedule"), *list);
    for (name, list) in tables.chain(workloads).chain(columns::OF_SCHEDULES.iter().map(of)) {
        expected += &format!("\n## {name}\n\n| column | type | unit | meaning |\n|---|---|---|---|\n");
        for c in list {
            let unit = if c.unit.is_empty() { "" } else { c.unit };
            expected += &format!("| `{}` | {} | {unit} | {} |\n", c.name, c.kind.name(), c.meaning);
        }
    }
    assert!(text.ends_with(&expected), "docs/data_dictionary.md does not end with:\n{expected}");
}
