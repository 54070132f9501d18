//! Host and service lookup through the C library, getaddrinfo(3), getnameinfo(3), and
//! numeric addresses as it reads them, inet(3).

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr;

use super::c::{self, addrinfo, c_char, c_int};
use super::{Errno, Result, SockAddr, system};

/// Why a lookup failed.
#[derive(Debug, Clone, Copy)]
pub enum Failure {
    /// An `EAI_*` code.
    Code(i32),
    /// `EAI_SYSTEM`: the error behind it.
    Os(Errno),
}

impl Failure {
    pub fn from_code(code: c_int) -> Self {
        if Some(code) == system::EAI_SYSTEM {
            Failure::Os(Errno::last())
        } else {
            Failure::Code(code)
        }
    }
}

/// What the system says about an `EAI_*` code, gai_strerror(3).
pub fn error_text(code: i32) -> String {
    system::lookup_error_text(code)
}

/// What it says about the code of a failed call of the host database, hstrerror(3).
pub fn host_error_text(code: i32) -> String {
    system::host_error_text(code)
}

/// One entry of an answer.
#[derive(Clone)]
pub struct Entry {
    pub family: i32,
    pub kind: i32,
    pub protocol: i32,
    pub canonical: Option<CString>,
    pub address: SockAddr,
}

/// What is asked for; zeros mean "any".
#[derive(Clone, Copy, Default)]
pub struct Hints {
    pub family: i32,
    pub kind: i32,
    pub protocol: i32,
    pub flags: i32,
}

/// The service of a lookup.
#[derive(Clone)]
pub enum Service {
    None,
    Port(u16),
    /// A name, or digits that are no port.
    Name(CString),
}

impl Service {
    pub fn into_text(self) -> Option<CString> {
        match self {
            Service::None => None,
            Service::Port(port) => CString::new(port.to_string()).ok(),
            Service::Name(name) => Some(name),
        }
    }
}

/// Asks for the addresses of a host and a service. May block for long.
pub fn addresses(
    host: Option<&CStr>,
    service: Option<&CStr>,
    hints: Hints,
) -> Result<Vec<Entry>, Failure> {
    // SAFETY: all-zero bytes are a valid addrinfo; the strings are terminated and outlive
    // the call; the list is walked once and freed once, behind its last use.
    unsafe {
        let mut request = MaybeUninit::<addrinfo>::zeroed().assume_init();
        request.ai_family = hints.family;
        request.ai_socktype = hints.kind;
        request.ai_protocol = hints.protocol;
        request.ai_flags = hints.flags;
        let mut head = ptr::null_mut();
        let code = c::getaddrinfo(
            host.map_or(ptr::null(), CStr::as_ptr),
            service.map_or(ptr::null(), CStr::as_ptr),
            &request,
            &mut head,
        );
        if code != 0 {
            return Err(Failure::from_code(code));
        }
        let mut entries = Vec::new();
        let mut next = head;
        while let Some(entry) = next.as_ref() {
            let bytes = std::slice::from_raw_parts(entry.ai_addr.cast(), entry.ai_addrlen as usize);
            if let Some(address) = SockAddr::from_bytes(bytes) {
                entries.push(Entry {
                    family: entry.ai_family,
                    kind: entry.ai_socktype,
                    protocol: entry.ai_protocol,
                    canonical: (!entry.ai_canonname.is_null())
                        .then(|| CStr::from_ptr(entry.ai_canonname).to_owned()),
                    address,
                });
            }
            next = entry.ai_next;
        }
        c::freeaddrinfo(head);
        Ok(entries)
    }
}

/// The names of an address's host and service. May block for long.
pub fn names(address: &SockAddr, flags: i32) -> Result<(CString, CString), Failure> {
    let mut host = [0 as c_char; c::NI_MAXHOST as usize];
    let mut service = [0 as c_char; 32];
    // SAFETY: the address and both buffers are valid for their lengths, and the buffers are
    // terminated when the call succeeds.
    unsafe {
        let code = c::getnameinfo(
            address.as_ptr(),
            address.len() as c::socklen_t,
            host.as_mut_ptr(),
            host.len() as _,
            service.as_mut_ptr(),
            service.len() as _,
            flags,
        );
        if code != 0 {
            return Err(Failure::from_code(code));
        }
        Ok((
            CStr::from_ptr(host.as_ptr()).to_owned(),
            CStr::from_ptr(service.as_ptr()).to_owned(),
        ))
    }
}

/// An IPv4 address in any of the forms that inet_aton(3) takes, as it goes over the wire.
pub fn loose_v4(text: &CStr) -> Option<[u8; 4]> {
    let mut address = c::in_addr { s_addr: 0 };
    // SAFETY: the text is terminated and the address writable.
    let found = unsafe { c::inet_aton(text.as_ptr(), &mut address) != 0 };
    found.then(|| address.s_addr.to_ne_bytes())
}

/// An address as it goes over the wire, inet_pton(3); none where the text is no address.
///
/// # Errors
/// `EAFNOSUPPORT`: the family's addresses have no text.
pub fn packed(family: i32, text: &CStr) -> Result<Option<Packed>> {
    let mut address = [0; 16];
    // SAFETY: the text is terminated and the buffer as large as the largest address.
    match unsafe { c::inet_pton(family, text.as_ptr(), address.as_mut_ptr().cast()) } {
        -1 => Err(Errno::last()),
        0 => Ok(None),
        _ => Ok(Some(Packed {
            address,
            len: if family == c::AF_INET { 4 } else { 16 },
        })),
    }
}

/// The bytes of an IPv4 or IPv6 address.
pub struct Packed {
    address: [u8; 16],
    len: usize,
}

impl Deref for Packed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.address[..self.len]
    }
}
