//! What runs leave to Python: facts as JSON, tables as Arrow.
//!
//! **Model.** A run of one collective and one of a workload are two classes of the same form. **Invariant.** A table is made when it is
//! asked for, behind the door. **Cost.** One conversion per call. **Limits.** Nothing is kept: the caller keeps what it wants twice.

use pyo3::prelude::*;
use pyo3_arrow::PyTable;
use serde_json::{Value, json};
use supernode_core::control::Control;
use supernode_core::error::Result;
use supernode_core::record::Skipping;
use supernode_core::results::{self, RecordBatch};
use supernode_core::simulate::{self as core, Outcome, ProgramOutcome};
use supernode_core::symmetry::Folding;

use crate::door::{self, Watch};

/// What was folded, with the digits of the rank that are shifted where they are told.
pub(crate) fn folding(folding: &Folding, digits: Option<Vec<Value>>) -> Value {
    let mut found = json!({
        "applied": folding.applied(),
        "order": folding.multiplicity(),
        "classes": folding.simulated(),
        "reason": folding.reason(),
    });
    if let Some(digits) = digits {
        found["digits"] = digits.into();
    }
    found
}

/// What was jumped over.
pub(crate) fn skipping(skipping: &Skipping) -> Value {
    json!({
        "jumps": skipping.jumps,
        "periods": skipping.periods,
        "time_fs": skipping.time_fs,
        "packet_hops": skipping.packet_hops,
        "reason": skipping.reason,
    })
}

/// A table within so many bytes, or else those that are free now: one too large for the machine is an error, like a run, and by now less
/// may be free than before it.
pub(crate) fn made<'py>(
    py: Python<'py>,
    asked: Option<u64>,
    make: impl FnOnce(Option<u64>, &Control) -> Result<RecordBatch> + Send,
) -> PyResult<Bound<'py, PyAny>> {
    let inside = |control: &Control| make(asked.or_else(|| control.memory_limit()), control);
    let (batch, _) = door::enter(py, &Watch::default(), inside)?;
    let schema = batch.schema();
    PyTable::try_new(vec![batch], schema)?.into_pyarrow(py)
}

/// The result of one simulation.
#[pyclass(frozen, module = "supernode._core")]
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    pub(crate) wall_s: f64,
}

#[pymethods]
impl Run {
    /// Simulated time from the call until the last rank has finished.
    #[getter]
    fn time_fs(&self) -> u64 {
        self.outcome.time_fs
    }

    /// What ran, its bound and bottleneck, warnings and the effective specification, as a JSON object.
    #[getter]
    fn meta_json(&self) -> String {
        let o = &self.outcome;
        let (hops, windows, threads, state) =
            o.record.as_ref().map_or((0, 0, 0, 0), |r| (r.packet_hops, r.windows, r.threads, r.state_bytes));
        let digits: Vec<_> = match o.folding.applied() {
            true => o.folding.group().digits().iter().map(|d| json!([d.stride, d.size])).collect(),
            false => vec![],
        };
        let analytic = Skipping { reason: Some("the run is analytic"), ..Skipping::default() };
        let skipped = o.record.as_ref().map_or(analytic, |r| r.skipping);
        json!({
            "algorithm": o.algorithm,
            "protocol": o.protocol,
            "fidelity": o.fidelity,
            "fabric_kind": o.kind,
            "chosen_by": o.chosen_by,
            "bound_fs": o.bound.time_fs,
            "bound_kind": o.bound.kind,
            "bottleneck": o.bottleneck,
            "packet_hops": hops,
            "windows": windows,
            "threads": threads,
            "state_bytes": state,
            "folding": folding(&o.folding, Some(digits)),
            "skipping": skipping(&skipped),
            "wall_s": self.wall_s,
            "warnings": o.warnings,
            "effective": o.effective,
        })
        .to_string()
    }

    /// A table as ``pyarrow.Table``; of a folded run with one row a class, or one each.
    #[pyo3(signature = (name, expand=false))]
    fn table<'py>(&self, py: Python<'py>, name: &str, expand: bool) -> PyResult<Bound<'py, PyAny>> {
        let asked = self.outcome.effective.memory_limit;
        made(py, asked, |limit, control| results::table(&self.outcome, name, expand, limit, control))
    }

    /// Names of the tables that were recorded.
    fn tables(&self) -> Vec<&'static str> {
        results::tables(&self.outcome)
    }
}

/// The result of one run of a workload.
#[pyclass(frozen, module = "supernode._core")]
pub(crate) struct ProgramRun {
    pub(crate) outcome: ProgramOutcome,
    pub(crate) wall_s: f64,
}

#[pymethods]
impl ProgramRun {
    /// Simulated time until the last rank of the last job has finished.
    #[getter]
    fn time_fs(&self) -> u64 {
        self.outcome.time_fs
    }

    /// What ran, its bound and bottleneck, warnings and the operations, as a JSON object.
    #[getter]
    fn meta_json(&self) -> String {
        let o = &self.outcome;
        let record = &o.record;
        json!({
            "fidelity": o.fidelity,
            "bound_fs": o.bound.time_fs,
            "bound_kind": o.bound.kind,
            "bottleneck": o.bottleneck,
            "ranks": supernode_core::collective::Schedule::ranks(&o.workload),
            "packet_hops": record.packet_hops,
            "windows": record.windows,
            "threads": record.threads,
            "state_bytes": record.state_bytes,
            "folding": folding(&o.folding, None),
            "skipping": skipping(&record.skipping),
            "wall_s": self.wall_s,
            "warnings": o.warnings,
            "operations": core::operations(o),
        })
        .to_string()
    }

    /// A table as ``pyarrow.Table``; of a folded run with one row a class, or one each.
    #[pyo3(signature = (name, expand=false))]
    fn table<'py>(&self, py: Python<'py>, name: &str, expand: bool) -> PyResult<Bound<'py, PyAny>> {
        let asked = self.outcome.spec.memory_limit;
        made(py, asked, |limit, control| results::program_table(&self.outcome, name, expand, limit, control))
    }

    /// Names of the tables that there are.
    fn tables(&self) -> Vec<&'static str> {
        results::program_tables(&self.outcome)
    }
}
