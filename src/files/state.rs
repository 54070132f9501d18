//! The state of a file: its socket, and the bytes that were received and not yet given.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::exceptions::{PyBlockingIOError, PyInterruptedError, PyOSError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyMemoryView};

use super::held::Held;
use super::turn::Turn;
use crate::python::args;
use crate::python::error::{Error, exception};
use crate::python::make;
use crate::python::method::discard;
use crate::python::plain::Plain;
use crate::python::thread::protect;
use crate::socket::{self, Socket};
use crate::sys::{Errno, Region};

/// The state of a ``SocketIO``, and of the buffer on top of it.
#[pyclass(frozen, module = "oxisock._socket")]
pub(crate) struct FileState {
    sock: Mutex<Option<Py<PyAny>>>,
    reads: bool,
    writes: bool,
    closed: AtomicBool,
    /// How much the buffer receives at a time.
    size: usize,
    /// How many buffers of io are still to be made on top, each of which asks for the position.
    unpositioned: AtomicU8,
    /// What the buffer has received.
    pub(super) buffered: Turn<Held>,
    detached: AtomicBool,
    /// What reads of the ``SocketIO`` itself have received before they were interrupted; made when
    /// there is first such a read, as few programs read both.
    raw: OnceLock<Box<Turn<Held>>>,
}

/// What one receive has brought.
pub(super) enum Received {
    Bytes(usize),
    End,
    /// Nothing is there, in non-blocking mode.
    Nothing,
}

impl From<usize> for Received {
    fn from(count: usize) -> Self {
        match count {
            0 => Received::End,
            count => Received::Bytes(count),
        }
    }
}

impl FileState {
    /// The state of a file in a mode with an r, a w or both, with a buffer of that size on top, if
    /// it is not 0.
    pub(super) fn over(sock: &Bound<'_, PyAny>, mode: &str, size: usize) -> Self {
        let (reads, writes) = (mode.contains('r'), mode.contains('w'));
        FileState {
            sock: Mutex::new(Some(sock.clone().unbind())),
            reads,
            writes,
            closed: AtomicBool::new(false),
            size: size.max(1),
            unpositioned: AtomicU8::new(match size {
                0 => 0,
                _ => u8::from(reads) + u8::from(writes),
            }),
            buffered: Turn::new(Held::new()),
            detached: AtomicBool::new(false),
            raw: OnceLock::new(),
        }
    }

    /// Whether a buffer asks for the position that is being made.
    pub(super) fn asked_by_new_buffer(&self) -> bool {
        let left = self.unpositioned.load(Relaxed);
        self.unpositioned.store(left.saturating_sub(1), Relaxed);
        left > 0
    }

    /// What reads of the ``SocketIO`` itself have.
    pub(super) fn raw(&self) -> &Turn<Held> {
        self.raw.get_or_init(|| Box::new(Turn::new(Held::new())))
    }

    /// The same, None where it has not been read itself.
    pub(super) fn raw_if_read(&self) -> Option<&Turn<Held>> {
        self.raw.get().map(Box::as_ref)
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    #[inline]
    pub(super) fn check_open(&self, message: impl FnOnce() -> String) -> PyResult<()> {
        match self.closed.load(Relaxed) {
            false => Ok(()),
            true => Err(exception::<PyValueError>(message())),
        }
    }

    /// Whether the file is closed, for what stands on top of the buffer.
    pub(super) fn is_closed(&self) -> PyResult<bool> {
        self.check_attached()?;
        Ok(self.closed.load(Relaxed))
    }

    fn check_attached(&self) -> PyResult<()> {
        match self.detached.load(Relaxed) {
            false => Ok(()),
            true => Err(exception::<PyValueError>("raw stream has been detached")),
        }
    }

    /// Fails where the buffer on top is no more; `method` is named in the message.
    #[inline]
    pub(super) fn check_buffer(&self, method: &str) -> PyResult<()> {
        self.check_attached()?;
        self.check_open(|| format!("{method} of closed file"))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.sock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the socket up, once.
    pub(super) fn close<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let sock = self.lock().take();
        self.closed.store(true, Relaxed);
        sock.map(|sock| sock.into_bound(py))
    }

    /// The socket to receive from.
    ///
    /// # Errors
    /// The file is closed, or not for reading.
    #[inline]
    pub(super) fn readable<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.sock(py) {
            Some(sock) if self.reads => Ok(sock),
            Some(_) => Err(unsupported(py, "File or stream is not readable.")),
            None => Err(exception::<PyValueError>("I/O operation on closed file.")),
        }
    }

    /// Receives once, behind the bytes that are held.
    pub(super) fn fill(&self, py: Python<'_>, held: &mut Held, size: usize) -> PyResult<Received> {
        let sock = self.readable(py)?;
        let result = if let Some(plain) = socket::plain(&sock) {
            let received = receive(plain, py, held.room(size));
            if let Ok(Received::Bytes(count)) = received {
                // SAFETY: the kernel has written that many bytes there.
                unsafe { held.received(count) };
            }
            received
        } else {
            let room = PyByteArray::new_with(py, size, |_| Ok(()))?;
            let received = receive_by_name(&sock, room.as_any());
            if let Ok(Received::Bytes(count)) = received {
                // SAFETY: nothing runs while the bytes are copied.
                held.add(unsafe { &room.as_bytes()[..count.min(room.len())] });
            }
            received
        };
        held.interrupted = result.is_err();
        result
    }

    /// Receives once into memory that is not the file's.
    pub(super) fn receive(
        &self,
        py: Python<'_>,
        into: Region<'_>,
        held: &mut Held,
    ) -> PyResult<Received> {
        let sock = self.readable(py)?;
        if let Some(plain) = socket::plain(&sock) {
            return receive(plain, py, into);
        }
        let received = self.fill(py, held, into.len())?;
        if let Received::Bytes(count) = received {
            held.copy(into.first(count));
        }
        Ok(received)
    }
}

pub(super) fn receive(plain: &Socket, py: Python<'_>, into: Region<'_>) -> PyResult<Received> {
    match plain.receive(py, into, 0) {
        Ok(count) => Ok(count.into()),
        Err(Error::Os(errno)) if errno.is_would_block() => Ok(Received::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Receives by the method of that name into a buffer, which is passed on as a view.
fn receive_by_name(sock: &Bound<'_, PyAny>, room: &Bound<'_, PyAny>) -> PyResult<Received> {
    let len = room.len()?;
    let view = PyMemoryView::from(room)?;
    let count = receive_into(sock, view.as_any())?;
    if count.is_none() {
        return Ok(Received::Nothing);
    }
    let count = args::size(&count)?;
    match usize::try_from(count) {
        Ok(count) if count <= len => Ok(count.into()),
        _ => Err(exception::<PyOSError>(format!(
            "raw readinto() returned invalid length {count} (should have been between 0 and {len})"
        ))),
    }
}

/// Calls ``recv_into``; None where nothing is there, in non-blocking mode.
pub(super) fn receive_into<'py>(
    sock: &Bound<'py, PyAny>,
    buffer: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = sock.py();
    protect();
    loop {
        match sock.call_method1(intern!(py, "recv_into"), (buffer,)) {
            Err(error) if would_block(&error, py) => {
                discard(py, error);
                return Ok(py.None().into_bound(py));
            }
            Err(error) if error.is_instance_of::<PyInterruptedError>(py) => {
                discard(py, error);
                py.check_signals()?;
            }
            result => return result,
        }
    }
}

fn would_block(error: &PyErr, py: Python<'_>) -> bool {
    if error.is_instance_of::<PyBlockingIOError>(py) {
        return true;
    }
    error.is_instance_of::<PyOSError>(py)
        && (error.value(py).getattr(intern!(py, "errno")))
            .is_ok_and(|number| number.eq(Errno::AGAIN.number()).unwrap_or(false))
}

#[cold]
pub(super) fn unsupported(py: Python<'_>, message: &'static str) -> PyErr {
    let class = py
        .import(intern!(py, "io"))
        .and_then(|io| io.getattr(intern!(py, "UnsupportedOperation")));
    match class.and_then(|class| class.call1(make::tuple!(py, message)?)) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

#[pymethods]
impl FileState {
    /// Make the state of a ``SocketIO``.
    #[new]
    #[pyo3(signature = (sock, mode, /))]
    fn new(sock: &Bound<'_, PyAny>, mode: Plain<&str>) -> Self {
        FileState::over(sock, mode.0, 0)
    }

    /// The socket, until the file is closed.
    #[getter]
    fn sock<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.lock().as_ref().map(|sock| sock.bind(py).clone())
    }

    #[getter]
    pub(super) fn reads(&self) -> bool {
        self.reads
    }

    #[getter]
    pub(super) fn writes(&self) -> bool {
        self.writes
    }

    /// Note that the buffer lets go of the raw stream, which gets what an interrupted read has left.
    fn detach(slf: &Bound<'_, Self>) -> PyResult<()> {
        let state = slf.get();
        state.detached.store(true, Relaxed);
        let mut held = state.buffered.take(slf)?;
        if held.interrupted {
            state.raw().take(slf)?.unread(held.bytes());
        }
        held.clear();
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(sock) = self.sock.try_lock() {
            visit.call(&*sock)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let sock = self.lock().take();
        drop(sock);
    }
}
