//! The baseline of the benchmark: the same system calls in a loop without Python.
//!
//! A row of the benchmark names its system calls as steps (`("send", [fd, size])`); [`Step`] is such
//! a step ready to run, and [`_baseline::run`] repeats a list of them. Nothing of oxisock's own engine
//! is used here, so that the baseline stays an independent reference.

#[cfg(target_os = "linux")]
mod batch;

use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::ptr;
use std::time::{Duration, Instant};

use libc::{c_int, c_void, socklen_t};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

/// The largest buffer a step may ask for.
const LARGEST: usize = 1 << 24;

/// The size of a cache line.
const LINE: usize = 64;

/// An address as the kernel wrote it, for `connect` and `sendto`.
#[derive(Clone, Copy)]
struct Address {
    storage: libc::sockaddr_storage,
    length: socklen_t,
}

impl Address {
    const fn empty() -> Self {
        Self {
            // SAFETY: every bit pattern, zeroes too, is a valid `sockaddr_storage`.
            storage: unsafe { mem::zeroed() },
            length: mem::size_of::<libc::sockaddr_storage>() as socklen_t,
        }
    }

    /// The address a descriptor is bound to.
    fn of(fd: RawFd) -> io::Result<Self> {
        let mut address = Self::empty();
        // SAFETY: the storage is as long as `length` says.
        check(unsafe { libc::getsockname(fd, address.as_mut_ptr(), &mut address.length) })?;
        Ok(address)
    }

    fn as_ptr(&self) -> *const libc::sockaddr {
        ptr::from_ref(&self.storage).cast()
    }

    fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        ptr::from_mut(&mut self.storage).cast()
    }
}

/// A descriptor: one of the caller's, or (negative) one that an earlier step made, -1 the latest.
#[derive(Clone, Copy)]
struct Fd(c_int);

/// One system call, with everything decided that can be decided before the clock runs.
#[derive(Clone, Copy)]
enum Step {
    Send(Fd, usize),
    Recv(Fd, usize),
    RecvAll(Fd, usize),
    Exchange(Fd, Fd, usize),
    SendTo(Fd, Address, usize),
    RecvFrom(Fd, usize),
    SendMsg(Fd, usize),
    RecvMsg(Fd, usize),
    Socket(c_int, c_int, c_int),
    SocketPair(c_int, c_int),
    BindAny(Fd, Address),
    Listen(Fd, c_int),
    Connect(Fd, Address),
    Accept(Fd),
    Dup(Fd),
    Close,
    Shutdown(Fd, c_int),
    GetSockOpt(Fd, c_int, c_int),
    SetSockOpt(Fd, c_int, c_int, c_int),
    GetSockName(Fd),
    GetPeerName(Fd),
    NonBlocking(Fd, c_int),
    Poll(Fd, c_int),
}

impl Step {
    fn parse(name: &str, args: &[i64]) -> PyResult<Self> {
        let int = |index: usize| -> PyResult<c_int> {
            let value = args.get(index).ok_or_else(|| {
                PyValueError::new_err(format!("step {name}: too few arguments: {args:?}"))
            })?;
            c_int::try_from(*value)
                .map_err(|_| PyValueError::new_err(format!("step {name}: {value} is not a C int")))
        };
        let fd = |index: usize| int(index).map(Fd);
        let size = |index: usize| -> PyResult<usize> {
            usize::try_from(int(index)?)
                .ok()
                .filter(|size| *size <= LARGEST)
                .ok_or_else(|| {
                    PyValueError::new_err(format!("step {name}: size not in 0..={LARGEST}"))
                })
        };
        let address = |index: usize| -> PyResult<Address> { Address::of(int(index)?).map_err(os) };
        let (step, arity) = match name {
            "send" => (Self::Send(fd(0)?, size(1)?), 2),
            "recv" => (Self::Recv(fd(0)?, size(1)?), 2),
            "recvall" => (Self::RecvAll(fd(0)?, size(1)?), 2),
            "exchange" => (Self::Exchange(fd(0)?, fd(1)?, size(2)?), 3),
            "sendto" => (Self::SendTo(fd(0)?, address(1)?, size(2)?), 3),
            "recvfrom" => (Self::RecvFrom(fd(0)?, size(1)?), 2),
            "sendmsg" => (Self::SendMsg(fd(0)?, size(1)?), 2),
            "recvmsg" => (Self::RecvMsg(fd(0)?, size(1)?), 2),
            "socket" => (Self::Socket(int(0)?, int(1)?, int(2)?), 3),
            "socketpair" => (Self::SocketPair(int(0)?, int(1)?), 2),
            "bind" => (Self::BindAny(fd(0)?, wildcard(int(1)?)?), 2),
            "listen" => (Self::Listen(fd(0)?, int(1)?), 2),
            "connect" => (Self::Connect(fd(0)?, address(1)?), 2),
            "accept" => (Self::Accept(fd(0)?), 1),
            "dup" => (Self::Dup(fd(0)?), 1),
            "close" => (Self::Close, 0),
            "shutdown" => (Self::Shutdown(fd(0)?, int(1)?), 2),
            "getsockopt" => (Self::GetSockOpt(fd(0)?, int(1)?, int(2)?), 3),
            "setsockopt" => (Self::SetSockOpt(fd(0)?, int(1)?, int(2)?, int(3)?), 4),
            "getsockname" => (Self::GetSockName(fd(0)?), 1),
            "getpeername" => (Self::GetPeerName(fd(0)?), 1),
            "nonblocking" => (Self::NonBlocking(fd(0)?, int(1)?), 2),
            "poll" => (Self::Poll(fd(0)?, int(1)?), 2),
            _ => return Err(PyValueError::new_err(format!("unknown step: {name}"))),
        };
        if args.len() != arity {
            return Err(PyValueError::new_err(format!(
                "step {name} takes {arity} arguments, got {args:?}"
            )));
        }
        Ok(step)
    }

    /// The room this step needs in the shared buffer.
    fn size(&self) -> usize {
        match *self {
            Self::Send(_, size)
            | Self::Recv(_, size)
            | Self::RecvAll(_, size)
            | Self::Exchange(_, _, size)
            | Self::SendTo(_, _, size)
            | Self::RecvFrom(_, size)
            | Self::SendMsg(_, size)
            | Self::RecvMsg(_, size) => size,
            _ => 0,
        }
    }
}

/// The address every family binds to when the kernel is to choose.
fn wildcard(family: c_int) -> PyResult<Address> {
    let mut address = Address::empty();
    address.storage.ss_family = family as libc::sa_family_t;
    address.length = match family {
        libc::AF_INET => mem::size_of::<libc::sockaddr_in>(),
        libc::AF_INET6 => mem::size_of::<libc::sockaddr_in6>(),
        libc::AF_UNIX => mem::size_of::<libc::sa_family_t>(),
        _ => {
            return Err(PyValueError::new_err(format!(
                "step bind: unknown family {family}"
            )));
        }
    } as socklen_t;
    Ok(address)
}

/// Runs steps: the buffer they share and the descriptors they made and did not close yet.
struct Machine {
    buffer: Vec<u8>,
    /// Where the shared data starts in the buffer.
    start: usize,
    made: Vec<RawFd>,
}

impl Machine {
    fn new(room: usize) -> Self {
        // Some processors copy at half the speed to just behind the start of a page, which is where
        // malloc puts large buffers: the data starts on a cache line of its own.
        let buffer = vec![0; room + 2 * LINE];
        Self {
            start: buffer.as_ptr().align_offset(LINE),
            buffer,
            made: Vec::with_capacity(8),
        }
    }

    fn fd(&self, fd: Fd) -> RawFd {
        if fd.0 >= 0 {
            return fd.0;
        }
        let back = fd.0.unsigned_abs() as usize;
        // A descriptor that was never made is -1, and the system call says so with EBADF.
        self.made
            .len()
            .checked_sub(back)
            .map_or(-1, |index| self.made[index])
    }

    #[inline]
    fn step(&mut self, step: &Step) -> io::Result<()> {
        let data: *mut c_void = self.buffer[self.start..].as_mut_ptr().cast();
        // SAFETY (all calls below): `data` points to at least `step.size()` bytes, because the
        // buffer was made for the largest step; addresses and option values live on this stack
        // frame with the lengths that are passed; descriptors are plain numbers, and a wrong one
        // is answered with EBADF.
        match *step {
            Step::Send(fd, size) => {
                // SAFETY: see above.
                check_size(unsafe { libc::send(self.fd(fd), data, size, 0) })?;
            }
            Step::Recv(fd, size) => {
                // SAFETY: see above.
                check_size(unsafe { libc::recv(self.fd(fd), data, size, 0) })?;
            }
            Step::RecvAll(fd, size) => {
                let mut left = size;
                while left > 0 {
                    // SAFETY: see above.
                    match check_size(unsafe { libc::recv(self.fd(fd), data, left, 0) })? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        got => left -= got,
                    }
                }
            }
            Step::Exchange(from, to, size) => {
                let mut left = size;
                while left > 0 {
                    // SAFETY: see above.
                    let sent = check_size(unsafe {
                        libc::send(self.fd(from), data, left, libc::MSG_DONTWAIT)
                    })?;
                    self.step(&Step::RecvAll(to, sent))?;
                    left -= sent;
                }
            }
            Step::SendTo(fd, to, size) => {
                // SAFETY: see above.
                check_size(unsafe {
                    libc::sendto(self.fd(fd), data, size, 0, to.as_ptr(), to.length)
                })?;
            }
            Step::RecvFrom(fd, size) => {
                let mut from = Address::empty();
                // SAFETY: see above.
                check_size(unsafe {
                    let length = &mut from.length;
                    let storage = ptr::from_mut(&mut from.storage).cast();
                    libc::recvfrom(self.fd(fd), data, size, 0, storage, length)
                })?;
            }
            Step::SendMsg(fd, size) => {
                let mut part = libc::iovec {
                    iov_base: data,
                    iov_len: size,
                };
                let message = message(&mut part);
                // SAFETY: see above; the header points to `part`, which outlives the call.
                check_size(unsafe { libc::sendmsg(self.fd(fd), &message, 0) })?;
            }
            Step::RecvMsg(fd, size) => {
                let mut part = libc::iovec {
                    iov_base: data,
                    iov_len: size,
                };
                let mut from = Address::empty();
                let mut message = message(&mut part);
                message.msg_name = from.as_mut_ptr().cast();
                message.msg_namelen = from.length;
                // SAFETY: see above; the header points to `part` and `from`, which outlive it.
                check_size(unsafe { libc::recvmsg(self.fd(fd), &mut message, 0) })?;
            }
            Step::Socket(family, kind, protocol) => {
                // SAFETY: see above.
                let fd =
                    check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
                self.made.push(fd);
            }
            Step::SocketPair(family, kind) => {
                let mut pair = [-1; 2];
                // SAFETY: see above; the kernel writes exactly two descriptors.
                check(unsafe {
                    libc::socketpair(family, kind | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr())
                })?;
                self.made.extend(pair);
            }
            Step::BindAny(fd, address) => {
                // SAFETY: see above.
                check(unsafe { libc::bind(self.fd(fd), address.as_ptr(), address.length) })?;
            }
            Step::Listen(fd, backlog) => {
                // SAFETY: see above.
                check(unsafe { libc::listen(self.fd(fd), backlog) })?;
            }
            Step::Connect(fd, to) => {
                // SAFETY: see above.
                check(unsafe { libc::connect(self.fd(fd), to.as_ptr(), to.length) })?;
            }
            Step::Accept(fd) => {
                let mut from = Address::empty();
                // SAFETY: see above.
                let fd = check(unsafe {
                    let length = &mut from.length;
                    let storage = ptr::from_mut(&mut from.storage).cast();
                    libc::accept4(self.fd(fd), storage, length, libc::SOCK_CLOEXEC)
                })?;
                self.made.push(fd);
            }
            Step::Dup(fd) => {
                // SAFETY: see above.
                let fd = check(unsafe { libc::fcntl(self.fd(fd), libc::F_DUPFD_CLOEXEC, 0) })?;
                self.made.push(fd);
            }
            Step::Close => {
                // SAFETY: the descriptor was made by an earlier step and is forgotten here.
                check(unsafe { libc::close(self.made.pop().unwrap_or(-1)) })?;
            }
            Step::Shutdown(fd, how) => {
                // SAFETY: see above.
                check(unsafe { libc::shutdown(self.fd(fd), how) })?;
            }
            Step::GetSockOpt(fd, level, name) => {
                let mut value: c_int = 0;
                let mut length = mem::size_of::<c_int>() as socklen_t;
                let place = ptr::from_mut(&mut value).cast();
                // SAFETY: see above.
                check(unsafe { libc::getsockopt(self.fd(fd), level, name, place, &mut length) })?;
            }
            Step::SetSockOpt(fd, level, name, value) => {
                let length = mem::size_of::<c_int>() as socklen_t;
                let place = ptr::from_ref(&value).cast();
                // SAFETY: see above.
                check(unsafe { libc::setsockopt(self.fd(fd), level, name, place, length) })?;
            }
            Step::GetSockName(fd) => {
                Address::of(self.fd(fd))?;
            }
            Step::GetPeerName(fd) => {
                let mut peer = Address::empty();
                // SAFETY: see above.
                check(unsafe {
                    let length = &mut peer.length;
                    let storage = ptr::from_mut(&mut peer.storage).cast();
                    libc::getpeername(self.fd(fd), storage, length)
                })?;
            }
            Step::NonBlocking(fd, mut on) => {
                // SAFETY: see above.
                check(unsafe { libc::ioctl(self.fd(fd), libc::FIONBIO, &mut on) })?;
            }
            Step::Poll(fd, timeout) => {
                let mut entry = libc::pollfd {
                    fd: self.fd(fd),
                    events: libc::POLLIN,
                    revents: 0,
                };
                // SAFETY: see above; one entry is passed.
                check(unsafe { libc::poll(&mut entry, 1, timeout) })?;
            }
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for fd in self.made.drain(..) {
            // SAFETY: only descriptors that a step made and nobody closed are left here.
            unsafe { libc::close(fd) };
        }
    }
}

fn message(part: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: a message header of zeroes is valid: no name, no parts, no ancillary data.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// `OSError(errno, strerror)`, so that the right subclass is raised.
fn os(error: io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(errno) => PyOSError::new_err((errno, error.to_string())),
        None => PyOSError::new_err(error.to_string()),
    }
}

/// Repeats the same steps and gives the time that all rounds together took.
fn repeat(machine: &mut Machine, steps: &[Step], rounds: u64) -> io::Result<Duration> {
    let start = Instant::now();
    for _ in 0..rounds {
        for step in steps {
            machine.step(step)?;
        }
    }
    Ok(start.elapsed())
}

/// Runs `theirs` in a second thread against `ours`, as often, and gives the time of ours.
fn beside(ours: &[Step], theirs: &[Step], rounds: u64, room: usize) -> io::Result<Duration> {
    std::thread::scope(|scope| {
        let peer = scope.spawn(|| repeat(&mut Machine::new(room), theirs, rounds));
        let elapsed = repeat(&mut Machine::new(room), ours, rounds)?;
        peer.join()
            .map_err(|_| io::Error::other("the second thread panicked"))??;
        Ok(elapsed)
    })
}

type Steps = Vec<(String, Vec<i64>)>;

fn parse(steps: &Steps) -> PyResult<Vec<Step>> {
    steps
        .iter()
        .map(|(name, args)| Step::parse(name, args))
        .collect()
}

fn room(steps: &[Step]) -> usize {
    steps.iter().map(Step::size).max().unwrap_or(0)
}

/// Loops of system calls without Python: what no socket module for Python can be faster than.
#[pymodule(gil_used = false)]
mod _baseline {
    use super::*;

    /// Repeat system calls and return the seconds that all rounds together took.
    ///
    /// `steps` are pairs of a name and its integers: `("send", [fd, 64])`. Steps that make a
    /// descriptor push it on a stack; a negative descriptor counts from its top (-1 is the latest)
    /// and `("close", [])` closes the top. Descriptors must be in blocking mode.
    ///
    /// Raises ValueError for a malformed step and OSError when a system call fails.
    #[pyfunction]
    #[pyo3(signature = (steps, rounds, /))]
    fn run(py: Python<'_>, steps: Steps, rounds: u64) -> PyResult<f64> {
        let steps = parse(&steps)?;
        let mut machine = Machine::new(room(&steps));
        py.detach(|| repeat(&mut machine, &steps, rounds))
            .map(|elapsed| elapsed.as_secs_f64())
            .map_err(os)
    }

    /// Repeat `ours` in this thread and `theirs` as often in a second one, and return the seconds
    /// that ours took.
    ///
    /// When one thread fails, the other may wait for it forever unless the caller closes or shuts
    /// down the sockets: meant for steps that succeed.
    ///
    /// Raises ValueError for a malformed step and OSError when a system call fails.
    #[pyfunction]
    #[pyo3(signature = (ours, theirs, rounds, /))]
    fn run_pair(py: Python<'_>, ours: Steps, theirs: Steps, rounds: u64) -> PyResult<f64> {
        let (ours, theirs) = (parse(&ours)?, parse(&theirs)?);
        let room = room(&ours).max(room(&theirs));
        py.detach(|| beside(&ours, &theirs, rounds, room))
            .map(|elapsed| elapsed.as_secs_f64())
            .map_err(os)
    }

    /// Move batches of `count` datagrams of `size` bytes from one descriptor to another and return
    /// the seconds that the calls of that kind took; what the other end did is not timed.
    ///
    /// Kinds are "recvmmsg", "recvmmsg-from" (with addresses), "recvfrom-one", "sendmmsg",
    /// "sendmmsg-to" (the receiver's address), "cut" (UDP_SEGMENT) and "joined" (UDP_GRO).
    ///
    /// Raises ValueError for an unknown kind, or where the system has none of them, and OSError when
    /// a system call fails.
    #[pyfunction]
    #[pyo3(signature = (kind, sender, receiver, count, size, rounds, /))]
    fn batch(
        py: Python<'_>,
        kind: &str,
        sender: RawFd,
        receiver: RawFd,
        count: usize,
        size: u16,
        rounds: u64,
    ) -> PyResult<f64> {
        #[cfg(target_os = "linux")]
        let elapsed =
            py.detach(|| super::batch::repeat(kind, sender, receiver, (count, size), rounds));
        #[cfg(not(target_os = "linux"))]
        let elapsed: Option<io::Result<Duration>> = {
            let _ = (py, sender, receiver, count, size, rounds);
            None
        };
        elapsed
            .ok_or_else(|| PyValueError::new_err(format!("no such batch here: {kind}")))?
            .map(|elapsed| elapsed.as_secs_f64())
            .map_err(os)
    }
}
