//! Unix: what differs between its systems, and what they have beyond BSD sockets.

pub(crate) mod adapters;
pub mod ancillary;
pub mod batch;
pub mod c;
#[cfg(linux)]
pub mod epoll;
pub mod identity;
#[cfg(target_vendor = "apple")]
pub mod kernel_control;
mod library;
pub mod machine;
pub mod message;
pub mod openssl;
pub mod packet;
pub mod sendfile;
pub(crate) mod system;
#[cfg(linux)]
pub mod thread_state;
pub mod urgent;
pub mod wake;
pub(crate) mod worker;

pub use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

pub use library::{keep_library, symbol};
pub(crate) use worker::Worker;
