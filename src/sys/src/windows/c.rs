//! Winsock under the names and in the types of POSIX, so that the files of BSD sockets need no
//! others: lengths are unsigned and of the width of a pointer, texts are of `c_char`, the codes of
//! errors are those that Winsock leaves.

use std::sync::Once;
use std::time::Duration;

use windows_sys::Win32::Foundation;
use windows_sys::Win32::Networking::WinSock::{self, SOCKET};

use super::RawFd;

pub(crate) use std::ffi::{c_char, c_int, c_short, c_void};

pub(crate) use WinSock::{
    ADDRESS_FAMILY as sa_family_t, IPPROTO_TCP, LINGER as linger, NI_MAXHOST, POLLIN, POLLOUT,
    SO_ERROR, SO_KEEPALIVE, SO_LINGER, SO_TYPE, SOCK_STREAM, SOCKADDR as sockaddr,
    SOCKADDR_STORAGE as sockaddr_storage, SOCKADDR_UN as sockaddr_un, SOL_SOCKET, TCP_KEEPCNT,
    TCP_KEEPINTVL, socklen_t,
};
#[cfg(test)]
pub(crate) use WinSock::{
    IPPROTO_ICMP, IPPROTO_UDP, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET,
    WSAECONNREFUSED as ECONNREFUSED,
};

pub(crate) const AF_UNSPEC: c_int = WinSock::AF_UNSPEC as c_int;
#[cfg(test)]
pub(crate) const AF_UNIX: c_int = WinSock::AF_UNIX as c_int;
pub(crate) const AF_INET: c_int = WinSock::AF_INET as c_int;
pub(crate) const AF_INET6: c_int = WinSock::AF_INET6 as c_int;
pub(crate) const AI_PASSIVE: c_int = WinSock::AI_PASSIVE as c_int;
pub(crate) const AI_NUMERICHOST: c_int = WinSock::AI_NUMERICHOST as c_int;
pub(crate) const AI_NUMERICSERV: c_int = WinSock::AI_NUMERICSERV as c_int;
#[cfg(test)]
pub(crate) const NI_NUMERICHOST: c_int = WinSock::NI_NUMERICHOST as c_int;
#[cfg(test)]
pub(crate) const NI_NUMERICSERV: c_int = WinSock::NI_NUMERICSERV as c_int;

pub(crate) const EAFNOSUPPORT: c_int = WinSock::WSAEAFNOSUPPORT;
pub(crate) const EAGAIN: c_int = WinSock::WSAEWOULDBLOCK;
pub(crate) const EBADF: c_int = WinSock::WSAEBADF;
pub(crate) const EBUSY: c_int = Foundation::ERROR_BUSY as c_int;
pub(crate) const ECONNRESET: c_int = WinSock::WSAECONNRESET;
/// A connection on its way is told as what any call would have to wait for.
pub(crate) const EINPROGRESS: c_int = WinSock::WSAEWOULDBLOCK;
pub(crate) const EINTR: c_int = WinSock::WSAEINTR;
pub(crate) const EINVAL: c_int = WinSock::WSAEINVAL;
pub(crate) const EIO: c_int = Foundation::ERROR_IO_DEVICE as c_int;
pub(crate) const EMSGSIZE: c_int = WinSock::WSAEMSGSIZE;
pub(crate) const ENAMETOOLONG: c_int = WinSock::WSAENAMETOOLONG;
pub(crate) const ENODEV: c_int = Foundation::ERROR_DEV_NOT_EXIST as c_int;
pub(crate) const ENOENT: c_int = Foundation::ERROR_FILE_NOT_FOUND as c_int;
pub(crate) const ENOMEM: c_int = Foundation::ERROR_NOT_ENOUGH_MEMORY as c_int;
pub(crate) const ENOPROTOOPT: c_int = WinSock::WSAENOPROTOOPT;
pub(crate) const ENOSYS: c_int = Foundation::ERROR_CALL_NOT_IMPLEMENTED as c_int;
pub(crate) const ENOTCONN: c_int = WinSock::WSAENOTCONN;
pub(crate) const ENOTSOCK: c_int = WinSock::WSAENOTSOCK;
pub(crate) const EOPNOTSUPP: c_int = WinSock::WSAEOPNOTSUPP;
pub(crate) const EPIPE: c_int = Foundation::ERROR_BROKEN_PIPE as c_int;
pub(crate) const EWOULDBLOCK: c_int = WinSock::WSAEWOULDBLOCK;

/// `struct in_addr`, without the other forms of its union.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct in_addr {
    pub(crate) s_addr: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct in6_addr {
    pub(crate) s6_addr: [u8; 16],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_in {
    pub(crate) sin_family: sa_family_t,
    pub(crate) sin_port: u16,
    pub(crate) sin_addr: in_addr,
    pub(crate) sin_zero: [u8; 8],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_in6 {
    pub(crate) sin6_family: sa_family_t,
    pub(crate) sin6_port: u16,
    pub(crate) sin6_flowinfo: u32,
    pub(crate) sin6_addr: in6_addr,
    pub(crate) sin6_scope_id: u32,
}

#[repr(C)]
pub(crate) struct addrinfo {
    pub(crate) ai_flags: c_int,
    pub(crate) ai_family: c_int,
    pub(crate) ai_socktype: c_int,
    pub(crate) ai_protocol: c_int,
    pub(crate) ai_addrlen: usize,
    pub(crate) ai_canonname: *mut c_char,
    pub(crate) ai_addr: *mut sockaddr,
    pub(crate) ai_next: *mut addrinfo,
}

#[repr(C)]
pub(crate) struct hostent {
    pub(crate) h_name: *mut c_char,
    pub(crate) h_aliases: *mut *mut c_char,
    pub(crate) h_addrtype: c_short,
    pub(crate) h_length: c_short,
    pub(crate) h_addr_list: *mut *mut c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct pollfd {
    pub(crate) fd: RawFd,
    pub(crate) events: c_short,
    pub(crate) revents: c_short,
}

pub(crate) use WinSock::{PROTOENT as protoent, SERVENT as servent};

// They are those of Winsock under other names.
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<sockaddr_in>() == size_of::<WinSock::SOCKADDR_IN>());
    assert!(size_of::<sockaddr_in6>() == size_of::<WinSock::SOCKADDR_IN6>());
    assert!(offset_of!(sockaddr_in6, sin6_addr) == offset_of!(WinSock::SOCKADDR_IN6, sin6_addr));
    assert!(size_of::<addrinfo>() == size_of::<WinSock::ADDRINFOA>());
    assert!(offset_of!(addrinfo, ai_next) == offset_of!(WinSock::ADDRINFOA, ai_next));
    assert!(size_of::<hostent>() == size_of::<WinSock::HOSTENT>());
    assert!(offset_of!(hostent, h_addr_list) == offset_of!(WinSock::HOSTENT, h_addr_list));
    assert!(size_of::<pollfd>() == size_of::<WinSock::WSAPOLLFD>());
    assert!(offset_of!(pollfd, events) == offset_of!(WinSock::WSAPOLLFD, events));
    assert!(size_of::<RawFd>() == size_of::<SOCKET>());
};

#[allow(non_camel_case_types, reason = "the name of C")]
pub(crate) type nfds_t = u32;

/// Starts Winsock, once for the process; WSAStartup. Calls that need no socket begin with it: who
/// has a socket has started it.
pub(crate) fn startup() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        const VERSION: u16 = 0x0202;
        let mut data = WinSock::WSADATA::default();
        // SAFETY: the call fills the structure. Where it fails, every other call says so.
        unsafe { WinSock::WSAStartup(VERSION, &mut data) };
    });
}

/// As much of a length as a call can be told: it does a part then, as those of POSIX may.
fn length(len: usize) -> c_int {
    c_int::try_from(len).unwrap_or(c_int::MAX)
}

/// # Safety
/// As for recv(2).
pub(crate) unsafe fn recv(fd: RawFd, into: *mut c_void, len: usize, flags: c_int) -> isize {
    // SAFETY: the caller's promise.
    unsafe { WinSock::recv(fd as SOCKET, into.cast(), length(len), flags) as isize }
}

/// # Safety
/// As for recvfrom(2).
pub(crate) unsafe fn recvfrom(
    fd: RawFd,
    into: *mut c_void,
    len: usize,
    flags: c_int,
    from: *mut sockaddr,
    from_len: *mut socklen_t,
) -> isize {
    // SAFETY: the caller's promise.
    unsafe {
        WinSock::recvfrom(
            fd as SOCKET,
            into.cast(),
            length(len),
            flags,
            from,
            from_len,
        ) as isize
    }
}

/// # Safety
/// As for send(2).
pub(crate) unsafe fn send(fd: RawFd, data: *const c_void, len: usize, flags: c_int) -> isize {
    // SAFETY: the caller's promise.
    unsafe { WinSock::send(fd as SOCKET, data.cast(), length(len), flags) as isize }
}

/// # Safety
/// As for sendto(2).
pub(crate) unsafe fn sendto(
    fd: RawFd,
    data: *const c_void,
    len: usize,
    flags: c_int,
    to: *const sockaddr,
    to_len: socklen_t,
) -> isize {
    // SAFETY: the caller's promise.
    unsafe { WinSock::sendto(fd as SOCKET, data.cast(), length(len), flags, to, to_len) as isize }
}

/// # Safety
/// As for bind(2).
pub(crate) unsafe fn bind(fd: RawFd, address: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::bind(fd as SOCKET, address, len) }
}

/// # Safety
/// As for connect(2).
pub(crate) unsafe fn connect(fd: RawFd, address: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::connect(fd as SOCKET, address, len) }
}

/// # Safety
/// As for shutdown(2), which takes numbers only.
pub(crate) unsafe fn shutdown(fd: RawFd, how: c_int) -> c_int {
    // SAFETY: takes numbers only.
    unsafe { WinSock::shutdown(fd as SOCKET, how) }
}

/// # Safety
/// The descriptor is the caller's.
pub(crate) unsafe fn close(fd: RawFd) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::closesocket(fd as SOCKET) }
}

/// # Safety
/// As for getsockname(2).
pub(crate) unsafe extern "C" fn getsockname(
    fd: RawFd,
    address: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::getsockname(fd as SOCKET, address, len) }
}

/// # Safety
/// As for getpeername(2).
pub(crate) unsafe extern "C" fn getpeername(
    fd: RawFd,
    address: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::getpeername(fd as SOCKET, address, len) }
}

/// # Safety
/// As for getsockopt(2).
pub(crate) unsafe fn getsockopt(
    fd: RawFd,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::getsockopt(fd as SOCKET, level, name, value.cast(), len) }
}

/// # Safety
/// As for setsockopt(2).
pub(crate) unsafe fn setsockopt(
    fd: RawFd,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::setsockopt(fd as SOCKET, level, name, value.cast(), len) }
}

/// WSAPoll, with what poll(2) does and that does not: entries without a descriptor are passed
/// over, and to wait for none is to sleep.
///
/// # Safety
/// As for poll(2).
pub(crate) unsafe fn poll(entries: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    // SAFETY: the caller's promise: that number of entries is there, and nobody else's.
    let all = unsafe { std::slice::from_raw_parts_mut(entries, count as usize) };
    let mut named: Vec<pollfd> = Vec::with_capacity(all.len());
    named.extend(
        all.iter()
            .filter(|entry| entry.fd as SOCKET != WinSock::INVALID_SOCKET),
    );
    if named.is_empty() {
        all.iter_mut().for_each(|entry| entry.revents = 0);
        match u64::try_from(timeout) {
            Ok(timeout) => std::thread::sleep(Duration::from_millis(timeout)),
            Err(_) => loop {
                std::thread::park();
            },
        }
        return 0;
    }
    // SAFETY: the structure is Winsock's, and that number of them is there.
    let found = unsafe {
        let (start, count) = (named.as_mut_ptr(), named.len() as nfds_t);
        WinSock::WSAPoll(start.cast(), count, timeout)
    };
    let mut answers = named.iter();
    for entry in all {
        entry.revents = match entry.fd as SOCKET {
            WinSock::INVALID_SOCKET => 0,
            _ => answers.next().map_or(0, |answer| answer.revents),
        };
    }
    found
}

/// # Safety
/// As for getaddrinfo(3).
pub(crate) unsafe fn getaddrinfo(
    host: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    found: *mut *mut addrinfo,
) -> c_int {
    startup();
    // SAFETY: the caller's promise; the structures are Winsock's.
    unsafe { WinSock::getaddrinfo(host.cast(), service.cast(), hints.cast(), found.cast()) }
}

/// # Safety
/// As for freeaddrinfo(3).
pub(crate) unsafe fn freeaddrinfo(list: *mut addrinfo) {
    // SAFETY: the caller's promise.
    unsafe { WinSock::freeaddrinfo(list.cast()) }
}

/// # Safety
/// As for getnameinfo(3).
pub(crate) unsafe fn getnameinfo(
    address: *const sockaddr,
    len: socklen_t,
    host: *mut c_char,
    host_len: u32,
    service: *mut c_char,
    service_len: u32,
    flags: c_int,
) -> c_int {
    startup();
    // SAFETY: the caller's promise.
    unsafe {
        WinSock::getnameinfo(
            address,
            len,
            host.cast(),
            host_len,
            service.cast(),
            service_len,
            flags,
        )
    }
}

/// inet_aton(3), by a call whose error is an address, too.
///
/// # Safety
/// The text is terminated, and the address writable.
pub(crate) unsafe fn inet_aton(text: *const c_char, address: *mut in_addr) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let bytes = std::ffi::CStr::from_ptr(text).to_bytes();
        let found = WinSock::inet_addr(text.cast());
        // Blank text is an address for Winsock.
        let blank = bytes.iter().all(u8::is_ascii_whitespace);
        if blank || (found == WinSock::INADDR_NONE && bytes != b"255.255.255.255") {
            return 0;
        }
        (*address).s_addr = found;
    }
    1
}

/// # Safety
/// As for inet_pton(3).
pub(crate) unsafe fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::inet_pton(family, text.cast(), address) }
}
