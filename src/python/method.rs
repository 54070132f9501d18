//! Methods and functions that do next to nothing, without PyO3's way to them.
//!
//! PyO3 counts every call in and out in thread-local storage and takes the arguments in a
//! general form. Nobody notices those 60 to 150 instructions beside a system call, but they are
//! more than all the work of some methods. Those are declared as all others are, docstring and
//! signature included, and get a second entry point, a plain C function as the interpreter's own
//! are. [`inherit`] and [`add`] put it in the place of PyO3's.
//!
//! PyO3 does not know that it is attached there: what it would let go of, the parts of a `PyErr`
//! above all, it would put off until the next call that it knows of. So no `PyErr` is dropped on
//! these ways, see [`discard`].

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pyo3::PyClass;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyMethodDef, PyMethodDefPointer, PyObject};
use pyo3::intern;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::{PyCFunction, PyDict, PyModule, PyString, PyTuple, PyType};

use crate::python::args;
use crate::python::error::exception;
use crate::python::make::{self, Make};

/// A second entry point of a method, an attribute or a function.
pub(crate) struct Fast {
    pub(crate) name: &'static str,
    pub(crate) entry: Entry,
}

/// The C functions of each kind.
pub(crate) enum Entry {
    NoArguments(ffi::PyCFunction),
    OneArgument(ffi::PyCFunction),
    Positional(ffi::PyCFunctionFast),
    Getter(ffi::getter),
}

/// A native class whose methods a class in Python gets copies of.
pub(crate) trait Inherited: PyClass {
    /// The entry points that are put in the place of PyO3's.
    const FAST: &'static [Fast] = &[];
}

/// The entry point of a method without arguments, `|&bound| -> PyResult<_>`.
macro_rules! no_arguments {
    ($class:ty, $name:ident, $call:expr) => {{
        unsafe extern "C" fn call(
            slf: *mut pyo3::ffi::PyObject,
            _: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: called attached, by a descriptor, which checks the type.
            unsafe { $crate::python::method::on::<$class, _>(slf, $call) }
        }
        $crate::python::method::Fast {
            name: stringify!($name),
            entry: $crate::python::method::Entry::NoArguments(call),
        }
    }};
}

/// The entry point of a method with one argument, `|&bound, &argument| -> PyResult<_>`.
macro_rules! one_argument {
    ($class:ty, $name:ident, $call:expr) => {{
        unsafe extern "C" fn call(
            slf: *mut pyo3::ffi::PyObject,
            argument: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: called attached, by a descriptor, which checks the type, with an argument
            // that is alive.
            unsafe {
                $crate::python::method::on::<$class, _>(slf, |object| {
                    $call(object, &pyo3::Borrowed::from_ptr(object.py(), argument))
                })
            }
        }
        $crate::python::method::Fast {
            name: stringify!($name),
            entry: $crate::python::method::Entry::OneArgument(call),
        }
    }};
}

/// The entry point of a method with positional arguments, `|&bound, &arguments| -> PyResult<_>`.
macro_rules! positional {
    ($class:ty, $name:ident, $call:expr) => {{
        unsafe extern "C" fn call(
            slf: *mut pyo3::ffi::PyObject,
            arguments: *mut *mut pyo3::ffi::PyObject,
            count: pyo3::ffi::Py_ssize_t,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: called attached, by a descriptor, which checks the type, with that many
            // arguments that are alive.
            unsafe {
                let arguments = $crate::python::method::Arguments::new(arguments, count);
                $crate::python::method::on::<$class, _>(slf, |object| $call(object, &arguments))
            }
        }
        $crate::python::method::Fast {
            name: stringify!($name),
            entry: $crate::python::method::Entry::Positional(call),
        }
    }};
}

/// The entry point of a read-only attribute, `|&bound| -> PyResult<_>`.
macro_rules! getter {
    ($class:ty, $name:ident, $call:expr) => {{
        unsafe extern "C" fn call(
            slf: *mut pyo3::ffi::PyObject,
            _: *mut std::ffi::c_void,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: called attached, by a descriptor, which checks the type.
            unsafe { $crate::python::method::on::<$class, _>(slf, $call) }
        }
        $crate::python::method::Fast {
            name: stringify!($name),
            entry: $crate::python::method::Entry::Getter(call),
        }
    }};
}

/// The entry point of a module's function of no argument, `|| -> PyResult<_>`, of one,
/// `|&argument| -> PyResult<_>`, or of several, `positional |&arguments| -> PyResult<_>`.
macro_rules! function {
    ($name:ident, || $call:expr) => {{
        unsafe extern "C" fn call(
            _: *mut pyo3::ffi::PyObject,
            _: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter calls this attached.
            let py = unsafe { pyo3::Python::assume_attached() };
            $crate::python::method::returned(py, || $call)
        }
        $crate::python::method::Fast {
            name: stringify!($name),
            entry: $crate::python::method::Entry::NoArguments(call),
        }
    }};
    ($name:ident, positional $call:expr) => {{
        unsafe extern "C" fn call(
            _: *mut pyo3::ffi::PyObject,
            arguments: *mut *mut pyo3::ffi::PyObject,
            count: pyo3::ffi::Py_ssize_t,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter calls this attached, with that many arguments that are alive.
            let arguments = unsafe { $crate::python::method::Arguments::new(arguments, count) };
            $crate::python::method::returned(arguments.py(), || $call(&arguments))
        }
        $crate::python::method::Fast {
            name: stringify!($name),
            entry: $crate::python::method::Entry::Positional(call),
        }
    }};
    ($name:ident, |$argument:ident| $call:expr) => {{
        unsafe extern "C" fn call(
            _: *mut pyo3::ffi::PyObject,
            argument: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            let argument = {
                // SAFETY: the interpreter calls this attached, with an argument that is alive.
                unsafe { pyo3::Borrowed::from_ptr(pyo3::Python::assume_attached(), argument) }
            };
            let $argument: &pyo3::Bound<'_, pyo3::PyAny> = &argument;
            $crate::python::method::returned(argument.py(), || $call)
        }
        $crate::python::method::Fast {
            name: stringify!($name),
            entry: $crate::python::method::Entry::OneArgument(call),
        }
    }};
}

pub(crate) use {function, getter, no_arguments, one_argument, positional};

/// Positional arguments as the interpreter passes them.
pub(crate) struct Arguments<'py> {
    first: *mut *mut PyObject,
    count: usize,
    py: Python<'py>,
}

impl<'py> Arguments<'py> {
    /// # Safety
    /// Attached to the interpreter; `count` objects stand at `first`, alive during the call.
    #[inline]
    pub(crate) unsafe fn new(first: *mut *mut PyObject, count: ffi::Py_ssize_t) -> Self {
        // SAFETY: the caller's promise.
        let py = unsafe { Python::assume_attached() };
        Arguments {
            first,
            count: count as usize,
            py,
        }
    }

    #[inline]
    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// All of them.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[Bound<'py, PyAny>] {
        if self.count == 0 {
            return &[];
        }
        // SAFETY: that many stand there, alive as long as this is; a `Bound` is its pointer alone.
        unsafe { std::slice::from_raw_parts(self.first.cast(), self.count) }
    }

    /// The one argument that may be there.
    #[inline]
    pub(crate) fn at_most_one(&self, name: &str) -> PyResult<Option<Borrowed<'_, 'py, PyAny>>> {
        match self.count {
            0 | 1 => Ok(self.get(0)),
            count => Err(exception::<PyTypeError>(format!(
                "{name}() takes at most 1 argument ({count} given)"
            ))),
        }
    }

    /// All of them, of which there have to be that many.
    #[inline]
    pub(crate) fn exactly<const N: usize>(
        &self,
        name: &str,
    ) -> PyResult<[Borrowed<'_, 'py, PyAny>; N]> {
        if self.count != N {
            return Err(wrong_number(name, N, self.count));
        }
        // SAFETY: the count says that they are there.
        Ok(std::array::from_fn(|index| unsafe {
            Borrowed::from_ptr(self.py, *self.first.add(index))
        }))
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<Borrowed<'_, 'py, PyAny>> {
        // SAFETY: the count says that it is there.
        (index < self.count).then(|| unsafe { Borrowed::from_ptr(self.py, *self.first.add(index)) })
    }

    /// Calls what takes any arguments, see [`generally`].
    #[cold]
    pub(crate) fn generally<T>(
        &self,
        call: impl FnOnce(&Bound<'_, PyTuple>) -> PyResult<T>,
    ) -> PyResult<T> {
        generally(self.py, |py| {
            let all = (0..self.count).filter_map(|index| self.get(index));
            let all: Vec<_> = all.map(|argument| argument.to_owned()).collect();
            call(&make::tuple_from(py, all)?)
        })
    }

    /// The one argument that has to be there, and the number that may stand behind it.
    #[inline(always)]
    pub(crate) fn one_and_flags(&self, name: &str) -> PyResult<(Borrowed<'_, 'py, PyAny>, i32)> {
        // SAFETY: the count says that they are there.
        let at = |index| unsafe { Borrowed::from_ptr(self.py, *self.first.add(index)) };
        match self.count {
            1 => Ok((at(0), 0)),
            2 => Ok((at(0), args::int(&at(1))?)),
            count => Err(wrong_count(name, count)),
        }
    }
}

/// Does what is rare and need not be fast, with PyO3 knowing that it is attached: `PyErr`s may be
/// dropped there.
#[cold]
pub(crate) fn generally<T>(
    py: Python<'_>,
    call: impl FnOnce(Python<'_>) -> PyResult<T>,
) -> PyResult<T> {
    let mut call = Some(call);
    let mut done = Python::try_attach(|py| call.take().map(|call| call(py))).flatten();
    // While the interpreter ends there is no attaching.
    if let Some(call) = call {
        done = Some(call(py));
    }
    done.unwrap_or_else(|| Err(PanicException::new_err("nothing was called")))
}

#[cold]
fn wrong_count(name: &str, count: usize) -> PyErr {
    exception::<PyTypeError>(format!(
        "{name}() takes 1 or 2 positional arguments but {count} were given"
    ))
}

#[cold]
fn wrong_number(name: &str, wanted: usize, given: usize) -> PyErr {
    exception::<PyTypeError>(format!("{name}() takes {wanted} arguments ({given} given)"))
}

/// # Safety
/// Attached to the interpreter; the object is alive and of the class.
#[inline(always)]
pub(crate) unsafe fn on<'py, C, T>(
    slf: *mut PyObject,
    call: impl FnOnce(&Bound<'py, C>) -> PyResult<T>,
) -> *mut PyObject
where
    C: PyClass<Frozen = True> + Sync,
    T: Make<'py>,
{
    // SAFETY: the caller's promise.
    unsafe {
        let slf = Borrowed::from_ptr(Python::assume_attached(), slf);
        let object = slf.cast_unchecked::<C>();
        returned(slf.py(), || call(&object))
    }
}

/// The result as the interpreter wants it: a new reference, or null and an exception. A panic
/// becomes one, as PyO3 would make it.
#[inline(always)]
pub(crate) fn returned<'py, T: Make<'py>>(
    py: Python<'py>,
    call: impl FnOnce() -> PyResult<T>,
) -> *mut PyObject {
    let make = || call()?.make(py);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)) {
        Ok(Ok(object)) => object.into_ptr(),
        Ok(Err(error)) => raised(py, error),
        Err(_) => raised(py, PanicException::new_err("a panic in the native module")),
    }
}

#[cold]
#[inline(never)]
fn raised(py: Python<'_>, error: PyErr) -> *mut PyObject {
    restore(py, error);
    std::ptr::null_mut()
}

/// Lets go of an error that is not to be raised, and of all that its traceback holds, at once.
#[cold]
pub(crate) fn discard(py: Python<'_>, error: PyErr) {
    restore(py, error);
    // SAFETY: attached, as `py` says.
    unsafe { ffi::PyErr_Clear() };
}

/// Gives the interpreter all that the error has.
fn restore(py: Python<'_>, error: PyErr) {
    // PyO3 has to know that it is attached: making the exception out of its parts lets go of
    // these, which would be put off else until the next call that it knows of.
    let mut error = Some(error);
    Python::try_attach(|py| error.take().map(|error| error.restore(py)));
    // While the interpreter ends there is no attaching, and nobody minds what is put off.
    if let Some(error) = error {
        error.restore(py);
    }
}

/// An object of a class, made without its ``__init__``.
pub(crate) fn blank<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    // SAFETY: the class is alive, and the call gets a tuple, which may be empty; the result is a new
    // reference or an exception.
    unsafe {
        let new = (*class.as_type_ptr())
            .tp_new
            .ok_or_else(|| exception::<PyTypeError>("class without __new__"))?;
        let object = new(
            class.as_type_ptr(),
            PyTuple::empty(py).as_ptr(),
            std::ptr::null_mut(),
        );
        Bound::from_owned_ptr_or_err(py, object)
    }
}

/// What a class has by that name, whatever its metaclass hands out in the place of it.
pub(crate) fn attribute<'py>(
    class: &Bound<'py, PyType>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the interpreter's class of classes has the function; both objects are alive, and the
    // call returns a new reference or sets an exception.
    unsafe {
        let get = ffi::PyType_Type.tp_getattro;
        let get = get.ok_or_else(|| exception::<PyTypeError>("no attributes of classes"))?;
        Bound::from_owned_ptr_or_err(class.py(), get(class.as_ptr(), name.as_ptr()))
    }
}

/// A number that a class has until it is changed, or a base of it; 0 where it has none.
pub(crate) fn class_version(class: &Bound<'_, PyType>) -> u32 {
    // SAFETY: the class is alive, and nobody writes to the number but by one store.
    unsafe {
        let version = &raw mut (*class.as_type_ptr()).tp_version_tag;
        AtomicU32::from_ptr(version).load(Relaxed)
    }
}

/// Whether both are methods of native classes, and one a copy of the other.
pub(crate) fn same_native(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> bool {
    // Copies have another definition, and the same name in it.
    let definition = |method: &Bound<'_, PyAny>| {
        // SAFETY: the type is one of the interpreter's own, which live for ever.
        let is_method = method.get_type_ptr() == (&raw mut ffi::PyMethodDescr_Type);
        // SAFETY: the object is of exactly the type whose layout this is.
        is_method.then(|| unsafe {
            let definition = (*method.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method;
            (*definition).ml_name
        })
    };
    definition(one).is_some_and(|name| definition(other) == Some(name))
}

/// A definition with another entry point.
fn with_entry(definition: &PyMethodDef, entry: &Entry) -> Option<PyMethodDef> {
    let (pointer, flags) = match *entry {
        Entry::NoArguments(call) => (PyMethodDefPointer { PyCFunction: call }, ffi::METH_NOARGS),
        Entry::OneArgument(call) => (PyMethodDefPointer { PyCFunction: call }, ffi::METH_O),
        Entry::Positional(call) => (
            PyMethodDefPointer {
                PyCFunctionFast: call,
            },
            ffi::METH_FASTCALL,
        ),
        Entry::Getter(_) => return None,
    };
    Some(PyMethodDef {
        ml_name: definition.ml_name,
        ml_meth: pointer,
        ml_flags: flags,
        ml_doc: definition.ml_doc,
    })
}

/// Puts functions into a module, with second entry points where there are some.
///
/// They are made anew of their definitions, as those of a module in C are: what the interpreter
/// makes itself needs no count of references without the interpreter lock.
pub(crate) fn add(
    module: &Bound<'_, PyModule>,
    functions: &[Bound<'_, PyCFunction>],
    entries: &[&[Fast]],
) -> PyResult<()> {
    let mut definitions = Vec::with_capacity(functions.len() + 1);
    let mut swapped = 0;
    for function in functions {
        // SAFETY: the object is of that type, and its definition lives for ever, its name with it.
        let (definition, name) = unsafe {
            let definition = &*(*function.as_ptr().cast::<ffi::PyCFunctionObject>()).m_ml;
            (definition, CStr::from_ptr(definition.ml_name))
        };
        let mut entries = entries.iter().copied().flatten();
        let fast = entries.find(|fast| name.to_bytes() == fast.name.as_bytes());
        let other = fast.and_then(|fast| with_entry(definition, &fast.entry));
        swapped += usize::from(other.is_some());
        definitions.push(other.unwrap_or(*definition));
    }
    debug_assert_eq!(
        swapped,
        entries.iter().map(|entries| entries.len()).sum::<usize>(),
        "an entry point without its function"
    );
    definitions.push(PyMethodDef::zeroed());
    let definitions = Box::leak(definitions.into_boxed_slice());
    // SAFETY: the definitions live for ever, and the one of zeros ends them.
    let failed = unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), definitions.as_mut_ptr()) };
    match failed {
        0 => Ok(()),
        _ => Err(PyErr::fetch(module.py())),
    }
}

/// Puts the second entry points of a native class's own methods in the place of PyO3's, for a class
/// whose objects are never of a subclass.
pub(crate) fn quicken<C: Inherited>(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    for fast in C::FAST {
        let value = class.getattr(fast.name)?;
        // SAFETY: as in `inherit`.
        let swapped = unsafe {
            if value.get_type_ptr() != &raw mut ffi::PyMethodDescr_Type {
                continue;
            }
            let definition = (*value.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method;
            let Some(definition) = with_entry(&*definition, &fast.entry) else {
                continue;
            };
            // The interpreter keeps it for ever.
            let definition = Box::into_raw(Box::new(definition));
            let swapped = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
            Bound::from_owned_ptr_or_err(py, swapped)?
        };
        class.setattr(fast.name, swapped)?;
    }
    Ok(())
}

/// Gives a subclass its own copies of the native class's methods, with second entry points where
/// there are some.
///
/// The interpreter's fast path into a method is for objects of exactly the class that the
/// method was made for; without this, every call on an object of the subclass would go round
/// by a check of its bases.
pub(crate) fn inherit<C: Inherited>(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    // SAFETY: a class made in Python has its own dictionary there as long as it lives.
    let own = unsafe { Borrowed::from_ptr(py, (*class.as_type_ptr()).tp_dict) };
    let own = own.cast::<PyDict>()?;
    let inherited = pyo3::class::<C>(py)?.getattr(intern!(py, "__dict__"))?;
    for item in inherited.call_method0(intern!(py, "items"))?.try_iter()? {
        let (name, value): (Bound<'_, PyString>, Bound<'_, PyAny>) = item?.extract()?;
        if own.contains(&name)? {
            continue;
        }
        if name.to_cow()?.starts_with("__") {
            // What the interpreter calls by a slot of the type; that is put there again.
            if name == "__next__" {
                class.setattr(name, value)?;
            }
            continue;
        }
        let fast = C::FAST.iter().find(|fast| name == fast.name);
        let kind = value.get_type_ptr();
        // SAFETY: the object is of exactly the type whose layout it is read as, the types being
        // the interpreter's own, which live for ever. Its definition is static, as all of PyO3's
        // are, or lives for ever; the class is derived from the one whose objects the method
        // expects. The calls return a new reference or set an exception.
        let copy = unsafe {
            let copy = if kind == &raw mut ffi::PyMethodDescr_Type {
                let definition = (*value.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method;
                let swapped = fast.and_then(|fast| with_entry(&*definition, &fast.entry));
                let definition = swapped.map_or(definition, |it| Box::into_raw(Box::new(it)));
                ffi::PyDescr_NewMethod(class.as_type_ptr(), definition)
            } else if kind == &raw mut ffi::PyGetSetDescr_Type {
                let mut definition = (*value.as_ptr().cast::<ffi::PyGetSetDescrObject>()).d_getset;
                if let Some(Entry::Getter(call)) = fast.map(|fast| &fast.entry) {
                    let mut swapped = Box::new(*definition);
                    swapped.get = Some(*call);
                    definition = Box::leak(swapped);
                }
                ffi::PyDescr_NewGetSet(class.as_type_ptr(), definition)
            } else {
                continue;
            };
            Bound::from_owned_ptr_or_err(py, copy)?
        };
        // None of them fills a slot of the type, which is all that `setattr` would look for.
        own.set_item(name, copy)?;
    }
    // SAFETY: the class is alive and attached to.
    unsafe { ffi::PyType_Modified(class.as_type_ptr()) };
    Ok(())
}

/// Has objects of a subclass be initialised by the native class, although the subclass has an
/// ``__init__`` in Python, until somebody puts another in its place. What `inspect` and `super()`
/// find is that one, a function with a signature.
///
/// # Errors
/// The class is not derived from the native one.
pub(crate) fn inherit_init<C: Inherited>(class: &Bound<'_, PyType>) -> PyResult<()> {
    let native = pyo3::class::<C>(class.py())?;
    if !class.is_subclass(&native)? {
        return Err(exception::<PyTypeError>(
            "the class must be derived from the native one",
        ));
    }
    // SAFETY: both types are alive and attached to; the class is derived from the other, so that
    // its objects are what the slot expects.
    unsafe { (*class.as_type_ptr()).tp_init = (*native.as_type_ptr()).tp_init };
    Ok(())
}
