//! Waiting for several sockets at once.

use std::time::Instant;

use pyo3::prelude::*;

use super::channel::Guard;
use super::statistics::count_wait;
use super::{Channel, Interest, settings};
use super::{clock, handoff};
use crate::python::error::{Error, Result};
use crate::sys::io::PollSet;
use crate::sys::{self, Timeout};

/// Waits until one of the sockets is ready, without the interpreter lock, at most until
/// `until`. Says which of them are ready; none where the time is up, or where a signal came
/// whose handlers have run.
///
/// # Errors
/// What a signal handler raised, or one of the sockets is closed.
pub(crate) fn wait_any<'a>(
    py: Python<'_>,
    channels: impl IntoIterator<Item = &'a Channel>,
    interest: Interest,
    until: Option<Instant>,
) -> Result<Vec<bool>> {
    // Before the sleep, too: a signal that came until now would not end it.
    py.check_signals()?;
    let files = channels
        .into_iter()
        .map(Channel::enter)
        .collect::<Result<Vec<_>>>()?;
    settings::count_released();
    let poll = || poll_all(&files, &mut PollSet::new(interest), until);
    let (ready, waited, _) = handoff::observed(py, clock::now(), poll);
    count_wait(waited);
    match ready {
        None => Err(Error::CLOSED),
        Some(Err(errno)) if errno.is_interrupted() => {
            py.check_signals()?;
            Ok(vec![false; files.len()])
        }
        Some(ready) => Ok(ready?),
    }
}

/// Polls when every one of the files has been detached; None where one is closed.
fn poll_all(
    files: &[Guard<'_>],
    set: &mut PollSet,
    until: Option<Instant>,
) -> Option<sys::Result<Vec<bool>>> {
    match files {
        [] => Some(set.wait(Timeout::until(until))),
        [file, rest @ ..] => file
            .detached(|file| {
                file.lend(|fd| set.push(fd))?;
                poll_all(rest, set, until)
            })
            .flatten(),
    }
}
