//! Making, naming and closing descriptors. Creation goes through socket2, which sets
//! close-on-exec in the same system call where the system can.

use std::sync::atomic::Ordering;

use socket2::{Domain, Protocol, SockRef, Type};

use super::c::{self, c_int, socklen_t};
use super::system::{AtomicRawFd, NO_DESCRIPTOR};
use super::{
    AsRawFd, BorrowedFd, Errno, FromRawFd, IntoRawFd, OwnedFd, RawFd, Result, SockAddr, syscall,
    system,
};

pub use super::system::{ensure_nonblocking, is_inheritable, set_inheritable, set_nonblocking};

/// What may stand in the type of a socket that is asked for, beside the type.
pub const KIND_FLAGS: i32 = system::KIND_FLAGS;

/// Whether `SOCK_NONBLOCK` stands in the type of a socket that is asked for.
pub fn is_nonblocking_kind(kind: i32) -> bool {
    kind & !system::NONBLOCK != kind
}

/// What is asked for with socket(2), or known of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketSpec {
    pub family: i32,
    /// `SOCK_*`, with flags such as `SOCK_NONBLOCK` where the caller has set some.
    pub kind: i32,
    pub protocol: i32,
}

impl SocketSpec {
    fn parts(self) -> (Domain, Type, Option<Protocol>) {
        (
            Domain::from(self.family),
            Type::from(self.kind),
            (self.protocol != 0).then(|| Protocol::from(self.protocol)),
        )
    }
}

/// socket(2).
pub fn open(spec: SocketSpec, nonblocking: bool) -> Result<OwnedFd> {
    let (family, kind, protocol) = spec.parts();
    let socket = system::open(family, kind, protocol, nonblocking);
    Ok(socket.map_err(|error| Errno::of(&error))?.into())
}

/// The pair that a caller gets who asks for none of its own.
pub const PAIR: SocketSpec = SocketSpec {
    family: system::PAIR_FAMILY,
    kind: c::SOCK_STREAM,
    protocol: 0,
};

/// socketpair(2).
pub fn open_pair(spec: SocketSpec, nonblocking: bool) -> Result<(OwnedFd, OwnedFd)> {
    let (family, kind, protocol) = spec.parts();
    let pair = system::open_pair(family, kind, protocol, nonblocking);
    let (one, two) = pair.map_err(|error| Errno::of(&error))?;
    Ok((one.into(), two.into()))
}

/// A descriptor by the number that a program has named. It may be anybody's, or nobody's.
#[derive(Clone, Copy, Debug)]
pub struct Named(RawFd);

impl Named {
    /// # Errors
    /// `EBADF`: no descriptor has such a number, as no negative one on Unix.
    pub fn new(number: RawFd) -> Result<Self> {
        if !system::is_number(number) {
            return Err(Errno::BADF);
        }
        Ok(Named(number))
    }

    /// For calls that say `EBADF` where the number is nobody's.
    pub fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: a number that descriptors have. Whose descriptor it is, is the word of the program, which could
        // as well make the call itself; no memory depends on it.
        unsafe { system::borrow_raw(self.0) }
    }

    /// Takes the descriptor over, which the program gives away.
    pub fn adopt(self) -> OwnedFd {
        // SAFETY: such a number, and the program's to give away, see `borrow`.
        unsafe { OwnedFd::from_raw_fd(self.0) }
    }
}

/// A place for a descriptor that is owned by whoever takes it out.
pub struct Slot(AtomicRawFd);

impl Slot {
    pub const fn empty() -> Self {
        Slot(AtomicRawFd::new(NO_DESCRIPTOR))
    }

    /// Puts a descriptor in, and gives the one that was there.
    pub fn replace(&self, fd: OwnedFd) -> Option<OwnedFd> {
        Self::owned(self.0.swap(fd.into_raw_fd(), Ordering::SeqCst))
    }

    /// Takes out what is there. Where there is nothing, as nearly always in some places, that
    /// costs no locked instruction.
    #[inline]
    pub fn take(&self) -> Option<OwnedFd> {
        if self.number() == NO_DESCRIPTOR {
            return None;
        }
        Self::owned(self.0.swap(NO_DESCRIPTOR, Ordering::SeqCst))
    }

    /// The number of what is there, [`NONE`](Self::NONE) for nothing.
    #[inline]
    pub fn number(&self) -> RawFd {
        self.0.load(Ordering::SeqCst)
    }

    /// Borrows what is there.
    ///
    /// # Safety
    /// Nobody may close the descriptor while it is borrowed: not who takes it out, either.
    #[inline]
    pub unsafe fn lend(&self) -> Option<BorrowedFd<'_>> {
        let number = self.number();
        // SAFETY: no other number that is none ever gets in; the rest is the caller's promise.
        (number != NO_DESCRIPTOR).then(|| unsafe { system::borrow_raw(number) })
    }

    fn owned(number: RawFd) -> Option<OwnedFd> {
        // SAFETY: the number came out of a descriptor that was owned, and is out of the slot
        // now, so that nobody else can take it.
        (number != NO_DESCRIPTOR).then(|| unsafe { OwnedFd::from_raw_fd(number) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(fd) = self.take() {
            // There is nobody to tell.
            let _ = close(fd);
        }
    }
}

/// close(2). Never tried again on EINTR: Linux has given the number up by then.
///
/// Not left to the end of an [`OwnedFd`] where the program knows the number: it may have closed
/// it already, which the standard library takes for a fault of ours in builds that check it.
pub fn close(fd: OwnedFd) -> Result<()> {
    // SAFETY: the descriptor is owned, and not used behind this.
    unsafe { syscall!(close(fd.into_raw_fd())) }?;
    Ok(())
}

/// Whether closing a socket may wait for the peer, `SO_LINGER`; fails for what is no socket.
pub fn lingers(fd: BorrowedFd<'_>) -> Result<bool> {
    let mut linger = c::linger {
        l_onoff: 0,
        l_linger: 0,
    };
    let mut len = size_of_val(&linger) as c::socklen_t;
    // SAFETY: the option is writable for the length given, and any bits are numbers.
    unsafe {
        syscall!(getsockopt(
            fd.as_raw_fd(),
            c::SOL_SOCKET,
            c::SO_LINGER,
            (&raw mut linger).cast(),
            &mut len
        ))
    }?;
    Ok(linger.l_onoff != 0 && linger.l_linger != 0)
}

/// A second descriptor of the same open file, closed on exec.
pub fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    fd.try_clone_to_owned().map_err(|error| Errno::of(&error))
}

/// bind(2).
pub fn bind(fd: BorrowedFd<'_>, address: &SockAddr) -> Result<()> {
    // SAFETY: an address is valid memory for its length.
    unsafe {
        syscall!(bind(
            fd.as_raw_fd(),
            address.as_ptr(),
            address.len() as socklen_t
        ))
    }?;
    Ok(())
}

/// listen(2).
pub fn listen(fd: BorrowedFd<'_>, backlog: c_int) -> Result<()> {
    let socket = SockRef::from(&fd);
    socket.listen(backlog).map_err(|error| Errno::of(&error))
}

/// shutdown(2), with any number: socket2 knows the three valid ones only.
pub fn shutdown(fd: BorrowedFd<'_>, how: c_int) -> Result<()> {
    // SAFETY: takes numbers only.
    unsafe { syscall!(shutdown(fd.as_raw_fd(), how)) }?;
    Ok(())
}

/// getsockname(2).
pub fn local_address(fd: BorrowedFd<'_>) -> Result<SockAddr> {
    name(fd, c::getsockname)
}

/// getpeername(2).
pub fn peer_address(fd: BorrowedFd<'_>) -> Result<SockAddr> {
    name(fd, c::getpeername)
}

type NameCall = unsafe extern "C" fn(RawFd, *mut c::sockaddr, *mut socklen_t) -> c_int;

fn name(fd: BorrowedFd<'_>, call: NameCall) -> Result<SockAddr> {
    let mut address = SockAddr::empty();
    let mut len = SockAddr::CAPACITY as socklen_t;
    // SAFETY: the storage holds `len` bytes, of which the kernel says how many it has written.
    unsafe {
        if call(fd.as_raw_fd(), address.as_mut_ptr(), &mut len) == -1 {
            return Err(Errno::last());
        }
        address.filled(len);
    }
    Ok(address)
}

/// The type of an open socket, `SO_TYPE`.
pub fn kind(fd: BorrowedFd<'_>) -> Result<i32> {
    super::option::get::<i32>(fd, c::SOL_SOCKET, c::SO_TYPE)
}

/// The protocol of an open socket, `SO_PROTOCOL`; 0 on systems that do not tell.
pub fn protocol(fd: BorrowedFd<'_>) -> Result<i32> {
    system::protocol(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::borrow;

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn new_descriptors_are_not_inherited() {
        let (one, two) = open_pair(PAIR, false).expect("a pair");
        let three = open(PAIR, false).expect("a socket");
        for fd in [&one, &two, &three] {
            assert_eq!(is_inheritable(borrow(fd)), Ok(false));
            assert_eq!(kind(borrow(fd)), Ok(c::SOCK_STREAM));
        }
        set_inheritable(borrow(&one), true).expect("it is open");
        assert_eq!(is_inheritable(borrow(&one)), Ok(true));
        let copy = duplicate(borrow(&one)).expect("one more");
        assert_eq!(is_inheritable(borrow(&copy)), Ok(false));
        set_inheritable(borrow(&one), false).expect("it is open");
        assert_eq!(is_inheritable(borrow(&one)), Ok(false));
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn a_slot_gives_each_descriptor_away_once() {
        let slot = Slot::empty();
        assert_eq!(slot.number(), NO_DESCRIPTOR);
        assert!(slot.take().is_none());
        let (one, two) = open_pair(PAIR, false).expect("a pair");
        let (first, second) = (one.as_raw_fd(), two.as_raw_fd());
        assert!(slot.replace(one).is_none());
        assert_eq!(slot.number(), first);
        let before = slot.replace(two).expect("the first");
        assert_eq!(before.as_raw_fd(), first);
        assert_eq!(close(before), Ok(()));
        // SAFETY: nobody closes it meanwhile.
        let borrowed = unsafe { slot.lend() }.map(|fd| fd.as_raw_fd());
        assert_eq!(borrowed, Some(second));
        assert_eq!(slot.take().map(|fd| fd.as_raw_fd()), Some(second));
        assert!(slot.take().is_none());
    }

    #[test]
    fn no_descriptor_has_the_number_of_none() {
        assert_eq!(Named::new(NO_DESCRIPTOR).err(), Some(Errno::BADF));
        assert!(Named::new(0).is_ok());
    }
}
