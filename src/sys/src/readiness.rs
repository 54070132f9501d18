//! Waiting for many descriptors, by the numbers that a program has named: select(2), poll(2).
//! Whether such a number is a descriptor, and whose, is the program's word; the system
//! answers for those that are none.

use super::{RawFd, Result, Timeout, c, syscall};

pub use super::system::{SelectSet, select};

/// What a descriptor of a set is waited for, and what was found: its number, and the bits of poll(2)
/// or epoll(7).
pub type Readiness = (RawFd, u32);

/// poll(2); what was found, none where the time is up. Numbers that no descriptor has are passed over. A longer
/// wait than poll can count returns early, see [`Timeout::milliseconds`].
pub fn poll(wanted: &[Readiness], timeout: Timeout) -> Result<Vec<Readiness>> {
    let mut entries: Vec<c::pollfd> = wanted
        .iter()
        .map(|(fd, events)| c::pollfd {
            fd: *fd,
            events: *events as c::c_short,
            revents: 0,
        })
        .collect();
    // SAFETY: that number of entries stands there; a number that is no open descriptor is said to
    // be none in the answer.
    unsafe {
        syscall!(poll(
            entries.as_mut_ptr(),
            entries.len() as c::nfds_t,
            timeout.milliseconds()
        ))
    }?;
    Ok(entries
        .iter()
        .filter(|entry| entry.revents != 0)
        .map(|entry| (entry.fd, entry.revents as u16 as u32))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::{AsRawFd, Region, descriptor, io, system};

    #[test]
    #[cfg_attr(miri, ignore = "waits for descriptors")]
    fn each_call_finds_the_same() {
        let (a, b) = descriptor::open_pair(descriptor::PAIR, false).expect("two sockets");
        let fd = a.as_raw_fd();
        let mut reading = SelectSet::new();
        assert!(reading.insert(fd));
        let sets = [reading, SelectSet::new(), SelectSet::new()];
        let readable = c::POLLIN as u32;
        for sent in [false, true] {
            // The byte of a pair that goes over the network is there soon, not at once.
            let timeout = if sent {
                // SAFETY: one byte that is only read.
                let byte = unsafe { Region::new(ptr::from_ref(b"x").cast_mut().cast(), 1) };
                assert_eq!(io::send(system::borrow(&b), byte, 0), Ok(1));
                Timeout::NONE
            } else {
                Timeout::ZERO
            };
            let found = poll(
                &[(system::NO_DESCRIPTOR, readable), (fd, readable)],
                timeout,
            );
            let found = found.expect("an answer");
            assert_eq!(found.len(), usize::from(sent));
            assert!(
                found
                    .iter()
                    .all(|(number, events)| *number == fd && events & readable != 0)
            );
            let found = select(&sets, fd + 1, timeout).expect("three sets");
            assert_eq!(found.is_some_and(|[read, ..]| read.contains(fd)), sent);
        }
    }
}
