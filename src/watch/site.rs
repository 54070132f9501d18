//! The place in a program that a call is made from.

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

use super::Watch;

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

unsafe extern "C" {
    fn PyFrame_GetCode(frame: *mut ffi::PyFrameObject) -> *mut ffi::PyObject;
}

/// A frame: its code object, which it keeps alive, and how far it is in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) code: usize,
    pub(super) offset: i32,
}

impl Place {
    /// # Safety
    /// Attached; the frame is alive, and one that runs, in this thread.
    unsafe fn of(frame: *mut ffi::PyFrameObject) -> Self {
        // SAFETY: the caller's promise; the frame has a reference to its code.
        unsafe {
            let code = PyFrame_GetCode(frame);
            ffi::Py_DECREF(code);
            Place {
                code: code as usize,
                offset: ffi::PyFrame_GetLasti(frame),
            }
        }
    }

    /// The innermost frame of this thread that runs Python code.
    #[inline]
    pub(super) fn innermost(_py: Python<'_>) -> Option<Self> {
        // SAFETY: attached. The frame is borrowed and runs.
        unsafe {
            let frame = ffi::PyEval_GetFrame();
            (!frame.is_null()).then(|| Place::of(frame))
        }
    }
}

/// Finds the innermost place of the program's own, or of asyncio, which calls for many; where there
/// is none, the innermost of the standard library.
pub(super) fn find(py: Python<'_>, watch: &Watch) -> PyResult<u32> {
    // SAFETY: attached; borrowed or null.
    let frame = unsafe { ffi::PyEval_GetFrame() };
    // SAFETY: alive, as it runs; `frame` has references of its own from here on.
    let mut frame = unsafe { Bound::from_borrowed_ptr_or_opt(py, frame.cast()) };
    let mut first = None;
    while let Some(current) = frame {
        let raw = current.as_ptr().cast();
        // SAFETY: the frame is alive, and runs, as it called what runs.
        let place = unsafe { Place::of(raw) };
        let (known, kind) = watch.table().place(place);
        if let Some(site) = known {
            return Ok(site);
        }
        let kind = match kind {
            Some(kind) => kind,
            None => classify(py, watch, place)?,
        };
        if kind == Kind::Own {
            return add(py, watch, place, true);
        }
        if kind != Kind::Hidden {
            first = first.or(Some(place));
            if kind == Kind::Asyncio {
                break;
            }
        }
        // SAFETY: the frame is alive; a new reference, or null at the outermost.
        frame = unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyFrame_GetBack(raw).cast()) };
    }
    let Some(place) = first else {
        return Ok(NOWHERE);
    };
    let known = watch.table().fallback(place);
    known.map_or_else(|| add(py, watch, place, false), Ok)
}

/// Asks what sort of code it is, once for each code object.
#[cold]
fn classify(py: Python<'_>, watch: &Watch, place: Place) -> PyResult<Kind> {
    let code = code_of(py, place);
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
    watch.table().classified(place, kind, code.unbind());
    Ok(kind)
}

/// Adds a place that is new.
#[cold]
fn add(py: Python<'_>, watch: &Watch, place: Place, own: bool) -> PyResult<u32> {
    let watcher = watch.watcher.bind(py);
    let arguments = (code_of(py, place), place.offset);
    let object = watcher.call_method1(intern!(py, "Site"), arguments)?;
    Ok(watch.table().site(place, own, object.unbind()))
}

fn code_of(py: Python<'_>, place: Place) -> Bound<'_, PyAny> {
    // SAFETY: a frame that runs has it.
    unsafe { Bound::from_borrowed_ptr(py, place.code as *mut ffi::PyObject) }
}
