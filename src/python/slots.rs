//! A module whose attributes are looked up at full speed although some come on demand.
//!
//! Before 3.15 the interpreter specialises look-ups in a module only where that is exactly a
//! `module` without a `__getattr__`, which costs each look-up 20 ns more. What it does specialise
//! there, `__getattr__` or not, is slots of a class. So the package becomes a module of a class of its own,
//! which has a slot for each name. The module's dictionary stays what counts: the slots follow it,
//! whoever writes there, and assignments to attributes go there.
//!
//! 3.11 specialises calls of what it finds in a slot neither, and from 3.15 on nothing of this is
//! needed.

use std::ffi::{CString, c_int, c_void};
use std::sync::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};

use pyo3::exceptions::PyMemoryError;
use pyo3::ffi::{self, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule, PyString, PyType};

use crate::python::method::discard;

/// How many names can have a slot: more than the package has names.
const SLOTS: usize = 2048;

/// The module with slots. There is one in the process, for ever: it takes no part in the search
/// for garbage with what the slots refer to, all of which is in its dictionary, too.
static PACKAGE: PyOnceLock<Package> = PyOnceLock::new();

struct Package {
    class: Py<PyType>,
    module: Py<PyAny>,
    namespace: Py<PyDict>,
    /// The index of each name's slot.
    slots: Py<PyDict>,
    /// How many are in use.
    used: AtomicUsize,
}

type WatchDict = unsafe extern "C" fn(c_int, *mut PyObject, *mut PyObject, *mut PyObject) -> c_int;

unsafe extern "C" {
    fn PyDict_AddWatcher(callback: WatchDict) -> c_int;
    fn PyDict_Watch(watcher: c_int, dict: *mut PyObject) -> c_int;
}

/// What a dictionary's watcher is told: `PyDict_WatchEvent`.
const ADDED: c_int = 0;
const MODIFIED: c_int = 1;
const DELETED: c_int = 2;
const CLONED: c_int = 3;
const CLEARED: c_int = 4;

/// Gives names of the package slots, after it has given the package a module with slots; false
/// where that cannot be.
pub(super) fn give(
    namespace: &Bound<'_, PyDict>,
    names: &Bound<'_, PyAny>,
    base: Option<&Bound<'_, PyType>>,
) -> PyResult<bool> {
    let py = namespace.py();
    if PACKAGE.get(py).is_none()
        && let Some(base) = base
        && let Some(package) = Package::new(namespace, base)?
    {
        PACKAGE.get_or_init(py, || package);
    }
    let package = PACKAGE.get(py);
    // Another one where the package was imported anew.
    let Some(package) = package.filter(|package| namespace.is(&package.namespace)) else {
        return Ok(false);
    };
    for name in names.try_iter()? {
        let name = name?;
        let name = name.cast::<PyString>()?;
        if !name.to_str()?.starts_with("__") {
            package.add(name)?;
        }
    }
    Ok(true)
}

impl Package {
    /// Makes the module and has its dictionary watched; None where that cannot be.
    fn new(namespace: &Bound<'_, PyDict>, base: &Bound<'_, PyType>) -> PyResult<Option<Self>> {
        let py = namespace.py();
        let name = namespace.get_item(intern!(py, "__name__"))?;
        let modules = py.import(intern!(py, "sys"))?.getattr("modules")?;
        let Ok(before) = modules.get_item(&name) else {
            return Ok(None); // made without `sys.modules`, as by a loader that was called by hand
        };
        let before = before.cast_into::<PyModule>();
        if !before.is_ok_and(|module| module.dict().is(namespace)) {
            return Ok(None);
        }
        // SAFETY: attached. There are eight watchers for all; without one it goes the slower way.
        let watcher = unsafe { PyDict_AddWatcher(follow) };
        if watcher < 0 {
            drop(PyErr::take(py));
            return Ok(None);
        }
        let class = make_class(base)?;
        // SAFETY: the class is a subclass of `module`, which makes the object as it makes its own.
        let module = unsafe {
            let new = ffi::PyModule_Type
                .tp_new
                .ok_or_else(|| PyMemoryError::new_err(()))?;
            let module = new(
                class.as_type_ptr(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            );
            Bound::from_owned_ptr_or_err(py, module)?
        };
        class.setattr(
            intern!(py, "__getattribute__"),
            py.get_type::<PyAny>().getattr("__getattribute__")?,
        )?;
        // The module's own: a static method, as it takes the name alone.
        let on_demand = namespace.as_any().get_item(intern!(py, "__getattr__"))?;
        let plain = py
            .import(intern!(py, "builtins"))?
            .getattr("staticmethod")?;
        class.setattr(intern!(py, "__getattr__"), plain.call1((on_demand,))?)?;
        let package = Package {
            class: class.unbind(),
            module: module.clone().unbind(),
            namespace: namespace.clone().unbind(),
            slots: PyDict::new(py).unbind(),
            used: AtomicUsize::new(0),
        };
        // SAFETY: both are alive; the dictionary of a module is a pointer in it.
        let failed = unsafe {
            ffi::PyObject_GenericSetDict(module.as_ptr(), namespace.as_ptr(), std::ptr::null_mut())
                != 0
                || PyDict_Watch(watcher, namespace.as_ptr()) != 0
        };
        if failed {
            return Err(PyErr::fetch(py));
        }
        modules.set_item(name, module)?;
        Ok(Some(package))
    }

    /// Gives a name a slot.
    fn add(&self, name: &Bound<'_, PyString>) -> PyResult<()> {
        let py = name.py();
        let slots = self.slots.bind(py);
        let index = self.used.load(Relaxed);
        if index == SLOTS || slots.contains(name)? {
            return Ok(());
        }
        let member = Box::new(ffi::PyMemberDef {
            name: CString::new(name.to_str()?)?.into_raw(),
            type_code: ffi::Py_T_OBJECT_EX,
            offset: (first_slot() + index * size_of::<Slot>()) as ffi::Py_ssize_t,
            ..Default::default()
        });
        let class = self.class.bind(py);
        // SAFETY: the object is large enough for the slot; the definition is never freed.
        let descriptor = unsafe {
            let new = ffi::PyDescr_NewMember(class.as_type_ptr(), Box::into_raw(member));
            Bound::from_owned_ptr_or_err(py, new)?
        };
        slots.set_item(name, index)?;
        self.used.store(index + 1, Relaxed);
        if let Some(value) = self.namespace.bind(py).get_item(name)? {
            self.store(py, index, value.as_ptr());
        }
        class.setattr(name, descriptor)
    }

    /// Puts a value, or none, into a slot.
    fn store(&self, _py: Python<'_>, index: usize, value: *mut PyObject) {
        // SAFETY: the object has been made with that many slots. Each owns what it refers to, which
        // the dictionary, too, owns while this is called: nothing comes to its end here.
        unsafe {
            let slot = self.module.as_ptr().byte_add(first_slot()).cast::<Slot>();
            ffi::Py_XINCREF(value);
            ffi::Py_XDECREF((*slot.add(index)).swap(value, SeqCst));
        }
    }

    /// Does to the slots what is about to be done to the dictionary.
    fn follow(
        &self,
        py: Python<'_>,
        event: c_int,
        key: *mut PyObject,
        value: *mut PyObject,
    ) -> PyResult<()> {
        match event {
            ADDED | MODIFIED | DELETED => {
                // SAFETY: the key is alive.
                let key = unsafe { Borrowed::from_ptr(py, key) };
                if let Some(index) = self.slots.bind(py).get_item(key)? {
                    self.store(py, index.extract()?, value);
                }
            }
            CLEARED => {
                for index in 0..self.used.load(Relaxed) {
                    self.store(py, index, std::ptr::null_mut());
                }
            }
            CLONED => {
                // SAFETY: the dictionary that it becomes a copy of, which is alive.
                let other = unsafe { Borrowed::from_ptr(py, key) };
                for (key, value) in other.cast::<PyDict>()?.iter() {
                    self.follow(py, ADDED, key.as_ptr(), value.as_ptr())?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

type Slot = AtomicPtr<PyObject>;

/// Where in the object the slots begin.
fn first_slot() -> usize {
    // SAFETY: the type is static, and is ready before any module is there.
    unsafe { ffi::PyModule_Type.tp_basicsize as usize }
}

/// The class, whose name is the one of all modules in messages.
fn make_class<'py>(base: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyType>> {
    // One terminates the list.
    let methods = Box::leak(Box::new([ffi::PyMethodDef::zeroed(); 2]));
    methods[0] = ffi::PyMethodDef {
        ml_name: c"__reduce__".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunction: reduce,
        },
        ml_flags: ffi::METH_NOARGS,
        ml_doc: c"Pickle the module by its name.".as_ptr(),
    };
    let mut slots = [
        ffi::PyType_Slot {
            slot: ffi::Py_tp_setattro,
            pfunc: set_attribute as *mut c_void,
        },
        ffi::PyType_Slot {
            slot: ffi::Py_tp_methods,
            pfunc: methods.as_mut_ptr().cast(),
        },
        ffi::PyType_Slot::default(),
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"oxisock.module".as_ptr(),
        basicsize: (first_slot() + SLOTS * size_of::<Slot>()) as c_int,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as u32,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: what the specification refers to is copied, or static, or leaked above.
    unsafe {
        let class = ffi::PyType_FromSpecWithBases(&raw mut spec, base.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(base.py(), class)?.cast_into_unchecked())
    }
}

/// The watcher: called attached, before the dictionary changes, with whatever exception is under way.
unsafe extern "C" fn follow(
    event: c_int,
    dict: *mut PyObject,
    key: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: the interpreter calls it attached; the exception, if there is one, is put back.
    unsafe {
        let py = Python::assume_attached();
        let package = PACKAGE.get(py);
        if let Some(package) = package.filter(|package| package.namespace.as_ptr() == dict) {
            let under_way = ffi::PyErr_GetRaisedException();
            if let Err(error) = package.follow(py, event, key, value) {
                discard(py, error);
            }
            ffi::PyErr_SetRaisedException(under_way);
        }
    }
    0
}

/// `tp_setattro`: what has a slot is assigned to in the dictionary, and the slot follows.
unsafe extern "C" fn set_attribute(
    module: *mut PyObject,
    name: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: called attached, with objects that are alive, or no value.
    unsafe {
        let py = Python::assume_attached();
        if let Some(package) = PACKAGE.get(py)
            && ffi::PyDict_Contains(package.slots.as_ptr(), name) == 1
        {
            let namespace = package.namespace.as_ptr();
            if !value.is_null() {
                return ffi::PyDict_SetItem(namespace, name, value);
            }
            if ffi::PyDict_Contains(namespace, name) == 1 {
                return ffi::PyDict_DelItem(namespace, name);
            }
        }
        // Also for a name that is missing: the slot has the right exception.
        ffi::PyErr_Clear();
        ffi::PyObject_GenericSetAttr(module, name, value)
    }
}

/// `__reduce__`: picklers that know modules know them by their exact class.
unsafe extern "C" fn reduce(module: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: called attached, with the module.
    unsafe {
        let py = Python::assume_attached();
        let by_name = || {
            let import = py
                .import(intern!(py, "importlib"))?
                .getattr("import_module")?;
            let name = Borrowed::from_ptr(py, module).getattr(intern!(py, "__name__"))?;
            (import, (name,)).into_pyobject(py)
        };
        match by_name() {
            Ok(result) => result.into_ptr(),
            Err(error) => {
                error.restore(py);
                std::ptr::null_mut()
            }
        }
    }
}
