//! Frames of the running program.

use pyo3::ffi;
use pyo3::prelude::*;

unsafe extern "C" {
    // Not among PyO3's declarations.
    fn PyFrame_GetCode(frame: *mut ffi::PyFrameObject) -> *mut ffi::PyObject;
}

/// A frame of this thread that runs Python code, or has called what does.
pub(crate) struct Frame<'py>(Bound<'py, PyAny>);

impl<'py> Frame<'py> {
    /// The one that runs, None in a thread without Python code.
    #[inline]
    pub(crate) fn innermost(py: Python<'py>) -> Option<Self> {
        // SAFETY: attached; borrowed or null.
        let frame = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast()) };
        frame.map(Frame)
    }

    fn as_ptr(&self) -> *mut ffi::PyFrameObject {
        self.0.as_ptr().cast()
    }

    /// The one that has called it.
    pub(crate) fn back(&self) -> Option<Self> {
        // SAFETY: the frame is alive; a new reference, or null at the outermost.
        let frame = unsafe {
            let back = ffi::PyFrame_GetBack(self.as_ptr());
            Bound::from_owned_ptr_or_opt(self.0.py(), back.cast())
        };
        frame.map(Frame)
    }

    /// Its code object.
    #[inline]
    pub(crate) fn code(&self) -> Bound<'py, PyAny> {
        // SAFETY: the frame is alive; a new reference, never null.
        unsafe { Bound::from_owned_ptr(self.0.py(), PyFrame_GetCode(self.as_ptr())) }
    }

    /// How far it is in its code, in bytes; -1 where it has not begun.
    #[inline]
    pub(crate) fn offset(&self) -> i32 {
        // SAFETY: the frame is alive.
        unsafe { ffi::PyFrame_GetLasti(self.as_ptr()) }
    }
}
