//! What changed in the interpreters' own `socket` from one version to the next, named once.
//!
//! A wheel is made for one version, so each of these is a constant, and only one of the two
//! ways is compiled.

/// How long what every object begins with is, in bytes.
pub(crate) const OBJECT_HEADER: usize = size_of::<pyo3::ffi::PyObject>();

/// `setblocking` takes whatever has a truth value, and not a number only (3.12).
pub(crate) const ANY_FLAG: bool = cfg!(Py_3_12);

/// `getaddrinfo` hands on numbers of ports that are no C `long` (3.12).
pub(crate) const ANY_PORT_NUMBER: bool = cfg!(Py_3_12);

/// `getaddrinfo` takes whatever has `__index__` for a port, and not an int itself only (3.14).
pub(crate) const INDEX_AS_PORT: bool = cfg!(Py_3_14);

/// `htons`, `if_indextoname` and the like take whatever has `__index__`; a negative number is
/// a ValueError, one that is too large an OverflowError (3.14).
pub(crate) const C_INTEGERS: bool = cfg!(Py_3_14);

/// `if_nametoindex` raises an OSError with the system's number (3.14).
pub(crate) const INTERFACE_ERRNO: bool = cfg!(Py_3_14);

/// A number that loses bits in the field that it is stored in brings a DeprecationWarning
/// (3.15).
pub(crate) const LOST_BITS_WARN: bool = cfg!(Py_3_15);

/// A timeout is whatever has `__index__` or `__float__`, and not an int or a float only (3.15).
pub(crate) const ANY_REAL_TIMEOUT: bool = cfg!(Py_3_15);

/// `setsockopt` decides by the value's type: one that is too large an int is an OverflowError
/// and no wrong buffer, a length is read before a value that does not go with it is refused
/// (3.15).
pub(crate) const OPTION_BY_TYPE: bool = cfg!(Py_3_15);

/// `poll` takes timeouts beyond a C int of milliseconds (3.15).
pub(crate) const ANY_POLL_TIMEOUT: bool = cfg!(Py_3_15);

/// `epoll.close` raises what close(2) says (3.15).
#[cfg(linux)]
pub(crate) const EPOLL_CLOSE_RAISES: bool = cfg!(Py_3_15);
