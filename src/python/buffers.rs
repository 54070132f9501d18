//! Views of the iterables of bytes-like objects that `sendmsg` and `recvmsg_into` take, which are a
//! snapshot before the first one is used.

use std::marker::PhantomPinned;
use std::mem::MaybeUninit;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::buffer::refuses;
use super::error::{Error, Result, exception};
use super::make;
use super::thread::protect;
use crate::sys::message::IoVec;

/// So many buffers need no allocation.
const INLINE: usize = 8;

/// The items of an iterable, in a tuple that nobody else can change. `message` is for an
/// object that is none.
///
/// Objects of subclasses are iterated over, as they may give something else. A list is copied:
/// converting one of its items runs code of the caller (`__buffer__`, `__index__`) that could
/// shorten it meanwhile.
pub(crate) fn snapshot<'py>(
    iterable: &Bound<'py, PyAny>,
    message: impl FnOnce() -> String,
) -> PyResult<Bound<'py, PyTuple>> {
    if let Ok(tuple) = iterable.cast_exact::<PyTuple>() {
        return Ok(tuple.clone());
    }
    if let Ok(list) = iterable.cast_exact::<PyList>() {
        return make::tuple_from_list(list);
    }
    protect();
    let iterator = iterable.try_iter().map_err(|error| {
        if error.is_instance_of::<PyTypeError>(iterable.py()) {
            exception::<PyTypeError>(message())
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
/// views never move once they are filled, see [`BufferSlot`](super::buffer::BufferSlot).
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
    pub(crate) fn readable<'py>(
        &mut self,
        iterable: &Bound<'py, PyAny>,
        caller: &str,
    ) -> Result<Buffers<'_, 'py>> {
        self.fill(items(iterable, caller)?, caller, ffi::PyBUF_SIMPLE)
    }

    /// The same for those of a tuple.
    pub(crate) fn readable_items<'py>(
        &mut self,
        items: Bound<'py, PyTuple>,
        caller: &str,
    ) -> Result<Buffers<'_, 'py>> {
        self.fill(items, caller, ffi::PyBUF_SIMPLE)
    }

    /// Views to write into an iterable of writable bytes-like objects.
    pub(crate) fn writable<'py>(
        &mut self,
        iterable: &Bound<'py, PyAny>,
        caller: &str,
    ) -> Result<Buffers<'_, 'py>> {
        self.fill(items(iterable, caller)?, caller, ffi::PyBUF_WRITABLE)
    }

    fn fill<'py>(
        &mut self,
        items: Bound<'py, PyTuple>,
        caller: &str,
        flags: i32,
    ) -> Result<Buffers<'_, 'py>> {
        let count = items.len();
        // More than IOV_MAX of them is for the system to refuse, which does so with EMSGSIZE.
        if i32::try_from(count).is_err() {
            return Err(Error::os_error(format!(
                "{caller}() argument 1 is too long"
            )));
        }
        let (views, pieces) = if count <= INLINE {
            (&mut self.views[..count], &mut self.pieces[..count])
        } else {
            let no_memory = |_| Error::memory_error();
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
            viewed: 0,
            items,
        };
        buffers
            .fill(flags)
            .map_err(|error| refused(buffers.items.py(), error, caller, flags))?;
        Ok(buffers)
    }
}

/// The buffers that an iterable gives.
fn items<'py>(iterable: &Bound<'py, PyAny>, caller: &str) -> PyResult<Bound<'py, PyTuple>> {
    snapshot(iterable, || {
        format!("{caller}() argument 1 must be an iterable")
    })
}

/// What is raised for an item that is no buffer of the kind.
fn refused(py: Python<'_>, error: PyErr, caller: &str, flags: i32) -> PyErr {
    if flags != ffi::PyBUF_WRITABLE || !refuses(py, &error) {
        return error;
    }
    // The interpreter's words for it do not say which argument is wrong.
    exception::<PyTypeError>(format!(
        "{caller}() argument 1 must be an iterable of single-segment read-write buffers"
    ))
}

/// Some buffers, whose views are released when this is dropped. Only made and dropped while
/// attached to the interpreter: no method keeps them across the end of its call.
pub(crate) struct Buffers<'a, 'py> {
    views: &'a mut [MaybeUninit<ffi::Py_buffer>],
    pieces: &'a mut [IoVec],
    /// So many views are filled.
    viewed: usize,
    /// Keeps bytes alive, which need no view.
    items: Bound<'py, PyTuple>,
}

impl Buffers<'_, '_> {
    fn fill(&mut self, flags: i32) -> PyResult<()> {
        for (piece, item) in self.pieces.iter_mut().zip(self.items.iter_borrowed()) {
            if flags == ffi::PyBUF_SIMPLE
                && let Ok(bytes) = item.cast_exact::<PyBytes>()
            {
                let bytes = bytes.as_bytes();
                *piece = IoVec::new(bytes.as_ptr().cast_mut(), bytes.len());
                continue;
            }
            let view = &mut self.views[self.viewed];
            // SAFETY: the object is alive and the view writable; on success the view is filled,
            // and it stays where it is until `drop` releases it, as the slot is borrowed.
            let view = unsafe {
                if ffi::PyObject_GetBuffer(item.as_ptr(), view.as_mut_ptr(), flags) != 0 {
                    return Err(PyErr::fetch(item.py()));
                }
                view.assume_init_ref()
            };
            self.viewed += 1;
            *piece = IoVec::new(view.buf.cast(), view.len as usize);
        }
        Ok(())
    }

    /// The memory of the buffers, valid for as long as this is.
    pub(crate) fn pieces(&self) -> &[IoVec] {
        self.pieces
    }

    /// How many bytes the buffers have together.
    pub(crate) fn total_len(&self) -> usize {
        let lengths = self.pieces().iter().map(IoVec::len);
        lengths.fold(0, usize::saturating_add)
    }
}

impl Drop for Buffers<'_, '_> {
    fn drop(&mut self) {
        for view in &mut self.views[..self.viewed] {
            // SAFETY: filled by PyObject_GetBuffer and released once, here.
            unsafe { ffi::PyBuffer_Release(view.as_mut_ptr()) }
        }
    }
}
