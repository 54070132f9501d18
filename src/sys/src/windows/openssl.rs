//! OpenSSL, as far as the layers above ask for it: it cannot be had here, and what would take it
//! cannot be made. On Windows nobody has seen how the interpreter's `_ssl` leads to it.

use std::convert::Infallible;
use std::ffi::{CStr, c_ulong, c_void};
use std::fmt;
use std::ptr::NonNull;

use crate::moved::Moved;
use crate::{RawFd, Region};

/// An opaque `SSL`.
#[repr(C)]
pub struct Ssl {
    _opaque: [u8; 0],
}

/// Why the functions cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        form.write_str("OpenSSL is not looked for on Windows")
    }
}

/// The functions of OpenSSL. There is none of these, and so none of what follows.
pub struct Library(Infallible);

impl Library {
    /// # Errors
    /// Always.
    pub fn find(_path: &CStr) -> Result<Self, Unavailable> {
        Err(Unavailable)
    }

    pub fn keep(self) -> &'static Library {
        match self.0 {}
    }

    pub fn version(&self) -> c_ulong {
        match self.0 {}
    }
}

/// A session that somebody else owns.
#[derive(Clone, Copy)]
pub struct Session(Infallible);

/// Methods that nobody can call, as there is no value.
macro_rules! never {
    ($($(#[$attribute:meta])* fn $name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        $(
            /// # Safety
            /// There is no value to call it on.
            #[allow(clippy::missing_safety_doc, unused_variables)]
            pub unsafe fn $name(self $(, $argument: $kind)*) $(-> $result)? {
                match self.0 {}
            }
        )*
    };
}

impl Session {
    /// # Safety
    /// None: there is no library.
    pub const unsafe fn new(library: &'static Library, _ssl: NonNull<Ssl>) -> Self {
        match library.0 {}
    }

    never! {
        fn owner() -> *mut c_void;
        fn descriptor() -> RawFd;
        fn may_use_kernel_tls() -> bool;
        fn is_established() -> bool;
        fn pending() -> usize;
        fn answers() -> bool;
        fn read(into: Region<'_>) -> Moved;
        fn write(data: Region<'_>) -> Moved;
    }
}

/// A session's transport.
#[derive(Clone, Copy)]
pub struct Transport(Infallible);

impl Transport {
    /// # Safety
    /// None: there is no session.
    pub unsafe fn replace(session: Session, _fd: RawFd) -> Option<Self> {
        match session.0 {}
    }

    never! {
        fn set_may_block(may_block: bool);
        fn close();
        fn take_progress() -> bool;
        fn has_news() -> bool;
    }
}
