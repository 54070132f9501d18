//! Memberships in multicast groups, in the form that is the same for both families: RFC 3678,
//! ip(7), ipv6(7).

use std::mem::MaybeUninit;
use std::net::IpAddr;

use crate::c::{self, sockaddr_storage};
use crate::system::{JOIN, LEAVE};
use crate::{BorrowedFd, Region, Result, SockAddr, option};

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
        c::IPPROTO_IP
    } else {
        c::IPPROTO_IPV6
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
    use std::net::Ipv4Addr;

    use super::*;
    use crate::descriptor::{self, PAIR};
    use crate::{SocketSpec, system};

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn joins_once_and_leaves_once() {
        let spec = SocketSpec {
            family: c::AF_INET,
            kind: c::SOCK_DGRAM,
            ..PAIR
        };
        let socket = descriptor::open(spec, false).expect("a socket");
        let socket = system::borrow(&socket);
        let local = SockAddr::v4(Ipv4Addr::LOCALHOST, 0);
        descriptor::bind(socket, &local).expect("a port");
        let group = IpAddr::from([239, 255, 7, 7]);
        let source = Some(IpAddr::from([127, 0, 0, 1]));
        let loopback = crate::interface::by_address(Ipv4Addr::LOCALHOST.into());
        let loopback = loopback.expect("an interface");
        for source in [None, source] {
            let set = |join| membership(socket, group, loopback, source, join);
            assert!(set(false).is_err());
            let joined = set(true);
            if cfg!(windows) && joined == Err(crate::Errno::NOPROTOOPT) {
                // Wine has none of this.
                continue;
            }
            assert_eq!(joined, Ok(()));
            // A second time is EADDRINUSE, and for a source EADDRNOTAVAIL.
            assert!(set(true).is_err());
            assert_eq!(set(false), Ok(()));
            assert!(set(false).is_err());
        }
    }

    #[test]
    #[cfg(windows)]
    fn requests_are_those_of_winsock() {
        use std::mem::offset_of;

        use windows_sys::Win32::Networking::WinSock::GROUP_SOURCE_REQ;

        assert_eq!(size_of::<Request>(), size_of::<GROUP_SOURCE_REQ>());
        assert_eq!(
            offset_of!(Request, group),
            offset_of!(GROUP_SOURCE_REQ, gsr_group)
        );
        assert_eq!(
            offset_of!(Request, source),
            offset_of!(GROUP_SOURCE_REQ, gsr_source)
        );
    }
}
