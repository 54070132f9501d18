//! epoll(7).

use libc::c_int;

use crate::readiness::Readiness;
use crate::{AsRawFd, BorrowedFd, Errno, FromRawFd, OwnedFd, RawFd, Result, Timeout, syscall};

/// What epoll_ctl(2) does with a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    Add,
    Modify,
    Remove,
}

/// epoll_create1(2); the new descriptor is closed on exec.
pub fn create() -> Result<OwnedFd> {
    // SAFETY: takes no memory; the new descriptor is nobody else's.
    unsafe {
        let fd = syscall!(epoll_create1(libc::EPOLL_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// epoll_ctl(2); its events are those of the second argument, if any.
pub fn control(epoll: BorrowedFd<'_>, change: Change, (fd, events): Readiness) -> Result<()> {
    let operation = match change {
        Change::Add => libc::EPOLL_CTL_ADD,
        Change::Modify => libc::EPOLL_CTL_MOD,
        Change::Remove => libc::EPOLL_CTL_DEL,
    };
    let mut event = libc::epoll_event {
        events,
        u64: fd as u64,
    };
    // SAFETY: the event is there; a number that is no open descriptor is refused.
    unsafe { syscall!(epoll_ctl(epoll.as_raw_fd(), operation, fd, &mut event)) }?;
    Ok(())
}

/// epoll_wait(2), for at most that number of descriptors; what was found, none where the time is
/// up. Returns early as [`poll`](crate::readiness::poll) does.
///
/// # Errors
/// `ENOMEM`: there is no memory for that many answers. Otherwise those of the call.
pub fn wait(epoll: BorrowedFd<'_>, most: usize, timeout: Timeout) -> Result<Vec<Readiness>> {
    let mut events: Vec<libc::epoll_event> = Vec::new();
    events.try_reserve_exact(most).map_err(|_| Errno::NOMEM)?;
    // SAFETY: there is room for that number of entries, of which the call says how many it has
    // written.
    unsafe {
        let count = syscall!(epoll_wait(
            epoll.as_raw_fd(),
            events.as_mut_ptr(),
            most.try_into().unwrap_or(c_int::MAX),
            timeout.milliseconds()
        ))?;
        events.set_len(count as usize);
    }
    Ok(events
        .iter()
        .map(|event| {
            // Another language may have written the member `fd` of the union alone, its first
            // four bytes.
            let [a, b, c, d, ..] = { event.u64 }.to_ne_bytes();
            (RawFd::from_ne_bytes([a, b, c, d]), event.events)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "waits for descriptors")]
    fn finds_what_it_was_told_of() {
        let (a, mut b) = UnixStream::pair().expect("two sockets");
        let (fd, readable) = (a.as_raw_fd(), libc::EPOLLIN as u32);
        for sent in [false, true] {
            if sent {
                b.write_all(b"x").expect("a byte sent");
            }
            let expected = if sent { vec![(fd, readable)] } else { vec![] };
            let epoll = create().expect("a descriptor");
            let change = |change| control(epoll.as_fd(), change, (fd, readable));
            assert_eq!(change(Change::Modify), Err(Errno::new(libc::ENOENT)));
            assert_eq!(change(Change::Add), Ok(()));
            assert_eq!(wait(epoll.as_fd(), 8, Timeout::ZERO), Ok(expected));
            assert_eq!(change(Change::Remove), Ok(()));
            assert_eq!(wait(epoll.as_fd(), 8, Timeout::ZERO), Ok(vec![]));
        }
    }
}
