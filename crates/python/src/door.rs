//! The one door: long work runs on a thread of its own while the caller's thread listens.
//!
//! **Model.** The caller releases the interpreter lock and waits for the worker. Every [`POLL`] it looks for signals (which
//! Python delivers to the main thread only), for its cancel token and at its deadline, and, every [`REPORT`], calls the
//! progress function and looks whether the process's limits of memory are nearly reached. Any of them stops the work through
//! its [`Control`]; the worker is always waited for, so nothing outlives the call.
//!
//! **Invariant.** A panic becomes an `InternalError`; an exception raised by a signal handler or by the progress function
//! is what the caller sees. Work that ended before it could be stopped gives its result.
//!
//! **Cost.** A thread per call (some 20 us), and 50 wake-ups per second of the caller's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use supernode_core::control::{Control, Progress, refused};
use supernode_core::error::{Error, Result};

use crate::{errors, memory};

/// Time between two looks at signals, cancel tokens and the deadline.
const POLL: Duration = Duration::from_millis(20);
/// Time between two calls of the progress function.
const REPORT: Duration = Duration::from_millis(100);

/// Bytes of the worker's stack, for the error where it cannot be had.
const STACK: u64 = 2 << 20;

/// Who wants to know, and who may stop it.
#[derive(Default)]
pub(crate) struct Watch<'a> {
    /// Called with simulated nanoseconds, delivered bytes and total bytes.
    pub(crate) progress: Option<&'a Py<PyAny>>,
    /// Set from another thread.
    pub(crate) cancel: Option<&'a AtomicBool>,
    /// Seconds of wall-clock time after which the work is stopped.
    pub(crate) timeout_s: Option<f64>,
}

/// Runs `work` and gives its result with the seconds that it took.
pub(crate) fn enter<T, F>(py: Python<'_>, watch: &Watch<'_>, work: F) -> PyResult<(T, f64)>
where
    T: Send,
    F: FnOnce(&Control) -> Result<T> + Send,
{
    let control = Control::default();
    // work too large for the machine is an error and not the end of the interpreter
    control.limit_memory(memory::allowed());
    let (send, mut receive) = channel();
    #[allow(clippy::disallowed_methods)] // wall time is measured here and nowhere in the core
    let start = Instant::now();
    let (stopped, result) = std::thread::scope(|scope| {
        let inside = || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&control))).unwrap_or_else(|panic| {
                // a thread that ran out of memory in the middle of a run leaves it so, and then all others do
                if let Some(error) = control.check().err().or_else(|| panic.downcast_ref::<Error>().cloned()) {
                    return Err(error);
                }
                let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                Err(Error::Internal(text.unwrap_or_else(|| "a panic without a message".into())))
            });
            // the receiver waits until it has this
            let _ = send.send(result);
        };
        if let Err(error) = std::thread::Builder::new().name("supernode".into()).spawn_scoped(scope, inside) {
            return (None, Err(refused(&format!("a thread for the run ({error})"), STACK)));
        }
        let mut stopped: Option<PyErr> = None;
        let mut reported = start;
        loop {
            let (waited, back) = py.detach(|| {
                let waited = receive.recv_timeout(POLL);
                (waited, receive)
            });
            receive = back;
            match waited {
                Ok(result) => return (stopped, result),
                Err(RecvTimeoutError::Disconnected) => {
                    return (stopped, Err(Error::Internal("the run's thread ended without a result".into())));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if watch.cancel.is_some_and(|c| c.load(Ordering::Relaxed)) {
                control.cancel();
            }
            if let Some(seconds) = watch.timeout_s.filter(|&seconds| start.elapsed().as_secs_f64() >= seconds) {
                control.expire(format!("wall-clock timeout of {seconds} s"));
            }
            if stopped.is_some() {
                continue;
            }
            let mut said = py.check_signals();
            if said.is_ok() && reported.elapsed() >= REPORT {
                #[allow(clippy::disallowed_methods)] // as above
                let now = Instant::now();
                reported = now;
                if let Some(left) = memory::exhausted() {
                    let what = format!("the process has {left} bytes left of its limits (ulimit); the run");
                    control.fail(refused(&what, memory::LAST));
                }
                said = report(py, watch, &control);
            }
            if let Err(exception) = said {
                control.cancel();
                stopped = Some(exception);
            }
        }
    });
    let wall_s = start.elapsed().as_secs_f64();
    match (stopped, result) {
        (Some(exception), _) => Err(exception),
        (None, Ok(value)) => Ok((value, wall_s)),
        (None, Err(error)) => Err(errors::raise(py, &error)),
    }
}

fn report(py: Python<'_>, watch: &Watch<'_>, control: &Control) -> PyResult<()> {
    let Some(progress) = watch.progress else {
        return Ok(());
    };
    let Progress { phase, now_fs, delivered_bytes, total_bytes, predicted_ns } = control.progress();
    let seen = (now_fs / 1_000_000, delivered_bytes, total_bytes, phase.words(), predicted_ns as f64 / 1e9);
    progress.call1(py, seen).map(drop)
}
