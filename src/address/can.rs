//! `AF_CAN`: `(interface,)` for CAN_RAW and CAN_BCM, `(interface, rx_id, tx_id)` for
//! CAN_ISOTP, `(interface, name, pgn, addr)` for CAN_J1939; `<linux/can.h>`, kernel
//! documentation networking/can and networking/j1939. An empty interface stands for all.

use libc::sockaddr_can;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::Purpose;
use super::fields::Fields;
use crate::python::args;
use crate::python::error::{Error, Result};
use crate::sys::{SockAddr, interface};

pub(super) fn parse(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let (form, count) = match purpose.protocol {
        libc::CAN_RAW | libc::CAN_BCM => ("a tuple (interface, )", 1),
        libc::CAN_ISOTP => ("a tuple (interface, rx_id, tx_id)", 3),
        libc::CAN_J1939 => ("a tuple (interface, name, pgn, addr)", 4),
        _ => {
            return Err(Error::new::<PyOSError, _>(format!(
                "{}(): unsupported CAN protocol",
                purpose.caller
            )));
        }
    };
    let fields = Fields::new(purpose, object, "AF_CAN", form, count..=count)?;
    let name = fields.name(0)?;
    // SAFETY: a C structure for which all zeros are valid, its padding included.
    let mut address: sockaddr_can = unsafe { std::mem::zeroed() };
    address.can_family = libc::AF_CAN as libc::sa_family_t;
    match purpose.protocol {
        libc::CAN_ISOTP => {
            address.can_addr.tp.rx_id = fields.masked(1)? as u32;
            address.can_addr.tp.tx_id = fields.masked(2)? as u32;
        }
        libc::CAN_J1939 => {
            address.can_addr.j1939.name = fields.masked(1)?;
            address.can_addr.j1939.pgn = fields.masked(2)? as u32;
            address.can_addr.j1939.addr = fields.masked(3)? as u8;
        }
        _ => {}
    }
    address.can_ifindex = index(purpose, &name)?;
    Ok(SockAddr::from_struct(&address, size_of::<sockaddr_can>()))
}

fn index(purpose: Purpose, name: &[u8]) -> Result<i32> {
    match name.len() {
        0 => Ok(0),
        len if len < libc::IFNAMSIZ => Ok(interface::index(purpose.socket, name)?),
        _ => Err(Error::new::<PyOSError, _>("AF_CAN interface name too long")),
    }
}

pub(super) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    protocol: i32,
    socket: Option<i32>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: an address structure of C, valid for all bits.
    let address: sockaddr_can = unsafe { address.read_as() };
    let name = match address.can_ifindex {
        0 => Vec::new(),
        index => interface::name(socket, index),
    };
    let name = args::file_system_text(py, &name)?;
    Ok(match protocol {
        libc::CAN_ISOTP => {
            // SAFETY: plain numbers, valid for all bits whatever the union was written as.
            let ids = unsafe { address.can_addr.tp };
            (name, ids.rx_id, ids.tx_id).into_pyobject(py)?.into_any()
        }
        libc::CAN_J1939 => {
            // SAFETY: as above.
            let j1939 = unsafe { address.can_addr.j1939 };
            (name, j1939.name, j1939.pgn, j1939.addr)
                .into_pyobject(py)?
                .into_any()
        }
        _ => (name,).into_pyobject(py)?.into_any(),
    })
}
