//! Sending a file without reading it into the process.

use pyo3::prelude::*;

use super::Socket;
use crate::engine::{Attempt, AttemptMode, Interest, Plan, drive};
use crate::python::args::Int;
use crate::python::error::Result;
use crate::python::make::Made;
use crate::python::plain::Plain;
use crate::sys::descriptor::Named;
use crate::sys::{self, Timeout};

/// What an operation has to copy that must not be tried with the interpreter lock kept.
const UNBOUNDED: usize = usize::MAX;

#[pymethods]
impl Socket {
    /// Send from a file, in the kernel; sendfile(2).
    ///
    /// Args:
    ///     file: the file's descriptor.
    ///     offset: where in the file to begin.
    ///     count: the largest number of bytes to send.
    ///
    /// Returns:
    ///     The number of bytes sent; 0 at the end of the file.
    ///
    /// Raises:
    ///     TimeoutError: there was no room within the timeout.
    ///     OSError: the file is of a kind that cannot be sent so, the connection failed, or the
    ///         socket is closed.
    #[pyo3(signature = (file, offset, count, /))]
    fn _send_from(
        &self,
        py: Python<'_>,
        file: Int,
        offset: Plain<i64>,
        count: Plain<usize>,
    ) -> Result<Made<usize>> {
        let (offset, count) = (offset.0, count.0);
        let file = Named::new(file.0)?;
        let mut waits = false;
        self.without_blocking(py, |_| {
            drive(py, &self.channel, Plan::send(UNBOUNDED), |fd, mode| {
                if std::mem::take(&mut waits) {
                    return match sys::io::poll(fd, Interest::Write, Timeout::NONE).into() {
                        Attempt::Done(_) => Attempt::Progressed,
                        other => other.map(|_| 0),
                    };
                }
                match sys::sendfile::sendfile(fd, file.borrow(), offset, count).into() {
                    // Somebody else has made the descriptor non-blocking.
                    Attempt::WouldBlock if mode == AttemptMode::Block => {
                        waits = true;
                        Attempt::Progressed
                    }
                    other => other,
                }
            })
        })
        .map(Made)
    }
}
