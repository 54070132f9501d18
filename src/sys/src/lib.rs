//! The operating system: every system call and C library call, and all that is unsafe
//! about them. Nothing here knows Python; failures are an [`Errno`] or a lookup code.
//!
//! A descriptor comes in as [`BorrowedFd`], borrowed from its owner for one call, and goes out as
//! [`OwnedFd`], which closes itself where nobody takes it: no path of an error leaks one.

pub mod address;
pub mod ancillary;
pub mod background;
pub mod batch;
pub mod clock;
pub mod databases;
pub mod descriptor;
pub mod errno;
pub mod hosts_file;
pub mod interface;
pub mod io;
pub mod keepalive;
#[cfg(target_vendor = "apple")]
pub mod kernel_control;
mod library;
pub mod lookup;
pub mod machine;
pub mod memory;
pub mod message;
pub mod multicast;
pub mod numeric;
pub mod openssl;
pub mod option;
pub mod packet;
pub mod race;
pub mod readiness;
mod system;
pub mod thread_end;
#[cfg(linux)]
pub mod thread_state;
pub mod timeout;
pub mod wake;

pub use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

pub use address::{SockAddr, Sockaddr};
pub use descriptor::SocketSpec;
pub use errno::{Errno, Result};
pub use library::{MappedFile, keep_library};
pub use memory::{Region, find_byte};
pub use timeout::Timeout;

/// Runs a C call that reports failure as -1 with `errno`.
macro_rules! syscall {
    ($name:ident($($arg:expr),* $(,)?)) => {{
        let result = libc::$name($($arg),*);
        if result == -1 { Err($crate::Errno::last()) } else { Ok(result) }
    }};
}
pub(crate) use syscall;
