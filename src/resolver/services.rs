//! Services and protocols by name and number, services(5), protocols(5).

use std::ffi::CStr;

use pyo3::exceptions::{PyOSError, PyOverflowError, PyTypeError};
use pyo3::prelude::*;

use crate::engine;
use crate::python::args::{Given, Int, file_system_text, text};
use crate::python::audit::audit_with;
use crate::python::error::exception;
use crate::python::make::{self, Made};
use crate::sys::databases;

/// Look up the port of a service; getservbyname_r(3).
///
/// Args:
///     servicename: the name, such as 'http'.
///     protocolname: 'tcp' or 'udp'; any protocol where it is left out.
///
/// Returns:
///     The port number.
///
/// Raises:
///     OSError: there is no such service.
///     TypeError: a name is no str.
///     ValueError: a name has a null character in it.
#[pyfunction]
#[pyo3(signature = (servicename=Given(None), protocolname=Given(None), /),
       text_signature = "(servicename, protocolname=..., /)")]
pub(crate) fn getservbyname(
    py: Python<'_>,
    servicename: Given<'_>,
    protocolname: Given<'_>,
) -> PyResult<Made<u16>> {
    let servicename = first("getservbyname", &servicename)?;
    let name = text("getservbyname() argument 1", servicename)?;
    let protocol = optional("getservbyname() argument 2", &protocolname)?;
    audit_with(py, c"socket.getservbyname", || {
        make::tuple!(py, servicename, protocolname.0.as_ref())
    })?;
    engine::detached(py, || databases::service_port(name, protocol))
        .map(Made)
        .ok_or_else(|| exception::<PyOSError>("service/proto not found"))
}

/// Look up the name of the service at a port; getservbyport_r(3).
///
/// Args:
///     port: the port number, 0 to 65535.
///     protocolname: 'tcp' or 'udp'; any protocol where it is left out.
///
/// Returns:
///     The name as a str.
///
/// Raises:
///     OSError: there is no such service.
///     OverflowError: the port is not in its range.
///     TypeError: the port is no integer or the name no str.
///     ValueError: the name has a null character in it.
#[pyfunction]
#[pyo3(signature = (port=Given(None), protocolname=Given(None), /),
       text_signature = "(port, protocolname=..., /)")]
pub(crate) fn getservbyport<'py>(
    py: Python<'py>,
    port: Given<'_>,
    protocolname: Given<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let port: Int = first("getservbyport", &port)?.extract()?;
    let protocol = optional("getservbyport() argument 2", &protocolname)?;
    let port = u16::try_from(port.0)
        .map_err(|_| exception::<PyOverflowError>("getservbyport: port must be 0-65535."))?;
    audit_with(py, c"socket.getservbyport", || {
        make::tuple!(py, port, protocolname.0.as_ref())
    })?;
    let name = engine::detached(py, || databases::service_name(port, protocol))
        .ok_or_else(|| exception::<PyOSError>("port/proto not found"))?;
    file_system_text(py, name.to_bytes())
}

/// Look up the number of a protocol, for the third argument of ``socket``; getprotobyname_r(3).
///
/// Args:
///     protocolname: the name, such as 'icmp'.
///
/// Returns:
///     The protocol number.
///
/// Raises:
///     OSError: there is no such protocol.
///     TypeError: the name is no str.
///     ValueError: the name has a null character in it.
#[pyfunction]
#[pyo3(signature = (protocolname, /))]
pub(crate) fn getprotobyname(protocolname: &Bound<'_, PyAny>) -> PyResult<Made<i32>> {
    let name = text("getprotobyname() argument 1", protocolname)?;
    engine::detached(protocolname.py(), || databases::protocol_number(name))
        .map(Made)
        .ok_or_else(|| exception::<PyOSError>("protocol not found"))
}

/// The first argument; without it the message is that of the standard library.
fn first<'a, 'py>(function: &str, argument: &'a Given<'py>) -> PyResult<&'a Bound<'py, PyAny>> {
    let missing = || format!("{function}() takes at least 1 argument (0 given)");
    argument
        .0
        .as_ref()
        .ok_or_else(|| exception::<PyTypeError>(missing()))
}

/// The name of a protocol that may be left out; None does not stand for that.
fn optional<'a>(argument: &str, name: &'a Given<'_>) -> PyResult<Option<&'a CStr>> {
    name.0.as_ref().map(|name| text(argument, name)).transpose()
}
