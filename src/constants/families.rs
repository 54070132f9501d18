//! Address families `AF_*` and protocol families `PF_*` (socket(2), address_families(7)).

use super::{Table, table};

pub(super) const TABLES: &[Table] = &[
    table! {
        AF_APPLETALK, AF_DECnet, AF_INET, AF_INET6, AF_IPX, AF_ISDN, AF_ROUTE,
        AF_SNA, AF_UNIX, AF_UNSPEC, PF_APPLETALK, PF_DECnet, PF_INET, PF_INET6, PF_IPX,
        PF_ISDN, PF_KEY, PF_LOCAL, PF_ROUTE, PF_SNA, PF_UNIX, PF_UNSPEC,
    },
    #[cfg(linux)]
    table! {
        AF_ALG, AF_ASH, AF_ATMPVC, AF_ATMSVC, AF_AX25, AF_BLUETOOTH, AF_BRIDGE, AF_CAIF,
        AF_CAN, AF_ECONET, AF_IB, AF_IEEE802154, AF_IRDA, AF_IUCV, AF_KEY, AF_LLC, AF_MPLS,
        AF_NETBEUI, AF_NETLINK, AF_NETROM, AF_NFC, AF_PACKET, AF_PHONET, AF_PPPOX, AF_RDS,
        AF_ROSE, AF_RXRPC, AF_SECURITY, AF_TIPC, AF_VSOCK, AF_WANPIPE, AF_X25, AF_XDP,
        PF_ALG, PF_ASH, PF_ATMPVC, PF_ATMSVC, PF_AX25, PF_BLUETOOTH, PF_BRIDGE, PF_CAIF,
        PF_CAN, PF_ECONET, PF_IB, PF_IEEE802154, PF_IRDA, PF_IUCV, PF_LLC, PF_MPLS,
        PF_NETBEUI, PF_NETLINK, PF_NETROM, PF_NFC, PF_PACKET, PF_PHONET, PF_PPPOX, PF_RDS,
        PF_ROSE, PF_RXRPC, PF_SECURITY, PF_TIPC, PF_VSOCK, PF_WANPIPE, PF_X25, PF_XDP,
    },
    // libc has no name for these.
    #[cfg(linux)]
    table! {
        // bits/socket.h
        AF_KCM = 41, AF_MCTP = 45, AF_QIPCRTR = 42, AF_SMC = 43, PF_KCM = 41, PF_MCTP = 45,
        PF_QIPCRTR = 42, PF_SMC = 43,
    },
];
