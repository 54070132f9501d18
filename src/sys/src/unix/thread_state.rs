//! What another thread of this process does just now, as Linux tells it.

use std::fs::File;
use std::io::{self, Read};

/// What a thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It runs, or would if there were a processor for it.
    Running,
    /// It waits for a lock of this process, in futex(2).
    Lock,
    /// It sleeps in another system call.
    Call,
}

/// The number of the calling thread, gettid(2).
pub fn current() -> i32 {
    // SAFETY: it returns a number and has no condition.
    unsafe { libc::gettid() }
}

/// Asks `/proc/self/task/THREAD/syscall`, proc(5).
///
/// # Errors
/// There is no such thread any more, or the system does not tell.
pub fn state(thread: i32) -> io::Result<State> {
    let mut text = [0; 24];
    let count = File::open(format!("/proc/self/task/{thread}/syscall"))?.read(&mut text)?;
    let end = text[..count].iter().position(u8::is_ascii_whitespace);
    let word = std::str::from_utf8(&text[..end.unwrap_or(count)]).unwrap_or_default();
    Ok(match word.parse::<libc::c_long>() {
        Ok(libc::SYS_futex) => State::Lock,
        Ok(0..) => State::Call,
        // "running", or -1 for what waits outside of a system call, such as for a page.
        _ => State::Running,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};
    use std::thread;
    use std::time::Duration;

    use super::{State, current, state};

    fn becomes(thread: i32, wanted: State) -> bool {
        (0..500).any(|_| {
            thread::sleep(Duration::from_millis(10));
            state(thread).is_ok_and(|state| state == wanted)
        })
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads /proc")]
    fn a_lock_and_another_call_are_told_apart() {
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock().unwrap();
        let (told, number) = channel();
        let theirs = lock.clone();
        let waiting = thread::spawn(move || {
            told.send(current()).unwrap();
            drop(theirs.lock());
        });
        assert!(becomes(number.recv().unwrap(), State::Lock));
        drop(held);
        waiting.join().unwrap();

        let (told, number) = channel();
        let sleeping = thread::spawn(move || {
            told.send(current()).unwrap();
            thread::sleep(Duration::from_millis(500));
        });
        assert!(becomes(number.recv().unwrap(), State::Call));
        sleeping.join().unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads /proc")]
    fn one_that_computes_runs_and_one_that_is_not_there_is_an_error() {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, number) = channel();
        let theirs = stop.clone();
        let computing = thread::spawn(move || {
            told.send(current()).unwrap();
            while !theirs.load(Relaxed) {
                std::hint::spin_loop();
            }
        });
        assert!(becomes(number.recv().unwrap(), State::Running));
        stop.store(true, Relaxed);
        computing.join().unwrap();
        assert!(state(i32::MAX).is_err());
    }
}
