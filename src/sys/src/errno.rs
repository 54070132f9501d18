//! The number that says why a system call failed, errno(3).

use std::fmt;
use std::io;

use libc::c_int;

/// Why a system call failed: a number, and never anything else.
///
/// `std::io::Error` may be made of a text alone, and turns into exceptions that have lost their
/// number. So there is no conversion into it, and one from it only by [`Errno::of`]: a `?` between
/// the two does not compile.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(c_int);

pub type Result<T, E = Errno> = std::result::Result<T, E>;

impl Errno {
    pub const AGAIN: Errno = Errno(libc::EAGAIN);
    pub const AFNOSUPPORT: Errno = Errno(libc::EAFNOSUPPORT);
    pub const BADF: Errno = Errno(libc::EBADF);
    pub const BUSY: Errno = Errno(libc::EBUSY);
    pub const CONNRESET: Errno = Errno(libc::ECONNRESET);
    pub const INPROGRESS: Errno = Errno(libc::EINPROGRESS);
    pub const INTR: Errno = Errno(libc::EINTR);
    pub const INVAL: Errno = Errno(libc::EINVAL);
    pub const IO: Errno = Errno(libc::EIO);
    pub const NAMETOOLONG: Errno = Errno(libc::ENAMETOOLONG);
    pub const NOENT: Errno = Errno(libc::ENOENT);
    pub const NODEV: Errno = Errno(libc::ENODEV);
    pub const NOTCONN: Errno = Errno(libc::ENOTCONN);
    pub const NOSYS: Errno = Errno(libc::ENOSYS);
    pub const MSGSIZE: Errno = Errno(libc::EMSGSIZE);
    pub const NOMEM: Errno = Errno(libc::ENOMEM);
    pub const NOPROTOOPT: Errno = Errno(libc::ENOPROTOOPT);
    pub const OPNOTSUPP: Errno = Errno(libc::EOPNOTSUPP);
    pub const NOTSOCK: Errno = Errno(libc::ENOTSOCK);
    pub const PIPE: Errno = Errno(libc::EPIPE);

    pub const fn new(number: c_int) -> Self {
        Errno(number)
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
        Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }

    #[inline]
    pub const fn number(self) -> c_int {
        self.0
    }

    /// Whether the call would have had to wait, on systems with two numbers for that, too.
    #[inline]
    pub const fn is_would_block(self) -> bool {
        self.0 == libc::EAGAIN || self.0 == libc::EWOULDBLOCK
    }

    /// Whether a signal ended the call.
    #[inline]
    pub const fn is_interrupted(self) -> bool {
        self.0 == libc::EINTR
    }
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
    fn is_the_number_of_the_call_that_failed() {
        // SAFETY: there is no descriptor of this number.
        assert_eq!(unsafe { libc::close(-1) }, -1);
        assert_eq!(Errno::last(), Errno::BADF);
    }

    #[test]
    fn of_an_error_without_a_number_is_eio() {
        let error = io::Error::other("a text alone");
        assert_eq!(Errno::of(&error), Errno::IO);
        let error = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(Errno::of(&error).number(), libc::ENOENT);
    }
}
