//! Objects for results. PyO3's own constructors panic where there is no memory for one; these
//! raise MemoryError. So what PyO3 calls returns no plain number or text, but [`Made`] of it.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyList, PyString, PyTuple};

pub(crate) fn bytes<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let (data, len) = (data.as_ptr().cast(), data.len() as ffi::Py_ssize_t);
    // SAFETY: the memory has that length; the result is a new reference to a bytes object, or an
    // exception.
    unsafe {
        let made = ffi::PyBytes_FromStringAndSize(data, len);
        Ok(Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked())
    }
}

pub(crate) fn text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let (data, len) = (text.as_ptr().cast(), text.len() as ffi::Py_ssize_t);
    // SAFETY: the memory has that length; the result is a new reference to text, or an exception.
    unsafe {
        let made = ffi::PyUnicode_FromStringAndSize(data, len);
        Ok(Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked())
    }
}

/// What a result, or an item of a tuple, is made of.
pub(crate) trait Make<'py> {
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;
}

impl<'py> Make<'py> for u64 {
    #[inline]
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: a new reference or an exception.
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyLong_FromUnsignedLongLong(self)) }
    }
}

impl<'py> Make<'py> for i64 {
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: a new reference or an exception.
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyLong_FromLongLong(self)) }
    }
}

impl<'py> Make<'py> for usize {
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        (self as u64).make(py)
    }
}

macro_rules! smaller {
    ($($kind:ty),+) => { $(
        impl<'py> Make<'py> for $kind {
            fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                i64::from(self).make(py)
            }
        }
    )+ };
}

/// Numbers of descriptors are such, on some systems.
impl<'py> Make<'py> for isize {
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        (self as i64).make(py)
    }
}

smaller!(u8, u16, u32, i8, i16, i32);

impl<'py> Make<'py> for f64 {
    #[inline]
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: a new reference or an exception.
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyFloat_FromDouble(self)) }
    }
}

impl<'py> Make<'py> for bool {
    #[inline]
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyBool::new(py, self).to_owned().into_any())
    }
}

impl<'py> Make<'py> for () {
    #[inline]
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: attached. The object is never freed, and from 3.12 on it counts no references.
        unsafe {
            let none = ffi::Py_None();
            if cfg!(not(Py_3_12)) {
                ffi::Py_INCREF(none);
            }
            Ok(Bound::from_owned_ptr(py, none))
        }
    }
}

impl<'py> Make<'py> for &str {
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        text(py, self).map(Bound::into_any)
    }
}

impl<'py> Make<'py> for String {
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.as_str().make(py)
    }
}

impl<'py, T: Make<'py>> Make<'py> for Option<T> {
    #[inline]
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Some(value) => value.make(py),
            None => ().make(py),
        }
    }
}

impl<'py, T> Make<'py> for Py<T> {
    #[inline]
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.into_bound(py).into_any())
    }
}

impl<'py, T: Make<'py>> Make<'py> for Made<T> {
    #[inline]
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.make(py)
    }
}

impl<'py, T> Make<'py> for Bound<'py, T> {
    fn make(self, _: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.into_any())
    }
}

impl<'py, T> Make<'py> for &Bound<'py, T> {
    fn make(self, _: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.clone().into_any())
    }
}

/// A result of a function that PyO3 calls.
pub(crate) struct Made<T>(pub(crate) T);

impl<'py, T: Make<'py>> IntoPyObject<'py> for Made<T> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    #[inline]
    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        self.0.make(py)
    }
}

/// A tuple of these items, as a `PyResult`; an item that fails ends the function.
macro_rules! tuple {
    ($py:expr, $($item:expr),+ $(,)?) => {
        $crate::python::make::tuple_of(
            $py,
            [$($crate::python::make::Make::make($item, $py)?),+],
        )
    };
}
pub(crate) use tuple;

pub(crate) fn tuple_of<'py, const N: usize>(
    py: Python<'py>,
    items: [Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyTuple>> {
    // SAFETY: a new reference or an exception; each of the items is put into its own place, which
    // takes the reference over, before anybody else sees the tuple.
    unsafe {
        let made = ffi::PyTuple_New(N as ffi::Py_ssize_t);
        let tuple = Bound::from_owned_ptr_or_err(py, made)?;
        for (place, item) in items.into_iter().enumerate() {
            ffi::PyTuple_SET_ITEM(tuple.as_ptr(), place as ffi::Py_ssize_t, item.into_ptr());
        }
        Ok(tuple.cast_into_unchecked())
    }
}

/// A tuple of Rust's with items that can be made.
pub(crate) trait MakeTuple {
    fn make_tuple(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>>;
}

impl<A: for<'py> Make<'py>> MakeTuple for (A,) {
    fn make_tuple(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        tuple!(py, self.0)
    }
}

impl<A: for<'py> Make<'py>, B: for<'py> Make<'py>> MakeTuple for (A, B) {
    fn make_tuple(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        tuple!(py, self.0, self.1)
    }
}

impl<A, B, C, D> MakeTuple for (A, B, C, D)
where
    A: for<'py> Make<'py>,
    B: for<'py> Make<'py>,
    C: for<'py> Make<'py>,
    D: for<'py> Make<'py>,
{
    fn make_tuple(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        tuple!(py, self.0, self.1, self.2, self.3)
    }
}

impl<'py, A: Make<'py>, B: Make<'py>> Make<'py> for (A, B) {
    fn make(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        tuple!(py, self.0, self.1).map(Bound::into_any)
    }
}

/// Puts a value into a dictionary.
pub(crate) fn entry<'py>(
    dict: &Bound<'py, PyDict>,
    name: &str,
    value: impl Make<'py>,
) -> PyResult<()> {
    let py = dict.py();
    dict.set_item(text(py, name)?, value.make(py)?)
}

/// A tuple of as many items as there are.
pub(crate) fn tuple_from<'py>(
    py: Python<'py>,
    items: Vec<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    // SAFETY: as in `tuple_of`.
    unsafe {
        let made = ffi::PyTuple_New(items.len() as ffi::Py_ssize_t);
        let tuple = Bound::from_owned_ptr_or_err(py, made)?;
        for (place, item) in items.into_iter().enumerate() {
            ffi::PyTuple_SET_ITEM(tuple.as_ptr(), place as ffi::Py_ssize_t, item.into_ptr());
        }
        Ok(tuple.cast_into_unchecked())
    }
}

/// A tuple of the items of a list.
#[cfg_attr(not(messages), expect(dead_code, reason = "of messages"))]
pub(crate) fn tuple_from_list<'py>(list: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyTuple>> {
    // SAFETY: the list is alive; the result is a new reference to a tuple, or an exception.
    unsafe {
        let made = ffi::PyList_AsTuple(list.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(list.py(), made)?.cast_into_unchecked())
    }
}

/// An empty dictionary.
pub(crate) fn dictionary(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: a new reference to a dictionary, or an exception.
    unsafe { Ok(Bound::from_owned_ptr_or_err(py, ffi::PyDict_New())?.cast_into_unchecked()) }
}

/// An empty list.
pub(crate) fn list(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    // SAFETY: a new reference to a list, or an exception.
    unsafe { Ok(Bound::from_owned_ptr_or_err(py, ffi::PyList_New(0))?.cast_into_unchecked()) }
}
