//! Making, naming and closing descriptors. Creation goes through socket2, which sets
//! close-on-exec in the same system call.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::ptr;

use libc::{c_int, socklen_t};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Fd, SockAddr, syscall};

/// socket(2).
pub fn open(family: i32, kind: i32, protocol: i32, nonblocking: bool) -> io::Result<Fd> {
    let kind = kind | libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    let protocol = (protocol != 0).then(|| Protocol::from(protocol));
    Ok(Socket::new_raw(Domain::from(family), Type::from(kind), protocol)?.into_raw_fd())
}

/// socketpair(2).
pub fn open_pair(family: i32, kind: i32, protocol: i32, nonblocking: bool) -> io::Result<(Fd, Fd)> {
    let kind = kind | libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    let protocol = (protocol != 0).then(|| Protocol::from(protocol));
    let (one, two) = Socket::pair_raw(Domain::from(family), Type::from(kind), protocol)?;
    Ok((one.into_raw_fd(), two.into_raw_fd()))
}

/// close(2). Never tried again on EINTR: Linux has given the number up by then.
pub fn close(fd: Fd) -> io::Result<()> {
    // SAFETY: takes a number only; whoever calls owns the descriptor.
    unsafe { syscall!(close(fd)) }?;
    Ok(())
}

/// Whether closing a socket may wait for the peer, `SO_LINGER`; fails for what is no socket.
pub fn lingers(fd: Fd) -> io::Result<bool> {
    let mut linger = libc::linger {
        l_onoff: 0,
        l_linger: 0,
    };
    let mut len = size_of_val(&linger) as libc::socklen_t;
    // SAFETY: the option is writable for the length given, and any bits are numbers.
    unsafe {
        syscall!(getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw mut linger).cast(),
            &mut len
        ))
    }?;
    Ok(linger.l_onoff != 0 && linger.l_linger != 0)
}

/// A second descriptor of the same open file, closed on exec.
pub fn duplicate(fd: Fd) -> io::Result<Fd> {
    // SAFETY: takes numbers only.
    unsafe { syscall!(fcntl(fd, libc::F_DUPFD_CLOEXEC, 0)) }
}

/// Switches `O_NONBLOCK` with one system call; fcntl(2) would need two.
pub fn set_nonblocking(fd: Fd, nonblocking: bool) -> io::Result<()> {
    let mut value = c_int::from(nonblocking);
    // SAFETY: FIONBIO reads one int.
    unsafe { syscall!(ioctl(fd, libc::FIONBIO, ptr::from_mut(&mut value))) }?;
    Ok(())
}

/// Whether `O_NONBLOCK` is set on the open file.
pub fn is_nonblocking(fd: Fd) -> io::Result<bool> {
    // SAFETY: takes numbers only.
    Ok(unsafe { syscall!(fcntl(fd, libc::F_GETFL)) }? & libc::O_NONBLOCK != 0)
}

/// Whether the descriptor stays open in programs that are executed.
pub fn is_inheritable(fd: Fd) -> io::Result<bool> {
    // SAFETY: takes numbers only.
    Ok(unsafe { syscall!(fcntl(fd, libc::F_GETFD)) }? & libc::FD_CLOEXEC == 0)
}

/// Switches close-on-exec with one system call; fcntl(2), which needs two, is left for
/// systems that forbid the other (SELinux policies say EACCES).
pub fn set_inheritable(fd: Fd, inheritable: bool) -> io::Result<()> {
    let request = if inheritable {
        libc::FIONCLEX
    } else {
        libc::FIOCLEX
    };
    // SAFETY: takes numbers only.
    unsafe {
        match syscall!(ioctl(fd, request)) {
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
                let flags = syscall!(fcntl(fd, libc::F_GETFD))? & !libc::FD_CLOEXEC;
                let flag = if inheritable { 0 } else { libc::FD_CLOEXEC };
                syscall!(fcntl(fd, libc::F_SETFD, flags | flag))
            }
            result => result,
        }
    }?;
    Ok(())
}

/// bind(2).
pub fn bind(fd: Fd, address: &SockAddr) -> io::Result<()> {
    // SAFETY: an address is valid memory for its length.
    unsafe { syscall!(bind(fd, address.as_ptr(), address.len() as socklen_t)) }?;
    Ok(())
}

/// listen(2).
pub fn listen(fd: Fd, backlog: c_int) -> io::Result<()> {
    with_socket(fd, |socket| socket.listen(backlog))
}

/// shutdown(2), with any number: socket2 knows the three valid ones only.
pub fn shutdown(fd: Fd, how: c_int) -> io::Result<()> {
    // SAFETY: takes numbers only.
    unsafe { syscall!(shutdown(fd, how)) }?;
    Ok(())
}

/// getsockname(2).
pub fn local_address(fd: Fd) -> io::Result<SockAddr> {
    name(fd, libc::getsockname)
}

/// getpeername(2).
pub fn peer_address(fd: Fd) -> io::Result<SockAddr> {
    name(fd, libc::getpeername)
}

type NameCall = unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut socklen_t) -> c_int;

fn name(fd: Fd, call: NameCall) -> io::Result<SockAddr> {
    let mut address = SockAddr::empty();
    let mut len = SockAddr::CAPACITY as socklen_t;
    // SAFETY: the storage holds `len` bytes, of which the kernel says how many it has written.
    unsafe {
        if call(fd, address.as_mut_ptr(), &mut len) == -1 {
            return Err(io::Error::last_os_error());
        }
        address.filled(len);
    }
    Ok(address)
}

/// The type of an open socket, `SO_TYPE`.
pub fn kind(fd: Fd) -> io::Result<i32> {
    super::option::get::<i32>(fd, libc::SOL_SOCKET, libc::SO_TYPE)
}

/// The protocol of an open socket, `SO_PROTOCOL`.
pub fn protocol(fd: Fd) -> io::Result<i32> {
    super::option::get::<i32>(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL)
}

/// Lends a descriptor that somebody else owns to socket2.
fn with_socket<T>(fd: Fd, call: impl FnOnce(&Socket) -> io::Result<T>) -> io::Result<T> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the number is not negative, and the socket is never dropped, so that it is not
    // closed here.
    let socket = ManuallyDrop::new(unsafe { Socket::from_raw_fd(fd) });
    call(&socket)
}
