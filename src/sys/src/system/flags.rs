//! Systems whose calls set close-on-exec and the mode of the descriptors that they make.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

use libc::{c_int, sockaddr, socklen_t};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{BorrowedFd, OwnedFd, Result, syscall};

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
