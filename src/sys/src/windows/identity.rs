//! Telling sockets apart.

use super::{AsRawFd, BorrowedFd, RawFd};
use crate::{Result, descriptor};

/// What an open descriptor stands for. Nothing tells which socket a handle is of: two are the same
/// where the number is, and the socket's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    number: RawFd,
    kind: i32,
}

impl Identity {
    /// # Errors
    /// There is no such socket.
    pub fn of(fd: BorrowedFd<'_>) -> Result<Self> {
        Ok(Identity {
            number: fd.as_raw_fd(),
            kind: descriptor::kind(fd)?,
        })
    }
}
