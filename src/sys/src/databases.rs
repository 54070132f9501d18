//! The C library's databases of hosts, services and protocols: gethostbyname(3),
//! getservbyname(3), getprotobyname(3).

use std::ffi::{CStr, CString, c_char};

use super::c::{self, hostent, in_addr, in6_addr, protoent, servent};
use super::{SockAddr, system};

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
    system::host_by_name(name, copied_host)
}

/// Looks a host up by its address, the port of which does not matter. May block for long.
///
/// # Errors
/// The `h_errno` code, such as `HOST_NOT_FOUND`.
pub fn host_by_address(address: &SockAddr) -> Result<Host, i32> {
    let (family, bytes) = match address.ip() {
        Some(std::net::IpAddr::V4(host)) => (c::AF_INET, host.octets().to_vec()),
        Some(std::net::IpAddr::V6(host)) => (c::AF_INET6, host.octets().to_vec()),
        None => return Err(NO_RECOVERY),
    };
    const { assert!(size_of::<in_addr>() == 4 && size_of::<in6_addr>() == 16) }
    system::host_by_address(&bytes, family, copied_host)
}

/// `h_errno` for an answer that cannot be had.
const NO_RECOVERY: i32 = 3;

/// The port of a service, of any protocol where none is named.
pub fn service_port(name: &CStr, protocol: Option<&CStr>) -> Option<u16> {
    let port = |entry: &servent| u16::from_be(entry.s_port as u16);
    system::service_by_name(name, protocol, port)
}

/// The name of the service at a port, of any protocol where none is named.
pub fn service_name(port: u16, protocol: Option<&CStr>) -> Option<CString> {
    // SAFETY: the C library gives a terminated name.
    let name = |entry: &servent| unsafe { CStr::from_ptr(entry.s_name.cast()) }.to_owned();
    system::service_by_port(port, protocol, name)
}

/// The number of a protocol.
#[allow(clippy::useless_conversion, reason = "a short on Windows")]
pub fn protocol_number(name: &CStr) -> Option<i32> {
    system::protocol_by_name(name, |entry: &protoent| entry.p_proto.into())
}

#[allow(clippy::useless_conversion, reason = "a short on Windows")]
fn copied_host(entry: &hostent) -> Host {
    let len = entry.h_length as usize;
    // SAFETY: the C library gives a terminated name and two lists that end with a null
    // pointer: one of terminated names, one of addresses of `h_length` bytes.
    unsafe {
        Host {
            name: CStr::from_ptr(entry.h_name).to_owned(),
            aliases: copied_list(entry.h_aliases, |alias| CStr::from_ptr(alias).to_owned()),
            family: entry.h_addrtype.into(),
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
