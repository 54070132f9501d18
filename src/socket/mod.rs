//! The native class `Socket`: one file per concept. Every method parses its arguments once,
//! calls the engine once and builds its result once.

#[cfg(messages)]
mod batch;
mod connect;
#[cfg(messages)]
mod datagram;
mod exact;
mod keepalive;
mod lifecycle;
#[cfg(messages)]
mod message;
mod mode;
mod multicast;
mod option;
mod race;
mod receive;
#[cfg(messages)]
mod segments;
mod send;
mod sender;
#[cfg(unix)]
mod sendfile;
mod traits;
#[cfg(windows)]
mod winsock;

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicIsize, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

pub(crate) use connect::{getconnecttimeout, setconnecttimeout};
#[cfg(messages)]
pub(crate) use datagram::Datagram;
pub(crate) use keepalive::{getdefaultkeepalive, setdefaultkeepalive};
pub(crate) use lifecycle::{
    close, close_descriptor, construct_with, dup, plain, register_class, socketpair,
    write_unraisable,
};
pub(crate) use mode::{getdefaulttimeout, setdefaulttimeout};
pub(crate) use race::{connect_host, getconnectionattemptdelay, setconnectionattemptdelay};

#[cfg(windows)]
pub(crate) use winsock::fromshare;

use sender::LastSender;
use traits::CachedTraits;

use crate::address::{self, Purpose};
use crate::constants;
use crate::engine::Channel;
use crate::python::args::Int;
use crate::python::error::Result;
use crate::python::make::Made;
use crate::python::method::{
    Fast, Inherited, function, getter, no_arguments, one_argument, positional,
};
use crate::python::plain::Plain;
use crate::sys::{Errno, SockAddr, SocketSpec, c, descriptor};

/// The native half of ``oxisock.socket``.
#[pyclass(
    frozen,
    subclass,
    immutable_type,
    module = "oxisock._socket",
    name = "socket"
)]
pub(crate) struct Socket {
    channel: Channel,
    family: AtomicI32,
    kind: AtomicI32,
    protocol: AtomicI32,
    /// Files made by `makefile` that are open; the descriptor lives as long as they do.
    files: AtomicIsize,
    /// Whether `close` was called, maybe with files still open.
    closed: AtomicBool,
    traits: CachedTraits,
    #[cfg(messages)]
    hints: batch::Hints,
    last_sender: LastSender,
    kept: exact::Kept,
}

/// Whether an error means no more than that nothing more can be moved now: behind data that have
/// moved already, it is none.
fn ends_short(errno: Errno) -> bool {
    errno.is_would_block() || errno.is_interrupted()
}

impl Socket {
    fn unopened() -> Self {
        Socket {
            channel: Channel::new(),
            family: AtomicI32::new(c::AF_UNSPEC),
            kind: AtomicI32::new(0),
            protocol: AtomicI32::new(0),
            files: AtomicIsize::new(0),
            closed: AtomicBool::new(false),
            traits: CachedTraits::unknown(),
            #[cfg(messages)]
            hints: batch::Hints::default(),
            last_sender: LastSender::none(),
            kept: exact::Kept::new(),
        }
    }

    fn family(&self) -> i32 {
        self.family.load(Relaxed)
    }

    /// The type without the flags that socket(2) takes with it.
    fn kind(&self) -> i32 {
        self.kind.load(Relaxed) & !descriptor::KIND_FLAGS
    }

    fn protocol(&self) -> i32 {
        self.protocol.load(Relaxed)
    }

    fn spec(&self) -> SocketSpec {
        SocketSpec {
            family: self.family(),
            kind: self.kind(),
            protocol: self.protocol(),
        }
    }

    /// Whether a message may be read in pieces; not what the type says, which is the caller's
    /// word where the descriptor came from outside.
    #[inline]
    fn is_stream(&self, py: Python<'_>) -> bool {
        self.traits.of(py, &self.channel).is_stream
    }

    /// Whether a receive waits for more than one byte, `SO_RCVLOWAT`.
    #[inline]
    fn waits_for_more(&self, py: Python<'_>) -> bool {
        self.traits.of(py, &self.channel).waits_for_more
    }

    fn parse_address(&self, caller: &'static str, address: &Bound<'_, PyAny>) -> Result<SockAddr> {
        let purpose = Purpose {
            family: self.family(),
            protocol: self.protocol(),
            socket: Some(&self.channel),
            caller,
        };
        address::parse(purpose, address)
    }

    fn build_address<'py>(
        &self,
        py: Python<'py>,
        address: &SockAddr,
    ) -> PyResult<Bound<'py, PyAny>> {
        address::build(py, address, self.protocol(), Some(&self.channel))
    }
}

impl Inherited for Socket {
    const FAST: &'static [Fast] = &[
        no_arguments!(Socket, fileno, |slf| Ok(slf.get().fileno())),
        no_arguments!(Socket, gettimeout, |slf| Ok(slf.get().gettimeout())),
        no_arguments!(Socket, getblocking, |slf| Ok(slf.get().getblocking())),
        no_arguments!(Socket, _decref_socketios, Socket::_decref_socketios),
        no_arguments!(Socket, close, Socket::close),
        one_argument!(Socket, settimeout, Socket::settimeout),
        one_argument!(Socket, setblocking, Socket::setblocking),
        getter!(Socket, timeout, |slf| Ok(slf.get().timeout())),
        getter!(Socket, proto, |slf| Ok(slf.get().protocol())),
        positional!(Socket, recv, Socket::recv_fast),
        positional!(Socket, send, Socket::send_fast),
        positional!(Socket, sendall, Socket::sendall_fast),
        positional!(Socket, setsockopt, Socket::setsockopt_fast),
    ];
}

/// Entry points of functions.
pub(crate) const FAST: [Fast; 4] = [
    function!(close, |fd| close(fd.py(), fd)),
    function!(dup, |fd| dup(fd)),
    function!(getdefaulttimeout, || Ok(getdefaulttimeout())),
    function!(setdefaulttimeout, |timeout| setdefaulttimeout(timeout)),
];

#[pymethods]
impl Socket {
    /// Take any arguments, for subclasses whose ``__init__`` has others.
    #[new]
    #[pyo3(
        signature = (*_args, **_kwargs),
        text_signature = "(family=-1, type=-1, proto=-1, fileno=None)"
    )]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Socket::unopened()
    }

    /// Make a socket, or adopt the descriptor ``fileno``.
    ///
    /// Arguments that are -1 get the usual values, or those of the descriptor.
    #[pyo3(signature = (family = Int(-1), r#type = Int(-1), proto = Int(-1), fileno = None))]
    fn __init__(
        slf: &Bound<'_, Self>,
        family: Int,
        r#type: Int,
        proto: Int,
        fileno: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let spec = SocketSpec {
            family: family.0,
            kind: r#type.0,
            protocol: proto.0,
        };
        lifecycle::init(slf, spec, fileno)
    }

    /// The address family, as a member of ``AddressFamily`` where it has a name; socket(2).
    #[getter(family)]
    fn family_member<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        constants::family_member(py, Plain(self.family()))
    }

    /// The socket type, as a member of ``SocketKind`` where it has a name; socket(2).
    #[getter(r#type)]
    fn kind_member<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        constants::kind_member(py, Plain(self.kind()))
    }

    /// The protocol number; socket(2).
    #[getter]
    fn proto(&self) -> Made<i32> {
        Made(self.protocol())
    }

    /// Tell what this socket has done so far.
    ///
    /// Returns:
    ///     A dict as that of ``oxisock.stats``, for this socket alone: ``operations``, ``bytes``, ``waits``,
    ///     ``wait_seconds``, ``timeouts``, ``would_block`` and ``errors``. A closed socket has it, too.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.channel.counters().of_socket(py)
    }

    fn __repr__(&self) -> String {
        format!(
            "<socket object, fd={}, family={}, type={}, proto={}>",
            self.channel.number(),
            self.family(),
            self.kind(),
            self.protocol()
        )
    }
}
