//! The methods of ``SocketIO``.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::reading::as_limit;
use super::state::{FileState, Received, receive, receive_into, unsupported};
use super::state_of;
use crate::python::args::Size;
use crate::python::buffer::BufferSlot;
use crate::python::make;
use crate::python::method::{Fast, Inherited, no_arguments};
use crate::socket::{self, Socket};

/// What ``SocketIO`` inherits.
#[pyclass(frozen, subclass, module = "oxisock._socket")]
pub(crate) struct RawMethods;

impl Inherited for RawMethods {
    /// What io calls while a buffer is made and closed on top of a stream.
    const FAST: &'static [Fast] = &[
        no_arguments!(RawMethods, readable, RawMethods::readable),
        no_arguments!(RawMethods, writable, RawMethods::writable),
        no_arguments!(RawMethods, seekable, RawMethods::seekable),
        no_arguments!(RawMethods, flush, RawMethods::flush),
        no_arguments!(RawMethods, tell, RawMethods::tell),
        no_arguments!(RawMethods, close, RawMethods::close),
    ];
}

#[inline]
fn state<'py>(raw: &Bound<'py, RawMethods>) -> PyResult<Bound<'py, FileState>> {
    state_of(raw.as_any())
}

/// The state of a stream that is open.
fn opened<'py>(
    raw: &Bound<'py, RawMethods>,
    message: &'static str,
) -> PyResult<Bound<'py, FileState>> {
    let state = state(raw)?;
    state.get().check_open(|| message.to_owned())?;
    Ok(state)
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
        let state = state(slf)?;
        let state = state.get();
        let sock = state.readable(py)?;
        let plain = socket::plain(&sock);
        let mut held = state.raw().take(slf)?;
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
            _ => held.copy(room.region()),
        };
        Ok(Some(make::Make::make(count, py)?))
    }

    /// Receive until the end of the stream; None if a non-blocking socket has nothing.
    fn readall<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        state(slf)?.get().read_raw(slf)?.all()
    }

    /// Receive up to and with the next line feed, and not a byte more; at most ``size`` bytes.
    #[pyo3(signature = (size = Some(Size(-1)), /), text_signature = "($self, size=-1, /)")]
    fn readline<'py>(slf: &Bound<'py, Self>, size: Option<Size>) -> PyResult<Bound<'py, PyBytes>> {
        let limit = as_limit(size);
        // That is nothing, as in `io`, whatever the mode is.
        if limit == Some(0) {
            return make::bytes(slf.py(), &[]);
        }
        state(slf)?.get().read_raw(slf)?.line(limit)
    }

    /// Receive all lines until the end of the stream, or until they make up ``hint`` bytes.
    #[pyo3(signature = (hint = Some(Size(-1)), /), text_signature = "($self, hint=-1, /)")]
    fn readlines<'py>(slf: &Bound<'py, Self>, hint: Option<Size>) -> PyResult<Bound<'py, PyList>> {
        state(slf)?.get().read_raw(slf)?.lines(hint)
    }

    /// Tell whether the mode is one for reading.
    fn readable(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let state = opened(slf, "I/O operation on closed socket.")?;
        Ok(state.get().reads())
    }

    /// Tell whether the mode is one for writing.
    fn writable(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let state = opened(slf, "I/O operation on closed socket.")?;
        Ok(state.get().writes())
    }

    /// Return False: what a socket received does not come again.
    fn seekable(slf: &Bound<'_, Self>) -> PyResult<bool> {
        opened(slf, "I/O operation on closed socket.").map(|_| false)
    }

    /// Do nothing: this stream holds nothing back.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        opened(slf, "I/O operation on closed file.").map(drop)
    }

    /// Raise UnsupportedOperation: a stream has no position.
    fn tell(slf: &Bound<'_, Self>) -> PyResult<u64> {
        // The buffers of io ask for the position when they are made, and drop the exception;
        // making that one would take longer than making the buffer.
        match state(slf)?.get().asked_by_new_buffer() {
            true => Ok(0),
            false => Err(unsupported(slf.py(), "seek")),
        }
    }

    /// Give up the hold on the socket.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        if let Some(sock) = state(slf)?.get().close(py) {
            // io asks for it on every call, and an attribute of that kind is fastest.
            slf.setattr(intern!(py, "closed"), true)?;
            match socket::plain(&sock) {
                Some(_) => Socket::_decref_socketios(sock.cast()?)?,
                None => drop(sock.call_method0(intern!(py, "_decref_socketios"))?),
            }
        }
        Ok(())
    }
}
