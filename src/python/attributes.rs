//! Look-ups of the package's attributes.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

/// Give names of the package slots, so that the interpreter specialises look-ups of them.
///
/// The first call puts another module in the package's place in ``sys.modules``, with the same
/// dictionary. On 3.12 to 3.14 with the interpreter lock; elsewhere it does nothing.
///
/// Args:
///     namespace: the dictionary of the package.
///     names: an iterable of str.
///     base: the base class of the module's class, without which nothing is done in a first call.
///
/// Returns:
///     Whether the names have slots.
#[pyfunction]
#[pyo3(signature = (namespace, names, base=None, /))]
pub(crate) fn give_slots(
    namespace: &Bound<'_, PyDict>,
    names: &Bound<'_, PyAny>,
    base: Option<&Bound<'_, PyType>>,
) -> PyResult<bool> {
    #[cfg(all(Py_3_12, not(Py_3_15), not(Py_GIL_DISABLED)))]
    return super::slots::give(namespace, names, base);
    #[cfg(not(all(Py_3_12, not(Py_3_15), not(Py_GIL_DISABLED))))]
    {
        let _ = (namespace, names, base);
        Ok(false)
    }
}
