//! Sending: `send`, `sendall`, `sendto`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::{Socket, ends_short};
use crate::engine::{Attempt, AttemptMode, Mode, Plan, drive};
use crate::python::args::{self, Int};
use crate::python::audit::audit;
use crate::python::buffer::BufferSlot;
use crate::python::error::{Error, Result, at, exception};
use crate::python::make::Made;
use crate::python::method::Arguments;
use crate::sys::{self, BorrowedFd, Errno, Region};

impl Socket {
    /// Whether a send is expected to take everything before it returns, as send(2) on a
    /// stream in blocking mode does.
    fn sends_all(&self, py: Python<'_>, flags: i32) -> bool {
        self.is_stream(py)
            && !sys::io::must_not_wait(flags)
            && self.channel.mode() == Mode::Blocking
    }

    /// Sends until everything has gone: one operation for the driver, with one deadline.
    fn send_fully(&self, py: Python<'_>, data: Region<'_>, flags: i32) -> Result<()> {
        let mut sent = 0;
        let all = drive(py, &self.channel, Plan::send(data.len()), |fd, mode| {
            let rest = data.skip(sent);
            match sys::io::send(fd, rest, flags | mode.flags()).into() {
                Attempt::Done(count) => sent += count,
                other => return other,
            }
            match mode {
                _ if sent >= data.len() => Attempt::Done(sent),
                // A blocking send stops half-way for a signal, or at its SO_SNDTIMEO; the driver
                // runs the handlers, and the next round tells.
                AttemptMode::Block => Attempt::Interrupted,
                AttemptMode::Try | AttemptMode::Ready => Attempt::Progressed,
            }
        });
        all.map(drop)
    }

    /// One send of `size` bytes that leaves as much undone as the system would.
    ///
    /// `attempt` sends what follows behind a number of bytes. On a stream in blocking mode the
    /// try, which must not block, may be cut short where the call would have gone on: then the
    /// rest is sent as that call would have, which a signal or `SO_SNDTIMEO` ends with what has gone.
    pub(super) fn send_once(
        &self,
        py: Python<'_>,
        size: usize,
        flags: i32,
        mut attempt: impl FnMut(BorrowedFd<'_>, usize, i32) -> sys::Result<usize> + Send,
    ) -> Result<usize> {
        let plan = Plan {
            // A connection that is opened on the way is waited for: a try would come back before it
            // is there.
            tries: !sys::io::opens_connection(flags),
            ..Plan::send(size)
        };
        let (sent, mode) = drive(py, &self.channel, plan, |fd, mode| {
            Attempt::from(attempt(fd, 0, flags | mode.flags())).map(|sent| (sent, mode))
        })?;
        if mode != AttemptMode::Try || sent >= size || !self.sends_all(py, flags) {
            return Ok(sent);
        }
        let rest = Plan {
            tries: false,
            ..Plan::send(size - sent)
        };
        let more = drive(py, &self.channel, rest, |fd, mode| {
            match attempt(fd, sent, flags | mode.flags()) {
                Err(errno) if ends_short(errno) => Attempt::Done(0),
                result => result.into(),
            }
        });
        match more {
            Ok(more) => Ok(sent + more),
            // The system says these again by itself; the mode may have changed meanwhile.
            Err(Error::Os(Errno::PIPE | Errno::BADF) | Error::TimedOut) => Ok(sent),
            Err(Error::Os(errno)) => {
                self.channel.defer(errno);
                Ok(sent)
            }
            Err(error) => Err(error),
        }
    }

    /// What `send` does.
    fn send_data(&self, py: Python<'_>, data: &Bound<'_, PyAny>, flags: i32) -> PyResult<usize> {
        let mut slot = BufferSlot::new();
        let data = slot.readable(data)?;
        let region = data.region();
        Ok(self.send_once(py, region.len(), flags, |fd, sent, flags| {
            sys::io::send(fd, region.skip(sent), flags)
        })?)
    }

    /// [`Socket::send`] without PyO3's way to it.
    pub(super) fn send_fast(
        slf: &Bound<'_, Self>,
        arguments: &Arguments<'_>,
    ) -> PyResult<Made<usize>> {
        let (data, flags) = arguments.one_and_flags("send")?;
        slf.get().send_data(slf.py(), &data, flags).map(Made)
    }

    /// [`Socket::sendall`] without PyO3's way to it.
    pub(super) fn sendall_fast(slf: &Bound<'_, Self>, arguments: &Arguments<'_>) -> PyResult<()> {
        let (data, flags) = arguments.one_and_flags("sendall")?;
        slf.get().sendall_data(slf.py(), &data, flags)
    }

    /// What `sendall` does.
    fn sendall_data(&self, py: Python<'_>, data: &Bound<'_, PyAny>, flags: i32) -> PyResult<()> {
        let mut slot = BufferSlot::new();
        let data = slot.readable(data)?;
        Ok(self.send_fully(py, data.region(), flags)?)
    }
}

#[pymethods]
impl Socket {
    /// Send bytes; send(2).
    ///
    /// Args:
    ///     data: any bytes-like object.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     The number of bytes that the system took, which may be less than there are.
    ///
    /// Raises:
    ///     TimeoutError: the system took nothing within the timeout.
    ///     BlockingIOError: there is no room, in non-blocking mode.
    ///     OSError: the connection failed, or the socket is closed.
    #[pyo3(signature = (data, flags = Int(0), /), text_signature = "($self, data, flags=0, /)")]
    fn send<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
        flags: Int,
    ) -> PyResult<Made<usize>> {
        self.send_data(py, data, flags.0).map(Made)
    }

    /// Send all of the bytes; send(2) as often as it takes.
    ///
    /// Args:
    ///     data: any bytes-like object.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Raises:
    ///     TimeoutError: the timeout, which counts for the whole call, passed. Part of the
    ///         data may have gone.
    ///     BlockingIOError: there is no room, in non-blocking mode.
    ///     OSError: the connection failed, or the socket is closed.
    #[pyo3(signature = (data, flags = Int(0), /), text_signature = "($self, data, flags=0, /)")]
    fn sendall<'py>(&self, py: Python<'py>, data: &Bound<'py, PyAny>, flags: Int) -> PyResult<()> {
        self.sendall_data(py, data, flags.0)
    }

    /// Send bytes to an address; sendto(2).
    ///
    /// It is called as ``sendto(data, address)`` or ``sendto(data, flags, address)``.
    ///
    /// Args:
    ///     data: any bytes-like object.
    ///     flags: ``MSG_*`` flags.
    ///     address: where to send, in the form of the socket's family.
    ///
    /// Returns:
    ///     The number of bytes sent.
    ///
    /// Raises:
    ///     TimeoutError: there was no room within the timeout.
    ///     BlockingIOError: there is no room, in non-blocking mode.
    ///     OSError: the system reports an error, or the socket is closed.
    #[pyo3(signature = (data, /, *args), text_signature = "($self, data, [flags,] address, /)")]
    fn sendto(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<Made<usize>> {
        let (flags, address) = match args.len() {
            1 => (0, args.get_item(0)?),
            2 => (args::int(&args.get_item(0)?)?, args.get_item(1)?),
            count => {
                return Err(exception::<PyTypeError>(format!(
                    "sendto() takes 2 or 3 arguments ({} given)",
                    count + 1
                )));
            }
        };
        let py = slf.py();
        let socket = slf.get();
        let mut slot = BufferSlot::new();
        let data = slot.readable(data)?;
        let to = socket
            .parse_receiver("sendto", &address)
            .map_err(|error| at(&address, error))?;
        audit(py, c"socket.sendto", [slf.as_any(), &address])?;
        let region = data.region();
        let sent = socket.send_once(py, region.len(), flags, |fd, sent, flags| match sent {
            0 => sys::io::sendto(fd, region, flags, &to),
            sent => sys::io::send(fd, region.skip(sent), flags & !sys::io::FASTOPEN),
        });
        Ok(Made(sent.map_err(|error| at(&address, error))?))
    }
}
