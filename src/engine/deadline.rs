//! Deadlines over many operations: `with oxisock.deadline(seconds)`.
//!
//! The deadline that counts is the value of a context variable (PEP 567), so that it belongs to
//! the thread, and in asyncio to the task, that entered the block. Nothing looks at it but what
//! has to wait.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::Mode;
use crate::python::args;
use crate::python::context::ContextVariable;
use crate::python::error::{Result, exception};
use crate::python::make::{Made, Make};
use crate::sys::Timeout;

/// Whether there ever was a deadline: most programs have none, and then nothing is looked up.
static USED: AtomicBool = AtomicBool::new(false);

/// What the values of the variable are counted from, in nanoseconds.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The deadline, as nanoseconds since [`BASE`] or None.
static VARIABLE: ContextVariable = ContextVariable::new(c"oxisock.deadline");

/// The deadline of the calling context, if it has one.
pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Instant>> {
    if !USED.load(Relaxed) {
        return Ok(None);
    }
    let found = VARIABLE.get(py)?;
    let nanos: Option<u64> = found.map(|found| found.extract()).transpose()?.flatten();
    Ok(nanos.map(|nanos| *BASE + Duration::from_nanos(nanos)))
}

/// The earlier of an operation's own deadline and that of the context.
pub(crate) fn earlier(py: Python<'_>, own: Option<Instant>) -> PyResult<Option<Instant>> {
    Ok(match (own, current(py)?) {
        (Some(own), Some(current)) => Some(own.min(current)),
        (own, current) => own.or(current),
    })
}

/// Sets the deadline of the context; what puts the one before back.
fn set(py: Python<'_>, ends: Option<Instant>) -> PyResult<Bound<'_, PyAny>> {
    let nanos = ends.map(|ends| {
        let nanos = ends.saturating_duration_since(*BASE).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX)
    });
    USED.store(true, Relaxed);
    VARIABLE.set(&nanos.make(py)?)
}

/// Runs an operation under a deadline of its own, within that of the context.
pub(crate) fn with_deadline<T>(
    py: Python<'_>,
    deadline: Instant,
    operation: impl FnOnce() -> Result<T>,
) -> Result<T> {
    LazyLock::force(&BASE);
    let token = set(py, earlier(py, Some(deadline))?)?;
    let result = operation();
    VARIABLE.reset(&token)?;
    result
}

/// How long an operation in this mode may wait within the deadline of the context. What must not
/// wait at all is not concerned.
pub(crate) fn within_deadline(py: Python<'_>, mode: Mode) -> Result<Mode> {
    let Some(deadline) = current(py)? else {
        return Ok(mode);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    Ok(match mode {
        Mode::NonBlocking => Mode::NonBlocking,
        Mode::Blocking => Mode::Timed(left),
        Mode::Timed(limit) => Mode::Timed(limit.min(left)),
    })
}

/// Tell how much of the deadline of the context is left.
///
/// Returns:
///     Seconds as a float, 0.0 when it has passed; None where there is no deadline.
#[pyfunction]
pub(crate) fn deadline_left(py: Python<'_>) -> PyResult<Made<Option<f64>>> {
    let left = current(py)?.map(|ends| ends.saturating_duration_since(Instant::now()));
    Ok(Made(left.map(|left| left.as_secs_f64())))
}

/// Bound everything that the block does with sockets by one deadline; contextvars, PEP 567.
///
/// Lookups, connects, accepts, receives, sends and the files of ``makefile`` that have to wait
/// when the time is up raise TimeoutError. What is ready goes on, and no received data is lost.
/// The deadline holds in the calling thread, in asyncio in the calling task and the tasks that it
/// starts, and beside the timeouts of sockets: the earlier one counts. Of nested blocks, too.
/// Sockets in non-blocking mode are not concerned.
///
/// Args:
///     seconds: how long the block may take, counted from its beginning; None for no limit.
///
/// Raises:
///     ValueError: the time is negative or not a number.
///     OverflowError: the time is too large.
///     TypeError: the time has a wrong type.
#[pyclass(frozen, name = "deadline", module = "oxisock")]
pub(crate) struct DeadlineBlock {
    timeout: Timeout,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether a thread is in the block, or about to be.
    entered: bool,
    /// Gives the variable its value of before back; there while the block runs.
    token: Option<Py<PyAny>>,
    ends: Option<Instant>,
}

impl DeadlineBlock {
    /// Never locked while Python code runs.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl DeadlineBlock {
    #[new]
    #[pyo3(signature = (seconds, /))]
    fn new(seconds: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(DeadlineBlock {
            timeout: args::timeout(seconds)?,
            state: Mutex::default(),
        })
    }

    fn __enter__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let block = slf.get();
        LazyLock::force(&BASE);
        if block.with(|state| std::mem::replace(&mut state.entered, true)) {
            return Err(exception::<PyRuntimeError>(
                "the deadline is in use already",
            ));
        }
        let begun = earlier(py, block.timeout.deadline())
            .and_then(|ends| Ok((ends, set(py, ends)?.unbind())));
        block.with(|state| match &begun {
            Ok((ends, token)) => {
                state.token = Some(token.clone_ref(py));
                state.ends = *ends;
            }
            Err(_) => state.entered = false,
        });
        begun.map(|_| slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        let token = self.with(|state| state.token.take());
        let token =
            token.ok_or_else(|| exception::<PyRuntimeError>("the deadline is not in use"))?;
        let ended = VARIABLE.reset(token.bind(py));
        self.with(|state| state.entered = false);
        ended
    }

    /// Return the seconds until the deadline as a float, at least 0.0; None where there is none.
    ///
    /// Before the block begins, that is the time which was asked for. A deadline around the block
    /// that is earlier counts. The clock is CLOCK_MONOTONIC of clock_gettime(2).
    fn remaining(&self) -> Made<Option<f64>> {
        let ends = self.with(|state| state.ends);
        Made(match ends {
            Some(_) => Timeout::until(ends).seconds(),
            None => self.timeout.seconds(),
        })
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<Made<String>> {
        let class: Bound<'_, PyType> = slf.get_type();
        Ok(Made(match slf.get().timeout.seconds() {
            Some(seconds) => format!("{}({seconds:?})", class.fully_qualified_name()?),
            None => format!("{}(None)", class.fully_qualified_name()?),
        }))
    }
}
