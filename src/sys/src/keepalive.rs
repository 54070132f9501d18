//! Keepalive probes of TCP connections, tcp(7).

use super::c::{self, c_int};
use super::{BorrowedFd, Result, option, system};

/// When a peer that is not heard of counts as gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keepalive {
    /// Seconds of silence before the first probe.
    pub idle: u32,
    /// Seconds between two probes.
    pub interval: u32,
    /// So many probes without an answer end the connection.
    pub count: u32,
}

impl Keepalive {
    /// None where a number is out of the range that Linux takes.
    pub fn new(idle: u32, interval: u32, count: u32) -> Option<Self> {
        let seconds = 1..=32767;
        (seconds.contains(&idle) && seconds.contains(&interval) && (1..=127).contains(&count))
            .then_some(Keepalive {
                idle,
                interval,
                count,
            })
    }

    /// The time after which the connection is given up, in milliseconds.
    pub fn total(self) -> u32 {
        // At most 32767 * 128 seconds: that fits.
        (self.idle + self.interval * self.count).saturating_mul(1000)
    }
}

/// Whether probes are sent.
pub fn is_on(fd: BorrowedFd<'_>) -> Result<bool> {
    Ok(option::get::<c_int>(fd, c::SOL_SOCKET, c::SO_KEEPALIVE)? != 0)
}

/// Switches the probes on, with the timeout for data that is not acknowledged beside them where
/// the system has one, or off.
pub fn set(fd: BorrowedFd<'_>, keepalive: Option<Keepalive>) -> Result<()> {
    let tcp = |name, value: u32| option::put(fd, c::IPPROTO_TCP, name, value as c_int);
    if let Some(keepalive) = keepalive {
        tcp(system::KEEPALIVE_IDLE, keepalive.idle)?;
        tcp(c::TCP_KEEPINTVL, keepalive.interval)?;
        tcp(c::TCP_KEEPCNT, keepalive.count)?;
    }
    if let Some(name) = system::UNACKNOWLEDGED_TIMEOUT {
        tcp(name, keepalive.map_or(0, Keepalive::total))?;
    }
    let on = c_int::from(keepalive.is_some());
    option::put(fd, c::SOL_SOCKET, c::SO_KEEPALIVE, on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_linux() {
        assert!(Keepalive::new(1, 1, 1).is_some());
        assert!(Keepalive::new(32767, 32767, 127).is_some());
        for (idle, interval, count) in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (32768, 1, 1), (1, 1, 128)]
        {
            assert_eq!(Keepalive::new(idle, interval, count), None);
        }
    }

    #[test]
    fn the_total_is_the_time_until_a_dead_peer_is_noticed() {
        let total =
            |idle, interval, count| Keepalive::new(idle, interval, count).map(Keepalive::total);
        assert_eq!(total(60, 10, 6), Some(120_000));
        assert_eq!(total(32767, 32767, 127), Some(32767 * 128 * 1000));
    }
}
