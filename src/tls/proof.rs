//! The way from an object of `_ssl` to its `SSL`, and the proof that it is one.
//!
//! The layout of the object is no public interface. So the way is taken only where it is known:
//! an interpreter and a `_ssl` of the table below, with an OpenSSL whose functions can be found,
//! which agree with each other about a session of their own. Wherever that fails, TLS goes on as
//! the interpreter does it.

use std::ffi::CString;
use std::ptr::NonNull;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::python::version::OBJECT_HEADER;
use crate::sys::moved::Moved;
use crate::sys::openssl::{Library, Session, Ssl};
use crate::sys::{RawFd, Region, c};

/// The environment variable that switches all of this off.
const SWITCH: &str = "OXISOCK_TLS";

/// Sizes of `_ssl._SSLSocket` whose layout is known, by minor version of CPython 3. In all of
/// them the object's header is followed by a weak reference to the socket, and that by the `SSL *`.
const KNOWN_SIZES: &[(u8, &[usize])] = if cfg!(target_pointer_width = "64") {
    &[
        (11, &[96]),
        (12, &[80]),
        (13, &[80, 88]),
        (14, &[80, 88]),
        (15, &[72]),
    ]
} else {
    &[(14, &[52]), (15, &[40])]
};
const SSL_OFFSET: usize = OBJECT_HEADER + size_of::<*mut ()>();

/// The oldest OpenSSL that has every function, 1.1.1.
const OLDEST: c::c_ulong = 0x1010_1000;

/// The library, or why there is none. Asked once in each process.
fn library(py: Python<'_>) -> &'static Result<&'static Library, String> {
    static PROOF: PyOnceLock<Result<&'static Library, String>> = PyOnceLock::new();
    PROOF.get_or_init(py, || prove(py))
}

/// Tell why TLS is left to the interpreter's own reading and writing.
///
/// Returns:
///     A str with the reason, or ``None`` where the engine carries TLS.
#[pyfunction]
pub(crate) fn tls_unavailable(py: Python<'_>) -> Option<&'static str> {
    library(py).as_ref().err().map(String::as_str)
}

fn prove(py: Python<'_>) -> Result<&'static Library, String> {
    if std::env::var_os(SWITCH).is_some_and(|value| value == "0") {
        return Err(format!("switched off by {SWITCH}=0"));
    }
    if cfg!(Py_GIL_DISABLED) {
        return Err("a free-threaded interpreter has no lock to wait for".into());
    }
    let failed = |error: PyErr| format!("the proof failed: {error}");
    let sys = py.import("sys").map_err(failed)?;
    if sys.hasattr("getobjects").map_err(failed)? {
        return Err("objects of this debug build have another layout".into());
    }
    let module = py
        .import("_ssl")
        .map_err(|_| "the interpreter has no _ssl module".to_owned())?;
    let size = object_size(&module).map_err(failed)?;
    let version = py.version_info();
    let known = KNOWN_SIZES.iter().any(|(minor, sizes)| {
        version.major == 3 && *minor == version.minor && sizes.contains(&size)
    });
    if !known {
        return Err(format!(
            "the layout of _ssl in Python {}.{} ({size} bytes) is not known",
            version.major, version.minor
        ));
    }
    let name: String = module
        .getattr("OPENSSL_VERSION")
        .and_then(|name| name.extract())
        .map_err(failed)?;
    if !name.starts_with("OpenSSL ") {
        return Err(format!("{name} is not OpenSSL"));
    }
    let path: String = module
        .getattr("__file__")
        .and_then(|path| path.extract())
        .map_err(|_| "_ssl is built into the interpreter".to_owned())?;
    let path = CString::new(path).map_err(|error| error.to_string())?;
    let library = Library::find(&path).map_err(|error| error.to_string())?;
    let number: c::c_ulong = module
        .getattr("OPENSSL_VERSION_NUMBER")
        .and_then(|number| number.extract())
        .map_err(failed)?;
    if library.version() != number || number < OLDEST {
        return Err(format!(
            "{name} is not the OpenSSL that was found, or too old"
        ));
    }
    let library = library.keep();
    test(&module, library).map_err(failed)?.map(|()| library)
}

fn object_size(module: &Bound<'_, PyModule>) -> PyResult<usize> {
    module
        .getattr("_SSLSocket")?
        .getattr("__basicsize__")?
        .extract()
}

/// Tries the way on a session on memory, which begins a handshake that nobody answers.
fn test(module: &Bound<'_, PyModule>, library: &'static Library) -> PyResult<Result<(), String>> {
    let py = module.py();
    let context = module
        .getattr("_SSLContext")?
        .call1((module.getattr("PROTOCOL_TLS_CLIENT")?,))?;
    let memory = || module.getattr("MemoryBIO")?.call0();
    let (incoming, outgoing) = (memory()?, memory()?);
    let keywords = PyDict::new(py);
    keywords.set_item("server_hostname", "localhost")?;
    let object = context.call_method("_wrap_bio", (incoming, &outgoing, false), Some(&keywords))?;
    let Some(session) = session_of(&object, library) else {
        return Ok(Err(
            "the session's own word for its owner is another object".into(),
        ));
    };
    let mut byte = 0_u8;
    // SAFETY: nobody else knows the session, and the byte is writable.
    let (descriptor, moved) = unsafe {
        let into = Region::new(&raw mut byte, 1);
        (session.descriptor(), session.read(into))
    };
    let sent: usize = outgoing.getattr("pending")?.extract()?;
    Ok(
        if descriptor == -1 && moved == Moved::WantRead && sent > 0 {
            Ok(())
        } else {
            Err("a session on memory did not begin its handshake".into())
        },
    )
}

/// The session of an object of `_ssl`, if the session says that it is this object's.
fn session_of(object: &Bound<'_, PyAny>, library: &'static Library) -> Option<Session> {
    // SAFETY: an object of the size and type that were checked has a pointer there. What it
    // points to is an SSL in every layout of the table; the caller holds the interpreter lock
    // and has just made the session, so that nobody is inside it.
    unsafe {
        let ssl = object
            .as_ptr()
            .byte_add(SSL_OFFSET)
            .cast::<*mut Ssl>()
            .read();
        let session = Session::new(library, NonNull::new(ssl)?);
        (session.owner() == object.as_ptr().cast()).then_some(session)
    }
}

/// The session of an object of `_ssl` that may be read and written by the engine, if any.
///
/// `fd` is the descriptor that the session must be about, -1 for memory.
pub(super) fn find(object: &Bound<'_, PyAny>, fd: RawFd) -> PyResult<Option<Session>> {
    let py = object.py();
    let Ok(library) = library(py) else {
        return Ok(None);
    };
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "_ssl", "_SSLSocket")?;
    if !object.get_type().is(class) {
        return Ok(None);
    }
    let Some(session) = session_of(object, library) else {
        return Ok(None);
    };
    // SAFETY: the caller has just made the session, so that nobody is inside it.
    let usable = unsafe { session.descriptor() == fd && !session.may_use_kernel_tls() };
    Ok(usable.then_some(session))
}
