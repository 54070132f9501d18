//! Adaptive statistics of one direction of one socket: whether it is usually ready, how much a
//! read brings, and whether busy-polling for a moment beats going to sleep.
//!
//! Everything here is a hint. Threads may overwrite each other's statistics; no answer
//! depends on them, only the time that it takes.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{Attempt, handoff, settings};

/// The number of failed tries in a row after which the try is left out …
const DISCOURAGED: u32 = 3;
/// … except once in this number of operations, to see whether things have changed.
const RETRY: u32 = 32;
/// Operations to let pass after a busy-poll that did not help; doubled each time …
const PAUSE: u32 = 2;
/// … up to this number of times.
const MAX_FAILURES: u32 = 10;
/// Where another thread computes, busy-polls pause less: at most this number of failures counts.
const CONTENDED_FAILURES: u32 = 3;
/// A send that woke a thread of this process weighs as much as this number that did not …
const WAKE: u32 = 32;
/// … this weight makes sends give the lock up …
const WAKES: u32 = 3 * WAKE;
/// … this number of times.
const YIELDS: u32 = 256;

pub(super) struct Adaptive {
    misses: AtomicU32,
    expected: AtomicUsize,
    /// How long the last sleep was, in nanoseconds, up to the largest number.
    last_sleep: AtomicU32,
    /// Whether the interpreter lock was long in coming back after the last sleep.
    contended: AtomicBool,
    /// Busy-polls that did not help, less those that did.
    failures: AtomicU32,
    /// Operations to let pass before the next busy-poll.
    pause: AtomicU32,
    /// The weight of the operations during which a thread of this process woke up.
    woken: AtomicU32,
    /// Operations that are to give the lock up for such a thread.
    yields: AtomicU32,
}

impl Adaptive {
    pub(super) const fn new() -> Self {
        Adaptive {
            misses: AtomicU32::new(0),
            expected: AtomicUsize::new(0),
            last_sleep: AtomicU32::new(u32::MAX),
            contended: AtomicBool::new(false),
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
        if misses < DISCOURAGED || misses.is_multiple_of(RETRY) || self.contended.load(Relaxed) {
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
        if cfg!(Py_GIL_DISABLED) {
            return false;
        }
        let yields = self.yields.load(Relaxed);
        if yields > 0 {
            self.yields.store(yields - 1, Relaxed);
        }
        yields > 0
    }

    /// Learns whether threads of this process woke up during an operation.
    #[inline]
    pub(super) fn woke(&self, threads: bool) {
        if cfg!(Py_GIL_DISABLED) {
            return;
        }
        let before = self.woken.load(Relaxed);
        let woken = if threads {
            before + WAKE
        } else {
            before.saturating_sub(1)
        };
        if woken >= WAKES {
            // The weight stays: when the adaptive is tried again, once is enough.
            self.yields.store(YIELDS, Relaxed);
        } else if woken != before {
            self.woken.store(woken, Relaxed);
        }
    }

    /// Learns from a sleep whether the next one may be worth avoiding.
    pub(super) fn slept(&self, time: Duration) {
        let nanos = u32::try_from(time.as_nanos()).unwrap_or(u32::MAX);
        self.last_sleep.store(nanos, Relaxed);
    }

    /// Learns whether another thread computed while this one slept.
    pub(super) fn regained_lock(&self, contended: bool) {
        self.contended.store(contended, Relaxed);
        settings::set_contended(contended);
    }

    /// Tries again for a short time, where that has helped lately; `WouldBlock` where it did not
    /// help, or was not worth it. Tells the time as well that it took.
    pub(super) fn busy_poll<T>(
        &self,
        mut attempt: impl FnMut() -> Attempt<T>,
    ) -> (Attempt<T>, Duration) {
        let beside = self.contended.load(Relaxed);
        // Where the lock can be asked for, a sleep costs little more than it does alone.
        let contended = beside && !handoff::can_ask();
        let last_sleep = Duration::from_nanos(self.last_sleep.load(Relaxed).into());
        // It keeps the lock: others of this process may have work to do with it.
        if handoff::is_awaited() {
            return (Attempt::WouldBlock, Duration::ZERO);
        }
        let longest = settings::busy_poll();
        // Half of a sleep may be falling asleep and waking up, so that the answer has been there
        // long before.
        if longest.is_zero() || !(contended || last_sleep < 2 * longest) {
            return (Attempt::WouldBlock, Duration::ZERO);
        }
        let pause = self.pause.load(Relaxed);
        if pause > 0 {
            self.pause.store(pause - 1, Relaxed);
            return (Attempt::WouldBlock, Duration::ZERO);
        }
        settings::count_busy_poll();
        let began = Instant::now();
        loop {
            let attempted = attempt();
            let time = began.elapsed();
            let found = !matches!(attempted, Attempt::WouldBlock);
            let awaited = !found && handoff::is_awaited();
            if found || awaited || time >= longest {
                // To have the answer a little sooner is not worth the processor time, unless that
                // is little, too: falling asleep and waking up takes some. Or unless it saves to
                // ask for the lock.
                let short = 2 * time < longest && 10 * time < 9 * last_sleep;
                let worth =
                    contended || 3 * time < 2 * last_sleep || short || beside && 4 * time < longest;
                self.busy_polled(found && worth, contended);
                return (attempted, time);
            }
            std::hint::spin_loop();
        }
    }

    /// Learns from a busy-poll, which has not helped where sleeping would have taken less time:
    /// whoever has to answer may be waiting for the very lock, or the very core, that is kept here.
    fn busy_polled(&self, helped: bool, contended: bool) {
        let failures = self.failures.load(Relaxed);
        if helped {
            // Not forgotten at once: one busy-poll in many helps by chance anywhere.
            self.failures.store(failures.saturating_sub(1), Relaxed);
            return;
        }
        let failures = (failures + 1).min(MAX_FAILURES);
        self.failures.store(failures, Relaxed);
        let pause = if contended {
            (1 << failures.min(CONTENDED_FAILURES)) - 1
        } else {
            PAUSE << failures
        };
        self.pause.store(pause, Relaxed);
    }
}
