//! Receiving: `recv`, `recvfrom` and their forms that write into the caller's buffer.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::{Socket, ends_short};
use crate::engine::{AttemptMode, Mode, Plan, drive};
use crate::python::args::{self, Int, Size, nonnegative};
use crate::python::buffer::BufferSlot;
use crate::python::bytes::{BytesBuilder, SCRATCH, bytes_of, with_scratch};
use crate::python::error::{Error, Result};
use crate::python::make::{self, Made};
use crate::python::method::{Arguments, discard};
use crate::sys::{self, BorrowedFd, Region, SockAddr, c};

/// Reads that are expected to bring as many bytes go into memory of their own at once: copying
/// them out of the scratch memory would cost more than that memory.
const LARGE: usize = 1024;

impl Socket {
    /// The plan of a read into `len` bytes.
    pub(super) fn receive_plan(&self, py: Python<'_>, len: usize, flags: i32) -> Plan {
        let size = len.min(self.channel.expected().max(1));
        // A try that must not block takes what is there, which is enough for a zero-length read,
        // and does not wait for urgent data at all.
        let waits = len == 0
            || (sys::io::CAN_BLOCK && flags & c::MSG_OOB != 0)
            || self.waits_for_more(py)
            || (flags & c::MSG_WAITALL != 0 && self.channel.mode() == Mode::Blocking);
        Plan {
            tries: !waits,
            polls: !waits,
            ..Plan::receive(size)
        }
    }

    /// One receive, in the mode of the socket: what an exact read has left, or what `call` brings,
    /// which gets the flags for an attempt.
    #[inline]
    fn receive_by(
        &self,
        py: Python<'_>,
        into: Region<'_>,
        flags: i32,
        mut call: impl FnMut(BorrowedFd<'_>, i32) -> sys::Result<usize> + Send,
    ) -> Result<usize> {
        if let Some(count) = self.kept.take(into, flags) {
            return Ok(count);
        }
        // No call may wait for all of it there.
        if !sys::io::CAN_BLOCK
            && flags == c::MSG_WAITALL
            && self.channel.mode() == Mode::Blocking
            && self.is_stream(py)
        {
            return self.receive_exactly(py, into, 0);
        }
        let plan = self.receive_plan(py, into.len(), flags);
        let count = drive(py, &self.channel, plan, |fd, mode| {
            call(fd, flags | mode.flags()).into()
        })?;
        self.channel.received(count);
        Ok(count)
    }

    /// One recv(2), in the mode of the socket.
    pub(crate) fn receive(&self, py: Python<'_>, into: Region<'_>, flags: i32) -> Result<usize> {
        self.receive_by(py, into, flags, |fd, flags| sys::io::recv(fd, into, flags))
    }

    /// One recvfrom(2), in the mode of the socket.
    fn receive_from(
        &self,
        py: Python<'_>,
        into: Region<'_>,
        flags: i32,
    ) -> Result<(usize, SockAddr)> {
        let mut sender = SockAddr::empty();
        let count = self.receive_by(py, into, flags, |fd, flags| {
            sys::io::recvfrom(fd, into, flags, &mut sender)
        })?;
        Ok((count, sender))
    }

    /// Whether the kernel drops what it reads and writes nothing: `MSG_TRUNC` on TCP, tcp(7).
    /// The caller must not get to see what stood in the memory before.
    pub(super) fn drops(&self, py: Python<'_>, flags: i32) -> bool {
        flags & c::MSG_TRUNC != 0 && self.is_stream(py)
    }

    /// A builder for a read with these flags.
    pub(super) fn builder<'py>(
        &self,
        py: Python<'py>,
        capacity: usize,
        flags: i32,
    ) -> PyResult<BytesBuilder<'py>> {
        if self.drops(py, flags) {
            BytesBuilder::zeroed(py, capacity)
        } else {
            BytesBuilder::new(py, capacity)
        }
    }

    /// What `recv` returns: small reads by way of the scratch memory, larger ones in memory of
    /// their own, which is as large as the last ones let expect.
    fn receive_bytes<'py>(
        &self,
        py: Python<'py>,
        len: usize,
        flags: i32,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if len == 0 {
            return make::bytes(py, b"");
        }
        // Only a stream may be read in pieces, and only where no flag says otherwise.
        let traits = self.traits.of(py, &self.channel);
        let in_pieces = flags == 0 && traits.is_stream && !traits.waits_for_more;
        let expected = self.channel.expected();
        let exact = len <= 2 * expected;
        if !exact && expected < LARGE && (in_pieces || len <= SCRATCH) && !self.drops(py, flags) {
            return with_scratch(len, |scratch| {
                let count = self.receive(py, scratch, flags)?;
                if count == scratch.len() && len > count {
                    return self.receive_rest(py, scratch, len);
                }
                bytes_of(py, scratch, count)
            });
        }
        let capacity = if in_pieces {
            len.min(2 * expected.max(LARGE))
        } else {
            len
        };
        let builder = self.builder(py, capacity, flags)?;
        let count = self.receive(py, builder.region(), flags)?;
        if count == capacity && len > capacity {
            return self.receive_rest(py, builder.region(), len);
        }
        builder.finish(count)
    }

    /// [`Socket::recv`] without PyO3's way to it.
    pub(super) fn recv_fast<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Arguments<'py>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (bufsize, flags) = arguments.one_and_flags("recv")?;
        let bufsize = Size(args::size(&bufsize)?);
        slf.get().recv(slf.py(), bufsize, Int(flags))
    }

    /// More of a stream whose first part filled the memory it had: what is there already
    /// and fits, without waiting. An error is kept for the next operation.
    fn receive_rest<'py>(
        &self,
        py: Python<'py>,
        first: Region<'_>,
        len: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        // The received data is no less when another thread has closed the socket since, or when the
        // memory does not hold what was asked for; and one recv(2) ends before the place that
        // urgent data were sent at.
        if !self.kept.is_empty() {
            return bytes_of(py, first, first.len());
        }
        let at_mark = self.channel.lend(py, sys::urgent::at_mark);
        let builder = match (at_mark, BytesBuilder::new(py, len)) {
            (Ok(false), Ok(builder)) => builder,
            (_, no_memory) => {
                if let Err(error) = no_memory {
                    discard(py, error);
                }
                return bytes_of(py, first, first.len());
            }
        };
        let target = builder.region();
        // SAFETY: the kernel has filled the first part, and the builder is larger than it.
        unsafe { std::ptr::copy_nonoverlapping(first.as_ptr(), target.as_ptr(), first.len()) };
        let rest = target.skip(first.len());
        let more = self
            .channel
            .lend_detached(py, |fd| sys::io::recv(fd, rest, AttemptMode::Try.flags()));
        let more = match more {
            Ok(Ok(count)) => {
                self.channel.received_more(count);
                count
            }
            Ok(Err(errno)) => {
                if !ends_short(errno) {
                    self.channel.defer(errno);
                }
                0
            }
            Err(_) => 0,
        };
        self.channel.received(first.len() + more);
        builder.finish(first.len() + more)
    }
}

/// What `recv_into` and `recvfrom_into` may use of the caller's buffer.
fn usable(
    buffer: usize,
    wanted: Size,
    negative: &'static str,
    too_large: &'static str,
) -> Result<usize> {
    match nonnegative(wanted.0, negative)? {
        0 => Ok(buffer),
        wanted if wanted > buffer => Err(Error::value_error(too_large)),
        wanted => Ok(wanted),
    }
}

#[pymethods]
impl Socket {
    /// Receive up to ``bufsize`` bytes; recv(2).
    ///
    /// Args:
    ///     bufsize: the largest number of bytes to return.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     The received data; empty when the peer has shut its side down.
    ///
    /// Raises:
    ///     ValueError: ``bufsize`` is negative.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the connection failed, or the socket is closed.
    #[pyo3(signature = (bufsize, flags = Int(0), /), text_signature = "($self, bufsize, flags=0, /)")]
    fn recv<'py>(
        &self,
        py: Python<'py>,
        bufsize: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let len = nonnegative(bufsize.0, "negative buffersize in recv")?;
        self.receive_bytes(py, len, flags.0)
    }

    /// Receive up to ``bufsize`` bytes and the sender's address; recvfrom(2).
    ///
    /// Args:
    ///     bufsize: the largest number of bytes to return; a longer datagram is cut.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     A pair of the bytes and the address, which is None where the protocol has none.
    ///
    /// Raises:
    ///     ValueError: ``bufsize`` is negative.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, or the socket is closed.
    #[pyo3(signature = (bufsize, flags = Int(0), /), text_signature = "($self, bufsize, flags=0, /)")]
    fn recvfrom<'py>(
        &self,
        py: Python<'py>,
        bufsize: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let len = nonnegative(bufsize.0, "negative buffersize in recvfrom")?;
        let (data, sender) = if len > SCRATCH || self.drops(py, flags.0) {
            let builder = self.builder(py, len, flags.0)?;
            let (count, sender) = self.receive_from(py, builder.region(), flags.0)?;
            (builder.finish(count)?, sender)
        } else {
            with_scratch(len, |scratch| {
                let (count, sender) = self.receive_from(py, scratch, flags.0)?;
                Ok::<_, PyErr>((bytes_of(py, scratch, count)?, sender))
            })?
        };
        make::tuple!(py, data, self.build_sender(py, &sender)?)
    }

    /// Receive into a writable buffer; recv(2).
    ///
    /// Args:
    ///     buffer: any writable bytes-like object.
    ///     nbytes: the largest number of bytes to receive, 0 for the buffer's length.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     The number of bytes received.
    ///
    /// Raises:
    ///     ValueError: ``nbytes`` is negative or larger than the buffer.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the connection failed, or the socket is closed.
    #[pyo3(signature = (buffer, nbytes = Size(0), flags = Int(0)), text_signature = "($self, buffer, nbytes=0, flags=0)")]
    fn recv_into(
        &self,
        py: Python<'_>,
        buffer: &Bound<'_, PyAny>,
        nbytes: Size,
        flags: Int,
    ) -> PyResult<Made<usize>> {
        let mut slot = BufferSlot::new();
        let buffer = slot.writable(buffer, "recv_into() argument 1")?;
        let len = usable(
            buffer.len(),
            nbytes,
            "negative buffersize in recv_into",
            "buffer too small for requested bytes",
        )?;
        if len == 0 {
            return Ok(Made(0));
        }
        Ok(Made(self.receive(
            py,
            buffer.region().first(len),
            flags.0,
        )?))
    }

    /// Receive into a writable buffer and return the sender's address; recvfrom(2).
    ///
    /// Args:
    ///     buffer: any writable bytes-like object.
    ///     nbytes: the largest number of bytes to receive, 0 for the buffer's length.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     A pair of the number of bytes received and the address.
    ///
    /// Raises:
    ///     ValueError: ``nbytes`` is negative or larger than the buffer.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, or the socket is closed.
    #[pyo3(signature = (buffer, nbytes = Size(0), flags = Int(0)), text_signature = "($self, buffer, nbytes=0, flags=0)")]
    fn recvfrom_into<'py>(
        &self,
        py: Python<'py>,
        buffer: &Bound<'py, PyAny>,
        nbytes: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut slot = BufferSlot::new();
        let buffer = slot.writable(buffer, "recvfrom_into() argument 1")?;
        let len = usable(
            buffer.len(),
            nbytes,
            "negative buffersize in recvfrom_into",
            "nbytes is greater than the length of the buffer",
        )?;
        let (count, sender) = self.receive_from(py, buffer.region().first(len), flags.0)?;
        make::tuple!(py, count, self.build_sender(py, &sender)?)
    }
}
