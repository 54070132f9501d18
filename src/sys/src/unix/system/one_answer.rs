//! Databases of a C library whose calls have one answer for the whole process (musl) or the
//! thread (Apple): it is copied under a lock, before the next call. Another library of the program
//! that makes such calls of its own does not know that lock.

use std::ffi::CStr;
use std::sync::{Mutex, PoisonError};

/// Makes a call and copies out of its answer what is wanted; none where there is no entry.
///
/// # Safety
/// The call must give null or an entry that is valid until the next such call.
pub(super) unsafe fn answer<E, T>(
    call: impl FnOnce() -> *mut E,
    copy: impl FnOnce(&E) -> T,
) -> Option<T> {
    static ANSWER: Mutex<()> = Mutex::new(());
    let _lock = ANSWER.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's promise, and nobody else here makes another call.
    unsafe { call().as_ref() }.map(copy)
}

/// getprotobyname(3).
pub(crate) fn protocol_by_name<T>(
    name: &CStr,
    copy: impl FnOnce(&libc::protoent) -> T,
) -> Option<T> {
    // SAFETY: the name is terminated.
    unsafe { answer(|| libc::getprotobyname(name.as_ptr()), copy) }
}
