//! An object in the place of `_ssl`'s session object: the same methods, of which reading and
//! writing go through the engine. Whatever is rare, an error or the end of the session among it,
//! is left to `_ssl` by making the same call there.

use pyo3::exceptions::{PyBufferError, PyOverflowError, PyTimeoutError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyWeakrefReference};

use super::lock::SessionLock;
use super::owner::{is_socket, timeout_of};
use super::wanted::WANTED;
use super::{members, proof};
use crate::engine::{
    Attempt, AttemptMode, Channel, Counted, Interest, Operation, Plan, detached, drive,
};
use crate::python::args;
use crate::python::buffer::BufferSlot;
use crate::python::bytes::{BytesBuilder, bytes_of, with_scratch};
use crate::python::error::{Error, exception};
use crate::python::make::{self, Made, Make};
use crate::python::method::{
    Arguments, Fast, Inherited, discard, generally, one_argument, positional,
};
use crate::python::plain::Plain;
use crate::socket::close_descriptor;
use crate::sys::descriptor::Named;
use crate::sys::moved::Moved;
use crate::sys::openssl::{Session, Transport};
use crate::sys::{self, BorrowedFd, Errno, IntoRawFd, RawFd, Region, Timeout};

/// The most payload that a record has, RFC 8446, 5.1, and that a read brings.
const RECORD: usize = 16 * 1024;

/// A byte that is encrypted or decrypted takes as long as that many that are only copied.
const COST: usize = 2;

/// On memory, where nothing is copied to or from the system, so much is written with the interpreter
/// lock kept: encrypting it takes as long as to ask for the lock again. A read brings less.
const LARGE_IN_MEMORY: usize = 64 * 1024;

/// Reads that are expected to bring as many bytes go into memory of their own at once, as those
/// of plain sockets.
const LARGE: usize = 1024;

/// Reading or writing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
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
    link: Option<(Py<PyWeakrefReference>, Transport)>,
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
    owner: Option<Bound<'py, PyWeakrefReference>>,
    fd: Plain<RawFd>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, fd) = (session.py(), fd.0);
    let Some(found) = proof::find(session, fd)? else {
        return Ok(session.clone());
    };
    members::complete(&session.get_type())?;
    let channel = Channel::new();
    let link = match owner {
        None => None,
        Some(owner) => {
            match owner.upgrade() {
                Some(socket) if is_socket(&socket)? => {}
                _ => return Ok(session.clone()),
            }
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
    Ok(pyo3::object(py, made)?.into_any())
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

    /// Whether there is a result that the socket knows nothing of.
    ///
    /// # Safety
    /// This thread holds the session's lock.
    unsafe fn answers(&self) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            let news = |(_, transport): &(_, Transport)| transport.has_news();
            self.session.answers() || self.link.as_ref().is_some_and(news)
        }
    }

    /// Whether a part of a record has moved since this was asked last.
    ///
    /// # Safety
    /// This thread holds the session's lock.
    unsafe fn take_progress(&self) -> bool {
        let moved = |(_, transport): &(_, Transport)| {
            // SAFETY: the caller's promise.
            unsafe { transport.take_progress() }
        };
        self.link.as_ref().is_some_and(moved)
    }

    /// Moves data through a session on a socket; None where `_ssl` has to make the call.
    fn transfer(
        &self,
        py: Python<'_>,
        direction: Direction,
        region: Region<'_>,
        owner: &Py<PyWeakrefReference>,
    ) -> PyResult<Option<usize>> {
        self.channel.follow_timeout(timeout_of(owner.bind(py))?);
        let interest = direction.interest();
        let size = match direction {
            Direction::Read => self.channel.expected().clamp(1, RECORD).min(region.len()),
            Direction::Write => region.len(),
        };
        let answers = match self.lock.try_acquire() {
            // SAFETY: the lock is held.
            Some(_held) => unsafe { self.answers() },
            None => true,
        };
        let mut occupied = false;
        loop {
            // What occupies the session must be waited for without the interpreter lock.
            let plan = Plan {
                operation: match direction {
                    Direction::Read => Operation::Receive,
                    Direction::Write => Operation::Send,
                },
                interest,
                size: if occupied { usize::MAX } else { COST * size },
                tries: true,
                polls: interest == Interest::Read,
                answers,
            };
            let result = drive(py, &self.channel, plan, |fd, mode| {
                self.attempt(direction, region, fd, mode, occupied)
            });
            return match result {
                Ok(Step::Moved(count)) => {
                    if direction == Direction::Read {
                        self.channel.received(count);
                    }
                    Ok(Some(count))
                }
                Ok(Step::Delegate) => Ok(None),
                // By a call of this thread, of which a callback came back to the session.
                Ok(Step::Occupied) if self.lock.is_mine() => Ok(None),
                Ok(Step::Occupied) => {
                    occupied = true;
                    continue;
                }
                // It began in non-blocking mode, whatever the socket is in by now.
                Err(Error::Os(Errno::AGAIN)) => WANTED.raise(py, direction).map_or(Ok(None), Err),
                Err(Error::TimedOut) => Err(exception::<PyTimeoutError>(direction.timed_out())),
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
            let (moved, progressed) = unsafe {
                let moved = self.step(direction, region);
                (moved, self.take_progress())
            };
            drop(held);
            match (direction, moved) {
                (_, Moved::Bytes(count)) => return Attempt::Done(Step::Moved(count)),
                (Direction::Read, Moved::WantRead) | (Direction::Write, Moved::WantWrite) => {}
                _ => return Attempt::Done(Step::Delegate),
            }
            match mode {
                AttemptMode::Block => {}
                // A part of a record: the rest is on its way.
                AttemptMode::Ready if progressed => return Attempt::Progressed,
                AttemptMode::Try | AttemptMode::Ready => return Attempt::WouldBlock,
            }
            if let Err(errno) = sys::io::poll(fd, direction.interest(), Timeout::NONE) {
                return sys::Result::<Step>::Err(errno).into();
            }
        }
    }

    /// Moves data through a session on memory, which never waits. What is large gives the lock up.
    fn transfer_in_memory(
        &self,
        py: Python<'_>,
        direction: Direction,
        region: Region<'_>,
    ) -> PyResult<Option<usize>> {
        let held = match self.lock.try_acquire() {
            Some(held) => held,
            None if self.lock.is_mine() => return Ok(None),
            None => self.lock.acquire(py),
        };
        // SAFETY: the lock is held.
        let step = || unsafe { self.step(direction, region) };
        let moved = if direction == Direction::Write && region.len() > LARGE_IN_MEMORY {
            detached(py, step)
        } else {
            step()
        };
        drop(held);
        match moved {
            Moved::Bytes(count) => {
                if direction == Direction::Read {
                    self.channel.received(count);
                }
                Ok(Some(count))
            }
            Moved::WantRead if direction == Direction::Read => {
                WANTED.raise(py, direction).map_or(Ok(None), Err)
            }
            _ => Ok(None),
        }
    }

    #[inline]
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

    /// The object of `_ssl`.
    pub(super) fn genuine<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.genuine.bind(py)
    }

    /// Does something with the object of `_ssl` that waits for nothing, with nobody else inside
    /// the session.
    pub(super) fn alone<T>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>,
    ) -> PyResult<T> {
        let _held = (!self.lock.is_mine()).then(|| self.lock.acquire(py));
        run(self.genuine.bind(py))
    }

    /// Makes a call of `_ssl`'s object, with nobody else inside the session.
    pub(super) fn delegate<'py>(
        &self,
        py: Python<'py>,
        call: impl Fn(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = || call(self.genuine.bind(py));
        if self.lock.is_mine() {
            return call();
        }
        let _held = self.lock.acquire(py);
        let Some((_, transport)) = &self.link else {
            return call();
        };
        // SAFETY: the lock is held.
        unsafe { transport.set_may_block(true) };
        // The descriptor stays open meanwhile, and closing it ends the call. Without one the
        // transport refuses, and what needs none is answered.
        let Ok(file) = self.channel.enter() else {
            return call();
        };
        file.detached(|_| call()).unwrap_or_else(call)
    }
}

impl Inherited for TlsSession {
    const FAST: &'static [Fast] = &[
        positional!(TlsSession, read, TlsSession::read_entry),
        one_argument!(TlsSession, write, TlsSession::write_entry),
    ];
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
        // Right for all arguments. The usual ones have their own way, `read_fast`.
        let py = args.py();
        self.genuinely(py, Direction::Read, intern!(py, "read"), args)
    }

    /// Write payload, all of it; SSL_write_ex(3).
    ///
    /// Args:
    ///     args: one bytes-like object.
    ///
    /// Returns:
    ///     How many bytes that were.
    #[pyo3(signature = (*args))]
    fn write<'py>(&self, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        self.genuinely(py, Direction::Write, intern!(py, "write"), args)
    }

    /// Perform the handshake; SSL_do_handshake(3).
    fn do_handshake<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // Of every connection: it is spared the way of the attributes that are rarer.
        self.delegate(py, |genuine| {
            genuine.call_method0(intern!(py, "do_handshake"))
        })
    }

    /// Tell what the engine has done for this session so far, as ``socket.stats`` does.
    ///
    /// Returns:
    ///     A dict.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.channel.counters().of_socket(py)
    }

    /// Return how many bytes of payload have been received and can be read at once.
    fn pending(&self, py: Python<'_>) -> Made<usize> {
        let _held = (!self.lock.is_mine()).then(|| self.lock.acquire(py));
        // SAFETY: the lock is held.
        Made(unsafe { self.session.pending() })
    }

    /// Close the descriptor, which the caller has given up; who waits for it ends with ``EBADF``.
    ///
    /// Raises:
    ///     OSError: the system reports an error; the descriptor is closed all the same.
    fn close_descriptor(&self, py: Python<'_>) -> PyResult<()> {
        self.close_transport();
        let fd = self.channel.retire();
        self.channel.wake_users(py);
        fd.map_or(Ok(()), |fd| close_descriptor(py, fd))
    }

    /// Forget the descriptor, which the caller takes over: who waits for it ends with ``EBADF``.
    fn forget_descriptor(&self, py: Python<'_>) {
        self.close_transport();
        self.leave_descriptor();
        self.channel.end_users(py);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        visit.call(&self.genuine)
    }
}

impl TlsSession {
    fn read_entry<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Arguments<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().read_fast(arguments)
    }

    fn write_entry<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().write_fast(data)
    }

    /// [`TlsSession::read`] of what the engine can carry.
    fn read_fast<'py>(&self, arguments: &Arguments<'py>) -> PyResult<Bound<'py, PyAny>> {
        let py = arguments.py();
        let size = match arguments.get(0).map(|size| args::size(&size)) {
            Some(Ok(size)) => Some(size),
            Some(Err(error)) => {
                refused(py, error)?;
                None
            }
            None => None,
        };
        let found = match (arguments.len(), size) {
            (1, Some(size @ 1..)) => self.read_bytes(py, size as usize)?,
            (2, Some(size)) => match arguments.get(1) {
                Some(buffer) => self.read_into(&buffer, size)?,
                None => None,
            },
            _ => None,
        };
        match found {
            Some(result) => Ok(result),
            None => Ok(arguments
                .generally(|arguments| self.read(arguments).map(Bound::unbind))?
                .into_bound(py)),
        }
    }

    /// [`TlsSession::write`] of what the engine can carry.
    fn write_fast<'py>(&self, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = data.py();
        let mut slot = BufferSlot::new();
        match slot.readable(data) {
            Ok(data) if data.len() > 0 => {
                if let Some(count) = self.moved(py, Direction::Write, data.region())? {
                    return count.make(py);
                }
            }
            Ok(_) => {}
            Err(error) => refused(py, error)?,
        }
        let written = generally(py, |py| {
            self.write(&make::tuple!(py, data)?).map(Bound::unbind)
        })?;
        Ok(written.into_bound(py))
    }

    fn read_bytes<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let size = size.min(RECORD);
        if self.channel.expected() < LARGE {
            return with_scratch(size, |scratch| {
                let Some(count) = self.moved(py, Direction::Read, scratch)? else {
                    return Ok(None);
                };
                Ok(Some(bytes_of(py, scratch, count)?.into_any()))
            });
        }
        let builder = BytesBuilder::new(py, size)?;
        let Some(count) = self.moved(py, Direction::Read, builder.region())? else {
            return Ok(None);
        };
        Ok(Some(builder.finish(count)?.into_any()))
    }

    /// As `_ssl` has it, a size that is no size means the whole buffer.
    fn read_into<'py>(
        &self,
        buffer: &Bound<'py, PyAny>,
        size: isize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = buffer.py();
        let mut slot = BufferSlot::new();
        let buffer = match slot.writable(buffer, "read() argument 2") {
            Ok(buffer) => buffer,
            Err(error) => {
                refused(py, error)?;
                return Ok(None);
            }
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
        Ok(Some(count.make(py)?))
    }

    /// Ends what waits inside of `_ssl` once it is woken, which would go on with the number.
    fn close_transport(&self) {
        if let Some((_, transport)) = &self.link {
            // SAFETY: this object keeps the session alive.
            unsafe { transport.close() };
        }
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
        self.delegate(py, |genuine| genuine.call_method1(name, args))
            .inspect_err(|error| WANTED.learn(py, direction, error))
    }
}

impl Drop for TlsSession {
    fn drop(&mut self) {
        self.leave_descriptor();
    }
}

/// What becomes of an argument's error: `_ssl` refuses the argument in its own words. What code of
/// the caller has raised is the caller's, and that code may not raise a second time.
#[cold]
fn refused(py: Python<'_>, error: PyErr) -> PyResult<()> {
    let ours = [
        error.get_type(py).is(py.get_type::<PyTypeError>()),
        error.get_type(py).is(py.get_type::<PyOverflowError>()),
        error.get_type(py).is(py.get_type::<PyBufferError>()),
    ];
    if !ours.contains(&true) {
        return Err(error);
    }
    discard(py, error);
    Ok(())
}
