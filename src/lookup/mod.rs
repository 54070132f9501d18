//! How names become addresses: what addresses and the resolver's functions are made of.
//!
//! Every lookup of a host goes through [`lookup`] or [`run`]: what is numeric is answered
//! here, what the machine knows itself is asked of the C library at once, and what may need
//! the network is asked in a thread of its own where somebody must be able to stop waiting.

mod name;
mod timeout;

use std::ffi::CStr;
use std::time::Instant;

use pyo3::prelude::*;

pub(crate) use name::{HostName, resolve};
pub(crate) use timeout::{getresolvertimeout, setresolvertimeout};

use crate::engine::{Operation, count_operation, detached, earlier};
use crate::python::error::Result;
use crate::sys::background::{self, Background, Wait};
pub(crate) use crate::sys::lookup::{Entry, Hints, Service};
use crate::sys::{c, hosts_file, lookup as libc_lookup, numeric};
use timeout::Limit;

/// The addresses of a host and a service, as getaddrinfo(3) gives them.
///
/// # Errors
/// The lookup's failure, `TimedOut` at the deadline, `LookupTimedOut` where the timeout for all
/// lookups passed before, or what a signal handler raised.
pub(crate) fn lookup(
    py: Python<'_>,
    host: Option<&CStr>,
    service: Service,
    hints: Hints,
    deadline: Option<Instant>,
) -> Result<Vec<Entry>> {
    if let Some(entries) = numeric::addresses(host, &service, hints) {
        return Ok(entries);
    }
    let host = host.map(CStr::to_owned);
    let service = service.into_text();
    let local = {
        let host = host.clone();
        move || host.is_none_or(|host| answers_here(&host, hints))
    };
    let call = move || libc_lookup::addresses(host.as_deref(), service.as_deref(), hints);
    Ok(run(py, deadline, local, call)??)
}

/// Makes a call of the C library that may block, without the interpreter lock.
///
/// No signal handler of Python can run during such a call, and the call cannot be ended.
/// So the main thread, and every thread with a deadline, leaves it to a thread of its own
/// and waits for that one, unless `is_local` says that the call only looks into files: then
/// the other thread would cost more than the call. Where no thread can be had, the calling one
/// makes the call, as it does in the standard library.
///
/// # Errors
/// As for [`lookup`], or the system's error when it could not wait.
pub(crate) fn run<T: Send + 'static>(
    py: Python<'_>,
    deadline: Option<Instant>,
    is_local: impl FnOnce() -> bool + Send,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    count_operation(Operation::Lookup);
    let limit = Limit::new(earlier(py, deadline)?);
    let here = move || is_local() || (limit.is_none() && !background::may_run_handlers());
    // Decided and called in one go, as every return to the interpreter has its price.
    let mut step = detached(py, move || {
        if here() {
            Step::Done(call())
        } else {
            start(call, limit)
        }
    });
    let mut pending = loop {
        match step {
            Step::Done(result) => return Ok(result),
            Step::Pending(pending) => break pending,
            Step::Crowded(call) => {
                py.check_signals()?;
                limit.check()?;
                step = detached(py, move || start(call, limit));
            }
        }
    };
    loop {
        match detached(py, || pending.wait(limit.deadline()))? {
            Wait::Done(result) => return Ok(result),
            Wait::TimedOut => return Err(limit.error()),
            Wait::Unfinished => py.check_signals()?,
        }
    }
}

/// Where a call of the C library stands.
enum Step<T, F> {
    Done(T),
    Pending(Background<T>),
    /// Too many given-up calls are still running.
    Crowded(F),
}

/// Leaves a call to a thread of its own, or makes it in this one where none can be had.
fn start<T: Send + 'static, F>(call: F, limit: Limit) -> Step<T, F>
where
    F: FnOnce() -> T + Send + 'static,
{
    if background::wait_for_room(limit.deadline()) {
        return Step::Crowded(call);
    }
    match Background::start(call) {
        Ok(pending) => Step::Pending(pending),
        Err(call) => Step::Done(call()),
    }
}

/// Whether the C library answers without the network: a number in one of its forms, or a
/// name in the hosts file.
pub(crate) fn answers_here(host: &CStr, hints: Hints) -> bool {
    let name = host.to_bytes();
    hints.flags & c::AI_NUMERICHOST != 0
        || numeric::is_number(host)
        || hosts_file::has_name(name, hints.family)
}
