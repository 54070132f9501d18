//! A socket address as the system calls take it, bytes and a length, and the structures that
//! stand in it.

use std::mem::{MaybeUninit, offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::c::{
    self, sa_family_t, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t,
};

/// An address structure of one family, such as `sockaddr_in`.
///
/// # Safety
/// A structure of C that begins as `sockaddr` does, for which any bits are valid, those of its
/// padding included, and which is no larger than `sockaddr_storage`.
pub unsafe trait Sockaddr: Copy {
    /// All zeros but for the family, and the length on systems whose addresses begin with it.
    fn of_family(family: i32) -> Self {
        const { assert!(size_of::<Self>() >= offset_of!(sockaddr, sa_data)) }
        let mut value = MaybeUninit::<Self>::zeroed();
        // SAFETY: the structure begins as `sockaddr` does up to its data, as far as which it is
        // large enough, asserted above; any bits are valid.
        unsafe {
            let front = value.as_mut_ptr().cast::<sockaddr>();
            (&raw mut (*front).sa_family).write_unaligned(family as sa_family_t);
            #[cfg(bsd)]
            (&raw mut (*front).sa_len).write_unaligned(size_of::<Self>() as u8);
            value.assume_init()
        }
    }
}

/// Promises what [`Sockaddr`] asks for.
macro_rules! sockaddr {
    ($($(#[$attribute:meta])* $name:ty),* $(,)?) => {
        $(
            $(#[$attribute])*
            // SAFETY: one of C's address structures, made of nothing but numbers and arrays and
            // unions of them.
            unsafe impl Sockaddr for $name {}
        )*
    };
}

sockaddr! {
    sockaddr_in,
    sockaddr_in6,
    c::sockaddr_un,
    #[cfg(linux)]
    libc::sockaddr_alg,
    #[cfg(linux)]
    libc::sockaddr_can,
    #[cfg(linux)]
    libc::sockaddr_ll,
    #[cfg(linux)]
    libc::sockaddr_nl,
    #[cfg(linux)]
    libc::sockaddr_vm,
    #[cfg(linux)]
    linux::sockaddr_hci,
    #[cfg(linux)]
    linux::sockaddr_l2,
    #[cfg(linux)]
    linux::sockaddr_qrtr,
    #[cfg(linux)]
    linux::sockaddr_rc,
    #[cfg(linux)]
    linux::sockaddr_sco,
    #[cfg(linux)]
    linux::sockaddr_tipc,
    #[cfg(target_vendor = "apple")]
    libc::sockaddr_ctl,
}

/// Structures of Linux's headers that the libc crate lacks, by their names there.
#[cfg(linux)]
#[allow(non_camel_case_types, reason = "the names of C")]
pub mod linux {
    use libc::{sa_family_t, sockaddr_can};

    /// A Bluetooth device address, the last byte of its text first; `<bluetooth/bluetooth.h>`.
    pub type bdaddr_t = [u8; 6];

    /// `<bluetooth/l2cap.h>`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct sockaddr_l2 {
        pub l2_family: sa_family_t,
        /// Little endian, as is `l2_cid`.
        pub l2_psm: u16,
        pub l2_bdaddr: bdaddr_t,
        pub l2_cid: u16,
        pub l2_bdaddr_type: u8,
    }

    /// `<bluetooth/rfcomm.h>`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct sockaddr_rc {
        pub rc_family: sa_family_t,
        pub rc_bdaddr: bdaddr_t,
        pub rc_channel: u8,
    }

    /// `<bluetooth/hci.h>`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct sockaddr_hci {
        pub hci_family: sa_family_t,
        pub hci_dev: u16,
        pub hci_channel: u16,
    }

    /// `<bluetooth/sco.h>`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct sockaddr_sco {
        pub sco_family: sa_family_t,
        pub sco_bdaddr: bdaddr_t,
    }

    /// `AF_QIPCRTR` of `<linux/socket.h>`.
    pub const AF_QIPCRTR: i32 = 42;

    /// `<linux/qrtr.h>`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct sockaddr_qrtr {
        pub sq_family: sa_family_t,
        pub sq_node: u32,
        pub sq_port: u32,
    }

    /// `<linux/tipc.h>`; its union of three forms, all made of 32-bit numbers, as an array: name
    /// (type, instance, domain), sequence (type, lower, upper) or id (reference, node).
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct sockaddr_tipc {
        pub family: u16,
        pub addrtype: u8,
        pub scope: i8,
        pub addr: [u32; 3],
    }

    /// The receiver's and the sender's identifier of an ISO-TP address.
    pub fn can_tp(address: &sockaddr_can) -> (u32, u32) {
        // SAFETY: plain numbers, valid for all bits whatever the union was written as.
        let tp = unsafe { address.can_addr.tp };
        (tp.rx_id, tp.tx_id)
    }

    /// Name, parameter group number and address of a J1939 address.
    pub fn can_j1939(address: &sockaddr_can) -> (u64, u32, u8) {
        // SAFETY: as above.
        let j1939 = unsafe { address.can_addr.j1939 };
        (j1939.name, j1939.pgn, j1939.addr)
    }
}

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

    /// Copies a structure of one family, such as `sockaddr_in`.
    pub fn new<T: Sockaddr>(value: &T) -> Self {
        Self::with_len(value, size_of::<T>())
    }

    /// Only the first `len` bytes of a structure: its end is of variable length in some families.
    pub fn with_len<T: Sockaddr>(value: &T, len: usize) -> Self {
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

    /// An IPv4 address.
    pub fn v4(host: Ipv4Addr, port: u16) -> Self {
        let mut address = sockaddr_in::of_family(c::AF_INET);
        address.sin_port = port.to_be();
        address.sin_addr.s_addr = u32::from_ne_bytes(host.octets());
        Self::new(&address)
    }

    /// An IPv6 address; numbers in the machine's order.
    pub fn v6(host: Ipv6Addr, port: u16, flowinfo: u32, scope_id: u32) -> Self {
        let mut address = sockaddr_in6::of_family(c::AF_INET6);
        address.sin6_port = port.to_be();
        address.sin6_flowinfo = flowinfo.to_be();
        address.sin6_addr.s6_addr = host.octets();
        address.sin6_scope_id = scope_id;
        Self::new(&address)
    }

    /// An address with this host.
    pub fn internet(host: IpAddr, port: u16) -> Self {
        match host {
            IpAddr::V4(host) => Self::v4(host, port),
            IpAddr::V6(host) => Self::v6(host, port, 0, 0),
        }
    }

    /// Copies raw bytes, the family in front; none where they do not fit.
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
    pub fn read<T: Sockaddr>(&self) -> T {
        const { assert!(size_of::<T>() <= Self::CAPACITY) }
        let mut value = MaybeUninit::<T>::zeroed();
        let bytes = self.as_bytes();
        // SAFETY: the count is bounded by both sides, the rest is zeroed, and any bits are valid.
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
            c::AF_INET => {
                let address: sockaddr_in = self.read();
                Some(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()).into())
            }
            c::AF_INET6 => {
                let address: sockaddr_in6 = self.read();
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
        let address: sockaddr_in = self.read();
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOST_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    #[test]
    fn internet_addresses_come_back() {
        let address = SockAddr::v4(Ipv4Addr::new(127, 0, 0, 1), 80);
        assert_eq!(address.family(), Some(c::AF_INET));
        assert_eq!(address.ip(), Some(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(address.port(), 80);
        assert_eq!(address.len(), size_of::<sockaddr_in>());

        let address = SockAddr::v6(HOST_V6, 65535, 7, 3);
        assert_eq!(address.ip(), Some(HOST_V6.into()));
        assert_eq!(address.port(), 65535);
        let fields: sockaddr_in6 = address.read();
        assert_eq!(u32::from_be(fields.sin6_flowinfo), 7);
        assert_eq!(fields.sin6_scope_id, 3);
        assert!(address == SockAddr::v6(HOST_V6, 65535, 7, 3));
        assert!(address != SockAddr::internet(HOST_V6.into(), 65535));
    }

    #[test]
    fn bytes_come_back_at_every_length() {
        let bytes: Vec<u8> = (0..SockAddr::CAPACITY).map(|byte| byte as u8).collect();
        for len in 0..=bytes.len() {
            let address = SockAddr::from_bytes(&bytes[..len]).expect("it fits");
            assert_eq!(address.as_bytes(), &bytes[..len]);
            assert_eq!(address.family().is_none(), len < 2);
            // What is not there is zero.
            let fields: sockaddr_in6 = address.read();
            let scope = offset_of!(sockaddr_in6, sin6_scope_id);
            assert_eq!(fields.sin6_scope_id == 0, len <= scope);
            let _ = (address.ip(), address.port());
        }
        assert!(SockAddr::from_bytes(&[0; SockAddr::CAPACITY + 1]).is_none());
    }

    #[test]
    fn the_kernel_cannot_claim_more_than_there_is_room_for() {
        let mut address = SockAddr::from_bytes(&[0; SockAddr::CAPACITY]).expect("it fits");
        // SAFETY: the whole capacity is initialised.
        unsafe { address.filled(socklen_t::MAX) };
        assert_eq!(address.len(), SockAddr::CAPACITY);
    }

    #[test]
    fn a_structure_may_be_cut_but_not_stretched() {
        let path = c::sockaddr_un::of_family(c::AF_UNIX);
        assert_eq!(SockAddr::with_len(&path, 2).len(), 2);
        let whole = size_of::<c::sockaddr_un>();
        assert_eq!(SockAddr::with_len(&path, whole + 1).len(), whole);
        assert_eq!(SockAddr::new(&path).family(), Some(c::AF_UNIX));
    }

    #[cfg(linux)]
    #[test]
    fn structures_of_our_own_have_the_size_of_the_headers() {
        use super::linux::*;
        assert_eq!(size_of::<sockaddr_l2>(), 14);
        assert_eq!(size_of::<sockaddr_rc>(), 10);
        assert_eq!(size_of::<sockaddr_hci>(), 6);
        assert_eq!(size_of::<sockaddr_sco>(), 8);
        assert_eq!(size_of::<sockaddr_qrtr>(), 12);
        assert_eq!(size_of::<sockaddr_tipc>(), 16);
    }
}
