//! Who sleeps on a descriptor, and how they are woken when it is taken from them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crate::sys::wake::Thread;

/// How long closing tries to wake threads; one that blocks all signals stays asleep. Counted in
/// the pauses that it makes: while a busy machine runs nobody, those threads cannot come, either.
const WAKING: Duration = Duration::from_millis(100);

/// The same where somebody else has the number next, and the signals reach the threads.
const ENDING: Duration = Duration::from_secs(10);

/// Who has the descriptor's number when those who slept on it are awake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// The last of them closes it.
    Nobody,
    /// Somebody else: no system call may be made on it any more.
    Another,
}

/// The threads that make system calls on a descriptor without the interpreter lock, and may sleep
/// in them.
pub(super) struct Sleepers {
    list: Mutex<List>,
    /// How many threads make one which does not sleep, where being attached to the interpreter
    /// keeps nobody else from taking the descriptor.
    lending: AtomicU32,
    /// Whether a fork has left the list locked by a thread that is not here.
    orphaned: AtomicBool,
}

impl Sleepers {
    pub(super) fn new() -> Self {
        Sleepers {
            list: Mutex::new(List::new()),
            lending: AtomicU32::new(0),
            orphaned: AtomicBool::new(false),
        }
    }

    /// Notes a thread that is about to sleep; false where `is_open`, under the lock, denies that
    /// there is something to sleep on.
    #[inline]
    pub(super) fn add(&self, thread: Thread, is_open: impl FnOnce() -> bool) -> bool {
        if let Some(mut list) = self.list() {
            if !is_open() {
                return false;
            }
            list.add(thread);
        }
        true
    }

    /// Takes a thread out that was added once.
    #[inline]
    pub(super) fn remove(&self, thread: Thread) {
        if let Some(mut list) = self.list() {
            list.remove(thread);
        }
    }

    /// Notes a system call that does not sleep.
    #[inline]
    pub(super) fn lend(&self) -> CountGuard<'_> {
        CountGuard::of(&self.lending)
    }

    /// Ends the system calls that the threads are in. Without the interpreter lock, which they may
    /// need. One that no signal reaches is given less time.
    pub(super) fn wake(&self, next: Next) {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_micros(20);
        let mut attempt = 0;
        loop {
            let mut reached = false;
            if let Some(list) = self.list() {
                let lending = self.lending.load(Ordering::SeqCst) != 0;
                if list.is_empty() && !lending {
                    return;
                }
                reached = lending;
                for thread in list.iter() {
                    reached |= thread.wake(attempt);
                }
                attempt += 1;
            }
            let limit = match next {
                Next::Another if reached => ENDING,
                _ => WAKING,
            };
            if waited >= limit {
                return;
            }
            // A thread that was just about to go to sleep has missed the signal.
            std::thread::sleep(pause);
            waited += pause;
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }

    /// Forgets the threads of before, in the child of a fork.
    pub(super) fn forget(&self) {
        match self.list.try_lock() {
            Ok(mut list) => list.clear(),
            Err(TryLockError::Poisoned(poison)) => poison.into_inner().clear(),
            Err(TryLockError::WouldBlock) => self.orphaned.store(true, Ordering::Relaxed),
        }
        self.lending.store(0, Ordering::SeqCst);
    }

    /// The list, unless a fork has left it locked by a thread that is not there.
    fn list(&self) -> Option<MutexGuard<'_, List>> {
        while !self.orphaned.load(Ordering::Relaxed) {
            match self.list.try_lock() {
                Ok(list) => return Some(list),
                Err(TryLockError::Poisoned(poison)) => return Some(poison.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }
}

/// Threads. The first has its place here: nearly always there is no other, and no memory is taken for
/// the list.
struct List {
    first: Option<Thread>,
    others: Vec<Thread>,
}

impl List {
    const fn new() -> Self {
        List {
            first: None,
            others: Vec::new(),
        }
    }

    #[inline]
    fn add(&mut self, thread: Thread) {
        match self.first {
            None => self.first = Some(thread),
            Some(_) => self.others.push(thread),
        }
    }

    /// Takes one out that was added once.
    #[inline]
    fn remove(&mut self, thread: Thread) {
        if self.first == Some(thread) {
            self.first = None;
        } else if let Some(index) = self.others.iter().position(|other| *other == thread) {
            self.others.swap_remove(index);
        }
    }

    fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn iter(&self) -> impl Iterator<Item = &Thread> {
        self.first.iter().chain(&self.others)
    }

    fn clear(&mut self) {
        *self = List::new();
    }
}

/// One of a number of threads, until this goes.
pub(super) struct CountGuard<'a>(&'a AtomicU32);

impl<'a> CountGuard<'a> {
    #[inline]
    pub(super) fn of(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        CountGuard(count)
    }
}

impl Drop for CountGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
