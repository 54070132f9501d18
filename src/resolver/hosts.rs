//! Hosts by name and by address, gethostbyname(3), and this machine's own name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::address::host_text;
use crate::lookup::{Hints, HostName, answers_here, resolve, run};
use crate::python::args;
use crate::python::audit::{audit, audit_with};
use crate::python::error::{Error, Result};
use crate::python::make;
use crate::sys::databases::{Host, host_by_address, host_by_name};
use crate::sys::{Errno, c, hosts_file, machine};

/// What the three host functions share: the name and aliases as text, and addresses.
type Answer<'py> = (Bound<'py, PyAny>, Bound<'py, PyList>, Bound<'py, PyList>);

/// Look up the IPv4 address of a host; getaddrinfo(3).
///
/// Args:
///     hostname: a name or number as str, bytes or bytearray; '' is the wildcard address.
///
/// Returns:
///     The first address as a str, such as '127.0.0.1'.
///
/// Raises:
///     gaierror: there is no such host, or it has no IPv4 address.
///     HostNameError: IDNA cannot express the name; a gaierror and a UnicodeError.
///     TypeError: the name has a wrong type or a null character in it.
#[pyfunction]
#[pyo3(signature = (hostname, /))]
pub(crate) fn gethostbyname<'py>(
    py: Python<'py>,
    hostname: &Bound<'py, PyAny>,
) -> Result<Option<Bound<'py, PyString>>> {
    let name = HostName::argument("gethostbyname", hostname)?;
    audit(py, c"socket.gethostbyname", [hostname])?;
    let address = resolve(py, &name.0, c::AF_INET)?;
    Ok(address.ip().map(|host| host_text(py, host)).transpose()?)
}

/// Look up the canonical name, aliases and IPv4 addresses of a host; gethostbyname_r(3).
///
/// Args:
///     hostname: a name or number as str, bytes or bytearray.
///
/// Returns:
///     ``(name, aliases, addresses)``: a str and two lists of str.
///
/// Raises:
///     gaierror: there is no such host, or it has no IPv4 address.
///     herror: the host database has no entry for it.
///     HostNameError: IDNA cannot express the name; a gaierror and a UnicodeError.
///     TypeError: the name has a wrong type or a null character in it.
#[pyfunction]
#[pyo3(signature = (hostname, /))]
pub(crate) fn gethostbyname_ex<'py>(
    py: Python<'py>,
    hostname: &Bound<'py, PyAny>,
) -> Result<Answer<'py>> {
    let name = HostName::argument("gethostbyname_ex", hostname)?;
    audit(py, c"socket.gethostbyname", [hostname])?;
    // It tells whether the host exists at all, with errors of its own.
    resolve(py, &name.0, c::AF_INET)?;
    let local = {
        let name = name.0.clone();
        let hints = Hints {
            family: c::AF_INET,
            ..Hints::default()
        };
        move || answers_here(&name, hints)
    };
    let found = run(py, None, local, move || host_by_name(&name.0))?;
    build(py, found.map_err(Error::Host)?, c::AF_INET)
}

/// Look up the names and addresses of the host with an address; gethostbyaddr_r(3).
///
/// Args:
///     ip_address: an IPv4 or IPv6 address, or a name, as str, bytes or bytearray.
///
/// Returns:
///     ``(name, aliases, addresses)``: a str and two lists of str.
///
/// Raises:
///     gaierror: a name was given that does not exist.
///     herror: the host database has no entry for the address.
///     HostNameError: IDNA cannot express the name; a gaierror and a UnicodeError.
///     OSError: the name is '' and stands for several addresses.
///     TypeError: the name has a wrong type or a null character in it.
#[pyfunction]
#[pyo3(signature = (ip_address, /))]
pub(crate) fn gethostbyaddr<'py>(
    py: Python<'py>,
    ip_address: &Bound<'py, PyAny>,
) -> Result<Answer<'py>> {
    let name = HostName::argument("gethostbyaddr", ip_address)?;
    audit(py, c"socket.gethostbyaddr", [ip_address])?;
    let address = resolve(py, &name.0, c::AF_UNSPEC)?;
    let local = move || address.ip().is_some_and(hosts_file::has_address);
    let found = run(py, None, local, move || host_by_address(&address))?;
    build(
        py,
        found.map_err(Error::Host)?,
        address.family().unwrap_or(c::AF_UNSPEC),
    )
}

fn build(py: Python<'_>, host: Host, family: i32) -> Result<Answer<'_>> {
    if host.family != family {
        return Err(Error::Os(Errno::AFNOSUPPORT));
    }
    let aliases = make::list(py)?;
    for alias in &host.aliases {
        aliases.append(args::file_system_text(py, alias.to_bytes())?)?;
    }
    let addresses = make::list(py)?;
    for address in &host.addresses {
        let address = match address.len() {
            4 => <[u8; 4]>::try_from(&address[..]).map(|host| IpAddr::V4(Ipv4Addr::from(host))),
            _ => <[u8; 16]>::try_from(&address[..]).map(|host| IpAddr::V6(Ipv6Addr::from(host))),
        };
        if let Ok(address) = address {
            addresses.append(host_text(py, address)?)?;
        }
    }
    Ok((
        args::file_system_text(py, host.name.to_bytes())?,
        aliases,
        addresses,
    ))
}

/// Return this machine's name; gethostname(2).
///
/// Returns:
///     The name as a str; it need not be qualified with a domain.
///
/// Raises:
///     OSError: the system gives no name.
#[pyfunction]
pub(crate) fn gethostname(py: Python<'_>) -> Result<Bound<'_, PyAny>> {
    audit_with(py, c"socket.gethostname", || Ok(PyTuple::empty(py)))?;
    Ok(args::file_system_text(
        py,
        machine::host_name()?.to_bytes(),
    )?)
}
