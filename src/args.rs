//! Arguments as the standard library takes them: integers with the ranges and
//! messages of their C types, and views of bytes-like objects.

use std::convert::Infallible;
use std::ffi::CStr;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;

use pyo3::exceptions::{PyBufferError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString, PyTuple};

use crate::error::{Error, Result};
use crate::sys::Region;

/// A C `int`.
#[derive(Clone, Copy)]
pub(crate) struct Int(pub(crate) i32);

/// A C `Py_ssize_t`.
#[derive(Clone, Copy)]
pub(crate) struct Size(pub(crate) isize);

impl<'py> FromPyObject<'_, 'py> for Int {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Int(int(&object)?))
    }
}

impl<'py> FromPyObject<'_, 'py> for Size {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Size(size(&object)?))
    }
}

/// Any object with `__index__` as a C `int`.
#[inline]
pub(crate) fn int(object: &Bound<'_, PyAny>) -> PyResult<i32> {
    let value = long(object)?;
    i32::try_from(value).map_err(|_| no_int(value))
}

#[cold]
fn no_int(value: libc::c_long) -> PyErr {
    PyOverflowError::new_err(if value > 0 {
        "signed integer is greater than maximum"
    } else {
        "signed integer is less than minimum"
    })
}

/// An argument that may be left out, and where None is not the same as that.
pub(crate) struct Given<'py>(pub(crate) Option<Bound<'py, PyAny>>);

impl<'py> FromPyObject<'_, 'py> for Given<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Given(Some(object.to_owned())))
    }
}

/// Any object with `__index__` as a C `long`.
#[inline]
pub(crate) fn long(object: &Bound<'_, PyAny>) -> PyResult<libc::c_long> {
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
    // SAFETY: the object is alive; the call returns a new reference or sets an exception.
    let index =
        unsafe { Bound::from_owned_ptr_or_err(object.py(), ffi::PyNumber_Index(object.as_ptr()))? };
    size(&index)
}

/// Any object with `__index__` as an unsigned number of 64 bits, whose upper bits are lost
/// where it has more, as the standard library does where it checks no range.
pub(crate) fn masked(object: &Bound<'_, PyAny>) -> PyResult<u64> {
    // SAFETY: as in `long`.
    let value = unsafe { ffi::PyLong_AsUnsignedLongLongMask(object.as_ptr()) };
    checked(object.py(), value, u64::MAX)
}

/// An unsigned number of 32 bits, cut in the same way, from a place in a tuple; zero where
/// the tuple is shorter. Its length is asked first: a missing item would cost an exception.
pub(crate) fn masked_at(tuple: &Bound<'_, PyTuple>, index: usize) -> PyResult<u32> {
    if index < tuple.len() {
        Ok(masked(&tuple.get_item(index)?)? as u32)
    } else {
        Ok(0)
    }
}

/// The result of a conversion that reports an exception with one special value.
#[inline]
fn checked<T: PartialEq>(py: Python<'_>, value: T, special: T) -> PyResult<T> {
    if value == special
        && let Some(error) = PyErr::take(py)
    {
        return Err(error);
    }
    Ok(value)
}

/// Any int, and nothing else, as a C `unsigned long`.
#[inline]
pub(crate) fn unsigned_long(number: &Bound<'_, PyInt>) -> PyResult<libc::c_ulong> {
    // SAFETY: the object is an int; an error is reported through the value that is checked.
    let value = unsafe { ffi::PyLong_AsUnsignedLong(number.as_ptr()) };
    checked(number.py(), value, libc::c_ulong::MAX)
}

/// Text for a C call, which cannot have a null character in it. The text's own memory: no
/// copy is made of plain ASCII.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a CStr);

impl<'a, 'py> FromPyObject<'a, 'py> for Text<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if !object.is_instance_of::<PyString>() {
            let class = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!("must be str, not {class}")));
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
            .map(Text)
            .map_err(|_| PyValueError::new_err("embedded null character"))
    }
}

impl<'py> IntoPyObject<'py> for Text<'_> {
    type Target = PyString;
    type Output = Bound<'py, PyString>;
    type Error = Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Infallible> {
        Ok(PyString::new(py, &self.0.to_string_lossy()))
    }
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
    usize::try_from(size).map_err(|_| Error::new::<PyValueError, _>(message))
}

/// Room on the stack for a view of a buffer. The interpreter may keep pointers into
/// the view, so that it never moves once it is filled: the guard borrows the slot.
pub(crate) struct BufferSlot {
    view: MaybeUninit<ffi::Py_buffer>,
    _pinned: PhantomPinned,
}

impl BufferSlot {
    #[inline]
    pub(crate) const fn new() -> Self {
        BufferSlot {
            view: MaybeUninit::uninit(),
            _pinned: PhantomPinned,
        }
    }

    /// A view to read from any bytes-like object that is contiguous.
    #[inline]
    pub(crate) fn readable<'a>(
        &'a mut self,
        object: &'a Bound<'_, PyAny>,
    ) -> PyResult<Readable<'a>> {
        // Bytes never change or move: while they are borrowed they need no view.
        if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            let bytes = bytes.as_bytes();
            // SAFETY: the bytes are borrowed for as long as the region lives; nobody writes
            // to what is lent for reading.
            let region = unsafe { Region::new(bytes.as_ptr().cast_mut(), bytes.len()) };
            return Ok(Readable {
                region,
                _view: None,
            });
        }
        if object.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err(
                "a bytes-like object is required, not 'str'",
            ));
        }
        let view = self.view(object, ffi::PyBUF_SIMPLE)?;
        // SAFETY: the exporter keeps the memory until the view is released.
        let region = unsafe { Region::new(view.0.buf.cast(), view.0.len as usize) };
        Ok(Readable {
            region,
            _view: Some(view),
        })
    }

    /// A view to write into any bytes-like object that is contiguous and writable.
    #[inline]
    pub(crate) fn writable<'a>(&'a mut self, object: &Bound<'_, PyAny>) -> PyResult<Writable<'a>> {
        match self.view(object, ffi::PyBUF_WRITABLE) {
            Ok(view) => Ok(Writable(view)),
            Err(error) => Err(not_writable(object, error)),
        }
    }

    #[inline]
    fn view<'a>(&'a mut self, object: &Bound<'_, PyAny>, flags: i32) -> PyResult<View<'a>> {
        // SAFETY: the object is alive and the slot writable; on success the view is filled
        // and stays where it is until the guard releases it, as the guard borrows the slot.
        unsafe {
            if ffi::PyObject_GetBuffer(object.as_ptr(), self.view.as_mut_ptr(), flags) != 0 {
                return Err(PyErr::fetch(object.py()));
            }
            Ok(View(self.view.assume_init_mut()))
        }
    }
}

/// Read-only and scattered buffers are the wrong type here, as in the standard library.
#[cold]
fn not_writable(object: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = object.py();
    if !error.is_instance_of::<PyBufferError>(py) && !error.is_instance_of::<PyTypeError>(py) {
        return error;
    }
    match object.get_type().name() {
        Ok(class) => PyTypeError::new_err(format!(
            "argument 'buffer' must be read-write bytes-like object, not {class}"
        )),
        Err(error) => error,
    }
}

/// A filled view; gives the buffer back when it goes. Only made and dropped while
/// attached to the interpreter: no method keeps one across the end of its call.
struct View<'a>(&'a mut ffi::Py_buffer);

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: filled by PyObject_GetBuffer and released once, here.
        unsafe { ffi::PyBuffer_Release(self.0) }
    }
}

/// Bytes that the caller lends for reading.
pub(crate) struct Readable<'a> {
    region: Region<'a>,
    /// What gives the buffer back.
    _view: Option<View<'a>>,
}

impl Readable<'_> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.region.len()
    }

    /// The bytes for a system call. Another thread may write to them meanwhile, as it may
    /// in the standard library; that is why this is a pointer and no slice.
    #[inline]
    pub(crate) fn region(&self) -> Region<'_> {
        self.region
    }

    /// A copy that nobody else can change.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(self.len());
        // SAFETY: the region holds `len` readable bytes and the vector has room for them.
        unsafe {
            std::ptr::copy_nonoverlapping(self.region.as_ptr(), copy.as_mut_ptr(), self.len());
            copy.set_len(self.len());
        }
        copy
    }

    /// Copies the bytes into room for them, as many as both have.
    pub(crate) fn copy_to(&self, room: &mut [u8]) {
        let len = self.len().min(room.len());
        // SAFETY: both are valid for the length, and do not overlap: the room is borrowed
        // for us alone.
        unsafe { std::ptr::copy_nonoverlapping(self.region.as_ptr(), room.as_mut_ptr(), len) }
    }
}

/// Bytes that the caller lends for writing.
pub(crate) struct Writable<'a>(View<'a>);

impl Writable<'_> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.0.len as usize
    }

    #[inline]
    pub(crate) fn region(&self) -> Region<'_> {
        // SAFETY: the exporter keeps the memory until the view is released.
        unsafe { Region::new(self.0.0.buf.cast(), self.len()) }
    }
}
