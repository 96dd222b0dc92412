//! A table that would not fit is refused before its first row, with its rows, its bytes and what there is instead.

use crate::common::*;
use supernode_core::collective::{Algorithm, Collective, Params, build};
use supernode_core::control::Control;
use supernode_core::error::Error;
use supernode_core::fabric::Fabric;
use supernode_core::record::{FlowRecord, LinkRecord, RankRecord};
use supernode_core::results::table;
use supernode_core::simulate::{Outcome, simulate};
use supernode_core::spec::*;
use supernode_core::symmetry::{Folding, order};

/// An all-to-all of packets over all accelerators of a machine.
fn all_to_all(machine: &SystemSpec, fold: bool, record: &[&str]) -> Outcome {
    let protocol = ProtocolSpec { step_fs: vec![0; machine.networks.len()], ..no_stack() };
    let text = serde_json::json!({
        "system": machine, "collective": "all_to_all", "algorithm": "direct", "bytes": 64 * machine.accelerators,
        "fidelity": "packet", "fold": fold, "record": record,
        "stack": StackSpec { name: "none".into(), protocols: vec![protocol], protocol: "auto".into(), algorithms: Default::default(), library: None },
    });
    simulate(&RunSpec::from_json(&text.to_string()).unwrap(), &Control::default()).unwrap()
}

/// What is refused if nothing is allowed: its text and its bytes.
fn refused(o: &Outcome, name: &str, expand: bool) -> (String, u64) {
    let error = table(o, name, expand, Some(0), &Control::default()).unwrap_err();
    let Error::Memory { needed, .. } = error else { panic!("{error}") };
    (error.to_string(), needed)
}

#[test]
fn the_limit_is_what_a_table_takes_and_its_rows_are_counted() {
    let machines = [
        switched(8),
        system(12, vec![network("tree", 12, clos(&[4, 3], &[1, 2]), vec![1, 1])]),
        system(24, vec![network("tree", 24, clos(&[3, 4, 2], &[1, 3, 2]), vec![2])]),
        system(12, vec![network("torus", 12, torus(&[4, 3]), vec![1])]),
        system(16, vec![network("host", 4, clos(&[4], &[1]), vec![2]), network("pod", 16, clos(&[16], &[1]), vec![1])]),
    ];
    for (machine, fold) in machines.iter().flat_map(|m| [(m, true), (m, false)]) {
        let o = all_to_all(machine, fold, &["ranks", "levels", "links", "switches", "flows"]);
        for (name, expand) in ["ranks", "links", "flows", "switches"].iter().flat_map(|n| [(n, true), (n, false)]) {
            let made = table(&o, name, expand, None, &Control::default()).unwrap();
            if made.num_rows() == 0 {
                continue; // the routers of a torus are no switches
            }
            let (text, needed) = refused(&o, name, expand);
            let expanded = if expand && o.folding.applied() { ", expanded," } else { "" };
            let start = format!("table {name}{expanded} of {} rows with ", made.num_rows());
            assert!(text.starts_with(&start), "{start}: {text}");
            // no less than the columns, and no more than they and their rows with names shorter than the longest
            let columns: usize = made.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap()).sum();
            let spare = made.num_rows() * 120;
            assert!((columns..=columns + spare).contains(&(needed as usize)), "{name} {expand}: {columns} {needed}");
            assert_eq!(table(&o, name, expand, Some(needed), &Control::default()).unwrap(), made);
            assert!(table(&o, name, expand, Some(needed - 1), &Control::default()).is_err());
        }
        for few in ["summary", "levels"] {
            assert!(table(&o, few, true, Some(0), &Control::default()).is_ok());
        }
    }
}

#[test]
fn a_million_million_messages_are_refused_by_arithmetic() {
    let record = ["ranks", "links", "switches", "flows"];
    let mut o = all_to_all(&switched(8), true, &record);
    // the same folded run of a million ranks, with as many messages of the one that is simulated
    let ranks = 1 << 20;
    let tree = network("tree", ranks, clos(&[128, 128, 64], &[1, 128, 128]), vec![1]);
    o.fabric = Fabric::new(&system(ranks, vec![tree]), &Control::default()).unwrap().into();
    let params = Params {
        order: order(&o.fabric, &(0..ranks).collect::<Vec<_>>()),
        ..Params::new(Collective::AllToAll, Algorithm::Direct, ranks, 64 << 20)
    };
    let placement: Vec<u32> = (0..ranks).collect();
    o.folding = Folding::new(&o.fabric, &*build(&params).unwrap(), &placement, true, &Control::default()).unwrap();
    o.ranks = ranks;
    assert_eq!(o.folding.multiplicity(), 1 << 20, "{}", o.folding.reason());
    o.record.as_mut().unwrap().flows = vec![FlowRecord::default(); 1 << 20];

    let (text, needed) = refused(&o, "flows", true);
    let each = size_of::<FlowRecord>() as u64 + 4 * 4 + 5 * 8;
    assert_eq!(needed, each << 40);
    assert_eq!(
        text,
        format!(
            "table flows, expanded, of 1099511627776 rows with {each} bytes each needs about {needed} bytes, 0 are \
             allowed; use it as it is, without expand: 1048576 rows, and what each stands for is its multiplicity; or \
             allow more with memory_limit"
        )
    );
    assert!(
        matches!(table(&o, "flows", true, Some(1 << 40), &Control::default()), Err(Error::Memory { available, .. }) if available == 1 << 40)
    );

    let (text, needed) = refused(&o, "links", true);
    assert!(text.contains("of 6291456 rows") && text.contains("; or record levels, the sums over links"), "{text}");
    assert!(needed > (6 << 20) * size_of::<LinkRecord>() as u64);
    assert_eq!(refused(&o, "ranks", true).1, (size_of::<RankRecord>() as u64 + 2 * 4 + 8 * 8) << 20);
    let mut levels = o.clone();
    levels.effective.record.push(Table::Levels);
    assert!(refused(&levels, "switches", true).0.contains("; or use levels, the sums over links"));
    // as it is it takes a row a message of one rank
    assert_eq!(table(&o, "flows", false, Some(64 << 20), &Control::default()).unwrap().num_rows(), 1 << 20);
}
