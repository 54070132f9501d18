//! The one driver of every operation: try, wait until a deadline, run signal handlers, try
//! again. `ARCHITECTURE.md` shows one `recv` on its way through it.

mod adaptive;
mod channel;
mod settings;
mod wait;

use std::io::{self, ErrorKind};

use pyo3::prelude::*;

pub(crate) use channel::{Channel, Mode};
pub(crate) use settings::{
    contended, counters, default_timeout, getbusypoll, set_default_timeout, setbusypoll, tune,
};

use crate::python::error::{Error, Result};
use crate::sys::Fd;
pub(crate) use crate::sys::io::Interest;
use adaptive::Adaptive;
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
            AttemptMode::Try | AttemptMode::Ready => libc::MSG_DONTWAIT,
            AttemptMode::Block => 0,
        }
    }
}

/// What the driver has to know of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) interest: Interest,
    /// How many bytes the kernel may have to copy in one attempt.
    pub(crate) size: usize,
    /// Whether an attempt can be made without blocking on a descriptor in blocking mode.
    pub(crate) tries: bool,
    /// Whether it may pay to look again for a moment before sleeping.
    pub(crate) polls: bool,
}

impl Plan {
    #[inline]
    pub(crate) fn receive(size: usize) -> Self {
        Plan {
            interest: Interest::Read,
            size,
            tries: true,
            polls: true,
        }
    }

    #[inline]
    pub(crate) fn send(size: usize) -> Self {
        Plan {
            interest: Interest::Write,
            size,
            tries: true,
            polls: false,
        }
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
/// both, and keeps what it has achieved until then to itself. With [`AttemptMode::Block`]
/// `WouldBlock` ends the operation, as it does in the kernel (`SO_RCVTIMEO`, or somebody
/// else's `O_NONBLOCK`).
pub(crate) fn drive<T: Send>(
    py: Python<'_>,
    channel: &Channel,
    plan: Plan,
    mut attempt: impl FnMut(Fd, AttemptMode) -> io::Result<T> + Send,
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
        if mode == Mode::NonBlocking || (plan.tries && adaptive.expects_ready()) {
            loop {
                match attempt(file.fd(), AttemptMode::Try) {
                    Ok(value) => {
                        adaptive.was_ready();
                        adaptive.woke(settings::wakes() != wakes);
                        settings::count_kept();
                        return Ok(value);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {
                        py.check_signals()?;
                        file.check_open()?;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if mode == Mode::NonBlocking {
                            return Err(error.into());
                        }
                        adaptive.was_not_ready();
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if plan.polls && mode != Mode::NonBlocking {
            match adaptive.busy_poll(|| attempt(file.fd(), AttemptMode::Try)) {
                Some(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Some(result) => {
                    settings::count_busy_poll_hit();
                    return Ok(result?);
                }
                None => {}
            }
        }
    }

    let mut wait = Wait::new(mode, plan, adaptive, keeps_lock);
    loop {
        // Also before the first sleep: a signal that came during the tries would not end it.
        py.check_signals()?;
        file.check_open()?;
        settings::count_released();
        let outcome = py.detach(|| wait.run(&file, &mut attempt));
        wait.returned();
        match outcome {
            Outcome::Done(value) => return Ok(value),
            Outcome::Expired => return Err(Error::TimedOut),
            Outcome::Closed => return Err(Error::CLOSED),
            Outcome::Failed(error) if error.kind() == ErrorKind::Interrupted => {}
            Outcome::Failed(error) => return Err(error.into()),
        }
    }
}
