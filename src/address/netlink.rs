//! `AF_NETLINK`: `(pid, groups)`; netlink(7).

use libc::sockaddr_nl;
use pyo3::prelude::*;

use super::Purpose;
use super::fields::Fields;
use crate::python::error::Result;
use crate::sys::SockAddr;

pub(super) fn parse(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let fields = Fields::new(purpose, object, "AF_NETLINK", "a pair (pid, groups)", 2..=2)?;
    // SAFETY: a C structure for which all zeros are valid.
    let mut address: sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_pid = fields.masked(0)? as u32;
    address.nl_groups = fields.masked(1)? as u32;
    Ok(SockAddr::from_struct(&address, size_of::<sockaddr_nl>()))
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: an address structure of C, valid for all bits.
    let address: sockaddr_nl = unsafe { address.read_as() };
    let pair = (address.nl_pid, address.nl_groups);
    Ok(pair.into_pyobject(py)?.into_any())
}
