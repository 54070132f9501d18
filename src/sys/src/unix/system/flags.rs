//! What all systems but Apple's have: calls that set close-on-exec and the mode of the descriptors
//! that they make, a send(2) that honours its flags, `SO_PROTOCOL`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

use libc::{c_int, sockaddr, socklen_t};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{BorrowedFd, OwnedFd, Result, option, syscall};

pub(crate) use libc::{MSG_NOSIGNAL as NO_SIGNAL, TCP_KEEPIDLE as KEEPALIVE_IDLE};

/// What may stand in the type of a socket that is asked for, beside the type.
pub(crate) const KIND_FLAGS: c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
/// Non-blocking mode among them.
pub(crate) const NONBLOCK: c_int = libc::SOCK_NONBLOCK;

fn with_mode(kind: Type, nonblocking: bool) -> Type {
    if nonblocking {
        kind.nonblocking()
    } else {
        kind
    }
}

/// socket(2).
pub(crate) fn open(
    family: Domain,
    kind: Type,
    protocol: Option<Protocol>,
    nonblocking: bool,
) -> io::Result<Socket> {
    Socket::new(family, with_mode(kind, nonblocking), protocol)
}

/// socketpair(2).
pub(crate) fn open_pair(
    family: Domain,
    kind: Type,
    protocol: Option<Protocol>,
    nonblocking: bool,
) -> io::Result<(Socket, Socket)> {
    Socket::pair(family, with_mode(kind, nonblocking), protocol)
}

/// accept4(2).
///
/// # Safety
/// As for accept(2): the address is writable for the length given, or both are null.
pub(crate) unsafe fn accept(
    fd: BorrowedFd<'_>,
    address: *mut sockaddr,
    len: *mut socklen_t,
    nonblocking: bool,
) -> Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: the caller's promise. The new descriptor is nobody else's.
    unsafe {
        let accepted = syscall!(accept4(fd.as_raw_fd(), address, len, flags))?;
        Ok(OwnedFd::from_raw_fd(accepted))
    }
}

/// How many bytes send(2) with these flags may be given: as many as there are, as it honours
/// `MSG_DONTWAIT`.
#[inline]
pub(crate) fn room(_: BorrowedFd<'_>, _flags: c_int) -> Result<usize> {
    Ok(usize::MAX)
}

/// Makes sends on the socket raise no `SIGPIPE`, where [`NO_SIGNAL`] does not.
pub(crate) fn set_no_sigpipe(_: BorrowedFd<'_>) -> Result<()> {
    Ok(())
}

/// The protocol of an open socket, `SO_PROTOCOL`.
pub(crate) fn protocol(fd: BorrowedFd<'_>) -> Result<c_int> {
    option::get::<c_int>(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL)
}
