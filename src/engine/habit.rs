//! What one direction of one socket has taught: whether it is usually ready, how much a
//! read brings, and whether looking again for a moment beats going to sleep.
//!
//! Everything here is a hint. Threads may overwrite each other's lessons; no answer
//! depends on them, only the time that it takes.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::settings;

/// After so many failed tries in a row the try is left out …
const DISCOURAGED: u32 = 3;
/// … except once in so many operations, to see whether things have changed.
const RETRY: u32 = 16;
/// Operations to let pass after a look that did not help; doubled each time …
const PAUSE: u32 = 2;
/// … up to so many times.
const MAX_FAILURES: u32 = 10;
/// So many sends in a row that woke a thread of this process make it a habit …
const WOKEN: u32 = 3;
/// … for so many sends.
const YIELDS: u32 = 64;

pub(super) struct Habit {
    misses: AtomicU32,
    expected: AtomicUsize,
    /// Whether the last sleep was so short that looking again might have caught its end.
    naps: AtomicBool,
    /// Looks in a row that did not help.
    failures: AtomicU32,
    /// Operations to let pass before the next look.
    pause: AtomicU32,
    /// Operations in a row during which a thread of this process woke up.
    woken: AtomicU32,
    /// Operations that are to give the lock up for such a thread.
    yields: AtomicU32,
}

impl Habit {
    pub(super) const fn new() -> Self {
        Habit {
            misses: AtomicU32::new(0),
            expected: AtomicUsize::new(0),
            naps: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            pause: AtomicU32::new(0),
            woken: AtomicU32::new(0),
            yields: AtomicU32::new(0),
        }
    }

    /// Whether a try before waiting is likely enough to succeed.
    #[inline]
    pub(super) fn expects_ready(&self) -> bool {
        let misses = self.misses.load(Relaxed);
        if misses < DISCOURAGED || misses.is_multiple_of(RETRY) {
            return true;
        }
        self.misses.store(misses.wrapping_add(1), Relaxed);
        false
    }

    #[inline]
    pub(super) fn was_ready(&self) {
        if self.misses.load(Relaxed) != 0 {
            self.misses.store(0, Relaxed);
        }
    }

    pub(super) fn was_not_ready(&self) {
        self.misses
            .store(self.misses.load(Relaxed).wrapping_add(1).max(1), Relaxed);
    }

    /// Bytes that the next read is likely to bring.
    #[inline]
    pub(super) fn expected(&self) -> usize {
        self.expected.load(Relaxed)
    }

    /// Follows growing reads at once and shrinking ones slowly: a small header between large
    /// bodies says nothing about the next body.
    #[inline]
    pub(super) fn moved(&self, count: usize) {
        let expected = self.expected.load(Relaxed);
        let next = if count >= expected {
            count
        } else {
            expected - (expected - count) / 4
        };
        if next != expected {
            self.expected.store(next, Relaxed);
        }
    }

    /// Whether the operation would do well to give the lock up, small as it is: lately it has
    /// woken threads of this process, which then had to wait for the lock.
    #[inline]
    pub(super) fn wakes_threads(&self) -> bool {
        let yields = self.yields.load(Relaxed);
        if yields > 0 {
            self.yields.store(yields - 1, Relaxed);
        }
        yields > 0
    }

    /// Learns whether threads of this process woke up during an operation.
    #[inline]
    pub(super) fn woke(&self, threads: bool) {
        let woken = self.woken.load(Relaxed);
        if !threads {
            if woken != 0 {
                self.woken.store(0, Relaxed);
            }
        } else if woken + 1 < WOKEN {
            self.woken.store(woken + 1, Relaxed);
        } else {
            // Left as it is: when the habit is tried again, once is enough.
            self.yields.store(YIELDS, Relaxed);
        }
    }

    /// Learns from a sleep whether the next one may be worth avoiding.
    pub(super) fn slept(&self, time: Duration) {
        let limit = settings::busy_poll();
        self.naps
            .store(!limit.is_zero() && time < limit * 2, Relaxed);
    }

    /// Tries again for a short time, where that has helped lately; None where it did not
    /// help, or was not worth a look.
    pub(super) fn look_again<T>(
        &self,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        if !self.naps.load(Relaxed) {
            return None;
        }
        let pause = self.pause.load(Relaxed);
        if pause > 0 {
            self.pause.store(pause - 1, Relaxed);
            return None;
        }
        let limit = settings::busy_poll();
        let began = Instant::now();
        while began.elapsed() < limit {
            match attempt() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
                result => {
                    self.failures.store(0, Relaxed);
                    return Some(result);
                }
            }
        }
        // Whoever has to answer may be waiting for the very lock that is kept here.
        let failures = (self.failures.load(Relaxed) + 1).min(MAX_FAILURES);
        self.failures.store(failures, Relaxed);
        self.pause.store(PAUSE << failures, Relaxed);
        None
    }
}
