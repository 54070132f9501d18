//! The calls that move data and wait for it: recv(2), send(2), accept(2), connect(2), poll(2).

use std::io;
use std::ptr;
use std::time::Duration;

use libc::{c_int, socklen_t};

use super::memory::Region;
use super::{Fd, SockAddr, syscall};

/// What a descriptor is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interest {
    Read,
    Write,
}

impl Interest {
    fn events(self) -> libc::c_short {
        match self {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
        }
    }
}

/// recv(2); the number of bytes, which `MSG_TRUNC` can make larger than the region.
#[inline]
pub(crate) fn recv(fd: Fd, into: Region<'_>, flags: c_int) -> io::Result<usize> {
    // SAFETY: a region is valid memory for its length.
    let count = unsafe { syscall!(recv(fd, into.as_ptr().cast(), into.len(), flags)) }?;
    Ok(count as usize)
}

/// recvfrom(2); the sender's address is empty where the protocol has none.
#[inline]
pub(crate) fn recvfrom(
    fd: Fd,
    into: Region<'_>,
    flags: c_int,
    sender: &mut SockAddr,
) -> io::Result<usize> {
    let mut len = SockAddr::CAPACITY as socklen_t;
    // SAFETY: a region is valid memory for its length, and the storage holds `len` bytes, of
    // which the kernel says how many it has written.
    unsafe {
        let count = syscall!(recvfrom(
            fd,
            into.as_ptr().cast(),
            into.len(),
            flags,
            sender.as_mut_ptr(),
            &mut len
        ))?;
        sender.filled(len);
        Ok(count as usize)
    }
}

/// send(2).
#[inline]
pub(crate) fn send(fd: Fd, data: Region<'_>, flags: c_int) -> io::Result<usize> {
    // SAFETY: a region is valid memory for its length.
    let count = unsafe { syscall!(send(fd, data.as_ptr().cast(), data.len(), flags)) }?;
    Ok(count as usize)
}

/// sendto(2).
#[inline]
pub(crate) fn sendto(fd: Fd, data: Region<'_>, flags: c_int, to: &SockAddr) -> io::Result<usize> {
    // SAFETY: a region is valid memory for its length, and so is an address.
    let count = unsafe {
        syscall!(sendto(
            fd,
            data.as_ptr().cast(),
            data.len(),
            flags,
            to.as_ptr(),
            to.len() as socklen_t
        ))
    }?;
    Ok(count as usize)
}

/// accept4(2): the new descriptor is closed on exec, and its peer's address.
///
/// `named` says whether peers have addresses in this family: the kernel refuses to be asked
/// for one where they have none, as in `AF_ALG`.
pub(crate) fn accept(fd: Fd, nonblocking: bool, named: bool) -> io::Result<(Fd, SockAddr)> {
    let mut peer = SockAddr::empty();
    let mut len = SockAddr::CAPACITY as socklen_t;
    let flags = libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: the storage holds `len` bytes, of which the kernel says how many it has written;
    // two null pointers stand for no address.
    unsafe {
        if !named {
            return Ok((
                syscall!(accept4(fd, ptr::null_mut(), ptr::null_mut(), flags))?,
                peer,
            ));
        }
        let accepted = syscall!(accept4(fd, peer.as_mut_ptr(), &mut len, flags))?;
        peer.filled(len);
        Ok((accepted, peer))
    }
}

/// connect(2).
pub(crate) fn connect(fd: Fd, to: &SockAddr) -> io::Result<()> {
    // SAFETY: an address is valid memory for its length.
    unsafe { syscall!(connect(fd, to.as_ptr(), to.len() as socklen_t)) }?;
    Ok(())
}

/// What ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// The descriptor is ready, or has an error or a hang-up to report.
    Ready,
    /// The time is up.
    Expired,
    /// The second descriptor was written to.
    Alarm,
}

/// poll(2) on a descriptor and, where one is given, a second one that ends the wait early.
///
/// Waits for ever without a timeout. Milliseconds are rounded up, so that a wait never ends
/// before its time; a longer wait than poll can count returns early as expired, for the
/// caller to look at the clock again.
pub(crate) fn poll(
    fd: Fd,
    interest: Interest,
    timeout: Option<Duration>,
    alarm: Option<Fd>,
) -> io::Result<Wake> {
    let mut fds = [
        libc::pollfd {
            fd,
            events: interest.events(),
            revents: 0,
        },
        // A negative descriptor is passed over by poll.
        libc::pollfd {
            fd: alarm.unwrap_or(-1),
            events: libc::POLLIN,
            revents: 0,
        },
    ];
    let count = if alarm.is_some() { 2 } else { 1 };
    let milliseconds = timeout.map_or(-1, |timeout| {
        c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
    });
    // SAFETY: the array holds at least `count` entries.
    let ready = unsafe { syscall!(poll(fds.as_mut_ptr(), count, milliseconds)) }?;
    Ok(match ready {
        0 => Wake::Expired,
        _ if fds[0].revents != 0 => Wake::Ready,
        _ => Wake::Alarm,
    })
}

/// An eventfd(2): a descriptor that becomes readable when another thread says so.
pub(crate) struct Alarm(Fd);

impl Alarm {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes numbers only.
        let fd = unsafe { syscall!(eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }?;
        Ok(Alarm(fd))
    }

    pub(crate) fn fd(&self) -> Fd {
        self.0
    }

    /// Ends the wait of whoever polls the alarm's descriptor.
    pub(crate) fn ring(fd: Fd) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight readable bytes. It can only fail when the count is full, and then the
        // alarm is ringing already.
        unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        super::descriptor::close(self.0).ok();
    }
}

/// The error that waits on a socket, `SO_ERROR`; zero for none.
pub(crate) fn pending_error(fd: Fd) -> io::Result<i32> {
    super::option::get_int(fd, libc::SOL_SOCKET, libc::SO_ERROR)
}
