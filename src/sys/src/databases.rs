//! The C library's databases of hosts, services and protocols, through the calls that
//! write into the caller's memory: gethostbyname_r(3), getservbyname_r(3),
//! getprotobyname_r(3). The older calls share one static answer among all threads.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use libc::{hostent, in_addr, in6_addr, protoent, servent, size_t, socklen_t};

use super::SockAddr;

unsafe extern "C" {
    // The libc crate leaves these out.
    fn gethostbyname_r(
        name: *const c_char,
        entry: *mut hostent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut hostent,
        code: *mut c_int,
    ) -> c_int;
    fn gethostbyaddr_r(
        address: *const c_void,
        address_len: socklen_t,
        family: c_int,
        entry: *mut hostent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut hostent,
        code: *mut c_int,
    ) -> c_int;
    fn getservbyname_r(
        name: *const c_char,
        protocol: *const c_char,
        entry: *mut servent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut servent,
    ) -> c_int;
    fn getservbyport_r(
        port: c_int,
        protocol: *const c_char,
        entry: *mut servent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut servent,
    ) -> c_int;
    fn getprotobyname_r(
        name: *const c_char,
        entry: *mut protoent,
        buffer: *mut c_char,
        len: size_t,
        result: *mut *mut protoent,
    ) -> c_int;
}

/// An entry of the host database.
pub struct Host {
    pub name: CString,
    pub aliases: Vec<CString>,
    pub family: i32,
    /// The addresses as they go over the wire: 4 or 16 bytes.
    pub addresses: Vec<Vec<u8>>,
}

/// Looks an IPv4 host up by its name. May block for long.
///
/// # Errors
/// The `h_errno` code, such as `HOST_NOT_FOUND`.
pub fn host_by_name(name: &CStr) -> Result<Host, i32> {
    let mut code = 0;
    // SAFETY: the name is terminated, and the rest comes from `answer`.
    let found = unsafe {
        answer(
            |entry, buffer, len, result| {
                gethostbyname_r(name.as_ptr(), entry, buffer, len, result, &mut code)
            },
            copied_host,
        )
    };
    found.ok_or(code)
}

/// Looks a host up by its address, the port of which does not matter. May block for long.
///
/// # Errors
/// The `h_errno` code, such as `HOST_NOT_FOUND`.
pub fn host_by_address(address: &SockAddr) -> Result<Host, i32> {
    let (family, bytes) = match address.ip() {
        Some(std::net::IpAddr::V4(host)) => (libc::AF_INET, host.octets().to_vec()),
        Some(std::net::IpAddr::V6(host)) => (libc::AF_INET6, host.octets().to_vec()),
        None => return Err(NO_RECOVERY),
    };
    const { assert!(size_of::<in_addr>() == 4 && size_of::<in6_addr>() == 16) }
    let mut code = 0;
    // SAFETY: the address is as long as it says, and the rest comes from `answer`.
    let found = unsafe {
        answer(
            |entry, buffer, len, result| {
                gethostbyaddr_r(
                    bytes.as_ptr().cast(),
                    bytes.len() as socklen_t,
                    family,
                    entry,
                    buffer,
                    len,
                    result,
                    &mut code,
                )
            },
            copied_host,
        )
    };
    found.ok_or(code)
}

/// `h_errno` for an answer that cannot be had.
const NO_RECOVERY: i32 = 3;

/// The port of a service, of any protocol where none is named.
pub fn service_port(name: &CStr, protocol: Option<&CStr>) -> Option<u16> {
    let protocol = protocol.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the names are terminated, and the rest comes from `answer`.
    unsafe {
        answer(
            |entry, buffer, len, result| {
                getservbyname_r(name.as_ptr(), protocol, entry, buffer, len, result)
            },
            |entry: &servent| u16::from_be(entry.s_port as u16),
        )
    }
}

/// The name of the service at a port, of any protocol where none is named.
pub fn service_name(port: u16, protocol: Option<&CStr>) -> Option<CString> {
    let protocol = protocol.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the name is terminated, and the rest comes from `answer`.
    unsafe {
        answer(
            |entry, buffer, len, result| {
                getservbyport_r(
                    c_int::from(port.to_be()),
                    protocol,
                    entry,
                    buffer,
                    len,
                    result,
                )
            },
            |entry: &servent| CStr::from_ptr(entry.s_name).to_owned(),
        )
    }
}

/// The number of a protocol.
pub fn protocol_number(name: &CStr) -> Option<i32> {
    // SAFETY: the name is terminated, and the rest comes from `answer`.
    unsafe {
        answer(
            |entry, buffer, len, result| {
                getprotobyname_r(name.as_ptr(), entry, buffer, len, result)
            },
            |entry: &protoent| entry.p_proto,
        )
    }
}

/// Makes a database call, again with more memory while it says `ERANGE`, and copies out of
/// that memory what is wanted. None where there is no entry.
///
/// # Safety
/// The call must fill the entry and point the result at it, or leave the result null, and
/// keep what the entry points to inside the buffer.
unsafe fn answer<E, T>(
    mut call: impl FnMut(*mut E, *mut c_char, size_t, *mut *mut E) -> c_int,
    copy: impl FnOnce(&E) -> T,
) -> Option<T> {
    /// As malloc(3) aligns it: the C library takes a third longer to split a line elsewhere.
    #[repr(align(16))]
    struct Aligned([MaybeUninit<c_char>; 2048]);
    let mut first = Aligned([MaybeUninit::uninit(); 2048]);
    let mut memory: &mut [MaybeUninit<c_char>] = &mut first.0;
    let mut more = Vec::new();
    loop {
        let mut entry = MaybeUninit::<E>::uninit();
        let mut result = ptr::null_mut();
        let code = call(
            entry.as_mut_ptr(),
            memory.as_mut_ptr().cast(),
            memory.len(),
            &mut result,
        );
        if code == libc::ERANGE && memory.len() < 1 << 24 {
            let len = memory.len() * 4;
            more.resize(len, MaybeUninit::uninit());
            memory = &mut more;
            continue;
        }
        // SAFETY: null, or the entry above, which the call has filled then.
        return unsafe { result.as_ref() }.map(copy);
    }
}

fn copied_host(entry: &hostent) -> Host {
    let len = entry.h_length as usize;
    // SAFETY: the C library gives a terminated name and two lists that end with a null
    // pointer: one of terminated names, one of addresses of `h_length` bytes.
    unsafe {
        Host {
            name: CStr::from_ptr(entry.h_name).to_owned(),
            aliases: copied_list(entry.h_aliases, |alias| CStr::from_ptr(alias).to_owned()),
            family: entry.h_addrtype,
            addresses: copied_list(entry.h_addr_list, |address| {
                std::slice::from_raw_parts(address.cast(), len).to_vec()
            }),
        }
    }
}

/// # Safety
/// The list must be null or end with a null pointer, and `copy` be right for its items.
unsafe fn copied_list<T>(list: *const *mut c_char, copy: impl Fn(*const c_char) -> T) -> Vec<T> {
    if list.is_null() {
        return Vec::new();
    }
    (0..)
        // SAFETY: items are only read up to the null pointer that ends the list.
        .map(|index| unsafe { *list.add(index) })
        .take_while(|item| !item.is_null())
        .map(|item| copy(item))
        .collect()
}
