//! Network interfaces by name and by index, if_nameindex(3) and netdevice(7), and their addresses.

use std::ffi::{CStr, CString, c_char};
use std::net::{Ipv4Addr, Ipv6Addr};
#[cfg(linux)]
use std::os::fd::AsRawFd;

#[cfg(linux)]
use libc::{IFNAMSIZ, ifreq};

use crate::interface::Address;
#[cfg(linux)]
use crate::{BorrowedFd, syscall};
use crate::{Errno, Result, numeric, system};

/// The network interfaces, with their index.
pub fn all() -> Result<Vec<(u32, CString)>> {
    // SAFETY: the list ends with an index of zero and is freed once, behind its last use.
    unsafe {
        let list = libc::if_nameindex();
        if list.is_null() {
            return Err(Errno::last());
        }
        let interfaces = (0..)
            .map(|index| &*list.add(index))
            .take_while(|interface| interface.if_index != 0)
            .map(|interface| {
                (
                    interface.if_index,
                    CStr::from_ptr(interface.if_name).to_owned(),
                )
            })
            .collect();
        libc::if_freenameindex(list);
        Ok(interfaces)
    }
}

/// The addresses of all interfaces, getifaddrs(3).
pub fn addresses() -> Result<Vec<Address>> {
    let mut list = std::ptr::null_mut();
    // SAFETY: on success the call writes a list, which is freed once, behind its last use; what
    // its entries point to is valid until then.
    unsafe {
        if libc::getifaddrs(&mut list) != 0 {
            return Err(Errno::last());
        }
        let mut found = Vec::new();
        let mut next = list;
        while let Some(entry) = next.as_ref() {
            next = entry.ifa_next;
            let Some(address) = entry.ifa_addr.as_ref() else {
                continue;
            };
            found.push(Address {
                name: CStr::from_ptr(entry.ifa_name).to_owned(),
                flags: entry.ifa_flags,
                family: address.sa_family.into(),
                address: text(entry.ifa_addr),
                netmask: text(entry.ifa_netmask),
                broadcast: text(system::other_address(entry)),
            });
        }
        libc::freeifaddrs(list);
        Ok(found)
    }
}

/// An internet or hardware address as text; none for others.
///
/// # Safety
/// The address is null, or as long as those of its family are.
unsafe fn text(address: *const libc::sockaddr) -> Option<String> {
    // SAFETY: the caller's promise.
    unsafe {
        match i32::from(address.as_ref()?.sa_family) {
            libc::AF_INET => {
                let address = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()).to_string())
            }
            libc::AF_INET6 => {
                let address = address.cast::<libc::sockaddr_in6>().read_unaligned();
                let host = Ipv6Addr::from(address.sin6_addr.s6_addr);
                Some(numeric::text(host.into()).to_string())
            }
            _ => {
                let bytes = system::hardware_address(address)?;
                let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                (!pairs.is_empty()).then(|| pairs.join(":"))
            }
        }
    }
}

/// The index of the interface with this name.
pub fn by_name(name: &CStr) -> Result<u32> {
    // SAFETY: the name is terminated.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(Errno::last()),
        index => Ok(index),
    }
}

/// The name of an interface, as the system writes it.
pub struct Name([c_char; libc::IF_NAMESIZE]);

impl Name {
    /// Its bytes, in whatever encoding they are.
    pub fn to_bytes(&self) -> &[u8] {
        // SAFETY: it is terminated, or empty.
        unsafe { CStr::from_ptr(self.0.as_ptr()) }.to_bytes()
    }
}

/// The name of the interface with this index.
pub fn by_index(index: u32) -> Result<Name> {
    let mut name = Name([0; libc::IF_NAMESIZE]);
    // SAFETY: the buffer has the size that the call asks for, and is terminated by it.
    if unsafe { libc::if_indextoname(index, name.0.as_mut_ptr()) }.is_null() {
        return Err(Errno::last());
    }
    Ok(name)
}

/// The index of an interface as a socket sees it: in its network namespace, which need not be
/// the one that the thread is in now. Without a socket, in the thread's.
#[cfg(linux)]
pub fn index(socket: Option<BorrowedFd<'_>>, name: &[u8]) -> Result<i32> {
    let mut request = empty();
    if name.len() >= IFNAMSIZ {
        return Err(Errno::NODEV);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as c_char;
    }
    // SAFETY: the request is a terminated name, and outlives the calls.
    unsafe {
        match socket {
            Some(socket) => {
                syscall!(ioctl(
                    socket.as_raw_fd(),
                    libc::SIOCGIFINDEX as _,
                    &raw mut request
                ))?;
                Ok(request.ifr_ifru.ifru_ifindex)
            }
            None => Ok(by_name(CStr::from_ptr(request.ifr_name.as_ptr()))? as i32),
        }
    }
}

/// The name of an interface, likewise; empty where there is none of this index (any more).
#[cfg(linux)]
pub fn name(socket: Option<BorrowedFd<'_>>, index: i32) -> Vec<u8> {
    let found = match socket {
        Some(socket) => {
            let mut request = empty();
            request.ifr_ifru.ifru_ifindex = index;
            // SAFETY: the request outlives the call; the kernel terminates the name.
            unsafe {
                syscall!(ioctl(
                    socket.as_raw_fd(),
                    libc::SIOCGIFNAME as _,
                    &raw mut request
                ))
                .map(|_| Name(request.ifr_name))
            }
        }
        None => by_index(index as u32),
    };
    found
        .map(|name| name.to_bytes().to_vec())
        .unwrap_or_default()
}

#[cfg(linux)]
fn empty() -> ifreq {
    // SAFETY: a C structure for which all zeros are valid.
    unsafe { std::mem::zeroed() }
}
