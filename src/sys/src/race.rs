//! Happy Eyeballs (RFC 8305): which address of a host to try next, and when. Decisions only:
//! the time and the results of the attempts come from the caller.

use std::time::{Duration, Instant};

/// The time between the beginnings of two attempts that RFC 8305 recommends.
pub const DEFAULT_ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// The least and the most that RFC 8305 lets it be set to.
pub const MIN_ATTEMPT_DELAY: Duration = Duration::from_millis(10);
pub const MAX_ATTEMPT_DELAY: Duration = Duration::from_secs(2);

/// What the caller has to do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Begin the attempt at this place of the order.
    Begin(usize),
    /// Wait for the attempts that are running, at most until then.
    Wait(Option<Instant>),
    /// Every attempt has failed.
    Lost,
    /// The deadline has passed.
    Expired,
}

/// A race of connection attempts. An attempt that has begun runs until it fails, until
/// another one wins or until the deadline; the next one does not end it.
#[derive(Debug)]
pub struct Race {
    attempts: usize,
    delay: Duration,
    deadline: Option<Instant>,
    /// The attempts before this one have begun.
    next: usize,
    /// When the next one may begin while others are running.
    due: Instant,
    running: usize,
    /// Whether the next attempt needs something that a running one has.
    postponed: bool,
}

impl Race {
    pub fn new(attempts: usize, delay: Duration, deadline: Option<Instant>, now: Instant) -> Self {
        Race {
            attempts,
            delay: deadline.map_or(delay, |deadline| {
                delay_within(deadline.saturating_duration_since(now), attempts, delay)
            }),
            deadline,
            next: 0,
            due: now,
            running: 0,
            postponed: false,
        }
    }

    /// What to do at this time. [`Step::Begin`] counts the attempt as running.
    pub fn step(&mut self, now: Instant) -> Step {
        // The first attempt may succeed without waiting, which no deadline forbids.
        if self.next > 0 && self.deadline.is_some_and(|deadline| now >= deadline) {
            return Step::Expired;
        }
        let may_begin = self.next < self.attempts && !self.postponed;
        if may_begin && (self.running == 0 || now >= self.due) {
            self.due = now + self.delay;
            self.running += 1;
            self.next += 1;
            return Step::Begin(self.next - 1);
        }
        if self.running == 0 {
            return Step::Lost;
        }
        let due = may_begin.then_some(self.due);
        Step::Wait(match (due, self.deadline) {
            (Some(due), Some(deadline)) => Some(due.min(deadline)),
            (due, deadline) => due.or(deadline),
        })
    }

    /// An attempt has failed: the next one begins at once.
    pub fn failed(&mut self, now: Instant) {
        self.running = self.running.saturating_sub(1);
        self.postponed = false;
        self.due = now;
    }

    /// The attempt that was just begun lacks something, a descriptor say, that it can have when
    /// a running one has failed. False where none is running: then it has failed itself.
    #[must_use]
    pub fn postpone(&mut self) -> bool {
        if self.running < 2 {
            return false;
        }
        self.running -= 1;
        self.next -= 1;
        self.postponed = true;
        true
    }
}

/// The delay with which the last of many attempts still begins one delay before the deadline
/// (half of the time, where that is less).
fn delay_within(time: Duration, attempts: usize, delay: Duration) -> Duration {
    let intervals = u32::try_from(attempts.saturating_sub(1).max(1)).unwrap_or(u32::MAX);
    let last = time.saturating_sub(delay.min(time / 2));
    delay.min((last / intervals).max(MIN_ATTEMPT_DELAY))
}

/// The order in which to try addresses of these families: each family's in the order given,
/// the families taking turns, that of the first address first.
pub fn interleaved(families: &[i32]) -> Vec<usize> {
    let mut queues: Vec<(i32, Vec<usize>)> = Vec::new();
    for (index, family) in families.iter().enumerate() {
        match queues.iter_mut().find(|(other, _)| other == family) {
            Some((_, queue)) => queue.push(index),
            None => queues.push((*family, vec![index])),
        }
    }
    let longest = queues.iter().map(|(_, queue)| queue.len()).max();
    (0..longest.unwrap_or(0))
        .flat_map(|round| queues.iter().filter_map(move |(_, queue)| queue.get(round)))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn race(attempts: usize, deadline: Option<u32>) -> (Race, Instant) {
        let now = Instant::now();
        let deadline = deadline.map(|ms| now + ms * MS);
        (
            Race::new(attempts, DEFAULT_ATTEMPT_DELAY, deadline, now),
            now,
        )
    }

    #[test]
    fn attempts_begin_at_intervals_and_none_ends_another() {
        let (mut race, t) = race(3, Some(5000));
        assert_eq!(race.step(t), Step::Begin(0));
        assert_eq!(race.step(t), Step::Wait(Some(t + 250 * MS)));
        assert_eq!(race.step(t + 249 * MS), Step::Wait(Some(t + 250 * MS)));
        assert_eq!(race.step(t + 251 * MS), Step::Begin(1));
        assert_eq!(race.step(t + 251 * MS), Step::Wait(Some(t + 501 * MS)));
        assert_eq!(race.step(t + 501 * MS), Step::Begin(2));
        assert_eq!(race.step(t + 501 * MS), Step::Wait(Some(t + 5000 * MS)));
        assert_eq!(race.step(t + 5000 * MS), Step::Expired);
    }

    #[test]
    fn a_failure_starts_the_next_at_once() {
        let (mut race, t) = race(3, None);
        assert_eq!(race.step(t), Step::Begin(0));
        race.failed(t + MS);
        assert_eq!(race.step(t + MS), Step::Begin(1));
        assert_eq!(race.step(t + MS), Step::Wait(Some(t + 251 * MS)));
        // Also while another one is running.
        assert_eq!(race.step(t + 251 * MS), Step::Begin(2));
        race.failed(t + 252 * MS);
        assert_eq!(race.step(t + 252 * MS), Step::Wait(None));
        race.failed(t + 253 * MS);
        assert_eq!(race.step(t + 253 * MS), Step::Lost);
    }

    #[test]
    fn a_failure_while_others_run_starts_the_next_before_its_time() {
        let (mut race, t) = race(3, None);
        assert_eq!(race.step(t), Step::Begin(0));
        assert_eq!(race.step(t + 250 * MS), Step::Begin(1));
        race.failed(t + 260 * MS);
        assert_eq!(race.step(t + 260 * MS), Step::Begin(2));
    }

    #[test]
    fn nothing_to_try_is_lost() {
        let (mut race, t) = race(0, Some(1000));
        assert_eq!(race.step(t), Step::Lost);
    }

    #[test]
    fn the_first_attempt_is_made_whatever_the_time() {
        let (mut race, t) = race(2, Some(0));
        assert_eq!(race.step(t + MS), Step::Begin(0));
        race.failed(t + MS);
        assert_eq!(race.step(t + MS), Step::Expired);
    }

    #[test]
    fn without_a_deadline_the_last_attempts_run_on() {
        let (mut race, t) = race(1, None);
        assert_eq!(race.step(t), Step::Begin(0));
        assert_eq!(race.step(t), Step::Wait(None));
        assert_eq!(race.step(t + 100_000 * MS), Step::Wait(None));
    }

    #[test]
    fn a_short_deadline_brings_the_attempts_closer_together() {
        // All of eight begin in time, the last one a delay before the end (and a check every millisecond).
        let (mut race, t) = race(8, Some(1000));
        let mut began = 0;
        for ms in 0..=760 {
            if matches!(race.step(t + ms * MS), Step::Begin(_)) {
                began += 1;
            }
        }
        assert_eq!(began, 8);
        // But never closer than the least delay of the RFC.
        assert_eq!(
            delay_within(50 * MS, 1000, DEFAULT_ATTEMPT_DELAY),
            MIN_ATTEMPT_DELAY
        );
        assert_eq!(delay_within(5000 * MS, 1, 20 * MS), 20 * MS);
        assert_eq!(delay_within(Duration::ZERO, 2, 20 * MS), MIN_ATTEMPT_DELAY);
    }

    #[test]
    fn what_is_postponed_begins_when_another_has_failed() {
        let (mut race, t) = race(2, None);
        assert_eq!(race.step(t), Step::Begin(0));
        assert_eq!(race.step(t + 250 * MS), Step::Begin(1));
        assert!(race.postpone());
        assert_eq!(race.step(t + 250 * MS), Step::Wait(None));
        assert_eq!(race.step(t + 900 * MS), Step::Wait(None));
        race.failed(t + 901 * MS);
        assert_eq!(race.step(t + 901 * MS), Step::Begin(1));
        assert!(!race.postpone());
        race.failed(t + 901 * MS);
        assert_eq!(race.step(t + 901 * MS), Step::Lost);
    }

    #[test]
    fn families_take_turns() {
        assert_eq!(interleaved(&[10, 10, 10, 2, 2]), [0, 3, 1, 4, 2]);
        assert_eq!(interleaved(&[2, 2, 10]), [0, 2, 1]);
        assert_eq!(interleaved(&[2, 10, 1, 2]), [0, 1, 2, 3]);
        assert_eq!(interleaved(&[2, 2]), [0, 1]);
        assert!(interleaved(&[]).is_empty());
    }
}
