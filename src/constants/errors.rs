//! The three error numbers the `socket` module has always carried.

use super::{Table, table};
use crate::sys::errno::{self, Errno};

pub(super) const TABLES: &[Table] = &[table! {
    EAGAIN = errno::EAGAIN as i64, EBADF = Errno::BADF.number() as i64,
    EWOULDBLOCK = Errno::AGAIN.number() as i64,
}];
