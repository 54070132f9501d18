//! What is done in another way than on Windows, and what differs between the systems of Unix: one
//! file for each of these, with the same names in all of them. The other files of this crate, and
//! all above it, ask for these names and not for the system.
//!
//! A system without `SOCK_CLOEXEC` has its own [`open`], [`open_pair`] and [`accept`]; one whose
//! send(2) blocks in spite of `MSG_DONTWAIT` says in [`room`] how much it may be given.

#[cfg(bsd)]
mod bsd;
#[cfg(not(target_vendor = "apple"))]
mod flags;
#[cfg(any(target_vendor = "apple", target_env = "musl"))]
mod one_answer;
mod posix;
#[cfg(not(target_vendor = "apple"))]
mod reentrant;
mod select;

pub use posix::*;
pub use select::{SelectSet, select};

#[cfg(target_vendor = "apple")]
mod apple;
#[cfg(target_vendor = "apple")]
pub(crate) use apple::*;

#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "freebsd")]
pub(crate) use freebsd::*;

#[cfg(linux)]
mod linux;
#[cfg(linux)]
pub(crate) use linux::*;

#[cfg(not(any(linux, bsd)))]
compile_error!("this system needs a file of its own in src/sys/src/unix/system");
