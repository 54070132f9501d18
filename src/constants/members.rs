//! Integers to members of the lazy enumerations, for results such as `socket.family`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::python::late;
use crate::python::make::Make;
use crate::python::plain::Plain;

/// Members of one enumeration of `oxisock._enums`, fetched when the first one is needed.
struct Members<const N: usize> {
    class: &'static str,
    /// The ones with small numbers, which are nearly all that occur, without a look-up.
    small: [PyOnceLock<Py<PyAny>>; N],
    by_value: PyOnceLock<Py<PyDict>>,
}

impl<const N: usize> Members<N> {
    const fn new(class: &'static str) -> Self {
        Self {
            class,
            small: [const { PyOnceLock::new() }; N],
            by_value: PyOnceLock::new(),
        }
    }

    #[inline]
    fn get<'py>(&self, py: Python<'py>, value: i32) -> PyResult<Bound<'py, PyAny>> {
        match usize::try_from(value)
            .ok()
            .and_then(|index| self.small.get(index))
        {
            Some(known) => {
                let member =
                    known.get_or_try_init(py, || self.find(py, value).map(Bound::unbind))?;
                Ok(member.bind(py).clone())
            }
            None => self.find(py, value),
        }
    }

    /// The member with that number, the number itself where there is none.
    fn find<'py>(&self, py: Python<'py>, value: i32) -> PyResult<Bound<'py, PyAny>> {
        let by_value = self.by_value.get_or_try_init(py, || {
            let members = late::module(py, "oxisock._enums")?.getattr("members")?;
            PyResult::Ok(
                members
                    .call1((self.class,))?
                    .cast_into::<PyDict>()?
                    .unbind(),
            )
        })?;
        let number = value.make(py)?;
        Ok(by_value.bind(py).get_item(&number)?.unwrap_or(number))
    }
}

static FAMILIES: Members<48> = Members::new("AddressFamily");
static KINDS: Members<16> = Members::new("SocketKind");

/// Return the ``AddressFamily`` member of that value, or the plain int if there is none.
#[pyfunction]
pub(crate) fn family_member(py: Python<'_>, value: Plain<i32>) -> PyResult<Bound<'_, PyAny>> {
    FAMILIES.get(py, value.0)
}

/// Return the ``SocketKind`` member of that value, or the plain int if there is none.
#[pyfunction]
pub(crate) fn kind_member(py: Python<'_>, value: Plain<i32>) -> PyResult<Bound<'_, PyAny>> {
    KINDS.get(py, value.0)
}
