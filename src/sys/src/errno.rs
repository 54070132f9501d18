//! The number that says why a system call failed, errno(3).

use std::fmt;
use std::io;

use super::c::{self, c_int};
use super::system;

/// Why a system call failed: a number, and never anything else.
///
/// `std::io::Error` may be made of a text alone, and turns into exceptions that have lost their
/// number. So there is no conversion into it, and one from it only by [`Errno::of`]: a `?` between
/// the two does not compile.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(c_int);

pub type Result<T, E = Errno> = std::result::Result<T, E>;

/// `errno.EAGAIN`, which is not what a call that would have to wait says on every system.
pub const EAGAIN: c_int = libc::EAGAIN;

impl Errno {
    pub const AGAIN: Errno = Errno(c::EAGAIN);
    pub const ALREADY: Errno = Errno(c::EALREADY);
    pub const AFNOSUPPORT: Errno = Errno(c::EAFNOSUPPORT);
    pub const BADF: Errno = Errno(c::EBADF);
    pub const BUSY: Errno = Errno(c::EBUSY);
    pub const CONNRESET: Errno = Errno(c::ECONNRESET);
    pub const INPROGRESS: Errno = Errno(c::EINPROGRESS);
    pub const INTR: Errno = Errno(c::EINTR);
    pub const INVAL: Errno = Errno(c::EINVAL);
    pub const IO: Errno = Errno(c::EIO);
    pub const NAMETOOLONG: Errno = Errno(c::ENAMETOOLONG);
    pub const NOENT: Errno = Errno(c::ENOENT);
    pub const NODEV: Errno = Errno(c::ENODEV);
    pub const NOTCONN: Errno = Errno(c::ENOTCONN);
    pub const NOSYS: Errno = Errno(c::ENOSYS);
    pub const MSGSIZE: Errno = Errno(c::EMSGSIZE);
    pub const NOMEM: Errno = Errno(c::ENOMEM);
    pub const NOPROTOOPT: Errno = Errno(c::ENOPROTOOPT);
    pub const OPNOTSUPP: Errno = Errno(c::EOPNOTSUPP);
    pub const NOTSOCK: Errno = Errno(c::ENOTSOCK);
    pub const PIPE: Errno = Errno(c::EPIPE);

    /// From the system's own code.
    pub const fn new(code: c_int) -> Self {
        Errno(code)
    }

    /// What the last call of this thread that failed has left.
    #[inline]
    pub fn last() -> Self {
        // What the system left is always a number.
        Errno::of(&io::Error::last_os_error())
    }

    /// The number behind an error of the standard library, which makes some without one: those
    /// count as an error of input and output, `EIO`.
    pub fn of(error: &io::Error) -> Self {
        Errno(error.raw_os_error().unwrap_or(c::EIO))
    }

    /// What `errno` is for it.
    #[inline]
    pub const fn number(self) -> c_int {
        system::errno_number(self.0)
    }

    /// The system's own code, which is another number on Windows for some.
    #[inline]
    pub const fn code(self) -> c_int {
        self.0
    }

    /// The same where `errno` is another thing, and a program is told both: `winerror`.
    #[inline]
    pub const fn own_code(self) -> Option<c_int> {
        system::own_code(self.0)
    }

    /// What the system says about it, strerror(3).
    pub fn text(self) -> String {
        system::error_text(self.0)
    }

    /// Whether the call would have had to wait, on systems with two numbers for that, too.
    #[inline]
    pub const fn is_would_block(self) -> bool {
        self.0 == c::EAGAIN || self.0 == c::EWOULDBLOCK
    }

    /// Whether a signal ended the call.
    #[inline]
    pub const fn is_interrupted(self) -> bool {
        self.0 == c::EINTR
    }
}

/// Whether a number of `errno` says that there is no descriptor left, or no memory for one.
pub fn is_exhaustion(number: c_int) -> bool {
    [c::EMFILE, c::ENFILE, c::ENOBUFS, c::ENOMEM]
        .iter()
        .any(|code| Errno(*code).number() == number)
}

impl fmt::Debug for Errno {
    fn fmt(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(form, "Errno({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "makes a socket")]
    fn is_the_number_of_the_call_that_failed() {
        // So that there has been a socket, where that starts something.
        drop(crate::descriptor::open(crate::descriptor::PAIR, false));
        // SAFETY: there is no descriptor of this number.
        assert_eq!(unsafe { c::close(system::NO_DESCRIPTOR) }, -1);
        assert!([Errno::BADF, Errno::NOTSOCK].contains(&Errno::last()));
    }

    #[test]
    fn of_an_error_without_a_number_is_eio() {
        let error = io::Error::other("a text alone");
        assert_eq!(Errno::of(&error), Errno::IO);
        let error = io::Error::from_raw_os_error(c::ENOENT);
        assert_eq!(Errno::of(&error), Errno::NOENT);
        assert_eq!(Errno::NOENT.number(), libc::ENOENT);
    }
}
