//! How long something may take.

use std::time::{Duration, Instant};

use libc::c_int;

/// The longest time to wait, or none.
///
/// Times are whole nanoseconds up to those of an `i64`, 292 years, as the interpreter has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeout(Option<Duration>);

/// Why a number of seconds is no timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalid {
    NotANumber,
    TooLarge,
    Negative,
}

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: i64 = 1_000_000;

/// A number of units of `unit` nanoseconds as nanoseconds, rounded away from zero: a wait is never
/// shorter than what was asked for, and no time below zero becomes zero.
pub fn nanoseconds(number: f64, unit: i64) -> Result<i64, Invalid> {
    if number.is_nan() {
        return Err(Invalid::NotANumber);
    }
    let nanos = number * unit as f64;
    let nanos = if nanos >= 0.0 {
        nanos.ceil()
    } else {
        nanos.floor()
    };
    // The next float above i64::MAX is its first that does not fit.
    if nanos >= i64::MAX as f64 || nanos < i64::MIN as f64 {
        return Err(Invalid::TooLarge);
    }
    Ok(nanos as i64)
}

/// The same for a whole number of units.
pub fn whole_nanoseconds(number: i64, unit: i64) -> Result<i64, Invalid> {
    number.checked_mul(unit).ok_or(Invalid::TooLarge)
}

impl Timeout {
    /// No limit: blocking mode.
    pub const NONE: Timeout = Timeout(None);
    /// No time at all: non-blocking mode.
    pub const ZERO: Timeout = Timeout(Some(Duration::ZERO));

    pub const fn after(limit: Duration) -> Self {
        Timeout(Some(limit))
    }

    /// What an environment variable says, in seconds above 0; no limit where it says nothing or
    /// anything else.
    pub fn from_environment(variable: &str) -> Self {
        std::env::var(variable)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .and_then(|seconds| Timeout::from_seconds(seconds).ok())
            .filter(|timeout| !timeout.is_zero())
            .unwrap_or(Timeout::NONE)
    }

    /// The time until then; no limit where there is no deadline.
    pub fn until(deadline: Option<Instant>) -> Self {
        Timeout(deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())))
    }

    /// From the form that fits into an atomic number: nanoseconds, negative for none.
    #[inline]
    pub fn from_nanos(nanos: i64) -> Self {
        Timeout(u64::try_from(nanos).ok().map(Duration::from_nanos))
    }

    /// The way back.
    #[inline]
    pub fn to_nanos(self) -> i64 {
        self.0.map_or(-1, |limit| {
            i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX)
        })
    }

    /// From seconds, as [`nanoseconds`] has them.
    pub fn from_seconds(seconds: f64) -> Result<Self, Invalid> {
        Self::nonnegative(nanoseconds(seconds, SECOND)?)
    }

    /// From whole seconds.
    pub fn from_whole_seconds(seconds: i64) -> Result<Self, Invalid> {
        Self::nonnegative(whole_nanoseconds(seconds, SECOND)?)
    }

    /// From nanoseconds that have to be a time.
    pub fn nonnegative(nanos: i64) -> Result<Self, Invalid> {
        if nanos < 0 {
            Err(Invalid::Negative)
        } else {
            Ok(Self::from_nanos(nanos))
        }
    }

    /// The limit, if there is one.
    #[inline]
    pub const fn limit(self) -> Option<Duration> {
        self.0
    }

    /// Whether there is nothing to wait.
    #[inline]
    pub fn is_zero(self) -> bool {
        self == Timeout::ZERO
    }

    /// Whether a descriptor has to be non-blocking for it.
    #[inline]
    pub const fn is_some(self) -> bool {
        self.0.is_some()
    }

    pub fn seconds(self) -> Option<f64> {
        self.0.map(|_| self.to_nanos() as f64 / SECOND as f64)
    }

    /// When it ends that begins now; none where that is beyond what the clock can tell, too.
    pub fn deadline(self) -> Option<Instant> {
        Instant::now().checked_add(self.0?)
    }

    /// For poll(2): -1 for no limit. Rounded up, so that a wait never ends before its time, and
    /// cut to what the call can count, for the caller to look at the clock again.
    pub fn milliseconds(self) -> c_int {
        self.0.map_or(-1, |limit| {
            c_int::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_into_nanoseconds_and_back() {
        for nanos in [0, 1, SECOND, i64::MAX] {
            assert_eq!(Timeout::from_nanos(nanos).to_nanos(), nanos);
        }
        assert_eq!(Timeout::from_nanos(-1), Timeout::NONE);
        assert_eq!(Timeout::from_nanos(i64::MIN), Timeout::NONE);
        assert_eq!(Timeout::NONE.to_nanos(), -1);
        assert_eq!(Timeout::after(Duration::MAX).to_nanos(), i64::MAX);
    }

    #[test]
    fn seconds_are_rounded_away_from_zero() {
        let nanos = |seconds| Timeout::from_seconds(seconds).map(Timeout::to_nanos);
        assert_eq!(nanos(1.5), Ok(1_500_000_000));
        assert_eq!(nanos(1e-9), Ok(1));
        assert_eq!(nanos(1e-30), Ok(1));
        assert_eq!(nanos(0.0), Ok(0));
        assert_eq!(nanos(-0.0), Ok(0));
        assert_eq!(nanos(-1e-30), Err(Invalid::Negative));
        assert_eq!(nanos(f64::NAN), Err(Invalid::NotANumber));
        assert_eq!(nanos(f64::INFINITY), Err(Invalid::TooLarge));
        assert_eq!(nanos(f64::NEG_INFINITY), Err(Invalid::TooLarge));
        assert_eq!(nanos(9_223_372_036.0), Ok(9_223_372_036_000_000_000));
        assert_eq!(nanos(9_223_372_036.86), Err(Invalid::TooLarge));
    }

    #[test]
    fn whole_seconds_are_checked() {
        assert_eq!(Timeout::from_whole_seconds(0), Ok(Timeout::ZERO));
        assert_eq!(Timeout::from_whole_seconds(-1), Err(Invalid::Negative));
        assert_eq!(
            Timeout::from_whole_seconds(i64::MAX),
            Err(Invalid::TooLarge)
        );
        assert_eq!(
            Timeout::from_whole_seconds(i64::MIN),
            Err(Invalid::TooLarge)
        );
        assert!(Timeout::from_whole_seconds(i64::MAX / SECOND).is_ok());
    }

    #[test]
    fn milliseconds_never_end_early() {
        let milliseconds = |nanos| Timeout::from_nanos(nanos).milliseconds();
        assert_eq!(milliseconds(-1), -1);
        assert_eq!(milliseconds(0), 0);
        assert_eq!(milliseconds(1), 1);
        assert_eq!(milliseconds(1_000_000), 1);
        assert_eq!(milliseconds(1_000_001), 2);
        assert_eq!(milliseconds(i64::MAX), c_int::MAX);
    }

    #[test]
    fn seconds_are_those_that_were_given() {
        for seconds in [0.0, 0.25, 1e-9, 86400.0] {
            let timeout = Timeout::from_seconds(seconds).expect("a valid timeout");
            assert_eq!(timeout.seconds(), Some(seconds));
        }
        assert_eq!(Timeout::NONE.seconds(), None);
        assert_eq!(Timeout::NONE.deadline(), None);
        assert!(Timeout::ZERO.deadline().is_some());
    }
}
