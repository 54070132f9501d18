//! Messages with ancillary data: `sendmsg`, `recvmsg` and their kin.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::Socket;
use crate::ancillary;
use crate::engine::{Attempt, Counted, Plan, drive};
use crate::python::args::{Given, Int, Size, nonnegative};
use crate::python::audit::audit;
use crate::python::buffers::BuffersSlot;
use crate::python::bytes::{BytesBuilder, SCRATCH, bytes_of, with_scratch};
use crate::python::error::Result;
use crate::python::make::{self, Made};
use crate::sys::ancillary::Control;
use crate::sys::message::{self, IoVec, Received};
use crate::sys::{Region, SockAddr};

impl Counted for Received {
    #[inline]
    fn bytes(&self) -> usize {
        self.len
    }
}

impl Socket {
    /// One sendmsg(2), in the mode of the socket.
    fn send_message(
        &self,
        py: Python<'_>,
        address: Option<&SockAddr>,
        pieces: &[IoVec],
        size: usize,
        control: &Control,
        flags: i32,
    ) -> Result<usize> {
        self.send_once(py, size, flags, |fd, sent, flags| {
            if sent == 0 {
                return message::sendmsg(fd, address, pieces, control, flags);
            }
            // The address and the ancillary data went with the first part.
            let mut done = sent;
            let mut rest = pieces.to_vec();
            for piece in &mut rest {
                let skipped = done.min(piece.len());
                *piece = piece.skip(skipped);
                done -= skipped;
            }
            message::sendmsg(
                fd,
                None,
                &rest,
                &Control::new(),
                flags & !crate::sys::io::FASTOPEN,
            )
        })
    }

    /// One recvmsg(2), in the mode of the socket.
    fn receive_message(
        &self,
        py: Python<'_>,
        pieces: &[IoVec],
        size: usize,
        control: &mut Control,
        flags: i32,
    ) -> Result<Received> {
        if let Some(piece) = pieces.iter().find(|piece| piece.len() > 0) {
            // SAFETY: the caller lends the pieces for a read.
            let into = unsafe { Region::new(piece.as_ptr(), piece.len()) };
            if let Some(len) = self.kept.take(into, flags) {
                let address = SockAddr::empty();
                return Ok(Received {
                    len,
                    address,
                    flags: 0,
                });
            }
        }
        let received = drive(
            py,
            &self.channel,
            self.receive_plan(py, size, flags),
            |fd, mode| message::recvmsg(fd, pieces, control, flags | mode.flags()).into(),
        )?;
        self.channel.received(received.len);
        Ok(received)
    }

    /// One recvmsg(2) into a bytes object: into a builder's own memory, or by way of the scratch
    /// memory, which has to be long enough then. A longer datagram's length is told by the flags
    /// alone.
    pub(super) fn receive_whole<'py>(
        &self,
        py: Python<'py>,
        len: usize,
        builder: Option<BytesBuilder<'py>>,
        control: &mut Control,
        flags: i32,
    ) -> PyResult<(Bound<'py, PyBytes>, Received)> {
        if let Some(builder) = builder {
            let pieces = piece(builder.region());
            let received = self.receive_message(py, &pieces, len, control, flags)?;
            return Ok((builder.finish(received.len.min(len))?, received));
        }
        with_scratch(len, |scratch| {
            let pieces = piece(scratch);
            let received = self.receive_message(py, &pieces, len, control, flags)?;
            let data = bytes_of(py, scratch, received.len.min(len))?;
            Ok((data, received))
        })
    }

    /// What all forms of receiving a message return behind the data.
    fn describe_message<'py>(
        &self,
        py: Python<'py>,
        received: &Received,
        control: &Control,
    ) -> PyResult<(Bound<'py, PyList>, i32, Bound<'py, PyAny>)> {
        let list = ancillary::decode(py, control.messages())?;
        Ok((
            list,
            received.flags,
            self.build_sender(py, &received.address)?,
        ))
    }
}

/// A region as the only piece of a message.
pub(super) fn piece(region: Region<'_>) -> [IoVec; 1] {
    [IoVec::new(region.as_ptr(), region.len())]
}

#[pymethods]
impl Socket {
    /// Send all of several buffers, with ancillary data; sendmsg(2) as often as it takes.
    ///
    /// The ancillary data goes with the first bytes. A timeout counts for the whole call.
    ///
    /// Args:
    ///     buffers: an iterable of bytes-like objects, the data.
    ///     ancdata: an iterable of ``(level, type, data)``, see cmsg(3).
    ///     flags: ``MSG_*`` flags.
    ///
    /// Raises:
    ///     TimeoutError: the system did not take everything within the timeout. Part of the data
    ///         may have gone.
    ///     BlockingIOError: there is no room, in non-blocking mode.
    ///     OSError: the connection failed, or the socket is closed.
    #[pyo3(
        signature = (buffers, ancdata = Given(None), flags = Int(0), /),
        text_signature = "($self, buffers, ancdata=(), flags=0, /)"
    )]
    fn sendmsg_all(
        slf: &Bound<'_, Self>,
        buffers: &Bound<'_, PyAny>,
        ancdata: Given<'_>,
        flags: Int,
    ) -> PyResult<()> {
        let py = slf.py();
        let none = py.None().into_bound(py);
        audit(py, c"socket.sendmsg", [slf.as_any(), &none])?;
        let mut slot = BuffersSlot::new();
        let buffers = slot.readable(buffers, "sendmsg_all")?;
        let control = match ancdata.0 {
            Some(ancdata) => ancillary::encode(&ancdata, "sendmsg_all")?,
            None => Control::new(),
        };
        let nothing = Control::new();
        let size = buffers.total_len();
        let mut rest = buffers.pieces().to_vec();
        let mut left = size;
        let mut next = 0;
        let mut begun = false;
        let channel = &slf.get().channel;
        drive(py, channel, Plan::send(size), |fd, mode| {
            let control = if begun { &nothing } else { &control };
            // No more at a time: IOV_MAX of the system.
            let pieces = &rest[next..rest.len().min(next + MAX_PIECES)];
            match message::sendmsg(fd, None, pieces, control, flags.0 | mode.flags()) {
                Ok(sent) => {
                    begun = true;
                    left -= sent.min(left);
                    let mut done = sent;
                    while let Some(piece) = rest.get_mut(next) {
                        let skipped = done.min(piece.len());
                        *piece = piece.skip(skipped);
                        done -= skipped;
                        if piece.len() > 0 {
                            break;
                        }
                        next += 1;
                    }
                    if left == 0 {
                        Attempt::Done(size)
                    } else {
                        Attempt::Progressed
                    }
                }
                Err(errno) => Err(errno).into(),
            }
        })?;
        Ok(())
    }

    /// Send one message, gathered from several buffers, with ancillary data; sendmsg(2).
    ///
    /// Args:
    ///     buffers: an iterable of bytes-like objects, the data.
    ///     ancdata: an iterable of ``(level, type, data)``, see cmsg(3).
    ///     flags: ``MSG_*`` flags.
    ///     address: where to send, or None for the connected peer.
    ///
    /// Returns:
    ///     The number of bytes of data sent.
    ///
    /// Raises:
    ///     TimeoutError: there was no room within the timeout.
    ///     BlockingIOError: there is no room, in non-blocking mode.
    ///     OSError: the system reports an error, there are too many buffers or too much
    ///         ancillary data, or the socket is closed.
    #[pyo3(
        signature = (buffers, ancdata = Given(None), flags = Int(0), address = None, /),
        text_signature = "($self, buffers, ancdata=(), flags=0, address=None, /)"
    )]
    fn sendmsg(
        slf: &Bound<'_, Self>,
        buffers: &Bound<'_, PyAny>,
        ancdata: Given<'_>,
        flags: Int,
        address: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Made<usize>> {
        let py = slf.py();
        let socket = slf.get();
        let to = address
            .map(|address| socket.parse_receiver("sendmsg", address))
            .transpose()?;
        let none = py.None().into_bound(py);
        audit(
            py,
            c"socket.sendmsg",
            [slf.as_any(), address.unwrap_or(&none)],
        )?;
        let mut slot = BuffersSlot::new();
        let buffers = slot.readable(buffers, "sendmsg")?;
        let control = match ancdata.0 {
            Some(ancdata) => ancillary::encode(&ancdata, "sendmsg")?,
            None => Control::new(),
        };
        let size = buffers.total_len();
        let sent =
            socket.send_message(py, to.as_ref(), buffers.pieces(), size, &control, flags.0)?;
        Ok(Made(sent))
    }

    /// Send data to a socket of AF_ALG, the kernel's cryptography, with its parameters.
    ///
    /// Args:
    ///     msg: an iterable of bytes-like objects, the data.
    ///     op: ALG_OP_ENCRYPT, ALG_OP_DECRYPT, ALG_OP_SIGN or ALG_OP_VERIFY.
    ///     iv: the initialisation vector.
    ///     assoclen: how many bytes in front are authenticated but not encrypted.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     The number of bytes of data sent.
    ///
    /// Raises:
    ///     OSError: the socket is of another family, closed, or refuses the message.
    #[cfg(linux)]
    #[pyo3(signature = (msg = None, *, op = None, iv = None, assoclen = None, flags = Int(0)), text_signature = "($self, msg=None, *, op=None, iv=None, assoclen=None, flags=0)")]
    fn sendmsg_afalg(
        &self,
        py: Python<'_>,
        msg: Option<&Bound<'_, PyAny>>,
        op: Option<&Bound<'_, PyAny>>,
        iv: Option<&Bound<'_, PyAny>>,
        assoclen: Option<&Bound<'_, PyAny>>,
        flags: Int,
    ) -> PyResult<Made<usize>> {
        use crate::python::error::exception;
        if self.family() != crate::sys::c::AF_ALG {
            return Err(exception::<pyo3::exceptions::PyOSError>(
                "algset is only supported for AF_ALG",
            ));
        }
        let control = ancillary::encode_alg(op, iv, assoclen)?;
        let mut slot = BuffersSlot::new();
        let nothing = PyTuple::empty(py).into_any();
        let buffers = slot.readable(msg.unwrap_or(&nothing), "sendmsg_afalg")?;
        let size = buffers.total_len();
        let sent = self.send_message(py, None, buffers.pieces(), size, &control, flags.0)?;
        Ok(Made(sent))
    }

    /// Receive a message of up to ``bufsize`` bytes and its ancillary data; recvmsg(2).
    ///
    /// Args:
    ///     bufsize: the largest number of bytes of data to return.
    ///     ancbufsize: room for the ancillary data, a sum of ``CMSG_SPACE`` or ``CMSG_LEN``.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     A tuple of the data, a list of ``(level, type, data)``, the flags of the message
    ///     (``MSG_TRUNC``, ``MSG_CTRUNC``, …) and the sender's address.
    ///
    /// Raises:
    ///     ValueError: a size is negative or too large.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, or the socket is closed.
    #[pyo3(signature = (bufsize, ancbufsize = Size(0), flags = Int(0), /), text_signature = "($self, bufsize, ancbufsize=0, flags=0, /)")]
    fn recvmsg<'py>(
        &self,
        py: Python<'py>,
        bufsize: Size,
        ancbufsize: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let len = nonnegative(bufsize.0, "negative buffer size in recvmsg()")?;
        let mut control = ancillary::buffer(ancbufsize.0)?;
        let builder = (len > SCRATCH || self.drops(py, flags.0))
            .then(|| self.builder(py, len, flags.0))
            .transpose()?;
        let (data, received) = self.receive_whole(py, len, builder, &mut control, flags.0)?;
        let (list, flags, address) = self.describe_message(py, &received, &control)?;
        let result = make::tuple!(py, data, list, flags, address)?;
        control.release();
        Ok(result)
    }

    /// Receive a message into several buffers, one after the other; recvmsg(2).
    ///
    /// Args:
    ///     buffers: an iterable of writable bytes-like objects.
    ///     ancbufsize: room for the ancillary data, a sum of ``CMSG_SPACE`` or ``CMSG_LEN``.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     A tuple of the number of bytes of data, a list of ``(level, type, data)``, the flags
    ///     of the message (``MSG_TRUNC``, ``MSG_CTRUNC``, …) and the sender's address.
    ///
    /// Raises:
    ///     ValueError: a size is negative or too large.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, there are too many buffers, or the socket is
    ///         closed.
    #[pyo3(signature = (buffers, ancbufsize = Size(0), flags = Int(0), /), text_signature = "($self, buffers, ancbufsize=0, flags=0, /)")]
    fn recvmsg_into<'py>(
        &self,
        py: Python<'py>,
        buffers: &Bound<'py, PyAny>,
        ancbufsize: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut slot = BuffersSlot::new();
        let buffers = slot.writable(buffers, "recvmsg_into")?;
        let mut control = ancillary::buffer(ancbufsize.0)?;
        let size = buffers.total_len();
        let received = self.receive_message(py, buffers.pieces(), size, &mut control, flags.0)?;
        let (list, flags, address) = self.describe_message(py, &received, &control)?;
        let result = make::tuple!(py, received.len, list, flags, address)?;
        control.release();
        Ok(result)
    }
}

/// What one sendmsg(2) takes at most, `UIO_MAXIOV` of Linux and `IOV_MAX` of others.
const MAX_PIECES: usize = 1024;
