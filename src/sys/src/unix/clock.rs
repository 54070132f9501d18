//! The monotonic clock, clock_gettime(2).

/// Nanoseconds since some moment of the past. `Instant` reads the same clock, but to subtract one from
/// another takes longer than to read it.
#[inline]
pub fn monotonic() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the memory is a time, which the call writes; it knows the clock, and so cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    // Neither is ever negative.
    (now.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::monotonic;

    #[test]
    fn goes_on_as_instant_does() {
        let (began, before) = (Instant::now(), monotonic());
        std::thread::sleep(Duration::from_millis(2));
        let passed = monotonic() - before;
        assert!(passed >= 2_000_000);
        assert!(u128::from(passed) <= began.elapsed().as_nanos());
    }
}
