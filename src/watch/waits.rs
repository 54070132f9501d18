//! What the calls of a thread have waited for so far.

#[cfg(linux)]
use std::sync::{
    Arc,
    atomic::{AtomicPtr, Ordering::Acquire, Ordering::Release},
};

#[cfg(linux)]
use super::sampler::{LockSampler, Shared};
use crate::engine;

/// Nanoseconds of a thread: for the network, and for the interpreter lock.
pub(super) type Nanoseconds = (u64, u64);

/// Whoever tells: the engine of itself, a sampler of the standard library.
pub(super) struct Waits {
    standard: bool,
    #[cfg(linux)]
    sampler: AtomicPtr<Shared>,
}

impl Waits {
    pub(super) fn new(standard: bool) -> Self {
        Waits {
            standard,
            #[cfg(linux)]
            sampler: AtomicPtr::default(),
        }
    }

    /// From now on ask that sampler, which lives for ever then: threads may be on their way to it.
    #[cfg(linux)]
    pub(super) fn sample(&self, sampler: &LockSampler) {
        let shared = Arc::into_raw(sampler.shared()).cast_mut();
        self.sampler.store(shared, Release);
    }

    /// Says that this thread enters a call, or leaves it, and tells what it has waited so far.
    #[inline]
    pub(super) fn so_far(&self, enters: bool) -> Nanoseconds {
        if !self.standard {
            return engine::waits();
        }
        #[cfg(linux)]
        {
            // SAFETY: null, or the count that `sample` has given up keeps it alive.
            let sampler = unsafe { self.sampler.load(Acquire).as_ref() };
            if let Some(sampler) = sampler {
                return sampler.mine(enters);
            }
        }
        let _ = enters;
        (0, 0)
    }
}
