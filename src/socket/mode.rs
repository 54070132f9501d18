//! Blocking, non-blocking and timeout mode.

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyFloat;

use super::Socket;
use crate::engine;
use crate::python::method::{Fast, function};
use crate::sys::Timeout;
use crate::sys::timeout::Invalid;

/// Return the timeout that new sockets get, in seconds as a float; None for blocking mode.
#[pyfunction]
pub(crate) fn getdefaulttimeout() -> Option<f64> {
    engine::default_timeout().seconds()
}

/// Set the timeout that new sockets get.
///
/// Args:
///     timeout: seconds, 0 for non-blocking mode, None for blocking mode.
///
/// Raises:
///     ValueError: the timeout is negative or not a number.
///     OverflowError: the timeout is too large.
#[pyfunction]
#[pyo3(signature = (timeout, /))]
pub(crate) fn setdefaulttimeout(timeout: &Bound<'_, PyAny>) -> PyResult<()> {
    engine::set_default_timeout(self::timeout(timeout)?);
    Ok(())
}

/// Entry points of functions.
pub(crate) const FAST: [Fast; 2] = [
    function!(getdefaulttimeout, || Ok(getdefaulttimeout())),
    function!(setdefaulttimeout, |timeout| setdefaulttimeout(timeout)
        .map(|()| timeout.py().None())),
];

#[pymethods]
impl Socket {
    /// Set how long operations may wait; poll(2).
    ///
    /// Args:
    ///     timeout: seconds, 0 for non-blocking mode, None for blocking mode.
    ///
    /// Raises:
    ///     ValueError: the timeout is negative or not a number.
    ///     OverflowError: the timeout is too large.
    ///     OSError: the socket is closed.
    #[pyo3(signature = (timeout, /))]
    fn settimeout(&self, timeout: &Bound<'_, PyAny>) -> PyResult<()> {
        let limit = self::timeout(timeout)?;
        Ok(self.channel.set_timeout(timeout.py(), limit)?)
    }

    /// Return the timeout in seconds as a float, 0.0 in non-blocking mode, None in blocking mode.
    pub(super) fn gettimeout(&self) -> Option<f64> {
        self.channel.timeout().seconds()
    }

    /// Return the timeout in seconds as a float, 0.0 in non-blocking mode, None in blocking mode.
    #[getter]
    pub(super) fn timeout(&self) -> Option<f64> {
        self.channel.timeout().seconds()
    }

    /// Choose between blocking and non-blocking mode; ``O_NONBLOCK`` of fcntl(2).
    ///
    /// Args:
    ///     flag: true for ``settimeout(None)``, false for ``settimeout(0)``.
    ///
    /// Raises:
    ///     OSError: the socket is closed.
    #[pyo3(signature = (flag, /))]
    fn setblocking(&self, flag: &Bound<'_, PyAny>) -> PyResult<()> {
        let timeout = if flag.is_truthy()? {
            Timeout::NONE
        } else {
            Timeout::ZERO
        };
        Ok(self.channel.set_timeout(flag.py(), timeout)?)
    }

    /// Tell whether operations may wait: false in non-blocking mode only; ``O_NONBLOCK`` of
    /// fcntl(2).
    pub(super) fn getblocking(&self) -> bool {
        !self.channel.timeout().is_zero()
    }
}

/// A timeout as callers write it: seconds as a float or an integer, or None.
pub(crate) fn timeout(object: &Bound<'_, PyAny>) -> PyResult<Timeout> {
    if object.is_none() {
        return Ok(Timeout::NONE);
    }
    if object.is_instance_of::<PyFloat>() {
        return Timeout::from_seconds(object.extract()?).map_err(|invalid| match invalid {
            Invalid::NotANumber => PyValueError::new_err("Invalid value NaN (not a number)"),
            Invalid::TooLarge => {
                PyOverflowError::new_err("timestamp out of range for platform time_t")
            }
            Invalid::Negative => negative(),
        });
    }
    let too_large = || PyOverflowError::new_err("timestamp too large to convert to C PyTime_t");
    let seconds = match object.extract::<i64>() {
        Ok(seconds) => seconds,
        Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
            return Err(too_large());
        }
        Err(error) => return Err(error),
    };
    Timeout::from_whole_seconds(seconds).map_err(|invalid| match invalid {
        Invalid::Negative => negative(),
        Invalid::TooLarge | Invalid::NotANumber => too_large(),
    })
}

fn negative() -> PyErr {
    PyValueError::new_err("Timeout value out of range")
}
