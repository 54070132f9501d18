//! Network interfaces by name and by index, netdevice(7).

use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;

use libc::{IFNAMSIZ, ifreq};

use super::syscall;

/// The index of an interface. With a socket, it is looked up in that socket's network
/// namespace, which need not be the one that the thread is in now.
pub(crate) fn index(socket: Option<RawFd>, name: &[u8]) -> io::Result<i32> {
    let mut request = empty();
    if name.len() >= IFNAMSIZ {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    // SAFETY: the request is a terminated name, and outlives the calls.
    unsafe {
        match socket {
            Some(socket) => {
                syscall!(ioctl(socket, libc::SIOCGIFINDEX as _, &raw mut request))?;
                Ok(request.ifr_ifru.ifru_ifindex)
            }
            None => match libc::if_nametoindex(request.ifr_name.as_ptr()) {
                0 => Err(io::Error::last_os_error()),
                index => Ok(index as i32),
            },
        }
    }
}

/// The name of an interface, empty where there is none of this index (any more).
pub(crate) fn name(socket: Option<RawFd>, index: i32) -> Vec<u8> {
    let mut request = empty();
    // SAFETY: the request outlives the calls, and is large enough for IFNAMSIZ bytes; the
    // kernel terminates the name.
    unsafe {
        let found = match socket {
            Some(socket) => {
                request.ifr_ifru.ifru_ifindex = index;
                libc::ioctl(socket, libc::SIOCGIFNAME as _, &raw mut request) == 0
            }
            None => !libc::if_indextoname(index as u32, request.ifr_name.as_mut_ptr()).is_null(),
        };
        if found {
            CStr::from_ptr(request.ifr_name.as_ptr())
                .to_bytes()
                .to_vec()
        } else {
            Vec::new()
        }
    }
}

fn empty() -> ifreq {
    // SAFETY: a C structure for which all zeros are valid.
    unsafe { std::mem::zeroed() }
}
