//! Network interfaces by name and index, if_nameindex(3).

use std::ffi::CString;

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList};

use crate::constants::family_member;
use crate::engine;
use crate::python::args::{file_system_bytes, file_system_text, unsigned, unsigned_long};
use crate::python::error::{Error, Result};
use crate::python::make::{self, Made};
use crate::python::method::{Fast, function};
use crate::python::plain::Plain;
use crate::python::version;
use crate::sys::interface;

/// List the network interfaces of this machine; if_nameindex(3), RFC 3493.
///
/// Returns:
///     A list of pairs ``(index, name)``, an int and a str.
///
/// Raises:
///     OSError: the system gives no list.
#[pyfunction]
pub(crate) fn if_nameindex(py: Python<'_>) -> Result<Bound<'_, PyList>> {
    let list = make::list(py)?;
    for (index, name) in engine::detached(py, interface::all)? {
        let name = file_system_text(py, name.to_bytes())?;
        list.append(make::tuple!(py, index, name)?)?;
    }
    Ok(list)
}

/// List the addresses of the network interfaces; getifaddrs(3).
///
/// Returns:
///     A list of tuples ``(name, flags, family, address, netmask, broadcast)``.
///
/// Raises:
///     OSError: the system gives no list.
#[pyfunction]
pub(crate) fn getifaddrs(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = make::list(py)?;
    for found in engine::detached(py, interface::addresses).map_err(Error::from)? {
        list.append(make::tuple!(
            py,
            file_system_text(py, found.name.to_bytes())?,
            found.flags,
            family_member(py, Plain(found.family))?,
            found.address,
            found.netmask,
            found.broadcast,
        )?)?;
    }
    Ok(list)
}

/// Return the index of a network interface; if_nametoindex(3), RFC 3493.
///
/// Args:
///     oname: the interface's name as str, bytes or path-like object.
///
/// Raises:
///     OSError: there is no such interface.
///     TypeError: the name has a wrong type.
///     ValueError: the name has a null byte in it.
#[pyfunction]
#[pyo3(signature = (oname, /))]
pub(crate) fn if_nametoindex(oname: &Bound<'_, PyAny>) -> Result<Made<u32>> {
    let name = CString::new(file_system_bytes(oname)?.as_bytes())
        .map_err(|_| Error::value_error("embedded null byte"))?;
    interface::by_name(&name).map(Made).map_err(|errno| {
        if version::INTERFACE_ERRNO {
            errno.into()
        } else {
            Error::os_error("no interface with this name")
        }
    })
}

/// Return the name of a network interface; if_indextoname(3), RFC 3493.
///
/// Args:
///     object: the interface's index, 1 to 2**32 - 1.
///
/// Returns:
///     The name as a str.
///
/// Raises:
///     OSError: there is no such interface.
///     OverflowError: the index is too large, or before Python 3.14 negative.
///     TypeError: the index is no int.
///     ValueError: the index is negative.
#[pyfunction]
#[pyo3(signature = (object, /))]
pub(crate) fn if_indextoname<'py>(
    py: Python<'py>,
    object: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>> {
    let index = if version::C_INTEGERS {
        unsigned(object, "unsigned int")?
    } else {
        let index = object
            .cast::<PyInt>()
            .map_err(|_| Error::type_error("an integer is required"))?;
        u32::try_from(unsigned_long(index)?)
            .map_err(|_| Error::overflow_error("index is too large"))?
    };
    Ok(file_system_text(
        py,
        interface::by_index(index)?.to_bytes(),
    )?)
}

pub(crate) const FAST: [Fast; 2] = [
    function!(if_indextoname, |index| if_indextoname(index.py(), index)
        .map_err(PyErr::from)),
    function!(if_nametoindex, |name| if_nametoindex(name)
        .map_err(PyErr::from)),
];
