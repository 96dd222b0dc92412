//! The one door: long work runs on a thread of its own while the caller's thread listens.
//!
//! **Model.** The caller releases the interpreter lock and waits for the worker. Every [`POLL`] it looks for signals (which
//! Python delivers to the main thread only), for its cancel token, and, every [`REPORT`], calls the progress function. Any
//! of them can stop the work through [`Control::cancel`]; the worker is always waited for, so nothing outlives the call.
//!
//! **Invariant.** A panic becomes an `InternalError`; an exception raised by a signal handler or by the progress function
//! is what the caller sees.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use supernode_core::engine::Control;
use supernode_core::error::{Error, Result};

use crate::errors;

/// Time between two looks at signals and cancel tokens.
const POLL: Duration = Duration::from_millis(50);
/// Time between two calls of the progress function.
const REPORT: Duration = Duration::from_millis(100);

/// What the caller and the worker share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The core's own.
    pub(crate) control: Control,
    /// Bytes that the run will deliver, once known.
    pub(crate) total_bytes: AtomicU64,
}

/// Who wants to know, and who may stop it.
#[derive(Default)]
pub(crate) struct Watch<'a> {
    /// Called with delivered bytes, total bytes and simulated nanoseconds.
    pub(crate) progress: Option<&'a Py<PyAny>>,
    /// Set from another thread.
    pub(crate) cancel: Option<&'a AtomicBool>,
}

/// Runs `work` and gives its result with the seconds that it took.
pub(crate) fn enter<T, F>(py: Python<'_>, watch: &Watch<'_>, work: F) -> PyResult<(T, f64)>
where
    T: Send + 'static,
    F: FnOnce(&Shared) -> Result<T> + Send + 'static,
{
    let shared = Arc::new(Shared::default());
    let (send, mut receive) = channel();
    let inside = Arc::clone(&shared);
    #[allow(clippy::disallowed_methods)] // wall time is measured here and nowhere in the core
    let start = Instant::now();
    let worker = std::thread::Builder::new().name("supernode".into()).spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| work(&inside))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(Error::Internal(text.unwrap_or_else(|| "a panic without a message".into())))
        });
        // the receiver waits until it has this
        let _ = send.send(result);
    });
    let worker = worker.map_err(|e| errors::raise(py, &Error::Internal(format!("no thread for the run: {e}"))))?;

    let mut stopped: Option<PyErr> = None;
    let mut reported = start;
    let result = loop {
        let (waited, back) = py.detach(|| {
            let waited = receive.recv_timeout(POLL);
            (waited, receive)
        });
        receive = back;
        match waited {
            Ok(result) => break result,
            Err(RecvTimeoutError::Disconnected) => {
                break Err(Error::Internal("the run's thread ended without a result".into()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if watch.cancel.is_some_and(|c| c.load(Ordering::Relaxed)) {
            shared.control.cancel.store(true, Ordering::Relaxed);
        }
        if stopped.is_some() {
            continue;
        }
        let mut said = py.check_signals();
        if said.is_ok() && reported.elapsed() >= REPORT {
            #[allow(clippy::disallowed_methods)] // as above
            let now = Instant::now();
            reported = now;
            said = report(py, watch, &shared);
        }
        if let Err(exception) = said {
            shared.control.cancel.store(true, Ordering::Relaxed);
            stopped = Some(exception);
        }
    };
    let wall_s = start.elapsed().as_secs_f64();
    py.detach(|| worker.join()).ok();
    match (stopped, result) {
        (Some(exception), _) => Err(exception),
        (None, Ok(value)) => Ok((value, wall_s)),
        (None, Err(error)) => Err(errors::raise(py, &error)),
    }
}

fn report(py: Python<'_>, watch: &Watch<'_>, shared: &Shared) -> PyResult<()> {
    let Some(progress) = watch.progress else {
        return Ok(());
    };
    let done = shared.control.delivered_bytes.load(Ordering::Relaxed);
    let total = shared.total_bytes.load(Ordering::Relaxed).max(done);
    let now_ns = shared.control.now_fs.load(Ordering::Relaxed) / 1_000_000;
    progress.call1(py, (done, total, now_ns)).map(drop)
}
