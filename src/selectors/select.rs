//! select(2).

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::nanoseconds;
use crate::engine;
use crate::python::args::{self, Descriptor};
use crate::python::error::exception;
use crate::python::make;
use crate::sys::RawFd;
use crate::sys::readiness::{self, SelectSet};
use crate::sys::timeout::SECOND;

/// Wait until descriptors are ready; select(2).
///
/// What is ready is reported with the interpreter lock kept, and after a wait the lock is back
/// at once, although another thread computes.
///
/// Args:
///     rlist: those to wait for until they can be read: descriptors' numbers, or objects with a
///         method ``fileno``, below 1024.
///     wlist: those to wait for until they can be written to.
///     xlist: those to wait for until they have an exceptional condition.
///     timeout: seconds; None for no limit.
///
/// Returns:
///     A tuple of three lists, with the objects of each argument that are ready.
///
/// Raises:
///     OSError: a number is no open descriptor.
///     OverflowError: the timeout is too large.
///     TypeError: an argument is no sequence, or none of descriptors; the timeout is no number.
///     ValueError: the timeout is negative; a descriptor is out of range, or there are too many.
#[pyfunction]
#[pyo3(signature = (rlist, wlist, xlist, timeout = None, /))]
pub(crate) fn select<'py>(
    py: Python<'py>,
    rlist: &Bound<'py, PyAny>,
    wlist: &Bound<'py, PyAny>,
    xlist: &Bound<'py, PyAny>,
    timeout: Option<&Bound<'py, PyAny>>,
) -> PyResult<Lists<'py>> {
    let limit = match nanoseconds(timeout, SECOND, "timeout must be a float or None")? {
        Some(nanoseconds) => Some(Duration::from_nanos(
            u64::try_from(nanoseconds)
                .map_err(|_| exception::<PyValueError>("timeout must be non-negative"))?,
        )),
        None => None,
    };
    let wanted = [members(rlist)?, members(wlist)?, members(xlist)?];
    let sets = wanted.each_ref().map(|(set, _)| *set);
    let numbers = wanted.iter().flat_map(|(_, members)| members);
    let below = numbers.map(|(fd, _)| fd + 1).max().unwrap_or(0);
    let found = engine::select(py, limit, |_, timeout| {
        Ok(readiness::select(&sets, below, timeout)?)
    })?;
    let found = found.unwrap_or_default();
    let [read, write, except] = [0, 1, 2].map(|index| {
        let ready = wanted[index].1.iter();
        let ready = ready.filter(|(fd, _)| found[index].contains(*fd));
        let list = make::list(py)?;
        for (_, object) in ready {
            list.append(object)?;
        }
        Ok::<_, PyErr>(list)
    });
    Ok((read?, write?, except?))
}

type Lists<'py> = (Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyList>);

/// The descriptors of one argument, and the objects that stand for them.
type Members<'py> = (SelectSet, Vec<(RawFd, Bound<'py, PyAny>)>);

fn members<'py>(argument: &Bound<'py, PyAny>) -> PyResult<Members<'py>> {
    let sequence = args::sequence(argument, c"arguments 1-3 must be sequences")?;
    let mut set = SelectSet::new();
    let mut members = Vec::new();
    // One by one: what an object's `fileno` takes away is no member.
    while let Some(object) = sequence.get(members.len())? {
        let Descriptor(fd) = object.extract()?;
        if !set.insert(fd) {
            return Err(exception::<PyValueError>(
                "filedescriptor out of range in select()",
            ));
        }
        if members.len() >= SelectSet::CAPACITY {
            return Err(exception::<PyValueError>(
                "too many file descriptors in select()",
            ));
        }
        members.push((fd, object));
    }
    Ok((set, members))
}
