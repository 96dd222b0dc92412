//! The thin binding `supernode._core`: Python calls in, results out, nothing decided here.
//!
//! **Invariant.** Every long call goes through one door ([`door::enter`]): it releases the interpreter lock, catches panics,
//! listens for Ctrl-C and cancel tokens and reports progress. Errors of the core become the exception classes of
//! `supernode.errors` by their code. Tables leave as `pyarrow.Table` over the Arrow C data interface, uncopied.
//!
//! **Cost.** A thread a call (some 20 us). **Limits.** The specification crosses as JSON text, once a run; arrays
//! (placement) as numpy.

mod door;
mod errors;
mod memory;
mod names;
mod outcome;
mod run;
mod schedule;

use pyo3::prelude::*;

/// The extension module: one door into the Rust core.
#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<outcome::Run>()?;
    m.add_class::<outcome::ProgramRun>()?;
    m.add_class::<schedule::Schedule>()?;
    m.add_class::<schedule::ScheduleRun>()?;
    m.add_class::<run::CancelToken>()?;
    m.add_class::<run::Fabrics>()?;
    m.add_function(wrap_pyfunction!(run::simulate, m)?)?;
    m.add_function(wrap_pyfunction!(run::program, m)?)?;
    m.add_function(wrap_pyfunction!(schedule::run_schedule, m)?)?;
    m.add_function(wrap_pyfunction!(schedule::schedule_formats, m)?)?;
    m.add_function(wrap_pyfunction!(run::validate, m)?)?;
    m.add_function(wrap_pyfunction!(run::describe, m)?)?;
    m.add_function(wrap_pyfunction!(run::edges, m)?)?;
    m.add_function(wrap_pyfunction!(run::check_schedule, m)?)?;
    m.add_function(wrap_pyfunction!(run::explain, m)?)?;
    m.add_function(wrap_pyfunction!(names::auto_buffer, m)?)?;
    m.add_function(wrap_pyfunction!(names::calls, m)?)?;
    m.add_function(wrap_pyfunction!(names::vocabulary, m)?)?;
    m.add_function(wrap_pyfunction!(names::rounded_bytes, m)?)?;
    m.add_function(wrap_pyfunction!(names::error_codes, m)?)?;
    m.add_function(wrap_pyfunction!(run::version_info, m)?)?;
    Ok(())
}
