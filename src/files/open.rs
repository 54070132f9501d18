//! Opening of the files that ``makefile`` gives.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::{BufferMethods, FileState, RawMethods, TextMethods};
use crate::python::args::{self, Size};
use crate::python::method::{Arguments, Fast, blank, function, inherit};
use crate::python::plain::Plain;
use crate::socket::Socket;

pub(crate) const FAST: [Fast; 1] = [function!(open_raw, positional open_raw_fast)];

fn open_raw_fast<'py>(arguments: &Arguments<'py>) -> PyResult<Bound<'py, PyAny>> {
    let [sock, raw, mode, size] = arguments.exactly("open_raw")?;
    let (raw, mode) = (raw.cast::<PyType>()?, mode.cast::<PyString>()?);
    open_raw(&sock, &raw, Plain(mode.to_str()?), Size(args::size(&size)?))
}

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
/// It has no ``closed`` yet: an attribute of that kind is set fastest by Python. It has its state, so that
/// it is closed and counted out again where a signal handler raises before Python has it.
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
    mode: Plain<&str>,
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
    let state = pyo3::object(py, FileState::over(sock, mode.0, size))?;
    let raw = blank(raw)?;
    raw.setattr(intern!(py, "_state"), state)?;
    Ok(raw)
}
