//! Arguments that become numbers, truth values or text of Rust. PyO3 converts them likewise, but
//! makes the errors late: see `src/pyo3`.

use pyo3::Raised;
use pyo3::exceptions::PyOverflowError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};

use super::args::{checked, long_long, wrong_type};
use super::error::exception;
use super::thread::protect;

/// An argument in the type of Rust's that the function wants.
#[derive(Clone, Copy)]
pub(crate) struct Plain<T>(pub(crate) T);

macro_rules! integers {
    ($($type:ty),+) => { $(
        impl FromPyObject<'_, '_> for Plain<$type> {
            type Error = Raised;

            fn extract(object: Borrowed<'_, '_, PyAny>) -> Result<Self, Raised> {
                let number = long_long(&object)?.ok();
                match number.and_then(|number| <$type>::try_from(number).ok()) {
                    Some(number) => Ok(Plain(number)),
                    None => Err(out_of_range()),
                }
            }
        }
    )+ };
}

integers!(i32, i64, isize, u32, usize);

#[cold]
fn out_of_range() -> Raised {
    exception::<PyOverflowError>("out of range integral type conversion attempted").into()
}

impl FromPyObject<'_, '_> for Plain<f64> {
    type Error = Raised;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> Result<Self, Raised> {
        protect();
        // SAFETY: the object is alive; an error is reported through the -1 that is checked.
        let value = unsafe { ffi::PyFloat_AsDouble(object.as_ptr()) };
        Ok(Plain(checked(object.py(), value, -1.0)?))
    }
}

impl FromPyObject<'_, '_> for Plain<bool> {
    type Error = Raised;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> Result<Self, Raised> {
        if !object.is_instance_of::<PyBool>() {
            return Err(wrong_type("the argument", "bool", &object).into());
        }
        Ok(Plain(object.is(PyBool::new(object.py(), true))))
    }
}

impl<'a> FromPyObject<'a, '_> for Plain<&'a str> {
    type Error = Raised;

    fn extract(object: Borrowed<'a, '_, PyAny>) -> Result<Self, Raised> {
        if !object.is_instance_of::<PyString>() {
            return Err(wrong_type("the argument", "str", &object).into());
        }
        Ok(Plain(object.extract()?))
    }
}
