//! Python addresses and system addresses, both ways: one file per group of families.

#[cfg(linux)]
mod alg;
#[cfg(linux)]
mod bluetooth;
#[cfg(linux)]
mod can;
mod fields;
mod inet;
#[cfg(linux)]
mod netlink;
#[cfg(linux)]
mod packet;
#[cfg(linux)]
mod qipcrtr;
#[cfg(target_vendor = "apple")]
mod system;
#[cfg(linux)]
mod tipc;
mod unix;
#[cfg(linux)]
mod vsock;

use std::mem::offset_of;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

pub(crate) use inet::{MAX_FLOWINFO, host_text};

use crate::engine::Channel;
use crate::python::args::Int;
use crate::python::error::{Error, Result, exception};
use crate::python::make;
#[cfg(linux)]
use crate::sys::address::linux::AF_QIPCRTR;
#[cfg(linux)]
use crate::sys::interface;
use crate::sys::{SockAddr, c};

/// What an address is parsed for.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(linux),
    allow(dead_code, reason = "for families that Linux alone has")
)]
pub(crate) struct Purpose<'a> {
    pub(crate) family: i32,
    pub(crate) protocol: i32,
    /// The socket that the address is for: names of interfaces mean those of its network
    /// namespace. Without one, those of the calling thread's.
    pub(crate) socket: Option<&'a Channel>,
    /// The method that was called, named in errors.
    pub(crate) caller: &'static str,
}

impl Purpose<'_> {
    /// The address as the tuple that its family wants.
    fn tuple<'a, 'py>(
        self,
        family: &str,
        object: &'a Bound<'py, PyAny>,
    ) -> Result<&'a Bound<'py, PyTuple>> {
        object.cast::<PyTuple>().map_err(|_| {
            Error::type_error(match object.get_type().name() {
                Ok(class) => {
                    format!(
                        "{}(): {family} address must be tuple, not {class}",
                        self.caller
                    )
                }
                Err(_) => format!("{}(): {family} address must be tuple", self.caller),
            })
        })
    }
}

/// Turns the address that a caller wrote into one for the system, resolving host names.
pub(crate) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    match purpose.family {
        c::AF_INET => inet::parse_v4(purpose, object),
        c::AF_INET6 => inet::parse_v6(purpose, object),
        c::AF_UNIX => unix::parse(object),
        #[cfg(linux)]
        c::AF_ALG => alg::parse(purpose, object),
        #[cfg(linux)]
        c::AF_BLUETOOTH => bluetooth::parse(purpose, object),
        #[cfg(linux)]
        c::AF_CAN => can::parse(purpose, object),
        #[cfg(linux)]
        c::AF_NETLINK => netlink::parse(purpose, object),
        #[cfg(linux)]
        c::AF_PACKET => packet::parse(purpose, object),
        #[cfg(linux)]
        AF_QIPCRTR => qipcrtr::parse(purpose, object),
        // RDS sockets have IPv4 addresses.
        #[cfg(linux)]
        c::AF_RDS => inet::parse_v4(purpose, object),
        #[cfg(target_vendor = "apple")]
        c::AF_SYSTEM => system::parse(purpose, object),
        #[cfg(linux)]
        c::AF_TIPC => tipc::parse(purpose, object),
        #[cfg(linux)]
        c::AF_VSOCK => vsock::parse(purpose, object),
        _ => Err(Error::os_error(format!("{}(): bad family", purpose.caller))),
    }
}

/// Turns an address from the system into what Python programs see; None for none.
///
/// The protocol decides about the form in some families. `socket` is the one that gave the
/// address, see [`Purpose::socket`].
pub(crate) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    protocol: i32,
    socket: Option<&Channel>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(family) = address.family() else {
        return Ok(py.None().into_bound(py));
    };
    let _ = (protocol, socket);
    match family {
        c::AF_INET => inet::build_v4(py, address),
        c::AF_INET6 => inet::build_v6(py, address),
        c::AF_UNIX => unix::build(py, address),
        #[cfg(linux)]
        c::AF_ALG => alg::build(py, address),
        #[cfg(linux)]
        c::AF_BLUETOOTH => bluetooth::build(py, address, protocol),
        #[cfg(linux)]
        c::AF_CAN => can::build(py, address, protocol, socket),
        #[cfg(linux)]
        c::AF_NETLINK => netlink::build(py, address),
        #[cfg(linux)]
        c::AF_PACKET => packet::build(py, address, socket),
        #[cfg(linux)]
        AF_QIPCRTR => qipcrtr::build(py, address),
        #[cfg(target_vendor = "apple")]
        c::AF_SYSTEM => system::build(py, address, protocol),
        #[cfg(linux)]
        c::AF_TIPC => tipc::build(py, address),
        #[cfg(linux)]
        c::AF_VSOCK => vsock::build(py, address),
        _ => build_unknown(py, family, address),
    }
}

/// Whether what [`build`] makes of an address is always the same, and what [`parse`] makes of that
/// is the address again.
pub(crate) fn is_lasting(address: &SockAddr) -> bool {
    match address.family() {
        Some(c::AF_INET) => true,
        Some(c::AF_INET6) => inet::flowinfo(address) <= MAX_FLOWINFO,
        _ => false,
    }
}

/// The index of an interface, in the network namespace of the socket.
#[cfg(linux)]
fn interface_index(py: Python<'_>, socket: Option<&Channel>, name: &[u8]) -> Result<i32> {
    Ok(match socket {
        Some(socket) => socket.lend(py, |fd| interface::index(Some(fd), name))?,
        None => interface::index(None, name),
    }?)
}

/// The name of an interface, likewise; empty where there is none, or no open socket, any more.
#[cfg(linux)]
fn interface_name(py: Python<'_>, socket: Option<&Channel>, index: i32) -> Vec<u8> {
    match socket {
        Some(socket) => socket
            .lend(py, |fd| interface::name(Some(fd), index))
            .unwrap_or_default(),
        None => interface::name(None, index),
    }
}

/// A family without a form of its own: its number, and the bytes behind it.
///
/// At least as many bytes as `sa_data` has, padded with zeros, which is what the standard
/// library always gives; a longer address is not cut to them.
fn build_unknown<'py>(
    py: Python<'py>,
    family: i32,
    address: &SockAddr,
) -> PyResult<Bound<'py, PyAny>> {
    const DATA: usize = offset_of!(c::sockaddr, sa_data);
    let mut data = [0; SockAddr::CAPACITY];
    let bytes = address.as_bytes().get(DATA..).unwrap_or_default();
    data[..bytes.len()].copy_from_slice(bytes);
    let len = bytes.len().max(size_of::<c::sockaddr>() - DATA);
    let data = make::bytes(py, &data[..len])?;
    Ok(make::tuple!(py, family, data)?.into_any())
}

/// Encode an address as ``bind`` and ``connect`` do, without a socket.
///
/// Host names are resolved. Private: for tests, and for system calls that the package does
/// not wrap.
///
/// Returns:
///     The bytes of the system's structure, the family in front.
#[pyfunction]
#[pyo3(signature = (family, protocol, address, /))]
pub(crate) fn encode_address<'py>(
    family: Int,
    protocol: Int,
    address: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyBytes>> {
    let purpose = Purpose {
        family: family.0,
        protocol: protocol.0,
        socket: None,
        caller: "encode_address",
    };
    let encoded = parse(purpose, address)?;
    Ok(make::bytes(address.py(), encoded.as_bytes())?)
}

/// Decode an address as ``getsockname`` and ``recvfrom`` do: the inverse of ``encode_address``.
///
/// Private: for tests.
///
/// Raises:
///     ValueError: there are more bytes than any address has.
#[pyfunction]
#[pyo3(signature = (protocol, address, /))]
pub(crate) fn decode_address<'py>(
    protocol: Int,
    address: &Bound<'py, PyBytes>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(decoded) = SockAddr::from_bytes(address.as_bytes()) else {
        return Err(exception::<PyValueError>(format!(
            "address must have at most {} bytes",
            SockAddr::CAPACITY
        )));
    };
    build(address.py(), &decoded, protocol.0, None)
}
