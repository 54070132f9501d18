//! Functions and methods that do next to nothing, without PyO3's way to them.
//!
//! PyO3 counts every call in and out in thread-local storage, catches panics and takes the
//! arguments in a general form. Nobody notices those 60 to 150 instructions beside a system
//! call, but they are more than all the work of what is defined with these macros. So these
//! are plain C functions of no argument or one, as the interpreter's own are, around an
//! expression in safe Rust. It must not panic, which would abort the process.

use std::ffi::{CStr, c_int};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyCFunction, PyGetSetDef, PyMethodDef, PyMethodDefPointer, PyObject};
use pyo3::intern;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::{PyModule, PyString, PyType};
use pyo3::{IntoPyObjectExt, PyClass};

use crate::python::args;

/// Definitions that the interpreter keeps pointers to, for ever.
pub(crate) struct Fixed<T>(pub(crate) T);

/// A module's functions, with an empty entry at the end.
pub(crate) type Functions<const N: usize> = Fixed<[PyMethodDef; N]>;

// SAFETY: nobody writes to it, neither here nor in the interpreter.
unsafe impl<T> Sync for Fixed<T> {}

/// A module's function of no argument, `|py| -> PyResult<_>`, or of one, `|&argument| -> …`.
macro_rules! function {
    (() $name:ident, $call:expr, $doc:expr) => {{
        unsafe extern "C" fn call(
            _: *mut pyo3::ffi::PyObject,
            _: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter calls this attached.
            let py = unsafe { pyo3::Python::assume_attached() };
            $crate::python::method::returned(py, $call(py))
        }
        $crate::python::method::definition!($name, call, METH_NOARGS, "($module, /)\n--\n\n", $doc)
    }};
    (($argument:ident) $name:ident, $call:expr, $doc:expr) => {{
        unsafe extern "C" fn call(
            _: *mut pyo3::ffi::PyObject,
            argument: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            let argument = {
                // SAFETY: the interpreter calls this attached, with an argument that is alive.
                unsafe { pyo3::Borrowed::from_ptr(pyo3::Python::assume_attached(), argument) }
            };
            $crate::python::method::returned(argument.py(), $call(&*argument))
        }
        $crate::python::method::definition!(
            $name,
            call,
            METH_O,
            concat!("($module, ", stringify!($argument), ", /)\n--\n\n"),
            $doc
        )
    }};
}

/// A method of a frozen class without arguments, `|&object| -> PyResult<_>`, for a class
/// attribute of that name.
macro_rules! method {
    ($py:expr, $class:ty, $name:ident, $call:expr, $doc:expr) => {{
        unsafe extern "C" fn call(
            slf: *mut pyo3::ffi::PyObject,
            _: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: called attached, by the descriptor below, which checks the type.
            unsafe { $crate::python::method::on::<$class, _>(slf, $call) }
        }
        static METHOD: $crate::python::method::Fixed<pyo3::ffi::PyMethodDef> =
            $crate::python::method::Fixed($crate::python::method::definition!(
                $name,
                call,
                METH_NOARGS,
                "($self, /)\n--\n\n",
                $doc
            ));
        METHOD.of::<$class>($py)
    }};
}

/// A method of a frozen class with positional arguments, `|&object, arguments| -> PyResult<_>`.
/// What it does may panic: these do enough for the few instructions that catch it.
macro_rules! method_with {
    ($py:expr, $class:ty, $name:ident, $signature:literal, $call:expr, $doc:expr) => {{
        unsafe extern "C" fn call(
            slf: *mut pyo3::ffi::PyObject,
            arguments: *mut *mut pyo3::ffi::PyObject,
            count: pyo3::ffi::Py_ssize_t,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: called attached, by the descriptor below, which checks the type, with so
            // many arguments that are alive.
            unsafe {
                let arguments = $crate::python::method::Arguments::new(arguments, count);
                $crate::python::method::on::<$class, _>(slf, |object| {
                    $crate::python::method::caught(|| $call(object, &arguments))
                })
            }
        }
        static METHOD: $crate::python::method::Fixed<pyo3::ffi::PyMethodDef> =
            $crate::python::method::Fixed(pyo3::ffi::PyMethodDef {
                ml_name: $crate::python::method::text(concat!(stringify!($name), "\0")).as_ptr(),
                ml_meth: pyo3::ffi::PyMethodDefPointer {
                    PyCFunctionFast: call,
                },
                ml_flags: pyo3::ffi::METH_FASTCALL,
                ml_doc: $crate::python::method::text(concat!(
                    stringify!($name),
                    $signature,
                    "\n--\n\n",
                    $doc,
                    "\0"
                ))
                .as_ptr(),
            });
        METHOD.of::<$class>($py)
    }};
}

/// A read-only attribute of a frozen class, `|&object| -> PyResult<_>`, likewise.
macro_rules! attribute {
    ($py:expr, $class:ty, $name:ident, $call:expr, $doc:expr) => {{
        unsafe extern "C" fn call(
            slf: *mut pyo3::ffi::PyObject,
            _: *mut std::ffi::c_void,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: as for a method.
            unsafe { $crate::python::method::on::<$class, _>(slf, $call) }
        }
        static ATTRIBUTE: $crate::python::method::Fixed<pyo3::ffi::PyGetSetDef> =
            $crate::python::method::Fixed($crate::python::method::getter(
                $crate::python::method::text(concat!(stringify!($name), "\0")),
                call,
                $crate::python::method::text(concat!($doc, "\0")),
            ));
        ATTRIBUTE.of::<$class>($py)
    }};
}

macro_rules! definition {
    ($name:ident, $call:expr, $flags:ident, $signature:expr, $doc:expr) => {
        $crate::python::method::callable(
            $crate::python::method::text(concat!(stringify!($name), "\0")),
            $call,
            pyo3::ffi::$flags,
            $crate::python::method::text(concat!(stringify!($name), $signature, $doc, "\0")),
        )
    };
}

pub(crate) use {attribute, definition, function, method, method_with};

pub(crate) const fn text(terminated: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(terminated.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a null character inside"),
    }
}

pub(crate) const fn callable(
    name: &'static CStr,
    call: PyCFunction,
    flags: c_int,
    doc: &'static CStr,
) -> PyMethodDef {
    PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: PyMethodDefPointer { PyCFunction: call },
        ml_flags: flags,
        ml_doc: doc.as_ptr(),
    }
}

pub(crate) const fn getter(
    name: &'static CStr,
    get: ffi::getter,
    doc: &'static CStr,
) -> PyGetSetDef {
    PyGetSetDef {
        name: name.as_ptr(),
        get: Some(get),
        set: None,
        doc: doc.as_ptr(),
        closure: std::ptr::null_mut(),
    }
}

/// Positional arguments as the interpreter passes them.
pub(crate) struct Arguments<'py> {
    first: *mut *mut PyObject,
    count: usize,
    py: Python<'py>,
}

impl<'py> Arguments<'py> {
    /// # Safety
    /// Attached to the interpreter; `count` objects stand at `first`, alive during the call.
    #[inline]
    pub(crate) unsafe fn new(first: *mut *mut PyObject, count: ffi::Py_ssize_t) -> Self {
        // SAFETY: the caller's promise.
        let py = unsafe { Python::assume_attached() };
        Arguments {
            first,
            count: count as usize,
            py,
        }
    }

    #[inline]
    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// The one argument that has to be there, and the number that may stand behind it.
    #[inline]
    pub(crate) fn one_and_flags(&self, name: &str) -> PyResult<(Borrowed<'_, 'py, PyAny>, i32)> {
        if !(1..=2).contains(&self.count) {
            return Err(PyTypeError::new_err(format!(
                "{name}() takes 1 or 2 positional arguments but {} were given",
                self.count
            )));
        }
        // SAFETY: the count says that they are there.
        let at = |index| unsafe { Borrowed::from_ptr(self.py, *self.first.add(index)) };
        let flags = if self.count == 2 {
            args::int(&at(1))?
        } else {
            0
        };
        Ok((at(0), flags))
    }
}

/// Runs what may panic; a panic becomes an exception, as PyO3 would make it.
#[inline]
pub(crate) fn caught<T>(call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(PanicException::new_err("a panic in the native module")))
}

/// # Safety
/// Attached to the interpreter; the object is alive and of the class.
#[inline]
pub(crate) unsafe fn on<'py, C, T>(
    slf: *mut PyObject,
    call: impl FnOnce(&C) -> PyResult<T>,
) -> *mut PyObject
where
    C: PyClass<Frozen = True> + Sync,
    T: IntoPyObject<'py>,
{
    // SAFETY: the caller's promise.
    unsafe {
        let slf = Borrowed::from_ptr(Python::assume_attached(), slf);
        returned(slf.py(), call(slf.cast_unchecked::<C>().get()))
    }
}

/// The result as the interpreter wants it: a new reference, or null and an exception.
#[inline(always)]
pub(crate) fn returned<'py, T: IntoPyObject<'py>>(
    py: Python<'py>,
    result: PyResult<T>,
) -> *mut PyObject {
    match result.map(|value| value.into_bound_py_any(py)) {
        Ok(Ok(object)) => object.into_ptr(),
        Ok(Err(error)) | Err(error) => raised(py, error),
    }
}

#[cold]
#[inline(never)]
fn raised(py: Python<'_>, error: PyErr) -> *mut PyObject {
    // PyO3 counts the entry points that it made, not these: without this it would put off
    // what the error lets go of until the next call that it knows of.
    let mut error = Some(error);
    Python::try_attach(|py| error.take().map(|error| error.restore(py)));
    // While the interpreter ends there is no attaching, and nobody minds what is put off.
    if let Some(error) = error {
        error.restore(py);
    }
    std::ptr::null_mut()
}

/// Adds functions to a module.
pub(crate) fn add<const N: usize>(
    module: &Bound<'_, PyModule>,
    functions: &'static Functions<N>,
) -> PyResult<()> {
    let first = functions.0.as_ptr().cast_mut();
    // SAFETY: the table ends with an empty entry, and the call does not write to it.
    if unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), first) } == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(module.py()))
    }
}

impl Fixed<PyMethodDef> {
    /// The method's object, for a class attribute of that class.
    pub(crate) fn of<C: PyClass>(&'static self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let definition = (&raw const self.0).cast_mut();
        // SAFETY: the call keeps the definition without writing to it, and returns a new
        // reference or sets an exception.
        unsafe {
            let method = ffi::PyDescr_NewMethod(py.get_type::<C>().as_type_ptr(), definition);
            Ok(Bound::from_owned_ptr_or_err(py, method)?.unbind())
        }
    }
}

impl Fixed<PyGetSetDef> {
    /// The attribute's object, for a class attribute of that class.
    pub(crate) fn of<C: PyClass>(&'static self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let definition = (&raw const self.0).cast_mut();
        // SAFETY: as for a method.
        unsafe {
            let attribute = ffi::PyDescr_NewGetSet(py.get_type::<C>().as_type_ptr(), definition);
            Ok(Bound::from_owned_ptr_or_err(py, attribute)?.unbind())
        }
    }
}

/// Whether a class still has the native class's method of that name, and nobody's in its place.
pub(crate) fn is_native<C: PyClass>(class: &Bound<'_, PyType>, name: &str) -> PyResult<bool> {
    let definition = |class: &Bound<'_, PyType>| {
        let method = class.getattr(name)?;
        // SAFETY: the type is one of the interpreter's own, which live for ever.
        let is_method = method.get_type_ptr() == (&raw mut ffi::PyMethodDescr_Type);
        // SAFETY: the object is of exactly the type whose layout this is.
        Ok::<_, PyErr>(
            is_method
                .then(|| unsafe { (*method.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method }),
        )
    };
    let native = definition(&class.py().get_type::<C>())?;
    Ok(native.is_some() && definition(class)? == native)
}

/// Gives a subclass its own copies of the native class's methods.
///
/// The interpreter's fast path into a method is for objects of exactly the class that the
/// method was made for; without this, every call on an object of the subclass would go round
/// by a check of its bases.
pub(crate) fn inherit<C: PyClass>(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let own = class.getattr(intern!(py, "__dict__"))?;
    let inherited = py.get_type::<C>().getattr(intern!(py, "__dict__"))?;
    for item in inherited.call_method0(intern!(py, "items"))?.try_iter()? {
        let (name, value): (Bound<'_, PyString>, Bound<'_, PyAny>) = item?.extract()?;
        if own.contains(&name)? {
            continue;
        }
        if name.to_cow()?.starts_with("__") {
            // What the interpreter calls by a slot of the type; that is put there again.
            if name == "__next__" {
                class.setattr(name, value)?;
            }
            continue;
        }
        let kind = value.get_type_ptr();
        // SAFETY: the object is of exactly the type whose layout it is read as, the types being
        // the interpreter's own, which live for ever. Its definition is static, as all of PyO3's
        // and ours are; the class is derived from the one whose objects the method expects. The
        // calls return a new reference or set an exception.
        let copy = unsafe {
            let copy = if kind == &raw mut ffi::PyMethodDescr_Type {
                let definition = (*value.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method;
                ffi::PyDescr_NewMethod(class.as_type_ptr(), definition)
            } else if kind == &raw mut ffi::PyGetSetDescr_Type {
                let definition = (*value.as_ptr().cast::<ffi::PyGetSetDescrObject>()).d_getset;
                ffi::PyDescr_NewGetSet(class.as_type_ptr(), definition)
            } else {
                continue;
            };
            Bound::from_owned_ptr_or_err(py, copy)?
        };
        class.setattr(name, copy)?;
    }
    Ok(())
}
