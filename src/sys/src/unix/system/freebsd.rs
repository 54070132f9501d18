//! FreeBSD. Compiled by the check `platforms`, not run.

use std::os::fd::AsRawFd;
use std::ptr;

use libc::c_int;

use crate::{BorrowedFd, Result};

pub(crate) use super::bsd::FASTOPEN;
use super::bsd::sent;
pub(crate) use super::bsd::{
    FAMILIES_WITH_WIDE_OPTIONS, FAMILIES_WITHOUT_PEER_ADDRESSES, JOIN, LEAVE,
    UNACKNOWLEDGED_TIMEOUT, blocked_signals, errno_location, hardware_address, in_main_thread,
    other_address,
};
pub(crate) use super::flags::{
    KEEPALIVE_IDLE, KIND_FLAGS, NO_SIGNAL, NONBLOCK, accept, open, open_pair, protocol, room,
    set_no_sigpipe,
};
pub(crate) use super::reentrant::{
    host_by_address, host_by_name, protocol_by_name, service_by_name, service_by_port,
};

/// sendfile(2), from that place of the file.
pub(crate) fn sendfile(
    to: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: i64,
    count: usize,
) -> Result<usize> {
    // Zero bytes would stand for all that there are.
    if count == 0 {
        return Ok(0);
    }
    let mut done = 0;
    // SAFETY: the number of bytes is writable during the call; there are no headers.
    let result = unsafe {
        libc::sendfile(
            file.as_raw_fd(),
            to.as_raw_fd(),
            offset,
            count,
            ptr::null_mut(),
            &mut done,
            0,
        )
    };
    sent(result, done)
}

/// Signals that nobody has a use for, the best one first: the real-time ones of `<sys/signal.h>`,
/// from the last on, then one that is ignored by default.
pub(crate) fn unused_signals() -> impl Iterator<Item = c_int> {
    const SIGRTMIN: c_int = 65;
    const SIGRTMAX: c_int = 126;
    (SIGRTMIN..=SIGRTMAX).rev().chain([libc::SIGURG])
}

/// Handlers that run when a thread is ended, in the order in which its frames are left: what
/// pthread_cleanup_push(3) is made of in `<pthread.h>`.
pub(crate) mod cleanup {
    use std::ffi::{c_int, c_void};

    /// `struct _pthread_cleanup_info`.
    #[repr(C)]
    pub(crate) struct Buffer([usize; 8]);

    unsafe extern "C" {
        fn __pthread_cleanup_push_imp(
            routine: unsafe extern "C" fn(*mut c_void),
            argument: *mut c_void,
            buffer: *mut Buffer,
        );
        fn __pthread_cleanup_pop_imp(execute: c_int);
    }

    /// # Safety
    /// The buffer is writable until the handler was taken away.
    pub(crate) unsafe fn push(
        buffer: *mut Buffer,
        routine: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
    ) {
        // SAFETY: the caller's promise.
        unsafe { __pthread_cleanup_push_imp(routine, argument, buffer) };
    }

    /// Takes the handler away again, without running it.
    ///
    /// # Safety
    /// This thread has pushed it, as the last one.
    pub(crate) unsafe fn pop(_: *mut Buffer) {
        // SAFETY: the caller's promise.
        unsafe { __pthread_cleanup_pop_imp(0) };
    }
}
