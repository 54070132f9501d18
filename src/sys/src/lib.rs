//! The operating system: every system call and C library call, and all that is unsafe
//! about them. Nothing here knows Python; failures are `io::Error` or a lookup code.

pub mod address;
pub mod ancillary;
pub mod background;
pub mod databases;
pub mod descriptor;
pub mod hosts_file;
pub mod interface;
pub mod io;
#[cfg(target_vendor = "apple")]
pub mod kernel_control;
pub mod lookup;
pub mod machine;
pub mod memory;
pub mod message;
pub mod option;
pub mod thread_end;
pub mod wake;

pub use address::SockAddr;
pub use memory::Region;

/// A descriptor's number.
pub type Fd = libc::c_int;

/// Runs a C call that reports failure as -1 with `errno`.
macro_rules! syscall {
    ($name:ident($($arg:expr),* $(,)?)) => {{
        let result = libc::$name($($arg),*);
        if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
    }};
}
pub(crate) use syscall;
