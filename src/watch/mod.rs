//! Watches the socket calls of a program, for `oxisock report` and `oxisock trace`.
//!
//! What a program calls is replaced by a [callable](crate::python::callable), which makes the call and tells of it: a
//! [`table::Table`] adds it up, or a function in Python gets it. Where nothing is watched nothing
//! of this runs: the engine knows nothing of it.
//!
//! A call that is watched costs a fraction of the cheapest system call, so that what is seen is the
//! program. Hence the usual way has numbers only: where the call was made is a code object and
//! the place in it, whom it was made on a pointer that is known already. What is new is asked of the
//! Python half, `_watch.Watcher`.

mod call;
mod ended;
#[cfg(linux)]
mod sampler;
mod site;
mod table;
mod waits;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyWeakrefReference};

use crate::python::callable::{Numbers, in_place_of};
use crate::python::make::Made;
use crate::python::plain::Plain;
#[cfg(linux)]
pub(crate) use sampler::LockSampler;
use table::{Label, Table};
use waits::Waits;

/// Wrap what a program calls, and add up or tell what comes of it.
///
/// Args:
///     watcher: the Python half, asked for what is new: its methods ``kind``, ``thread``, ``label``, ``failed``
///         and ``size``, and its class ``Site``.
///     standard: whether the standard library is watched, whose waits a sampler tells.
///     sink: a function that is told of each call, or ``None`` to add them up.
#[pyclass(frozen, module = "oxisock._socket")]
pub(crate) struct Watch {
    watcher: Py<PyAny>,
    sink: Option<Py<PyAny>>,
    waits: Waits,
    table: Mutex<Table>,
    /// Which table it is: threads keep the number that it gave them.
    number: AtomicU64,
    /// The labels of addresses, by number.
    addresses: Py<PyDict>,
}

/// So many addresses are remembered.
const MOST_ADDRESSES: usize = 1000;

/// A number for each table of this process, from 1.
fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Relaxed) + 1
}

#[pymethods]
impl Watch {
    #[new]
    #[pyo3(signature = (watcher, standard, sink=None))]
    fn new(
        py: Python<'_>,
        watcher: Py<PyAny>,
        standard: Plain<bool>,
        sink: Option<Py<PyAny>>,
    ) -> Self {
        Watch {
            watcher,
            sink,
            waits: Waits::new(standard.0),
            table: Mutex::new(Table::new()),
            number: AtomicU64::new(next_number()),
            addresses: PyDict::new(py).unbind(),
        }
    }

    /// Make a callable that makes the call and tells of it.
    ///
    /// Args:
    ///     name: what it is called in what is told.
    ///     call: the function or method.
    ///     traits: the sum of what the constants of ``_watch`` say of it.
    ///
    /// Returns:
    ///     A callable that is bound to objects as a function is.
    fn wrap<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyString>,
        call: &Bound<'py, PyAny>,
        traits: Plain<u32>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let number = slf.get().table().method(&name.to_cow()?);
        let numbers = Numbers {
            method: number,
            traits: traits.0,
        };
        in_place_of(call, slf.clone(), name, numbers)
    }

    /// Note where a socket is made: an audit hook, ``sys.addaudithook``.
    fn audit(&self, event: &Bound<'_, PyAny>, arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
        let py = event.py();
        if !event.eq(intern!(py, "socket.__new__"))? {
            return Ok(());
        }
        let began = Instant::now();
        let sock = arguments.get_item(0)?;
        let site = self.site(py)?;
        let weak = PyWeakrefReference::new(&sock)?.into_any();
        let mut table = self.table();
        let before = table.made(&sock, site, weak.unbind());
        table.asking += began.elapsed().as_nanos() as u64;
        drop(table);
        drop(before);
        Ok(())
    }

    /// Have all further calls on an object counted under a label.
    ///
    /// Args:
    ///     subject: a socket or a file.
    ///     label: the label.
    ///     by_address: whether calls that take or give an address have a label of their own.
    ///     weak: a weak reference that calls ``forget``, for what the audit hook has not seen.
    ///
    /// Returns:
    ///     False where a weak reference is needed and was not given.
    #[pyo3(signature = (subject, label, by_address, weak=None))]
    fn keep(
        &self,
        subject: &Bound<'_, PyAny>,
        label: Plain<&str>,
        by_address: Plain<bool>,
        weak: Option<Py<PyAny>>,
    ) -> bool {
        let mut table = self.table();
        let label = table.label(label.0);
        let label = if by_address.0 {
            Label::ByAddress(label)
        } else {
            Label::Fixed(label)
        };
        table.keep(subject, label, weak)
    }

    /// Forget an object that was kept with a weak reference.
    fn forget(&self, subject: Plain<usize>) {
        let before = self.table().forget(subject.0);
        drop(before);
    }

    /// Return the sockets that were made since it began: weak references, and the sites.
    fn sockets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let sockets = self.table().sockets(py);
        PyList::new(py, sockets)
    }

    /// Return where a socket was made, or None where that was not seen.
    fn made_at(&self, sock: &Bound<'_, PyAny>) -> Option<Py<PyAny>> {
        let table = self.table();
        let made = table.made_at(sock)?;
        table.site_object(sock.py(), made)
    }

    /// Return the place in the program that is the one of a call from here.
    fn here(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let site = self.site(py)?;
        Ok(self.table().site_object(py, site))
    }

    /// Return what the calls come to.
    ///
    /// Returns:
    ///     A list of tuples of the thread's number, the method, the site or None, the label, and a list of counters.
    fn entries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let entries = self.table().entries(py);
        PyList::new(py, entries)
    }

    /// Return the names of the threads that were seen, by number.
    fn threads(&self) -> Vec<String> {
        self.table().threads.clone()
    }

    /// Return what it cost: how many calls were counted without asking, and the nanoseconds of all else.
    fn cost(&self) -> Made<(u64, u64)> {
        let table = self.table();
        Made((table.counted, table.asking))
    }

    /// Begin anew, as in a forked process.
    fn begin(&self, py: Python<'_>) {
        let before = {
            let mut table = self.table();
            let new = table.anew();
            std::mem::replace(&mut *table, new)
        };
        self.number.store(next_number(), Relaxed);
        self.addresses.bind(py).clear();
        drop(before);
    }

    /// Have the waits of the standard library told by a sampler.
    #[cfg(linux)]
    fn sample(&self, sampler: &Bound<'_, LockSampler>) {
        self.waits.sample(sampler.get());
    }
}

impl Watch {
    /// Never held across what may run Python code.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn number(&self) -> u64 {
        self.number.load(Relaxed)
    }

    /// Notes the label of an address.
    fn remember(&self, address: &Bound<'_, PyAny>, label: u32) -> PyResult<()> {
        let addresses = self.addresses.bind(address.py());
        if addresses.len() < MOST_ADDRESSES && address.hash().is_ok() {
            addresses.set_item(address, label)?;
        }
        Ok(())
    }

    /// The number of the place in the program.
    fn site(&self, py: Python<'_>) -> PyResult<u32> {
        site::find(py, self)
    }
}
