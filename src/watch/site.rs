//! The place in a program that a call is made from.

use pyo3::intern;
use pyo3::prelude::*;

use super::Watch;
use crate::python::frame::Frame;

/// No place in a program.
pub(super) const NOWHERE: u32 = u32::MAX;

/// What sort of code it is, as `_watch` numbers them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Own,
    Library,
    Asyncio,
    Hidden,
}

/// A place in a program: the address of a code object, which whoever holds it has to keep alive, and how
/// far it is in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) code: usize,
    pub(super) offset: i32,
}

impl Place {
    #[inline]
    fn of(frame: &Frame<'_>) -> Self {
        Place {
            code: frame.code().as_ptr() as usize,
            offset: frame.offset(),
        }
    }

    /// That of the innermost frame of this thread that runs Python code.
    #[inline]
    pub(super) fn innermost(py: Python<'_>) -> Option<Self> {
        Frame::innermost(py).map(|frame| Place::of(&frame))
    }
}

/// Finds the innermost place of the program's own, or of asyncio, which calls for many; where there
/// is none, the innermost of the standard library.
pub(super) fn find(py: Python<'_>, watch: &Watch) -> PyResult<u32> {
    let mut next = Frame::innermost(py);
    let mut first = None;
    while let Some(frame) = next {
        let place = Place::of(&frame);
        let (known, kind) = watch.table().place(place);
        if let Some(site) = known {
            return Ok(site);
        }
        let kind = match kind {
            Some(kind) => kind,
            None => classify(watch, &frame)?,
        };
        if kind == Kind::Own {
            return add(watch, &frame, true);
        }
        next = frame.back();
        if kind != Kind::Hidden {
            first = first.or(Some(frame));
            if kind == Kind::Asyncio {
                break;
            }
        }
    }
    let Some(frame) = first else {
        return Ok(NOWHERE);
    };
    let known = watch.table().fallback(Place::of(&frame));
    known.map_or_else(|| add(watch, &frame, false), Ok)
}

/// Asks what sort of code it is, once for each code object.
#[cold]
fn classify(watch: &Watch, frame: &Frame<'_>) -> PyResult<Kind> {
    let code = frame.code();
    let py = code.py();
    let name = code.getattr(intern!(py, "co_filename"))?;
    let watcher = watch.watcher.bind(py);
    let kind: u32 = watcher
        .call_method1(intern!(py, "kind"), (name,))?
        .extract()?;
    let kind = match kind {
        0 => Kind::Own,
        1 => Kind::Library,
        2 => Kind::Asyncio,
        _ => Kind::Hidden,
    };
    watch
        .table()
        .classified(Place::of(frame), kind, code.unbind());
    Ok(kind)
}

/// Adds a place that is new.
#[cold]
fn add(watch: &Watch, frame: &Frame<'_>, own: bool) -> PyResult<u32> {
    let (code, place) = (frame.code(), Place::of(frame));
    let py = code.py();
    let watcher = watch.watcher.bind(py);
    let arguments = (code, place.offset);
    let object = watcher.call_method1(intern!(py, "Site"), arguments)?;
    Ok(watch.table().site(place, own, object.unbind()))
}
