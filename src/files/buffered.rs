//! The methods of ``BufferedReader`` and ``BufferedRWPair``.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::reading::{Reading, as_limit};
use super::state::{FileState, Received};
use super::state_of;
use crate::python::args::{self, Size};
use crate::python::buffer::BufferSlot;
use crate::python::bytes::BytesBuilder;
use crate::python::error::exception;
use crate::python::make;
use crate::python::method::{Arguments, Fast, Inherited, positional};
use crate::sys::Region;

impl<'py> Reading<'_, 'py> {
    /// What one receive brings, at most `size` bytes.
    pub(super) fn once(mut self, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        if self.held.is_empty() && size > 0 {
            // No more than was asked for: io reads nothing ahead here either.
            let builder = BytesBuilder::new(self.py(), size)?;
            return match self.receive(builder.region())? {
                Received::Bytes(count) => builder.finish(count),
                _ => make::bytes(self.py(), b""),
            };
        }
        self.give(size)
    }

    fn some(mut self, size: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        if size.saturating_sub(self.held.len()) > self.state.size() {
            // Into the bytes object that is to be returned, without a copy on the way.
            let builder = BytesBuilder::new(self.py(), size)?;
            let count = self.collect(builder.region())?;
            return count.map(|count| builder.finish(count)).transpose();
        }
        while self.held.len() < size {
            match self.fill(1)? {
                Received::Bytes(_) => {}
                Received::Nothing if self.held.is_empty() => return Ok(None),
                _ => break,
            }
        }
        self.give(size).map(Some)
    }

    /// Fills a region, as far as the stream goes; what has come is kept when that fails.
    fn collect(&mut self, into: Region<'_>) -> PyResult<Option<usize>> {
        let mut done = 0;
        while done < into.len() {
            let rest = into.skip(done);
            let is_large = rest.len() > self.state.size();
            let received = match self.held.copy(rest) {
                0 if is_large => self.receive(rest),
                0 => self.fill(1),
                count => {
                    done += count;
                    continue;
                }
            };
            match received {
                Ok(Received::Bytes(count)) if is_large => done += count,
                Ok(Received::Bytes(_)) => {}
                Ok(Received::Nothing) if done == 0 => return Ok(None),
                Ok(_) => break,
                Err(error) => {
                    // SAFETY: that many bytes were written there, and nobody writes to them now.
                    let done = unsafe { std::slice::from_raw_parts(into.as_ptr(), done) };
                    self.held.unread(done);
                    self.held.interrupted = true;
                    return Err(error);
                }
            }
        }
        Ok(Some(done))
    }

    /// Fills a region with what one receive brings.
    fn collect_once(&mut self, into: Region<'_>) -> PyResult<Option<usize>> {
        if self.held.is_empty() {
            if into.len() > self.state.size() {
                return Ok(match self.receive(into)? {
                    Received::Bytes(count) => Some(count),
                    Received::End => Some(0),
                    Received::Nothing => None,
                });
            }
            if let Received::Nothing = self.fill(1)? {
                return Ok(None);
            }
        }
        Ok(Some(self.held.copy(into)))
    }
}

/// What ``BufferedReader`` and ``BufferedRWPair`` inherit.
#[pyclass(frozen, subclass, module = "oxisock._socket")]
pub(crate) struct BufferMethods;

impl Inherited for BufferMethods {
    const FAST: &'static [Fast] = &[
        positional!(BufferMethods, readline, |slf, arguments| {
            BufferMethods::readline(slf, size_of(arguments, "readline")?)
        }),
        positional!(BufferMethods, read, |slf, arguments| {
            BufferMethods::read(slf, size_of(arguments, "read")?)
        }),
    ];
}

/// The size that reads take, None for all.
pub(super) fn size_of(arguments: &Arguments<'_>, method: &str) -> PyResult<Option<Size>> {
    match arguments.at_most_one(method)? {
        None => Ok(Some(Size(-1))),
        Some(size) if size.is_none() => Ok(None),
        Some(size) => args::size(&size).map(|size| Some(Size(size))),
    }
}

#[inline]
fn state<'py>(file: &Bound<'py, BufferMethods>) -> PyResult<Bound<'py, FileState>> {
    state_of(file.as_any())
}

#[pymethods]
impl BufferMethods {
    /// Read up to and with the next line feed, at most ``size`` bytes.
    #[pyo3(signature = (size = Some(Size(-1)), /), text_signature = "($self, size=-1, /)")]
    fn readline<'py>(slf: &Bound<'py, Self>, size: Option<Size>) -> PyResult<Bound<'py, PyBytes>> {
        let state = state(slf)?;
        state
            .get()
            .read_buffered(slf, "readline")?
            .line(as_limit(size))
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = Self::readline(slf, None)?;
        Ok((!line.as_bytes().is_empty()).then_some(line))
    }

    /// Read all lines until the end of the stream, or until they make up ``hint`` bytes.
    #[pyo3(signature = (hint = Some(Size(-1)), /), text_signature = "($self, hint=-1, /)")]
    fn readlines<'py>(slf: &Bound<'py, Self>, hint: Option<Size>) -> PyResult<Bound<'py, PyList>> {
        let state = state(slf)?;
        state.get().read_buffered(slf, "readline")?.lines(hint)
    }

    /// Read ``size`` bytes, or all until the end of the stream.
    #[pyo3(signature = (size = Some(Size(-1)), /), text_signature = "($self, size=-1, /)")]
    fn read<'py>(
        slf: &Bound<'py, Self>,
        size: Option<Size>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let state = state(slf)?;
        match size {
            None | Some(Size(-1)) => state.get().read_buffered(slf, "read")?.all(),
            Some(Size(size)) => match usize::try_from(size) {
                Ok(size) => state.get().read_buffered(slf, "read")?.some(size),
                Err(_) => Err(exception::<PyValueError>(
                    "read length must be non-negative or -1",
                )),
            },
        }
    }

    /// Read up to ``size`` bytes with at most one receive.
    #[pyo3(signature = (size = Size(-1), /), text_signature = "($self, size=-1, /)")]
    fn read1<'py>(slf: &Bound<'py, Self>, size: Size) -> PyResult<Bound<'py, PyBytes>> {
        let state = state(slf)?;
        let size = as_limit(Some(size)).unwrap_or(state.get().size());
        state.get().read_buffered(slf, "read")?.once(size)
    }

    /// Return what can be read next, and leave it there.
    #[pyo3(signature = (size = Size(0), /), text_signature = "($self, size=0, /)")]
    fn peek<'py>(slf: &Bound<'py, Self>, size: Size) -> PyResult<Bound<'py, PyBytes>> {
        let _ = size;
        let state = state(slf)?;
        let mut reading = state.get().read_buffered(slf, "peek")?;
        if reading.held.is_empty() {
            reading.fill(1)?;
        }
        make::bytes(slf.py(), reading.held.bytes())
    }

    /// Read into ``buffer``; return the number of bytes.
    #[pyo3(signature = (buffer, /))]
    fn readinto(slf: &Bound<'_, Self>, buffer: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let state = state(slf)?;
        let mut slot = BufferSlot::new();
        let room = slot.writable(buffer, "readinto() argument")?;
        let mut reading = state.get().read_buffered(slf, "readinto")?;
        reading.collect(room.region())
    }

    /// Read into ``buffer`` with at most one receive.
    #[pyo3(signature = (buffer, /))]
    fn readinto1(slf: &Bound<'_, Self>, buffer: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let state = state(slf)?;
        let mut slot = BufferSlot::new();
        let room = slot.writable(buffer, "readinto1() argument")?;
        let mut reading = state.get().read_buffered(slf, "readinto")?;
        match room.len() {
            0 => Ok(Some(0)),
            _ => reading.collect_once(room.region()),
        }
    }
}
