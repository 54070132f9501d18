//! Byte order and numeric addresses, byteorder(3), inet(3), inet_pton(3).

use std::net::{Ipv4Addr, Ipv6Addr};

use pyo3::exceptions::{PyOSError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

use crate::address::{v4_text, v6_text};
use crate::args::{BufferSlot, Int, c_text, unsigned_long};
use crate::error::Error;
use crate::sys::lookup;

/// Turns a 16-bit number from the machine's byte order into the network's.
///
/// Args:
///     x: the number, 0 to 65535.
///
/// Raises:
///     OverflowError: the number is not in its range.
///     TypeError: it is no integer.
///
/// Source: byteorder(3).
#[pyfunction]
#[pyo3(signature = (x, /))]
pub(crate) fn htons(x: Int) -> PyResult<u16> {
    short("htons", x).map(u16::to_be)
}

/// Turns a 16-bit number from the network's byte order into the machine's.
///
/// Args:
///     x: the number, 0 to 65535.
///
/// Raises:
///     OverflowError: the number is not in its range.
///     TypeError: it is no integer.
///
/// Source: byteorder(3).
#[pyfunction]
#[pyo3(signature = (x, /))]
pub(crate) fn ntohs(x: Int) -> PyResult<u16> {
    short("ntohs", x).map(u16::from_be)
}

/// Turns a 32-bit number from the machine's byte order into the network's.
///
/// Args:
///     object: the number, an int from 0 to 2**32 - 1.
///
/// Raises:
///     OverflowError: the number is not in its range.
///     TypeError: it is no int.
///
/// Source: byteorder(3).
#[pyfunction]
#[pyo3(signature = (object, /))]
pub(crate) fn htonl(object: &Bound<'_, PyAny>) -> PyResult<u32> {
    long(object).map(u32::to_be)
}

/// Turns a 32-bit number from the network's byte order into the machine's.
///
/// Args:
///     object: the number, an int from 0 to 2**32 - 1.
///
/// Raises:
///     OverflowError: the number is not in its range.
///     TypeError: it is no int.
///
/// Source: byteorder(3).
#[pyfunction]
#[pyo3(signature = (object, /))]
pub(crate) fn ntohl(object: &Bound<'_, PyAny>) -> PyResult<u32> {
    long(object).map(u32::from_be)
}

fn short(function: &str, number: Int) -> PyResult<u16> {
    u16::try_from(number.0).map_err(|_| {
        PyOverflowError::new_err(if number.0 < 0 {
            format!("{function}: can't convert negative Python int to C 16-bit unsigned integer")
        } else {
            format!("{function}: Python int too large to convert to C 16-bit unsigned integer")
        })
    })
}

fn long(object: &Bound<'_, PyAny>) -> PyResult<u32> {
    let Ok(number) = object.cast::<PyInt>() else {
        let class = object.get_type().name()?;
        return Err(PyTypeError::new_err(format!("expected int, {class} found")));
    };
    u32::try_from(unsigned_long(number)?)
        .map_err(|_| PyOverflowError::new_err("int larger than 32 bits"))
}

/// Turns an IPv4 address from text into 4 bytes in network order.
///
/// Args:
///     ip_addr: a str in dotted form, also the short and the octal and hexadecimal forms
///         that the C library knows, such as '127.1'.
///
/// Raises:
///     OSError: the text is no address.
///     TypeError: it is no str.
///     ValueError: it has a null character in it.
///
/// Source: inet_aton(3).
#[pyfunction]
#[pyo3(signature = (ip_addr, /))]
pub(crate) fn inet_aton<'py>(py: Python<'py>, ip_addr: &str) -> PyResult<Bound<'py, PyBytes>> {
    let host = match ip_addr.parse::<Ipv4Addr>() {
        Ok(host) => Some(host.octets()),
        Err(_) => lookup::loose_v4(&c_text(ip_addr)?),
    };
    match host {
        Some(host) => Ok(PyBytes::new(py, &host)),
        None => Err(illegal("inet_aton")),
    }
}

/// Turns an IPv4 address from 4 bytes in network order into dotted text.
///
/// Args:
///     packed_ip: a bytes-like object of 4 bytes.
///
/// Raises:
///     OSError: the object has another length.
///     TypeError: it is not bytes-like.
///
/// Source: inet_ntoa(3).
#[pyfunction]
#[pyo3(signature = (packed_ip, /))]
pub(crate) fn inet_ntoa<'py>(packed_ip: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    match with_packed(packed_ip, |bytes| <[u8; 4]>::try_from(bytes))? {
        Ok(host) => Ok(v4_text(packed_ip.py(), Ipv4Addr::from(host))),
        Err(_) => Err(PyOSError::new_err("packed IP wrong length for inet_ntoa")),
    }
}

/// Turns an IPv4 or IPv6 address from text into bytes in network order.
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
///
/// Source: inet_pton(3), RFC 4291.
#[pyfunction]
#[pyo3(signature = (address_family, ip_string, /))]
pub(crate) fn inet_pton<'py>(
    py: Python<'py>,
    address_family: Int,
    ip_string: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let packed = match address_family.0 {
        libc::AF_INET => ip_string
            .parse::<Ipv4Addr>()
            .map(|host| PyBytes::new(py, &host.octets()))
            .ok(),
        libc::AF_INET6 => ip_string
            .parse::<Ipv6Addr>()
            .map(|host| PyBytes::new(py, &host.octets()))
            .ok(),
        _ => {
            c_text(ip_string)?;
            return Err(Error::Os(libc::EAFNOSUPPORT).into());
        }
    };
    match packed {
        Some(packed) => Ok(packed),
        None => c_text(ip_string).and_then(|_| Err(illegal("inet_pton"))),
    }
}

/// Turns an IPv4 or IPv6 address from bytes in network order into text.
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
///
/// Source: inet_ntop(3), RFC 5952.
#[pyfunction]
#[pyo3(signature = (address_family, packed_ip, /))]
pub(crate) fn inet_ntop<'py>(
    address_family: Int,
    packed_ip: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyString>> {
    let py = packed_ip.py();
    let wrong_length = |_| PyValueError::new_err("invalid length of packed IP address string");
    match address_family.0 {
        libc::AF_INET => with_packed(packed_ip, |bytes| <[u8; 4]>::try_from(bytes))?
            .map(|host| v4_text(py, Ipv4Addr::from(host)))
            .map_err(wrong_length),
        libc::AF_INET6 => with_packed(packed_ip, |bytes| <[u8; 16]>::try_from(bytes))?
            .map(|host| PyString::new(py, &v6_text(host)))
            .map_err(wrong_length),
        family => {
            with_packed(packed_ip, |_| ())?;
            Err(PyValueError::new_err(format!(
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
    PyOSError::new_err(format!("illegal IP address string passed to {function}"))
}
