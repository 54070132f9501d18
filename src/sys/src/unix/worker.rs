//! A thread for one call, which takes no signals and can be waited for like a descriptor.

use std::ffi::c_void;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::ptr;

use libc::{pthread_t, sigset_t};

use crate::background::Work;
use crate::io::{Interest, Wake, poll};
use crate::{Result, Timeout, system};

/// Enough for what resolver modules put on the stack; threads get as much from Rust, too.
const STACK: usize = 2 << 20;

/// A thread that works. When this goes, the thread goes on by itself.
pub(crate) struct Worker {
    /// Readable when the work is done.
    done: PipeReader,
    /// Taken by who joins it.
    thread: Option<Thread>,
}

struct Thread(pthread_t);

// SAFETY: the name of a thread, which some systems write as an address. Nobody follows it but the
// C library, of which any thread may ask for any other.
unsafe impl Send for Thread {}

/// What the thread begins with.
struct Job<W> {
    work: W,
    finished: PipeWriter,
}

impl Worker {
    /// Starts a thread with pthread_create(3). One of Rust's maps memory when it begins to run,
    /// and aborts the process where there is none.
    ///
    /// # Errors
    /// The work comes back where a pipe, a thread or its memory cannot be had.
    pub(crate) fn start<W: Work>(work: W) -> Result<Self, W> {
        let Ok((done, finished)) = pipe() else {
            return Err(work);
        };
        let job = Box::new(Job { work, finished });
        match spawn(job) {
            Ok(thread) => Ok(Worker {
                done,
                thread: Some(Thread(thread)),
            }),
            Err(job) => Err(job.work),
        }
    }

    /// Waits until the work is done.
    pub(crate) fn wait(&self, timeout: Timeout) -> Result<Wake> {
        poll(self.done.as_fd(), Interest::Read, timeout)
    }

    /// Waits for the thread's last steps, so that its end of the pipe is closed, too.
    pub(crate) fn join(mut self) {
        if let Some(Thread(thread)) = self.thread.take() {
            // SAFETY: the thread is joinable, and joined once.
            unsafe { libc::pthread_join(thread, ptr::null_mut()) };
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(Thread(thread)) = self.thread.take() {
            // SAFETY: the thread is joinable, and nobody joins it any more.
            unsafe { libc::pthread_detach(thread) };
        }
    }
}

fn spawn<W: Work>(job: Box<Job<W>>) -> Result<pthread_t, Box<Job<W>>> {
    // A signal must come to the thread that waits: the new thread inherits this mask.
    let _blocked = BlockedSignals::new();
    let mut thread = MaybeUninit::uninit();
    let mut attributes = MaybeUninit::uninit();
    let job = Box::into_raw(job);
    // SAFETY: the attributes are made, used and destroyed; the thread takes the job over, unless
    // it was not made.
    unsafe {
        let mut failed = libc::pthread_attr_init(attributes.as_mut_ptr());
        if failed == 0 {
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
            failed = libc::pthread_create(
                thread.as_mut_ptr(),
                attributes.as_ptr(),
                run::<W>,
                job.cast(),
            );
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
        if failed == 0 {
            Ok(thread.assume_init())
        } else {
            Err(Box::from_raw(job))
        }
    }
}

/// What the thread does.
extern "C" fn run<W: Work>(job: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` gives away what it made.
    let job = unsafe { Box::from_raw(job.cast::<Job<W>>()) };
    let Job { work, mut finished } = *job;
    work.run();
    // Nobody may be waiting any more: then writing fails.
    let _ = finished.write_all(&[0]);
    ptr::null_mut()
}

/// Keeps every signal away from this thread, and from threads that it starts meanwhile.
struct BlockedSignals(sigset_t);

impl BlockedSignals {
    fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: both sets are writable and filled by the calls, which cannot fail with
        // these arguments.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            BlockedSignals(before.assume_init())
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set was filled by `new`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

/// Whether Python may run the handlers of signals in this thread, as it does in the one that the
/// process began with.
pub fn may_run_handlers() -> bool {
    system::in_main_thread()
}
