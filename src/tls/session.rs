//! An object in the place of `_ssl`'s session object: the same methods, of which reading and
//! writing go through the engine. Whatever is rare, an error or the end of the session among it,
//! is left to `_ssl` by making the same call there.

use std::os::fd::{IntoRawFd, RawFd};

use pyo3::exceptions::PyTimeoutError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::lock::SessionLock;
use super::proof;
use crate::engine::{
    Attempt, AttemptMode, Channel, Counted, Interest, Mode, Operation, Plan, drive,
};
use crate::python::args;
use crate::python::buffer::BufferSlot;
use crate::python::bytes::{SCRATCH, bytes_of, with_scratch};
use crate::python::error::Error;
use crate::socket::close_descriptor;
use crate::sys::descriptor::Named;
use crate::sys::openssl::{Moved, Session, Transport};
use crate::sys::{self, BorrowedFd, Errno, Region, Timeout};

/// The most payload that a record has, RFC 8446, 5.1: no call of OpenSSL moves more.
const RECORD: usize = 16 * 1024;

/// Reading or writing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

impl Direction {
    fn interest(self) -> Interest {
        match self {
            Direction::Read => Interest::Read,
            Direction::Write => Interest::Write,
        }
    }

    /// What `_ssl` says where the socket's timeout has passed.
    fn timed_out(self) -> &'static str {
        match self {
            Direction::Read => "The read operation timed out",
            Direction::Write => "The write operation timed out",
        }
    }
}

/// How a transfer ended for the engine.
enum Step {
    Moved(usize),
    /// Something that `_ssl` has to deal with.
    Delegate,
    /// Another thread was inside the session, which must not be waited for with the interpreter
    /// lock in hand.
    Occupied,
}

impl Counted for Step {
    fn bytes(&self) -> usize {
        match self {
            Step::Moved(count) => *count,
            Step::Delegate | Step::Occupied => 0,
        }
    }
}

/// A TLS session in the place of the object that ``_ssl`` made for it.
#[pyclass(frozen, module = "oxisock._socket", name = "TLSSession")]
pub(crate) struct TlsSession {
    /// The object of `_ssl`, which owns the session.
    genuine: Py<PyAny>,
    session: Session,
    /// The socket, by a weak reference, and what moves its records; None on memory.
    link: Option<(Py<PyAny>, Transport)>,
    channel: Channel,
    lock: SessionLock,
}

/// Replace the session object of ``_ssl`` by one whose reads and writes go through the engine.
///
/// Args:
///     session: the ``_ssl._SSLSocket``, just made.
///     owner: a weak reference to the ``ssl.SSLSocket``, or ``None`` for a session on memory.
///     fd: the descriptor of the owner, -1 on memory.
///
/// Returns:
///     A TLSSession, or ``session`` itself where the engine cannot carry it.
#[pyfunction]
#[pyo3(signature = (session, owner, fd, /))]
pub(crate) fn tls_session<'py>(
    session: &Bound<'py, PyAny>,
    owner: Option<Bound<'py, PyAny>>,
    fd: RawFd,
) -> PyResult<Bound<'py, PyAny>> {
    let py = session.py();
    let Some(found) = proof::find(session, fd)? else {
        return Ok(session.clone());
    };
    let channel = Channel::new();
    let link = match owner {
        None => None,
        Some(owner) => {
            // SAFETY: the session was just made, so that nobody is inside it; the object below
            // keeps it alive. The descriptor is closed by `close_descriptor` below, when nobody
            // uses the channel, or with the owner, who has this object in hand until then.
            let Some(transport) = (unsafe { Transport::replace(found, fd) }) else {
                return Ok(session.clone());
            };
            let fd = Named::new(fd).map_err(Error::from)?.adopt();
            // A channel that was just made has no descriptor and nobody inside.
            channel
                .open(fd, Timeout::NONE, true)
                .map_err(|_| Error::CLOSED)?;
            Some((owner.unbind(), transport))
        }
    };
    let made = TlsSession {
        genuine: session.clone().unbind(),
        session: found,
        link,
        channel,
        lock: SessionLock::new(),
    };
    Ok(Bound::new(py, made)?.into_any())
}

impl TlsSession {
    /// Takes one step, without waiting for anything.
    ///
    /// # Safety
    /// This thread holds the session's lock.
    unsafe fn step(&self, direction: Direction, region: Region<'_>) -> Moved {
        // SAFETY: the caller's promise; the region is valid for the direction.
        unsafe {
            if let Some((_, transport)) = &self.link {
                transport.set_may_block(false);
            }
            if !self.session.is_established() {
                return Moved::Failed;
            }
            let moved = match direction {
                Direction::Read => self.session.read(region),
                Direction::Write => self.session.write(region),
            };
            match (&self.link, moved) {
                (Some((_, transport)), Moved::WantRead | Moved::WantWrite)
                    if transport.has_news() =>
                {
                    Moved::Failed
                }
                _ => moved,
            }
        }
    }

    /// Moves data through a session on a socket; None where `_ssl` has to make the call.
    fn transfer(
        &self,
        py: Python<'_>,
        direction: Direction,
        region: Region<'_>,
        owner: &Py<PyAny>,
    ) -> PyResult<Option<usize>> {
        self.channel.follow_timeout(timeout_of(owner.bind(py))?);
        let interest = direction.interest();
        let mut occupied = self.lock.is_mine();
        if occupied {
            return Ok(None);
        }
        loop {
            // What occupies the session must be waited for without the interpreter lock.
            let plan = Plan {
                operation: match direction {
                    Direction::Read => Operation::Receive,
                    Direction::Write => Operation::Send,
                },
                interest,
                size: if occupied {
                    usize::MAX
                } else {
                    region.len().min(RECORD)
                },
                tries: true,
                polls: interest == Interest::Read,
            };
            let result = drive(py, &self.channel, plan, |fd, mode| {
                self.attempt(direction, region, fd, mode, occupied)
            });
            return match result {
                Ok(Step::Moved(count)) => Ok(Some(count)),
                Ok(Step::Delegate) => Ok(None),
                Ok(Step::Occupied) => {
                    occupied = true;
                    continue;
                }
                Err(Error::Os(Errno::AGAIN)) if self.channel.mode() == Mode::NonBlocking => {
                    WANTED.raise(py, direction).map_or(Ok(None), Err)
                }
                Err(Error::TimedOut) => Err(PyTimeoutError::new_err(direction.timed_out())),
                Err(error) => Err(error.into()),
            };
        }
    }

    fn attempt(
        &self,
        direction: Direction,
        region: Region<'_>,
        fd: BorrowedFd<'_>,
        mode: AttemptMode,
        detached: bool,
    ) -> Attempt<Step> {
        loop {
            let held = if mode == AttemptMode::Try && !detached {
                match self.lock.try_acquire() {
                    Some(held) => held,
                    None => return Attempt::Done(Step::Occupied),
                }
            } else {
                self.lock.acquire_detached()
            };
            // SAFETY: the lock is held.
            let moved = unsafe { self.step(direction, region) };
            drop(held);
            match (direction, moved) {
                (_, Moved::Bytes(count)) => return Attempt::Done(Step::Moved(count)),
                (Direction::Read, Moved::WantRead) | (Direction::Write, Moved::WantWrite) => {}
                _ => return Attempt::Done(Step::Delegate),
            }
            if mode != AttemptMode::Block {
                return Attempt::WouldBlock;
            }
            if let Err(errno) = sys::io::poll(fd, direction.interest(), Timeout::NONE) {
                return sys::Result::<Step>::Err(errno).into();
            }
        }
    }

    /// Moves data through a session on memory, which never waits.
    fn transfer_in_memory(
        &self,
        py: Python<'_>,
        direction: Direction,
        region: Region<'_>,
    ) -> PyResult<Option<usize>> {
        if self.lock.is_mine() {
            return Ok(None);
        }
        let held = self.lock.acquire(py);
        // SAFETY: the lock is held.
        let moved = unsafe { self.step(direction, region) };
        drop(held);
        match moved {
            Moved::Bytes(count) => Ok(Some(count)),
            Moved::WantRead if direction == Direction::Read => {
                WANTED.raise(py, direction).map_or(Ok(None), Err)
            }
            _ => Ok(None),
        }
    }

    fn moved(
        &self,
        py: Python<'_>,
        direction: Direction,
        region: Region<'_>,
    ) -> PyResult<Option<usize>> {
        match &self.link {
            Some((owner, _)) => self.transfer(py, direction, region, owner),
            None => self.transfer_in_memory(py, direction, region),
        }
    }

    /// Makes a call of `_ssl`, with nobody else inside the session.
    fn delegate<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyString>,
        args: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let genuine = self.genuine.bind(py);
        if self.lock.is_mine() {
            return genuine.call_method(name, args, keywords);
        }
        let _held = self.lock.acquire(py);
        let Some((_, transport)) = &self.link else {
            return genuine.call_method(name, args, keywords);
        };
        // The descriptor stays open meanwhile, and closing it ends the call.
        let file = self.channel.enter()?;
        // SAFETY: the lock is held.
        unsafe { transport.set_may_block(true) };
        file.detached(|_| genuine.call_method(name, args, keywords))
            .unwrap_or_else(|| Err(Error::CLOSED.into()))
    }
}

/// The timeout of a socket of the standard library.
fn timeout_of(owner: &Bound<'_, PyAny>) -> PyResult<Timeout> {
    let py = owner.py();
    static GETTIMEOUT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let gettimeout = GETTIMEOUT.get_or_try_init(py, || {
        let class = py
            .import(intern!(py, "_socket"))?
            .getattr(intern!(py, "socket"))?;
        Ok::<_, PyErr>(class.getattr(intern!(py, "gettimeout"))?.unbind())
    })?;
    let socket = owner.call0()?;
    if socket.is_none() {
        return Err(Error::CLOSED.into());
    }
    args::timeout(&gettimeout.bind(py).call1((socket,))?)
}

/// The exceptions of `_ssl` that say that nothing can be moved now. The first of each is raised
/// by `_ssl` itself; asyncio has one after each read, which is why the others are made here.
struct Wanted([PyOnceLock<Py<PyAny>>; 2]);

static WANTED: Wanted = Wanted([const { PyOnceLock::new() }; 2]);

impl Wanted {
    fn raise(&self, py: Python<'_>, direction: Direction) -> Option<PyErr> {
        let known = self.0[direction as usize].get(py)?.bind(py);
        let copy = || -> PyResult<PyErr> {
            let error = known
                .get_type()
                .call1(known.getattr("args")?.cast::<PyTuple>()?)?;
            for name in ["library", "reason"] {
                error.setattr(name, known.getattr(name)?)?;
            }
            Ok(PyErr::from_value(error))
        };
        Some(copy().unwrap_or_else(|error| error))
    }

    /// Keeps what `_ssl` has raised, without the traceback, if it is one of these.
    fn learn(&self, py: Python<'_>, direction: Direction, error: &PyErr) {
        let name = match direction {
            Direction::Read => "SSLWantReadError",
            Direction::Write => "SSLWantWriteError",
        };
        let cell = &self.0[direction as usize];
        let keep = || -> PyResult<()> {
            let class = py.import("_ssl")?.getattr(name)?;
            let value = error.value(py);
            if cell.get(py).is_none() && value.get_type().is(&class) {
                let kept = class.call1(value.getattr("args")?.cast::<PyTuple>()?)?;
                for name in ["library", "reason"] {
                    kept.setattr(name, value.getattr(name)?)?;
                }
                cell.set(py, kept.unbind()).ok();
            }
            Ok(())
        };
        // It is raised all the same, and learned next time.
        keep().ok();
    }
}

#[pymethods]
impl TlsSession {
    /// Read payload; SSL_read_ex(3).
    ///
    /// Args:
    ///     args: the most bytes to return and, optionally, a buffer to read into instead.
    ///
    /// Returns:
    ///     Bytes, or how many of them went into the buffer.
    #[pyo3(signature = (*args))]
    fn read<'py>(&self, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        let size = match args.len() {
            1 | 2 => args::size(&args.get_item(0)?).unwrap_or(-1),
            _ => -1,
        };
        let found = match (args.len(), size) {
            (1, 1..) => self.read_bytes(py, size as usize),
            (2, _) => self.read_into(&args.get_item(1)?, size),
            _ => Ok(None),
        };
        match found? {
            Some(result) => Ok(result),
            None => self.genuinely(py, Direction::Read, intern!(py, "read"), args),
        }
    }

    /// Write at most one record's payload; SSL_write_ex(3).
    ///
    /// Args:
    ///     args: one bytes-like object.
    ///
    /// Returns:
    ///     How many bytes were taken.
    #[pyo3(signature = (*args))]
    fn write<'py>(&self, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        if args.len() == 1 {
            let data = args.get_item(0)?;
            let mut slot = BufferSlot::new();
            if let Ok(data) = slot.readable(&data)
                && data.len() > 0
                && let Some(count) = self.moved(py, Direction::Write, data.region())?
            {
                return Ok(count.into_pyobject(py)?.into_any());
            }
        }
        self.genuinely(py, Direction::Write, intern!(py, "write"), args)
    }

    /// Tell what the engine has done for this session so far, as ``socket.stats`` does.
    ///
    /// Returns:
    ///     A dict.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.channel.counters().of_socket(py)
    }

    /// Return how many bytes of payload have been received and can be read at once.
    fn pending(&self, py: Python<'_>) -> usize {
        let _held = (!self.lock.is_mine()).then(|| self.lock.acquire(py));
        // SAFETY: the lock is held.
        unsafe { self.session.pending() }
    }

    /// Close the descriptor, which the caller has given up; who waits for it ends with ``EBADF``.
    ///
    /// Raises:
    ///     OSError: the system reports an error; the descriptor is closed all the same.
    fn close_descriptor(&self, py: Python<'_>) -> PyResult<()> {
        let fd = self.channel.retire();
        self.channel.wake_users(py);
        fd.map_or(Ok(()), |fd| close_descriptor(py, fd))
    }

    /// Forget the descriptor, which the caller takes over: who waits for it ends with ``EBADF``.
    fn forget_descriptor(&self, py: Python<'_>) {
        self.leave_descriptor();
        self.channel.wake_users(py);
    }

    fn __getattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let value = slf.get().genuine.bind(py).getattr(name)?;
        if !value.is_callable() {
            return Ok(value);
        }
        let method = Delegated {
            session: slf.clone().unbind(),
            name: name.clone().unbind(),
        };
        Ok(Bound::new(py, method)?.into_any())
    }

    fn __setattr__(&self, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        let _held = (!self.lock.is_mine()).then(|| self.lock.acquire(py));
        self.genuine.bind(py).setattr(name, value)
    }

    fn __delattr__(&self, name: &Bound<'_, PyString>) -> PyResult<()> {
        self.genuine.bind(name.py()).delattr(name)
    }

    fn __dir__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.genuine.bind(py).call_method0(intern!(py, "__dir__"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        visit.call(&self.genuine)
    }
}

impl TlsSession {
    fn read_bytes<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        with_scratch(size.min(SCRATCH), |scratch| {
            let Some(count) = self.moved(py, Direction::Read, scratch)? else {
                return Ok(None);
            };
            Ok(Some(bytes_of(py, scratch, count)?.into_any()))
        })
    }

    /// As `_ssl` has it, a size that is no size means the whole buffer.
    fn read_into<'py>(
        &self,
        buffer: &Bound<'py, PyAny>,
        size: isize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = buffer.py();
        let mut slot = BufferSlot::new();
        let Ok(buffer) = slot.writable(buffer) else {
            return Ok(None);
        };
        let len = match usize::try_from(size) {
            Ok(size) if (1..=buffer.len()).contains(&size) => size,
            _ => buffer.len(),
        };
        if len == 0 {
            return Ok(None);
        }
        let Some(count) = self.moved(py, Direction::Read, buffer.region().first(len))? else {
            return Ok(None);
        };
        Ok(Some(count.into_pyobject(py)?.into_any()))
    }

    /// Leaves the descriptor to the owner.
    fn leave_descriptor(&self) {
        self.channel.take().map(IntoRawFd::into_raw_fd);
    }

    /// A read or write by `_ssl` itself.
    fn genuinely<'py>(
        &self,
        py: Python<'py>,
        direction: Direction,
        name: &Bound<'py, PyString>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.delegate(py, name, args, None)
            .inspect_err(|error| WANTED.learn(py, direction, error))
    }
}

impl Drop for TlsSession {
    fn drop(&mut self) {
        self.leave_descriptor();
    }
}

/// A method of `_ssl`'s object, called with nobody else inside the session.
#[pyclass(frozen, module = "oxisock._socket", name = "TLSMethod")]
struct Delegated {
    session: Py<TlsSession>,
    name: Py<PyString>,
}

#[pymethods]
impl Delegated {
    #[pyo3(signature = (*args, **keywords))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        self.session
            .get()
            .delegate(py, self.name.bind(py), args, keywords)
    }
}
