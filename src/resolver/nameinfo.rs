//! getnameinfo(3).

use std::ffi::CString;
use std::net::IpAddr;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::address;
use crate::lookup::{Hints, Service, lookup, run};
use crate::python::args::{self, Int};
use crate::python::audit::audit;
use crate::python::error::{Error, Result};
use crate::python::make;
use crate::sys::{SockAddr, c, hosts_file, lookup as libc_lookup};

const NUMBERS: i32 = c::NI_NUMERICHOST | c::NI_NUMERICSERV;

/// Look up the names of an address's host and service; getnameinfo(3), RFC 3493.
///
/// A lookup that may need the network answers signals when it runs in the main thread.
///
/// Args:
///     sockaddr: ``(host, port)``, or ``(host, port, flowinfo, scope_id)`` for IPv6. The
///         host is a str with a numeric address.
///     flags: NI_* flags, combined with ``|``.
///
/// Returns:
///     A pair of str, ``(host, service)``. Without a name, or when the flags say so, they
///     are the numbers.
///
/// Raises:
///     gaierror: the host is no numeric address, or the lookup failed.
///     OSError: an IPv4 address with more than two items.
///     OverflowError: ``flowinfo`` is not in 0 to 1048575.
///     TypeError: ``sockaddr`` is no tuple of this form.
#[pyfunction]
#[pyo3(signature = (sockaddr, flags, /))]
pub(crate) fn getnameinfo<'py>(
    py: Python<'py>,
    sockaddr: &Bound<'py, PyAny>,
    flags: Int,
) -> Result<Bound<'py, PyTuple>> {
    let Ok(tuple) = sockaddr.cast::<PyTuple>() else {
        return Err(Error::type_error(
            "getnameinfo() argument 1 must be a tuple",
        ));
    };
    let fields = Fields::parse(tuple)?;
    audit(py, c"socket.getnameinfo", [sockaddr])?;
    let address = fields.resolve(py)?;
    if let Some(host) = address.ip()
        && fields.scope_id == 0
        && flags.0 | c::NI_DGRAM == NUMBERS | c::NI_DGRAM
    {
        // Nothing to look up, and no need to ask the C library for numbers.
        let service = make::text(py, &address.port().to_string())?;
        return Ok(make::tuple!(py, address::host_text(py, host)?, service)?);
    }
    let local = move || {
        flags.0 & c::NI_NUMERICHOST != 0 || address.ip().is_some_and(hosts_file::has_address)
    };
    let call = move || libc_lookup::names(&address, flags.0);
    let (host, service) = run(py, None, local, call)??;
    let host = args::file_system_text(py, host.to_bytes())?;
    Ok(make::tuple!(
        py,
        host,
        args::file_system_text(py, service.to_bytes())?
    )?)
}

/// The items of an address, before anything is known about its family.
struct Fields {
    count: usize,
    host: CString,
    port: i32,
    flowinfo: u32,
    scope_id: u32,
}

impl Fields {
    fn parse(tuple: &Bound<'_, PyTuple>) -> Result<Self> {
        let illegal = || Error::type_error("getnameinfo(): illegal sockaddr argument");
        if !(2..=4).contains(&tuple.len()) {
            return Err(illegal());
        }
        let host = tuple.get_item(0)?;
        if !host.is_instance_of::<PyString>() {
            return Err(illegal());
        }
        let fields = Fields {
            count: tuple.len(),
            host: args::text("getnameinfo() argument 1", &host)?.to_owned(),
            port: args::int(&tuple.get_item(1)?)?,
            flowinfo: args::masked_at(tuple, 2)?,
            scope_id: args::masked_at(tuple, 3)?,
        };
        if fields.flowinfo > address::MAX_FLOWINFO {
            return Err(Error::overflow_error(
                "getnameinfo(): flowinfo must be 0-1048575.",
            ));
        }
        Ok(fields)
    }

    fn resolve(&self, py: Python<'_>) -> Result<SockAddr> {
        let hints = Hints {
            kind: c::SOCK_DGRAM,
            flags: c::AI_NUMERICHOST,
            ..Hints::default()
        };
        let service = match u16::try_from(self.port) {
            Ok(port) => Service::Port(port),
            Err(_) => Service::Name(CString::new(self.port.to_string()).unwrap_or_default()),
        };
        let entries = lookup(py, Some(&self.host), service, hints, None)?;
        let [entry] = &entries[..] else {
            return Err(Error::os_error("sockaddr resolved to multiple addresses"));
        };
        match entry.address.ip() {
            Some(IpAddr::V4(_)) if self.count != 2 => {
                Err(Error::os_error("IPv4 sockaddr must be 2 tuple"))
            }
            Some(IpAddr::V6(host)) => {
                let port = entry.address.port();
                Ok(SockAddr::v6(host, port, self.flowinfo, self.scope_id))
            }
            _ => Ok(entry.address),
        }
    }
}
