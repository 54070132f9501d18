//! `AF_TIPC`: `(addr_type, v1, v2, v3[, scope])`; `<linux/tipc.h>`.
//!
//! | addr_type           | v1   | v2        | v3    |
//! |---------------------|------|-----------|-------|
//! | `TIPC_ADDR_NAME`    | type | instance  | 0     |
//! | `TIPC_ADDR_NAMESEQ` | type | lower     | upper |
//! | `TIPC_ADDR_ID`      | node | reference | 0     |

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::Purpose;
use super::fields::Fields;
use crate::python::error::{Error, Result, exception};
use crate::python::make;
use crate::sys::address::linux::sockaddr_tipc;
use crate::sys::{SockAddr, c};

// Of <linux/tipc.h>, which the libc crate does not cover.
const ADDR_NAMESEQ: u8 = 1;
const ADDR_NAME: u8 = 2;
const ADDR_ID: u8 = 3;
const CLUSTER_SCOPE: u32 = 2;

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let fields = Fields::new(
        purpose,
        object,
        "AF_TIPC",
        "a tuple (addr_type, v1, v2, v3[, scope])",
        4..=5,
    )?;
    let kind: u32 = fields.masked(0)?;
    let [v1, v2, v3] = [fields.masked(1)?, fields.masked(2)?, fields.masked(3)?];
    let scope = fields.masked_or(4, CLUSTER_SCOPE)? as i8;
    let kind = u8::try_from(kind).unwrap_or_default();
    let values = match kind {
        ADDR_NAMESEQ => [v1, v2, v3],
        ADDR_NAME => [v1, v2, 0],
        ADDR_ID => [v2, v1, 0],
        _ => return Err(Error::type_error("Invalid address type")),
    };
    let address = sockaddr_tipc {
        family: c::AF_TIPC as u16,
        addrtype: kind,
        scope,
        addr: values,
    };
    Ok(SockAddr::new(&address))
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    let address: sockaddr_tipc = address.read();
    let [first, second, third] = address.addr;
    let (v1, v2, v3) = match address.addrtype {
        ADDR_NAMESEQ => (first, second, third),
        // The instance twice, as a sequence of one, which is what the standard library gives.
        ADDR_NAME => (first, second, second),
        ADDR_ID => (second, first, 0),
        _ => return Err(exception::<PyValueError>("Invalid address type")),
    };
    // Negative scopes come as large numbers, as in the standard library.
    let scope = i32::from(address.scope) as u32;
    Ok(make::tuple!(py, address.addrtype, v1, v2, v3, scope)?.into_any())
}
