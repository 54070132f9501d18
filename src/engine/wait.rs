//! Waiting, with the interpreter lock given up.

use std::cell::Cell;
use std::time::Duration;

use super::adaptive::Adaptive;
use super::channel::{Detached, Guard};
use super::clock;
use super::settings;
use super::{Attempt, AttemptMode, Mode, Plan};
use crate::sys::io::{Interest, Wake, poll};
use crate::sys::{BorrowedFd, Errno, Timeout};

/// How long to leave a descriptor alone that is ready, but not for the operation.
const SPURIOUS_PAUSE: Duration = Duration::from_micros(200);

/// How a stay outside the interpreter ended.
pub(super) enum Outcome<T> {
    Done(T),
    Failed(Errno),
    /// Signal handlers have to run, and then to go on.
    Interrupted,
    Expired,
    Closed,
}

/// One operation's wait: survives being interrupted by signals, with its deadline.
pub(super) struct Wait<'a> {
    mode: Mode,
    plan: Plan,
    adaptive: &'a Adaptive,
    /// When, by [`clock::now`].
    began: u64,
    /// Whether it came to a sleep that teaches something.
    slept: bool,
    /// Whether the operation was tried already, or need not be.
    tried: bool,
}

impl<'a> Wait<'a> {
    pub(super) fn new(
        mode: Mode,
        plan: Plan,
        adaptive: &'a Adaptive,
        kept_lock: bool,
        began: u64,
    ) -> Self {
        // What keeps the lock was tried before; what does not is tried here.
        let tried = kept_lock || !plan.tries_first(adaptive);
        Wait {
            mode,
            plan,
            adaptive,
            began,
            slept: false,
            tried,
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(clock::now().saturating_sub(self.began))
    }

    /// Learns from a sleep, and lets those learn who may have ended it.
    fn woke_up(&mut self) {
        if self.plan.interest == Interest::Read {
            settings::count_wake();
            self.adaptive.slept(self.elapsed());
            self.slept = true;
        }
    }

    /// Learns, back in the interpreter, whether another thread computed meanwhile.
    pub(super) fn returned(&mut self, contended: bool) {
        if std::mem::take(&mut self.slept) {
            self.adaptive.regained_lock(contended);
        }
    }

    pub(super) fn run<T>(
        &mut self,
        file: &Guard<'_>,
        attempt: &mut impl FnMut(BorrowedFd<'_>, AttemptMode) -> Attempt<T>,
    ) -> Outcome<T> {
        file.detached(|file| self.stay(file, attempt))
            .unwrap_or(Outcome::Closed)
    }

    fn stay<T>(
        &mut self,
        file: Detached<'_>,
        attempt: &mut impl FnMut(BorrowedFd<'_>, AttemptMode) -> Attempt<T>,
    ) -> Outcome<T> {
        let progressed = Cell::new(false);
        let mut attempt = |mode| {
            loop {
                match file.lend(|fd| attempt(fd, mode)) {
                    Some(Attempt::Progressed) => progressed.set(true),
                    attempted => return attempted,
                }
            }
        };
        let limit = match self.mode {
            Mode::NonBlocking => return finish(attempt(AttemptMode::Try)),
            Mode::Blocking if !self.mode.blocks() => Duration::MAX,
            Mode::Blocking => {
                match attempt(AttemptMode::Block) {
                    // `settimeout` in another thread. This operation keeps the mode that it began
                    // in, as in the standard library: it waits, only not in that call.
                    Some(Attempt::WouldBlock) if file.mode_changed() => Duration::MAX,
                    attempted => {
                        self.woke_up();
                        return finish(attempted);
                    }
                }
            }
            Mode::Timed(limit) => limit,
        };
        if !std::mem::replace(&mut self.tried, true) {
            match attempt(AttemptMode::Try) {
                Some(Attempt::WouldBlock) => self.adaptive.was_not_ready(),
                attempted => {
                    self.adaptive.was_ready();
                    return finish(attempted);
                }
            }
        }
        loop {
            // Longer than poll can count where there is no deadline.
            let left = Timeout::after(limit.saturating_sub(self.elapsed()));
            match file.lend(|fd| poll(fd, self.plan.interest, left)) {
                None => return Outcome::Closed,
                Some(Ok(Wake::Ready)) => {}
                Some(Ok(Wake::Expired)) if self.elapsed() >= limit => {
                    return Outcome::Expired;
                }
                // Longer than poll can count.
                Some(Ok(Wake::Expired)) => continue,
                Some(Err(errno)) if errno.is_interrupted() => return Outcome::Interrupted,
                Some(Err(errno)) => return Outcome::Failed(errno),
            }
            self.woke_up();
            match attempt(AttemptMode::Ready) {
                // Somebody else was faster, or the readiness was not for this operation. poll(2)
                // may go on to report it: the clock has to end that, and handlers have to run.
                Some(Attempt::WouldBlock) => {
                    let left = limit.saturating_sub(self.elapsed());
                    if left.is_zero() {
                        return Outcome::Expired;
                    }
                    if !progressed.take() {
                        std::thread::sleep(left.min(SPURIOUS_PAUSE));
                    }
                    return Outcome::Interrupted;
                }
                attempted => return finish(attempted),
            }
        }
    }
}

fn finish<T>(attempted: Option<Attempt<T>>) -> Outcome<T> {
    match attempted {
        None => Outcome::Closed,
        Some(Attempt::Done(value)) => Outcome::Done(value),
        // Progress comes to its end before this.
        Some(Attempt::Progressed | Attempt::Interrupted) => Outcome::Interrupted,
        Some(Attempt::WouldBlock) => Outcome::Failed(Errno::AGAIN),
        Some(Attempt::Failed(errno)) => Outcome::Failed(errno),
    }
}
