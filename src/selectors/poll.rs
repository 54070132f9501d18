//! poll(2).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList};

use super::{Call, limit, nanoseconds, told};
use crate::engine;
use crate::python::args::{self, Descriptor, Given};
use crate::python::error::{Error, exception};
use crate::python::version;
use crate::sys::readiness::{self, Readiness};
use crate::sys::timeout::MILLISECOND;
use crate::sys::{Errno, RawFd, c};

const EVERYTHING: u32 = (c::POLLIN | c::POLLPRI | c::POLLOUT) as u32;

/// Make an object to wait for descriptors with; poll(2).
///
/// Returns:
///     An object that descriptors are registered with, and that waits for them.
#[pyfunction]
pub(crate) fn poll() -> Poll {
    Poll {
        registered: Mutex::new(Registered::default()),
        running: AtomicBool::new(false),
    }
}

/// Descriptors, and what each is waited for; poll(2).
///
/// What is ready is reported with the interpreter lock kept, and after a wait the lock is back
/// at once, although another thread computes.
#[pyclass(frozen, name = "poll", module = "oxisock.select")]
pub(crate) struct Poll {
    registered: Mutex<Registered>,
    /// Whether a thread is in `poll`.
    running: AtomicBool,
}

/// In the order in which they came.
#[derive(Default)]
struct Registered {
    /// Those that were taken out have a negative number, which poll(2) passes over.
    entries: Vec<Readiness>,
    places: HashMap<RawFd, usize>,
}

impl Registered {
    fn insert(&mut self, (fd, events): Readiness) {
        let end = self.entries.len();
        let place = *self.places.entry(fd).or_insert(end);
        if place == end {
            self.entries.push((fd, events));
        } else {
            self.entries[place].1 = events;
        }
    }

    /// False where it is not there.
    fn remove(&mut self, fd: RawFd) -> bool {
        let Some(place) = self.places.remove(&fd) else {
            return false;
        };
        self.entries[place].0 = -1;
        if self.entries.len() > 2 * self.places.len() {
            self.entries.retain(|(fd, _)| *fd >= 0);
            let numbers = self.entries.iter().map(|(fd, _)| *fd);
            self.places = numbers.enumerate().map(|(place, fd)| (fd, place)).collect();
        }
        true
    }
}

impl Poll {
    /// Never held while code of Python's runs.
    fn registered(&self) -> MutexGuard<'_, Registered> {
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Poll {
    /// Register a descriptor, or change what it is waited for.
    ///
    /// Args:
    ///     fd: the descriptor's number, or an object with a method ``fileno``.
    ///     eventmask: what to wait for, ``POLL*``; ``POLLIN | POLLPRI | POLLOUT`` if left out.
    ///
    /// Raises:
    ///     OverflowError: the mask is too large.
    ///     TypeError: an argument is of the wrong type.
    ///     ValueError: an argument is negative.
    #[pyo3(
        signature = (fd, eventmask = Given(None), /),
        text_signature = "($self, fd, eventmask=7, /)"
    )]
    fn register(&self, fd: Descriptor, eventmask: Given<'_>) -> PyResult<()> {
        let events = eventmask.0.as_ref().map_or(Ok(EVERYTHING), mask)?;
        self.registered().insert((fd.0, events));
        Ok(())
    }

    /// Change what a registered descriptor is waited for.
    ///
    /// Args:
    ///     fd: the descriptor's number, or an object with a method ``fileno``.
    ///     eventmask: what to wait for, ``POLL*``.
    ///
    /// Raises:
    ///     FileNotFoundError: the descriptor is not registered.
    ///     OverflowError: the mask is too large.
    ///     TypeError: an argument is of the wrong type.
    ///     ValueError: an argument is negative.
    #[pyo3(signature = (fd, eventmask, /))]
    fn modify(&self, fd: Descriptor, eventmask: &Bound<'_, PyAny>) -> PyResult<()> {
        let events = mask(eventmask)?;
        let mut registered = self.registered();
        if !registered.places.contains_key(&fd.0) {
            return Err(Error::Os(Errno::NOENT).into());
        }
        registered.insert((fd.0, events));
        Ok(())
    }

    /// Take a descriptor out.
    ///
    /// Args:
    ///     fd: the descriptor's number, or an object with a method ``fileno``.
    ///
    /// Raises:
    ///     KeyError: the descriptor is not registered.
    ///     TypeError: the argument is no descriptor.
    ///     ValueError: the number is negative.
    #[pyo3(signature = (fd, /))]
    fn unregister(&self, fd: Descriptor) -> PyResult<()> {
        if self.registered().remove(fd.0) {
            Ok(())
        } else {
            Err(exception::<PyKeyError>(fd.0))
        }
    }

    /// Wait until registered descriptors are ready; poll(2).
    ///
    /// Args:
    ///     timeout: milliseconds; None, or a negative number, for no limit.
    ///
    /// Returns:
    ///     The pairs of a descriptor's number and the events that were found, ``POLL*``.
    ///
    /// Raises:
    ///     OSError: the system refuses the call.
    ///     OverflowError: the timeout is too large.
    ///     RuntimeError: another call of this object is under way.
    ///     TypeError: the timeout is no number.
    ///     ValueError: the timeout is no number of the kind that can be counted.
    #[pyo3(signature = (timeout = None, /))]
    fn poll<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let message = "timeout must be an integer or None";
        let time = nanoseconds(timeout, MILLISECOND, message)?;
        let limit = limit(time, Call::Poll)?;
        let Some(_turn) = Turn::of(&self.running) else {
            return Err(exception::<PyRuntimeError>("concurrent poll() invocation"));
        };
        let wanted = self.registered().entries.clone();
        let found = engine::select(py, limit, |_, timeout| {
            let found = readiness::poll(&wanted, timeout)?;
            Ok((!found.is_empty()).then_some(found))
        })?;
        told(py, found)
    }
}

/// The one call of an object that may be under way.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn of(running: &'a AtomicBool) -> Option<Self> {
        (!running.swap(true, SeqCst)).then_some(Turn(running))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

/// Events as a C `unsigned short`.
fn mask(events: &Bound<'_, PyAny>) -> PyResult<u32> {
    if !version::C_INTEGERS && !events.is_instance_of::<PyInt>() {
        return Err(exception::<PyTypeError>("an integer is required"));
    }
    args::unsigned::<u16>(events, "unsigned short").map(u32::from)
}
