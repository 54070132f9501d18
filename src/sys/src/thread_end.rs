//! Threads that are ended from outside while code of ours is on their stack.
//!
//! pthread_exit(3) of the GNU C library and of FreeBSD unwinds the stack, and runs on its way what Rust's
//! frames would drop. Where the caller of such a frame has ended the thread that must not
//! happen: what they would drop may belong to somebody else by then, and frames that cannot
//! unwind would abort the process. Such a thread is kept from running for ever instead.
//! Elsewhere `pthread_exit` leaves the stack alone.

#[cfg(unwinding_exit)]
mod handler {
    use std::cell::Cell;
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use crate::system;
    use crate::system::cleanup::{Buffer, pop, push as push_buffer};
    use crate::wake::{Thread, fork_count};

    /// The last thread that asked and has its handler: where one runs at a time, nearly always the
    /// one that asks next, which then need not look at its thread-local storage.
    static LAST: AtomicUsize = AtomicUsize::new(0);

    /// A handler that runs before the first frame is unwound: handlers run as soon as the
    /// frame that holds their buffer has been left, and the heap is in no frame.
    struct Handler(Cell<*mut Buffer>);

    impl Drop for Handler {
        fn drop(&mut self) {
            // The next thread may have the same number.
            let me = Thread::current().number();
            LAST.compare_exchange(me, 0, Relaxed, Relaxed).ok();
            let buffer = self.0.get();
            if !buffer.is_null() {
                // SAFETY: this thread has pushed the buffer, from a box, and the stack that
                // it was to protect is gone.
                unsafe {
                    pop(buffer);
                    drop(Box::from_raw(buffer.cast::<MaybeUninit<Buffer>>()));
                }
            }
        }
    }

    thread_local! {
        static HANDLER: Handler = const { Handler(Cell::new(std::ptr::null_mut())) };
    }

    unsafe extern "C" fn hang(ended: *mut c_void) {
        // SAFETY: the argument is what `stop` has given, and nothing else.
        let ended = unsafe { std::mem::transmute::<*mut c_void, fn() -> bool>(ended) };
        // The main thread is at the interpreter's end itself when it is ended there, by what an
        // interpreter inside that one has left behind: the process would never end.
        while ended() && !system::in_main_thread() {
            // SAFETY: takes nothing; it returns after each signal.
            unsafe { libc::pause() };
        }
    }

    #[cold]
    fn push(handler: &Handler, ended: fn() -> bool) {
        let buffer = Box::into_raw(Box::new(MaybeUninit::<Buffer>::uninit())).cast::<Buffer>();
        // SAFETY: the call writes to the buffer, which lives until `Handler` is dropped at
        // the end of the thread.
        unsafe { push_buffer(buffer, hang, ended as *mut c_void) };
        handler.0.set(buffer);
        // From here on a fork is noticed.
        fork_count();
    }

    /// In the child of a fork, whose threads may get the numbers of those that are not there.
    pub(crate) fn forked() {
        LAST.store(0, Relaxed);
    }

    #[inline]
    pub fn stop(ended: fn() -> bool, in_turn: bool) {
        if !in_turn {
            // One place that all of them write to would cost more than each one's own.
            look_up(ended);
            return;
        }
        let me = Thread::current().number();
        if LAST.load(Relaxed) != me && look_up(ended) {
            LAST.store(me, Relaxed);
        }
    }

    /// Sees to it that this thread has its handler; false while its locals are dropped, when there is
    /// nothing left to be protected.
    #[inline(never)]
    fn look_up(ended: fn() -> bool) -> bool {
        let have = |handler: &Handler| {
            if handler.0.get().is_null() {
                push(handler, ended);
            }
        };
        HANDLER.try_with(have).is_ok()
    }
}

#[cfg(unwinding_exit)]
pub(crate) use handler::forked;
#[cfg(unwinding_exit)]
pub use handler::stop;

#[cfg(all(unix, not(unwinding_exit)))]
pub(crate) fn forked() {}

/// From now on, this thread stops at the place where it is ended if `ended` says so: that its
/// stack must not be unwound. `in_turn` says that threads which ask run one at a time.
#[cfg(not(unwinding_exit))]
#[inline]
pub fn stop(_: fn() -> bool, _: bool) {}

#[cfg(all(test, unwinding_exit))]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use std::time::{Duration, Instant};

    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    static ENDED: AtomicBool = AtomicBool::new(true);
    static ARRIVED: AtomicBool = AtomicBool::new(false);

    struct Noisy;

    impl Drop for Noisy {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, SeqCst);
        }
    }

    unsafe extern "C-unwind" {
        fn pthread_exit(value: *mut libc::c_void) -> !;
    }

    fn ended() -> bool {
        ARRIVED.store(true, SeqCst);
        ENDED.load(SeqCst)
    }

    #[test]
    #[cfg_attr(miri, ignore = "ends threads")]
    fn a_thread_that_is_ended_drops_nothing() {
        std::thread::spawn(|| {
            super::stop(ended, true);
            super::stop(ended, true);
            let _noisy = Noisy;
            // SAFETY: never comes back, which is what is to be seen.
            unsafe { pthread_exit(std::ptr::null_mut()) };
        });
        let began = Instant::now();
        while !ARRIVED.load(SeqCst) && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(50));
        assert!(ARRIVED.load(SeqCst));
        assert_eq!(DROPPED.load(SeqCst), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "ends threads")]
    fn a_thread_that_returns_is_joined() {
        std::thread::spawn(|| super::stop(|| true, false))
            .join()
            .unwrap();
    }
}
