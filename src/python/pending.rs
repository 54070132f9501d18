//! Pending calls: having the thread that holds the interpreter lock run a function of ours between
//! two of its bytecodes, wherever in Python it is.
//!
//! The public `Py_AddPendingCall` reaches the main thread only. What reaches whichever thread has
//! the lock is private, so that it is looked up when the program runs, and used only on versions
//! whose signature is known. 3.11 has no such thing; there the switch interval is what can be set
//! by a thread that waits for the lock.

use std::ffi::{c_int, c_ulong, c_void};
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

use super::error::exception;
use super::thread::is_finalizing;
use crate::sys::symbol;

/// A function that the interpreter calls attached, in whatever thread it pleases.
pub(crate) type Callback = extern "C" fn(*mut c_void) -> c_int;

type AddPublic = unsafe extern "C" fn(Callback, *mut c_void) -> c_int;
/// 3.12 calls the last argument `mainthreadonly`, 3.13 and later `flags`: 0 means any thread in
/// both, and what is not 0 comes back where the queue is full.
type AddPrivate =
    unsafe extern "C" fn(*mut ffi::PyInterpreterState, Callback, *mut c_void, c_int) -> c_int;
type SetInterval = unsafe extern "C" fn(c_ulong);
type GetInterval = unsafe extern "C" fn() -> c_ulong;

/// The newest version whose private function has been read.
const NEWEST: u8 = 15;

/// How a thread that waits for the interpreter lock can ask for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Means {
    /// A call that any thread of the interpreter makes.
    AnyThread,
    /// A call that the main thread makes.
    MainThread,
    /// A switch interval that is lowered while a thread waits: 3.11.
    Interval,
    None,
}

static ADD: AtomicUsize = AtomicUsize::new(0);
static SET_INTERVAL: AtomicUsize = AtomicUsize::new(0);
static GET_INTERVAL: AtomicUsize = AtomicUsize::new(0);

/// Looks up what this interpreter has. To be called once, before anything else here.
pub(crate) fn resolve(py: Python<'_>) -> Means {
    let minor = py.version_info().minor;
    if minor == 11 {
        let (Some(set), Some(get)) = (
            symbol(c"_PyEval_SetSwitchInterval"),
            symbol(c"_PyEval_GetSwitchInterval"),
        ) else {
            return Means::None;
        };
        SET_INTERVAL.store(set, Relaxed);
        GET_INTERVAL.store(get, Relaxed);
        return Means::Interval;
    }
    if (12..=NEWEST).contains(&minor)
        && let Some(add) = symbol(c"_PyEval_AddPendingCall")
    {
        ADD.store(add, Relaxed);
        return Means::AnyThread;
    }
    // In 3.12 it does not reach a thread that computes.
    match symbol(c"Py_AddPendingCall") {
        Some(add) if minor > 12 => {
            ADD.store(add, Relaxed);
            Means::MainThread
        }
        _ => Means::None,
    }
}

/// How many threads are about to add a call, for which the interpreter's end waits.
static ADDING: AtomicUsize = AtomicUsize::new(0);

/// Has the interpreter call a function soon, by those means; false where the queue is full, and
/// where the interpreter ends. Needs no lock, so that a daemon thread may come after its end.
pub(crate) fn add(means: Means, callback: Callback, argument: usize) -> bool {
    ADDING.fetch_add(1, SeqCst);
    let added = !is_finalizing() && push(means, callback, argument);
    ADDING.fetch_sub(1, SeqCst);
    added
}

fn push(means: Means, callback: Callback, argument: usize) -> bool {
    let argument = argument as *mut c_void;
    let add = ADD.load(Relaxed);
    // SAFETY: `resolve` has found the function, which has that signature on the versions that it
    // is used on. The main interpreter is there: `hold_until_added` has its end wait for this.
    unsafe {
        match means {
            Means::AnyThread => {
                let add = std::mem::transmute::<usize, AddPrivate>(add);
                add(ffi::PyInterpreterState_Main(), callback, argument, 0) == 0
            }
            Means::MainThread => {
                let add = std::mem::transmute::<usize, AddPublic>(add);
                add(callback, argument) == 0
            }
            Means::Interval | Means::None => false,
        }
    }
}

/// Has the interpreter, which by then says that it ends, wait at its end for who adds a call
/// without the lock. What its dictionary holds is let go of before it is deleted.
pub(crate) fn hold_until_added(py: Python<'_>) -> PyResult<()> {
    extern "C" fn wait(_: *mut ffi::PyObject) {
        while ADDING.load(SeqCst) != 0 {
            std::thread::yield_now();
        }
    }
    const NAME: &std::ffi::CStr = c"oxisock.pending";
    let pointer = std::ptr::from_ref(&ADDING).cast_mut().cast();
    // SAFETY: attached; the pointer is not null, and the destructor does not use it. The dictionary
    // is the interpreter's, or null.
    unsafe {
        let capsule = ffi::PyCapsule_New(pointer, NAME.as_ptr(), Some(wait));
        let capsule = Bound::from_owned_ptr_or_err(py, capsule)?;
        let dict = ffi::PyInterpreterState_GetDict(ffi::PyInterpreterState_Get());
        let dict = Bound::from_borrowed_ptr_or_opt(py, dict).ok_or_else(no_dictionary)?;
        dict.set_item(intern!(py, "oxisock.pending"), capsule)
    }
}

#[cold]
fn no_dictionary() -> PyErr {
    exception::<PyRuntimeError>("the interpreter has no dictionary")
}

/// In the child of a fork no other thread adds a call.
pub(crate) fn forked() {
    ADDING.store(0, SeqCst);
}

/// Where the interpreter keeps what a thread has to do between two bytecodes: a word of its state,
/// behind three pointers, since 3.13.
const EVAL_BREAKER: usize = 3;
/// In it: the thread has to give the lock up …
const DROP_REQUEST: usize = 1 << 0;
/// … and there are calls to make.
const CALLS_TO_DO: usize = 1 << 2;

/// Whether it is where it is taken to be.
static FOUND: AtomicBool = AtomicBool::new(false);

/// The word of this thread.
fn eval_breaker(_py: Python<'_>) -> &AtomicUsize {
    // SAFETY: attached, so that there is a state, which is longer than this and lives as long as
    // the thread; the interpreter uses the word as an atomic one, too.
    unsafe {
        &*ffi::PyThreadState_Get()
            .cast::<AtomicUsize>()
            .add(EVAL_BREAKER)
    }
}

/// Finds out whether [`release_soon`] can be used: a call that is added has to show in the word.
pub(crate) fn find_eval_breaker(py: Python<'_>, means: Means) {
    extern "C" fn nothing(_: *mut c_void) -> c_int {
        0
    }
    if (13..=NEWEST).contains(&py.version_info().minor) && means == Means::AnyThread {
        let word = eval_breaker(py);
        let before = word.load(SeqCst);
        let added = add(means, nothing, 0);
        let changed = (before ^ word.load(SeqCst)) & !DROP_REQUEST;
        FOUND.store(added && changed == CALLS_TO_DO, Relaxed);
    }
}

/// Whether [`release_soon`] can be used.
pub(crate) fn can_release_soon() -> bool {
    FOUND.load(Relaxed) && !is_finalizing()
}

/// Has the thread that makes a pending call give the lock up soon after it, as it does after the
/// switch interval: to the one that has waited longest, and not before somebody has it. Tells
/// which thread that is by a number; None where it cannot be told.
pub(crate) fn release_soon() -> Option<usize> {
    can_release_soon().then(|| {
        // SAFETY: the interpreter calls pending calls attached.
        let word = eval_breaker(unsafe { Python::assume_attached() });
        word.fetch_or(DROP_REQUEST, SeqCst);
        std::ptr::from_ref(word).addr()
    })
}

/// Whether the thread that makes a pending call runs no Python: before the interpreter ends it
/// makes all calls that are left, until there are none.
pub(crate) fn is_outside_python() -> bool {
    // SAFETY: the interpreter calls pending calls attached.
    unsafe { ffi::PyEval_GetGlobals().is_null() }
}

/// The switch interval in microseconds. Needs no lock on 3.11, where alone it is to be called.
pub(crate) fn interval() -> Duration {
    // SAFETY: `resolve` has found the function; on 3.11 it reads one number of the process.
    let micros = unsafe { std::mem::transmute::<usize, GetInterval>(GET_INTERVAL.load(Relaxed))() };
    Duration::from_micros(micros as _)
}

/// Sets the switch interval; likewise.
pub(crate) fn set_interval(interval: Duration) {
    // SAFETY: as above; it writes one number.
    unsafe {
        let set = std::mem::transmute::<usize, SetInterval>(SET_INTERVAL.load(Relaxed));
        set(interval.as_micros() as c_ulong);
    }
}

/// Gives the interpreter lock up in a pending call and takes it back when `wait` is over; does
/// neither, and says so, while the interpreter ends.
///
/// Not PyO3's `detach`: the interpreter made this call, PyO3 knows nothing of it, and the thread
/// may be one that it has never seen. A thread that may not have the lock back, because the
/// interpreter has ended, sleeps for ever in it, as PyO3 has it everywhere.
pub(crate) fn without_lock(wait: impl FnOnce()) -> bool {
    if is_finalizing() {
        return false;
    }
    // SAFETY: the interpreter calls pending calls attached, and `wait` does not use it.
    unsafe {
        let thread = ffi::PyEval_SaveThread();
        wait();
        ffi::PyEval_RestoreThread(thread);
    }
    true
}
