//! Waiting as selectors do, for whatever of many descriptors is ready first.

use std::time::Duration;

use pyo3::prelude::*;

use super::statistics::{Operation, count_operation, count_wait};
use super::{clock, handoff, settings};
use crate::python::error::{Error, Result};
use crate::sys::Timeout;

/// Waits until `wait` has found something, at most for that time; for ever without a limit. None
/// where the time is up.
///
/// It is first called without time to wait, with the interpreter lock kept, so that what is ready
/// costs no turn of the lock; then without the lock. It is told which.
///
/// # Errors
/// What a signal handler raised, or what `wait` says.
pub(crate) fn select<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    mut wait: impl FnMut(Option<Python<'_>>, Timeout) -> Result<Option<T>> + Send,
) -> Result<Option<T>> {
    count_operation(Operation::Select);
    let began = clock::now();
    match wait(Some(py), Timeout::ZERO) {
        Ok(None) if limit != Some(Duration::ZERO) => {}
        Err(Error::Os(errno)) if errno.is_interrupted() => {}
        result => {
            settings::count_kept();
            return result;
        }
    }
    loop {
        // Before the sleep, too: a signal that came until now would not end it.
        py.check_signals()?;
        let left = |now: u64| {
            let passed = Duration::from_nanos(now.saturating_sub(began));
            limit.map(|limit| limit.saturating_sub(passed))
        };
        let now = clock::now();
        let timeout = left(now).map_or(Timeout::NONE, Timeout::after);
        settings::count_released();
        let (found, waited, _) = handoff::observed(py, now, || wait(None, timeout));
        count_wait(waited);
        match found {
            // Longer than the system can count, or for ever: the clock decides.
            Ok(None) if left(clock::now()) != Some(Duration::ZERO) => {}
            Err(Error::Os(errno)) if errno.is_interrupted() => {}
            result => return result,
        }
    }
}
