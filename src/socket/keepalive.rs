//! Connections that notice when their peer is gone: keepalive probes and TCP's timeout for data
//! that is not acknowledged; tcp(7).

use std::sync::{LazyLock, PoisonError, RwLock};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Socket;
use crate::python::error::{Result, exception};
use crate::python::make;
use crate::python::plain::Plain;
use crate::sys::keepalive::Keepalive;
use crate::sys::{self, BorrowedFd, c};

/// The environment variable that sets the default: idle time, interval and count.
const VARIABLE: &str = "OXISOCK_KEEPALIVE";

/// What TCP connections get that are made or accepted; none unless asked for.
static DEFAULT: LazyLock<RwLock<Option<Keepalive>>> = LazyLock::new(|| {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    let numbers: Vec<_> = text.split(',').map(|part| part.trim().parse()).collect();
    RwLock::new(match numbers[..] {
        [Ok(idle), Ok(interval), Ok(count)] => Keepalive::new(idle, interval, count),
        _ => None,
    })
});

fn default() -> Option<Keepalive> {
    *DEFAULT.read().unwrap_or_else(PoisonError::into_inner)
}

/// What the arguments of `setkeepalive` and `setdefaultkeepalive` mean; None switches off.
fn parse(
    idle: Option<Plain<u32>>,
    interval: Option<Plain<u32>>,
    count: Option<Plain<u32>>,
) -> PyResult<Option<Keepalive>> {
    let (Some(Plain(idle)), Some(Plain(interval)), Some(Plain(count))) = (idle, interval, count)
    else {
        if idle.is_some() || interval.is_some() || count.is_some() {
            return Err(exception::<PyValueError>(
                "idle, interval and count have to be given together",
            ));
        }
        return Ok(None);
    };
    match Keepalive::new(idle, interval, count) {
        None => Err(exception::<PyValueError>(
            "idle and interval must be between 1 and 32767, count between 1 and 127",
        )),
        keepalive => Ok(keepalive),
    }
}

impl Socket {
    /// Sets the default up on a TCP connection, unless the program has switched keepalive on
    /// itself. What the system does not offer is left.
    pub(super) fn keep_alive_by_default(&self, fd: BorrowedFd<'_>) {
        let is_tcp =
            self.kind() == c::SOCK_STREAM && matches!(self.family(), c::AF_INET | c::AF_INET6);
        if is_tcp
            && let Some(keepalive) = default()
            && sys::keepalive::is_on(fd) == Ok(false)
        {
            let _ = sys::keepalive::set(fd, Some(keepalive));
        }
    }
}

#[pymethods]
impl Socket {
    /// Have the system find out whether the peer of a connection is still there; tcp(7).
    ///
    /// A peer from which nothing has come for ``idle`` seconds is asked every ``interval`` seconds.
    /// After ``count`` questions without an answer the connection fails: operations raise
    /// TimeoutError with the errno ETIMEDOUT. TCP_USER_TIMEOUT is set to the sum of that time, so that
    /// data which is not acknowledged ends the connection as soon. Without arguments keepalive is
    /// switched off, and TCP_USER_TIMEOUT is the system's again.
    ///
    /// Args:
    ///     idle: seconds, 1 to 32767.
    ///     interval: seconds, 1 to 32767.
    ///     count: questions, 1 to 127.
    ///
    /// Raises:
    ///     ValueError: an argument is out of range, or one of them is missing.
    ///     OverflowError: an argument is negative or very large.
    ///     OSError: the socket is no TCP socket, or closed.
    #[pyo3(signature = (idle = None, interval = None, count = None))]
    fn setkeepalive(
        &self,
        py: Python<'_>,
        idle: Option<Plain<u32>>,
        interval: Option<Plain<u32>>,
        count: Option<Plain<u32>>,
    ) -> PyResult<()> {
        let keepalive = parse(idle, interval, count)?;
        let set = || -> Result<()> {
            Ok(self
                .channel
                .lend(py, |fd| sys::keepalive::set(fd, keepalive))??)
        };
        Ok(set()?)
    }
}

/// Set keepalive for every TCP connection that is made or accepted afterwards; tcp(7).
///
/// It works like ``setkeepalive`` of each of these sockets. A socket for which the program has set
/// SO_KEEPALIVE itself keeps what it has. The initial value is what the environment variable
/// ``OXISOCK_KEEPALIVE`` says, such as ``60,10,6``, else none. Without arguments new connections are
/// left alone again.
///
/// Args:
///     idle: seconds, 1 to 32767.
///     interval: seconds, 1 to 32767.
///     count: questions, 1 to 127.
///
/// Raises:
///     ValueError: an argument is out of range, or one of them is missing.
///     OverflowError: an argument is negative or very large.
#[pyfunction]
#[pyo3(signature = (idle = None, interval = None, count = None))]
pub(crate) fn setdefaultkeepalive(
    idle: Option<Plain<u32>>,
    interval: Option<Plain<u32>>,
    count: Option<Plain<u32>>,
) -> PyResult<()> {
    let keepalive = parse(idle, interval, count)?;
    *DEFAULT.write().unwrap_or_else(PoisonError::into_inner) = keepalive;
    Ok(())
}

/// Return the keepalive of new TCP connections as ``(idle, interval, count)``, or None; tcp(7).
#[pyfunction]
pub(crate) fn getdefaultkeepalive(py: Python<'_>) -> PyResult<Option<Bound<'_, PyTuple>>> {
    let made = |keepalive: Keepalive| {
        make::tuple!(py, keepalive.idle, keepalive.interval, keepalive.count)
    };
    default().map(made).transpose()
}
