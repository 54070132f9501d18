//! What holds for any input of the parsers, for the fuzz targets and for `cargo test`, which tries
//! fewer inputs on any toolchain. Each panics where it does not hold.

use std::ffi::CStr;
use std::net::IpAddr;

use oxisock_sys::ancillary::{Control, LIMIT, Messages, length, space};
use oxisock_sys::hosts_file::Hosts;
use oxisock_sys::numeric;

/// Control messages: every one is inside the buffer, the walk ends, and messages that are built of
/// what was read are read again as what they were.
pub(crate) fn ancillary(bytes: &[u8]) {
    let header = length(0).expect("no data are not too many");
    let mut copy = Control::new();
    let mut complete = Vec::new();
    let mut read = 0;
    let mut over = false;
    for message in Messages::new(bytes) {
        assert!(
            !over,
            "something behind a message that was cut or malformed"
        );
        let Ok(message) = message else {
            over = true;
            continue;
        };
        read += header + message.data.len();
        assert!(read <= bytes.len(), "more messages than bytes");
        let range = bytes.as_ptr_range();
        assert!(message.data.is_empty() || range.contains(&message.data.as_ptr()));
        if message.complete {
            let room = copy.message(message.level, message.kind, message.data.len());
            room.expect("it was in memory already")
                .copy_from_slice(message.data);
            complete.push((message.level, message.kind, message.data.to_vec()));
        }
        over = !message.complete;
    }
    let again = copy.messages().map(|message| {
        let message = message.expect("we built it");
        assert!(message.complete);
        (message.level, message.kind, message.data.to_vec())
    });
    assert_eq!(again.collect::<Vec<_>>(), complete);
    #[cfg(not(miri))]
    c_library_agrees(bytes);
}

/// What cmsg(3) finds is what we find first; it may give up earlier.
#[cfg(not(miri))]
fn c_library_agrees(bytes: &[u8]) {
    // Aligned as the C library wants it.
    let mut words = vec![0u64; bytes.len().div_ceil(8)];
    // SAFETY: the words cover the bytes. The macros stay within the length of the buffer.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), words.as_mut_ptr().cast(), bytes.len());
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_control = words.as_mut_ptr().cast();
        header.msg_controllen = bytes.len() as _;
        let mut ours = Messages::new(bytes);
        let mut theirs = libc::CMSG_FIRSTHDR(&header);
        while let Some(message) = theirs.as_ref() {
            // One that is cut is for each to see in its own way.
            let Some(Ok(found)) = ours.next() else { break };
            assert_eq!(
                (found.level, found.kind),
                (message.cmsg_level, message.cmsg_type)
            );
            if !found.complete {
                break;
            }
            theirs = libc::CMSG_NXTHDR(&header, theirs);
        }
    }
}

/// The sizes of control messages: as the C library has them, up to the limit.
pub(crate) fn sizes(data: usize) {
    if let Some(length) = length(data) {
        // SAFETY: only computes.
        let expected = unsafe { libc::CMSG_LEN(data as u32) };
        assert_eq!(length, expected as usize);
        assert!(length <= LIMIT);
    }
    if let Some(space) = space(data) {
        // SAFETY: only computes.
        let expected = unsafe { libc::CMSG_SPACE(data as u32) };
        assert_eq!(space, expected as usize);
        assert!(space <= LIMIT && Some(space) >= length(data));
    }
}

/// A hosts file: the names of a line are found, whatever else the file has.
pub(crate) fn hosts_file(text: &[u8]) {
    let hosts = Hosts::parse(text);
    for line in text.split(|byte| *byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else {
            continue;
        };
        let entry = line.split('#').next().unwrap_or_default();
        let mut words = entry.split_ascii_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else {
            continue;
        };
        assert!(hosts.has_address(address));
        let (own, other) = match address {
            IpAddr::V4(_) => (libc::AF_INET, libc::AF_INET6),
            IpAddr::V6(_) => (libc::AF_INET6, libc::AF_INET),
        };
        for name in words {
            assert!(hosts.has_name(name.as_bytes(), own));
            assert!(hosts.has_name(name.to_ascii_uppercase().as_bytes(), libc::AF_UNSPEC));
            // Only another line can have given it that.
            if hosts.has_name(name.as_bytes(), other) {
                assert!(text.split(|byte| *byte == b'\n').count() > 1);
            }
        }
    }
    assert!(!hosts.has_name(b"", libc::AF_UNSPEC));
}

/// A numeric host: what we read is what the C library reads, and what we write what it writes.
pub(crate) fn numeric_host(bytes: &[u8]) {
    let mut terminated: Vec<u8> = bytes
        .iter()
        .copied()
        .take_while(|byte| *byte != 0)
        .collect();
    terminated.push(0);
    let name = CStr::from_bytes_with_nul(&terminated).expect("one zero, at the end");
    let host = numeric::host(name, libc::AF_UNSPEC);
    if let Some(host) = host {
        assert!(cfg!(miri) || numeric::is_number(name));
        let (own, other) = match host {
            IpAddr::V4(_) => (libc::AF_INET, libc::AF_INET6),
            IpAddr::V6(_) => (libc::AF_INET6, libc::AF_INET),
        };
        assert_eq!(numeric::host(name, own), Some(host));
        assert_eq!(numeric::host(name, other), None);
        numeric_text(host);
    }
    #[cfg(not(miri))]
    {
        use oxisock_sys::lookup::{Hints, addresses, packed};
        for (family, own) in [(libc::AF_INET, 4), (libc::AF_INET6, 16)] {
            let expected = packed(family, name).expect("the families have text");
            let found = numeric::host(name, family).map(octets);
            if let Some(found) = &found {
                assert_eq!(found.len(), own);
                assert_eq!(expected.as_deref(), Some(&found[..]), "{name:?}");
            }
        }
        let hints = Hints {
            kind: libc::SOCK_STREAM,
            flags: libc::AI_NUMERICHOST,
            ..Hints::default()
        };
        if let Ok(entries) = addresses(Some(name), None, hints) {
            // A number that a lookup takes must never be sent to a name server.
            assert!(numeric::is_number(name), "{name:?}");
            if let Some(host) = host {
                assert_eq!(entries[0].address.ip(), Some(host), "{name:?}");
            }
        }
    }
}

/// The text of an address is read as that address, and is the C library's.
pub(crate) fn numeric_text(host: IpAddr) {
    let text = numeric::text(host);
    assert_eq!(text.parse::<IpAddr>(), Ok(host));
    #[cfg(not(miri))]
    {
        unsafe extern "C" {
            fn inet_ntop(
                family: libc::c_int,
                address: *const libc::c_void,
                text: *mut libc::c_char,
                len: libc::socklen_t,
            ) -> *const libc::c_char;
        }
        let family = if host.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        };
        let mut expected = [0 as libc::c_char; 64];
        // SAFETY: the address is as long as its family's are, and the buffer as long as it says.
        let expected = unsafe {
            let found = inet_ntop(
                family,
                octets(host).as_ptr().cast(),
                expected.as_mut_ptr(),
                expected.len() as libc::socklen_t,
            );
            assert!(!found.is_null());
            CStr::from_ptr(found)
        };
        assert_eq!(expected.to_bytes(), text.as_bytes());
    }
}

#[cfg(not(miri))]
fn octets(host: IpAddr) -> Vec<u8> {
    match host {
        IpAddr::V4(host) => host.octets().to_vec(),
        IpAddr::V6(host) => host.octets().to_vec(),
    }
}
