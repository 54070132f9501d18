//! Callables that stand in the place of a function or method of somebody else's.
//!
//! They are objects of a type of their own, which PyO3 cannot make: the interpreter calls them by
//! vectorcall, without a tuple of arguments, and calls them as methods without binding them first.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, offset_of};
use std::sync::OnceLock;

use pyo3::PyClass;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::make;
use super::method::returned;
use super::thread::protect;

unsafe extern "C" {
    fn PyMethod_New(function: *mut PyObject, object: *mut PyObject) -> *mut PyObject;
}

/// What is done in the place of the functions and methods that it was put into.
pub(crate) trait Companion: PyClass<Frozen = True> + Sync {
    /// Does what a call is to do, [`Call::make`] above all.
    fn called<'py>(&self, call: &Call<'_, 'py>) -> Outcome<'py>;
}

/// What such an object holds.
#[repr(C)]
struct Callable {
    head: PyObject,
    vectorcall: ffi::vectorcallfunc,
    /// Owned, as the two below.
    original: *mut PyObject,
    companion: *mut PyObject,
    name: *mut PyObject,
    numbers: Numbers,
}

/// What the companion knows a callable by.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) method: u32,
    pub(crate) traits: u32,
}

/// A call of such an object, with the arguments as the interpreter passes them.
pub(crate) struct Call<'a, 'py> {
    callable: &'a Callable,
    first: *const *mut PyObject,
    /// With a bit that says whose the place before the first argument is.
    count: usize,
    names: *mut PyObject,
    py: Python<'py>,
}

impl<'a, 'py> Call<'a, 'py> {
    #[inline]
    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    #[inline]
    pub(crate) fn numbers(&self) -> Numbers {
        self.callable.numbers
    }

    pub(crate) fn name(&self) -> Borrowed<'a, 'py, PyAny> {
        // SAFETY: the callable keeps its name alive.
        unsafe { Borrowed::from_ptr(self.py, self.callable.name) }
    }

    /// Makes the call that the callable stands in the place of.
    #[inline]
    pub(crate) fn make(&self) -> Outcome<'py> {
        let original = self.callable.original;
        // SAFETY: attached; the arguments are passed on as they came, and the result is a new
        // reference, or null and an exception.
        let result =
            unsafe { ffi::PyObject_Vectorcall(original, self.first, self.count, self.names) };
        Outcome(result, PhantomData)
    }

    /// How many arguments there are without a name.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: masks a bit.
        unsafe { ffi::PyVectorcall_NARGS(self.count) as usize }
    }

    #[inline]
    pub(crate) fn has_names(&self) -> bool {
        !self.names.is_null()
    }

    /// One of those without a name.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<Borrowed<'a, 'py, PyAny>> {
        // SAFETY: that many are there, and alive during the call.
        (index < self.len()).then(|| unsafe { Borrowed::from_ptr(self.py, *self.first.add(index)) })
    }

    /// Those without a name.
    pub(crate) fn tuple(&self) -> PyResult<Bound<'py, PyTuple>> {
        let all = (0..self.len()).filter_map(|index| self.get(index));
        make::tuple_from(self.py, all.map(|item| item.to_owned()).collect())
    }

    /// Those with one.
    pub(crate) fn dict(&self) -> PyResult<Bound<'py, PyDict>> {
        let dict = make::dictionary(self.py)?;
        // SAFETY: null, or a tuple of strings that is alive during the call.
        let names = unsafe { Bound::from_borrowed_ptr_or_opt(self.py, self.names) };
        let names = names
            .map(|names| names.cast_into::<PyTuple>())
            .transpose()?;
        for (index, name) in names.iter().flatten().enumerate() {
            // SAFETY: for each name there is an argument behind those without one.
            let value = unsafe { Borrowed::from_ptr(self.py, *self.first.add(self.len() + index)) };
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }
}

/// What a call has come to: an object, or the exception that is set.
pub(crate) struct Outcome<'py>(*mut PyObject, PhantomData<Bound<'py, PyAny>>);

impl<'py> Outcome<'py> {
    /// The outcome of a function of ours.
    pub(crate) fn of(py: Python<'py>, call: impl FnOnce() -> PyResult<Bound<'py, PyAny>>) -> Self {
        Outcome(returned(py, call), PhantomData)
    }

    /// What was returned, None where there is an exception.
    #[inline]
    pub(crate) fn value(&self, py: Python<'py>) -> Option<Borrowed<'_, 'py, PyAny>> {
        // SAFETY: null, or a reference of ours.
        unsafe { Borrowed::from_ptr_or_opt(py, self.0) }
    }

    /// Whether there is an exception, of that class.
    #[inline]
    pub(crate) fn is_exception<E: PyTypeInfo>(&self, py: Python<'py>) -> bool {
        // SAFETY: attached; only looks at the exception that is set.
        self.0.is_null()
            && unsafe { ffi::PyErr_ExceptionMatches(E::type_object_raw(py).cast()) != 0 }
    }

    pub(crate) fn into_result(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: null where there is an exception, and else a reference, which is handed on.
        unsafe { Bound::from_owned_ptr_or_err(py, self.into_ptr()) }
    }

    #[inline]
    fn into_ptr(self) -> *mut PyObject {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Outcome<'_> {
    fn drop(&mut self) {
        // SAFETY: attached, as the lifetime says; null, or a reference of ours.
        unsafe { ffi::Py_XDECREF(self.0) };
    }
}

/// What the interpreter calls.
unsafe extern "C" fn called<C: Companion>(
    callable: *mut PyObject,
    first: *const *mut PyObject,
    count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    protect();
    // SAFETY: called attached, with an object of this layout, whose companion is of that class and kept
    // alive by it, and with arguments that are alive.
    let (call, companion) = unsafe {
        let (py, callable) = (Python::assume_attached(), &*callable.cast::<Callable>());
        let call = Call {
            callable,
            first,
            count,
            names,
            py,
        };
        (
            call,
            Borrowed::from_ptr(py, callable.companion).cast_unchecked::<C>(),
        )
    };
    companion.get().called(&call).into_ptr()
}

/// The type; made once, and for ever.
struct Type(*mut ffi::PyTypeObject);

// SAFETY: it is changed by the interpreter alone.
unsafe impl Send for Type {}
// SAFETY: as above.
unsafe impl Sync for Type {}

static TYPE: OnceLock<Type> = OnceLock::new();

fn callable_type(py: Python<'_>) -> PyResult<*mut ffi::PyTypeObject> {
    if let Some(made) = TYPE.get() {
        return Ok(made.0);
    }
    let member = |name: &'static std::ffi::CStr, kind, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: kind,
        offset: offset as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: std::ptr::null(),
    };
    // The interpreter keeps them.
    let members = Box::leak(Box::new([
        member(
            c"__vectorcalloffset__",
            ffi::Py_T_PYSSIZET,
            offset_of!(Callable, vectorcall),
        ),
        member(
            c"__wrapped__",
            ffi::Py_T_OBJECT_EX,
            offset_of!(Callable, original),
        ),
        ffi::PyMemberDef::default(),
    ]));
    let methods = Box::leak(Box::new([
        ffi::PyMethodDef {
            ml_name: c"__reduce__".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer {
                PyCFunction: reduce,
            },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: std::ptr::null(),
        },
        ffi::PyMethodDef::zeroed(),
    ]));
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_descr_get, bind as *mut c_void),
        slot(ffi::Py_tp_getattro, attribute as *mut c_void),
        slot(ffi::Py_tp_members, members.as_mut_ptr().cast()),
        slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        ffi::PyType_Slot::default(),
    ];
    let flags = ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_HAVE_VECTORCALL
        | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION
        | ffi::Py_TPFLAGS_IMMUTABLETYPE;
    let mut spec = ffi::PyType_Spec {
        name: c"oxisock._socket.WatchedCall".as_ptr(),
        basicsize: size_of::<Callable>() as c_int,
        itemsize: 0,
        flags: flags as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: attached; the slots fit their functions, and what they point to lives for ever. A new
    // reference, which is never given back, or an error.
    let made = unsafe {
        let made = ffi::PyType_FromSpec(&raw mut spec);
        Bound::from_owned_ptr_or_err(py, made)?.into_ptr().cast()
    };
    Ok(TYPE.get_or_init(|| Type(made)).0)
}

/// A callable in the place of `original`, whose calls the companion gets.
pub(crate) fn in_place_of<'py, C: Companion>(
    original: &Bound<'py, PyAny>,
    companion: Bound<'py, C>,
    name: &Bound<'py, PyString>,
    numbers: Numbers,
) -> PyResult<Bound<'py, PyAny>> {
    let py = original.py();
    let made = callable_type(py)?;
    // SAFETY: attached; the type is alive, and its objects have this layout. All fields are set
    // before anybody sees the object.
    unsafe {
        let object = Bound::from_owned_ptr_or_err(py, ffi::PyType_GenericAlloc(made, 0))?;
        let callable = object.as_ptr().cast::<Callable>();
        (&raw mut (*callable).vectorcall).write(called::<C>);
        (&raw mut (*callable).original).write(original.clone().into_ptr());
        (&raw mut (*callable).companion).write(companion.into_ptr());
        (&raw mut (*callable).name).write(name.clone().into_any().into_ptr());
        (&raw mut (*callable).numbers).write(numbers);
        Ok(object)
    }
}

/// What is behind a callable: what it stands in the place of, or it itself.
pub(crate) fn unwrapped<'py>(callable: Bound<'py, PyAny>) -> Bound<'py, PyAny> {
    let ours = TYPE.get();
    if ours.is_none_or(|made| made.0 != callable.get_type_ptr()) {
        return callable;
    }
    // SAFETY: attached, as the object says; it is of the type with this layout, and keeps that one alive.
    unsafe {
        let original = (*callable.as_ptr().cast::<Callable>()).original;
        Bound::from_borrowed_ptr(callable.py(), original)
    }
}

unsafe extern "C" fn dealloc(object: *mut PyObject) {
    // SAFETY: called attached, once, by the interpreter, with an object of this layout, which nobody
    // has any more. An object of a heap type has a reference to that.
    unsafe {
        let kind = ffi::Py_TYPE(object);
        let call = object.cast::<Callable>();
        ffi::Py_XDECREF((*call).original);
        ffi::Py_XDECREF((*call).companion);
        ffi::Py_XDECREF((*call).name);
        ffi::PyObject_Free(object.cast());
        ffi::Py_DECREF(kind.cast());
    }
}

/// Binds as a function does.
unsafe extern "C" fn bind(
    call: *mut PyObject,
    object: *mut PyObject,
    _: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: called attached, with objects that are alive, or null; returns a new reference.
    unsafe {
        if object.is_null() || object == ffi::Py_None() {
            ffi::Py_NewRef(call)
        } else {
            PyMethod_New(call, object)
        }
    }
}

/// Looks an attribute up: what says who it is comes from the original.
unsafe extern "C" fn attribute(call: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: called attached, with a string and an object of this layout that are alive; returns a
    // new reference, or null with an error set.
    unsafe {
        let original = (*call.cast::<Callable>()).original;
        for theirs in [c"__doc__", c"__module__"] {
            if ffi::PyUnicode_CompareWithASCIIString(name, theirs.as_ptr()) == 0 {
                return ffi::PyObject_GetAttr(original, name);
            }
        }
        let found = ffi::PyObject_GenericGetAttr(call, name);
        if found.is_null() && ffi::PyErr_ExceptionMatches(ffi::PyExc_AttributeError) != 0 {
            ffi::PyErr_Clear();
            return ffi::PyObject_GetAttr(original, name);
        }
        found
    }
}

/// Pickles as a function does, by its name.
unsafe extern "C" fn reduce(call: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: called attached, with an object of this layout; returns a new reference, or null with
    // an error set.
    unsafe {
        let original = (*call.cast::<Callable>()).original;
        ffi::PyObject_GetAttrString(original, c"__qualname__".as_ptr())
    }
}
