//! `AF_UNIX`: a path as str or bytes, a Linux abstract name as bytes with a zero byte in
//! front, `''` for none; unix(7).

use std::mem::offset_of;

use crate::sys::c::sockaddr_un;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::fields::until_zero;
use crate::python::args;
use crate::python::buffer::BufferSlot;
use crate::python::error::{Error, Result, exception};
use crate::python::make;
use crate::python::text::for_file_system;
use crate::sys::{SockAddr, Sockaddr, c};

const PATH: usize = offset_of!(sockaddr_un, sun_path);
const CAPACITY: usize = size_of::<sockaddr_un>() - PATH;

pub(super) fn parse(object: &Bound<'_, PyAny>) -> Result<SockAddr> {
    let path = match object.cast::<PyString>() {
        Ok(text) => for_file_system(text)?.as_bytes().to_vec(),
        Err(_) => BufferSlot::new()
            .readable(object)
            .map_err(|error| wrong_type(object, error))?
            .to_vec(),
    };
    // An abstract name (or none) is as long as it says; a path is terminated by a zero.
    let (limit, extra) = match path.first() {
        None | Some(0) if cfg!(linux) => (CAPACITY, 0),
        _ => (CAPACITY - 1, 1),
    };
    if path.len() > limit {
        return Err(Error::os_error("AF_UNIX path too long"));
    }
    let mut address = sockaddr_un::of_family(c::AF_UNIX);
    for (to, from) in address.sun_path.iter_mut().zip(&path) {
        *to = *from as c::c_char;
    }
    Ok(SockAddr::with_len(&address, PATH + path.len() + extra))
}

pub(super) fn build<'py>(py: Python<'py>, address: &SockAddr) -> PyResult<Bound<'py, PyAny>> {
    let path = address.as_bytes().get(PATH..).unwrap_or_default();
    if cfg!(linux) && path.first() == Some(&0) {
        return Ok(make::bytes(py, path)?.into_any());
    }
    args::file_system_text(py, until_zero(path))
}

fn wrong_type(object: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyTypeError>(object.py()) {
        return error;
    }
    match object.get_type().name() {
        Ok(class) => {
            exception::<PyTypeError>(format!("a bytes-like object is required, not '{class}'"))
        }
        Err(error) => error,
    }
}
