//! Buffered reading of bytes: the state of a ``BufferedReader`` and its methods.
//!
//! Each read receives until it has what was asked for, and takes it out then. So an exception on
//! the way, of a timeout or of a signal handler, finds everything where it was.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::held::Held;
use super::source::{Received, Source, copy};
use super::state_of;
use super::turn::{Taken, Turn};
use crate::python::args::{self, Size};
use crate::python::buffer::BufferSlot;
use crate::python::bytes::BytesBuilder;
use crate::python::method::{Arguments, Fast, Inherited, positional};
use crate::sys::{Region, find_byte};

/// How much a read without a size asks for at a time.
const STEP: usize = 1 << 16;

/// The state of a ``BufferedReader`` or ``BufferedRWPair``.
#[pyclass(frozen, module = "oxisock._socket")]
pub(crate) struct Reader {
    source: Py<Source>,
    /// How much to receive at a time.
    size: usize,
    detached: AtomicBool,
    held: Turn<Held>,
}

impl Reader {
    pub(super) fn over(source: Py<Source>, size: Size) -> Self {
        Reader {
            source,
            size: usize::try_from(size.0).unwrap_or(1).max(1),
            detached: AtomicBool::new(false),
            held: Turn::new(Held::new()),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.source.get().is_closed()
    }

    /// The bytes, for a method of `object` that is named in the message of a closed file.
    #[inline]
    fn begin(&self, object: &Bound<'_, PyAny>, method: &str) -> PyResult<Taken<'_, Held>> {
        if self.is_closed() || self.detached.load(Relaxed) {
            return Err(self.ended(method));
        }
        self.held.take(object)
    }

    #[cold]
    fn ended(&self, method: &str) -> PyErr {
        PyValueError::new_err(match self.detached.load(Relaxed) {
            true => "raw stream has been detached".to_owned(),
            false => format!("{method} of closed file"),
        })
    }

    /// Receives once, behind the bytes that are held.
    fn fill(&self, py: Python<'_>, held: &mut Held, size: usize) -> PyResult<Received> {
        self.take_over(py, held)?;
        self.source.get().fill(py, held, size.max(self.size))
    }

    /// Takes over what a read of the raw stream itself has left.
    fn take_over(&self, py: Python<'_>, held: &mut Held) -> PyResult<()> {
        let mut left = self.source.get().held.take(self.source.bind(py))?;
        if !left.is_empty() {
            left.take(usize::MAX, |bytes| {
                held.add(bytes);
                Ok::<_, PyErr>(())
            })?;
        }
        Ok(())
    }

    /// Receives once, into memory of somebody's who is given the bytes at once.
    fn receive(&self, py: Python<'_>, into: Region<'_>, held: &mut Held) -> PyResult<Received> {
        self.take_over(py, held)?;
        match copy(held, into) {
            0 => self.source.get().receive(py, into, held),
            count => Ok(Received::Bytes(count)),
        }
    }

    /// What one receive brings, at most `size` bytes, for a file of text.
    pub(super) fn once<'py>(
        &self,
        object: &Bound<'py, PyAny>,
        size: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = object.py();
        let mut held = self.begin(object, "read")?;
        if held.is_empty() {
            // No more than was asked for: io reads nothing ahead here either.
            let builder = BytesBuilder::new(py, size)?;
            return match self.receive(py, builder.region(), &mut held)? {
                Received::Bytes(count) => builder.finish(count),
                _ => Ok(PyBytes::new(py, b"")),
            };
        }
        held.take(size, |bytes| Ok(PyBytes::new(py, bytes)))
    }

    /// All until the end of the stream; None if nothing is there, in non-blocking mode.
    pub(super) fn all<'py>(
        &self,
        object: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let py = object.py();
        let mut held = self.begin(object, "read")?;
        loop {
            match self.fill(py, &mut held, STEP)? {
                Received::Bytes(_) => {}
                Received::Nothing if held.is_empty() => return Ok(None),
                _ => break,
            }
        }
        held.take(usize::MAX, |bytes| Ok(Some(PyBytes::new(py, bytes))))
    }

    /// Puts bytes back that were read last.
    pub(super) fn unread(&self, object: &Bound<'_, PyAny>, bytes: &[u8]) -> PyResult<()> {
        self.held.take(object)?.unread(bytes);
        Ok(())
    }

    fn read<'py>(
        &self,
        object: &Bound<'py, PyAny>,
        size: usize,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let py = object.py();
        let mut held = self.begin(object, "read")?;
        if held.len() < size {
            if size - held.len() > self.size {
                return self.read_large(py, &mut held, size);
            }
            while held.len() < size {
                match self.fill(py, &mut held, 0)? {
                    Received::Bytes(_) => {}
                    Received::Nothing if held.is_empty() => return Ok(None),
                    _ => break,
                }
            }
        }
        held.take(size, |bytes| Ok(Some(PyBytes::new(py, bytes))))
    }

    /// Receives into the bytes object that is to be returned, without a copy on the way.
    fn read_large<'py>(
        &self,
        py: Python<'py>,
        held: &mut Held,
        size: usize,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let builder = BytesBuilder::new(py, size)?;
        match self.collect(py, held, builder.region())? {
            None => Ok(None),
            Some(count) => builder.finish(count).map(Some),
        }
    }

    /// Fills a region, as far as the stream goes; what has come is kept when that fails.
    fn collect(
        &self,
        py: Python<'_>,
        held: &mut Held,
        into: Region<'_>,
    ) -> PyResult<Option<usize>> {
        let mut done = 0;
        while done < into.len() {
            let rest = into.skip(done);
            let received = match copy(held, rest) {
                0 if rest.len() > self.size => self.receive(py, rest, held),
                0 => self.fill(py, held, 0),
                count => {
                    done += count;
                    continue;
                }
            };
            match received {
                Ok(Received::Bytes(count)) if rest.len() > self.size => done += count,
                Ok(Received::Bytes(_)) => {}
                Ok(Received::Nothing) if done == 0 => return Ok(None),
                Ok(_) => break,
                Err(error) => {
                    // SAFETY: so many bytes were written there, and nobody writes to them now.
                    held.unread(unsafe { std::slice::from_raw_parts(into.as_ptr(), done) });
                    held.interrupted = true;
                    return Err(error);
                }
            }
        }
        Ok(Some(done))
    }
}

#[pymethods]
impl Reader {
    /// Note that the raw stream was detached; it gets what an interrupted read has left.
    fn detach(slf: &Bound<'_, Self>) -> PyResult<()> {
        let reader = slf.get();
        reader.detached.store(true, Relaxed);
        let mut held = reader.held.take(slf)?;
        if held.interrupted {
            let source = reader.source.get();
            let mut below = source.held.take(slf)?;
            held.take(usize::MAX, |bytes| {
                below.unread(bytes);
                Ok::<_, PyErr>(())
            })?;
        }
        held.clear();
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.source)
    }
}

/// A size as the number of bytes that are wanted at most.
pub(super) fn as_limit(size: Option<Size>) -> Option<usize> {
    size.and_then(|size| usize::try_from(size.0).ok())
}

/// Takes a line out, of at most `limit` bytes; what there is where `fill` finds no more.
#[inline]
pub(super) fn line<'py>(
    py: Python<'py>,
    held: &mut Held,
    limit: Option<usize>,
    mut fill: impl FnMut(&mut Held) -> PyResult<Received>,
) -> PyResult<Bound<'py, PyBytes>> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut seen = 0;
    let count = loop {
        let bytes = held.bytes();
        if let Some(found) = find_byte(b'\n', &bytes[seen..]) {
            break (seen + found + 1).min(limit);
        }
        seen = bytes.len();
        if seen >= limit {
            break limit;
        }
        match fill(held)? {
            Received::Bytes(_) => {}
            Received::End | Received::Nothing => break seen,
        }
    };
    held.take(count, |bytes| Ok(PyBytes::new(py, bytes)))
}

/// Takes lines out until they make up more than `hint` bytes; all are kept when that fails.
pub(super) fn gather<'py>(
    py: Python<'py>,
    held: &mut Held,
    hint: Option<Size>,
    mut fill: impl FnMut(&mut Held) -> PyResult<Received>,
) -> PyResult<Bound<'py, PyList>> {
    let hint = as_limit(hint).filter(|hint| *hint > 0);
    let lines = PyList::empty(py);
    let mut total = 0;
    while hint.is_none_or(|hint| total <= hint) {
        match line(py, held, None, &mut fill) {
            Ok(line) if line.as_bytes().is_empty() => break,
            Ok(line) => {
                total += line.as_bytes().len();
                lines.append(line)?;
            }
            Err(error) => {
                let taken = lines.iter().map(|line| line.extract::<Vec<u8>>());
                held.unread(&taken.collect::<PyResult<Vec<_>>>()?.concat());
                return Err(error);
            }
        }
    }
    Ok(lines)
}

/// What ``BufferedReader`` and ``BufferedRWPair`` inherit.
#[pyclass(frozen, subclass, module = "oxisock._socket")]
pub(crate) struct ReaderMethods;

impl Inherited for ReaderMethods {
    const FAST: &'static [Fast] = &[
        positional!(ReaderMethods, readline, ReaderMethods::readline_fast),
        positional!(ReaderMethods, read, ReaderMethods::read_fast),
    ];
}

impl ReaderMethods {
    fn readline_fast<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Arguments<'py>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Self::readline(slf, size_of(arguments, "readline")?)
    }

    fn read_fast<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Arguments<'py>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Self::read(slf, size_of(arguments, "read")?)
    }
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
fn reader<'py>(file: &Bound<'py, ReaderMethods>) -> PyResult<Bound<'py, Reader>> {
    state_of(file.as_any())
}

/// Reads into a buffer, once or until it is full.
fn read_into(
    file: &Bound<'_, ReaderMethods>,
    buffer: &Bound<'_, PyAny>,
    once: bool,
) -> PyResult<Option<usize>> {
    let (py, reader) = (file.py(), reader(file)?);
    let reader = reader.get();
    let mut slot = BufferSlot::new();
    let argument = if once {
        "readinto1() argument"
    } else {
        "readinto() argument"
    };
    let room = slot.writable(buffer, argument)?;
    let mut held = reader.begin(file, "readinto")?;
    let into = room.region();
    if !once || into.len() == 0 {
        return reader.collect(py, &mut held, into);
    }
    let small = into.len() <= reader.size;
    if small
        && held.is_empty()
        && let Received::Nothing = reader.fill(py, &mut held, 0)?
    {
        return Ok(None);
    }
    if small || !held.is_empty() {
        return Ok(Some(copy(&mut held, into)));
    }
    Ok(match reader.receive(py, into, &mut held)? {
        Received::Bytes(count) => Some(count),
        Received::End => Some(0),
        Received::Nothing => None,
    })
}

#[pymethods]
impl ReaderMethods {
    /// Read up to and with the next line feed, at most ``size`` bytes.
    #[pyo3(signature = (size = Some(Size(-1)), /), text_signature = "($self, size=-1, /)")]
    fn readline<'py>(slf: &Bound<'py, Self>, size: Option<Size>) -> PyResult<Bound<'py, PyBytes>> {
        let (py, reader) = (slf.py(), reader(slf)?);
        let reader = reader.get();
        let mut held = reader.begin(slf, "readline")?;
        line(py, &mut held, as_limit(size), |held| {
            reader.fill(py, held, 0)
        })
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = Self::readline(slf, None)?;
        Ok((!line.as_bytes().is_empty()).then_some(line))
    }

    /// Read all lines until the end of the stream, or until they make up ``hint`` bytes.
    #[pyo3(signature = (hint = Some(Size(-1)), /), text_signature = "($self, hint=-1, /)")]
    fn readlines<'py>(slf: &Bound<'py, Self>, hint: Option<Size>) -> PyResult<Bound<'py, PyList>> {
        let (py, reader) = (slf.py(), reader(slf)?);
        let reader = reader.get();
        let mut held = reader.begin(slf, "readline")?;
        gather(py, &mut held, hint, |held| reader.fill(py, held, 0))
    }

    /// Read ``size`` bytes, or all until the end of the stream.
    #[pyo3(signature = (size = Some(Size(-1)), /), text_signature = "($self, size=-1, /)")]
    fn read<'py>(
        slf: &Bound<'py, Self>,
        size: Option<Size>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let reader = reader(slf)?;
        match size {
            None | Some(Size(-1)) => reader.get().all(slf),
            Some(Size(size)) => match usize::try_from(size) {
                Ok(size) => reader.get().read(slf, size),
                Err(_) => Err(PyValueError::new_err(
                    "read length must be non-negative or -1",
                )),
            },
        }
    }

    /// Read up to ``size`` bytes with at most one receive.
    #[pyo3(signature = (size = Size(-1), /), text_signature = "($self, size=-1, /)")]
    fn read1<'py>(slf: &Bound<'py, Self>, size: Size) -> PyResult<Bound<'py, PyBytes>> {
        let reader = reader(slf)?;
        let size = usize::try_from(size.0).unwrap_or(reader.get().size);
        if size == 0 {
            reader.get().begin(slf, "read")?;
            return Ok(PyBytes::new(slf.py(), b""));
        }
        reader.get().once(slf, size)
    }

    /// Return what can be read next, and leave it there.
    #[pyo3(signature = (size = Size(0), /), text_signature = "($self, size=0, /)")]
    fn peek<'py>(slf: &Bound<'py, Self>, size: Size) -> PyResult<Bound<'py, PyBytes>> {
        let _ = size;
        let reader = reader(slf)?;
        let mut held = reader.get().begin(slf, "peek")?;
        if held.is_empty() {
            reader.get().fill(slf.py(), &mut held, 0)?;
        }
        Ok(PyBytes::new(slf.py(), held.bytes()))
    }

    /// Read into ``buffer``; return the number of bytes.
    #[pyo3(signature = (buffer, /))]
    fn readinto(slf: &Bound<'_, Self>, buffer: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        read_into(slf, buffer, false)
    }

    /// Read into ``buffer`` with at most one receive.
    #[pyo3(signature = (buffer, /))]
    fn readinto1(slf: &Bound<'_, Self>, buffer: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        read_into(slf, buffer, true)
    }
}
