//! From the descriptor's birth to its end: making, taking over, duplicating, closing.

use std::io::ErrorKind;
use std::sync::atomic::Ordering::Relaxed;

use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyFloat, PyTuple, PyType};

use super::Socket;
use crate::engine;
use crate::python::args::{self, Int};
use crate::python::audit::audit_with;
use crate::python::error::{Error, Result};
use crate::python::method::{inherit, method};
use crate::sys::{Fd, descriptor};

/// What `__init__` does; -1 stands for what the caller left open.
pub(super) fn init(
    slf: &Bound<'_, Socket>,
    family: i32,
    kind: i32,
    protocol: i32,
    fileno: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = slf.py();
    let fileno = fileno.filter(|fileno| !fileno.is_none());
    let (family, kind, protocol) = match fileno {
        Some(_) => (family, kind, protocol),
        None => (
            if family == -1 { libc::AF_INET } else { family },
            if kind == -1 { libc::SOCK_STREAM } else { kind },
            if protocol == -1 { 0 } else { protocol },
        ),
    };
    announce(slf.as_any(), family, kind, protocol)?;
    let socket = slf.get();
    match fileno {
        Some(fileno) => {
            let fd = descriptor_number(fileno)?;
            let found = identify(fd, family, kind, protocol)?;
            socket.adopt(fd, found, engine::default_timeout())?;
        }
        None => {
            let timeout = initial_timeout(kind);
            let open = || descriptor::open(family, kind, protocol, timeout >= 0);
            // The kernel may have to load a module for any other family.
            let fd = match family {
                libc::AF_UNIX | libc::AF_INET | libc::AF_INET6 => open(),
                _ => py.detach(open),
            };
            let fd = fd.map_err(Error::from)?;
            socket.open((family, kind, protocol), fd, timeout, timeout >= 0)?;
        }
    }
    Ok(())
}

/// Raises the audit event of a new socket.
fn announce(socket: &Bound<'_, PyAny>, family: i32, kind: i32, protocol: i32) -> PyResult<()> {
    audit_with(socket.py(), c"socket.__new__", || {
        (socket, family, kind, protocol).into_pyobject(socket.py())
    })
}

/// The timeout of a new socket: the default one, unless the type carries `SOCK_NONBLOCK`.
fn initial_timeout(kind: i32) -> i64 {
    if kind & libc::SOCK_NONBLOCK != 0 {
        0
    } else {
        engine::default_timeout()
    }
}

/// Family, type and protocol of a descriptor that exists: what the caller says wins, the
/// rest is asked of the system.
fn identify(fd: Fd, family: i32, kind: i32, protocol: i32) -> Result<(i32, i32, i32)> {
    let address = descriptor::local_address(fd);
    let family = match address {
        Ok(address) if family == -1 => address.family().unwrap_or(libc::AF_UNSPEC),
        // A family without names of its own may fail here, and still work.
        Err(error)
            if family == -1
                || matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK)) =>
        {
            return Err(error.into());
        }
        _ => family,
    };
    let kind = match kind {
        -1 => descriptor::kind(fd)?,
        kind => kind,
    };
    let protocol = match protocol {
        -1 => descriptor::protocol(fd)?,
        protocol => protocol,
    };
    Ok((family, kind, protocol))
}

impl Socket {
    /// Ends what other threads wait for on a descriptor that is gone.
    fn wake_users(&self, py: Python<'_>) {
        if self.channel.is_busy() {
            py.detach(|| self.channel.wake_sleepers());
        }
    }

    /// Takes over a descriptor from outside, in the mode that new sockets have.
    fn adopt(&self, fd: Fd, found: (i32, i32, i32), timeout: i64) -> Result<()> {
        if timeout >= 0 {
            descriptor::set_nonblocking(fd, true)?;
        }
        self.channel.open(fd, timeout, timeout >= 0, true)?;
        self.describe(found);
        self.traits.forget();
        Ok(())
    }

    /// Takes over a descriptor that was just made here.
    fn open(&self, made: (i32, i32, i32), fd: Fd, timeout: i64, nonblocking: bool) -> Result<()> {
        let opened = self.channel.open(fd, timeout, nonblocking, false);
        opened.inspect_err(|_| {
            descriptor::close(fd).ok();
        })?;
        self.describe(made);
        self.traits.is_new(self.kind());
        Ok(())
    }

    /// Counts a file that was made of the socket.
    pub(crate) fn file_opened(&self) {
        self.files.fetch_add(1, Relaxed);
    }

    fn describe(&self, (family, kind, protocol): (i32, i32, i32)) {
        self.family.store(family, Relaxed);
        self.kind.store(kind, Relaxed);
        self.protocol.store(protocol, Relaxed);
        self.closed.store(false, Relaxed);
    }
}

/// The class that new sockets have which no caller names: `oxisock.socket`.
static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Tell the native module which class to make sockets of.
///
/// Args:
///     class_: a class that is derived from ``Socket``.
///
/// Returns:
///     The class that was registered first, which stays: a module that is imported again
///     goes on with it.
#[pyfunction]
#[pyo3(signature = (class, /))]
pub(crate) fn register_class<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyType>> {
    let py = class.py();
    if !class.is_subclass_of::<Socket>()? {
        return Err(PyTypeError::new_err(
            "the class must be derived from Socket",
        ));
    }
    if CLASS.set(py, class.clone().unbind()).is_ok() {
        inherit::<Socket>(class)?;
    }
    Ok(CLASS.get(py).map_or(class, |class| class.bind(py)).clone())
}

/// What a program has put into the place of `oxisock.socket`, if it has: the standard library's
/// functions make their sockets of it, too.
pub(super) fn replacement(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    // SAFETY: borrowed, and alive as long as the interpreter.
    let modules = unsafe { Borrowed::from_ptr(py, ffi::PyImport_GetModuleDict()) };
    let Ok(module) = modules.get_item(intern!(py, "oxisock")) else {
        return Ok(None);
    };
    let found = module.getattr_opt(intern!(py, "socket"))?;
    Ok(found.filter(|found| CLASS.get(py).is_some_and(|class| !found.is(class))))
}

/// The class that sockets are made of where nobody has replaced it.
pub(super) fn registered(py: Python<'_>) -> Bound<'_, PyAny> {
    let native = || py.get_type::<Socket>().into_any();
    CLASS
        .get(py)
        .map_or_else(native, |class| class.bind(py).clone().into_any())
}

/// Whether an object is of the registered class itself, so that no subclass has a say.
pub(super) fn is_plain(object: &Bound<'_, Socket>) -> bool {
    CLASS
        .get(object.py())
        .is_some_and(|class| object.get_type().is(class))
}

/// Makes a socket around a descriptor as the standard library does, by calling a class. Closes
/// the descriptor where that fails.
pub(super) fn make<'py>(
    class: &Bound<'py, PyAny>,
    made: impl PyCallArgs<'py>,
    fd: Fd,
) -> PyResult<Bound<'py, PyAny>> {
    let keywords = [(intern!(class.py(), "fileno"), fd)].into_py_dict(class.py())?;
    class.call(made, Some(&keywords)).inspect_err(|_| {
        descriptor::close(fd).ok();
    })
}

/// An object of the registered class around a descriptor that was just made, in the mode
/// of `timeout`. Closes the descriptor where that fails.
pub(super) fn wrap<'py>(
    py: Python<'py>,
    fd: Fd,
    made: (i32, i32, i32),
    timeout: i64,
) -> PyResult<Bound<'py, PyAny>> {
    let object = blank(py).and_then(|object| {
        announce(&object, made.0, made.1, made.2)?;
        Ok(object)
    });
    let object = object.inspect_err(|_| {
        descriptor::close(fd).ok();
    })?;
    object
        .cast::<Socket>()?
        .get()
        .open(made, fd, timeout, timeout >= 0)?;
    Ok(object)
}

/// An unopened object of the registered class, made without its `__init__`.
fn blank(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let Some(class) = CLASS.get(py) else {
        return Ok(Bound::new(py, Socket::unopened())?.into_any());
    };
    let class = class.bind(py).as_type_ptr();
    // SAFETY: the class is derived from Socket, so that it has a tp_new which takes any
    // arguments; an empty tuple is one, and the result is a new reference or an exception.
    unsafe {
        let new = (*class)
            .tp_new
            .ok_or_else(|| PyTypeError::new_err("class without __new__"))?;
        let object = new(class, PyTuple::empty(py).as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, object)
    }
}

/// A descriptor's number as the standard library takes it.
fn descriptor_number(object: &Bound<'_, PyAny>) -> PyResult<Fd> {
    if object.is_instance_of::<PyFloat>() {
        return Err(PyTypeError::new_err("integer argument expected, got float"));
    }
    // SAFETY: the object is alive; an error is reported through the -1 that is checked.
    let number = unsafe { ffi::PyLong_AsLong(object.as_ptr()) };
    if number == -1
        && let Some(error) = PyErr::take(object.py())
    {
        return Err(error);
    }
    if number < 0 {
        return Err(PyValueError::new_err("negative file descriptor"));
    }
    // No descriptor is that large: the system would answer the same.
    Fd::try_from(number).map_err(|_| Error::CLOSED.into())
}

#[pymethods]
impl Socket {
    #[classattr]
    fn fileno(py: Python<'_>) -> PyResult<Py<PyAny>> {
        method!(
            py,
            Socket,
            fileno,
            |socket: &Socket| {
                socket.channel.share();
                Ok(socket.channel.fd())
            },
            "Return the descriptor's number, or -1 when the socket is closed."
        )
    }

    /// Tell whether the descriptor stays open in programs that are executed; fcntl(2).
    ///
    /// Raises:
    ///     OSError: the socket is closed.
    fn get_inheritable(&self) -> Result<bool> {
        Ok(descriptor::is_inheritable(self.channel.fd())?)
    }

    /// Choose whether the descriptor stays open in programs that are executed; ioctl(2).
    ///
    /// Args:
    ///     inheritable: an int, 0 to have it closed (FIOCLEX, FIONCLEX).
    ///
    /// Raises:
    ///     OSError: the socket is closed.
    ///     TypeError: the argument is no integer.
    fn set_inheritable(&self, inheritable: Int) -> Result<()> {
        Ok(descriptor::set_inheritable(
            self.channel.fd(),
            inheritable.0 != 0,
        )?)
    }

    /// Give the descriptor to the caller and close the object without it.
    ///
    /// Returns:
    ///     The number, which the caller has to close, or -1 when the socket was closed.
    fn detach(&self, py: Python<'_>) -> Fd {
        self.closed.store(true, Relaxed);
        let fd = self.channel.take();
        self.wake_users(py);
        fd.unwrap_or(-1)
    }

    /// Close the socket; its descriptor lives on while files made of it are open.
    ///
    /// Another thread's operation that is on its way with the descriptor ends first; one
    /// that waits ends at once, with EBADF. See close(2).
    ///
    /// Raises:
    ///     OSError: the system reports an error that a write before left behind. The
    ///         descriptor is closed all the same.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let socket = slf.get();
        socket.closed.store(true, Relaxed);
        if socket.files.load(Relaxed) > 0 {
            Ok(())
        } else {
            really_close(slf)
        }
    }

    /// Close the descriptor, whatever files are open. Subclasses may extend it.
    #[pyo3(signature = (_ss = None))]
    fn _real_close(&self, py: Python<'_>, _ss: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let fd = self.channel.retire();
        self.wake_users(py);
        fd.map_or(Ok(()), |fd| close_descriptor(py, fd))
    }

    /// Note that a file of the socket was closed; the last one closes a closed socket.
    fn _decref_socketios(slf: &Bound<'_, Self>) -> PyResult<()> {
        let socket = slf.get();
        if socket.files.load(Relaxed) > 0 {
            socket.files.fetch_sub(1, Relaxed);
        }
        if socket.closed.load(Relaxed) {
            // A subclass may have its own.
            slf.call_method0(intern!(slf.py(), "close"))?;
        }
        Ok(())
    }

    #[getter]
    fn _io_refs(&self) -> isize {
        self.files.load(Relaxed)
    }

    #[setter(_io_refs)]
    fn set_io_refs(&self, count: isize) {
        self.files.store(count, Relaxed);
    }

    #[getter]
    fn _closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    #[setter(_closed)]
    fn set_closed(&self, closed: &Bound<'_, PyAny>) -> PyResult<()> {
        self.closed.store(closed.is_truthy()?, Relaxed);
        Ok(())
    }
}

fn really_close(slf: &Bound<'_, Socket>) -> PyResult<()> {
    slf.call_method0(intern!(slf.py(), "_real_close"))?;
    Ok(())
}

/// Close a descriptor, as ``os.close`` does, but for sockets on every platform; close(2).
///
/// Args:
///     fd: the descriptor's number.
///
/// Raises:
///     OSError: the number is no open descriptor, or the system reports an error.
#[pyfunction]
#[pyo3(signature = (fd, /))]
pub(crate) fn close(py: Python<'_>, fd: &Bound<'_, PyAny>) -> PyResult<()> {
    close_descriptor(py, args::int(fd)?)
}

fn close_descriptor(py: Python<'_>, fd: Fd) -> PyResult<()> {
    // Closing waits only where the socket lingers; what is no socket may wait as well.
    let result = if engine::contended() && matches!(descriptor::lingers(fd), Ok(false)) {
        descriptor::close(fd)
    } else {
        py.detach(|| descriptor::close(fd))
    };
    match result {
        // The peer has gone already: nothing was lost that closing could have saved.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        result => Ok(result.map_err(Error::from)?),
    }
}

/// Duplicate a descriptor; the new one is closed on exec; fcntl(2), F_DUPFD_CLOEXEC.
///
/// Args:
///     fd: the descriptor's number.
///
/// Returns:
///     The number of the new descriptor.
///
/// Raises:
///     OSError: the number is no open descriptor, or there are too many.
#[pyfunction]
#[pyo3(signature = (fd, /))]
pub(crate) fn dup(fd: &Bound<'_, PyAny>) -> PyResult<Fd> {
    Ok(descriptor::duplicate(args::int(fd)?).map_err(Error::from)?)
}

/// Make two sockets that are connected with each other; socketpair(2).
///
/// Args:
///     family: the address family, AF_UNIX where it exists.
///     type: the socket type.
///     proto: the protocol number, 0 for the family's own.
///
/// Returns:
///     A tuple of two sockets.
///
/// Raises:
///     OSError: the family does not offer pairs, or there are too many descriptors.
#[pyfunction]
#[pyo3(
    signature = (family = None, r#type = Int(libc::SOCK_STREAM), proto = Int(0)),
    text_signature = "(family=None, type=1, proto=0)"
)]
pub(crate) fn socketpair<'py>(
    py: Python<'py>,
    family: Option<Int>,
    r#type: Int,
    proto: Int,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let made = (
        family.map_or(libc::AF_UNIX, |family| family.0),
        r#type.0,
        proto.0,
    );
    let timeout = initial_timeout(made.1);
    let (one, two) =
        descriptor::open_pair(made.0, made.1, made.2, timeout >= 0).map_err(Error::from)?;
    let other = replacement(py).inspect_err(|_| {
        for fd in [one, two] {
            descriptor::close(fd).ok();
        }
    })?;
    let new = |fd| match &other {
        None => wrap(py, fd, made, timeout),
        Some(class) => make(class, made, fd),
    };
    let one = new(one).inspect_err(|_| {
        descriptor::close(two).ok();
    })?;
    Ok((one, new(two)?))
}
