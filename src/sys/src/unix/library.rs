//! Files and shared libraries that are kept in memory, so that they can be used when their file
//! cannot be opened any more.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::NonNull;

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

/// A file in memory, mapped as shared libraries are: nothing is read before it is asked for.
pub struct MappedFile {
    start: NonNull<libc::c_void>,
    len: usize,
}

// SAFETY: the mapping is only read, and lives as long as this.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Maps the file of that path; mmap(2). One that is empty cannot be mapped.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let (protection, fd) = (libc::PROT_READ, file.as_raw_fd());
        // SAFETY: a new mapping, wherever the system puts it.
        let start = unsafe {
            let anywhere = std::ptr::null_mut();
            libc::mmap(anywhere, len, protection, libc::MAP_PRIVATE, fd, 0)
        };
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => Ok(MappedFile { start, len }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// A copy of what is in it.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(self.len);
        // SAFETY: the mapping has that many bytes, and the copy has room for them.
        unsafe {
            let start = self.start.as_ptr().cast::<u8>();
            start.copy_to_nonoverlapping(copy.as_mut_ptr(), self.len);
            copy.set_len(self.len);
        }
        copy
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's alone.
        unsafe { libc::munmap(self.start.as_ptr(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    #[cfg_attr(miri, ignore = "maps files")]
    fn a_mapped_file_is_there_when_its_name_is_gone() {
        let path = std::env::temp_dir().join(format!("oxisock-{}", std::process::id()));
        fs::write(&path, "kept").expect("a file");
        let file = MappedFile::open(&path).expect("a mapping");
        fs::remove_file(&path).expect("its name");
        assert!(MappedFile::open(&path).is_err());
        assert_eq!(file.to_vec(), b"kept");
    }

    #[test]
    #[cfg_attr(miri, ignore = "maps files")]
    fn an_empty_file_is_an_error() {
        assert!(MappedFile::open("/dev/null").is_err());
    }
}
