//! What `create_connection` does: a race of connection attempts to the addresses of a host.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyBaseExceptionGroup, PyOSError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyTuple, PyType};

use super::Socket;
use super::connect::connect_deadline;
use crate::engine::{self, Interest, Operation, wait_any};
use crate::python::args::Given;
use crate::python::callable::unwrapped;
use crate::python::error::{Error, Result, at, exception};
use crate::python::make::Made;
use crate::python::method::{attribute, same_native};
use crate::python::plain::Plain;
use crate::sys::race::{
    DEFAULT_ATTEMPT_DELAY, MAX_ATTEMPT_DELAY, MIN_ATTEMPT_DELAY, Race, Step, interleaved,
};
use crate::sys::{self, Errno, SockAddr, Timeout, c, descriptor};

/// The environment variable that sets the initial delay, in milliseconds.
const DELAY_VARIABLE: &str = "OXISOCK_CONNECTION_ATTEMPT_DELAY_MS";

/// The time between the beginnings of two attempts, in nanoseconds.
static DELAY: LazyLock<AtomicU64> = LazyLock::new(|| {
    let delay = std::env::var(DELAY_VARIABLE)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .map_or(DEFAULT_ATTEMPT_DELAY, |milliseconds| {
            Duration::from_millis(milliseconds).clamp(MIN_ATTEMPT_DELAY, MAX_ATTEMPT_DELAY)
        });
    AtomicU64::new(delay.as_nanos() as u64)
});

fn delay() -> Duration {
    Duration::from_nanos(DELAY.load(Relaxed))
}

/// Set the Connection Attempt Delay of ``create_connection``; RFC 8305, section 5.
///
/// After that time an attempt with the next address of a host begins, while the ones before have
/// not answered. Attempts that have begun go on; the first that connects wins. The initial value is 0.25
/// seconds, or what the environment variable ``OXISOCK_CONNECTION_ATTEMPT_DELAY_MS`` says, in
/// milliseconds.
///
/// Args:
///     seconds: the delay, 0.01 to 2.
///
/// Raises:
///     ValueError: the delay is no number, below 0.01 or above 2.
///     TypeError: the delay has a wrong type.
#[pyfunction]
#[pyo3(signature = (seconds, /))]
pub(crate) fn setconnectionattemptdelay(seconds: Plain<f64>) -> PyResult<()> {
    let seconds = seconds.0;
    let range = MIN_ATTEMPT_DELAY.as_secs_f64()..=MAX_ATTEMPT_DELAY.as_secs_f64();
    if !range.contains(&seconds) {
        return Err(exception::<PyValueError>(
            "seconds must be between 0.01 and 2",
        ));
    }
    DELAY.store((seconds * 1e9) as u64, Relaxed);
    Ok(())
}

/// Return the Connection Attempt Delay of ``create_connection`` in seconds; RFC 8305, section 5.
#[pyfunction]
pub(crate) fn getconnectionattemptdelay() -> Made<f64> {
    Made(delay().as_secs_f64())
}

/// What the caller of ``create_connection`` wants, and what the attempts need.
struct Connecting<'py> {
    py: Python<'py>,
    /// What stands for `oxisock.socket` now.
    class: Bound<'py, PyAny>,
    /// As the caller wrote it; none where it was left out.
    timeout: Option<Bound<'py, PyAny>>,
    /// None, or something else that is false, for any address.
    source: Bound<'py, PyAny>,
    /// What `getaddrinfo` found, in its order.
    found: Vec<Bound<'py, PyAny>>,
    /// What happened with each, by the same index.
    errors: Vec<Option<PyErr>>,
}

/// An attempt that is under way.
struct Attempt<'py> {
    index: usize,
    socket: Bound<'py, Socket>,
    peer: Bound<'py, PyAny>,
}

/// Connect to a host as ``create_connection`` does; RFC 8305.
///
/// Args:
///     public: the module ``oxisock``, whose ``socket`` and ``getaddrinfo`` programs may replace.
///     host: as for ``getaddrinfo``.
///     port: as for ``getaddrinfo``.
///     source_address: what each socket is bound to, or None.
///     all_errors: whether to raise the errors of all attempts.
///     timeout: the timeout of the socket; left out for the default one.
///
/// Returns:
///     The connected socket.
///
/// Raises:
///     OSError: no address could be connected to.
#[pyfunction]
#[pyo3(signature = (public, host, port, source_address, all_errors, timeout = Given(None), /))]
pub(crate) fn connect_host<'py>(
    public: &Bound<'py, PyAny>,
    host: &Bound<'py, PyAny>,
    port: &Bound<'py, PyAny>,
    source_address: Bound<'py, PyAny>,
    all_errors: &Bound<'py, PyAny>,
    timeout: Given<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = public.py();
    let timeout = timeout.0;
    // What is no timeout is left for `settimeout` to refuse.
    let limit = match &timeout {
        Some(timeout) => crate::python::args::timeout(timeout).unwrap_or(Timeout::NONE),
        None => engine::default_timeout(),
    };
    let deadline = if limit.is_zero() {
        None
    } else {
        engine::earlier(py, limit.deadline().or_else(connect_deadline))?
    };
    let found = resolve(public, host, port, deadline)?;
    let mut connecting = Connecting {
        py,
        class: public.getattr(intern!(py, "socket"))?,
        errors: found.iter().map(|_| None).collect(),
        timeout,
        source: source_address,
        found,
    };
    // One address without a deadline may as well be waited for in the kernel.
    let races = deadline.is_some() || (!limit.is_zero() && connecting.found.len() > 1);
    let socket = if races && connecting.may_race()? {
        connecting.race(deadline)?
    } else {
        connecting.in_turn()?
    };
    match socket {
        Some(socket) => Ok(socket),
        None => Err(connecting.failure(all_errors.is_truthy()?)),
    }
}

/// The addresses of the host. The deadline is for the native lookup: one that a program
/// has put into its place gets the arguments of the standard library.
fn resolve<'py>(
    public: &Bound<'py, PyAny>,
    host: &Bound<'py, PyAny>,
    port: &Bound<'py, PyAny>,
    deadline: Option<Instant>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    static NATIVE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = public.py();
    let lookup = public.getattr(intern!(py, "getaddrinfo"))?;
    let native = NATIVE.get_or_try_init(py, || {
        let module = py.import(intern!(py, "oxisock._socket"))?;
        Ok::<_, PyErr>(module.getattr(intern!(py, "getaddrinfo"))?.unbind())
    })?;
    if lookup.is(native) {
        let found = crate::resolver::addresses_of(host, port, c::SOCK_STREAM, deadline)?;
        return Ok(found.iter().collect());
    }
    lookup
        .call1((host, port, 0, c::SOCK_STREAM))?
        .try_iter()?
        .collect()
}

/// What a class connects by, be it watched or not.
fn connect_of<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    Ok(unwrapped(attribute(class, intern!(class.py(), "connect"))?))
}

impl<'py> Connecting<'py> {
    /// Whether the attempts may overlap: where `connect` is ours, and the sockets do not need
    /// the same local port.
    fn may_race(&self) -> PyResult<bool> {
        let Ok(class) = self.class.cast::<PyType>() else {
            return Ok(false);
        };
        if !class.is_subclass_of::<Socket>()? {
            return Ok(false);
        }
        let ours = class.py().get_type::<Socket>();
        if !same_native(&connect_of(class)?, &connect_of(&ours)?) {
            return Ok(false);
        }
        let port = self
            .source
            .cast::<PyTuple>()
            .ok()
            .map(|pair| pair.get_item(1));
        Ok(match port {
            Some(Ok(port)) => port.extract::<i64>().is_ok_and(|port| port == 0),
            _ => true,
        })
    }

    /// A socket for the address, in the caller's mode and bound to the source address; closed
    /// where that fails. And the address.
    fn open(&self, index: usize) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        type Entry<'py> = (
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
        );
        let (family, kind, protocol, _, peer): Entry<'py> = entry(&self.found[index])?;
        let socket = self.class.call1((family, kind, protocol))?;
        let prepare = || {
            if let Some(timeout) = &self.timeout {
                socket.call_method1(intern!(self.py, "settimeout"), (timeout,))?;
            }
            if self.source.is_truthy()? {
                socket.call_method1(intern!(self.py, "bind"), (&self.source,))?;
            }
            Ok::<_, PyErr>(())
        };
        match prepare() {
            Ok(()) => Ok((socket, peer)),
            Err(error) => Err(closed(&socket, error)),
        }
    }

    /// Keeps an attempt's error.
    ///
    /// # Errors
    /// The error itself where it ends everything: only the system's do not.
    fn failed(&mut self, index: usize, error: PyErr) -> PyResult<()> {
        if !error.is_instance_of::<PyOSError>(self.py) {
            return Err(error);
        }
        self.errors[index] = Some(error);
        Ok(())
    }

    /// One after the other, as the standard library does it.
    fn in_turn(&mut self) -> PyResult<Option<Bound<'py, PyAny>>> {
        for index in 0..self.found.len() {
            let connected = self.open(index).and_then(|(socket, peer)| {
                match socket.call_method1(intern!(self.py, "connect"), (peer,)) {
                    Ok(_) => Ok(socket),
                    Err(error) => Err(closed(&socket, error)),
                }
            });
            match connected {
                Ok(socket) => return Ok(Some(socket)),
                Err(error) => self.failed(index, error)?,
            }
        }
        Ok(None)
    }

    /// Several at once, by the rules of [`Race`].
    fn race(&mut self, deadline: Option<Instant>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut running = Vec::new();
        let result = self.run(deadline, &mut running);
        // Whoever has won is not among them any more.
        let mut ended = Ok(());
        for attempt in running {
            ended = ended.and(close(&attempt.socket));
        }
        match (result, ended) {
            (Ok(Some(winner)), Err(error)) => Err(closed(&winner, error)),
            (result, ended) => result.and_then(|winner| ended.map(|()| winner)),
        }
    }

    fn run(
        &mut self,
        deadline: Option<Instant>,
        running: &mut Vec<Attempt<'py>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let families: Vec<i32> = self.found.iter().map(family).collect();
        let order = interleaved(&families);
        let mut race = Race::new(order.len(), delay(), deadline, Instant::now());
        loop {
            match race.step(Instant::now()) {
                Step::Begin(turn) => {
                    let index = order[turn];
                    match self.begin(index) {
                        Ok((attempt, true)) => return Ok(Some(won(&attempt.socket)?)),
                        Ok((attempt, false)) => running.push(attempt),
                        Err(error) if exhausted(self.py, &error) && race.postpone() => {}
                        Err(error) => {
                            self.failed(index, error)?;
                            race.failed(Instant::now());
                        }
                    }
                }
                Step::Wait(until) => {
                    if let Some(winner) = self.collect(&mut race, running, until)? {
                        return Ok(Some(winner));
                    }
                }
                Step::Lost => return Ok(None),
                Step::Expired => {
                    // What is ready by now needs no more time.
                    let now = Some(Instant::now());
                    if let Some(winner) = self.collect(&mut race, running, now)? {
                        return Ok(Some(winner));
                    }
                    for (found, error) in self.found.iter().zip(&mut self.errors) {
                        error.get_or_insert_with(|| match found.get_item(4) {
                            Ok(peer) => at(&peer, Error::TimedOut).into(),
                            Err(_) => Error::TimedOut.into(),
                        });
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// Waits until an attempt has something to report; the winner, if one is among them.
    fn collect(
        &mut self,
        race: &mut Race,
        running: &mut Vec<Attempt<'py>>,
        until: Option<Instant>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let channels = running.iter().map(|attempt| &attempt.socket.get().channel);
        let ready = wait_any(self.py, channels, Interest::Write, until)?;
        // Of several that are connected by now the earlier address wins.
        let mut place = 0;
        for ready in ready {
            if !ready {
                place += 1;
                continue;
            }
            let outcome = running[place].socket.get().connection_error(self.py)?;
            let attempt = running.remove(place);
            let Some(errno) = outcome else {
                return won(&attempt.socket).map(Some);
            };
            let error = at(&attempt.peer, Error::Os(errno));
            let error = closed(&attempt.socket, error.into());
            self.failed(attempt.index, error)?;
            race.failed(Instant::now());
        }
        Ok(None)
    }

    /// Begins an attempt; whether it is connected already.
    fn begin(&self, index: usize) -> PyResult<(Attempt<'py>, bool)> {
        let (socket, peer) = self.open(index)?;
        let begin = || {
            let socket = socket.cast::<Socket>().map_err(PyErr::from)?;
            let target = Socket::target(socket, "connect", &peer)?;
            let connected = socket.get().begin_connecting(self.py, &target)?;
            let attempt = Attempt {
                index,
                socket: socket.clone(),
                peer: peer.clone(),
            };
            Ok::<_, Error>((attempt, connected))
        };
        begin().map_err(|error| closed(&socket, at(&peer, error).into()))
    }

    /// The exception for a host with which no attempt succeeded.
    fn failure(self, all_errors: bool) -> PyErr {
        let py = self.py;
        let mut errors: Vec<_> = self.errors.into_iter().flatten().collect();
        if all_errors && !errors.is_empty() {
            let group = || {
                let errors = errors.iter().map(|error| error.value(py));
                let errors = PyList::new(py, errors)?;
                let class = py.get_type::<PyBaseExceptionGroup>();
                class.call1((intern!(py, "create_connection failed"), errors))
            };
            return group().map_or_else(|error| error, PyErr::from_value);
        }
        // The last address's, as in the standard library.
        errors
            .pop()
            .unwrap_or_else(|| exception::<PyOSError>("getaddrinfo returns an empty list"))
    }
}

impl Socket {
    /// Begins a connection without waiting for it, whatever the mode; whether it is there.
    fn begin_connecting(&self, py: Python<'_>, target: &SockAddr) -> Result<bool> {
        let begun = self.channel.lend(py, |fd| {
            descriptor::ensure_nonblocking(fd)?;
            self.keep_alive_by_default(fd);
            sys::io::connect(fd, target)
        })?;
        let begun = match begun {
            Err(Errno::INTR | Errno::INPROGRESS) => Ok(false),
            begun => begun.map(|()| true),
        };
        self.channel
            .counters()
            .operated(Operation::Connect, Interest::Write, &Ok(begun.map(drop)));
        Ok(begun?)
    }

    /// What became of a connection that has something to report; none for success.
    fn connection_error(&self, py: Python<'_>) -> Result<Option<Errno>> {
        let errno = self.channel.lend(py, sys::io::pending_error)??;
        if let Some(errno) = errno {
            self.channel.counters().failed_since(errno);
        }
        Ok(errno)
    }
}

/// The winner of a race, in the mode that its object has.
fn won<'py>(socket: &Bound<'py, Socket>) -> PyResult<Bound<'py, PyAny>> {
    let channel = &socket.get().channel;
    let back = || {
        if channel.mode().blocks() {
            channel.lend(socket.py(), |fd| descriptor::set_nonblocking(fd, false))??;
        }
        Ok::<_, Error>(())
    };
    match back() {
        Ok(()) => Ok(socket.clone().into_any()),
        Err(error) => Err(closed(socket, error.into())),
    }
}

/// Closes a socket because of an error, and returns what to raise.
fn closed(socket: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    match close(socket) {
        Ok(()) => error,
        Err(other) => other,
    }
}

/// Closes a socket. What the system says of it interests nobody.
fn close(socket: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = socket.py();
    match socket.call_method0(intern!(py, "close")) {
        Err(error) if !error.is_instance_of::<PyOSError>(py) => Err(error),
        _ => Ok(()),
    }
}

/// An entry of what ``getaddrinfo`` returns, unpacked as Python does.
fn entry<'py, T>(found: &Bound<'py, PyAny>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    if let Ok(found) = found.cast::<PyTuple>() {
        return found.extract();
    }
    let items = found.try_iter()?.collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(found.py(), items)?.extract()
}

/// The family of an entry; -1 for what has none.
fn family(found: &Bound<'_, PyAny>) -> i32 {
    let first = found.get_item(0).and_then(|first| first.extract());
    first.unwrap_or(-1)
}

/// Whether there was no descriptor, or no memory for one, which a failed attempt gives back.
fn exhausted(py: Python<'_>, error: &PyErr) -> bool {
    let errno = error
        .value(py)
        .getattr(intern!(py, "errno"))
        .and_then(|errno| errno.extract::<i32>());
    errno.is_ok_and(sys::errno::is_exhaustion)
}
