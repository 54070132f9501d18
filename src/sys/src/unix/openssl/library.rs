//! The functions of the loaded OpenSSL, found by name.

use std::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use std::fmt;

use super::{Bio, BioMethod, Ssl};

/// Why the functions cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unavailable {
    /// No such library is loaded.
    NotLoaded,
    /// It does not lead to this function: OpenSSL is linked into it without symbols.
    Missing(&'static str),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::NotLoaded => {
                form.write_str("_ssl cannot be found among the loaded libraries")
            }
            Unavailable::Missing(function) => write!(
                form,
                "_ssl does not lead to OpenSSL's {function}; is it linked statically?"
            ),
        }
    }
}

macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, under their own names. All are part of OpenSSL's public interface
        /// since 1.1.1; see their man pages.
        #[expect(non_snake_case, reason = "the library's names")]
        pub struct Library {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Library {
            /// Finds the functions through the shared object of that path, which must be
            /// loaded already, and what it is linked with.
            ///
            /// # Errors
            /// It is not loaded, or lacks one of the functions.
            pub fn find(path: &CStr) -> Result<Self, Unavailable> {
                // SAFETY: the path is terminated. RTLD_NOLOAD loads nothing: no code of a
                // library runs. The handle is kept for ever, as are the functions.
                let handle = unsafe {
                    libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD)
                };
                if handle.is_null() {
                    return Err(Unavailable::NotLoaded);
                }
                Ok(Library {
                    $($name: {
                        let name = concat!(stringify!($name), "\0");
                        // SAFETY: the handle is open and the name terminated.
                        let found = unsafe { libc::dlsym(handle, name.as_ptr().cast()) };
                        if found.is_null() {
                            return Err(Unavailable::Missing(stringify!($name)));
                        }
                        // SAFETY: OpenSSL declares the function with these types, and an
                        // Option of a function pointer has the layout of a pointer.
                        unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(found)
                        }
                    },)*
                })
            }
        }
    };
}

/// `BIO_meth_set_read_ex` and `BIO_meth_set_write_ex` take these.
pub(super) type ReadCall = unsafe extern "C" fn(*mut Bio, *mut c_char, usize, *mut usize) -> c_int;
pub(super) type WriteCall =
    unsafe extern "C" fn(*mut Bio, *const c_char, usize, *mut usize) -> c_int;
pub(super) type ControlCall = unsafe extern "C" fn(*mut Bio, c_int, c_long, *mut c_void) -> c_long;
pub(super) type DestroyCall = unsafe extern "C" fn(*mut Bio) -> c_int;

functions! {
    OpenSSL_version_num: fn() -> c_ulong;
    SSL_read_ex: fn(*mut Ssl, *mut c_void, usize, *mut usize) -> c_int;
    SSL_write_ex: fn(*mut Ssl, *const c_void, usize, *mut usize) -> c_int;
    SSL_get_error: fn(*const Ssl, c_int) -> c_int;
    SSL_get_ex_data: fn(*const Ssl, c_int) -> *mut c_void;
    SSL_get_fd: fn(*const Ssl) -> c_int;
    SSL_get_options: fn(*const Ssl) -> u64;
    SSL_get_shutdown: fn(*const Ssl) -> c_int;
    SSL_pending: fn(*const Ssl) -> c_int;
    SSL_is_init_finished: fn(*const Ssl) -> c_int;
    SSL_set_bio: fn(*mut Ssl, *mut Bio, *mut Bio);
    ERR_clear_error: fn();
    ERR_peek_error: fn() -> c_ulong;
    BIO_get_new_index: fn() -> c_int;
    BIO_meth_new: fn(c_int, *const c_char) -> *mut BioMethod;
    BIO_meth_set_read_ex: fn(*mut BioMethod, ReadCall) -> c_int;
    BIO_meth_set_write_ex: fn(*mut BioMethod, WriteCall) -> c_int;
    BIO_meth_set_ctrl: fn(*mut BioMethod, ControlCall) -> c_int;
    BIO_meth_set_destroy: fn(*mut BioMethod, DestroyCall) -> c_int;
    BIO_new: fn(*const BioMethod) -> *mut Bio;
    BIO_set_data: fn(*mut Bio, *mut c_void);
    BIO_get_data: fn(*mut Bio) -> *mut c_void;
    BIO_set_init: fn(*mut Bio, c_int);
    BIO_set_flags: fn(*mut Bio, c_int);
    BIO_clear_flags: fn(*mut Bio, c_int);
}

impl Library {
    /// The version as a number, `OPENSSL_VERSION_NUMBER`.
    pub fn version(&self) -> c_ulong {
        // SAFETY: takes nothing and cannot fail.
        unsafe { (self.OpenSSL_version_num)() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "loads libraries")]
    fn what_is_not_loaded_is_not_loaded() {
        let found = Library::find(c"/nonexistent/_ssl.so");
        assert!(matches!(found, Err(Unavailable::NotLoaded)));
    }

    // The tests for musl are linked statically, and can load nothing.
    #[cfg(target_env = "gnu")]
    #[test]
    #[cfg_attr(miri, ignore = "loads libraries")]
    fn a_library_without_openssl_lacks_its_functions() {
        let found = Library::find(c"libc.so.6");
        assert!(matches!(
            found,
            Err(Unavailable::Missing("OpenSSL_version_num"))
        ));
    }
}
