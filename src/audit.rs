//! Audit events (PEP 578), with the names and arguments of the standard library's.

use std::ffi::{CStr, c_char, c_int};

use pyo3::prelude::*;

unsafe extern "C" {
    // Missing in pyo3-ffi because it is variadic.
    fn PySys_Audit(event: *const c_char, format: *const c_char, ...) -> c_int;
}

/// Raises an event with up to four arguments. Without a hook this builds nothing.
pub(crate) fn audit<const N: usize>(
    py: Python<'_>,
    event: &CStr,
    arguments: [&Bound<'_, PyAny>; N],
) -> PyResult<()> {
    const { assert!(N <= 4) }
    const FORMATS: [&CStr; 5] = [c"", c"(O)", c"(OO)", c"(OOO)", c"(OOOO)"];
    let object = |index: usize| {
        arguments
            .get(index)
            .map_or(std::ptr::null_mut(), |argument| argument.as_ptr())
    };
    // SAFETY: the format names exactly N objects, which stand in front and are alive; what
    // follows them is not read.
    let failed = unsafe {
        PySys_Audit(
            event.as_ptr(),
            FORMATS[N].as_ptr(),
            object(0),
            object(1),
            object(2),
            object(3),
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(py))
    }
}
