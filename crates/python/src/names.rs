//! What the core knows by name: Python asks for names, spellings and limits instead of repeating them.
//!
//! **Invariant.** Everything here is read from the core's own enumerations and constants. **Cost.** Built once per process.

use pyo3::prelude::*;
use serde_json::{Value, json};
use supernode_core::calls::Launcher;
use supernode_core::error::Error;
use supernode_core::fabric::credit;
use supernode_core::spec::{
    Algorithm, Collective, Fidelity, LIBRARIES, MAX_LANES, MAX_THREADS, Named, Pattern, RoutingSpec, Table,
};
use supernode_core::units::BitRate;

use crate::errors;

/// Pairs of a name and its other spellings, in the core's order.
fn spellings<T: Named>() -> Value {
    json!(T::spellings())
}

/// Names, spellings, properties and limits, as a JSON object.
#[pyfunction]
pub(crate) fn vocabulary() -> String {
    let those = |is: fn(Collective) -> bool| -> Vec<&str> {
        Collective::ALL.into_iter().filter(|&c| is(c)).map(Collective::name).collect()
    };
    let of_graphs: Vec<&str> = RoutingSpec::ALL.into_iter().filter(|r| r.of_graphs()).map(RoutingSpec::name).collect();
    json!({
        "collectives": spellings::<Collective>(),
        "algorithms": spellings::<Algorithm>(),
        "fidelities": spellings::<Fidelity>(),
        "tables": spellings::<Table>(),
        "routings": spellings::<RoutingSpec>(),
        "patterns": spellings::<Pattern>(),
        "routings_of_graphs": of_graphs,
        "rooted": those(Collective::rooted),
        "reduces": those(Collective::reduces),
        "parted": those(Collective::parted),
        "libraries": LIBRARIES,
        "lanes": MAX_LANES,
        "threads": MAX_THREADS,
    })
    .to_string()
}

/// The size that nccl-tests really runs when asked for `bytes`.
#[pyfunction]
pub(crate) fn rounded_bytes(
    py: Python<'_>,
    collective: &str,
    bytes: u64,
    ranks: u32,
    element_bytes: u32,
) -> PyResult<u64> {
    let collective = Collective::parse(collective).map_err(|e| errors::raise(py, &e))?;
    Ok(collective.rounded_bytes(bytes, ranks, element_bytes))
}

/// Bytes of buffer behind a link (bit/s) with which one flow reaches the link's rate.
#[pyfunction]
pub(crate) fn auto_buffer(rate: u64, latency_fs: u64, switch_fs: u64, payload: u32, overhead: u32) -> u64 {
    credit::auto_buffer(BitRate(rate), latency_fs, switch_fs, payload, overhead)
}

/// Time of so many calls back to back that a thread launches on its devices; `None` beyond the clock's end.
#[pyfunction]
pub(crate) fn calls(launch_fs: u64, devices: u32, calls: u32, device_fs: u64) -> Option<u64> {
    Launcher { launch_fs, devices }.run(calls, device_fs)
}

/// Codes of the core's errors.
#[pyfunction]
pub(crate) fn error_codes() -> Vec<&'static str> {
    Error::CODES.to_vec()
}
