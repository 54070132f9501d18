//! Sending: `send`, `sendall`, `sendto`.

use std::io::{self, ErrorKind};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Socket;
use crate::args::{self, BufferSlot};
use crate::audit::audit;
use crate::engine::{How, Mode, Plan, drive};
use crate::error::{Error, Result};
use crate::fastcall::{Arguments, method_with};
use crate::sys::{self, Region};

impl Socket {
    /// Whether a send is expected to take everything before it returns, as send(2) on a
    /// stream in blocking mode does.
    pub(super) fn sends_all(&self, flags: i32) -> bool {
        self.is_stream() && flags & libc::MSG_DONTWAIT == 0 && self.channel.mode() == Mode::Blocking
    }

    /// Sends until everything has gone: one operation for the driver, with one deadline.
    /// `sent` says how far it came, also when it fails.
    fn send_fully(
        &self,
        py: Python<'_>,
        data: Region<'_>,
        flags: i32,
        sent: &mut usize,
    ) -> Result<()> {
        drive(py, &self.channel, Plan::send(data.len()), |fd, how| {
            loop {
                let rest = data.skip(*sent);
                *sent += sys::io::send(fd, rest, flags | how.flags())?;
                if *sent >= data.len() {
                    return Ok(());
                }
                if how == How::Block {
                    // A blocking send stops half-way for a signal, or at its SO_SNDTIMEO;
                    // the driver runs the handlers, and the next round tells.
                    return Err(io::Error::from(ErrorKind::Interrupted));
                }
            }
        })
    }

    /// What `send` does.
    fn send_data(&self, py: Python<'_>, data: &Bound<'_, PyAny>, flags: i32) -> PyResult<usize> {
        let mut slot = BufferSlot::new();
        let data = slot.readable(data)?;
        let region = data.region();
        let sent = drive(py, &self.channel, Plan::send(region.len()), |fd, how| {
            sys::io::send(fd, region, flags | how.flags()).map(|sent| (sent, how))
        })?;
        match sent {
            // The try that must not block was cut short where the call would have gone on.
            (mut sent, How::Try) if sent < region.len() && self.sends_all(flags) => {
                match self.send_fully(py, region, flags, &mut sent) {
                    Ok(()) => {}
                    // The system says these again by itself.
                    Err(Error::Os(libc::EPIPE | libc::EBADF)) => {}
                    Err(Error::Os(errno)) => self.channel.defer(errno),
                    Err(error) => return Err(error.into()),
                }
                Ok(sent)
            }
            (sent, _) => Ok(sent),
        }
    }

    /// What `sendall` does.
    fn sendall_data(&self, py: Python<'_>, data: &Bound<'_, PyAny>, flags: i32) -> PyResult<()> {
        let mut slot = BufferSlot::new();
        let data = slot.readable(data)?;
        Ok(self.send_fully(py, data.region(), flags, &mut 0)?)
    }
}

#[pymethods]
impl Socket {
    #[classattr]
    fn send(py: Python<'_>) -> PyResult<Py<PyAny>> {
        method_with!(
            py,
            Socket,
            send,
            "($self, data, flags=0, /)",
            |socket: &Socket, arguments: &Arguments<'_>| {
                let (data, flags) = arguments.one_and_flags("send")?;
                socket.send_data(arguments.py(), &data, flags)
            },
            "Sends bytes; send(2).\n\
             \n\
             Args:\n\
             \x20\x20\x20\x20data: any bytes-like object.\n\
             \x20\x20\x20\x20flags: `MSG_*` flags.\n\
             \n\
             Returns:\n\
             \x20\x20\x20\x20The number of bytes that the system took, which may be less than there are.\n\
             \n\
             Raises:\n\
             \x20\x20\x20\x20TimeoutError: the system took nothing within the timeout.\n\
             \x20\x20\x20\x20BlockingIOError: there is no room, in non-blocking mode.\n\
             \x20\x20\x20\x20OSError: the connection failed, or the socket is closed."
        )
    }

    #[classattr]
    fn sendall(py: Python<'_>) -> PyResult<Py<PyAny>> {
        method_with!(
            py,
            Socket,
            sendall,
            "($self, data, flags=0, /)",
            |socket: &Socket, arguments: &Arguments<'_>| {
                let (data, flags) = arguments.one_and_flags("sendall")?;
                socket.sendall_data(arguments.py(), &data, flags)?;
                Ok(arguments.py().None())
            },
            "Sends all of the bytes; send(2) as often as it takes.\n\
             \n\
             Args:\n\
             \x20\x20\x20\x20data: any bytes-like object.\n\
             \x20\x20\x20\x20flags: `MSG_*` flags.\n\
             \n\
             Raises:\n\
             \x20\x20\x20\x20TimeoutError: the timeout, which counts for the whole call, passed. Part of the\n\
             \x20\x20\x20\x20\x20\x20\x20\x20data may have gone.\n\
             \x20\x20\x20\x20BlockingIOError: there is no room, in non-blocking mode.\n\
             \x20\x20\x20\x20OSError: the connection failed, or the socket is closed."
        )
    }

    /// Sends bytes to an address: `sendto(data, address)` or `sendto(data, flags, address)`;
    /// sendto(2).
    ///
    /// Args:
    ///     data: any bytes-like object.
    ///     flags: `MSG_*` flags.
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
    ) -> PyResult<usize> {
        let (flags, address) = match args.len() {
            1 => (0, args.get_item(0)?),
            2 => (args::int(&args.get_item(0)?)?, args.get_item(1)?),
            count => {
                return Err(PyTypeError::new_err(format!(
                    "sendto() takes 2 or 3 arguments ({} given)",
                    count + 1
                )));
            }
        };
        let py = slf.py();
        let socket = slf.get();
        let mut slot = BufferSlot::new();
        let data = slot.readable(data)?;
        let to = socket.parse_address("sendto", &address)?;
        audit(py, c"socket.sendto", [slf.as_any(), &address])?;
        let region = data.region();
        Ok(drive(
            py,
            &socket.channel,
            Plan::send(region.len()),
            |fd, how| sys::io::sendto(fd, region, flags | how.flags(), &to),
        )?)
    }
}
