//! The calls that move data and wait for it: recv(2), send(2), accept(2), connect(2), poll(2).

use std::ptr;

use super::c::{self, c_int, socklen_t};
use super::memory::Region;
use super::{AsRawFd, BorrowedFd, Errno, OwnedFd, Result, SockAddr, Timeout, syscall, system};

/// The flag that keeps one call from blocking, whatever mode the descriptor is in; 0 on a system
/// without one, see [`CAN_BLOCK`].
pub const DONT_WAIT: c_int = system::DONT_WAIT;

/// Whether [`DONT_WAIT`] is among the flags.
pub fn must_not_wait(flags: c_int) -> bool {
    flags & !DONT_WAIT != flags
}

/// Whether calls may block in the system. Where none may, because no flag keeps one from it and
/// nothing would end it, descriptors are in non-blocking mode whatever the program asks for, and
/// every wait is one of [`poll`].
pub const CAN_BLOCK: bool = system::CAN_BLOCK;

/// What a descriptor is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    Read,
    Write,
}

impl Interest {
    fn events(self) -> c::c_short {
        match self {
            Interest::Read => c::POLLIN,
            Interest::Write => c::POLLOUT,
        }
    }
}

/// recv(2); the number of bytes, which `MSG_TRUNC` can make larger than the region.
#[inline]
pub fn recv(fd: BorrowedFd<'_>, into: Region<'_>, flags: c_int) -> Result<usize> {
    // SAFETY: a region is valid memory for its length.
    let count = unsafe {
        syscall!(recv(
            fd.as_raw_fd(),
            into.as_ptr().cast(),
            into.len(),
            flags
        ))
    }?;
    Ok(count as usize)
}

/// recvfrom(2); the sender's address is empty where the protocol has none.
#[inline]
pub fn recvfrom(
    fd: BorrowedFd<'_>,
    into: Region<'_>,
    flags: c_int,
    sender: &mut SockAddr,
) -> Result<usize> {
    let mut len = SockAddr::CAPACITY as socklen_t;
    // SAFETY: a region is valid memory for its length, and the storage holds `len` bytes, of
    // which the kernel says how many it has written.
    unsafe {
        let count = syscall!(recvfrom(
            fd.as_raw_fd(),
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

/// The flag that lets a send open the connection first, TCP Fast Open; 0 where there is none.
pub const FASTOPEN: c_int = system::FASTOPEN;

/// Whether [`FASTOPEN`] is among the flags.
pub fn opens_connection(flags: c_int) -> bool {
    flags & !FASTOPEN != flags
}

/// send(2).
#[inline]
pub fn send(fd: BorrowedFd<'_>, data: Region<'_>, flags: c_int) -> Result<usize> {
    let data = data.first(system::room(fd, flags)?);
    // SAFETY: a region is valid memory for its length.
    let count = unsafe {
        syscall!(send(
            fd.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            flags
        ))
    }?;
    Ok(count as usize)
}

/// sendto(2).
#[inline]
pub fn sendto(fd: BorrowedFd<'_>, data: Region<'_>, flags: c_int, to: &SockAddr) -> Result<usize> {
    let data = data.first(system::room(fd, flags)?);
    // SAFETY: a region is valid memory for its length, and so is an address.
    let count = unsafe {
        syscall!(sendto(
            fd.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            flags,
            to.as_ptr(),
            to.len() as socklen_t
        ))
    }?;
    Ok(count as usize)
}

/// Whether peers have addresses in this family: the kernel refuses to be asked for one where they
/// have none.
pub fn has_peer_addresses(family: c_int) -> bool {
    !system::FAMILIES_WITHOUT_PEER_ADDRESSES.contains(&family)
}

/// accept(2): the new descriptor, closed on exec, and its peer's address.
///
/// `named` says whether its family has them, see [`has_peer_addresses`].
pub fn accept(fd: BorrowedFd<'_>, nonblocking: bool, named: bool) -> Result<(OwnedFd, SockAddr)> {
    let mut peer = SockAddr::empty();
    let mut len = SockAddr::CAPACITY as socklen_t;
    // SAFETY: the storage holds `len` bytes, of which the kernel says how many it has written;
    // two null pointers stand for no address.
    unsafe {
        let accepted = if named {
            let accepted = system::accept(fd, peer.as_mut_ptr(), &mut len, nonblocking)?;
            peer.filled(len);
            accepted
        } else {
            system::accept(fd, ptr::null_mut(), ptr::null_mut(), nonblocking)?
        };
        Ok((accepted, peer))
    }
}

/// connect(2).
pub fn connect(fd: BorrowedFd<'_>, to: &SockAddr) -> Result<()> {
    // SAFETY: an address is valid memory for its length.
    unsafe { syscall!(connect(fd.as_raw_fd(), to.as_ptr(), to.len() as socklen_t)) }?;
    Ok(())
}

/// What ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// The descriptor is ready, or has an error or a hang-up to report.
    Ready,
    /// The time is up.
    Expired,
}

/// poll(2) on one descriptor; for ever without a timeout.
///
/// A longer wait than poll can count returns early as expired, see [`Timeout::milliseconds`].
pub fn poll(fd: BorrowedFd<'_>, interest: Interest, timeout: Timeout) -> Result<Wake> {
    let mut entry = c::pollfd {
        fd: fd.as_raw_fd(),
        events: interest.events(),
        revents: 0,
    };
    // SAFETY: the one entry that the call is told of is there.
    let ready = unsafe { syscall!(poll(&raw mut entry, 1, timeout.milliseconds())) }?;
    Ok(if ready == 0 {
        Wake::Expired
    } else {
        Wake::Ready
    })
}

/// Descriptors to wait for together. They have to stay open until the wait is over.
#[derive(Debug)]
pub struct PollSet {
    entries: Vec<c::pollfd>,
    interest: Interest,
}

impl PollSet {
    pub fn new(interest: Interest) -> Self {
        PollSet {
            entries: Vec::new(),
            interest,
        }
    }

    pub fn push(&mut self, fd: BorrowedFd<'_>) {
        self.entries.push(c::pollfd {
            fd: fd.as_raw_fd(),
            events: self.interest.events(),
            revents: 0,
        });
    }

    /// poll(2): which of them are ready, by their order; none where the time is up. Returns early
    /// as [`poll`] does.
    pub fn wait(&mut self, timeout: Timeout) -> Result<Vec<bool>> {
        let count = self.entries.len() as c::nfds_t;
        // SAFETY: that number of entries stands there.
        unsafe {
            syscall!(poll(
                self.entries.as_mut_ptr(),
                count,
                timeout.milliseconds()
            ))
        }?;
        Ok(self
            .entries
            .iter()
            .map(|entry| entry.revents != 0)
            .collect())
    }
}

/// The error that waits on a socket, `SO_ERROR`, which reading it clears.
pub fn pending_error(fd: BorrowedFd<'_>) -> Result<Option<Errno>> {
    let number = super::option::get::<i32>(fd, c::SOL_SOCKET, c::SO_ERROR)?;
    Ok((number != 0).then_some(Errno::new(number)))
}
