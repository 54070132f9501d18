//! Which interpreter a thread is in, and threads that it ends while code of ours is on their stack.
//!
//! Before 3.14 the interpreter ends, when it is itself ending, each other thread that takes the
//! lock again, by `pthread_exit`. That may happen inside whatever runs Python code: a method
//! called by name, a conversion, the end of an object's life. Unwinding from there would run
//! our frames' clean-up without the lock. So these threads stop for ever, as the interpreter
//! itself has them do from 3.14 on.

use crate::sys::c;
use pyo3::ffi;
use pyo3::prelude::*;

/// Protects this thread's stack from here on. To be called on the way to anything that may run
/// Python code; after the first time in a thread it costs next to nothing.
#[inline]
pub(crate) fn protect() {
    #[cfg(not(Py_3_14))]
    crate::sys::thread_end::stop(is_finalizing, cfg!(not(Py_GIL_DISABLED)));
}

/// Whether the interpreter is ending. May be asked without the lock.
pub(crate) fn is_finalizing() -> bool {
    unsafe extern "C" {
        #[cfg_attr(not(Py_3_13), link_name = "_Py_IsFinalizing")]
        fn Py_IsFinalizing() -> c::c_int;
    }
    // SAFETY: reads a variable of the interpreter's that may be read at any time.
    unsafe { Py_IsFinalizing() != 0 }
}

/// Whether this thread is in the main interpreter, and not in one inside it.
pub(crate) fn in_main_interpreter(_py: Python<'_>) -> bool {
    // SAFETY: attached; both only read.
    unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() }
}
