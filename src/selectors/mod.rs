//! What `select` is to programs, and the classes of `selectors.py`: select(2), poll(2), epoll(7),
//! whose waits go through the engine.

#[cfg(linux)]
pub(crate) mod epoll;
pub(crate) mod poll;
pub(crate) mod select;

use std::time::Duration;

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::python::error::exception;
use crate::python::{args, make, version};
use crate::sys::readiness::Readiness;
use crate::sys::timeout::MILLISECOND;

/// A time of that unit in nanoseconds; none for None.
///
/// # Errors
/// The standard library's own, with its message for what is no time.
fn nanoseconds(
    time: Option<&Bound<'_, PyAny>>,
    unit: i64,
    message: &'static str,
) -> PyResult<Option<i64>> {
    let Some(time) = time.filter(|time| !time.is_none()) else {
        return Ok(None);
    };
    let nanoseconds = args::nanoseconds(time, unit).map_err(|error| {
        if error.is_instance_of::<PyTypeError>(time.py()) {
            exception::<PyTypeError>(message)
        } else {
            error
        }
    })?;
    Ok(Some(nanoseconds))
}

/// Which of the two calls a time is for.
#[derive(PartialEq)]
enum Call {
    Poll,
    #[cfg_attr(not(linux), allow(dead_code, reason = "of epoll"))]
    EpollWait,
}

/// How long poll(2) and epoll_wait(2) may wait; none for ever, as for a time of -1 ms and less.
fn limit(nanoseconds: Option<i64>, call: Call) -> PyResult<Option<Duration>> {
    let Some(nanoseconds) = nanoseconds else {
        return Ok(None);
    };
    // A time below zero is rounded down for the one, up for the other.
    let milliseconds = match call {
        Call::Poll if nanoseconds < 0 => nanoseconds.div_euclid(MILLISECOND),
        _ => -nanoseconds.saturating_neg().div_euclid(MILLISECOND),
    };
    let any = version::ANY_POLL_TIMEOUT && call == Call::Poll;
    if !any && i32::try_from(milliseconds).is_err() {
        return Err(exception::<PyOverflowError>("timeout is too large"));
    }
    Ok((milliseconds >= 0).then(|| Duration::from_nanos(nanoseconds.max(0) as u64)))
}

/// What `poll` returns.
fn told<'py>(py: Python<'py>, found: Option<Vec<Readiness>>) -> PyResult<Bound<'py, PyList>> {
    let list = make::list(py)?;
    for (number, events) in found.unwrap_or_default() {
        list.append(make::tuple!(py, number, events)?)?;
    }
    Ok(list)
}
