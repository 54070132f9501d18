//! A call that is watched and has ended: what it has come to.

use std::cell::Cell;
use std::time::Instant;

use pyo3::ffi::{self, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::Watch;
use super::site::{self, Place};
use super::table::{Called, Key, Label, Table};
use super::waits::Nanoseconds;
use crate::python::callable::Callable;

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

/// What a thread has under way.
pub(super) struct Thread {
    /// Whether it is in a call that is watched. The calls that this one makes are part of it.
    pub(super) busy: Cell<bool>,
    /// Its number, and the table that has given it.
    number: Cell<u32>,
    table: Cell<u64>,
}

thread_local! {
    pub(super) static THREAD: Thread = const {
        Thread { busy: Cell::new(false), number: Cell::new(0), table: Cell::new(0) }
    };
}

/// Arguments as the interpreter passes them.
#[derive(Clone, Copy)]
pub(super) struct Arguments {
    pub(super) first: *const *mut PyObject,
    pub(super) count: usize,
    pub(super) names: *mut PyObject,
}

impl Arguments {
    #[inline]
    fn get(&self, index: usize) -> Option<*mut PyObject> {
        // SAFETY: that many are there.
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
pub(super) struct Ended<'a> {
    pub(super) call: &'a Callable,
    pub(super) arguments: Arguments,
    /// Null where there is an exception.
    pub(super) result: *mut PyObject,
    pub(super) took: u64,
    pub(super) waited: Nanoseconds,
}

impl Ended<'_> {
    /// Counts a call of which all is known; false where somebody has to be asked. Runs no Python code, and
    /// leaves the exception alone.
    #[inline]
    pub(super) fn count(&self, py: Python<'_>, watch: &Watch) -> bool {
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

    fn label(&self, table: &Table) -> Label {
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
    pub(super) fn ask(&self, py: Python<'_>, watch: &Watch) -> PyResult<Py<PyAny>> {
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
