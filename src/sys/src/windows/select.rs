//! select with Winsock's sets, which are lists of sockets.

use std::ptr;
use std::thread::sleep;
use std::time::Duration;

use windows_sys::Win32::Networking::WinSock::{self, FD_SET, SOCKET, TIMEVAL};

use super::system::is_number;
use super::{RawFd, wake};
use crate::{Errno, Result, Timeout};

/// As many as Python's sets have room for; Winsock takes any number.
const ROOM: usize = 512;

/// The descriptors of one argument of [`select`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SelectSet {
    count: u32,
    /// One more, for what wakes the thread.
    sockets: [SOCKET; ROOM + 1],
}

// The number, and the sockets behind it, of which Winsock's own declaration has fewer.
const _: () = {
    use std::mem::offset_of;
    assert!(offset_of!(SelectSet, count) == offset_of!(FD_SET, fd_count));
    assert!(offset_of!(SelectSet, sockets) == offset_of!(FD_SET, fd_array));
};

impl SelectSet {
    /// So many descriptors can be in a set.
    pub const CAPACITY: usize = ROOM;

    pub fn new() -> Self {
        SelectSet {
            count: 0,
            sockets: [0; ROOM + 1],
        }
    }

    fn all(&self) -> &[SOCKET] {
        &self.sockets[..self.count as usize]
    }

    /// Adds a descriptor, if it is not there yet; false where the set is full, or the number none
    /// of a descriptor.
    #[must_use]
    pub fn insert(&mut self, fd: RawFd) -> bool {
        if self.contains(fd) {
            return true;
        }
        let fits = is_number(fd) && self.all().len() < ROOM;
        if fits {
            self.push(fd);
        }
        fits
    }

    fn push(&mut self, fd: RawFd) {
        self.sockets[self.count as usize] = fd as SOCKET;
        self.count += 1;
    }

    /// Takes one out; whether it was there.
    fn remove(&mut self, fd: RawFd) -> bool {
        let found = self.all().iter().position(|socket| *socket == fd as SOCKET);
        if let Some(place) = found {
            self.count -= 1;
            self.sockets[place] = self.sockets[self.count as usize];
        }
        found.is_some()
    }

    pub fn contains(&self, fd: RawFd) -> bool {
        self.all().contains(&(fd as SOCKET))
    }

    fn as_mut_ptr(&mut self) -> *mut FD_SET {
        ptr::from_mut(self).cast()
    }
}

impl Default for SelectSet {
    fn default() -> Self {
        Self::new()
    }
}

/// select: the descriptors of each set that are ready, in sets of the same order (reading, writing,
/// exceptional conditions, a connection that was refused among them); None where the time is up.
/// Its time is counted in milliseconds, as in [`poll`](crate::readiness::poll). No number bounds
/// the sets here. A thread that is woken ends it, and one that nobody can wake ends it early, see
/// [`wake`].
pub fn select(
    wanted: &[SelectSet; 3],
    _below: RawFd,
    timeout: Timeout,
) -> Result<Option<[SelectSet; 3]>> {
    let [mut read, mut write, mut except] = *wanted;
    let waker = match timeout.limit() {
        Some(Duration::ZERO) => None,
        _ => wake::own(),
    };
    let timeout = match (waker, timeout.limit()) {
        (Some(waker), _) => {
            read.push(waker);
            timeout
        }
        (None, limit) => {
            Timeout::after(limit.map_or(wake::GLANCE, |limit| limit.min(wake::GLANCE)))
        }
    };
    // Winsock refuses to wait for none.
    if [&read, &write, &except].iter().all(|set| set.count == 0) {
        sleep(timeout.limit().unwrap_or(wake::GLANCE));
        return Ok(None);
    }
    let time = timeout.limit().map(|_| {
        let milliseconds = timeout.milliseconds();
        TIMEVAL {
            tv_sec: milliseconds / 1000,
            tv_usec: milliseconds % 1000 * 1000,
        }
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: three sets of our own, each as long as it says, and a time of our own or none.
    let count = unsafe {
        WinSock::select(
            0,
            read.as_mut_ptr(),
            write.as_mut_ptr(),
            except.as_mut_ptr(),
            time,
        )
    };
    match count {
        WinSock::SOCKET_ERROR => Err(Errno::last()),
        mut count => {
            if waker.is_some_and(|waker| count > 0 && read.remove(waker)) {
                wake::clear();
                count -= 1;
                if count == 0 {
                    return Err(Errno::INTR);
                }
            }
            Ok((count > 0).then_some([read, write, except]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::NO_DESCRIPTOR;

    #[test]
    fn a_set_has_what_was_put_in_once_until_it_is_full() {
        let mut set = SelectSet::new();
        assert!(!set.insert(NO_DESCRIPTOR));
        for fd in 0..SelectSet::CAPACITY as RawFd {
            assert!(!set.contains(fd));
            assert!(set.insert(fd));
            assert!(set.contains(fd));
        }
        assert!(set.insert(0));
        assert!(!set.insert(SelectSet::CAPACITY as RawFd));
    }

    #[test]
    fn no_sockets_are_waited_for_until_the_time_is_up() {
        let none = [SelectSet::new(); 3];
        assert!(matches!(select(&none, 0, Timeout::from_nanos(1)), Ok(None)));
        assert!(
            matches!(crate::readiness::poll(&[], Timeout::from_nanos(1)), Ok(found) if found.is_empty())
        );
    }
}
