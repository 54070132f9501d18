//! The busy methods of the files that `makefile` gives, whose classes are in `_files.py`.
//!
//! The methods of `io` that they stand before take some tens of nanoseconds, less than one
//! call of a Python function. So the usual case of each is here, in a C function that the
//! class gets as a method; whatever is rare is left to a method in Python.

use std::ffi::CStr;
use std::ptr;

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi::{self, PyMethodDef, PyMethodDefPointer, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyInt, PyString, PyTuple, PyType};

use crate::socket::Socket;

/// An entry of the `__slots__` of a class; its class is kept alive by [`Files`].
struct Slot(*mut ffi::PyMemberDef);

impl Slot {
    fn of(class: &Bound<'_, PyType>, name: &str) -> PyResult<Slot> {
        let descriptor = class.getattr(name)?;
        // SAFETY: the type of the object is checked before it is read as what it is.
        unsafe {
            if ffi::Py_TYPE(descriptor.as_ptr()) != &raw mut ffi::PyMemberDescr_Type {
                return Err(PyTypeError::new_err(format!("{name} is no slot")));
            }
            let descriptor = descriptor.as_ptr().cast::<ffi::PyMemberDescrObject>();
            Ok(Slot((*descriptor).d_member))
        }
    }

    /// The value in `object`, which has to be of the slot's class.
    #[inline]
    fn get<'py>(&self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the slot belongs to the object's class; the call returns a new reference
        // or sets an exception.
        unsafe {
            Bound::from_owned_ptr_or_err(
                object.py(),
                ffi::PyMember_GetOne(object.as_ptr().cast(), self.0),
            )
        }
    }

    /// Stores a value in `object`, which has to be of the slot's class.
    #[inline]
    fn set(&self, object: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: as in `get`; the call takes a reference of its own.
        match unsafe { ffi::PyMember_SetOne(object.as_ptr().cast(), self.0, value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(object.py())),
        }
    }
}

/// The classes and what is looked up in them once.
struct Files {
    raw: Py<PyType>,
    reader: Py<PyType>,
    text_file: Py<PyType>,
    sock: Slot,
    mode: Slot,
    held: Slot,
    restorable: Slot,
    interruption: Slot,
    closed: Slot,
    source: Slot,
    text: Slot,
    position: Slot,
    end: Slot,
    /// The methods of `io.BufferedReader`, in the order of [`Read`].
    inherited: [Py<PyAny>; 6],
}

impl Files {
    fn classes(&self, py: Python<'_>) -> (Py<PyType>, Py<PyType>, Py<PyType>) {
        (
            self.raw.clone_ref(py),
            self.reader.clone_ref(py),
            self.text_file.clone_ref(py),
        )
    }
}

// SAFETY: the slots are descriptions that nobody changes; the rest is `Sync` by itself.
unsafe impl Send for Files {}
// SAFETY: see above.
unsafe impl Sync for Files {}

static FILES: PyOnceLock<Files> = PyOnceLock::new();

#[inline]
fn files(py: Python<'_>) -> PyResult<&Files> {
    FILES
        .get(py)
        .ok_or_else(|| PyRuntimeError::new_err("no classes are registered"))
}

/// A way of reading that is inherited from `io.BufferedReader`.
#[derive(Clone, Copy, PartialEq)]
enum Read {
    Line,
    Some,
    Once,
    Peek,
    Into,
    IntoOnce,
}

const INHERITED: [&str; 6] = ["readline", "read", "read1", "peek", "readinto", "readinto1"];

/// Calls a method of `io.BufferedReader`, and `_interrupted` if the stream beneath was
/// interrupted meanwhile.
#[inline]
fn forward<'py>(
    read: Read,
    reader: &Bound<'py, PyAny>,
    args: &[*mut PyObject],
) -> PyResult<Bound<'py, PyAny>> {
    let py = reader.py();
    let files = files(py)?;
    let method = files.inherited[read as usize].as_ptr();
    let outcome = match args {
        [] => call(py, method, &[reader.as_ptr()]),
        [arg] => call(py, method, &[reader.as_ptr(), *arg]),
        _ => call(py, method, &[&[reader.as_ptr()], args].concat()),
    }?;
    let source = files.source.get(reader)?;
    // SAFETY: both objects are alive. Slots are read by their place in the object.
    if unsafe { ffi::PyObject_TypeCheck(source.as_ptr(), files.raw.as_ptr().cast()) } == 0 {
        return Err(PyTypeError::new_err("a reader over no SocketIO"));
    }
    if files.interruption.get(&source)?.is_none() {
        return Ok(outcome);
    }
    match (read, args) {
        // Peeking takes nothing out, so there is nothing to give back.
        (Read::Peek, _) => reader.call_method1(intern!(py, "_interrupted"), (py.None(),)),
        (Read::Into | Read::IntoOnce, [buffer]) => {
            // SAFETY: the arguments are alive as long as the call.
            let buffer = unsafe { Borrowed::from_ptr(py, *buffer) };
            reader.call_method1(intern!(py, "_interrupted_into"), (buffer, outcome))
        }
        _ => reader.call_method1(intern!(py, "_interrupted"), (outcome,)),
    }
}

#[inline]
fn call<'py>(
    py: Python<'py>,
    callable: *mut PyObject,
    args: &[*mut PyObject],
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: all objects are alive; the call returns a new reference or sets an exception.
    unsafe {
        Bound::from_owned_ptr_or_err(
            py,
            ffi::PyObject_Vectorcall(callable, args.as_ptr(), args.len(), ptr::null_mut()),
        )
    }
}

/// `BufferedReader.read`: without a size, what loses nothing is in Python.
#[inline]
fn read<'py>(reader: &Bound<'py, PyAny>, args: &[*mut PyObject]) -> PyResult<Bound<'py, PyAny>> {
    let py = reader.py();
    let all = match args {
        [] => true,
        // SAFETY: the arguments are alive as long as the call.
        [size] => unsafe { is_all(&Borrowed::from_ptr(py, *size), true) },
        _ => false,
    };
    if all {
        return reader.call_method0(intern!(py, "_read_all"));
    }
    forward(Read::Some, reader, args)
}

/// Whether an argument means no limit: -1, and None where that is allowed.
#[inline]
fn is_all(size: &Bound<'_, PyAny>, none: bool) -> bool {
    (none && size.is_none())
        || (size.is_exact_instance_of::<PyInt>() && matches!(size.extract::<isize>(), Ok(-1)))
}

/// `TextIOWrapper.readline`, for a whole line that is held already.
#[inline]
fn text_line<'py>(file: &Bound<'py, PyAny>, args: &[*mut PyObject]) -> PyResult<Bound<'py, PyAny>> {
    let py = file.py();
    let files = files(py)?;
    let whole = match args {
        [] => true,
        // SAFETY: the arguments are alive as long as the call.
        [size] => unsafe { is_all(&Borrowed::from_ptr(py, *size), false) },
        _ => false,
    };
    if whole && let Some(end) = single(&files.end.get(file)?) {
        for filled in [false, true] {
            let Some(held) = Held::of(files, file)? else {
                break;
            };
            // SAFETY: the text is a str, and both ends are within it.
            let found = unsafe {
                let text = held.text.as_ptr();
                ffi::PyUnicode_FindChar(text, end, held.position, held.len, 1)
            };
            if found >= 0 {
                return held.take(files, file, found + 1);
            }
            if filled || held.position < held.len {
                break;
            }
            fill(files, file)?;
        }
    }
    rest(py, file, intern!(py, "_read_line"), args)
}

/// `TextIOWrapper.read`, for text that is held already.
#[inline]
fn text_read<'py>(file: &Bound<'py, PyAny>, args: &[*mut PyObject]) -> PyResult<Bound<'py, PyAny>> {
    let py = file.py();
    let files = files(py)?;
    if let [size] = args {
        // SAFETY: the arguments are alive as long as the call.
        let size = unsafe { Borrowed::from_ptr(py, *size) };
        if size.is_exact_instance_of::<PyInt>()
            && let Ok(size) = size.extract::<isize>()
            && size >= 0
        {
            for filled in [false, true] {
                let Some(held) = Held::of(files, file)? else {
                    break;
                };
                if size <= held.len - held.position {
                    let stop = held.position + size;
                    return held.take(files, file, stop);
                }
                if filled || held.position < held.len {
                    break;
                }
                fill(files, file)?;
            }
        }
    }
    rest(py, file, intern!(py, "_read"), args)
}

/// Holds more text, where none is held.
#[inline]
fn fill(files: &Files, file: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = file.py();
    let more = file.call_method0(intern!(py, "_decode_more"))?;
    let end = more.is_none().then(|| PyString::new(py, "").into_any());
    files.text.set(file, &end.unwrap_or(more))?;
    files.position.set(file, 0i32.into_pyobject(py)?.as_any())
}

/// Calls the method in Python that can do it all.
#[cold]
fn rest<'py>(
    py: Python<'py>,
    file: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    args: &[*mut PyObject],
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the arguments are alive as long as the call.
    let args = args
        .iter()
        .map(|arg| unsafe { Borrowed::from_ptr(py, *arg) });
    let args = PyTuple::new(py, args.collect::<Vec<_>>())?;
    file.call_method1(name, args)
}

/// A str of one character as that character.
#[inline]
fn single(text: &Bound<'_, PyAny>) -> Option<u32> {
    let text = text.cast::<PyString>().ok()?;
    // SAFETY: the object is a str, and it has the character that is read.
    unsafe {
        (ffi::PyUnicode_GetLength(text.as_ptr()) == 1)
            .then(|| ffi::PyUnicode_ReadChar(text.as_ptr(), 0))
    }
}

/// The text that a file has decoded and not yet given; a closed one has none.
struct Held<'py> {
    text: Bound<'py, PyString>,
    position: isize,
    len: isize,
}

impl<'py> Held<'py> {
    #[inline]
    fn of(files: &Files, file: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let Ok(text) = files.text.get(file)?.cast_into::<PyString>() else {
            return Ok(None);
        };
        // SAFETY: the object is a str.
        let len = unsafe { ffi::PyUnicode_GetLength(text.as_ptr()) };
        let position = files.position.get(file)?.extract::<isize>()?.clamp(0, len);
        Ok(Some(Held {
            text,
            position,
            len,
        }))
    }

    /// Gives the text up to `stop`.
    #[inline]
    fn take(
        self,
        files: &Files,
        file: &Bound<'py, PyAny>,
        stop: isize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = file.py();
        // SAFETY: the object is a str and the range within it; a new reference or an error.
        let taken = unsafe {
            let text = self.text.as_ptr();
            Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_Substring(text, self.position, stop))?
        };
        files.position.set(file, stop.into_pyobject(py)?.as_any())?;
        Ok(taken)
    }
}

/// `SocketIO.readinto`.
fn receive<'py>(
    raw: &Bound<'py, PyAny>,
    buffer: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = raw.py();
    let files = files(py)?;
    let sock = files.sock.get(raw)?;
    if sock.is_none() || !reads(&files.mode.get(raw)?) || !files.held.get(raw)?.is_none() {
        return raw.call_method1(intern!(py, "_readinto"), (buffer,));
    }
    match sock.call_method1(intern!(py, "recv_into"), (buffer,)) {
        Ok(count) => Ok(count),
        Err(error) => {
            let args = (error.value(py), buffer);
            if raw.call_method1(intern!(py, "_keeps"), args)?.is_truthy()? {
                return Ok(py.None().into_bound(py));
            }
            Err(error)
        }
    }
}

/// Whether a mode has an r in it, which is always its first character.
#[inline]
fn reads(mode: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is a str that is not empty.
    mode.cast::<PyString>().is_ok_and(|mode| unsafe {
        ffi::PyUnicode_GetLength(mode.as_ptr()) > 0
            && ffi::PyUnicode_ReadChar(mode.as_ptr(), 0) == u32::from('r')
    })
}

/// `SocketIO.readable`.
fn readable<'py>(raw: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let files = files(raw.py())?;
    check_open(files, raw, "I/O operation on closed socket.")?;
    Ok(PyBool::new(raw.py(), reads(&files.mode.get(raw)?))
        .to_owned()
        .into_any())
}

/// `SocketIO.flush`.
fn flush<'py>(raw: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    check_open(files(raw.py())?, raw, "I/O operation on closed file.")?;
    Ok(raw.py().None().into_bound(raw.py()))
}

#[inline]
fn check_open(files: &Files, raw: &Bound<'_, PyAny>, message: &'static str) -> PyResult<()> {
    if files.closed.get(raw)?.is_truthy()? {
        return Err(PyValueError::new_err(message));
    }
    Ok(())
}

/// `SocketIO.tell`. The buffers of `io` ask for the position when they are made, and drop the
/// exception; making that one would take longer than making the buffer.
fn tell<'py>(raw: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = raw.py();
    if files(py)?.restorable.get(raw)?.is_none() {
        return Ok(0i32.into_pyobject(py)?.into_any());
    }
    raw.call_method1(intern!(py, "seek"), (0, 1))
}

/// `SocketIO.close`.
fn close<'py>(raw: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = raw.py();
    let files = files(py)?;
    let none = py.None().into_bound(py);
    let sock = files.sock.get(raw)?;
    if sock.is_none() || files.closed.get(raw)?.is_truthy()? {
        return Ok(none);
    }
    files.closed.set(raw, PyBool::new(py, true).as_any())?;
    files.sock.set(raw, &none)?;
    sock.call_method0(intern!(py, "_decref_socketios"))
}

/// Make a SocketIO as its class does, for a buffer that is made on it next.
///
/// Args:
///     sock: the socket, or what counts its files in ``_io_refs`` as one.
///     mode: one of r, w, rw, rb, wb, rwb.
#[pyfunction]
#[pyo3(signature = (sock, mode, /))]
pub(crate) fn open_raw<'py>(
    sock: &Bound<'py, PyAny>,
    mode: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = sock.py();
    let files = files(py)?;
    let class = files.raw.bind(py).as_type_ptr();
    // SAFETY: a class of Python has a tp_new, here that of `object`, which takes an empty
    // tuple; the result is a new reference or an exception.
    let raw = unsafe {
        let new = (*class)
            .tp_new
            .ok_or_else(|| PyTypeError::new_err("class without __new__"))?;
        let raw = new(class, PyTuple::empty(py).as_ptr(), ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, raw)?
    };
    let none = py.None().into_bound(py);
    let no = PyBool::new(py, false).to_owned().into_any();
    files.sock.set(&raw, sock)?;
    files.mode.set(&raw, mode.as_any())?;
    files.held.set(&raw, &none)?;
    files.restorable.set(&raw, &none)?;
    files.interruption.set(&raw, &none)?;
    files.closed.set(&raw, &no)?;
    match sock.cast::<Socket>() {
        Ok(sock) => sock.get().file_opened(),
        // Programs put `makefile` into classes of their own that count likewise.
        Err(_) => {
            let count = intern!(py, "_io_refs");
            sock.setattr(count, sock.getattr(count)?.add(1)?)?;
        }
    }
    Ok(raw)
}

/// Returns to the interpreter: a new reference, or null with the exception set.
#[inline]
fn returned(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> *mut PyObject {
    match result {
        Ok(object) => object.into_ptr(),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

/// A method of any number of arguments as an entry of a method table.
macro_rules! fast {
    ($name:literal, $doc:literal, $function:expr) => {{
        unsafe extern "C" fn method(
            slf: *mut PyObject,
            args: *mut *mut PyObject,
            count: isize,
        ) -> *mut PyObject {
            // SAFETY: the interpreter calls this attached, with an object of the class and
            // as many arguments as it says.
            unsafe {
                let slf = Borrowed::from_ptr(Python::assume_attached(), slf);
                let args = match count {
                    0 => &[][..],
                    count => std::slice::from_raw_parts(args, count as usize),
                };
                returned(slf.py(), $function(&slf, args))
            }
        }
        PyMethodDef {
            ml_name: concat!($name, "\0").as_ptr().cast(),
            ml_meth: PyMethodDefPointer {
                PyCFunctionFast: method,
            },
            ml_flags: ffi::METH_FASTCALL,
            ml_doc: concat!($name, $doc, "\0").as_ptr().cast(),
        }
    }};
}

/// A method of no argument.
macro_rules! plain {
    ($name:literal, $doc:literal, $function:expr) => {{
        unsafe extern "C" fn method(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
            // SAFETY: the interpreter calls this attached, with an object of the class.
            unsafe {
                let slf = Borrowed::from_ptr(Python::assume_attached(), slf);
                returned(slf.py(), $function(&slf))
            }
        }
        PyMethodDef {
            ml_name: concat!($name, "\0").as_ptr().cast(),
            ml_meth: PyMethodDefPointer {
                PyCFunction: method,
            },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: concat!($name, "($self, /)\n--\n\n", $doc, "\0")
                .as_ptr()
                .cast(),
        }
    }};
}

/// What the interpreter keeps pointers to, for ever.
struct Methods<const N: usize>([PyMethodDef; N]);

// SAFETY: nobody writes to it.
unsafe impl<const N: usize> Sync for Methods<N> {}

static RAW: Methods<5> = Methods([
    {
        unsafe extern "C" fn method(slf: *mut PyObject, buffer: *mut PyObject) -> *mut PyObject {
            // SAFETY: the interpreter calls this attached, with an object of the class.
            unsafe {
                let py = Python::assume_attached();
                let buffer = Borrowed::from_ptr(py, buffer);
                returned(py, receive(&Borrowed::from_ptr(py, slf), &buffer))
            }
        }
        const DOC: &CStr = c"readinto($self, buffer, /)\n--\n\nReceive into *buffer*; return the \
            number of bytes, 0 at the end of the stream.\n\nReturns None if the socket is \
            non-blocking and has nothing. Raises TimeoutError when the\nsocket's timeout expires, \
            after which reading can go on, and OSError as recv() does.";
        PyMethodDef {
            ml_name: c"readinto".as_ptr(),
            ml_meth: PyMethodDefPointer {
                PyCFunction: method,
            },
            ml_flags: ffi::METH_O,
            ml_doc: DOC.as_ptr(),
        }
    },
    plain!(
        "readable",
        "Tell whether the mode is one for reading.",
        readable
    ),
    plain!(
        "flush",
        "Do nothing: this stream holds nothing back.",
        flush
    ),
    plain!(
        "tell",
        "Raise UnsupportedOperation: a stream has no position.",
        tell
    ),
    plain!("close", "Give up the hold on the socket.", close),
]);

static READER: Methods<6> = Methods([
    fast!(
        "readline",
        "($self, size=-1, /)\n--\n\nRead up to and with the next line feed, at most *size* bytes.",
        |reader, args| forward(Read::Line, reader, args)
    ),
    fast!(
        "read",
        "($self, size=-1, /)\n--\n\nRead *size* bytes, or all until the end of the stream.",
        read
    ),
    fast!(
        "read1",
        "($self, size=-1, /)\n--\n\nRead up to *size* bytes with at most one receive.",
        |reader, args| forward(Read::Once, reader, args)
    ),
    fast!(
        "peek",
        "($self, size=0, /)\n--\n\nReturn what can be read next, and leave it there.",
        |reader, args| forward(Read::Peek, reader, args)
    ),
    fast!(
        "readinto",
        "($self, buffer, /)\n--\n\nRead into *buffer*; return the number of bytes.",
        |reader, args| forward(Read::Into, reader, args)
    ),
    fast!(
        "readinto1",
        "($self, buffer, /)\n--\n\nRead into *buffer* with at most one receive.",
        |reader, args| forward(Read::IntoOnce, reader, args)
    ),
]);

static TEXT: Methods<2> = Methods([
    fast!(
        "readline",
        "($self, size=-1, /)\n--\n\nRead up to and with the next line end, at most *size* \
         characters.",
        text_line
    ),
    fast!(
        "read",
        "($self, size=-1, /)\n--\n\nRead *size* characters, or all until the end of the stream.",
        text_read
    ),
]);

/// The next line of either file: none, without an exception, ends the iteration.
macro_rules! next {
    ($function:expr, $length:path) => {{
        unsafe extern "C" fn next(slf: *mut PyObject) -> *mut PyObject {
            // SAFETY: the interpreter calls this attached, with an object of the class, and
            // only bytes or a str are asked for their length.
            unsafe {
                let slf = Borrowed::from_ptr(Python::assume_attached(), slf);
                match $function(&slf, &[]) {
                    Ok(line) if $length(line.as_ptr()) == 0 => ptr::null_mut(),
                    result => returned(slf.py(), result),
                }
            }
        }
        next
    }};
}

/// Gives a class its methods.
fn equip(
    class: &Bound<'_, PyType>,
    methods: &'static [PyMethodDef],
    next: Option<ffi::iternextfunc>,
) -> PyResult<()> {
    let py = class.py();
    for method in methods {
        // SAFETY: the table lives for ever and is not written to; a new reference or an error.
        let (name, method) = unsafe {
            let method: *const PyMethodDef = method;
            let descriptor = ffi::PyDescr_NewMethod(class.as_type_ptr(), method.cast_mut());
            let name = CStr::from_ptr((*method).ml_name).to_string_lossy();
            (name, Bound::from_owned_ptr_or_err(py, descriptor)?)
        };
        class.setattr(&*name, method)?;
    }
    if next.is_some() {
        // SAFETY: the class is one of Python, which nobody else has used yet. `__next__` stays
        // that of io, which calls `readline` and so comes to the same.
        unsafe {
            (*class.as_type_ptr()).tp_iternext = next;
            ffi::PyType_Modified(class.as_type_ptr());
        }
    }
    Ok(())
}

/// Give the classes of ``_files.py`` their native methods.
///
/// Args:
///     raw: SocketIO.
///     reader: BufferedReader.
///     text: TextIOWrapper.
///
/// Returns:
///     The three that were registered first, which stay: a module that is imported again goes
///     on with them.
#[pyfunction]
#[pyo3(signature = (raw, reader, text, /))]
pub(crate) fn register_files<'py>(
    raw: &Bound<'py, PyType>,
    reader: &Bound<'py, PyType>,
    text: &Bound<'py, PyType>,
) -> PyResult<(Py<PyType>, Py<PyType>, Py<PyType>)> {
    let py = raw.py();
    if let Some(files) = FILES.get(py) {
        return Ok(files.classes(py));
    }
    let buffered = py.import("io")?.getattr("BufferedReader")?;
    let [a, b, c, d, e, f] = INHERITED.map(|name| buffered.getattr(name).map(Bound::unbind));
    let files = Files {
        sock: Slot::of(raw, "_sock")?,
        mode: Slot::of(raw, "_mode")?,
        held: Slot::of(raw, "_held")?,
        restorable: Slot::of(raw, "_restorable")?,
        interruption: Slot::of(raw, "_interruption")?,
        closed: Slot::of(raw, "closed")?,
        source: Slot::of(reader, "_source")?,
        text: Slot::of(text, "_text")?,
        position: Slot::of(text, "_position")?,
        end: Slot::of(text, "_end")?,
        inherited: [a?, b?, c?, d?, e?, f?],
        raw: raw.clone().unbind(),
        reader: reader.clone().unbind(),
        text_file: text.clone().unbind(),
    };
    let classes = files.classes(py);
    if FILES.set(py, files).is_err() {
        // Another thread was faster.
        return Ok(FILES.get(py).map_or(classes, |files| files.classes(py)));
    }
    equip(raw, &RAW.0, None)?;
    let next_line = next!(
        |reader, args| forward(Read::Line, reader, args),
        ffi::PyBytes_Size
    );
    equip(reader, &READER.0, Some(next_line))?;
    equip(
        text,
        &TEXT.0,
        Some(next!(text_line, ffi::PyUnicode_GetLength)),
    )?;
    Ok(classes)
}
