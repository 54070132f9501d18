//! Places in text, counted in characters as Python does, and its form for the file system.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

#[inline]
pub(crate) fn length(text: &Bound<'_, PyString>) -> isize {
    // SAFETY: the object is a str.
    unsafe { ffi::PyUnicode_GetLength(text.as_ptr()) }
}

/// Where a character first stands between two places, which may be beyond the end.
#[inline]
pub(crate) fn find(
    text: &Bound<'_, PyString>,
    character: char,
    from: isize,
    to: isize,
) -> Option<isize> {
    // SAFETY: the object is a str, whose ends the call observes.
    let at = unsafe { ffi::PyUnicode_FindChar(text.as_ptr(), character.into(), from, to, 1) };
    (at >= 0).then_some(at)
}

/// What stands between two places, which may be beyond the end.
#[inline]
pub(crate) fn slice<'py>(
    text: &Bound<'py, PyString>,
    from: isize,
    to: isize,
) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: the object is a str; the call returns a new reference or sets an exception.
    unsafe {
        let slice = ffi::PyUnicode_Substring(text.as_ptr(), from, to);
        Ok(Bound::from_owned_ptr_or_err(text.py(), slice)?.cast_into_unchecked())
    }
}

/// Text in the encoding of the file system.
pub(crate) fn for_file_system<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: the object is a str; the call returns a new reference to a bytes object or sets an
    // exception.
    unsafe {
        let encoded = ffi::PyUnicode_EncodeFSDefault(text.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(text.py(), encoded)?.cast_into_unchecked())
    }
}
