//! Socket types `SOCK_*`, message flags `MSG_*`, `SHUT_*` and the kinds of ancillary data
//! every protocol shares (socket(2), send(2), recv(2), shutdown(2), unix(7)).

use super::{Table, table};

pub(super) const TABLES: &[Table] = &[
    table! {
        MSG_CTRUNC, MSG_DONTROUTE, MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL, MSG_OOB, MSG_PEEK,
        MSG_TRUNC, MSG_WAITALL, SCM_RIGHTS, SHUT_RD, SHUT_RDWR, SHUT_WR, SOCK_DGRAM,
        SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_STREAM, SOMAXCONN,
    },
    #[cfg(linux)]
    table! {
        MSG_CMSG_CLOEXEC, MSG_CONFIRM, MSG_ERRQUEUE, MSG_FASTOPEN, MSG_FIN, MSG_MORE,
        MSG_RST, MSG_SYN, MSG_WAITFORONE, MSG_ZEROCOPY, SCM_CREDENTIALS, SOCK_CLOEXEC,
        SOCK_DCCP, SOCK_NONBLOCK,
    },
    // libc has no name for these.
    #[cfg(linux)]
    table! {
        // bits/socket.h
        MSG_BATCH = 0x40000, MSG_PROXY = 16, MSG_TRYHARD = 4,
        // linux/socket.h of the kernel proper
        MSG_PROBE = 16, MSG_SOCK_DEVMEM = 0x2000000, SCM_PIDFD = 4, SCM_SECURITY = 3,
        // linux/net.h; libc warns against using it
        SOCK_PACKET = 10,
    },
];
