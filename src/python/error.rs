//! The one error type of the engine and its one conversion into Python.

use pyo3::PyTypeInfo;
use pyo3::exceptions::{
    PyMemoryError, PyOSError, PyOverflowError, PyTimeoutError, PyTypeError, PyValueError,
};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use super::late;
use super::make::{Make, MakeTuple, tuple};
use crate::sys::{Errno, c, lookup};

/// What can go wrong below the argument parsing.
#[derive(Debug)]
pub(crate) enum Error {
    /// The operating system said no: `OSError(errno, strerror)` in its subclass.
    Os(Errno),
    /// The deadline passed: `TimeoutError("timed out")`.
    TimedOut,
    /// `getaddrinfo` or `getnameinfo` failed: `gaierror(code, message)`.
    Lookup(i32),
    /// The timeout for all lookups passed: `gaierror(EAI_AGAIN, message)`.
    LookupTimedOut,
    /// A host database call failed: `herror(code, message)`.
    Host(i32),
    /// Python code ran (a signal handler, a conversion) and raised.
    Python(PyErr),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A descriptor that is closed or was never opened.
    pub(crate) const CLOSED: Error = Error::Os(Errno::BADF);

    // Exceptions for arguments that the system never gets to see.

    pub(crate) fn type_error(message: impl Into<String>) -> Error {
        Error::raise::<PyTypeError>(message)
    }

    pub(crate) fn value_error(message: impl Into<String>) -> Error {
        Error::raise::<PyValueError>(message)
    }

    pub(crate) fn overflow_error(message: impl Into<String>) -> Error {
        Error::raise::<PyOverflowError>(message)
    }

    /// Without a number: what the system said itself is [`Error::Os`].
    pub(crate) fn os_error(message: impl Into<String>) -> Error {
        Error::raise::<PyOSError>(message)
    }

    #[cfg_attr(not(messages), expect(dead_code, reason = "of messages"))]
    pub(crate) fn memory_error() -> Error {
        Error::Python(PyErr::new::<PyMemoryError, _>(()))
    }

    #[cold]
    fn raise<T: PyTypeInfo>(message: impl Into<String>) -> Error {
        Error::Python(exception::<T>(message.into()))
    }
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Error::Python(error)
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Error::Os(errno)
    }
}

impl From<Error> for PyErr {
    #[cold]
    fn from(error: Error) -> Self {
        match error {
            Error::Os(errno) => {
                let (number, text) = (errno.number(), errno.text());
                match errno.own_code() {
                    None => exception_of::<PyOSError>((number, text)),
                    Some(code) => exception_of::<PyOSError>((number, text, (), code)),
                }
            }
            Error::TimedOut => exception::<PyTimeoutError>("timed out"),
            Error::Lookup(code) => {
                Python::attach(|py| lookup_class(py, Class::Lookup, code, lookup::error_text(code)))
            }
            Error::LookupTimedOut => Python::attach(|py| {
                let message = format!("{}: timed out", lookup::error_text(c::EAI_AGAIN));
                lookup_class(py, Class::Lookup, c::EAI_AGAIN, message)
            }),
            Error::Host(code) => Python::attach(|py| {
                lookup_class(py, Class::Host, code, lookup::host_error_text(code))
            }),
            Error::Python(error) => error,
        }
    }
}

/// An exception with this one argument. All are made by this function or its neighbours: what
/// PyO3's `new_err` promises is made only when it is raised, where nothing can report any more that
/// there is no memory for it, and the process ends.
#[cold]
pub(crate) fn exception<T: PyTypeInfo>(argument: impl for<'py> Make<'py>) -> PyErr {
    exception_of::<T>((argument,))
}

#[cold]
fn exception_of<T: PyTypeInfo>(arguments: impl MakeTuple) -> PyErr {
    // While the interpreter ends there is no attaching, and nobody reads what an exception says.
    Python::try_attach(|py| made(&py.get_type::<T>(), arguments))
        .unwrap_or_else(|| PyErr::new::<T, _>(()))
}

/// An exception of that class with these arguments, or the one that came while it was made. Like
/// one that the interpreter raises, it knows which exception is being handled.
#[cold]
pub(crate) fn made(class: &Bound<'_, PyType>, arguments: impl MakeTuple) -> PyErr {
    let py = class.py();
    match arguments.make_tuple(py) {
        Ok(arguments) => {
            // SAFETY: both are alive. What is raised here is taken at once.
            unsafe { ffi::PyErr_SetObject(class.as_ptr(), arguments.as_ptr()) };
            PyErr::fetch(py)
        }
        Err(error) => error,
    }
}

/// An error of the system, or of a lookup, with a note (PEP 678) of the address that it is about:
/// text, arguments and number stay those of the standard library. What only says that an operation
/// is not done yet gets none.
#[cold]
pub(crate) fn at(address: &Bound<'_, PyAny>, error: Error) -> Error {
    let py = address.py();
    let pending = [Errno::AGAIN, Errno::INPROGRESS, Errno::ALREADY, Errno::INTR];
    match &error {
        Error::Os(errno) if pending.contains(errno) => return error,
        Error::Python(other) if !other.is_instance_of::<PyOSError>(py) => return error,
        _ => {}
    }
    let error = PyErr::from(error);
    // An address that has no repr, or a class that takes no notes, is nothing to fail for.
    let _ = address.repr().and_then(|address| {
        let note = format!("address: {}", address.to_cow()?);
        let add = error.value(py).getattr(intern!(py, "add_note"))?;
        add.call1(tuple!(py, note)?)
    });
    error.into()
}

/// An error of the system with what it is about behind its text.
#[cold]
pub(crate) fn about(errno: Errno, what: &str) -> Error {
    let text = format!("{} ({what})", errno.text());
    Error::Python(exception_of::<PyOSError>((errno.number(), text)))
}

#[derive(Clone, Copy)]
enum Class {
    Lookup,
    Host,
}

/// `gaierror` and `herror` are made by the interpreter's own extension module and
/// nowhere else, so they are fetched from there when the first one is needed.
fn lookup_class(py: Python<'_>, class: Class, code: i32, message: String) -> PyErr {
    static CLASSES: [PyOnceLock<Py<PyType>>; 2] = [const { PyOnceLock::new() }; 2];
    let name = match class {
        Class::Lookup => "gaierror",
        Class::Host => "herror",
    };
    match late::class(py, &CLASSES[class as usize], "_socket", name) {
        Ok(class) => made(&class, (code, message)),
        Err(error) => error,
    }
}
