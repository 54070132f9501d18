//! The timeout of the socket that a session belongs to, which the standard library keeps.

use std::ffi::c_int;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyAny, PyWeakrefMethods, PyWeakrefReference};

use crate::python::args;
use crate::python::error::Error;
use crate::python::version::OBJECT_HEADER;
use crate::sys::Timeout;

/// Where an object of `_socket.socket` has its timeout in nanoseconds, negative for none: behind
/// four numbers and the pointer to a function. No public interface, so that it is tried first.
const TIMEOUT_OFFSET: usize = OBJECT_HEADER + 4 * size_of::<c_int>() + size_of::<*mut ()>();

/// How the timeout is read.
struct Way {
    gettimeout: Py<PyAny>,
    /// Whether it is in the memory above.
    direct: bool,
}

fn way(py: Python<'_>) -> PyResult<&'static Way> {
    static WAY: PyOnceLock<Way> = PyOnceLock::new();
    WAY.get_or_try_init(py, || {
        let class = py
            .import(intern!(py, "_socket"))?
            .getattr(intern!(py, "socket"))?;
        Ok(Way {
            gettimeout: class.getattr(intern!(py, "gettimeout"))?.unbind(),
            // No descriptor left for a trial, say: then by the call.
            direct: tried(&class).unwrap_or(false),
        })
    })
}

/// Whether timeouts that are set are found in memory.
fn tried(class: &Bound<'_, PyAny>) -> PyResult<bool> {
    let size: usize = class.getattr("__basicsize__")?.extract()?;
    if size < TIMEOUT_OFFSET + size_of::<i64>() {
        return Ok(false);
    }
    let socket = class.call0()?;
    let mut agrees = true;
    for (seconds, nanos) in [
        (Some(12.5), 12_500_000_000),
        (None, -1),
        (Some(0.0), 0),
        (Some(3.0), 3_000_000_000),
    ] {
        socket.call_method1("settimeout", (seconds,))?;
        // SAFETY: an object of the class that was measured.
        let found = unsafe { in_memory(&socket) };
        agrees &= found == nanos || (found < 0 && nanos < 0);
    }
    socket.call_method0("close")?;
    Ok(agrees)
}

/// # Safety
/// The object is one of `_socket.socket`, whose size and layout were checked.
unsafe fn in_memory(socket: &Bound<'_, PyAny>) -> i64 {
    // SAFETY: the caller's promise; the interpreter's lock is held.
    unsafe {
        socket
            .as_ptr()
            .byte_add(TIMEOUT_OFFSET)
            .cast::<i64>()
            .read()
    }
}

/// The timeout of a socket of the standard library, which is known by a weak reference.
pub(super) fn timeout_of(owner: &Bound<'_, PyWeakrefReference>) -> PyResult<Timeout> {
    let py = owner.py();
    let socket = owner.upgrade().ok_or(Error::CLOSED)?;
    let way = way(py)?;
    if way.direct {
        // SAFETY: the session was given a socket of the class, see `tls_session`.
        return Ok(Timeout::from_nanos(unsafe { in_memory(&socket) }));
    }
    args::timeout(&way.gettimeout.bind(py).call1((socket,))?)
}

/// Whether the object is a socket of the standard library, whose timeout can be asked for.
pub(super) fn is_socket(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = object.py();
    let class = py
        .import(intern!(py, "_socket"))?
        .getattr(intern!(py, "socket"))?;
    object.is_instance(&class)
}
