//! Windows: Winsock under the names of POSIX, and what it has beyond BSD sockets.
//!
//! A descriptor is a socket's handle here, and nothing else is one: no file, no pipe.

pub(crate) mod adapters;
pub mod c;
pub mod constants;
pub mod identity;
pub mod ioctl;
mod library;
pub mod machine;
pub mod openssl;
mod raw;
mod select;
pub mod share;
pub(crate) mod system;
pub mod urgent;
pub mod wake;
pub(crate) mod worker;

/// The number of a descriptor, as Python writes it: that of none is -1.
pub type RawFd = isize;

pub use library::{keep_library, symbol};
pub use raw::{AsFd, AsRawFd, FromRawFd, IntoRawFd};
pub use std::os::windows::io::{BorrowedSocket as BorrowedFd, OwnedSocket as OwnedFd};
pub(crate) use worker::Worker;
