//! `AF_BLUETOOTH`, by protocol: L2CAP `(bdaddr, psm[, cid[, bdaddr_type]])`, RFCOMM
//! `(bdaddr, channel)`, HCI `device` or `(device[, channel])`, SCO `bdaddr`. Device addresses
//! are text such as '01:23:45:67:89:AB'; BlueZ's `<bluetooth/*.h>`.

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::Purpose;
use super::fields::Fields;
use crate::python::args;
use crate::python::error::{Error, Result, exception};
use crate::python::make::{self, Make};
use crate::sys::address::linux::{bdaddr_t, sockaddr_hci, sockaddr_l2, sockaddr_rc, sockaddr_sco};
use crate::sys::{SockAddr, Sockaddr, c};

// Of <bluetooth/bluetooth.h>, which the libc crate does not cover.
const L2CAP: i32 = 0;
const HCI: i32 = 1;
const SCO: i32 = 2;
const RFCOMM: i32 = 3;
const BDADDR_BREDR: u8 = 0;
const HCI_CHANNEL_RAW: u16 = 0;

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    match purpose.protocol {
        L2CAP => {
            let (device, address) = wrong_format(purpose, object, || l2cap(purpose, object))?;
            finish(address, device, |address| &mut address.l2_bdaddr)
        }
        RFCOMM => {
            let (device, address) = wrong_format(purpose, object, || rfcomm(purpose, object))?;
            finish(address, device, |address| &mut address.rc_bdaddr)
        }
        HCI => {
            let address = hci(purpose, object)?;
            Ok(SockAddr::new(&address))
        }
        SCO => {
            let address = sockaddr_sco::of_family(c::AF_BLUETOOTH);
            let device = sco(purpose, object)?;
            finish(address, device, |address| &mut address.sco_bdaddr)
        }
        _ => Err(os_error(purpose, "unknown Bluetooth protocol")),
    }
}

fn l2cap(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<(String, sockaddr_l2)> {
    let form = "a tuple (bdaddr, psm[, cid[, bdaddr_type]])";
    let fields = Fields::new(purpose, object, "AF_BLUETOOTH", form, 2..=4)?;
    let mut address = sockaddr_l2::of_family(c::AF_BLUETOOTH);
    let device = fields.text(0)?;
    address.l2_psm = fields.masked::<u16>(1)?.to_le();
    address.l2_cid = fields.masked_or::<u16>(2, 0)?.to_le();
    address.l2_bdaddr_type = fields.masked_or(3, BDADDR_BREDR)?;
    Ok((device, address))
}

fn rfcomm(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<(String, sockaddr_rc)> {
    let form = "a pair (bdaddr, channel)";
    let fields = Fields::new(purpose, object, "AF_BLUETOOTH", form, 2..=2)?;
    let mut address = sockaddr_rc::of_family(c::AF_BLUETOOTH);
    let device = fields.text(0)?;
    address.rc_channel = fields.masked(1)?;
    Ok((device, address))
}

fn hci(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<sockaddr_hci> {
    let (device, channel) = if args::is_index(object) {
        (args::masked(object)?, HCI_CHANNEL_RAW)
    } else {
        wrong_format(purpose, object, || {
            let form = "an int or a tuple (device[, channel])";
            let fields = Fields::new(purpose, object, "AF_BLUETOOTH", form, 1..=2)?;
            Ok((fields.masked(0)?, fields.masked_or(1, HCI_CHANNEL_RAW)?))
        })?
    };
    let mut address = sockaddr_hci::of_family(c::AF_BLUETOOTH);
    address.hci_dev = device;
    address.hci_channel = channel;
    Ok(address)
}

fn sco(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<String> {
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(text.to_str()?.to_owned());
    }
    match object.cast::<PyBytes>() {
        Ok(bytes) => Ok(String::from_utf8_lossy(bytes.as_bytes()).into_owned()),
        Err(_) => Err(os_error(purpose, "wrong format")),
    }
}

/// Whatever is wrong with the form is an OSError here, as in the standard library.
fn wrong_format<T>(
    purpose: Purpose<'_>,
    object: &Bound<'_, PyAny>,
    read: impl FnOnce() -> Result<T>,
) -> Result<T> {
    read().map_err(|error| match error {
        Error::Python(cause) if cause.is_instance_of::<PyException>(object.py()) => {
            let error = PyErr::from(os_error(purpose, "wrong format"));
            error.set_cause(object.py(), Some(cause));
            error.into()
        }
        error => error,
    })
}

fn finish<T: Sockaddr>(
    mut address: T,
    device: String,
    field: fn(&mut T) -> &mut bdaddr_t,
) -> Result<SockAddr> {
    let parsed = parse_device(&device);
    *field(&mut address) = parsed.ok_or_else(|| Error::os_error("bad bluetooth address"))?;
    Ok(SockAddr::new(&address))
}

/// Six hexadecimal numbers up to FF with colons between them.
fn parse_device(text: &str) -> Option<bdaddr_t> {
    let mut device = bdaddr_t::default();
    let mut parts = text.split(':');
    for byte in device.iter_mut().rev() {
        let part = parts.next()?;
        if !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(device)
}

fn device_text([f, e, d, c, b, a]: bdaddr_t) -> String {
    format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}")
}

fn os_error(purpose: Purpose<'_>, what: &str) -> Error {
    Error::os_error(format!("{}(): {what}", purpose.caller))
}

pub(super) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    protocol: i32,
) -> PyResult<Bound<'py, PyAny>> {
    match protocol {
        L2CAP => {
            let address: sockaddr_l2 = address.read();
            let device = device_text(address.l2_bdaddr);
            let (psm, cid) = (u16::from_le(address.l2_psm), u16::from_le(address.l2_cid));
            // As short as the address allows: only Low Energy has the longer forms.
            let tuple = match (address.l2_bdaddr_type, cid) {
                (BDADDR_BREDR, 0) => make::tuple!(py, device, psm)?,
                (BDADDR_BREDR, cid) => make::tuple!(py, device, psm, cid)?,
                (kind, cid) => make::tuple!(py, device, psm, cid, kind)?,
            };
            Ok(tuple.into_any())
        }
        RFCOMM => {
            let address: sockaddr_rc = address.read();
            let pair = make::tuple!(py, device_text(address.rc_bdaddr), address.rc_channel);
            Ok(pair?.into_any())
        }
        HCI => {
            let address: sockaddr_hci = address.read();
            match address.hci_channel {
                HCI_CHANNEL_RAW => address.hci_dev.make(py),
                channel => (address.hci_dev, channel).make(py),
            }
        }
        SCO => {
            let address: sockaddr_sco = address.read();
            device_text(address.sco_bdaddr).make(py)
        }
        _ => Err(exception::<PyValueError>("Unknown Bluetooth protocol")),
    }
}
