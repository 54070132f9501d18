//! What the engine knows of one socket: its descriptor and who uses it, its mode, and what
//! was learned from its last operations. All in atomics; no lock is held across a call.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::Interest;
use super::adaptive::Adaptive;
use crate::python::error::{Error, Result};
use crate::python::thread::protect;
use crate::sys::wake::{Thread, fork_count, process_generation};
use crate::sys::{Fd, descriptor};

const NONE: Fd = -1;

/// How long closing tries to wake threads; one that blocks all signals stays asleep.
const WAKING: Duration = Duration::from_millis(100);

/// How long operations may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Blocking,
    NonBlocking,
    Timed(Duration),
}

impl Mode {
    /// From nanoseconds; negative for none.
    pub(crate) fn from_nanos(nanos: i64) -> Self {
        match u64::try_from(nanos) {
            Err(_) => Mode::Blocking,
            Ok(0) => Mode::NonBlocking,
            Ok(nanos) => Mode::Timed(Duration::from_nanos(nanos)),
        }
    }
}

pub(crate) struct Channel {
    fd: AtomicI32,
    /// Operations that are on their way with `fd`. While there are any, closing only takes
    /// the number away from new ones, so that none can touch a number that was used again.
    users: AtomicU32,
    /// The descriptor that the last user closes.
    retired: AtomicI32,
    /// The timeout in nanoseconds; negative for none.
    timeout: AtomicI64,
    /// Whether `O_NONBLOCK` is set, as far as this object knows.
    nonblocking: AtomicBool,
    /// How often this object has switched `O_NONBLOCK`, so that an operation in blocking mode can
    /// tell that it is the reason for `EAGAIN`.
    mode_changes: AtomicU32,
    /// Whether others may have switched `O_NONBLOCK`: the descriptor was seen outside.
    shared: AtomicBool,
    /// [`fork_count`] when `O_NONBLOCK` was last seen to.
    fork_count: AtomicU32,
    /// An error that came behind data which had to be reported first.
    deferred: AtomicI32,
    /// The threads that sleep in a system call on the descriptor.
    sleepers: Mutex<Vec<Thread>>,
    /// [`forks`] when this was last used: the process that the counts are about.
    generation: AtomicU32,
    /// Whether a fork has left the list of sleepers locked by a thread that is not here.
    orphaned: AtomicBool,
    receiving: Adaptive,
    sending: Adaptive,
}

impl Channel {
    /// A channel without a descriptor.
    pub(crate) fn new() -> Self {
        Channel {
            fd: AtomicI32::new(NONE),
            users: AtomicU32::new(0),
            retired: AtomicI32::new(NONE),
            timeout: AtomicI64::new(-1),
            nonblocking: AtomicBool::new(false),
            mode_changes: AtomicU32::new(0),
            shared: AtomicBool::new(false),
            fork_count: AtomicU32::new(fork_count()),
            deferred: AtomicI32::new(0),
            sleepers: Mutex::new(Vec::new()),
            generation: AtomicU32::new(process_generation()),
            orphaned: AtomicBool::new(false),
            receiving: Adaptive::new(),
            sending: Adaptive::new(),
        }
    }

    /// Takes a descriptor over; the one before, if any, is closed.
    ///
    /// `shared` says that others may know the descriptor, `nonblocking` the state of
    /// `O_NONBLOCK`, `timeout` is in nanoseconds, negative for none.
    pub(crate) fn open(&self, fd: Fd, timeout: i64, nonblocking: bool, shared: bool) -> Result<()> {
        self.after_fork_reset();
        if self.users.load(Ordering::SeqCst) != 0 {
            // A second `__init__` while another thread is inside the first descriptor.
            return Err(Error::Os(libc::EBUSY));
        }
        let before = self.fd.swap(fd, Ordering::SeqCst);
        self.timeout.store(timeout, Ordering::Relaxed);
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
        self.shared.store(shared, Ordering::Relaxed);
        self.fork_count.store(fork_count(), Ordering::Relaxed);
        self.deferred.store(0, Ordering::Relaxed);
        if before != NONE && before != fd {
            // The new one is in place: a failure must not make the caller close that.
            close(before);
        }
        Ok(())
    }

    /// The descriptor's number for the outside, -1 when closed.
    pub(crate) fn fd(&self) -> Fd {
        self.fd.load(Ordering::SeqCst)
    }

    /// Notes that the descriptor is known outside from here on.
    pub(crate) fn share(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }

    /// Begins an operation: the descriptor stays open until the guard goes.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Guard<'_>> {
        protect();
        self.after_fork_reset();
        adjust(&self.users, 1);
        let guard = Guard {
            channel: self,
            fd: self.fd.load(Ordering::SeqCst),
            generation: self.generation.load(Ordering::Relaxed),
            mode_changes: self.mode_changes.load(Ordering::SeqCst),
        };
        guard.check_open()?;
        Ok(guard)
    }

    /// The error that came behind data, once. For what moves data, and for `SO_ERROR`.
    #[inline]
    pub(crate) fn take_deferred(&self) -> Option<i32> {
        // Nearly always zero, and then without the cost of a locked instruction.
        (self.deferred.load(Ordering::Relaxed) != 0)
            .then(|| self.deferred.swap(0, Ordering::Relaxed))
            .filter(|errno| *errno != 0)
    }

    /// Keeps an error for the next operation, because this one has data to report.
    pub(crate) fn defer(&self, errno: i32) {
        self.deferred.store(errno, Ordering::Relaxed);
    }

    /// Ends the descriptor's use. Returns it where the caller has to close it: otherwise there
    /// was none, or the last operation that is on its way with it will. Who sleeps there has to
    /// be woken, see [`Channel::wake_sleepers`].
    #[must_use]
    pub(crate) fn retire(&self) -> Option<Fd> {
        self.after_fork_reset();
        let fd = self.take()?;
        self.retired.store(fd, Ordering::SeqCst);
        if self.is_busy() {
            None
        } else {
            self.take_retired()
        }
    }

    /// Gives the descriptor to the caller and forgets it.
    pub(crate) fn take(&self) -> Option<Fd> {
        let fd = self.fd.swap(NONE, Ordering::SeqCst);
        (fd != NONE).then_some(fd)
    }

    /// Whether operations are on their way. Those that were when the process forked are not in
    /// the child, which has none of the threads.
    pub(crate) fn is_busy(&self) -> bool {
        self.after_fork_reset();
        self.users.load(Ordering::SeqCst) != 0
    }

    /// Ends the system calls that threads sleep in on a descriptor that is gone. To be called
    /// without the interpreter lock, as the threads may need it.
    pub(crate) fn wake_sleepers(&self) {
        let began = Instant::now();
        let mut pause = Duration::from_micros(20);
        while began.elapsed() < WAKING {
            if let Some(sleepers) = self.sleepers() {
                if sleepers.is_empty() {
                    return;
                }
                for thread in sleepers.iter() {
                    thread.wake();
                }
            }
            // A thread that was just about to go to sleep has missed the signal.
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }

    /// The list, unless a fork has left it locked by a thread that is not there.
    fn sleepers(&self) -> Option<MutexGuard<'_, Vec<Thread>>> {
        while !self.orphaned.load(Ordering::Relaxed) {
            match self.sleepers.try_lock() {
                Ok(sleepers) => return Some(sleepers),
                Err(TryLockError::Poisoned(poison)) => return Some(poison.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }

    /// In the child of a fork: forgets the threads of before, once. Called attached to the
    /// interpreter, before anything that counts.
    #[inline]
    fn after_fork_reset(&self) {
        if self.generation.load(Ordering::Relaxed) != process_generation() {
            self.forget_threads();
        }
    }

    #[cold]
    fn forget_threads(&self) {
        match self.sleepers.try_lock() {
            Ok(mut sleepers) => sleepers.clear(),
            Err(TryLockError::Poisoned(poison)) => poison.into_inner().clear(),
            Err(TryLockError::WouldBlock) => self.orphaned.store(true, Ordering::Relaxed),
        }
        self.users.store(0, Ordering::SeqCst);
        self.generation
            .store(process_generation(), Ordering::SeqCst);
        // Promised by a thread that is not here.
        if let Some(fd) = self.take_retired() {
            close(fd);
        }
    }

    #[inline]
    fn take_retired(&self) -> Option<Fd> {
        // Nearly always none, and then without the cost of a locked instruction.
        if self.retired.load(Ordering::SeqCst) == NONE {
            return None;
        }
        let fd = self.retired.swap(NONE, Ordering::SeqCst);
        (fd != NONE).then_some(fd)
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        Mode::from_nanos(self.timeout())
    }

    /// The timeout in nanoseconds, negative for none.
    #[inline]
    pub(crate) fn timeout(&self) -> i64 {
        self.timeout.load(Ordering::Relaxed)
    }

    /// Sets the timeout. The system is told only where its mode changes, or may have been
    /// changed by others.
    pub(crate) fn set_timeout(&self, nanos: i64) -> Result<()> {
        let file = self.enter()?;
        let nonblocking = nanos >= 0;
        if self.fork_count.swap(fork_count(), Ordering::Relaxed) != fork_count() {
            self.share();
        }
        // Before the system is told: whoever gets `EAGAIN` for it has to find the change.
        let before = self.timeout.swap(nanos, Ordering::SeqCst);
        if self.nonblocking.load(Ordering::Relaxed) != nonblocking
            || (self.shared.load(Ordering::Relaxed) && nanos <= 0)
        {
            self.mode_changes.fetch_add(1, Ordering::SeqCst);
            if let Err(error) = descriptor::set_nonblocking(file.fd(), nonblocking) {
                self.timeout.store(before, Ordering::SeqCst);
                return Err(error.into());
            }
            self.nonblocking.store(nonblocking, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn adaptive(&self, interest: Interest) -> &Adaptive {
        match interest {
            Interest::Read => &self.receiving,
            Interest::Write => &self.sending,
        }
    }

    /// How many bytes the next read is likely to bring.
    pub(crate) fn expected(&self) -> usize {
        self.receiving.expected()
    }

    /// Learns from the size of a read.
    pub(crate) fn received(&self, count: usize) {
        self.receiving.moved(count);
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Nobody can be inside any more. An error has nobody to go to.
        for fd in [self.retire(), self.take_retired()].into_iter().flatten() {
            close(fd);
        }
    }
}

/// An operation on its way; keeps the descriptor open.
pub(crate) struct Guard<'a> {
    channel: &'a Channel,
    fd: Fd,
    generation: u32,
    mode_changes: u32,
}

impl Guard<'_> {
    #[inline]
    pub(crate) fn fd(&self) -> Fd {
        self.fd
    }

    pub(crate) fn is_open(&self) -> bool {
        self.channel.fd() == self.fd
    }

    /// Whether another thread has switched `O_NONBLOCK` since the operation began.
    pub(super) fn mode_changed(&self) -> bool {
        self.channel.mode_changes.load(Ordering::SeqCst) != self.mode_changes
    }

    /// Fails where the socket was closed since, or never was open.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.fd != NONE && self.is_open() {
            Ok(())
        } else {
            Err(Error::CLOSED)
        }
    }

    /// Runs a system call that may sleep, and which closing the socket ends; None where the
    /// socket is closed already.
    pub(super) fn asleep<T>(&self, sleep: impl FnOnce() -> T) -> Option<T> {
        let thread = Thread::current();
        if let Some(mut sleepers) = self.channel.sleepers() {
            // Under the lock: who closes takes the number away first, and wakes then.
            if !self.is_open() {
                return None;
            }
            sleepers.push(thread);
        }
        let result = sleep();
        if let Some(mut sleepers) = self.channel.sleepers()
            && let Some(index) = sleepers.iter().position(|sleeper| *sleeper == thread)
        {
            sleepers.swap_remove(index);
        }
        Some(result)
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.generation != self.channel.generation.load(Ordering::Relaxed) {
            // A handler forked inside the operation: this process does not count it.
            return;
        }
        if adjust(&self.channel.users, -1) == 0
            && let Some(fd) = self.channel.take_retired()
        {
            // The close was promised to another thread, which has its answer already.
            close(fd);
        }
    }
}

/// Closes a descriptor for somebody who has the answer already, or does not ask for one. Where
/// closing may wait for the peer, that is done without the interpreter lock.
fn close(fd: Fd) {
    let waits = descriptor::lingers(fd).unwrap_or(false);
    // While the interpreter ends there is no attaching, and no thread that minds.
    let closed =
        waits && Python::try_attach(|py| py.detach(|| descriptor::close(fd).ok())).is_some();
    if !closed {
        descriptor::close(fd).ok();
    }
}

/// Counts a user in or out and returns how many there are.
///
/// Whoever changes the count, or closes, is attached to the interpreter. Where that means
/// holding the one lock, the counting needs no locked instructions, which would be a
/// noticeable part of a short operation's cost.
#[inline]
fn adjust(users: &AtomicU32, by: i32) -> u32 {
    if cfg!(Py_GIL_DISABLED) {
        users
            .fetch_add(by as u32, Ordering::SeqCst)
            .wrapping_add(by as u32)
    } else {
        let count = users.load(Ordering::Relaxed).wrapping_add(by as u32);
        users.store(count, Ordering::Relaxed);
        count
    }
}
