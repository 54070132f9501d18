//! What can be set for all sockets, and what is counted.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::available_parallelism;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::handoff;
use super::shards::{Padded, SHARDS, Sharded, add};
use crate::python::error::exception;
use crate::python::make::{self, Made};
use crate::python::plain::Plain;
use crate::sys::Timeout;

/// Up to this many bytes are copied with the interpreter lock kept.
/// `benches/experiments/lock_threshold.py` measures it.
static KEEP_LIMIT: AtomicUsize = AtomicUsize::new(16 * 1024);

/// How long a receive may busy-poll before it sleeps, in nanoseconds.
static BUSY_POLL: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(initial_busy_poll()));

/// The environment variable that sets the initial value, in microseconds; 0 switches off.
const BUSY_POLL_VARIABLE: &str = "OXISOCK_BUSY_POLL_US";
/// A machine may take 100 microseconds to wake the peer, which then has to answer.
const DEFAULT_BUSY_POLL_MICROS: u64 = 150;
/// A thread that busy-polls keeps the interpreter lock, so that the time is bounded by the
/// interpreter's own switch interval.
const MAX_BUSY_POLL: Duration = Duration::from_millis(5);

/// The timeout of new sockets, see [`Timeout::to_nanos`].
static DEFAULT_TIMEOUT: AtomicI64 = AtomicI64::new(-1);

/// How operations went, see [`counters`].
struct Calls {
    kept: AtomicU64,
    released: AtomicU64,
    busy_polls: AtomicU64,
    busy_poll_hits: AtomicU64,
}

impl Calls {
    const fn new() -> Self {
        Calls {
            kept: AtomicU64::new(0),
            released: AtomicU64::new(0),
            busy_polls: AtomicU64::new(0),
            busy_poll_hits: AtomicU64::new(0),
        }
    }
}

static CALLS: Sharded<Calls> = Sharded::new([const { Padded(Calls::new()) }; SHARDS]);

fn initial_busy_poll() -> u64 {
    let micros = std::env::var(BUSY_POLL_VARIABLE)
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok())
        .unwrap_or_else(|| {
            // On one processor the peer cannot answer meanwhile.
            let alone = available_parallelism().is_ok_and(|count| count.get() == 1);
            if alone { 0 } else { DEFAULT_BUSY_POLL_MICROS }
        });
    Duration::from_micros(micros).min(MAX_BUSY_POLL).as_nanos() as u64
}

#[inline]
pub(super) fn keep_limit() -> usize {
    KEEP_LIMIT.load(Relaxed)
}

pub(super) fn busy_poll() -> Duration {
    Duration::from_nanos(BUSY_POLL.load(Relaxed))
}

pub(crate) fn default_timeout() -> Timeout {
    Timeout::from_nanos(DEFAULT_TIMEOUT.load(Relaxed))
}

pub(crate) fn set_default_timeout(timeout: Timeout) {
    DEFAULT_TIMEOUT.store(timeout.to_nanos(), Relaxed);
}

#[inline]
pub(super) fn count_kept() {
    add(&CALLS.mine().kept, 1);
}

pub(super) fn count_released() {
    add(&CALLS.mine().released, 1);
}

pub(super) fn count_busy_poll() {
    add(&CALLS.mine().busy_polls, 1);
}

pub(super) fn count_busy_poll_hit() {
    add(&CALLS.mine().busy_poll_hits, 1);
}

/// Count how operations of all sockets went so far. For tests and benchmarks.
///
/// Returns:
///     A dict: ``kept`` counts operations that were ready and kept the interpreter lock,
///     ``busy_polls`` those that busy-polled before they slept, ``busy_poll_hits`` those that
///     found something then, ``released`` the times that the lock was given up. Of the calls that
///     ask a computing thread to yield, ``yield_requests`` counts all, ``yields_refused`` those
///     that the interpreter's queue had no room for, ``yields`` those in which the thread yielded,
///     and ``yields_expired`` those that came when nobody was waiting any more.
#[pyfunction]
pub(crate) fn counters(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let counts = make::dictionary(py)?;
    make::entry(&counts, "kept", CALLS.sum(|calls| &calls.kept))?;
    make::entry(&counts, "busy_polls", CALLS.sum(|calls| &calls.busy_polls))?;
    make::entry(
        &counts,
        "busy_poll_hits",
        CALLS.sum(|calls| &calls.busy_poll_hits),
    )?;
    make::entry(&counts, "released", CALLS.sum(|calls| &calls.released))?;
    for (name, value) in handoff::counters() {
        make::entry(&counts, name, value)?;
    }
    Ok(counts)
}

/// How many calls are still to count on a long wait for the interpreter lock.
static CONTENDED: AtomicU32 = AtomicU32::new(0);

/// That many do after each sleep, of any socket, after which the lock was long in coming back.
const CONTENDED_CALLS: u32 = 64;

/// Whether giving the interpreter lock up lately meant a long wait for it.
pub(crate) fn contended() -> bool {
    let calls = CONTENDED.load(Relaxed);
    if calls > 0 {
        CONTENDED.store(calls - 1, Relaxed);
    }
    calls > 0
}

pub(super) fn set_contended(contended: bool) {
    let calls = if contended { CONTENDED_CALLS } else { 0 };
    if CONTENDED.load(Relaxed) != calls {
        CONTENDED.store(calls, Relaxed);
    }
}

/// How often threads have woken up from a sleep in an operation.
static WAKES: AtomicU64 = AtomicU64::new(0);

#[inline]
pub(super) fn wakes() -> u64 {
    WAKES.load(Relaxed)
}

pub(super) fn count_wake() {
    // Without the lock nobody asks, and one place for all threads would cost them time.
    if cfg!(not(Py_GIL_DISABLED)) {
        WAKES.fetch_add(1, Relaxed);
    }
}

/// Set an engine parameter and return its value before. For benchmarks.
///
/// Args:
///     name: ``"keep_limit"``, the largest copy in bytes that keeps the interpreter lock.
///     value: the new value.
///
/// Raises:
///     ValueError: there is no such parameter.
#[pyfunction]
#[pyo3(signature = (name, value, /))]
pub(crate) fn tune(name: Plain<&str>, value: Plain<usize>) -> PyResult<Made<usize>> {
    match name.0 {
        "keep_limit" => Ok(Made(KEEP_LIMIT.swap(value.0, Relaxed))),
        name => Err(exception::<PyValueError>(format!(
            "unknown engine parameter: {name}"
        ))),
    }
}

/// Set how long a receive that has to wait may busy-poll before it sleeps.
///
/// Busy-polling catches answers that come within some tens of microseconds without the cost
/// of sleeping and waking. Each socket learns whether it helps; a socket where it does not
/// goes to sleep at once: it helps where it takes less than two thirds of the time of the last
/// sleep, or less than nine tenths of it and than half of this time. The initial value is 150
/// microseconds, 0 where the process has one processor only at the first wait, or what the
/// environment variable ``OXISOCK_BUSY_POLL_US`` says, in microseconds.
///
/// Args:
///     seconds: the longest time to busy-poll, 0 to 0.005. 0 switches it off.
///
/// Raises:
///     ValueError: the time is negative, no number, or above 0.005.
///     TypeError: the time is no number.
#[pyfunction]
#[pyo3(signature = (seconds, /))]
pub(crate) fn setbusypoll(seconds: Plain<f64>) -> PyResult<()> {
    let seconds = seconds.0;
    if !(0.0..=MAX_BUSY_POLL.as_secs_f64()).contains(&seconds) {
        return Err(exception::<PyValueError>(
            "seconds must be between 0 and 0.005",
        ));
    }
    BUSY_POLL.store((seconds * 1e9) as u64, Relaxed);
    Ok(())
}

/// Return how long a receive that has to wait may busy-poll before it sleeps, in seconds.
#[pyfunction]
pub(crate) fn getbusypoll() -> Made<f64> {
    Made(busy_poll().as_secs_f64())
}
