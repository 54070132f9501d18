//! What is done in another way than on Unix, under the names that the files of BSD sockets ask for.

use std::ffi::CStr;
use std::fs::Metadata;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::windows::fs::MetadataExt;
use std::os::windows::io::RawSocket;
use std::path::{Path, PathBuf};
use std::ptr;
pub(crate) use std::sync::atomic::AtomicIsize as AtomicRawFd;
use std::sync::{LazyLock, OnceLock};
use std::time::Instant;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use windows_sys::Win32::Foundation::{
    GetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::Networking::WinSock::{self, SOCKET};

use super::c::{self, c_int, hostent, protoent, servent, sockaddr, socklen_t};
use super::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use crate::{Errno, Result};

pub use super::select::{SelectSet, select};
pub(crate) use WinSock::TCP_KEEPIDLE as KEEPALIVE_IDLE;

/// The number of a descriptor that is none.
pub(crate) const NO_DESCRIPTOR: RawFd = WinSock::INVALID_SOCKET as RawFd;

/// Whether there can be a descriptor of this number.
pub(crate) fn is_number(number: RawFd) -> bool {
    number != NO_DESCRIPTOR
}

/// A borrowed form of a descriptor, by its number.
///
/// # Safety
/// As for `BorrowedSocket::borrow_raw`.
pub(crate) const unsafe fn borrow_raw<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the caller's promise.
    unsafe { BorrowedFd::borrow_raw(number as RawSocket) }
}

/// Where the hosts file is.
pub(crate) fn hosts_path() -> &'static Path {
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
        Path::new(&root).join(r"System32\drivers\etc\hosts")
    });
    &PATH
}

/// What changes when a file does, beside its size.
pub(crate) type FileStamp = u64;

pub(crate) fn file_stamp(data: &Metadata) -> FileStamp {
    data.last_write_time()
}

/// No flag keeps one call from blocking.
pub(crate) const DONT_WAIT: c_int = 0;

/// No call may block in the system: nothing would end it.
pub(crate) const CAN_BLOCK: bool = false;

/// The code of the system beside `errno`.
pub(crate) const fn own_code(code: c_int) -> Option<c_int> {
    Some(code)
}

/// FormatMessage, without the full stop, as Python has it.
pub(crate) fn error_text(code: c_int) -> String {
    let text = io::Error::from_raw_os_error(code).to_string();
    let end = format!(" (os error {code})");
    let text = text.strip_suffix(&end).unwrap_or(&text);
    text.trim_end_matches(|last: char| last <= ' ' || last == '.')
        .to_owned()
}

/// The codes of lookups are those of the system.
pub(crate) fn lookup_error_text(code: c_int) -> String {
    error_text(code)
}

/// All that Python says about a failed call of the host database.
pub(crate) fn host_error_text(_: c_int) -> String {
    "host not found".to_owned()
}

/// Multicast memberships of any source, and of one.
pub(crate) const JOIN: [c_int; 2] = [c::MCAST_JOIN_GROUP, c::MCAST_JOIN_SOURCE_GROUP];
pub(crate) const LEAVE: [c_int; 2] = [c::MCAST_LEAVE_GROUP, c::MCAST_LEAVE_SOURCE_GROUP];

/// Nothing stands in the type of a socket that is asked for, beside the type.
pub(crate) const KIND_FLAGS: c_int = 0;
pub(crate) const NONBLOCK: c_int = 0;

/// Nothing raises a signal.
#[cfg(test)]
pub(crate) const NO_SIGNAL: c_int = 0;

/// The family of a pair of sockets.
pub(crate) const PAIR_FAMILY: c_int = c::AF_INET;

/// The code of a lookup says itself why it failed.
pub(crate) const EAI_SYSTEM: Option<c_int> = None;

/// No flag of a send opens a connection.
pub(crate) const FASTOPEN: c_int = 0;

/// Peers have addresses in every family.
pub(crate) const FAMILIES_WITHOUT_PEER_ADDRESSES: &[c_int] = &[];

/// No option of a family is wider than an int.
pub(crate) const FAMILIES_WITH_WIDE_OPTIONS: &[c_int] = &[];

/// No option bounds the time for which sent data may stay unacknowledged in milliseconds.
pub(crate) const UNACKNOWLEDGED_TIMEOUT: Option<c_int> = None;

/// What `errno.h` has for a code of the system, as the C library there and Python turn it: six of
/// Winsock's have a number of C's own, all the others are numbers themselves.
pub(crate) const fn errno_number(code: c_int) -> c_int {
    const WINSOCK: c_int = 10000;
    match code {
        c::EINTR
        | c::EBADF
        | WinSock::WSAEACCES
        | WinSock::WSAEFAULT
        | c::EINVAL
        | WinSock::WSAEMFILE => code - WINSOCK,
        WinSock::WSA_INVALID_HANDLE => libc::EBADF,
        WinSock::WSA_INVALID_PARAMETER => libc::EINVAL,
        c::EBUSY => libc::EBUSY,
        c::ENFILE => libc::ENFILE,
        c::EIO => libc::EIO,
        c::ENODEV => libc::ENODEV,
        c::ENOENT => libc::ENOENT,
        c::ENOMEM => libc::ENOMEM,
        c::ENOSYS => libc::ENOSYS,
        c::EPIPE => libc::EPIPE,
        _ => code,
    }
}

/// What `Instant` reads, the performance counter, since the first call.
pub fn monotonic() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    // It takes 584 years until that does not fit.
    BEGAN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// A new socket, which programs that are started do not inherit.
pub(crate) fn open(
    family: Domain,
    kind: Type,
    protocol: Option<Protocol>,
    nonblocking: bool,
) -> io::Result<Socket> {
    c::startup();
    let socket = Socket::new(family, kind, protocol)?;
    // A new socket blocks.
    if nonblocking {
        socket.set_nonblocking(true)?;
    }
    Ok(socket)
}

/// Two connected sockets. Winsock has none, so they are of the internet's families and streams: one
/// listens on loopback, and the other connects to it.
pub(crate) fn open_pair(
    family: Domain,
    kind: Type,
    protocol: Option<Protocol>,
    nonblocking: bool,
) -> io::Result<(Socket, Socket)> {
    let host: IpAddr = match family {
        Domain::IPV4 => Ipv4Addr::LOCALHOST.into(),
        Domain::IPV6 => Ipv6Addr::LOCALHOST.into(),
        _ => return Err(io::Error::from_raw_os_error(c::EAFNOSUPPORT)),
    };
    if kind != Type::STREAM || protocol.is_some_and(|protocol| protocol != Protocol::TCP) {
        return Err(io::Error::from_raw_os_error(WinSock::WSAEPROTONOSUPPORT));
    }
    let listener = open(family, kind, protocol, false)?;
    listener.bind(&SockAddr::from(SocketAddr::from((host, 0))))?;
    listener.listen(8)?;
    let one = open(family, kind, protocol, false)?;
    one.connect(&listener.local_addr()?)?;
    // Another process may have been faster: its connection is not the one.
    let own = one.local_addr()?;
    let other = loop {
        let (accepted, peer) = listener.accept()?;
        if peer.as_socket() == own.as_socket() {
            break accepted;
        }
    };
    if nonblocking {
        one.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
    }
    Ok((one, other))
}

/// accept(2); the new descriptor is not inherited.
///
/// # Safety
/// As for accept(2): the address is writable for the length given, or both are null.
pub(crate) unsafe fn accept(
    fd: BorrowedFd<'_>,
    address: *mut sockaddr,
    len: *mut socklen_t,
    nonblocking: bool,
) -> Result<OwnedFd> {
    // SAFETY: the caller's promise. The new descriptor is nobody else's.
    let accepted = unsafe {
        let accepted = WinSock::accept(fd.as_raw_fd() as SOCKET, address, len);
        if accepted == WinSock::INVALID_SOCKET {
            return Err(Errno::last());
        }
        OwnedFd::from_raw_fd(accepted as RawFd)
    };
    set_inheritable(borrow(&accepted), false)?;
    // It has the mode of the socket that listens.
    set_nonblocking(borrow(&accepted), nonblocking)?;
    Ok(accepted)
}

/// A borrowed form of a descriptor that is owned.
pub(crate) fn borrow(fd: &OwnedFd) -> BorrowedFd<'_> {
    std::os::windows::io::AsSocket::as_socket(fd)
}

/// How many bytes a send with these flags may be given: as many as there are, as no flag keeps one
/// from blocking.
#[inline]
pub(crate) fn room(_: BorrowedFd<'_>, _flags: c_int) -> Result<usize> {
    Ok(usize::MAX)
}

/// The protocol of an open socket, which the standard library does not ask for here: 0 stands for
/// the usual one of its type.
pub(crate) fn protocol(_: BorrowedFd<'_>) -> Result<c_int> {
    Ok(0)
}

/// Switches blocking mode off, or on again; `FIONBIO`.
pub fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> Result<()> {
    let mut value = u32::from(nonblocking);
    // SAFETY: the request reads one number.
    match unsafe { WinSock::ioctlsocket(fd.as_raw_fd() as SOCKET, WinSock::FIONBIO, &mut value) } {
        0 => Ok(()),
        _ => Err(Errno::last()),
    }
}

/// Switches blocking mode off; whether it was cannot be asked.
pub fn ensure_nonblocking(fd: BorrowedFd<'_>) -> Result<()> {
    set_nonblocking(fd, true)
}

/// Whether programs that are started inherit the descriptor.
pub fn is_inheritable(fd: BorrowedFd<'_>) -> Result<bool> {
    let mut flags = 0;
    // SAFETY: the flags are writable.
    match unsafe { GetHandleInformation(handle(fd), &mut flags) } {
        0 => Err(Errno::last()),
        _ => Ok(flags & HANDLE_FLAG_INHERIT != 0),
    }
}

/// Has programs that are started inherit the descriptor, or not.
pub fn set_inheritable(fd: BorrowedFd<'_>, inheritable: bool) -> Result<()> {
    let flags = if inheritable { HANDLE_FLAG_INHERIT } else { 0 };
    // SAFETY: takes numbers only.
    match unsafe { SetHandleInformation(handle(fd), HANDLE_FLAG_INHERIT, flags) } {
        0 => Err(Errno::last()),
        _ => Ok(()),
    }
}

fn handle(fd: BorrowedFd<'_>) -> HANDLE {
    fd.as_raw_fd() as usize as HANDLE
}

/// Makes a database call and copies out of its answer what is wanted: Winsock has one answer for
/// each thread, valid until that makes the next call. Fails with the code that Winsock left.
///
/// # Safety
/// The call must give null or an entry that is valid until the next such call.
unsafe fn answer<E, T>(
    call: impl FnOnce() -> *const E,
    copy: impl FnOnce(&E) -> T,
) -> Result<T, i32> {
    c::startup();
    // SAFETY: the caller's promise.
    match unsafe { call().as_ref() } {
        Some(entry) => Ok(copy(entry)),
        None => Err(Errno::last().code()),
    }
}

/// gethostbyname; fails with the code, such as `WSAHOST_NOT_FOUND`.
pub(crate) fn host_by_name<T>(name: &CStr, copy: impl FnOnce(&hostent) -> T) -> Result<T, i32> {
    // SAFETY: the name is terminated, and the structure Winsock's.
    unsafe { answer(|| WinSock::gethostbyname(name.as_ptr().cast()).cast(), copy) }
}

/// gethostbyaddr; fails with the code, such as `WSAHOST_NOT_FOUND`.
pub(crate) fn host_by_address<T>(
    address: &[u8],
    family: c_int,
    copy: impl FnOnce(&hostent) -> T,
) -> Result<T, i32> {
    let len = address.len() as c_int;
    // SAFETY: the address is as long as it says, and the structure Winsock's.
    unsafe {
        answer(
            || WinSock::gethostbyaddr(address.as_ptr(), len, family).cast(),
            copy,
        )
    }
}

/// getservbyname.
pub(crate) fn service_by_name<T>(
    name: &CStr,
    protocol: Option<&CStr>,
    copy: impl FnOnce(&servent) -> T,
) -> Option<T> {
    let name = name.as_ptr().cast();
    // SAFETY: the names are terminated.
    unsafe { answer(|| WinSock::getservbyname(name, text(protocol)), copy).ok() }
}

/// getservbyport.
pub(crate) fn service_by_port<T>(
    port: u16,
    protocol: Option<&CStr>,
    copy: impl FnOnce(&servent) -> T,
) -> Option<T> {
    let port = c_int::from(port.to_be());
    // SAFETY: the name is terminated.
    unsafe { answer(|| WinSock::getservbyport(port, text(protocol)), copy).ok() }
}

/// getprotobyname.
pub(crate) fn protocol_by_name<T>(name: &CStr, copy: impl FnOnce(&protoent) -> T) -> Option<T> {
    // SAFETY: the name is terminated.
    unsafe { answer(|| WinSock::getprotobyname(name.as_ptr().cast()), copy).ok() }
}

fn text(name: Option<&CStr>) -> *const u8 {
    name.map_or(ptr::null(), |name| name.as_ptr().cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_errors_are_those_that_python_has() {
        for (code, number) in [
            (WinSock::WSAEINTR, 4),
            (WinSock::WSAEBADF, 9),
            (WinSock::WSAEACCES, 13),
            (WinSock::WSAEFAULT, 14),
            (WinSock::WSAEINVAL, 22),
            (WinSock::WSAEMFILE, 24),
            (WinSock::WSAEWOULDBLOCK, 10035),
            (WinSock::WSAENOTSOCK, 10038),
            (WinSock::WSAECONNREFUSED, 10061),
            (WinSock::WSA_INVALID_HANDLE, 9),
            (WinSock::WSA_NOT_ENOUGH_MEMORY, 12),
        ] {
            let errno = Errno::new(code);
            assert_eq!((errno.code(), errno.number()), (code, number));
        }
    }

    #[test]
    fn pairs_are_connected_to_each_other_and_in_their_mode() {
        let pair = |family| {
            let spec = crate::SocketSpec {
                family,
                ..crate::descriptor::PAIR
            };
            crate::descriptor::open_pair(spec, true)
        };
        // Not every machine has IPv6 on loopback.
        let pairs = [pair(c::AF_INET).expect("a pair")];
        for (one, two) in pairs.into_iter().chain(pair(c::AF_INET6).ok()) {
            let ends = |fd| {
                let fd = borrow(fd);
                let local = crate::descriptor::local_address(fd).expect("its address");
                let peer = crate::descriptor::peer_address(fd).expect("its peer's");
                (local, peer)
            };
            let (ours, theirs) = (ends(&one), ends(&two));
            assert!(ours.0 == theirs.1 && ours.1 == theirs.0);
            let mut byte = 0_u8;
            // SAFETY: one byte of our own.
            let region = unsafe { crate::Region::new(&mut byte, 1) };
            assert_eq!(crate::io::recv(borrow(&one), region, 0), Err(Errno::AGAIN));
        }
    }

    #[test]
    fn pairs_of_other_kinds_are_refused() {
        let pair = crate::descriptor::PAIR;
        let datagrams = crate::SocketSpec {
            kind: c::SOCK_DGRAM,
            ..pair
        };
        let local = crate::SocketSpec {
            family: c::AF_UNIX,
            ..pair
        };
        let refused = |spec| crate::descriptor::open_pair(spec, false).err();
        assert_eq!(
            refused(datagrams),
            Some(Errno::new(WinSock::WSAEPROTONOSUPPORT))
        );
        assert_eq!(refused(local), Some(Errno::AFNOSUPPORT));
    }
}
