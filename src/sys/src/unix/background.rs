//! A call of the C library that blocks without an end and takes no signals, in a thread of
//! its own, so that the caller can wait for it with a deadline or stop waiting.

use std::ffi::c_void;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libc::{pthread_t, sigset_t};

use crate::io::{Interest, PollSet, Wake, poll};
use crate::wake::{Thread, process_generation};
use crate::{Errno, Result, Timeout, system};

/// A call that is under way. Dropping it abandons the call: its thread runs to the end of
/// the call, frees the result and is gone.
pub struct Background<T> {
    shared: Arc<Shared<T>>,
    done: PipeReader,
    /// Taken when the call is done, to wait for the thread's last steps.
    thread: Option<Thread>,
}

/// What both threads have.
struct Shared<T> {
    state: AtomicU8,
    result: Mutex<Option<T>>,
}

const RUNNING: u8 = 0;
const DONE: u8 = 1;
const ABANDONED: u8 = 2;

/// The longest sleep at a time. A signal that comes just before a sleep begins does not end
/// it, and must not have to wait for the network to be noticed.
const GLANCE: Duration = Duration::from_millis(250);

/// So many abandoned calls may run at once. Each holds a thread and up to three descriptors.
const MAX_ABANDONED: usize = 32;

/// How long to leave a crowd of abandoned calls alone before looking whether one has ended.
const CROWD_PAUSE: Duration = Duration::from_millis(20);

/// Enough for what resolver modules put on the stack; threads get as much from Rust, too.
const STACK: usize = 2 << 20;

/// How a wait ended.
#[derive(Debug)]
pub enum Wait<T> {
    Done(T),
    /// A signal came or may have come: the caller runs its handlers and waits again.
    Unfinished,
    TimedOut,
}

/// What the thread begins with.
struct Job<T, F> {
    call: F,
    shared: Arc<Shared<T>>,
    finished: PipeWriter,
}

impl<T: Send + 'static> Background<T> {
    /// Starts the call.
    ///
    /// # Errors
    /// The call comes back where a pipe, a thread or its memory cannot be had.
    pub fn start<F: FnOnce() -> T + Send + 'static>(call: F) -> Result<Self, F> {
        let Ok((done, finished)) = pipe() else {
            return Err(call);
        };
        let shared = Arc::new(Shared {
            state: AtomicU8::new(RUNNING),
            result: Mutex::new(None),
        });
        let job = Box::new(Job {
            call,
            shared: Arc::clone(&shared),
            finished,
        });
        match spawn(job) {
            Ok(thread) => Ok(Background {
                shared,
                done,
                thread: Some(Thread::of(thread)),
            }),
            Err(job) => Err(job.call),
        }
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
                    // SAFETY: the thread is joinable, and joined once.
                    unsafe { libc::pthread_join(thread.name(), ptr::null_mut()) };
                }
                let mut result = self.shared.result.lock();
                let result = result.as_mut().map_or(None, |result| result.take());
                // A thread that ended without a result has panicked.
                result.map(Wait::Done).ok_or(Errno::IO)
            }
            Err(error) if error.is_interrupted() => Ok(Wait::Unfinished),
            Err(error) => Err(error),
        }
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // Counted before the thread can see that it is.
            abandoned().fetch_add(1, SeqCst);
            let state = &self.shared.state;
            if state
                .compare_exchange(RUNNING, ABANDONED, SeqCst, SeqCst)
                .is_err()
            {
                abandoned().fetch_sub(1, SeqCst);
            }
            // SAFETY: the thread is joinable, and nobody joins it any more.
            unsafe { libc::pthread_detach(thread.name()) };
        }
    }
}

/// Starts a thread with pthread_create(3). One of Rust's maps memory when it begins to run, and
/// aborts the process where there is none.
fn spawn<T, F>(job: Box<Job<T, F>>) -> Result<pthread_t, Box<Job<T, F>>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
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
                run::<T, F>,
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
extern "C" fn run<T, F: FnOnce() -> T>(job: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` gives away what it made.
    let job = unsafe { Box::from_raw(job.cast::<Job<T, F>>()) };
    let Job {
        call,
        shared,
        mut finished,
    } = *job;
    if let Ok(result) = catch_unwind(AssertUnwindSafe(call)) {
        let mut place = shared.result.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(result);
    }
    if shared.state.swap(DONE, SeqCst) == ABANDONED {
        abandoned().fetch_sub(1, SeqCst);
    }
    // Nobody may be waiting any more: then the result is freed here, and writing fails.
    let _ = finished.write_all(&[0]);
    ptr::null_mut()
}

/// How many calls run on that nobody waits for, in this process: a fork has none of the threads.
fn abandoned() -> &'static AtomicUsize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static GENERATION: AtomicU32 = AtomicU32::new(0);
    let generation = process_generation();
    if GENERATION.swap(generation, SeqCst) != generation {
        COUNT.store(0, SeqCst);
    }
    &COUNT
}

/// Waits for a moment where too many abandoned calls are running, so that they cannot pile up;
/// returns whether there were. A signal ends the wait.
pub fn wait_for_room(deadline: Option<Instant>) -> bool {
    let crowded = abandoned().load(SeqCst) >= MAX_ABANDONED;
    if crowded {
        let left = Timeout::until(deadline).limit().unwrap_or(Duration::MAX);
        let pause = Timeout::after(left.min(CROWD_PAUSE));
        // Whatever ends it: the caller looks at the clock and the signals.
        let _ = PollSet::new(Interest::Read).wait(pause);
    }
    crowded
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
    system::in_main_thread()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    #[cfg_attr(miri, ignore = "blocks signals")]
    fn a_call_hands_over_its_result() {
        let mut call = Background::start(|| 42).ok().expect("a thread");
        loop {
            match call.wait(None) {
                Ok(Wait::Done(value)) => break assert_eq!(value, 42),
                Ok(Wait::Unfinished) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "blocks signals")]
    fn a_panic_is_an_error() {
        let mut call = Background::start(|| panic!("as expected"))
            .ok()
            .expect("a thread");
        let outcome: Result<Wait<()>> = loop {
            match call.wait(None) {
                Ok(Wait::Unfinished) => {}
                outcome => break outcome,
            }
        };
        assert!(matches!(outcome, Err(Errno::IO)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "blocks signals")]
    fn abandoned_calls_are_counted_until_they_end() {
        let (release, wait) = channel::<()>();
        let mut call = Background::start(move || wait.recv().ok())
            .ok()
            .expect("a thread");
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(matches!(
            call.wait(Some(soon)),
            Ok(Wait::TimedOut | Wait::Unfinished)
        ));
        drop(call);
        assert!(abandoned().load(SeqCst) >= 1);
        assert!(!wait_for_room(None));
        drop(release);
        while abandoned().load(SeqCst) != 0 {
            std::thread::yield_now();
        }
    }
}
