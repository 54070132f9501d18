//! Reading text: the state of a ``TextIOWrapper`` and its methods.
//!
//! The one of io holds an unfinished line in local variables, out of anybody's reach when a read
//! is interrupted. Here it stays with the file until it is whole.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use pyo3::exceptions::{PyUnicodeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use super::buffered::size_of;
use super::reading::as_limit;
use super::state::FileState;
use super::state_of;
use super::turn::{Taken, Turn};
use crate::python::args::{self, Size};
use crate::python::error::exception;
use crate::python::method::{Arguments, Fast, Inherited, discard, getter, positional};
use crate::python::plain::Plain;
use crate::python::text::{find, length, slice};
use crate::python::thread::protect;

/// How much is decoded at a time, as in io.
const CHUNK: usize = 8192;

/// What ends a line.
#[derive(Clone, Copy)]
enum End {
    Feed,
    Return,
    Both,
    /// Any of the three.
    Any,
}

impl End {
    const ALL: [End; 4] = [End::Feed, End::Return, End::Both, End::Any];

    fn of(newline: Option<&str>) -> PyResult<End> {
        match newline {
            // Every end is translated to a line feed.
            None | Some("\n") => Ok(End::Feed),
            Some("\r") => Ok(End::Return),
            Some("\r\n") => Ok(End::Both),
            Some("") => Ok(End::Any),
            Some(_) => Err(exception::<PyValueError>("illegal newline value")),
        }
    }

    /// The place behind the first end of a line at or after `from`.
    fn find(self, text: &Bound<'_, PyString>, from: isize) -> Option<isize> {
        let len = length(text);
        match self {
            End::Feed => Some(find(text, '\n', from, len)? + 1),
            End::Return => Some(find(text, '\r', from, len)? + 1),
            End::Both => {
                let mut from = from;
                loop {
                    let at = find(text, '\r', from, len)? + 1;
                    if find(text, '\n', at, len.min(at + 1)).is_some() {
                        return Some(at + 1);
                    }
                    from = at;
                }
            }
            End::Any => {
                // The decoder never parts a carriage return from its line feed.
                let feed = find(text, '\n', from, len);
                match find(text, '\r', from, feed.unwrap_or(len)) {
                    Some(at) if feed != Some(at + 1) => Some(at + 1),
                    _ => Some(feed? + 1),
                }
            }
        }
    }
}

/// Decoded text that was not yet given.
struct Text {
    text: Option<Py<PyString>>,
    /// Where what was not given begins.
    position: isize,
    /// More text, in which no line ends, so that a long line is joined once.
    more: Vec<Py<PyString>>,
    decoder: Option<Py<PyAny>>,
}

impl Text {
    /// All the text in one piece, and where it begins.
    fn joined<'py>(&mut self, py: Python<'py>) -> PyResult<(Bound<'py, PyString>, isize)> {
        if !self.more.is_empty() {
            let rest = match &self.text {
                Some(text) => slice(text.bind(py), self.position, isize::MAX)?,
                None => intern!(py, "").clone(),
            };
            let pieces = PyList::new(py, [rest])?;
            for piece in &self.more {
                pieces.append(piece)?;
            }
            let joined = intern!(py, "")
                .clone()
                .call_method1(intern!(py, "join"), (pieces,))?;
            self.hold(joined.cast_into()?);
        }
        match &self.text {
            Some(text) => Ok((text.bind(py).clone(), self.position)),
            None => Ok((intern!(py, "").clone(), 0)),
        }
    }

    fn hold(&mut self, text: Bound<'_, PyString>) {
        let py = text.py();
        // Let go of here and now, which a `Py` is not on the fast entry points.
        let before = self.text.replace(text.unbind()).into_iter();
        before
            .chain(self.more.drain(..))
            .for_each(|text| drop(text.into_bound(py)));
        self.position = 0;
    }

    fn len(&self, py: Python<'_>) -> isize {
        let first = (self.text.as_ref()).map_or(0, |text| length(text.bind(py)) - self.position);
        (self.more.iter()).fold(first, |sum, piece| sum + length(piece.bind(py)))
    }

    /// Gives up to `count` characters.
    fn take<'py>(&mut self, py: Python<'py>, count: isize) -> PyResult<Bound<'py, PyString>> {
        let (text, from) = self.joined(py)?;
        let to = length(&text).min(from.saturating_add(count));
        let taken = slice(&text, from, to)?;
        self.position = to;
        Ok(taken)
    }

    /// Adds decoded text.
    fn add(&mut self, text: Bound<'_, PyString>) {
        let py = text.py();
        if self.more.is_empty() && self.len(py) == 0 {
            self.hold(text);
        } else {
            self.more.push(text.unbind());
        }
    }

    fn unread(&mut self, py: Python<'_>, lines: Bound<'_, PyList>) -> PyResult<()> {
        let rest = self.len(py);
        lines.append(self.take(py, rest)?)?;
        let joined = intern!(py, "")
            .clone()
            .call_method1(intern!(py, "join"), (lines,))?;
        self.hold(joined.cast_into()?);
        Ok(())
    }
}

/// The state of a ``TextIOWrapper``.
#[pyclass(frozen, module = "oxisock._socket")]
pub(crate) struct TextReader {
    /// The state of the buffer beneath.
    state: Py<FileState>,
    /// One of [`End`], by its place in the list.
    end: AtomicU8,
    detached: AtomicBool,
    text: Turn<Text>,
}

impl TextReader {
    fn end(&self) -> End {
        End::ALL[usize::from(self.end.load(Relaxed)) % End::ALL.len()]
    }

    fn check_attached(&self) -> PyResult<()> {
        match self.detached.load(Relaxed) {
            false => Ok(()),
            true => Err(exception::<PyValueError>(
                "underlying buffer has been detached",
            )),
        }
    }

    fn is_closed(&self) -> PyResult<bool> {
        self.check_attached()?;
        self.state.get().is_closed()
    }

    #[inline]
    fn begin(&self, file: &Bound<'_, PyAny>) -> PyResult<Taken<'_, Text>> {
        self.check_attached()?;
        let state = self.state.get();
        state.check_open(|| "I/O operation on closed file.".to_owned())?;
        self.text.take(file)
    }

    /// The decoder, after a check that reading is possible at all.
    fn prepare<'py>(
        &self,
        file: &Bound<'py, PyAny>,
        text: &mut Text,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = file.py();
        protect();
        // Each time where io may hold text to write.
        if self.state.get().writes() || text.decoder.is_none() {
            file.call_method0(intern!(py, "_prepare_to_read"))?;
        }
        match &text.decoder {
            Some(decoder) => Ok(decoder.bind(py).clone()),
            None => {
                let decoder = file.call_method0(intern!(py, "_make_decoder"))?;
                text.decoder = Some(decoder.clone().unbind());
                Ok(decoder)
            }
        }
    }

    /// Receives once and holds what that is as text; false at the end of the stream.
    fn fill(&self, file: &Bound<'_, PyAny>, text: &mut Text) -> PyResult<bool> {
        let py = file.py();
        let decoder = self.prepare(file, text)?;
        let buffer = self.state.bind(py);
        let data = buffer.get().read_buffered(buffer, "read")?.once(CHUNK)?;
        let bytes = data.as_bytes();
        let decoded = match decode(&decoder, data.as_any(), bytes.is_empty()) {
            Ok(decoded) => decoded,
            Err(error) => {
                // A decoder written in Python may be interrupted like any other code.
                if !error.is_instance_of::<PyUnicodeError>(py) {
                    match buffer.get().buffered.take(buffer) {
                        Ok(mut held) => held.unread(bytes),
                        Err(second) => {
                            discard(py, error);
                            return Err(second);
                        }
                    }
                }
                return Err(error);
            }
        };
        let more = !bytes.is_empty() || length(&decoded) > 0;
        text.add(decoded);
        Ok(more)
    }

    fn line<'py>(
        &self,
        file: &Bound<'py, PyAny>,
        held: &mut Text,
        limit: Option<usize>,
    ) -> PyResult<Bound<'py, PyString>> {
        let py = file.py();
        let limit = limit.map_or(isize::MAX, |limit| limit as isize);
        let (mut piece, mut from) = held.joined(py)?;
        // How much stands before the piece that is searched.
        let mut before = -from;
        let count = loop {
            if let Some(stop) = self.end().find(&piece, from) {
                break before + stop;
            }
            let seen = before + length(&piece);
            if seen >= limit || !self.fill(file, held)? {
                break seen;
            }
            // An end of two characters may have come in two pieces.
            let cut = matches!(self.end(), End::Both)
                && find(&piece, '\r', length(&piece) - 1, isize::MAX).is_some();
            match held.more.last() {
                Some(last) if !cut => {
                    piece = last.bind(py).clone();
                    (before, from) = (seen, 0);
                }
                _ => {
                    let (joined, position) = held.joined(py)?;
                    (piece, before) = (joined, -position);
                    from = position + (seen - 1).max(0);
                }
            }
        };
        held.take(py, count.min(limit))
    }

    fn read<'py>(
        &self,
        file: &Bound<'py, PyAny>,
        size: Option<usize>,
    ) -> PyResult<Bound<'py, PyString>> {
        let py = file.py();
        let mut held = self.begin(file)?;
        match size.map(|size| size as isize) {
            Some(size) => {
                while held.len(py) < size && self.fill(file, &mut held)? {}
                held.take(py, size)
            }
            None => {
                let decoder = self.prepare(file, &mut held)?;
                let buffer = self.state.bind(py);
                // First what may be interrupted, and then what takes something out.
                let data = buffer.get().read_buffered(buffer, "read")?.all()?;
                let data = data.into_pyobject(py)?;
                let rest = decode(&decoder, &data, true)?;
                held.add(rest);
                let len = held.len(py);
                held.take(py, len)
            }
        }
    }
}

fn decode<'py>(
    decoder: &Bound<'py, PyAny>,
    data: &Bound<'py, PyAny>,
    last: bool,
) -> PyResult<Bound<'py, PyString>> {
    let decoded = decoder.call_method1(intern!(decoder.py(), "decode"), (data, last))?;
    Ok(decoded.cast_into()?)
}

#[pymethods]
impl TextReader {
    /// Make the state of a text file on top of a buffer's.
    #[new]
    #[pyo3(signature = (state, newline, /))]
    fn new(state: Py<FileState>, newline: Option<Plain<&str>>) -> PyResult<Self> {
        Ok(TextReader {
            state,
            end: AtomicU8::new(End::of(newline.map(|newline| newline.0))? as u8),
            detached: AtomicBool::new(false),
            text: Turn::new(Text {
                text: None,
                position: 0,
                more: Vec::new(),
                decoder: None,
            }),
        })
    }

    /// Change what ends a line.
    #[pyo3(signature = (newline, /))]
    fn set_newline(&self, newline: Option<Plain<&str>>) -> PyResult<()> {
        self.end
            .store(End::of(newline.map(|newline| newline.0))? as u8, Relaxed);
        Ok(())
    }

    /// Note that the buffer was detached.
    fn detach(&self) {
        self.detached.store(true, Relaxed);
    }

    /// The decoder, None until the first read.
    #[getter]
    fn decoder<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let held = slf.get().text.take(slf)?;
        Ok(held.decoder.as_ref().map(|it| it.bind(slf.py()).clone()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.state)?;
        if let Some(held) = self.text.peek() {
            visit.call(&held.decoder)?;
        }
        Ok(())
    }
}

/// What ``TextIOWrapper`` inherits.
#[pyclass(frozen, subclass, module = "oxisock._socket")]
pub(crate) struct TextMethods;

impl Inherited for TextMethods {
    const FAST: &'static [Fast] = &[
        positional!(TextMethods, readline, TextMethods::readline_fast),
        positional!(TextMethods, read, TextMethods::read_fast),
        getter!(TextMethods, closed, TextMethods::closed),
    ];
}

impl TextMethods {
    fn readline_fast<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Arguments<'py>,
    ) -> PyResult<Bound<'py, PyString>> {
        let size = match arguments.at_most_one("readline")? {
            None => Size(-1),
            Some(size) => Size(args::size(&size)?),
        };
        Self::readline(slf, size)
    }

    fn read_fast<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Arguments<'py>,
    ) -> PyResult<Bound<'py, PyString>> {
        Self::read(slf, size_of(arguments, "read")?)
    }
}

#[inline]
fn reader<'py>(file: &Bound<'py, TextMethods>) -> PyResult<Bound<'py, TextReader>> {
    state_of(file.as_any())
}

#[pymethods]
impl TextMethods {
    /// Whether the file is closed.
    // Calls of io ask for it with the file locked, and its own attribute locks the file again. What
    // has no interpreter lock takes 15 µs for that up to 3.13, as it does not see whose the lock is.
    #[getter]
    fn closed(slf: &Bound<'_, Self>) -> PyResult<bool> {
        reader(slf)?.get().is_closed()
    }

    /// Read up to and with the next line end, at most ``size`` characters.
    #[pyo3(signature = (size = Size(-1), /), text_signature = "($self, size=-1, /)")]
    fn readline<'py>(slf: &Bound<'py, Self>, size: Size) -> PyResult<Bound<'py, PyString>> {
        let reader = reader(slf)?;
        let mut held = reader.get().begin(slf)?;
        reader.get().line(slf, &mut held, as_limit(Some(size)))
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyString>>> {
        let line = Self::readline(slf, Size(-1))?;
        Ok((length(&line) > 0).then_some(line))
    }

    /// Read all lines until the end of the stream, or until they make up ``hint`` characters.
    #[pyo3(signature = (hint = Some(Size(-1)), /), text_signature = "($self, hint=-1, /)")]
    fn readlines<'py>(slf: &Bound<'py, Self>, hint: Option<Size>) -> PyResult<Bound<'py, PyList>> {
        let (py, reader) = (slf.py(), reader(slf)?);
        let mut held = reader.get().begin(slf)?;
        let hint = as_limit(hint).filter(|hint| *hint > 0);
        let lines = PyList::empty(py);
        let mut total = 0;
        while hint.is_none_or(|hint| total <= hint) {
            match reader.get().line(slf, &mut held, None) {
                Ok(line) if length(&line) == 0 => break,
                Ok(line) => {
                    total += length(&line) as usize;
                    lines.append(line)?;
                }
                Err(error) => {
                    held.unread(py, lines)?;
                    return Err(error);
                }
            }
        }
        Ok(lines)
    }

    /// Read ``size`` characters, or all until the end of the stream.
    #[pyo3(signature = (size = Some(Size(-1)), /), text_signature = "($self, size=-1, /)")]
    fn read<'py>(slf: &Bound<'py, Self>, size: Option<Size>) -> PyResult<Bound<'py, PyString>> {
        reader(slf)?.get().read(slf, as_limit(size))
    }
}
