//! Changing this machine's name.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::python::args;
use crate::python::audit::audit;
use crate::python::error::Result;
use crate::sys::machine;

/// Change this machine's name; sethostname(2).
///
/// Args:
///     name: the new name as str, bytes or path-like object, up to 64 bytes on Linux.
///
/// Raises:
///     PermissionError: the process may not do that (CAP_SYS_ADMIN).
///     OSError: the name is too long.
///     TypeError: the name has a wrong type.
///     ValueError: a str with a null character in it.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn sethostname<'py>(py: Python<'py>, name: &Bound<'py, PyAny>) -> Result<()> {
    let name = match name.cast::<PyBytes>() {
        Ok(bytes) => bytes.clone(),
        Err(_) => args::file_system_bytes(name)?,
    };
    audit(py, c"socket.sethostname", [name.as_any()])?;
    Ok(machine::set_host_name(name.as_bytes())?)
}
