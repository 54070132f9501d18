//! The callable in the place of a function or method that is watched.
//!
//! It is an object of a type of its own, which PyO3 cannot make: the interpreter calls it by
//! vectorcall, without a tuple of arguments, and calls it as a method without binding it first.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Instant;

use pyo3::ffi::{self, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::Watch;
use super::site::{self, Place};
use super::table::{Called, Key, Label};
use super::waits::Nanoseconds;
use crate::python::method::{generally, returned};
use crate::python::thread::protect;

// What `_watch` says of a method.
/// It moves no data.
const NO_BYTES: u32 = 1;
/// It has no peer.
const NO_PEER: u32 = 2;
/// It sends all of its argument.
const SENDS_ALL: u32 = 4;
/// Its last argument is an address.
const TAKES_ADDRESS: u32 = 8;
/// The second part of what it returns is an address.
const GIVES_ADDRESS: u32 = 16;
/// Each call has the Python half asked for the label.
const ASKS: u32 = 32;

unsafe extern "C" {
    fn PyMethod_New(function: *mut PyObject, object: *mut PyObject) -> *mut PyObject;
}

#[repr(C)]
struct Call {
    head: PyObject,
    vectorcall: ffi::vectorcallfunc,
    /// What is called; owned, as the two below.
    original: *mut PyObject,
    watch: *mut PyObject,
    name: *mut PyObject,
    method: u32,
    traits: u32,
}

/// What a thread has under way.
struct Thread {
    /// Whether it is in a call that is watched. The calls that this one makes are part of it.
    busy: Cell<bool>,
    /// Its number, and the table that has given it.
    number: Cell<u32>,
    table: Cell<u64>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread { busy: Cell::new(false), number: Cell::new(0), table: Cell::new(0) }
    };
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

/// Arguments as the interpreter passes them.
#[derive(Clone, Copy)]
struct Arguments {
    first: *const *mut PyObject,
    count: usize,
    names: *mut PyObject,
}

impl Arguments {
    #[inline]
    fn get(&self, index: usize) -> Option<*mut PyObject> {
        // SAFETY: so many are there.
        (index < self.count).then(|| unsafe { *self.first.add(index) })
    }

    fn tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let all = (0..self.count).filter_map(|index| self.get(index));
        // SAFETY: the arguments are alive during the call.
        let all = all.map(|object| unsafe { Bound::from_borrowed_ptr(py, object) });
        PyTuple::new(py, all.collect::<Vec<_>>())
    }

    fn dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        // SAFETY: null, or a tuple of strings that is alive during the call.
        let names = unsafe { Bound::from_borrowed_ptr_or_opt(py, self.names) };
        let names = names
            .map(|names| names.cast_into::<PyTuple>())
            .transpose()?;
        for (index, name) in names.iter().flatten().enumerate() {
            // SAFETY: for each name there is an argument behind those without one.
            let value =
                unsafe { Bound::from_borrowed_ptr(py, *self.first.add(self.count + index)) };
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }
}

/// A call that has ended.
struct Ended<'a> {
    call: &'a Call,
    arguments: Arguments,
    /// Null where there is an exception.
    result: *mut PyObject,
    took: u64,
    waited: Nanoseconds,
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

impl Ended<'_> {
    /// Counts a call of which all is known; false where somebody has to be asked. Runs no Python code, and
    /// leaves the exception alone.
    #[inline]
    fn count(&self, py: Python<'_>, watch: &Watch) -> bool {
        let (number, table) = THREAD.with(|thread| (thread.number.get(), thread.table.get()));
        if table != watch.number() || self.call.traits & ASKS != 0 {
            return false;
        }
        let failed = self.result.is_null();
        // SAFETY: attached; only looks at the exception that is set.
        let is_usual = || unsafe { ffi::PyErr_ExceptionMatches(ffi::PyExc_BlockingIOError) != 0 };
        if failed && !is_usual() {
            return false;
        }
        let (Some(bytes), Some(place)) = (self.bytes(), Place::innermost(py)) else {
            return false;
        };
        let mut table = watch.table();
        let label = match self.label(&table) {
            Label::Fixed(label) => label,
            Label::ByAddress(otherwise) if !failed => {
                drop(table);
                let Some(label) = self.of_address(watch, otherwise) else {
                    return false;
                };
                table = watch.table();
                label
            }
            Label::ByAddress(otherwise) => otherwise,
            Label::Unknown => return false,
        };
        let Some(site) = table.own(place) else {
            return false;
        };
        let key = Key {
            thread: number,
            method: self.call.method,
            site,
            label,
        };
        table.counted += 1;
        table.count(key, &self.with(bytes));
        true
    }

    fn label(&self, table: &super::Table) -> Label {
        if self.call.traits & NO_PEER != 0 {
            return Label::Fixed(0);
        }
        match self.arguments.get(0) {
            // SAFETY: an argument, which is alive.
            Some(subject) => unsafe {
                table.label_of(subject as usize, ffi::Py_TYPE(subject) as usize)
            },
            None => Label::Unknown,
        }
    }

    fn with(&self, bytes: u64) -> Called {
        Called {
            bytes,
            took: self.took,
            network: self.waited.0,
            lock: self.waited.1,
            timeouts: 0,
            errors: 0,
        }
    }

    /// How many bytes have moved, where that is easily told.
    #[inline]
    fn bytes(&self) -> Option<u64> {
        if self.result.is_null() || self.call.traits & NO_BYTES != 0 {
            return Some(0);
        }
        // SAFETY: attached; the result is alive, and each function is called for its type.
        unsafe {
            let sends_all = self.call.traits & SENDS_ALL != 0;
            if sends_all && self.result == ffi::Py_None() {
                length(self.arguments.get(1)?)
            } else {
                size(self.result)
            }
        }
    }

    /// Does the rest: asks the Python half for what is new, or tells the sink.
    #[cold]
    fn ask(&self, py: Python<'_>, watch: &Watch) -> PyResult<Py<PyAny>> {
        let began = Instant::now();
        // SAFETY: attached; null where there is an exception, and else a reference of ours.
        let result = unsafe { Bound::from_owned_ptr_or_err(py, self.result) };
        let site = site::find(py, watch)?;
        let watcher = watch.watcher.bind(py);
        // SAFETY: the call keeps its name alive.
        let name = unsafe { Bound::from_borrowed_ptr(py, self.call.name) };
        let arguments = self.arguments.tuple(py)?;
        let value = result.as_ref().ok();
        if let Some(sink) = &watch.sink {
            let place = watch.table().site_object(py, site);
            let told = (
                name,
                place,
                arguments,
                self.arguments.dict(py)?,
                value,
                result.as_ref().err().map(|error| error.value(py)),
                self.took,
                self.waited.0,
                self.waited.1,
            );
            sink.bind(py).call1(told)?;
            return result.map(Bound::unbind);
        }
        let known = self.label(&watch.table());
        let label = match known {
            Label::Fixed(label) if self.call.traits & ASKS == 0 => label,
            _ => {
                let told = (name.clone(), arguments.clone(), value);
                let label = watcher.call_method1(intern!(py, "label"), told)?;
                let label = watch.table().label(&label.extract::<String>()?);
                if matches!(known, Label::ByAddress(_))
                    && let Some(address) = self.address()
                {
                    // SAFETY: an argument, or part of the result: alive.
                    let address = unsafe { Bound::from_borrowed_ptr(py, address) };
                    watch.remember(&address, label)?;
                }
                label
            }
        };
        let bytes = match (self.bytes(), value) {
            (Some(bytes), _) => bytes,
            (None, value) => {
                let told = (name, arguments, value);
                let size = watcher.call_method1(intern!(py, "size"), told)?;
                size.extract()?
            }
        };
        let mut called = self.with(bytes);
        if let Err(error) = &result {
            let failed = watcher.call_method1(intern!(py, "failed"), (error.value(py),))?;
            (called.timeouts, called.errors) = failed.extract()?;
        }
        let thread = self.thread(watch, watcher)?;
        let key = Key {
            thread,
            method: self.call.method,
            site,
            label,
        };
        let mut table = watch.table();
        table.count(key, &called);
        table.asking += began.elapsed().as_nanos() as u64;
        drop(table);
        result.map(Bound::unbind)
    }

    /// The address that this call took or gave.
    fn address(&self) -> Option<*mut PyObject> {
        let traits = self.call.traits;
        if traits & TAKES_ADDRESS != 0 && self.arguments.names.is_null() {
            return self.arguments.get(self.arguments.count.checked_sub(1)?);
        }
        if traits & GIVES_ADDRESS == 0 || self.result.is_null() {
            return None;
        }
        // SAFETY: attached; the result is alive, and its last item is there.
        unsafe {
            let is_tuple = ffi::PyTuple_CheckExact(self.result) != 0;
            let count = if is_tuple {
                ffi::PyTuple_GET_SIZE(self.result)
            } else {
                0
            };
            let address = (count > 1).then(|| ffi::PyTuple_GET_ITEM(self.result, count - 1));
            // Of one without a name there is nothing to tell.
            address.filter(|address| ffi::PyObject_IsTrue(*address) == 1)
        }
    }

    /// The label of a call on a socket without a peer, if it is known.
    fn of_address(&self, watch: &Watch, otherwise: u32) -> Option<u32> {
        let Some(address) = self.address() else {
            return Some(otherwise);
        };
        // SAFETY: attached; both objects are alive, and what is found is borrowed from the dict. An
        // address that cannot be hashed is an error that nobody needs.
        unsafe {
            let found = ffi::PyDict_GetItemWithError(watch.addresses.as_ptr(), address);
            if found.is_null() {
                ffi::PyErr_Clear();
                return None;
            }
            let number = ffi::PyLong_AsLong(found);
            u32::try_from(number).ok()
        }
    }

    /// This thread's number, of which the table is told with the first call.
    fn thread(&self, watch: &Watch, watcher: &Bound<'_, PyAny>) -> PyResult<u32> {
        let number = THREAD.with(|thread| {
            let is_known = thread.table.get() == watch.number();
            is_known.then(|| thread.number.get())
        });
        if let Some(number) = number {
            return Ok(number);
        }
        let name = watcher.call_method0(intern!(watcher.py(), "thread"))?;
        let number = watch.table().thread(name.extract()?);
        THREAD.with(|thread| {
            thread.number.set(number);
            thread.table.set(watch.number());
        });
        Ok(number)
    }
}

/// How many bytes a result stands for: that many, itself, or what its first part does.
///
/// # Safety
/// Attached; the object is alive.
unsafe fn size(result: *mut PyObject) -> Option<u64> {
    // SAFETY: the caller's promise, and each function is called for its type.
    unsafe {
        if result == ffi::Py_None() {
            return Some(0);
        }
        if ffi::PyLong_CheckExact(result) != 0 {
            let mut overflow = 0;
            let number = ffi::PyLong_AsLongLongAndOverflow(result, &raw mut overflow);
            return Some(u64::try_from(number).unwrap_or(0));
        }
        if ffi::PyTuple_CheckExact(result) != 0 && ffi::PyTuple_GET_SIZE(result) > 0 {
            let first = ffi::PyTuple_GET_ITEM(result, 0);
            // What holds itself has no size.
            return (ffi::PyTuple_CheckExact(first) == 0).then(|| size(first))?;
        }
        if ffi::PyUnicode_CheckExact(result) != 0 {
            return Some(ffi::PyUnicode_GetLength(result) as u64);
        }
        length(result)
    }
}

/// The length of an object that owns its bytes.
///
/// # Safety
/// Attached; the object is alive.
unsafe fn length(object: *mut PyObject) -> Option<u64> {
    // SAFETY: the caller's promise, and each function is called for its type.
    unsafe {
        if ffi::PyBytes_Check(object) != 0 {
            Some(ffi::PyBytes_Size(object) as u64)
        } else if ffi::PyByteArray_Check(object) != 0 {
            Some(ffi::PyByteArray_Size(object) as u64)
        } else {
            None
        }
    }
}
