//! Every table is the same for any number of threads, cell by cell.

use crate::common::*;
use supernode_core::control::Control;
use supernode_core::results::{table, tables};
use supernode_core::simulate::simulate;
use supernode_core::spec::*;

#[test]
fn threads_leave_no_trace() {
    let machines = [
        system(2, vec![network("pair", 2, torus(&[2]), vec![1])]),
        system(12, vec![network("tree", 12, clos(&[4, 3], &[1, 2]), vec![1, 1])]),
    ];
    for machine in machines {
        let protocol = ProtocolSpec { step_fs: vec![0], ..no_stack() };
        let text = serde_json::json!({
            "system": machine, "collective": "all_gather", "algorithm": "direct", "bytes": 40_000, "fidelity": "packet",
            "record": ["ranks", "levels", "links", "switches", "flows"],
            "stack": StackSpec { name: "none".into(), protocols: vec![protocol], protocol: "auto".into(), algorithms: Default::default(), library: None },
        });
        let mut spec = RunSpec::from_json(&text.to_string()).unwrap();
        let mut run = |threads| {
            spec.threads = threads;
            simulate(&spec, &Control::default()).unwrap()
        };
        let one = run(1);
        for threads in [2, 7] {
            let other = run(threads);
            for name in tables(&one) {
                let (left, right) = (
                    table(&one, name, false, None, &Control::default()).unwrap(),
                    table(&other, name, false, None, &Control::default()).unwrap(),
                );
                for (i, field) in left.schema().fields().iter().enumerate() {
                    assert_eq!(left.column(i), right.column(i), "{name}.{} with {threads} threads", field.name());
                }
            }
        }
    }
}
