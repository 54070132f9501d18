//! What the engine knows of one socket: its descriptor and who uses it, its mode, and what
//! was learned from its last operations. All in atomics; no lock is held across a call.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use pyo3::prelude::*;

use super::Interest;
use super::adaptive::Adaptive;
use super::handoff::detached;
use super::sleepers::{CountGuard, Next, Sleepers};
use super::statistics::{Counters, count_closed, count_opened};
use crate::python::error::{Error, Result};
use crate::python::thread::protect;
use crate::sys::descriptor::Slot;
use crate::sys::wake::{Thread, fork_count, process_generation};
use crate::sys::{
    self, AsFd, AsRawFd, BorrowedFd, Errno, IntoRawFd, OwnedFd, RawFd, Timeout, descriptor,
};

/// How long threads that are awake may wait for the interpreter lock. That has an end, as the
/// operation may be the caller's own, which a signal handler has interrupted.
const LEAVING: Duration = Duration::from_secs(1);

/// Marks the process generation of a channel while a thread forgets those of before.
const FORGETTING: u32 = 1 << 31;

/// How long operations may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Blocking,
    NonBlocking,
    Timed(Duration),
}

impl Mode {
    #[inline]
    fn of(timeout: Timeout) -> Self {
        match timeout.limit() {
            None => Mode::Blocking,
            Some(Duration::ZERO) => Mode::NonBlocking,
            Some(limit) => Mode::Timed(limit),
        }
    }

    /// Whether a system call of an operation may block in the system.
    #[inline]
    pub(crate) fn blocks(self) -> bool {
        sys::io::CAN_BLOCK && self == Mode::Blocking
    }
}

/// Whether the descriptor of a socket with that timeout is in non-blocking mode.
#[inline]
pub(crate) fn nonblocking_with(timeout: Timeout) -> bool {
    timeout.is_some() || !sys::io::CAN_BLOCK
}

pub(crate) struct Channel {
    fd: Slot,
    /// Operations that are on their way with `fd`. While there are any, closing only takes
    /// the number away from new ones, so that none can touch a number that was used again.
    users: AtomicU32,
    /// The descriptor that the last user closes.
    retired: Slot,
    /// See [`Timeout::to_nanos`].
    timeout: AtomicI64,
    /// Whether `O_NONBLOCK` is set, as far as this object knows.
    nonblocking: AtomicBool,
    /// How often this object has switched `O_NONBLOCK`, so that an operation in blocking mode can
    /// tell that it is the reason for `EAGAIN`.
    mode_changes: AtomicU32,
    /// How many operations have set `O_NONBLOCK` for as long as they take.
    nonblocking_borrowers: AtomicU32,
    /// How many threads are switching `O_NONBLOCK` just now.
    switching: AtomicU32,
    /// Whether others may have switched `O_NONBLOCK`: the descriptor was seen outside.
    shared: AtomicBool,
    /// [`fork_count`] when `O_NONBLOCK` was last seen to.
    fork_count: AtomicU32,
    /// An error that came behind data which had to be reported first.
    deferred: AtomicI32,
    sleepers: Sleepers,
    /// [`forks`] when this was last used: the process that the counts are about.
    generation: AtomicU32,
    receiving: Adaptive,
    sending: Adaptive,
    counters: Counters,
}

impl Channel {
    /// A channel without a descriptor.
    pub(crate) fn new() -> Self {
        Channel {
            fd: Slot::empty(),
            users: AtomicU32::new(0),
            retired: Slot::empty(),
            timeout: AtomicI64::new(-1),
            nonblocking: AtomicBool::new(false),
            mode_changes: AtomicU32::new(0),
            nonblocking_borrowers: AtomicU32::new(0),
            switching: AtomicU32::new(0),
            shared: AtomicBool::new(false),
            fork_count: AtomicU32::new(fork_count()),
            deferred: AtomicI32::new(0),
            sleepers: Sleepers::new(),
            generation: AtomicU32::new(process_generation()),
            receiving: Adaptive::new(),
            sending: Adaptive::new(),
            counters: Counters::new(),
        }
    }

    /// Takes a descriptor over; the one before, if any, is closed.
    ///
    /// The descriptor has to be in the mode of the timeout already. `shared` says that others
    /// may know it.
    ///
    /// # Errors
    /// The descriptor comes back: operations are on their way that [`Channel::vacate`] could not
    /// end.
    pub(crate) fn open(&self, fd: OwnedFd, timeout: Timeout, shared: bool) -> Result<(), OwnedFd> {
        self.after_fork_reset();
        if self.users.load(Ordering::SeqCst) != 0 {
            return Err(fd);
        }
        let number = fd.as_raw_fd();
        let before = self.fd.replace(fd);
        self.timeout.store(timeout.to_nanos(), Ordering::Relaxed);
        self.nonblocking
            .store(nonblocking_with(timeout), Ordering::Relaxed);
        self.shared.store(shared, Ordering::Relaxed);
        self.fork_count.store(fork_count(), Ordering::Relaxed);
        self.deferred.store(0, Ordering::Relaxed);
        match before {
            // The same one, of a second `__init__` with it.
            Some(before) if before.as_raw_fd() == number => {
                let _ = before.into_raw_fd();
                return Ok(());
            }
            Some(before) => {
                count_closed();
                close(before);
            }
            None => {}
        }
        count_opened();
        Ok(())
    }

    /// The descriptor's number for the outside, -1 when closed.
    #[inline]
    pub(crate) fn number(&self) -> RawFd {
        self.fd.number()
    }

    /// Notes that the descriptor is known outside from here on.
    pub(crate) fn share(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }

    /// Begins an operation: the descriptor stays open until the guard goes.
    #[inline(always)]
    pub(crate) fn enter(&self) -> Result<Guard<'_>> {
        protect();
        self.after_fork_reset();
        adjust(&self.users, 1);
        let guard = Guard {
            channel: self,
            number: self.fd.number(),
            generation: self.generation.load(Ordering::Relaxed),
            mode_changes: self.mode_changes.load(Ordering::SeqCst),
        };
        // Whether it still has that number each use sees for itself.
        if guard.number < 0 {
            return Err(Error::CLOSED);
        }
        Ok(guard)
    }

    /// Makes a system call that does not sleep on the descriptor.
    ///
    /// # Errors
    /// The socket is closed.
    #[inline]
    pub(crate) fn lend<T>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(BorrowedFd<'_>) -> T,
    ) -> Result<T> {
        self.enter()?.lend(py, call)
    }

    /// The same without the interpreter lock, for a call that may take its time.
    pub(crate) fn lend_detached<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(BorrowedFd<'_>) -> T + Send,
    ) -> Result<T> {
        let file = self.enter()?;
        detached(py, || file.lend_detached(call))
    }

    /// The error that came behind data, once. For what moves data, and for `SO_ERROR`.
    #[inline]
    pub(crate) fn take_deferred(&self) -> Option<Errno> {
        // Nearly always zero, and then without the cost of a locked instruction.
        (self.deferred.load(Ordering::Relaxed) != 0)
            .then(|| self.deferred.swap(0, Ordering::Relaxed))
            .filter(|errno| *errno != 0)
            .map(Errno::new)
    }

    /// Keeps an error for the next operation, because this one has data to report.
    pub(crate) fn defer(&self, errno: Errno) {
        self.deferred.store(errno.code(), Ordering::Relaxed);
    }

    /// Ends the descriptor's use. Returns it where the caller has to close it: otherwise there
    /// was none, or the last operation that is on its way with it will. Who sleeps there has to
    /// be woken, see [`Channel::wake_users`].
    #[must_use]
    pub(crate) fn retire(&self) -> Option<OwnedFd> {
        self.after_fork_reset();
        // One that is there lacks only the last step of the last user, who finds this one instead.
        drop(self.retired.replace(self.take()?));
        if self.is_busy() {
            None
        } else {
            self.retired.take()
        }
    }

    /// Gives the descriptor to the caller and forgets it. Who makes system calls on it without
    /// the interpreter lock has to be ended before the caller can be told of its number, see
    /// [`Channel::end_users`].
    pub(crate) fn take(&self) -> Option<OwnedFd> {
        self.fd.take().inspect(|_| count_closed())
    }

    /// Puts a descriptor that leaves into the mode that the program has chosen, where it is in
    /// another one.
    pub(crate) fn restore_mode(&self, fd: BorrowedFd<'_>) {
        if !sys::io::CAN_BLOCK && self.mode() == Mode::Blocking {
            // One that fails has failed in every other way, too.
            let _ = descriptor::set_nonblocking(fd, false);
        }
    }

    /// Whether operations are on their way. Those that were when the process forked are not in
    /// the child, which has none of the threads.
    pub(crate) fn is_busy(&self) -> bool {
        self.after_fork_reset();
        self.users.load(Ordering::SeqCst) != 0
    }

    /// Ends the system calls that threads sleep in on a descriptor that the last of them closes.
    pub(crate) fn wake_users(&self, py: Python<'_>) {
        if self.is_busy() {
            detached(py, || self.sleepers.wake(Next::Nobody));
        }
    }

    /// The same on one that was taken: afterwards there is no system call on it any more.
    pub(crate) fn end_users(&self, py: Python<'_>) {
        if self.is_busy() {
            detached(py, || self.sleepers.wake(Next::Another));
        }
    }

    /// Ends what operations are on their way, and with them the use of their descriptor, so that
    /// another one can be opened.
    pub(crate) fn vacate(&self, py: Python<'_>) {
        if !self.is_busy() {
            return;
        }
        if let Some(fd) = self.retire() {
            close(fd);
        }
        detached(py, || {
            self.sleepers.wake(Next::Another);
            // They are awake, and want the interpreter lock.
            let pause = Duration::from_micros(50);
            let mut waited = Duration::ZERO;
            while self.users.load(Ordering::SeqCst) != 0 && waited < LEAVING {
                std::thread::sleep(pause);
                waited += pause;
            }
        });
    }

    /// In the child of a fork: forgets the threads of before, once. Called attached to the
    /// interpreter, before anything that counts.
    ///
    /// The child may have several threads by then, which need not take turns.
    #[inline]
    fn after_fork_reset(&self) {
        if self.generation.load(Ordering::Relaxed) != process_generation() {
            self.forget_threads();
        }
    }

    #[cold]
    fn forget_threads(&self) {
        let generation = process_generation();
        // Of this process: another fork meanwhile would leave one that nobody takes away.
        let forgetting = generation | FORGETTING;
        loop {
            let seen = self.generation.load(Ordering::SeqCst);
            if seen == generation {
                return;
            }
            if seen == forgetting {
                std::thread::yield_now();
            } else if self
                .generation
                .compare_exchange(seen, forgetting, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
            {
                break;
            }
        }
        self.sleepers.forget();
        for count in [&self.users, &self.switching, &self.nonblocking_borrowers] {
            count.store(0, Ordering::SeqCst);
        }
        // Promised by a thread that is not here.
        let promised = self.retired.take();
        self.generation.store(generation, Ordering::SeqCst);
        if let Some(fd) = promised {
            close(fd);
        }
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        Mode::of(self.timeout())
    }

    #[inline]
    pub(crate) fn timeout(&self) -> Timeout {
        Timeout::from_nanos(self.timeout.load(Ordering::Relaxed))
    }

    /// Notes the timeout of a descriptor whose mode somebody else sets.
    #[inline]
    pub(crate) fn follow_timeout(&self, timeout: Timeout) {
        self.timeout.store(timeout.to_nanos(), Ordering::Relaxed);
    }

    /// Sets the timeout, also where the system then refuses the mode or the descriptor is closed, as
    /// in the standard library. The system is told only where its mode changes, or may have been
    /// changed by others.
    pub(crate) fn set_timeout(&self, py: Python<'_>, timeout: Timeout) -> Result<()> {
        // Before the system is told: whoever gets `EAGAIN` for it has to find the change.
        self.timeout.store(timeout.to_nanos(), Ordering::SeqCst);
        let file = self.enter()?;
        let nonblocking = nonblocking_with(timeout);
        let forks = fork_count();
        if self.fork_count.load(Ordering::Relaxed) != forks {
            self.fork_count.store(forks, Ordering::Relaxed);
            self.share();
        }
        if self.nonblocking.load(Ordering::SeqCst) == nonblocking
            && !self.shared.load(Ordering::Relaxed)
        {
            return Ok(());
        }
        let switching = CountGuard::of(&self.switching);
        let switched = self.switch(py, &file, nonblocking);
        // An operation that gets `EAGAIN` for it has to find one or the other.
        self.mode_changes.fetch_add(1, Ordering::SeqCst);
        drop(switching);
        switched
    }

    /// Tells the system of the mode, and again until that is the one of the timeout: where threads
    /// set timeouts at the same time, their system calls may come in another order.
    fn switch(&self, py: Python<'_>, file: &Guard<'_>, mut nonblocking: bool) -> Result<()> {
        loop {
            file.lend(py, |fd| descriptor::set_nonblocking(fd, nonblocking))??;
            self.nonblocking.store(nonblocking, Ordering::SeqCst);
            let wanted = nonblocking_with(self.timeout());
            if wanted == nonblocking {
                return Ok(());
            }
            nonblocking = wanted;
        }
    }

    /// Runs an operation of a socket in blocking mode with `O_NONBLOCK` set, for a system call that
    /// has no flag against blocking and must not block. Other threads' operations wait as before.
    pub(crate) fn nonblocking_for<T>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        // Before the system is told, as in `set_timeout`, and at the end, too: an operation that
        // began in between has to find one or the other.
        self.nonblocking_borrowers.fetch_add(1, Ordering::SeqCst);
        self.mode_changes.fetch_add(1, Ordering::SeqCst);
        let switched = self.lend(py, |fd| descriptor::set_nonblocking(fd, true));
        let result = match switched {
            Ok(Ok(())) => operation(),
            Ok(Err(errno)) => Err(errno.into()),
            Err(error) => Err(error),
        };
        self.mode_changes.fetch_add(1, Ordering::SeqCst);
        let last = self.nonblocking_borrowers.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.mode().blocks() {
            // Nothing to switch back where a signal handler has closed it.
            let _ = self.lend(py, |fd| descriptor::set_nonblocking(fd, false));
        }
        result
    }

    /// What its operations did.
    #[inline]
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts bytes that were received behind those of an operation, without the driver.
    pub(crate) fn received_more(&self, bytes: usize) {
        self.counters.more(Interest::Read, bytes);
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
        for fd in [self.retire(), self.retired.take()].into_iter().flatten() {
            close(fd);
        }
    }
}

/// An operation on its way; keeps the descriptor open.
///
/// The descriptor can be borrowed from it alone, for one system call at a time and only while
/// the socket has it: [`Channel::take`] may give the number to somebody who closes it. An
/// operation may therefore look at the socket in two ways. Attached to the interpreter nobody can take the
/// descriptor meanwhile. Detached it is on the list of those whom the taker waits for.
pub(crate) struct Guard<'a> {
    channel: &'a Channel,
    number: RawFd,
    generation: u32,
    mode_changes: u32,
}

impl Guard<'_> {
    fn is_open(&self) -> bool {
        self.channel.number() == self.number
    }

    /// Makes a system call that does not sleep, attached to the interpreter.
    ///
    /// # Errors
    /// The socket is closed.
    #[inline]
    pub(crate) fn lend<T>(
        &self,
        _attached: Python<'_>,
        call: impl FnOnce(BorrowedFd<'_>) -> T,
    ) -> Result<T> {
        // Being attached keeps nobody out there: who takes the descriptor waits for the count.
        let _counted = cfg!(Py_GIL_DISABLED).then(|| self.channel.sleepers.lend());
        Detached(self).lend(call).ok_or(Error::CLOSED)
    }

    /// Makes a system call that may sleep, and which closing ends.
    ///
    /// # Errors
    /// It is closed.
    pub(crate) fn lend_detached<T>(&self, call: impl FnOnce(BorrowedFd<'_>) -> T) -> Result<T> {
        self.detached(|file| file.lend(call))
            .flatten()
            .ok_or(Error::CLOSED)
    }

    /// Runs what makes system calls that may sleep, and which closing the socket ends; None where
    /// the socket is closed already.
    pub(crate) fn detached<T>(&self, run: impl FnOnce(Detached<'_>) -> T) -> Option<T> {
        let thread = Thread::current();
        // Who closes takes the number away first, and wakes then.
        if !self.channel.sleepers.add(thread, || self.is_open()) {
            return None;
        }
        let result = run(Detached(self));
        self.channel.sleepers.remove(thread);
        Some(result)
    }
}

/// The leave to make system calls on the descriptor, whose taker would wait for them.
#[derive(Clone, Copy)]
pub(crate) struct Detached<'a>(&'a Guard<'a>);

impl Detached<'_> {
    /// Whether another thread of this process has switched `O_NONBLOCK` since the operation began,
    /// or has it switched now.
    pub(super) fn mode_changed(self) -> bool {
        let channel = self.0.channel;
        channel.mode_changes.load(Ordering::SeqCst) != self.0.mode_changes
            || channel.nonblocking_borrowers.load(Ordering::SeqCst) != 0
            || channel.switching.load(Ordering::SeqCst) != 0
    }

    /// Makes one system call; None where the socket was closed since.
    #[inline]
    pub(super) fn lend<T>(self, call: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
        // SAFETY: closing leaves the descriptor to the last guard, and taking it waits for
        // whoever has this leave.
        let fd = unsafe { self.0.channel.fd.lend() }?;
        (fd.as_raw_fd() == self.0.number).then(|| call(fd))
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
            && let Some(fd) = self.channel.retired.take()
        {
            // The close was promised to another thread, which has its answer already.
            close(fd);
        }
    }
}

/// Closes a descriptor for somebody who has the answer already, or does not ask for one. Where
/// closing may wait for the peer, that is done without the interpreter lock.
fn close(fd: OwnedFd) {
    let waits = descriptor::lingers(fd.as_fd()).unwrap_or(false);
    let mut fd = Some(fd);
    let mut close = || fd.take().map(descriptor::close);
    // While the interpreter ends there is no attaching, and no thread that minds.
    if waits {
        Python::try_attach(|py| detached(py, &mut close));
    }
    close();
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
