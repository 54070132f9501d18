//! Views of bytes-like objects.

use std::marker::PhantomPinned;
use std::mem::MaybeUninit;

use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::args::wrong_type;
use super::error::exception;
use super::thread::protect;
use crate::sys::Region;

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
            // to what is borrowed for reading.
            let region = unsafe { Region::new(bytes.as_ptr().cast_mut(), bytes.len()) };
            return Ok(Readable {
                region,
                _view: None,
            });
        }
        if object.is_instance_of::<PyString>() {
            return Err(exception::<PyTypeError>(
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

    /// A view to write into any bytes-like object that is contiguous and writable. `argument` says
    /// which one it is, for the error, see [`wrong_type`].
    #[inline]
    pub(crate) fn writable<'a>(
        &'a mut self,
        object: &Bound<'_, PyAny>,
        argument: &str,
    ) -> PyResult<Writable<'a>> {
        match self.view(object, ffi::PyBUF_WRITABLE) {
            Ok(view) => Ok(Writable(view)),
            Err(error) => Err(not_writable(object, argument, error)),
        }
    }

    #[inline]
    fn view<'a>(&'a mut self, object: &Bound<'_, PyAny>, flags: i32) -> PyResult<View<'a>> {
        protect();
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
fn not_writable(object: &Bound<'_, PyAny>, argument: &str, error: PyErr) -> PyErr {
    if !refuses(object.py(), &error) {
        return error;
    }
    wrong_type(argument, "read-write bytes-like object", object)
}

/// Whether an exception says that an object is no such buffer, or no longer one, as a released
/// memoryview does. Others are the program's own and go through.
pub(super) fn refuses(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyBufferError>(py)
        || error.is_instance_of::<PyTypeError>(py)
        || error.is_instance_of::<PyValueError>(py)
}

/// A filled view; releases the buffer when dropped. Only made and dropped while
/// attached to the interpreter: no method keeps one across the end of its call.
struct View<'a>(&'a mut ffi::Py_buffer);

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: filled by PyObject_GetBuffer and released once, here.
        unsafe { ffi::PyBuffer_Release(self.0) }
    }
}

/// The caller's bytes, borrowed for reading.
pub(crate) struct Readable<'a> {
    region: Region<'a>,
    /// Releases the buffer.
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
    #[cfg_attr(not(messages), expect(dead_code, reason = "of messages"))]
    pub(crate) fn copy_to(&self, room: &mut [u8]) {
        let len = self.len().min(room.len());
        // SAFETY: both are valid for the length, and do not overlap: the room is borrowed
        // for us alone.
        unsafe { std::ptr::copy_nonoverlapping(self.region.as_ptr(), room.as_mut_ptr(), len) }
    }
}

/// The caller's bytes, borrowed for writing.
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
