//! TLS on the engine: reading and writing of an established session of the interpreter's `ssl`,
//! by the very OpenSSL that its `_ssl` uses. Everything else about TLS is left to `ssl`.

mod lock;
mod members;
mod owner;
mod proof;
mod session;
mod wanted;

pub(crate) use proof::tls_unavailable;
pub(crate) use session::{TlsSession, tls_session};
