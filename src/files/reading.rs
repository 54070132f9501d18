//! Reading of bytes: what the raw stream and the buffer on top of it have in common.
//!
//! Each read receives until it has what was asked for, and takes it out then. So an exception on
//! the way, of a timeout or of a signal handler, finds everything where it was.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::held::Held;
use super::state::{FileState, Received};
use super::turn::Taken;
use crate::python::args::Size;
use crate::python::error::exception;
use crate::python::make;
use crate::sys::{Region, find_byte};

/// How much a read without a size asks for at a time.
const STEP: usize = 1 << 16;

/// A read on its way, of a buffer or of the raw stream itself.
pub(super) struct Reading<'a, 'py> {
    file: &'a Bound<'py, PyAny>,
    pub(super) state: &'a FileState,
    pub(super) held: Taken<'a, Held>,
    /// Whether more may be received than was asked for.
    ahead: bool,
}

impl FileState {
    /// Begins a read of the raw stream.
    pub(super) fn read_raw<'a, 'py>(
        &'a self,
        file: &'a Bound<'py, PyAny>,
    ) -> PyResult<Reading<'a, 'py>> {
        self.readable(file.py())?;
        Ok(Reading {
            file,
            state: self,
            held: self.raw().take(file)?,
            ahead: false,
        })
    }

    /// Begins a read of the buffer, by a method that is named in the message of a closed file.
    #[inline]
    pub(super) fn read_buffered<'a, 'py>(
        &'a self,
        file: &'a Bound<'py, PyAny>,
        method: &str,
    ) -> PyResult<Reading<'a, 'py>> {
        self.check_buffer(method)?;
        Ok(Reading {
            file,
            state: self,
            held: self.buffered.take(file)?,
            ahead: true,
        })
    }
}

impl<'py> Reading<'_, 'py> {
    pub(super) fn py(&self) -> Python<'py> {
        self.file.py()
    }

    /// Receives once, behind the bytes that are held.
    pub(super) fn fill(&mut self, size: usize) -> PyResult<Received> {
        if !self.ahead {
            return self.state.fill(self.py(), &mut self.held, size);
        }
        self.take_from_raw()?;
        let size = size.max(self.state.size());
        self.state.fill(self.py(), &mut self.held, size)
    }

    /// Receives once, into memory of somebody's who is given the bytes at once.
    pub(super) fn receive(&mut self, into: Region<'_>) -> PyResult<Received> {
        self.take_from_raw()?;
        match self.held.copy(into) {
            0 => self.state.receive(self.py(), into, &mut self.held),
            count => Ok(Received::Bytes(count)),
        }
    }

    /// Takes what an interrupted read of the raw stream itself has left.
    fn take_from_raw(&mut self) -> PyResult<()> {
        if let Some(raw) = self.state.raw_if_read() {
            let mut left = raw.take(self.file)?;
            self.held.add(left.bytes());
            left.clear();
        }
        Ok(())
    }

    /// Gives up to `size` bytes of those that are held.
    pub(super) fn give(&mut self, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        let py = self.py();
        self.held.take(size, |bytes| make::bytes(py, bytes))
    }

    /// All until the end of the stream; None if nothing is there, in non-blocking mode.
    pub(super) fn all(mut self) -> PyResult<Option<Bound<'py, PyBytes>>> {
        loop {
            match self.fill(STEP)? {
                Received::Bytes(_) => {}
                Received::Nothing if self.held.is_empty() => return Ok(None),
                _ => return self.give(usize::MAX).map(Some),
            }
        }
    }

    /// A line, of at most `limit` bytes; what there is where no more comes.
    #[inline]
    pub(super) fn line(&mut self, limit: Option<usize>) -> PyResult<Bound<'py, PyBytes>> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut seen = 0;
        let count = loop {
            let bytes = self.held.bytes();
            if let Some(found) = find_byte(b'\n', &bytes[seen..]) {
                break (seen + found + 1).min(limit);
            }
            seen = bytes.len();
            if seen >= limit {
                break limit;
            }
            match self.fill(1)? {
                Received::Bytes(_) => {}
                Received::Nothing if !self.ahead => {
                    return Err(exception::<PyOSError>(
                        "read() should have returned a bytes object, not 'NoneType'",
                    ));
                }
                Received::End | Received::Nothing => break seen,
            }
        };
        self.give(count)
    }

    /// Lines, until they make up more than `hint` bytes; all are kept when that fails.
    pub(super) fn lines(mut self, hint: Option<Size>) -> PyResult<Bound<'py, PyList>> {
        let hint = as_limit(hint).filter(|hint| *hint > 0);
        let lines = make::list(self.py())?;
        let mut total = 0;
        while hint.is_none_or(|hint| total <= hint) {
            match self.line(None) {
                Ok(line) if line.as_bytes().is_empty() => break,
                Ok(line) => {
                    total += line.as_bytes().len();
                    lines.append(line)?;
                }
                Err(error) => {
                    let taken = lines.iter().map(|line| line.extract::<Vec<u8>>());
                    self.held
                        .unread(&taken.collect::<PyResult<Vec<_>>>()?.concat());
                    return Err(error);
                }
            }
        }
        Ok(lines)
    }
}

/// A size as the number of bytes that are wanted at most.
pub(super) fn as_limit(size: Option<Size>) -> Option<usize> {
    size.and_then(|size| usize::try_from(size.0).ok())
}
