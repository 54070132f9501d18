//! Lookups of numeric hosts and ports, answered without the C library, which opens files
//! and makes system calls even for these.

use std::ffi::CStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::{
    AF_INET, AF_INET6, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE, IPPROTO_DCCP, IPPROTO_SCTP,
    IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, SOCK_DCCP, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET,
    SOCK_STREAM,
};

use super::{Entry, Hints, Service};
use crate::address;
use crate::sys::SockAddr;

/// A socket type and the protocol that it goes with.
struct Transport {
    kind: i32,
    protocol: i32,
    /// Whether it comes in an answer for any type and protocol.
    usual: bool,
}

/// In the order of the C library's answers. Raw sockets take any protocol and no service.
const TRANSPORTS: [Transport; 7] = [
    Transport {
        kind: SOCK_STREAM,
        protocol: IPPROTO_TCP,
        usual: true,
    },
    Transport {
        kind: SOCK_DGRAM,
        protocol: IPPROTO_UDP,
        usual: true,
    },
    Transport {
        kind: SOCK_DCCP,
        protocol: IPPROTO_DCCP,
        usual: false,
    },
    Transport {
        kind: SOCK_DGRAM,
        protocol: IPPROTO_UDPLITE,
        usual: false,
    },
    Transport {
        kind: SOCK_STREAM,
        protocol: IPPROTO_SCTP,
        usual: false,
    },
    Transport {
        kind: SOCK_SEQPACKET,
        protocol: IPPROTO_SCTP,
        usual: false,
    },
    Transport {
        kind: SOCK_RAW,
        protocol: 0,
        usual: true,
    },
];

/// The answer for a host and a port that need no lookup; none where the C library must be
/// asked, which includes everything that is an error.
pub(super) fn addresses(
    host: Option<&CStr>,
    service: &Service,
    hints: Hints,
) -> Option<Vec<Entry>> {
    // The table above is glibc's.
    if !cfg!(all(linux, target_env = "gnu")) {
        return None;
    }
    if hints.flags & !(AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV) != 0 {
        return None;
    }
    let (port, has_service) = match service {
        Service::None => (0, false),
        Service::Port(port) => (*port, true),
        Service::Name(_) => return None,
    };
    let host = match host {
        Some(name) => address::numeric(name, hints.family)?,
        None if has_service => own_host(hints)?,
        None => return None,
    };
    let sockaddr = SockAddr::internet(host, port);
    let entry = |kind, protocol| Entry {
        family: if host.is_ipv4() { AF_INET } else { AF_INET6 },
        kind,
        protocol,
        canonical: None,
        address: sockaddr,
    };
    if hints.kind == 0 && hints.protocol == 0 {
        let usual = TRANSPORTS.iter().filter(|transport| transport.usual);
        return Some(
            usual
                .map(|found| entry(found.kind, found.protocol))
                .collect(),
        );
    }
    let found = TRANSPORTS.iter().find(|transport| {
        (hints.kind == 0 || hints.kind == transport.kind)
            && (hints.protocol == 0
                || hints.protocol == transport.protocol
                || transport.kind == SOCK_RAW)
    })?;
    if found.kind != SOCK_RAW {
        Some(vec![entry(found.kind, found.protocol)])
    } else if has_service {
        None
    } else {
        Some(vec![entry(SOCK_RAW, hints.protocol)])
    }
}

/// The host that stands for no host: any of this machine's for servers, loopback otherwise.
/// Of two families the C library finds out which comes first.
fn own_host(hints: Hints) -> Option<IpAddr> {
    let passive = hints.flags & AI_PASSIVE != 0;
    match hints.family {
        AF_INET if passive => Some(Ipv4Addr::UNSPECIFIED.into()),
        AF_INET => Some(Ipv4Addr::LOCALHOST.into()),
        AF_INET6 if passive => Some(Ipv6Addr::UNSPECIFIED.into()),
        AF_INET6 => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}
