//! One argument as the function wants it, as `pyo3::impl_::extract_argument` has it.

use original::impl_::extract_argument::PyFunctionArgument;
use original::prelude::*;

use crate::error::{Refusal, about};

#[inline]
pub fn extract_argument<'a, 'holder, 'py, T, const IMPLEMENTS_FROMPYOBJECT: bool>(
    object: Borrowed<'a, 'py, PyAny>,
    holder: &'holder mut T::Holder,
    name: &str,
) -> PyResult<T>
where
    T: PyFunctionArgument<'a, 'holder, 'py, IMPLEMENTS_FROMPYOBJECT, Error: Refusal>,
{
    match T::extract(object, holder) {
        Ok(value) => Ok(value),
        Err(refusal) => {
            let py = object.py();
            Err(about(py, name, refusal.into_error(py)))
        }
    }
}

#[inline]
pub fn extract_required_argument<'a, 'holder, 'py, T, const IMPLEMENTS_FROMPYOBJECT: bool>(
    object: Option<Borrowed<'a, 'py, PyAny>>,
    holder: &'holder mut T::Holder,
    name: &str,
) -> PyResult<T>
where
    T: PyFunctionArgument<'a, 'holder, 'py, IMPLEMENTS_FROMPYOBJECT, Error: Refusal>,
{
    match object {
        Some(object) => extract_argument(object, holder, name),
        None => unreachable!("the description has seen that it is there"),
    }
}

#[inline]
pub fn extract_argument_with_default<'a, 'holder, 'py, T, const IMPLEMENTS_FROMPYOBJECT: bool>(
    object: Option<Borrowed<'a, 'py, PyAny>>,
    holder: &'holder mut T::Holder,
    name: &str,
    default: fn() -> T,
) -> PyResult<T>
where
    T: PyFunctionArgument<'a, 'holder, 'py, IMPLEMENTS_FROMPYOBJECT, Error: Refusal>,
{
    match object {
        Some(object) => extract_argument(object, holder, name),
        None => Ok(default()),
    }
}
