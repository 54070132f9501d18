//! `AF_QIPCRTR`, Qualcomm's IPC router: `(node, port)`; `<linux/qrtr.h>`.

use pyo3::prelude::*;

use super::Purpose;
use super::fields::Fields;
use crate::python::error::Result;
use crate::sys::SockAddr;

/// `AF_QIPCRTR` of `<linux/socket.h>`, which the libc crate lacks.
pub(super) const FAMILY: i32 = 42;

#[repr(C)]
#[derive(Clone, Copy)]
struct SockaddrQrtr {
    family: libc::sa_family_t,
    node: u32,
    port: u32,
}

pub(super) fn parse(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let fields = Fields::new(purpose, object, "AF_QIPCRTR", "a pair (node, port)", 2..=2)?;
    // SAFETY: a C structure for which all zeros are valid, its padding included.
    let mut address: SockaddrQrtr = unsafe { std::mem::zeroed() };
    address.family = FAMILY as libc::sa_family_t;
    address.node = fields.masked(0)? as u32;
    address.port = fields.masked(1)? as u32;
    Ok(SockAddr::from_struct(&address, size_of::<SockaddrQrtr>()))
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: an address structure of C, valid for all bits.
    let address: SockaddrQrtr = unsafe { address.read_as() };
    let pair = (address.node, address.port);
    Ok(pair.into_pyobject(py)?.into_any())
}
