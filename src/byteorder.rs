//! Numbers in the byte order of the network, byteorder(3).

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::python::args;
use crate::python::error::exception;
use crate::python::make::Made;
use crate::python::method::{Fast, function};
use crate::python::version;

/// Convert a 16-bit number from the machine's byte order to the network's; byteorder(3).
///
/// Args:
///     x: the number, 0 to 65535.
///
/// Raises:
///     OverflowError: the number is too large, or before Python 3.14 negative.
///     TypeError: it is no integer.
///     ValueError: the number is negative.
#[pyfunction]
#[pyo3(signature = (x, /))]
pub(crate) fn htons(x: &Bound<'_, PyAny>) -> PyResult<Made<u16>> {
    short("htons", x).map(u16::to_be).map(Made)
}

/// Convert a 16-bit number from the network's byte order to the machine's; byteorder(3).
///
/// Args:
///     x: the number, 0 to 65535.
///
/// Raises:
///     OverflowError: the number is too large, or before Python 3.14 negative.
///     TypeError: it is no integer.
///     ValueError: the number is negative.
#[pyfunction]
#[pyo3(signature = (x, /))]
pub(crate) fn ntohs(x: &Bound<'_, PyAny>) -> PyResult<Made<u16>> {
    short("ntohs", x).map(u16::from_be).map(Made)
}

/// Convert a 32-bit number from the machine's byte order to the network's; byteorder(3).
///
/// Args:
///     object: the number, an int from 0 to 2**32 - 1.
///
/// Raises:
///     OverflowError: the number is too large, or before Python 3.14 negative.
///     TypeError: it is no int.
///     ValueError: the number is negative.
#[pyfunction]
#[pyo3(signature = (object, /))]
pub(crate) fn htonl(object: &Bound<'_, PyAny>) -> PyResult<Made<u64>> {
    // Of 64 bits: the interpreter's way from there to an int is the shorter one.
    long(object).map(|number| Made(number.to_be().into()))
}

/// Convert a 32-bit number from the network's byte order to the machine's; byteorder(3).
///
/// Args:
///     object: the number, an int from 0 to 2**32 - 1.
///
/// Raises:
///     OverflowError: the number is too large, or before Python 3.14 negative.
///     TypeError: it is no int.
///     ValueError: the number is negative.
#[pyfunction]
#[pyo3(signature = (object, /))]
pub(crate) fn ntohl(object: &Bound<'_, PyAny>) -> PyResult<Made<u64>> {
    long(object).map(|number| Made(u32::from_be(number).into()))
}

pub(crate) const FAST: [Fast; 4] = [
    function!(htons, |x| htons(x)),
    function!(ntohs, |x| ntohs(x)),
    function!(htonl, |object| htonl(object)),
    function!(ntohl, |object| ntohl(object)),
];

#[inline]
fn short(function: &str, number: &Bound<'_, PyAny>) -> PyResult<u16> {
    if version::C_INTEGERS {
        return args::unsigned(number, "uint16_t");
    }
    let number = args::int(number)?;
    u16::try_from(number).map_err(|_| no_short(function, number))
}

#[cold]
fn no_short(function: &str, number: i32) -> PyErr {
    exception::<PyOverflowError>(if number < 0 {
        format!("{function}: can't convert negative Python int to C 16-bit unsigned integer")
    } else {
        format!("{function}: Python int too large to convert to C 16-bit unsigned integer")
    })
}

#[inline]
fn long(number: &Bound<'_, PyAny>) -> PyResult<u32> {
    if version::C_INTEGERS {
        return args::unsigned(number, "uint32_t");
    }
    let Ok(number) = number.cast::<PyInt>() else {
        return Err(no_number(number));
    };
    u32::try_from(args::unsigned_long(number)?)
        .map_err(|_| exception::<PyOverflowError>("int larger than 32 bits"))
}

#[cold]
fn no_number(object: &Bound<'_, PyAny>) -> PyErr {
    match object.get_type().name() {
        Ok(class) => exception::<PyTypeError>(format!("expected int, {class} found")),
        Err(error) => error,
    }
}
