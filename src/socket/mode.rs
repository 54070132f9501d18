//! Blocking, non-blocking and timeout mode.

use std::ffi::c_long;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::Socket;
use crate::engine;
use crate::python::args::timeout;
use crate::python::late;
use crate::python::make::{Made, Make};
use crate::python::version;
use crate::sys::Timeout;

/// The interpreter's own `setdefaulttimeout`, and none where a program has put ours in its place.
static STANDARD: PyOnceLock<Option<Py<PyAny>>> = PyOnceLock::new();

fn standard(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyAny>>> {
    let standard = STANDARD.get_or_try_init(py, || {
        let function = late::module(py, "_socket")?.getattr(intern!(py, "setdefaulttimeout"))?;
        let name = intern!(py, "setdefaulttimeout");
        let ours = py.import(intern!(py, "oxisock._socket"))?.getattr(name)?;
        Ok::<_, PyErr>((!function.is(&ours)).then(|| function.unbind()))
    })?;
    Ok(standard.as_ref().map(|standard| standard.bind(py)))
}

/// Return the timeout that new sockets get, in seconds as a float; None for blocking mode.
#[pyfunction]
pub(crate) fn getdefaulttimeout() -> Made<Option<f64>> {
    Made(engine::default_timeout().seconds())
}

/// Set the timeout that new sockets get, those of the standard library's class too.
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
    let limit = self::timeout(timeout)?;
    let py = timeout.py();
    // Other modules make sockets of the standard class for the program, `ssl` among them.
    if let Some(standard) = standard(py)? {
        // The number, as code of the caller's may not say the same twice.
        standard.call1((limit.seconds().make(py)?,))?;
    }
    engine::set_default_timeout(limit);
    Ok(())
}

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
    pub(super) fn settimeout(slf: &Bound<'_, Self>, timeout: &Bound<'_, PyAny>) -> PyResult<()> {
        let limit = self::timeout(timeout)?;
        Ok(slf.get().channel.set_timeout(slf.py(), limit)?)
    }

    /// Return the timeout in seconds as a float, 0.0 in non-blocking mode, None in blocking mode.
    pub(super) fn gettimeout(&self) -> Made<Option<f64>> {
        Made(self.channel.timeout().seconds())
    }

    /// Return the timeout in seconds as a float, 0.0 in non-blocking mode, None in blocking mode.
    #[getter]
    pub(super) fn timeout(&self) -> Made<Option<f64>> {
        Made(self.channel.timeout().seconds())
    }

    /// Choose between blocking and non-blocking mode; ``O_NONBLOCK`` of fcntl(2).
    ///
    /// Args:
    ///     flag: true for ``settimeout(None)``, false for ``settimeout(0)``.
    ///
    /// Raises:
    ///     OSError: the socket is closed.
    ///     OverflowError: on CPython 3.11, the flag does not fit a C long.
    ///     TypeError: on CPython 3.11, the flag is no integer.
    #[pyo3(signature = (flag, /))]
    pub(super) fn setblocking(slf: &Bound<'_, Self>, flag: &Bound<'_, PyAny>) -> PyResult<()> {
        let blocks = if version::ANY_FLAG {
            flag.is_truthy()?
        } else {
            flag.extract::<c_long>()? != 0
        };
        let timeout = if blocks { Timeout::NONE } else { Timeout::ZERO };
        Ok(slf.get().channel.set_timeout(slf.py(), timeout)?)
    }

    /// Tell whether operations may wait, which they may in all but non-blocking mode; fcntl(2).
    pub(super) fn getblocking(&self) -> bool {
        !self.channel.timeout().is_zero()
    }
}
