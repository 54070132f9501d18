//! Whose turn it is with a file: one operation at a time, and none inside of itself.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::python::error::exception;
use crate::python::thread::is_finalizing;
use crate::sys::wake::{Thread, process_generation};

const NOBODY: u64 = 0;
/// The garbage collector, while every thread stands still.
const COLLECTOR: u64 = u64::MAX;
/// Processors of 64 bits have addresses of 48, and so have the C library's numbers of threads.
const NUMBER_BITS: u32 = 48;

/// What tells this thread from all others, also from those that a fork has left behind.
#[inline]
fn me() -> u64 {
    let number = Thread::current().number() as u64 & ((1 << NUMBER_BITS) - 1);
    generation_bits() | number
}

#[inline]
fn generation_bits() -> u64 {
    u64::from(process_generation()) << NUMBER_BITS
}

/// How often a thread that waits for its turn sees to signals.
const PATIENCE: Duration = Duration::from_millis(50);

/// How often who gives the value back tries to have all that wait asleep.
const TRIES: u32 = 16;

/// A value that one thread at a time has, also while that waits for the network. It is told
/// apart whether another thread has it, which is waited for, or this one: code that runs in the
/// middle of an operation, such as a signal handler, must not begin another.
pub(super) struct Turn<T> {
    value: UnsafeCell<T>,
    /// See [`me`].
    owner: AtomicU64,
    waiting: AtomicU32,
    queue: Mutex<()>,
    freed: Condvar,
}

// SAFETY: the value is reached by its owner only, see `take`.
unsafe impl<T: Send> Sync for Turn<T> {}

impl<T: Send> Turn<T> {
    pub(super) fn new(value: T) -> Self {
        Turn {
            value: UnsafeCell::new(value),
            owner: AtomicU64::new(NOBODY),
            waiting: AtomicU32::new(0),
            queue: Mutex::new(()),
            freed: Condvar::new(),
        }
    }

    /// The value, after waiting for other threads; `object` is for the messages.
    #[inline]
    pub(super) fn take(&self, object: &Bound<'_, PyAny>) -> PyResult<Taken<'_, T>> {
        let me = me();
        if self.try_own(me) {
            return Ok(Taken(self));
        }
        self.wait(me, object)?;
        Ok(Taken(self))
    }

    #[inline]
    fn try_own(&self, me: u64) -> bool {
        self.owner
            .compare_exchange(NOBODY, me, SeqCst, SeqCst)
            .is_ok()
    }

    /// Frees what a thread has that a fork has left in the other process.
    fn forget_other_process(&self) {
        let owner = self.owner.load(SeqCst);
        if owner != NOBODY && owner >> NUMBER_BITS != generation_bits() >> NUMBER_BITS {
            // Only that one's: another thread of this process may have done the same by now.
            self.owner
                .compare_exchange(owner, NOBODY, SeqCst, SeqCst)
                .ok();
        }
    }

    #[cold]
    fn wait(&self, me: u64, object: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = object.py();
        self.forget_other_process();
        loop {
            if self.owner.load(SeqCst) == me {
                return Err(refused("reentrant call inside", object));
            }
            if is_finalizing() {
                // Daemon threads stand still by now, with whatever they have.
                return match self.try_own(me) {
                    true => Ok(()),
                    false => Err(refused("another thread still has", object)),
                };
            }
            if py.detach(|| self.queued(me)) {
                return Ok(());
            }
            py.check_signals()?;
        }
    }

    fn queued(&self, me: u64) -> bool {
        // Not by force: a fork may have left it locked.
        let Ok(queue) = self.queue.try_lock() else {
            std::thread::sleep(PATIENCE / 50);
            return self.try_own(me);
        };
        self.waiting.fetch_add(1, SeqCst);
        let waited = self
            .freed
            .wait_timeout_while(queue, PATIENCE, |()| !self.try_own(me));
        self.waiting.fetch_sub(1, SeqCst);
        let (_queue, time) = waited.unwrap_or_else(PoisonError::into_inner);
        !time.timed_out()
    }

    /// The value for the garbage collector, unless somebody has it.
    pub(super) fn peek(&self) -> Option<Taken<'_, T>> {
        self.try_own(COLLECTOR).then_some(Taken(self))
    }
}

#[cold]
fn refused(why: &str, object: &Bound<'_, PyAny>) -> PyErr {
    match object.repr() {
        Ok(text) => exception::<PyRuntimeError>(format!("{why} {text}")),
        Err(error) => error,
    }
}

/// The value, until this goes.
pub(super) struct Taken<'a, T>(&'a Turn<T>);

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: there is one owner at a time, and this is it.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Taken<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Taken<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.owner.store(NOBODY, SeqCst);
        if self.0.waiting.load(SeqCst) != 0 {
            // Not between another's check of the owner and its sleep, which are soon over. Not by
            // force: a fork may have left it locked.
            for _ in 0..TRIES {
                if self.0.queue.try_lock().is_ok() {
                    break;
                }
                std::thread::yield_now();
            }
            self.0.freed.notify_one();
        }
    }
}
