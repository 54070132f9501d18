//! Files and shared libraries that are kept in memory, so that they can be used when their file
//! cannot be opened any more, and what is found in the libraries that are loaded.

use std::ffi::{CStr, OsStr, c_void};
use std::fs::File;
use std::io;
use std::iter::once;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_READONLY,
    UnmapViewOfFile,
};
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

/// A file in memory: nothing is read before it is asked for.
pub struct MappedFile {
    start: MEMORY_MAPPED_VIEW_ADDRESS,
    len: usize,
}

// SAFETY: the mapping is only read, and lives as long as this.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Maps the file of that path; MapViewOfFile. One that is empty cannot be mapped.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        // SAFETY: a new mapping of all of the file, without a name, wherever the system puts it. It
        // needs neither handle any more when it is there.
        let start = unsafe {
            let (handle, none) = (file.as_raw_handle(), ptr::null());
            let mapping = CreateFileMappingW(handle, none, PAGE_READONLY, 0, 0, ptr::null());
            if mapping.is_null() {
                return Err(io::Error::last_os_error());
            }
            let mapping = OwnedHandle::from_raw_handle(mapping);
            MapViewOfFile(mapping.as_raw_handle(), FILE_MAP_READ, 0, 0, 0)
        };
        if start.Value.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(MappedFile { start, len })
    }

    /// A copy of what is in it.
    pub fn to_vec(&self) -> Vec<u8> {
        let start: *const c_void = self.start.Value;
        // SAFETY: the mapping has that many bytes.
        unsafe { std::slice::from_raw_parts(start.cast::<u8>(), self.len) }.to_vec()
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's alone.
        unsafe { UnmapViewOfFile(self.start) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_mapped_file_is_in_memory() {
        let path = std::env::temp_dir().join(format!("oxisock-{}", std::process::id()));
        fs::write(&path, "kept").expect("a file");
        let file = MappedFile::open(&path).expect("a mapping");
        assert_eq!(file.to_vec(), b"kept");
        drop(file);
        fs::write(&path, "").expect("a file");
        assert!(MappedFile::open(&path).is_err());
        fs::remove_file(&path).expect("its name");
        assert!(MappedFile::open(&path).is_err());
    }

    #[test]
    fn what_is_loaded_is_found() {
        assert!(symbol(c"WSAPoll").is_some());
        assert!(symbol(c"no function of this name").is_none());
        assert!(keep_library(c"ws2_32.dll"));
        assert!(!keep_library(c"no library of this name.dll"));
    }
}
