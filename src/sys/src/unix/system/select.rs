//! select(2) with its sets of bits.

use libc::c_int;

use crate::{RawFd, Result, Timeout, syscall};

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
/// milliseconds, as in [`poll`](crate::readiness::poll).
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
