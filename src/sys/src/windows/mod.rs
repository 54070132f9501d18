//! Windows: Winsock under the names of POSIX, and what it has beyond BSD sockets.
//!
//! A descriptor is a socket's handle here, and nothing else is one: no file, no pipe.

pub(crate) mod c;
pub mod interface;
pub mod ioctl;
pub mod machine;
mod raw;
mod select;
pub mod share;
pub(crate) mod system;

pub use raw::{AsRawFd, FromRawFd, IntoRawFd};
pub use std::os::windows::io::{
    BorrowedSocket as BorrowedFd, OwnedSocket as OwnedFd, RawSocket as RawFd,
};
