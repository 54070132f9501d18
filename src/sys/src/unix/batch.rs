//! Several messages by one system call: recvmmsg(2) and sendmmsg(2). On systems without them the
//! same by a loop of recvmsg(2) and sendmsg(2).

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use crate::ancillary::Control;
use crate::message::IoVec;
use crate::{BorrowedFd, Region, Result, SockAddr, io, syscall};

/// The most messages of one call; the kernel takes up to `UIO_MAXIOV`, 1024. With more of them
/// a call takes no less time for each.
pub const LIMIT: usize = 64;

#[cfg(linux)]
use libc::mmsghdr;

/// What Linux has under this name.
#[cfg(not(linux))]
#[repr(C)]
#[derive(Clone, Copy)]
struct mmsghdr {
    msg_hdr: libc::msghdr,
    msg_len: libc::c_uint,
}

fn empty() -> mmsghdr {
    // SAFETY: all zeros are a valid header, of an empty message.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// One message that was received.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    /// The length, which is larger than the slot where the datagram was cut and the flags of the
    /// call asked for its true length.
    pub len: usize,
    /// `MSG_TRUNC` where it was cut.
    pub flags: i32,
    /// Empty where the sender has none.
    pub address: &'a SockAddr,
    /// Its ancillary data; none where no room was asked for.
    pub control: Option<&'a Control>,
}

/// Slots that datagrams are received into, each with room for its sender's address, and for
/// ancillary data where that is asked for.
///
/// Preparing them takes time in proportion to what was received before, not to their number.
pub struct Slots {
    headers: [mmsghdr; LIMIT],
    pieces: [IoVec; LIMIT],
    addresses: [SockAddr; LIMIT],
    controls: Vec<Control>,
    /// Room for ancillary data, in bytes for each slot.
    control_size: usize,
    /// What the headers are made for: memory, the length of each slot, and whether they ask for
    /// the senders' addresses.
    memory: (*mut u8, usize, bool),
    /// How many slots are made for it.
    made: usize,
    /// How many of them the last call has written to.
    used: usize,
}

// SAFETY: the pointers are into the slots themselves, or addresses that nobody follows but the
// system calls, whose caller says that they are valid.
unsafe impl Send for Slots {}

impl Slots {
    /// Boxed: the headers point into the slots, which must not move.
    pub fn new() -> Box<Self> {
        Box::new(Slots {
            headers: [empty(); LIMIT],
            pieces: [IoVec::EMPTY; LIMIT],
            addresses: [SockAddr::empty(); LIMIT],
            controls: Vec::new(),
            control_size: 0,
            memory: (ptr::null_mut(), 0, false),
            made: 0,
            used: 0,
        })
    }

    /// Gives `count` slots that much room for ancillary data; false where there is no memory.
    pub fn control(&mut self, size: usize, count: usize) -> bool {
        if self.control_size != size {
            self.controls.clear();
            self.control_size = size;
            self.made = 0;
        }
        while size > 0 && self.controls.len() < count.min(LIMIT) {
            let Some(control) = Control::with_capacity(size) else {
                return false;
            };
            self.controls.push(control);
            self.made = self.made.min(self.controls.len() - 1);
        }
        true
    }

    /// The descriptors that came with the last call's datagrams, whose owner is the caller now.
    pub fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        let controls = self.controls.iter_mut().take(self.used);
        controls.flat_map(Control::take_descriptors).collect()
    }

    /// Receives up to `count` datagrams into slots of `stride` bytes of the region, one behind
    /// the other, and returns how many there were, at least one. Without `named` their senders'
    /// addresses stay empty, which saves a tenth of the time.
    ///
    /// With `MSG_DONTWAIT` among the flags it does not wait. Without, it waits for the first one
    /// at the most.
    ///
    /// # Safety
    /// The region is writable.
    pub unsafe fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        region: Region<'_>,
        stride: usize,
        count: usize,
        named: bool,
        flags: i32,
    ) -> Result<usize> {
        let fit = region.len().checked_div(stride).unwrap_or(LIMIT);
        let count = count.min(LIMIT).min(fit);
        self.prepare(region, stride, count, named);
        self.used = 0;
        // SAFETY: the headers name memory of the region and of the slots, with their lengths.
        let received = unsafe { self.call(fd, count, flags) }?;
        self.used = received;
        Ok(received)
    }

    /// Receives one datagram by recvfrom(2), which takes less time than to receive a batch of one.
    /// Only where no ancillary data are asked for. Whether it was cut is told by its length, and
    /// thus only where the flags ask for the true one and the protocol knows it.
    ///
    /// # Safety
    /// The region is writable.
    pub unsafe fn receive_one(
        &mut self,
        fd: BorrowedFd<'_>,
        region: Region<'_>,
        named: bool,
        flags: i32,
    ) -> Result<usize> {
        debug_assert!(self.control_size == 0);
        self.used = 0;
        let sender = &mut self.addresses[0];
        let len = if named {
            io::recvfrom(fd, region, flags, sender)?
        } else {
            *sender = SockAddr::empty();
            io::recv(fd, region, flags)?
        };
        let header = &mut self.headers[0];
        header.msg_len = len as _;
        header.msg_hdr.msg_flags = if len > region.len() {
            libc::MSG_TRUNC
        } else {
            0
        };
        self.used = 1;
        Ok(1)
    }

    /// The datagrams of the last call.
    pub fn received(&self) -> impl Iterator<Item = Datagram<'_>> {
        let used = self.headers.iter().zip(&self.addresses).take(self.used);
        used.enumerate().map(|(index, (header, address))| Datagram {
            len: header.msg_len as usize,
            flags: header.msg_hdr.msg_flags,
            address,
            control: self.controls.get(index),
        })
    }

    fn prepare(&mut self, region: Region<'_>, stride: usize, count: usize, named: bool) {
        let memory = (region.as_ptr(), stride, named);
        if self.memory != memory {
            self.memory = memory;
            self.made = 0;
        }
        let room = if named { SockAddr::CAPACITY } else { 0 };
        for index in 0..self.used.min(self.made) {
            self.headers[index].msg_hdr.msg_namelen = room as _;
            self.prepare_control(index);
        }
        for index in self.made..count {
            self.pieces[index] = IoVec::new(region.as_ptr().wrapping_add(index * stride), stride);
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = if named {
                self.addresses[index].as_mut_ptr().cast()
            } else {
                ptr::null_mut()
            };
            header.msg_namelen = room as _;
            header.msg_iov = (&raw mut self.pieces[index]).cast();
            header.msg_iovlen = 1;
            self.prepare_control(index);
        }
        self.made = self.made.max(count);
    }

    fn prepare_control(&mut self, index: usize) {
        let control = self.controls.get_mut(index).map(Control::reset);
        let (start, len) = control.unwrap_or((ptr::null_mut(), 0));
        let header = &mut self.headers[index].msg_hdr;
        header.msg_control = start;
        header.msg_controllen = len as _;
    }

    /// # Safety
    /// The headers are prepared.
    #[cfg(linux)]
    unsafe fn call(&mut self, fd: BorrowedFd<'_>, count: usize, flags: i32) -> Result<usize> {
        // SAFETY: `count` headers are there. The call's own timeout is not used: it is only
        // looked at when a datagram arrives, recvmmsg(2), Bugs.
        unsafe {
            let received = syscall!(recvmmsg(
                fd.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count as libc::c_uint,
                (flags | libc::MSG_WAITFORONE) as _,
                ptr::null_mut()
            ))? as usize;
            self.note(received);
            Ok(received)
        }
    }

    /// # Safety
    /// The headers are prepared.
    #[cfg(not(linux))]
    unsafe fn call(&mut self, fd: BorrowedFd<'_>, count: usize, flags: i32) -> Result<usize> {
        let mut received = 0;
        while received < count {
            let header = &mut self.headers[received];
            let more = if received == 0 { 0 } else { libc::MSG_DONTWAIT };
            // SAFETY: the header is prepared.
            match unsafe {
                syscall!(recvmsg(
                    fd.as_raw_fd(),
                    &raw mut header.msg_hdr,
                    flags | more
                ))
            } {
                Ok(len) => header.msg_len = len as _,
                Err(errno) if received == 0 => return Err(errno),
                // An error that is not told now comes with the next call.
                Err(_) => break,
            }
            received += 1;
        }
        // SAFETY: that many headers were written to.
        unsafe { self.note(received) };
        Ok(received)
    }

    /// # Safety
    /// The system has written that many addresses.
    unsafe fn note(&mut self, received: usize) {
        for (header, address) in self.headers.iter().zip(&mut self.addresses).take(received) {
            // SAFETY: the system says how much it has written.
            unsafe { address.filled(header.msg_hdr.msg_namelen) };
        }
        #[allow(clippy::unnecessary_cast, reason = "socklen_t on other systems")]
        for (header, control) in self.headers.iter().zip(&mut self.controls).take(received) {
            control.filled(header.msg_hdr.msg_controllen as usize);
        }
    }
}

/// Messages that are to be sent, each of one piece.
pub struct Outgoing<'a> {
    headers: Vec<mmsghdr>,
    pieces: &'a [IoVec],
}

// SAFETY: the pointers are into borrowed memory, which nobody writes to meanwhile.
unsafe impl Send for Outgoing<'_> {}

impl<'a> Outgoing<'a> {
    /// A message for each piece, to the address that is given for its place, or to the connected
    /// peer where there is none. None where there is no memory.
    pub fn new(
        pieces: &'a [IoVec],
        address: impl Fn(usize) -> Option<&'a SockAddr>,
    ) -> Option<Self> {
        let mut headers = Vec::new();
        headers.try_reserve_exact(pieces.len()).ok()?;
        headers.extend(pieces.iter().enumerate().map(|(index, piece)| {
            let mut header = empty();
            header.msg_hdr.msg_iov = ptr::from_ref(piece).cast_mut().cast();
            header.msg_hdr.msg_iovlen = 1;
            if let Some(address) = address(index) {
                header.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
                header.msg_hdr.msg_namelen = address.len() as _;
            }
            header
        }));
        Some(Outgoing { headers, pieces })
    }

    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Sends messages from that one on, at most [`LIMIT`], and returns how many the system took,
    /// at least one. An error behind the first is told by the next call.
    ///
    /// # Safety
    /// The pieces are readable.
    pub unsafe fn send(&mut self, fd: BorrowedFd<'_>, from: usize, flags: i32) -> Result<usize> {
        let rest = &mut self.headers[from..];
        let count = rest.len().min(LIMIT);
        // SAFETY: `count` headers are there, and name borrowed memory with its lengths.
        unsafe { send(fd, &mut rest[..count], flags) }
    }
}

/// # Safety
/// The headers name memory that is readable for the lengths they say.
#[cfg(linux)]
unsafe fn send(fd: BorrowedFd<'_>, headers: &mut [mmsghdr], flags: i32) -> Result<usize> {
    // SAFETY: the caller's promise.
    let sent = unsafe {
        syscall!(sendmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            headers.len() as libc::c_uint,
            flags as _
        ))
    }?;
    Ok(sent as usize)
}

/// # Safety
/// The headers name memory that is readable for the lengths they say.
#[cfg(not(linux))]
unsafe fn send(fd: BorrowedFd<'_>, headers: &mut [mmsghdr], flags: i32) -> Result<usize> {
    for (index, header) in headers.iter().enumerate() {
        let sent = crate::system::room(fd, flags).and_then(|_| {
            // SAFETY: the caller's promise.
            unsafe { syscall!(sendmsg(fd.as_raw_fd(), &raw const header.msg_hdr, flags)) }
        });
        if let Err(errno) = sent {
            return if index == 0 { Err(errno) } else { Ok(index) };
        }
    }
    Ok(headers.len())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn sends_and_receives_in_order() {
        let (one, other) = UnixDatagram::pair().unwrap();
        let texts: Vec<Vec<u8>> = (0..10_u8).map(|index| vec![index; index.into()]).collect();
        let pieces: Vec<IoVec> = texts
            .iter()
            .map(|text| IoVec::new(text.as_ptr().cast_mut(), text.len()))
            .collect();
        let mut outgoing = Outgoing::new(&pieces, |_| None).unwrap();
        // SAFETY: the texts are alive.
        assert_eq!(unsafe { outgoing.send(one.as_fd(), 0, 0) }.unwrap(), 10);
        let mut memory = [0_u8; 8 * 32];
        let mut slots = Slots::new();
        for expected in [8_usize, 2] {
            // SAFETY: the memory is writable.
            let received = unsafe {
                let region = Region::new(memory.as_mut_ptr(), memory.len());
                slots.receive(other.as_fd(), region, 32, 99, true, 0)
            };
            assert_eq!(received.unwrap(), expected);
            for (index, datagram) in slots.received().enumerate() {
                let number = index + if expected == 2 { 8 } else { 0 };
                assert_eq!(datagram.len, number);
                assert_eq!(datagram.flags & libc::MSG_TRUNC, 0);
                assert!(
                    memory[index * 32..][..number]
                        .iter()
                        .all(|byte| usize::from(*byte) == number)
                );
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn tells_of_what_was_cut() {
        let (one, other) = UnixDatagram::pair().unwrap();
        one.send(&[7; 100]).unwrap();
        let mut memory = [0_u8; 16];
        let mut slots = Slots::new();
        // SAFETY: the memory is writable.
        unsafe {
            let region = Region::new(memory.as_mut_ptr(), memory.len());
            slots
                .receive(other.as_fd(), region, 16, 1, false, 0)
                .unwrap();
        }
        let datagram = slots.received().next().unwrap();
        assert_eq!(
            (datagram.len, datagram.flags & libc::MSG_TRUNC),
            (16, libc::MSG_TRUNC)
        );
    }
}
