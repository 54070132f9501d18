//! Host names as callers write them, and the one address that a name stands for.

use std::ffi::{CStr, CString};

use pyo3::exceptions::{PyOSError, PyTypeError, PyUnicodeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyString, PyType};

use crate::error::{Error, Result};
use crate::sys::SockAddr;
use crate::sys::lookup::{self, Failure, Hints};

/// A host name in the encoding of the wire: ASCII as it is, other text through IDNA.
pub(crate) struct HostName(pub(crate) CString);

impl HostName {
    pub(crate) fn parse(object: &Bound<'_, PyAny>) -> Result<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            let encoded = match text.to_str() {
                Ok(ascii) if ascii.is_ascii() => return Self::from_bytes(ascii.as_bytes()),
                _ => text.call_method1(
                    intern!(object.py(), "encode"),
                    (intern!(object.py(), "idna"),),
                ),
            };
            return match encoded {
                Ok(encoded) => {
                    Self::from_bytes(encoded.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes())
                }
                Err(error) if error.is_instance_of::<PyUnicodeError>(object.py()) => {
                    Err(unencodable(object.py(), &error).into())
                }
                Err(error) => Err(error.into()),
            };
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Self::from_bytes(bytes.as_bytes());
        }
        if let Ok(bytes) = object.cast::<PyByteArray>() {
            return Self::from_bytes(&bytes.to_vec());
        }
        Err(Error::new::<PyTypeError, _>(format!(
            "str, bytes or bytearray expected, not {}",
            object.get_type().name()?
        )))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        CString::new(bytes)
            .map(HostName)
            .map_err(|_| Error::new::<PyTypeError, _>("host name must not contain null character"))
    }
}

/// The exception for text that IDNA cannot express. Such a name does not exist, so that it
/// is a `gaierror`; it is a `UnicodeError` too for programs that expect what the standard
/// library raises.
pub(crate) fn unencodable(py: Python<'_>, cause: &PyErr) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "oxisock._errors", "HostNameError");
    match class {
        Ok(class) => {
            let message = format!("host name cannot be encoded: {}", cause.value(py));
            let error = PyErr::from_type(class.clone(), (libc::EAI_NONAME, message));
            error.set_cause(py, Some(cause.clone_ref(py)));
            error
        }
        Err(error) => error,
    }
}

/// The first address of a host name in one family (`AF_UNSPEC`: in any), with port zero.
///
/// `''` is the wildcard address and `'<broadcast>'` the IPv4 broadcast address.
pub(crate) fn resolve(py: Python<'_>, name: &CStr, family: i32) -> Result<SockAddr> {
    match name.to_bytes() {
        b"" => return wildcard(py, family),
        b"<broadcast>" | b"255.255.255.255" => {
            if family != libc::AF_INET && family != libc::AF_UNSPEC {
                return Err(Error::new::<PyOSError, _>("address family mismatched"));
            }
            return Ok(super::inet::v4(libc::INADDR_BROADCAST.to_be(), 0));
        }
        _ => {}
    }
    if let Some(address) = super::inet::numeric(name, family) {
        return Ok(address);
    }
    let entries = py.detach(|| {
        lookup::addresses(
            Some(name),
            None,
            Hints {
                family,
                ..Hints::default()
            },
        )
    })?;
    first(entries, "no address for the host name")
}

fn wildcard(py: Python<'_>, family: i32) -> Result<SockAddr> {
    let hints = Hints {
        family,
        // Any type will do, but without one the same address comes once for each.
        kind: libc::SOCK_DGRAM,
        flags: libc::AI_PASSIVE,
        ..Hints::default()
    };
    match family {
        libc::AF_INET => return Ok(super::inet::v4(libc::INADDR_ANY.to_be(), 0)),
        libc::AF_INET6 => return Ok(super::inet::v6([0; 16], 0, 0, 0)),
        _ => {}
    }
    let entries = py.detach(|| lookup::addresses(None, Some(c"0"), hints))?;
    if entries.len() > 1 {
        return Err(Error::new::<PyOSError, _>(
            "wildcard resolved to multiple address",
        ));
    }
    first(entries, "no wildcard address")
}

fn first(entries: Vec<lookup::Entry>, otherwise: &'static str) -> Result<SockAddr> {
    let entry = entries.into_iter().next();
    entry
        .map(|entry| entry.address)
        .ok_or_else(|| Error::new::<PyOSError, _>(otherwise))
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Code(code) => Error::Lookup(code),
            Failure::Os(errno) => Error::Os(errno),
        }
    }
}
