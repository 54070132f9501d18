//! Numeric hosts and ports, read and written without the C library, which opens files and makes
//! system calls even for these; inet(3), getaddrinfo(3).

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::sync::OnceLock;

use super::SockAddr;
use super::c::{self, AF_INET, AF_INET6, AF_UNSPEC, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE};
use super::lookup::{self, Entry, Hints, Service, loose_v4};

/// The host that numeric text stands for; none where it needs a lookup, as scope names
/// ('%eth0') and the old short forms of IPv4 ('127.1') do, and none of another family.
pub fn host(name: &CStr, family: i32) -> Option<IpAddr> {
    let host: IpAddr = name.to_str().ok()?.parse().ok()?;
    let own = if host.is_ipv4() { AF_INET } else { AF_INET6 };
    (family == own || family == AF_UNSPEC).then_some(host)
}

/// Whether a lookup takes the text for a number in one of its forms, those that [`host`] leaves
/// to the C library included.
pub fn is_number(name: &CStr) -> bool {
    let text = name.to_bytes();
    if text.contains(&b':') {
        let address = text.split(|byte| *byte == b'%').next().unwrap_or_default();
        return std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    }
    // Numbers before other text are taken by inet_aton but not by a lookup.
    !text.iter().any(u8::is_ascii_whitespace) && loose_v4(name).is_some()
}

/// The text of an address.
pub struct Text {
    // As much as the longest has: eight groups, or six and an IPv4 address.
    bytes: [u8; 45],
    len: usize,
}

/// An address as inet_ntop(3) writes it.
pub fn text(host: IpAddr) -> Text {
    let mut text = Text {
        bytes: [0; 45],
        len: 0,
    };
    match host {
        IpAddr::V4(host) => text.dotted(host),
        IpAddr::V6(host) => match host.segments() {
            // Rust's form differs for IPv4-compatible addresses.
            [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
                let [.., a, b, c, d] = host.octets();
                text.push(b"::");
                text.dotted(Ipv4Addr::new(a, b, c, d));
            }
            // There is room for every address.
            _ => write!(text, "{host}").unwrap_or_default(),
        },
    }
    text
}

impl Text {
    /// The dotted form, digit by digit: it is on the path of `recvfrom`.
    fn dotted(&mut self, host: Ipv4Addr) {
        for (index, octet) in host.octets().into_iter().enumerate() {
            if index > 0 {
                self.push(b".");
            }
            for (scale, least) in [(100, 100), (10, 10), (1, 0)] {
                if octet >= least {
                    self.push(&[b'0' + octet / scale % 10]);
                }
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > self.bytes.len() - self.len {
            return Err(fmt::Error);
        }
        self.push(text.as_bytes());
        Ok(())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// A socket type, and the protocol that it goes with.
#[derive(Clone, Copy)]
struct Transport {
    kind: i32,
    protocol: i32,
}

/// The transports in an answer for a numeric host, in their order; none where the C library
/// refuses the hints, or where too many others have been asked for.
///
/// Which there are, and which come where nothing is asked for, differs from one C library to
/// the next. So it is asked, once for each pair of a type and a protocol.
fn transports(kind: i32, protocol: i32, with_service: bool) -> Option<&'static [Transport]> {
    /// As many as a C library knows, with and without a service.
    const ROOM: usize = 64;
    type Answer = ((i32, i32, bool), Box<[Transport]>);
    static ANSWERS: [OnceLock<Answer>; ROOM] = [const { OnceLock::new() }; ROOM];

    let question = (kind, protocol, with_service);
    let ask = || {
        let hints = Hints {
            family: c::AF_INET,
            kind,
            protocol,
            flags: c::AI_NUMERICHOST | c::AI_NUMERICSERV,
        };
        let service = with_service.then_some(c"1");
        let entries = lookup::addresses(Some(c"127.0.0.1"), service, hints).ok()?;
        let transports = entries.iter().map(|entry| Transport {
            kind: entry.kind,
            protocol: entry.protocol,
        });
        Some((question, transports.collect()))
    };
    for place in &ANSWERS {
        if place.get().is_none() {
            // Where another thread comes first, its answer may be to another question.
            let _ = place.set(ask()?);
        }
        match place.get() {
            Some((known, transports)) if *known == question => return Some(transports),
            _ => {}
        }
    }
    None
}

/// The answer for a host and a port that need no lookup; none where the C library must be
/// asked, which includes everything that is an error.
pub fn addresses(host: Option<&CStr>, service: &Service, hints: Hints) -> Option<Vec<Entry>> {
    if hints.flags & !(AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV) != 0 {
        return None;
    }
    let (port, has_service) = match service {
        Service::None => (0, false),
        Service::Port(port) => (*port, true),
        Service::Name(_) => return None,
    };
    let host = match host {
        Some(name) => self::host(name, hints.family)?,
        None if has_service => own_host(hints)?,
        None => return None,
    };
    let address = SockAddr::internet(host, port);
    let entry = |transport: &Transport| Entry {
        family: if host.is_ipv4() { AF_INET } else { AF_INET6 },
        kind: transport.kind,
        protocol: transport.protocol,
        canonical: None,
        address,
    };
    let transports = transports(hints.kind, hints.protocol, has_service)?;
    Some(transports.iter().map(entry).collect())
}

/// The host that stands for no host: any of this machine's for servers, loopback otherwise.
/// Of two families the C library finds out which comes first.
fn own_host(hints: Hints) -> Option<IpAddr> {
    let passive = hints.flags & AI_PASSIVE != 0;
    match hints.family {
        AF_INET if passive => Some(Ipv4Addr::UNSPECIFIED.into()),
        AF_INET => Some(Ipv4Addr::LOCALHOST.into()),
        AF_INET6 if passive => Some(Ipv6Addr::UNSPECIFIED.into()),
        AF_INET6 => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::c::{SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};

    #[test]
    fn hosts_are_read_as_numbers_or_left_to_a_lookup() {
        let loopback = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        for (name, family, expected) in [
            (c"127.0.0.1", AF_UNSPEC, loopback),
            (c"127.0.0.1", AF_INET, loopback),
            (c"127.0.0.1", AF_INET6, None),
            (c"::1", AF_UNSPEC, Some(Ipv6Addr::LOCALHOST.into())),
            (c"::1", AF_INET, None),
            (c"127.1", AF_UNSPEC, None),
            (c"0177.0.0.1", AF_UNSPEC, None),
            (c"fe80::1%lo", AF_UNSPEC, None),
            (c"127.0.0.1 ", AF_UNSPEC, None),
            (c"localhost", AF_UNSPEC, None),
            (c"", AF_UNSPEC, None),
            (c"\xff", AF_UNSPEC, None),
        ] {
            assert_eq!(host(name, family), expected, "{name:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the C library")]
    fn numbers_in_other_forms_are_numbers() {
        for name in [
            c"127.1",
            c"0177.0.0.1",
            c"0x7f000001",
            c"fe80::1%lo",
            c"::1",
        ] {
            assert!(is_number(name), "{name:?}");
        }
        for name in [c"localhost", c"127.0.0.1 x", c"1:2", c"", c"256.0.0.1"] {
            assert!(!is_number(name), "{name:?}");
        }
    }

    #[test]
    fn addresses_are_written_as_inet_ntop_writes_them() {
        for text_ in [
            "0.0.0.0",
            "10.200.3.255",
            "::",
            "::1",
            "::1.2.3.4",
            "::ffff:1.2.3.4",
        ] {
            let host: IpAddr = text_.parse().expect("an address");
            assert_eq!(&*text(host), text_);
        }
        let longest = "1234:1234:1234:1234:1234:1234:1234:1234";
        assert_eq!(&*text(longest.parse().expect("an address")), longest);
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the C library")]
    fn lookups_are_answered_as_the_c_library_answers_them() {
        let kinds = [0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, c::SOCK_SEQPACKET, 99];
        let protocols = [0, c::IPPROTO_TCP, c::IPPROTO_UDP, c::IPPROTO_ICMP, 255];
        let mut answered = 0;
        for host in [None, Some(c"192.0.2.1"), Some(c"2001:db8::1")] {
            for service in [Service::None, Service::Port(80)] {
                for family in [AF_UNSPEC, AF_INET, AF_INET6] {
                    for kind in kinds {
                        for protocol in protocols {
                            for flags in [0, AI_PASSIVE, AI_NUMERICHOST | AI_NUMERICSERV] {
                                let hints = Hints {
                                    family,
                                    kind,
                                    protocol,
                                    flags,
                                };
                                let Some(ours) = addresses(host, &service, hints) else {
                                    continue;
                                };
                                answered += 1;
                                let port = service.clone().into_text();
                                let theirs = crate::lookup::addresses(host, port.as_deref(), hints);
                                let theirs = theirs.expect("an answer");
                                let parts = |entries: &[Entry]| {
                                    let part = |entry: &Entry| {
                                        let address = entry.address.as_bytes().to_vec();
                                        (entry.family, entry.kind, entry.protocol, address)
                                    };
                                    entries.iter().map(part).collect::<Vec<_>>()
                                };
                                assert_eq!(parts(&ours), parts(&theirs));
                            }
                        }
                    }
                }
            }
        }
        assert!(answered > 0);
    }
}
