//! Explicit schedules: read, made of columns, written, and run.
//!
//! **Invariant.** A schedule is compiled once and shared by all runs of it. **Cost.** Columns are copied once.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3_arrow::PyTable;
use supernode_core::collective::Schedule as _;
use supernode_core::control::Control;
use supernode_core::error::Result;
use supernode_core::results;
use supernode_core::simulate::{self as core, ExplicitOutcome, Fabrics};
use supernode_core::spec::ProgramSpec;
use supernode_core::workload::explicit::{Act, Action, Draft, Explicit};
use supernode_formats::{self as formats, Format};

use crate::door::{self, Watch};
use crate::outcome::{folding, made, skipping};
use crate::run;

/// A program of operations on ranks.
#[pyclass(frozen, module = "supernode._core")]
pub(crate) struct Schedule(Arc<Explicit>);

/// Columns of operations and dependencies, as Python gives them.
struct Columns {
    ranks: u64,
    rank: Vec<u32>,
    act: Vec<u8>,
    peer: Vec<u32>,
    amount: Vec<u64>,
    tag: Vec<u32>,
    stream: Vec<u16>,
    labels: Vec<String>,
    /// Row that waits, row that it waits for, whether for its beginning.
    after: Vec<u32>,
    before: Vec<u32>,
    on_begin: Vec<bool>,
}

impl Columns {
    /// Rows of one rank after those of another; dependencies by the row that waits.
    fn compile(self, control: &Control) -> Result<Explicit> {
        let mut draft = Draft::new(self.ranks)?;
        let mut next = 0;
        let mut first = 0;
        for (row, &rank) in self.rank.iter().enumerate() {
            control.check()?;
            if row == 0 || self.rank[row - 1] != rank {
                first = row;
                draft.rank(rank.into())?;
            }
            let act = [Act::Send, Act::Receive, Act::Reduce, Act::Compute, Act::Delay][usize::from(self.act[row])];
            let (amount, peer, stream) = (self.amount[row], self.peer[row], self.stream[row]);
            let label = self.labels.get(row).map_or("", String::as_str);
            draft.push(Action { act, amount, peer, stream, ..Action::default() }, self.tag[row], label)?;
            let last = self.rank.get(row + 1) != Some(&rank);
            while last && self.after.get(next).is_some_and(|&after| after as usize <= row) {
                let number = |row: u32| match row as usize >= first {
                    true => u64::from(row) - first as u64,
                    false => u64::MAX,
                };
                draft.after(number(self.after[next]), number(self.before[next]), self.on_begin[next])?;
                next += 1;
            }
        }
        draft.compile(control)
    }
}

#[pymethods]
impl Schedule {
    /// Reads a file; gives the name of its format, too.
    #[staticmethod]
    #[pyo3(signature = (path, format=None, size=None))]
    fn read(py: Python<'_>, path: PathBuf, format: Option<&str>, size: Option<u64>) -> PyResult<(Self, &'static str)> {
        let format = format.map(Format::parse).transpose().map_err(|error| crate::errors::raise(py, &error))?;
        let (program, format) = run::quick(py, None, move |control| formats::read(&path, format, size, control))?;
        Ok((Self(Arc::new(program)), format.name()))
    }

    /// Makes one of columns: rows of one rank stand together, ranks in ascending order.
    #[staticmethod]
    #[allow(clippy::too_many_arguments)] // the columns of two tables
    fn of_columns(
        py: Python<'_>,
        ranks: u64,
        rank: PyReadonlyArray1<'_, u32>,
        act: PyReadonlyArray1<'_, u8>,
        peer: PyReadonlyArray1<'_, u32>,
        amount: PyReadonlyArray1<'_, u64>,
        tag: PyReadonlyArray1<'_, u32>,
        stream: PyReadonlyArray1<'_, u16>,
        labels: Vec<String>,
        after: PyReadonlyArray1<'_, u32>,
        before: PyReadonlyArray1<'_, u32>,
        on_begin: PyReadonlyArray1<'_, bool>,
    ) -> PyResult<Self> {
        let columns = Columns {
            ranks,
            rank: rank.as_array().to_vec(),
            act: act.as_array().to_vec(),
            peer: peer.as_array().to_vec(),
            amount: amount.as_array().to_vec(),
            tag: tag.as_array().to_vec(),
            stream: stream.as_array().to_vec(),
            labels,
            after: after.as_array().to_vec(),
            before: before.as_array().to_vec(),
            on_begin: on_begin.as_array().to_vec(),
        };
        run::quick(py, None, move |control| columns.compile(control)).map(|program| Self(Arc::new(program)))
    }

    /// Number of ranks.
    #[getter]
    fn ranks(&self) -> u32 {
        self.0.ranks()
    }

    /// Number of operations.
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Bytes of memory.
    #[getter]
    fn state_bytes(&self) -> u64 {
        self.0.state_bytes()
    }

    /// A table of the schedule as ``pyarrow.Table``: ``operations`` or ``dependencies``.
    fn table<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let (batch, _) = door::enter(py, &Watch::default(), |control| results::schedule_table(&self.0, name, control))?;
        let schema = batch.schema();
        PyTable::try_new(vec![batch], schema)?.into_pyarrow(py)
    }

    /// Writes a file; gives what its format cannot hold.
    #[pyo3(signature = (path, format=None))]
    fn write(&self, py: Python<'_>, path: PathBuf, format: Option<&str>) -> PyResult<Vec<String>> {
        let format = format.map(Format::parse).transpose().map_err(|error| crate::errors::raise(py, &error))?;
        run::quick(py, None, |_| formats::write(&self.0, &path, format))
    }
}

/// Name and extension of each format of schedules.
#[pyfunction]
pub(crate) fn schedule_formats() -> Vec<(&'static str, &'static str)> {
    Format::ALL.into_iter().map(|format| (format.name(), format.extension())).collect()
}

/// The result of one run of an explicit schedule.
#[pyclass(frozen, module = "supernode._core")]
pub(crate) struct ScheduleRun {
    outcome: ExplicitOutcome,
    wall_s: f64,
}

#[pymethods]
impl ScheduleRun {
    /// Simulated time until the last rank has finished.
    #[getter]
    fn time_fs(&self) -> u64 {
        self.outcome.time_fs
    }

    /// What ran, its bound and bottleneck, and warnings, as a JSON object.
    #[getter]
    fn meta_json(&self) -> String {
        let o = &self.outcome;
        let record = &o.record;
        serde_json::json!({
            "fidelity": o.fidelity,
            "protocol": o.protocol,
            "operations": o.program.len(),
            "bound_fs": o.bound.time_fs,
            "bound_kind": o.bound.kind,
            "bottleneck": o.bottleneck,
            "packet_hops": record.packet_hops,
            "windows": record.windows,
            "threads": record.threads,
            "state_bytes": record.state_bytes + o.program.state_bytes(),
            "folding": folding(&o.folding, None),
            "skipping": skipping(&record.skipping),
            "wall_s": self.wall_s,
            "warnings": o.warnings,
        })
        .to_string()
    }

    /// A table as ``pyarrow.Table``.
    #[pyo3(signature = (name, expand=false))]
    fn table<'py>(&self, py: Python<'py>, name: &str, expand: bool) -> PyResult<Bound<'py, PyAny>> {
        let _ = expand; // nothing is folded
        let asked = self.outcome.spec.memory_limit;
        made(py, asked, |limit, control| results::explicit_table(&self.outcome, name, limit, control))
    }

    /// Names of the tables that there are.
    fn tables(&self) -> Vec<&'static str> {
        results::explicit_tables(&self.outcome)
    }
}

/// Runs an explicit schedule.
#[pyfunction]
#[pyo3(signature = (spec_json, schedule, placement=None, progress=None, cancel=None, timeout_s=None, fabrics=None))]
#[allow(clippy::too_many_arguments)] // the keywords of a call
pub(crate) fn run_schedule(
    py: Python<'_>,
    spec_json: String,
    schedule: Py<Schedule>,
    placement: Option<PyReadonlyArray1<'_, u32>>,
    progress: Option<Py<PyAny>>,
    cancel: Option<Py<run::CancelToken>>,
    timeout_s: Option<f64>,
    fabrics: Option<Py<run::Fabrics>>,
) -> PyResult<ScheduleRun> {
    let placement = run::owned(placement);
    let program = Arc::clone(&schedule.get().0);
    let watch = Watch { progress: progress.as_ref(), cancel: cancel.as_ref().map(|c| &*c.get().flag), timeout_s };
    let (outcome, wall_s) = door::enter(py, &watch, move |control| {
        let mut spec = ProgramSpec::from_json(&spec_json)?;
        if let Some(job) = spec.jobs.first_mut() {
            job.placement = placement;
        }
        match &fabrics {
            Some(fabrics) => core::explicit(&fabrics.get().0, &spec, &program, control),
            None => core::explicit(&Fabrics::new(0), &spec, &program, control),
        }
    })?;
    Ok(ScheduleRun { outcome, wall_s })
}
