//! Waking a thread that sleeps in WSAPoll or select. There are no signals that would end such a
//! call, so that every wait is one for a socket of the thread's own as well: who wakes it sends
//! there.
//!
//! Ctrl-C ends waits in the same way. Without a console nobody presses it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Threading::GetCurrentThreadId;
use windows_sys::core::BOOL;

use super::{AsRawFd, RawFd};

/// A thread that can be woken as long as it lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thread(u32);

impl Thread {
    #[inline]
    pub fn current() -> Self {
        // SAFETY: takes nothing and cannot fail.
        Thread(unsafe { GetCurrentThreadId() })
    }

    /// A number that no other living thread of the process has, and never zero.
    #[inline]
    pub fn number(self) -> usize {
        self.0 as usize
    }

    /// Ends the wait that the thread is in as an interrupted one, or the next one that it begins.
    /// A thread without a socket of its own is not waiting, or wakes by itself soon. Whether the
    /// thread will come: always.
    pub fn wake(self, _attempt: u32) -> bool {
        if let Some(waker) = wakers().get(&self.0) {
            waker.wake();
        }
        true
    }
}

/// The socket of a thread: connected with itself, so that nobody else can send there.
struct Waker(UdpSocket);

impl Waker {
    fn new() -> std::io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(Waker(socket))
    }

    fn wake(&self) {
        // Where there is no room, the thread is being woken already.
        let _ = self.0.send(&[0]);
    }

    fn clear(&self) {
        while self.0.recv(&mut [0]).is_ok() {}
    }
}

/// The sockets of all threads that have waited.
fn wakers() -> MutexGuard<'static, BTreeMap<u32, Arc<Waker>>> {
    static WAKERS: Mutex<BTreeMap<u32, Arc<Waker>>> = Mutex::new(BTreeMap::new());
    WAKERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The socket of this thread, made when it first waits; none where it cannot be had.
struct Own(OnceCell<Option<Arc<Waker>>>);

impl Drop for Own {
    fn drop(&mut self) {
        // The next thread may have the same number.
        wakers().remove(&Thread::current().0);
    }
}

thread_local! {
    static OWN: Own = const { Own(OnceCell::new()) };
}

fn with_own<T>(ask: impl FnOnce(&Waker) -> T) -> Option<T> {
    let found = OWN.try_with(|own| {
        let waker = own.0.get_or_init(|| {
            watch_console();
            let waker = Arc::new(Waker::new().ok()?);
            wakers().insert(Thread::current().0, Arc::clone(&waker));
            Some(waker)
        });
        waker.as_deref().map(ask)
    });
    // While a thread's locals are dropped there is none.
    found.ok().flatten()
}

/// How long a thread without a socket of its own waits at a time: nobody can wake it.
pub(super) const GLANCE: Duration = Duration::from_millis(100);

/// What this thread is to wait for beside all else.
pub(super) fn own() -> Option<RawFd> {
    with_own(|waker| waker.0.as_raw_fd())
}

/// Notes that this thread has been woken.
pub(super) fn clear() {
    with_own(Waker::clear);
}

/// Has Ctrl-C end the waits of all threads.
fn watch_console() {
    static WATCHED: Once = Once::new();
    // SAFETY: the function has the type that is asked for, and is there as long as the process:
    // the library is never unloaded. A process without a console may refuse.
    WATCHED.call_once(|| unsafe {
        SetConsoleCtrlHandler(Some(pressed), 1);
    });
}

/// Called in a thread of its own, and before those of the interpreter's C library, which note the
/// signal. So the waits are ended a little later; and again, as nothing tells when that is done.
unsafe extern "system" fn pressed(_: u32) -> BOOL {
    let wake = || {
        for pause in [10, 100, 1000] {
            std::thread::sleep(Duration::from_millis(pause));
            wakers().values().for_each(|waker| waker.wake());
        }
    };
    // Without a thread the next wait that ends runs the handlers.
    let _ = std::thread::Builder::new().spawn(wake);
    0
}

/// How often this process is a fork of a fork: there are none.
pub const fn process_generation() -> u32 {
    0
}

/// How many forks there were: none.
pub const fn fork_count() -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;
    use crate::descriptor::{PAIR, open_pair};
    use crate::io::{Interest, PollSet, Wake, poll};
    use crate::readiness::{SelectSet, select};
    use crate::system::borrow;
    use crate::{Errno, Result, Timeout};

    /// What a wait says that is ended by `end`, which gets the waiting thread.
    fn ended<T: Send + 'static>(
        wait: impl FnOnce() -> Result<T> + Send + 'static,
        end: impl FnOnce(Thread),
    ) -> Result<T> {
        let (tell, told) = channel();
        let waiting = std::thread::spawn(move || {
            tell.send(Thread::current()).expect("somebody listens");
            wait()
        });
        let thread = told.recv().expect("a thread");
        // So that it is asleep, in most cases; else it is woken when it begins to wait.
        while !wakers().contains_key(&thread.0) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(20));
        let began = Instant::now();
        end(thread);
        let result = waiting.join().expect("no panic");
        assert!(began.elapsed() < Duration::from_secs(10));
        result
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_wait_ends_as_an_interrupted_one() {
        let (one, _two) = open_pair(PAIR, false).expect("a pair");
        let wait = move || poll(borrow(&one), Interest::Read, Timeout::after(LONG));
        let result = ended(wait, |thread| assert!(thread.wake(0)));
        assert_eq!(result, Err(Errno::INTR));
    }

    #[test]
    fn waits_for_nothing_and_for_sets_end_as_well() {
        let wait = || PollSet::new(Interest::Read).wait(Timeout::NONE);
        let result = ended(wait, |thread| assert!(thread.wake(0)));
        assert_eq!(result, Err(Errno::INTR));
        let (one, _two) = open_pair(PAIR, false).expect("a pair");
        let wait = move || {
            let mut read = SelectSet::new();
            assert!(read.insert(one.as_raw_fd()));
            let sets = [read, SelectSet::new(), SelectSet::new()];
            select(&sets, 0, Timeout::after(LONG)).map(|found| found.is_some())
        };
        let result = ended(wait, |thread| assert!(thread.wake(0)));
        assert_eq!(result, Err(Errno::INTR));
    }

    #[test]
    fn control_c_ends_waits() {
        let (one, _two) = open_pair(PAIR, false).expect("a pair");
        let wait = move || poll(borrow(&one), Interest::Read, Timeout::after(LONG));
        // SAFETY: the function asks nothing of its caller.
        let result = ended(wait, |_| assert_eq!(unsafe { pressed(0) }, 0));
        assert_eq!(result, Err(Errno::INTR));
    }

    #[test]
    fn a_wake_is_used_up_and_a_thread_s_socket_goes_with_it() {
        let (one, _two) = open_pair(PAIR, false).expect("a pair");
        let thread = std::thread::spawn(move || {
            let wait = |time| poll(borrow(&one), Interest::Read, Timeout::after(time));
            let soon = Duration::from_millis(1);
            assert_eq!(wait(soon), Ok(Wake::Expired));
            let me = Thread::current();
            me.wake(0);
            me.wake(1);
            assert_eq!(wait(LONG), Err(Errno::INTR));
            assert_eq!(wait(soon), Ok(Wake::Expired));
            me.0
        });
        let number = thread.join().expect("no panic");
        assert!(!wakers().contains_key(&number) || number == Thread::current().0);
    }
}
