//! What becomes of arguments beyond those that a function names: `*args` and `**keywords`.

use original::ffi;
use original::prelude::*;
use original::types::{PyDict, PyTuple};

use crate::description::Argument;

pub trait Positional<'py> {
    /// Whether there may be any; without that, the others are called with none.
    const TAKEN: bool;
    type Rest;

    fn of_slice(py: Python<'py>, rest: &[*mut ffi::PyObject]) -> PyResult<Self::Rest>;

    /// Those from that place on.
    fn of_tuple(arguments: &Bound<'py, PyTuple>, from: usize) -> PyResult<Self::Rest>;
}

pub struct NoVarargs;

impl Positional<'_> for NoVarargs {
    const TAKEN: bool = false;
    type Rest = ();

    #[inline]
    fn of_slice(_: Python<'_>, _: &[*mut ffi::PyObject]) -> PyResult<()> {
        Ok(())
    }

    #[inline]
    fn of_tuple(_: &Bound<'_, PyTuple>, _: usize) -> PyResult<()> {
        Ok(())
    }
}

pub struct TupleVarargs;

impl<'py> Positional<'py> for TupleVarargs {
    const TAKEN: bool = true;
    type Rest = Bound<'py, PyTuple>;

    fn of_slice(py: Python<'py>, rest: &[*mut ffi::PyObject]) -> PyResult<Self::Rest> {
        // SAFETY: a new reference or an exception; each of the objects, which are alive, is put into
        // its own place with a reference of its own before anybody else sees the tuple.
        unsafe {
            let made = ffi::PyTuple_New(rest.len() as ffi::Py_ssize_t);
            let tuple = Bound::from_owned_ptr_or_err(py, made)?;
            for (place, object) in rest.iter().enumerate() {
                ffi::Py_INCREF(*object);
                ffi::PyTuple_SET_ITEM(made, place as ffi::Py_ssize_t, *object);
            }
            Ok(tuple.cast_into_unchecked())
        }
    }

    fn of_tuple(arguments: &Bound<'py, PyTuple>, from: usize) -> PyResult<Self::Rest> {
        let (from, to) = (from as ffi::Py_ssize_t, arguments.len() as ffi::Py_ssize_t);
        // SAFETY: the tuple is alive; the result is a new reference to one, or an exception.
        unsafe {
            let rest = ffi::PyTuple_GetSlice(arguments.as_ptr(), from, to);
            Ok(Bound::from_owned_ptr_or_err(arguments.py(), rest)?.cast_into_unchecked())
        }
    }
}

pub trait Keywords<'py> {
    /// As of [`Positional`].
    const TAKEN: bool;
    type Rest: Default;

    fn put(rest: &mut Self::Rest, name: Argument<'py>, argument: Argument<'py>) -> PyResult<()>;
}

pub struct NoVarkeywords;

impl<'py> Keywords<'py> for NoVarkeywords {
    const TAKEN: bool = false;
    type Rest = ();

    fn put(_: &mut (), _: Argument<'py>, _: Argument<'py>) -> PyResult<()> {
        Ok(())
    }
}

pub struct DictVarkeywords;

impl<'py> Keywords<'py> for DictVarkeywords {
    const TAKEN: bool = true;
    type Rest = Option<Bound<'py, PyDict>>;

    fn put(rest: &mut Self::Rest, name: Argument<'py>, argument: Argument<'py>) -> PyResult<()> {
        let dict = match rest {
            Some(dict) => dict,
            None => {
                // SAFETY: a new reference to a dictionary, or an exception.
                let made = unsafe {
                    let made = ffi::PyDict_New();
                    Bound::from_owned_ptr_or_err(name.py(), made)?.cast_into_unchecked()
                };
                rest.insert(made)
            }
        };
        dict.set_item(name, argument)
    }
}
