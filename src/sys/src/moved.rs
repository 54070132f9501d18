//! What reading from a TLS session, or writing to it, came to.

/// What an attempt to move data through a session came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    /// So many bytes of payload.
    Bytes(usize),
    /// The transport has to become readable first.
    WantRead,
    /// The transport has to become writable first.
    WantWrite,
    /// Anything else: the end of the session, or an error, which stays in OpenSSL's queue and
    /// in the session, for `_ssl` to report when it tries the same.
    Failed,
}
