//! A call that is watched and has ended: what it has come to.

use std::cell::Cell;
use std::time::Instant;

use pyo3::exceptions::PyBlockingIOError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyInt, PyString, PyTuple};

use super::Watch;
use super::site::{self, Place};
use super::table::{Called, Key, Label, Table};
use super::waits::Nanoseconds;
use crate::python::args;
use crate::python::callable::{Call, Outcome};
use crate::python::method::discard;
use crate::python::text;

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

/// A call that has ended.
pub(super) struct Ended<'a, 'py> {
    pub(super) call: &'a Call<'a, 'py>,
    pub(super) took: u64,
    pub(super) waited: Nanoseconds,
}

impl<'py> Ended<'_, 'py> {
    /// Counts a call of which all is known; false where somebody has to be asked. Runs no Python code, and
    /// leaves the exception alone.
    #[inline]
    pub(super) fn count(&self, watch: &Watch, outcome: &Outcome<'py>) -> bool {
        let py = self.call.py();
        let (number, table) = THREAD.with(|thread| (thread.number.get(), thread.table.get()));
        if table != watch.number() || self.has(ASKS) {
            return false;
        }
        let value = outcome.value(py);
        let value = value.as_deref();
        if value.is_none() && !outcome.is_exception::<PyBlockingIOError>(py) {
            return false;
        }
        let (Some(bytes), Some(place)) = (self.bytes(value), Place::innermost(py)) else {
            return false;
        };
        let mut table = watch.table();
        let label = match self.label(&table) {
            Label::Fixed(label) => label,
            Label::ByAddress(otherwise) if value.is_some() => {
                drop(table);
                let Some(label) = self.of_address(watch, value, otherwise) else {
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
            method: self.call.numbers().method,
            site,
            label,
        };
        table.counted += 1;
        table.count(key, &self.with(bytes));
        true
    }

    /// Whether the method has one of the traits above.
    #[inline]
    fn has(&self, traits: u32) -> bool {
        self.call.numbers().traits & traits != 0
    }

    fn label(&self, table: &Table) -> Label {
        if self.has(NO_PEER) {
            return Label::Fixed(0);
        }
        match self.call.get(0) {
            Some(subject) => table.label_of(&subject),
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
    fn bytes(&self, value: Option<&Bound<'py, PyAny>>) -> Option<u64> {
        match value {
            None => Some(0),
            Some(_) if self.has(NO_BYTES) => Some(0),
            Some(value) if self.has(SENDS_ALL) && value.is_none() => {
                let data = self.call.get(1)?;
                length(&data)
            }
            Some(value) => size(value),
        }
    }

    /// Does the rest: asks the Python half for what is new, or tells the sink.
    #[cold]
    pub(super) fn ask(&self, watch: &Watch, outcome: Outcome<'py>) -> PyResult<Bound<'py, PyAny>> {
        let began = Instant::now();
        let py = self.call.py();
        let result = outcome.into_result(py);
        let site = site::find(py, watch)?;
        let watcher = watch.watcher.bind(py);
        let name = self.call.name();
        let arguments = self.call.tuple()?;
        let value = result.as_ref().ok();
        if let Some(sink) = &watch.sink {
            let place = watch.table().site_object(py, site);
            let told = (
                name,
                place,
                arguments,
                self.call.dict()?,
                value,
                result.as_ref().err().map(|error| error.value(py)),
                self.took,
                self.waited.0,
                self.waited.1,
            );
            sink.bind(py).call1(told)?;
            return result;
        }
        let known = self.label(&watch.table());
        let label = match known {
            Label::Fixed(label) if !self.has(ASKS) => label,
            _ => {
                let told = (name, arguments.clone(), value);
                let label = watcher.call_method1(intern!(py, "label"), told)?;
                let label = watch.table().label(&label.extract::<String>()?);
                if matches!(known, Label::ByAddress(_))
                    && let Some(address) = self.address(value)
                {
                    watch.remember(&address, label)?;
                }
                label
            }
        };
        let bytes = match (self.bytes(value), value) {
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
            method: self.call.numbers().method,
            site,
            label,
        };
        let mut table = watch.table();
        table.count(key, &called);
        table.asking += began.elapsed().as_nanos() as u64;
        drop(table);
        result
    }

    /// The address that this call took or gave.
    fn address(&self, value: Option<&Bound<'py, PyAny>>) -> Option<Bound<'py, PyAny>> {
        if self.has(TAKES_ADDRESS) && !self.call.has_names() {
            let last = self.call.len().checked_sub(1)?;
            return self.call.get(last).map(Borrowed::to_owned);
        }
        if !self.has(GIVES_ADDRESS) {
            return None;
        }
        let parts = value?.cast_exact::<PyTuple>().ok()?;
        let last = parts.len().checked_sub(1).filter(|last| *last > 0)?;
        let address = parts.get_item(last).ok()?;
        // Of one without a name there is nothing to tell.
        let is_named = address.is_truthy();
        or_discard(self.call.py(), is_named)?.then_some(address)
    }

    /// The label of a call on a socket without a peer, if it is known.
    fn of_address(
        &self,
        watch: &Watch,
        value: Option<&Bound<'py, PyAny>>,
        otherwise: u32,
    ) -> Option<u32> {
        let Some(address) = self.address(value) else {
            return Some(otherwise);
        };
        let py = self.call.py();
        // An address that cannot be hashed is an error that nobody needs.
        let known = or_discard(py, watch.addresses.bind(py).get_item(address))??;
        or_discard(py, known.extract())
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
fn size(result: &Bound<'_, PyAny>) -> Option<u64> {
    if result.is_none() {
        return Some(0);
    }
    if let Ok(number) = result.cast_exact::<PyInt>() {
        let number = or_discard(result.py(), args::long_long(number))?;
        return Some(number.map_or(0, |number| u64::try_from(number).unwrap_or(0)));
    }
    if let Ok(parts) = result.cast_exact::<PyTuple>()
        && let Some(first) = parts.iter_borrowed().next()
    {
        // What holds itself has no size.
        return match first.is_exact_instance_of::<PyTuple>() {
            true => None,
            false => size(&first),
        };
    }
    match result.cast_exact::<PyString>() {
        Ok(string) => Some(text::length(string) as u64),
        Err(_) => length(result),
    }
}

/// The length of an object that owns its bytes.
fn length(object: &Bound<'_, PyAny>) -> Option<u64> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Some(bytes.as_bytes().len() as u64);
    }
    let array = object.cast::<PyByteArray>().ok()?;
    Some(array.len() as u64)
}

/// The value, unless it is an error that nobody needs.
fn or_discard<T>(py: Python<'_>, result: PyResult<T>) -> Option<T> {
    result.map_err(|error| discard(py, error)).ok()
}
