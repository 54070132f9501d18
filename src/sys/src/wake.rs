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

/// A thread that can be woken as long as it lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thread(pthread_t);

impl Thread {
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
    /// be alive. Does nothing where no signal can be had for it.
    pub fn wake(self) {
        if let Some(signal) = signal() {
            // SAFETY: the thread is alive, and the signal's handler is the one below.
            unsafe { libc::pthread_kill(self.0, signal) };
        }
    }
}

extern "C" fn nothing(_: c_int) {}

/// A real-time signal that nobody else uses, with a handler that does nothing.
///
/// It is chosen when it is first needed, and again should the program have changed its
/// handler since: with the default one it would end the process.
fn signal() -> Option<c_int> {
    static CHOSEN: AtomicI32 = AtomicI32::new(0);
    let ours = nothing as extern "C" fn(c_int) as usize;
    let chosen = CHOSEN.load(Ordering::Relaxed);
    if chosen != 0 && handler(chosen) == Some(ours) {
        return Some(chosen);
    }
    let found = (libc::SIGRTMIN()..=libc::SIGRTMAX())
        .rev()
        .find(|signal| handler(*signal) == Some(libc::SIG_DFL))?;
    // SAFETY: all zeros are a valid sigaction, without SA_RESTART, so that calls end; the
    // handler may run at any point of any thread, as it does nothing.
    unsafe {
        let mut action = MaybeUninit::<sigaction>::zeroed().assume_init();
        action.sa_sigaction = ours;
        if libc::sigaction(found, &action, ptr::null_mut()) != 0 {
            return None;
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
