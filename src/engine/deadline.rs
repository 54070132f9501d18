//! Deadlines over many operations: `with oxisock.deadline(seconds)`.
//!
//! The deadline that counts is the value of a context variable (PEP 567), so that it belongs to
//! the thread, and in asyncio to the task, that entered the block. Nothing looks at it but what
//! has to wait.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyMemoryError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::Mode;
use crate::python::args;
use crate::python::context::{Cell, ContextVariable};
use crate::python::error::{Result, exception};
use crate::python::make::Made;
use crate::sys::Timeout;

/// Whether there ever was a deadline: most programs have none, and then nothing is looked up.
static USED: AtomicBool = AtomicBool::new(false);

/// What the values of the variable are counted from, in nanoseconds.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The deadline, as nanoseconds since [`BASE`] or [`NEVER`], in a [`Cell`].
static VARIABLE: ContextVariable = ContextVariable::new(c"oxisock.deadline");

/// No deadline.
const NEVER: u64 = u64::MAX;

fn nanoseconds(ends: Option<Instant>) -> u64 {
    ends.map_or(NEVER, |ends| {
        let nanos = ends.saturating_duration_since(*BASE).as_nanos();
        u64::try_from(nanos).unwrap_or(NEVER)
    })
}

/// What the variable has in the calling context.
fn value(py: Python<'_>) -> PyResult<Option<Cell<'_>>> {
    Ok(VARIABLE.get(py)?.and_then(Cell::of))
}

/// The deadline of the calling context, if it has one.
pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Instant>> {
    if !USED.load(Relaxed) {
        return Ok(None);
    }
    let nanos = value(py)?.map_or(Ok(NEVER), |value| value.get())?;
    Ok((nanos != NEVER).then(|| *BASE + Duration::from_nanos(nanos)))
}

/// The earlier of an operation's own deadline and that of the context.
pub(crate) fn earlier(py: Python<'_>, own: Option<Instant>) -> PyResult<Option<Instant>> {
    Ok(match (own, current(py)?) {
        (Some(own), Some(current)) => Some(own.min(current)),
        (own, current) => own.or(current),
    })
}

/// A deadline that counts until it is left.
struct Entered {
    /// Gives the variable its value of before.
    token: Py<PyAny>,
    before: Option<Instant>,
    ends: Option<Instant>,
}

/// Has a deadline count, or that of the context if it is earlier.
fn enter(py: Python<'_>, own: Option<Instant>) -> PyResult<Entered> {
    LazyLock::force(&BASE);
    let (before, ends) = (current(py)?, earlier(py, own)?);
    USED.store(true, Relaxed);
    let value = Cell::new(py, nanoseconds(ends))?;
    match VARIABLE.set(value.object()) {
        Ok(token) => Ok(Entered {
            token: token.unbind(),
            before,
            ends,
        }),
        Err(error) => {
            // CPython has set it all the same where there is no memory for the token.
            value.set(nanoseconds(before))?;
            Err(error)
        }
    }
}

/// Has what counted before count again.
///
/// # Errors
/// It was entered in another context.
fn leave(py: Python<'_>, entered: &Entered) -> PyResult<()> {
    match VARIABLE.reset(entered.token.bind(py)) {
        // A context with other variables, too, is a new one without this. Then the value that it
        // has becomes that of before: copies of the context, such as tasks have, see that as well.
        Err(error) if error.is_instance_of::<PyMemoryError>(py) => {
            let value = value(py)?;
            value.map_or(Ok(()), |value| value.set(nanoseconds(entered.before)))
        }
        done => done,
    }
}

/// Runs an operation under a deadline of its own, within that of the context.
pub(crate) fn with_deadline<T>(
    py: Python<'_>,
    deadline: Instant,
    operation: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let entered = enter(py, Some(deadline))?;
    let result = operation();
    leave(py, &entered)?;
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
    /// There while the block runs.
    inside: Option<Entered>,
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
        if block.with(|state| std::mem::replace(&mut state.entered, true)) {
            return Err(exception::<PyRuntimeError>(
                "the deadline is in use already",
            ));
        }
        let begun = enter(py, block.timeout.deadline());
        block.with(|state| match begun {
            Ok(inside) => {
                state.ends = inside.ends;
                state.inside = Some(inside);
                Ok(())
            }
            Err(error) => {
                state.entered = false;
                Err(error)
            }
        })?;
        Ok(slf)
    }

    // Not a tuple of the arguments, for which there might be no memory.
    #[pyo3(signature = (_class=None, _exception=None, _traceback=None, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _class: Option<&Bound<'_, PyAny>>,
        _exception: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let inside = self.with(|state| state.inside.take());
        let inside =
            inside.ok_or_else(|| exception::<PyRuntimeError>("the deadline is not in use"))?;
        let ended = leave(py, &inside);
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
