//! What operations did: counters of the process, of each socket, and of the waits of each thread.
//!
//! The driver counts, once for each operation. Whoever counts is attached to the interpreter, so
//! that where that means holding the one lock no counting needs a locked instruction.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{AttemptMode, Interest};
use crate::python::error::{Error, Result};
use crate::sys::message::Received;
use crate::sys::{self, Errno, OwnedFd, SockAddr};

/// What an operation is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Receive,
    Send,
    Accept,
    Connect,
    Select,
    Lookup,
}

/// Their names, in that order; those of a socket come first.
const NAMES: [&str; 6] = ["receive", "send", "accept", "connect", "select", "lookup"];
const OF_SOCKETS: usize = 4;

/// What an operation has brought, as far as it can be counted.
pub(crate) trait Counted {
    /// How many bytes have moved.
    #[inline]
    fn bytes(&self) -> usize {
        0
    }

    /// The error in it, of an operation that the driver takes for done.
    #[inline]
    fn errno(&self) -> Option<Errno> {
        None
    }
}

impl Counted for usize {
    #[inline]
    fn bytes(&self) -> usize {
        *self
    }
}

impl Counted for (usize, AttemptMode) {
    #[inline]
    fn bytes(&self) -> usize {
        self.0
    }
}

impl Counted for Received {
    #[inline]
    fn bytes(&self) -> usize {
        self.len
    }
}

impl Counted for (OwnedFd, SockAddr) {}

impl Counted for sys::Result<()> {
    fn errno(&self) -> Option<Errno> {
        self.err()
    }
}

/// A number of datagrams, and their bytes.
pub(crate) struct Datagrams {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

impl Counted for Datagrams {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What one stay outside the interpreter took.
#[derive(Clone, Copy, Default)]
pub(super) struct Waited {
    pub(super) network: Duration,
    /// Until the interpreter lock was there again.
    pub(super) lock: Duration,
}

#[inline]
fn add(counter: &AtomicU64, number: u64) {
    if cfg!(Py_GIL_DISABLED) {
        counter.fetch_add(number, Relaxed);
    } else {
        counter.store(counter.load(Relaxed).wrapping_add(number), Relaxed);
    }
}

/// Counters of the process, or of one socket.
pub(crate) struct Counters {
    operations: [AtomicU64; NAMES.len()],
    received: AtomicU64,
    sent: AtomicU64,
    network_waits: AtomicU64,
    network_nanos: AtomicU64,
    lock_waits: AtomicU64,
    lock_nanos: AtomicU64,
    timeouts: AtomicU64,
    would_block: AtomicU64,
    /// Errors are rare, and so are their kinds: no memory before the first.
    errors: Mutex<Vec<(Errno, u64)>>,
}

static PROCESS: Counters = Counters::new();
static OPENED: AtomicU64 = AtomicU64::new(0);
static CLOSED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Nanoseconds that this thread has waited for the network and for the interpreter lock.
    static THREAD: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

impl Counters {
    pub(super) const fn new() -> Self {
        Counters {
            operations: [const { AtomicU64::new(0) }; NAMES.len()],
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            network_waits: AtomicU64::new(0),
            network_nanos: AtomicU64::new(0),
            lock_waits: AtomicU64::new(0),
            lock_nanos: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
            would_block: AtomicU64::new(0),
            errors: Mutex::new(Vec::new()),
        }
    }

    #[inline]
    fn moved(&self, interest: Interest, bytes: usize) {
        let counter = match interest {
            Interest::Read => &self.received,
            Interest::Write => &self.sent,
        };
        add(counter, bytes as u64);
    }

    #[cold]
    fn failed(&self, errno: Errno) {
        if errno.is_would_block() || errno == Errno::INPROGRESS {
            return add(&self.would_block, 1);
        }
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        match errors.iter_mut().find(|(known, _)| *known == errno) {
            Some((_, count)) => *count += 1,
            None => errors.push((errno, 1)),
        }
    }

    #[cold]
    fn ended(&self, error: &Error) {
        match error {
            Error::Os(errno) => self.failed(*errno),
            Error::TimedOut | Error::LookupTimedOut => add(&self.timeouts, 1),
            // Answers of a lookup, and what Python code raised, are no errors of the system.
            Error::Lookup(_) | Error::Host(_) | Error::Python(_) => {}
        }
    }

    fn waited(&self, waited: &Waited) {
        if !waited.network.is_zero() {
            add(&self.network_waits, 1);
            add(&self.network_nanos, nanos(waited.network));
        }
        if !waited.lock.is_zero() {
            add(&self.lock_waits, 1);
            add(&self.lock_nanos, nanos(waited.lock));
        }
    }

    /// Counts an operation on a socket that has come to its end.
    #[inline]
    pub(crate) fn operated<T: Counted>(
        &self,
        operation: Operation,
        interest: Interest,
        result: &Result<T>,
    ) {
        for counters in [self, &PROCESS] {
            add(&counters.operations[operation as usize], 1);
            match result {
                Ok(done) => {
                    counters.moved(interest, done.bytes());
                    if let Some(errno) = done.errno() {
                        counters.failed(errno);
                    }
                }
                Err(error) => counters.ended(error),
            }
        }
    }

    /// Counts the error of an operation that was counted when it began.
    pub(crate) fn failed_since(&self, errno: Errno) {
        self.failed(errno);
        PROCESS.failed(errno);
    }

    /// Counts bytes that moved without the driver, behind those of an operation.
    pub(super) fn more(&self, interest: Interest, bytes: usize) {
        self.moved(interest, bytes);
        PROCESS.moved(interest, bytes);
    }

    /// Counts a wait for a socket.
    pub(super) fn waited_for(&self, waited: Waited) {
        self.waited(&waited);
        count_wait(waited);
    }

    /// The counters as a dict, with as many kinds of operations.
    fn dict<'py>(&self, py: Python<'py>, kinds: usize) -> PyResult<Bound<'py, PyDict>> {
        let group = |items: &[(&str, &AtomicU64)]| {
            let group = PyDict::new(py);
            for (name, counter) in items {
                group.set_item(name, counter.load(Relaxed))?;
            }
            Ok::<_, PyErr>(group)
        };
        let operations: Vec<_> = NAMES.into_iter().zip(&self.operations).collect();
        let seconds = PyDict::new(py);
        for (name, counter) in [("network", &self.network_nanos), ("lock", &self.lock_nanos)] {
            seconds.set_item(name, counter.load(Relaxed) as f64 / 1e9)?;
        }
        let names = py
            .import(intern!(py, "errno"))?
            .getattr(intern!(py, "errorcode"))?;
        let errors = PyDict::new(py);
        let counted = self
            .errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (errno, count) in counted {
            let number = errno.number();
            let name = names.call_method1(intern!(py, "get"), (number, number.to_string()))?;
            errors.set_item(name, count)?;
        }
        let all = PyDict::new(py);
        all.set_item("operations", group(&operations[..kinds])?)?;
        all.set_item(
            "bytes",
            group(&[("received", &self.received), ("sent", &self.sent)])?,
        )?;
        let waits = [("network", &self.network_waits), ("lock", &self.lock_waits)];
        all.set_item("waits", group(&waits)?)?;
        all.set_item("wait_seconds", seconds)?;
        all.set_item("timeouts", self.timeouts.load(Relaxed))?;
        all.set_item("would_block", self.would_block.load(Relaxed))?;
        all.set_item("errors", errors)?;
        Ok(all)
    }

    /// What `socket.stats` returns.
    pub(crate) fn of_socket<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.dict(py, OF_SOCKETS)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Counts an operation that is not about one socket.
pub(crate) fn count_operation(operation: Operation) {
    add(&PROCESS.operations[operation as usize], 1);
}

/// Counts a wait that is not about one socket.
pub(super) fn count_wait(waited: Waited) {
    PROCESS.waited(&waited);
    let (network, lock) = THREAD.get();
    THREAD.set((
        network.wrapping_add(nanos(waited.network)),
        lock.wrapping_add(nanos(waited.lock)),
    ));
}

/// Counts a descriptor that a socket has adopted.
pub(super) fn count_opened() {
    add(&OPENED, 1);
}

/// Counts a descriptor that a socket has closed or given away.
pub(super) fn count_closed() {
    add(&CLOSED, 1);
}

/// Tell what the sockets of this process have done so far.
///
/// Counting is always on: it takes some nanoseconds of an operation. All numbers only grow, but for ``open`` of
/// ``sockets``. A forked process begins with those of its parent.
///
/// Returns:
///     A dict with ``operations``, a dict with the number of calls by kind, ``receive``, ``send``, ``accept``,
///     ``connect``, ``select`` and ``lookup``, those that failed among them; ``bytes``, a dict of
///     ``received`` and ``sent``, of the calls that succeeded, for TLS those of the payload; ``waits`` and ``wait_seconds``, dicts of how often and how
///     long calls waited for the ``network`` and, back from there, for the interpreter's ``lock``;
///     ``timeouts``; ``would_block``, calls in non-blocking mode that found nothing to do; ``errors``, a dict with the
///     number of calls that failed by the name of their ``errno``; ``sockets``, a dict of descriptors that
///     were ``opened``, accepted or adopted, and of those that are ``open``.
#[pyfunction]
pub(crate) fn stats(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let all = PROCESS.dict(py, NAMES.len())?;
    let sockets = PyDict::new(py);
    let opened = OPENED.load(Relaxed);
    sockets.set_item("opened", opened)?;
    sockets.set_item("open", opened.saturating_sub(CLOSED.load(Relaxed)))?;
    all.set_item("sockets", sockets)?;
    Ok(all)
}

/// Tell how long this thread has waited in calls of this module.
///
/// Returns:
///     A pair of nanoseconds: for the network, and for the interpreter lock.
#[pyfunction]
pub(crate) fn thread_waits() -> (u64, u64) {
    THREAD.get()
}
