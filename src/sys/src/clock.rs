//! The monotonic clock.

/// Nanoseconds since some moment of the past.
pub use super::system::monotonic;

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
