//! Batches of datagrams by the system's own calls: recvmmsg(2), sendmmsg(2), and buffers that the
//! kernel cuts and joins, udp(7). Linux alone has all of them.

use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::ptr;
use std::time::{Duration, Instant};

use libc::{c_int, c_uint, iovec, mmsghdr, msghdr};

use super::{Address, check, check_size};

/// Room for each datagram that is received by the batch, and for one that the kernel has joined.
const ROOM: usize = 2048;
const JOINED: usize = 1 << 16;

/// What is timed; what the other end does meanwhile is not.
#[derive(Clone, Copy)]
enum Kind {
    /// recvmmsg(2), with the senders' addresses or without.
    Receive { named: bool },
    /// One datagram by recvfrom(2), and a second call that finds nothing.
    ReceiveOne,
    /// sendmmsg(2), to the receiver's address or to the connected peer.
    Send { named: bool },
    /// sendmsg(2) with UDP_SEGMENT.
    Cut,
    /// recv(2) of what UDP_GRO has joined.
    Joined,
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "recvmmsg" => Kind::Receive { named: false },
            "recvmmsg-from" => Kind::Receive { named: true },
            "recvfrom-one" => Kind::ReceiveOne,
            "sendmmsg" => Kind::Send { named: false },
            "sendmmsg-to" => Kind::Send { named: true },
            "cut" => Kind::Cut,
            "joined" => Kind::Joined,
            _ => return None,
        })
    }
}

/// Headers of that many messages, and the memory that they name.
struct Messages {
    headers: Vec<mmsghdr>,
    /// What the headers point to.
    _pieces: Vec<iovec>,
    addresses: Vec<Address>,
    _memory: Vec<u8>,
}

impl Messages {
    fn new(count: usize, size: usize, address: Option<Address>) -> Self {
        let mut memory = vec![0_u8; count * size];
        let start = memory.as_mut_ptr();
        let mut pieces: Vec<iovec> = (0..count)
            .map(|index| iovec {
                iov_base: start.wrapping_add(index * size).cast(),
                iov_len: size,
            })
            .collect();
        let mut addresses: Vec<Address> = address.into_iter().cycle().take(count).collect();
        let headers = (0..count)
            .map(|index| {
                // SAFETY: all zeros are a valid header.
                let mut header: mmsghdr = unsafe { mem::zeroed() };
                header.msg_hdr.msg_iov = &raw mut pieces[index];
                header.msg_hdr.msg_iovlen = 1;
                if let Some(address) = addresses.get_mut(index) {
                    header.msg_hdr.msg_name = address.as_mut_ptr().cast();
                    header.msg_hdr.msg_namelen = address.length;
                }
                header
            })
            .collect();
        Messages {
            headers,
            _pieces: pieces,
            addresses,
            _memory: memory,
        }
    }

    /// Makes room for all the addresses again.
    fn reset(&mut self, used: usize) {
        for (header, address) in self.headers.iter_mut().zip(&self.addresses).take(used) {
            header.msg_hdr.msg_namelen = address.length;
        }
    }

    fn send(&mut self, fd: RawFd) -> io::Result<()> {
        let (start, count) = (self.headers.as_mut_ptr(), self.headers.len());
        // SAFETY: that many headers are there, and name memory of this structure.
        let sent = check(unsafe { libc::sendmmsg(fd, start, count as c_uint, 0) })?;
        expect(sent as usize, count)
    }

    fn receive(&mut self, fd: RawFd, count: usize) -> io::Result<()> {
        let (start, room) = (self.headers.as_mut_ptr(), self.headers.len());
        let flags = libc::MSG_DONTWAIT | libc::MSG_WAITFORONE;
        // SAFETY: as above.
        let got =
            check(unsafe { libc::recvmmsg(fd, start, room as c_uint, flags, ptr::null_mut()) })?;
        self.reset(got as usize);
        expect(got as usize, count)
    }
}

fn expect(got: usize, wanted: usize) -> io::Result<()> {
    if got == wanted {
        Ok(())
    } else {
        Err(io::Error::other(format!("{got} datagrams, not {wanted}")))
    }
}

/// A buffer that goes in one call and is cut by the kernel.
struct Cut {
    header: msghdr,
    _piece: Box<iovec>,
    _control: Box<[u64; 3]>,
    _memory: Vec<u8>,
}

impl Cut {
    fn new(count: usize, size: u16) -> Self {
        let mut memory = vec![0_u8; count * usize::from(size)];
        let mut piece = Box::new(iovec {
            iov_base: memory.as_mut_ptr().cast(),
            iov_len: memory.len(),
        });
        let mut control = Box::new([0_u64; 3]);
        // SAFETY: all zeros are a valid header.
        let mut header: msghdr = unsafe { mem::zeroed() };
        header.msg_iov = &raw mut *piece;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = mem::size_of_val(&*control);
        // SAFETY: the control data have room for one message of a number, and are aligned.
        unsafe {
            let message = libc::CMSG_FIRSTHDR(&raw const header);
            (*message).cmsg_level = libc::SOL_UDP;
            (*message).cmsg_type = libc::UDP_SEGMENT;
            (*message).cmsg_len = libc::CMSG_LEN(mem::size_of::<u16>() as c_uint) as usize;
            libc::CMSG_DATA(message).cast::<u16>().write_unaligned(size);
        }
        Cut {
            header,
            _piece: piece,
            _control: control,
            _memory: memory,
        }
    }

    fn send(&self, fd: RawFd) -> io::Result<()> {
        // SAFETY: the header names memory of this structure.
        check_size(unsafe { libc::sendmsg(fd, &raw const self.header, 0) }).map(drop)
    }
}

fn take(fd: RawFd, memory: &mut [u8], flags: c_int) -> io::Result<usize> {
    // SAFETY: the memory is writable.
    check_size(unsafe { libc::recv(fd, memory.as_mut_ptr().cast(), memory.len(), flags) })
}

/// Takes what is there, without waiting.
fn drain(fd: RawFd, memory: &mut [u8]) -> io::Result<()> {
    loop {
        match take(fd, memory, libc::MSG_DONTWAIT) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// One recvfrom(2) of one datagram, and one that finds none.
fn receive_one(fd: RawFd, memory: &mut [u8]) -> io::Result<()> {
    for there in [true, false] {
        let mut from = Address::empty();
        // SAFETY: the memory and the address are writable.
        let got = check_size(unsafe {
            let (data, len) = (memory.as_mut_ptr().cast(), memory.len());
            let (address, room) = (from.as_mut_ptr(), &raw mut from.length);
            libc::recvfrom(fd, data, len, libc::MSG_DONTWAIT, address, room)
        });
        match got {
            Ok(_) if there => {}
            Err(error) if !there && error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(_) => return expect(2, 1),
        }
    }
    Ok(())
}

/// Sends and receives batches so often, and gives the time that the calls of that kind took, or
/// None for an unknown one.
pub(super) fn repeat(
    kind: &str,
    sender: RawFd,
    receiver: RawFd,
    (count, size): (usize, u16),
    rounds: u64,
) -> Option<io::Result<Duration>> {
    let kind = Kind::parse(kind)?;
    Some(timed(kind, sender, receiver, (count, size), rounds))
}

fn timed(
    kind: Kind,
    sender: RawFd,
    receiver: RawFd,
    (count, size): (usize, u16),
    rounds: u64,
) -> io::Result<Duration> {
    let to = match kind {
        Kind::Send { named: true } => Some(Address::of(receiver)?),
        _ => None,
    };
    let (named, room) = match kind {
        Kind::Receive { named } => (named, if named { ROOM } else { size.into() }),
        _ => (false, ROOM),
    };
    let mut outgoing = Messages::new(count, size.into(), to);
    let mut incoming = Messages::new(count, room, named.then(Address::empty));
    let cut = Cut::new(count, size);
    let mut memory = vec![0_u8; JOINED];
    let mut elapsed = Duration::ZERO;
    for _ in 0..rounds {
        match kind {
            Kind::Receive { .. } | Kind::ReceiveOne => outgoing.send(sender)?,
            Kind::Joined => cut.send(sender)?,
            Kind::Send { .. } | Kind::Cut => {}
        }
        let start = Instant::now();
        match kind {
            Kind::Receive { .. } => incoming.receive(receiver, count)?,
            Kind::ReceiveOne => receive_one(receiver, &mut memory[..ROOM])?,
            Kind::Send { .. } => outgoing.send(sender)?,
            Kind::Cut => cut.send(sender)?,
            Kind::Joined => {
                let mut left = count * usize::from(size);
                while left > 0 {
                    left = left.saturating_sub(take(receiver, &mut memory, 0)?);
                }
            }
        }
        elapsed += start.elapsed();
        if matches!(kind, Kind::Send { .. } | Kind::Cut) {
            drain(receiver, &mut memory)?;
        }
    }
    Ok(elapsed)
}
