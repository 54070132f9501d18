//! epoll(7).

use std::os::fd::OwnedFd;

use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::{Call, limit, nanoseconds, told};
use crate::engine::{self, Channel};
use crate::python::args::{self, Descriptor, Given, Int};
use crate::python::error::{Error, exception};
use crate::python::make::Made;
use crate::python::version;
use crate::sys::descriptor::{self, Named};
use crate::sys::epoll::{self, Change};
use crate::sys::readiness::Readiness;
use crate::sys::timeout::SECOND;
use crate::sys::{BorrowedFd, Errno, RawFd, Timeout, c};

const EVERYTHING: u32 = (c::EPOLLIN | c::EPOLLPRI | c::EPOLLOUT) as u32;

/// Make an object to wait for descriptors with; epoll(7).
///
/// What is ready is reported with the interpreter lock kept, and after a wait the lock is back
/// at once, although another thread computes.
///
/// Args:
///     sizehint: how many descriptors there will be, which has no effect; -1 for any number.
///     flags: 0, or ``EPOLL_CLOEXEC``, which has no effect: the descriptor is closed on exec.
///
/// Raises:
///     OSError: the flags are others, or there are too many descriptors.
///     ValueError: ``sizehint`` is 0, or below -1.
#[pyclass(frozen, name = "epoll", module = "oxisock.select")]
pub(crate) struct Epoll {
    channel: Channel,
}

impl Epoll {
    fn of(fd: OwnedFd) -> Self {
        let channel = Channel::new();
        let opened = channel.open(fd, Timeout::NONE, true);
        debug_assert!(opened.is_ok(), "nobody has used it");
        Epoll { channel }
    }

    fn failed(&self, error: Error) -> PyErr {
        if self.channel.number() < 0 {
            exception::<PyValueError>("I/O operation on closed epoll object")
        } else {
            error.into()
        }
    }

    fn control(&self, py: Python<'_>, change: Change, entry: Readiness) -> PyResult<()> {
        let control = |epoll: BorrowedFd<'_>| epoll::control(epoll, change, entry);
        let changed = self
            .channel
            .lend(py, control)
            .map_err(|error| self.failed(error))?;
        Ok(changed.map_err(Error::from)?)
    }
}

#[pymethods]
impl Epoll {
    #[new]
    #[pyo3(
        signature = (sizehint = Int(-1), flags = Int(0)),
        text_signature = "(sizehint=-1, flags=0)"
    )]
    fn new(sizehint: Int, flags: Int) -> PyResult<Self> {
        if sizehint.0 == 0 || sizehint.0 < -1 {
            return Err(exception::<PyValueError>("negative sizehint"));
        }
        if ![0, c::EPOLL_CLOEXEC].contains(&flags.0) {
            return Err(Error::os_error("invalid flags").into());
        }
        Ok(Epoll::of(epoll::create().map_err(Error::from)?))
    }

    /// Make an object of a descriptor of epoll(7), which belongs to it from then on.
    ///
    /// Args:
    ///     fd: the descriptor's number; -1 for a new one.
    ///
    /// Raises:
    ///     OSError: the number is below -1.
    #[staticmethod]
    #[pyo3(signature = (fd, /))]
    fn fromfd(fd: Int) -> PyResult<Self> {
        let fd = match fd.0 {
            -1 => epoll::create(),
            number => Named::new(number).map(Named::adopt),
        };
        Ok(Epoll::of(fd.map_err(Error::from)?))
    }

    /// Close the descriptor; close(2). Who waits in another thread is woken.
    ///
    /// Raises:
    ///     OSError: on CPython 3.15 and later, the system's own, such as EBADF; it is closed
    ///         nevertheless.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let fd = self.channel.retire();
        self.channel.wake_users(py);
        match fd.map_or(Ok(()), descriptor::close) {
            Err(errno) if version::EPOLL_CLOSE_RAISES => Err(Error::Os(errno).into()),
            // Before 3.15 the standard library keeps silent.
            _ => Ok(()),
        }
    }

    /// Whether the object is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.channel.number() < 0
    }

    /// Return the descriptor's number.
    ///
    /// Raises:
    ///     ValueError: the object is closed.
    fn fileno(&self) -> PyResult<Made<RawFd>> {
        match self.channel.number() {
            number @ 0.. => Ok(Made(number)),
            _ => Err(self.failed(Error::CLOSED)),
        }
    }

    /// Register a descriptor; epoll_ctl(2).
    ///
    /// Args:
    ///     fd: the descriptor's number, or an object with a method ``fileno``.
    ///     eventmask: what to wait for, ``EPOLL*``; ``EPOLLIN | EPOLLPRI | EPOLLOUT`` if left out.
    ///
    /// Raises:
    ///     OSError: the system refuses it, as for what is registered already.
    ///     TypeError: an argument is of the wrong type.
    ///     ValueError: the object is closed, or the number negative.
    #[pyo3(
        signature = (fd, eventmask = Given(None)),
        text_signature = "($self, fd, eventmask=7)"
    )]
    fn register(&self, py: Python<'_>, fd: Descriptor, eventmask: Given<'_>) -> PyResult<()> {
        let events = eventmask.0.as_ref().map_or(Ok(EVERYTHING), args::masked)?;
        self.control(py, Change::Add, (fd.0, events))
    }

    /// Change what a registered descriptor is waited for; epoll_ctl(2).
    ///
    /// Args:
    ///     fd: the descriptor's number, or an object with a method ``fileno``.
    ///     eventmask: what to wait for, ``EPOLL*``.
    ///
    /// Raises:
    ///     OSError: the system refuses it, as for what is not registered.
    ///     TypeError: an argument is of the wrong type.
    ///     ValueError: the object is closed, or the number negative.
    #[pyo3(signature = (fd, eventmask))]
    fn modify(&self, py: Python<'_>, fd: Descriptor, eventmask: &Bound<'_, PyAny>) -> PyResult<()> {
        let events = args::masked(eventmask)?;
        self.control(py, Change::Modify, (fd.0, events))
    }

    /// Take a descriptor out; epoll_ctl(2).
    ///
    /// Args:
    ///     fd: the descriptor's number, or an object with a method ``fileno``.
    ///
    /// Raises:
    ///     OSError: the system refuses it, as for what is not registered.
    ///     TypeError: the argument is no descriptor.
    ///     ValueError: the object is closed, or the number negative.
    #[pyo3(signature = (fd))]
    fn unregister(&self, py: Python<'_>, fd: Descriptor) -> PyResult<()> {
        self.control(py, Change::Remove, (fd.0, 0))
    }

    /// Wait until registered descriptors are ready; epoll_wait(2).
    ///
    /// Args:
    ///     timeout: seconds; None, or a negative number, for no limit.
    ///     maxevents: the largest number of pairs to return, -1 for 1023.
    ///
    /// Returns:
    ///     The pairs of a descriptor's number and the events that were found, ``EPOLL*``.
    ///
    /// Raises:
    ///     OverflowError: the timeout is too large.
    ///     TypeError: an argument is no number.
    ///     ValueError: the object is closed, also meanwhile; ``maxevents`` is 0, or below -1.
    #[pyo3(
        signature = (timeout = None, maxevents = Int(-1)),
        text_signature = "($self, timeout=None, maxevents=-1)"
    )]
    fn poll<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<&Bound<'py, PyAny>>,
        maxevents: Int,
    ) -> PyResult<Bound<'py, PyList>> {
        let closed = |error| self.failed(error);
        let file = self.channel.enter().map_err(closed)?;
        let time = nanoseconds(timeout, SECOND, "timeout must be an integer or None")?;
        let limit = limit(time, Call::EpollWait)?;
        let most = match maxevents.0 {
            -1 => c::FD_SETSIZE - 1,
            count @ 1.. => count as usize,
            count => {
                return Err(exception::<PyValueError>(format!(
                    "maxevents must be greater than 0, got {count}"
                )));
            }
        };
        let found = engine::select(py, limit, |attached, timeout| {
            let wait = |epoll: BorrowedFd<'_>| epoll::wait(epoll, most, timeout);
            let found = match attached {
                Some(py) => file.lend(py, wait),
                None => file.lend_detached(wait),
            }??;
            Ok((!found.is_empty()).then_some(found))
        });
        match found {
            Ok(found) => told(py, found),
            // The room for the answers: the call itself has no such error.
            Err(Error::Os(Errno::NOMEM)) => Err(PyMemoryError::new_err(())),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn __enter__<'py>(slf: PyRef<'py, Self>) -> PyResult<PyRef<'py, Self>> {
        slf.fileno()?;
        Ok(slf)
    }

    #[pyo3(signature = (exc_type = None, exc_value = None, exc_tb = None, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exc_value: Option<&Bound<'_, PyAny>>,
        exc_tb: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = (exc_type, exc_value, exc_tb);
        self.close(py)
    }
}
