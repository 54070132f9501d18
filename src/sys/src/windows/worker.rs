//! A thread for one call, which can be waited for: its handle says when it has ended.

use std::ffi::c_void;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{WAIT_FAILED, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{CreateThread, WaitForSingleObject};

use crate::background::Work;
use crate::io::Wake;
use crate::{Errno, Result, Timeout};

/// A thread that works. When this goes, the thread goes on by itself.
pub(crate) struct Worker(OwnedHandle);

impl Worker {
    /// Starts a thread, CreateThread.
    ///
    /// # Errors
    /// The work comes back where no thread can be had.
    pub(crate) fn start<W: Work>(work: W) -> Result<Self, W> {
        let work = Box::into_raw(Box::new(work));
        // SAFETY: the thread takes the work over, unless it was not made. Its handle is nobody
        // else's.
        unsafe {
            let (usual, at_once) = (0, 0);
            let argument = work.cast_const().cast();
            let thread = CreateThread(
                ptr::null(),
                usual,
                Some(run::<W>),
                argument,
                at_once,
                ptr::null_mut(),
            );
            if thread.is_null() {
                return Err(*Box::from_raw(work));
            }
            Ok(Worker(OwnedHandle::from_raw_handle(thread)))
        }
    }

    /// Waits until the work is done. No signal ends that.
    pub(crate) fn wait(&self, timeout: Timeout) -> Result<Wake> {
        // Without an end it is -1, which is Windows's number for that.
        let milliseconds = timeout.milliseconds() as u32;
        // SAFETY: the handle is open.
        match unsafe { WaitForSingleObject(self.0.as_raw_handle(), milliseconds) } {
            WAIT_TIMEOUT => Ok(Wake::Expired),
            WAIT_FAILED => Err(Errno::last()),
            _ => Ok(Wake::Ready),
        }
    }

    /// Waits for the thread's last steps: those were what was waited for.
    pub(crate) fn join(self) {}
}

/// What the thread does.
unsafe extern "system" fn run<W: Work>(work: *mut c_void) -> u32 {
    // SAFETY: `start` gives away what it made.
    unsafe { Box::from_raw(work.cast::<W>()) }.run();
    0
}

/// Whether Python may run the handlers of signals in this thread. It does so in the one that the
/// process began with; nothing tells which one that is, so that it may be any.
pub fn may_run_handlers() -> bool {
    true
}
