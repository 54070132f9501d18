//! The attributes of `_ssl`'s session object that the engine leaves to it.

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::session::TlsSession;
use crate::python::error::exception;
use crate::python::method::quicken;

/// Gives our class the attributes of the one whose place it takes, once: descriptors and no
/// look-up hook, with which each look-up of any attribute would be a slow one.
pub(super) fn complete(genuine: &Bound<'_, PyType>) -> PyResult<()> {
    static DONE: PyOnceLock<()> = PyOnceLock::new();
    let py = genuine.py();
    DONE.get_or_try_init(py, || {
        let class = pyo3::class::<TlsSession>(py)?;
        let own = class.getattr(intern!(py, "__dict__"))?;
        for name in genuine
            .getattr(intern!(py, "__dict__"))?
            .call_method0(intern!(py, "keys"))?
            .try_iter()?
        {
            let name: Bound<'_, PyString> = name?.extract()?;
            if !name.to_cow()?.starts_with("__") && !own.contains(&name)? {
                let member = Member {
                    name: name.clone().unbind(),
                };
                class.setattr(&name, pyo3::object(py, member)?)?;
            }
        }
        quicken::<TlsSession>(&class)
    })
    .copied()
}

/// An attribute of `_ssl`'s object.
#[pyclass(frozen, module = "oxisock._socket", name = "TLSMember")]
struct Member {
    name: Py<PyString>,
}

#[pymethods]
impl Member {
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        session: Option<&Bound<'py, TlsSession>>,
        _class: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Some(session) = session else {
            return Ok(slf.clone().into_any());
        };
        let name = &slf.get().name;
        let value = session.get().genuine(py).getattr(name)?;
        if !value.is_callable() {
            return Ok(value);
        }
        let method = Delegated {
            session: session.clone().unbind(),
            name: name.clone_ref(py),
        };
        Ok(pyo3::object(py, method)?.into_any())
    }

    fn __set__(&self, session: &Bound<'_, TlsSession>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = session.py();
        session
            .get()
            .alone(py, |genuine| genuine.setattr(&self.name, value))
    }

    /// `_ssl` itself crashes on this.
    fn __delete__(&self, session: &Bound<'_, TlsSession>) -> PyResult<()> {
        let name = self.name.bind(session.py());
        Err(exception::<PyAttributeError>(format!(
            "attribute '{name}' of a TLS session cannot be deleted"
        )))
    }
}

/// A method of `_ssl`'s object, called with nobody else inside the session.
#[pyclass(frozen, module = "oxisock._socket", name = "TLSMethod")]
pub(super) struct Delegated {
    session: Py<TlsSession>,
    name: Py<PyString>,
}

#[pymethods]
impl Delegated {
    #[pyo3(signature = (*args, **keywords))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        let name = self.name.bind(py);
        self.session
            .get()
            .delegate(py, |genuine| genuine.call_method(name, args, keywords))
    }
}
