//! Files that are kept in memory, so that they can be read when they cannot be opened any more.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// A file in memory, mapped as shared libraries are: nothing is read before it is asked for.
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps the file of that path. One that is empty is an error, as are devices.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the files that are asked for are the interpreter's own modules. Whoever renews
        // them puts others in their place, as with the libraries that are mapped beside them.
        let mapped = unsafe { Mmap::map(&file) }?;
        if mapped.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(MappedFile(mapped))
    }

    /// A copy of what is in it.
    pub fn to_vec(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    #[cfg_attr(miri, ignore = "maps files")]
    fn a_mapped_file_is_in_memory() {
        let path = std::env::temp_dir().join(format!("oxisock-{}", std::process::id()));
        fs::write(&path, "kept").expect("a file");
        let file = MappedFile::open(&path).expect("a mapping");
        if cfg!(unix) {
            fs::remove_file(&path).expect("its name");
            assert!(MappedFile::open(&path).is_err());
            assert!(MappedFile::open("/dev/null").is_err());
        }
        assert_eq!(file.to_vec(), b"kept");
        drop(file);
        fs::write(&path, "").expect("a file");
        assert!(MappedFile::open(&path).is_err());
        fs::remove_file(&path).expect("its name");
    }
}
