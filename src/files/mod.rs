//! The files that `makefile` gives: native state behind the classes of `_files.py`.
//!
//! Each of those classes inherits from one of io, whose place it takes, and from one here, whose
//! methods read. The raw stream and the buffer on top share one [`FileState`], in their attribute
//! ``_state``; a file of text has its decoded text in another.

mod buffered;
mod held;
mod open;
mod raw;
mod reading;
mod state;
mod text;
mod turn;

use pyo3::PyTypeInfo;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

pub(crate) use buffered::BufferMethods;
pub(crate) use open::{FAST, open_raw, register_files};
pub(crate) use raw::RawMethods;
pub(crate) use state::FileState;
pub(crate) use text::{TextMethods, TextReader};

use crate::python::error::exception;
use crate::python::method::discard;

/// The native state of a file.
#[inline]
fn state_of<'py, S: PyTypeInfo>(file: &Bound<'py, PyAny>) -> PyResult<Bound<'py, S>> {
    match file.getattr(intern!(file.py(), "_state")) {
        Ok(state) => Ok(state.cast_into::<S>()?),
        Err(error) => {
            discard(file.py(), error);
            Err(exception::<PyValueError>(
                "I/O operation on uninitialized object",
            ))
        }
    }
}
