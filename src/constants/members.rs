//! Integers to members of the lazy enumerations, for results such as `socket.family`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// Members by value of one enumeration of `oxisock._enums`, fetched at first use.
struct Members {
    class: &'static str,
    by_value: PyOnceLock<Py<PyDict>>,
}

impl Members {
    const fn new(class: &'static str) -> Self {
        Self {
            class,
            by_value: PyOnceLock::new(),
        }
    }

    fn get<'py>(&self, py: Python<'py>, value: i32) -> PyResult<Bound<'py, PyAny>> {
        let by_value = self.by_value.get_or_try_init(py, || {
            let members = py.import("oxisock._enums")?.getattr("members")?;
            PyResult::Ok(
                members
                    .call1((self.class,))?
                    .cast_into::<PyDict>()?
                    .unbind(),
            )
        })?;
        let number = value.into_pyobject(py)?.into_any();
        Ok(by_value.bind(py).get_item(&number)?.unwrap_or(number))
    }
}

static FAMILIES: Members = Members::new("AddressFamily");
static KINDS: Members = Members::new("SocketKind");

/// The `AddressFamily` member of that value, or the plain int if there is none.
#[pyfunction]
pub(crate) fn family_member(py: Python<'_>, value: i32) -> PyResult<Bound<'_, PyAny>> {
    FAMILIES.get(py, value)
}

/// The `SocketKind` member of that value, or the plain int if there is none.
#[pyfunction]
pub(crate) fn kind_member(py: Python<'_>, value: i32) -> PyResult<Bound<'_, PyAny>> {
    KINDS.get(py, value)
}
