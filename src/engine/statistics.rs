//! What operations did: counters of the process, of each socket, and of the waits of each thread.
//!
//! The driver counts, once for each operation. All counts are exact, whatever threads count at the
//! same time; which of two that are read together is older nobody promises.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::shards::{Padded, SHARDS, Sharded, add};
use super::{AttemptMode, Interest};
use crate::python::error::{Error, Result};
use crate::python::make::{self, Made, Make};
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

impl Counted for (OwnedFd, SockAddr) {}

impl Counted for sys::Result<()> {
    fn errno(&self) -> Option<Errno> {
        self.err()
    }
}

/// What one stay outside the interpreter took, in nanoseconds.
#[derive(Clone, Copy, Default)]
pub(super) struct Waited {
    pub(super) network: u64,
    /// Until the interpreter lock was there again.
    pub(super) lock: u64,
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

/// What all sockets of the process did.
struct Process {
    counters: Counters,
    opened: AtomicU64,
    closed: AtomicU64,
}

impl Process {
    const fn new() -> Self {
        Process {
            counters: Counters::new(),
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
        }
    }
}

static PROCESS: Sharded<Process> = Sharded::new([const { Padded(Process::new()) }; SHARDS]);

fn process() -> &'static Counters {
    &PROCESS.mine().counters
}

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
        if waited.network != 0 {
            add(&self.network_waits, 1);
            add(&self.network_nanos, waited.network);
        }
        if waited.lock != 0 {
            add(&self.lock_waits, 1);
            add(&self.lock_nanos, waited.lock);
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
        for counters in [self, process()] {
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
        process().failed(errno);
    }

    /// Counts bytes that moved without the driver, behind those of an operation.
    pub(super) fn more(&self, interest: Interest, bytes: usize) {
        self.moved(interest, bytes);
        process().moved(interest, bytes);
    }

    /// Counts a wait for a socket.
    pub(super) fn waited_for(&self, waited: Waited) {
        self.waited(&waited);
        count_wait(waited);
    }

    /// What `socket.stats` returns.
    pub(crate) fn of_socket<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dict(py, std::iter::once(self), OF_SOCKETS)
    }
}

/// Counters that are added up as a dict, with as many kinds of operations.
fn dict<'py, 'a>(
    py: Python<'py>,
    all: impl Iterator<Item = &'a Counters> + Clone,
    kinds: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let sum = |counter: fn(&Counters) -> &AtomicU64| {
        let counts = all.clone().map(|one| counter(one).load(Relaxed));
        counts.fold(0, u64::wrapping_add)
    };
    let operations = make::dictionary(py)?;
    for (kind, name) in NAMES.into_iter().enumerate().take(kinds) {
        let counts = all.clone().map(|one| one.operations[kind].load(Relaxed));
        make::entry(&operations, name, counts.fold(0, u64::wrapping_add))?;
    }
    let bytes = make::dictionary(py)?;
    make::entry(&bytes, "received", sum(|one| &one.received))?;
    make::entry(&bytes, "sent", sum(|one| &one.sent))?;
    let waits = make::dictionary(py)?;
    make::entry(&waits, "network", sum(|one| &one.network_waits))?;
    make::entry(&waits, "lock", sum(|one| &one.lock_waits))?;
    let seconds = make::dictionary(py)?;
    make::entry(
        &seconds,
        "network",
        sum(|one| &one.network_nanos) as f64 / 1e9,
    )?;
    make::entry(&seconds, "lock", sum(|one| &one.lock_nanos) as f64 / 1e9)?;
    let dict = make::dictionary(py)?;
    make::entry(&dict, "operations", operations)?;
    make::entry(&dict, "bytes", bytes)?;
    make::entry(&dict, "waits", waits)?;
    make::entry(&dict, "wait_seconds", seconds)?;
    make::entry(&dict, "timeouts", sum(|one| &one.timeouts))?;
    make::entry(&dict, "would_block", sum(|one| &one.would_block))?;
    make::entry(&dict, "errors", errors(py, all)?)?;
    Ok(dict)
}

/// How many calls have failed, by the names of their errors.
fn errors<'py, 'a>(
    py: Python<'py>,
    all: impl Iterator<Item = &'a Counters>,
) -> PyResult<Bound<'py, PyDict>> {
    let mut counted: Vec<(Errno, u64)> = Vec::new();
    for one in all {
        let errors = one.errors.lock().unwrap_or_else(PoisonError::into_inner);
        for (errno, count) in errors.iter() {
            match counted.iter_mut().find(|(known, _)| known == errno) {
                Some((_, sum)) => *sum += count,
                None => counted.push((*errno, *count)),
            }
        }
    }
    let names = py
        .import(intern!(py, "errno"))?
        .getattr(intern!(py, "errorcode"))?;
    let errors = make::dictionary(py)?;
    for (errno, count) in counted {
        let number = errno.number();
        let name = names.call_method1(
            intern!(py, "get"),
            make::tuple!(py, number, number.to_string())?,
        )?;
        errors.set_item(name, count.make(py)?)?;
    }
    Ok(errors)
}

/// Counts an operation that is not about one socket.
pub(crate) fn count_operation(operation: Operation) {
    add(&process().operations[operation as usize], 1);
}

/// Counts a wait that is not about one socket.
pub(super) fn count_wait(waited: Waited) {
    process().waited(&waited);
    let (network, lock) = THREAD.get();
    THREAD.set((
        network.wrapping_add(waited.network),
        lock.wrapping_add(waited.lock),
    ));
}

/// Counts a descriptor that a socket has adopted.
pub(super) fn count_opened() {
    add(&PROCESS.mine().opened, 1);
}

/// Counts a descriptor that a socket has closed or given away.
pub(super) fn count_closed() {
    add(&PROCESS.mine().closed, 1);
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
    let all = dict(py, PROCESS.all().map(|shard| &shard.counters), NAMES.len())?;
    let sockets = make::dictionary(py)?;
    // In this order: what is closed in between is none of those that were opened.
    let closed = PROCESS.sum(|shard| &shard.closed);
    let opened = PROCESS.sum(|shard| &shard.opened);
    make::entry(&sockets, "opened", opened)?;
    make::entry(&sockets, "open", opened.saturating_sub(closed))?;
    make::entry(&all, "sockets", sockets)?;
    Ok(all)
}

/// How long this thread has waited, in nanoseconds: for the network, and for the interpreter lock.
pub(crate) fn waits() -> (u64, u64) {
    THREAD.get()
}

/// Tell how long this thread has waited in calls of this module.
///
/// Returns:
///     A pair of nanoseconds: for the network, and for the interpreter lock.
#[pyfunction]
pub(crate) fn thread_waits() -> Made<(u64, u64)> {
    Made(waits())
}
