//! What all of Unix has in common: descriptors are numbers of open files.

use std::ffi::{CStr, c_char};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::AtomicI32;

use libc::c_int;

use crate::{AsRawFd, BorrowedFd, RawFd, Result, syscall};

/// A place for the number of a descriptor.
pub(crate) type AtomicRawFd = AtomicI32;

/// The number of a descriptor that is none.
pub(crate) const NO_DESCRIPTOR: RawFd = -1;

/// Whether there can be a descriptor of this number.
pub(crate) fn is_number(number: RawFd) -> bool {
    number >= 0
}

/// A borrowed form of a descriptor, by its number.
///
/// # Safety
/// As for `BorrowedFd::borrow_raw`.
#[inline]
pub(crate) const unsafe fn borrow_raw<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the caller's promise.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Where the hosts file is, hosts(5).
pub(crate) fn hosts_path() -> &'static Path {
    Path::new("/etc/hosts")
}

/// What changes when a file does, beside its size.
pub(crate) type FileStamp = (u64, u64, i64, i64);

pub(crate) fn file_stamp(data: &Metadata) -> FileStamp {
    (data.dev(), data.ino(), data.mtime(), data.mtime_nsec())
}

/// The flag that keeps one call from blocking, whatever mode the descriptor is in.
pub(crate) const DONT_WAIT: c_int = libc::MSG_DONTWAIT;

/// Whether calls may block in the system: a signal ends them there.
pub(crate) const CAN_BLOCK: bool = true;

/// The code beside `errno`: there is none.
#[inline]
pub(crate) const fn own_code(_: c_int) -> Option<c_int> {
    None
}

/// strerror(3).
pub(crate) fn error_text(number: c_int) -> String {
    let mut text = [0 as c_char; 256];
    // SAFETY: the buffer is writable for the length given, and a terminated string
    // stands in it afterwards whatever the call returns.
    let text = unsafe {
        libc::strerror_r(number, text.as_mut_ptr(), text.len());
        CStr::from_ptr(text.as_ptr())
    };
    text.to_string_lossy().into_owned()
}

/// gai_strerror(3).
pub(crate) fn lookup_error_text(code: c_int) -> String {
    // SAFETY: gai_strerror returns a static terminated string for every code.
    let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
    text.to_string_lossy().into_owned()
}

/// hstrerror(3).
pub(crate) fn host_error_text(code: c_int) -> String {
    unsafe extern "C" {
        fn hstrerror(code: c_int) -> *const c_char;
    }
    // SAFETY: hstrerror returns a static terminated string for every code.
    let text = unsafe { CStr::from_ptr(hstrerror(code)) };
    text.to_string_lossy().into_owned()
}

/// The family of a pair of sockets.
pub(crate) const PAIR_FAMILY: c_int = libc::AF_UNIX;

/// The code of a lookup that failed for what `errno` says.
pub(crate) const EAI_SYSTEM: Option<c_int> = Some(libc::EAI_SYSTEM);

/// What `errno` is for a code of the system: that number.
#[inline]
pub(crate) const fn errno_number(code: c_int) -> c_int {
    code
}

/// clock_gettime(2). `Instant` reads the same clock, but to subtract one from
/// another takes longer than to read it.
#[inline]
pub fn monotonic() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the memory is a time, which the call writes; it knows the clock, and so cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    // Neither is ever negative.
    (now.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec as u64)
}

/// Switches `O_NONBLOCK` with one system call; fcntl(2) would need two.
pub fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> Result<()> {
    let mut value = c_int::from(nonblocking);
    // SAFETY: FIONBIO reads one int.
    unsafe {
        syscall!(ioctl(
            fd.as_raw_fd(),
            libc::FIONBIO,
            ptr::from_mut(&mut value)
        ))
    }?;
    Ok(())
}

/// Sets `O_NONBLOCK` where it is not set.
pub fn ensure_nonblocking(fd: BorrowedFd<'_>) -> Result<()> {
    if is_nonblocking(fd)? {
        return Ok(());
    }
    set_nonblocking(fd, true)
}

/// Whether `O_NONBLOCK` is set on the open file.
pub(crate) fn is_nonblocking(fd: BorrowedFd<'_>) -> Result<bool> {
    // SAFETY: takes numbers only.
    Ok(unsafe { syscall!(fcntl(fd.as_raw_fd(), libc::F_GETFL)) }? & libc::O_NONBLOCK != 0)
}

/// Whether the descriptor stays open in programs that are executed.
pub fn is_inheritable(fd: BorrowedFd<'_>) -> Result<bool> {
    // SAFETY: takes numbers only.
    Ok(unsafe { syscall!(fcntl(fd.as_raw_fd(), libc::F_GETFD)) }? & libc::FD_CLOEXEC == 0)
}

/// Switches close-on-exec with one system call; fcntl(2), which needs two, is left for
/// systems that forbid the other (SELinux policies say EACCES).
pub fn set_inheritable(fd: BorrowedFd<'_>, inheritable: bool) -> Result<()> {
    let request = if inheritable {
        libc::FIONCLEX
    } else {
        libc::FIOCLEX
    };
    // SAFETY: takes numbers only.
    unsafe {
        match syscall!(ioctl(fd.as_raw_fd(), request)) {
            Err(error) if error.number() == libc::EACCES => {
                let flags = syscall!(fcntl(fd.as_raw_fd(), libc::F_GETFD))? & !libc::FD_CLOEXEC;
                let flag = if inheritable { 0 } else { libc::FD_CLOEXEC };
                syscall!(fcntl(fd.as_raw_fd(), libc::F_SETFD, flags | flag))
            }
            result => result,
        }
    }?;
    Ok(())
}

/// A borrowed form of a descriptor that is owned.
#[cfg(test)]
pub(crate) fn borrow(fd: &crate::OwnedFd) -> BorrowedFd<'_> {
    std::os::fd::AsFd::as_fd(fd)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::Errno;
    use crate::descriptor::{Named, PAIR, Slot, duplicate, open, open_pair};
    use crate::identity::Identity;

    fn is_open(fd: BorrowedFd<'_>) -> bool {
        Identity::of(fd).is_ok()
    }

    /// Says whether the descriptor is open without one that could be used for more.
    fn is_number_open(number: RawFd) -> bool {
        is_open(Named::new(number).expect("not negative").borrow())
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn new_descriptors_are_in_their_mode() {
        for nonblocking in [false, true] {
            let (one, two) = open_pair(PAIR, nonblocking).expect("a pair");
            let three = open(PAIR, nonblocking).expect("a socket");
            for fd in [&one, &two, &three] {
                assert_eq!(is_nonblocking(fd.as_fd()), Ok(nonblocking));
            }
            let copy = duplicate(one.as_fd()).expect("one more");
            assert_eq!(Identity::of(copy.as_fd()), Identity::of(one.as_fd()));
            assert_ne!(Identity::of(two.as_fd()), Identity::of(one.as_fd()));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn a_slot_closes_what_nobody_took() {
        // A high number, which no other test's thread gets meanwhile.
        let socket = open(PAIR, false).expect("a socket");
        // SAFETY: takes numbers only.
        let number = unsafe { syscall!(fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 900)) };
        let number = number.expect("a high number");
        let slot = Slot::empty();
        slot.replace(Named::new(number).expect("not negative").adopt());
        assert!(is_number_open(number));
        drop(slot);
        assert!(!is_number_open(number));
    }

    #[test]
    fn no_descriptor_has_a_negative_number() {
        for number in [-1, -2, RawFd::MIN] {
            assert_eq!(Named::new(number).err(), Some(Errno::BADF));
        }
        assert!(Named::new(RawFd::MAX).is_ok());
    }
}
