//! Urgent data among the others, tcp(7).

use crate::{AsRawFd, BorrowedFd, c};

/// Whether the next byte is where urgent data were sent, sockatmark(3); false where the protocol
/// has none.
pub fn at_mark(fd: BorrowedFd<'_>) -> bool {
    c::sockatmark(fd.as_raw_fd()) == 1
}
