//! The operating system: every system call and C library call, and all that is unsafe
//! about them. Nothing here knows Python; failures are `io::Error` or a lookup code.

pub(crate) mod address;
pub(crate) mod ancillary;
#[cfg(linux)]
pub(crate) mod interface;
#[cfg(target_vendor = "apple")]
pub(crate) mod kernel_control;
pub(crate) mod lookup;
pub(crate) mod message;

pub(crate) use address::SockAddr;

/// Runs a C call that reports failure as -1 with `errno`.
macro_rules! syscall {
    ($name:ident($($arg:expr),* $(,)?)) => {{
        let result = libc::$name($($arg),*);
        if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
    }};
}
pub(crate) use syscall;
