//! Numbers in the byte order of the network, byteorder(3).

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::ffi::PyMethodDef;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::python::args;
use crate::python::method::{Fixed, Functions, function};

macro_rules! short {
    ($name:ident, $convert:path, $summary:literal) => {
        function!(
            (x) $name,
            |number: &Bound<'_, PyAny>| short(stringify!($name), number).map($convert),
            concat!(
                $summary,
                "\n\nArgs:\n    x: the number, 0 to 65535.\n\nRaises:\n    OverflowError: the number \
                 is not in its range.\n    TypeError: it is no integer."
            )
        )
    };
}

macro_rules! long {
    ($name:ident, $convert:path, $summary:literal) => {
        function!(
            (object) $name,
            // Of 64 bits: the interpreter's way from there to an int is the shorter one.
            |number: &Bound<'_, PyAny>| long(number).map($convert).map(u64::from),
            concat!(
                $summary,
                "\n\nArgs:\n    object: the number, an int from 0 to 2**32 - 1.\n\nRaises:\n    \
                 OverflowError: the number is not in its range.\n    TypeError: it is no int.\n\n\
                 Source: byteorder(3)."
            )
        )
    };
}

pub(crate) static FUNCTIONS: Functions<5> = Fixed([
    short!(
        htons,
        u16::to_be,
        "Convert a 16-bit number from the machine's byte order to the network's; byteorder(3)."
    ),
    short!(
        ntohs,
        u16::from_be,
        "Convert a 16-bit number from the network's byte order to the machine's; byteorder(3)."
    ),
    long!(
        htonl,
        u32::to_be,
        "Convert a 32-bit number from the machine's byte order to the network's; byteorder(3)."
    ),
    long!(
        ntohl,
        u32::from_be,
        "Convert a 32-bit number from the network's byte order to the machine's; byteorder(3)."
    ),
    PyMethodDef::zeroed(),
]);

#[inline]
fn short(function: &str, number: &Bound<'_, PyAny>) -> PyResult<u16> {
    let number = args::int(number)?;
    u16::try_from(number).map_err(|_| no_short(function, number))
}

#[cold]
fn no_short(function: &str, number: i32) -> PyErr {
    PyOverflowError::new_err(if number < 0 {
        format!("{function}: can't convert negative Python int to C 16-bit unsigned integer")
    } else {
        format!("{function}: Python int too large to convert to C 16-bit unsigned integer")
    })
}

#[inline]
fn long(number: &Bound<'_, PyAny>) -> PyResult<u32> {
    let Ok(number) = number.cast::<PyInt>() else {
        return Err(no_number(number));
    };
    u32::try_from(args::unsigned_long(number)?)
        .map_err(|_| PyOverflowError::new_err("int larger than 32 bits"))
}

#[cold]
fn no_number(object: &Bound<'_, PyAny>) -> PyErr {
    match object.get_type().name() {
        Ok(class) => PyTypeError::new_err(format!("expected int, {class} found")),
        Err(error) => error,
    }
}
