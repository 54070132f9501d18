//! `PF_SYSTEM`, the kernel controls of Apple's systems: the name of a control, or
//! `(id, unit)`; `<sys/kern_control.h>`.

use crate::sys::c::sockaddr_ctl;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Purpose;
use super::fields::Fields;
use crate::python::args;
use crate::python::error::{Error, Result, exception};
use crate::python::make::Make;
use crate::sys::{Errno, SockAddr, Sockaddr, c, kernel_control};

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    if purpose.protocol != c::SYSPROTO_CONTROL {
        return Err(Error::os_error(format!(
            "{}(): unsupported PF_SYSTEM protocol",
            purpose.caller
        )));
    }
    let (id, unit) = if object.is_instance_of::<PyString>() {
        (named(purpose, object)?, 0)
    } else {
        pair(purpose, object).map_err(|error| match error {
            Error::Python(error) if error.is_instance_of::<PyTypeError>(object.py()) => {
                Error::type_error(format!(
                    "{}(): PF_SYSTEM address must be a str or a pair (id, unit)",
                    purpose.caller
                ))
            }
            error => error,
        })?
    };
    let mut address = sockaddr_ctl::of_family(c::AF_SYSTEM);
    address.ss_sysaddr = c::AF_SYS_CONTROL as u16;
    address.sc_id = id;
    address.sc_unit = unit;
    Ok(SockAddr::new(&address))
}

fn pair(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<(u32, u32)> {
    let fields = Fields::new(purpose, object, "PF_SYSTEM", "a pair (id, unit)", 2..=2)?;
    Ok((fields.masked(0)?, fields.masked(1)?))
}

fn named(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<u32> {
    let name = args::file_system_bytes(object)?;
    let socket = purpose.socket.ok_or(Error::CLOSED)?;
    let id = socket.lend(object.py(), |fd| kernel_control::id(fd, name.as_bytes()))?;
    id.map_err(|error| {
        if error == Errno::NAMETOOLONG {
            Error::value_error("provided string is too long")
        } else {
            Error::os_error("cannot find kernel control with provided name")
        }
    })
}

pub(super) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    protocol: i32,
) -> PyResult<Bound<'py, PyAny>> {
    if protocol != c::SYSPROTO_CONTROL {
        return Err(exception::<PyValueError>("Invalid address type"));
    }
    let address: sockaddr_ctl = address.read();
    (address.sc_id, address.sc_unit).make(py)
}
