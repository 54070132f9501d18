//! Waiting, with the interpreter lock given up.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::adaptive::Adaptive;
use super::channel::Guard;
use super::settings;
use super::{AttemptMode, Mode, Plan};
use crate::sys::Fd;
use crate::sys::io::{Interest, Wake, poll};

/// How long to leave a descriptor alone that is ready, but not for the operation.
const SPURIOUS_PAUSE: Duration = Duration::from_micros(200);

/// How a stay outside the interpreter ended.
pub(super) enum Outcome<T> {
    Done(T),
    Failed(io::Error),
    Expired,
    Closed,
}

/// One operation's wait: survives being interrupted by signals, with its deadline.
pub(super) struct Wait<'a> {
    mode: Mode,
    plan: Plan,
    adaptive: &'a Adaptive,
    began: Instant,
    /// Whether it came to a sleep that teaches something.
    slept: bool,
    /// When there was nothing left to do outside the interpreter.
    finished: Instant,
    /// Whether the operation was tried already, or need not be.
    tried: bool,
}

impl<'a> Wait<'a> {
    pub(super) fn new(mode: Mode, plan: Plan, adaptive: &'a Adaptive, kept_lock: bool) -> Self {
        // What keeps the lock was tried before; what does not is tried here.
        let tried = kept_lock || !plan.tries || !adaptive.expects_ready();
        let now = Instant::now();
        Wait {
            mode,
            plan,
            adaptive,
            began: now,
            slept: false,
            finished: now,
            tried,
        }
    }

    /// Learns from a sleep, and lets those learn who may have ended it.
    fn woke_up(&mut self) {
        if self.plan.interest == Interest::Read {
            settings::count_wake();
            self.adaptive.slept(self.began.elapsed());
            self.slept = true;
        }
    }

    /// Learns, back in the interpreter, what it cost to be outside.
    pub(super) fn returned(&mut self) {
        if std::mem::take(&mut self.slept) {
            self.adaptive.regained_lock(self.finished.elapsed());
        }
    }

    pub(super) fn run<T>(
        &mut self,
        file: &Guard<'_>,
        attempt: &mut impl FnMut(Fd, AttemptMode) -> io::Result<T>,
    ) -> Outcome<T> {
        let outcome = self.stay(file, attempt);
        self.finished = Instant::now();
        outcome
    }

    fn stay<T>(
        &mut self,
        file: &Guard<'_>,
        attempt: &mut impl FnMut(Fd, AttemptMode) -> io::Result<T>,
    ) -> Outcome<T> {
        let limit = match self.mode {
            Mode::NonBlocking => return finish(attempt(file.fd(), AttemptMode::Try)),
            Mode::Blocking => {
                let Some(result) = file.asleep(|| attempt(file.fd(), AttemptMode::Block)) else {
                    return Outcome::Closed;
                };
                match result {
                    // `settimeout` in another thread. This operation keeps the mode that it began
                    // in, as in the standard library: it waits, only not in that call.
                    Err(error) if error.kind() == ErrorKind::WouldBlock && file.mode_changed() => {
                        Duration::MAX
                    }
                    result => {
                        self.woke_up();
                        return finish(result);
                    }
                }
            }
            Mode::Timed(limit) => limit,
        };
        if !std::mem::replace(&mut self.tried, true) {
            match attempt(file.fd(), AttemptMode::Try) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.adaptive.was_not_ready()
                }
                result => {
                    self.adaptive.was_ready();
                    return finish(result);
                }
            }
        }
        loop {
            // Longer than poll can count where there is no deadline.
            let left = limit.saturating_sub(self.began.elapsed());
            match file.asleep(|| poll(file.fd(), self.plan.interest, Some(left))) {
                None => return Outcome::Closed,
                Some(Ok(Wake::Ready)) => {}
                Some(Ok(Wake::Expired)) if self.began.elapsed() >= limit => {
                    return Outcome::Expired;
                }
                // Longer than poll can count.
                Some(Ok(Wake::Expired)) => continue,
                Some(Err(error)) => return Outcome::Failed(error),
            }
            self.woke_up();
            // The number may be somebody else's by now, after `detach`.
            if !file.is_open() {
                return Outcome::Closed;
            }
            match attempt(file.fd(), AttemptMode::Ready) {
                // Somebody else was faster, or the readiness was not for this operation. poll(2)
                // may go on to report it: the clock has to end that, and handlers have to run.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = limit.saturating_sub(self.began.elapsed());
                    if left.is_zero() {
                        return Outcome::Expired;
                    }
                    std::thread::sleep(left.min(SPURIOUS_PAUSE));
                    return Outcome::Failed(ErrorKind::Interrupted.into());
                }
                result => return finish(result),
            }
        }
    }
}

fn finish<T>(result: io::Result<T>) -> Outcome<T> {
    match result {
        Ok(value) => Outcome::Done(value),
        Err(error) => Outcome::Failed(error),
    }
}
