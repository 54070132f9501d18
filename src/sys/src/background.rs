//! A call of the C library that blocks without an end and takes no signals, in a thread of
//! its own, so that the caller can wait for it with a deadline or stop waiting.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::io::{Interest, PollSet, Wake};
use crate::wake::process_generation;
use crate::{Errno, Result, Timeout, Worker};

pub use crate::worker::may_run_handlers;

/// A call that is under way. Dropping it abandons the call: its thread runs to the end of
/// the call, frees the result and is gone.
pub struct Background<T> {
    shared: Arc<Shared<T>>,
    /// Taken when the call is done, to wait for the thread's last steps.
    worker: Option<Worker>,
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

/// How a wait ended.
#[derive(Debug)]
pub enum Wait<T> {
    Done(T),
    /// A signal came or may have come: the caller runs its handlers and waits again.
    Unfinished,
    TimedOut,
}

/// What a thread does.
pub(crate) trait Work: Send + 'static {
    fn run(self);
}

/// What the thread of a call begins with.
struct Job<T, F> {
    call: F,
    shared: Arc<Shared<T>>,
}

impl<T: Send + 'static, F: FnOnce() -> T + Send + 'static> Work for Job<T, F> {
    fn run(self) {
        let Job { call, shared } = self;
        if let Ok(result) = catch_unwind(AssertUnwindSafe(call)) {
            let mut place = shared.result.lock().unwrap_or_else(PoisonError::into_inner);
            *place = Some(result);
        }
        if shared.state.swap(DONE, SeqCst) == ABANDONED {
            // Nobody waits any more: the result is freed here.
            abandoned().fetch_sub(1, SeqCst);
        }
    }
}

impl<T: Send + 'static> Background<T> {
    /// Starts the call.
    ///
    /// # Errors
    /// The call comes back where a thread, its memory, or what it is waited for by cannot be had.
    pub fn start<F: FnOnce() -> T + Send + 'static>(call: F) -> Result<Self, F> {
        let shared = Arc::new(Shared {
            state: AtomicU8::new(RUNNING),
            result: Mutex::new(None),
        });
        let job = Job {
            call,
            shared: Arc::clone(&shared),
        };
        match Worker::start(job) {
            Ok(worker) => Ok(Background {
                shared,
                worker: Some(worker),
            }),
            Err(job) => Err(job.call),
        }
    }

    /// Waits for the result, for a signal, or until the deadline, for some time.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<Wait<T>> {
        let left = deadline.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now())
        });
        let pause = Timeout::after(left.min(GLANCE));
        let woken = self
            .worker
            .as_ref()
            .map_or(Ok(Wake::Ready), |worker| worker.wait(pause));
        match woken {
            Ok(Wake::Expired) if left <= GLANCE => Ok(Wait::TimedOut),
            Ok(Wake::Expired) => Ok(Wait::Unfinished),
            Ok(Wake::Ready) => {
                // So that nothing of the thread is left when the caller goes on.
                if let Some(worker) = self.worker.take() {
                    worker.join();
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
        // The thread goes on by itself when its handle goes.
        if self.worker.is_some() {
            // Counted before the thread can see that it is.
            abandoned().fetch_add(1, SeqCst);
            let state = &self.shared.state;
            if state
                .compare_exchange(RUNNING, ABANDONED, SeqCst, SeqCst)
                .is_err()
            {
                abandoned().fetch_sub(1, SeqCst);
            }
        }
    }
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
