//! The callable in the place of a function or method that is watched.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Watch;
use super::ended::{Arguments, Ended, THREAD};
use crate::python::callable::{Callable, in_place_of};
use crate::python::method::{generally, returned};
use crate::python::thread::protect;

pub(super) fn wrap<'py>(
    watch: &Bound<'py, Watch>,
    method: u32,
    name: &Bound<'py, PyString>,
    original: &Bound<'py, PyAny>,
    traits: u32,
) -> PyResult<Bound<'py, PyAny>> {
    let companion = watch.clone().into_any();
    // SAFETY: `called` takes the object for one with this layout and a `Watch`.
    unsafe { in_place_of(original, called, companion, name, (method, traits)) }
}

/// Calls what is watched, and tells of it.
unsafe extern "C" fn called(
    callable: *mut PyObject,
    first: *const *mut PyObject,
    count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    protect();
    // SAFETY: called attached, with an object of this layout, and arguments that are alive.
    let (py, call) = unsafe { (Python::assume_attached(), &*callable.cast::<Callable>()) };
    // SAFETY: as above; the arguments are passed on as they came.
    let make = || unsafe { ffi::PyObject_Vectorcall(call.original, first, count, names) };
    if THREAD.with(|thread| thread.busy.replace(true)) {
        return make();
    }
    // SAFETY: the object is a `Watch`, and the call keeps it alive.
    let watch = unsafe {
        Borrowed::from_ptr(py, call.companion)
            .cast_unchecked::<Watch>()
            .get()
    };
    let before = watch.waits.so_far(true);
    let began = Instant::now();
    let result = make();
    let took = began.elapsed().as_nanos() as u64;
    let after = watch.waits.so_far(false);
    let ended = Ended {
        call,
        arguments: Arguments {
            first,
            // SAFETY: masks a bit.
            count: unsafe { ffi::PyVectorcall_NARGS(count) } as usize,
            names,
        },
        result,
        took,
        waited: (
            after.0.wrapping_sub(before.0),
            after.1.wrapping_sub(before.1),
        ),
    };
    let is_counted = watch.sink.is_none()
        && catch_unwind(AssertUnwindSafe(|| ended.count(py, watch))).unwrap_or(false);
    let result = if is_counted {
        result
    } else {
        returned(py, || generally(py, |py| ended.ask(py, watch)))
    };
    THREAD.with(|thread| thread.busy.set(false));
    result
}
