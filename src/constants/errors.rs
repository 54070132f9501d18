//! The three error numbers the `socket` module has always carried.

use super::{Table, table};

pub(super) const TABLES: &[Table] = &[table! {
    EAGAIN, EBADF, EWOULDBLOCK,
}];
