//! The C library: the libc crate, and what that leaves out.

pub use libc::*;
pub use std::ffi::{c_char, c_int, c_void};

unsafe extern "C" {
    pub fn inet_aton(text: *const c_char, address: *mut in_addr) -> c_int;
    pub fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
    // The libc crate has it for some systems only.
    pub safe fn sockatmark(fd: c_int) -> c_int;
}
