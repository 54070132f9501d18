//! The OpenSSL that the process has loaded already: the functions that reading and writing of
//! an established session take, and a transport that never blocks unless it is told to.
//!
//! Nothing is linked here. The functions are found through the library that uses that OpenSSL
//! (the interpreter's `_ssl`), so that there is never a second one in play.

mod library;
mod transport;

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

pub use library::{Library, Unavailable};
pub use transport::Transport;

use crate::moved::Moved;
use crate::{RawFd, Region};

/// An opaque `SSL`.
#[repr(C)]
pub struct Ssl {
    _opaque: [u8; 0],
}

/// An opaque `BIO`.
#[repr(C)]
pub struct Bio {
    _opaque: [u8; 0],
}

/// An opaque `BIO_METHOD`.
#[repr(C)]
pub struct BioMethod {
    _opaque: [u8; 0],
}

const SSL_ERROR_WANT_READ: c_int = 2;
const SSL_ERROR_WANT_WRITE: c_int = 3;
const SSL_RECEIVED_SHUTDOWN: c_int = 2;
/// Kernel TLS takes the records away from the transport.
const SSL_OP_ENABLE_KTLS: u64 = 1 << 3;

/// A session that somebody else owns and keeps alive.
#[derive(Clone, Copy)]
pub struct Session {
    library: &'static Library,
    ssl: NonNull<Ssl>,
}

// SAFETY: an address; every method that touches the session demands of its caller that nobody
// else is inside it.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

impl Session {
    /// # Safety
    /// `ssl` is a live `SSL` of that library, and stays alive as long as this is used.
    pub const unsafe fn new(library: &'static Library, ssl: NonNull<Ssl>) -> Self {
        Session { library, ssl }
    }

    /// The application's pointer in the session, which `_ssl` sets to its own object.
    ///
    /// # Safety
    /// Nobody else may be inside the session.
    pub unsafe fn owner(self) -> *mut c_void {
        // SAFETY: the session is alive; index 0 is the application's own.
        unsafe { (self.library.SSL_get_ex_data)(self.ssl.as_ptr(), 0) }
    }

    /// The descriptor below the session, -1 where it works on memory.
    ///
    /// # Safety
    /// Nobody else may be inside the session.
    pub unsafe fn descriptor(self) -> RawFd {
        // SAFETY: the session is alive.
        unsafe { (self.library.SSL_get_fd)(self.ssl.as_ptr()) }
    }

    /// Whether records may be handed to the kernel, so that no transport of ours sees them.
    ///
    /// # Safety
    /// Nobody else may be inside the session.
    pub unsafe fn may_use_kernel_tls(self) -> bool {
        // SAFETY: the session is alive.
        let options = unsafe { (self.library.SSL_get_options)(self.ssl.as_ptr()) };
        options & SSL_OP_ENABLE_KTLS != 0
    }

    /// Whether the handshake is over, and nothing has broken the session since.
    ///
    /// # Safety
    /// Nobody else may be inside the session.
    pub unsafe fn is_established(self) -> bool {
        // SAFETY: the session is alive.
        unsafe { (self.library.SSL_is_init_finished)(self.ssl.as_ptr()) == 1 }
    }

    /// How many bytes of payload a read would get without the transport.
    ///
    /// # Safety
    /// Nobody else may be inside the session.
    pub unsafe fn pending(self) -> usize {
        // SAFETY: the session is alive.
        let count = unsafe { (self.library.SSL_pending)(self.ssl.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// Whether a read has its result without the transport: payload, the end of the session, or
    /// an error.
    ///
    /// # Safety
    /// Nobody else may be inside the session.
    pub unsafe fn answers(self) -> bool {
        // SAFETY: the session is alive.
        let shutdown = unsafe { (self.library.SSL_get_shutdown)(self.ssl.as_ptr()) };
        // SAFETY: the caller's promise.
        unsafe {
            shutdown & SSL_RECEIVED_SHUTDOWN != 0 || self.pending() > 0 || !self.is_established()
        }
    }

    /// Reads what the session has, or what one or more records bring.
    ///
    /// # Safety
    /// Nobody else may be inside the session, and the region must be writable.
    pub unsafe fn read(self, into: Region<'_>) -> Moved {
        let mut count = 0;
        // SAFETY: the session is alive and the region valid for its length.
        unsafe {
            self.forget_errors();
            let done = (self.library.SSL_read_ex)(
                self.ssl.as_ptr(),
                into.as_ptr().cast(),
                into.len(),
                &mut count,
            );
            self.outcome(done, count)
        }
    }

    /// Writes all of the data, in as many records as it takes.
    ///
    /// # Safety
    /// Nobody else may be inside the session, and the region must be readable.
    pub unsafe fn write(self, data: Region<'_>) -> Moved {
        let mut count = 0;
        // SAFETY: as in `read`.
        unsafe {
            self.forget_errors();
            let done = (self.library.SSL_write_ex)(
                self.ssl.as_ptr(),
                data.as_ptr().cast(),
                data.len(),
                &mut count,
            );
            self.outcome(done, count)
        }
    }

    /// Clears the thread's queue of errors: one that an earlier call left there would be taken for
    /// one of the next call. It is nearly always empty, and asking is cheaper than clearing.
    #[inline]
    fn forget_errors(self) {
        // SAFETY: both take nothing and work on the queue of this thread.
        unsafe {
            if (self.library.ERR_peek_error)() != 0 {
                (self.library.ERR_clear_error)();
            }
        }
    }

    /// # Safety
    /// Nobody else may be inside the session, on which the last call was made by this thread.
    unsafe fn outcome(self, done: c_int, count: usize) -> Moved {
        if done == 1 {
            return Moved::Bytes(count);
        }
        // SAFETY: the session is alive.
        match unsafe { (self.library.SSL_get_error)(self.ssl.as_ptr(), done) } {
            SSL_ERROR_WANT_READ => Moved::WantRead,
            SSL_ERROR_WANT_WRITE => Moved::WantWrite,
            _ => Moved::Failed,
        }
    }
}
