//! A call of the C library that blocks without an end and takes no signals, in a thread of
//! its own, so that the caller can wait for it with a deadline or stop waiting.

use std::io::{PipeReader, Write, pipe};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libc::sigset_t;

use super::io::{Interest, Wake, poll};
use super::{Errno, Result, Timeout};

/// A call that is under way. Dropping it abandons the call: its thread runs to the end of
/// the call, frees the result and is gone.
pub struct Background<T> {
    result: Receiver<T>,
    done: PipeReader,
    /// Taken when the call is done, to wait for the thread's last steps.
    thread: Option<JoinHandle<()>>,
}

/// The longest sleep at a time. A signal that comes just before a sleep begins does not end
/// it, and must not have to wait for the network to be noticed.
const GLANCE: Duration = Duration::from_millis(250);

/// How a wait ended.
pub enum Wait<T> {
    Done(T),
    /// A signal came or may have come: the caller runs its handlers and waits again.
    Unfinished,
    TimedOut,
}

impl<T: Send + 'static> Background<T> {
    /// Starts the call; the error is that of a pipe or a thread that could not be made.
    pub fn start(call: impl FnOnce() -> T + Send + 'static) -> Result<Self> {
        let (done, mut finished) = pipe().map_err(|error| Errno::of(&error))?;
        let (sender, result) = sync_channel(1);
        let thread = move || {
            // Nobody may be waiting any more: then the result is freed here, and writing
            // into the pipe fails.
            let _ = sender.send(call());
            let _ = finished.write_all(&[0]);
        };
        // A signal must come to the thread that waits: the new thread inherits this mask.
        let _blocked = BlockedSignals::new();
        let thread = thread::Builder::new()
            .name("oxisock-lookup".into())
            .spawn(thread)
            .map_err(|error| Errno::of(&error))?;
        Ok(Background {
            result,
            done,
            thread: Some(thread),
        })
    }

    /// Waits for the result, for a signal, or until the deadline, for some time.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<Wait<T>> {
        let left = deadline.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now())
        });
        match poll(
            self.done.as_fd(),
            Interest::Read,
            Timeout::after(left.min(GLANCE)),
        ) {
            Ok(Wake::Expired) if left <= GLANCE => Ok(Wait::TimedOut),
            Ok(Wake::Expired) => Ok(Wait::Unfinished),
            Ok(_) => {
                // So that its end of the pipe is closed, too, when the caller goes on.
                if let Some(thread) = self.thread.take() {
                    thread.join().ok();
                }
                // A thread that ended without a result has panicked.
                let result = self.result.try_recv();
                result.map(Wait::Done).map_err(|_| Errno::IO)
            }
            Err(error) if error.is_interrupted() => Ok(Wait::Unfinished),
            Err(error) => Err(error),
        }
    }
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

/// Whether this is the thread that the process began with, in which Python runs the
/// handlers of signals.
pub fn in_main_thread() -> bool {
    #[cfg(linux)]
    // SAFETY: both calls only return a number.
    return unsafe { libc::gettid() == libc::getpid() };
    #[cfg(not(linux))]
    // SAFETY: the call only returns a number.
    return unsafe { libc::pthread_main_np() != 0 };
}
