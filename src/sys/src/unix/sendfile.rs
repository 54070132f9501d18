//! Sending a file without reading it into the process.

use crate::{BorrowedFd, Result, system};

/// sendfile(2), from that place of the file.
pub fn sendfile(
    to: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: i64,
    count: usize,
) -> Result<usize> {
    system::sendfile(to, file, offset, count)
}
