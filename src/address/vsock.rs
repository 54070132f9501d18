//! `AF_VSOCK`: `(cid, port)`; vsock(7).

use libc::sockaddr_vm;
use pyo3::prelude::*;

use super::Purpose;
use super::fields::Fields;
use crate::python::error::Result;
use crate::sys::SockAddr;

pub(super) fn parse(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let fields = Fields::new(purpose, object, "AF_VSOCK", "a pair (cid, port)", 2..=2)?;
    // SAFETY: a C structure for which all zeros are valid.
    let mut address: sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = fields.masked(0)? as u32;
    address.svm_port = fields.masked(1)? as u32;
    Ok(SockAddr::from_struct(&address, size_of::<sockaddr_vm>()))
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: an address structure of C, valid for all bits.
    let address: sockaddr_vm = unsafe { address.read_as() };
    let pair = (address.svm_cid, address.svm_port);
    Ok(pair.into_pyobject(py)?.into_any())
}
