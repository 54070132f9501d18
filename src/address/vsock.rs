//! `AF_VSOCK`: `(cid, port)`; vsock(7).

use crate::sys::c::sockaddr_vm;
use pyo3::prelude::*;

use super::Purpose;
use super::fields::Fields;
use crate::python::error::Result;
use crate::python::make;
use crate::sys::{SockAddr, Sockaddr, c};

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let fields = Fields::new(purpose, object, "AF_VSOCK", "a pair (cid, port)", 2..=2)?;
    let mut address = sockaddr_vm::of_family(c::AF_VSOCK);
    address.svm_cid = fields.masked(0)?;
    address.svm_port = fields.masked(1)?;
    Ok(SockAddr::new(&address))
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    let address: sockaddr_vm = address.read();
    Ok(make::tuple!(py, address.svm_cid, address.svm_port)?.into_any())
}
