//! `AF_ALG`, the kernel's cryptography: `(type, name[, feat[, mask]])`; `<linux/if_alg.h>`,
//! kernel documentation crypto/userspace-if.

use crate::sys::c::sockaddr_alg;
use pyo3::prelude::*;

use super::Purpose;
use super::fields::{Fields, until_zero};
use crate::python::args;
use crate::python::error::{Error, Result};
use crate::python::make;
use crate::sys::{SockAddr, Sockaddr, c};

pub(super) fn parse(purpose: Purpose<'_>, object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let form = "a tuple (type, name[, feat[, mask]])";
    let fields = Fields::new(purpose, object, "AF_ALG", form, 2..=4)?;
    let kind = fields.text(0)?;
    let name = fields.text(1)?;
    let mut address = sockaddr_alg::of_family(c::AF_ALG);
    // The fields have 32 bits, but the standard library takes 16 of a number.
    address.salg_feat = fields.masked_or::<u16>(2, 0)?.into();
    address.salg_mask = fields.masked_or::<u16>(3, 0)?.into();
    store(&mut address.salg_type, &kind, "AF_ALG type too long.")?;
    store(&mut address.salg_name, &name, "AF_ALG name too long.")?;
    Ok(SockAddr::new(&address))
}

/// Writes text with a zero behind it.
fn store(field: &mut [u8], text: &str, otherwise: &'static str) -> Result<()> {
    if text.len() >= field.len() {
        return Err(Error::value_error(otherwise));
    }
    field[..text.len()].copy_from_slice(text.as_bytes());
    Ok(())
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    let address: sockaddr_alg = address.read();
    let tuple = make::tuple!(
        py,
        args::file_system_text(py, until_zero(&address.salg_type))?,
        args::file_system_text(py, until_zero(&address.salg_name))?,
        address.salg_feat,
        address.salg_mask,
    );
    Ok(tuple?.into_any())
}
