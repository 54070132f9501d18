//! Where the bytes of a file come from: what a `SocketIO` knows of its socket.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyBlockingIOError, PyInterruptedError, PyOSError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyMemoryView, PyString};

use super::held::Held;
use super::reader::Reader;
use super::turn::Turn;
use crate::python::args::{self, Size};
use crate::python::error::Error;
use crate::python::method::discard;
use crate::python::thread::protect;
use crate::socket::{self, Socket};
use crate::sys::Region;

/// The state of a ``SocketIO``.
#[pyclass(frozen, module = "oxisock._socket")]
pub(crate) struct Source {
    sock: Mutex<Option<Py<PyAny>>>,
    mode: Py<PyString>,
    reads: bool,
    writes: bool,
    closed: AtomicBool,
    /// Whether a buffer is being made on top.
    opening: AtomicBool,
    /// What reads of the ``SocketIO`` itself have received before they were interrupted.
    pub(super) held: Turn<Held>,
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

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    fn over(sock: &Bound<'_, PyAny>, mode: &Bound<'_, PyString>, opening: bool) -> PyResult<Self> {
        let text = mode.to_cow()?;
        Ok(Source {
            sock: Mutex::new(Some(sock.clone().unbind())),
            reads: text.contains('r'),
            writes: text.contains('w'),
            mode: mode.clone().unbind(),
            closed: AtomicBool::new(false),
            opening: AtomicBool::new(opening),
            held: Turn::new(Held::new()),
        })
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    pub(super) fn reads(&self) -> bool {
        self.reads
    }

    pub(super) fn is_opening(&self) -> bool {
        self.opening.load(Relaxed)
    }

    pub(super) fn socket<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let sock = lock(&self.sock);
        sock.as_ref().map(|sock| sock.bind(py).clone())
    }

    /// Gives the socket up, once.
    pub(super) fn close<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        if self.closed.swap(true, Relaxed) {
            return None;
        }
        let sock = lock(&self.sock).take();
        sock.map(|sock| sock.into_bound(py))
    }

    /// The socket to receive from.
    ///
    /// # Errors
    /// The file is closed, or not for reading.
    #[inline]
    pub(super) fn readable<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.socket(py) {
            Some(sock) if self.reads => Ok(sock),
            Some(_) => Err(unsupported(py, "File or stream is not readable.")),
            None => Err(PyValueError::new_err("I/O operation on closed file.")),
        }
    }

    /// Receives once, behind the bytes that are held.
    pub(super) fn fill(&self, py: Python<'_>, held: &mut Held, size: usize) -> PyResult<Received> {
        let sock = self.readable(py)?;
        let result = if let Some(plain) = socket::plain(&sock) {
            let received = receive(plain, py, held.room(size));
            if let Ok(Received::Bytes(count)) = received {
                // SAFETY: the kernel has written so many bytes there.
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
            copy(held, into.first(count));
        }
        Ok(received)
    }
}

/// Moves bytes that are held into a region of at most their number.
pub(super) fn copy(held: &mut Held, into: Region<'_>) -> usize {
    let copied = held.take(into.len(), |bytes| {
        // SAFETY: the region is writable, and no Rust reference to it exists.
        unsafe {
            into.as_ptr()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        Ok::<_, std::convert::Infallible>(bytes.len())
    });
    copied.unwrap_or_default()
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
        _ => Err(PyOSError::new_err(format!(
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
            Err(error) if is(&error, libc::EAGAIN, py) => {
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

fn is(error: &PyErr, errno: i32, py: Python<'_>) -> bool {
    if error.is_instance_of::<PyBlockingIOError>(py) {
        return true;
    }
    error.is_instance_of::<PyOSError>(py)
        && (error.value(py).getattr(intern!(py, "errno")))
            .is_ok_and(|number| number.eq(errno).unwrap_or(false))
}

#[cold]
pub(super) fn unsupported(py: Python<'_>, message: &'static str) -> PyErr {
    let class = py
        .import("io")
        .and_then(|io| io.getattr("UnsupportedOperation"));
    match class.and_then(|class| class.call1((message,))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

#[pymethods]
impl Source {
    /// Make the state of a ``SocketIO``.
    #[new]
    #[pyo3(signature = (sock, mode, /))]
    fn new(sock: &Bound<'_, PyAny>, mode: &Bound<'_, PyString>) -> PyResult<Self> {
        Source::over(sock, mode, false)
    }

    /// Make the state of a buffered reader on top; no buffer is being made any more.
    #[pyo3(signature = (size, /))]
    fn reader<'py>(slf: &Bound<'py, Self>, size: Size) -> PyResult<Bound<'py, Reader>> {
        slf.get().opened();
        Bound::new(slf.py(), Reader::over(slf.clone().unbind(), size))
    }

    /// Note that no buffer is being made on top any more.
    fn opened(&self) {
        self.opening.store(false, Relaxed);
    }

    #[getter]
    fn sock<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.socket(py)
    }

    #[getter]
    fn mode(&self, py: Python<'_>) -> Py<PyString> {
        self.mode.clone_ref(py)
    }

    #[getter]
    fn writes(&self) -> bool {
        self.writes
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(sock) = self.sock.try_lock() {
            visit.call(&*sock)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let sock = lock(&self.sock).take();
        drop(sock);
    }
}

/// Make the state of a ``SocketIO`` for ``makefile``, and count that among the socket's files.
///
/// Args:
///     sock: the socket, or what counts its files in ``_io_refs`` as one.
///     mode: one of rb, wb, rwb.
///     buffered: whether a buffer will be made on top.
#[pyfunction]
#[pyo3(signature = (sock, mode, buffered, /))]
pub(crate) fn open_source<'py>(
    sock: &Bound<'py, PyAny>,
    mode: &Bound<'py, PyString>,
    buffered: bool,
) -> PyResult<Bound<'py, Source>> {
    let py = sock.py();
    match sock.cast::<Socket>() {
        Ok(sock) => sock.get().file_opened(),
        // Programs put `makefile` into classes of their own that count likewise.
        Err(_) => {
            let count = intern!(py, "_io_refs");
            sock.setattr(count, sock.getattr(count)?.add(1)?)?;
        }
    }
    Bound::new(py, Source::over(sock, mode, buffered)?)
}
