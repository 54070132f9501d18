//! Opening of the files that ``makefile`` gives.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::{BufferMethods, FileState, RawMethods, TextMethods};
use crate::python::args::Size;
use crate::python::method::{blank, inherit};
use crate::socket::Socket;

/// Give the classes of ``_files.py`` their own copies of the native methods.
///
/// Args:
///     raw: SocketIO.
///     reader: BufferedReader.
///     pair: BufferedRWPair.
///     text: TextIOWrapper.
#[pyfunction]
#[pyo3(signature = (raw, reader, pair, text, /))]
pub(crate) fn register_files(
    raw: &Bound<'_, PyType>,
    reader: &Bound<'_, PyType>,
    pair: &Bound<'_, PyType>,
    text: &Bound<'_, PyType>,
) -> PyResult<()> {
    inherit::<RawMethods>(raw)?;
    inherit::<BufferMethods>(reader)?;
    inherit::<BufferMethods>(pair)?;
    inherit::<TextMethods>(text)
}

/// Make the raw stream of a file with its state, and count it among the socket's files.
///
/// It has no ``closed`` yet: an attribute of that kind is set fastest by Python.
///
/// Args:
///     sock: the socket, or what counts its files in ``_io_refs`` as one.
///     raw: SocketIO.
///     mode: one of rb, wb, rwb.
///     size: that of the buffer which is made on top, 0 for none.
#[pyfunction]
#[pyo3(signature = (sock, raw, mode, size, /))]
pub(crate) fn open_raw<'py>(
    sock: &Bound<'py, PyAny>,
    raw: &Bound<'py, PyType>,
    mode: &str,
    size: Size,
) -> PyResult<Bound<'py, PyAny>> {
    let py = sock.py();
    match sock.cast::<Socket>() {
        Ok(sock) => sock.get().file_opened(),
        // Programs put `makefile` into classes of their own that count likewise.
        Err(_) => {
            let count = intern!(py, "_io_refs");
            sock.setattr(count, sock.getattr(count)?.add(1)?)?;
        }
    }
    let size = usize::try_from(size.0).unwrap_or(0);
    let state = Bound::new(py, FileState::over(sock, mode, size))?;
    let raw = blank(raw)?;
    raw.setattr(intern!(py, "_state"), state)?;
    Ok(raw)
}
