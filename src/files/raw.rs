//! The methods of ``SocketIO``.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::held::Held;
use super::reader::{as_limit, gather, line};
use super::source::{Received, Source, copy, receive, receive_into, unsupported};
use super::state_of;
use crate::python::args::Size;
use crate::python::buffer::BufferSlot;
use crate::python::method::{Fast, Inherited, no_arguments};
use crate::socket;

/// How much a read without a size asks for at a time.
const STEP: usize = 1 << 16;

/// What ``SocketIO`` inherits.
#[pyclass(frozen, subclass, module = "oxisock._socket")]
pub(crate) struct RawMethods;

impl Inherited for RawMethods {
    /// What io calls while a buffer is made and closed on top of a stream.
    const FAST: &'static [Fast] = &[
        no_arguments!(RawMethods, readable, RawMethods::readable),
        no_arguments!(RawMethods, flush, |slf| {
            RawMethods::flush(slf).map(|()| slf.py().None())
        }),
        no_arguments!(RawMethods, tell, RawMethods::tell),
        no_arguments!(RawMethods, close, |slf| {
            RawMethods::close(slf).map(|()| slf.py().None())
        }),
    ];
}

fn source<'py>(raw: &Bound<'py, RawMethods>) -> PyResult<Bound<'py, Source>> {
    state_of(raw.as_any())
}

/// The source of a stream that is open, and for reading.
fn readable<'py>(raw: &Bound<'py, RawMethods>) -> PyResult<Bound<'py, Source>> {
    let source = source(raw)?;
    source.get().readable(raw.py())?;
    Ok(source)
}

/// One byte at a time, as nothing may be taken from the socket that is not asked for.
fn fill(source: &Source, py: Python<'_>, held: &mut Held) -> PyResult<Received> {
    match source.fill(py, held, 1)? {
        Received::Nothing => Err(PyOSError::new_err(
            "read() should have returned a bytes object, not 'NoneType'",
        )),
        received => Ok(received),
    }
}

#[pymethods]
impl RawMethods {
    /// Receive into a buffer.
    ///
    /// Args:
    ///     buffer: any writable bytes-like object.
    ///
    /// Returns:
    ///     The number of bytes, 0 at the end of the stream; None if the socket is non-blocking
    ///     and has nothing.
    ///
    /// Raises:
    ///     TimeoutError: the socket's timeout has expired; reading can go on.
    ///     OSError: as for recv().
    #[pyo3(signature = (buffer, /))]
    fn readinto<'py>(
        slf: &Bound<'py, Self>,
        buffer: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let source = source(slf)?;
        let source = source.get();
        let sock = source.readable(py)?;
        let plain = socket::plain(&sock);
        let mut held = source.held.take(slf)?;
        if plain.is_none() && held.is_empty() {
            return Ok(Some(receive_into(&sock, buffer)?));
        }
        let mut slot = BufferSlot::new();
        let room = slot.writable(buffer, "recv_into() argument 1")?;
        let count = match plain {
            Some(plain) if held.is_empty() && room.len() > 0 => {
                match receive(plain, py, room.region())? {
                    Received::Bytes(count) => count,
                    Received::End => 0,
                    Received::Nothing => return Ok(None),
                }
            }
            _ => copy(&mut held, room.region()),
        };
        Ok(Some(count.into_pyobject(py)?.into_any()))
    }

    /// Receive until the end of the stream; None if a non-blocking socket has nothing.
    fn readall<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let (py, source) = (slf.py(), readable(slf)?);
        let source = source.get();
        let mut held = source.held.take(slf)?;
        loop {
            match source.fill(py, &mut held, STEP)? {
                Received::Bytes(_) => {}
                Received::Nothing if held.is_empty() => return Ok(None),
                _ => break,
            }
        }
        held.take(usize::MAX, |bytes| Ok(Some(PyBytes::new(py, bytes))))
    }

    /// Receive up to and with the next line feed, and not a byte more; at most ``size`` bytes.
    #[pyo3(signature = (size = Some(Size(-1)), /), text_signature = "($self, size=-1, /)")]
    fn readline<'py>(slf: &Bound<'py, Self>, size: Option<Size>) -> PyResult<Bound<'py, PyBytes>> {
        let (py, source) = (slf.py(), readable(slf)?);
        let source = source.get();
        let mut held = source.held.take(slf)?;
        line(py, &mut held, as_limit(size), |held| fill(source, py, held))
    }

    /// Receive all lines until the end of the stream, or until they make up ``hint`` bytes.
    #[pyo3(signature = (hint = Some(Size(-1)), /), text_signature = "($self, hint=-1, /)")]
    fn readlines<'py>(slf: &Bound<'py, Self>, hint: Option<Size>) -> PyResult<Bound<'py, PyList>> {
        let (py, source) = (slf.py(), readable(slf)?);
        let source = source.get();
        let mut held = source.held.take(slf)?;
        gather(py, &mut held, hint, |held| fill(source, py, held))
    }

    /// Tell whether the mode is one for reading.
    fn readable(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let source = source(slf)?;
        check_open(source.get(), "I/O operation on closed socket.")?;
        Ok(source.get().reads())
    }

    /// Do nothing: this stream holds nothing back.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        check_open(source(slf)?.get(), "I/O operation on closed file.")
    }

    /// Raise UnsupportedOperation: a stream has no position.
    fn tell(slf: &Bound<'_, Self>) -> PyResult<u64> {
        // The buffers of io ask for the position when they are made, and drop the exception;
        // making that one would take longer than making the buffer.
        let source = source(slf)?;
        if source.get().is_opening() {
            return Ok(0);
        }
        check_open(source.get(), "I/O operation on closed file.")?;
        Err(unsupported(slf.py(), "seek"))
    }

    /// Give up the hold on the socket.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let sock = source(slf)?.get().close(py);
        if let Some(sock) = sock {
            // io asks for it on every call, and an attribute of that kind is fastest.
            slf.setattr(intern!(py, "closed"), true)?;
            sock.call_method0(intern!(py, "_decref_socketios"))?;
        }
        Ok(())
    }
}

fn check_open(source: &Source, message: &'static str) -> PyResult<()> {
    match source.is_closed() {
        false => Ok(()),
        true => Err(PyValueError::new_err(message)),
    }
}
