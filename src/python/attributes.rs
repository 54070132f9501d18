//! Look-ups of the package's attributes, some of which come when they are first asked for.

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFunction, PyModule, PyType};

use super::late;

/// Take the annotations off a function, or those of a class off its methods.
///
/// The names in them are there for type checkers only, so that ``typing.get_type_hints`` could not
/// resolve them; users have the stubs. The standard library's have none.
///
/// Args:
///     thing: a function or a class; anything else is left as it is.
///
/// Returns:
///     The same.
#[pyfunction]
#[pyo3(signature = (thing, /))]
pub(crate) fn without_annotations<'py>(thing: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = thing.py();
    let strip = |thing: &Bound<'py, PyAny>| match thing.cast_exact::<PyFunction>() {
        Ok(function) => function.setattr(intern!(py, "__annotations__"), PyDict::new(py)),
        Err(_) => Ok(()),
    };
    strip(&thing)?;
    if thing.is_instance_of::<PyType>() {
        let own = thing.getattr(intern!(py, "__dict__"))?;
        for value in own.call_method0(intern!(py, "values"))?.try_iter()? {
            let value = value?;
            strip(&value)?;
            let kind = value.get_type_ptr();
            let part = if kind == &raw mut ffi::PyProperty_Type {
                intern!(py, "fget")
            } else if kind == &raw mut ffi::PyStaticMethod_Type
                || kind == &raw mut ffi::PyClassMethod_Type
            {
                intern!(py, "__func__")
            } else {
                continue;
            };
            strip(&value.getattr(part)?)?;
        }
    }
    Ok(thing)
}

/// Have the public module fetch names when they are asked for, and all of them for ``vars``.
///
/// On 3.12 to 3.14 with the interpreter lock the names that are there get slots, see ``give_slots``.
///
/// Args:
///     namespace: the dictionary of the package.
#[pyfunction]
#[pyo3(signature = (namespace, /))]
pub(crate) fn make_lazy(namespace: &Bound<'_, PyDict>) -> PyResult<()> {
    let class = lazy_class(namespace.py())?;
    if !slots(namespace, namespace.keys().as_any(), Some(class))? {
        change(namespace, class)?;
    }
    Ok(())
}

/// Let the public module be a module as any other: every name is there.
///
/// Args:
///     namespace: the dictionary of the package.
#[pyfunction]
#[pyo3(signature = (namespace, /))]
pub(crate) fn complete(namespace: &Bound<'_, PyDict>) -> PyResult<()> {
    change(namespace, &namespace.py().get_type::<PyModule>())
}

/// Return a module's names, whatever its class does when it is asked for them.
///
/// Args:
///     module: the module.
#[pyfunction]
#[pyo3(signature = (module, /))]
pub(crate) fn namespace_of<'py>(module: &Bound<'py, PyModule>) -> Bound<'py, PyDict> {
    module.dict()
}

/// The class of the public module until every name is there.
fn lazy_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.get_or_try_init(py, || {
        let all = wrap_pyfunction!(fetch_all, py)?;
        let property = py.import("builtins")?.getattr("property")?.call1((all,))?;
        let body = PyDict::new(py);
        body.set_item("__dict__", property)?;
        body.set_item("__module__", "oxisock")?;
        let bases = (py.get_type::<PyModule>(),);
        let class = py.get_type::<PyType>().call1(("module", bases, body))?;
        Ok::<_, PyErr>(class.cast_into::<PyType>()?.unbind())
    })?;
    Ok(class.bind(py))
}

/// What its property ``__dict__`` gives.
#[pyfunction]
fn fetch_all<'py>(module: &Bound<'py, PyModule>) -> PyResult<Bound<'py, PyDict>> {
    let namespace = module.dict();
    late::module(module.py(), "oxisock._lazy")?
        .getattr("fetch_all")?
        .call1((&namespace,))?;
    Ok(namespace)
}

/// The modules of the interpreter, ``sys.modules``, whatever that name has now.
#[inline]
pub(crate) fn modules(py: Python<'_>) -> Borrowed<'_, '_, PyAny> {
    // SAFETY: borrowed, and alive as long as the interpreter.
    unsafe { Borrowed::from_ptr(py, ffi::PyImport_GetModuleDict()) }
}

fn change(namespace: &Bound<'_, PyDict>, class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = namespace.py();
    let modules = py.import(intern!(py, "sys"))?.getattr("modules")?;
    // A loader that was called by hand makes another one.
    if let Ok(module) = modules.get_item("oxisock")
        && let Ok(module) = module.cast::<PyModule>()
        && module.dict().is(namespace)
    {
        module.setattr(intern!(py, "__class__"), class)?;
    }
    Ok(())
}

/// Give more names of the package slots, so that the interpreter specialises look-ups of them.
///
/// Args:
///     namespace: the dictionary of the package.
///     names: an iterable of str.
///
/// Returns:
///     Whether the names have slots.
#[pyfunction]
#[pyo3(signature = (namespace, names, /))]
pub(crate) fn give_slots(
    namespace: &Bound<'_, PyDict>,
    names: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    slots(namespace, names, None)
}

/// Does so, after a first call has put another module in the package's place in ``sys.modules``,
/// of a class with that base and with the same dictionary.
fn slots(
    namespace: &Bound<'_, PyDict>,
    names: &Bound<'_, PyAny>,
    base: Option<&Bound<'_, PyType>>,
) -> PyResult<bool> {
    #[cfg(all(Py_3_12, not(Py_3_15), not(Py_GIL_DISABLED)))]
    return super::slots::give(namespace, names, base);
    #[cfg(not(all(Py_3_12, not(Py_3_15), not(Py_GIL_DISABLED))))]
    {
        let _ = (namespace, names, base);
        Ok(false)
    }
}
