//! Memberships in multicast groups, in the form that is the same for both families: RFC 3678,
//! ip(7), ipv6(7).

use std::mem::MaybeUninit;
use std::net::IpAddr;

use libc::{c_int, sockaddr_storage};

use crate::{BorrowedFd, Region, Result, SockAddr, option};

#[cfg(linux)]
const JOIN: [c_int; 2] = [libc::MCAST_JOIN_GROUP, libc::MCAST_JOIN_SOURCE_GROUP];
#[cfg(linux)]
const LEAVE: [c_int; 2] = [libc::MCAST_LEAVE_GROUP, libc::MCAST_LEAVE_SOURCE_GROUP];
/// The numbers of `<netinet/in.h>` there, which the libc crate lacks in part.
#[cfg(bsd)]
const JOIN: [c_int; 2] = [80, 82];
#[cfg(bsd)]
const LEAVE: [c_int; 2] = [81, 83];

/// `struct group_source_req`; without its last member it is `struct group_req`.
#[repr(C)]
struct Request {
    interface: u32,
    group: sockaddr_storage,
    source: sockaddr_storage,
}

/// Joins a group, or leaves it. `interface` is an index, or zero for what the routing table says.
/// With a source only what it sends is received.
///
/// The group's family says at which level: a socket of IPv6 can be in groups of IPv4, too.
pub fn membership(
    fd: BorrowedFd<'_>,
    group: IpAddr,
    interface: u32,
    source: Option<IpAddr>,
    join: bool,
) -> Result<()> {
    let level = if group.is_ipv4() {
        libc::IPPROTO_IP
    } else {
        libc::IPPROTO_IPV6
    };
    let names = if join { JOIN } else { LEAVE };
    let name = names[usize::from(source.is_some())];
    let len = match source {
        Some(_) => size_of::<Request>(),
        None => std::mem::offset_of!(Request, source),
    };
    // SAFETY: a C structure for which all zeros are valid.
    let mut request: Request = unsafe { MaybeUninit::zeroed().assume_init() };
    request.interface = interface;
    request.group = storage(group);
    if let Some(source) = source {
        request.source = storage(source);
    }
    // SAFETY: the request is readable for its length, and outlives the call.
    let bytes = unsafe { Region::new((&raw mut request).cast(), len) };
    option::set_bytes(fd, level, name, bytes)
}

fn storage(host: IpAddr) -> sockaddr_storage {
    let address = SockAddr::internet(host, 0);
    // SAFETY: a C structure for which all zeros are valid, as large as any address.
    unsafe {
        let mut storage: sockaddr_storage = MaybeUninit::zeroed().assume_init();
        let bytes = address.as_bytes();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut storage).cast::<u8>(), bytes.len());
        storage
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn joins_once_and_leaves_once() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let group = IpAddr::from([239, 255, 7, 7]);
        let source = Some(IpAddr::from([127, 0, 0, 1]));
        let loopback = crate::interface::by_name(c"lo").unwrap();
        for source in [None, source] {
            let set = |join| membership(socket.as_fd(), group, loopback, source, join);
            assert!(set(false).is_err());
            assert_eq!(set(true), Ok(()));
            // A second time is EADDRINUSE, and for a source EADDRNOTAVAIL.
            assert!(set(true).is_err());
            assert_eq!(set(false), Ok(()));
            assert!(set(false).is_err());
        }
    }
}
