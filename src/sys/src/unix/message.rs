//! sendmsg(2) and recvmsg(2).

use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use libc::{iovec, msghdr};

use crate::ancillary::Control;
use crate::{BorrowedFd, Result, SockAddr, syscall, system};

/// A piece of memory that the system is to read or write: one `struct iovec`.
///
/// Only an address and a length: whoever makes one keeps the memory valid until the last
/// system call with it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct IoVec(iovec);

// SAFETY: an address and a length; the system call that uses them checks the address.
unsafe impl Send for IoVec {}
// SAFETY: as above; nothing is read or written through a shared one in Rust.
unsafe impl Sync for IoVec {}

impl IoVec {
    pub const EMPTY: IoVec = IoVec::new(std::ptr::null_mut(), 0);

    pub const fn new(start: *mut u8, len: usize) -> Self {
        IoVec(iovec {
            iov_base: start.cast(),
            iov_len: len,
        })
    }

    pub fn len(&self) -> usize {
        self.0.iov_len
    }

    pub fn as_ptr(&self) -> *mut u8 {
        self.0.iov_base.cast()
    }

    /// What is left behind the first `count` bytes.
    pub fn skip(self, count: usize) -> Self {
        let count = count.min(self.len());
        IoVec::new(
            self.0.iov_base.cast::<u8>().wrapping_add(count),
            self.len() - count,
        )
    }
}

/// What was received with a message, beside the data and the ancillary data.
pub struct Received {
    pub len: usize,
    /// Empty where the sender has none.
    pub address: SockAddr,
    /// `MSG_TRUNC`, `MSG_CTRUNC`, ... as the system set them.
    pub flags: i32,
}

/// Sends one message that is gathered from several pieces. The pieces must be valid to read.
pub fn sendmsg(
    socket: BorrowedFd<'_>,
    address: Option<&SockAddr>,
    pieces: &[IoVec],
    control: &Control,
    flags: i32,
) -> Result<usize> {
    let room = system::room(socket, flags)?;
    let fitting = (room < usize::MAX).then(|| leading(pieces, room));
    let mut header = header(fitting.as_deref().unwrap_or(pieces));
    if let Some(address) = address {
        header.msg_name = address.as_ptr().cast_mut().cast();
        header.msg_namelen = address.len() as _;
    }
    let (start, len) = control.parts();
    header.msg_control = start;
    // The types of the lengths differ between systems.
    header.msg_controllen = len as _;
    // SAFETY: the header names memory that outlives the call, and the call only reads it.
    let sent = unsafe { syscall!(sendmsg(socket.as_raw_fd(), &raw const header, flags))? };
    Ok(sent as usize)
}

/// Receives one message, spread over several pieces, and its ancillary data.
///
/// Descriptors in the ancillary data belong to `control`, see there. The pieces must be
/// valid to write.
pub fn recvmsg(
    socket: BorrowedFd<'_>,
    pieces: &[IoVec],
    control: &mut Control,
    flags: i32,
) -> Result<Received> {
    let mut address = SockAddr::empty();
    let mut header = header(pieces);
    header.msg_name = address.as_mut_ptr().cast();
    header.msg_namelen = SockAddr::CAPACITY as _;
    let (start, capacity) = control.reset();
    header.msg_control = start;
    header.msg_controllen = capacity as _;
    // SAFETY: the header names memory that outlives the call, and lengths up to which it is
    // writable. The system says how much of the name and the control buffer it has written.
    #[allow(clippy::unnecessary_cast, reason = "socklen_t on other systems")]
    unsafe {
        let len = syscall!(recvmsg(socket.as_raw_fd(), &raw mut header, flags))? as usize;
        control.filled(header.msg_controllen as usize);
        address.filled(header.msg_namelen);
        Ok(Received {
            len,
            address,
            flags: header.msg_flags,
        })
    }
}

/// The pieces up to that number of bytes.
fn leading(pieces: &[IoVec], mut room: usize) -> Vec<IoVec> {
    let mut fitting = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let len = piece.len().min(room);
        fitting.push(IoVec::new(piece.as_ptr(), len));
        room -= len;
    }
    fitting
}

fn header(pieces: &[IoVec]) -> msghdr {
    // SAFETY: all zeros are a valid header, of an empty message.
    let mut header: msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = pieces.as_ptr().cast_mut().cast();
    header.msg_iovlen = pieces.len() as _;
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_where_the_room_ends() {
        let mut bytes = [0_u8; 12];
        let pieces = [3, 0, 4, 5].map(|len| IoVec::new(bytes.as_mut_ptr(), len));
        for (room, expected) in [
            (0, [0, 0, 0, 0]),
            (2, [2, 0, 0, 0]),
            (7, [3, 0, 4, 0]),
            (8, [3, 0, 4, 1]),
            (99, [3, 0, 4, 5]),
        ] {
            let lengths: Vec<usize> = leading(&pieces, room).iter().map(IoVec::len).collect();
            assert_eq!(lengths, expected);
        }
    }
}
