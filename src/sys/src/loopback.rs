//! What every system has to do alike, on loopback.

use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::descriptor::{self, PAIR};
use crate::io::{self, Interest, PollSet, Wake};
use crate::lookup::{self, Hints};
use crate::system::{NO_SIGNAL, borrow};
use crate::{
    Errno, OwnedFd, Region, Result, SockAddr, SocketSpec, Timeout, c, databases, keepalive, option,
    readiness,
};

const STREAM: SocketSpec = SocketSpec {
    family: c::AF_INET,
    kind: c::SOCK_STREAM,
    protocol: 0,
};
const DATAGRAM: SocketSpec = SocketSpec {
    kind: c::SOCK_DGRAM,
    ..STREAM
};
/// Longer than anything takes that comes at all.
const LONG: Timeout = Timeout::after(Duration::from_secs(30));

/// The same kind in IPv4, and in IPv6 where this machine has it on loopback.
fn families(spec: SocketSpec) -> Vec<SocketSpec> {
    let v6 = SocketSpec {
        family: c::AF_INET6,
        ..spec
    };
    let has_v6 = descriptor::open(v6, false).is_ok_and(|fd| {
        let address = SockAddr::internet(Ipv6Addr::LOCALHOST.into(), 0);
        descriptor::bind(borrow(&fd), &address).is_ok()
    });
    [spec].into_iter().chain(has_v6.then_some(v6)).collect()
}

fn reading(bytes: &[u8]) -> Region<'_> {
    // SAFETY: the memory is only given to calls that send.
    unsafe { Region::new(bytes.as_ptr().cast_mut(), bytes.len()) }
}

fn receive(fd: &OwnedFd, most: usize) -> Result<Vec<u8>> {
    let mut memory = vec![0; most];
    // SAFETY: memory of our own.
    let region = unsafe { Region::new(memory.as_mut_ptr(), memory.len()) };
    let count = io::recv(borrow(fd), region, 0)?;
    memory.truncate(count);
    Ok(memory)
}

/// A socket that has an address on loopback, and that address.
fn bound(spec: SocketSpec) -> (OwnedFd, SockAddr) {
    let host: IpAddr = if spec.family == c::AF_INET {
        Ipv4Addr::LOCALHOST.into()
    } else {
        Ipv6Addr::LOCALHOST.into()
    };
    let fd = descriptor::open(spec, false).expect("a socket");
    descriptor::bind(borrow(&fd), &SockAddr::internet(host, 0)).expect("a port");
    let address = descriptor::local_address(borrow(&fd)).expect("an address");
    assert_eq!(address.ip(), Some(host));
    assert_ne!(address.port(), 0);
    (fd, address)
}

#[test]
#[cfg_attr(miri, ignore = "makes sockets")]
fn streams_are_accepted_and_end() {
    for spec in families(STREAM) {
        let (listener, address) = bound(spec);
        descriptor::listen(borrow(&listener), 1).expect("it listens");
        let client = descriptor::open(spec, false).expect("a socket");
        io::connect(borrow(&client), &address).expect("a connection");
        let (server, peer) = io::accept(borrow(&listener), false, true).expect("a connection");
        assert!(peer == descriptor::local_address(borrow(&client)).expect("an address"));
        assert!(address == descriptor::peer_address(borrow(&client)).expect("an address"));
        assert_eq!(descriptor::is_inheritable(borrow(&server)), Ok(false));

        assert_eq!(io::send(borrow(&client), reading(b"request"), 0), Ok(7));
        assert_eq!(receive(&server, 64).as_deref(), Ok(&b"request"[..]));
        // 1 ends the direction to the peer, on every system.
        descriptor::shutdown(borrow(&client), 1).expect("an end");
        assert_eq!(receive(&server, 64).as_deref(), Ok(&b""[..]));
        assert!(io::send(borrow(&client), reading(b"more"), NO_SIGNAL).is_err());
        assert_eq!(io::send(borrow(&server), reading(b"answer"), 0), Ok(6));
        assert_eq!(receive(&client, 3).as_deref(), Ok(&b"ans"[..]));
        assert_eq!(receive(&client, 64).as_deref(), Ok(&b"wer"[..]));
        assert_eq!(descriptor::close(server), Ok(()));
        assert_eq!(receive(&client, 64).as_deref(), Ok(&b""[..]));
    }
}

#[test]
#[cfg_attr(miri, ignore = "makes sockets")]
fn datagrams_have_senders() {
    for spec in families(DATAGRAM) {
        let ((one, from), (two, to)) = (bound(spec), bound(spec));
        for text in [&b"datagram"[..], b""] {
            assert_eq!(
                io::sendto(borrow(&one), reading(text), 0, &to),
                Ok(text.len())
            );
            let mut memory = [0; 64];
            // SAFETY: memory of our own.
            let region = unsafe { Region::new(memory.as_mut_ptr(), memory.len()) };
            let mut sender = SockAddr::empty();
            let count = io::recvfrom(borrow(&two), region, 0, &mut sender);
            assert_eq!(count, Ok(text.len()));
            assert_eq!(&memory[..text.len()], text);
            assert!(sender == from);
        }
        assert_eq!(
            descriptor::peer_address(borrow(&one)).err(),
            Some(Errno::NOTCONN)
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "makes sockets")]
fn nothing_waits_in_non_blocking_mode() {
    let (listener, address) = bound(STREAM);
    descriptor::listen(borrow(&listener), 1).expect("it listens");
    descriptor::set_nonblocking(borrow(&listener), true).expect("it is open");
    let none = io::accept(borrow(&listener), false, true);
    assert!(none.is_err_and(Errno::is_would_block));

    let client = descriptor::open(STREAM, true).expect("a socket");
    match io::connect(borrow(&client), &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => panic!("{error:?}"),
    }
    for (fd, interest) in [(&client, Interest::Write), (&listener, Interest::Read)] {
        assert_eq!(io::poll(borrow(fd), interest, LONG), Ok(Wake::Ready));
    }
    assert_eq!(io::pending_error(borrow(&client)), Ok(None));
    // The mode of the socket that listens is not that of the one accepted.
    for nonblocking in [true, false] {
        let client = descriptor::open(STREAM, false).expect("a socket");
        if !nonblocking {
            io::connect(borrow(&client), &address).expect("a connection");
        }
        assert_eq!(
            io::poll(borrow(&listener), Interest::Read, LONG),
            Ok(Wake::Ready)
        );
        let (server, _) = io::accept(borrow(&listener), nonblocking, true).expect("a connection");
        if nonblocking {
            assert_eq!(
                receive(&server, 1).err().map(Errno::is_would_block),
                Some(true)
            );
            descriptor::ensure_nonblocking(borrow(&server)).expect("it is open");
            descriptor::set_nonblocking(borrow(&server), false).expect("it is open");
        } else {
            assert_eq!(io::send(borrow(&client), reading(b"late"), 0), Ok(4));
            assert_eq!(receive(&server, 4).as_deref(), Ok(&b"late"[..]));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "makes sockets")]
fn a_refused_connection_is_ready_and_has_its_error() {
    // Nobody else gets the port while this socket has it, which does not listen.
    let (_silent, address) = bound(STREAM);
    let client = descriptor::open(STREAM, true).expect("a socket");
    let refused = match io::connect(borrow(&client), &address) {
        Err(Errno::INPROGRESS) => {
            let ready = io::poll(borrow(&client), Interest::Write, LONG);
            assert_eq!(ready, Ok(Wake::Ready));
            io::pending_error(borrow(&client)).expect("it is open")
        }
        result => result.err(),
    };
    assert_eq!(refused, Some(Errno::new(c::ECONNREFUSED)));
}

#[test]
#[cfg_attr(miri, ignore = "makes sockets")]
fn waits_end_with_what_is_ready_or_with_the_time() {
    let (one, two) = descriptor::open_pair(PAIR, false).expect("a pair");
    let began = Instant::now();
    let short = Timeout::after(Duration::from_millis(20));
    assert_eq!(
        io::poll(borrow(&one), Interest::Read, short),
        Ok(Wake::Expired)
    );
    assert!(began.elapsed() >= Duration::from_millis(15));
    assert_eq!(
        io::poll(borrow(&one), Interest::Write, LONG),
        Ok(Wake::Ready)
    );

    let mut set = PollSet::new(Interest::Read);
    set.push(borrow(&one));
    set.push(borrow(&two));
    assert_eq!(set.wait(Timeout::ZERO), Ok(vec![false, false]));
    assert_eq!(io::send(borrow(&one), reading(b"x"), 0), Ok(1));
    assert_eq!(set.wait(LONG), Ok(vec![false, true]));
    assert_eq!(readiness::poll(&[], Timeout::ZERO), Ok(vec![]));
}

#[test]
#[cfg_attr(miri, ignore = "makes sockets")]
fn options_are_set_and_told() {
    let socket = descriptor::open(STREAM, false).expect("a socket");
    let fd = borrow(&socket);
    assert_eq!(
        option::get::<i32>(fd, c::SOL_SOCKET, c::SO_TYPE),
        Ok(c::SOCK_STREAM)
    );
    assert_eq!(descriptor::kind(fd), Ok(c::SOCK_STREAM));
    assert_eq!(option::put(fd, c::SOL_SOCKET, c::SO_KEEPALIVE, 1), Ok(()));
    assert_eq!(keepalive::is_on(fd), Ok(true));
    let off = 0_i32.to_ne_bytes();
    assert_eq!(
        option::set_bytes(fd, c::SOL_SOCKET, c::SO_KEEPALIVE, reading(&off)),
        Ok(())
    );
    let mut value = [1; 4];
    let len = option::get_bytes(fd, c::SOL_SOCKET, c::SO_KEEPALIVE, &mut value);
    assert!(matches!(len, Ok(1..=4)), "{len:?}");
    assert_eq!(value[0], 0);
    let unknown = option::get::<i32>(fd, c::SOL_SOCKET, 0x7eee);
    assert_eq!(unknown, Err(Errno::NOPROTOOPT));
    assert_eq!(descriptor::lingers(fd), Ok(false));

    let settings = keepalive::Keepalive::new(60, 10, 6);
    let set = keepalive::set(fd, settings);
    // Wine lacks these options, as Windows did before version 1709.
    assert!(set.is_ok() || cfg!(windows) && set == Err(Errno::NOPROTOOPT));
    assert_eq!(keepalive::is_on(fd), Ok(set.is_ok()));
    assert_eq!(keepalive::set(fd, None), Ok(()));
    assert_eq!(keepalive::is_on(fd), Ok(false));
}

#[test]
#[cfg_attr(miri, ignore = "asks the C library")]
fn numeric_hosts_are_looked_up_without_a_network() {
    let hints = Hints {
        kind: c::SOCK_STREAM,
        flags: c::AI_NUMERICHOST,
        ..Hints::default()
    };
    for (text, family) in [(c"127.0.0.1", c::AF_INET), (c"::1", c::AF_INET6)] {
        let found = lookup::addresses(Some(text), Some(c"80"), hints).expect("an answer");
        let [entry] = &found[..] else {
            panic!("{} entries", found.len());
        };
        assert_eq!((entry.family, entry.kind), (family, c::SOCK_STREAM));
        assert_eq!(entry.address.port(), 80);
        // NI_NUMERICHOST and NI_NUMERICSERV
        let flags = c::NI_NUMERICHOST | c::NI_NUMERICSERV;
        let (host, service) = lookup::names(&entry.address, flags).expect("names");
        assert_eq!((host.as_c_str(), service.as_c_str()), (text, c"80"));
        let packed = lookup::packed(family, text).expect("a family with text");
        let packed = packed.expect("an address");
        assert_eq!(entry.address.ip().map(octets).as_deref(), Some(&packed[..]));
    }
    assert!(lookup::addresses(Some(c"no number"), None, hints).is_err());
    assert!(matches!(lookup::packed(c::AF_INET, c"127.0.0"), Ok(None)));
    assert_eq!(
        lookup::packed(99, c"127.0.0.1").err(),
        Some(Errno::AFNOSUPPORT)
    );
    for (text, address) in [
        (c"127.1", Some([127, 0, 0, 1])),
        (c"255.255.255.255", Some([255; 4])),
        (c"0x7f.0.0.1", Some([127, 0, 0, 1])),
        (c"256.0.0.1", None),
        (c" ", None),
        (c"", None),
    ] {
        assert_eq!(lookup::loose_v4(text), address, "{text:?}");
    }
}

fn octets(host: IpAddr) -> Vec<u8> {
    match host {
        IpAddr::V4(host) => host.octets().to_vec(),
        IpAddr::V6(host) => host.octets().to_vec(),
    }
}

#[test]
#[cfg_attr(miri, ignore = "asks the C library")]
fn databases_know_protocols_services_and_this_machine() {
    // Small systems do not have them all.
    let has = |database| cfg!(windows) || Path::new(database).exists();
    if has("/etc/protocols") {
        assert_eq!(databases::protocol_number(c"tcp"), Some(c::IPPROTO_TCP));
    }
    if has("/etc/services") {
        assert_eq!(databases::service_port(c"http", Some(c"tcp")), Some(80));
        let name = databases::service_name(80, Some(c"tcp"));
        assert_eq!(name.as_deref(), Some(c"http"));
    }
    assert_eq!(databases::protocol_number(c"none such"), None);
    assert_eq!(databases::service_port(c"none such", None), None);
    let host = databases::host_by_name(c"127.0.0.1").expect("an entry");
    assert_eq!(
        (host.family, &host.addresses[..]),
        (c::AF_INET, &[vec![127, 0, 0, 1]][..])
    );
    // No part of a name may be that long, which nobody else need be asked.
    let none = CString::new("x".repeat(100)).expect("no null");
    assert!(databases::host_by_name(&none).is_err());
}
