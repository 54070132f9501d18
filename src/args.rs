//! Arguments as the standard library takes them: integers with the ranges and
//! messages of their C types, and views of bytes-like objects.

use std::marker::PhantomPinned;
use std::mem::MaybeUninit;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

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
pub(crate) fn int(object: &Bound<'_, PyAny>) -> PyResult<i32> {
    let value = long(object)?;
    i32::try_from(value).map_err(|_| {
        PyOverflowError::new_err(if value > 0 {
            "signed integer is greater than maximum"
        } else {
            "signed integer is less than minimum"
        })
    })
}

/// Any object with `__index__` as a C `long`.
pub(crate) fn long(object: &Bound<'_, PyAny>) -> PyResult<libc::c_long> {
    // SAFETY: the object is alive; an error is reported through the -1 that is checked.
    let value = unsafe { ffi::PyLong_AsLong(indexed(object)?.as_ptr()) };
    if value == -1
        && let Some(error) = PyErr::take(object.py())
    {
        return Err(error);
    }
    Ok(value)
}

/// Any object with `__index__` as a `Py_ssize_t`.
pub(crate) fn size(object: &Bound<'_, PyAny>) -> PyResult<isize> {
    // SAFETY: the object is alive; an error is reported through the -1 that is checked.
    let value = unsafe { ffi::PyLong_AsSsize_t(indexed(object)?.as_ptr()) };
    if value == -1
        && let Some(error) = PyErr::take(object.py())
    {
        return Err(error);
    }
    Ok(value)
}

/// The integer that stands for the object, through `__index__` where it is not one itself.
fn indexed<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the call returns a new reference or sets an exception.
    unsafe { Bound::from_owned_ptr_or_err(object.py(), ffi::PyNumber_Index(object.as_ptr())) }
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
    pub(crate) fn readable<'a>(&'a mut self, object: &Bound<'_, PyAny>) -> PyResult<Readable<'a>> {
        if object.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err(
                "a bytes-like object is required, not 'str'",
            ));
        }
        Ok(Readable(self.view(object, ffi::PyBUF_SIMPLE)?))
    }

    /// A view to write into any bytes-like object that is contiguous and writable.
    #[inline]
    pub(crate) fn writable<'a>(&'a mut self, object: &Bound<'_, PyAny>) -> PyResult<Writable<'a>> {
        Ok(Writable(self.view(object, ffi::PyBUF_WRITABLE)?))
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
pub(crate) struct Readable<'a>(View<'a>);

impl Readable<'_> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.0.len as usize
    }

    /// The bytes for a system call. Another thread may write to them meanwhile, as it may
    /// in the standard library; that is why this is a pointer and no slice.
    #[inline]
    pub(crate) fn region(&self) -> Region<'_> {
        // SAFETY: the exporter keeps the memory until the view is released.
        unsafe { Region::new(self.0.0.buf.cast(), self.len()) }
    }

    /// A copy that nobody else can change.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(self.len());
        // SAFETY: the view holds `len` readable bytes and the vector has room for them.
        unsafe {
            std::ptr::copy_nonoverlapping(self.0.0.buf.cast(), copy.as_mut_ptr(), self.len());
            copy.set_len(self.len());
        }
        copy
    }

    /// Copies the bytes into room for them, as many as both have.
    pub(crate) fn copy_to(&self, room: &mut [u8]) {
        let len = self.len().min(room.len());
        // SAFETY: both are valid for the length, and do not overlap: the room is borrowed
        // for us alone.
        unsafe { std::ptr::copy_nonoverlapping(self.0.0.buf.cast(), room.as_mut_ptr(), len) }
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

/// Any object with `__index__` as a C `unsigned int`, cut to 32 bits as the standard library
/// cuts it.
pub(crate) fn unsigned(object: &Bound<'_, PyAny>) -> PyResult<u32> {
    // SAFETY: the object is alive; an error is reported through the -1 that is checked.
    let value = unsafe { ffi::PyLong_AsUnsignedLongMask(object.as_ptr()) };
    if value == libc::c_ulong::MAX
        && let Some(error) = PyErr::take(object.py())
    {
        return Err(error);
    }
    Ok(value as u32)
}
