//! What the classes of `selectors.py` wait by: poll(2), epoll_wait(2).

use std::time::Duration;

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

use crate::engine;
use crate::python::args::Int;
use crate::sys::io::{self, Readiness};

/// A wait in seconds; none for None and for what is negative.
fn limit(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        Some(seconds) if seconds.is_nan() => {
            Err(PyValueError::new_err("Invalid value NaN (not a number)"))
        }
        Some(seconds) if seconds >= 0.0 => Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|limit| limit.as_millis() <= i32::MAX as u128)
            .map(Some)
            .ok_or_else(|| PyOverflowError::new_err("timeout is too large")),
        _ => Ok(None),
    }
}

/// Wait for descriptors; poll(2).
///
/// Args:
///     wanted: pairs of a descriptor's number and the events to wait for, ``POLL*``.
///     timeout: seconds; None, or a negative number, for no limit.
///
/// Returns:
///     The pairs of a descriptor's number and the events that were found.
///
/// Raises:
///     OSError: the system refuses the call.
///     OverflowError: the timeout is too large.
#[pyfunction]
#[pyo3(signature = (wanted, timeout, /))]
pub(crate) fn poll_descriptors(
    py: Python<'_>,
    wanted: Vec<Readiness>,
    timeout: Option<f64>,
) -> PyResult<Vec<Readiness>> {
    let limit = limit(timeout)?;
    Ok(engine::select(py, limit, |timeout| {
        io::poll_numbers(&wanted, timeout)
    })?)
}

/// Wait for the descriptors of an epoll instance; epoll_wait(2).
///
/// Args:
///     epoll: the instance's descriptor.
///     timeout: seconds; None, or a negative number, for no limit.
///     maxevents: the largest number of pairs to return, -1 for 1023.
///
/// Returns:
///     The pairs of a descriptor's number and the events that were found, ``EPOLL*``.
///
/// Raises:
///     OSError: the number is no epoll instance.
///     OverflowError: the timeout is too large.
///     ValueError: ``maxevents`` is 0, or below -1.
#[cfg(linux)]
#[pyfunction]
#[pyo3(signature = (epoll, timeout, maxevents, /))]
pub(crate) fn epoll_wait(
    py: Python<'_>,
    epoll: Int,
    timeout: Option<f64>,
    maxevents: Int,
) -> PyResult<Vec<Readiness>> {
    let limit = limit(timeout)?;
    let most = match maxevents.0 {
        -1 => libc::FD_SETSIZE - 1,
        count @ 1.. => count as usize,
        count => {
            return Err(PyValueError::new_err(format!(
                "maxevents must be greater than 0, got {count}"
            )));
        }
    };
    Ok(engine::select(py, limit, |timeout| {
        io::epoll_wait(epoll.0, most, timeout)
    })?)
}
