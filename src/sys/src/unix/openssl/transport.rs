//! The transport below a session: a `BIO` over a socket that is told, for each call, whether it
//! may block.
//!
//! OpenSSL's own reads and writes the descriptor as it is, so that on a blocking one half a
//! record would keep a thread in the kernel, with the interpreter lock in its hands. And it
//! hands an error of the system to whoever reads at the moment. This one keeps such an error,
//! and the end of the stream, for a call that may block: those are made by `_ssl`, which knows
//! how to report them.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_long, c_void};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::library::Library;
use super::{Bio, BioMethod, Session};
use crate::{BorrowedFd, RawFd, system};

const BIO_FLAGS_READ: c_int = 1;
const BIO_FLAGS_WRITE: c_int = 2;
const BIO_FLAGS_SHOULD_RETRY: c_int = 8;
const RETRY_FLAGS: c_int = BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY;
/// A source or sink that has a descriptor, for `SSL_get_fd`.
const BIO_TYPE_DESCRIPTOR: c_int = 0x0100;
const BIO_TYPE_SOURCE_SINK: c_int = 0x0400;
const BIO_CTRL_EOF: c_int = 2;
const BIO_CTRL_FLUSH: c_int = 11;
const BIO_C_GET_FD: c_int = 105;

/// What OpenSSL's own socket transport returns, which its callers tell apart.
const FAILED: c_int = -1;
const ENDED: c_int = 0;

/// What stands in for a system call that was made already, and whose result was not delivered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    None,
    End,
    Error(c_int),
}

/// What the functions below know; it belongs to the `BIO`.
struct State {
    library: &'static Library,
    fd: c_int,
    /// Whether the descriptor has been given up; set by whoever closes, at any time.
    closed: AtomicBool,
    may_block: Cell<bool>,
    /// Whether bytes have come or gone since that was asked last.
    progressed: Cell<bool>,
    ended: Cell<bool>,
    received: Cell<Outcome>,
    sent: Cell<Outcome>,
}

/// A session's transport. The session owns the `BIO`, and with it the state.
#[derive(Clone, Copy)]
pub struct Transport {
    state: NonNull<State>,
    bio: NonNull<Bio>,
}

// SAFETY: an address; the methods demand of their caller that nobody else is inside the session.
unsafe impl Send for Transport {}
// SAFETY: as above.
unsafe impl Sync for Transport {}

impl Transport {
    /// Puts a transport over `fd` in the place of the session's own; None where OpenSSL has no
    /// memory for it, and then the session is as before.
    ///
    /// # Safety
    /// Nobody else may be inside the session. The transport must not be used when the session
    /// is gone, and the descriptor must be closed only when nobody uses the session any more.
    pub unsafe fn replace(session: Session, fd: RawFd) -> Option<Self> {
        let library = session.library;
        let method = method(library)?;
        // SAFETY: the descriptor is open as long as the session is used.
        // A socket that refuses the option has failed, which the session finds out.
        let _ = system::set_no_sigpipe(unsafe { BorrowedFd::borrow_raw(fd) });
        let state = Box::new(State {
            library,
            fd,
            closed: AtomicBool::new(false),
            may_block: Cell::new(true),
            progressed: Cell::new(false),
            ended: Cell::new(false),
            received: Cell::new(Outcome::None),
            sent: Cell::new(Outcome::None),
        });
        // SAFETY: the method is complete. The BIO takes the state over, whose destroy function
        // gives it back; the session takes the BIO's one reference, for both directions.
        unsafe {
            let bio = (library.BIO_new)(method.as_ptr());
            let bio = NonNull::new(bio)?;
            let state = NonNull::new_unchecked(Box::into_raw(state));
            (library.BIO_set_data)(bio.as_ptr(), state.as_ptr().cast());
            (library.BIO_set_init)(bio.as_ptr(), 1);
            (library.SSL_set_bio)(session.ssl.as_ptr(), bio.as_ptr(), bio.as_ptr());
            Some(Transport { state, bio })
        }
    }

    /// Says whether the calls that follow may block, as far as the descriptor's mode lets them.
    ///
    /// # Safety
    /// The session is alive, and nobody else inside it.
    pub unsafe fn set_may_block(self, may_block: bool) {
        // SAFETY: the state and the BIO live as long as the session.
        unsafe {
            let state = self.state.as_ref();
            // A session that has failed makes no call of the transport any more. What the last
            // one said would be taken for the answer, and waited for without end.
            if may_block && !state.may_block.get() {
                (state.library.BIO_clear_flags)(self.bio.as_ptr(), RETRY_FLAGS);
            }
            state.may_block.set(may_block);
        }
    }

    /// Lets no further system call be made: whoever is in one, and is woken, ends with `EBADF`
    /// where OpenSSL would make the same again.
    ///
    /// # Safety
    /// The session is alive. Others may be inside it.
    pub unsafe fn close(self) {
        // SAFETY: the state lives as long as the session. Its cells are left alone.
        let closed = unsafe { &raw const (*self.state.as_ptr()).closed };
        // SAFETY: as above; what is shared with those inside is the atomic only.
        unsafe { &*closed }.store(true, Ordering::SeqCst);
    }

    /// Whether bytes have moved since this was asked last, be it a part of a record.
    ///
    /// # Safety
    /// As for `set_may_block`.
    pub unsafe fn take_progress(self) -> bool {
        // SAFETY: the state lives as long as the session.
        unsafe { self.state.as_ref() }.progressed.take()
    }

    /// Whether an error or the end of the stream waits for a call that may block.
    ///
    /// # Safety
    /// As for `set_may_block`.
    pub unsafe fn has_news(self) -> bool {
        // SAFETY: the state lives as long as the session.
        let state = unsafe { self.state.as_ref() };
        state.received.get() != Outcome::None || state.sent.get() != Outcome::None
    }
}

fn set_errno(errno: c_int) {
    // SAFETY: the C library's address of this thread's errno, always valid.
    unsafe { *system::errno_location() = errno }
}

/// The kind of BIO, made once.
fn method(library: &'static Library) -> Option<NonNull<BioMethod>> {
    struct Method(NonNull<BioMethod>);
    // SAFETY: complete before it is shared, and never written again.
    unsafe impl Send for Method {}
    // SAFETY: as above.
    unsafe impl Sync for Method {}
    static METHOD: OnceLock<Option<Method>> = OnceLock::new();
    let made = METHOD.get_or_init(|| {
        // SAFETY: the functions below have the types that OpenSSL calls them with, and the
        // name is static. The method is never freed.
        unsafe {
            let kind = (library.BIO_get_new_index)() | BIO_TYPE_DESCRIPTOR | BIO_TYPE_SOURCE_SINK;
            let method = NonNull::new((library.BIO_meth_new)(kind, c"oxisock transport".as_ptr()))?;
            let raw = method.as_ptr();
            let complete = (library.BIO_meth_set_read_ex)(raw, read) == 1
                && (library.BIO_meth_set_write_ex)(raw, write) == 1
                && (library.BIO_meth_set_ctrl)(raw, control) == 1
                && (library.BIO_meth_set_destroy)(raw, destroy) == 1;
            complete.then_some(Method(method))
        }
    });
    made.as_ref().map(|method| method.0)
}

/// The state of a BIO of ours.
///
/// # Safety
/// OpenSSL calls with a BIO that was made above, during the call.
unsafe fn state<'a>(bio: *mut Bio, library: &'static Library) -> Option<&'a State> {
    // SAFETY: the data is null, before it is set and after it was given back, or the state.
    unsafe { (library.BIO_get_data)(bio).cast::<State>().as_ref() }
}

/// The library that the functions are called by: there is one for the whole process.
static LIBRARY: OnceLock<&'static Library> = OnceLock::new();

impl Library {
    /// Keeps the library for ever and makes it the one that transports are called by.
    pub fn keep(self) -> &'static Library {
        LIBRARY.get_or_init(|| Box::leak(Box::new(self)))
    }
}

impl State {
    /// send(2): -1, and errno, where it fails.
    ///
    /// # Safety
    /// The data are readable for the length.
    unsafe fn send(&self, data: *const c_void, len: usize, flags: c_int) -> isize {
        // SAFETY: the descriptor is open as long as the session is used.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        match system::room(fd, flags) {
            // SAFETY: the caller's promise.
            Ok(room) => unsafe {
                libc::send(self.fd, data, len.min(room), flags | system::NO_SIGNAL)
            },
            Err(errno) => {
                set_errno(errno.number());
                -1
            }
        }
    }

    /// Runs one system call, or hands out the result of the one before.
    ///
    /// # Safety
    /// OpenSSL calls, with the BIO of this state.
    unsafe fn run(
        &self,
        bio: *mut Bio,
        kept: &Cell<Outcome>,
        direction: c_int,
        call: impl Fn(c_int) -> isize,
        done: &mut usize,
    ) -> c_int {
        let blocks = self.may_block.get();
        // SAFETY: the BIO is alive during the call.
        let retry = || unsafe {
            (self.library.BIO_set_flags)(bio, BIO_FLAGS_SHOULD_RETRY | direction);
        };
        // SAFETY: as above.
        unsafe { (self.library.BIO_clear_flags)(bio, RETRY_FLAGS) };
        let outcome = match kept.get() {
            _ if self.closed.load(Ordering::SeqCst) => Outcome::Error(libc::EBADF),
            Outcome::None => {
                let count = call(if blocks { 0 } else { libc::MSG_DONTWAIT });
                match usize::try_from(count) {
                    Ok(0) => Outcome::End,
                    Ok(count) => {
                        self.progressed.set(true);
                        *done = count;
                        return 1;
                    }
                    Err(_) => {
                        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
                        if matches!(errno, libc::EAGAIN | libc::EINTR | libc::EINPROGRESS) {
                            retry();
                            return FAILED;
                        }
                        Outcome::Error(errno)
                    }
                }
            }
            before => before,
        };
        if !blocks {
            // Not now: whoever reports it makes the same call again, and is told there.
            kept.set(outcome);
            retry();
            return FAILED;
        }
        kept.set(Outcome::None);
        match outcome {
            Outcome::Error(errno) => {
                set_errno(errno);
                FAILED
            }
            _ => {
                self.ended.set(true);
                ENDED
            }
        }
    }
}

unsafe extern "C" fn read(bio: *mut Bio, into: *mut c_char, len: usize, done: *mut usize) -> c_int {
    let Some(library) = LIBRARY.get() else {
        return 0;
    };
    // SAFETY: OpenSSL's promise: the BIO is alive, `into` writable for `len`, `done` writable.
    unsafe {
        *done = 0;
        let Some(state) = state(bio, library) else {
            return 0;
        };
        let call = |flags| libc::recv(state.fd, into.cast(), len, flags);
        state.run(bio, &state.received, BIO_FLAGS_READ, call, &mut *done)
    }
}

unsafe extern "C" fn write(
    bio: *mut Bio,
    data: *const c_char,
    len: usize,
    done: *mut usize,
) -> c_int {
    let Some(library) = LIBRARY.get() else {
        return 0;
    };
    // SAFETY: as in `read`, with `data` readable for `len`.
    unsafe {
        *done = 0;
        let Some(state) = state(bio, library) else {
            return 0;
        };
        let call = |flags| state.send(data.cast(), len, flags);
        state.run(bio, &state.sent, BIO_FLAGS_WRITE, call, &mut *done)
    }
}

unsafe extern "C" fn control(
    bio: *mut Bio,
    command: c_int,
    _: c_long,
    pointer: *mut c_void,
) -> c_long {
    let Some(library) = LIBRARY.get() else {
        return 0;
    };
    // SAFETY: OpenSSL's promise: the BIO is alive, and for this command the pointer is null or
    // an int's.
    unsafe {
        let Some(state) = state(bio, library) else {
            return 0;
        };
        match command {
            BIO_CTRL_FLUSH => 1,
            BIO_CTRL_EOF => c_long::from(state.ended.get()),
            BIO_C_GET_FD => {
                if let Some(number) = pointer.cast::<c_int>().as_mut() {
                    *number = state.fd;
                }
                c_long::from(state.fd)
            }
            _ => 0,
        }
    }
}

unsafe extern "C" fn destroy(bio: *mut Bio) -> c_int {
    let Some(library) = LIBRARY.get() else {
        return 0;
    };
    // SAFETY: the last call with this BIO; the state was made by a box, and nobody else has it.
    unsafe {
        let state = (library.BIO_get_data)(bio).cast::<State>();
        (library.BIO_set_data)(bio, ptr::null_mut());
        if !state.is_null() {
            drop(Box::from_raw(state));
        }
    }
    1
}
