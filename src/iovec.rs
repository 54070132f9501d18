//! Iterables of buffers, as `sendmsg` and `recvmsg_into` take them: taken over into storage
//! of our own before the first one is used.

use std::marker::PhantomPinned;
use std::mem::MaybeUninit;

use pyo3::exceptions::{PyBufferError, PyMemoryError, PyOSError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::error::{Error, Result};
use crate::sys::message::IoVec;

/// So many buffers need no allocation.
const INLINE: usize = 8;

/// The items of an iterable, in a tuple that nobody else can change. `message` is for an
/// object that is none.
///
/// A list is copied: converting one of its items runs code of the caller (`__buffer__`,
/// `__index__`) that could shorten it meanwhile.
pub(crate) fn taken_over<'py>(
    iterable: &Bound<'py, PyAny>,
    message: impl FnOnce() -> String,
) -> PyResult<Bound<'py, PyTuple>> {
    if let Ok(tuple) = iterable.cast::<PyTuple>() {
        return Ok(tuple.clone());
    }
    if let Ok(list) = iterable.cast::<PyList>() {
        return Ok(list.to_tuple());
    }
    let iterator = iterable.try_iter().map_err(|error| {
        if error.is_instance_of::<PyTypeError>(iterable.py()) {
            PyTypeError::new_err(message())
        } else {
            error
        }
    })?;
    // SAFETY: the iterator is alive; the call returns a new reference to a tuple or sets an
    // exception.
    unsafe {
        let tuple = ffi::PySequence_Tuple(iterator.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(iterable.py(), tuple)?.cast_into_unchecked())
    }
}

/// Room on the stack for the views of a few buffers, and for more of them elsewhere. The
/// views never move once they are filled, see [`crate::args::BufferSlot`].
pub(crate) struct BuffersSlot {
    views: [MaybeUninit<ffi::Py_buffer>; INLINE],
    pieces: [IoVec; INLINE],
    more_views: Vec<MaybeUninit<ffi::Py_buffer>>,
    more_pieces: Vec<IoVec>,
    _pinned: PhantomPinned,
}

impl BuffersSlot {
    pub(crate) const fn new() -> Self {
        BuffersSlot {
            views: [const { MaybeUninit::uninit() }; INLINE],
            pieces: [IoVec::EMPTY; INLINE],
            more_views: Vec::new(),
            more_pieces: Vec::new(),
            _pinned: PhantomPinned,
        }
    }

    /// Views to read from an iterable of bytes-like objects. `caller` is the method, named
    /// in errors.
    pub(crate) fn readable(
        &mut self,
        iterable: &Bound<'_, PyAny>,
        caller: &str,
    ) -> Result<Buffers<'_>> {
        self.fill(iterable, caller, ffi::PyBUF_SIMPLE)
    }

    /// Views to write into an iterable of writable bytes-like objects.
    pub(crate) fn writable(
        &mut self,
        iterable: &Bound<'_, PyAny>,
        caller: &str,
    ) -> Result<Buffers<'_>> {
        self.fill(iterable, caller, ffi::PyBUF_WRITABLE)
    }

    fn fill(
        &mut self,
        iterable: &Bound<'_, PyAny>,
        caller: &str,
        flags: i32,
    ) -> Result<Buffers<'_>> {
        let items = taken_over(iterable, || {
            format!("{caller}() argument 1 must be an iterable")
        })?;
        let count = items.len();
        // More than IOV_MAX of them is for the system to refuse, which does so with EMSGSIZE.
        if i32::try_from(count).is_err() {
            return Err(Error::new::<PyOSError, _>(format!(
                "{caller}() argument 1 is too long"
            )));
        }
        let (views, pieces) = if count <= INLINE {
            (&mut self.views[..count], &mut self.pieces[..count])
        } else {
            let no_memory = |_| Error::new::<PyMemoryError, _>(());
            self.more_views
                .try_reserve_exact(count)
                .map_err(no_memory)?;
            self.more_pieces
                .try_reserve_exact(count)
                .map_err(no_memory)?;
            self.more_views.resize_with(count, MaybeUninit::uninit);
            self.more_pieces.resize(count, IoVec::EMPTY);
            (&mut self.more_views[..], &mut self.more_pieces[..])
        };
        let mut buffers = Buffers {
            views,
            pieces,
            filled: 0,
        };
        for item in &items {
            buffers
                .add(&item, flags)
                .map_err(|error| refused(items.py(), error, caller, flags))?;
        }
        Ok(buffers)
    }
}

/// What is raised for an item that is no buffer of the kind.
fn refused(py: Python<'_>, error: PyErr, caller: &str, flags: i32) -> PyErr {
    let refusal =
        error.is_instance_of::<PyBufferError>(py) || error.is_instance_of::<PyTypeError>(py);
    if flags != ffi::PyBUF_WRITABLE || !refusal {
        return error;
    }
    // The interpreter's words for it do not say which argument is wrong.
    PyTypeError::new_err(format!(
        "{caller}() argument 1 must be an iterable of single-segment read-write buffers"
    ))
}

/// Views of some buffers, given back when this goes. Only made and dropped while attached to
/// the interpreter: no method keeps them across the end of its call.
pub(crate) struct Buffers<'a> {
    views: &'a mut [MaybeUninit<ffi::Py_buffer>],
    pieces: &'a mut [IoVec],
    /// So many views are filled, and as many pieces.
    filled: usize,
}

impl Buffers<'_> {
    fn add(&mut self, item: &Bound<'_, PyAny>, flags: i32) -> PyResult<()> {
        let view = &mut self.views[self.filled];
        // SAFETY: the object is alive and the view writable; on success the view is filled,
        // and it stays where it is until `drop` releases it, as the slot is borrowed.
        let view = unsafe {
            if ffi::PyObject_GetBuffer(item.as_ptr(), view.as_mut_ptr(), flags) != 0 {
                return Err(PyErr::fetch(item.py()));
            }
            view.assume_init_ref()
        };
        self.pieces[self.filled] = IoVec::new(view.buf.cast(), view.len as usize);
        self.filled += 1;
        Ok(())
    }

    /// The memory of the buffers, valid for as long as this is.
    pub(crate) fn pieces(&self) -> &[IoVec] {
        &self.pieces[..self.filled]
    }

    /// How many bytes the buffers have together.
    pub(crate) fn total_len(&self) -> usize {
        let lengths = self.pieces().iter().map(IoVec::len);
        lengths.fold(0, usize::saturating_add)
    }
}

impl Drop for Buffers<'_> {
    fn drop(&mut self) {
        for view in &mut self.views[..self.filled] {
            // SAFETY: filled by PyObject_GetBuffer and released once, here.
            unsafe { ffi::PyBuffer_Release(view.as_mut_ptr()) }
        }
    }
}
