//! Waking a thread that sleeps in a system call, and noticing that the process has forked.
//!
//! A thread in the kernel can be reached without a descriptor of its own, and without a cost
//! as long as nobody has to be woken: by a signal that does nothing but end the call with
//! EINTR.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use libc::{c_int, pthread_t, sigaction};

use crate::system;

/// A thread that can be woken as long as it lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thread(pthread_t);

// SAFETY: the name of a thread, which some systems write as an address. Nobody follows it but the
// C library, of which any thread may ask for any other.
unsafe impl Send for Thread {}
// SAFETY: as above.
unsafe impl Sync for Thread {}

impl Thread {
    #[inline]
    pub fn current() -> Self {
        // SAFETY: takes nothing and cannot fail.
        Thread(unsafe { libc::pthread_self() })
    }

    /// A number that no other living thread of the process has, and never zero.
    #[inline]
    pub fn number(self) -> usize {
        self.0 as usize
    }

    /// Ends the system call that the thread is in with EINTR, if it is in one. The thread must
    /// be alive. Whether there was a signal that it takes.
    ///
    /// A signal that the thread blocks would not wake it, but wait for it: programs that block one
    /// do that to be told of it, by sigwait(3) or a descriptor. `attempt` counts the calls for one
    /// waking; where the thread's mask cannot be read, as without `/proc`, there is an end to them.
    pub fn wake(self, attempt: u32) -> bool {
        const BLIND_ATTEMPTS: u32 = 8;
        let blocked = match system::blocked_signals(self.0) {
            Some(blocked) => blocked,
            None if attempt < BLIND_ATTEMPTS => 0,
            None => return false,
        };
        let Some(signal) = signal(blocked) else {
            return false;
        };
        // SAFETY: the thread is alive, and the signal's handler is the one below.
        unsafe { libc::pthread_kill(self.0, signal) == 0 }
    }
}

extern "C" fn nothing(_: c_int) {}

/// A signal that nobody else uses and that is not in the mask, with a handler that does nothing.
///
/// It is chosen when it is first needed, and again should the program have changed its handler
/// since: with the default one it might end the process. A program that has a handler for every
/// real-time signal leaves those that nobody notices as long as there is none for them.
fn signal(blocked: u64) -> Option<c_int> {
    static CHOSEN: AtomicI32 = AtomicI32::new(0);
    let ours = nothing as extern "C" fn(c_int) as usize;
    // Where the mask is known, no signal has a number above 64.
    let bit = |signal: c_int| 1_u64.checked_shl(signal as u32 - 1).unwrap_or(0);
    let is_free = |signal: c_int| blocked & bit(signal) == 0;
    let chosen = CHOSEN.load(Ordering::Relaxed);
    if chosen != 0 && is_free(chosen) && handler(chosen) == Some(ours) {
        return Some(chosen);
    }
    let found = system::unused_signals().find(|signal| {
        is_free(*signal)
            && matches!(handler(*signal), Some(found) if found == libc::SIG_DFL || found == ours)
    })?;
    if handler(found) != Some(ours) {
        // SAFETY: all zeros are a valid sigaction, without SA_RESTART, so that calls end; the
        // handler may run at any point of any thread, as it does nothing.
        unsafe {
            let mut action = MaybeUninit::<sigaction>::zeroed().assume_init();
            action.sa_sigaction = ours;
            if libc::sigaction(found, &action, ptr::null_mut()) != 0 {
                return None;
            }
        }
    }
    CHOSEN.store(found, Ordering::Relaxed);
    Some(found)
}

fn handler(signal: c_int) -> Option<usize> {
    let mut action = MaybeUninit::<sigaction>::zeroed();
    // SAFETY: the call only writes the current action.
    unsafe {
        (libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0)
            .then(|| action.assume_init().sa_sigaction)
    }
}

static GENERATION: AtomicU32 = AtomicU32::new(0);
static FORK_COUNT: AtomicU32 = AtomicU32::new(0);

extern "C" fn has_forked() {
    FORK_COUNT.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    crate::thread_end::forked();
    has_forked();
}

fn watch_forks() {
    static REGISTERED: Once = Once::new();
    // SAFETY: the functions do what is safe in a child, which is nearly nothing.
    REGISTERED.call_once(|| unsafe {
        libc::pthread_atfork(None, Some(has_forked), Some(forked));
    });
}

/// How often this process is a fork of a fork: where the number has changed, the threads of
/// before are no longer there.
pub fn process_generation() -> u32 {
    watch_forks();
    GENERATION.load(Ordering::Relaxed)
}

/// How many forks there were on either side: where the number has changed, another process may
/// have the descriptors of before.
pub fn fork_count() -> u32 {
    watch_forks();
    FORK_COUNT.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "has signals")]
    fn no_signal_is_chosen_that_is_blocked() {
        let usual = signal(0).expect("a signal");
        let other = signal(1 << (usual - 1)).expect("another");
        assert_ne!(other, usual);
        assert_eq!(signal(u64::MAX), None);
    }
}
