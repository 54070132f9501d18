//! Waiting for many descriptors, by the numbers that a program has named: select(2), poll(2),
//! epoll(7). Whether such a number is a descriptor, and whose, is the program's word; the system
//! answers for those that are none.

use std::os::fd::RawFd;

use libc::c_int;

#[cfg(linux)]
use super::{BorrowedFd, Errno, OwnedFd};
use super::{Result, Timeout, syscall};
#[cfg(linux)]
use std::os::fd::{AsRawFd, FromRawFd};

/// What a descriptor of a set is waited for, and what was found: its number, and the bits of poll(2)
/// or epoll(7).
pub type Readiness = (RawFd, u32);

/// poll(2); what was found, none where the time is up. Negative numbers are passed over. A longer
/// wait than poll can count returns early, see [`Timeout::milliseconds`].
pub fn poll(wanted: &[Readiness], timeout: Timeout) -> Result<Vec<Readiness>> {
    let mut entries: Vec<libc::pollfd> = wanted
        .iter()
        .map(|(fd, events)| libc::pollfd {
            fd: *fd,
            events: *events as libc::c_short,
            revents: 0,
        })
        .collect();
    // SAFETY: that number of entries stands there; a number that is no open descriptor is said to
    // be none in the answer.
    unsafe {
        syscall!(poll(
            entries.as_mut_ptr(),
            entries.len() as libc::nfds_t,
            timeout.milliseconds()
        ))
    }?;
    Ok(entries
        .iter()
        .filter(|entry| entry.revents != 0)
        .map(|entry| (entry.fd, entry.revents as u16 as u32))
        .collect())
}

/// The descriptors of one argument of select(2).
#[derive(Clone, Copy)]
pub struct SelectSet(libc::fd_set);

impl SelectSet {
    /// The numbers below this one can be in a set.
    pub const CAPACITY: usize = libc::FD_SETSIZE;

    pub fn new() -> Self {
        // SAFETY: a set is an array of numbers, of which zeros are valid and mean that it is
        // empty.
        SelectSet(unsafe { std::mem::zeroed() })
    }

    /// Adds a number; false where it is too large for a set, or negative.
    #[must_use]
    pub fn insert(&mut self, fd: RawFd) -> bool {
        let fits = Self::fits(fd);
        if fits {
            // SAFETY: the number has its place in the set.
            unsafe { libc::FD_SET(fd, &mut self.0) };
        }
        fits
    }

    pub fn contains(&self, fd: RawFd) -> bool {
        // SAFETY: as above.
        Self::fits(fd) && unsafe { libc::FD_ISSET(fd, &self.0) }
    }

    fn fits(fd: RawFd) -> bool {
        usize::try_from(fd).is_ok_and(|fd| fd < Self::CAPACITY)
    }
}

impl Default for SelectSet {
    fn default() -> Self {
        Self::new()
    }
}

/// select(2), for the numbers below that one: those that are ready, in sets of the same order
/// (reading, writing, exceptional conditions); None where the time is up. Its time is counted in
/// milliseconds, as in [`poll`].
pub fn select(
    wanted: &[SelectSet; 3],
    below: RawFd,
    timeout: Timeout,
) -> Result<Option<[SelectSet; 3]>> {
    let [mut read, mut write, mut except] = *wanted;
    let mut time = timeout.limit().map(|_| {
        let milliseconds = timeout.milliseconds();
        libc::timeval {
            tv_sec: (milliseconds / 1000).into(),
            tv_usec: (milliseconds % 1000 * 1000).into(),
        }
    });
    let time = time.as_mut().map_or(std::ptr::null_mut(), |time| time);
    // SAFETY: three sets of our own, in which no number above their capacity is looked at, and a
    // time of our own or none.
    let count = unsafe {
        syscall!(select(
            below.min(SelectSet::CAPACITY as c_int),
            &mut read.0,
            &mut write.0,
            &mut except.0,
            time
        ))
    }?;
    Ok((count > 0).then_some([read, write, except]))
}

/// What epoll_ctl(2) does with a descriptor.
#[cfg(linux)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    Add,
    Modify,
    Remove,
}

/// epoll_create1(2); the new descriptor is closed on exec.
#[cfg(linux)]
pub fn epoll_create() -> Result<OwnedFd> {
    // SAFETY: takes no memory; the new descriptor is nobody else's.
    unsafe {
        let fd = syscall!(epoll_create1(libc::EPOLL_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// epoll_ctl(2); its events are those of the second argument, if any.
#[cfg(linux)]
pub fn epoll_control(epoll: BorrowedFd<'_>, change: Change, (fd, events): Readiness) -> Result<()> {
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
/// up. Returns early as [`poll`] does.
///
/// # Errors
/// `ENOMEM`: there is no memory for that many answers. Otherwise those of the call.
#[cfg(linux)]
pub fn epoll_wait(epoll: BorrowedFd<'_>, most: usize, timeout: Timeout) -> Result<Vec<Readiness>> {
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
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().expect("two sockets")
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let mut set = SelectSet::new();
        for fd in [-1, SelectSet::CAPACITY as RawFd, RawFd::MAX] {
            assert!(!set.insert(fd));
            assert!(!set.contains(fd));
        }
        for fd in [0, 63, 64, SelectSet::CAPACITY as RawFd - 1] {
            assert!(!set.contains(fd));
            assert!(set.insert(fd));
            assert!(set.contains(fd));
        }
        assert!(!set.contains(1));
    }

    #[test]
    #[cfg_attr(miri, ignore = "waits for descriptors")]
    fn each_call_finds_the_same() {
        use std::os::fd::AsRawFd;
        let (a, mut b) = pair();
        let fd = a.as_raw_fd();
        let mut reading = SelectSet::new();
        assert!(reading.insert(fd));
        let sets = [reading, SelectSet::new(), SelectSet::new()];
        let readable = libc::POLLIN as u32;
        for sent in [false, true] {
            if sent {
                b.write_all(b"x").expect("a byte sent");
            }
            let found = poll(&[(-1, readable), (fd, readable)], Timeout::ZERO);
            let expected = if sent { vec![(fd, readable)] } else { vec![] };
            assert_eq!(found, Ok(expected.clone()));
            let found = select(&sets, fd + 1, Timeout::ZERO).expect("three sets");
            assert_eq!(found.is_some_and(|[read, ..]| read.contains(fd)), sent);
            #[cfg(linux)]
            {
                use std::os::fd::AsFd;
                let epoll = epoll_create().expect("a descriptor");
                let change =
                    |change| epoll_control(epoll.as_fd(), change, (fd, libc::EPOLLIN as u32));
                assert_eq!(change(Change::Modify), Err(Errno::new(libc::ENOENT)));
                assert_eq!(change(Change::Add), Ok(()));
                assert_eq!(epoll_wait(epoll.as_fd(), 8, Timeout::ZERO), Ok(expected));
                assert_eq!(change(Change::Remove), Ok(()));
                assert_eq!(epoll_wait(epoll.as_fd(), 8, Timeout::ZERO), Ok(vec![]));
            }
        }
    }
}
