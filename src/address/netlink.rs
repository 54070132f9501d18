//! `AF_NETLINK`: `(pid, groups)`; netlink(7).

use crate::sys::c::sockaddr_nl;
use pyo3::prelude::*;

use super::Purpose;
use super::fields::Fields;
use crate::python::error::Result;
use crate::python::make;
use crate::sys::{SockAddr, Sockaddr, c};

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let fields = Fields::new(purpose, object, "AF_NETLINK", "a pair (pid, groups)", 2..=2)?;
    let mut address = sockaddr_nl::of_family(c::AF_NETLINK);
    address.nl_pid = fields.masked(0)?;
    address.nl_groups = fields.masked(1)?;
    Ok(SockAddr::new(&address))
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    let address: sockaddr_nl = address.read();
    Ok(make::tuple!(py, address.nl_pid, address.nl_groups)?.into_any())
}
