//! Shared libraries that are kept in memory, so that they can be used when their file cannot be
//! opened any more, and what is found in those that are loaded.

use std::ffi::{CStr, OsStr};
use std::iter::once;
use std::os::windows::ffi::OsStrExt;
use std::ptr;

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};
use windows_sys::Win32::System::ProcessStatus::K32EnumProcessModules;
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// Loads a library and never lets go of it; false where that fails. Who loads it by the same
/// path later gets this one, and no file is opened; LoadLibraryW. The path is in UTF-8.
pub fn keep_library(path: &CStr) -> bool {
    let Ok(path) = path.to_str() else {
        return false;
    };
    let path: Vec<u16> = OsStr::new(path).encode_wide().chain(once(0)).collect();
    // SAFETY: the path is terminated. The libraries that are asked for are the interpreter's own,
    // which do nothing while they are loaded.
    !unsafe { LoadLibraryW(path.as_ptr()) }.is_null()
}

/// The address of a function or variable of whatever the process has loaded.
pub fn symbol(name: &CStr) -> Option<usize> {
    modules().into_iter().find_map(|module| {
        // SAFETY: the name is terminated; a module that was unloaded since has no names.
        let found = unsafe { GetProcAddress(module, name.as_ptr().cast()) };
        found.map(|found| found as usize)
    })
}

/// The program and the libraries that are loaded.
fn modules() -> Vec<HMODULE> {
    let mut modules: Vec<HMODULE> = vec![ptr::null_mut(); 256];
    loop {
        let room = size_of_val(&*modules) as u32;
        let mut wanted = 0;
        // SAFETY: the memory is writable for the length given.
        let done = unsafe {
            K32EnumProcessModules(GetCurrentProcess(), modules.as_mut_ptr(), room, &mut wanted)
        };
        let count = if done == 0 {
            0
        } else {
            wanted as usize / size_of::<HMODULE>()
        };
        if count <= modules.len() {
            modules.truncate(count);
            return modules;
        }
        // There were more, and may be more again.
        modules.resize(2 * count, ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn what_is_loaded_is_found() {
        assert!(symbol(c"WSAPoll").is_some());
        assert!(symbol(c"no function of this name").is_none());
        assert!(keep_library(c"ws2_32.dll"));
        assert!(!keep_library(c"no library of this name.dll"));
    }
}
