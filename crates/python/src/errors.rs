//! Errors of the core as Python exceptions, by code.
//!
//! **Invariant.** `supernode.errors.BY_CODE` has a class for each of [`Error::CODES`]; a test on the Python side compares
//! the two. It is looked up when an error happens, so that the extension module loads without the package around it.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use supernode_core::error::Error;

/// The exception of an error.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let message = error.to_string();
    match class(py, error.code()) {
        Ok(class) => PyErr::from_type(class, (message,)),
        Err(_) => PyRuntimeError::new_err(message),
    }
}

fn class<'py>(py: Python<'py>, code: &str) -> PyResult<Bound<'py, PyType>> {
    let table = py.import("supernode.errors")?.getattr("BY_CODE")?;
    Ok(table.get_item(code)?.cast_into::<PyType>()?)
}
