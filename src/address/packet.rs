//! `AF_PACKET`: `(interface, proto[, pkttype[, hatype[, addr]]])`; packet(7).

use std::mem::offset_of;

use crate::sys::c::sockaddr_ll;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

use super::fields::Fields;
use super::{Purpose, interface_index, interface_name};
use crate::engine::Channel;
use crate::python::args;
use crate::python::buffer::BufferSlot;
use crate::python::error::{Error, Result};
use crate::python::make;
use crate::sys::{SockAddr, Sockaddr, c};

/// From the start of the structure to the hardware address, which may be longer than the
/// structure in what the system gives (InfiniBand's has 20 bytes).
const HARDWARE: usize = offset_of!(sockaddr_ll, sll_addr);

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let fields = Fields::new(
        purpose,
        object,
        "AF_PACKET",
        "a tuple of two to five elements \
         (interface, proto[, pkttype[, hatype[, addr]]])",
        2..=5,
    )?;
    let in_range = |error: Error| match error {
        Error::Python(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
            overflow(purpose, "address argument out of range")
        }
        error => error,
    };
    let name = fields.text(0)?;
    let protocol = fields.int(1).map_err(in_range)?;
    let packet_type = fields.int_or(2, c::PACKET_HOST.into()).map_err(in_range)?;
    let hardware_type = fields.int_or(3, 0).map_err(in_range)?;
    let mut slot = BufferSlot::new();
    let hardware = match fields.object(4) {
        Some(object) => slot.readable(&object)?.to_vec(),
        None => Vec::new(),
    };
    let index = interface_index(object.py(), purpose.socket, name.as_bytes())?;

    let mut address = sockaddr_ll::of_family(c::AF_PACKET);
    let Some(room) = address.sll_addr.get_mut(..hardware.len()) else {
        return Err(Error::value_error(
            "Hardware address must be 8 bytes or less",
        ));
    };
    room.copy_from_slice(&hardware);
    let protocol =
        u16::try_from(protocol).map_err(|_| overflow(purpose, "proto must be 0-65535."))?;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index;
    // Cut to the size of the field, as in the standard library.
    address.sll_pkttype = packet_type as u8;
    address.sll_hatype = hardware_type as u16;
    address.sll_halen = hardware.len() as u8;
    Ok(SockAddr::new(&address))
}

fn overflow(purpose: Purpose<'_>, what: &str) -> Error {
    Error::overflow_error(format!("{}(): {what}", purpose.caller))
}

pub(super) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    socket: Option<&Channel>,
) -> PyResult<Bound<'py, PyAny>> {
    let fields: sockaddr_ll = address.read();
    let name = match fields.sll_ifindex {
        0 => Vec::new(),
        index => interface_name(py, socket, index),
    };
    let hardware = address.as_bytes().get(HARDWARE..).unwrap_or_default();
    let hardware = &hardware[..hardware.len().min(fields.sll_halen.into())];
    let tuple = make::tuple!(
        py,
        args::file_system_text(py, &name)?,
        u16::from_be(fields.sll_protocol),
        fields.sll_pkttype,
        fields.sll_hatype,
        make::bytes(py, hardware)?,
    );
    Ok(tuple?.into_any())
}
