//! Unix: what differs between its systems, and what they have beyond BSD sockets.

pub mod ancillary;
pub mod background;
pub mod batch;
pub mod c;
#[cfg(linux)]
pub mod epoll;
pub mod hosts_file;
pub mod identity;
pub mod interface;
#[cfg(target_vendor = "apple")]
pub mod kernel_control;
mod library;
pub mod machine;
pub mod message;
pub mod multicast;
pub mod openssl;
pub mod packet;
pub mod sendfile;
pub(crate) mod system;
pub mod thread_end;
#[cfg(linux)]
pub mod thread_state;
pub mod urgent;
pub mod wake;

pub(crate) use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
pub use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

pub use library::{MappedFile, keep_library};
