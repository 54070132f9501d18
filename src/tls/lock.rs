//! Who may be inside a session: one thread at a time, as OpenSSL demands.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::prelude::*;

use crate::sys::wake::{Thread, process_generation};

const NOBODY: usize = 0;
/// An attempt takes microseconds, a handshake milliseconds: nobody waits long.
const FIRST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// A lock that is never waited for with the interpreter lock in hand, as its holder may need
/// that: `_ssl` and the callbacks of OpenSSL take it.
pub(super) struct SessionLock {
    holder: AtomicUsize,
    /// The process that the holder is a thread of: a fork leaves it behind.
    generation: AtomicU32,
}

pub(super) struct Held<'a>(&'a SessionLock);

impl SessionLock {
    pub(super) fn new() -> Self {
        SessionLock {
            holder: AtomicUsize::new(NOBODY),
            generation: AtomicU32::new(process_generation()),
        }
    }

    /// Whether this thread holds it: a callback has come back to the session.
    pub(super) fn is_mine(&self) -> bool {
        self.holder.load(Ordering::Relaxed) == Thread::current().number()
    }

    #[inline]
    pub(super) fn try_acquire(&self) -> Option<Held<'_>> {
        let me = Thread::current().number();
        self.holder
            .compare_exchange(NOBODY, me, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Held(self))
    }

    /// Waits for the lock. Not with the interpreter lock, nor by the thread that holds it.
    pub(super) fn acquire_detached(&self) -> Held<'_> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(held) = self.try_acquire() {
                return held;
            }
            let generation = process_generation();
            if self.generation.swap(generation, Ordering::Relaxed) != generation {
                self.holder.store(NOBODY, Ordering::Release);
                continue;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits for the lock from within the interpreter.
    #[inline]
    pub(super) fn acquire(&self, py: Python<'_>) -> Held<'_> {
        self.try_acquire()
            .unwrap_or_else(|| crate::engine::detached(py, || self.acquire_detached()))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.holder.store(NOBODY, Ordering::Release);
    }
}
