//! Numeric addresses between text and bytes, inet(3), inet_pton(3).

use std::net::{Ipv4Addr, Ipv6Addr};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::address::host_text;
use crate::python::args::{self, Int};
use crate::python::buffer::BufferSlot;
use crate::python::error::{Result, exception};
use crate::python::make;
use crate::sys::{c, lookup};

/// Convert an IPv4 address from text to 4 bytes in network order; inet_aton(3).
///
/// Args:
///     ip_addr: a str in dotted form, also the short and the octal and hexadecimal forms
///         that the C library knows, such as '127.1'.
///
/// Raises:
///     OSError: the text is no address.
///     TypeError: it is no str.
///     ValueError: it has a null character in it.
#[pyfunction]
#[pyo3(signature = (ip_addr, /))]
pub(crate) fn inet_aton<'py>(ip_addr: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let text = args::text("inet_aton() argument", ip_addr)?;
    let dotted = text
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Ipv4Addr>().ok());
    match dotted
        .map(|host| host.octets())
        .or_else(|| lookup::loose_v4(text))
    {
        Some(host) => Ok(make::bytes(ip_addr.py(), &host)?),
        None => Err(illegal("inet_aton")),
    }
}

/// Convert an IPv4 address from 4 bytes in network order to dotted text; inet_ntoa(3).
///
/// Args:
///     packed_ip: a bytes-like object of 4 bytes.
///
/// Raises:
///     OSError: the object has another length.
///     TypeError: it is not bytes-like.
#[pyfunction]
#[pyo3(signature = (packed_ip, /))]
pub(crate) fn inet_ntoa<'py>(packed_ip: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    match with_packed(packed_ip, |bytes| <[u8; 4]>::try_from(bytes))? {
        Ok(host) => host_text(packed_ip.py(), Ipv4Addr::from(host).into()),
        Err(_) => Err(exception::<PyOSError>(
            "packed IP wrong length for inet_ntoa",
        )),
    }
}

/// Convert an IPv4 or IPv6 address from text to bytes in network order; inet_pton(3), RFC 4291.
///
/// Args:
///     address_family: AF_INET or AF_INET6.
///     ip_string: a str with the address; IPv4 in all four decimal numbers.
///
/// Returns:
///     4 or 16 bytes.
///
/// Raises:
///     OSError: the text is no address of this family, or there is no text for the family.
///     TypeError: wrong types.
///     ValueError: the text has a null character in it.
#[pyfunction]
#[pyo3(signature = (address_family, ip_string, /))]
pub(crate) fn inet_pton<'py>(
    address_family: Int,
    ip_string: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyBytes>> {
    let text = args::text("inet_pton() argument 2", ip_string)?;
    match lookup::packed(address_family.0, text)? {
        Some(packed) => Ok(make::bytes(ip_string.py(), &packed)?),
        None => Err(illegal("inet_pton").into()),
    }
}

/// Convert an IPv4 or IPv6 address from bytes in network order to text; inet_ntop(3), RFC 5952.
///
/// Args:
///     address_family: AF_INET or AF_INET6.
///     packed_ip: a bytes-like object of 4 or 16 bytes.
///
/// Returns:
///     The address as a str.
///
/// Raises:
///     ValueError: the object has the wrong length for the family, or there is no text for
///         the family.
///     TypeError: wrong types.
#[pyfunction]
#[pyo3(signature = (address_family, packed_ip, /))]
pub(crate) fn inet_ntop<'py>(
    address_family: Int,
    packed_ip: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyString>> {
    let py = packed_ip.py();
    let wrong_length = |_| exception::<PyValueError>("invalid length of packed IP address string");
    match address_family.0 {
        c::AF_INET => with_packed(packed_ip, |bytes| <[u8; 4]>::try_from(bytes))?
            .map_err(wrong_length)
            .and_then(|host| host_text(py, Ipv4Addr::from(host).into())),
        c::AF_INET6 => with_packed(packed_ip, |bytes| <[u8; 16]>::try_from(bytes))?
            .map_err(wrong_length)
            .and_then(|host| host_text(py, Ipv6Addr::from(host).into())),
        family => {
            with_packed(packed_ip, |_| ())?;
            Err(exception::<PyValueError>(format!(
                "unknown address family {family}"
            )))
        }
    }
}

fn with_packed<T>(object: &Bound<'_, PyAny>, read: impl FnOnce(&[u8]) -> T) -> PyResult<T> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(read(bytes.as_bytes()));
    }
    Ok(read(&BufferSlot::new().readable(object)?.to_vec()))
}

fn illegal(function: &str) -> PyErr {
    exception::<PyOSError>(format!("illegal IP address string passed to {function}"))
}
