//! Numbers in the byte order of the network, byteorder(3).
//!
//! These functions do so little that most of a call would go into the way to them. So they
//! do without PyO3's argument parsing: each is a C function of one argument.

use std::ffi::{CStr, c_ulong};

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::ffi::{self, PyMethodDef, PyMethodDefPointer, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyModule};

use crate::args;

/// Defines a function of one argument as an entry of a method table.
macro_rules! function {
    ($name:ident, $convert:expr, $signature:literal, $summary:literal, $arguments:literal) => {{
        unsafe extern "C" fn $name(_: *mut PyObject, number: *mut PyObject) -> *mut PyObject {
            // SAFETY: the interpreter calls this attached, with an argument that is alive.
            unsafe {
                let number = Borrowed::from_ptr(Python::assume_attached(), number);
                returned($convert(&number))
            }
        }
        const DOC: &CStr = match CStr::from_bytes_with_nul(
            concat!(
                stringify!($name),
                $signature,
                "\n--\n\n",
                $summary,
                $arguments,
                "\n\nSource: byteorder(3).\0"
            )
            .as_bytes(),
        ) {
            Ok(doc) => doc,
            Err(_) => panic!("a null character in a docstring"),
        };
        const NAME: &CStr =
            match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("a null character in a name"),
            };
        PyMethodDef {
            ml_name: NAME.as_ptr(),
            ml_meth: PyMethodDefPointer { PyCFunction: $name },
            ml_flags: ffi::METH_O,
            ml_doc: DOC.as_ptr(),
        }
    }};
}

macro_rules! short {
    ($name:ident, $convert:path, $summary:literal) => {
        function!(
            $name,
            |number: &Bound<'_, PyAny>| short(stringify!($name), number).map($convert),
            "($module, x, /)",
            $summary,
            "\n\nArgs:\n    x: the number, 0 to 65535.\n\nRaises:\n    OverflowError: the number is \
             not in its range.\n    TypeError: it is no integer."
        )
    };
}

macro_rules! long {
    ($name:ident, $convert:path, $summary:literal) => {
        function!(
            $name,
            |number: &Bound<'_, PyAny>| long(number).map($convert),
            "($module, object, /)",
            $summary,
            "\n\nArgs:\n    object: the number, an int from 0 to 2**32 - 1.\n\nRaises:\n    \
             OverflowError: the number is not in its range.\n    TypeError: it is no int."
        )
    };
}

/// What the interpreter keeps pointers to, for ever.
struct Functions([PyMethodDef; 5]);

// SAFETY: nobody writes to it.
unsafe impl Sync for Functions {}

static FUNCTIONS: Functions = Functions([
    short!(
        htons,
        u16::to_be,
        "Turns a 16-bit number from the machine's byte order into the network's."
    ),
    short!(
        ntohs,
        u16::from_be,
        "Turns a 16-bit number from the network's byte order into the machine's."
    ),
    long!(
        htonl,
        u32::to_be,
        "Turns a 32-bit number from the machine's byte order into the network's."
    ),
    long!(
        ntohl,
        u32::from_be,
        "Turns a 32-bit number from the network's byte order into the machine's."
    ),
    PyMethodDef::zeroed(),
]);

/// Adds the functions to the module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // SAFETY: the table ends with an empty entry, and the call does not write to it.
    let failed =
        unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), FUNCTIONS.0.as_ptr().cast_mut()) };
    if failed == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(module.py()))
    }
}

#[inline]
fn returned(number: PyResult<impl Into<u32>>) -> *mut PyObject {
    match number {
        // SAFETY: the caller is attached; the call returns a new reference or sets an error.
        Ok(number) => unsafe { ffi::PyLong_FromUnsignedLong(c_ulong::from(number.into())) },
        Err(error) => {
            // PyO3 knows of the way in only where it made it: without this it would put off
            // what the error lets go of until the next call that it knows of.
            Python::attach(|py| error.restore(py));
            std::ptr::null_mut()
        }
    }
}

#[inline]
fn short(function: &str, number: &Bound<'_, PyAny>) -> PyResult<u16> {
    let number = args::int(number)?;
    u16::try_from(number).map_err(|_| {
        PyOverflowError::new_err(if number < 0 {
            format!("{function}: can't convert negative Python int to C 16-bit unsigned integer")
        } else {
            format!("{function}: Python int too large to convert to C 16-bit unsigned integer")
        })
    })
}

#[inline]
fn long(number: &Bound<'_, PyAny>) -> PyResult<u32> {
    let Ok(number) = number.cast::<PyInt>() else {
        let class = number.get_type().name()?;
        return Err(PyTypeError::new_err(format!("expected int, {class} found")));
    };
    u32::try_from(args::unsigned_long(number)?)
        .map_err(|_| PyOverflowError::new_err("int larger than 32 bits"))
}
