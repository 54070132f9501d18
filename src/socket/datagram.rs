//! Datagrams with what the system tells of them: `recvmsg_many` and the structure that it
//! returns, the options that have it told, and the ancillary data to send the same.

use std::os::fd::{IntoRawFd, OwnedFd};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use super::Socket;
use super::batch::{LARGEST, Senders, positive};
use super::multicast::{interface_index, numeric_host};
use crate::address::host_text;
use crate::ancillary;
use crate::python::args::{self, Int, Size, nonnegative};
use crate::python::error::{Error, Result, about};
use crate::python::make::{self, Made};
use crate::python::plain::Plain;
use crate::sys::packet::{self, Choice, Info, Item};
use crate::sys::{Errno, c};

/// Room for all that `setrecvinfo` can have told of a datagram, and as much again.
const ANCILLARY: isize = 512;
/// The two bits of the traffic class that are explicit congestion notification, RFC 3168.
const ECN: u8 = 3;

/// A datagram, its sender, and what the system has told of it; recvmsg(2), ip(7), ipv6(7).
///
/// What it has not told is None. ``setrecvinfo`` has it told.
///
/// Attributes:
///     data: the datagram, bytes.
///     address: the sender's address, or None.
///     ecn: explicit congestion notification, 0 to 3; RFC 3168.
///     ttl: the time to live, or hop limit, that it arrived with.
///     destination: the address that it was sent to, as text.
///     interface: the index of the interface that it came through; see ``if_indextoname``.
///     timestamp: when the system has received it, in seconds since the epoch.
///     timestamp_ns: the same as an int of nanoseconds.
///     hardware_timestamp: when the network device has received it, in seconds of its own clock.
///     hardware_timestamp_ns: the same as an int of nanoseconds.
///     dscp: the differentiated services code point, 0 to 63; RFC 2474.
///     segment_size: the length of each of the datagrams that the kernel has joined into this one
///         (see ``setgro``), of which the last may be shorter.
///     drops: how many datagrams the socket has lost so far, for want of room; None before it has
///         lost one.
///     flags: the flags of the message, ``MSG_*``.
///     truncated: whether the datagram was longer than what is here.
///     ancdata: the control messages of other kinds, a tuple of ``(level, type, data)``.
#[pyclass(frozen, module = "oxisock")]
pub(crate) struct Datagram {
    /// The datagram.
    #[pyo3(get)]
    data: Py<PyBytes>,
    /// The sender's address, or None.
    #[pyo3(get)]
    address: Py<PyAny>,
    /// The flags of the message, ``MSG_*``; recvmsg(2).
    #[pyo3(get)]
    flags: i32,
    /// The control messages of other kinds, a tuple of ``(level, type, data)``; cmsg(3).
    #[pyo3(get)]
    ancdata: Py<PyTuple>,
    info: Info,
}

fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[pymethods]
impl Datagram {
    #[classattr]
    #[allow(non_upper_case_globals, reason = "the name of Python, PEP 634")]
    const __match_args__: (&'static str, &'static str) = ("data", "address");

    /// Explicit congestion notification, 0 to 3, or None; RFC 3168.
    #[getter]
    fn ecn(&self) -> Made<Option<u8>> {
        Made(self.info.traffic_class.map(|class| class & ECN))
    }

    /// The differentiated services code point, 0 to 63, or None; RFC 2474.
    #[getter]
    fn dscp(&self) -> Made<Option<u8>> {
        Made(self.info.traffic_class.map(|class| class >> 2))
    }

    /// The time to live, or hop limit, that the datagram arrived with, or None; ip(7).
    #[getter]
    fn ttl(&self) -> Made<Option<u8>> {
        Made(self.info.hop_limit)
    }

    /// The address that the datagram was sent to, as text, or None; ip(7), ``IP_PKTINFO``.
    #[getter]
    fn destination<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        let destination = self.info.destination;
        destination.map(|host| host_text(py, host)).transpose()
    }

    /// The index of the interface that the datagram came through, or None; ip(7).
    #[getter]
    fn interface(&self) -> Made<Option<u32>> {
        Made(self.info.interface)
    }

    /// When the system received the datagram, in seconds since the epoch, or None; socket(7).
    #[getter]
    fn timestamp(&self) -> Made<Option<f64>> {
        Made(self.info.timestamp.map(seconds))
    }

    /// When the system received the datagram, in nanoseconds since the epoch, or None; socket(7).
    #[getter]
    fn timestamp_ns(&self) -> Made<Option<i64>> {
        Made(self.info.timestamp)
    }

    /// When the device received the datagram, in seconds of its own clock, or None.
    #[getter]
    fn hardware_timestamp(&self) -> Made<Option<f64>> {
        Made(self.info.hardware_timestamp.map(seconds))
    }

    /// When the device received the datagram, in nanoseconds of its own clock, or None.
    #[getter]
    fn hardware_timestamp_ns(&self) -> Made<Option<i64>> {
        Made(self.info.hardware_timestamp)
    }

    /// The length of each of the datagrams that the kernel has joined, or None; udp(7).
    #[getter]
    fn segment_size(&self) -> Made<Option<u16>> {
        Made(self.info.segment_size)
    }

    /// How many datagrams the socket has lost so far, for want of room, or None; socket(7).
    #[getter]
    fn drops(&self) -> Made<Option<u32>> {
        Made(self.info.drops)
    }

    /// Whether the datagram was longer than what is here; ``MSG_TRUNC`` of recvmsg(2).
    #[getter]
    fn truncated(&self) -> bool {
        self.flags & c::MSG_TRUNC != 0
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<Made<String>> {
        let py = slf.py();
        let mut text = String::from("Datagram(");
        for (index, name) in [
            "data",
            "address",
            "ecn",
            "ttl",
            "destination",
            "interface",
            "timestamp",
            "hardware_timestamp",
            "dscp",
            "segment_size",
            "drops",
            "flags",
            "ancdata",
        ]
        .into_iter()
        .enumerate()
        {
            let value = slf.getattr(make::text(py, name)?)?;
            if value.is_none() {
                continue;
            }
            let comma = if index == 0 { "" } else { ", " };
            text += &format!("{comma}{name}={}", value.repr()?.to_cow()?);
        }
        Ok(Made(text + ")"))
    }
}

/// An argument that is a number in a range.
fn number(
    object: Option<&Bound<'_, PyAny>>,
    name: &str,
    range: std::ops::RangeInclusive<i64>,
) -> Result<Option<i64>> {
    let Some(object) = object else {
        return Ok(None);
    };
    match args::long_long(object)? {
        Ok(value) if range.contains(&value) => Ok(Some(value)),
        _ => Err(Error::value_error(format!(
            "ancillary() {name} must be between {} and {}",
            range.start(),
            range.end()
        ))),
    }
}

impl Socket {
    /// The traffic class of these parts; that of the socket has the part that is not given.
    fn traffic_class(&self, py: Python<'_>, ecn: Option<u8>, dscp: Option<u8>) -> Result<u8> {
        let own = match (ecn, dscp) {
            (Some(_), Some(_)) => 0,
            _ => self
                .channel
                .lend(py, |fd| packet::traffic_class(fd, self.family()))??,
        };
        Ok(dscp.map_or(own & !ECN, |dscp| dscp << 2) | ecn.unwrap_or(own & ECN))
    }
}

#[pymethods]
impl Socket {
    /// Receive up to ``n`` datagrams with what the system tells of each; recvmmsg(2), cmsg(3).
    ///
    /// Args:
    ///     n: the largest number of datagrams to return.
    ///     bufsize: the largest number of bytes of each; what is longer is cut.
    ///     ancbufsize: room for the ancillary data of each, in bytes.
    ///     flags: ``MSG_*`` flags. With ``MSG_PEEK`` it is one datagram.
    ///
    /// Returns:
    ///     A list of ``Datagram``, in the order of arrival, at least one.
    ///
    /// Raises:
    ///     ValueError: ``n`` is not positive, or a size is negative or too large.
    ///     TimeoutError: nothing arrived within the timeout.
    ///     BlockingIOError: nothing is there, in non-blocking mode.
    ///     OSError: the system reports an error, the socket is a stream (EOPNOTSUPP), or it is
    ///         closed.
    #[pyo3(
        signature = (n, bufsize = Size(LARGEST), ancbufsize = Size(ANCILLARY), flags = Int(0)),
        text_signature = "($self, n, bufsize=65535, ancbufsize=512, flags=0)"
    )]
    fn recvmsg_many<'py>(
        &self,
        py: Python<'py>,
        n: Size,
        bufsize: Size,
        ancbufsize: Size,
        flags: Int,
    ) -> PyResult<Bound<'py, PyList>> {
        let count = positive(n, "n must be positive in recvmsg_many()")?;
        let len = nonnegative(bufsize.0, "negative buffersize in recvmsg_many")?;
        let control = ancillary::checked_size(ancbufsize.0)?;
        self.check_datagrams(py)?;
        let list = make::list(py)?;
        let nothing = PyTuple::empty(py);
        let mut senders = Senders::new(self);
        // Those that came with the datagrams in the list: closed where that does not get out.
        let mut descriptors: Vec<OwnedFd> = Vec::new();
        self.receive_batch_here(py, count, len, Some(control), flags.0, |slots, places| {
            for (index, received) in slots.received().enumerate() {
                let data = places.bytes(py, index, received.len)?;
                let mut info = Info::default();
                let ancdata = match received.control {
                    Some(control) if control.messages().next().is_some() => {
                        let messages = control.messages();
                        let others =
                            ancillary::decode_some(py, messages, |message| !info.take(message))?;
                        make::tuple_from_list(&others)?
                    }
                    _ => nothing.clone(),
                };
                // Slots are a little longer than what was asked for.
                let cut = if received.len > len { c::MSG_TRUNC } else { 0 };
                let datagram = Datagram {
                    data: data.unbind(),
                    address: senders.build(py, received.address)?.unbind(),
                    flags: received.flags | cut,
                    ancdata: ancdata.unbind(),
                    info,
                };
                list.append(pyo3::object(py, datagram)?)?;
            }
            descriptors.append(&mut slots.take_descriptors());
            Ok(())
        })?;
        for descriptor in descriptors {
            // The program's from now on.
            let _ = descriptor.into_raw_fd();
        }
        Ok(list)
    }

    /// Have the system tell of each datagram what ``recvmsg_many`` decodes; ip(7), ipv6(7).
    ///
    /// A socket of AF_INET6 is told the same of what comes over IPv4. What is left out stays as it
    /// is.
    ///
    /// Args:
    ///     ecn: whether it tells ``ecn`` and ``dscp``; ``IP_RECVTOS``, ``IPV6_RECVTCLASS``.
    ///     ttl: whether it tells ``ttl``; ``IP_RECVTTL``, ``IPV6_RECVHOPLIMIT``.
    ///     destination: whether it tells ``destination`` and ``interface``; ``IP_PKTINFO``,
    ///         ``IPV6_RECVPKTINFO``.
    ///     timestamp: whether it tells ``timestamp``; ``SO_TIMESTAMPNS``.
    ///     hardware_timestamp: whether it tells ``hardware_timestamp``, where the device has been
    ///         set up to take it (``hwstamp_ctl``); ``SO_TIMESTAMPING``.
    ///     drops: whether it tells ``drops``; ``SO_RXQ_OVFL``.
    ///
    /// Raises:
    ///     OSError: the system has no such option, the socket is no internet socket
    ///         (EOPNOTSUPP), or it is closed.
    #[pyo3(
        signature = (*, ecn = None, ttl = None, destination = None, timestamp = None,
            hardware_timestamp = None, drops = None)
    )]
    #[allow(clippy::too_many_arguments, reason = "an option each")]
    fn setrecvinfo(
        &self,
        py: Python<'_>,
        ecn: Option<Plain<bool>>,
        ttl: Option<Plain<bool>>,
        destination: Option<Plain<bool>>,
        timestamp: Option<Plain<bool>>,
        hardware_timestamp: Option<Plain<bool>>,
        drops: Option<Plain<bool>>,
    ) -> PyResult<()> {
        for (name, item, on) in [
            ("ecn", Item::TrafficClass, ecn),
            ("ttl", Item::HopLimit, ttl),
            ("destination", Item::Destination, destination),
            ("timestamp", Item::Timestamp, timestamp),
            (
                "hardware_timestamp",
                Item::HardwareTimestamp,
                hardware_timestamp,
            ),
            ("drops", Item::Drops, drops),
        ] {
            let Some(Plain(on)) = on else { continue };
            let told = self
                .channel
                .lend(py, |fd| packet::tell(fd, self.family(), item, on));
            told?.map_err(|errno| match errno {
                Errno::NOPROTOOPT | Errno::OPNOTSUPP => about(errno, name),
                errno => errno.into(),
            })?;
        }
        // Whoever names nothing hears of a closed socket all the same.
        self.channel.enter().map(drop)?;
        Ok(())
    }

    /// Make the ancillary data with which ``sendmsg`` sends a datagram in this way; ip(7), cmsg(3).
    ///
    /// It can be used again. What is left out is as the socket's options say.
    ///
    /// Args:
    ///     ecn: explicit congestion notification, 0 to 3; RFC 3168.
    ///     dscp: the differentiated services code point, 0 to 63; RFC 2474.
    ///     ttl: the time to live, or hop limit, 1 to 255.
    ///     source: the address of this machine to send from, as text: the ``destination`` of a
    ///         datagram, to answer from where it was sent to.
    ///     interface: the interface to send through, by its index, its name or one of its
    ///         addresses.
    ///     segment_size: the length of the datagrams that the kernel is to cut the data into, 1 to
    ///         65,507; see ``UDP_SEGMENT`` in udp(7), and ``send_segments``.
    ///     txtime: when it is to leave, in nanoseconds of the clock that the option ``SO_TXTIME``
    ///         names, which has to be set before.
    ///
    /// Returns:
    ///     A list of ``(level, type, data)``.
    ///
    /// Raises:
    ///     ValueError: an argument is out of its range, or ``source`` is no address of the socket's
    ///         family.
    ///     OSError: there is no such interface, the socket is no internet socket (EOPNOTSUPP), or it
    ///         is closed.
    #[pyo3(
        signature = (*, ecn = None, dscp = None, ttl = None, source = None, interface = None,
            segment_size = None, txtime = None)
    )]
    #[allow(clippy::too_many_arguments, reason = "a part of the message each")]
    fn ancillary<'py>(
        &self,
        py: Python<'py>,
        ecn: Option<&Bound<'py, PyAny>>,
        dscp: Option<&Bound<'py, PyAny>>,
        ttl: Option<&Bound<'py, PyAny>>,
        source: Option<&Bound<'py, PyAny>>,
        interface: Option<&Bound<'py, PyAny>>,
        segment_size: Option<&Bound<'py, PyAny>>,
        txtime: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        if !matches!(self.family(), c::AF_INET | c::AF_INET6) {
            return Err(Error::Os(Errno::OPNOTSUPP).into());
        }
        self.channel.enter().map(drop)?;
        let ecn = number(ecn, "ecn", 0..=3)?.map(|ecn| ecn as u8);
        let dscp = number(dscp, "dscp", 0..=63)?.map(|dscp| dscp as u8);
        let source = source
            .map(|source| numeric_host(source, "ancillary", "source"))
            .transpose()?
            .map(|(source, _)| source);
        if self.family() == c::AF_INET && source.is_some_and(|source| source.is_ipv6()) {
            let message = "ancillary() source must be an IPv4 address for this socket";
            return Err(Error::value_error(message).into());
        }
        let choice = Choice {
            traffic_class: match (ecn, dscp) {
                (None, None) => None,
                _ => Some(self.traffic_class(py, ecn, dscp)?),
            },
            hop_limit: number(ttl, "ttl", 1..=255)?.map(|ttl| ttl as u8),
            source,
            interface: match interface {
                Some(interface) => interface_index(&self.channel, interface, "ancillary")?,
                None => 0,
            },
            segment_size: number(segment_size, "segment_size", 1..=65_507)?.map(|size| size as u16),
            departure: number(txtime, "txtime", 0..=i64::MAX)?.map(|time| time as u64),
        };
        let control = choice.encode(self.family()).map_err(ancillary::full)?;
        ancillary::decode(py, control.messages())
    }
}
