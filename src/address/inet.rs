//! `AF_INET` and `AF_INET6`: `(host, port)` and `(host, port, flowinfo, scope_id)`;
//! ip(7), ipv6(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sys::c::{sockaddr_in, sockaddr_in6};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::Purpose;
use crate::lookup::{HostName, resolve};
use crate::python::args;
use crate::python::error::{Error, Result};
use crate::python::make;
use crate::sys::{SockAddr, c, numeric};

pub(crate) const MAX_FLOWINFO: u32 = 0xf_ffff;

pub(super) fn parse_v4(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let tuple = purpose.tuple("AF_INET", object)?;
    if tuple.len() != 2 {
        return Err(Error::type_error(
            "AF_INET address must be a pair (host, port)",
        ));
    }
    let (name, port) = host_and_port(purpose, tuple)?;
    let address = resolve(tuple.py(), &name.0, c::AF_INET)?;
    let address: sockaddr_in = address.read();
    let host = Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes());
    Ok(SockAddr::v4(host, checked_port(purpose, port)?))
}

pub(super) fn parse_v6(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let tuple = purpose.tuple("AF_INET6", object)?;
    if !(2..=4).contains(&tuple.len()) {
        return Err(Error::type_error(
            "AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])",
        ));
    }
    let (name, port) = host_and_port(purpose, tuple)?;
    let flowinfo = args::masked_at(tuple, 2)?;
    let scope_id = args::masked_at(tuple, 3)?;
    let address = resolve(tuple.py(), &name.0, c::AF_INET6)?;
    let address: sockaddr_in6 = address.read();
    let host = Ipv6Addr::from(address.sin6_addr.s6_addr);
    let port = checked_port(purpose, port)?;
    if flowinfo > MAX_FLOWINFO {
        return Err(Error::overflow_error(format!(
            "{}(): flowinfo must be 0-1048575.",
            purpose.caller
        )));
    }
    // The tuple's scope wins over one in the name ('fe80::1%eth0'), as in the standard
    // library: the default of a shorter tuple is zero.
    Ok(SockAddr::v6(host, port, flowinfo, scope_id))
}

pub(super) fn build_v4<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    let address: sockaddr_in = address.read();
    let host = Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes());
    let host = host_text(py, host.into())?;
    Ok(make::tuple!(py, host, u16::from_be(address.sin_port))?.into_any())
}

pub(super) fn build_v6<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    let address: sockaddr_in6 = address.read();
    let fields = make::tuple!(
        py,
        // The scope stands in its own field and never in the text.
        host_text(py, Ipv6Addr::from(address.sin6_addr.s6_addr).into())?,
        u16::from_be(address.sin6_port),
        u32::from_be(address.sin6_flowinfo),
        address.sin6_scope_id,
    );
    Ok(fields?.into_any())
}

/// The flow information of an IPv6 address.
pub(super) fn flowinfo(address: &SockAddr) -> u32 {
    let address: sockaddr_in6 = address.read();
    u32::from_be(address.sin6_flowinfo)
}

/// A host in numbers, as inet_ntop(3) writes it.
pub(crate) fn host_text<'py>(py: Python<'py>, host: IpAddr) -> PyResult<Bound<'py, PyString>> {
    make::text(py, &numeric::text(host))
}

fn host_and_port(purpose: Purpose<'_>, tuple: &Bound<'_, PyTuple>) -> Result<(HostName, i32)> {
    let name = HostName::parse(&tuple.get_item(0)?)?;
    match args::int(&tuple.get_item(1)?) {
        Ok(port) => Ok((name, port)),
        Err(error) if error.is_instance_of::<PyOverflowError>(tuple.py()) => Err(bad_port(purpose)),
        Err(error) => Err(error.into()),
    }
}

fn checked_port(purpose: Purpose<'_>, port: i32) -> Result<u16> {
    u16::try_from(port).map_err(|_| bad_port(purpose))
}

fn bad_port(purpose: Purpose<'_>) -> Error {
    Error::overflow_error(format!("{}(): port must be 0-65535.", purpose.caller))
}
