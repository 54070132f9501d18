//! What is done in the place of a function or method that is watched.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::Watch;
use super::ended::{Ended, THREAD};
use crate::python::callable::{Call, Companion, Outcome};
use crate::python::method::generally;

impl Companion for Watch {
    /// Calls what is watched, and tells of it.
    fn called<'py>(&self, call: &Call<'_, 'py>) -> Outcome<'py> {
        if THREAD.with(|thread| thread.busy.replace(true)) {
            return call.make();
        }
        let py = call.py();
        let before = self.waits.so_far(true);
        let began = Instant::now();
        let outcome = call.make();
        let took = began.elapsed().as_nanos() as u64;
        let after = self.waits.so_far(false);
        let ended = Ended {
            call,
            took,
            waited: (
                after.0.wrapping_sub(before.0),
                after.1.wrapping_sub(before.1),
            ),
        };
        let is_counted = self.sink.is_none()
            && catch_unwind(AssertUnwindSafe(|| ended.count(self, &outcome))).unwrap_or(false);
        let outcome = if is_counted {
            outcome
        } else {
            Outcome::of(py, || generally(py, |_| ended.ask(self, outcome)))
        };
        THREAD.with(|thread| thread.busy.set(false));
        outcome
    }
}
