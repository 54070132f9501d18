//! macOS and Apple's other systems. Compiled by the check `platforms`, not run.

use std::ffi::{CStr, c_char, c_void};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr;

use libc::{c_int, sockaddr, socklen_t};
use socket2::{Domain, Protocol, Socket, Type};

use crate::io::{Interest, Wake, poll};
use crate::{BorrowedFd, Errno, OwnedFd, Result, Timeout, descriptor, option, syscall};

pub(crate) use super::bsd::FASTOPEN;
use super::bsd::sent;
pub(crate) use super::bsd::{
    FAMILIES_WITH_WIDE_OPTIONS, FAMILIES_WITHOUT_PEER_ADDRESSES, JOIN, LEAVE,
    UNACKNOWLEDGED_TIMEOUT, blocked_signals, errno_location, hardware_address, in_main_thread,
    other_address,
};
use super::one_answer::answer;
pub(crate) use super::one_answer::protocol_by_name;
pub(crate) use libc::TCP_KEEPALIVE as KEEPALIVE_IDLE;

/// Systems before macOS 26 have no such flag; see [`set_no_sigpipe`].
pub(crate) const NO_SIGNAL: c_int = 0;

/// Nothing stands in the type of a socket that is asked for, beside the type.
pub(crate) const KIND_FLAGS: c_int = 0;
pub(crate) const NONBLOCK: c_int = 0;

/// socket(2), fcntl(2). Another thread that forks and executes between the two passes the
/// descriptor on: no call does both.
pub(crate) fn open(
    family: Domain,
    kind: Type,
    protocol: Option<Protocol>,
    nonblocking: bool,
) -> io::Result<Socket> {
    let socket = Socket::new(family, kind, protocol)?;
    // A new socket blocks.
    if nonblocking {
        socket.set_nonblocking(true)?;
    }
    Ok(socket)
}

/// socketpair(2), fcntl(2), as [`open`].
pub(crate) fn open_pair(
    family: Domain,
    kind: Type,
    protocol: Option<Protocol>,
    nonblocking: bool,
) -> io::Result<(Socket, Socket)> {
    let (one, other) = Socket::pair(family, kind, protocol)?;
    if nonblocking {
        one.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
    }
    Ok((one, other))
}

/// accept(2), fcntl(2), as [`open`].
///
/// # Safety
/// As for accept(2): the address is writable for the length given, or both are null.
pub(crate) unsafe fn accept(
    fd: BorrowedFd<'_>,
    address: *mut sockaddr,
    len: *mut socklen_t,
    nonblocking: bool,
) -> Result<OwnedFd> {
    use std::os::fd::AsFd;
    // SAFETY: the caller's promise. The new descriptor is nobody else's.
    let accepted = unsafe {
        let accepted = syscall!(accept(fd.as_raw_fd(), address, len))?;
        OwnedFd::from_raw_fd(accepted)
    };
    descriptor::set_inheritable(accepted.as_fd(), false)?;
    // It has the mode of the socket that listens.
    descriptor::set_nonblocking(accepted.as_fd(), nonblocking)?;
    // As socket2 does for the sockets that it makes. A connection that is gone already refuses
    // options, and tells of it when it is used.
    let _ = set_no_sigpipe(accepted.as_fd());
    Ok(accepted)
}

/// Makes sends on the socket raise no `SIGPIPE`, where [`NO_SIGNAL`] does not.
pub(crate) fn set_no_sigpipe(fd: BorrowedFd<'_>) -> Result<()> {
    option::put::<c_int>(fd, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, 1)
}

/// How many bytes send(2) with these flags may be given.
///
/// On a descriptor in blocking mode `MSG_DONTWAIT` does not keep it from waiting for room, only
/// from waiting for another thread that sends (`sosendcheck` of the kernel). So a send that must
/// not block is given no more than there is room for, which nobody else takes away meanwhile but
/// another process with the same socket.
///
/// # Errors
/// `EAGAIN`: there is no room.
pub(crate) fn room(fd: BorrowedFd<'_>, flags: c_int) -> Result<usize> {
    if flags & libc::MSG_DONTWAIT == 0 {
        return Ok(usize::MAX);
    }
    if poll(fd, Interest::Write, Timeout::ZERO)? == Wake::Expired {
        return Err(Errno::AGAIN);
    }
    // A message goes as a whole or not at all.
    if descriptor::kind(fd)? != libc::SOCK_STREAM {
        return Ok(usize::MAX);
    }
    let number = |name| option::get::<c_int>(fd, libc::SOL_SOCKET, name);
    let room = number(libc::SO_SNDBUF)?.saturating_sub(number(libc::SO_NWRITE)?);
    // One that has failed is ready without having room, and says so when it is sent to.
    Ok(usize::try_from(room).unwrap_or(0).max(1))
}

/// sendfile(2), from that place of the file.
pub(crate) fn sendfile(
    to: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: i64,
    count: usize,
) -> Result<usize> {
    // Zero bytes would stand for all that there are.
    if count == 0 {
        return Ok(0);
    }
    let mut done = libc::off_t::try_from(count).unwrap_or(libc::off_t::MAX);
    // SAFETY: the number of bytes is writable during the call; there are no headers.
    let result = unsafe {
        libc::sendfile(
            file.as_raw_fd(),
            to.as_raw_fd(),
            offset,
            &mut done,
            ptr::null_mut(),
            0,
        )
    };
    sent(result, done)
}

/// The protocol of an open socket, which no call tells: 0 stands for the usual one of its type.
pub(crate) fn protocol(_: BorrowedFd<'_>) -> Result<c_int> {
    Ok(0)
}

/// Signals that nobody has a use for, the best one first: there are no real-time signals, and these
/// are ignored by default.
pub(crate) fn unused_signals() -> impl Iterator<Item = c_int> {
    [libc::SIGURG, libc::SIGIO, libc::SIGINFO].into_iter()
}

unsafe extern "C" {
    // The libc crate leaves these out.
    static h_errno: c_int;
    fn gethostbyname(name: *const c_char) -> *mut libc::hostent;
    fn gethostbyaddr(address: *const c_void, len: socklen_t, family: c_int) -> *mut libc::hostent;
}

/// gethostbyname(3); fails with the `h_errno` code.
pub(crate) fn host_by_name<T>(
    name: &CStr,
    copy: impl FnOnce(&libc::hostent) -> T,
) -> Result<T, i32> {
    // SAFETY: the name is terminated; the code is a number.
    unsafe { answer(|| gethostbyname(name.as_ptr()), copy).ok_or(h_errno) }
}

/// gethostbyaddr(3); fails with the `h_errno` code.
pub(crate) fn host_by_address<T>(
    address: &[u8],
    family: c_int,
    copy: impl FnOnce(&libc::hostent) -> T,
) -> Result<T, i32> {
    let len = address.len() as socklen_t;
    // SAFETY: the address is as long as it says; the code is a number.
    unsafe { answer(|| gethostbyaddr(address.as_ptr().cast(), len, family), copy).ok_or(h_errno) }
}

/// getservbyname(3).
pub(crate) fn service_by_name<T>(
    name: &CStr,
    protocol: Option<&CStr>,
    copy: impl FnOnce(&libc::servent) -> T,
) -> Option<T> {
    let protocol = protocol.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the names are terminated.
    unsafe { answer(|| libc::getservbyname(name.as_ptr(), protocol), copy) }
}

/// getservbyport(3).
pub(crate) fn service_by_port<T>(
    port: u16,
    protocol: Option<&CStr>,
    copy: impl FnOnce(&libc::servent) -> T,
) -> Option<T> {
    let protocol = protocol.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the name is terminated.
    unsafe {
        answer(
            || libc::getservbyport(c_int::from(port.to_be()), protocol),
            copy,
        )
    }
}
