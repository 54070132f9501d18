//! The files that `makefile` gives: native state behind the classes of `_files.py`.
//!
//! Each of those classes inherits from one of io, whose place it takes, and from one here, whose
//! methods read. The state that they share, bytes and all, is in the attribute ``_state``.

mod held;
mod raw;
mod reader;
mod source;
mod text;
mod turn;

use pyo3::PyTypeInfo;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

pub(crate) use raw::RawMethods;
pub(crate) use reader::{Reader, ReaderMethods};
pub(crate) use source::{Source, open_source};
pub(crate) use text::{TextMethods, TextReader};

use crate::python::method::{discard, inherit};

/// The native state of a file.
#[inline]
fn state_of<'py, S: PyTypeInfo>(file: &Bound<'py, PyAny>) -> PyResult<Bound<'py, S>> {
    match file.getattr(intern!(file.py(), "_state")) {
        Ok(state) => Ok(state.cast_into::<S>()?),
        Err(error) => {
            discard(file.py(), error);
            Err(PyValueError::new_err(
                "I/O operation on uninitialized object",
            ))
        }
    }
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
    inherit::<ReaderMethods>(reader)?;
    inherit::<ReaderMethods>(pair)?;
    inherit::<TextMethods>(text)
}
