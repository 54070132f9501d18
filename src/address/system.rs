//! `PF_SYSTEM`, the kernel controls of Apple's systems: the name of a control, or
//! `(id, unit)`; `<sys/kern_control.h>`.

use libc::sockaddr_ctl;
use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Purpose;
use super::fields::Fields;
use crate::python::args;
use crate::python::error::{Error, Result};
use crate::sys::{SockAddr, kernel_control};

pub(super) fn parse(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    if purpose.protocol != libc::SYSPROTO_CONTROL {
        return Err(Error::new::<PyOSError, _>(format!(
            "{}(): unsupported PF_SYSTEM protocol",
            purpose.caller
        )));
    }
    let (id, unit) = if object.is_instance_of::<PyString>() {
        (named(purpose, object)?, 0)
    } else {
        pair(purpose, object).map_err(|error| match error {
            Error::Python(error) if error.is_instance_of::<PyTypeError>(object.py()) => {
                Error::new::<PyTypeError, _>(format!(
                    "{}(): PF_SYSTEM address must be a str or a pair (id, unit)",
                    purpose.caller
                ))
            }
            error => error,
        })?
    };
    // SAFETY: a C structure for which all zeros are valid.
    let mut address: sockaddr_ctl = unsafe { std::mem::zeroed() };
    address.sc_len = size_of::<sockaddr_ctl>() as u8;
    address.sc_family = libc::AF_SYSTEM as u8;
    address.ss_sysaddr = libc::AF_SYS_CONTROL as u16;
    address.sc_id = id;
    address.sc_unit = unit;
    Ok(SockAddr::from_struct(&address, size_of::<sockaddr_ctl>()))
}

fn pair(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<(u32, u32)> {
    let fields = Fields::new(purpose, object, "PF_SYSTEM", "a pair (id, unit)", 2..=2)?;
    Ok((fields.masked(0)? as u32, fields.masked(1)? as u32))
}

fn named(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<u32> {
    let name = args::file_system_bytes(object)?;
    let socket = purpose.socket.ok_or(Error::CLOSED)?;
    kernel_control::id(socket, name.as_bytes()).map_err(|error| {
        if error.raw_os_error() == Some(libc::ENAMETOOLONG) {
            Error::new::<PyValueError, _>("provided string is too long")
        } else {
            Error::new::<PyOSError, _>("cannot find kernel control with provided name")
        }
    })
}

pub(super) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    protocol: i32,
) -> PyResult<Bound<'py, PyAny>> {
    if protocol != libc::SYSPROTO_CONTROL {
        return Err(PyValueError::new_err("Invalid address type"));
    }
    // SAFETY: an address structure of C, valid for all bits.
    let address: sockaddr_ctl = unsafe { address.read_as() };
    Ok((address.sc_id, address.sc_unit)
        .into_pyobject(py)?
        .into_any())
}
