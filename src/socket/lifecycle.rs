//! From the descriptor's birth to its end: making, taking over, duplicating, closing.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyModule, PyString, PyTuple, PyType};

use super::Socket;
use crate::engine;
use crate::python::args::{self, Int};
use crate::python::attributes;
use crate::python::audit::audit_with;
use crate::python::callable::unwrapped;
use crate::python::error::{Error, Result, exception};
use crate::python::make::{self, Made, Make};
use crate::python::method::{self, attribute, class_version, discard, inherit, inherit_init};
use crate::python::plain::Plain;
use crate::sys::descriptor::Named;
use crate::sys::identity::Identity;
use crate::sys::{
    self, AsFd, AsRawFd, BorrowedFd, Errno, IntoRawFd, OwnedFd, RawFd, SocketSpec, Timeout, c,
    descriptor,
};

/// What `__init__` does; -1 stands for what the caller left open.
pub(super) fn init(
    slf: &Bound<'_, Socket>,
    mut spec: SocketSpec,
    fileno: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = slf.py();
    let fileno = fileno.filter(|fileno| !fileno.is_none());
    if fileno.is_none() {
        for (part, usual) in [
            (&mut spec.family, c::AF_INET),
            (&mut spec.kind, c::SOCK_STREAM),
            (&mut spec.protocol, 0),
        ] {
            if *part == -1 {
                *part = usual;
            }
        }
    }
    announce(slf.as_any(), spec)?;
    let socket = slf.get();
    match fileno {
        Some(fileno) => socket.adopt(py, named_descriptor(fileno)?, spec)?,
        None => {
            let timeout = initial_timeout(spec.kind);
            let open = || descriptor::open(spec, engine::nonblocking_with(timeout));
            // The kernel may have to load a module for any other family.
            let fd = match spec.family {
                c::AF_UNIX | c::AF_INET | c::AF_INET6 => open(),
                _ => py.detach(open),
            };
            let fd = fd.map_err(Error::from)?;
            socket.channel.vacate(py);
            socket.open(fd, spec, timeout)?;
        }
    }
    Ok(())
}

/// Raises the audit event of a new socket.
fn announce(socket: &Bound<'_, PyAny>, spec: SocketSpec) -> PyResult<()> {
    audit_with(socket.py(), c"socket.__new__", || {
        let py = socket.py();
        make::tuple!(py, socket, spec.family, spec.kind, spec.protocol)
    })
}

/// The timeout of a new socket: the default one, unless the type carries `SOCK_NONBLOCK`.
fn initial_timeout(kind: i32) -> Timeout {
    if descriptor::is_nonblocking_kind(kind) {
        Timeout::ZERO
    } else {
        engine::default_timeout()
    }
}

/// Family, type and protocol of a descriptor that exists: what the caller says wins, the
/// rest is asked of the system.
fn identify(fd: BorrowedFd<'_>, said: SocketSpec) -> sys::Result<SocketSpec> {
    let asks_family = said.family == -1;
    let family = match descriptor::local_address(fd) {
        Ok(address) if asks_family => address.family().unwrap_or(c::AF_UNSPEC),
        // A family without names of its own may fail here, and still work.
        Err(errno) if asks_family || matches!(errno, Errno::BADF | Errno::NOTSOCK) => {
            return Err(errno);
        }
        _ => said.family,
    };
    let kind = match said.kind {
        -1 => descriptor::kind(fd)?,
        kind => kind,
    };
    let protocol = match said.protocol {
        -1 => descriptor::protocol(fd)?,
        protocol => protocol,
    };
    Ok(SocketSpec {
        family,
        kind,
        protocol,
    })
}

impl Socket {
    /// Adopts a descriptor from outside, in the mode that new sockets have; what cannot be adopted
    /// stays the caller's.
    fn adopt(&self, py: Python<'_>, fd: Named, said: SocketSpec) -> Result<()> {
        // By what the caller says of the type, as the system's answer has no such flag.
        let timeout = initial_timeout(if said.kind == -1 { 0 } else { said.kind });
        let found = identify(fd.borrow(), said)?;
        if fd.borrow().as_raw_fd() != self.channel.number() {
            self.channel.vacate(py);
        }
        if engine::nonblocking_with(timeout) {
            descriptor::set_nonblocking(fd.borrow(), true)?;
        }
        let opened = self.channel.open(fd.adopt(), timeout, true);
        opened.map_err(|fd| {
            let _ = fd.into_raw_fd();
            Errno::BUSY
        })?;
        Offer::accepted(self.channel.number());
        self.describe(found);
        self.traits.forget();
        Ok(())
    }

    /// Adopts a descriptor that was just made here, in the mode of the timeout.
    fn open(&self, fd: OwnedFd, made: SocketSpec, timeout: Timeout) -> Result<()> {
        let opened = self.channel.open(fd, timeout, false);
        opened.map_err(|_closed| Errno::BUSY)?;
        self.describe(made);
        self.traits.is_new(self.kind());
        Ok(())
    }

    /// Counts a file that was made of the socket.
    pub(crate) fn file_opened(&self) {
        self.files.fetch_add(1, SeqCst);
    }

    fn describe(&self, spec: SocketSpec) {
        self.family.store(spec.family, Relaxed);
        self.kind.store(spec.kind, Relaxed);
        self.protocol.store(spec.protocol, Relaxed);
        self.closed.store(false, Relaxed);
        self.kept.clear();
    }
}

/// The class that new sockets have which no caller names: `oxisock.socket`.
static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Its methods that other natives here call without a look-up, as the class came with them.
static METHODS: PyOnceLock<[(Py<PyString>, Py<PyAny>); 6]> = PyOnceLock::new();

/// The version of the class that was last seen with all of them, 0 for none.
static UNALTERED: AtomicU32 = AtomicU32::new(0);

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
        return Err(exception::<PyTypeError>(
            "the class must be derived from Socket",
        ));
    }
    if CLASS.set(py, class.clone().unbind()).is_ok() {
        inherit::<Socket>(class)?;
        let method = |name: &Bound<'_, PyString>| {
            let method = attribute(class, name)?.unbind();
            Ok::<_, PyErr>((name.clone().unbind(), method))
        };
        let methods = [
            method(intern!(py, "__new__"))?,
            method(intern!(py, "__init__"))?,
            method(intern!(py, "_accept"))?,
            method(intern!(py, "recv_into"))?,
            method(intern!(py, "_decref_socketios"))?,
            method(intern!(py, "_real_close"))?,
        ];
        METHODS.set(py, methods).ok();
        inherit_init::<Socket>(class)?;
    }
    Ok(CLASS.get(py).map_or(class, |class| class.bind(py)).clone())
}

/// Hand an exception that cannot be raised to ``sys.unraisablehook``.
///
/// Args:
///     error: the exception.
///     object: what it happened in.
#[pyfunction]
#[pyo3(signature = (error, object, /))]
pub(crate) fn write_unraisable(error: Bound<'_, PyAny>, object: &Bound<'_, PyAny>) {
    let py = object.py();
    PyErr::from_value(error).write_unraisable(py, Some(object));
}

/// What a program has put into the place of `oxisock.socket`, if it has: the standard library's
/// functions make their sockets of it, too.
pub(super) fn replacement(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let Ok(module) = attributes::modules(py).get_item(intern!(py, "oxisock")) else {
        return Ok(None);
    };
    let name = intern!(py, "socket");
    // What counts in the package is its dictionary, and to look there takes the least time.
    let found = match module.cast::<PyModule>() {
        Ok(module) => module.dict().get_item(name)?,
        Err(_) => module.getattr_opt(name)?,
    };
    Ok(found.filter(|found| CLASS.get(py).is_some_and(|class| !found.is(class))))
}

/// What sockets are to be made of by a call, as the standard library makes all of its own: another
/// class in the place of `oxisock.socket`, or that one where a program has put something into the
/// place of its methods. None where nobody has done either.
pub(super) fn called_class(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let found = replacement(py)?;
    if found.is_some() || !is_altered(py) {
        return Ok(found);
    }
    Ok(Some(registered(py)))
}

/// Whether a program has replaced one of [`METHODS`] in the registered class.
fn is_altered(py: Python<'_>) -> bool {
    let (Some(class), Some(methods)) = (CLASS.get(py), METHODS.get(py)) else {
        return false;
    };
    let class = class.bind(py);
    let version = class_version(class);
    if version != 0 && version == UNALTERED.load(Relaxed) {
        return false;
    }
    for (name, method) in methods {
        match attribute(class, name.bind(py)) {
            Ok(found) if unwrapped(found.clone()).is(method) => {}
            Ok(_) => return true,
            Err(error) => {
                discard(py, error);
                return true;
            }
        }
    }
    // What it was before: another thread may have replaced one since.
    UNALTERED.store(version, Relaxed);
    false
}

/// The class that sockets are made of where nobody has replaced it.
pub(super) fn registered(py: Python<'_>) -> Bound<'_, PyAny> {
    let native = || py.get_type::<Socket>().into_any();
    CLASS
        .get(py)
        .map_or_else(native, |class| class.bind(py).clone().into_any())
}

fn is_registered(class: &Bound<'_, PyAny>) -> bool {
    CLASS
        .get(class.py())
        .is_some_and(|registered| class.is(registered))
}

/// Whether an object is of the registered class itself, so that no subclass has a say.
pub(super) fn is_plain(object: &Bound<'_, Socket>) -> bool {
    is_registered(&object.get_type())
}

/// The native half of an object of the registered class itself, where nobody has replaced its
/// methods, so that calling those natively comes to the same.
#[inline]
pub(crate) fn plain<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a Socket> {
    let py = object.py();
    let class = CLASS.get(py)?.bind(py);
    if !object.get_type().is(class) || is_altered(py) {
        return None;
    }
    object.cast::<Socket>().ok().map(Bound::get)
}

/// A descriptor that a class is called with, by its number, for one of its objects to adopt.
///
/// Whoever is called with the number may have taken it over when the call fails: the object that
/// was being made lives on in the traceback, and closes the descriptor when it goes. Closing it
/// twice would hit whoever has the number by then. So only an offer that no socket has accepted,
/// and whose number is still the same socket's, is closed.
pub(super) struct Offer {
    number: RawFd,
    /// None where there is nothing to close, or somebody else's to close.
    identity: Option<Identity>,
}

/// The numbers on offer. Held for a moment, and never while Python code runs.
static OFFERED: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

fn offered() -> MutexGuard<'static, Vec<RawFd>> {
    OFFERED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Offer {
    pub(super) fn of(number: RawFd) -> Self {
        let identity = Named::new(number).ok();
        let identity = identity.and_then(|fd| Identity::of(fd.borrow()).ok());
        if identity.is_some() {
            offered().push(number);
        }
        Offer { number, identity }
    }

    /// Notes that a socket has taken the number over.
    fn accepted(number: RawFd) {
        let mut offered = offered();
        if let Some(index) = offered.iter().position(|offer| *offer == number) {
            offered.swap_remove(index);
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        let mut offered = offered();
        let Some(index) = offered.iter().position(|offer| *offer == self.number) else {
            return;
        };
        offered.swap_remove(index);
        drop(offered);
        if let Ok(fd) = Named::new(self.number)
            && self.identity.is_some()
            && Identity::of(fd.borrow()).ok() == self.identity
        {
            // There is an error to report already, and nobody to tell of another.
            let _ = descriptor::close(fd.adopt());
        }
    }
}

/// Makes a socket around a descriptor as the standard library does, by calling a class, whose
/// arguments have the number in them.
pub(super) fn construct<'py>(
    class: &Bound<'py, PyAny>,
    fd: Offer,
    arguments: Bound<'py, PyTuple>,
    keywords: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let object = class.call(arguments, keywords)?;
    // A class that is none of ours has its own way to keep it.
    Offer::accepted(fd.number);
    Ok(object)
}

/// The same with the number by its name, behind family, type and protocol.
pub(super) fn construct_by_name<'py>(
    class: &Bound<'py, PyAny>,
    fd: Offer,
    [family, kind, protocol]: [&Bound<'py, PyAny>; 3],
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let keywords = make::dictionary(py)?;
    keywords.set_item(intern!(py, "fileno"), fd.number.make(py)?)?;
    let arguments = make::tuple!(py, family, kind, protocol)?;
    construct(class, fd, arguments, Some(&keywords))
}

/// Call a class with a descriptor among the arguments, for one of its objects to adopt.
///
/// Where that fails, and no socket has taken the descriptor over, it is closed.
///
/// Args:
///     fd: the descriptor's number, the last argument.
///     cls: the class.
///     family: the first argument.
///     type: the second argument.
///     proto: the third argument.
///     by_name: whether the number is given as ``fileno=``.
///
/// Returns:
///     What the class returned.
#[pyfunction]
#[pyo3(name = "construct", signature = (fd, cls, family, r#type, proto, /, by_name))]
pub(crate) fn construct_with<'py>(
    fd: Plain<RawFd>,
    cls: &Bound<'py, PyAny>,
    family: &Bound<'py, PyAny>,
    r#type: &Bound<'py, PyAny>,
    proto: &Bound<'py, PyAny>,
    by_name: Plain<bool>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, fd) = (cls.py(), fd.0);
    let parts = [family, r#type, proto].map(args::plain_int);
    if let [Some(family), Some(kind), Some(protocol)] = parts
        && is_registered(cls)
        && !is_altered(py)
        && let Ok(fd) = Named::new(fd)
    {
        let said = SocketSpec {
            family,
            kind,
            protocol,
        };
        return adopting(py, fd, said);
    }
    let offer = Offer::of(fd);
    if by_name.0 {
        return construct_by_name(cls, offer, [family, r#type, proto]);
    }
    let arguments = make::tuple!(py, family, r#type, proto, fd)?;
    construct(cls, offer, arguments, None)
}

/// What calling the registered class with a descriptor comes to, where nobody has replaced its
/// methods. Nobody is told of the number, so that it is closed without an [`Offer`].
fn adopting(py: Python<'_>, fd: Named, said: SocketSpec) -> PyResult<Bound<'_, PyAny>> {
    let adopting = || {
        let object = blank(py)?;
        announce(&object, said)?;
        object.cast::<Socket>()?.get().adopt(py, fd, said)?;
        Ok(object)
    };
    adopting().inspect_err(|_| {
        // There is an error to report already.
        let _ = descriptor::close(fd.adopt());
    })
}

/// An object of the registered class around a descriptor that was just made, in the mode
/// of `timeout`.
pub(super) fn wrap<'py>(
    py: Python<'py>,
    fd: OwnedFd,
    made: SocketSpec,
    timeout: Timeout,
) -> PyResult<Bound<'py, PyAny>> {
    let object = blank(py)?;
    announce(&object, made)?;
    object.cast::<Socket>()?.get().open(fd, made, timeout)?;
    Ok(object)
}

/// An unopened object of the registered class, made without its `__init__`.
fn blank(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    match CLASS.get(py) {
        Some(class) => method::blank(class.bind(py)),
        None => Ok(pyo3::object(py, Socket::unopened())?.into_any()),
    }
}

/// A descriptor's number as the standard library takes it.
fn named_descriptor(object: &Bound<'_, PyAny>) -> PyResult<Named> {
    if object.is_instance_of::<PyFloat>() {
        return Err(exception::<PyTypeError>(
            "integer argument expected, got float",
        ));
    }
    let number = args::long(object)?;
    if number < 0 {
        return Err(exception::<PyValueError>("negative file descriptor"));
    }
    // No descriptor is that large: the system would answer the same.
    let number = RawFd::try_from(number).map_err(|_| Error::CLOSED)?;
    Ok(Named::new(number).map_err(Error::from)?)
}

#[pymethods]
impl Socket {
    /// Return the descriptor's number, or -1 when the socket is closed.
    pub(super) fn fileno(&self) -> Made<RawFd> {
        self.channel.share();
        Made(self.channel.number())
    }

    /// Tell whether the descriptor stays open in programs that are executed; fcntl(2).
    ///
    /// Raises:
    ///     OSError: the socket is closed.
    fn get_inheritable(&self, py: Python<'_>) -> Result<bool> {
        Ok(self.channel.lend(py, descriptor::is_inheritable)??)
    }

    /// Choose whether the descriptor stays open in programs that are executed; ioctl(2).
    ///
    /// Args:
    ///     inheritable: an int, 0 to have it closed (FIOCLEX, FIONCLEX).
    ///
    /// Raises:
    ///     OSError: the socket is closed.
    ///     TypeError: the argument is no integer.
    fn set_inheritable(&self, py: Python<'_>, inheritable: Int) -> Result<()> {
        let set = |fd: BorrowedFd<'_>| descriptor::set_inheritable(fd, inheritable.0 != 0);
        Ok(self.channel.lend(py, set)??)
    }

    /// Give the descriptor to the caller and close the object without it.
    ///
    /// Returns:
    ///     The number, which the caller has to close, or -1 when the socket was closed.
    fn detach<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.closed.store(true, Relaxed);
        let fd = self.channel.take();
        self.channel.end_users(py);
        // Where there is no memory for the number, the descriptor is closed: nobody would know it.
        let number = fd.as_ref().map_or(-1, AsRawFd::as_raw_fd).make(py)?;
        if let Some(fd) = &fd {
            self.channel.restore_mode(fd.as_fd());
        }
        fd.map(OwnedFd::into_raw_fd);
        Ok(number)
    }

    /// Close the socket; its descriptor lives on while files made of it are open.
    ///
    /// Another thread's operation that is on its way with the descriptor ends first; one
    /// that waits ends at once, with EBADF. See close(2).
    ///
    /// Raises:
    ///     OSError: the system reports an error that a write before left behind. The
    ///         descriptor is closed all the same.
    pub(super) fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let socket = slf.get();
        // In this order, as the last file does it in the other: one of the two finds both.
        socket.closed.store(true, SeqCst);
        if socket.files.load(SeqCst) > 0 {
            Ok(())
        } else {
            really_close(slf)
        }
    }

    /// Close the descriptor, whatever files are open. Subclasses may extend it.
    #[pyo3(signature = (_ss = None))]
    fn _real_close(&self, py: Python<'_>, _ss: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let fd = self.channel.retire();
        self.channel.wake_users(py);
        fd.map_or(Ok(()), |fd| close_descriptor(py, fd))
    }

    /// Note that a file of the socket was closed; the last one closes a closed socket.
    pub(crate) fn _decref_socketios(slf: &Bound<'_, Self>) -> PyResult<()> {
        let socket = slf.get();
        let one_less = |count: isize| (count > 0).then(|| count - 1);
        socket.files.fetch_update(SeqCst, SeqCst, one_less).ok();
        if socket.closed.load(SeqCst) {
            // A subclass may have its own.
            slf.call_method0(intern!(slf.py(), "close"))?;
        }
        Ok(())
    }

    #[getter]
    fn _io_refs(&self) -> Made<i64> {
        Made(self.files.load(Relaxed) as i64)
    }

    #[setter(_io_refs)]
    fn set_io_refs(&self, count: Plain<isize>) {
        self.files.store(count.0, Relaxed);
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
    match plain(slf) {
        Some(socket) => socket._real_close(slf.py(), None),
        None => {
            slf.call_method0(intern!(slf.py(), "_real_close"))?;
            Ok(())
        }
    }
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
    let fd = Named::new(args::descriptor(fd)?).map_err(Error::from)?;
    close_descriptor(py, fd.adopt())
}

pub(crate) fn close_descriptor(py: Python<'_>, fd: OwnedFd) -> PyResult<()> {
    // Closing waits only where the socket lingers; what is no socket may wait as well.
    let result = if engine::contended() && matches!(descriptor::lingers(fd.as_fd()), Ok(false)) {
        descriptor::close(fd)
    } else {
        engine::detached(py, || descriptor::close(fd))
    };
    match result {
        // The peer has gone already: nothing was lost that closing could have saved.
        Err(Errno::CONNRESET) => Ok(()),
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
pub(crate) fn dup<'py>(fd: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = fd.py();
    let fd = Named::new(args::descriptor(fd)?).map_err(Error::from)?;
    let copy = descriptor::duplicate(fd.borrow()).map_err(Error::from)?;
    let number = copy.as_raw_fd().make(py)?;
    let _ = copy.into_raw_fd();
    Ok(number)
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
    signature = (family = None, r#type = Int(c::SOCK_STREAM), proto = Int(0)),
    text_signature = "(family=None, type=1, proto=0)"
)]
pub(crate) fn socketpair<'py>(
    py: Python<'py>,
    family: Option<Int>,
    r#type: Int,
    proto: Int,
) -> PyResult<Bound<'py, PyTuple>> {
    let spec = SocketSpec {
        family: family.map_or(descriptor::PAIR.family, |family| family.0),
        kind: r#type.0,
        protocol: proto.0,
    };
    let timeout = initial_timeout(spec.kind);
    let (one, two) =
        descriptor::open_pair(spec, engine::nonblocking_with(timeout)).map_err(Error::from)?;
    let other = called_class(py)?;
    let new = |fd: OwnedFd| match &other {
        None => wrap(py, fd, spec, timeout),
        Some(class) => {
            let number = fd.into_raw_fd();
            let offer = Offer::of(number);
            let arguments = make::tuple!(py, spec.family, spec.kind, spec.protocol, number)?;
            construct(class, offer, arguments, None)
        }
    };
    make::tuple!(py, new(one)?, new(two)?)
}
