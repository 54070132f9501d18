//! `AF_QIPCRTR`, Qualcomm's IPC router: `(node, port)`; `<linux/qrtr.h>`.

use pyo3::prelude::*;

use super::Purpose;
use super::fields::Fields;
use crate::python::error::Result;
use crate::python::make;
use crate::sys::address::linux::{AF_QIPCRTR, sockaddr_qrtr};
use crate::sys::{SockAddr, Sockaddr};

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let fields = Fields::new(purpose, object, "AF_QIPCRTR", "a pair (node, port)", 2..=2)?;
    let mut address = sockaddr_qrtr::of_family(AF_QIPCRTR);
    address.sq_node = fields.masked(0)?;
    address.sq_port = fields.masked(1)?;
    Ok(SockAddr::new(&address))
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    let address: sockaddr_qrtr = address.read();
    Ok(make::tuple!(py, address.sq_node, address.sq_port)?.into_any())
}
