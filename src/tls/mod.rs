//! TLS on the engine: reading and writing of an established session of the interpreter's `ssl`,
//! by the very OpenSSL that its `_ssl` uses. Everything else about TLS is left to `ssl`.

mod lock;
mod proof;
mod session;

pub(crate) use proof::tls_unavailable;
pub(crate) use session::{TlsSession, tls_session};
