//! One large buffer for many datagrams of UDP: the kernel cuts it on the way out (`UDP_SEGMENT`)
//! and joins what comes in (`UDP_GRO`); udp(7).

use std::sync::atomic::Ordering::Relaxed;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Socket;
use super::batch::outgoing;
use super::message::piece;
use crate::engine::{Attempt, AttemptMode, Plan, drive};
use crate::python::args::{Int, Size, nonnegative};
use crate::python::audit::audit;
use crate::python::buffer::BufferSlot;
use crate::python::bytes::{BytesBuilder, SCRATCH};
use crate::python::error::{Error, Result, exception};
use crate::python::make::Made;
use crate::python::plain::Plain;
use crate::sys::ancillary::{self, Control};
use crate::sys::message::{self, IoVec};
use crate::sys::{Errno, Region, SockAddr, c, option};

/// `<linux/udp.h>`; the libc crate has it for Linux alone.
#[cfg(linux)]
use crate::sys::c::{SOL_UDP, UDP_GRO, UDP_SEGMENT};
#[cfg(not(linux))]
const SOL_UDP: i32 = 17;
#[cfg(not(linux))]
const UDP_SEGMENT: i32 = 103;
#[cfg(not(linux))]
const UDP_GRO: i32 = 104;

/// The most datagrams of one buffer in every kernel, `UDP_MAX_SEGMENTS`; newer ones take 128.
const MOST: usize = 64;
/// The longest payload that a datagram of UDP over IPv4 has room for.
const LONGEST: usize = 65_507;
/// Reads that are expected to bring more go into memory of their own at once: copied out of the
/// scratch memory they take half as long again.
const LARGE: usize = 16 * 1024;
/// As long as the buffers that the kernel makes by joining.
const JOINED: isize = 65_535;

impl Socket {
    /// Whether the kernel may cut and join: only what is UDP over IP.
    pub(super) fn has_segments(&self) -> bool {
        cfg!(linux)
            && matches!(self.family(), c::AF_INET | c::AF_INET6)
            && self.kind() == c::SOCK_DGRAM
            && matches!(self.protocol(), 0 | c::IPPROTO_UDP)
    }

    /// Sends buffers that the kernel cuts. Returns how many bytes have gone, and the error that
    /// says that it does not, if that was it.
    fn send_cut(
        &self,
        py: Python<'_>,
        data: Region<'_>,
        size: usize,
        address: Option<&SockAddr>,
        flags: i32,
    ) -> (usize, Result<()>) {
        let buffer = size * MOST.min(LONGEST / size).max(1);
        let control = match segment_size(size) {
            Ok(control) => control,
            Err(error) => return (0, Err(error)),
        };
        let plain = Control::new();
        let mut sent = 0;
        let result = drive(py, &self.channel, Plan::send(data.len()), |fd, mode| {
            let part = data.skip(sent).first(buffer);
            // One datagram needs no cutting.
            let control = if part.len() > size { &control } else { &plain };
            match message::sendmsg(fd, address, &piece(part), control, flags | mode.flags()).into()
            {
                Attempt::Done(count) => sent += count,
                other => return other,
            }
            match mode {
                _ if sent >= data.len() => Attempt::Done(sent),
                // It may be a signal that has ended the wait.
                AttemptMode::Block => Attempt::Interrupted,
                AttemptMode::Try | AttemptMode::Ready => Attempt::Progressed,
            }
        });
        (sent, result.map(drop))
    }

    /// Sends the same datagrams one by one.
    fn send_apart(
        &self,
        py: Python<'_>,
        data: Region<'_>,
        size: usize,
        address: Option<&SockAddr>,
        flags: i32,
    ) -> Result<usize> {
        let count = data.len().div_ceil(size);
        let pieces: Vec<IoVec> = (0..count)
            .map(|index| {
                let part = data.skip(index * size).first(size);
                IoVec::new(part.as_ptr(), part.len())
            })
            .collect();
        let outgoing = outgoing(&pieces, |_| address)?;
        let sent = self.send_batch(py, outgoing, data.len(), flags)?;
        Ok((sent * size).min(data.len()))
    }
}

fn segment_size(size: usize) -> Result<Control> {
    let mut control = Control::new();
    let size = u16::try_from(size).map_err(|_| Error::Os(Errno::MSGSIZE))?;
    control
        .message(SOL_UDP, UDP_SEGMENT, size_of::<u16>())
        .map_err(|_| Error::Os(Errno::NOMEM))?
        .copy_from_slice(&size.to_ne_bytes());
    Ok(control)
}

#[pymethods]
impl Socket {
    /// Send a buffer as datagrams of ``size`` bytes each, the last of what is left.
    ///
    /// For UDP the kernel or the network device cuts the buffer, up to 64 datagrams or 65,507
    /// bytes at a time; see ``UDP_SEGMENT`` in udp(7). Where they refuse, and for other sockets,
    /// the datagrams are sent in batches by sendmmsg(2). An empty buffer is none.
    ///
    /// Args:
    ///     data: a bytes-like object.
    ///     size: the length of each datagram in bytes, 1 to 65,507.
    ///     address: where to send, or ``None`` for the connected peer.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     The number of bytes that have gone, in whole datagrams. Fewer than there are where
    ///     there was no more room, in non-blocking mode or within the timeout, or where one was
    ///     refused: the next operation raises the error then.
    ///
    /// Raises:
    ///     ValueError: ``size`` is out of its range.
    ///     TimeoutError: nothing has gone within the timeout.
    ///     BlockingIOError: there is no room, in non-blocking mode.
    ///     OSError: the first was refused, the socket is a stream (EOPNOTSUPP), or it is closed.
    #[pyo3(signature = (data, size, address = None, flags = Int(0)), text_signature = "($self, data, size, address=None, flags=0)")]
    fn send_segments(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        size: Size,
        address: Option<&Bound<'_, PyAny>>,
        flags: Int,
    ) -> PyResult<Made<usize>> {
        let py = slf.py();
        let socket = slf.get();
        socket.check_datagrams(py)?;
        let size = match usize::try_from(size.0) {
            Ok(size) if (1..=LONGEST).contains(&size) => size,
            _ => {
                return Err(exception::<PyValueError>(
                    "size must be between 1 and 65507 in send_segments()",
                ));
            }
        };
        let to = address
            .map(|address| socket.parse_receiver("send_segments", address))
            .transpose()?;
        if let Some(address) = address {
            audit(py, c"socket.sendto", [slf.as_any(), address])?;
        }
        let mut slot = BufferSlot::new();
        let data = slot.readable(data)?;
        let region = data.region();
        let apart = |rest| socket.send_apart(py, rest, size, to.as_ref(), flags.0);
        let cuts = socket.has_segments() && !socket.hints.segmentation_refused.load(Relaxed);
        // Of nothing there is no datagram, not even an empty one.
        if !cuts || region.len() == 0 {
            return Ok(Made(apart(region)?));
        }
        let (sent, result) = socket.send_cut(py, region, size, to.as_ref(), flags.0);
        let result = match result {
            // The kernel does not know the option, or the device cannot do it; or datagrams of this
            // size have to be fragmented, which goes with no cutting.
            Err(Error::Os(errno @ (Errno::INVAL | Errno::IO | Errno::MSGSIZE))) => {
                match apart(region.skip(sent)) {
                    Ok(more) => {
                        if errno != Errno::MSGSIZE {
                            socket.hints.segmentation_refused.store(true, Relaxed);
                        }
                        Ok(sent + more)
                    }
                    Err(error) => socket.short(sent, Err(error)),
                }
            }
            result => socket.short(sent, result),
        };
        Ok(Made(result?))
    }

    /// Receive datagrams of one sender that the kernel has joined, or one; udp(7).
    ///
    /// It joins after ``setgro(True)``.
    ///
    /// Args:
    ///     bufsize: the largest number of bytes to return; what is longer is cut.
    ///     flags: ``MSG_*`` flags.
    ///
    /// Returns:
    ///     A tuple of the data, the length of each datagram in it, of which the last may be
    ///     shorter, and the sender's address.
    ///
    /// Raises:
    ///     ValueError: ``bufsize`` is negative.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
    ///         closed.
    #[pyo3(signature = (bufsize = Size(JOINED), flags = Int(0)), text_signature = "($self, bufsize=65535, flags=0)")]
    fn recv_segments<'py>(
        &self,
        py: Python<'py>,
        bufsize: Size,
        flags: Int,
    ) -> PyResult<(Bound<'py, PyBytes>, usize, Bound<'py, PyAny>)> {
        let len = nonnegative(bufsize.0, "negative buffersize in recv_segments")?;
        self.check_datagrams(py)?;
        let room = ancillary::space(size_of::<c::c_int>()).unwrap_or_default();
        let mut control = Control::with_capacity(room).ok_or(Error::Os(Errno::NOMEM))?;
        // No datagram of UDP, joined or not, is longer than the scratch memory.
        let len = len.min(SCRATCH);
        let builder = (self.channel.expected() > LARGE)
            .then(|| BytesBuilder::new(py, len))
            .transpose()?;
        let (data, received) = self.receive_whole(py, len, builder, &mut control, flags.0)?;
        let joined = control.messages().flatten().find_map(|message| {
            (message.level == SOL_UDP && message.kind == UDP_GRO)
                .then(|| message.data.try_into().ok())
                .flatten()
        });
        let count = data.as_bytes().len();
        let size = joined.map_or(count, |bytes| {
            usize::try_from(i32::from_ne_bytes(bytes)).unwrap_or(count)
        });
        Ok((data, size, self.build_sender(py, &received.address)?))
    }

    /// Choose whether the kernel joins datagrams of one sender; ``UDP_GRO`` of udp(7).
    ///
    /// Only ``recv_segments`` can tell them apart again. Where the kernel does not join, nothing
    /// changes.
    ///
    /// Args:
    ///     enabled: true to have them joined.
    ///
    /// Raises:
    ///     OSError: the socket is closed.
    #[pyo3(signature = (enabled, /))]
    fn setgro(&self, py: Python<'_>, enabled: Plain<bool>) -> Result<()> {
        let set = self.channel.lend(py, |fd| {
            option::put(fd, SOL_UDP, UDP_GRO, i32::from(enabled.0))
        })?;
        match set {
            Err(Errno::NOPROTOOPT | Errno::OPNOTSUPP | Errno::INVAL) => Ok(()),
            set => Ok(set?),
        }
    }
}
