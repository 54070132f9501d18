//! The operating system: every system call and C library call, and all that is unsafe
//! about them. Nothing here knows Python; failures are `io::Error` or a lookup code.

pub(crate) mod address;
pub(crate) mod ancillary;
pub(crate) mod background;
pub(crate) mod databases;
pub(crate) mod descriptor;
pub(crate) mod hosts_file;
pub(crate) mod interface;
pub(crate) mod io;
#[cfg(target_vendor = "apple")]
pub(crate) mod kernel_control;
pub(crate) mod lookup;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod option;
pub(crate) mod wake;

pub(crate) use address::SockAddr;
pub(crate) use memory::Region;

/// A descriptor's number.
pub(crate) type Fd = libc::c_int;

/// Runs a C call that reports failure as -1 with `errno`.
macro_rules! syscall {
    ($name:ident($($arg:expr),* $(,)?)) => {{
        let result = libc::$name($($arg),*);
        if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
    }};
}
pub(crate) use syscall;
