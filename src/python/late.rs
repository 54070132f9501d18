//! What is imported when it is first needed, and needs no file then: see `_held.py`.

use std::ffi::CString;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::sys;

/// A module of the package, or one that it needs.
pub(crate) fn module<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let imports = py.import(intern!(py, "oxisock._held"))?;
    imports.call_method1(intern!(py, "load"), (name,))
}

/// A class of such a module, which is kept in `cell`.
pub(crate) fn class<'py>(
    py: Python<'py>,
    cell: &PyOnceLock<Py<PyType>>,
    name: &str,
    class: &str,
) -> PyResult<Bound<'py, PyType>> {
    let found = cell.get_or_try_init(py, || {
        let class = module(py, name)?.getattr(class)?;
        Ok::<_, PyErr>(class.cast_into::<PyType>()?.unbind())
    })?;
    Ok(found.bind(py).clone())
}

/// Keep a shared library in memory, so that it can be loaded without its file; dlopen(3).
///
/// Args:
///     path: the path under which it will be loaded.
///
/// Returns:
///     Whether that was possible.
#[pyfunction]
#[pyo3(signature = (path, /))]
pub(crate) fn keep_library(path: &str) -> bool {
    CString::new(path).is_ok_and(|path| sys::keep_library(&path))
}
