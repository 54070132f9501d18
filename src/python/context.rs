//! Context variables, PEP 567.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyCapsule;

/// A variable whose value belongs to the thread, and in asyncio to the task, that has set it. It is made
/// when it is first used.
pub(crate) struct ContextVariable {
    name: &'static CStr,
    made: PyOnceLock<Py<PyAny>>,
}

impl ContextVariable {
    pub(crate) const fn new(name: &'static CStr) -> Self {
        ContextVariable {
            name,
            made: PyOnceLock::new(),
        }
    }

    fn object<'a, 'py>(&'a self, py: Python<'py>) -> PyResult<&'a Bound<'py, PyAny>> {
        let made = self.made.get_or_try_init(py, || {
            // SAFETY: the name is terminated; the call returns a new reference or sets an exception.
            unsafe {
                let made = ffi::PyContextVar_New(self.name.as_ptr(), ptr::null_mut());
                Bound::from_owned_ptr_or_err(py, made).map(Bound::unbind)
            }
        })?;
        Ok(made.bind(py))
    }

    /// The value in the calling context, if it has one.
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let variable = self.object(py)?;
        let mut found = ptr::null_mut();
        // SAFETY: the variable is one; the call writes a new reference, or null where there is no
        // value, unless it sets an exception.
        unsafe {
            if ffi::PyContextVar_Get(variable.as_ptr(), ptr::null_mut(), &mut found) != 0 {
                return Err(PyErr::fetch(py));
            }
            Ok(Bound::from_owned_ptr_or_opt(py, found))
        }
    }

    /// Sets the value in the calling context; the token that [`ContextVariable::reset`] takes.
    pub(crate) fn set<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let variable = self.object(value.py())?;
        // SAFETY: the variable is one and the value alive; the call returns a new reference or
        // sets an exception.
        unsafe {
            let token = ffi::PyContextVar_Set(variable.as_ptr(), value.as_ptr());
            Bound::from_owned_ptr_or_err(value.py(), token)
        }
    }

    /// Gives the variable the value that it had before the token was made.
    ///
    /// # Errors
    /// The token was made in another context, or has been used.
    pub(crate) fn reset(&self, token: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = token.py();
        // SAFETY: the variable is one; the call refuses what is no token of it.
        match unsafe { ffi::PyContextVar_Reset(self.object(py)?.as_ptr(), token.as_ptr()) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(py)),
        }
    }
}

/// A number as the value of a variable, which can be another one without memory for it.
pub(crate) struct Cell<'py>(Bound<'py, PyCapsule>);

impl<'py> Cell<'py> {
    const NAME: &'static CStr = c"oxisock.number";

    pub(crate) fn new(py: Python<'py>, number: u64) -> PyResult<Self> {
        PyCapsule::new_with_value(py, AtomicU64::new(number), Self::NAME).map(Cell)
    }

    /// What [`Cell::object`] gave.
    pub(crate) fn of(object: Bound<'py, PyAny>) -> Option<Self> {
        let capsule = object.cast_into::<PyCapsule>().ok()?;
        capsule
            .is_valid_checked(Some(Self::NAME))
            .then_some(Cell(capsule))
    }

    pub(crate) fn object(&self) -> &Bound<'py, PyAny> {
        &self.0
    }

    fn number(&self) -> PyResult<&AtomicU64> {
        let number = self.0.pointer_checked(Some(Self::NAME))?;
        // SAFETY: a capsule of that name has such a number as long as it lives.
        Ok(unsafe { number.cast().as_ref() })
    }

    pub(crate) fn get(&self) -> PyResult<u64> {
        Ok(self.number()?.load(Relaxed))
    }

    pub(crate) fn set(&self, number: u64) -> PyResult<()> {
        self.number()?.store(number, Relaxed);
        Ok(())
    }
}
