//! Arguments as the standard library takes them: integers with the ranges and
//! messages of their C types, texts, paths and timeouts.

use std::ffi::CStr;

use pyo3::Raised;
use pyo3::exceptions::{PyDeprecationWarning, PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::error::{Error, Result, exception};
use super::method::discard;
use super::thread::protect;
use super::version;
use crate::sys::timeout::{self, Invalid, SECOND};
use crate::sys::{RawFd, Timeout, c};

/// A C `int`.
#[derive(Clone, Copy)]
pub(crate) struct Int(pub(crate) i32);

/// The number of a descriptor: an int, or what the object's method `fileno` says.
#[derive(Clone, Copy)]
pub(crate) struct Descriptor(pub(crate) RawFd);

/// A C `Py_ssize_t`.
#[derive(Clone, Copy)]
pub(crate) struct Size(pub(crate) isize);

impl<'py> FromPyObject<'_, 'py> for Int {
    type Error = Raised;

    #[inline]
    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Raised> {
        Ok(Int(int(&object)?))
    }
}

impl<'py> FromPyObject<'_, 'py> for Descriptor {
    type Error = Raised;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Raised> {
        protect();
        // SAFETY: the object is alive; an error is reported through the -1 that is checked.
        let fd = unsafe { ffi::PyObject_AsFileDescriptor(object.as_ptr()) };
        Ok(Descriptor(checked(object.py(), fd, -1)? as RawFd))
    }
}

impl<'py> FromPyObject<'_, 'py> for Size {
    type Error = Raised;

    #[inline]
    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Raised> {
        Ok(Size(size(&object)?))
    }
}

/// Any object with `__index__` as a C `int`.
#[inline]
pub(crate) fn int(object: &Bound<'_, PyAny>) -> PyResult<i32> {
    let value = long(object)?;
    i32::try_from(value).map_err(|_| no_int(value))
}

/// An int that is a C `int`; None for any other object, of whose type nothing is asked.
pub(crate) fn plain_int(object: &Bound<'_, PyAny>) -> Option<i32> {
    if !object.is_instance_of::<PyInt>() {
        return None;
    }
    match long(object) {
        Ok(number) => number.try_into().ok(),
        Err(too_large) => {
            discard(object.py(), too_large);
            None
        }
    }
}

/// The number of a descriptor, with `__index__`, as a C `int`: there are no larger ones. Windows
/// has handles of 64 bits, of which it uses 32.
pub(crate) fn descriptor(object: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    Ok(int(object)? as RawFd)
}

#[cold]
fn no_int(value: c::c_long) -> PyErr {
    exception::<PyOverflowError>(if value > 0 {
        "signed integer is greater than maximum"
    } else {
        "signed integer is less than minimum"
    })
}

/// An argument that may be left out, and where None is not the same as that.
pub(crate) struct Given<'py>(pub(crate) Option<Bound<'py, PyAny>>);

impl<'py> FromPyObject<'_, 'py> for Given<'py> {
    type Error = Raised;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Raised> {
        Ok(Given(Some(object.to_owned())))
    }
}

/// Any object with `__index__` as a C `long`.
#[inline]
pub(crate) fn long(object: &Bound<'_, PyAny>) -> PyResult<c::c_long> {
    if !object.is_exact_instance_of::<PyInt>() {
        protect();
    }
    // SAFETY: the object is alive; an error is reported through the -1 that is checked. The
    // call asks `__index__` itself.
    let value = unsafe { ffi::PyLong_AsLong(object.as_ptr()) };
    checked(object.py(), value, -1)
}

/// Any object with `__index__` as a `Py_ssize_t`.
#[inline]
pub(crate) fn size(object: &Bound<'_, PyAny>) -> PyResult<isize> {
    if object.is_instance_of::<PyInt>() {
        // SAFETY: the object is an int; an error is reported through the -1 that is checked.
        let value = unsafe { ffi::PyLong_AsSsize_t(object.as_ptr()) };
        return checked(object.py(), value, -1);
    }
    size(&index(object)?)
}

/// An unsigned type of C that arguments are converted to.
pub(crate) trait Unsigned: TryFrom<i64> {
    const BITS: u32;

    /// The lower bits of a number.
    fn cut(number: u64) -> Self;
}

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl Unsigned for $type {
            const BITS: u32 = <$type>::BITS;

            fn cut(number: u64) -> Self {
                number as $type
            }
        }
    )*};
}

unsigned!(u8, u16, u32, u64);

/// Any object with `__index__` as an unsigned number, whose upper bits are lost where it has
/// more, as the standard library does where it checks no range.
pub(crate) fn masked<T: Unsigned>(object: &Bound<'_, PyAny>) -> PyResult<T> {
    let number = index(object)?;
    if version::LOST_BITS_WARN && loses_bits::<T>(&number)? {
        let category = object.py().get_type::<PyDeprecationWarning>();
        PyErr::warn(object.py(), &category, c"integer value out of range", 1)?;
    }
    // SAFETY: the object is an int; an error is reported through the value that is checked.
    let value = unsafe { ffi::PyLong_AsUnsignedLongLongMask(number.as_ptr()) };
    checked(object.py(), value, u64::MAX).map(T::cut)
}

/// Whether a number is one of neither the unsigned type nor the signed one of its size.
fn loses_bits<T: Unsigned>(number: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(match long_long(number)? {
        Ok(value) if T::BITS < 64 => !(-1 << (T::BITS - 1)..1 << T::BITS).contains(&value),
        Ok(_) => false,
        Err(OutOfRange::Above) if T::BITS == 64 => number.extract::<u64>().is_err(),
        Err(_) => true,
    })
}

/// An unsigned number, cut in the same way, from a place in a tuple; zero where the tuple is
/// shorter. Its length is asked first: a missing item would cost an exception.
pub(crate) fn masked_at(tuple: &Bound<'_, PyTuple>, index: usize) -> PyResult<u32> {
    if index < tuple.len() {
        masked(&tuple.get_item(index)?)
    } else {
        Ok(0)
    }
}

/// Any object with `__index__` as an unsigned number, in whose range it has to be; `name` is
/// that of the C type, for the error.
#[inline]
pub(crate) fn unsigned<T: Unsigned>(object: &Bound<'_, PyAny>, name: &str) -> PyResult<T> {
    let value = long_long(object)?;
    match value.map(T::try_from) {
        Ok(Ok(number)) => Ok(number),
        _ => Err(no_unsigned(value, name)),
    }
}

#[cold]
fn no_unsigned(value: std::result::Result<i64, OutOfRange>, name: &str) -> PyErr {
    match value {
        Ok(0..) | Err(OutOfRange::Above) => {
            exception::<PyOverflowError>(format!("Python int too large for C {name}"))
        }
        Ok(_) | Err(OutOfRange::Below) => exception::<PyValueError>("Cannot convert negative int"),
    }
}

/// On which side of a type's range a number is.
#[derive(Clone, Copy)]
pub(crate) enum OutOfRange {
    Below,
    Above,
}

/// Any object with `__index__` as a C `long long`.
#[inline]
pub(crate) fn long_long(
    object: &Bound<'_, PyAny>,
) -> PyResult<std::result::Result<i64, OutOfRange>> {
    if !object.is_exact_instance_of::<PyInt>() {
        protect();
    }
    let mut overflow = 0;
    // SAFETY: as in `long`; the other result is written to a place of our own.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(object.as_ptr(), &mut overflow) };
    match overflow {
        0 => checked(object.py(), value, -1).map(Ok),
        1.. => Ok(Err(OutOfRange::Above)),
        _ => Ok(Err(OutOfRange::Below)),
    }
}

/// Whether an object has `__index__`.
pub(crate) fn is_index(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive, and the call cannot fail.
    unsafe { ffi::PyIndex_Check(object.as_ptr()) != 0 }
}

/// Whether an object has items by number, and is no dict.
#[cfg_attr(not(messages), expect(dead_code, reason = "of messages"))]
pub(crate) fn is_sequence(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive, and the call cannot fail.
    unsafe { ffi::PySequence_Check(object.as_ptr()) != 0 }
}

/// The number of any object with `__index__`.
pub(crate) fn index<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    protect();
    // SAFETY: the object is alive; the call returns a new reference or sets an exception.
    unsafe { Bound::from_owned_ptr_or_err(object.py(), ffi::PyNumber_Index(object.as_ptr())) }
}

/// A list, or a tuple, as it is at the moment.
pub(crate) struct Sequence<'py>(Bound<'py, PyAny>);

impl<'py> Sequence<'py> {
    /// The item at that place; None behind the last.
    pub(crate) fn get(&self, index: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Ok(list) = self.0.cast::<PyList>() {
            return (index < list.len())
                .then(|| list.get_item(index))
                .transpose();
        }
        let tuple = self.0.cast::<PyTuple>()?;
        (index < tuple.len())
            .then(|| tuple.get_item(index))
            .transpose()
    }
}

/// A list or a tuple itself, a list of what another object gives; for what gives nothing, a
/// TypeError with that message.
pub(crate) fn sequence<'py>(
    object: &Bound<'py, PyAny>,
    message: &'static CStr,
) -> PyResult<Sequence<'py>> {
    protect();
    // SAFETY: the object is alive and the message terminated; the call returns a new reference or
    // sets an exception.
    let sequence = unsafe {
        let sequence = ffi::PySequence_Fast(object.as_ptr(), message.as_ptr());
        Bound::from_owned_ptr_or_err(object.py(), sequence)?
    };
    Ok(Sequence(sequence))
}

/// The result of a conversion that reports an exception with one special value.
#[inline]
pub(super) fn checked<T: PartialEq>(py: Python<'_>, value: T, special: T) -> PyResult<T> {
    if value == special
        && let Some(error) = PyErr::take(py)
    {
        return Err(error);
    }
    Ok(value)
}

/// Any int, and nothing else, as a C `unsigned long`.
#[inline]
pub(crate) fn unsigned_long(number: &Bound<'_, PyInt>) -> PyResult<c::c_ulong> {
    // SAFETY: the object is an int; an error is reported through the value that is checked.
    let value = unsafe { ffi::PyLong_AsUnsignedLong(number.as_ptr()) };
    checked(number.py(), value, c::c_ulong::MAX)
}

/// Text for a C call, which cannot have a null character in it. The text's own memory: no
/// copy is made of plain ASCII. `argument` says which it is, for the error: `"inet_aton() argument"`.
pub(crate) fn text<'a>(argument: &str, object: &'a Bound<'_, PyAny>) -> PyResult<&'a CStr> {
    if !object.is_instance_of::<PyString>() {
        return Err(wrong_type(argument, "str", object));
    }
    let mut len = 0;
    // SAFETY: the object is a str. Its UTF-8 form lives as long as it does, which is 'a,
    // and has a zero byte behind its end.
    let bytes = unsafe {
        let start = ffi::PyUnicode_AsUTF8AndSize(object.as_ptr(), &mut len);
        if start.is_null() {
            return Err(PyErr::fetch(object.py()));
        }
        std::slice::from_raw_parts(start.cast(), len as usize + 1)
    };
    CStr::from_bytes_with_nul(bytes)
        .map_err(|_| exception::<PyValueError>("embedded null character"))
}

/// The error for an argument of a type that it cannot have, in the interpreter's words.
#[cold]
pub(crate) fn wrong_type(argument: &str, expected: &str, object: &Bound<'_, PyAny>) -> PyErr {
    let class = match object.get_type().name() {
        _ if object.is_none() => "None".to_owned(),
        Ok(class) => class.to_string(),
        Err(error) => return error,
    };
    exception::<PyTypeError>(format!("{argument} must be {expected}, not {class}"))
}

/// A str, bytes or path-like object as bytes in the encoding of the file system.
pub(crate) fn file_system_bytes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let mut bytes = std::ptr::null_mut::<ffi::PyObject>();
    // SAFETY: on success the call writes a new reference to a bytes object.
    unsafe {
        if ffi::PyUnicode_FSConverter(object.as_ptr(), (&raw mut bytes).cast()) == 0 {
            return Err(PyErr::fetch(object.py()));
        }
        Ok(Bound::from_owned_ptr(object.py(), bytes).cast_into_unchecked())
    }
}

/// Text of the operating system, in the encoding of the file system.
pub(crate) fn file_system_text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the pointer is valid for the length; the call returns a new reference or sets
    // an exception.
    unsafe {
        Bound::from_owned_ptr_or_err(
            py,
            ffi::PyUnicode_DecodeFSDefaultAndSize(
                bytes.as_ptr().cast(),
                bytes.len() as ffi::Py_ssize_t,
            ),
        )
    }
}

/// A buffer size that may not be negative, with the standard library's words for it.
pub(crate) fn nonnegative(size: isize, message: &'static str) -> Result<usize> {
    usize::try_from(size).map_err(|_| Error::value_error(message))
}

/// A timeout as callers write it: seconds as a float or an integer, or None.
pub(crate) fn timeout(object: &Bound<'_, PyAny>) -> PyResult<Timeout> {
    if object.is_none() {
        return Ok(Timeout::NONE);
    }
    Timeout::nonnegative(nanoseconds(object, SECOND)?).map_err(|_| negative_timeout())
}

/// A time as callers write it, as a float or an integer of that unit, in nanoseconds.
pub(crate) fn nanoseconds(object: &Bound<'_, PyAny>, unit: i64) -> PyResult<i64> {
    if is_float(object) {
        return timeout::nanoseconds(object.extract()?, unit).map_err(|invalid| match invalid {
            Invalid::NotANumber => exception::<PyValueError>("Invalid value NaN (not a number)"),
            Invalid::TooLarge | Invalid::Negative => {
                exception::<PyOverflowError>("timestamp out of range for platform time_t")
            }
        });
    }
    let too_large = || exception::<PyOverflowError>("timestamp too large to convert to C PyTime_t");
    let count = long_long(object)?.map_err(|_| too_large())?;
    timeout::whole_nanoseconds(count, unit).map_err(|_| too_large())
}

/// Whether a timeout is asked for its `__float__`, and not for its `__index__`.
fn is_float(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyFloat>() || version::ANY_REAL_TIMEOUT && !is_index(object)
}

fn negative_timeout() -> PyErr {
    exception::<PyValueError>("Timeout value out of range")
}
