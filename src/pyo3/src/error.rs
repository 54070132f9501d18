//! Errors that are there, or MemoryError in their place, before anybody raises them.

use std::convert::Infallible;
use std::ffi::CString;
use std::fmt::Write;

use original::exceptions::PyTypeError;
use original::prelude::*;
use original::{CastError, PyTypeInfo, ffi};

/// What a conversion says that refuses an argument. PyO3's own conversions of numbers, truth values
/// and text have a `PyErr` here, which may be one that is made late: they do not compile.
pub trait Refusal {
    fn into_error(self, py: Python<'_>) -> PyErr;
}

/// An error that was raised and taken, or is made so that it is there: nothing is made late.
pub struct Raised(PyErr);

impl From<PyErr> for Raised {
    fn from(error: PyErr) -> Self {
        Raised(error)
    }
}

impl From<Raised> for PyErr {
    fn from(raised: Raised) -> Self {
        raised.0
    }
}

impl Refusal for Raised {
    fn into_error(self, _: Python<'_>) -> PyErr {
        self.0
    }
}

impl Refusal for Infallible {
    fn into_error(self, _: Python<'_>) -> PyErr {
        match self {}
    }
}

impl Refusal for CastError<'_, '_> {
    fn into_error(self, py: Python<'_>) -> PyErr {
        let mut text = String::new();
        match write!(text, "{self}") {
            Ok(()) => type_error(py, text),
            // The name of the class could not be had.
            Err(_) => no_memory(py),
        }
    }
}

/// A TypeError with that text.
#[cold]
pub(crate) fn type_error(py: Python<'_>, text: String) -> PyErr {
    let Ok(text) = CString::new(text) else {
        return no_memory(py);
    };
    // SAFETY: attached; class and text are alive, and what is set is taken at once.
    unsafe { ffi::PyErr_SetString(PyTypeError::type_object_raw(py).cast(), text.as_ptr()) };
    PyErr::fetch(py)
}

/// The TypeError for an argument of a name that a function does not have.
#[cold]
pub(crate) fn unexpected(function: &str, name: &Bound<'_, PyAny>) -> PyErr {
    let py = name.py();
    let Ok(function) = CString::new(function) else {
        return no_memory(py);
    };
    let format = c"%s got an unexpected keyword argument '%S'";
    let class = PyTypeError::type_object_raw(py);
    // SAFETY: attached; all are alive, and the format has a place for each.
    unsafe {
        ffi::PyErr_Format(
            class.cast(),
            format.as_ptr(),
            function.as_ptr(),
            name.as_ptr(),
        )
    };
    PyErr::fetch(py)
}

#[cold]
fn no_memory(py: Python<'_>) -> PyErr {
    // SAFETY: attached; what is set is taken at once.
    unsafe { ffi::PyErr_NoMemory() };
    PyErr::fetch(py)
}

/// Notes on an error which argument it is about (PEP 678). An error without that note is nothing to
/// fail for.
#[cold]
pub(crate) fn about(py: Python<'_>, argument: &str, error: PyErr) -> PyErr {
    let Ok(note) = CString::new(format!("while processing '{argument}'")) else {
        return error;
    };
    // SAFETY: attached; all texts are terminated, the error is alive, and the results are new
    // references or come with an exception, which is put aside.
    unsafe {
        let (name, format) = (c"add_note".as_ptr(), c"s".as_ptr());
        let added = ffi::PyObject_CallMethod(error.value(py).as_ptr(), name, format, note.as_ptr());
        if added.is_null() {
            ffi::PyErr_Clear();
        } else {
            ffi::Py_DECREF(added);
        }
    }
    error
}
