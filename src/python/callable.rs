//! Callables that stand in the place of a function or method of somebody else's.
//!
//! They are objects of a type of their own, which PyO3 cannot make: the interpreter calls them by
//! vectorcall, without a tuple of arguments, and calls them as methods without binding them first.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::sync::OnceLock;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyString;

unsafe extern "C" {
    fn PyMethod_New(function: *mut PyObject, object: *mut PyObject) -> *mut PyObject;
}

/// What such an object holds; `original` is called, `companion` belongs to whoever made it.
#[repr(C)]
pub(crate) struct Callable {
    head: PyObject,
    vectorcall: ffi::vectorcallfunc,
    /// Owned, as the two below.
    pub(crate) original: *mut PyObject,
    pub(crate) companion: *mut PyObject,
    pub(crate) name: *mut PyObject,
    pub(crate) method: u32,
    pub(crate) traits: u32,
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

/// A callable in the place of `original`; the interpreter calls `entry`.
///
/// # Safety
/// `entry` may rely on nothing but that it gets an object of the layout of [`Callable`], made here
/// with this companion.
pub(crate) unsafe fn in_place_of<'py>(
    original: &Bound<'py, PyAny>,
    entry: ffi::vectorcallfunc,
    companion: Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    (method, traits): (u32, u32),
) -> PyResult<Bound<'py, PyAny>> {
    let py = original.py();
    let made = callable_type(py)?;
    // SAFETY: attached; the type is alive, and its objects have this layout. All fields are set
    // before anybody sees the object.
    unsafe {
        let object = Bound::from_owned_ptr_or_err(py, ffi::PyType_GenericAlloc(made, 0))?;
        let callable = object.as_ptr().cast::<Callable>();
        (&raw mut (*callable).vectorcall).write(entry);
        (&raw mut (*callable).original).write(original.clone().into_ptr());
        (&raw mut (*callable).companion).write(companion.into_ptr());
        (&raw mut (*callable).name).write(name.clone().into_any().into_ptr());
        (&raw mut (*callable).method).write(method);
        (&raw mut (*callable).traits).write(traits);
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
