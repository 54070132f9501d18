//! Winsock under the names and in the types of POSIX, so that the files of BSD sockets need no
//! others: lengths are unsigned and of the width of a pointer, texts are of `c_char`, the codes of
//! errors are those that Winsock leaves.

use std::sync::Once;
use std::time::Duration;

use windows_sys::Win32::Foundation;
use windows_sys::Win32::Networking::WinSock::{self, SOCKET};

use super::{RawFd, wake};

pub use std::ffi::{c_char, c_int, c_long, c_short, c_ulong, c_void};

pub use WinSock::{
    ADDRESS_FAMILY as sa_family_t, LINGER as linger, SOCKADDR as sockaddr,
    SOCKADDR_STORAGE as sockaddr_storage, SOCKADDR_UN as sockaddr_un, socklen_t,
};

/// Winsock's constants in the types of POSIX.
macro_rules! constants {
    ($($kind:ty: $($name:ident $(= $value:path)?),*;)*) => {
        $($(pub const $name: $kind = constants!(@value $name $($value)?) as $kind;)*)*
    };
    (@value $name:ident) => { WinSock::$name };
    (@value $name:ident $value:path) => { $value };
}

constants! {
    c_int:
        AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE,
        EAI_AGAIN = WinSock::WSATRY_AGAIN, EAI_NONAME = WinSock::WSAHOST_NOT_FOUND,
        IPPROTO_ICMP, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, MCAST_JOIN_GROUP,
        MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP, MSG_OOB, MSG_PEEK,
        MSG_TRUNC, MSG_WAITALL, NI_DGRAM, NI_MAXHOST, NI_NUMERICHOST, NI_NUMERICSERV,
        SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET, SO_ACCEPTCONN, SO_ERROR,
        SO_KEEPALIVE, SO_LINGER, SO_RCVLOWAT, SO_TYPE, TCP_KEEPCNT, TCP_KEEPINTVL;
    c_short: POLLIN, POLLOUT, POLLPRI;
}

constants! {
    c_int:
        EAFNOSUPPORT = WinSock::WSAEAFNOSUPPORT,
        EAGAIN = WinSock::WSAEWOULDBLOCK,
        EALREADY = WinSock::WSAEALREADY,
        EBADF = WinSock::WSAEBADF,
        EBUSY = Foundation::ERROR_BUSY,
        ECONNREFUSED = WinSock::WSAECONNREFUSED,
        ECONNRESET = WinSock::WSAECONNRESET,
        // A connection on its way is told as what any call would have to wait for.
        EINPROGRESS = WinSock::WSAEWOULDBLOCK,
        EINTR = WinSock::WSAEINTR,
        EINVAL = WinSock::WSAEINVAL,
        EIO = Foundation::ERROR_IO_DEVICE,
        EMFILE = WinSock::WSAEMFILE,
        EMSGSIZE = WinSock::WSAEMSGSIZE,
        ENAMETOOLONG = WinSock::WSAENAMETOOLONG,
        ENFILE = Foundation::ERROR_TOO_MANY_OPEN_FILES,
        ENOBUFS = WinSock::WSAENOBUFS,
        ENODEV = Foundation::ERROR_DEV_NOT_EXIST,
        ENOENT = Foundation::ERROR_FILE_NOT_FOUND,
        ENOMEM = Foundation::ERROR_NOT_ENOUGH_MEMORY,
        ENOPROTOOPT = WinSock::WSAENOPROTOOPT,
        ENOSYS = Foundation::ERROR_CALL_NOT_IMPLEMENTED,
        ENOTCONN = WinSock::WSAENOTCONN,
        ENOTSOCK = WinSock::WSAENOTSOCK,
        EOPNOTSUPP = WinSock::WSAEOPNOTSUPP,
        EPIPE = Foundation::ERROR_BROKEN_PIPE,
        EWOULDBLOCK = WinSock::WSAEWOULDBLOCK;
}

/// `struct in_addr`, without the other forms of its union.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct in_addr {
    pub s_addr: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct in6_addr {
    pub s6_addr: [u8; 16],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct sockaddr_in {
    pub sin_family: sa_family_t,
    pub sin_port: u16,
    pub sin_addr: in_addr,
    pub sin_zero: [u8; 8],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct sockaddr_in6 {
    pub sin6_family: sa_family_t,
    pub sin6_port: u16,
    pub sin6_flowinfo: u32,
    pub sin6_addr: in6_addr,
    pub sin6_scope_id: u32,
}

#[repr(C)]
pub struct addrinfo {
    pub ai_flags: c_int,
    pub ai_family: c_int,
    pub ai_socktype: c_int,
    pub ai_protocol: c_int,
    pub ai_addrlen: usize,
    pub ai_canonname: *mut c_char,
    pub ai_addr: *mut sockaddr,
    pub ai_next: *mut addrinfo,
}

#[repr(C)]
pub struct hostent {
    pub h_name: *mut c_char,
    pub h_aliases: *mut *mut c_char,
    pub h_addrtype: c_short,
    pub h_length: c_short,
    pub h_addr_list: *mut *mut c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct pollfd {
    pub fd: RawFd,
    pub events: c_short,
    pub revents: c_short,
}

pub use WinSock::{PROTOENT as protoent, SERVENT as servent};

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
pub type nfds_t = u32;

/// Starts Winsock, once for the process; WSAStartup. Calls that need no socket begin with it: who
/// has a socket has started it.
pub fn startup() {
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
pub unsafe fn recv(fd: RawFd, into: *mut c_void, len: usize, flags: c_int) -> isize {
    // SAFETY: the caller's promise.
    unsafe { WinSock::recv(fd as SOCKET, into.cast(), length(len), flags) as isize }
}

/// # Safety
/// As for recvfrom(2).
pub unsafe fn recvfrom(
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
pub unsafe fn send(fd: RawFd, data: *const c_void, len: usize, flags: c_int) -> isize {
    // SAFETY: the caller's promise.
    unsafe { WinSock::send(fd as SOCKET, data.cast(), length(len), flags) as isize }
}

/// # Safety
/// As for sendto(2).
pub unsafe fn sendto(
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
pub unsafe fn bind(fd: RawFd, address: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::bind(fd as SOCKET, address, len) }
}

/// # Safety
/// As for connect(2).
pub unsafe fn connect(fd: RawFd, address: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::connect(fd as SOCKET, address, len) }
}

/// # Safety
/// As for shutdown(2), which takes numbers only.
pub unsafe fn shutdown(fd: RawFd, how: c_int) -> c_int {
    // SAFETY: takes numbers only.
    unsafe { WinSock::shutdown(fd as SOCKET, how) }
}

/// # Safety
/// The descriptor is the caller's.
pub unsafe fn close(fd: RawFd) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::closesocket(fd as SOCKET) }
}

/// # Safety
/// As for getsockname(2).
pub unsafe extern "C" fn getsockname(
    fd: RawFd,
    address: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::getsockname(fd as SOCKET, address, len) }
}

/// # Safety
/// As for getpeername(2).
pub unsafe extern "C" fn getpeername(
    fd: RawFd,
    address: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::getpeername(fd as SOCKET, address, len) }
}

/// # Safety
/// As for getsockopt(2).
pub unsafe fn getsockopt(
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
pub unsafe fn setsockopt(
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
/// over, to wait for none is to sleep, and whoever wakes the thread ends the wait, see
/// [`wake`]. A thread that nobody can wake ends it early.
///
/// # Safety
/// As for poll(2).
pub unsafe fn poll(entries: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    // SAFETY: the caller's promise: that number of entries is there, and nobody else's.
    let all = unsafe { std::slice::from_raw_parts_mut(entries, count as usize) };
    let mut named: Vec<pollfd> = Vec::with_capacity(all.len() + 1);
    named.extend(
        all.iter()
            .filter(|entry| entry.fd as SOCKET != WinSock::INVALID_SOCKET),
    );
    let waker = if timeout == 0 { None } else { wake::own() };
    let glance = wake::GLANCE.as_millis() as c_int;
    let timeout = match waker {
        None if !(0..glance).contains(&timeout) => glance,
        _ => timeout,
    };
    named.extend(waker.map(|fd| pollfd {
        fd,
        events: POLLIN,
        revents: 0,
    }));
    if named.is_empty() {
        all.iter_mut().for_each(|entry| entry.revents = 0);
        std::thread::sleep(Duration::from_millis(timeout as u64));
        return 0;
    }
    // SAFETY: the structure is Winsock's, and that number of them is there.
    let mut found = unsafe {
        let (start, count) = (named.as_mut_ptr(), named.len() as nfds_t);
        WinSock::WSAPoll(start.cast(), count, timeout)
    };
    if found > 0 && waker.is_some() && named.pop().is_some_and(|entry| entry.revents != 0) {
        wake::clear();
        found -= 1;
        if found == 0 {
            // SAFETY: takes a number.
            unsafe { WinSock::WSASetLastError(EINTR) };
            return -1;
        }
    }
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
pub unsafe fn getaddrinfo(
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
pub unsafe fn freeaddrinfo(list: *mut addrinfo) {
    // SAFETY: the caller's promise.
    unsafe { WinSock::freeaddrinfo(list.cast()) }
}

/// # Safety
/// As for getnameinfo(3).
pub unsafe fn getnameinfo(
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
pub unsafe fn inet_aton(text: *const c_char, address: *mut in_addr) -> c_int {
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
pub unsafe fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { WinSock::inet_pton(family, text.cast(), address) }
}
