//! Flags and errors of getaddrinfo(3) and getnameinfo(3).

use super::{Table, table};

pub(super) const TABLES: &[Table] = &[
    table! {
        AI_ADDRCONFIG, AI_CANONNAME, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE, EAI_AGAIN,
        EAI_BADFLAGS, EAI_FAIL, EAI_FAMILY, EAI_MEMORY, EAI_NONAME, EAI_OVERFLOW,
        EAI_SERVICE, EAI_SOCKTYPE, EAI_SYSTEM, NI_DGRAM, NI_MAXHOST, NI_NAMEREQD, NI_NOFQDN,
        NI_NUMERICHOST, NI_NUMERICSERV,
        NI_MAXSERV = 32,
    },
    #[cfg(linux)]
    table! {
        AI_ALL, AI_V4MAPPED, EAI_NODATA,
    },
    // The GNU C library alone.
    #[cfg(all(linux, target_env = "gnu"))]
    table! {
        AI_CANONIDN = 128, AI_IDN = 64, AI_IDN_ALLOW_UNASSIGNED = 0x100,
        AI_IDN_USE_STD3_ASCII_RULES = 0x200, EAI_ADDRFAMILY = -9, EAI_ALLDONE = -103,
        EAI_CANCELED = -101, EAI_IDN_ENCODE = -105, EAI_INPROGRESS = -100, EAI_INTR = -104,
        EAI_NOTCANCELED = -102, NI_IDN, NI_IDN_ALLOW_UNASSIGNED = 64,
        NI_IDN_USE_STD3_ASCII_RULES = 128,
    },
];
