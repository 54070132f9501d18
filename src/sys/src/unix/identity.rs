//! Telling open files apart.

use std::mem::MaybeUninit;

use crate::{AsRawFd, BorrowedFd, Result, syscall};

/// What an open descriptor stands for, fstat(2): two of the same socket have the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    device: libc::dev_t,
    inode: libc::ino_t,
}

impl Identity {
    pub fn of(fd: BorrowedFd<'_>) -> Result<Self> {
        let mut status = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the call fills the structure, unless it fails.
        let status = unsafe {
            syscall!(fstat(fd.as_raw_fd(), status.as_mut_ptr()))?;
            status.assume_init()
        };
        Ok(Identity {
            device: status.st_dev,
            inode: status.st_ino,
        })
    }
}
