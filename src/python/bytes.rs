//! Memory for the received data, not for what was asked: most reads bring a small part of the size
//! that the caller allows, so that they go into warm scratch memory first and become a bytes
//! object of the right size afterwards.

use std::cell::OnceCell;
use std::mem::MaybeUninit;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::make;
use crate::sys::{Region, c};

/// As large as the largest read that is usual: asyncio asks for that each time. Pages
/// that no read has reached cost nothing.
pub(crate) const SCRATCH: usize = 256 * 1024;

/// Aligned to a page: the kernel copies into memory that malloc places a few bytes behind the
/// start of one at half the speed.
#[repr(align(4096))]
struct Page(#[expect(dead_code, reason = "only the kernel writes here")] [MaybeUninit<u8>; 4096]);

thread_local! {
    static MEMORY: OnceCell<Box<[MaybeUninit<Page>]>> = const { OnceCell::new() };
}

unsafe extern "C" {
    // Kept private by pyo3-ffi; public in the C API since Python 2.
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> c::c_int;
}

/// Runs `read` on this thread's scratch memory, cut to `len`.
///
/// The memory must be used up before any Python code runs in this thread, which might
/// receive as well: `read` calls nothing but the driver, which runs signal handlers only
/// while there is nothing in it.
pub(crate) fn with_scratch<T>(len: usize, read: impl FnOnce(Region<'_>) -> T) -> T {
    let run = |memory: &OnceCell<Box<[MaybeUninit<Page>]>>| {
        let memory = memory.get_or_init(|| Box::new_uninit_slice(SCRATCH / size_of::<Page>()));
        // SAFETY: the box lives as long as the thread and is never moved or resized. The
        // region is only written by the kernel; no reference to the contents is kept.
        let region = unsafe { Region::new(memory.as_ptr().cast_mut().cast(), SCRATCH) };
        read(region.first(len))
    };
    MEMORY.with(run)
}

/// The first `len` bytes of a region as a bytes object. A longer length than the region's,
/// which a truncated datagram reports, is filled up with zeros.
pub(crate) fn bytes_of<'py>(
    py: Python<'py>,
    region: Region<'_>,
    len: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let have = region.first(len);
    // SAFETY: the driver has reported that the kernel wrote these bytes, and nothing writes to
    // memory of the thread before its next read.
    let data = unsafe { std::slice::from_raw_parts(have.as_ptr(), have.len()) };
    if len == data.len() {
        return make::bytes(py, data);
    }
    PyBytes::new_with(py, len, |bytes| {
        bytes[..data.len()].copy_from_slice(data);
        Ok(())
    })
}

/// A bytes object that is being filled: nobody else has seen it yet.
pub(crate) struct BytesBuilder<'py> {
    object: Bound<'py, PyBytes>,
    capacity: usize,
}

impl<'py> BytesBuilder<'py> {
    pub(crate) fn new(py: Python<'py>, capacity: usize) -> PyResult<Self> {
        // SAFETY: a null pointer asks for uninitialised contents; the result is a new
        // reference or an exception.
        let object = unsafe {
            Bound::from_owned_ptr_or_err(
                py,
                ffi::PyBytes_FromStringAndSize(std::ptr::null(), capacity as ffi::Py_ssize_t),
            )?
            .cast_into_unchecked()
        };
        Ok(BytesBuilder { object, capacity })
    }

    /// A builder whose bytes are zeros until they are written.
    pub(crate) fn zeroed(py: Python<'py>, capacity: usize) -> PyResult<Self> {
        let builder = BytesBuilder::new(py, capacity)?;
        // SAFETY: the region is the builder's own memory, of that length.
        unsafe { std::ptr::write_bytes(builder.region().as_ptr(), 0, capacity) };
        Ok(builder)
    }

    /// All of the memory, to be written.
    pub(crate) fn region(&self) -> Region<'_> {
        // SAFETY: the object is alive while the builder is, and nobody else knows it.
        unsafe {
            Region::new(
                ffi::PyBytes_AS_STRING(self.object.as_ptr())
                    .cast_mut()
                    .cast(),
                self.capacity,
            )
        }
    }

    /// Cuts the object to the bytes that were written.
    pub(crate) fn finish(self, len: usize) -> PyResult<Bound<'py, PyBytes>> {
        if len > self.capacity {
            return bytes_of(self.object.py(), self.region(), len);
        }
        if len == self.capacity {
            return Ok(self.object);
        }
        let py = self.object.py();
        let mut object = self.object.into_ptr();
        // SAFETY: the only reference to the object is given up here, and replaced by the one
        // that comes back, or null and an exception.
        unsafe {
            _PyBytes_Resize(&mut object, len as ffi::Py_ssize_t);
            Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
        }
    }
}
