//! The one place where Rust meets Python: arguments, buffers, bytes objects, methods, audit
//! events and exceptions, and all that is unsafe about the interpreter's C API.

pub(crate) mod args;
pub(crate) mod attributes;
pub(crate) mod audit;
pub(crate) mod buffer;
#[cfg(messages)]
pub(crate) mod buffers;
pub(crate) mod bytes;
pub(crate) mod callable;
pub(crate) mod context;
pub(crate) mod error;
pub(crate) mod frame;
pub(crate) mod late;
pub(crate) mod make;
pub(crate) mod method;
#[cfg(not(Py_GIL_DISABLED))]
pub(crate) mod pending;
pub(crate) mod plain;
#[cfg(all(Py_3_12, not(Py_3_15), not(Py_GIL_DISABLED)))]
mod slots;
pub(crate) mod text;
pub(crate) mod thread;
pub(crate) mod version;
