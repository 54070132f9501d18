//! `AF_BLUETOOTH`, by protocol: L2CAP `(bdaddr, psm[, cid[, bdaddr_type]])`, RFCOMM
//! `(bdaddr, channel)`, HCI `device` or `(device[, channel])`, SCO `bdaddr`. Device addresses
//! are text such as '01:23:45:67:89:AB'; BlueZ's `<bluetooth/*.h>`.

use pyo3::exceptions::{PyException, PyOSError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::Purpose;
use super::fields::Fields;
use crate::python::args;
use crate::python::error::{Error, Result};
use crate::sys::SockAddr;

// Of <bluetooth/bluetooth.h>, which the libc crate does not cover.
const L2CAP: i32 = 0;
const HCI: i32 = 1;
const SCO: i32 = 2;
const RFCOMM: i32 = 3;
const BDADDR_BREDR: u8 = 0;
const HCI_CHANNEL_RAW: u16 = 0;

/// A device address, the last byte of its text first.
type DeviceAddress = [u8; 6];

#[repr(C)]
#[derive(Clone, Copy)]
struct SockaddrL2 {
    family: libc::sa_family_t,
    /// Little endian, as is `cid`.
    psm: u16,
    device: DeviceAddress,
    cid: u16,
    device_kind: u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct SockaddrRc {
    family: libc::sa_family_t,
    device: DeviceAddress,
    channel: u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct SockaddrHci {
    family: libc::sa_family_t,
    device: u16,
    channel: u16,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct SockaddrSco {
    family: libc::sa_family_t,
    device: DeviceAddress,
}

const FAMILY: libc::sa_family_t = libc::AF_BLUETOOTH as libc::sa_family_t;

pub(super) fn parse(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    match purpose.protocol {
        L2CAP => {
            let (device, address) = wrong_format(purpose, object, || l2cap(purpose, object))?;
            finish(address, device, |address| &mut address.device)
        }
        RFCOMM => {
            let (device, address) = wrong_format(purpose, object, || rfcomm(purpose, object))?;
            finish(address, device, |address| &mut address.device)
        }
        HCI => {
            let address = hci(purpose, object)?;
            Ok(SockAddr::from_struct(&address, size_of::<SockaddrHci>()))
        }
        SCO => {
            let address = SockaddrSco {
                family: FAMILY,
                device: [0; 6],
            };
            let device = sco(purpose, object)?;
            finish(address, device, |address| &mut address.device)
        }
        _ => Err(os_error(purpose, "unknown Bluetooth protocol")),
    }
}

fn l2cap(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<(String, SockaddrL2)> {
    let form = "a tuple (bdaddr, psm[, cid[, bdaddr_type]])";
    let fields = Fields::new(purpose, object, "AF_BLUETOOTH", form, 2..=4)?;
    // SAFETY: a C structure for which all zeros are valid, its padding included.
    let mut address: SockaddrL2 = unsafe { std::mem::zeroed() };
    address.family = FAMILY;
    let device = fields.text(0)?;
    address.psm = (fields.masked(1)? as u16).to_le();
    address.cid = (fields.masked_or(2, 0)? as u16).to_le();
    address.device_kind = fields.masked_or(3, BDADDR_BREDR.into())? as u8;
    Ok((device, address))
}

fn rfcomm(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<(String, SockaddrRc)> {
    let form = "a pair (bdaddr, channel)";
    let fields = Fields::new(purpose, object, "AF_BLUETOOTH", form, 2..=2)?;
    // SAFETY: as above.
    let mut address: SockaddrRc = unsafe { std::mem::zeroed() };
    address.family = FAMILY;
    let device = fields.text(0)?;
    address.channel = fields.masked(1)? as u8;
    Ok((device, address))
}

fn hci(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<SockaddrHci> {
    // SAFETY: the object is alive, and the call cannot fail.
    let (device, channel) = if unsafe { ffi::PyIndex_Check(object.as_ptr()) } != 0 {
        (args::masked(object)? as u16, HCI_CHANNEL_RAW)
    } else {
        wrong_format(purpose, object, || {
            let form = "an int or a tuple (device[, channel])";
            let fields = Fields::new(purpose, object, "AF_BLUETOOTH", form, 1..=2)?;
            let channel = fields.masked_or(1, HCI_CHANNEL_RAW.into())?;
            Ok((fields.masked(0)? as u16, channel as u16))
        })?
    };
    Ok(SockaddrHci {
        family: FAMILY,
        device,
        channel,
    })
}

fn sco(purpose: Purpose, object: &Bound<'_, PyAny>) -> Result<String> {
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
    purpose: Purpose,
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

fn finish<T: Copy>(
    mut address: T,
    device: String,
    field: fn(&mut T) -> &mut DeviceAddress,
) -> Result<SockAddr> {
    let parsed = parse_device(&device);
    *field(&mut address) =
        parsed.ok_or_else(|| Error::new::<PyOSError, _>("bad bluetooth address"))?;
    Ok(SockAddr::from_struct(&address, size_of::<T>()))
}

/// Six hexadecimal numbers up to FF with colons between them.
fn parse_device(text: &str) -> Option<DeviceAddress> {
    let mut device = DeviceAddress::default();
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

fn device_text([f, e, d, c, b, a]: DeviceAddress) -> String {
    format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}")
}

fn os_error(purpose: Purpose, what: &str) -> Error {
    Error::new::<PyOSError, _>(format!("{}(): {what}", purpose.caller))
}

pub(super) fn build<'py>(
    py: Python<'py>,
    address: &SockAddr,
    protocol: i32,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY, for each `read_as`: an address structure of C, valid for all bits.
    match protocol {
        L2CAP => {
            // SAFETY: see above.
            let address: SockaddrL2 = unsafe { address.read_as() };
            let device = device_text(address.device);
            let (psm, cid) = (u16::from_le(address.psm), u16::from_le(address.cid));
            // As short as the address allows: only Low Energy has the longer forms.
            let tuple = match (address.device_kind, cid) {
                (BDADDR_BREDR, 0) => (device, psm).into_pyobject(py)?,
                (BDADDR_BREDR, cid) => (device, psm, cid).into_pyobject(py)?,
                (kind, cid) => (device, psm, cid, kind).into_pyobject(py)?,
            };
            Ok(tuple.into_any())
        }
        RFCOMM => {
            // SAFETY: see above.
            let address: SockaddrRc = unsafe { address.read_as() };
            let pair = (device_text(address.device), address.channel);
            Ok(pair.into_pyobject(py)?.into_any())
        }
        HCI => {
            // SAFETY: see above.
            let address: SockaddrHci = unsafe { address.read_as() };
            match address.channel {
                HCI_CHANNEL_RAW => Ok(address.device.into_pyobject(py)?.into_any()),
                channel => Ok((address.device, channel).into_pyobject(py)?.into_any()),
            }
        }
        SCO => {
            // SAFETY: see above.
            let address: SockaddrSco = unsafe { address.read_as() };
            Ok(device_text(address.device).into_pyobject(py)?.into_any())
        }
        _ => Err(PyValueError::new_err("Unknown Bluetooth protocol")),
    }
}
