//! Modules that are imported when they are first needed, and need no file then.
//!
//! A program may have left the file system by then (chroot(2)), its rights to read it, or its last
//! free descriptor. So the sources of the package's own modules are in this library, too, and those of
//! the interpreter are mapped when it is loaded. They are used only where the usual import fails.

use std::ffi::CString;

use pyo3::exceptions::{PyImportError, PyOSError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use super::make;
use super::plain::Plain;
use super::thread::protect;
use crate::sys;

macro_rules! ours {
    ($($name:literal),* $(,)?) => {
        [$((
            concat!("oxisock.", $name),
            include_str!(concat!("../../python/oxisock/", $name, ".py")),
        )),*]
    };
}

/// The modules of the package that may be imported late: their names and sources.
const OURS: [(&str, &str); 9] = ours![
    "_descriptors",
    "_enums",
    "_errors",
    "_files",
    "_functions",
    "_install",
    "_lazy",
    "_peers",
    "_sendfile",
];

/// Imports what is held.
const FINDER: &str = include_str!("../../python/oxisock/_held.py");

/// What ours import that is neither built in nor in memory in every interpreter: `enum` and
/// `collections`, and what these import in turn. Their names, and their files.
const THEIRS: [(&str, &str); 7] = [
    ("collections", "collections/__init__.py"),
    ("enum", "enum.py"),
    ("functools", "functools.py"),
    ("keyword", "keyword.py"),
    ("operator", "operator.py"),
    ("reprlib", "reprlib.py"),
    ("types", "types.py"),
];

/// What is held of a module of the interpreter.
enum Held {
    /// Its file, and where that is.
    Source(String, sys::MappedFile),
    /// How to load it; its library is in memory.
    Library(Py<PyAny>),
}

static HELD: PyOnceLock<Vec<(&str, Held)>> = PyOnceLock::new();

/// Holds what the package may import of the interpreter later.
pub(crate) fn hold(py: Python<'_>) -> PyResult<()> {
    let os = py.import(intern!(py, "os"))?;
    let file = os.getattr(intern!(py, "__file__")).ok();
    let file = file.and_then(|file| file.extract::<String>().ok());
    let directory = file.as_deref().and_then(|file| file.strip_suffix("os.py"));
    let sys = py.import(intern!(py, "sys"))?;
    let modules = sys.getattr(intern!(py, "modules"))?;
    let mut held = Vec::with_capacity(THEIRS.len() + 1);
    for (name, file) in THEIRS {
        if modules.contains(name)? {
            continue;
        }
        // The one directory of the standard library, without asking each finder for each module.
        let origin = directory.map(|directory| format!("{directory}{file}"));
        let mapped = origin.and_then(|origin| {
            let file = sys::MappedFile::open(&origin).ok()?;
            Some(Held::Source(origin, file))
        });
        match mapped {
            Some(mapped) => held.push((name, mapped)),
            // In an archive, or without its source.
            None => drop(py.import(name)?),
        }
    }
    // For the classes of its exceptions.
    let name = "_socket";
    if !modules.contains(name)? {
        match library(&sys, name)? {
            Some(spec) => held.push((name, Held::Library(spec.unbind()))),
            None => drop(py.import(name)?),
        }
    }
    HELD.get_or_init(py, || held);
    Ok(())
}

/// Loads the library of a module, without making the module.
fn library<'py>(sys: &Bound<'py, PyModule>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = sys.py();
    for finder in sys.getattr(intern!(py, "meta_path"))?.try_iter()? {
        let spec = finder?.call_method1(intern!(py, "find_spec"), (name, py.None()))?;
        if spec.is_none() {
            continue;
        }
        if !spec.getattr(intern!(py, "has_location"))?.is_truthy()? {
            return Ok(None);
        }
        let path: String = spec.getattr(intern!(py, "origin"))?.extract()?;
        let kept = CString::new(path).is_ok_and(|path| sys::keep_library(&path));
        return Ok(kept.then_some(spec));
    }
    Ok(None)
}

/// Return what is held of a module.
///
/// Args:
///     name: its full name.
///
/// Returns:
///     Where its file is and what is in it, or the spec of a module whose library is in memory, or
///     None. The place is empty for a module of the package.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn held<'py>(py: Python<'py>, name: Plain<&str>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let name = name.0;
    let pair = |origin: &str, source: &[u8]| {
        let pair = make::tuple!(py, origin, make::bytes(py, source)?)?;
        Ok(Some(pair.into_any()))
    };
    if let Some((_, source)) = OURS.iter().find(|(ours, _)| *ours == name) {
        return pair("", source.as_bytes());
    }
    let theirs = HELD.get(py).map_or(&[][..], Vec::as_slice);
    match theirs.iter().find(|(theirs, _)| *theirs == name) {
        None => Ok(None),
        Some((_, Held::Library(spec))) => Ok(Some(spec.bind(py).clone())),
        Some((_, Held::Source(origin, file))) => pair(origin, &file.to_vec()),
    }
}

/// Return a module, which is imported unless it was before.
///
/// Args:
///     name: its full name.
///
/// Raises:
///     ImportError: there is no such module, or it cannot be read and is not held either.
///     OSError: likewise, where no descriptor is left.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn load<'py>(py: Python<'py>, name: Plain<&str>) -> PyResult<Bound<'py, PyModule>> {
    module(py, name.0)
}

/// The module of that name.
pub(crate) fn module<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyModule>> {
    protect();
    let name = make::text(py, name)?;
    match py.import(&name) {
        Err(error)
            if error.is_instance_of::<PyImportError>(py)
                || error.is_instance_of::<PyOSError>(py) =>
        {
            finder(py)?
                .getattr(intern!(py, "import_held"))?
                .call1((name,))?
                .cast_into()
                .map_err(Into::into)
        }
        result => result,
    }
}

fn finder(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    match py.import(intern!(py, "oxisock._held")) {
        Ok(module) => Ok(module),
        Err(_) => {
            let source = CString::new(FINDER)?;
            PyModule::from_code(py, &source, c"_held.py", c"oxisock._held")
        }
    }
}

/// A class of such a module, which is kept in `cell`.
pub(crate) fn class<'py>(
    py: Python<'py>,
    cell: &PyOnceLock<Py<PyType>>,
    name: &str,
    class: &str,
) -> PyResult<Bound<'py, PyType>> {
    let found = cell.get_or_try_init(py, || {
        let class = module(py, name)?.getattr(class)?;
        Ok::<_, PyErr>(class.cast_into::<PyType>()?.unbind())
    })?;
    Ok(found.bind(py).clone())
}
