//! What Apple's systems and FreeBSD have in common.

use libc::{c_char, c_int, off_t, pthread_t, sockaddr};

use crate::{Errno, Result};

pub(crate) use libc::__error as errno_location;

/// No flag of send(2) opens a connection.
pub(crate) const FASTOPEN: c_int = 0;

/// Multicast memberships of any source, and of one: the numbers of `<netinet/in.h>`, which the
/// libc crate lacks in part.
pub(crate) const JOIN: [c_int; 2] = [80, 82];
pub(crate) const LEAVE: [c_int; 2] = [81, 83];

/// Peers have addresses in every family.
pub(crate) const FAMILIES_WITHOUT_PEER_ADDRESSES: &[c_int] = &[];

/// No option of a family is wider than an int.
pub(crate) const FAMILIES_WITH_WIDE_OPTIONS: &[c_int] = &[];

/// No option bounds the time for which sent data may stay unacknowledged.
pub(crate) const UNACKNOWLEDGED_TIMEOUT: Option<c_int> = None;

/// Whether this is the thread that the process began with.
pub(crate) fn in_main_thread() -> bool {
    // SAFETY: the call only returns a number.
    unsafe { libc::pthread_main_np() != 0 }
}

/// The signals that a thread blocks, which no call tells of another thread.
pub(crate) fn blocked_signals(_: pthread_t) -> Option<u64> {
    None
}

/// The address of the other end, or the one for broadcasts.
pub(crate) fn other_address(entry: &libc::ifaddrs) -> *const sockaddr {
    entry.ifa_dstaddr
}

/// The bytes of a hardware address; link_addr(3).
///
/// # Safety
/// The address is as long as it says.
pub(crate) unsafe fn hardware_address(address: *const sockaddr) -> Option<Vec<u8>> {
    // SAFETY: the caller's promise. The structure's array may be longer than what is there, or
    // shorter, so that it is never read as a whole.
    unsafe {
        if c_int::from((*address).sa_family) != libc::AF_LINK {
            return None;
        }
        let link = address.cast::<libc::sockaddr_dl>();
        let name = usize::from((&raw const (*link).sdl_nlen).read_unaligned());
        let len = usize::from((&raw const (*link).sdl_alen).read_unaligned());
        let data = (&raw const (*link).sdl_data).cast::<c_char>().cast::<u8>();
        if data.addr() + name + len > link.addr() + usize::from((*address).sa_len) {
            return None;
        }
        Some(std::slice::from_raw_parts(data.add(name), len).to_vec())
    }
}

/// What a sendfile(2) that failed, or did not, has sent: an error behind the first byte is told by
/// the next call.
pub(crate) fn sent(result: c_int, sent: off_t) -> Result<usize> {
    let errno = Errno::last();
    match usize::try_from(sent) {
        Ok(count)
            if result == 0 || (count > 0 && (errno.is_would_block() || errno.is_interrupted())) =>
        {
            Ok(count)
        }
        _ => Err(errno),
    }
}
