//! Waiting, with the interpreter lock given up.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::channel::Guard;
use super::habit::Habit;
use super::{How, Mode, Plan};
use crate::sys::Fd;
use crate::sys::io::{Alarm, Interest, Wake, poll};

/// Waits shorter than this are not worth an alarm; a socket that is closed meanwhile is
/// noticed when they end.
const PATIENCE: Duration = Duration::from_millis(20);

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
    habit: &'a Habit,
    began: Instant,
    /// Whether the operation was tried already, or need not be.
    tried: bool,
}

impl<'a> Wait<'a> {
    pub(super) fn new(mode: Mode, plan: Plan, habit: &'a Habit) -> Self {
        // What keeps the lock was tried before; what does not is tried here.
        let tried = plan.keeps_lock() || !plan.tries || !habit.expects_ready();
        Wait {
            mode,
            plan,
            habit,
            began: Instant::now(),
            tried,
        }
    }

    pub(super) fn run<T>(
        &mut self,
        file: &Guard<'_>,
        attempt: &mut impl FnMut(Fd, How) -> io::Result<T>,
    ) -> Outcome<T> {
        let limit = match self.mode {
            Mode::NonBlocking => return finish(attempt(file.fd(), How::Try)),
            Mode::Blocking => {
                let result = attempt(file.fd(), How::Block);
                self.habit.slept(self.began.elapsed());
                return finish(result);
            }
            Mode::Timed(limit) => limit,
        };
        if !std::mem::replace(&mut self.tried, true) {
            match attempt(file.fd(), How::Try) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.habit.was_not_ready(),
                result => {
                    self.habit.was_ready();
                    return finish(result);
                }
            }
        }
        loop {
            match sleep(file, self.plan.interest, self.began, limit) {
                Ok(Wake::Ready) => {}
                Ok(Wake::Expired) => return Outcome::Expired,
                Ok(Wake::Alarm) => return Outcome::Closed,
                Err(error) => return Outcome::Failed(error),
            }
            self.habit.slept(self.began.elapsed());
            match attempt(file.fd(), How::Ready) {
                // Somebody else was faster, or the readiness was not for us.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
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

/// Sleeps until the descriptor is ready, the time is up or the socket is closed.
fn sleep(
    file: &Guard<'_>,
    interest: Interest,
    began: Instant,
    limit: Duration,
) -> io::Result<Wake> {
    let left = || limit.saturating_sub(began.elapsed());
    let mut alarm = None;
    loop {
        let time = left();
        let wake = match &alarm {
            None => poll(file.fd(), interest, Some(time.min(PATIENCE)), None)?,
            Some(alarm) => {
                let Some(wake) = file.with_alarm(alarm, || {
                    poll(file.fd(), interest, Some(time), Some(alarm.fd()))
                }) else {
                    return Ok(Wake::Alarm);
                };
                wake?
            }
        };
        if !file.is_open() {
            return Ok(Wake::Alarm);
        }
        if wake == Wake::Ready || (wake == Wake::Expired && left().is_zero()) {
            return Ok(wake);
        }
        // Without a descriptor to spare for an alarm, the sleep goes on in short pieces.
        alarm = alarm.or_else(|| Alarm::new().ok());
    }
}
