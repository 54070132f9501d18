//! Waiting as selectors do, for whatever of many descriptors is ready first.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::handoff::detached;
use super::settings;
use crate::python::error::Result;
use crate::sys::{self, Timeout};

/// Waits until `wait` has found something, at most for that time; for ever without a limit.
///
/// It is first called without time to wait, with the interpreter lock kept, so that what is ready
/// costs no turn of the lock.
///
/// # Errors
/// What a signal handler raised, or the system's error.
pub(crate) fn select<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    mut wait: impl FnMut(Timeout) -> sys::Result<Vec<T>> + Send,
) -> Result<Vec<T>> {
    let began = Instant::now();
    match wait(Timeout::ZERO) {
        Ok(found) if found.is_empty() && limit != Some(Duration::ZERO) => {}
        Err(errno) if errno.is_interrupted() => {}
        result => {
            settings::count_kept();
            return Ok(result?);
        }
    }
    loop {
        // Before the sleep, too: a signal that came until now would not end it.
        py.check_signals()?;
        let left = |now: Duration| limit.map(|limit| limit.saturating_sub(now));
        let timeout = left(began.elapsed()).map_or(Timeout::NONE, Timeout::after);
        settings::count_released();
        match detached(py, || wait(timeout)) {
            // Longer than the system can count, or for ever: the clock decides.
            Ok(found) if found.is_empty() && left(began.elapsed()) != Some(Duration::ZERO) => {}
            Err(errno) if errno.is_interrupted() => {}
            result => return Ok(result?),
        }
    }
}
