//! The operating system: every system call and C library call, and all that is unsafe
//! about them. Nothing here knows Python; failures are an [`Errno`] or a lookup code.
//!
//! A descriptor comes in as [`BorrowedFd`], borrowed from its owner for one call, and goes out as
//! [`OwnedFd`], which closes itself where nobody takes it: no path of an error leaks one.
//!
//! What stands beside this file is the same on every system, BSD sockets above all. What differs is
//! in one folder for each kind of system, both of which have the same `c` (the names of the C
//! library), `system` (what is done in another way), descriptors, `wake` and `worker` (threads),
//! and others that are asked for. The rest of a folder is what that kind of system alone has.

pub mod address;
pub mod background;
pub mod clock;
pub mod databases;
pub mod descriptor;
pub mod errno;
pub mod hosts_file;
pub mod interface;
pub mod io;
pub mod keepalive;
pub mod lookup;
#[cfg(test)]
mod loopback;
mod mapped_file;
pub mod memory;
pub mod moved;
pub mod multicast;
pub mod numeric;
pub mod option;
pub mod race;
pub mod readiness;
pub mod thread_end;
pub mod timeout;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

pub use address::{SockAddr, Sockaddr};
pub use descriptor::SocketSpec;
pub use errno::{Errno, Result};
pub use mapped_file::MappedFile;
pub use memory::{Region, find_byte};
pub use timeout::Timeout;

/// Runs a C call that reports failure as -1 with `errno`.
macro_rules! syscall {
    ($name:ident($($arg:expr),* $(,)?)) => {{
        let result = $crate::c::$name($($arg),*);
        if result == -1 { Err($crate::Errno::last()) } else { Ok(result) }
    }};
}
pub(crate) use syscall;
