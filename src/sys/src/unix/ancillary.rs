//! Ancillary data as the system calls take and give it: a row of control messages, each a
//! header, its data, and padding; cmsg(3), RFC 3542 section 20.

use std::alloc::{Layout, alloc_zeroed};
use std::mem::{align_of, size_of};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use libc::cmsghdr;

/// The largest size of ancillary data, data and headers, that portable programs may use:
/// `socklen_t` may be signed (RFC 3542 section 20.2).
pub const LIMIT: usize = 0x7fff_ffff;

/// From the start of a control message to its data.
// SAFETY: the macros only compute.
const HEADER: usize = unsafe { libc::CMSG_LEN(0) } as usize;

/// Control messages start at multiples of this.
// SAFETY: as above.
const UNIT: usize = unsafe { libc::CMSG_SPACE(1) - libc::CMSG_SPACE(0) } as usize;

/// What the storage consists of, so that headers in it are aligned.
type Word = u64;
const _: () = assert!(align_of::<Word>() >= align_of::<cmsghdr>() && align_of::<Word>() >= UNIT);

/// The length of a control message with `data` bytes of data; none where it is beyond the limit.
pub fn length(data: usize) -> Option<usize> {
    (data <= LIMIT - HEADER).then(|| HEADER + data)
}

/// The same with the padding behind it: what the message takes in a buffer.
pub fn space(data: usize) -> Option<usize> {
    (data <= LIMIT - HEADER - UNIT).then(|| (HEADER + data).next_multiple_of(UNIT))
}

/// Why a control message was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Its data are beyond the limit.
    Item,
    /// All together would be beyond the limit.
    Total,
    /// There is no memory.
    Memory,
}

/// An aligned buffer of control messages, to send or received.
///
/// Descriptors that come with a received message (`SCM_RIGHTS`) belong to the buffer, which
/// closes them, until [`Control::release`] says that the program has them. A failure between
/// the system call and the program's result can therefore not leak one.
pub struct Control {
    words: Vec<Word>,
    /// How many bytes the system may write, at most `words`.
    capacity: usize,
    /// How many bytes are there, at most `capacity`.
    len: usize,
    received: bool,
}

impl Control {
    /// An empty buffer, which allocates nothing.
    pub const fn new() -> Self {
        Control {
            words: Vec::new(),
            capacity: 0,
            len: 0,
            received: false,
        }
    }

    /// Room for `capacity` bytes from the system; none where there is no memory.
    ///
    /// The memory comes zeroed from the allocator, so that a generous size costs nothing
    /// before the system writes there.
    pub fn with_capacity(capacity: usize) -> Option<Self> {
        let mut control = Control::new();
        // Of 32 bits, the last few bytes below the limit are more than an allocation may have.
        let most = isize::MAX as usize / size_of::<Word>();
        let count = capacity.div_ceil(size_of::<Word>()).min(most);
        if count > 0 {
            let layout = Layout::array::<Word>(count).ok()?;
            // SAFETY: the layout is not empty. The vector frees what came from the same
            // allocator with the same layout, and all zeros are valid words.
            control.words = unsafe {
                let start = alloc_zeroed(layout).cast::<Word>();
                if start.is_null() {
                    return None;
                }
                Vec::from_raw_parts(start, count, count)
            };
            control.capacity = capacity.min(count * size_of::<Word>());
        }
        Some(control)
    }

    /// Adds a control message and gives the room for its data, which is zero.
    pub fn message(&mut self, level: i32, kind: i32, data: usize) -> Result<&mut [u8], Full> {
        let length = length(data).ok_or(Full::Item)?;
        let space = space(data).ok_or(Full::Item)?;
        let start = self.len;
        let end = start + space;
        if end > LIMIT {
            return Err(Full::Total);
        }
        let count = end.div_ceil(size_of::<Word>());
        let missing = count.saturating_sub(self.words.len());
        self.words.try_reserve(missing).map_err(|_| Full::Memory)?;
        self.words.resize(count, 0);
        self.len = end;
        self.capacity = end;
        // SAFETY: all zeros are a valid header.
        let mut header: cmsghdr = unsafe { std::mem::zeroed() };
        // The type of the length differs between systems.
        header.cmsg_len = length as _;
        header.cmsg_level = level;
        header.cmsg_type = kind;
        // SAFETY: the words cover `end` bytes, which hold the header and the data; `start`
        // is a multiple of UNIT, because every space is, and so aligned for the header.
        unsafe {
            let message = self.words.as_mut_ptr().cast::<u8>().add(start);
            message.cast::<cmsghdr>().write(header);
            Ok(std::slice::from_raw_parts_mut(message.add(HEADER), data))
        }
    }

    /// What is there, headers and padding included.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the words cover `len` bytes, all of them initialised.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }

    /// The control messages, read with every length checked against the buffer.
    pub fn messages(&self) -> Messages<'_> {
        Messages {
            rest: self.as_bytes(),
            ended: false,
        }
    }

    /// The descriptors have gone to the program, and are the program's to close.
    pub fn release(&mut self) {
        self.received = false;
    }

    /// The same, for who is not done yet: they are closed with what is returned.
    pub fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        if !std::mem::take(&mut self.received) {
            return Vec::new();
        }
        let messages = self.messages().flatten();
        messages
            .flat_map(|message| message.descriptors().collect::<Vec<_>>())
            // SAFETY: the system made this descriptor for us, and nobody else owns it.
            .map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) })
            .collect()
    }

    /// How many bytes the system may write.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The buffer for a system call that is going to write to it.
    pub(super) fn reset(&mut self) -> (*mut libc::c_void, usize) {
        self.close_descriptors();
        self.len = 0;
        (self.start(), self.capacity)
    }

    /// The buffer for a system call that reads it.
    pub(super) fn parts(&self) -> (*mut libc::c_void, usize) {
        let start = if self.len == 0 {
            std::ptr::null_mut()
        } else {
            self.words.as_ptr().cast_mut().cast()
        };
        (start, self.len)
    }

    /// Says how much a system call has written.
    pub(super) fn filled(&mut self, len: usize) {
        self.len = len.min(self.capacity);
        self.received = true;
    }

    fn start(&mut self) -> *mut libc::c_void {
        if self.capacity == 0 {
            std::ptr::null_mut()
        } else {
            self.words.as_mut_ptr().cast()
        }
    }

    fn close_descriptors(&mut self) {
        drop(self.take_descriptors());
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.close_descriptors();
    }
}

/// One control message.
pub struct Message<'a> {
    pub level: i32,
    pub kind: i32,
    pub data: &'a [u8],
    /// False where the header promises more data than the buffer holds.
    pub complete: bool,
}

impl Message<'_> {
    /// The descriptors that come with it; none where it is of another kind.
    fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let data = if self.level == libc::SOL_SOCKET && self.kind == libc::SCM_RIGHTS {
            self.data
        } else {
            &[]
        };
        data.chunks_exact(size_of::<RawFd>())
            .filter_map(|bytes| Some(RawFd::from_ne_bytes(bytes.try_into().ok()?)))
    }
}

/// A header that makes no sense: nothing behind it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Goes through a buffer of control messages, and ends behind one that is cut or malformed.
///
/// Not `CMSG_NXTHDR`: some C libraries drop a last message that the system has cut, and with
/// it the descriptors that came in it.
pub struct Messages<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Messages<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Messages {
            rest: bytes,
            ended: false,
        }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.rest.len() < HEADER {
            return None;
        }
        // SAFETY: there are at least HEADER bytes, which cover a header; any bits are valid
        // for it, and it is read without a claim on alignment.
        let header = unsafe { self.rest.as_ptr().cast::<cmsghdr>().read_unaligned() };
        #[allow(clippy::unnecessary_cast, reason = "socklen_t on other systems")]
        let length = header.cmsg_len as usize;
        if length < HEADER {
            self.ended = true;
            return Some(Err(Malformed));
        }
        let complete = length <= self.rest.len();
        let message = Message {
            level: header.cmsg_level,
            kind: header.cmsg_type,
            data: &self.rest[HEADER..length.min(self.rest.len())],
            complete,
        };
        self.ended = !complete;
        let next = length.checked_next_multiple_of(UNIT);
        self.rest = next
            .and_then(|next| self.rest.get(next..))
            .unwrap_or_default();
        Some(Ok(message))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};

    use super::*;
    use crate::SocketSpec;
    use crate::descriptor::{self, Named};
    use crate::identity::Identity;
    use crate::message::{IoVec, recvmsg, sendmsg};

    const PAIR: SocketSpec = SocketSpec {
        family: libc::AF_UNIX,
        kind: libc::SOCK_STREAM,
        protocol: 0,
    };

    /// Sends a descriptor from one end of a pair to the other, and gives the received message.
    fn received() -> (Control, RawFd) {
        let (one, two) = descriptor::open_pair(PAIR, false).expect("a pair");
        let mut byte = [1u8];
        let pieces = [IoVec::new(byte.as_mut_ptr(), 1)];
        let mut control = Control::new();
        let room = control.message(libc::SOL_SOCKET, libc::SCM_RIGHTS, size_of::<RawFd>());
        let number = one.as_raw_fd().to_ne_bytes();
        room.expect("room for one").copy_from_slice(&number);
        sendmsg(one.as_fd(), None, &pieces, &control, 0).expect("sent");
        let mut control = Control::with_capacity(64).expect("memory");
        let message = recvmsg(two.as_fd(), &pieces, &mut control, 0).expect("received");
        assert_eq!(message.len, 1);
        let first = control.messages().next().expect("a message");
        let number = first.expect("it makes sense").descriptors().next();
        (control, number.expect("a descriptor"))
    }

    fn is_open(number: RawFd) -> bool {
        Identity::of(Named::new(number).expect("not negative").borrow()).is_ok()
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn received_descriptors_are_the_buffers_until_they_are_released() {
        let (mut control, number) = received();
        assert!(is_open(number));
        control.release();
        drop(control);
        assert!(is_open(number));
        drop(Named::new(number).expect("not negative").adopt());
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn a_buffer_that_is_used_again_closes_what_it_had() {
        let (mut control, number) = received();
        let identity = Identity::of(Named::new(number).expect("not negative").borrow());
        control.reset();
        // Another test's thread may have got the number since, but not the socket.
        let after = Identity::of(Named::new(number).expect("not negative").borrow());
        assert_ne!(after, identity);
    }

    #[test]
    fn sizes_have_a_limit() {
        assert_eq!(length(LIMIT), None);
        assert_eq!(length(usize::MAX), None);
        assert_eq!(space(LIMIT - HEADER), None);
        assert_eq!(length(LIMIT - HEADER), Some(LIMIT));
        let mut control = Control::new();
        assert_eq!(control.message(0, 0, usize::MAX).err(), Some(Full::Item));
        assert!(control.as_bytes().is_empty());
    }

    #[test]
    fn messages_come_back_as_they_were_added() {
        let mut control = Control::new();
        for len in 0..20usize {
            let room = control.message(len as i32, -1, len).expect("room");
            room.fill(len as u8);
        }
        for (len, message) in control.messages().enumerate() {
            let message = message.expect("it makes sense");
            assert!(message.complete);
            assert_eq!((message.level, message.kind), (len as i32, -1));
            assert_eq!(message.data, vec![len as u8; len]);
        }
        assert_eq!(control.messages().count(), 20);
    }

    #[test]
    fn a_message_that_is_cut_is_the_last() {
        let mut control = Control::new();
        control.message(1, 2, 8).expect("room").fill(7);
        control.message(3, 4, 8).expect("room");
        let bytes = control.as_bytes();
        for end in HEADER..HEADER + 8 {
            let mut messages = Messages::new(&bytes[..end]);
            let message = messages.next().expect("one").expect("it makes sense");
            assert!(!message.complete);
            assert_eq!(message.data, vec![7; end - HEADER]);
            assert!(messages.next().is_none());
        }
        assert!(Messages::new(&bytes[..HEADER - 1]).next().is_none());
        let mut malformed = bytes.to_vec();
        malformed[..size_of::<usize>()].fill(0);
        let mut messages = Messages::new(&malformed);
        assert!(messages.next().is_some_and(|message| message.is_err()));
        assert!(messages.next().is_none());
    }
}
