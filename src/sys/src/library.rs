//! Shared libraries.

use std::ffi::CStr;

/// Loads a library and never lets go of it; false where that fails. Who loads it by the same
/// path later gets this one, and no file is opened; dlopen(3).
pub fn keep_library(path: &CStr) -> bool {
    // SAFETY: the path is terminated. The libraries that are asked for are the interpreter's own,
    // which do nothing while they are loaded.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    !handle.is_null()
}
