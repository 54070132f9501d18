//! Time as a number of nanoseconds: an operation reads it several times, and `Instant` and
//! `Duration` would take longer to subtract and to add up than it takes to read.

use std::time::Duration;

pub(super) use crate::sys::clock::monotonic as now;

/// A duration in nanoseconds; more than 584 years are that.
#[inline]
pub(super) fn nanos(time: Duration) -> u64 {
    let whole = time.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(time.subsec_nanos().into())
}
