//! Counters of the process, of which each thread has its own where threads run at the same time.
//!
//! One place in memory that every processor writes to would be passed around between them with
//! every operation. With the interpreter lock there is one at a time, and one place is enough.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A power of two; more threads than that share places.
pub(super) const SHARDS: usize = if cfg!(Py_GIL_DISABLED) { 32 } else { 1 };

/// What fills cache lines of its own: two of them, as processors fetch pairs.
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

/// As many of something as threads are kept apart.
pub(super) struct Sharded<T>([Padded<T>; SHARDS]);

impl<T> Sharded<T> {
    pub(super) const fn new(shards: [Padded<T>; SHARDS]) -> Self {
        Sharded(shards)
    }

    /// The one that this thread counts in.
    #[inline]
    pub(super) fn mine(&self) -> &T {
        let index = if SHARDS == 1 { 0 } else { index() };
        &self.0[index].0
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().map(|padded| &padded.0)
    }

    /// What all of them have counted.
    pub(super) fn sum(&self, counter: impl Fn(&T) -> &AtomicU64) -> u64 {
        let counts = self.all().map(|shard| counter(shard).load(Relaxed));
        counts.fold(0, u64::wrapping_add)
    }
}

#[inline]
fn index() -> usize {
    const UNKNOWN: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(UNKNOWN) };
    }
    MINE.with(|mine| {
        if mine.get() == UNKNOWN {
            mine.set(NEXT.fetch_add(1, Relaxed) & (SHARDS - 1));
        }
        mine.get()
    })
}

/// Counts. Whoever counts is attached to the interpreter, so that where that means holding the one
/// lock no counting needs a locked instruction.
#[inline]
pub(super) fn add(counter: &AtomicU64, number: u64) {
    if cfg!(Py_GIL_DISABLED) {
        counter.fetch_add(number, Relaxed);
    } else {
        counter.store(counter.load(Relaxed).wrapping_add(number), Relaxed);
    }
}
