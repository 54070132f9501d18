//! Python addresses and system addresses, both ways: one file per group of families.

mod host;
mod inet;
mod unix;

use pyo3::exceptions::{PyOSError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

pub(crate) use host::{HostName, resolve};
pub(crate) use inet::{MAX_FLOWINFO, host_text, numeric, v4_text, v6, v6_text, with_port};

use crate::error::{Error, Result};
use crate::sys::SockAddr;

/// What an address is parsed for.
#[derive(Clone, Copy)]
pub(crate) struct Purpose {
    pub(crate) family: i32,
    pub(crate) protocol: i32,
    /// The method that was called, named in errors.
    pub(crate) caller: &'static str,
}

impl Purpose {
    /// The address as the tuple that its family wants.
    fn tuple<'a, 'py>(
        self,
        family: &str,
        object: &'a Bound<'py, PyAny>,
    ) -> Result<&'a Bound<'py, PyTuple>> {
        object.cast::<PyTuple>().map_err(|_| {
            Error::new::<PyTypeError, _>(match object.get_type().name() {
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
pub(crate) fn parse(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    match purpose.family {
        libc::AF_INET => inet::parse_v4(purpose, object),
        libc::AF_INET6 => inet::parse_v6(purpose, object),
        libc::AF_UNIX => unix::parse(object),
        _ => Err(Error::new::<PyOSError, _>(format!(
            "{}(): bad family",
            purpose.caller
        ))),
    }
}

/// Turns an address from the system into what Python programs see; None for none.
pub(crate) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    protocol: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(family) = address.family() else {
        return Ok(py.None().into_bound(py));
    };
    let _ = protocol;
    match family {
        libc::AF_INET => inet::build_v4(py, address),
        libc::AF_INET6 => inet::build_v6(py, address),
        libc::AF_UNIX => unix::build(py, address),
        _ => build_unknown(py, family, address),
    }
}

/// A family without a form of its own: its number, and the bytes behind it.
fn build_unknown<'py>(
    py: Python<'py>,
    family: i32,
    address: &SockAddr,
) -> PyResult<Bound<'py, PyAny>> {
    let data = address
        .as_bytes()
        .get(size_of::<libc::sa_family_t>()..)
        .unwrap_or_default();
    Ok((family, PyBytes::new(py, data))
        .into_pyobject(py)?
        .into_any())
}
