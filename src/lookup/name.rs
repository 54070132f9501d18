//! Host names as callers write them, and the one address that a name stands for.

use std::ffi::{CStr, CString};
use std::net::{Ipv4Addr, Ipv6Addr};

use pyo3::exceptions::PyUnicodeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyString, PyType};

use super::{Entry, Hints, Service, lookup};
use crate::python::error::{self, Error, Result};
use crate::python::late;
use crate::sys::lookup::Failure;
use crate::sys::{SockAddr, c, numeric};

/// A host name in the encoding of the wire: ASCII as it is, other text through IDNA.
pub(crate) struct HostName(pub(crate) CString);

impl HostName {
    /// The host in an address, with the errors of the methods that take addresses.
    pub(crate) fn parse(object: &Bound<'_, PyAny>) -> Result<Self> {
        let null = || "host name must not contain null character".to_owned();
        match object.cast::<PyString>().map(PyStringMethods::to_str) {
            // Not even the length of labels is checked here, unlike in `encode`.
            Ok(Ok(ascii)) if ascii.is_ascii() => Self::checked(ascii.as_bytes(), null),
            _ => Self::convert(object, null, |class| {
                format!("str, bytes or bytearray expected, not {class}")
            }),
        }
    }

    /// The host as the argument of a module function, with the errors of those.
    pub(crate) fn argument(function: &str, object: &Bound<'_, PyAny>) -> Result<Self> {
        let null = || {
            let class = if object.is_instance_of::<PyString>() {
                "str"
            } else {
                "bytes"
            };
            format!(
                "{function}() argument 1 must be encoded string without null bytes, not {class}"
            )
        };
        Self::convert(object, null, |class| {
            // As everywhere where the interpreter names an argument.
            let class = if object.is_none() { "None" } else { class };
            format!("{function}() argument 1 must be str, bytes or bytearray, not {class}")
        })
    }

    fn convert(
        object: &Bound<'_, PyAny>,
        null: impl FnOnce() -> String,
        wrong: impl FnOnce(&str) -> String,
    ) -> Result<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            return Self::with_encoded(text, |bytes| Self::checked(bytes, null));
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Self::checked(bytes.as_bytes(), null);
        }
        if let Ok(bytes) = object.cast::<PyByteArray>() {
            return Self::checked(&bytes.to_vec(), null);
        }
        let class = object.get_type().name()?;
        Err(Error::type_error(wrong(class.to_str()?)))
    }

    fn checked(bytes: &[u8], null: impl FnOnce() -> String) -> Result<Self> {
        CString::new(bytes)
            .map(HostName)
            .map_err(|_| Error::type_error(null()))
    }

    /// Text through IDNA, which leaves ASCII as it is as long as its labels have a valid
    /// length.
    pub(crate) fn with_encoded<T>(
        text: &Bound<'_, PyString>,
        take: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        if let Ok(ascii) = text.to_str()
            && ascii.is_ascii()
            && has_valid_labels(ascii)
        {
            return take(ascii.as_bytes());
        }
        let py = text.py();
        match text.call_method1(intern!(py, "encode"), (intern!(py, "idna"),)) {
            Ok(encoded) => take(encoded.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes()),
            Err(error) if error.is_instance_of::<PyUnicodeError>(py) => {
                Err(unencodable(py, &error).into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether no label is longer than 63 bytes, and none but the last empty; RFC 1034.
fn has_valid_labels(name: &str) -> bool {
    let mut labels = name.split('.').rev();
    labels.next().is_none_or(|last| last.len() < 64)
        && labels.all(|label| (1..64).contains(&label.len()))
}

/// The exception for text that IDNA cannot express. Such a name does not exist, so that it
/// is a `gaierror`; it is a `UnicodeError` too for programs that expect what the standard
/// library raises.
pub(crate) fn unencodable(py: Python<'_>, cause: &PyErr) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match late::class(py, &CLASS, "oxisock._errors", "HostNameError") {
        Ok(class) => {
            let message = format!("host name cannot be encoded: {}", cause.value(py));
            let error = error::made(&class, (c::EAI_NONAME, message));
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
            if family != c::AF_INET && family != c::AF_UNSPEC {
                return Err(Error::os_error("address family mismatched"));
            }
            return Ok(SockAddr::v4(Ipv4Addr::BROADCAST, 0));
        }
        _ => {}
    }
    if let Some(host) = numeric::host(name, family) {
        return Ok(SockAddr::internet(host, 0));
    }
    let hints = Hints {
        family,
        ..Hints::default()
    };
    let entries = lookup(py, Some(name), Service::None, hints, None)?;
    first(entries, "no address for the host name")
}

fn wildcard(py: Python<'_>, family: i32) -> Result<SockAddr> {
    let hints = Hints {
        family,
        // Any type will do, but without one the same address comes once for each.
        kind: c::SOCK_DGRAM,
        flags: c::AI_PASSIVE,
        ..Hints::default()
    };
    match family {
        c::AF_INET => return Ok(SockAddr::v4(Ipv4Addr::UNSPECIFIED, 0)),
        c::AF_INET6 => return Ok(SockAddr::v6(Ipv6Addr::UNSPECIFIED, 0, 0, 0)),
        _ => {}
    }
    let entries = lookup(py, None, Service::Port(0), hints, None)?;
    if entries.len() > 1 {
        return Err(Error::os_error("wildcard resolved to multiple address"));
    }
    first(entries, "no wildcard address")
}

fn first(entries: Vec<Entry>, otherwise: &'static str) -> Result<SockAddr> {
    let entry = entries.into_iter().next();
    entry
        .map(|entry| entry.address)
        .ok_or_else(|| Error::os_error(otherwise))
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Code(code) => Error::Lookup(code),
            Failure::Os(errno) => Error::Os(errno),
        }
    }
}
