//! A socket address as the system calls take it: bytes and a length.

use std::mem::{MaybeUninit, offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::{sa_family_t, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};

/// An address of any family. The storage is only valid up to `len`.
#[derive(Clone, Copy)]
pub struct SockAddr {
    storage: MaybeUninit<sockaddr_storage>,
    len: socklen_t,
}

impl SockAddr {
    pub const CAPACITY: usize = size_of::<sockaddr_storage>();

    /// Room for an address that a system call is about to write.
    pub const fn empty() -> Self {
        SockAddr {
            storage: MaybeUninit::uninit(),
            len: 0,
        }
    }

    /// Takes over a structure of one family, such as `sockaddr_in`, up to `len` bytes of it.
    ///
    /// `T` must be a plain C structure without padding that matters to the caller.
    pub fn from_struct<T: Copy>(value: &T, len: usize) -> Self {
        const { assert!(size_of::<T>() <= Self::CAPACITY) }
        let mut address = Self {
            storage: MaybeUninit::zeroed(),
            len: len.min(size_of::<T>()) as socklen_t,
        };
        // SAFETY: both sides are valid for the size of T, asserted above to fit.
        unsafe {
            std::ptr::copy_nonoverlapping(
                std::ptr::from_ref(value).cast::<u8>(),
                address.storage.as_mut_ptr().cast::<u8>(),
                size_of::<T>(),
            );
        }
        address
    }

    /// Takes over raw bytes, the family in front; none where they do not fit.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > Self::CAPACITY {
            return None;
        }
        let mut address = Self {
            storage: MaybeUninit::zeroed(),
            len: bytes.len() as socklen_t,
        };
        // SAFETY: the length was checked against the capacity.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                address.storage.as_mut_ptr().cast::<u8>(),
                bytes.len(),
            );
        }
        Some(address)
    }

    /// The bytes that are there, the family in front.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: every constructor and `filled` keep `len` bytes initialised.
        unsafe { std::slice::from_raw_parts(self.storage.as_ptr().cast(), self.len()) }
    }

    /// A copy as a structure of one family; bytes beyond the length are zero.
    ///
    /// # Safety
    /// Every bit pattern must be a valid `T`, as it is for the C address structures.
    pub unsafe fn read_as<T: Copy>(&self) -> T {
        const { assert!(size_of::<T>() <= Self::CAPACITY) }
        let mut value = MaybeUninit::<T>::zeroed();
        let bytes = self.as_bytes();
        // SAFETY: the count is bounded by both sides, and the rest is zeroed.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                value.as_mut_ptr().cast::<u8>(),
                bytes.len().min(size_of::<T>()),
            );
            value.assume_init()
        }
    }

    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// The family in front, or none where the address is too short to name one.
    pub fn family(&self) -> Option<i32> {
        let end = offset_of!(sockaddr, sa_family) + size_of::<sa_family_t>();
        let bytes = self.as_bytes().get(offset_of!(sockaddr, sa_family)..end)?;
        Some(i32::from(sa_family_t::from_ne_bytes(
            bytes.try_into().ok()?,
        )))
    }

    /// The host of an IPv4 or IPv6 address.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.family()? {
            libc::AF_INET => {
                // SAFETY: an address structure of C, valid for all bits.
                let address: sockaddr_in = unsafe { self.read_as() };
                Some(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()).into())
            }
            libc::AF_INET6 => {
                // SAFETY: an address structure of C, valid for all bits.
                let address: sockaddr_in6 = unsafe { self.read_as() };
                Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }

    /// The port of an IPv4 or IPv6 address, in the machine's byte order.
    pub fn port(&self) -> u16 {
        const {
            assert!(offset_of!(sockaddr_in, sin_port) == offset_of!(sockaddr_in6, sin6_port));
        }
        // SAFETY: an address structure of C, valid for all bits, the port of which stands
        // at the same place in both.
        let address: sockaddr_in = unsafe { self.read_as() };
        u16::from_be(address.sin_port)
    }

    pub fn as_ptr(&self) -> *const sockaddr {
        self.storage.as_ptr().cast()
    }

    pub fn as_mut_ptr(&mut self) -> *mut sockaddr {
        self.storage.as_mut_ptr().cast()
    }

    /// Says how much of the storage a system call has written.
    ///
    /// # Safety
    /// The first `len` bytes, up to the capacity, must be initialised. The kernel may
    /// report more than it had room to write; that is cut here.
    pub unsafe fn filled(&mut self, len: socklen_t) {
        self.len = len.min(Self::CAPACITY as socklen_t);
    }
}

impl PartialEq for SockAddr {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
