//! Exact reads: `recv_exactly`, `recv_exactly_into`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyType};

use super::Socket;
use crate::engine::{Attempt, Plan, drive};
use crate::python::args::{Int, Size, nonnegative};
use crate::python::buffer::BufferSlot;
use crate::python::bytes::{BytesBuilder, bytes_of};
use crate::python::error::{self, Error, Result};
use crate::python::late;
use crate::sys::{self, Region, c};

/// What an exact read had received when it ended early: the next read, of whatever kind, begins
/// with it.
pub(super) struct Kept {
    /// Whether there is anything, without the lock.
    any: AtomicBool,
    bytes: Mutex<Vec<u8>>,
}

impl Kept {
    pub(super) const fn new() -> Self {
        Kept {
            any: AtomicBool::new(false),
            bytes: Mutex::new(Vec::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Relaxed)
    }

    /// Moves as much as fits; none where there is nothing, or where the flags ask for urgent data.
    #[inline]
    pub(super) fn take(&self, into: Region<'_>, flags: i32) -> Option<usize> {
        if self.is_empty() || into.len() == 0 || flags & c::MSG_OOB != 0 {
            return None;
        }
        self.take_some(into, flags)
    }

    #[cold]
    fn take_some(&self, into: Region<'_>, flags: i32) -> Option<usize> {
        let mut bytes = self.lock();
        let count = bytes.len().min(into.len());
        // SAFETY: both are valid for the length, and do not overlap: the vector is ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), into.as_ptr(), count) };
        if flags & c::MSG_PEEK == 0 {
            bytes.drain(..count);
            self.any.store(!bytes.is_empty(), Relaxed);
        }
        (count > 0).then_some(count)
    }

    /// Forgets everything: the descriptor is another one.
    pub(super) fn clear(&self) {
        if !self.is_empty() {
            self.lock().clear();
            self.any.store(false, Relaxed);
        }
    }

    /// Puts the beginning of a region in front of what is there.
    fn put_back(&self, region: Region<'_>, count: usize) {
        if count > 0 {
            let region = region.first(count);
            // SAFETY: the kernel, or `take`, has written that many bytes.
            let received = unsafe { std::slice::from_raw_parts(region.as_ptr(), region.len()) };
            let mut bytes = self.lock();
            bytes.splice(0..0, received.iter().copied());
            self.any.store(true, Relaxed);
        }
    }
}

impl Socket {
    /// Fills a region, as one operation for the driver, with one deadline. How much there was
    /// before the end of the stream; what was received before an error is kept.
    pub(super) fn receive_exactly(
        &self,
        py: Python<'_>,
        into: Region<'_>,
        flags: i32,
    ) -> Result<usize> {
        let alien = c::MSG_PEEK | c::MSG_OOB | c::MSG_TRUNC;
        if flags & alien != 0 {
            return Err(Error::value_error(
                "no exact read with MSG_PEEK, MSG_OOB or MSG_TRUNC",
            ));
        }
        if !self.is_stream(py) {
            return Err(Error::value_error("exact reads are for streams only"));
        }
        let mut filled = self.kept.take(into, flags).unwrap_or(0);
        if filled == into.len() {
            return Ok(filled);
        }
        let before = filled;
        let result =
            drive(
                py,
                &self.channel,
                Plan::receive(into.len()),
                |fd, mode| match sys::io::recv(fd, into.skip(filled), flags | mode.flags()) {
                    Ok(0) => Attempt::Done(filled - before),
                    Ok(count) => {
                        filled += count;
                        if filled == into.len() {
                            Attempt::Done(filled - before)
                        } else {
                            Attempt::Progressed
                        }
                    }
                    Err(errno) => Err(errno).into(),
                },
            );
        match result {
            Ok(_) => Ok(filled),
            Err(error) => {
                self.kept.put_back(into, filled);
                Err(error)
            }
        }
    }
}

/// The exception for a stream that ended before everything was there.
fn incomplete(partial: &Bound<'_, PyBytes>, expected: usize) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match late::class(
        partial.py(),
        &CLASS,
        "oxisock._errors",
        "IncompleteReadError",
    ) {
        Ok(class) => error::made(&class, (partial.clone().unbind(), expected)),
        Err(error) => error,
    }
}

#[pymethods]
impl Socket {
    /// Receive exactly ``n`` bytes of a stream; recv(2) as often as it takes.
    ///
    /// It is what ``readexactly`` is to asyncio's streams. A timeout counts for the whole call, and
    /// loses nothing: after it, as after an exception of a signal handler, the next read of this
    /// object begins with what had arrived.
    ///
    /// Args:
    ///     n: the number of bytes.
    ///     flags: ``MSG_*`` flags, without MSG_PEEK, MSG_OOB and MSG_TRUNC.
    ///
    /// Returns:
    ///     The bytes.
    ///
    /// Raises:
    ///     IncompleteReadError: the stream ended before; an EOFError that has what arrived in
    ///         ``partial``.
    ///     ValueError: ``n`` is negative, a flag is not possible, or the socket is no stream.
    ///     TimeoutError: not all of it arrived within the timeout.
    ///     BlockingIOError: not all of it is there, in non-blocking mode.
    ///     OSError: the connection failed, or the socket is closed.
    #[pyo3(signature = (n, flags = Int(0), /), text_signature = "($self, n, flags=0, /)")]
    fn recv_exactly<'py>(
        &self,
        py: Python<'py>,
        n: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let len = nonnegative(n.0, "negative number of bytes in recv_exactly")?;
        let builder = BytesBuilder::new(py, len)?;
        let count = self.receive_exactly(py, builder.region(), flags.0)?;
        let data = builder.finish(count)?;
        if count < len {
            return Err(incomplete(&data, len));
        }
        Ok(data)
    }

    /// Fill a writable buffer with bytes of a stream; recv(2) as often as it takes.
    ///
    /// Everything else is as for ``recv_exactly``.
    ///
    /// Args:
    ///     buffer: any writable bytes-like object.
    ///     flags: ``MSG_*`` flags, without MSG_PEEK, MSG_OOB and MSG_TRUNC.
    ///
    /// Raises:
    ///     IncompleteReadError: the stream ended before; an EOFError that has what arrived in
    ///         ``partial``.
    ///     ValueError: a flag is not possible, or the socket is no stream.
    ///     TimeoutError: not all of it arrived within the timeout.
    ///     BlockingIOError: not all of it is there, in non-blocking mode.
    ///     OSError: the connection failed, or the socket is closed.
    #[pyo3(signature = (buffer, flags = Int(0), /), text_signature = "($self, buffer, flags=0, /)")]
    fn recv_exactly_into(
        &self,
        py: Python<'_>,
        buffer: &Bound<'_, PyAny>,
        flags: Int,
    ) -> PyResult<()> {
        let mut slot = BufferSlot::new();
        let buffer = slot.writable(buffer, "recv_exactly_into() argument 1")?;
        let count = self.receive_exactly(py, buffer.region(), flags.0)?;
        if count < buffer.len() {
            let partial = bytes_of(py, buffer.region(), count)?;
            return Err(incomplete(&partial, buffer.len()));
        }
        Ok(())
    }
}
