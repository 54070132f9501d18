//! Views of bytes-like objects: of one, and of the iterables of them that `sendmsg` and
//! `recvmsg_into` take, which are a snapshot before the first one is used.

use std::marker::PhantomPinned;
use std::mem::MaybeUninit;

use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use super::args::wrong_type;
use super::error::{Error, Result, exception};
use super::make;
use super::thread::protect;
use crate::sys::Region;
use crate::sys::message::IoVec;

/// So many buffers need no allocation.
const INLINE: usize = 8;

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
fn refuses(py: Python<'_>, error: &PyErr) -> bool {
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
/// views never move once they are filled, see [`BufferSlot`].
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
