//! getaddrinfo(3).

use std::ffi::{CStr, CString};
use std::time::Instant;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyString};

use crate::address;
use crate::constants::{family_member, kind_member};
use crate::lookup::{Entry, Hints, HostName, Service, lookup};
use crate::python::args::{self, Int};
use crate::python::audit::audit_with;
use crate::python::error::{Error, Result};
use crate::python::make;
use crate::python::plain::Plain;
use crate::python::version;

/// Look up the addresses of a host and a service; getaddrinfo(3), RFC 3493.
///
/// Numeric hosts and ports are answered without a system call. A lookup that may need the
/// network answers signals when it runs in the main thread: Ctrl-C ends it.
///
/// Args:
///     host: a name or number as str or bytes; a str goes through IDNA (RFC 3490). None for
///         this machine: its loopback addresses, or the wildcard addresses with AI_PASSIVE.
///     port: a number, or a service name or number as str or bytes; None for port 0.
///     family: an address family, 0 for any.
///     type: a socket type, 0 for any.
///     proto: a protocol number, 0 for any.
///     flags: AI_* flags, combined with ``|``.
///     timeout: the longest time to wait in seconds, None for no limit. By keyword only, an
///         addition of oxisock, which ``inspect.signature`` does not show.
///
/// Returns:
///     A list of tuples ``(family, type, proto, canonname, sockaddr)``, in the order in
///     which they should be tried. ``canonname`` is '' unless AI_CANONNAME was asked for.
///
/// Raises:
///     gaierror: there is no such host or service, or the combination is not supported.
///     HostNameError: IDNA cannot express the host name; a gaierror and a UnicodeError.
///     TimeoutError: the timeout has passed.
///     OSError: the port has a wrong type.
///     TypeError: the host has a wrong type.
///     ValueError: the timeout is negative or not a number.
///     OverflowError: the timeout is too large.
#[pyfunction]
// The signature for `inspect` is the standard library's: programs compare the two.
#[pyo3(signature = (host, port, family=Int(0), r#type=Int(0), proto=Int(0), flags=Int(0), *, timeout=None),
       text_signature = "(host, port, family=0, type=0, proto=0, flags=0)")]
#[allow(clippy::too_many_arguments)]
pub(crate) fn getaddrinfo<'py>(
    host: &Bound<'py, PyAny>,
    port: &Bound<'py, PyAny>,
    family: Int,
    r#type: Int,
    proto: Int,
    flags: Int,
    timeout: Option<&Bound<'py, PyAny>>,
) -> Result<Bound<'py, PyList>> {
    let hints = Hints {
        family: family.0,
        kind: r#type.0,
        protocol: proto.0,
        flags: flags.0,
    };
    find(host, port, hints, timeout.map_or(Ok(None), deadline)?)
}

/// What `getaddrinfo` returns for addresses of this socket type, for callers of our own.
pub(crate) fn addresses_of<'py>(
    host: &Bound<'py, PyAny>,
    port: &Bound<'py, PyAny>,
    kind: i32,
    deadline: Option<Instant>,
) -> Result<Bound<'py, PyList>> {
    let hints = Hints {
        kind,
        ..Hints::default()
    };
    find(host, port, hints, deadline)
}

fn find<'py>(
    host: &Bound<'py, PyAny>,
    port: &Bound<'py, PyAny>,
    hints: Hints,
    deadline: Option<Instant>,
) -> Result<Bound<'py, PyList>> {
    let py = host.py();
    let name = parse_host(host)?;
    let service = parse_port(port)?;
    audit_with(py, c"socket.getaddrinfo", || {
        make::tuple!(py, host, port, hints.family, hints.kind, hints.protocol)
    })?;
    let entries = lookup(
        py,
        name.as_ref().map(|name| name.0.as_c_str()),
        service,
        hints,
        deadline,
    )?;
    Ok(build(py, &entries)?)
}

fn deadline(timeout: &Bound<'_, PyAny>) -> PyResult<Option<Instant>> {
    Ok(args::timeout(timeout)?.deadline())
}

fn parse_host(object: &Bound<'_, PyAny>) -> Result<Option<HostName>> {
    if object.is_none() {
        return Ok(None);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return HostName::with_encoded(text, |bytes| Ok(Some(HostName(until_null(bytes)))));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Some(HostName(until_null(bytes.as_bytes()))));
    }
    Err(Error::type_error(
        "getaddrinfo() argument 1 must be string or None",
    ))
}

fn parse_port(object: &Bound<'_, PyAny>) -> Result<Service> {
    if object.is_none() {
        return Ok(Service::None);
    }
    if let Some(number) = port_number(object)? {
        return match number.extract::<u16>() {
            Ok(port) => Ok(Service::Port(port)),
            Err(_) => {
                if !version::ANY_PORT_NUMBER {
                    args::long(&number)?;
                }
                Ok(Service::Name(until_null(
                    number.str()?.to_str()?.as_bytes(),
                )))
            }
        };
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(service(text.to_str()?.as_bytes()));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(service(bytes.as_bytes()));
    }
    Err(Error::os_error("Int or String expected"))
}

/// A port that is an integer.
fn port_number<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyInt>>> {
    if let Ok(number) = object.cast_exact::<PyInt>() {
        return Ok(Some(number.clone()));
    }
    if version::INDEX_AS_PORT && args::is_index(object) {
        return Ok(Some(args::index(object)?.cast_into()?));
    }
    Ok(None)
}

fn service(text: &[u8]) -> Service {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let port = std::str::from_utf8(text).ok().filter(|_| digits);
    match port.and_then(|port| port.parse().ok()) {
        Some(port) => Service::Port(port),
        None => Service::Name(until_null(text)),
    }
}

/// Text that reaches the C library ends at its first null character, as it does in the
/// standard library.
fn until_null(text: &[u8]) -> CString {
    let end = text
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

fn build<'py>(py: Python<'py>, entries: &[Entry]) -> PyResult<Bound<'py, PyList>> {
    let list = make::list(py)?;
    let mut last = None;
    for entry in entries {
        // The same address comes once for each socket type: one tuple serves them all.
        let (family, address) = match last.take() {
            Some((before, family, address)) if before == &entry.address => (family, address),
            _ => (
                family_member(py, Plain(entry.family))?,
                address::build(py, &entry.address, entry.protocol, None)?,
            ),
        };
        let canonical = match entry.canonical.as_deref().map(CStr::to_bytes) {
            None | Some(b"") => intern!(py, "").clone().into_any(),
            Some(name) => args::file_system_text(py, name)?,
        };
        let kind = kind_member(py, Plain(entry.kind))?;
        list.append(make::tuple!(
            py,
            &family,
            kind,
            entry.protocol,
            canonical,
            &address
        )?)?;
        last = Some((&entry.address, family, address));
    }
    Ok(list)
}
