//! Shared libraries that are kept in memory, so that they can be used when their file cannot be
//! opened any more, and what is found in those that are loaded.

use std::ffi::CStr;

/// Loads a library and never lets go of it; false where that fails. Who loads it by the same
/// path later gets this one, and no file is opened; dlopen(3).
pub fn keep_library(path: &CStr) -> bool {
    // SAFETY: the path is terminated. The libraries that are asked for are the interpreter's own,
    // which do nothing while they are loaded.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
    !handle.is_null()
}

/// The address of a function or variable of whatever the process has loaded, dlsym(3).
pub fn symbol(name: &CStr) -> Option<usize> {
    // SAFETY: the name is terminated; the call only looks it up.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found as usize)
}
