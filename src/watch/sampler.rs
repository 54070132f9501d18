//! Where threads spend their time inside calls of somebody else's code, seen from outside: a thread
//! of its own looks at short intervals whether each of them runs, waits for the interpreter lock,
//! or waits for anything else. It takes no part in what they do.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::python::error::Error;
use crate::python::make::Made;
use crate::sys::thread_state::{self, State, state};

/// How often to sample, on average. Each sample takes some microseconds of another processor.
const INTERVAL: Duration = Duration::from_millis(1);
/// The most threads to look at in one go; of more of them, some in turn, which count for the others.
const MOST: usize = 8;

/// What is known of one thread that makes such calls.
struct Seen {
    thread: i32,
    inside: AtomicBool,
    network: AtomicU64,
    lock: AtomicU64,
}

pub(super) struct Shared {
    threads: Mutex<Vec<Arc<Seen>>>,
    stopped: AtomicBool,
    looks: AtomicU64,
    busy: AtomicU64,
}

thread_local! {
    static MINE: RefCell<Option<(usize, Arc<Seen>)>> = const { RefCell::new(None) };
}

/// Tell apart what threads wait for inside calls of the standard library.
///
/// Raises:
///     OSError: the system does not tell what threads wait for, ``/proc/self/task`` of proc(5).
#[pyclass(frozen, module = "oxisock._socket")]
pub(crate) struct LockSampler {
    shared: Arc<Shared>,
}

#[pymethods]
impl LockSampler {
    #[new]
    fn new() -> Result<Self, Error> {
        let seen = Seen::of_this_thread();
        state(seen.thread).map_err(|error| {
            Error::os_error(format!(
                "the system does not tell what threads wait for: {error}"
            ))
        })?;
        let shared = Arc::new(Shared {
            threads: Mutex::new(Vec::new()),
            stopped: AtomicBool::new(false),
            looks: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        });
        let mine = shared.clone();
        let started = thread::Builder::new()
            .name("oxisock-sampler".into())
            .spawn(move || mine.run());
        started.map_err(|error| Error::os_error(error.to_string()))?;
        Ok(LockSampler { shared })
    }

    /// Return how many looks were taken, and how many nanoseconds they took together.
    fn cost(&self) -> Made<(u64, u64)> {
        Made((
            self.shared.looks.load(Relaxed),
            self.shared.busy.load(Relaxed),
        ))
    }

    /// Take no further look.
    fn stop(&self) {
        self.shared.stopped.store(true, Relaxed);
    }
}

impl Drop for LockSampler {
    fn drop(&mut self) {
        self.stop();
    }
}

impl LockSampler {
    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }
}

impl Shared {
    /// Says that this thread enters a call or leaves it.
    ///
    /// Tells the nanoseconds that it has waited inside calls: for the network, and for the
    /// interpreter lock. They are estimates, whose error gets small as they get large.
    #[inline]
    pub(super) fn mine(&self, inside: bool) -> (u64, u64) {
        let key = std::ptr::from_ref(self) as usize;
        MINE.with_borrow_mut(|mine| {
            if mine.as_ref().is_none_or(|(known, _)| *known != key) {
                let seen = Arc::new(Seen::of_this_thread());
                self.threads().push(seen.clone());
                *mine = Some((key, seen));
            }
            let Some((_, seen)) = mine else { return (0, 0) };
            seen.inside.store(inside, Relaxed);
            (seen.network.load(Relaxed), seen.lock.load(Relaxed))
        })
    }
}

impl Seen {
    fn of_this_thread() -> Self {
        Seen {
            thread: thread_state::current(),
            inside: AtomicBool::new(false),
            network: AtomicU64::new(0),
            lock: AtomicU64::new(0),
        }
    }
}

impl Shared {
    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Seen>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut last = Instant::now();
        let mut random = last.elapsed().as_nanos() as u64 | 1;
        let mut turn = 0;
        while !self.stopped.load(Relaxed) {
            // At random moments: what repeats itself, as the switch interval does, must not get into
            // step with the looks.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            thread::sleep(INTERVAL / 2 + INTERVAL * (random % 1024) as u32 / 1024);
            let now = Instant::now();
            let mut inside: Vec<Arc<Seen>> = Vec::new();
            {
                let mut threads = self.threads();
                // One that has ended keeps no reference.
                threads.retain(|seen| Arc::strong_count(seen) > 1);
                inside.extend(
                    threads
                        .iter()
                        .filter(|seen| seen.inside.load(Relaxed))
                        .cloned(),
                );
            }
            let looked = inside.len().min(MOST);
            if looked > 0 {
                let weight = (now - last).as_nanos() as u64 * inside.len() as u64 / looked as u64;
                for index in 0..looked {
                    let seen = &inside[(turn + index) % inside.len()];
                    let counter = match state(seen.thread) {
                        Ok(State::Lock) => &seen.lock,
                        Ok(State::Call) => &seen.network,
                        Ok(State::Running) | Err(_) => continue,
                    };
                    if seen.inside.load(Relaxed) {
                        counter.fetch_add(weight, Relaxed);
                    }
                }
                turn = turn.wrapping_add(looked);
            }
            self.looks.fetch_add(1, Relaxed);
            self.busy
                .fetch_add(now.elapsed().as_nanos() as u64, Relaxed);
            last = now;
        }
    }
}
