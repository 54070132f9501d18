//! How long a lookup may take: the caller's deadline, and the timeout for all lookups of the
//! process.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::python::args;
use crate::python::error::{Error, Result, exception};
use crate::python::make::Made;
use crate::sys::Timeout;

/// The environment variable that sets the initial timeout, in seconds.
const VARIABLE: &str = "OXISOCK_RESOLVER_TIMEOUT";

/// See [`Timeout::to_nanos`].
static TIMEOUT: LazyLock<AtomicI64> =
    LazyLock::new(|| AtomicI64::new(Timeout::from_environment(VARIABLE).to_nanos()));

fn timeout() -> Timeout {
    Timeout::from_nanos(TIMEOUT.load(Relaxed))
}

/// When one lookup has to end.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    deadline: Option<Instant>,
    /// Whether the timeout for all lookups is what ends it.
    by_default: bool,
}

impl Limit {
    /// The earlier of the caller's deadline and the end of the timeout for all lookups.
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        let default = timeout().deadline();
        let by_default = match (default, deadline) {
            (Some(default), Some(deadline)) => default < deadline,
            (default, _) => default.is_some(),
        };
        Limit {
            deadline: if by_default { default } else { deadline },
            by_default,
        }
    }

    pub(super) fn deadline(self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn is_none(self) -> bool {
        self.deadline.is_none()
    }

    /// Fails where the time is up.
    pub(super) fn check(self) -> Result<()> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(self.error()),
            _ => Ok(()),
        }
    }

    /// What to say then: a timeout that the caller does not know of is a failure of the lookup.
    pub(super) fn error(self) -> Error {
        if self.by_default {
            Error::LookupTimedOut
        } else {
            Error::TimedOut
        }
    }
}

/// Set the longest time that any lookup of this process may take; getaddrinfo(3).
///
/// It holds for every function that may ask the network, and for host names in the addresses of
/// methods such as ``connect``. A lookup that takes longer fails as one does whose name servers do
/// not answer. The initial value is what the environment variable ``OXISOCK_RESOLVER_TIMEOUT``
/// says, in seconds, else None.
///
/// Args:
///     timeout: seconds above 0, None for no limit but the C library's own.
///
/// Raises:
///     ValueError: the timeout is zero, negative or not a number.
///     OverflowError: the timeout is too large.
///     TypeError: the timeout has a wrong type.
#[pyfunction]
#[pyo3(signature = (timeout, /))]
pub(crate) fn setresolvertimeout(timeout: &Bound<'_, PyAny>) -> PyResult<()> {
    let timeout = args::timeout(timeout)?;
    if timeout.is_zero() {
        return Err(exception::<PyValueError>("the timeout must be above 0"));
    }
    TIMEOUT.store(timeout.to_nanos(), Relaxed);
    Ok(())
}

/// Return the longest time that a lookup may take, in seconds as a float; None for no limit.
#[pyfunction]
pub(crate) fn getresolvertimeout() -> Made<Option<f64>> {
    Made(timeout().seconds())
}
