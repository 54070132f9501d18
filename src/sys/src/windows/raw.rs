//! The traits of `std::os::fd`, for sockets.

use std::net::UdpSocket;
use std::os::windows::io::{AsRawSocket, AsSocket, FromRawSocket, IntoRawSocket, RawSocket};

use super::{BorrowedFd, OwnedFd, RawFd};

/// What has the number of a descriptor.
pub trait AsRawFd {
    fn as_raw_fd(&self) -> RawFd;
}

impl AsRawFd for BorrowedFd<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_raw_socket() as RawFd
    }
}

impl AsRawFd for OwnedFd {
    fn as_raw_fd(&self) -> RawFd {
        self.as_raw_socket() as RawFd
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_raw_socket() as RawFd
    }
}

/// What has a descriptor to lend.
pub trait AsFd {
    fn as_fd(&self) -> BorrowedFd<'_>;
}

impl AsFd for OwnedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.as_socket()
    }
}

/// What can be made of the number of a descriptor.
pub trait FromRawFd {
    /// # Safety
    /// The descriptor is open, and its owner gives it away.
    unsafe fn from_raw_fd(number: RawFd) -> Self;
}

impl FromRawFd for OwnedFd {
    unsafe fn from_raw_fd(number: RawFd) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::from_raw_socket(number as RawSocket) }
    }
}

/// What gives its descriptor away.
pub trait IntoRawFd {
    fn into_raw_fd(self) -> RawFd;
}

impl IntoRawFd for OwnedFd {
    fn into_raw_fd(self) -> RawFd {
        self.into_raw_socket() as RawFd
    }
}
