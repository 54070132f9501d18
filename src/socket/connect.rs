//! Names and connections: `bind`, `listen`, `accept`, `connect`, `shutdown`.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Instant;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Socket;
use super::lifecycle::{Offer, called_class, construct_by_name, is_plain, registered, wrap};
use crate::engine::{
    self, Attempt, AttemptMode, Interest, Mode, Operation, Plan, drive, within_deadline,
};
use crate::python::args::Int;
use crate::python::audit::audit;
use crate::python::error::{Error, Result, at, exception};
use crate::python::make::{self, Made};
use crate::sys::io::Wake;
use crate::sys::{
    self, AsFd, AsRawFd, BorrowedFd, Errno, IntoRawFd, OwnedFd, RawFd, SockAddr, Timeout, c,
    descriptor, option,
};

impl Socket {
    /// One accept(2) in the mode of the listening socket; the new descriptor is in the mode
    /// of the default timeout.
    fn accept_one(&self, py: Python<'_>) -> Result<(OwnedFd, SockAddr)> {
        let nonblocking = engine::nonblocking_with(engine::default_timeout());
        // There is no flag that keeps accept from blocking, and O_NONBLOCK is shared with
        // others who may clear it: only poll(2) tells whether it will block.
        let plan = self.plan_without_flag(Operation::Accept, Interest::Read);
        let named = sys::io::has_peer_addresses(self.family());
        drive(py, &self.channel, plan, |fd, mode| {
            // One that does not listen is left to say so.
            if mode == AttemptMode::Try
                && let Err(errno) = expect_ready(fd, Interest::Read)
                && option::get::<i32>(fd, c::SOL_SOCKET, c::SO_ACCEPTCONN).unwrap_or(1) != 0
            {
                return Err(errno).into();
            }
            sys::io::accept(fd, nonblocking, named).into()
        })
        .inspect(|(accepted, _)| self.keep_alive_by_default(accepted.as_fd()))
    }

    /// connect(2) in the mode of the socket; the inner error is the connection's.
    fn connect_to(&self, py: Python<'_>, address: &SockAddr) -> Result<sys::Result<()>> {
        // A stream's connect waits for the peer; only O_NONBLOCK keeps it from that, and
        // others may have cleared it.
        if !self.channel.mode().blocks() {
            self.channel.lend(py, descriptor::ensure_nonblocking)??;
        }
        self.channel.lend(py, |fd| self.keep_alive_by_default(fd))?;
        let connect = || self.without_blocking(py, |mode| self.connect_in(py, mode, address));
        match connect_deadline() {
            Some(deadline) if self.channel.mode() == Mode::Blocking => {
                engine::with_deadline(py, deadline, connect)
            }
            _ => connect(),
        }
    }

    fn connect_in(
        &self,
        py: Python<'_>,
        mode: Mode,
        address: &SockAddr,
    ) -> Result<sys::Result<()>> {
        let plan = Plan {
            tries: !mode.blocks(),
            // Some systems never report a socket as ready that has not begun to connect.
            answers: !sys::io::CAN_BLOCK,
            ..self.plan_without_flag(Operation::Connect, Interest::Write)
        };
        let mut begun = false;
        let mut interrupted = false;
        drive(py, &self.channel, plan, |fd, attempt| {
            if begun {
                // The system goes on by itself after EINPROGRESS and EINTR; a second call
                // would only be told so.
                match outcome(fd, attempt) {
                    Ok(Ok(())) if interrupted && was_given_up(fd) => {}
                    result => return result.into(),
                }
            }
            match sys::io::connect(fd, address) {
                Err(Errno::INTR) => {
                    begun = true;
                    interrupted = true;
                    // Without a timeout the caller asked not to wait.
                    if mode == Mode::NonBlocking {
                        Attempt::Done(Err(Errno::INTR))
                    } else {
                        Attempt::Interrupted
                    }
                }
                // In blocking mode another thread may have changed that since.
                Err(Errno::INPROGRESS)
                    if (mode != Mode::NonBlocking && !mode.blocks())
                        || self.channel.mode() != mode =>
                {
                    begun = true;
                    Attempt::WouldBlock
                }
                result => Attempt::Done(result),
            }
        })
    }

    /// Runs an operation whose system call has no flag against blocking, and tells it the mode to
    /// run in: a socket in blocking mode is made non-blocking for it where the context has a
    /// deadline.
    pub(super) fn without_blocking<T>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(Mode) -> Result<T>,
    ) -> Result<T> {
        let own = self.channel.mode();
        let mode = within_deadline(py, own)?;
        if mode != Mode::Blocking && own.blocks() {
            self.channel.nonblocking_for(py, || operation(mode))
        } else {
            operation(mode)
        }
    }

    /// The plan of a call that has no flag against blocking: on a descriptor in blocking mode
    /// it cannot be tried.
    fn plan_without_flag(&self, operation: Operation, interest: Interest) -> Plan {
        let tries = !self.channel.mode().blocks();
        Plan {
            operation,
            interest,
            size: 0,
            tries,
            polls: false,
            answers: false,
        }
    }

    /// The target of a connection, parsed and audited.
    pub(super) fn target(
        slf: &Bound<'_, Self>,
        caller: &'static str,
        address: &Bound<'_, PyAny>,
    ) -> Result<SockAddr> {
        let target = slf.get().parse_address(caller, address)?;
        audit(slf.py(), c"socket.connect", [slf.as_any(), address])?;
        Ok(target)
    }
}

/// Accepts by the steps that a subclass may have a say in, as in the standard library.
fn accept_by_parts<'py>(
    listener: &Bound<'py, Socket>,
    class: Option<Bound<'py, PyAny>>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let py = listener.py();
    let (number, address): (RawFd, Bound<'py, PyAny>) =
        listener.call_method0(intern!(py, "_accept"))?.extract()?;
    // Closed if an attribute of a subclass raises: nobody else knows of it yet.
    let fd = Offer::of(number);
    let parts = [
        &listener.getattr(intern!(py, "family"))?,
        &listener.getattr(intern!(py, "type"))?,
        &listener.getattr(intern!(py, "proto"))?,
    ];
    let class = class.unwrap_or_else(|| registered(py));
    let socket = construct_by_name(&class, fd, parts)?;
    if !engine::default_timeout().is_some()
        && listener
            .call_method0(intern!(py, "gettimeout"))?
            .is_truthy()?
    {
        socket.call_method1(intern!(py, "setblocking"), (true,))?;
    }
    Ok((socket, address))
}

/// How long a connect of a socket in blocking mode may take, see [`Timeout::to_nanos`].
static CONNECT_TIMEOUT: LazyLock<AtomicI64> =
    LazyLock::new(|| AtomicI64::new(Timeout::from_environment(VARIABLE).to_nanos()));

/// The environment variable that sets the initial one, in seconds.
const VARIABLE: &str = "OXISOCK_CONNECT_TIMEOUT";

/// When a connect that begins now has to end, where the socket has no timeout of its own.
pub(super) fn connect_deadline() -> Option<Instant> {
    Timeout::from_nanos(CONNECT_TIMEOUT.load(Relaxed)).deadline()
}

/// Set the longest time that a connect may take on sockets without a timeout; connect(2).
///
/// It holds for ``connect``, ``connect_ex`` and ``create_connection``, and for nothing else: the
/// connection itself has no timeout then. The initial value is what the environment variable
/// ``OXISOCK_CONNECT_TIMEOUT`` says, in seconds, else None.
///
/// Args:
///     timeout: seconds above 0, None for no limit but the system's own.
///
/// Raises:
///     ValueError: the timeout is zero, negative or not a number.
///     OverflowError: the timeout is too large.
///     TypeError: the timeout has a wrong type.
#[pyfunction]
#[pyo3(signature = (timeout, /))]
pub(crate) fn setconnecttimeout(timeout: &Bound<'_, PyAny>) -> PyResult<()> {
    let timeout = crate::python::args::timeout(timeout)?;
    if timeout.is_zero() {
        return Err(exception::<PyValueError>("the timeout must be above 0"));
    }
    CONNECT_TIMEOUT.store(timeout.to_nanos(), Relaxed);
    Ok(())
}

/// Return the longest time of a connect without a timeout, in seconds, or None; connect(2).
#[pyfunction]
pub(crate) fn getconnecttimeout() -> Made<Option<f64>> {
    Made(Timeout::from_nanos(CONNECT_TIMEOUT.load(Relaxed)).seconds())
}

/// What has become of a connection that was begun; the inner error is the connection's.
fn outcome(fd: BorrowedFd<'_>, attempt: AttemptMode) -> sys::Result<sys::Result<()>> {
    match attempt {
        AttemptMode::Try => expect_ready(fd, Interest::Write)?,
        AttemptMode::Ready => {}
        AttemptMode::Block => sys::io::poll(fd, Interest::Write, Timeout::NONE).map(drop)?,
    }
    Ok(sys::io::pending_error(fd)?.map_or(Ok(()), Err))
}

/// Whether the system has given a connection up that a signal interrupted, without an error to
/// report: one over a UNIX socket that waits for room in the backlog, which poll(2) calls writable.
fn was_given_up(fd: BorrowedFd<'_>) -> bool {
    descriptor::peer_address(fd) == Err(Errno::NOTCONN)
}

/// Fails with `EAGAIN` where the descriptor is not ready.
fn expect_ready(fd: BorrowedFd<'_>, interest: Interest) -> sys::Result<()> {
    match sys::io::poll(fd, interest, Timeout::ZERO)? {
        Wake::Expired => Err(Errno::AGAIN),
        Wake::Ready => Ok(()),
    }
}

#[pymethods]
impl Socket {
    /// Give the socket a local address; bind(2).
    ///
    /// Args:
    ///     address: the address, in the form of the socket's family.
    ///
    /// Raises:
    ///     OSError: the address is in use, is not this machine's, or the socket is closed.
    #[pyo3(signature = (address, /))]
    fn bind(slf: &Bound<'_, Self>, address: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let socket = slf.get();
        let local = socket
            .parse_address("bind", address)
            .map_err(|error| at(address, error))?;
        audit(py, c"socket.bind", [slf.as_any(), address])?;
        let bind = |fd: BorrowedFd<'_>| descriptor::bind(fd, &local);
        // A path's file system may be slow; no other family has anything to wait for.
        let bound = if socket.family() == c::AF_UNIX {
            socket.channel.lend_detached(py, bind)
        } else {
            socket.channel.lend(py, bind)
        };
        Ok(bound?.map_err(|errno| at(address, errno.into()))?)
    }

    /// Make the socket accept connections; listen(2).
    ///
    /// Args:
    ///     backlog: how many connections may wait to be accepted; a negative number counts
    ///         as 0. Without it, a reasonable number.
    ///
    /// Raises:
    ///     OSError: the socket cannot listen, or is closed.
    #[pyo3(signature = (backlog = Int(128), /), text_signature = "($self, backlog=128, /)")]
    fn listen(&self, py: Python<'_>, backlog: Int) -> Result<()> {
        let listen = |fd: BorrowedFd<'_>| descriptor::listen(fd, backlog.0.max(0));
        Ok(self.channel.lend(py, listen)??)
    }

    /// Accept a connection; accept(2).
    ///
    /// Returns:
    ///     A pair of a new socket, in the mode of the default timeout, and the peer's address.
    ///
    /// Raises:
    ///     TimeoutError: nobody connected within the timeout.
    ///     BlockingIOError: nobody has connected, in non-blocking mode.
    ///     OSError: the socket does not listen, or is closed.
    fn accept<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let class = called_class(py)?;
        if class.is_some() || !is_plain(slf) {
            let (socket, address) = accept_by_parts(slf, class)?;
            return make::tuple!(py, socket, address);
        }
        let this = slf.get();
        let (fd, peer) = this.accept_one(py)?;
        let socket = wrap(py, fd, this.spec(), engine::default_timeout())?;
        if this.waits_for_more(py) {
            // The new socket has the option from this one.
            socket.cast::<Socket>()?.get().traits.forget();
        }
        make::tuple!(py, socket, this.build_address(py, &peer)?)
    }

    /// Accept a connection and return its bare descriptor and the peer's address.
    fn _accept<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (fd, peer) = self.accept_one(py)?;
        let address = self.build_address(py, &peer)?;
        let pair = make::tuple!(py, fd.as_raw_fd(), address);
        if pair.is_ok() {
            // The caller's from here on.
            let _ = fd.into_raw_fd();
        }
        pair
    }

    /// Connect to an address; connect(2).
    ///
    /// Args:
    ///     address: the peer's address, in the form of the socket's family.
    ///
    /// Raises:
    ///     TimeoutError: the peer did not answer within the timeout.
    ///     BlockingIOError: the connection is being made, in non-blocking mode.
    ///     OSError: the connection failed, or the socket is closed.
    #[pyo3(signature = (address, /))]
    fn connect(slf: &Bound<'_, Self>, address: &Bound<'_, PyAny>) -> PyResult<()> {
        let connect = || {
            let target = Self::target(slf, "connect", address)?;
            Ok::<_, Error>(slf.get().connect_to(slf.py(), &target)??)
        };
        Ok(connect().map_err(|error| at(address, error))?)
    }

    /// Connect to an address and return the error number instead of raising it; connect(2).
    ///
    /// Args:
    ///     address: the peer's address, in the form of the socket's family.
    ///
    /// Returns:
    ///     0, or the ``errno`` that ``connect`` would have raised; EAGAIN for a timeout.
    ///
    /// Raises:
    ///     OSError: the host name has no address. Only connect(2)'s errors are returned.
    #[pyo3(signature = (address, /))]
    fn connect_ex(slf: &Bound<'_, Self>, address: &Bound<'_, PyAny>) -> PyResult<i32> {
        let target = Self::target(slf, "connect_ex", address)?;
        match slf.get().connect_to(slf.py(), &target) {
            Ok(Ok(())) => Ok(0),
            Ok(Err(errno)) | Err(Error::Os(errno)) => Ok(errno.number()),
            Err(Error::TimedOut) => Ok(Errno::AGAIN.number()),
            Err(error) => Err(error.into()),
        }
    }

    /// Shut down one or both directions of the connection; shutdown(2).
    ///
    /// Args:
    ///     how: ``SHUT_RD``, ``SHUT_WR`` or ``SHUT_RDWR``.
    ///
    /// Raises:
    ///     OSError: the socket is not connected, or closed.
    #[pyo3(signature = (how, /))]
    fn shutdown(&self, py: Python<'_>, how: Int) -> Result<()> {
        // Only starts the end, and waits for nobody: not worth giving the lock up.
        Ok(self
            .channel
            .lend(py, |fd| descriptor::shutdown(fd, how.0))??)
    }

    /// Return the socket's own address; getsockname(2).
    ///
    /// Raises:
    ///     OSError: the socket is closed.
    fn getsockname<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let address = self.channel.lend(py, descriptor::local_address)?;
        let address = address.map_err(Error::from)?;
        self.build_address(py, &address)
    }

    /// Return the address of the peer; getpeername(2).
    ///
    /// Raises:
    ///     OSError: the socket is not connected, or closed.
    fn getpeername<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let address = self.channel.lend(py, descriptor::peer_address)?;
        let address = address.map_err(Error::from)?;
        self.build_address(py, &address)
    }
}
