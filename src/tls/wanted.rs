//! The exceptions that a session raises again and again.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use super::session::Direction;
use crate::python::method::discard;

/// The exceptions of `_ssl` that say that nothing can be moved now. The first of each is raised
/// by `_ssl` itself; asyncio has one after each read, which is why the others are made here.
pub(super) struct Wanted([PyOnceLock<Py<PyAny>>; 2]);

pub(super) static WANTED: Wanted = Wanted([const { PyOnceLock::new() }; 2]);

impl Wanted {
    pub(super) fn raise(&self, py: Python<'_>, direction: Direction) -> Option<PyErr> {
        let known = self.0[direction as usize].get(py)?.bind(py);
        let copy = || -> PyResult<PyErr> {
            let error = known
                .get_type()
                .call1(known.getattr("args")?.cast::<PyTuple>()?)?;
            for name in ["library", "reason"] {
                error.setattr(name, known.getattr(name)?)?;
            }
            Ok(PyErr::from_value(error))
        };
        Some(copy().unwrap_or_else(|error| error))
    }

    /// Keeps what `_ssl` has raised, without the traceback, if it is one of these.
    pub(super) fn learn(&self, py: Python<'_>, direction: Direction, error: &PyErr) {
        let name = match direction {
            Direction::Read => "SSLWantReadError",
            Direction::Write => "SSLWantWriteError",
        };
        let cell = &self.0[direction as usize];
        let keep = || -> PyResult<()> {
            let class = py.import("_ssl")?.getattr(name)?;
            let value = error.value(py);
            if cell.get(py).is_none() && value.get_type().is(&class) {
                let kept = class.call1(value.getattr("args")?.cast::<PyTuple>()?)?;
                for name in ["library", "reason"] {
                    kept.setattr(name, value.getattr(name)?)?;
                }
                cell.set(py, kept.unbind()).ok();
            }
            Ok(())
        };
        // It is raised all the same, and learned next time.
        if let Err(error) = keep() {
            discard(py, error);
        }
    }
}
