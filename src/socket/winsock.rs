//! What sockets have on Windows alone: `ioctl`, `share` and `fromshare`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::Socket;
use super::lifecycle::wrap;
use crate::engine;
use crate::python::args::{self, unsigned};
use crate::python::error::{Error, Result};
use crate::python::make::{self, Made};
use crate::sys::ioctl::{self, Request};
use crate::sys::{AsFd, descriptor, share};

/// The C type of what is asked for, as errors name it.
const UNSIGNED: &str = "unsigned int";

#[pymethods]
impl Socket {
    /// Make a request that Winsock alone has; WSAIoctl.
    ///
    /// Args:
    ///     control: ``SIO_RCVALL``, ``SIO_LOOPBACK_FAST_PATH`` or ``SIO_KEEPALIVE_VALS``.
    ///     option: one of ``RCVALL_*`` for the first, an int for the second, and for the third a tuple:
    ///         whether probes are sent, after how many milliseconds, and so many between two.
    ///
    /// Returns:
    ///     The number of bytes of the answer.
    ///
    /// Raises:
    ///     ValueError: there is no such request.
    ///     OSError: the system refuses it, or the socket is closed.
    #[pyo3(signature = (control, option, /))]
    fn ioctl(
        &self,
        py: Python<'_>,
        control: &Bound<'_, PyAny>,
        option: &Bound<'_, PyAny>,
    ) -> Result<Made<u32>> {
        let request = match args::masked::<u32>(control)? {
            ioctl::SIO_RCVALL => Request::ReceiveAll(args::masked(option)?),
            ioctl::SIO_LOOPBACK_FAST_PATH => Request::LoopbackFastPath(args::masked(option)?),
            ioctl::SIO_KEEPALIVE_VALS => {
                let values = option.cast::<PyTuple>().map_err(PyErr::from)?;
                if values.len() != 3 {
                    return Err(Error::type_error(
                        "ioctl() option must be a tuple of 3 ints",
                    ));
                }
                Request::Keepalive {
                    on: args::masked_at(values, 0)?,
                    time: args::masked_at(values, 1)?,
                    interval: args::masked_at(values, 2)?,
                }
            }
            other => return Err(Error::value_error(format!("invalid ioctl command {other}"))),
        };
        Ok(Made(
            self.channel.lend(py, |fd| ioctl::ioctl(fd, request))??,
        ))
    }

    /// Describe the socket for another process, which makes one of it; WSADuplicateSocketW.
    ///
    /// Args:
    ///     process_id: the number of that process.
    ///
    /// Returns:
    ///     Bytes for ``fromshare`` there.
    ///
    /// Raises:
    ///     OSError: there is no such process, or the socket is closed.
    #[pyo3(signature = (process_id, /))]
    fn share<'py>(
        &self,
        py: Python<'py>,
        process_id: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let process = unsigned(process_id, UNSIGNED)?;
        // Two processes have it from here on.
        self.channel.share();
        let shared = self.channel.lend(py, |fd| share::share(fd, process))?;
        make::bytes(py, &shared.map_err(Error::from)?)
    }
}

/// Make a socket of what ``share`` has described for this process; WSASocketW.
///
/// Args:
///     info: the bytes that ``share`` has returned in another process, which can be used once.
///
/// Returns:
///     The socket.
///
/// Raises:
///     ValueError: the bytes are no such description.
///     OSError: the system refuses it.
#[pyfunction]
#[pyo3(signature = (info, /))]
pub(crate) fn fromshare<'py>(info: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    let description = info.as_bytes().try_into().map_err(|_| {
        Error::value_error(format!(
            "socket descriptor string has wrong size, should be {} bytes.",
            share::LEN
        ))
    })?;
    let timeout = engine::default_timeout();
    let (fd, made) = share::adopt(description).map_err(Error::from)?;
    let nonblocking = engine::nonblocking_with(timeout);
    descriptor::set_nonblocking(fd.as_fd(), nonblocking).map_err(Error::from)?;
    wrap(info.py(), fd, made, timeout)
}
