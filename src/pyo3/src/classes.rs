//! Classes, of which PyO3 makes each when it is first needed, and panics if there is no memory for
//! it.

use original::PyClass;
use original::prelude::*;
use original::types::PyType;

/// A class of ours, which is made if it was not before.
pub fn class<T: PyClass>(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    match T::lazy_type_object().get_or_try_init(py) {
        Ok(class) => Ok(class.clone()),
        Err(error) => Err(first(py, error)),
    }
}

/// An object of such a class.
pub fn object<T>(py: Python<'_>, value: T) -> PyResult<Bound<'_, T>>
where
    T: PyClass + Into<original::PyClassInitializer<T>>,
{
    class::<T>(py)?;
    Bound::new(py, value)
}

/// What was raised first: PyO3 wraps it in errors that say where.
fn first(py: Python<'_>, error: PyErr) -> PyErr {
    let mut error = error;
    while let Some(cause) = error.cause(py) {
        error = cause;
    }
    error
}
