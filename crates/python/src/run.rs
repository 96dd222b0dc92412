//! What Python calls: simulate and its smaller sisters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::simulate::{self as core, Plan};
use supernode_core::spec::ProgramSpec;
use supernode_core::survey::edges::Edge;

use crate::door::{self, Watch};
use crate::outcome::{ProgramRun, Run};

/// Stops a run from another thread.
#[pyclass(frozen, module = "supernode._core")]
#[derive(Default)]
pub(crate) struct CancelToken {
    pub(crate) flag: Arc<AtomicBool>,
}

#[pymethods]
impl CancelToken {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Stops every run that was given this token, now or later.
    fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }
}

/// Fabrics that runs share: of runs on one system that are given the same store, the first one builds it.
#[pyclass(frozen, module = "supernode._core")]
pub(crate) struct Fabrics(pub(crate) core::Fabrics);

#[pymethods]
impl Fabrics {
    /// A store of at most so many.
    #[new]
    fn new(most: usize) -> Self {
        Self(core::Fabrics::new(most))
    }
}

/// Runs one simulation.
#[pyfunction]
#[pyo3(signature = (spec_json, placement=None, progress=None, cancel=None, timeout_s=None, fabrics=None))]
pub(crate) fn simulate(
    py: Python<'_>,
    spec_json: String,
    placement: Option<PyReadonlyArray1<'_, u32>>,
    progress: Option<Py<PyAny>>,
    cancel: Option<Py<CancelToken>>,
    timeout_s: Option<f64>,
    fabrics: Option<Py<Fabrics>>,
) -> PyResult<Run> {
    let placement = owned(placement);
    let watch = Watch { progress: progress.as_ref(), cancel: cancel.as_ref().map(|c| &*c.get().flag), timeout_s };
    let (outcome, wall_s) = door::enter(py, &watch, move |control| {
        let spec = core::parse(&spec_json, placement)?;
        let plan = match &fabrics {
            Some(fabrics) => Plan::sharing(&fabrics.get().0, &spec, control)?,
            None => Plan::new(&spec, control)?,
        };
        control.total_bytes.store(plan.expected_bytes(), Ordering::Relaxed);
        plan.run(control)
    })?;
    Ok(Run { outcome, wall_s })
}

/// Runs a workload.
#[pyfunction]
#[pyo3(signature = (spec_json, progress=None, cancel=None, timeout_s=None, fabrics=None))]
pub(crate) fn program(
    py: Python<'_>,
    spec_json: String,
    progress: Option<Py<PyAny>>,
    cancel: Option<Py<CancelToken>>,
    timeout_s: Option<f64>,
    fabrics: Option<Py<Fabrics>>,
) -> PyResult<ProgramRun> {
    let watch = Watch { progress: progress.as_ref(), cancel: cancel.as_ref().map(|c| &*c.get().flag), timeout_s };
    let (outcome, wall_s) = door::enter(py, &watch, move |control| {
        let spec = ProgramSpec::from_json(&spec_json)?;
        match &fabrics {
            Some(fabrics) => core::program(&fabrics.get().0, &spec, control),
            None => core::program(&core::Fabrics::new(0), &spec, control),
        }
    })?;
    Ok(ProgramRun { outcome, wall_s })
}

/// A placement is too long to travel as text.
pub(crate) fn owned(placement: Option<PyReadonlyArray1<'_, u32>>) -> Option<Vec<u32>> {
    placement.map(|array| array.as_array().iter().copied().collect())
}

pub(crate) fn quick<T: Send>(
    py: Python<'_>,
    timeout_s: Option<f64>,
    work: impl FnOnce(&Control) -> Result<T> + Send,
) -> PyResult<T> {
    door::enter(py, &Watch { timeout_s, ..Watch::default() }, work).map(|(value, _)| value)
}

/// Validates a specification and returns the effective one as JSON.
#[pyfunction]
#[pyo3(signature = (spec_json, placement=None))]
pub(crate) fn validate(
    py: Python<'_>,
    spec_json: String,
    placement: Option<PyReadonlyArray1<'_, u32>>,
) -> PyResult<String> {
    let placement = owned(placement);
    quick(py, None, move |control| {
        let plan = Plan::new(&core::parse(&spec_json, placement)?, control)?;
        serde_json::to_string(plan.effective()).map_err(|e| Error::Internal(e.to_string()))
    })
}

/// Counts of a system as JSON.
#[pyfunction]
pub(crate) fn describe(py: Python<'_>, system_json: String) -> PyResult<String> {
    quick(py, None, |control| core::describe_system(&system_json, control))
}

/// A column of the list of links: its name, and its value in a row.
type Column<T> = (&'static str, fn(&Edge) -> T);

/// Every directed link of a system: columns by name, as numpy arrays.
#[pyfunction]
pub(crate) fn edges<'py>(py: Python<'py>, system_json: String) -> PyResult<Bound<'py, PyDict>> {
    let edges = quick(py, None, |control| core::list_edges(&system_json, control))?;
    let columns = PyDict::new(py);
    let narrow: [Column<u32>; 6] = [
        ("vertex", |e| e.vertex),
        ("port", |e| e.port),
        ("peer", |e| e.peer),
        ("peer_port", |e| e.peer_port),
        ("network", |e| e.network),
        ("level", |e| e.level),
    ];
    for (name, of) in narrow {
        columns.set_item(name, PyArray1::from_iter(py, edges.iter().map(of)))?;
    }
    let wide: [Column<u64>; 3] =
        [("rate", |e| e.rate), ("latency_fs", |e| e.latency_fs), ("forward_fs", |e| e.forward_fs)];
    for (name, of) in wide {
        columns.set_item(name, PyArray1::from_iter(py, edges.iter().map(of)))?;
    }
    Ok(columns)
}

/// Runs the schedule symbolically; a JSON report.
#[pyfunction]
#[pyo3(signature = (spec_json, placement=None, timeout_s=None))]
pub(crate) fn check_schedule(
    py: Python<'_>,
    spec_json: String,
    placement: Option<PyReadonlyArray1<'_, u32>>,
    timeout_s: Option<f64>,
) -> PyResult<String> {
    let placement = owned(placement);
    quick(py, timeout_s, move |control| core::check_schedule(&core::parse(&spec_json, placement)?, control))
}

/// Every algorithm with every protocol as a JSON list.
#[pyfunction]
#[pyo3(signature = (spec_json, placement=None, timeout_s=None))]
pub(crate) fn explain(
    py: Python<'_>,
    spec_json: String,
    placement: Option<PyReadonlyArray1<'_, u32>>,
    timeout_s: Option<f64>,
) -> PyResult<String> {
    let placement = owned(placement);
    quick(py, timeout_s, move |control| core::explain(&core::parse(&spec_json, placement)?, control))
}

/// What the extension module was built from.
#[pyfunction]
pub(crate) fn version_info() -> BTreeMap<&'static str, &'static str> {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    BTreeMap::from([("core", env!("CARGO_PKG_VERSION")), ("profile", profile), ("target", std::env::consts::ARCH)])
}
