//! `AF_CAN`: `(interface,)` for CAN_RAW and CAN_BCM, `(interface, rx_id, tx_id)` for
//! CAN_ISOTP, `(interface, name, pgn, addr)` for CAN_J1939; `<linux/can.h>`, kernel
//! documentation networking/can and networking/j1939. An empty interface stands for all.

use std::ffi::c_ulong;

use crate::sys::c::sockaddr_can;
use pyo3::prelude::*;

use super::fields::Fields;
use super::{Purpose, interface_index, interface_name};
use crate::engine::Channel;
use crate::python::args;
use crate::python::error::{Error, Result};
use crate::python::make;
use crate::sys::address::linux::{can_j1939, can_tp};
use crate::sys::{SockAddr, Sockaddr, c};

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let (form, count) = match purpose.protocol {
        c::CAN_RAW | c::CAN_BCM => ("a tuple (interface, )", 1),
        c::CAN_ISOTP => ("a tuple (interface, rx_id, tx_id)", 3),
        c::CAN_J1939 => ("a tuple (interface, name, pgn, addr)", 4),
        _ => {
            return Err(Error::os_error(format!(
                "{}(): unsupported CAN protocol",
                purpose.caller
            )));
        }
    };
    let fields = Fields::new(purpose, object, "AF_CAN", form, count..=count)?;
    let name = fields.name(0)?;
    let mut address = sockaddr_can::of_family(c::AF_CAN);
    match purpose.protocol {
        c::CAN_ISOTP => {
            address.can_addr.tp.rx_id = fields.masked::<c_ulong>(1)? as u32;
            address.can_addr.tp.tx_id = fields.masked::<c_ulong>(2)? as u32;
        }
        c::CAN_J1939 => {
            address.can_addr.j1939.name = fields.masked(1)?;
            address.can_addr.j1939.pgn = fields.masked(2)?;
            address.can_addr.j1939.addr = fields.masked(3)?;
        }
        _ => {}
    }
    address.can_ifindex = index(purpose, object.py(), &name)?;
    Ok(SockAddr::new(&address))
}

fn index(purpose: Purpose<'_>, py: Python<'_>, name: &[u8]) -> Result<i32> {
    match name.len() {
        0 => Ok(0),
        len if len < c::IFNAMSIZ => interface_index(py, purpose.socket, name),
        _ => Err(Error::os_error("AF_CAN interface name too long")),
    }
}

pub(super) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    protocol: i32,
    socket: Option<&Channel>,
) -> PyResult<Bound<'py, PyAny>> {
    let address: sockaddr_can = address.read();
    let name = match address.can_ifindex {
        0 => Vec::new(),
        index => interface_name(py, socket, index),
    };
    let name = args::file_system_text(py, &name)?;
    let tuple = match protocol {
        c::CAN_ISOTP => {
            let (rx_id, tx_id) = can_tp(&address);
            make::tuple!(py, name, rx_id, tx_id)?
        }
        c::CAN_J1939 => {
            let (own, pgn, addr) = can_j1939(&address);
            make::tuple!(py, name, own, pgn, addr)?
        }
        _ => make::tuple!(py, name)?,
    };
    Ok(tuple.into_any())
}
