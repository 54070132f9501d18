//! The callable in the place of a function or method that is watched.
//!
//! It is an object of a type of its own, which PyO3 cannot make: the interpreter calls it by
//! vectorcall, without a tuple of arguments, and calls it as a method without binding it first.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Instant;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Watch;
use super::ended::{Arguments, Ended, THREAD};
use crate::python::method::{generally, returned};
use crate::python::thread::protect;

unsafe extern "C" {
    fn PyMethod_New(function: *mut PyObject, object: *mut PyObject) -> *mut PyObject;
}

#[repr(C)]
pub(super) struct Call {
    head: PyObject,
    vectorcall: ffi::vectorcallfunc,
    /// What is called; owned, as the two below.
    original: *mut PyObject,
    watch: *mut PyObject,
    pub(super) name: *mut PyObject,
    pub(super) method: u32,
    pub(super) traits: u32,
}

/// The type; made once, and for ever.
struct Type(*mut ffi::PyTypeObject);

// SAFETY: it is changed by the interpreter alone.
unsafe impl Send for Type {}
// SAFETY: as above.
unsafe impl Sync for Type {}

static TYPE: OnceLock<Type> = OnceLock::new();

fn call_type(py: Python<'_>) -> PyResult<*mut ffi::PyTypeObject> {
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
            offset_of!(Call, vectorcall),
        ),
        member(
            c"__wrapped__",
            ffi::Py_T_OBJECT_EX,
            offset_of!(Call, original),
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
        basicsize: size_of::<Call>() as c_int,
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

pub(super) fn wrap<'py>(
    watch: &Bound<'py, Watch>,
    method: u32,
    name: &Bound<'py, PyString>,
    original: &Bound<'py, PyAny>,
    traits: u32,
) -> PyResult<Bound<'py, PyAny>> {
    let py = watch.py();
    let made = call_type(py)?;
    // SAFETY: attached; the type is alive, and its objects have this layout. All fields are set
    // before anybody sees the object.
    unsafe {
        let object = Bound::from_owned_ptr_or_err(py, ffi::PyType_GenericAlloc(made, 0))?;
        let call = object.as_ptr().cast::<Call>();
        (&raw mut (*call).vectorcall).write(called);
        (&raw mut (*call).original).write(original.clone().into_ptr());
        (&raw mut (*call).watch).write(watch.clone().into_any().into_ptr());
        (&raw mut (*call).name).write(name.clone().into_any().into_ptr());
        (&raw mut (*call).method).write(method);
        (&raw mut (*call).traits).write(traits);
        Ok(object)
    }
}

/// What is behind a callable: the function or method that is watched, or it itself.
pub(crate) fn unwatched<'py>(callable: Bound<'py, PyAny>) -> Bound<'py, PyAny> {
    let watched = TYPE.get();
    if watched.is_none_or(|made| made.0 != callable.get_type_ptr()) {
        return callable;
    }
    // SAFETY: attached, as the object says; it is of the type with this layout, and keeps that one alive.
    unsafe {
        let original = (*callable.as_ptr().cast::<Call>()).original;
        Bound::from_borrowed_ptr(callable.py(), original)
    }
}

unsafe extern "C" fn dealloc(object: *mut PyObject) {
    // SAFETY: called attached, once, by the interpreter, with an object of this layout, which nobody
    // has any more. An object of a heap type has a reference to that.
    unsafe {
        let kind = ffi::Py_TYPE(object);
        let call = object.cast::<Call>();
        ffi::Py_XDECREF((*call).original);
        ffi::Py_XDECREF((*call).watch);
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

/// Looks an attribute up: what says who it is comes from what is watched.
unsafe extern "C" fn attribute(call: *mut PyObject, name: *mut PyObject) -> *mut PyObject {
    // SAFETY: called attached, with a string and an object of this layout that are alive; returns a
    // new reference, or null with an error set.
    unsafe {
        let original = (*call.cast::<Call>()).original;
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
        let original = (*call.cast::<Call>()).original;
        ffi::PyObject_GetAttrString(original, c"__qualname__".as_ptr())
    }
}

/// Calls what is watched, and tells of it.
unsafe extern "C" fn called(
    callable: *mut PyObject,
    first: *const *mut PyObject,
    count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    protect();
    // SAFETY: called attached, with an object of this layout, and arguments that are alive.
    let (py, call) = unsafe { (Python::assume_attached(), &*callable.cast::<Call>()) };
    // SAFETY: as above; the arguments are passed on as they came.
    let make = || unsafe { ffi::PyObject_Vectorcall(call.original, first, count, names) };
    if THREAD.with(|thread| thread.busy.replace(true)) {
        return make();
    }
    // SAFETY: the object is a `Watch`, and the call keeps it alive.
    let watch = unsafe {
        Borrowed::from_ptr(py, call.watch)
            .cast_unchecked::<Watch>()
            .get()
    };
    let before = watch.waits.so_far(true);
    let began = Instant::now();
    let result = make();
    let took = began.elapsed().as_nanos() as u64;
    let after = watch.waits.so_far(false);
    let ended = Ended {
        call,
        arguments: Arguments {
            first,
            // SAFETY: masks a bit.
            count: unsafe { ffi::PyVectorcall_NARGS(count) } as usize,
            names,
        },
        result,
        took,
        waited: (
            after.0.wrapping_sub(before.0),
            after.1.wrapping_sub(before.1),
        ),
    };
    let is_counted = watch.sink.is_none()
        && catch_unwind(AssertUnwindSafe(|| ended.count(py, watch))).unwrap_or(false);
    let result = if is_counted {
        result
    } else {
        returned(py, || generally(py, |py| ended.ask(py, watch)))
    };
    THREAD.with(|thread| thread.busy.set(false));
    result
}
