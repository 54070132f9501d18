//! Audit events (PEP 578), with the names and arguments of the standard library's.

use std::ffi::{CStr, c_char, c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::make;
use super::thread::protect;

unsafe extern "C" {
    // Missing in pyo3-ffi because it is variadic.
    fn PySys_Audit(event: *const c_char, format: *const c_char, ...) -> c_int;
}

type Converter = extern "C" fn(*mut c_void) -> *mut ffi::PyObject;

/// Raises an event with arguments that are objects already.
///
/// # Errors
/// What a hook raises; it must end the operation.
#[inline]
pub(crate) fn audit<'py, const N: usize>(
    py: Python<'py>,
    event: &CStr,
    arguments: [&Bound<'py, PyAny>; N],
) -> PyResult<()> {
    audit_with(py, event, || {
        make::tuple_of(py, arguments.map(|argument| argument.clone()))
    })
}

/// Raises an event with the arguments that `arguments` makes.
///
/// The interpreter asks for them only when there is a hook, so that an event that nobody
/// listens to costs one call and builds nothing.
///
/// # Errors
/// What a hook raises; it must end the operation.
#[inline]
pub(crate) fn audit_with<'py, F>(py: Python<'py>, event: &CStr, arguments: F) -> PyResult<()>
where
    F: FnOnce() -> PyResult<Bound<'py, PyTuple>>,
{
    protect();
    let mut arguments = Some(arguments);
    // SAFETY: the event is terminated; "O&" takes a converter and what to call it with,
    // here the closure that this frame keeps alive.
    let failed = unsafe {
        PySys_Audit(
            event.as_ptr(),
            c"O&".as_ptr(),
            convert::<F> as Converter,
            (&raw mut arguments).cast::<c_void>(),
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(py))
    }
}

extern "C" fn convert<'py, F>(arguments: *mut c_void) -> *mut ffi::PyObject
where
    F: FnOnce() -> PyResult<Bound<'py, PyTuple>>,
{
    // SAFETY: the interpreter calls this from within `audit_with`, attached, with the
    // pointer to the closure there, and once.
    let (py, arguments) = unsafe {
        (
            Python::assume_attached(),
            &mut *arguments.cast::<Option<F>>(),
        )
    };
    match arguments.take().map(|make| make()) {
        Some(Ok(arguments)) => arguments.into_ptr(),
        Some(Err(error)) => {
            error.restore(py);
            std::ptr::null_mut()
        }
        None => std::ptr::null_mut(),
    }
}
