//! Having the interpreter lock back soon after a wait.
//!
//! A thread that wakes up while another one computes would have to wait for the interpreter's
//! switch interval, 5 ms, before that one has to let go. Here it asks, by a pending call: the
//! thread that computes makes the call within a few bytecodes, gives the lock up in it, sees that
//! those who asked get it, and takes it back after them.
//!
//! ```text
//! waits            asks ─┐          has the lock, works, waits again
//! computes ──────────────┴─ yields ─────────────────────┴─ computes
//! ```
//!
//! There is one call under way at a time, for all who wait: who wakes up while it is, joins. It is
//! made only where the lock has lately been held by a thread that computes, and that thread computes
//! at least as long between two of them as the last one took it.
//!
//! Where several threads compute, the one that yielded may find another of them in its place, and
//! nobody else can make a call before it returns. Then the lock is passed on, see [`pass_on`].

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::hint::spin_loop;
use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::clock;
use super::shards::add;
use super::statistics::{Waited, count_wait};
use crate::python::pending::{self, Means};
use crate::sys::wake::process_generation;

/// The environment variable that switches it off with 0, and on with 1 where that is a choice.
const VARIABLE: &str = "OXISOCK_YIELD";

/// Having waited so long for the lock means that another thread computes.
const CONTENDED: Duration = Duration::from_micros(300);
/// So many waits ask for the lock after one that found it contended.
const CREDIT: u32 = 256;
/// How long who has asked stays awake: one that falls asleep has to be woken for the lock, which
/// takes longer than a thread in Python needs to yield.
const AWAKE: Duration = Duration::from_micros(30);
/// After this number in a row that stayed awake in vain it is left out …
const IN_VAIN: u32 = 3;
/// … except once in this number.
const RETRY: u32 = 32;
/// How long others may join those for whom a thread yields.
const JOINING: Duration = Duration::from_micros(300);
/// The longest time that it leaves the lock to them, who may have been late for it: another thread
/// that computes has it then, and they wait for the switch interval as everybody does.
const YIELDING: Duration = Duration::from_millis(10);
/// How long who has yielded stays awake for the lock to be given back.
const RETURN: Duration = Duration::from_micros(50);
/// The longest time that it computes before it yields again: a switch interval, after which the
/// interpreter itself has it let go.
const TURN: Duration = Duration::from_millis(5);
/// For how long at most a thread that yields waits for one of those who asked to come, unless other
/// programs keep them from a processor. Where it was longer …
const PROMPT: Duration = Duration::from_millis(1);
/// … nobody asks for this number of times as long as it was longer.
const IDLE_SHARE: u64 = 4;
/// How long to sleep between two checks whether one can ask.
const PAUSE: Duration = Duration::from_micros(50);
/// Having waited so long for the lock after a call means that several threads compute.
const SEVERAL_WAIT: u64 = 1_000_000;
/// For so long at most they compute then before the next, in nanoseconds: they have computed meanwhile, too.
const PASSED: u64 = 500_000;
/// How often a thread may make the call before it gives the lock up: the interpreter makes up to a
/// hundred in a row, those that a call adds among them, and looks what else there is to do then.
const REPEATED: u32 = 300;
/// So many requests are passed on from thread to thread then.
const SEVERAL_CREDIT: u32 = 64;
/// What the interval is lowered to on 3.11. No program sets such a value itself.
const LOWERED: Duration = Duration::from_micros(3);

/// How many threads have come back from a wait and do not have the lock yet; above them, in the
/// higher half, the process whose threads they are.
static COMING: AtomicU64 = AtomicU64::new(0);
/// How often a thread has had the lock back after a wait.
static RETURNS: AtomicU64 = AtomicU64::new(0);
/// Whether the thread that yielded last computes; one that waits now and then gives the lock up
/// by itself.
static COMPUTES: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// When this thread last came back from a wait, by [`clock::now`].
    static CAME: Cell<u64> = const { Cell::new(0) };
}

/// How this process asks; set when it first has a reason to.
static MEANS: OnceLock<Means> = OnceLock::new();
/// Waits that are still to ask.
static CREDITS: AtomicU32 = AtomicU32::new(0);
/// How many threads have asked and do not have the lock yet, and the two flags below.
static STATE: AtomicU32 = AtomicU32::new(0);
/// In [`STATE`]: a call is in the interpreter's queue, or being made.
const QUEUED: u32 = 1 << 31;
/// In [`STATE`]: it is for those who have asked already.
const CLOSED: u32 = 1 << 30;
const COUNT: u32 = CLOSED - 1;
/// Whether a thread has given the lock up for those who asked.
static OFFERED: AtomicBool = AtomicBool::new(false);
/// Whether one of those has the lock, and has not given it back.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether a thread is inside a call, which the interpreter keeps a note of.
static INSIDE: AtomicBool = AtomicBool::new(false);
/// Whether nobody may yield: a fork is under way.
static PAUSED: AtomicBool = AtomicBool::new(false);
/// Whether a call came that was not asked for so: nobody asks any more.
static BROKEN: AtomicBool = AtomicBool::new(false);
/// How often in a row somebody stayed awake in vain.
static VAIN: AtomicU32 = AtomicU32::new(0);
/// When the last call ended, by [`clock::now`], and how long it took, in nanoseconds.
static ENDED: AtomicU64 = AtomicU64::new(0);
static TOOK: AtomicU64 = AtomicU64::new(0);
/// For how much longer than [`PROMPT`] none of those who asked had the lock meanwhile, nor another
/// thread that computes, in nanoseconds.
static IDLE: AtomicU64 = AtomicU64::new(0);
/// When those for whom a thread yielded last had done with the lock.
static OFFER_ENDED: AtomicU64 = AtomicU64::new(0);
/// Requests that are still to be passed on, see [`pass_on`].
static SEVERAL: AtomicU32 = AtomicU32::new(0);
/// The thread that was told last to give the lock up, and how often in a row.
static TOLD: AtomicUsize = AtomicUsize::new(0);
static TIMES: AtomicU32 = AtomicU32::new(0);
/// When the first thread of those that a request is passed on by was asked.
static PASSING: AtomicU64 = AtomicU64::new(0);
/// Whether there is but one processor, where who stays awake keeps the other from running.
static ONE_PROCESSOR: AtomicBool = AtomicBool::new(false);
/// The interval to put back, in microseconds, on 3.11.
static INTERVAL: AtomicU64 = AtomicU64::new(5000);

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static SERVED: AtomicU64 = AtomicU64::new(0);
static EXPIRED: AtomicU64 = AtomicU64::new(0);

/// Runs what may wait, without the interpreter lock, and has the lock back soon afterwards.
///
/// Every wait of this library goes through here.
pub(crate) fn detached<T: Send>(py: Python<'_>, wait: impl FnOnce() -> T + Send) -> T {
    let (result, request) = without_lock(py, wait);
    let (lock, _) = request.answered(py);
    // What it waited for need not be the network.
    count_wait(Waited { network: 0, lock });
    result
}

/// The same; tells as well how long it took since `began`, and whether another thread computed
/// meanwhile, so that to give the lock up is to have to wait for it.
pub(super) fn observed<T: Send>(
    py: Python<'_>,
    began: u64,
    wait: impl FnOnce() -> T + Send,
) -> (T, Waited, bool) {
    let (result, request) = without_lock(py, wait);
    let network = request.began.saturating_sub(began);
    let (lock, contended) = request.answered(py);
    (result, Waited { network, lock }, contended)
}

fn without_lock<T: Send>(py: Python<'_>, wait: impl FnOnce() -> T + Send) -> (T, Request) {
    let done = py.detach(|| {
        if TAKEN.load(Relaxed) {
            TAKEN.store(false, SeqCst);
        }
        let result = wait();
        count_coming(|count| count + 1);
        (result, Request::new())
    });
    count_coming(|count| count.saturating_sub(1));
    add(&RETURNS, 1);
    done
}

/// Whether a thread that computes can be asked, so that the lock comes back soon after a sleep.
pub(super) fn can_ask() -> bool {
    matches!(MEANS.get(), Some(Means::AnyThread | Means::MainThread))
}

/// Whether a thread that waited needs the lock to go on.
pub(super) fn is_awaited() -> bool {
    coming(COMING.load(Relaxed), process()) > 0
}

/// This process, as it stands in [`COMING`]: a fork has none of the threads of before.
fn process() -> u64 {
    u64::from(process_generation()) << 32
}

fn coming(state: u64, process: u64) -> u32 {
    if state >> 32 == process >> 32 {
        state as u32
    } else {
        0
    }
}

fn count_coming(change: impl Fn(u32) -> u32) {
    let process = process();
    let next = |state| Some(process | u64::from(change(coming(state, process))));
    COMING.fetch_update(Relaxed, Relaxed, next).ok();
}

/// One return to the interpreter.
struct Request {
    /// By [`clock::now`].
    began: u64,
    /// [`RETURNS`] of that moment.
    returns: u64,
    /// How the lock was asked for, if it was.
    means: Means,
}

impl Request {
    /// Asks for the lock, where that is likely to help.
    fn new() -> Self {
        let began = clock::now();
        let asks = CREDITS.load(Relaxed) > 0 && !PAUSED.load(Relaxed) && !BROKEN.load(Relaxed);
        let means = MEANS.get().copied().filter(|_| asks);
        let means = means.unwrap_or(Means::None);
        let asked = match means {
            Means::None => false,
            Means::Interval => {
                lower_interval();
                true
            }
            Means::AnyThread | Means::MainThread => ask(means),
        };
        Request {
            began,
            returns: RETURNS.load(Relaxed),
            means: if asked { means } else { Means::None },
        }
    }

    /// Learns, back in the interpreter, what it took.
    fn answered(self, py: Python<'_>) -> (u64, bool) {
        let now = clock::now();
        CAME.set(now);
        let waited = now.saturating_sub(self.began);
        let yielded = match self.means {
            Means::None => false,
            Means::Interval => {
                if STATE.fetch_sub(1, SeqCst) == 1 && pending::interval() == LOWERED {
                    pending::set_interval(Duration::from_micros(INTERVAL.load(SeqCst)));
                }
                // One that does not compute gives the lock up by itself before that.
                waited > clock::nanos(AWAKE)
            }
            Means::AnyThread | Means::MainThread => {
                let yielded = OFFERED.load(SeqCst);
                TAKEN.store(yielded, SeqCst);
                STATE.fetch_sub(1, SeqCst);
                yielded
            }
        };
        // Nobody tells where only the interval was lowered.
        let computes = yielded && (self.means == Means::Interval || COMPUTES.load(Relaxed));
        // Threads that wait in turn give the lock up soon, however many there are before this one.
        let returns = RETURNS.load(Relaxed).wrapping_sub(self.returns);
        let turns = returns.saturating_add(1);
        let contended = computes || waited > clock::nanos(CONTENDED).saturating_mul(turns);
        if contended {
            if MEANS.get().is_none() {
                prepare(py);
            }
            CREDITS.store(CREDIT, Relaxed);
        } else if yielded {
            CREDITS.store(CREDITS.load(Relaxed) / 2, Relaxed);
        } else if self.means != Means::None {
            CREDITS.store(CREDITS.load(Relaxed).saturating_sub(1), Relaxed);
        }
        (waited, contended)
    }
}

/// Asks whoever has the lock to yield, or joins those who did; false where neither can be had for
/// some time.
fn ask(means: Means) -> bool {
    if was_idle() {
        return false;
    }
    let began = Instant::now();
    while !joins(means) {
        let time = began.elapsed();
        if time > TURN {
            return false;
        } else if time > AWAKE {
            thread::sleep(PAUSE);
        } else {
            spin();
        }
    }
    if SEVERAL.load(Relaxed) > 0 {
        return true;
    }
    let vain = VAIN.load(Relaxed);
    let vain = if vain >= IN_VAIN && !vain.is_multiple_of(RETRY) {
        vain.wrapping_add(1).max(IN_VAIN)
    } else if stay_awake(AWAKE, || !OFFERED.load(SeqCst)) {
        0
    } else {
        vain.wrapping_add(1)
    };
    VAIN.store(vain, Relaxed);
    true
}

/// One try of that.
fn joins(means: Means) -> bool {
    let state = STATE.load(SeqCst);
    let is_open = state & QUEUED != 0 && state & CLOSED == 0;
    if !is_open && (state != 0 || !has_computed()) {
        return false;
    }
    let next = (state + 1) | QUEUED;
    if STATE.compare_exchange(state, next, SeqCst, SeqCst).is_err() {
        return false;
    }
    if !is_open {
        add(&REQUESTS, 1);
        if !pending::add(means, yield_lock, COOKIE) {
            add(&REFUSED, 1);
            STATE.fetch_and(!QUEUED, SeqCst);
        }
    }
    true
}

fn lower_interval() {
    STATE.fetch_add(1, SeqCst);
    let interval = pending::interval();
    if interval != LOWERED {
        INTERVAL.store(interval.as_micros() as u64, SeqCst);
        add(&REQUESTS, 1);
        pending::set_interval(LOWERED);
    }
}

/// Told to each call, and back by it: a function that is not what it is taken for shows here.
const COOKIE: usize = 0x6f78_6973;

/// The pending call: runs in the thread that has the lock, between two of its bytecodes.
extern "C" fn yield_lock(cookie: *mut c_void) -> c_int {
    let began = clock::now();
    BROKEN.fetch_or(cookie as usize != COOKIE, SeqCst);
    let ends = pending::is_outside_python();
    let may = !BROKEN.load(SeqCst) && !PAUSED.load(SeqCst) && !ends;
    if may && SEVERAL.load(Relaxed) > 0 {
        pass_on(began);
        return 0;
    }
    INSIDE.store(true, SeqCst);
    // Who asked may have the lock already, and be the one that makes the call.
    if may && !closes() && pending::without_lock(offer) {
        add(&SERVED, 1);
        let ended = clock::now();
        TOOK.store(ended.saturating_sub(began), Relaxed);
        ENDED.store(ended, Relaxed);
        let waited = ended.saturating_sub(OFFER_ENDED.load(Relaxed));
        if waited > SEVERAL_WAIT {
            IDLE.store(0, Relaxed);
            if pending::can_release_soon() {
                SEVERAL.store(SEVERAL_CREDIT, Relaxed);
            }
        }
    } else {
        if ends {
            // Nobody asks again before the interpreter has made what calls there are.
            TOOK.store(clock::nanos(TURN), Relaxed);
            ENDED.store(began, Relaxed);
        }
        add(&EXPIRED, 1);
    }
    INSIDE.store(false, SeqCst);
    // Only with the lock: while a thread may be stuck without it, at the interpreter's end, no
    // other call may wait in the queue, which the interpreter would wait for.
    STATE.fetch_and(COUNT, SeqCst);
    0
}

/// Leaves the lock to those who asked for it, and to those who join in time.
fn offer() {
    let computed = clock::now().saturating_sub(CAME.get());
    COMPUTES.store(computed > clock::nanos(CONTENDED), Relaxed);
    OFFERED.store(true, SeqCst);
    let (mut seen, mut idle) = (clock::now(), 0);
    let mut look = || {
        let now = clock::now();
        if !TAKEN.load(Relaxed) {
            idle += now.saturating_sub(seen);
        }
        seen = now;
    };
    let joining = || {
        look();
        !closes()
    };
    if !stay_awake(JOINING, joining) {
        STATE.fetch_or(CLOSED, SeqCst);
        let began = Instant::now();
        while STATE.load(SeqCst) & COUNT != 0 && began.elapsed() < YIELDING {
            thread::sleep(PAUSE);
            look();
        }
    }
    // A process may have been stopped meanwhile.
    let idle = idle.min(clock::nanos(YIELDING));
    IDLE.store(idle.saturating_sub(clock::nanos(PROMPT)), Relaxed);
    // Whoever falls asleep over a lock takes long to wake up.
    stay_awake(RETURN, || TAKEN.load(SeqCst));
    OFFERED.store(false, SeqCst);
    OFFER_ENDED.store(clock::now(), Relaxed);
}

/// Where several threads compute, one that has yielded inside of a call may have to wait for the
/// others, and until it returns nobody can be asked. So each of them gives the lock up after the
/// call instead, to the one that has waited longest, and the next that has it is asked in turn,
/// until nobody who asked is left.
fn pass_on(now: u64) {
    let ended = if closes() {
        &SERVED
    } else if !goes_on() {
        &EXPIRED
    } else if !pending::add(
        MEANS.get().copied().unwrap_or(Means::None),
        yield_lock,
        COOKIE,
    ) {
        &REFUSED
    } else {
        if PASSING.load(Relaxed) == 0 {
            PASSING.store(now.max(1), Relaxed);
        }
        return;
    };
    let began = PASSING.swap(0, Relaxed);
    TOLD.store(0, Relaxed);
    // Who asked had the lock already where nobody was told.
    add(if began == 0 { &EXPIRED } else { ended }, 1);
    if began != 0 {
        TOOK.store(now.saturating_sub(began).min(PASSED), Relaxed);
        ENDED.store(now, Relaxed);
        SEVERAL.store(SEVERAL.load(Relaxed).saturating_sub(1), Relaxed);
    }
    STATE.fetch_and(COUNT, SeqCst);
}

/// Has this thread give the lock up; false where that cannot be, as at the interpreter's end, which
/// makes calls until there are none, and gives nothing up.
fn goes_on() -> bool {
    pending::release_soon().is_some_and(|thread| {
        let is_same = TOLD.swap(thread, Relaxed) == thread;
        let times = if is_same { TIMES.load(Relaxed) + 1 } else { 1 };
        TIMES.store(times, Relaxed);
        times <= REPEATED
    })
}

/// Ends a call for which nobody waits any more.
fn closes() -> bool {
    STATE
        .compare_exchange(QUEUED, QUEUED | CLOSED, SeqCst, SeqCst)
        .is_ok()
}

/// Whether the thread that yielded last has computed since for as long as that took it.
fn has_computed() -> bool {
    since_ended() >= TOOK.load(Relaxed).min(clock::nanos(TURN))
}

/// Whether those for whom a thread yielded last took so long to come that nobody asks yet.
fn was_idle() -> bool {
    since_ended() < IDLE_SHARE * IDLE.load(Relaxed)
}

/// For how long no call has been made, in nanoseconds.
fn since_ended() -> u64 {
    clock::now().saturating_sub(ENDED.load(Relaxed))
}

/// Waits without sleeping while something is so; false where it still is after that time.
fn stay_awake(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while is_so() {
        if began.elapsed() > limit {
            return false;
        }
        spin();
    }
    true
}

fn spin() {
    if ONE_PROCESSOR.load(Relaxed) {
        thread::yield_now();
    } else {
        spin_loop();
    }
}

/// Finds out how to ask, and has forks leave nobody behind in a call. Once, when the first wait
/// has found the lock contended.
#[cold]
fn prepare(py: Python<'_>) {
    let means = choose(py).unwrap_or(Means::None);
    ONE_PROCESSOR.store(
        thread::available_parallelism().is_ok_and(|count| count.get() == 1),
        Relaxed,
    );
    // Without them nobody may yield.
    let watch = || pending::hold_until_added(py).and_then(|()| watch_forks(py));
    let watched = means == Means::None || watch().is_ok();
    if watched {
        pending::find_eval_breaker(py, means);
    }
    MEANS.set(if watched { means } else { Means::None }).ok();
}

/// How this interpreter can be asked, or why it is not.
fn choose(py: Python<'_>) -> Result<Means, &'static str> {
    let choice = std::env::var(VARIABLE).ok();
    match (choice.as_deref().map(str::trim), pending::resolve(py)) {
        (Some("0"), _) => Err("switched off by OXISOCK_YIELD=0"),
        // The program could see the interval, so that it has to agree.
        (choice, Means::Interval) if choice != Some("1") => {
            Err("CPython 3.11 has it with OXISOCK_YIELD=1 only")
        }
        (_, Means::None) => Err("this interpreter has no call for it"),
        (_, means) => Ok(means),
    }
}

/// Tell why no thread asks a computing one for the interpreter lock after a wait.
///
/// Returns:
///     A str with the reason, or ``None`` where threads do, once a wait has found the lock taken.
#[pyfunction]
pub(crate) fn yield_unavailable(py: Python<'_>) -> Option<&'static str> {
    choose(py).err()
}

fn watch_forks(py: Python<'_>) -> PyResult<()> {
    let hooks = PyDict::new(py);
    hooks.set_item("before", pyo3::wrap_pyfunction!(before_fork, py)?)?;
    hooks.set_item("after_in_parent", pyo3::wrap_pyfunction!(after_fork, py)?)?;
    hooks.set_item(
        "after_in_child",
        pyo3::wrap_pyfunction!(after_fork_child, py)?,
    )?;
    let os = py.import("os")?;
    os.call_method("register_at_fork", (), Some(&hooks))?;
    Ok(())
}

/// Waits until nobody is inside a call: the child would have the interpreter's note that a thread
/// makes calls, and not the thread.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    PAUSED.store(true, SeqCst);
    while INSIDE.load(SeqCst) {
        py.detach(|| thread::sleep(Duration::from_micros(50)));
    }
}

#[pyfunction]
fn after_fork() {
    PAUSED.store(false, SeqCst);
}

/// In the child nobody waits but the thread that is there.
#[pyfunction]
fn after_fork_child() {
    STATE.fetch_and(QUEUED, SeqCst);
    TAKEN.store(false, SeqCst);
    pending::forked();
    if MEANS.get() == Some(&Means::Interval) && pending::interval() == LOWERED {
        pending::set_interval(Duration::from_micros(INTERVAL.load(SeqCst)));
    }
    after_fork();
}

/// What was counted: calls asked for, refused by a full queue, in which a thread yielded, and in
/// which nobody was waiting any more.
pub(super) fn counters() -> [(&'static str, u64); 4] {
    [
        ("yield_requests", REQUESTS.load(Relaxed)),
        ("yields_refused", REFUSED.load(Relaxed)),
        ("yields", SERVED.load(Relaxed)),
        ("yields_expired", EXPIRED.load(Relaxed)),
    ]
}
