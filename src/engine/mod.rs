//! The one driver of every operation: try, wait until a deadline, run signal handlers, try
//! again. `ARCHITECTURE.md` shows one `recv` on its way through it.

mod adaptive;
mod any;
mod channel;
mod clock;
mod deadline;
#[cfg(not(Py_GIL_DISABLED))]
mod handoff;
mod select;
mod settings;
mod shards;
mod sleepers;
mod statistics;
mod wait;

/// Where there is no interpreter lock, nobody has to ask for it.
#[cfg(Py_GIL_DISABLED)]
mod handoff {
    use pyo3::prelude::*;

    use super::clock;
    use super::statistics::Waited;

    pub(crate) fn detached<T: Send>(py: Python<'_>, wait: impl FnOnce() -> T + Send) -> T {
        py.detach(wait)
    }

    pub(super) fn observed<T: Send>(
        py: Python<'_>,
        began: u64,
        wait: impl FnOnce() -> T + Send,
    ) -> (T, Waited, bool) {
        let result = py.detach(wait);
        let waited = Waited {
            network: clock::now().saturating_sub(began),
            ..Waited::default()
        };
        (result, waited, false)
    }

    pub(super) fn is_awaited() -> bool {
        false
    }

    pub(super) fn can_ask() -> bool {
        false
    }

    pub(super) fn counters() -> [(&'static str, u64); 0] {
        []
    }

    /// Tell why no thread asks a computing one for the interpreter lock after a wait.
    ///
    /// Returns:
    ///     A str with the reason, or ``None`` where threads do, once a wait has found the lock taken.
    #[pyfunction]
    pub(crate) fn yield_unavailable() -> Option<&'static str> {
        Some("a free-threaded interpreter has no lock to wait for")
    }
}

use pyo3::prelude::*;

pub(crate) use any::wait_any;
pub(crate) use channel::{Channel, Mode, nonblocking_with};
pub(crate) use deadline::{DeadlineBlock, deadline_left, earlier, with_deadline, within_deadline};
pub(crate) use handoff::{detached, yield_unavailable};
pub(crate) use select::select;
pub(crate) use settings::{
    contended, counters, default_timeout, getbusypoll, set_default_timeout, setbusypoll, tune,
};
pub(crate) use statistics::{Counted, Operation, count_operation, stats, thread_waits, waits};

use crate::python::error::{Error, Result};
pub(crate) use crate::sys::io::Interest;
use crate::sys::{self, BorrowedFd, Errno};
use adaptive::Adaptive;
use statistics::Waited;
use wait::{Outcome, Wait};

/// How an attempt may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AttemptMode {
    /// It must not block, whatever the state of `O_NONBLOCK` is.
    Try,
    /// The descriptor has just been reported ready; it must still not block.
    Ready,
    /// It may block in the kernel: nobody waits for the interpreter lock, and there is no
    /// deadline.
    Block,
}

impl AttemptMode {
    /// The flag that says the same to recv(2) and send(2).
    #[inline]
    pub(crate) fn flags(self) -> i32 {
        match self {
            AttemptMode::Try | AttemptMode::Ready => sys::io::DONT_WAIT,
            AttemptMode::Block => 0,
        }
    }
}

/// What an attempt says.
#[derive(Debug)]
pub(crate) enum Attempt<T> {
    Done(T),
    /// It has got further, and may go on at once. One attempt makes one system call, so that the
    /// driver sees between any two of them whether the socket is still open.
    Progressed,
    WouldBlock,
    Interrupted,
    Failed(Errno),
}

impl<T> From<sys::Result<T>> for Attempt<T> {
    #[inline]
    fn from(result: sys::Result<T>) -> Self {
        match result {
            Ok(value) => Attempt::Done(value),
            Err(errno) if errno.is_would_block() => Attempt::WouldBlock,
            Err(errno) if errno.is_interrupted() => Attempt::Interrupted,
            Err(errno) => Attempt::Failed(errno),
        }
    }
}

impl<T> Attempt<T> {
    #[inline]
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Attempt::Done(value) => Attempt::Done(change(value)),
            Attempt::Progressed => Attempt::Progressed,
            Attempt::WouldBlock => Attempt::WouldBlock,
            Attempt::Interrupted => Attempt::Interrupted,
            Attempt::Failed(errno) => Attempt::Failed(errno),
        }
    }
}

/// What the driver has to know of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) operation: Operation,
    pub(crate) interest: Interest,
    /// How many bytes the kernel may have to copy in one attempt.
    pub(crate) size: usize,
    /// Whether an attempt can be made without blocking on a descriptor in blocking mode.
    pub(crate) tries: bool,
    /// Whether it may pay to busy-poll for a moment before sleeping.
    pub(crate) polls: bool,
    /// Whether there is an answer that the descriptor knows nothing of, so that it is not waited for.
    pub(crate) answers: bool,
}

impl Plan {
    #[inline]
    pub(crate) fn receive(size: usize) -> Self {
        Plan {
            operation: Operation::Receive,
            interest: Interest::Read,
            size,
            tries: true,
            polls: true,
            answers: false,
        }
    }

    #[inline]
    pub(crate) fn send(size: usize) -> Self {
        Plan {
            operation: Operation::Send,
            interest: Interest::Write,
            size,
            tries: true,
            polls: false,
            answers: false,
        }
    }

    /// Whether it is tried before it waits.
    #[inline]
    fn tries_first(&self, adaptive: &Adaptive) -> bool {
        self.tries && (self.answers || adaptive.expects_ready())
    }

    /// The one place that decides whether an operation keeps the interpreter lock while it
    /// is tried: giving the lock up costs a wait for it where other threads compute, keeping
    /// it through a long copy costs the other threads that time, and keeping it while a thread
    /// of this process is woken makes that thread go to sleep again.
    #[inline]
    fn keeps_lock(&self, adaptive: &Adaptive) -> bool {
        self.size <= settings::keep_limit() && !adaptive.wakes_threads()
    }
}

/// Carries an operation out in the mode of its socket.
///
/// `attempt` makes the system call once. It says with `WouldBlock` that the operation has to
/// wait, and with `Interrupted` that signal handlers have to run; it is called again after
/// both, and after `Progressed`, and keeps what it has achieved until then to itself. With
/// [`AttemptMode::Block`] `WouldBlock` ends the operation, as it does in the kernel
/// (`SO_RCVTIMEO`, or somebody else's `O_NONBLOCK`).
#[inline]
pub(crate) fn drive<T: Send + Counted>(
    py: Python<'_>,
    channel: &Channel,
    plan: Plan,
    attempt: impl FnMut(BorrowedFd<'_>, AttemptMode) -> Attempt<T> + Send,
) -> Result<T> {
    let result = carry_out(py, channel, plan, attempt);
    channel
        .counters()
        .operated(plan.operation, plan.interest, &result);
    result
}

fn carry_out<T: Send>(
    py: Python<'_>,
    channel: &Channel,
    plan: Plan,
    mut attempt: impl FnMut(BorrowedFd<'_>, AttemptMode) -> Attempt<T> + Send,
) -> Result<T> {
    let file = channel.enter()?;
    if let Some(errno) = channel.take_deferred() {
        return Err(Error::Os(errno));
    }
    let mode = channel.mode();
    let adaptive = channel.adaptive(plan.interest);

    let keeps_lock = plan.keeps_lock(adaptive);
    if keeps_lock {
        let wakes = settings::wakes();
        if mode == Mode::NonBlocking || plan.tries_first(adaptive) {
            loop {
                match file.lend(py, |fd| attempt(fd, AttemptMode::Try))? {
                    Attempt::Done(value) => {
                        adaptive.was_ready();
                        adaptive.woke(settings::wakes() != wakes);
                        settings::count_kept();
                        return Ok(value);
                    }
                    Attempt::Progressed => {}
                    Attempt::Interrupted => py.check_signals()?,
                    Attempt::WouldBlock => {
                        if mode == Mode::NonBlocking {
                            return Err(Errno::AGAIN.into());
                        }
                        adaptive.was_not_ready();
                        break;
                    }
                    Attempt::Failed(errno) => return Err(errno.into()),
                }
            }
        }
        if plan.polls && mode != Mode::NonBlocking {
            let attempt = || {
                let attempted = file.lend(py, |fd| attempt(fd, AttemptMode::Try));
                attempted.unwrap_or(Attempt::Failed(Errno::BADF))
            };
            let (attempted, time) = adaptive.busy_poll(attempt);
            channel.counters().waited_for(Waited {
                network: clock::nanos(time),
                ..Waited::default()
            });
            match attempted {
                Attempt::Done(value) => {
                    settings::count_busy_poll_hit();
                    return Ok(value);
                }
                Attempt::Failed(errno) => {
                    settings::count_busy_poll_hit();
                    return Err(errno.into());
                }
                Attempt::Progressed | Attempt::Interrupted | Attempt::WouldBlock => {}
            }
        }
    }

    let mode = within_deadline(py, mode)?;
    let mut began = clock::now();
    let mut wait = Wait::new(mode, plan, adaptive, keeps_lock, began);
    // Also before the first sleep: a signal that came during the tries would not end it.
    py.check_signals()?;
    loop {
        settings::count_released();
        let run = || wait.run(&file, &mut attempt);
        let (outcome, waited, contended) = handoff::observed(py, began, run);
        channel.counters().waited_for(waited);
        wait.returned(contended);
        match outcome {
            Outcome::Done(value) => return Ok(value),
            Outcome::Expired => return Err(Error::TimedOut),
            Outcome::Closed => return Err(Error::CLOSED),
            Outcome::Failed(errno) => return Err(errno.into()),
            Outcome::Interrupted => {
                py.check_signals()?;
                began = clock::now();
            }
        }
    }
}
