//! Blocking, non-blocking and timeout mode.

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::ffi::PyMethodDef;
use pyo3::prelude::*;
use pyo3::types::PyFloat;

use super::Socket;
use crate::engine;
use crate::python::args;
use crate::python::method::{Fixed, Functions, attribute, function, method};

pub(crate) static FUNCTIONS: Functions<3> = Fixed([
    function!(
        () getdefaulttimeout,
        |_| Ok(seconds(engine::default_timeout())),
        "Return the timeout that new sockets get, in seconds as a float; None for blocking mode."
    ),
    function!(
        (timeout) setdefaulttimeout,
        |timeout: &Bound<'_, PyAny>| {
            engine::set_default_timeout(nanos(timeout)?);
            Ok(timeout.py().None())
        },
        "Set the timeout that new sockets get.\n\nArgs:\n    timeout: seconds, 0 for \
         non-blocking mode, None for blocking mode.\n\nRaises:\n    ValueError: the timeout is \
         negative or not a number.\n    OverflowError: the timeout is too large."
    ),
    PyMethodDef::zeroed(),
]);

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
        Ok(self.channel.set_timeout(nanos(timeout)?)?)
    }

    #[classattr]
    fn gettimeout(py: Python<'_>) -> PyResult<Py<PyAny>> {
        method!(
            py,
            Socket,
            gettimeout,
            |socket: &Socket| Ok(seconds(socket.channel.timeout())),
            "Return the timeout in seconds as a float, 0.0 in non-blocking mode, None in blocking mode."
        )
    }

    #[classattr]
    fn timeout(py: Python<'_>) -> PyResult<Py<PyAny>> {
        attribute!(
            py,
            Socket,
            timeout,
            |socket: &Socket| Ok(seconds(socket.channel.timeout())),
            "Return the timeout in seconds as a float, 0.0 in non-blocking mode, None in blocking mode."
        )
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
        let timeout = if flag.is_truthy()? { -1 } else { 0 };
        Ok(self.channel.set_timeout(timeout)?)
    }

    #[classattr]
    fn getblocking(py: Python<'_>) -> PyResult<Py<PyAny>> {
        method!(
            py,
            Socket,
            getblocking,
            |socket: &Socket| Ok(socket.channel.timeout() != 0),
            "Tell whether operations may wait: false in non-blocking mode only; ``O_NONBLOCK`` of fcntl(2)."
        )
    }
}

fn seconds(nanos: i64) -> Option<f64> {
    (nanos >= 0).then(|| nanos as f64 / 1e9)
}

/// A timeout in nanoseconds, rounded up, so that a wait is never shorter than what was asked
/// for; negative for None.
pub(crate) fn nanos(timeout: &Bound<'_, PyAny>) -> PyResult<i64> {
    if timeout.is_none() {
        return Ok(-1);
    }
    let nanos = if timeout.is_instance_of::<PyFloat>() {
        let seconds: f64 = timeout.extract()?;
        if seconds.is_nan() {
            return Err(PyValueError::new_err("Invalid value NaN (not a number)"));
        }
        let nanos = seconds * 1e9;
        let nanos = if nanos >= 0.0 {
            nanos.ceil()
        } else {
            nanos.floor()
        };
        // The next float above i64::MAX is its first that does not fit.
        if nanos >= i64::MAX as f64 || nanos < i64::MIN as f64 {
            return Err(PyOverflowError::new_err(
                "timestamp out of range for platform time_t",
            ));
        }
        nanos as i64
    } else {
        match args::long(timeout) {
            Ok(seconds) => seconds.checked_mul(1_000_000_000).ok_or_else(too_large)?,
            Err(error) if error.is_instance_of::<PyOverflowError>(timeout.py()) => {
                return Err(too_large());
            }
            Err(error) => return Err(error),
        }
    };
    if nanos < 0 {
        return Err(PyValueError::new_err("Timeout value out of range"));
    }
    Ok(nanos)
}

fn too_large() -> PyErr {
    PyOverflowError::new_err("timestamp too large to convert to C PyTime_t")
}
